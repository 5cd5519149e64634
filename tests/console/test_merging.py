"""Merging tickets of one user, and opening a ticket for a user by their card."""

from __future__ import annotations

from pathlib import Path

import pytest

from card_kit import holder, ticket_of
from console_room import Killed, Room, dying, fresh_key
from e2e_support.content import MergeBody, OpenForBody
from e2e_support.errors import PeerError, UsageError
from e2e_support.vocab import Kind, Verdict
from e2e_support_client.model import Role
from e2e_support_console.team import TeamClient


async def notes(team: TeamClient, number: str) -> list[str]:
    """Return the notes of a ticket."""
    return [message.body for message in (await team.inbox.get(number)).messages if message.internal]


# --- merging ---------------------------------------------------------------------------------------------


async def test_two_tickets_of_one_user_become_one(tmp_path: Path) -> None:
    """The merged ticket is closed and tells its user where it goes on; the other one notes where that came from."""
    room, person = Room(tmp_path), fresh_key()
    async with await room.found() as team:
        first, second = await ticket_of(room, person), await ticket_of(room, person, "Invoice again")
        await team.sync()
        line = await team.inbox.merge(first.number, second.number, "Let us talk there.")
        assert (line.closed, line.status) == (True, "closed")
        assert await notes(team, second.number) == [
            f"{first.number} was merged into this ticket.\n\nLet us talk there."
        ]
        last = (await first.pull())[-1]
        assert isinstance(last.body, MergeBody)
        assert (last.verdict, last.body.into) == (Verdict.OK, second.mailbox)
        timeline = await team.history.timeline(first.number)
        assert timeline[-1].what == f"It goes on in {second.number}"
        await team.inbox.merge(first.number, second.number, "Let us talk there.")
        assert len(await notes(team, second.number)) == 1


async def test_a_merge_that_was_killed_is_finished(tmp_path: Path) -> None:
    """Killed before the note was written, the same merge again writes the note and no second end."""
    room, person = Room(tmp_path), fresh_key()
    async with await room.found() as team:
        first, second = await ticket_of(room, person), await ticket_of(room, person)
        await team.sync()
    async with await room.unlock(dying(room.relay, "create")) as team:
        with pytest.raises(Killed):
            await team.inbox.merge(first.number, second.number)
    async with await room.unlock() as team:
        await team.inbox.merge(first.number, second.number)
        assert await notes(team, second.number) == [f"{first.number} was merged into this ticket."]
    assert [opened.inner.kind for opened in await first.pull() if opened.inner] == [Kind.MERGE]


@pytest.mark.parametrize(("one", "other"), [(True, True), (True, False), (False, True), (False, False)])
async def test_what_is_not_proven_is_not_merged(tmp_path: Path, one: bool, other: bool) -> None:
    """Tickets of two users, or of users who do not tell, are not merged, and nothing is written."""
    room = Room(tmp_path)
    async with await room.found() as team:
        first = await ticket_of(room, fresh_key() if one else None)
        second = await ticket_of(room, fresh_key() if other else None)
        await team.sync()
        with pytest.raises(UsageError) as error:
            await team.inbox.merge(first.number, second.number)
        assert error.value.code == "not_same_user"
        assert "ink" in error.value.hint
    assert await first.pull() == []


async def test_a_ticket_goes_on_in_an_open_one_only(tmp_path: Path) -> None:
    """Nothing is merged into itself, into a closed ticket, or into one that was merged away."""
    room, person = Room(tmp_path), fresh_key()
    async with await room.found() as team:
        first, second, third = [await ticket_of(room, person) for _ in range(3)]
        await team.sync()
        await team.inbox.merge(second.number, third.number)
        for into, code in ((first, "same_ticket"), (second, "merged")):
            with pytest.raises(UsageError) as error:
                await team.inbox.merge(first.number, into.number)
            assert error.value.code == code
        await team.inbox.close(third.number)
        with pytest.raises(UsageError) as closed:
            await team.inbox.merge(first.number, third.number)
        assert closed.value.code == "closed"


# --- opening for a user ----------------------------------------------------------------------------------


async def open_for(team: TeamClient, card: str, text: str = "It is late.") -> str:
    """Open a ticket by a card and return its number."""
    return (await team.inbox.open_for(card, "Your invoice", text, category="question")).number


async def test_the_team_opens_a_ticket_for_a_user(tmp_path: Path) -> None:
    """The user of the card reads the team's first word and answers; the team's own list has the ticket at once."""
    room = Room(tmp_path)
    async with await room.found() as team:
        held = await holder(room)
        number = await open_for(team, held.card)
        assert number == held.user.number
        first = (await held.user.pull())[0]
        assert isinstance(first.body, OpenForBody)
        assert (first.verdict, first.body.text) == (Verdict.OK, "It is late.")
        await held.user.say("When will it come?")
        await team.sync()
        view = await team.inbox.get(number)
        assert [(m.author.role, m.body) for m in view.messages] == [
            (Role.TEAM, "It is late."),
            (Role.USER, "When will it come?"),
        ]
        assert await team.inbox.debug(number) == b""
        assert next(event.kind for event in await team.history.timeline(number)) == "opened"


async def test_a_card_serves_once(tmp_path: Path) -> None:
    """The same words again are the same ticket; other words with the same card are refused."""
    room = Room(tmp_path)
    async with await room.found() as team:
        held = await holder(room)
        assert await open_for(team, held.card) == await open_for(team, held.card)
        with pytest.raises(UsageError) as error:
            await open_for(team, held.card, "Something else.")
        assert error.value.code == "card_used"
    assert len(await held.user.pull()) == 1


@pytest.mark.parametrize(("call", "after"), [("create", True), ("append", False), ("append", True)])
async def test_an_opening_that_was_killed_is_finished(tmp_path: Path, call: str, after: bool) -> None:
    """Killed at any call, the same command again leaves one ticket with one opening."""
    room = Room(tmp_path)
    async with await room.found():
        held = await holder(room)
    async with await room.unlock(dying(room.relay, call, after=after)) as team:
        with pytest.raises(Killed):
            await open_for(team, held.card)
    async with await room.unlock() as team:
        await open_for(team, held.card)
        await team.sync()
        assert [ticket.number for ticket in await team.inbox.list()] == [held.user.number]
    assert len(await held.user.pull()) == 1


async def test_a_changed_card_opens_nothing(tmp_path: Path) -> None:
    """A card with a changed character, no card at all, and what the rules refuse reach no relay."""
    room = Room(tmp_path)
    async with await room.found() as team:
        held = await holder(room)
        room.relay.calls.clear()
        changed = held.card[:60] + ("A" if held.card[60] != "A" else "B") + held.card[61:]
        with pytest.raises((PeerError, UsageError)):
            await open_for(team, changed)
        with pytest.raises(UsageError) as text:
            await open_for(team, "no card")
        assert text.value.code == "bad_card"
        with pytest.raises(PeerError) as torn:
            await open_for(team, held.card[:-4])
        assert (torn.value.code, torn.value.message) == ("bad_card", "the card is not whole")
        with pytest.raises(UsageError) as rule:
            await team.inbox.open_for(held.card, "Your invoice", "It is late.", category="none")
        assert rule.value.code == "unknown_category"
        assert "create" not in room.relay.calls


async def test_tickets_that_the_team_opened_can_be_merged(tmp_path: Path) -> None:
    """A card that proves its user joins the ticket to the user's other ones."""
    room, person = Room(tmp_path), fresh_key()
    async with await room.found() as team:
        own = await ticket_of(room, person)
        held = await holder(room, person)
        number = await open_for(team, held.card)
        await team.sync()
        assert (await team.inbox.merge(own.number, number)).closed
