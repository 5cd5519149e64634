"""The fake relay keeps the protocol's rules, so that what passes against it means something."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace

import pytest

from channel_story import NOW, Story
from e2e_support.admission import admit_hash, day_of, prove_team
from e2e_support.content import MessageBody
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError, TransportError, TrustError
from e2e_support.ids import ID_SIZE, BlobId, MailboxId, TeamId
from e2e_support.limits import PIECE_SIZE
from e2e_support.mailbox import Chain, mailbox_id, verify_receipt
from e2e_support.roster import TrustedRoster
from e2e_support.vocab import AdmissionMode, Kind, Role, Verdict
from e2e_support.wire import Append, Create, Found, Page, Stored
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.testing import CODE, FakeRelay, Fault
from team_builder import EPOCH, device, founding, seed_of

STRANGER = SigningKey(Secret(bytes(32)))
BLOB = BlobId(b"b" * ID_SIZE)


@contextmanager
def refused(code: str, kind: type[SupportError] = Refused) -> Generator[pytest.ExceptionInfo[SupportError]]:
    """Expect one error of the relay."""
    with pytest.raises(kind) as caught:
        yield caught
    assert caught.value.code == code


def test_it_is_a_relay() -> None:
    """A fake relay stands wherever a RelayPort does, for the type checker too."""
    port: RelayPort = FakeRelay()
    assert port is not None


async def test_a_ticket_travels_from_a_user_to_the_team_and_back() -> None:
    """What one side appends the other side reads, opens and answers."""
    user, anna = await Story.begin().ticket()
    assert [opened.verdict for opened in await anna.pull()] == [Verdict.OK]
    await anna.say("We look into it.")
    [answer] = await user.pull()
    assert (answer.verdict, answer.device) == (Verdict.OK, device("anna").record)


async def test_create_is_idempotent_and_bound_to_its_key() -> None:
    """The same create twice makes one mailbox; other bytes conflict; another key's mailbox is not to be had."""
    story = Story.begin()
    keys = story.keys()
    create = await story.create(keys)
    assert await story.relay.create(keys.mailbox, create, keys.capability) is False
    with refused("conflict"):
        await story.relay.create(keys.mailbox, replace(create, team=0), keys.capability)
    with refused("not_found"):
        await story.relay.create(keys.mailbox, create, STRANGER)
    assert story.relay.mailboxes == (keys.mailbox,)


@pytest.mark.parametrize(
    "change",
    [
        {"proof": b"\xff" * 8},
        {"day": day_of(NOW) - 2},
        {"mode": AdmissionMode.TEAM},
        {"mode": AdmissionMode.GRANT},
    ],
    ids=["no work", "old day", "no capability", "another mode"],
)
async def test_a_mailbox_has_its_price(change: dict[str, object]) -> None:
    """Without work for this mailbox and day nobody but the team creates one."""
    story = Story.begin()
    keys = story.keys()
    public = keys.capability.public
    create = Create(public, public, 1, story.team_id, day_of(NOW), AdmissionMode.OPEN, b"")
    with refused("admission_refused"):
        await story.relay.create(keys.mailbox, replace(create, **change), keys.capability)  # type: ignore[arg-type]


async def test_the_team_creates_its_own_mailboxes_without_work() -> None:
    """The epoch's capability admits a mailbox that no user can write to."""
    story = Story.begin()
    mailbox = mailbox_id(STRANGER.public)
    proof = prove_team(story.team.keys.capability, admit_hash(story.team_id, day_of(NOW), mailbox))
    create = Create(STRANGER.public, b"", 1, story.team_id, day_of(NOW), AdmissionMode.TEAM, proof)
    assert await story.relay.create(mailbox, create, STRANGER)
    assert (await story.relay.read(mailbox, 0, story.team.keys.capability)).head.length == 0


async def test_a_stranger_finds_nothing() -> None:
    """Whoever knows only a mailbox id gets the same answer as for one that does not exist (P1, P2)."""
    story = Story.begin()
    user, _ = await story.ticket()
    mailbox = user.conversation.mailbox
    for place in (mailbox, MailboxId(bytes(ID_SIZE))):
        for call in (
            story.relay.read(place, 0, STRANGER),
            story.relay.append(place, Append(0, bytes(32), b"", ()), STRANGER),  # type: ignore[arg-type]
            story.relay.declare_blob(place, BLOB, 1, STRANGER),
            story.relay.wait_mailbox(place, 0, STRANGER, wait=0),
        ):
            with refused("not_found"):
                await call
    with refused("not_found"):
        await story.relay.feed(story.team_id, 0, STRANGER)
    with refused("not_found"):
        await story.relay.links(TeamId(bytes(32)), 0)


async def test_an_append_is_compared_before_it_is_stored() -> None:
    """The second of two writers is told the new head; the first one's repetition gets its old receipt (§3.3)."""
    story = Story.begin()
    user, anna = await story.ticket()
    await anna.pull()
    answer, message = anna.seal(*_message("one")), user.seal(*_message("two"))
    await anna.send(answer)
    with refused("head_moved") as caught:
        await user.send(message)
    assert isinstance(caught.value, Refused)
    assert caught.value.head == anna.conversation.chain.head
    again = Append(answer.seq, answer.prev_hash, answer.entry, ())
    receipt = await story.relay.append(anna.conversation.mailbox, again, anna.capability)
    assert receipt == story.relay.stored(anna.conversation.mailbox)[1].receipt


async def test_a_frozen_mailbox_is_closed_to_users_only() -> None:
    """A freeze binds the user class and nobody else."""
    story = Story.begin()
    user, anna = await story.ticket()
    await anna.pull()
    story.relay.freeze(user.conversation.mailbox)
    with refused("frozen"):
        await user.say("hello?")
    await anna.say("We have stopped this ticket.")


async def test_boxes_of_an_old_epoch_are_refused() -> None:
    """After a rotation the writer is told to fetch the roster; then the same words are stored."""
    story = Story.begin()
    keys = story.keys()
    await story.create(keys)
    user = story.user(keys)
    batch = story.team.prepare((EPOCH, [story.anna]))
    story.team.accept(batch)
    roster = story.relay.take_batch(story.team_id, batch)
    opening = story.opening(keys)
    with refused("epoch_changed"):
        await user.send(user.seal(*opening, first_key=keys.first_key))
    user.conversation.team = roster
    await user.send(user.seal(*opening, first_key=keys.first_key))


async def test_a_receipt_is_the_relays_word() -> None:
    """Receipts verify under the relay's key for exactly this entry; times never go back."""
    story = Story.begin()
    user, _ = await story.ticket()
    mailbox = user.conversation.mailbox
    for seconds in (100, -200):
        story.relay.advance(seconds)
        await user.say("more")
    times: list[int] = []
    stored = story.relay.stored(mailbox)
    for seq, item in enumerate(stored):
        entry_hash = _chain_after(mailbox, stored[: seq + 1]).hash
        keys = story.team.roster.relay_keys
        receipt = verify_receipt(item.receipt, keys, mailbox=mailbox, seq=seq, entry_hash=entry_hash)
        times.append(receipt.leaf.time)
    assert times == [NOW, NOW + 100, NOW + 100]


async def test_the_feed_has_no_gaps_and_the_bell_says_only_how_far_it_is() -> None:
    """One step per entry in any mailbox, in order; waiting ends with the next entry or with the time."""
    story = Story.begin()
    one, _ = await story.ticket(0)
    two, _ = await story.ticket(1)
    capability = story.team.keys.capability
    page = await story.relay.feed(story.team_id, 0, capability)
    assert [(i.cursor, i.mailbox_id) for i in page.items] == [
        (1, one.conversation.mailbox),
        (2, two.conversation.mailbox),
    ]
    assert (await story.relay.wait_mailbox(one.conversation.mailbox, 1, one.capability, wait=0)).seq == 1
    async with aclosing(story.relay.team_bell(story.team_id, 2, capability)) as rings:
        ringing = asyncio.ensure_future(anext(rings))
        await asyncio.sleep(0)
        await one.say("hello")
        assert (await ringing).seq == 3


async def test_a_blob_is_complete_before_an_entry_names_it() -> None:
    """Pieces are immutable, have their exact size, and are read back once all are there (§3.8)."""
    story = Story.begin()
    user, _ = await story.ticket()
    mailbox, key, relay = user.conversation.mailbox, user.capability, story.relay
    await relay.declare_blob(mailbox, BLOB, PIECE_SIZE + 5, key)
    await relay.declare_blob(mailbox, BLOB, PIECE_SIZE + 5, key)
    with refused("piece_conflict"):
        await relay.declare_blob(mailbox, BLOB, 7, key)
    await relay.put_piece(mailbox, BLOB, 1, b"12345", key)
    await relay.put_piece(mailbox, BLOB, 1, b"12345", key)
    with refused("piece_conflict"):
        await relay.put_piece(mailbox, BLOB, 1, b"54321", key)
    with refused("malformed"):
        await relay.put_piece(mailbox, BLOB, 0, b"short", key)
    assert (await relay.blob_state(mailbox, BLOB, key)).missing == (0,)
    with refused("blob_incomplete"):
        await relay.read_blob(mailbox, BLOB, 0, 5, key)
    with refused("blob_incomplete"):
        await user.send(user.seal(*_message("see file")), BLOB)
    await relay.put_piece(mailbox, BLOB, 0, bytes(PIECE_SIZE), key)
    assert await relay.read_blob(mailbox, BLOB, PIECE_SIZE, PIECE_SIZE + 5, key) == b"12345"
    await user.send(user.seal(*_message("see file")), BLOB)
    with refused("blob_incomplete"):
        await user.send(user.seal(*_message("see it again")), BLOB)


async def test_a_restored_relay_takes_back_what_it_lost() -> None:
    """Entries with good receipts come back as they were; with a bad one none of them does (§3.10, attack 88)."""
    story = Story.begin()
    user, anna = await story.ticket()
    await anna.pull()
    await anna.say("We look into it.")
    mailbox, page = (
        user.conversation.mailbox,
        await story.relay.read(user.conversation.mailbox, 0, user.capability),
    )
    restored = FakeRelay(SigningKey(Secret(seed_of("relay"))), now=lambda: NOW)
    restored.take_team(story.founding())
    await replace(story, relay=restored).create(story.keys(0))
    spoilt = Page(page.head, (page.items[0], Stored(page.items[1].entry, page.items[0].receipt)))
    with refused("head_moved"):
        await restored.hand_back(mailbox, spoilt, user.capability)
    assert restored.stored(mailbox) == ()
    assert await restored.hand_back(mailbox, page, user.capability) == page.head
    assert restored.stored(mailbox) == page.items
    assert (await restored.feed(story.team_id, 0, anna.capability)).newest == 2


async def test_a_team_is_founded_once_with_the_code() -> None:
    """The code of a relay founds one team; its genesis and boxes are verified like on the real relay."""
    relay, batch = FakeRelay(), founding(device("anna"))[0]
    with refused("code_refused"):
        await relay.found(Found("WRONG", batch))
    await relay.found(Found(CODE, batch))
    with refused("code_refused"):
        await relay.found(Found(CODE, batch))
    roster = TrustedRoster.begin(batch.links[0])
    assert (await relay.links(roster.team_id, 0)).links == batch.links
    assert await relay.package(roster.team_id, 0) == batch.packages[0]
    with refused("not_found"):
        await relay.package(roster.team_id, 1)
    assert (await relay.info()).relay_key == relay.relay_key


async def test_a_bad_batch_changes_nothing() -> None:
    """A link that its signers may not sign is refused as a whole."""
    story = Story.begin()
    ben = device("ben", Role.AGENT)
    with pytest.raises(TrustError):
        story.relay.take_batch(story.team_id, story.team.prepare((ben, [ben]), (EPOCH, [ben])))
    assert (await story.relay.links(story.team_id, 0)).length == 1


NETWORK_FAULTS = [
    (Fault.OFFLINE, "relay_unreachable", None),
    (Fault.RATE, "rate", 1.0),
    (Fault.BUSY, "busy", 1.0),
]


@pytest.mark.parametrize(
    ("fault", "code", "wait"), NETWORK_FAULTS, ids=[row[0].value for row in NETWORK_FAULTS]
)
async def test_the_network_fails_as_often_as_told(fault: Fault, code: str, wait: float | None) -> None:
    """A fault of the network holds for the given number of calls and is over then."""
    story = Story.begin()
    story.relay.inject(fault, times=2)
    for _ in range(2):
        with refused(code, TransportError) as caught:
            await story.relay.info()
        assert isinstance(caught.value, TransportError)
        assert caught.value.retry_after == wait
    await story.relay.info()
    assert story.relay.calls == ["info"] * 3


async def test_a_hostile_roster_is_served_and_refused() -> None:
    """A hidden link and one of the relay's own are shown; a client's roster refuses them (attacks 7, 9)."""
    story = Story.begin()
    batch = story.team.prepare((EPOCH, [story.anna]))
    roster = story.relay.take_batch(story.team_id, batch)
    story.relay.inject(Fault.OLD_ROSTER, times=1)
    assert (await story.relay.links(story.team_id, 0)).length == len(roster.links) - 1
    story.relay.inject(Fault.FOREIGN_LINK, times=1)
    page = await story.relay.links(story.team_id, len(roster.links))
    with refused("not_entitled", TrustError):
        roster.update(page.links)
    assert (await story.relay.links(story.team_id, 0)).links == roster.links


async def test_a_lost_answer_hides_what_was_stored() -> None:
    """The entry stands in the log although its writer got an error (attack 87)."""
    story = Story.begin()
    user, _ = await story.ticket()
    story.relay.inject(Fault.LOST_ANSWER, times=1)
    with refused("timeout", TransportError):
        await user.say("did it get through?")
    assert len(story.relay.stored(user.conversation.mailbox)) == 2


async def test_slowness_healing_and_refusals_are_switched_by_the_test() -> None:
    """A slow relay answers late; a healed one at once; refusals come in the order they were asked for."""
    story = Story.begin()
    story.relay.inject(Fault.SLOW)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await story.relay.info()
    story.relay.heal()
    story.relay.refuse_next("erased", "rate")
    with refused("erased"):
        await story.relay.info()
    with refused("rate", TransportError):
        await story.relay.info()


async def test_a_fault_stays_in_its_mailbox() -> None:
    """A fault that names a mailbox touches no other."""
    story = Story.begin()
    one, _ = await story.ticket(0)
    two, _ = await story.ticket(1)
    story.relay.inject(Fault.ERASED, mailbox=one.conversation.mailbox)
    with refused("erased"):
        await one.pull()
    assert await two.pull() == []


def _message(text: str) -> tuple[Kind, MessageBody]:
    return Kind.MESSAGE, MessageBody(text, 0)


def _chain_after(mailbox: MailboxId, stored: Sequence[Stored]) -> Chain:
    chain = Chain.start(mailbox)
    for item in stored:
        chain = chain.advance(item.entry)
    return chain
