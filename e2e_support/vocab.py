"""The enums that policy, tickets and clients share; the numbers are wire values and never change."""

from __future__ import annotations

from enum import IntEnum


class Direction(IntEnum):
    """Who writes an entry to whom; bound into the entry's context so that it cannot be reflected."""

    USER_TO_TEAM = 0
    TEAM_TO_USER = 1
    TEAM_ONLY = 2


class Recipient(IntEnum):
    """For whom a key box is sealed."""

    TEAM = 0
    USER = 1


class AuthorRole(IntEnum):
    """How an entry's author is named: by the ticket's own key or by a roster device."""

    USER = 0
    DEVICE = 1


class Kind(IntEnum):
    """Entry kinds. 1-31 stand in the shared log, 32-63 in the team's own; an unknown one is a hard stop."""

    OPEN = 1
    MESSAGE = 2
    STATUS = 3
    FIELDS = 4
    RESOLUTION = 5
    CLOSE = 6
    REOPEN = 7
    BARRIER = 8
    REKEY = 9
    ACKNOWLEDGEMENT = 10
    REDACT = 11
    DUMMY = 12
    MERGE = 13
    OPEN_FOR = 14
    AUTO_CLOSE = 15
    STAFF_OPEN = 32
    NOTE = 33
    TAG = 34
    ASSIGN = 35
    HOLD = 36
    ARCHIVE = 37
    SPAM = 38
    SNOOZE = 39
    LINK = 40
    READ_MARK = 41
    PROPOSAL = 42
    SETTING = 43
    CLAIM = 44


class Verdict(IntEnum):
    """What a reader may believe of one entry."""

    OK = 0
    NONCONFORMING = 1
    UNVERIFIABLE = 2
    FORGED = 3


class Role(IntEnum):
    """What a roster device may sign and write."""

    OWNER = 0
    AGENT = 1
    AUDITOR = 2
    RECOVERY = 3


WRITERS = frozenset({Role.OWNER, Role.AGENT})
"""Who may write to tickets; an auditor reads, a recovery device waits."""


class LinkType(IntEnum):
    """Kinds of roster links; an unknown one means that this program is too old."""

    GENESIS = 0
    DEVICE_ADD = 1
    DEVICE_REVOKE = 2
    DEVICE_UPDATE = 3
    EPOCH = 4
    POLICY = 5
    RELAY_KEY = 6
    ISSUER_KEYS = 7
    THRESHOLD = 8
    RENAME = 9


class SettingKind(IntEnum):
    """What a team shares among its administrators in the team space."""

    SNIPPET = 0
    MACRO = 1
    VIEW = 2


class AdmissionMode(IntEnum):
    """How the creator of a mailbox shows that it may create one."""

    OPEN = 0
    GRANT = 1
    BLIND = 2
    TEAM = 3


class Lifecycle(IntEnum):
    """The three states of a ticket; every label is derived from them and a few flags."""

    OPEN = 0
    RESOLVED = 1
    CLOSED = 2
