"""Following the feed: each mailbox for itself, only so much at a time, and nothing hidden without an alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from console_room import Killed, Room, dying
from e2e_support import mailbox
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, TransportError, TrustError
from e2e_support.ids import MailboxId, TeamId
from e2e_support.policy import Policy
from e2e_support.policy_parts import Colour, LabelRule
from e2e_support.presets import DEFAULT
from e2e_support.roster import next_body
from e2e_support.roster_links import sign_link
from e2e_support.wire import Batch, FeedItem, FeedPage
from e2e_support_client import clock
from e2e_support_client.testing import FakeRelay, Fault
from e2e_support_console import logs, sync
from e2e_support_console.sync import TRIES_MAX
from e2e_support_console.team import TeamClient


class Telling(FakeRelay):
    """A relay whose feed says what a test wants.

    Attributes:
        change: turns the true page into what is answered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.change: Callable[[FeedPage], FeedPage] = truth

    async def feed(self, team_id: TeamId, after: int, capability: SigningKey) -> FeedPage:
        """Return the changed page."""
        return self.change(await super().feed(team_id, after, capability))


def truth(page: FeedPage) -> FeedPage:
    """Change nothing."""
    return page


def going_away(relay: FakeRelay) -> Callable[[FeedPage], FeedPage]:
    """Return a change that answers one page of the feed and then nothing more."""

    def change(page: FeedPage) -> FeedPage:
        relay.inject(Fault.OFFLINE)
        return page

    return change


async def codes(team: TeamClient) -> set[str]:
    """Return the codes of all alarms."""
    return {alarm.code for alarm in await team.alarms()}


async def numbers(team: TeamClient) -> set[str]:
    """Return the numbers in the inbox."""
    return {ticket.number for ticket in await team.inbox.list()}


async def test_a_ticket_comes_into_the_inbox(tmp_path: Path) -> None:
    """A ticket that a user writes stands in the inbox after one sync."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket("No invoice")
        report = await team.sync()
        (ticket,) = await team.inbox.list()
        assert (ticket.number, ticket.subject, ticket.unread) == (user.number, "No invoice", 1)
        assert (report.done, report.left, report.trouble) == (1, 0, None)


async def test_nothing_is_opened_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once synced, neither a second sync nor listing and reading in a new process decrypts an entry again."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await user.say("Any news?")
        await team.sync()
    monkeypatch.setattr("e2e_support.log_reader.cae.decrypt", None)
    async with await room.unlock() as team:
        room.relay.calls.clear()
        await team.sync()
        assert "read" not in room.relay.calls
        view = await team.inbox.get(user.number)
        assert [message.body for message in view.messages] == ["The list is empty.", "Any news?"]


async def test_a_deleted_store_is_filled_again(tmp_path: Path) -> None:
    """Tickets, notes and states come back from the relay when the local store is deleted."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.inbox.note(user.number, "A known bug.")
        await team.inbox.resolve(user.number, "Fixed in 1.2.")
        before = await team.inbox.get(user.number)
    room.lose_store()
    async with await room.unlock() as team:
        await team.catch_up()
        after = await team.inbox.get(user.number)
        assert (after.messages, after.resolution) == (before.messages, before.resolution)


async def test_a_relay_that_is_away_leaves_the_list(tmp_path: Path) -> None:
    """Without the relay the inbox shows what was known, and a ticket says why it may be old."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
    room.relay.inject(Fault.OFFLINE)
    async with await room.unlock() as team:
        with pytest.raises(TransportError):
            await team.sync()
        assert await numbers(team) == {user.number}
        assert (await team.inbox.get(user.number)).offline


async def test_a_budget_bounds_a_run(tmp_path: Path) -> None:
    """One run pulls no more mailboxes than it was given, and the next goes on from there."""
    room = Room(tmp_path)
    async with await room.found() as team:
        for _ in range(5):
            await room.ticket()
        report = await team.sync(budget=2)
        assert (report.done, report.left) == (2, 3)
        assert len(await team.inbox.list()) == 2
        report = await team.catch_up()
        assert (report.left, len(await team.inbox.list())) == (0, 5)


@pytest.mark.parametrize("call", ["feed", "read"])
async def test_a_kill_during_a_sync_loses_nothing(tmp_path: Path, call: str) -> None:
    """A sync that is killed anywhere is finished by the next one."""
    room = Room(tmp_path)
    await (await room.found()).close()
    users = [await room.ticket() for _ in range(3)]
    async with await room.unlock(dying(room.relay, call, after=True)) as team:
        with pytest.raises(Killed):
            await team.catch_up()
    async with await room.unlock() as team:
        await team.catch_up()
        assert await numbers(team) == {user.number for user in users}


# --- the feed --------------------------------------------------------------------------------------------


async def test_a_gap_in_the_feed_is_an_alarm(tmp_path: Path) -> None:
    """A feed that leaves out a step raises the alarm that the relay withheld something; the rest is shown."""
    relay = Telling()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        hidden, shown = await room.ticket(), await room.ticket()
        relay.change = lambda page: FeedPage(page.newest, page.items[1:])
        await team.sync()
        assert await numbers(team) == {shown.number}
        (alarm,) = await team.alarms()
        assert alarm.code == "feed_gap"
        assert "the relay withheld something" in alarm.message
        assert hidden.number not in await numbers(team)


async def test_an_empty_page_that_hides_steps_is_an_alarm(tmp_path: Path) -> None:
    """A feed that claims steps and tells none raises the same alarm."""
    relay = Telling()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        await room.ticket()
        relay.change = lambda page: FeedPage(page.newest, ())
        await team.sync()
        assert await codes(team) == {"feed_gap"}


async def test_a_feed_that_goes_back_is_an_alarm_and_is_read_anew(tmp_path: Path) -> None:
    """After a rollback of the feed the console says so, and still finds tickets that come afterwards."""
    relay = Telling()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        first = await room.ticket()
        await first.say("More.")
        await team.sync()
        relay.change = lambda page: FeedPage(0, ())
        await team.sync()
        assert await codes(team) == {"feed_rollback"}
        relay.change = truth
        second = await room.ticket()
        await team.sync()
        assert await numbers(team) == {first.number, second.number}


async def test_a_promised_entry_that_is_not_handed_out_is_an_alarm(tmp_path: Path) -> None:
    """When the feed names an entry that the mailbox does not show, the ticket is marked and asked for again."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        room.relay.inject(Fault.WITHHOLD, mailbox=user.mailbox)
        await user.say("Hello?")
        report = await team.sync()
        assert report.trouble is not None
        assert (await team.inbox.list())[0].problem == "withheld"
        assert await codes(team) == {"withheld"}
        room.relay.heal()
        await team.sync()
        (ticket,) = await team.inbox.list()
        assert (ticket.problem, ticket.unread) == ("", 2)
        assert await codes(team) == {"withheld"}, "an alarm stays until a person has looked"
        assert (await team.clear_alarms(), await team.alarms()) == (1, ())


# --- one mailbox's failure is its own ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.ROLLBACK, "withheld"),
        (Fault.DROP, "fork"),
        (Fault.FORGED_RECEIPT, "bad_signature"),
        (Fault.OTHER_RECEIPT, "bad_receipt"),
        (Fault.ERASED, "erased"),
    ],
)
async def test_a_bad_answer_for_one_ticket_marks_that_ticket_alone(
    tmp_path: Path, fault: Fault, code: str
) -> None:
    """A relay that lies about one mailbox is told of there; the other tickets go on."""
    room = Room(tmp_path)
    async with await room.found() as team:
        bad, good = await room.ticket("Bad one"), await room.ticket("Good one")
        for user in (bad, good):
            await user.say("one")
            await user.say("two")
        await team.sync()
        for user in (bad, good):
            await user.say("three")
        room.relay.inject(fault, mailbox=bad.mailbox)
        await team.sync()
        problems = {ticket.subject: ticket.problem for ticket in await team.inbox.list()}
        assert problems == {"Bad one": code, "Good one": ""}
        (alarm,) = await team.alarms()
        assert (alarm.code, alarm.number) == (code, bad.number)
        good_view = await team.inbox.get(good.number)
        assert good_view.messages[-1].body == "three"


async def test_a_history_that_got_shorter_is_refused(tmp_path: Path) -> None:
    """A relay that hides entries it showed before raises an alarm; what was read before stays (attack 14)."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await user.close()
        await team.sync()
        room.relay.inject(Fault.ROLLBACK, mailbox=user.mailbox)
        view = await team.inbox.get(user.number)
        assert (view.summary.status, view.summary.problem) == ("closed", "rollback")
        assert "older history" in view.offline
        with pytest.raises(PeerError) as error:
            await team.inbox.reopen(user.number)
        assert error.value.code == "rollback", "nothing is written to a log that went back"
        assert await codes(team) == {"rollback"}


async def test_a_busy_mailbox_holds_up_nobody(tmp_path: Path) -> None:
    """A mailbox that the relay never hands out goes to the end of the queue and comes back when it can be read."""
    room = Room(tmp_path)
    async with await room.found() as team:
        stuck, good = await room.ticket(), await room.ticket()
        room.relay.inject(Fault.BUSY, mailbox=stuck.mailbox)
        report = await team.catch_up()
        assert await numbers(team) == {good.number}
        assert (report.left, await team.alarms()) == (1, ())
        room.relay.heal()
        await team.sync()
        assert await numbers(team) == {good.number, stuck.number}


async def test_a_relay_that_goes_away_meanwhile_is_not_asked_for_every_mailbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When all of a batch fail because the relay is gone, the run ends; nothing is lost."""
    monkeypatch.setattr(sync, "AT_ONCE", 8)
    relay = Telling()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        users = [await room.ticket() for _ in range(20)]
        relay.change = going_away(relay)
        report = await team.sync()
        assert (report.done, report.left) == (0, 20)
        assert room.relay.calls.count("read") == 8
        relay.change = truth
        room.relay.heal()
        await team.catch_up()
        assert await numbers(team) == {user.number for user in users}


async def test_an_unexpected_error_is_one_mailboxs_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even an error that nobody thought of touches no other ticket, and is told without the text (attack 76)."""
    room = Room(tmp_path)
    async with await room.found() as team:
        bad, good = await room.ticket(), await room.ticket()
        real = logs.Log.pull_unknown

        async def pull(log: logs.Log) -> None:
            if log.mailbox == bad.mailbox:
                raise RuntimeError("a secret text")
            await real(log)

        monkeypatch.setattr(logs.Log, "pull_unknown", pull)
        await team.catch_up()
        assert await numbers(team) == {good.number}
        (alarm,) = await team.alarms()
        assert (alarm.code, "secret" in alarm.message) == ("internal", False)


async def test_a_ticket_with_a_bad_entry_behind_its_opening_is_shown(tmp_path: Path) -> None:
    """What came before a bad place is kept: a ticket whose second entry has no receipt stands in the inbox."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await user.say("two")
        room.relay.inject(Fault.CORRUPT, mailbox=user.mailbox)
        await team.sync()
        view = await team.inbox.get(user.number)
        assert [message.verdict.name for message in view.messages] == ["OK", "FORGED"]
        assert await codes(team) >= {"forged_entry"}


# --- quarantine ------------------------------------------------------------------------------------------


async def test_a_staff_log_whose_ticket_comes_later_is_found(tmp_path: Path) -> None:
    """A staff log that was put aside before its ticket could be read is taken up with the ticket."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        await team.sync()
        await team.inbox.note(user.number, "A known bug.")
    room.lose_store()
    async with await room.unlock() as team:
        room.relay.inject(Fault.BUSY, times=1, mailbox=user.mailbox)
        await team.sync()
        assert await team.quarantined() == {"bad_order": 1}
        await team.catch_up()
        assert await team.quarantined() == {}
        view = await team.inbox.get(user.number)
        assert [message.internal for message in view.messages] == [False, True]


async def test_an_opening_against_the_rules_is_no_ticket(tmp_path: Path) -> None:
    """A mailbox whose first entry breaks the policy is put aside with the rule, and never listed."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket("Hi")
        await team.sync()
        assert (await numbers(team), await team.quarantined()) == (set(), {"subject_too_short": 1})
        room.relay.calls.clear()
        await user.say("Look at me!")
        await team.sync()
        assert "read" not in room.relay.calls, "a mailbox in quarantine costs nothing"


# --- the policy ------------------------------------------------------------------------------------------


async def change_policy(room: Room, team: TeamClient, policy: Policy) -> None:
    """Let the founder sign another policy."""
    desk = team.desk
    body = next_body(desk.roster, policy, clock.now())
    room.relay.take_batch(desk.team_id, Batch((sign_link(body, [desk.bundle.signer()]),), ()))


async def test_labels_follow_the_policy(tmp_path: Path) -> None:
    """When the team changes its policy, every ticket in the list gets the label that the new one gives it."""
    room = Room(tmp_path)
    async with await room.found() as team:
        await room.ticket()
        await team.sync()
        assert (await team.inbox.list())[0].status == "open"
        label = LabelRule("new", "Brand new", Colour.RED, ())
        await change_policy(room, team, replace(DEFAULT, labels_staff=(label,)))
        await team.sync()
        (ticket,) = await team.inbox.list()
        assert (ticket.status, ticket.status_text) == ("new", "Brand new")


# --- floods ----------------------------------------------------------------------------------------------


async def test_a_flood_in_one_ticket_is_taken_in_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ticket with very many entries is read a share at a time, so that others come between (attack 44)."""
    monkeypatch.setattr(logs, "ENTRIES_MAX", 4)
    room = Room(tmp_path)
    async with await room.found() as team:
        noisy, quiet = await room.ticket("Noisy"), await room.ticket("Quiet")
        for index in range(9):
            await noisy.say(f"entry {index}")
        report = await team.sync()
        assert (report.left, await numbers(team)) == (1, {noisy.number, quiet.number})
        await team.catch_up()
        assert len((await team.inbox.get(noisy.number)).messages) == 10


async def test_a_log_longer_than_the_protocol_allows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay that serves an endless log is stopped at the protocol's bound (attack 44)."""
    monkeypatch.setattr(mailbox, "MAILBOX_ENTRIES_MAX", 3)
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        for index in range(2):
            await user.say(f"entry {index}")
        await team.sync()
        await user.say("one more than there can be")
        await team.sync()
        assert await codes(team) == {"too_long"}
        assert len((await team.inbox.get(user.number)).messages) == 3


# --- the team changes, and the relay lies about it ----------------------------------------------------------


async def test_a_removed_device_keeps_what_it_read(tmp_path: Path) -> None:
    """A colleague who was removed is told so and fetches nothing more; what was read before is still there."""
    room = Room(tmp_path / "anna")
    async with await room.found() as anna:
        before, _ = await room.ticket(), await anna.sync()
        async with await room.colleague(anna, tmp_path / "ben") as ben:
            await ben.catch_up()
            await room.remove(anna, ben)
            after = await room.ticket()
            with pytest.raises(TrustError) as error:
                await ben.sync()
            assert error.value.code == "not_in_team"
            assert await numbers(ben) == {before.number}
            assert await codes(ben) == {"not_in_team"}
            with pytest.raises(TrustError):
                await ben.inbox.reply(before.number, "Still here.")
            await anna.catch_up()
            assert await numbers(anna) == {before.number, after.number}


async def test_an_older_roster_is_an_alarm(tmp_path: Path) -> None:
    """A relay that hides the newest administrator raises an alarm, and nothing is fetched from it (attack 7)."""
    room = Room(tmp_path / "anna")
    async with await room.found() as anna:
        async with await room.colleague(anna, tmp_path / "ben") as ben:
            await ben.catch_up()
        await anna.catch_up()
        room.relay.inject(Fault.OLD_ROSTER)
        room.relay.calls.clear()
        with pytest.raises(TrustError):
            await anna.sync()
        assert await codes(anna) == {"roster_rollback"}
        assert "feed" not in room.relay.calls


async def test_two_receipts_for_one_entry_are_kept_as_proof(tmp_path: Path) -> None:
    """When the relay told user and team different times for one entry, both receipts are kept (attack 86)."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        room.relay.inject(Fault.OTHER_TIME, mailbox=user.mailbox)
        await team.sync()
        room.relay.heal()
        await user.say("Any news?")
        await team.sync()
        (alarm,) = await team.alarms()
        assert (alarm.code, alarm.number, len(alarm.proof) > 200) == ("equivocation", user.number, True)


async def test_a_mailbox_that_the_feed_names_and_that_is_empty_is_no_ticket(tmp_path: Path) -> None:
    """A mailbox without an entry is told as withheld, and never listed."""
    relay = Telling()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        empty = await room.mailbox()
        relay.change = lambda _: FeedPage(1, (FeedItem(1, empty.mailbox, 0),))
        await team.sync()
        assert (await numbers(team), await team.quarantined()) == (set(), {"empty": 1})


async def test_a_step_of_an_erased_mailbox_is_passed_over(tmp_path: Path) -> None:
    """The relay blanks the feed's steps of an erased mailbox: they count, and nothing is fetched for them."""
    relay = Telling()
    room = Room(tmp_path, relay=relay)
    async with await room.found() as team:
        relay.change = lambda _: FeedPage(1, (FeedItem(1, MailboxId(bytes(16)), 0),))
        report = await team.sync()
        assert (report.done, report.left, await codes(team), await team.quarantined()) == (0, 0, set(), {})


async def test_what_was_put_aside_is_looked_at_again_when_a_person_asks(tmp_path: Path) -> None:
    """Clearing the alarms queues the quarantine once more: a ticket that failed by mistake is not lost."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await room.ticket()
        room.relay.inject(Fault.FORGED_RECEIPT, mailbox=user.mailbox)
        for _ in range(TRIES_MAX + 1):
            await team.sync()
        assert (await numbers(team), await team.quarantined()) == (set(), {"bad_signature": 1})
        room.relay.heal()
        await team.sync()
        assert await numbers(team) == set(), "by itself it is not asked for any more"
        await team.clear_alarms()
        await team.sync()
        assert await numbers(team) == {user.number}
