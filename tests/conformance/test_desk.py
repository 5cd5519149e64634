"""S3, the tickets of a hosting company: departments, seven statuses, notes for the team alone, a log of everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from conformance_kit import TEXT, HelpDesk, refused, row
from e2e_support.content import CloseBody, FieldsBody, FlagBody, MessageBody, NoteBody, StatusBody
from e2e_support.ids import Hash
from e2e_support.policy_parts import Colour, Condition, LabelRule
from e2e_support.presets import DESK
from e2e_support.vocab import Kind, Role, Verdict
from e2e_support.wire import Head
from e2e_support_client import Profile, SupportClient
from e2e_support_client.model import Role as Speaker

PRESET = DESK
NOWHERE = Head(1, Hash(bytes(32)))


async def filed(desk: HelpDesk) -> tuple[SupportClient, str]:
    """Return a user and the number of their ticket."""
    ada = await desk.user(profile=Profile(name="Ada", account_type="business", email="ada@example.org"))
    return ada, await desk.file(ada)


# --- statuses ----------------------------------------------------------------------------------------------------


@row("S3-02", "pass")
@row("S3-03", "pass")
@row("S3-04", "pass")
@row("S3-05", "pass")
@row("S3-06", "pass")
@row("S3-07", "pass")
@row("S3-08", "pass")
@row("S3-09", "pass")
@row("S3-16", "pass")
async def test_seven_statuses(desk: HelpDesk) -> None:
    """Each status is reached, is a filter for the team, and shows the user nothing of what only the team knows."""
    ada = await desk.user()
    inbox, numbers = desk.team.inbox, [await desk.file(ada) for _ in range(7)]
    await inbox.hold(numbers[1], reason="waits for the data centre")
    await inbox.reply(numbers[2], "Which server is it?")
    await inbox.archive(numbers[3])
    await inbox.reply(numbers[4], "Which server is it?")
    await ada.tickets.reply(numbers[4], "The blue one.")
    await desk.team.catch_up()
    await inbox.spam(numbers[5])
    await inbox.close(numbers[6])
    team = ["Open", "On Hold", "Answered", "Archived", "Customer Reply", "Spammed", "Closed"]
    user = ["Open", "Open", "Answered", "Open", "Customer Reply", "Open", "Closed"]
    assert [await desk.status(ada, number) for number in numbers] == list(zip(user, team, strict=True))
    for rule, number in zip(
        ("open", "hold", "answered", "archived", "replied", "spam", "closed"), numbers, strict=True
    ):
        assert [line.number for line in await inbox.list(status=rule)] == [number]
    assert [line.number for line in await ada.tickets.list(status="Customer Reply")] == [numbers[4]]


@row("S3-05", "refuse")
@row("S3-07", "refuse")
async def test_derived_statuses_are_not_set(desk: HelpDesk) -> None:
    """Answered and Customer Reply follow from who spoke last: nobody sets them, and silence of the other makes none."""
    ada, number = await filed(desk)
    await refused(desk.team.inbox.set_status(number, "answered"), "status_derived")
    await refused(desk.team.inbox.set_status(number, "replied"), "status_derived")
    await ada.tickets.reply(number, "Is there any news?")
    assert await desk.status(ada, number) == ("Open", "Open")


@row("S3-03", "refuse")
@row("S3-04", "refuse")
@row("S3-06", "refuse")
@row("S3-08", "refuse")
@row("S3-16", "refuse")
@pytest.mark.parametrize("kind", [Kind.HOLD, Kind.ARCHIVE, Kind.SPAM])
async def test_users_mark_nothing(desk: HelpDesk, kind: Kind) -> None:
    """A mark or status of the user's making is passed over by everybody."""
    ada, number = await filed(desk)
    await desk.ignored(ada, number, kind, FlagBody(NOWHERE, 1, "mine"), "not_allowed")
    await desk.ignored(ada, number, Kind.STATUS, StatusBody(2, 0), "not_allowed")
    assert (await desk.team.inbox.get(number)).summary.flags == ()


@row("S3-06", "refuse")
async def test_there_is_no_archive_where_the_policy_has_none(desk: HelpDesk) -> None:
    """Where the owners turn the archive off, archiving is refused."""
    _, number = await filed(desk)
    assert await desk.team.policy.apply(replace(DESK, delete=replace(DESK.delete, archive=0))) is None
    await refused(desk.team.inbox.archive(number), "archive_off")


@row("S3-09", "refuse")
async def test_only_the_team_closes(desk: HelpDesk) -> None:
    """The user's program does not close, and what one without rules sends closes nothing."""
    ada, number = await filed(desk)
    await refused(ada.tickets.close(number, note="done"), "close_not_allowed")
    await desk.ignored(ada, number, Kind.CLOSE, CloseBody("done", ""), "close_not_allowed")


@row("S3-06", "pass")
async def test_a_word_of_the_user_brings_back_what_was_put_away(desk: HelpDesk) -> None:
    """An archived or held ticket is in sight again when its user writes; spam is not."""
    ada = await desk.user()
    held, old, spam = [await desk.file(ada) for _ in range(3)]
    await desk.team.inbox.hold(held)
    await desk.team.inbox.archive(old)
    await desk.team.inbox.spam(spam)
    for number in (held, old, spam):
        await ada.tickets.reply(number, "Is there any news?")
    await desk.team.catch_up()
    assert {line.number for line in await desk.team.inbox.list()} == {held, old}


@row("S3-21", "pass")
async def test_statuses_of_ones_own(desk: HelpDesk) -> None:
    """Owners define statuses; both sides read them at once, also in tickets of before."""
    ada, number = await filed(desk)
    mine = LabelRule("billing", "With accounting", Colour.YELLOW, (Condition.PROGRESS,))
    labels = (*DESK.labels_staff[:-1], mine, DESK.labels_staff[-1])
    users = (*DESK.labels_user[:-1], mine, DESK.labels_user[-1])
    assert await desk.team.policy.apply(replace(DESK, labels_staff=labels, labels_user=users)) is None
    await desk.team.inbox.set_status(number, "billing")
    await ada.verify_team()
    assert await desk.status(ada, number) == ("With accounting", "With accounting")


@row("S3-21", "refuse")
async def test_only_owners_define_statuses(desk: HelpDesk) -> None:
    """An agent defines none, and a user's table that asks for what users cannot see is signed by nobody."""
    ben = await desk.colleague("Ben", Role.AGENT)
    renamed = (replace(DESK.labels_user[0], text="Gone"), *DESK.labels_user[1:])
    await refused(ben.policy.apply(replace(DESK, labels_user=renamed)), "nothing_to_sign")
    with pytest.raises(Exception, match="label"):
        await desk.team.policy.apply(replace(DESK, labels_user=DESK.labels_staff))
    assert (await desk.user()).policy == DESK


# --- what a ticket says of itself --------------------------------------------------------------------------------


@row("S3-01", "pass")
@row("S3-10", "pass")
@row("S3-11", "pass")
@row("S3-12", "pass")
@row("S3-13", "pass")
@row("S3-14", "pass")
@row("S3-15", "pass")
@row("S3-17", "pass")
async def test_the_head_of_a_ticket(desk: HelpDesk) -> None:
    """By its number a ticket is opened in any spelling, with owner, account, mail, department and last change."""
    ada, number = await filed(desk)
    created = datetime.fromtimestamp(desk.now, UTC)
    desk.pass_by(hours=1)
    await ada.tickets.reply(number, "Is there any news?")
    await desk.team.catch_up()
    view = await desk.team.inbox.get(number.replace("-", "").lower())
    line = view.summary
    assert (line.number, line.requester, line.account) == (number, "Ada", "business")
    assert view.profile["email"] == "ada@example.org"
    assert (line.category, line.status_text) == ("support", "Open")
    assert (line.created_at, line.updated_at) == (created, datetime.fromtimestamp(desk.now, UTC))


@row("S3-11", "refuse")
@row("S3-13", "refuse")
@row("S3-17", "refuse")
async def test_claims_are_kept_apart_from_what_is_signed(desk: HelpDesk) -> None:
    """Who a user claims to be joins no tickets: another user with the same name and mail stays another user."""
    await filed(desk)
    bob = await desk.user(
        "Bob", profile=Profile(name="Ada", account_type="business", email="ada@example.org")
    )
    number = await desk.file(bob, "I am Ada, too")
    view = await desk.team.inbox.get(number)
    assert (view.summary.requester, view.others) == ("Ada", ())
    assert view.messages[0].author.role is Speaker.USER


@row("S3-12", "refuse")
async def test_nobody_takes_a_number(desk: HelpDesk) -> None:
    """Numbers come from keys: each ticket has its own, a stranger's opens nothing, and none can be guessed at."""
    ada, number = await filed(desk)
    bob = await desk.user("Bob")
    others = {await desk.file(bob) for _ in range(5)}
    assert len({number, *others}) == 6
    await refused(bob.tickets.get(number), "unknown_ticket")
    await refused(desk.team.inbox.get("T-00000-00000"), "no_ticket", "bad_number")
    await refused(ada.tickets.get("T-1"), "bad_number")


@row("S3-14", "refuse")
async def test_no_other_department(desk: HelpDesk) -> None:
    """A department that is not of the list is refused for users and team."""
    ada, number = await filed(desk)
    await refused(desk.file(ada, category="legal"), "unknown_category")
    await refused(desk.team.inbox.set_category(number, "legal"), "unknown_category")
    await desk.ignored_of_team(ada, number, Kind.FIELDS, FieldsBody("legal", "", b"", ()), "unknown_category")


@row("S3-15", "refuse")
async def test_what_counts_for_nothing_changes_no_time(desk: HelpDesk) -> None:
    """An entry against the rules does not make a ticket look new, and an author's clock moves nothing."""
    ada, number = await filed(desk)
    before = (await desk.team.inbox.get(number)).summary.updated_at
    desk.pass_by(hours=1)
    await desk.send_anyway(ada, Kind.STATUS, StatusBody(2, 0), number)
    assert await desk.broken(number) == ["not_allowed"]
    assert (await desk.team.inbox.get(number)).summary.updated_at == before


# --- talking -----------------------------------------------------------------------------------------------------


@row("S3-18", "pass")
async def test_replies(desk: HelpDesk) -> None:
    """The team replies under the names of its members, and the user replies to that."""
    ada, number = await filed(desk)
    await desk.team.inbox.reply(number, "Which server is it?")
    await ada.tickets.reply(number, "The blue one.")
    said = [(one.author.name, one.body) for one in (await ada.tickets.get(number)).messages]
    assert said == [("Ada", TEXT), ("Anna", "Which server is it?"), ("Ada", "The blue one.")]


@row("S3-18", "refuse")
async def test_no_replies_of_others(desk: HelpDesk) -> None:
    """An auditor does not reply, and nobody replies to what is closed."""
    eve = await desk.colleague("Eve", Role.AUDITOR)
    ada, number = await filed(desk)
    await eve.catch_up()
    await refused(eve.inbox.reply(number, "I am the team."), "not_allowed")
    await desk.team.inbox.close(number)
    await refused(ada.tickets.reply(number, "One more thing."), "closed")
    await desk.ignored(ada, number, Kind.MESSAGE, MessageBody("One more thing.", 0), "closed")


@row("S3-19", "pass")
async def test_notes(desk: HelpDesk) -> None:
    """A colleague reads a note, and is told of it where it names them."""
    ben = await desk.colleague()
    _, number = await filed(desk)
    await desk.team.inbox.note(number, "Ask the data centre.", mentions=["Ben"])
    await ben.catch_up()
    assert [line.number for line in await ben.inbox.list(view="mentions")] == [number]
    note = (await ben.inbox.get(number)).messages[-1]
    assert (note.body, note.internal) == ("Ask the data centre.", True)


@row("S3-19", "refuse")
async def test_users_get_no_notes(desk: HelpDesk) -> None:
    """The relay opens the team's log to no user, the user's ticket does not change, and a user's note is none."""
    ada, number = await filed(desk)
    before = await ada.tickets.get(number)
    await desk.team.inbox.note(number, "Ask the data centre.")
    assert await ada.tickets.get(number) == before
    (place,) = await ada.places()
    (staff,) = [mailbox for mailbox in desk.relay.mailboxes if mailbox != place.mailbox]
    await desk.closed_to(ada, staff)
    await desk.ignored(ada, number, Kind.NOTE, NoteBody(NOWHERE, "The user is right.", ()), "not_allowed")


# --- the log -----------------------------------------------------------------------------------------------------


@row("S3-20", "pass")
async def test_the_log_has_everything(desk: HelpDesk) -> None:
    """Both logs are told in order, with who did what and what it changed."""
    ada, number = await filed(desk)
    desk.pass_by(hours=1)
    await desk.team.inbox.set_priority(number, "urgent")
    desk.pass_by(hours=1)
    await desk.team.inbox.note(number, "Ask the data centre.")
    desk.pass_by(hours=1)
    await ada.tickets.reply(number, "Is there any news?")
    await desk.team.catch_up()
    log = await desk.team.history.log(number)
    assert [one.kind for one in log if not one.internal] == ["opened", "fields", "message"]
    assert "note" in [one.kind for one in log if one.internal]
    (changed,) = [
        one for event in log if event.kind == "fields" for one in event.changes if one.what == "priority"
    ]
    assert (changed.old, changed.new) == ("normal", "urgent")
    assert [event.at for event in log] == sorted(event.at for event in log)


@row("S3-20", "refuse")
async def test_the_log_keeps_what_broke_a_rule(desk: HelpDesk) -> None:
    """Nothing is dropped: an entry against the rules stands in the log with the rule, and changed nothing."""
    ada, number = await filed(desk)
    await desk.send_anyway(ada, Kind.STATUS, StatusBody(2, 0), number)
    await desk.team.catch_up()
    event = (await desk.team.history.log(number))[-1]
    assert (event.verdict, event.reason, event.changes) == (Verdict.NONCONFORMING, "not_allowed", ())
