"""One log of a ticket as its readers follow it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from e2e_support.codec import Message
from e2e_support.content import Author, BarrierBody, EmptyBody, OpenForBody
from e2e_support.conversation import Draft
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, SupportError, UsageError
from e2e_support.ids import MessageId
from e2e_support.limits import ENTRY_MAX
from e2e_support.log_place import PROOFS_MAX
from e2e_support.roster_links import NO_HASH, RelayKeys
from e2e_support.user import make_card, read_card, user_key
from e2e_support.vocab import AuthorRole, Direction, Kind, Recipient, Verdict
from e2e_support.wire import Entry, Head, Stored
from team_builder import EPOCH, seed_of
from ticket_builder import ANNA, BEN, RELAY, Side, TeamPort, Ticket, head_of, make_admin, reveal, text

KEY = Secret(b"\x07" * 32)
OTHER_RELAY = SigningKey(Secret(b"\x09" * 32))


def refusal(side: Side, item: Stored, *, accept_strange: bool = False) -> SupportError:
    """Return the error with which a reader does not follow an entry."""
    before = side.conversation.chain
    with pytest.raises(SupportError) as error:
        side.read(item, accept_strange=accept_strange)
    assert side.conversation.chain == before
    return error.value


def test_user_and_team_talk() -> None:
    """What one side seals the other opens, and both see the same ticket."""
    ticket = Ticket.begin()
    answer = ticket.say(ticket.anna, Kind.MESSAGE, text("Which month?"))
    question = ticket.say(ticket.user, Kind.MESSAGE, text("May."))
    assert (answer.body, question.body) == (text("Which month?"), text("May."))
    assert ticket.user.verdicts == [(Verdict.OK, "")] * 3
    assert ticket.agree()


UNKNOWN = cast("AuthorRole", 9)


def a_device_of_another_role(ticket: Ticket) -> bytes:
    """Return what anna's device signs in a role that this program does not know."""
    return ticket.craft(ticket.anna, author=Author(UNKNOWN, ANNA.device_id))


def a_key_of_another_role(ticket: Ticket) -> bytes:
    """Return a first entry under a key of nobody's."""
    return ticket.craft(
        ticket.user, Kind.OPEN, ticket.opening(), key=KEY, gen=0, boxes=ticket.boxes(KEY, 0),
        direction=Direction.TEAM_TO_USER, author=Author(UNKNOWN, OTHER_RELAY.public), signer=OTHER_RELAY,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("begun", "made"),
    [(Ticket.begin, a_device_of_another_role), (Ticket.empty, a_key_of_another_role)],
    ids=["a device", "a key"],
)
def test_an_author_of_an_unknown_role_is_nobody(
    begun: Callable[[], Ticket], made: Callable[[Ticket], bytes]
) -> None:
    """A role that a later version may bring entitles to nothing here."""
    ticket = begun()
    opened = ticket.post(made(ticket))
    assert (opened.verdict, opened.reason) == (Verdict.FORGED, "bad_author")


# --- a roster that has moved on ----------------------------------------------------------------------------


def test_an_entry_under_a_newer_epoch_asks_for_the_roster() -> None:
    """A console that lacks an epoch fetches it first, instead of calling the entry unreadable for ever."""
    ticket = Ticket.begin()
    ticket.anna.conversation.keys = TeamPort(ticket.team, last=0)
    ticket.team.do((EPOCH, [ANNA]))
    ben = ticket.catch_up(ticket.admin(BEN))
    item = ticket.log.add(ben.seal(Kind.MESSAGE, text("Under the new epoch.")))
    for side in (ticket.user, ticket.anna):
        assert refusal(side, item).code == "roster_behind"
    ticket.use_roster()
    ticket.anna.conversation.keys = TeamPort(ticket.team)
    assert [side.read(item).verdict for side in (ticket.user, ticket.anna)] == [Verdict.OK, Verdict.OK]


def test_an_entry_that_cites_a_newer_head_asks_for_the_roster() -> None:
    """Even under the old epoch: the policy or the author may be new."""
    ticket = Ticket.begin()
    ticket.team.do((RelayKeys((RELAY.public, OTHER_RELAY.public)), [ANNA]))
    ben = ticket.catch_up(ticket.admin(BEN))
    item = ticket.log.add(ben.seal(Kind.MESSAGE, text("hello")))
    assert refusal(ticket.user, item).code == "roster_behind"
    ticket.use_roster()
    assert ticket.user.read(item).verdict is Verdict.OK


def test_an_epoch_that_the_relay_withholds_makes_an_entry_unverifiable() -> None:
    """Where no newer roster is to be had, the entry is marked and the log goes on."""
    ticket = Ticket.begin()
    ticket.anna.conversation.keys = TeamPort(ticket.team, last=0)
    ticket.team.do((EPOCH, [ANNA]))
    ben = ticket.catch_up(ticket.admin(BEN))
    item = ticket.log.add(ben.seal(Kind.MESSAGE, text("Under the new epoch.")))
    by_user, by_anna = (side.read(item, accept_strange=True) for side in (ticket.user, ticket.anna))
    assert (by_user.verdict, by_user.reason) == (Verdict.UNVERIFIABLE, "unknown_roster_head")
    assert (by_anna.verdict, by_anna.reason) == (Verdict.UNVERIFIABLE, "no_key")
    assert ticket.say(ticket.user, Kind.MESSAGE, text("Hello?")).verdict is Verdict.OK


def test_a_receipt_under_a_newer_relay_key_asks_for_the_roster() -> None:
    """A relay that changed its key is not called a liar before the roster was looked at."""
    ticket = Ticket.begin()
    entry = ticket.user.seal(Kind.MESSAGE, text("hello"))
    item = Stored(entry, ticket.log.receipt(entry, key=OTHER_RELAY))
    assert refusal(ticket.anna, item).code == "roster_behind"
    assert refusal(ticket.anna, item, accept_strange=True).code == "bad_receipt"
    ticket.team.do((RelayKeys((OTHER_RELAY.public,)), [ANNA]))
    ticket.use_roster()
    assert ticket.anna.read(item).verdict is Verdict.OK


def test_a_quote_under_a_newer_relay_key_asks_for_the_roster() -> None:
    """Whether a quote holds must not depend on how new a reader's roster is."""
    ticket = Ticket.begin()
    quote = ticket.log.another_receipt(0, key=OTHER_RELAY)
    item = ticket.log.add(ticket.craft(ticket.user, receipt=quote))
    assert refusal(ticket.anna, item).code == "roster_behind"
    assert ticket.anna.read(item, accept_strange=True).reason == "bad_quote"
    ticket.team.do((RelayKeys((OTHER_RELAY.public,)), [ANNA]))
    ticket.use_roster()
    assert ticket.user.read(item).verdict is Verdict.OK


def test_a_head_of_another_story_does_not_outdate_the_true_ones() -> None:
    """Nobody can make the entries of those who know an older roster count nothing."""
    ticket = Ticket.begin()
    ticket.team.do((RelayKeys((RELAY.public, OTHER_RELAY.public)), [ANNA]))
    ticket.use_roster()
    strange = ticket.post(ticket.craft(ticket.user, roster_head=Head(2, NO_HASH)))
    assert (strange.verdict, strange.reason) == (Verdict.UNVERIFIABLE, "unknown_roster_head")
    assert ticket.post(ticket.craft(ticket.anna, roster_head=head_of(ticket, 1))).verdict is Verdict.OK


@pytest.mark.parametrize("what", ["place", "signature", "bytes"])
def test_a_false_receipt_is_no_receipt(what: str) -> None:
    """An entry whose receipt is for something else, changed or cut is not followed (attack 16)."""
    ticket = Ticket.begin()
    entry = ticket.user.seal(Kind.MESSAGE, text("hello"))
    good = ticket.log.receipt(entry)
    bad = {"place": ticket.last_receipt, "signature": good[:-1] + b"x", "bytes": good[:-1]}[what]
    codes = {"place": "bad_receipt", "signature": "bad_signature", "bytes": "malformed"}
    error = refusal(ticket.anna, Stored(entry, bad))
    assert type(error) is PeerError
    assert error.code == codes[what]


# --- a reader who cannot read all -------------------------------------------------------------------------


def test_a_newcomer_without_history_sees_no_forgery() -> None:
    """What an old epoch closed is marked, not alarmed about; what the team writes now is read."""
    ticket = Ticket.begin()
    ticket.team.do((EPOCH, [ANNA]))
    ticket.use_roster()
    newcomer = ticket.admin(BEN, first_epoch=1)
    ticket.say(ticket.anna, Kind.MESSAGE, text("Under the new epoch."))
    ticket.say(ticket.user, Kind.MESSAGE, text("Thank you."))
    ticket.catch_up(newcomer)
    assert newcomer.verdicts == [
        (Verdict.UNVERIFIABLE, "no_key"),
        (Verdict.NONCONFORMING, "not_allowed"),  # no opening that this reader knows of
        (Verdict.UNVERIFIABLE, "no_author"),
    ]


def test_a_newcomer_reads_nothing_until_there_is_a_new_key() -> None:
    """What follows a key that could not be opened cannot be opened either, and is no forgery."""
    ticket = Ticket.begin()
    ticket.say(ticket.user, Kind.MESSAGE, text("Hello?"))
    newcomer = ticket.catch_up(ticket.admin(BEN, first_epoch=1))
    assert newcomer.verdicts == [(Verdict.UNVERIFIABLE, "no_key")] * 2


def test_a_newcomer_without_history_does_not_lock_the_user_out() -> None:
    """Boxes that miss the user would be refused by all others; the writer is told instead."""
    ticket = Ticket.begin()
    ticket.team.do((EPOCH, [ANNA]))
    newcomer = ticket.catch_up(ticket.admin(BEN, first_epoch=1))
    with pytest.raises(UsageError) as error:
        newcomer.seal(Kind.MESSAGE, text("Hello?"))
    assert error.value.code == "no_author"


def test_a_first_entry_hands_no_key_over() -> None:
    """There is none before it."""
    ticket = Ticket.empty()
    boxes = ticket.boxes(KEY, 0)
    opening = ticket.craft(
        ticket.user, Kind.OPEN, ticket.opening(), key=KEY, gen=0, boxes=boxes, previous_key=bytes(32)
    )
    assert ticket.post(opening).reason == "stray_key"


def test_a_log_that_begins_with_something_else_names_no_user() -> None:
    """Without an opening nobody knows whose entries follow; nothing crashes over it."""
    ticket = Ticket.empty()
    boxes = ticket.boxes(KEY, 0)
    ticket.post(ticket.craft(ticket.user, key=KEY, gen=0, boxes=boxes))
    assert ticket.anna.verdicts == [(Verdict.NONCONFORMING, "not_allowed")]
    assert ticket.post(ticket.craft(ticket.user, key=KEY)).reason == "no_author"


def test_a_second_opening_changes_no_keys() -> None:
    """Who the user is and how to reach them stays as the first entry says."""
    ticket = Ticket.begin()
    opened = ticket.post(ticket.craft(ticket.user, Kind.OPEN, ticket.opening(reply_key=ANNA.kem.public)))
    assert (opened.verdict, opened.reason) == (Verdict.NONCONFORMING, "not_first")
    assert ticket.anna.conversation.reply_key == ticket.keys.reply.public


def test_the_first_key_is_for_the_first_entry() -> None:
    """A caller may offer it again and again; a re-key takes a fresh one."""
    ticket = Ticket.begin()
    assert ticket.anna.key == ticket.keys.first_key
    ticket.team.do((EPOCH, [ANNA]))
    ticket.use_roster()
    draft = Draft(Kind.REKEY, BarrierBody(()), MessageId(bytes(16)))
    user, keys = ticket.user, ticket.keys
    sealed = user.conversation.seal(draft, user.signer, now=0, random=user.random, first_key=keys.first_key)
    assert ticket.post(sealed.entry).verdict is Verdict.OK
    assert ticket.anna.key not in {None, keys.first_key}


# --- what an entry says of the log ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("stray_key", {"previous_key": bytes(32)}),
        ("bad_quote", {"receipt": b""}),
        ("bad_quote", {"receipt": b"\x93"}),
        ("false_key", {"previous_key": bytes(32), "gen": 1}),
        ("bad_quote", {"receipt": b"", "gen": 1}),
    ],
    ids=["a key without boxes", "no quote", "half a quote", "another key", "re-key without quote"],
)
def test_a_false_word_about_the_log_has_no_effect(reason: str, changes: dict[str, Any]) -> None:
    """The signature is good, so the entry is kept in sight; it changes nothing and brings no key."""
    ticket = Ticket.begin()
    before = ticket.anna.state
    boxed: dict[str, Any] = {"key": KEY, "boxes": ticket.boxes(KEY, 1)} if "gen" in changes else {}
    opened = ticket.post(ticket.craft(ticket.user, **boxed, **changes))
    assert (opened.verdict, opened.reason) == (Verdict.NONCONFORMING, reason)
    assert opened.inner is not None
    assert opened.key is None
    assert ticket.anna.conversation.equivocations == []
    assert ticket.anna.state == before
    assert ticket.agree()


@pytest.mark.parametrize(
    ("gen", "boxed", "after"),
    [(1, True, 1), (2, True, 0), (1, False, 0)],
    ids=["the next", "the one after", "without boxes"],
)
def test_only_boxes_of_the_next_generation_use_it_up(gen: int, boxed: bool, after: int) -> None:
    """Junk makes no writer leave generations out, and quotes no time."""
    ticket = Ticket.begin()
    boxes = ticket.boxes(KEY, gen) if boxed else ()
    opened = ticket.post(ticket.craft(ticket.user, gen=gen, boxes=boxes, signer=OTHER_RELAY))
    assert (opened.verdict, opened.quoted, ticket.anna.conversation.gen) == (Verdict.FORGED, 0, after)
    assert ticket.say(ticket.anna, Kind.MESSAGE, text("hello")).verdict is Verdict.OK


@pytest.mark.parametrize(("size", "kept"), [(ENTRY_MAX, ENTRY_MAX), (ENTRY_MAX + 1, 0)])
def test_what_is_too_large_to_be_an_entry_is_followed_and_not_kept(size: int, kept: int) -> None:
    """No relay makes a reader store more than an entry may have."""
    opened = Ticket.begin().post(bytes(size))
    assert (opened.seq, opened.verdict, opened.entry) == (1, Verdict.FORGED, bytes(kept))


def test_a_rekey_hands_over_the_key_before() -> None:
    """Who could open the generation before says its key; who could not leaves it out."""
    ticket = Ticket.begin()
    first = ticket.anna.key
    ticket.team.do((EPOCH, [ANNA]))
    ticket.use_roster()
    rekey = ticket.say(ticket.anna, Kind.REKEY, BarrierBody(()))
    assert first
    assert rekey.inner
    assert rekey.inner.previous_key == reveal(first)
    ticket.post(ticket.craft(ticket.user, key=KEY, gen=2, boxes=ticket.boxes(KEY, 2), signer=OTHER_RELAY))
    after = ticket.say(ticket.anna, Kind.REKEY, BarrierBody(()))
    assert (after.verdict, after.gen) == (Verdict.OK, 3)
    assert after.inner
    assert after.inner.previous_key == b""


def test_the_first_entry_quotes_nothing() -> None:
    """There is nothing before it."""
    ticket = Ticket.empty()
    boxes = ticket.boxes(KEY, 0)
    entry = ticket.craft(
        ticket.user, Kind.OPEN, ticket.opening(), key=KEY, gen=0, boxes=boxes, receipt=b"\x93"
    )
    assert ticket.post(entry).reason == "bad_quote"


@pytest.mark.parametrize("changes", [{}, {"roster_head": Head(9, NO_HASH)}, {"previous_key": bytes(32)}])
def test_a_quote_counts_whatever_else_is_wrong(changes: dict[str, Any]) -> None:
    """All readers take the quoted time, and a quote other than the receipt at hand is proof against the relay."""
    ticket = Ticket.begin()
    lie = ticket.log.another_receipt(0, time=77)
    item = ticket.log.add(ticket.craft(ticket.user, receipt=lie, **changes))
    opened = ticket.anna.read(item, accept_strange=True)
    assert opened.quoted == 77
    assert ticket.anna.conversation.equivocations == [(ticket.log.items[0].receipt, lie)]


def test_a_receipt_that_goes_back_in_time_is_proof() -> None:
    """Times never decrease in a mailbox; the two receipts show it, unless they are of one second."""
    ticket = Ticket.begin()
    for time in (ticket.log.now, ticket.log.now - 1):
        ticket.post(ticket.user.seal(Kind.MESSAGE, text("hello")), time=time)
    _, second, third = ticket.log.items
    assert ticket.anna.conversation.equivocations == [(second.receipt, third.receipt)]


def test_proofs_are_kept_in_number() -> None:
    """A relay that contradicts itself for ever fills no memory."""
    ticket = Ticket.begin()
    for time in range(2 * PROOFS_MAX, 0, -1):
        ticket.post(ticket.user.seal(Kind.DUMMY, EmptyBody()), time=time)
    assert len(ticket.anna.conversation.equivocations) == PROOFS_MAX


# --- keeping and going on ---------------------------------------------------------------------------------


def test_records_bring_everything_back() -> None:
    """A reader that starts again from its store follows on as if it had never stopped."""
    ticket = Ticket.begin()
    ticket.say(ticket.anna, Kind.MESSAGE, text("Which month?"))
    ticket.post(ticket.craft(ticket.user, receipt=ticket.log.another_receipt(1, time=77)))
    ticket.post(b"junk")
    ticket.post(ticket.craft(ticket.user, roster_head=Head(1, NO_HASH)))
    before = ticket.anna
    after = ticket.admin().resume(before.records)
    assert after.thread.entries == before.thread.entries
    assert after.state == before.state
    for name in ("chain", "gen", "epoch", "author_key", "reply_key", "equivocations"):
        assert getattr(after.conversation, name) == getattr(before.conversation, name)
    item = ticket.log.add(ticket.user.seal(Kind.MESSAGE, text("May.")))
    assert after.conversation.receive(item) == before.conversation.receive(item)


def test_a_log_that_begins_with_junk_is_kept_too() -> None:
    """No generation has begun yet, and that can be written down."""
    ticket = Ticket.empty()
    ticket.post(b"junk")
    assert ticket.admin().resume(ticket.anna.records).conversation.gen == -1


def test_a_ticket_that_the_team_opens_is_sealed_to_its_card() -> None:
    """The user whose card it is reads the first entry and answers; the console knows whom from then on."""
    ticket = Ticket.empty()
    user = user_key(Secret(seed_of("user")), ticket.team.team_id)
    card = read_card(make_card(ticket.keys, ticket.team.team_id, user))
    body = OpenForBody(card, "Your invoice", "It is late.", "question", "", (), 1)
    assert ticket.say(ticket.anna, Kind.OPEN_FOR, body).verdict is Verdict.OK
    assert ticket.anna.conversation.reply_key == ticket.keys.reply.public
    assert ticket.anna.conversation.author_key == ticket.keys.author.public
    assert ticket.anna.conversation.user_key == user.public == ticket.user.state.user_key
    assert ticket.say(ticket.user, Kind.MESSAGE, text("Thank you.")).verdict is Verdict.OK
    assert ticket.agree()


def test_a_card_in_a_users_own_entry_names_nobody() -> None:
    """Only the team opens with a card; whose boxes follow is not taken from anybody else's word."""
    ticket = Ticket.empty()
    card = make_card(ticket.keys, ticket.team.team_id, user_key(Secret(seed_of("user")), ticket.team.team_id))
    body = OpenForBody(read_card(card), "Your invoice", "It is late.", "question", "", (), 1)
    boxes = ticket.boxes(KEY, 0)
    opened = ticket.post(ticket.craft(ticket.user, Kind.OPEN_FOR, body, key=KEY, gen=0, boxes=boxes))
    assert opened.reason == "not_allowed"
    assert ticket.anna.conversation.reply_key is None


@pytest.mark.parametrize("kind", [Kind.OPEN, Kind.OPEN_FOR])
def test_no_box_of_a_staff_log_is_sealed_to_a_user(kind: Kind) -> None:
    """Whatever stands in it: what the team says among itself is the team's."""
    ticket = Ticket.empty()
    card = make_card(ticket.keys, ticket.team.team_id, user_key(Secret(seed_of("user")), ticket.team.team_id))
    bodies: dict[Kind, Message] = {
        Kind.OPEN: ticket.opening(),
        Kind.OPEN_FOR: OpenForBody(read_card(card), "Your invoice", "It is late.", "question", "", (), 1),
    }
    staff = make_admin(ticket.team, ticket.log.mailbox, ANNA, staff=True)
    entry = Entry.from_bytes(staff.seal(kind, bodies[kind]))
    assert [box.recipient for box in entry.boxes] == [Recipient.TEAM]


def test_only_a_first_entry_says_to_whom_boxes_are_sealed() -> None:
    """A second opening with another key, which has no effect, must not shut the user out of its key."""
    ticket = Ticket.begin()
    ticket.team.do((EPOCH, [ANNA]))
    ticket.use_roster()
    opening = ticket.opening(reply_key=ANNA.kem.public)
    opened = ticket.say(ticket.user, Kind.OPEN, opening)
    assert (opened.gen, opened.reason) == (1, "not_first")
    assert ticket.user.key == ticket.anna.key
    assert ticket.agree()
