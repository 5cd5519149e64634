"""The rules of tickets, the plan of files and the cleaning of names, for all inputs."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from e2e_support.attachment import Plan, piece_ranges, safe_name
from e2e_support.codec import Message
from e2e_support.content import (
    BODIES,
    AssignBody,
    Attachment,
    BarrierBody,
    ClaimBody,
    CloseBody,
    EmptyBody,
    FieldsBody,
    FlagBody,
    MergeBody,
    MessageBody,
    NoteBody,
    OpenBody,
    OpenForBody,
    Pair,
    ProposalBody,
    ReadMark,
    ReadMarksBody,
    RedactBody,
    RelationBody,
    ReopenBody,
    ResolutionBody,
    SettingBody,
    SnoozeBody,
    StaffOpenBody,
    StatusBody,
    TagBody,
)
from e2e_support.ids import BlobId, Hash, MailboxId
from e2e_support.limits import CHUNK_SIZE, FILE_MAX, PIECE_SIZE, TAGS_MAX
from e2e_support.policy import Policy, sealed_size
from e2e_support.policy_parts import (
    AttachmentMode,
    ClosedReply,
    DebugMode,
    NoteMode,
    PriorityMode,
    UserClose,
    UserReopen,
)
from e2e_support.presets import DEFAULT
from e2e_support.reasons import REASONS, refusal
from e2e_support.roster_links import NO_HASH
from e2e_support.space import judge_space
from e2e_support.staff import StaffState, judge_staff, staff_conditions
from e2e_support.ticket import judge
from e2e_support.ticket_state import (
    DAY,
    NOBODY,
    Fact,
    TicketState,
    advance,
    erase_due,
    label,
    reopen_until,
)
from e2e_support.user import Card, SignedCard
from e2e_support.vocab import WRITERS, AuthorRole, Kind, Lifecycle, Role, SettingKind
from e2e_support.wire import Head

CARD = SignedCard(Card(bytes(32), bytes(32), bytes(1216), b"", b"").to_bytes(), bytes(64)).to_bytes()
heads = st.builds(Head, st.integers(0, 3), st.just(NO_HASH))
mailboxes = st.sampled_from([MailboxId(b"1" * 16), MailboxId(b"2" * 16)])
members = st.sampled_from([NOBODY, b"a" * 16])
flags = st.integers(0, 1)
labels = st.lists(st.sampled_from(["", " ", "vip", *map(str, range(TAGS_MAX))]), max_size=20).map(tuple)
words = st.sampled_from(["", " ", "x", "No invoice", "x" * 201, "x" * 10_001])
ids = st.sampled_from(["", "bug", "question", "nonsense"])
levels = st.sampled_from(["", "low", "urgent", "nonsense"])
pairs = st.lists(
    st.builds(Pair, st.sampled_from(["impact", "nonsense"]), st.sampled_from(["", "Only me", "nonsense"])),
    max_size=3,
).map(tuple)
some_bytes = st.sampled_from([b"", b"{}"])
STRATEGIES: dict[type[Message], st.SearchStrategy[Any]] = {
    OpenBody: st.builds(
        OpenBody,
        words,
        words,
        ids,
        levels,
        pairs,
        st.just(()),
        some_bytes,
        words,
        some_bytes,
        st.just(bytes(1216)),
        st.sampled_from([b"", b"u" * 32]),
    ),
    OpenForBody: st.builds(OpenForBody, st.just(CARD), words, words, ids, levels, pairs, flags),
    MergeBody: st.builds(MergeBody, mailboxes, st.just(bytes(32)), st.just(bytes(64)), words),
    MessageBody: st.builds(MessageBody, words, st.integers(0, 1)),
    StatusBody: st.builds(StatusBody, st.integers(0, 2), st.integers(0, 2)),
    FieldsBody: st.builds(FieldsBody, ids, levels, st.just(b"") | members, pairs),
    ResolutionBody: st.builds(ResolutionBody, words),
    CloseBody: st.builds(CloseBody, words, ids),
    ReopenBody: st.builds(ReopenBody, words),
    BarrierBody: st.just(BarrierBody(())),
    EmptyBody: st.just(EmptyBody()),
    RedactBody: st.just(RedactBody(0, NO_HASH)),
    StaffOpenBody: st.builds(StaffOpenBody, heads),
    NoteBody: st.builds(NoteBody, heads, words, st.just(())),
    TagBody: st.builds(TagBody, heads, labels, labels),
    AssignBody: st.builds(AssignBody, heads, members),
    FlagBody: st.builds(FlagBody, heads, flags, words),
    SnoozeBody: st.builds(SnoozeBody, heads, st.sampled_from([0, DAY, 2**53 - 1])),
    RelationBody: st.builds(RelationBody, heads, mailboxes, flags),
    ReadMarksBody: st.builds(
        ReadMarksBody, st.lists(st.builds(ReadMark, mailboxes, flags), max_size=2).map(tuple)
    ),
    ProposalBody: st.builds(ProposalBody, some_bytes),
    SettingBody: st.builds(SettingBody, st.sampled_from(SettingKind), ids, flags, words, words, st.just(())),
    ClaimBody: st.builds(ClaimBody, ids, mailboxes, flags),
}
files = st.lists(
    st.builds(
        Attachment,
        st.just("a"),
        st.sampled_from(["image/png", "text/plain"]),
        st.sampled_from([0, 1, FILE_MAX]),
        st.just(BlobId(bytes(16))),
        *[st.just(bytes(32))] * 3,
        st.just(Hash(bytes(32))),
    ),
    max_size=12,
).map(tuple)


TIMES = [0, 1, DAY, 5 * DAY, 7 * DAY - 1, 7 * DAY, 13 * DAY, 15 * DAY, 2**53 - 1]


@st.composite
def facts(draw: st.DrawFn, *, first: int = 0) -> Fact:
    """Return what an entry of any kind from a number on, of any side and role says."""
    kind = draw(st.sampled_from([kind for kind in BODIES if kind >= first]))
    by = draw(st.sampled_from(AuthorRole))
    role = draw(st.sampled_from(Role)) if by is AuthorRole.DEVICE else None
    body = draw(STRATEGIES[BODIES[kind]])
    time, known = draw(st.sampled_from(TIMES)), draw(st.booleans())
    return Fact(draw(flags), kind, by, body, time, role, b"", draw(files), known)


def in_order(log: list[Fact]) -> list[Fact]:
    """Return entries as a thread hands them on: receipt times never go back."""
    time, ordered = 0, list[Fact]()
    for seq, fact in enumerate(log):
        time = max(time, fact.time)
        ordered.append(replace(fact, seq=seq, time=time))
    return ordered


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a policy with any of the switches that rules look at."""
    return replace(
        DEFAULT,
        priority=replace(DEFAULT.priority, mode=draw(st.sampled_from(PriorityMode))),
        close=replace(
            DEFAULT.close,
            user=draw(st.sampled_from(UserClose)),
            mistake_note=draw(flags),
            resolved_days=draw(st.sampled_from([0, 6, 7])),
        ),
        reopen=replace(
            DEFAULT.reopen,
            user=draw(st.sampled_from(UserReopen)),
            staff=draw(st.integers(0, 1)),
            on_reply=draw(st.sampled_from(ClosedReply)),
        ),
        attachments=replace(DEFAULT.attachments, mode=draw(st.sampled_from(AttachmentMode))),
        moves=replace(DEFAULT.moves, user_reply_reopens=draw(flags), user_reply_clears=draw(flags)),
        delete=replace(DEFAULT.delete, archive=draw(flags)),
        staff=replace(DEFAULT.staff, show_assignee=draw(flags)),
        resolution_note=draw(st.sampled_from(NoteMode)),
        debug_data=draw(st.sampled_from(DebugMode)),
    )


OPENING = Fact(
    0,
    Kind.OPEN,
    AuthorRole.USER,
    OpenBody("No invoice", "It is empty.", "bug", "", (), (), b"", "", b"", bytes(1216)),
    5,
)


@given(st.booleans(), st.lists(facts(), max_size=15), policies())
def test_judge_is_total_and_its_states_make_sense(opened: bool, log: list[Fact], policy: Policy) -> None:
    """Any log has a state: what breaks a rule changes nothing, and no state contradicts itself."""
    state: TicketState | None = None
    for fact in [OPENING, *log] if opened else log:
        following, reason = judge(state, fact, policy)
        assert not reason or (following == state and refusal(reason).hint)
        assert reason in REASONS or not reason
        state = following
    if state is not None:
        assert label(state, policy) in policy.labels_user
        until, closed = reopen_until(state, policy), state.lifecycle is Lifecycle.CLOSED
        assert until is None or until >= 0
        assert bool(erase_due(state, policy)) <= closed
        check(state)


@given(st.lists(facts(), max_size=15), st.lists(st.sampled_from(TIMES), max_size=4), policies())
def test_looking_at_a_ticket_changes_nothing(log: list[Fact], looked_at: list[int], policy: Policy) -> None:
    """Time closes a ticket by itself, whether or not anybody was there, wrote down nothing, or looked before."""
    story = in_order([OPENING, *log])
    looks = [replace(OPENING, kind=Kind.DUMMY, body=EmptyBody(), time=time, seq=99) for time in looked_at]
    watched = sorted([*story, *looks], key=lambda fact: fact.time)
    now = watched[-1].time
    states: list[TicketState] = []
    for entries in (story, watched):
        state: TicketState | None = None
        for fact in entries:
            state, _ = judge(state, fact, policy)
        assert state is not None
        states.append(advance(state, now))
    assert states[0] == states[1]
    assert advance(states[0], now) == states[0]
    check(states[0])


@given(st.lists(facts(first=Kind.STAFF_OPEN) | facts(), max_size=15), policies(), st.sampled_from(TIMES))
def test_judge_staff_is_total_and_its_states_make_sense(log: list[Fact], policy: Policy, now: int) -> None:
    """Whoever writes what into a staff log: only owners and agents change it, and no rule is broken halfway."""
    state: StaffState | None = None
    for fact in log:
        following, reason = judge_staff(state, fact, policy)
        assert not reason or (following == state and refusal(reason).hint)
        assert reason or fact.role in WRITERS
        state = following
    ticket, _ = judge(None, OPENING, policy)
    assert ticket is not None
    facts_now = staff_conditions(state, ticket, policy, now)
    assert label(ticket, policy, staff=facts_now) in policy.labels_staff
    if state is not None:
        assert len(state.tags) <= TAGS_MAX
        assert list(state.tags) == sorted(set(state.tags))
        assert len(set(state.links)) == len(state.links)


@given(st.lists(facts(first=Kind.READ_MARK) | facts(), max_size=15), policies())
def test_judge_space_is_total(log: list[Fact], policy: Policy) -> None:
    """The team space counts what owners and agents wrote of its kinds, and nothing else."""
    state: int | None = None
    for fact in log:
        following, reason = judge_space(state, fact, policy)
        assert (following == state) is bool(reason)
        assert reason in {"", "not_allowed"}
        assert reason or fact.role in WRITERS
        state = following


def check(state: TicketState) -> None:
    """Assert what holds of every ticket."""
    ended = state.lifecycle is not Lifecycle.OPEN
    assert bool(state.close_note or state.closed_at) <= (state.lifecycle is Lifecycle.CLOSED)
    assert bool(state.resolution_note or state.resolved_at or state.close_due or state.remind_due) <= ended
    assert bool(state.auto_closed or state.merged_into) <= (state.lifecycle is Lifecycle.CLOSED)
    assert state.auto_noted <= state.auto_closed
    assert not (state.auto_closed and state.merged_into)
    assert not (state.lifecycle is Lifecycle.CLOSED and (state.waiting_user or state.waiting_since))
    assert len({pair.name for pair in state.fields}) == len(state.fields)
    assert state.attachment_bytes <= DEFAULT.attachments.ticket_bytes_max


# --- files ------------------------------------------------------------------------------------------------


def near(chunks: int, bytes_more: int) -> int:
    """Return a size at or beside a whole number of chunks."""
    return min(FILE_MAX, max(0, chunks * CHUNK_SIZE + bytes_more))


sizes = st.one_of(
    st.integers(0, 5 * CHUNK_SIZE),
    st.integers(0, FILE_MAX),
    st.builds(near, st.integers(0, 8192), st.integers(-2, 2)),
)


@given(sizes)
@example(FILE_MAX)
def test_a_plan_covers_file_and_blob_exactly(size: int) -> None:
    """Chunks follow each other without gap over file, padded file and sealed part; pieces over the blob."""
    plan = Plan(size)
    few = sorted({*range(min(plan.chunks, 4)), *range(max(0, plan.chunks - 4), plan.chunks)})
    for cover, whole in (
        (plan.chunk_file, plan.size),
        (plan.chunk_plain, plan.padded),
        (plan.chunk_sealed, plan.sealed),
    ):
        assert cover(0)[0] == 0
        assert cover(plan.chunks - 1)[1] == whole
        assert all(cover(index)[1] == cover(index + 1)[0] for index in few if index + 1 < plan.chunks)
    for index in few:
        (start, end), (sealed_start, sealed_end) = plan.chunk_plain(index), plan.chunk_sealed(index)
        assert sealed_end - sealed_start == end - start + 16
        assert end - start == CHUNK_SIZE or plan.is_last(index)
    assert plan.blob == plan.sealed + 32 * plan.chunks == sealed_size(size)
    pieces = list(piece_ranges(plan, range(plan.pieces)))
    assert is_cover(pieces, plan.blob)
    assert all(end - start == PIECE_SIZE for _, start, end in pieces[:-1])


def is_cover(pieces: list[tuple[int, int, int]], whole: int) -> bool:
    """Tell whether pieces follow each other from the first byte to the last."""
    starts, ends = [start for _, start, _ in pieces], [end for _, _, end in pieces]
    return starts == [0, *ends[:-1]] and ends[-1] == whole and starts[-1] < whole


NASTY = st.text(
    st.one_of(
        st.sampled_from('./\\ -_~:*?"<>|\0\x1b\u202e\u200d\u0301\u0338\ufeffcCoOnN1ü字$'),
        st.characters(exclude_categories=[]),
    ),
    max_size=30,
)


def repeated(begin: str, times: int, end: str) -> str:
    """Return a long name."""
    return begin * times + end


def spaced(begin: str, spaces: int, end: str) -> str:
    """Return a name with a hole in it."""
    return begin + " " * spaces + end


names = st.one_of(
    NASTY,
    st.builds(repeated, NASTY, st.integers(1, 100), NASTY),
    st.builds(spaced, st.sampled_from(["con", "NUL", "com1"]), st.integers(0, 300), NASTY),
)


@given(names)
def test_a_name_is_harmless_and_stays_as_it_is(name: str) -> None:
    """One plain component, never reserved, hidden, an option, too long or empty; cleaning it again changes nothing."""
    clean = safe_name(name)
    assert safe_name(clean) == clean
    assert clean
    assert len(clean.encode()) <= 200
    assert clean == unicodedata.normalize("NFC", clean)
    assert not set(clean) & set('/\\<>:"|?*\0')
    assert clean[0] not in ".- "
    assert clean[-1] not in ". "
    assert not any(unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for letter in clean)
    stem = clean.split(".", 1)[0].rstrip(" ").casefold()
    assert stem not in {"con", "prn", "aux", "nul", "com1", "lpt9", "conin$", "conout$"}
