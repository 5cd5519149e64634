"""Writing exactly once: through crashes, lost answers, races, repeats and changes of the team's keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from console_room import Killed, Room, User, dying
from e2e_support.content import EmptyBody
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, TransportError, TrustError, UsageError
from e2e_support.ids import MailboxId
from e2e_support.vocab import Kind, Recipient, Role
from e2e_support.wire import Append, Create, Entry
from e2e_support_client.refusals import refusal
from e2e_support_client.testing import FakeRelay, Fault
from e2e_support_console.model import Unsent
from e2e_support_console.outgoing import outgoing
from e2e_support_console.team import TeamClient


async def waiting(team: TeamClient) -> int:
    """Return how many drafts are on their way."""
    return len(await outgoing(team.desk.store))


async def notes(team: TeamClient, user: User) -> list[str]:
    """Return the texts of a ticket's notes."""
    return [message.body for message in (await team.inbox.get(user.number)).messages if message.internal]


class Staged(FakeRelay):
    """A relay where something happens just before an append, and where an answer may be spoilt.

    Attributes:
        before: what happens, one thing before each append.
        spoil: whether the next receipt is false.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], Awaitable[object]]] = []
        self.spoil = False

    async def append(self, mailbox: MailboxId, append: Append, capability: SigningKey) -> bytes:
        """Let the next thing happen first; its own appends go through."""
        if self.before:
            await self.before.pop(0)()
        receipt = await super().append(mailbox, append, capability)
        spoilt, self.spoil = self.spoil, False
        return receipt[:-1] + bytes([receipt[-1] ^ 1]) if spoilt else receipt


# --- crashes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("repeat", [False, True])
async def test_a_killed_reply_is_stored_exactly_once(tmp_path: Path, *, after: bool, repeat: bool) -> None:
    """A reply killed between sealing and storing, or before its answer, stands in the ticket exactly once.

    It does not matter whether the administrator repeats the command or only syncs.
    """
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
    async with await room.unlock(dying(room.relay, "append", after=after)) as team:
        with pytest.raises(Killed):
            await team.inbox.reply(user.number, "We look into it.")
    async with await room.unlock() as team:
        assert await waiting(team) == 1
        if repeat:
            await team.inbox.reply(user.number, "We look into it.")
        await team.sync()
        assert await waiting(team) == 0
    assert await user.texts() == ["We look into it."]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", ["create", "append"])
@pytest.mark.parametrize("skip", [0, 1])
async def test_a_killed_note_is_stored_exactly_once(
    tmp_path: Path, call: str, skip: int, *, after: bool
) -> None:
    """A first note killed anywhere, also while its staff log is begun, stands there once after a repeat."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
    async with await room.unlock(dying(room.relay, call, after=after, skip=skip)) as team:
        if (call, skip) == ("create", 1):
            await team.inbox.note(user.number, "A known bug.")
            return
        with pytest.raises(Killed):
            await team.inbox.note(user.number, "A known bug.")
    async with await room.unlock() as team:
        await team.sync()
        if not await notes(team, user):
            await team.inbox.note(user.number, "A known bug.")
        assert await notes(team, user) == ["A known bug."]
        assert await waiting(team) == 0


@pytest.mark.parametrize("after", [False, True])
async def test_a_repeated_note_is_the_same_note(tmp_path: Path, *, after: bool) -> None:
    """A note that was killed on its way and is written again before any sync stands there once."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
    async with await room.unlock(dying(room.relay, "append", after=after, skip=1)) as team:
        with pytest.raises(Killed):
            await team.inbox.note(user.number, "A known bug.")
    await user.say("Any news?")
    async with await room.unlock() as team:
        await team.inbox.note(user.number, "A known bug.")
        assert await notes(team, user) == ["A known bug."]
        assert await waiting(team) == 0


async def test_a_staff_log_that_somebody_else_created_is_used(tmp_path: Path) -> None:
    """A staff log that was created under an older epoch and never begun is begun by the next who writes a note."""
    room = Room(tmp_path / "anna")
    async with await room.found() as anna:
        user = await room.ticket()
        await anna.sync()
    async with await room.unlock(dying(room.relay, "create", after=True)) as anna:
        with pytest.raises(Killed):
            await anna.inbox.note(user.number, "From Anna.")
        async with await room.colleague(anna, tmp_path / "ben") as ben:
            await ben.catch_up()
            await ben.inbox.note(user.number, "From Ben.")
            assert await notes(ben, user) == ["From Ben."]


async def test_a_refused_staff_log_is_told(tmp_path: Path) -> None:
    """When the relay refuses to create a staff log, the error says why and the note is given back."""

    class Refusing(FakeRelay):
        async def create(self, mailbox: MailboxId, create: Create, creation: SigningKey) -> bool:
            if not create.user_key:
                raise refusal("admission_refused")
            return await super().create(mailbox, create, creation)

    room = Room(tmp_path, relay=Refusing())
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        with pytest.raises(UsageError) as error:
            await team.inbox.note(user.number, "A known bug.")
        assert (error.value.code, await waiting(team)) == ("admission_refused", 0)


async def test_a_lost_answer_is_told_and_settled(tmp_path: Path) -> None:
    """When the relay stores a reply but its answer is lost, the error says "not known", and a sync settles it."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        room.relay.inject(Fault.LOST_ANSWER, times=1)
        with pytest.raises(TransportError) as error:
            await team.inbox.reply(user.number, "We look into it.")
        assert error.value.code == "unconfirmed"
        await team.sync()
        assert await waiting(team) == 0
    assert await user.texts() == ["We look into it."]


async def test_a_false_receipt_is_no_receipt(tmp_path: Path) -> None:
    """A reply whose receipt does not hold is not called stored, and is settled once the relay is honest."""
    relay = Staged()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        relay.spoil = True
        with pytest.raises(PeerError):
            await team.inbox.reply(user.number, "We look into it.")
        assert await waiting(team) == 1
        await team.sync()
        assert await waiting(team) == 0
    assert await user.texts() == ["We look into it."]


async def test_a_relay_that_is_away_takes_nothing(tmp_path: Path) -> None:
    """When the relay cannot be reached at all, the reply is refused at once and nothing is kept for later."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        room.relay.inject(Fault.OFFLINE)
        with pytest.raises(TransportError) as error:
            await team.inbox.reply(user.number, "We look into it.")
        assert error.value.code == "relay_unreachable"
        assert await waiting(team) == 0


async def test_what_cannot_be_sent_any_more_is_told(tmp_path: Path) -> None:
    """A reply that was never stored and is against the rules by now is given up with an alarm, not retried."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
    async with await room.unlock(dying(room.relay, "append")) as team:
        with pytest.raises(Killed):
            await team.inbox.reply(user.number, "We look into it.")
    await user.close()
    async with await room.unlock() as team:
        await team.sync()
        (alarm,) = await team.alarms()
        assert (alarm.code, alarm.number) == ("not_sent", user.number)
        assert await waiting(team) == 0
        assert await team.inbox.unsent() == (Unsent(user.number, "We look into it.", "closed"),)
        await team.sync()
        assert (await team.alarms())[0].count == 1
        await team.clear_alarms()
        assert await team.inbox.unsent() == ()


async def test_a_relay_that_goes_away_while_settling_keeps_all(tmp_path: Path) -> None:
    """A sync that cannot settle a draft keeps it and says so in its report."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
    async with await room.unlock(dying(room.relay, "append")) as team:
        with pytest.raises(Killed):
            await team.inbox.reply(user.number, "We look into it.")
    async with await room.unlock() as team:
        room.relay.inject(Fault.BUSY, mailbox=user.mailbox)
        report = await team.sync()
        assert isinstance(report.trouble, TransportError)
        assert await waiting(team) == 1
        room.relay.heal()
        await team.sync()
    assert await user.texts() == ["We look into it."]


# --- races -----------------------------------------------------------------------------------------------


async def test_a_reply_stops_when_somebody_else_writes_in_the_same_moment(tmp_path: Path) -> None:
    """Of two who write at once the slower is told, nothing of it is sent, and ``anyway`` sends it behind."""
    relay = Staged()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        relay.before = [lambda: user.say("Wait!")]
        with pytest.raises(UsageError) as error:
            await team.inbox.reply(user.number, "We look into it.")
        assert error.value.code == "ticket_moved"
        assert await waiting(team) == 0
        relay.before = [lambda: user.say("Please!")]
        await team.inbox.reply(user.number, "We look into it.", anyway=True)
        said = [message.body for message in (await team.inbox.get(user.number)).messages]
        assert said == ["The list is empty.", "Wait!", "Please!", "We look into it."]


async def test_a_reply_goes_on_over_housekeeping(tmp_path: Path) -> None:
    """Entries that only keep the log in order do not stop a reply."""
    relay = Staged()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        relay.before = [lambda: user.send(Kind.ACKNOWLEDGEMENT, EmptyBody())]
        await team.inbox.reply(user.number, "We look into it.")
        assert await user.texts() == ["We look into it."]


async def test_a_reply_does_not_go_into_a_ticket_that_was_just_closed(tmp_path: Path) -> None:
    """The rules are asked again after a lost race: the user closed, so the reply is refused."""
    relay = Staged()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        relay.before = [user.close]
        with pytest.raises(UsageError) as error:
            await team.inbox.reply(user.number, "We look into it.", anyway=True)
        assert error.value.code == "closed"


async def test_two_administrators_meet_in_one_staff_log(tmp_path: Path) -> None:
    """Two consoles that write the first note at once share one staff log with both notes."""
    room = Room(tmp_path / "anna")
    async with await room.found() as anna:
        user = await room.ticket()
        async with await room.colleague(anna, tmp_path / "ben") as ben:
            for team in (anna, ben):
                await team.catch_up()
            await asyncio.gather(
                anna.inbox.note(user.number, "From Anna."), ben.inbox.note(user.number, "From Ben.")
            )
            for team in (anna, ben):
                await team.catch_up()
                assert set(await notes(team, user)) == {"From Anna.", "From Ben."}
                assert await team.quarantined() == {}
    assert len(room.relay.mailboxes) == 2


async def test_two_administrators_answer_one_after_the_other(tmp_path: Path) -> None:
    """Of two replies at once one is stored and the other stops, whoever was faster."""
    room = Room(tmp_path / "anna")
    async with await room.found() as anna:
        user = await room.ticket()
        async with await room.colleague(anna, tmp_path / "ben") as ben:
            for team in (anna, ben):
                await team.catch_up()
            results = await asyncio.gather(
                anna.inbox.reply(user.number, "From Anna."),
                ben.inbox.reply(user.number, "From Ben."),
                return_exceptions=True,
            )
            errors = [result for result in results if isinstance(result, BaseException)]
            assert [getattr(error, "code", "") for error in errors] == ["ticket_moved"]
    user.conversation.team = await room.roster()
    assert len(await user.texts()) == 1


# --- keys ------------------------------------------------------------------------------------------------


async def test_a_reply_under_a_new_epoch_hands_out_a_new_key(tmp_path: Path) -> None:
    """After the team changed its keys the next reply re-keys the ticket, and the user can read it."""
    room = Room(tmp_path / "anna")
    async with await room.found() as anna:
        user = await room.ticket()
        await anna.sync()
        async with await room.colleague(anna, tmp_path / "ben") as ben:
            await ben.catch_up()
            await anna.inbox.reply(user.number, "Under the new key.")
            await ben.catch_up()
            assert (await ben.inbox.get(user.number)).messages[-1].body == "Under the new key."
    entry = Entry.from_bytes(room.relay.stored(user.mailbox)[-1].entry)
    assert [(box.recipient, box.epoch) for box in entry.boxes] == [(Recipient.TEAM, 1), (Recipient.USER, 0)]
    user.conversation.team = await room.roster()
    assert await user.texts() == ["Under the new key."]


@pytest.mark.parametrize("code", ["epoch_changed", "not_found"])
async def test_an_epoch_that_changes_under_a_reply_is_followed(tmp_path: Path, code: str) -> None:
    """When the team's keys change while a reply is on its way, it is sealed anew under the new ones.

    The relay says so, or only that the old capability finds nothing.
    """
    relay = Staged()
    room = Room(tmp_path / "anna", relay=relay)
    async with await room.found() as anna:
        user = await room.ticket()
        await anna.sync()

        async def change() -> None:
            await (await room.colleague(anna, tmp_path / "ben")).close()
            raise refusal(code)

        relay.before = [change]
        await anna.inbox.reply(user.number, "Under the new key.")
    user.conversation.team = await room.roster()
    assert await user.texts() == ["Under the new key."]


async def test_an_auditor_writes_nothing(tmp_path: Path) -> None:
    """A device that may read only is refused before anything is sealed (attack 89)."""
    room = Room(tmp_path / "anna")
    async with await room.found() as anna:
        user = await room.ticket()
        async with await room.colleague(anna, tmp_path / "ben", role=Role.AUDITOR) as auditor:
            await auditor.catch_up()
            for attempt in (auditor.inbox.reply, auditor.inbox.note, auditor.inbox.resolve):
                with pytest.raises(TrustError) as error:
                    await attempt(user.number, "Hello.")
                assert error.value.code == "not_allowed"
