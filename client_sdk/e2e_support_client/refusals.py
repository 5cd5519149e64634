"""What a relay's "no" means: problem documents in, errors out (protocol section 11).

People read this module's sentences. A relay's own words never reach them: they could be an attacker's
(attack 28).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from e2e_support.errors import PeerError, SupportError, TransportError
from e2e_support.wire import Head
from e2e_support_client.port import Refused

PROBLEM_MAX: Final = 4096  # bytes of one problem document
WAIT_MAX: Final = 24 * 3600  # seconds; a relay that asks for more is not taken at its word


class Refusal(NamedTuple):
    """One row of section 11 as a client sees it.

    Attributes:
        status: the HTTP status that goes with the code.
        message: what is wrong, for people.
        hint: what they can do.
        later: whether trying again later may help.
    """

    status: int
    message: str
    hint: str
    later: bool = False


_REPORT = "Update this program; if it happens again, tell the administrators."

REFUSALS: Final[Mapping[str, Refusal]] = {
    "malformed": Refusal(400, "the relay could not read the request", _REPORT),
    "update_needed": Refusal(400, "the relay speaks another version", "Update this program or the relay."),
    "request_expired": Refusal(401, "the clocks of relay and device differ", "Set this device's clock."),
    "request_replayed": Refusal(401, "the relay saw this request before", "Try again."),
    "session_expired": Refusal(401, "the session is over", "Try again."),
    "admission_refused": Refusal(403, "the relay does not accept a new ticket now", "Try again later."),
    "code_refused": Refusal(
        403, "the bootstrap code is wrong, used or too old", "Ask whoever runs the relay for a new code."
    ),
    "link_refused": Refusal(
        403, "the relay does not accept this change of the team", "Fetch the roster and look."
    ),
    "not_yours": Refusal(403, "this device may not do that to this ticket", "Ask an owner of the team."),
    "not_found": Refusal(404, "there is no such thing here, or not for this key", "Check the support link."),
    "method_not_allowed": Refusal(405, "the relay does not offer that", _REPORT),
    "conflict": Refusal(409, "another mailbox has this place", "Open another ticket."),
    "head_moved": Refusal(409, "somebody wrote in between", "Look at what is new, then send again."),
    "epoch_changed": Refusal(409, "the team has changed its keys", "Fetch the team's roster and send again."),
    "blob_incomplete": Refusal(409, "an attachment is not uploaded completely", "Send the file again."),
    "piece_conflict": Refusal(409, "other bytes of this file were uploaded", "Send the file again."),
    "erased": Refusal(410, "the relay says that this was erased", "What this device holds is kept."),
    "too_large": Refusal(413, "it is too large for the relay", "Send less at once."),
    "wrong_authority": Refusal(
        421, "the relay does not go by this name", "Ask the administrators for a fresh support link."
    ),
    "frozen": Refusal(423, "the team has stopped this ticket", "Ask the administrators by another way."),
    "budget": Refusal(429, "this ticket has used up its space", "Open a new ticket that refers to this one."),
    "rate": Refusal(429, "too many requests", "It goes on by itself in a while.", later=True),
    "busy": Refusal(503, "the relay is stopping or overloaded", "It goes on by itself soon.", later=True),
    "disk_full": Refusal(
        507, "the relay has no space left; nothing was stored", "Tell whoever runs it.", later=True
    ),
    "internal": Refusal(
        500, "the relay has a fault; nothing was stored", "Tell whoever runs it if it stays.", later=True
    ),
}
"""Every code of section 11."""

_BARE: Final = {429: "rate", 500: "internal", 502: "busy", 503: "busy", 504: "busy"}
"""What proxies in front of a relay say without a problem document."""


def refusal(code: str, *, head: Head | None = None, retry_after: float | None = None) -> SupportError:
    """Return the error for a code of section 11.

    Args:
        code: the code.
        head: the mailbox's head, for ``head_moved``.
        retry_after: seconds that the relay asked to wait.
    """
    row = REFUSALS[code]
    if row.later or (code == "budget" and retry_after is not None):
        return TransportError(code, row.message, hint=row.hint, retry_after=retry_after)
    return Refused(code, row.message, hint=row.hint, status=row.status, head=head)


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> SupportError:
    """Return the error that an answer stands for.

    Args:
        status: its HTTP status, not a success.
        headers: its headers.
        body: its body, at most ``PROBLEM_MAX`` bytes.

    Returns:
        ``Refused`` or ``TransportError`` for a code of section 11; ``PeerError`` ``not_a_relay`` for anything
        that a relay would not say.
    """
    retry_after = _seconds(headers.get("Retry-After", ""))
    if headers.get("Content-Type", "").partition(";")[0] != "application/problem+json":
        code = _BARE.get(status)
        return refusal(code, retry_after=retry_after) if code else _not_a_relay(status)
    try:
        code, head = _parse(status, body)
    except (ValueError, RecursionError, PeerError):
        return _not_a_relay(status)
    return refusal(code, head=head, retry_after=retry_after)


def unb64_upto(text: str, most: int) -> bytes:
    """Return at most ``most`` bytes from their only base64url spelling.

    Raises:
        PeerError: ``malformed``.
    """
    try:
        data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        data = b""
    if not 0 < len(data) <= most or base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii") != text:
        raise PeerError("malformed", "a text is not base64url of an allowed size")
    return data


def _parse(status: int, body: bytes) -> tuple[str, Head | None]:
    """Return the code and head of a problem document, which must fit its own status."""
    value: object = json.loads(body)
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the caller knows one error
    problem = cast("dict[str, object]", value)
    code, head = problem.get("code"), problem.get("head")
    if not isinstance(code, str) or code not in REFUSALS or REFUSALS[code].status != status:
        raise ValueError("no code of this status")
    if code != "head_moved":
        return code, None
    if not isinstance(head, str):
        raise ValueError("a head is missing")  # noqa: TRY004 - the caller knows one error
    return code, Head.from_bytes(unb64_upto(head, Head.LIMIT))


def _seconds(text: str) -> float | None:
    """Return a Retry-After in seconds; the form with a date is not used here."""
    return float(min(int(text), WAIT_MAX)) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _not_a_relay(status: int) -> PeerError:
    return PeerError(
        "not_a_relay",
        f"something that is no relay answered (status {status})",
        hint="Look for a wrong address, a login page of the network, or a proxy with a limit of its own.",
    )
