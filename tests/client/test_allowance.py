"""Before a ticket is opened: tickets a day and open at once over all devices, who may write, where mails go."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2e_support.content import OpenBody
from e2e_support.errors import SupportError
from e2e_support.policy import Policy
from e2e_support.policy_parts import DayBoundary, Limits, MailMode
from e2e_support.presets import DEFAULT, PORTAL, RECORD
from e2e_support_client import Profile, SupportClient
from e2e_support_client.testing import Fault
from lifecycle_kit import Clocks, Desk, another_device
from user_kit import World, fake_world

SUBJECT, BODY = (
    "The invoices are missing",
    "The list of invoices is empty since this morning, in both browsers.",
)
Made = tuple[World, Clocks]


def made(folder: Path, monkeypatch: pytest.MonkeyPatch, policy: Policy) -> Made:
    """Return a team with a policy, at noon."""
    clocks = Clocks(monkeypatch)
    return fake_world(folder, policy), clocks


def limited(**limits: Any) -> Policy:
    """Return the recommended policy with other limits."""
    changed: Limits = replace(DEFAULT.limits, **limits)
    return replace(DEFAULT, limits=changed)


async def new(user: SupportClient) -> str:
    """Open a ticket and return its number."""
    return (await user.tickets.create(SUBJECT, BODY, category="billing")).number


async def refusal(work: Any) -> SupportError:
    """Return the error that something raises."""
    with pytest.raises(SupportError) as caught:
        await work
    return caught.value


# --- a day -------------------------------------------------------------------------------------------------------


async def test_the_sixth_ticket_of_a_day_waits_for_tomorrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S2-10: the sixth is refused with the reset time before anything leaves, kept, and sent after midnight."""
    world, clocks = made(tmp_path, monkeypatch, RECORD)
    async with world.client() as user:
        for left in (4, 3, 2, 1, 0):
            number = await new(user)
            today = await user.today()
            assert today.left == left
        boxes = len(world.fake.mailboxes)
        error = await refusal(new(user))
        assert error.code == "daily_limit"
        assert error.details == {
            "resets_at": "2027-01-16T00:00:00Z",
            "limit": 5,
            "reply_to": number,
        }
        assert "2027-01-16 00:00 UTC" in error.hint
        assert number in error.hint
        assert len(world.fake.mailboxes) == boxes
        (kept,) = await user.outbox.list()
        assert (kept.code, kept.hint) == (error.code, error.hint)
        clocks.pass_by(hours=11, seconds=3599)
        assert [ref.state for ref in await user.outbox.flush()] == ["failed"]
        clocks.pass_by(seconds=1)
        assert [ref.state for ref in await user.outbox.flush()] == ["stored"]
        assert (await user.today()).left == 4


async def test_a_user_with_two_devices_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tickets of another device of the same person count, also those opened since this one last looked."""
    world, _ = made(tmp_path, monkeypatch, RECORD)
    async with world.client() as one, world.client(**another_device(world)) as two:
        for user in (one, two, one, two, one):
            await new(user)
        asked = world.fake.calls.count("admission")
        assert (await refusal(new(two))).code == "daily_limit"
        assert (await refusal(new(one))).code == "daily_limit"
        assert world.fake.calls.count("admission") == asked  # nobody asked to be let in
    async with world.client("somebody else") as other:
        await new(other)


async def test_what_waits_counts_before_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tickets that were written without a network count in the order of writing; the one too many is kept."""
    world, _ = made(tmp_path, monkeypatch, limited(create_per_day=2))
    async with world.client() as user:
        await user.verify_team()
        world.fake.inject(Fault.OFFLINE)
        for _ in range(2):
            await new(user)
        assert (await user.today()).left == 0
        assert (await refusal(new(user))).code == "daily_limit"
        world.fake.heal()
        assert [ref.state for ref in await user.outbox.flush()] == ["stored", "stored", "failed"]


async def test_the_last_day_rolls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a day is the last 24 hours, a ticket may be opened as soon as the oldest is that old."""
    world, clocks = made(tmp_path, monkeypatch, limited(create_per_day=1, day=DayBoundary.ROLLING))
    async with world.client() as user:
        await new(user)
        error = await refusal(new(user))
        assert error.details["resets_at"] == "2027-01-16T12:00:00Z"
        clocks.pass_by(days=1, seconds=-1)
        assert (await refusal(new(user))).code == "daily_limit"
        clocks.pass_by(seconds=1)
        await new(user)


async def test_without_limits_nothing_is_asked(tmp_path: Path) -> None:
    """Where the policy sets no limits, nothing is counted and no other place is looked at."""
    world = fake_world(tmp_path, limited(create_per_day=0, open_max=0))
    async with world.client() as user:
        await user.verify_team()
        calls = len(world.fake.calls)
        await new(user)
        assert (await user.today()).left is None
        assert world.fake.calls[calls:].count("read") == 1  # the new log itself


# --- open at once ------------------------------------------------------------------------------------------------


async def test_only_so_many_are_open_at_once(tmp_path: Path) -> None:
    """The third of two open tickets is refused and kept; it is sent once the team has closed one, unseen till then."""
    world = fake_world(tmp_path, limited(open_max=2))
    async with world.client() as user:
        first, second = await new(user), await new(user)
        error = await refusal(new(user))
        assert (error.code, error.details["limit"]) == ("open_limit", 2)
        assert error.details["reply_to"] in {first, second}
        await world.console.close(first)
        await user.outbox.flush()
        assert await user.outbox.list() == ()
        assert {line.status for line in await user.tickets.list()} == {"closed", "open"}


# --- who may write -----------------------------------------------------------------------------------------------


async def test_who_signed_in_with_an_access_key_opens_nothing(tmp_path: Path) -> None:
    """S0-03: where the host says how its user signed in and the policy refuses that, nothing leaves the device."""
    world = fake_world(tmp_path, PORTAL)
    async with world.client(profile=Profile(auth_method="access_key")) as user:
        error = await refusal(new_general(user))
        assert (error.code, error.details["auth_method"]) == ("not_eligible", "access_key")
        assert world.fake.mailboxes == ()
    async with world.client("other", profile=Profile(auth_method="password")) as user:
        await new_general(user)


async def new_general(user: SupportClient) -> str:
    """Open a ticket at the portal."""
    return (await user.tickets.create(SUBJECT, BODY, category="general")).number


# --- where mails go ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "receipt", "profile", "sent"),
    [
        (MailMode.OFF, 0, Profile(notify_email="ada@example.org"), None),
        (MailMode.OFF, 0, Profile(email="ada@example.org"), None),
        (MailMode.OFF, 1, Profile(notify_email="ada@example.org"), "ada@example.org"),
        (MailMode.OFF, 1, Profile(email="ada@example.org"), None),
        (MailMode.OPT_IN, 0, Profile(notify_email="ada@example.org"), "ada@example.org"),
        (MailMode.OPT_IN, 0, Profile(email="ada@example.org"), None),
        (MailMode.ON, 0, Profile(email="ada@example.org"), "ada@example.org"),
        (MailMode.ON, 0, Profile(email="ada@example.org", notify_email="me@example.org"), "me@example.org"),
        (MailMode.ON, 0, Profile(name="Ada"), None),
    ],
)
async def test_an_address_goes_only_to_teams_that_send_mails(
    tmp_path: Path, mode: MailMode, receipt: int, profile: Profile, sent: str | None
) -> None:
    """C7: the address for mails stands in the encrypted opening as the policy and the person want it, or not at all."""
    policy = replace(DEFAULT, notify=replace(DEFAULT.notify, user_mail=mode, receipt_mail=receipt))
    world = fake_world(tmp_path, policy)
    async with world.client(profile=profile) as user:
        number = await new(user)
    (opened,) = await world.console.read(number)
    assert isinstance(opened.body, OpenBody)
    told = {pair.name: pair.value for pair in opened.body.profile}
    assert told.get("notify_email") == sent


@pytest.mark.parametrize(
    "address", ["ada", "ada@", "a b@example.org", "a@example.org\nBcc: eve@example.org", "@"]
)
async def test_an_address_cannot_carry_anything_else(tmp_path: Path, address: str) -> None:
    """What is no mail address is refused before anything is kept: no line end can add a recipient."""
    world = fake_world(tmp_path)
    async with world.client(profile=Profile(notify_email=address)) as user:
        assert (await refusal(new(user))).code == "bad_email"
        assert await user.outbox.list() == ()


async def test_a_policy_that_changes_changes_the_limit(tmp_path: Path) -> None:
    """A stricter policy that the client has not seen yet holds for the next ticket."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        await new(user)
        Desk(world).decide(limited(create_per_day=1))
        assert (await refusal(new(user))).code == "daily_limit"
