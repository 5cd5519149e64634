"""What ``e2e-ticket`` prints of what waits on this device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from e2e_support_client.model import EventKind, OutboxItem
from e2e_support_client.plain import plain_line, plain_text
from e2e_support_client.render import reason_text, table
from e2e_support_client.terminal import Json, ago, iso

_KINDS: Final = {
    EventKind.OPENED: "new ticket",
    EventKind.MESSAGE: "message",
    EventKind.CLOSED: "closing",
    EventKind.REOPENED: "reopening",
}
_WAYS: Final = (
    "Try again with `e2e-ticket send`, which leaves out what a rule stands against and what is older than 30 days;\n"
    "with `e2e-ticket send KEY` any of them. Read one with `e2e-ticket outbox --show KEY`, forget one with --drop KEY."
)


def item_json(item: OutboxItem) -> Json:
    """Return something that waits on this device."""
    return {
        "key": item.key,
        "number": item.number,
        "kind": item.kind.value,
        "subject": item.subject,
        "state": item.state.value,
        "code": item.code,
        "message": item.message,
        "hint": item.hint,
        "created_at": iso(item.created_at),
    }


def outbox_text(items: Sequence[OutboxItem], now: int) -> str:
    """Return what waits on this device, a line each, with what can be done about it."""
    if not items:
        return "Nothing waits on this device: everything is stored."
    rows = [
        (
            item.key[:8],
            item.number or "(no number yet)",
            _KINDS[item.kind],
            item.state.value + (f": {_why(item)}" if item.code else ""),
            ago(item.created_at, now),
            plain_line(item.subject),
        )
        for item in items
    ]
    hints = [f"{item.key[:8]}: {plain_line(item.hint)}" for item in items if item.hint]
    return "\n\n".join([table(rows), *(["\n".join(hints)] if hints else []), _WAYS])


def item_text(item: OutboxItem) -> str:
    """Return what was written, so that it can be used for something else."""
    head = [plain_line(item.subject), ""] if item.subject else []
    return "\n".join([*head, plain_text(item.text)])


def _why(item: OutboxItem) -> str:
    return plain_line(item.message) or reason_text(item.code)
