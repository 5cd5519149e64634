"""Two consoles follow one staff log: whatever stands in it, they agree, and where one stopped does not matter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_support.codec import Message
from e2e_support.content import (
    AssignBody,
    Author,
    BarrierBody,
    BarrierItem,
    ClaimBody,
    FieldsBody,
    FlagBody,
    NoteBody,
    RelationBody,
    SnoozeBody,
    StaffOpenBody,
    TagBody,
)
from e2e_support.crypto.secret import Secret
from e2e_support.errors import TrustError
from e2e_support.ids import MailboxId
from e2e_support.opened import Opened
from e2e_support.presets import DEFAULT, RECORD
from e2e_support.roster_links import NO_HASH
from e2e_support.staff import StaffState
from e2e_support.thread import StaffThread
from e2e_support.ticket_state import DAY
from e2e_support.vocab import AuthorRole, Direction, Kind, Verdict
from e2e_support.wire import Head, Stored
from ticket_builder import (
    ANNA,
    AUDITOR,
    BEN,
    PLAIN_BODIES,
    STEP,
    Log,
    Side,
    Ticket,
    head_of,
    make_admin,
    text,
)

HEAD = Head(1, NO_HASH)
OTHER = MailboxId(b"o" * 16)
SAYABLE: dict[Kind, Message] = {
    Kind.STAFF_OPEN: StaffOpenBody(HEAD),
    Kind.NOTE: NoteBody(HEAD, "note", ()),
    Kind.TAG: TagBody(HEAD, ("vip",), ("new",)),
    Kind.ASSIGN: AssignBody(HEAD, ANNA.member_id),
    Kind.HOLD: FlagBody(HEAD, 1, "why"),
    Kind.ARCHIVE: FlagBody(HEAD, 1, ""),
    Kind.SPAM: FlagBody(HEAD, 0, ""),
    Kind.SNOOZE: SnoozeBody(HEAD, 2**40),
    Kind.LINK: RelationBody(HEAD, OTHER, 1),
    Kind.DUMMY: PLAIN_BODIES[Kind.DUMMY],
    Kind.MESSAGE: text("not here"),
    Kind.FIELDS: FieldsBody("", "", ANNA.member_id, ()),
    Kind.CLAIM: ClaimBody("mail", OTHER, 1),
}
FEWER = settings(max_examples=max(1, settings().max_examples // 2))  # each plays a whole log


@dataclass
class Console:
    """A console that follows the staff log.

    Attributes:
        side: reads and writes.
        thread: judges.
        opened: what it read, before the rules of staff logs.
    """

    side: Side
    thread: StaffThread
    opened: list[Opened] = field(default_factory=list[Opened])

    def read(self, item: Stored, room: Ticket) -> None:
        """Follow an entry as consoles do: ask for a newer roster once, then make do with what there is."""
        conversation = self.side.conversation
        try:
            opened = conversation.receive(item)
        except TrustError:
            conversation.team = self.thread.policies = room.team.roster
            opened = conversation.receive(item, accept_strange=True)
        self.opened.append(opened)
        self.thread.take(opened)


@dataclass
class Room:
    """A staff log with two consoles, anna's and a further one of hers that only reads.

    Attributes:
        ticket: the log and the team; ``craft`` makes entries for it.
        consoles: who reads it.
    """

    ticket: Ticket
    consoles: tuple[Console, Console]

    @classmethod
    def begin(cls) -> Room:
        """Return an empty staff log."""
        base = Ticket.empty()
        sides = [make_admin(base.team, base.log.mailbox, ANNA, staff=True) for _ in range(2)]
        room = Ticket(base.team, base.keys, Log(base.log.mailbox), *sides)
        one, two = (Console(side, StaffThread(base.team.roster)) for side in sides)
        return cls(room, (one, two))

    @property
    def key(self) -> Secret | None:
        """The newest ticket key."""
        return next((entry.key for entry in reversed(self.consoles[0].opened) if entry.key), None)

    def post(self, entry: bytes) -> None:
        """Store any bytes; both consoles read them."""
        item = self.ticket.log.add(entry)
        for console in self.consoles:
            console.read(item, self.ticket)

    def use_roster(self) -> None:
        """Tell both consoles the newest roster."""
        for console in self.consoles:
            console.side.conversation.team = self.ticket.team.roster
            console.thread.judge_again(self.ticket.team.roster)


Action = Callable[[Room], None]
delays = st.sampled_from([STEP, DAY, 8 * DAY, -DAY])
kinds = st.sampled_from(list(SAYABLE))


@st.composite
def written(draw: st.DrawFn) -> Action:
    """Anna writes an entry of any kind, of this log or of another."""
    kind, delay = draw(kinds), draw(delays)

    def act(room: Room) -> None:
        room.ticket.log.now += delay
        room.post(room.consoles[0].side.seal(kind, SAYABLE[kind]))

    return act


@st.composite
def crafted(draw: st.DrawFn) -> Action:
    """Ben writes, removed or not, or who may not write here: an auditor, the user; perhaps under an old head."""
    who, kind, length = draw(st.sampled_from([BEN, AUDITOR, None])), draw(kinds), draw(st.integers(0, 1))

    def act(room: Room) -> None:
        keys, team = room.ticket.keys, room.ticket.team.roster
        if who is None:
            author, signer = Author(AuthorRole.USER, keys.author.public), keys.author
        else:
            author, signer = Author(AuthorRole.DEVICE, who.device_id), who.sign
        head = head_of(room.ticket, length or team.head.length)
        side, only = room.consoles[0].side, Direction.TEAM_ONLY
        key = room.key
        if key is not None and side.conversation.gen >= 0:
            room.post(
                room.ticket.craft(
                    side,
                    kind,
                    SAYABLE[kind],
                    key=key,
                    author=author,
                    signer=signer,
                    direction=only,
                    roster_head=head,
                )
            )

    return act


@st.composite
def ruled(draw: st.DrawFn) -> Action:
    """The team changes its policy, or removes ben and says up to where he is believed."""
    how, upto = draw(st.sampled_from(["shown", "hidden", "removed", "barrier"])), draw(st.integers(0, 8))

    def act(room: Room) -> None:
        team = room.ticket.team
        if how in {"shown", "hidden"}:
            team.do((RECORD if how == "shown" else DEFAULT, [ANNA]))
        if how == "removed" and BEN.device_id in team.roster.devices:
            team.remove(BEN, ANNA)
        room.use_roster()
        removed = team.roster.revocation_of(BEN.device_id)
        if how == "barrier":
            body = BarrierBody((BarrierItem(removed[1] if removed else NO_HASH, upto),))
            room.post(room.consoles[0].side.seal(Kind.BARRIER, body))

    return act


@st.composite
def junk(draw: st.DrawFn) -> Action:
    """The relay stores bytes that nobody wrote."""
    data = draw(st.binary(max_size=80))
    return lambda room: room.post(data)


stories = st.lists(st.one_of(written(), written(), written(), crafted(), ruled(), junk()), max_size=12)


def played(story: list[Action]) -> Room:
    """Return a staff log after some actions."""
    room = Room.begin()
    for act in story:
        act(room)
    room.use_roster()
    return room


def same(entries: list[Opened]) -> list[Opened]:
    """Return entries but for how much of the roster their reader knew by then."""
    return [replace(entry, known=0) for entry in entries]


@given(stories)
def test_two_consoles_agree(story: list[Action]) -> None:
    """The same verdict for every entry and the same state, whatever anybody stored."""
    one, two = (console.thread for console in played(story).consoles)
    assert same(one.entries) == same(two.entries)
    assert one.state == two.state


@given(stories, st.integers(0, 12))
@FEWER
def test_where_reading_stopped_does_not_matter(story: list[Action], cut: int) -> None:
    """A console that resumes from what it kept and reads the rest ends where one that read on ends."""
    room = played(story)
    whole = room.consoles[0]
    side = make_admin(room.ticket.team, room.ticket.log.mailbox, ANNA, staff=True)
    later = Console(side, StaffThread(room.ticket.team.roster))
    for opened in side.conversation.resume([entry.record() for entry in whole.opened[:cut]]):
        later.thread.take(opened)
    for item in room.ticket.log.items[cut:]:
        opened = side.conversation.receive(item, accept_strange=True)
        known = whole.opened[
            opened.seq
        ].known  # it knows the roster of today; what counts is what it knew then
        later.thread.take(replace(opened, known=known))
    assert same(later.thread.entries) == same(whole.thread.entries)
    assert later.thread.state == whole.thread.state


@given(stories)
@FEWER
def test_only_what_is_ok_has_an_effect(story: list[Action]) -> None:
    """Without the entries that broke a rule the staff log adds up to the same."""
    thread = played(story).consoles[0].thread
    state: StaffState | None = None
    for entry in thread.entries:
        if entry.verdict is Verdict.OK:
            alone = StaffThread(thread.policies, state=state)
            alone._settled = state  # pyright: ignore[reportPrivateUsage]
            alone.take(entry)
            state = alone.state
    assert state == thread.state
