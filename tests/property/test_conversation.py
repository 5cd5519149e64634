"""User and team follow one log: whatever stands in it, they agree, and where they stopped reading does not matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_support.content import (
    AssignBody,
    Author,
    BarrierBody,
    BarrierItem,
    FieldsBody,
    MergeBody,
    NoteBody,
    OpenForBody,
    Pair,
    RedactBody,
    SettingBody,
)
from e2e_support.conversation import Conversation
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, TrustError, UsageError
from e2e_support.ids import Hash, MailboxId, MessageId
from e2e_support.presets import DEFAULT, PANEL
from e2e_support.roster_links import NO_HASH
from e2e_support.ticket_state import DAY, Fact
from e2e_support.vocab import AuthorRole, Direction, Kind, Role, SettingKind, Verdict
from e2e_support.wire import Box, Head, Stored
from team_builder import EPOCH
from ticket_builder import (
    ANNA,
    BEN,
    PLAIN_BODIES,
    STEP,
    Side,
    Ticket,
    head_of,
    make_user,
    merge_of,
)

Action = Callable[[Ticket], None]
HEAD = Head(1, NO_HASH)
SAYABLE = PLAIN_BODIES | {
    Kind.FIELDS: FieldsBody("billing", "high", b"a" * 16, (Pair("impact", "Only me"),)),
    Kind.REDACT: RedactBody(0, NO_HASH),
    Kind.NOTE: NoteBody(HEAD, "note", ()),
    Kind.ASSIGN: AssignBody(HEAD, ANNA.member_id),
    Kind.SETTING: SettingBody(SettingKind.SNIPPET, "a", 0, "", "", ()),
    Kind.OPEN_FOR: OpenForBody(b"junk", "Your invoice", "It is late.", "question", "", (), 1),
    Kind.MERGE: MergeBody(MailboxId(b"o" * 16), bytes(32), bytes(64), ""),
}
NEW_KEY = Secret(b"n" * 32)
STRANGER = SigningKey(Secret(b"s" * 32))

sides = st.sampled_from(["user", "anna"])
delays = st.sampled_from([STEP, DAY, 5 * DAY, 7 * DAY, 13 * DAY, 15 * DAY, -DAY])
FEWER = settings(max_examples=max(1, settings().max_examples // 2))  # each plays a whole ticket


def read(ticket: Ticket, side: Side, item: Stored) -> None:
    """Follow an entry as clients do: ask for a newer roster once, then make do with what there is."""
    try:
        side.read(item)
    except TrustError:
        side.conversation.team = side.thread.policies = ticket.team.roster
        side.read(item, accept_strange=True)


def post(ticket: Ticket, entry: bytes) -> None:
    """Store any bytes; both sides follow them, or neither can."""
    item = ticket.log.add(entry)
    stopped: list[Side] = []
    for side in (ticket.user, ticket.anna):
        try:
            read(ticket, side, item)
        except PeerError as error:
            assert error.code == "update_needed"  # noqa: PT017 - the one error that stops a log
            stopped.append(side)
    assert len(stopped) != 1
    if stopped:  # for both the log ends here: as if it had never been stored
        ticket.log.items.pop()
        ticket.log.chain = ticket.user.conversation.chain


def side_of(ticket: Ticket, name: str) -> Side:
    """Return a side by name."""
    return ticket.user if name == "user" else ticket.anna


@st.composite
def honest(draw: st.DrawFn) -> Action:
    """Somebody seals an entry of any kind, allowed or not, perhaps under a message id that was used before."""
    name, kind, delay = draw(sides), draw(st.sampled_from(list(SAYABLE))), draw(delays)
    message_id = draw(st.sampled_from([b"", b"1" * 16, b"2" * 16]))

    def act(ticket: Ticket) -> None:
        ticket.log.now += delay
        post(ticket, side_of(ticket, name).seal(kind, SAYABLE[kind], message_id=message_id))

    return act


@st.composite
def spoiled(draw: st.DrawFn) -> Action:
    """A participant breaks one rule of the protocol."""
    name = draw(sides)
    change: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"direction": Direction.TEAM_TO_USER},
                {"direction": Direction.USER_TO_TEAM},
                {"signer": STRANGER},
                {"receipt": b""},
                {"receipt": b"\x93"},
                {"roster_head": Head(1, Hash(b"x" * 32))},
                {"roster_head": Head(99, Hash(b"x" * 32))},
                {"previous_key": bytes(32)},
                {"time": 2**53 - 1},
                {"seq": 2**53 - 1},
                {"gen": 7},
                {"kind": Kind.CLOSE},
                {"body": FieldsBody("", "", b"", ())},
            ]
        )
    )

    def act(ticket: Ticket) -> None:
        post(ticket, ticket.craft(side_of(ticket, name), **change))

    return act


@st.composite
def quoted(draw: st.DrawFn) -> Action:
    """A participant quotes another receipt of the relay than all readers have at hand."""
    name, kind, delay = draw(sides), draw(st.sampled_from(list(PLAIN_BODIES))), draw(delays)

    def act(ticket: Ticket) -> None:
        lie = ticket.log.another_receipt(len(ticket.log.items) - 1, time=ticket.log.now + delay)
        post(ticket, ticket.craft(side_of(ticket, name), kind, PLAIN_BODIES[kind], receipt=lie))

    return act


@st.composite
def boxed(draw: st.DrawFn) -> Action:
    """Somebody begins a generation: rightly, without a signature, for another one, or with junk in both boxes."""
    name, how = draw(sides), draw(st.sampled_from(["rightly", "unsigned", "later", "earlier", "junk"]))

    def act(ticket: Ticket) -> None:
        side = side_of(ticket, name)
        gen = side.conversation.gen + {"later": 2, "earlier": 0}.get(how, 1)
        boxes = ticket.boxes(NEW_KEY, gen)
        if how == "junk":
            boxes = tuple(Box(box.recipient, box.epoch, b"junk") for box in boxes)
        signer = STRANGER if how == "unsigned" else None
        post(ticket, ticket.craft(side, key=NEW_KEY, gen=gen, boxes=boxes, signer=signer))

    return act


@st.composite
def rotated(draw: st.DrawFn) -> Action:
    """The team begins an epoch; some hear of it at once, others when they read of it."""
    told = draw(st.sets(sides))

    def act(ticket: Ticket) -> None:
        ticket.team.do((EPOCH, [ANNA]))
        for side in (side_of(ticket, name) for name in told):
            side.conversation.team = side.thread.policies = ticket.team.roster

    return act


@st.composite
def ruled(draw: st.DrawFn) -> Action:
    """The owner changes the policy; entries that follow the old one may still come."""
    policy = draw(st.sampled_from([PANEL, DEFAULT]))
    name, kind = draw(sides), draw(st.sampled_from(list(PLAIN_BODIES)))

    def act(ticket: Ticket) -> None:
        ticket.team.do((policy, [ANNA]))
        ticket.use_roster()
        cited = head_of(ticket, 1)
        post(ticket, ticket.craft(side_of(ticket, name), kind, PLAIN_BODIES[kind], roster_head=cited))

    return act


@st.composite
def joined(draw: st.DrawFn) -> Action:
    """Anna merges the ticket into another one, of the same user or of another."""
    own = draw(st.booleans())

    def act(ticket: Ticket) -> None:
        post(ticket, ticket.anna.seal(Kind.MERGE, merge_of(ticket, own=own)))

    return act


@st.composite
def junk(draw: st.DrawFn) -> Action:
    """The relay stores bytes that nobody wrote, or old or changed ones."""
    data = draw(st.binary(max_size=80))
    place, bit = draw(st.integers(0, 5)), draw(st.integers(0, 8 * 600))
    how = draw(st.sampled_from(["bytes", "again", "flipped"]))

    def act(ticket: Ticket) -> None:
        if how == "bytes":
            return post(ticket, data)
        if how == "again":
            return post(ticket, ticket.log.items[place % len(ticket.log.items)].entry)
        entry = bytearray(ticket.user.seal(Kind.MESSAGE, PLAIN_BODIES[Kind.MESSAGE]))
        entry[bit // 8 % len(entry)] ^= 1 << bit % 8
        return post(ticket, bytes(entry))

    return act


@st.composite
def removal(draw: st.DrawFn) -> Action:
    """Ben is removed, writes as if he were not, or somebody says up to where he is believed."""
    how = draw(
        st.sampled_from(["removed", "dated back", "barrier", "barrier of his own", "barrier of the user"])
    )
    upto, head = draw(st.integers(0, 12)), draw(st.sampled_from([1, 0]))

    def act(ticket: Ticket) -> None:
        if how == "removed" and BEN.device_id in ticket.team.roster.devices:
            ticket.team.remove(BEN, ANNA)
        ticket.use_roster()
        removed = ticket.team.roster.revocation_of(BEN.device_id)
        body = BarrierBody((BarrierItem(removed[1] if removed else NO_HASH, upto),))
        cited = head_of(ticket, head or ticket.team.roster.head.length)
        author = Author(AuthorRole.DEVICE, BEN.device_id)
        if how == "dated back":
            post(ticket, ticket.craft(ticket.anna, author=author, signer=BEN.sign, roster_head=cited))
        if how == "barrier of his own":
            post(
                ticket,
                ticket.craft(
                    ticket.anna, Kind.BARRIER, body, author=author, signer=BEN.sign, roster_head=cited
                ),
            )
        if how in {"barrier", "barrier of the user"}:
            side = ticket.anna if how == "barrier" else ticket.user
            post(ticket, side.seal(Kind.REKEY, body))

    return act


actions = st.lists(
    st.one_of(
        honest(), honest(), honest(), spoiled(), quoted(), boxed(), rotated(), junk(), ruled(), joined()
    ),
    max_size=12,
)


def played(story: list[Action]) -> Ticket:
    """Return a ticket of a user who says who they are, after some actions."""
    ticket = Ticket.known()
    for act in story:
        act(ticket)
    return ticket


@given(st.one_of(actions, st.lists(st.one_of(honest(), removal(), removal(), boxed()), max_size=12)))
def test_user_and_team_agree(story: list[Action]) -> None:
    """The same verdicts for every entry, the same ticket, the same keys: whatever anybody stored."""
    ticket = played(story)
    assert ticket.agree()
    for now in (0, ticket.log.now, ticket.log.now + 8 * DAY):
        assert ticket.user.thread.at(now) == ticket.anna.thread.at(now)
    for name in ("chain", "gen", "epoch", "author_key", "reply_key", "user_key", "equivocations"):
        assert getattr(ticket.user.conversation, name) == getattr(ticket.anna.conversation, name)
    assert ticket.user.key == ticket.anna.key
    assert all((entry.inner is None) == (entry.body is None) for entry in ticket.anna.thread.entries)


@given(actions)
def test_what_did_not_hold_brings_no_key(story: list[Action]) -> None:
    """A key comes from an entry that is ok by the checks of the log, and from no other."""
    for record in played(story).anna.records:
        assert not record.key or record.verdict is Verdict.OK


@given(actions, st.integers(0, 12), sides)
@FEWER
def test_where_reading_stopped_does_not_matter(story: list[Action], cut: int, name: str) -> None:
    """A reader that resumes from what it kept and reads the rest ends where one that read on ends."""
    ticket = played(story)
    whole = side_of(ticket, name)
    other = make_user(ticket.team, ticket.keys) if name == "user" else ticket.admin()
    other.resume(whole.records[:cut])
    for item in ticket.log.items[len(other.records) :]:
        read(ticket, other, item)
    assert [replace(entry, known=0) for entry in other.thread.entries] == [
        replace(entry, known=0) for entry in whole.thread.entries
    ]  # but for how much of the roster each knew by then
    assert other.thread.state == whole.thread.state
    assert facts(other.conversation) == facts(whole.conversation)


def facts(conversation: Conversation) -> tuple[object, ...]:
    """Return all that a conversation knows."""
    return (
        conversation.chain,
        conversation.gen,
        conversation.epoch,
        conversation.author_key,
        conversation.reply_key,
        conversation.user_key,
        conversation.equivocations,
    )


@given(st.lists(honest(), max_size=8), st.lists(st.sampled_from([b"1" * 16, b"2" * 16]), max_size=3))
@FEWER
def test_a_message_id_counts_once(story: list[Action], ids: list[bytes]) -> None:
    """Of all entries of one author under one id at most one is ok."""
    ticket = played(story)
    for message_id in ids:
        post(ticket, ticket.user.seal(Kind.MESSAGE, PLAIN_BODIES[Kind.MESSAGE], message_id=message_id))
    seen: set[tuple[bytes, MessageId]] = set()
    for entry in ticket.anna.thread.entries:
        if entry.inner and entry.verdict is Verdict.OK:
            identity = (entry.inner.author.key, entry.inner.message_id)
            assert identity not in seen
            seen.add(identity)


@given(
    st.lists(
        st.tuples(sides, st.sampled_from(list(PLAIN_BODIES)), st.sampled_from([0, DAY, 15 * DAY])),
        max_size=10,
    )
)
@FEWER
def test_what_a_client_lets_pass_nobody_refuses(story: list[tuple[str, Kind, int]]) -> None:
    """The check before sending and the verdict of the others are one rule."""
    ticket = Ticket.begin()
    for name, kind, delay in story:
        ticket.log.now += delay
        side = side_of(ticket, name)
        author = side.signer.author.role
        role, device = (Role.OWNER, ANNA.device_id) if author is AuthorRole.DEVICE else (None, b"")
        wish = Fact(0, kind, author, PLAIN_BODIES[kind], ticket.log.now + STEP, role, device)
        expected = ""
        try:
            side.thread.check(wish, ticket.team.roster.policy)
        except UsageError as error:
            expected = error.code
        post(ticket, side.seal(kind, PLAIN_BODIES[kind]))
        assert [reader.thread.entries[-1].reason for reader in (ticket.user, ticket.anna)] == [expected] * 2
