"""The team's feed: one gapless cursor over all its mailboxes, in commit order (protocol 3.6)."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from e2e_support.request import b64
from e2e_support.wire import FeedItem, FeedPage
from relay_kit import Client, Mailbox, TeamHandle, make_entry, new_key


async def feed(relay: Client, team: TeamHandle, after: int = 0) -> FeedPage:
    """Read the feed."""
    reply = await relay.ask(team.capability, "GET", f"/v1/team/{b64(team.team_id)}/feed?after={after}")
    return FeedPage.from_bytes(reply.expect(200).body)


async def test_an_empty_mailbox_is_in_no_feed(relay: Client, team: TeamHandle) -> None:
    """The first entry makes a mailbox real (§3.2, §3.6)."""
    box = await relay.ticket(team)
    assert await feed(relay, team) == FeedPage(0, ())
    await box.append()
    assert await feed(relay, team) == FeedPage(1, (FeedItem(1, box.id, 0),))


async def test_the_feed_goes_on_after_a_cursor(relay: Client, team: TeamHandle) -> None:
    """A reader that knows a cursor gets the steps after it, and the newest cursor (§3.6)."""
    box = await relay.ticket(team)
    for _ in range(3):
        await box.append()
    assert await feed(relay, team, 2) == FeedPage(3, (FeedItem(3, box.id, 2),))
    assert await feed(relay, team, 3) == FeedPage(3, ())


async def test_the_feed_is_for_the_team_alone(relay: Client, team: TeamHandle) -> None:
    """No user and no stranger reads the feed (§3.6)."""
    box = await relay.ticket(team)
    await box.append()
    target = f"/v1/team/{b64(team.team_id)}/feed?after=0"
    for key in (box.key, new_key()):
        (await relay.ask(key, "GET", target)).expect("not_found")
    (await relay.send("GET", target)).expect("not_found")


async def test_no_step_is_lost_or_doubled_by_concurrent_writers(relay: Client, team: TeamHandle) -> None:
    """While eight writers append, refused appends among them, a following reader sees every step once (§3.6)."""
    boxes = [await relay.ticket(team) for _ in range(8)]
    seen: list[FeedItem] = []
    done = asyncio.Event()

    async def write(box: Mailbox) -> None:
        for number in range(30):
            if number % 10 == 9:
                stale = box.next(make_entry())
                (await box.post(stale.__class__(0, stale.prev_hash, stale.entry, ()))).expect("head_moved")
            await box.append()

    async def follow() -> None:
        while True:
            last = done.is_set()
            page = await feed(relay, team, len(seen))
            seen.extend(page.items)
            if last and not page.items:
                return

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(write(box) for box in boxes))
    done.set()
    await follower
    assert [item.cursor for item in seen] == list(range(1, 8 * 30 + 1))
    by_mailbox: defaultdict[bytes, list[int]] = defaultdict(list)
    for item in seen:
        by_mailbox[item.mailbox_id].append(item.seq)
    assert all(by_mailbox[box.id] == list(range(30)) for box in boxes)
