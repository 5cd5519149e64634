"""What the relay says instead of doing what was asked; ``docs/protocol.md`` section 11 lists the codes."""

from __future__ import annotations

from e2e_support.errors import SupportError
from e2e_support.wire import Head


class Refusal(SupportError):
    """A request that is understood and not carried out.

    Args:
        code: one of the codes of §11; status, title and hint follow from it.
        head: where the chain stands, for ``head_moved``.
        retry_after: seconds after which trying again makes sense.
        rule: name of the rule that a batch or statement breaks, for ``link_refused``.
    """

    def __init__(
        self, code: str, *, head: Head | None = None, retry_after: float | None = None, rule: str = ""
    ) -> None:
        super().__init__(code, f"refused: {code}")
        self.head = head
        self.retry_after = retry_after
        self.rule = rule


def not_found() -> Refusal:
    """Return the one answer for a thing that is not there and for one that is none of the caller's business."""
    return Refusal("not_found")
