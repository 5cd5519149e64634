"""What nobody came back for is removed, and nothing else (protocol 3.2, 3.8)."""

from __future__ import annotations

import os

from e2e_support.request import b64
from relay_kit import Client, Mailbox, ManualClock, TeamHandle, make_entry

DAY = 24 * 3600


async def clean(relay: Client) -> None:
    """Let the janitor work now."""
    assert relay.relay
    await relay.relay.janitor.clean()


def files(relay: Client) -> list[str]:
    """Return the names of all blob files."""
    assert relay.relay
    root = relay.relay.config.data / "blobs"
    return [name for _, _, names in os.walk(root) for name in names]


async def upload(box: Mailbox) -> None:
    """Put a whole blob into a mailbox."""
    blob = await box.declare(100)
    (await box.piece(blob, 0, bytes(100))).expect(201)


async def test_an_empty_mailbox_dies_after_a_day(relay: Client, team: TeamHandle, clock: ManualClock) -> None:
    """A mailbox without an entry is forgotten with its blobs after 24 hours, and can be created anew (§3.2)."""
    box = await relay.ticket(team)
    await upload(box)
    clock.time += DAY - 1
    await clean(relay)
    assert len(files(relay)) == 1
    clock.time += 2
    await clean(relay)
    assert files(relay) == []
    (await relay.ask(box.key, "GET", f"{box.path}/entries")).expect("not_found")
    await (await relay.ticket(team, box.key)).append()


async def test_a_mailbox_with_an_entry_stays(relay: Client, team: TeamHandle, clock: ManualClock) -> None:
    """The first entry makes a mailbox real, also one that was refused a second (§3.2)."""
    box = await relay.ticket(team)
    await box.append()
    clock.time += 400 * DAY
    await clean(relay)
    assert (await box.page()).head.length == 1


async def test_a_refused_append_does_not_make_a_mailbox_real(
    relay: Client, team: TeamHandle, clock: ManualClock
) -> None:
    """An append that came to nothing does not keep an empty mailbox alive (§3.2)."""
    box = await relay.ticket(team)
    append = box.next(b"")
    (await box.post(append)).expect("malformed")
    other = await relay.ticket(team)
    (await box.post(other.next(make_entry()))).expect("head_moved")
    clock.time += DAY + 1
    await clean(relay)
    (await relay.ask(box.key, "GET", f"{box.path}/entries")).expect("not_found")


async def test_a_blob_that_no_entry_names_dies_after_a_week(
    relay: Client, team: TeamHandle, clock: ManualClock
) -> None:
    """Uncommitted blobs go after seven days, committed ones stay (§3.8)."""
    box = await relay.ticket(team)
    kept = await box.declare(10)
    await box.piece(kept, 0, bytes(10))
    await box.append(blobs=[kept])
    left = await box.declare(10)
    await box.piece(left, 0, bytes(10))
    clock.time += 7 * DAY - 1
    await clean(relay)
    assert sorted(files(relay)) == sorted([kept.hex(), left.hex()])
    clock.time += 2
    await clean(relay)
    assert files(relay) == [kept.hex()]
    (await relay.ask(box.key, "GET", f"{box.path}/blobs/{b64(left)}/state")).expect("not_found")
    (await relay.ask(box.key, "GET", f"{box.path}/blobs/{b64(kept)}")).expect(200)


async def test_many_are_removed_in_portions(relay: Client, team: TeamHandle, clock: ManualClock) -> None:
    """More than one transaction's worth is removed, portion by portion."""
    for _ in range(130):
        await relay.ticket(team)
    clock.time += DAY + 1
    await clean(relay)
    assert relay.relay
    assert await relay.relay.store.drop_empty(int(clock.time), 1000) == []
