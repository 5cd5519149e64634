"""The one error tree: the class says who is at fault, the code is stable, the hint says what to do.

Retry logic looks at the class alone (``docs/protocol.md`` section 11 lists every code).
"""

from __future__ import annotations

from collections.abc import Mapping


class SupportError(Exception):
    """Base of everything this project raises on purpose.

    Args:
        code: stable identifier for programs, lower case with underscores.
        message: one sentence for people; never holds a secret or ticket text.
        hint: what the person can do about it; may be empty.
        details: further facts for programs by name, as JSON values; never a secret.
    """

    retryable = False

    def __init__(
        self, code: str, message: str, *, hint: str = "", details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details: Mapping[str, object] = details or {}


class UsageError(SupportError):
    """The caller asked for something impossible, forbidden or malformed."""


class PeerError(SupportError):
    """The relay or another participant sent something that breaks the protocol."""


class TrustError(SupportError):
    """Keys, roster or heads do not fit together; nothing may be sent until a person looks."""


class TransportError(SupportError):
    """The relay could not be reached or asked to wait; trying again later may help.

    Args:
        retry_after: seconds the relay asked to wait, or ``None`` when it did not say.
    """

    retryable = True

    def __init__(self, code: str, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(code, message, hint=hint)
        self.retry_after = retry_after
