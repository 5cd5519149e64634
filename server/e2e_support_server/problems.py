"""The one place where errors become answers: RFC 9457 problem documents by the table of protocol section 11."""

from __future__ import annotations

import errno
import json
import math
import sqlite3
from dataclasses import dataclass

from aiohttp import web

from e2e_support.errors import PeerError, TrustError
from e2e_support.request import b64
from e2e_support_server.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Problem:
    """What a code looks like on the wire: status, title, and what the person can do."""

    status: int
    title: str
    hint: str = ""


PROBLEMS: dict[str, Problem] = {
    "malformed": Problem(
        400, "The request does not decode", "The client is broken, or something changed it."
    ),
    "update_needed": Problem(400, "The request is newer than this relay", "The relay needs an update."),
    "request_expired": Problem(
        401, "The request is outside its time", "Compare the clock with the Date header."
    ),
    "request_replayed": Problem(401, "The request was already used", "Sign it again."),
    "session_expired": Problem(401, "The session is over", "Begin a new one."),
    "admission_refused": Problem(403, "The proof does not admit this mailbox", "Ask for the terms again."),
    "code_refused": Problem(
        403, "The code is wrong, used or too old", "Issue a new one with e2e-relay bootstrap."
    ),
    "link_refused": Problem(403, "A rule of the roster refuses this", "Fetch the roster and look."),
    "not_yours": Problem(403, "The signer of the statement may not do that to this mailbox"),
    "not_found": Problem(404, "No such thing, or not for this capability"),
    "method_not_allowed": Problem(405, "The route has no such method"),
    "conflict": Problem(409, "A mailbox of that id exists with other properties"),
    "head_moved": Problem(409, "The chain has moved on", "Read what is new, then append again."),
    "epoch_changed": Problem(
        409, "The team's epoch has changed", "Sign or seal again under the newest epoch."
    ),
    "blob_incomplete": Problem(
        409, "The blob is not complete, or not free to be named", "Upload what is missing."
    ),
    "piece_conflict": Problem(409, "Other bytes stand at that place", "Use a new blob id."),
    "erased": Problem(410, "The mailbox was erased"),
    "too_large": Problem(413, "The body is over the limit of its kind"),
    "wrong_authority": Problem(421, "This relay does not serve that name"),
    "frozen": Problem(423, "The team has frozen this mailbox for users"),
    "budget": Problem(429, "The budget of this mailbox is used up"),
    "rate": Problem(429, "Too many requests", "Wait, then try again."),
    "busy": Problem(503, "The relay is stopping or overloaded", "Try again in a moment."),
    "disk_full": Problem(
        507, "The relay's disk is full; nothing was stored", "Its operator has to make room."
    ),
    "internal": Problem(
        500, "A fault of the relay; nothing was stored", "Try again; if it stays, tell the operator."
    ),
}

_FULL = {errno.ENOSPC, errno.EDQUOT}


def refusal_of(error: Exception) -> Refusal:
    """Return what to say about any error; whatever is not foreseen is ``internal``."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, PeerError | TrustError):
        return Refusal(error.code if error.code in PROBLEMS else "malformed")
    if isinstance(error, web.HTTPException):
        return Refusal(
            {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status, "malformed")
        )
    return Refusal("disk_full" if _is_disk_full(error) else "internal")


def document(refusal: Refusal) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to a refused request."""
    problem = PROBLEMS[refusal.code]
    body: dict[str, object] = {
        "type": "about:blank",
        "status": problem.status,
        "code": refusal.code,
        "title": problem.title,
        "hint": f"The rule is {refusal.rule}." if refusal.rule else problem.hint,
    }
    if refusal.head is not None:
        body["head"] = b64(refusal.head.to_bytes())
    headers = {"Content-Type": "application/problem+json"}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(refusal.retry_after)))
    return problem.status, headers, json.dumps(body).encode()


def response_of(error: Exception) -> web.Response:
    """Return the answer to a request that ended in an error."""
    status, headers, body = document(refusal_of(error))
    if isinstance(error, web.HTTPMethodNotAllowed):
        headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return web.Response(status=status, headers=headers, body=body)


def _is_disk_full(error: Exception) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in _FULL
