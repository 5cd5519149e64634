"""The policy in an administrator's hands: previews, signing, proposals, and what colleagues, relay and users see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.content import ResolutionBody
from e2e_support.errors import PeerError, UsageError
from e2e_support.policy import Policy
from e2e_support.policy_parts import NoteMode, UserClose
from e2e_support.presets import DEFAULT, INSTANCE, PANEL, RECORD
from e2e_support.vocab import Kind, Role
from e2e_support_client.policy_words import LEAVES
from e2e_support_console.policy_edits import edited
from e2e_support_console.writer import Writer
from team_room import TeamRoom

NO_NOTE = replace(DEFAULT, resolution_note=NoteMode.OPTIONAL)
TEAM_CLOSES = replace(DEFAULT, close=replace(DEFAULT.close, user=UserClose.NEVER))


async def test_an_owner_alone_changes_the_policy(tmp_path: Path) -> None:
    """A signed policy holds for the team and for everybody who fetches the roster; the history says what changed."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        assert anna.policy.current == DEFAULT
        assert anna.policy.presets["panel"] is PANEL
        assert await anna.policy.apply(TEAM_CLOSES) is None
        assert anna.policy.current == (await room.roster()).policy == TEAM_CLOSES
        assert anna.keys.history()[-1].what == "Anna changed the policy: users close: any open → never"


async def test_a_preview_changes_nothing(tmp_path: Path) -> None:
    """Settings, rules and tickets are told, and nothing is signed."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        preview = await anna.policy.preview(TEAM_CLOSES)
        assert [change.path for change in preview.diff] == ["close.user"]
        assert [rule.text.partition(".")[0] for rule in preview.summary] == ["Users cannot close tickets"]
        assert [rule.text.partition(".")[0] for rule in preview.gone] == ["Users can close any open ticket"]
        assert preview.affected == ()
        assert (preview.old, preview.new) == (DEFAULT, TEAM_CLOSES)
        assert (await room.roster()).policy == DEFAULT


async def test_a_preview_of_an_address_outside_warns(tmp_path: Path) -> None:
    """Before an external desk is signed, its rule says that the encrypted channel ends there (S4-24, C16)."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        preview = await anna.policy.preview(replace(DEFAULT, external_url="https://desk.example.org"))
        assert [LEAVES in rule.text for rule in preview.summary] == [True]
        assert "leads out of the encrypted channel" in preview.diff[0].words()


async def test_open_tickets_that_change_are_named(tmp_path: Path) -> None:
    """A preview tells of each open ticket what status, category, priority and rights would be; closed ones are left."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        fresh = await room.ticket("No invoice", category="billing")
        resolved = await room.ticket("No access", category="account")
        closed = await room.ticket("Closed long ago")
        await closed.close()
        await anna.catch_up()
        writer = Writer(anna.desk)
        await writer.write(resolved.mailbox, Kind.RESOLUTION, ResolutionBody("Try again."))
        preview = await anna.policy.preview(RECORD)
        assert {one.number: one.what for one in preview.affected} == {
            fresh.number: (
                "priority: Normal → normal (not in the list any more)",
                "the user may close it: yes → with a note",
                "the user may reopen it once it is closed: yes → no",
                "the team may reopen it once it is closed: yes → no",
            ),
            resolved.number: (
                "category: Account and access → account (not in the list any more)",
                "priority: Normal → normal (not in the list any more)",
                "the user may reopen it once it is closed: yes → no",
                "the team may reopen it once it is closed: yes → no",
            ),
        }
        assert {one.subject for one in preview.affected} == {"No invoice", "No access"}


async def test_tickets_without_priority_get_none(tmp_path: Path) -> None:
    """A ticket keeps what was decided when it came: a policy with priorities gives it none afterwards."""
    async with TeamRoom(tmp_path, policy=INSTANCE) as room:
        anna = await room.start()
        user = await room.ticket("No invoice", category="other")
        await anna.catch_up()
        (one,) = (await anna.policy.preview(PANEL)).affected
        assert one.number == user.number
        assert one.what[:2] == (
            "the team's status: Unanswered → Open",
            "category: Something else → other (not in the list any more)",
        )
        assert not any(line.startswith("priority") for line in one.what)


async def test_notes_and_flags_count_for_the_team_alone(tmp_path: Path) -> None:
    """Where only the team's table changes, only the team's status does; what no table names changes nothing."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket("No invoice")
        await anna.catch_up()
        renamed = tuple(
            replace(rule, text="Fresh") if rule.id == "open" else rule for rule in DEFAULT.labels_staff
        )
        preview = await anna.policy.preview(replace(DEFAULT, labels_staff=renamed))
        assert [(one.number, one.what) for one in preview.affected] == [
            (user.number, ("the team's status: Open → Fresh",))
        ]
        assert not (await anna.policy.preview(NO_NOTE)).affected


async def test_below_the_threshold_it_is_proposed(tmp_path: Path) -> None:
    """Where two owners must agree nothing changes before the second has read the same diff and signed."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        assert await anna.members.set_threshold(2) is None
        proposal = await anna.policy.apply(TEAM_CLOSES)
        assert proposal is not None
        assert (await room.roster()).policy == DEFAULT
        (waiting,) = await ben.proposals.list()
        (event,) = waiting.events
        assert event.what == ("Anna changed the policy: users close: any open → never (1 of 2 owners signed)")
        assert await ben.policy.proposed(waiting.number) == TEAM_CLOSES
        assert await ben.proposals.cosign(waiting.number) is None
        assert (await room.roster()).policy == TEAM_CLOSES


async def test_other_proposals_hold_no_policy(tmp_path: Path) -> None:
    """Asking for the policy of a proposal that has none, or of no proposal, is refused."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        await room.add(anna, "Ben", Role.OWNER)
        assert await anna.members.set_threshold(2) is None
        proposal = await anna.members.set_threshold(1)
        assert proposal is not None
        for number in (proposal.number, 77):
            with pytest.raises(UsageError) as caught:
                await anna.policy.proposed(number)
            assert caught.value.code == "no_proposal"


async def test_nobody_overwrites_what_they_have_not_seen(tmp_path: Path) -> None:
    """If a colleague changed the policy after it was shown, signing the older idea is refused."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.OWNER)
        seen = anna.policy.current
        assert await ben.policy.apply(NO_NOTE) is None
        with pytest.raises(UsageError) as caught:
            await anna.policy.apply(TEAM_CLOSES, instead_of=seen)
        assert caught.value.code == "policy_moved"
        assert (await room.roster()).policy == NO_NOTE
        merged = edited(anna.policy.current, ["close.user=never"])
        assert await anna.policy.apply(merged, instead_of=anna.policy.current) is None
        assert (await room.roster()).policy.close == TEAM_CLOSES.close


async def test_applying_what_holds_already_signs_nothing(tmp_path: Path) -> None:
    """The same policy again adds no link to the roster."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        before = len((await room.roster()).links)
        assert await anna.policy.apply(DEFAULT) is None
        assert len((await room.roster()).links) == before


async def test_a_mistyped_time_zone_is_not_signed(tmp_path: Path) -> None:
    """Every reader would take an unknown zone for UTC, so the console refuses it before anybody signs."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        wrong = replace(DEFAULT, limits=replace(DEFAULT.limits, zone="Europe/Berln"))
        for refused in (anna.policy.preview, anna.policy.apply):
            with pytest.raises(UsageError, match=r"limits\.zone: this computer knows no such time zone"):
                await refused(wrong)
        right = replace(DEFAULT, limits=replace(DEFAULT.limits, zone="Europe/Berlin"))
        assert await anna.policy.apply(right) is None
        assert await anna.policy.apply(DEFAULT) is None


async def test_agents_change_nothing(tmp_path: Path) -> None:
    """The policy is the owners': an agent's signature counts for nothing, and is not made."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        eve = await room.add(anna, "Eve", Role.AGENT)
        with pytest.raises(UsageError) as caught:
            await eve.policy.apply(TEAM_CLOSES)
        assert caught.value.code == "nothing_to_sign"
        assert (await room.roster()).policy == DEFAULT


async def test_a_policy_that_makes_no_sense_is_not_signed(tmp_path: Path) -> None:
    """What every client would refuse never leaves the console."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        with pytest.raises(PeerError) as caught:
            await anna.policy.apply(replace(DEFAULT, categories=()))
        assert caught.value.code == "bad_policy"


@pytest.mark.parametrize("policy", [RECORD, PANEL], ids=lambda one: one.preset)
async def test_the_inbox_follows_a_new_policy(tmp_path: Path, policy: Policy) -> None:
    """After the change and a sync the inbox shows the statuses of the new table."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket("No invoice")
        await anna.catch_up()
        await anna.inbox.set_status(user.number, "waiting")
        assert await anna.policy.apply(policy) is None
        await anna.catch_up()
        (line,) = await anna.inbox.list()
        assert line.status_text == {"record": "Awaiting User", "panel": "Waiting User"}[policy.preset]
