"""One set of stories for every relay: the real one over HTTP and the one in memory answer alike, call by call.

What passes against the relay in memory means something only as long as these do.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from channel_story import Person, Story
from e2e_support.admission import admit_hash, day_of, prove_team
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support.errors import SupportError
from e2e_support.freshness import sign_freshness
from e2e_support.ids import BlobId, MailboxId, TeamId
from e2e_support.limits import PIECE_SIZE
from e2e_support.mailbox import mailbox_id
from e2e_support.vocab import AdmissionMode, Role, Verdict
from e2e_support.wire import Append, Batch, Create, Found, Page
from e2e_support_client import clock
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import CODE, FakeRelay
from e2e_support_client.transport import HttpRelay
from relay_kit import running
from team_builder import EPOCH, device

STRANGER = SigningKey(Secret(b"s" * 32))
BLOB, NOWHERE, NOBODY = BlobId(b"b" * 16), MailboxId(b"n" * 16), TeamId(b"n" * 32)


@dataclass
class Place:
    """A founded team on some relay."""

    story: Story
    port: RelayPort
    code: str


@asynccontextmanager
async def in_memory(_: Path) -> AsyncGenerator[tuple[RelayPort, str]]:
    """Give a relay in memory and its code."""
    yield FakeRelay(), CODE


@asynccontextmanager
async def over_http(folder: Path) -> AsyncGenerator[tuple[RelayPort, str]]:
    """Give a connection to a real relay and its code."""
    async with running(folder / "relay") as client:
        assert client.relay is not None
        port = HttpRelay(client.url, retry=NO_RETRY)
        try:
            yield port, await client.relay.context.teams.issue_code()
        finally:
            await port.close()


@pytest.fixture(params=[in_memory, over_http], ids=["in memory", "over HTTP"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Place]:
    """A team on each kind of relay in turn."""
    async with request.param(tmp_path) as (port, code):
        yield Place(await Story.over(port, code), port, code)


@contextmanager
def refused(code: str) -> Generator[None]:
    """Expect a clear no."""
    with pytest.raises(SupportError) as caught:
        yield
    assert (type(caught.value), caught.value.code) == (Refused, code)


async def all_refused(code: str, *calls: Coroutine[Any, Any, object]) -> None:
    """Expect the same no to every call."""
    for call in calls:
        with refused(code):
            await call


async def test_anybody_may_read_who_the_team_is(place: Place) -> None:
    """Links, boxes and the price of a mailbox are public; another team is not found; a code founds one team."""
    port, story = place.port, place.story
    assert (await port.info()).relay_key in story.team.roster.relay_keys.values()
    assert (await port.links(story.team_id, 0)).links == story.team.roster.links
    assert await port.package(story.team_id, 0) == story.team.packages[0]
    assert (await port.admission(story.team_id)).bits == 4
    await all_refused(
        "not_found", port.links(NOBODY, 0), port.admission(NOBODY), port.package(story.team_id, 7)
    )
    await all_refused("code_refused", port.found(Found(place.code, story.founding())))


async def test_a_mailbox_is_created_once(place: Place) -> None:
    """The same create twice, another one, another key and no work: the same answers everywhere (§3.2)."""
    keys = place.story.keys()
    create = await place.story.create(keys)
    assert await place.port.create(keys.mailbox, create, keys.capability) is False
    other = place.story.keys(1)
    unpaid = replace(
        create, creation_key=other.capability.public, proof=b"\xff" * 7
    )  # no luck makes seven bytes work
    await all_refused("conflict", place.port.create(keys.mailbox, replace(create, team=0), keys.capability))
    await all_refused("not_found", place.port.create(keys.mailbox, create, STRANGER))
    await all_refused("admission_refused", place.port.create(other.mailbox, unpaid, other.capability))


async def test_a_team_creates_a_mailbox_for_a_user(place: Place) -> None:
    """With its own proof and the user's keys, so that both can open it; a second create is none (§3.2, §5.9)."""
    story, keys = place.story, place.story.keys(2)
    create = team_create(story, keys.capability.public)
    assert await place.port.create(keys.mailbox, create, story.team.keys.capability) is True
    assert await place.port.create(keys.mailbox, create, story.team.keys.capability) is False
    for capability in (keys.capability, story.team.keys.capability):
        assert (await place.port.read(keys.mailbox, 0, capability)).items == ()
    changed = replace(create, day=create.day - 1)
    await all_refused("conflict", place.port.create(keys.mailbox, changed, story.team.keys.capability))


async def test_what_no_capability_may_create(place: Place) -> None:
    """Nobody squats: not a stranger, not an epoch that is over, and the team only what its user can open (§3.2)."""
    story, keys, other = place.story, place.story.keys(2), place.story.keys(3)
    create, team = team_create(story, keys.capability.public), story.team.keys.capability
    await all_refused(
        "not_found",
        place.port.create(keys.mailbox, create, STRANGER),
        place.port.create(keys.mailbox, create, other.capability),
        place.port.create(other.mailbox, create, team),
        place.port.create(keys.mailbox, replace(create, team_id=NOBODY), team),
    )
    await all_refused(
        "malformed",
        place.port.create(keys.mailbox, replace(create, user_key=b""), team),
        place.port.create(keys.mailbox, replace(create, user_key=STRANGER.public), team),
        place.port.create(keys.mailbox, replace(create, team=0), team),
        place.port.create(keys.mailbox, replace(create, mode=AdmissionMode.OPEN), team),
    )
    unproven = replace(create, proof=bytes(64))
    await all_refused("admission_refused", place.port.create(keys.mailbox, unproven, team))
    batch = story.team.prepare((EPOCH, [story.anna]))
    await place.port.post_links(story.team_id, batch, story.anna.sign)
    await all_refused("not_found", place.port.create(keys.mailbox, create, team))
    story.team.accept(batch)
    new = story.team.keys.capability
    await all_refused("admission_refused", place.port.create(keys.mailbox, create, new))
    assert await place.port.create(keys.mailbox, team_create(story, keys.capability.public), new) is True


def team_create(story: Story, creation_key: bytes) -> Create:
    """Return what the team asks for when it opens a ticket for whom a creation key belongs to."""
    day = day_of(clock.now())
    proof = prove_team(story.team.keys.capability, admit_hash(story.team_id, day, mailbox_id(creation_key)))
    return Create(creation_key, creation_key, 1, story.team_id, day, AdmissionMode.TEAM, proof)


async def test_an_entry_stands_where_it_was_made_for(place: Place) -> None:
    """Appending compares first; a repetition gets its old receipt, and who comes second the head (§3.3)."""
    user, anna = await place.story.ticket()
    mailbox = user.conversation.mailbox
    await anna.pull()
    late, answer = user.seal(*place.story.message("late")), anna.seal(*place.story.message("first"))
    await anna.send(answer)
    again = Append(answer.seq, answer.prev_hash, answer.entry, ())
    page = await place.port.read(mailbox, 1, user.capability)
    assert await place.port.append(mailbox, again, anna.capability) == page.items[0].receipt
    with pytest.raises(Refused) as caught:
        await user.send(late)
    assert (caught.value.code, caught.value.head) == ("head_moved", anna.conversation.chain.head)
    assert [opened.verdict for opened in await user.pull()] == [Verdict.OK]
    assert (await place.port.read(mailbox, 9, user.capability)).items == ()
    junk = Append(2, user.conversation.chain.hash, b"junk", ())
    await all_refused("malformed", place.port.append(mailbox, junk, user.capability))


async def test_a_stranger_learns_nothing(place: Place) -> None:
    """Whatever a stranger asks of a mailbox, that it exists makes no difference (P1, P2, attack 69)."""
    user, _ = await place.story.ticket()
    append = Append(0, user.conversation.chain.hash, b"entry", ())
    port = place.port
    for mailbox in (user.conversation.mailbox, NOWHERE):
        await all_refused(
            "not_found",
            port.read(mailbox, 0, STRANGER),
            port.append(mailbox, append, STRANGER),
            port.wait_mailbox(mailbox, 0, STRANGER, wait=0),
            port.declare_blob(mailbox, BLOB, 5, STRANGER),
            port.blob_state(mailbox, BLOB, STRANGER),
            port.put_piece(mailbox, BLOB, 0, b"12345", STRANGER),
            port.read_blob(mailbox, BLOB, 0, 5, STRANGER),
            port.destroy(mailbox, b"statement", STRANGER),
            port.tombstone(mailbox, STRANGER),
        )
    team = place.story.team_id
    await all_refused(
        "not_found",
        port.feed(team, 0, STRANGER),
        port.wait_team(team, 0, STRANGER, wait=0),
        port.post_links(team, Batch((), ()), STRANGER),
        port.put_freshness(team, b"statement", STRANGER),
    )


async def test_the_feed_and_the_bells_tell_of_every_entry(place: Place) -> None:
    """One step per entry; a wait ends with the next entry or with its time (§3.6, §3.7)."""
    user, anna = await place.story.ticket()
    team, mailbox, port = place.story.team_id, user.conversation.mailbox, place.port
    assert (await port.wait_team(team, 1, anna.capability, wait=0)).seq == 1
    waiting = [
        asyncio.ensure_future(port.wait_team(team, 1, anna.capability, wait=20)),
        asyncio.ensure_future(port.wait_mailbox(mailbox, 1, user.capability, wait=20)),
    ]
    await asyncio.sleep(0.05)
    await user.say("ring!")
    async with asyncio.timeout(10):
        rings = await asyncio.gather(*waiting)
    assert [(ring.mailbox_id, ring.seq) for ring in rings] == [(MailboxId(bytes(16)), 2), (mailbox, 2)]
    page = await port.feed(team, 0, anna.capability)
    assert (page.newest, [(i.cursor, i.mailbox_id, i.seq) for i in page.items]) == (
        2,
        [(1, mailbox, 0), (2, mailbox, 1)],
    )


async def test_a_blob_is_whole_before_it_counts(place: Place) -> None:
    """Pieces in any order, immutable, exactly sized; read once complete; named by one entry (§3.8)."""
    user, _ = await place.story.ticket()
    mailbox, key, port = user.conversation.mailbox, user.capability, place.port
    await port.declare_blob(mailbox, BLOB, PIECE_SIZE + 5, key)
    await port.declare_blob(mailbox, BLOB, PIECE_SIZE + 5, key)
    await port.put_piece(mailbox, BLOB, 1, b"12345", key)
    await port.put_piece(mailbox, BLOB, 1, b"12345", key)
    assert (await port.blob_state(mailbox, BLOB, key)).missing == (0,)
    await all_refused("piece_conflict", port.put_piece(mailbox, BLOB, 1, b"54321", key))
    await all_refused("piece_conflict", port.declare_blob(mailbox, BLOB, 7, key))
    await all_refused("malformed", port.put_piece(mailbox, BLOB, 0, b"short", key))
    await all_refused("malformed", port.put_piece(mailbox, BLOB, 2, b"12345", key))
    await all_refused("blob_incomplete", port.read_blob(mailbox, BLOB, 0, 5, key), _naming(place, user))
    first = os.urandom(PIECE_SIZE)
    await port.put_piece(mailbox, BLOB, 0, first, key)
    assert (await port.blob_state(mailbox, BLOB, key)).complete == 1
    assert await port.read_blob(mailbox, BLOB, PIECE_SIZE - 3, PIECE_SIZE + 2, key) == first[-3:] + b"12"
    await _naming(place, user)
    await all_refused("blob_incomplete", _naming(place, user))


async def _naming(place: Place, user: Person) -> None:
    """Let the user write an entry that names the blob."""
    await user.send(user.seal(*place.story.message("see the file")), BLOB)


async def test_links_are_judged_before_they_are_stored(place: Place) -> None:
    """A batch counts once and for all; a bad one, a late one and an old capability are refused (§4.6)."""
    story, port, team = place.story, place.port, place.story.team
    user, anna = await story.ticket()
    ben = device("ben", Role.AGENT)
    bad = team.prepare((ben, [ben]), (EPOCH, [ben]))
    await all_refused("link_refused", port.post_links(team.team_id, bad, story.anna.sign))
    batch = team.prepare((EPOCH, [story.anna]))
    await port.post_links(team.team_id, batch, story.anna.sign)
    await port.post_links(team.team_id, batch, story.anna.sign)
    await all_refused("not_found", port.read(user.conversation.mailbox, 0, anna.capability))
    team.accept(batch)
    assert (await port.links(team.team_id, 0)).links == team.roster.links
    assert await port.package(team.team_id, 1) == batch.packages[0]
    keys = story.keys(5)
    await story.create(keys)
    late = story.user(keys)
    opening = late.seal(*story.opening(keys), first_key=keys.first_key)
    team.accept(third := team.prepare((EPOCH, [story.anna])))
    await port.post_links(team.team_id, third, story.anna.sign)
    await all_refused("epoch_changed", late.send(opening))


async def test_freshness_takes_enough_signatures(place: Place) -> None:
    """A statement that lacks signatures waits for the team alone; a good one is public; a bad one is refused (§4.7)."""
    story, port, team = place.story, place.port, place.story.team
    assert await port.freshness(team.team_id) is None
    assert await port.pending_freshness(team.team_id, team.keys.capability) is None
    anna = (story.anna.device_id, story.anna.sign)
    good = sign_freshness(team.roster, [anna], now=clock.now())
    assert await port.put_freshness(team.team_id, good, story.anna.sign) is True
    assert await port.freshness(team.team_id) == good
    bad = sign_freshness(team.roster, [anna], now=clock.now() - 10**8)
    await all_refused("link_refused", port.put_freshness(team.team_id, bad, story.anna.sign))


async def test_what_is_erased_leaves_its_statement(place: Place) -> None:
    """Freezing binds users only; an erasure needs a device, happens once and is told with its tombstone (§3.9)."""
    story, port = place.story, place.port
    user, anna = await story.ticket()
    await anna.pull()
    mailbox, team = user.conversation.mailbox, story.team_id
    await port.destroy(mailbox, _statement(story, mailbox, Deed.FREEZE), anna.capability)
    await all_refused("frozen", user.say("hello?"))
    await anna.say("We have stopped this ticket.")
    await port.destroy(mailbox, _statement(story, mailbox, Deed.THAW), anna.capability)
    await all_refused("not_found", port.tombstone(mailbox, anna.capability))
    strangers = DestructionBody(team, mailbox, Deed.ERASE, clock.now(), bytes(16))
    await all_refused(
        "not_yours", port.destroy(mailbox, sign_destruction(strangers, STRANGER), anna.capability)
    )
    erasure = _statement(story, mailbox, Deed.ERASE)
    await port.destroy(mailbox, erasure, anna.capability)
    await port.destroy(mailbox, erasure, anna.capability)
    for key in (user.capability, anna.capability):
        assert await port.tombstone(mailbox, key) == erasure
        await all_refused("erased", port.read(mailbox, 0, key))
    await all_refused("not_found", port.read(mailbox, 0, STRANGER))
    assert (await port.feed(team, 0, anna.capability)).newest == 3


def _statement(story: Story, mailbox: MailboxId, deed: Deed) -> bytes:
    body = DestructionBody(story.team_id, mailbox, deed, clock.now(), story.anna.device_id)
    return sign_destruction(body, story.anna.sign)


async def test_what_a_relay_receipted_it_takes_back(place: Place) -> None:
    """Handing back what is there changes nothing; what never was there does not become so (§3.10)."""
    user, _ = await place.story.ticket()
    await user.say("still here")
    mailbox, port = user.conversation.mailbox, place.port
    page = await port.read(mailbox, 0, user.capability)
    assert await port.hand_back(mailbox, page, user.capability) == user.conversation.chain.head
    forged = page.items[-1]
    chain = user.conversation.chain.advance(forged.entry)
    moved = port.hand_back(mailbox, Page(chain.head, (forged,)), user.capability)
    elsewhere = port.hand_back(mailbox, Page(chain.head, ()), user.capability)
    await all_refused("head_moved", moved)
    await all_refused("malformed", elsewhere)
    assert (await port.read(mailbox, 0, user.capability)).head == page.head
