"""Batches as such: who shares one, who survives one that failed (no database)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from e2e_support_server.batches import Batches
from e2e_support_server.refusal import Refusal


class Disk:
    """Commits groups of numbers; fails as a whole when a bad one is among them."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.bad: set[int] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, items: Sequence[int]) -> Sequence[int | Exception]:
        """Commit a group; odd numbers are refused one by one."""
        await self.gate.wait()
        self.groups.append(list(items))
        if self.bad & set(items):
            raise OSError("no luck")
        return [item * 10 if item % 2 == 0 else Refusal("conflict") for item in items]


def make(disk: Disk, *, group: int = 100, waiting: int = 100) -> Batches[int, int]:
    """Return a writer to a disk."""
    return Batches(disk.commit, most=group, waiting_most=waiting)


async def test_what_waits_while_a_group_commits_shares_the_next_one() -> None:
    """The first write goes alone, all others that came meanwhile go together."""
    disk = Disk()
    writer = make(disk)
    assert await asyncio.gather(*(writer.put(2 * n) for n in range(5))) == [0, 20, 40, 60, 80]
    disk.gate.clear()
    first = asyncio.create_task(writer.put(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    rest = [asyncio.create_task(writer.put(n)) for n in (4, 6, 8)]
    await asyncio.sleep(0)
    disk.gate.set()
    await asyncio.gather(first, *rest)
    assert disk.groups[1:] == [[2], [4, 6, 8]]


async def test_a_refusal_is_its_own() -> None:
    """One refused write of a group does not touch the others."""
    writer = make(Disk())
    outcomes = await asyncio.gather(writer.put(2), writer.put(3), writer.put(4), return_exceptions=True)
    assert list(outcomes[0::2]) == [20, 40]
    assert isinstance(outcomes[1], Refusal)


async def test_a_failed_group_does_not_lose_its_innocent_members() -> None:
    """After a fault each write is tried alone; only the one at fault fails, and the writer lives on."""
    disk = Disk()
    disk.bad = {4}
    writer = make(disk)
    outcomes = await asyncio.gather(writer.put(2), writer.put(4), writer.put(6), return_exceptions=True)
    assert (outcomes[0], outcomes[2]) == (20, 60)
    assert isinstance(outcomes[1], OSError)
    assert disk.groups == [[2, 4, 6], [2], [4], [6]]
    assert await writer.put(8) == 80


async def test_groups_have_a_largest_size() -> None:
    """What does not fit into one group waits for the next."""
    disk = Disk()
    writer = make(disk, group=2)
    await asyncio.gather(*(writer.put(2 * n) for n in range(5)))
    assert [len(group) for group in disk.groups] == [2, 2, 1]


async def test_too_many_waiting_writes_are_refused() -> None:
    """A writer that cannot keep up says that it is busy instead of filling the memory."""
    disk = Disk()
    disk.gate.clear()
    writer = make(disk, waiting=2)
    committing = asyncio.create_task(writer.put(2))
    await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(writer.put(2)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Refusal, match="busy"):
        await writer.put(2)
    disk.gate.set()
    assert await asyncio.gather(committing, *waiting) == [20, 20, 20]


async def test_closing_finishes_what_waits_and_refuses_what_comes() -> None:
    """Nothing that was accepted is dropped when the relay stops."""
    disk = Disk()
    writer = make(disk)
    tasks = [asyncio.create_task(writer.put(2 * n)) for n in range(3)]
    await asyncio.sleep(0)
    await writer.close()
    assert await asyncio.gather(*tasks) == [0, 20, 40]
    with pytest.raises(Refusal, match="busy"):
        await writer.put(2)


async def test_a_writer_that_went_away_does_not_disturb_its_group() -> None:
    """A cancelled caller's write stands, and the others are answered."""
    disk = Disk()
    disk.gate.clear()
    writer = make(disk)
    gone, stays = asyncio.create_task(writer.put(2)), asyncio.create_task(writer.put(4))
    await asyncio.sleep(0)
    gone.cancel()
    disk.gate.set()
    assert await stays == 40
    assert disk.groups == [[2, 4]]
