"""Who may write what in which state of a ticket, and which state follows: the one table (protocol 5.4)."""

from __future__ import annotations

from typing import Final

from e2e_support.vocab import AuthorRole, Kind, Lifecycle

_USER, _TEAM = AuthorRole.USER, AuthorRole.DEVICE
_OPEN, _RESOLVED, _CLOSED = Lifecycle.OPEN, Lifecycle.RESOLVED, Lifecycle.CLOSED
_ANY = (_OPEN, _RESOLVED, _CLOSED)

TRANSITIONS: Final[dict[tuple[Kind, AuthorRole], dict[Lifecycle, Lifecycle]]] = {
    (Kind.MESSAGE, _USER): {_OPEN: _OPEN, _RESOLVED: _OPEN, _CLOSED: _OPEN},
    (Kind.MESSAGE, _TEAM): {_OPEN: _OPEN, _RESOLVED: _RESOLVED},
    (Kind.STATUS, _TEAM): {_OPEN: _OPEN, _RESOLVED: _OPEN},
    (Kind.FIELDS, _TEAM): {state: state for state in _ANY},
    (Kind.RESOLUTION, _TEAM): {_OPEN: _RESOLVED, _RESOLVED: _RESOLVED},
    (Kind.CLOSE, _USER): {_OPEN: _CLOSED, _RESOLVED: _CLOSED},
    (Kind.CLOSE, _TEAM): {_OPEN: _CLOSED, _RESOLVED: _CLOSED},
    (Kind.REOPEN, _USER): {_CLOSED: _OPEN},
    (Kind.REOPEN, _TEAM): {_CLOSED: _OPEN, _RESOLVED: _OPEN},
    (Kind.BARRIER, _TEAM): {state: state for state in _ANY},
    (Kind.REKEY, _USER): {state: state for state in _ANY},
    (Kind.REKEY, _TEAM): {state: state for state in _ANY},
    (Kind.ACKNOWLEDGEMENT, _USER): {state: state for state in _ANY},
    (Kind.ACKNOWLEDGEMENT, _TEAM): {state: state for state in _ANY},
    (Kind.REDACT, _TEAM): {state: state for state in _ANY},
    (Kind.DUMMY, _USER): {state: state for state in _ANY},
    (Kind.DUMMY, _TEAM): {state: state for state in _ANY},
    (Kind.MERGE, _TEAM): {_OPEN: _CLOSED, _RESOLVED: _CLOSED},
    (Kind.AUTO_CLOSE, _TEAM): {state: state for state in _ANY},
}
"""What is missing is nonconforming."""
