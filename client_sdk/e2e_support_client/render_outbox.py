"""What ``e2e-ticket`` prints of what waits on this device."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_support_client.model import OutboxItem
from e2e_support_client.plain import plain_line
from e2e_support_client.render import KINDS, reason_text, table
from e2e_support_client.terminal import Json, ago, iso


def item_json(item: OutboxItem) -> Json:
    """Return something that waits on this device."""
    return {
        "key": item.key,
        "number": item.number,
        "kind": item.kind.value,
        "subject": item.subject,
        "state": item.state.value,
        "code": item.code,
        "hint": item.hint,
        "created_at": iso(item.created_at),
    }


def outbox_text(items: Sequence[OutboxItem], now: int) -> str:
    """Return what waits on this device, a line each, with what can be done about failures."""
    if not items:
        return "Nothing waits on this device: everything is stored."
    rows = [
        (
            item.key[:8],
            item.number or "(no number yet)",
            KINDS.get(item.kind, "message"),
            item.state.value + (f": {reason_text(item.code)}" if item.code else ""),
            ago(item.created_at, now),
            plain_line(item.subject),
        )
        for item in items
    ]
    return (
        f"{table(rows)}\n\nTry again with `e2e-ticket send`, which leaves out what is older than 30 days; with\n"
        "`e2e-ticket send KEY` one of any age. Forget one with `e2e-ticket outbox --drop KEY`."
    )
