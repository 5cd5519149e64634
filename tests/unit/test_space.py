"""What the team space says: who may write what, the newest settings, read marks, and who was first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.codec import Message
from e2e_support.content import (
    Attachment,
    BarrierBody,
    ClaimBody,
    EmptyBody,
    MessageBody,
    ProposalBody,
    ReadMark,
    ReadMarksBody,
    SettingBody,
)
from e2e_support.ids import BlobId, Hash, MailboxId, MemberId
from e2e_support.limits import VOLUME_MAX
from e2e_support.opened import Opened
from e2e_support.presets import DEFAULT
from e2e_support.space import (
    claims_of,
    is_full,
    judge_space,
    marks_of,
    place_of,
    settings_of,
    volume_of,
)
from e2e_support.ticket_state import Fact
from e2e_support.vocab import AuthorRole, Kind, Role, SettingKind, Verdict
from team_builder import Device, device

ANNA, LAPTOP, BEN = device("anna"), device("laptop", member=device("anna")), device("ben", Role.AGENT)
ONE, TWO = MailboxId(b"1" * 16), MailboxId(b"2" * 16)
SNIPPET, VIEW = SettingKind.SNIPPET, SettingKind.VIEW
BODY_OF: dict[Kind, Message] = {
    Kind.READ_MARK: ReadMarksBody(()),
    Kind.SETTING: SettingBody(SNIPPET, "hello", 0, "Greeting", "Thank you.", ()),
    Kind.CLAIM: ClaimBody("mail", ONE, 0),
    Kind.BARRIER: BarrierBody(()),
    Kind.REKEY: BarrierBody(()),
    Kind.DUMMY: EmptyBody(),
    Kind.PROPOSAL: ProposalBody(b"batch"),
}


def fact(kind: Kind, role: Role | None) -> Fact:
    """Return an entry of the team space."""
    by = AuthorRole.USER if role is None else AuthorRole.DEVICE
    return Fact(0, kind, by, BODY_OF.get(kind, MessageBody("hello", 0)), 1, role)


@pytest.mark.parametrize("role", [None, *Role])
@pytest.mark.parametrize("kind", Kind)
def test_who_writes_what(kind: Kind, role: Role | None) -> None:
    """Owners and agents share settings, marks and claims; only owners propose; nothing else stands here."""
    allowed = kind in BODY_OF and role in (
        {Role.OWNER} if kind is Kind.PROPOSAL else {Role.OWNER, Role.AGENT}
    )
    assert judge_space(None, fact(kind, role), DEFAULT) == ((1, "") if allowed else (None, "not_allowed"))
    assert judge_space(4, fact(kind, role), DEFAULT) == ((5, "") if allowed else (4, "not_allowed"))


def test_nothing_in_the_team_space_has_files() -> None:
    """Nobody would ever look at them, and nothing would ever erase them."""
    zeros = bytes(32)
    file = Attachment("a.png", "image/png", 1, BlobId(bytes(16)), zeros, zeros, zeros, Hash(zeros))
    said = replace(fact(Kind.SETTING, Role.OWNER), attachments=(file,))
    assert judge_space(4, said, DEFAULT) == (4, "not_allowed")


def opened(body: Message, by: Device | None = ANNA, verdict: Verdict = Verdict.OK) -> Opened:
    """Return an entry as a reader keeps it."""
    record = by.record if by else None
    return Opened(0, Hash(bytes(32)), verdict, "", b"", 1, body=body, device=record)


def setting(name: str, title: str, *, kind: SettingKind = SNIPPET, removed: int = 0) -> SettingBody:
    """Return a setting."""
    return SettingBody(kind, name, removed, title, "", ())


def test_the_newest_setting_of_a_name_counts() -> None:
    """One that was removed is gone until it is written anew; kinds have names of their own."""
    entries = [
        opened(setting("a", "first")),
        opened(setting("b", "second")),
        opened(setting("a", "third")),
        opened(setting("b", "", removed=1)),
        opened(setting("never", "", removed=1)),
        opened(setting("a", "a view", kind=VIEW)),
        opened(setting("a", "nobody's", kind=SNIPPET), verdict=Verdict.NONCONFORMING),
        opened(BODY_OF[Kind.CLAIM]),
    ]
    assert {name: body.title for name, body in settings_of(entries, SNIPPET).items()} == {"a": "third"}
    assert {name: body.title for name, body in settings_of(entries, VIEW).items()} == {"a": "a view"}
    again = settings_of([*entries, opened(setting("b", "fourth"))], SNIPPET)
    assert list(again) == ["a", "b"]


def test_a_member_has_read_what_any_device_has_read() -> None:
    """Marks never go back, and nobody reads for somebody else."""
    entries = [
        opened(ReadMarksBody((ReadMark(ONE, 3), ReadMark(TWO, 1)))),
        opened(ReadMarksBody((ReadMark(ONE, 2), ReadMark(TWO, 5))), LAPTOP),
        opened(ReadMarksBody((ReadMark(ONE, 9),)), BEN),
        opened(ReadMarksBody((ReadMark(ONE, 9),)), None),
    ]
    assert marks_of(entries, MemberId(ANNA.member_id)) == {ONE: 3, TWO: 5}
    assert marks_of(entries, MemberId(BEN.member_id)) == {ONE: 9}
    assert marks_of([], MemberId(BEN.member_id)) == {}


def test_the_first_claim_holds() -> None:
    """What one device takes on no other does, whoever asks later."""
    claim, other = ClaimBody("mail", ONE, 1), ClaimBody("mail", ONE, 2)
    entries = [opened(claim, BEN), opened(claim, ANNA), opened(other, ANNA), opened(claim, None)]
    assert claims_of(entries) == {("mail", ONE, 1): BEN.device_id, ("mail", ONE, 2): ANNA.device_id}
    assert claims_of([opened(claim, None)]) == {}


def test_places_go_through_all_volumes() -> None:
    """A volume ends with its last entry, and the next place is the first one of the volume behind it."""
    assert (is_full(VOLUME_MAX - 1), is_full(VOLUME_MAX)) == (False, True)
    assert place_of(0, VOLUME_MAX - 1) + 1 == place_of(1, 0) == VOLUME_MAX
    assert [volume_of(place_of(number, seq)) for number in (0, 1, 9) for seq in (0, VOLUME_MAX - 1)] == [
        *(0, 0),
        *(1, 1),
        *(9, 9),
    ]
