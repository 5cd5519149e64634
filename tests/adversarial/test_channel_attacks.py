"""What a hostile relay tries with a log, by the numbers of the threat model; participants are in the ticket attacks.

Each row of the first table is a story in a few words, told to a relay that is in league with the attacker and
signs whatever it likes. The tests named ``without`` take the defence away and show that the attack succeeds then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_story import NOW, Person, Story
from e2e_support import log_place, ticket_keys
from e2e_support.conversation import Conversation
from e2e_support.errors import PeerError, SupportError, TransportError
from e2e_support.limits import CHUNK_SIZE
from e2e_support.mailbox import Chain, ReceiptFact, ReceiptSigner, verify_receipt
from e2e_support.opened import Opened
from e2e_support.thread import Thread
from e2e_support.vocab import Verdict
from e2e_support.wire import Append, Page, Receipt, Stored
from e2e_support_client.download import download, read_bytes
from e2e_support_client.files import FileSource
from e2e_support_client.port import Refused
from e2e_support_client.testing import OTHER_TIME, FakeRelay, Fault
from e2e_support_client.upload import UploadState, upload
from team_builder import EPOCH
from ticket_builder import RELAY

# --- stories about a log -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attack:
    """A story and its end.

    Attributes:
        number: in the threat model.
        what: what the relay does.
        story: words: ``user`` and ``anna`` write, ``reads`` lets the reader read, ``rotate`` begins a team epoch, a
            fault's name turns it on; at the end the reader reads.
        end: the verdicts of what the reader read last, or the code of the error.
        without: the defence, and the end where it is missing.
        raw: whether the relay leaves the receipts as they were.
        reader: who reads.
    """

    number: int
    what: str
    story: str
    end: str
    without: tuple[str, str] | None = None
    raw: bool = False
    reader: str = "anna"


ATTACKS: Final = [
    Attack(1, "drops an entry", "user user user DROP", "ok ok forged", ("context", "ok ok nonconforming")),
    Attack(
        1, "drops an entry, raw", "user user user DROP", "bad_receipt", ("receipts", "ok ok forged"), raw=True
    ),
    Attack(1, "drops one to come", "user reads user user user DROP", "forged forged"),
    Attack(1, "drops one that was read", "user user reads user DROP", "fork", ("page", "")),
    Attack(1, "drops one and goes on", "user user reads user user DROP", "fork", ("page", "bad_receipt")),
    Attack(3, "repeats an entry", "user REPLAY", "ok ok forged", ("context", "ok ok nonconforming")),
    Attack(3, "repeats an entry, raw", "user REPLAY", "bad_receipt", ("receipts", "ok ok forged"), raw=True),
    Attack(3, "repeats one that was read", "user reads REPLAY", "forged", ("context", "nonconforming")),
    Attack(
        4, "swaps two", "user user REORDER", "ok forged forged", ("context", "ok nonconforming nonconforming")
    ),
    Attack(
        4, "swaps two, raw", "user user REORDER", "bad_receipt", ("receipts", "ok forged forged"), raw=True
    ),
    Attack(4, "swaps two that were read", "user user reads REORDER", "fork", ("page", "")),
    Attack(5, "shows another ticket", "SWAP_MAILBOX", "forged unverifiable unverifiable"),
    Attack(5, "shows another ticket, raw", "SWAP_MAILBOX", "bad_receipt", raw=True),
    Attack(5, "goes on with another ticket", "reads SWAP_MAILBOX", "fork", ("page", "bad_receipt")),
    Attack(6, "turns a user's entry round", "user REFLECT", "ok forged", ("direction", "ok ok")),
    Attack(6, "turns the team's entry round", "anna REFLECT", "forged", ("direction", "ok"), reader="user"),
    Attack(
        6,
        "moves one to an old generation",
        "rotate user OLD_GENERATION",
        "ok forged",
        ("generation", "ok nonconforming"),
    ),
    Attack(14, "goes back", "user reads ROLLBACK", "rollback", ("page", "")),
    Attack(
        14, "hides the team's answer again", "anna reads ROLLBACK", "rollback", ("page", ""), reader="user"
    ),
    Attack(16, "forges a receipt", "user FORGED_RECEIPT", "bad_signature", ("receipts", "ok ok")),
    Attack(16, "gives another's receipt", "user OTHER_RECEIPT", "bad_receipt", ("receipts", "ok ok")),
    Attack(21, "changes a bit", "user CORRUPT", "ok forged"),
    Attack(21, "changes a bit, raw", "user CORRUPT", "bad_receipt", ("receipts", "ok forged"), raw=True),
    Attack(78, "swaps the first boxes", "SWAP_BOX", "forged"),
    Attack(78, "swaps the boxes of a re-key", "rotate user SWAP_BOX", "ok forged"),
]


def names(attack: Attack) -> str:
    """Name a test by its attack."""
    return f"{attack.number}: {attack.what}"


@dataclass
class Stage:
    """Where a story is told: the relay, the people, and who reads at the end."""

    story: Story
    user: Person
    anna: Person
    reader: Person
    read: list[Opened]

    @classmethod
    async def begin(cls, reader: str) -> Stage:
        """Begin with one ticket that nobody of the team has read; another one, of three entries, stands beside it."""
        story = Story.begin()
        other, _ = await story.ticket(1)
        for _ in range(2):
            await other.say("about something else")
        user, anna = await story.ticket()
        return cls(story, user, anna, user if reader == "user" else anna, [])

    async def tell(self, words: str) -> None:
        """Let a story happen."""
        for word in words.split():
            match word:
                case "user":
                    await self.user.pull()
                    await self.user.say("one more thing")
                case "anna":
                    await self.anna.pull()
                    await self.anna.say("we look into it")
                case "reads":
                    await self.reader.pull()
                case "rotate":
                    self.rotate()
                case _:
                    self.story.relay.inject(Fault[word], mailbox=self.user.conversation.mailbox)

    def rotate(self) -> None:
        """Begin an epoch; everybody has the new roster."""
        team = self.story.team
        batch = team.prepare((EPOCH, [self.story.anna]))
        team.accept(batch)
        self.story.relay.take_batch(team.team_id, batch)
        self.anna.capability = team.keys.capability
        for person in (self.user, self.anna):
            person.conversation.team = team.roster

    async def end(self) -> str:
        """Let the reader read on, and say how that ended."""
        try:
            self.read = await self.reader.pull()
        except SupportError as error:
            return error.code
        return " ".join(opened.verdict.name.lower() for opened in self.read)


async def told(attack: Attack) -> tuple[Stage, str]:
    """Tell a story and return the stage and the end."""
    stage = await Stage.begin(attack.reader)
    stage.story.relay.signs_anew = not attack.raw
    await stage.tell(attack.story)
    return stage, await stage.end()


@pytest.mark.parametrize("attack", ATTACKS, ids=names)
async def test_a_hostile_relay_is_found_out(attack: Attack) -> None:
    """The reader gets an error or a verdict, and no word of what was tampered with."""
    stage, end = await told(attack)
    assert end == attack.end
    assert all(opened.body is None for opened in stage.read if opened.verdict is Verdict.FORGED)


STOPPED = [attack for attack in ATTACKS if attack.end in {"bad_receipt", "bad_signature", "fork", "rollback"}]


@pytest.mark.parametrize("attack", STOPPED, ids=names)
async def test_nothing_of_a_bad_answer_is_followed(attack: Attack) -> None:
    """After an error the reader stands at a true place of the true log, and goes on once the relay is honest again."""
    stage, _ = await told(attack)
    stage.story.relay.heal()
    assert all(opened.verdict is Verdict.OK for opened in await stage.reader.pull())
    true = len(stage.story.relay.stored(stage.user.conversation.mailbox))
    assert stage.reader.conversation.chain.length == true


def nothing(*_: object) -> None:
    """Stand where a check was taken away."""


def same_context(*_: object) -> bytes:
    """Bind every entry to the same place."""
    return b"anywhere"


def any_receipt(data: bytes, *_: object, **__: object) -> Receipt:
    """Believe every receipt."""
    return Receipt.from_bytes(data)


CONTEXT: Final = (Conversation, "context", same_context)
DEFENCES: Final[dict[str, list[tuple[object, str, object]]]] = {
    "context": [CONTEXT],
    "page": [(Chain, "check_page", nothing)],
    "receipts": [(log_place, "verify_receipt", any_receipt)],
    "direction": [CONTEXT, (Conversation, "_check_direction", nothing)],
    "generation": [
        CONTEXT,
        (Conversation, "_check_order", nothing),
        (ticket_keys, "_team_context", same_context),
    ],
}


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.without], ids=names)
async def test_it_would_succeed_without_its_defence(attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the defence taken away the reader does not notice, or only a second defence does."""
    assert attack.without is not None
    defence, end = attack.without
    for owner, name, stand_in in DEFENCES[defence]:
        monkeypatch.setattr(owner, name, stand_in)
    _, found = await told(attack)
    assert found == end


@given(st.permutations(range(5)))
async def test_4_nothing_is_shown_in_a_wrong_order(order: list[int]) -> None:
    """Attack 4: of any permutation of a log exactly the part that begins it is believed."""
    stage = await Stage.begin("anna")
    await stage.tell("user user user user")
    mailbox = stage.user.conversation.mailbox
    stored = stage.story.relay.stored(mailbox)
    chain, items = Chain.start(mailbox), list[Stored]()
    for place in order:
        chain = chain.advance(stored[place].entry)
        fact = ReceiptFact(mailbox, chain.length - 1, chain.hash, NOW)
        items.append(Stored(stored[place].entry, ReceiptSigner(RELAY).sign([fact])[0]))
    stage.anna.conversation.chain.check_page(Page(chain.head, tuple(items)))
    opened = [stage.anna.receive(item) for item in items]
    true = next((at for at, place in enumerate(order) if at != place), 5)
    assert [entry.verdict is Verdict.OK for entry in opened] == [True] * true + [False] * (5 - true)
    assert all(entry.body is None for entry in opened[true:])


# --- 2, 15, 16, 81, 86, 87: the relay's word ---------------------------------------------------------------------


async def test_2_a_withheld_tail_cannot_be_answered() -> None:
    """Attack 2: the relay hides the newest entry; whoever answers then cannot be fitted in, so it stays visible.

    Readers alone cannot know of an entry that nobody shows them; the writer sees that no team entry follows.
    """
    stage = await Stage.begin("anna")
    await stage.tell("reads WITHHOLD user")
    assert await stage.end() == ""
    with pytest.raises(Refused) as caught:
        await stage.anna.say("anything else?")
    assert caught.value.code == "head_moved"
    assert caught.value.head == stage.user.conversation.chain.head != stage.anna.conversation.chain.head


async def test_2_an_answer_on_a_hidden_fork_never_reaches_the_user() -> None:
    """Attack 2: if the relay takes the answer all the same, it has two logs and can join them nowhere."""
    stage, twin = await two_faces()
    await stage.user.say("it still happens")
    await twin.say("we closed this")
    stage.user.relay = twin.relay
    assert await stage.end() == "fork"


async def two_faces() -> tuple[Stage, Person]:
    """Return a stage whose relay shows anna another face: two relays with one key and one ticket, up to here alike."""
    stage = await Stage.begin("user")
    face, mailbox = FakeRelay(RELAY, now=lambda: NOW), stage.user.conversation.mailbox
    face.take_team(stage.story.founding())
    await replace(stage.story, relay=face).create(stage.story.keys(0))
    [opening] = stage.story.relay.stored(mailbox)
    await face.append(mailbox, Append(0, Chain.start(mailbox).hash, opening.entry, ()), stage.user.capability)
    anna = stage.story.admin(mailbox, face)
    await anna.pull()
    return stage, anna


async def test_15_two_logs_are_proven_by_two_receipts() -> None:
    """Attack 15: user and team are shown different logs; the two receipts for one place convict the relay."""
    stage, anna = await two_faces()
    mine, theirs = await stage.user.say("call me"), await anna.say("solved")
    keys = stage.story.team.roster.relay_keys
    proof = [
        verify_receipt(
            opened.receipt, keys, mailbox=stage.user.conversation.mailbox, seq=1, entry_hash=opened.hash
        ).leaf
        for opened in (mine, theirs)
    ]
    assert proof[0].relay_key_id == proof[1].relay_key_id
    assert (proof[0].seq, proof[1].seq) == (1, 1)
    assert proof[0].entry_hash != proof[1].entry_hash


async def test_15_the_next_entry_that_crosses_does_not_fit() -> None:
    """Attack 15: an entry of one log is forged in the other, even where the relay signs it in."""
    stage, anna = await two_faces()
    await stage.user.say("call me")
    await anna.say("solved")
    crossing = anna.seal(*stage.story.message("thanks for closing"))
    append = Append(
        stage.user.conversation.chain.length, stage.user.conversation.chain.hash, crossing.entry, ()
    )
    await stage.story.relay.append(stage.user.conversation.mailbox, append, anna.capability)
    assert await stage.end() == "forged"


BAD_RECEIPTS = [(Fault.FORGED_RECEIPT, "bad_signature"), (Fault.OTHER_RECEIPT, "bad_receipt")]


@pytest.mark.parametrize(("fault", "code"), BAD_RECEIPTS, ids=[row[0].value for row in BAD_RECEIPTS])
async def test_16_what_has_no_receipt_was_not_sent(fault: Fault, code: str) -> None:
    """Attack 16: a writer who gets no good receipt has not written; the same bytes again get the good one."""
    stage = await Stage.begin("user")
    sealed = stage.user.seal(*stage.story.message("are you there?"))
    before = stage.user.conversation.chain
    stage.story.relay.inject(fault, times=1)
    with pytest.raises(PeerError) as caught:
        await stage.user.send(sealed)
    assert (caught.value.code, stage.user.conversation.chain) == (code, before)
    assert (await stage.user.send(sealed)).verdict is Verdict.OK
    assert len(stage.story.relay.stored(before.mailbox)) == 2


async def test_16_a_receipt_of_a_strange_relay_is_none() -> None:
    """Attacks 16, 31: only keys that the roster lists make receipts."""
    stage = await Stage.begin("user")
    stranger = FakeRelay(now=lambda: NOW)
    stranger.take_team(stage.story.founding())
    with pytest.raises(PeerError) as caught:
        await replace(stage.story, relay=stranger).ticket()
    assert caught.value.code == "bad_receipt"


async def test_81_a_bare_410_erases_nothing() -> None:
    """Attack 81: the relay says that a ticket was erased; that is its claim, and the reader keeps what it has."""
    stage = await Stage.begin("anna")
    await stage.tell("user reads ERASED")
    before = stage.anna.conversation.chain
    with pytest.raises(Refused) as caught:
        await stage.anna.pull()
    assert caught.value.code == "erased"
    assert "relay says" in caught.value.message
    assert stage.anna.conversation.chain == before
    assert stage.anna.conversation.reply_key is not None


async def test_86_two_times_for_one_entry_are_proof() -> None:
    """Attack 86: the team was told a later time; its answer quotes it, and the user holds both receipts."""
    stage = await Stage.begin("user")
    await stage.tell("user OTHER_TIME")
    await stage.anna.pull()
    stage.story.relay.heal()
    await stage.anna.say("you came too late")
    [answer] = await stage.user.pull()
    [(mine, theirs)] = stage.user.conversation.equivocations
    times = [Receipt.from_bytes(receipt).leaf.time for receipt in (mine, theirs)]
    assert times == [NOW, NOW + OTHER_TIME]
    assert answer.quoted == NOW + OTHER_TIME
    keys, log = stage.story.team.roster.relay_keys, stage.user.conversation
    entry = stage.story.relay.stored(log.mailbox)
    chain = Chain.start(log.mailbox).advance(entry[0].entry).advance(entry[1].entry)
    for receipt in (mine, theirs):
        verify_receipt(receipt, keys, mailbox=log.mailbox, seq=1, entry_hash=chain.hash)


async def test_87_a_lost_answer_makes_no_second_message() -> None:
    """Attack 87: the same sealed bytes again get the receipt of the first time."""
    stage = await Stage.begin("user")
    sealed = stage.user.seal(*stage.story.message("did you get this?"))
    stage.story.relay.inject(Fault.LOST_ANSWER, times=1)
    with pytest.raises(TransportError):
        await stage.user.send(sealed)
    assert (await stage.user.send(sealed)).verdict is Verdict.OK
    assert len(stage.story.relay.stored(stage.user.conversation.mailbox)) == 2


async def test_87_a_message_that_was_sealed_twice_counts_once() -> None:
    """Attack 87: after a lost answer the message was sealed anew; all readers count the first one only."""
    stage = await Stage.begin("user")
    user, roster = stage.user, stage.story.team.roster
    draft = user.draft(*stage.story.message("did you get this?"))
    stage.story.relay.inject(Fault.LOST_ANSWER, times=1)
    with pytest.raises(TransportError):
        await user.send(user.seal_draft(draft))
    await user.pull()
    await user.send(user.seal_draft(draft))
    thread = Thread(roster)
    for opened in await stage.anna.pull():
        thread.take(opened)
    assert [(entry.verdict, entry.reason) for entry in thread.entries] == [
        (Verdict.OK, ""),
        (Verdict.OK, ""),
        (Verdict.NONCONFORMING, "same_message"),
    ]


async def test_78_after_a_swapped_box_the_next_writer_begins_anew() -> None:
    """Attack 78: nobody can read on under the swapped key, so the next entry brings boxes of its own."""
    stage = await Stage.begin("anna")
    await stage.tell("rotate user SWAP_BOX")
    assert await stage.end() == "ok forged"
    answer = stage.anna.seal(*stage.story.message("please say that again"))
    item = Stored(answer.entry, _receipt(stage.anna.conversation.chain.advance(answer.entry)))
    opened = stage.anna.conversation.receive(item)
    assert (opened.verdict, opened.gen) == (Verdict.OK, 2)


def _receipt(chain: Chain) -> bytes:
    return ReceiptSigner(RELAY).sign([ReceiptFact(chain.mailbox, chain.length - 1, chain.hash, NOW)])[0]


# --- 17-21: attachments --------------------------------------------------------------------------------------------

BLOBS = [
    (17, "another blob", Fault.OTHER_BLOB),
    (18, "a blob without its last chunk", Fault.TRUNCATE_BLOB),
    (19, "a chunk behind the last", Fault.EXTRA_CHUNK),
    (20, "two chunks swapped", Fault.SWAP_CHUNKS),
    (20, "a chunk doubled", Fault.DOUBLE_CHUNK),
    (21, "one bit changed", Fault.CORRUPT_BLOB),
]


@pytest.mark.parametrize(("number", "what", "fault"), BLOBS, ids=[f"{row[0]}: {row[1]}" for row in BLOBS])
async def test_an_attachment_is_whole_or_nothing(
    number: int, what: str, fault: Fault, tmp_path: Path
) -> None:
    """Attacks 17-21: not a byte that was not signed reaches memory or disk, and no half file stays."""
    stage = await Stage.begin("anna")
    user, mailbox = stage.user, stage.user.conversation.mailbox
    files = {name: os.urandom(3 * CHUNK_SIZE + 99) for name in ("a.bin", "b.bin")}
    manifests = {
        name: await upload(
            user.relay,
            mailbox,
            user.capability,
            FileSource.from_bytes(data, name=name),
            state=UploadState.fresh(),
        )
        for name, data in files.items()
    }
    stage.story.relay.inject(fault)
    place = stage.anna.relay, mailbox, stage.anna.capability
    for fetch in (
        lambda: read_bytes(*place, manifests["a.bin"]),
        lambda: download(*place, manifests["a.bin"], tmp_path / "a.bin"),
    ):
        with pytest.raises(PeerError) as caught:
            await fetch()
        assert caught.value.code == "bad_attachment"
    assert not any(os.scandir(tmp_path))
    stage.story.relay.heal()
    assert await read_bytes(*place, manifests["a.bin"]) == files["a.bin"]
