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
    Attachment,
    BarrierBody,
    CloseBody,
    EmptyBody,
    FieldsBody,
    MessageBody,
    NoteBody,
    OpenBody,
    Pair,
    ProposalBody,
    RedactBody,
    ReopenBody,
    ResolutionBody,
    StaffOpenBody,
    StatusBody,
)
from e2e_support.ids import BlobId, Hash
from e2e_support.limits import CHUNK_SIZE, FILE_MAX, PIECE_SIZE
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
from e2e_support.ticket import judge
from e2e_support.ticket_state import DAY, Fact, TicketState, label
from e2e_support.vocab import AuthorRole, Kind, Lifecycle, Role
from e2e_support.wire import Head

HEAD = Head(0, NO_HASH)
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
    ),
    MessageBody: st.builds(MessageBody, words, st.integers(0, 1)),
    StatusBody: st.builds(StatusBody, st.integers(0, 2), st.integers(0, 2)),
    FieldsBody: st.builds(FieldsBody, ids, levels, st.sampled_from([b"", bytes(16), b"a" * 16]), pairs),
    ResolutionBody: st.builds(ResolutionBody, words),
    CloseBody: st.builds(CloseBody, words, ids),
    ReopenBody: st.builds(ReopenBody, words),
    BarrierBody: st.just(BarrierBody(())),
    EmptyBody: st.just(EmptyBody()),
    RedactBody: st.just(RedactBody(0, NO_HASH)),
    StaffOpenBody: st.just(StaffOpenBody(HEAD)),
    NoteBody: st.builds(NoteBody, st.just(HEAD), words, st.just(())),
    ProposalBody: st.builds(ProposalBody, some_bytes),
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


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    """Return what an entry of any kind, side and role says."""
    kind = draw(st.sampled_from(list(BODIES)))
    by = draw(st.sampled_from(AuthorRole))
    role = draw(st.sampled_from(Role)) if by is AuthorRole.DEVICE else None
    body = draw(STRATEGIES[BODIES[kind]])
    time = draw(st.sampled_from([0, 1, DAY, 13 * DAY, 15 * DAY, 2**53 - 1]))
    return Fact(1, kind, by, body, time, role, b"", draw(files))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Return a policy with any of the switches that rules look at."""
    return replace(
        DEFAULT,
        priority=replace(DEFAULT.priority, mode=draw(st.sampled_from(PriorityMode))),
        close=replace(
            DEFAULT.close, user=draw(st.sampled_from(UserClose)), mistake_note=draw(st.integers(0, 1))
        ),
        reopen=replace(
            DEFAULT.reopen,
            user=draw(st.sampled_from(UserReopen)),
            staff=draw(st.integers(0, 1)),
            on_reply=draw(st.sampled_from(ClosedReply)),
        ),
        attachments=replace(DEFAULT.attachments, mode=draw(st.sampled_from(AttachmentMode))),
        moves=replace(DEFAULT.moves, user_reply_reopens=draw(st.integers(0, 1))),
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
        check(state)


def check(state: TicketState) -> None:
    """Assert what holds of every ticket."""
    ended = state.lifecycle is not Lifecycle.OPEN
    assert bool(state.close_note or state.closed_at) <= (state.lifecycle is Lifecycle.CLOSED)
    assert bool(state.resolution_note or state.resolved_at) <= ended
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
