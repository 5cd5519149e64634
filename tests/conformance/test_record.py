"""S2, a help center of records: set lengths, five tickets a day, computed priority, and closed stays closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from conformance_kit import DAY, PICTURE, SUBJECT, TEXT, HelpDesk, refused, row
from e2e_support.content import CloseBody, FieldsBody, MessageBody, NoteBody, Pair, ReopenBody
from e2e_support.ids import Hash
from e2e_support.presets import RECORD
from e2e_support.vocab import Kind, Role
from e2e_support.wire import Head
from e2e_support_client import FileSpec, Profile, SupportClient
from e2e_support_client.model import Role as Speaker
from e2e_support_client.policy_words import expectation_words

PRESET = RECORD


async def resolved(desk: HelpDesk, user: SupportClient) -> str:
    """Return the number of a ticket that the team has resolved."""
    number = await desk.file(user)
    await desk.team.inbox.resolve(number, "It was a full disk.")
    return number


# --- the form ----------------------------------------------------------------------------------------------------


@row("S2-04", "pass")
@row("S2-39", "pass")
async def test_there_are_five_types(desk: HelpDesk) -> None:
    """A ticket has one of five types, trouble with the help center itself among them."""
    ada = await desk.user()
    assert [category.id for category in ada.policy.categories] == [
        "bug",
        "data",
        "billing",
        "access",
        "other",
    ]
    for category in ("bug", "data", "billing", "access", "other"):
        number = await desk.file(ada, category=category)
        assert (await desk.team.inbox.get(number)).summary.category == category
    assert "help center" in next(one.guidelines for one in ada.policy.categories if one.id == "other")


@row("S2-04", "refuse")
async def test_another_type_is_refused(desk: HelpDesk) -> None:
    """A type that is not of the list is sent by no honest client and taken by no console."""
    ada = await desk.user()
    await refused(desk.file(ada, category="gossip"), "unknown_category")
    await desk.rejected(ada, "unknown_category", category="gossip")


@row("S2-05", "pass")
async def test_the_affected_feature_is_chosen(desk: HelpDesk) -> None:
    """The feature comes from the list and may be left out."""
    ada = await desk.user()
    number = await desk.file(ada, fields={"feature": "Reports"})
    assert (await desk.team.inbox.get(number)).fields == {"feature": "Reports"}
    assert (await desk.team.inbox.get(await desk.file(ada))).fields == {}


@row("S2-05", "refuse")
async def test_another_feature_is_refused(desk: HelpDesk) -> None:
    """A feature that the product does not have, and a question that the form does not ask, are refused."""
    ada = await desk.user()
    await refused(desk.file(ada, fields={"feature": "Time travel"}), "unknown_field")
    await desk.rejected(ada, "unknown_field", fields=(Pair("colour", "red"),))


@row("S2-06", "pass")
@pytest.mark.parametrize("subject", ["x" * 10, "x" * 200, "\U0001f600" * 200])
async def test_subjects_within_the_lengths(desk: HelpDesk, subject: str) -> None:
    """10 and 200 characters are within, counted as people count."""
    number = await desk.file(await desk.user(), subject)
    assert (await desk.team.inbox.get(number)).summary.subject == subject


@row("S2-06", "refuse")
@pytest.mark.parametrize(
    ("subject", "code"), [("x" * 9, "subject_too_short"), ("x" * 201, "subject_too_long")]
)
async def test_subjects_outside_the_lengths(desk: HelpDesk, subject: str, code: str) -> None:
    """9 and 201 characters are refused by the user's client, and by the console if one sends them anyway."""
    ada = await desk.user()
    await refused(desk.file(ada, subject), code)
    await desk.rejected(ada, code, subject=subject)


@row("S2-07", "pass")
@pytest.mark.parametrize("length", [50, 2000])
async def test_descriptions_within_the_lengths(desk: HelpDesk, length: int) -> None:
    """50 and 2,000 characters are within."""
    number = await desk.file(await desk.user(), SUBJECT, "y" * length)
    assert (await desk.team.inbox.get(number)).messages[0].body == "y" * length


@row("S2-07", "refuse")
@pytest.mark.parametrize(("length", "code"), [(49, "text_too_short"), (2001, "text_too_long")])
async def test_descriptions_outside_the_lengths(desk: HelpDesk, length: int, code: str) -> None:
    """49 and 2,001 characters are refused on both sides; spaces around a text do not make it longer."""
    ada = await desk.user()
    await refused(desk.file(ada, SUBJECT, "y" * length), code)
    await desk.rejected(ada, code, text="y" * length)
    await refused(desk.file(ada, SUBJECT, "y" * 49 + " " * 20), "text_too_short")


@row("S2-08", "pass")
@row("S2-25", "pass")
async def test_the_form_guides(desk: HelpDesk) -> None:
    """Five questions and a piece of advice for every type stand in the signed policy that clients show."""
    policy = (await desk.user()).policy
    assert len(policy.prompts) == 5
    assert all(prompt.endswith("?") for prompt in policy.prompts)
    assert all(category.guidelines for category in policy.categories)
    assert "One bug per ticket" in policy.categories[0].guidelines


@row("S2-08", "refuse")
@row("S2-25", "refuse")
@row("S2-26", "refuse")
async def test_only_owners_word_the_form(desk: HelpDesk) -> None:
    """An agent cannot change what users are asked, advised and promised: clients take it from owners alone."""
    ben = await desk.colleague("Ben", Role.AGENT)
    ada = await desk.user()
    await refused(ben.policy.apply(replace(RECORD, prompts=("What is your password?",))), "nothing_to_sign")
    await ada.verify_team()
    assert ada.policy == RECORD


# --- five a day --------------------------------------------------------------------------------------------------


@row("S2-10", "pass")
async def test_five_tickets_a_day_and_five_more_tomorrow(desk: HelpDesk) -> None:
    """The sixth waits for midnight in the policy's zone, at which its second it goes."""
    ada = await desk.user()
    for left in (4, 3, 2, 1, 0):
        await desk.file(ada)
        assert (await ada.today()).left == left
    midnight = desk.now - desk.now % DAY + DAY
    assert (await ada.today()).resets_at == datetime.fromtimestamp(midnight, UTC)
    desk.now = midnight - 1
    await refused(desk.file(ada), "daily_limit")
    desk.now = midnight
    await desk.file(ada)
    assert (await ada.today()).left == 4


@row("S2-10", "pass")
@pytest.mark.parametrize("desk_zone", ["Pacific/Auckland"])
async def test_midnight_is_that_of_the_policys_zone(desk: HelpDesk, desk_zone: str) -> None:
    """With another zone in the policy the day begins at its midnight, 11:00 UTC in the summer of Auckland."""
    assert (
        await desk.team.policy.apply(replace(RECORD, limits=replace(RECORD.limits, zone=desk_zone))) is None
    )
    ada = await desk.user()
    for _ in range(5):
        await desk.file(ada)
    desk.now += 23 * 3600 - 1
    await refused(desk.file(ada), "daily_limit")
    desk.now += 1
    assert datetime.fromtimestamp(desk.now, UTC).hour == 11
    await desk.file(ada)


@row("S2-10", "refuse")
async def test_the_sixth_is_refused_on_every_device(desk: HelpDesk) -> None:
    """Two devices of one user count once; the refusal says when, keeps the text, and nothing is sent."""
    ada = await desk.user()
    other = await desk.second_device()
    for user in (ada, other, ada, other, ada):
        await desk.file(user)
    for user in (ada, other):
        error = await refused(desk.file(user), "daily_limit")
        assert error.details["resets_at"] == "2027-01-16T00:00:00Z"
    assert len(await desk.team.inbox.list(view="all")) == 5
    assert [item.code for item in await other.outbox.list()] == ["daily_limit"]
    await desk.file(await desk.user("Bob"))


@row("S2-10", "refuse")
async def test_a_changed_program_is_flagged_by_every_console(desk: HelpDesk) -> None:
    """What was opened over the limit is a ticket, and every console says that its user went over it."""
    ben, ada = await desk.colleague(), await desk.user()
    for _ in range(5):
        await desk.file(ada)
    desk.pass_by(seconds=1)
    sixth = await desk.open_anyway(ada)
    for console in (desk.team, ben):
        await console.catch_up()
        flagged = {line.number for line in await console.inbox.list() if "daily_limit" in line.flags}
        assert flagged == {sixth}


# --- lists -------------------------------------------------------------------------------------------------------


@row("S2-11", "pass")
@row("S2-12", "pass")
@row("S2-13", "pass")
async def test_the_list_is_searched_and_filtered(desk: HelpDesk) -> None:
    """Number and subject find a ticket, every status is a filter, and lines show priority and date."""
    ada = await desk.user()
    old = await resolved(desk, ada)
    new = await desk.file(ada, "A dashboard is empty", category="access")
    for text in (new, "DASHBOARD"):
        assert [line.number for line in await ada.tickets.list(text=text)] == [new]
    assert [line.number for line in await ada.tickets.list(status="Resolved")] == [old]
    assert [rule.text for rule in ada.policy.labels_user if rule.id == "awaiting"] == ["Awaiting User"]
    lines = {line.number: line for line in await ada.tickets.list()}
    assert (lines[new].priority, lines[new].created_at) == ("critical", datetime.fromtimestamp(desk.now, UTC))
    assert [line.number for line in await desk.team.inbox.list(text="dashboard")] == [new]


# --- the life of a ticket ----------------------------------------------------------------------------------------


@row("S2-14", "pass")
@row("S2-28", "pass")
@row("S2-22", "pass")
async def test_from_new_to_closed(desk: HelpDesk) -> None:
    """Open, In Review once it is assigned, Awaiting User by hand, Resolved, and Closed by its user; for both sides."""
    ada = await desk.user()
    number = await desk.file(ada)
    seen = [await desk.status(ada, number)]
    await desk.team.inbox.assign(number, "Anna")
    seen.append(await desk.status(ada, number))
    await desk.team.inbox.reply(number, "Which browser is it?", set_status="awaiting")
    seen.append(await desk.status(ada, number))
    await ada.tickets.reply(number, "Firefox.")
    seen.append(await desk.status(ada, number))
    await desk.team.inbox.resolve(number, "It was a full disk.")
    seen.append(await desk.status(ada, number))
    await ada.tickets.close(number)
    seen.append(await desk.status(ada, number))
    words = ["Open", "In Review", "Awaiting User", "In Review", "Resolved", "Closed"]
    assert seen == [(word, word) for word in words]


@row("S2-14", "refuse")
@row("S2-28", "refuse")
async def test_users_set_no_status(desk: HelpDesk) -> None:
    """A status that a user's program writes is passed over, and a console takes no status that does not exist."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.ignored(ada, number, Kind.FIELDS, FieldsBody("", "", bytes(15) + b"\x01", ()), "not_allowed")
    await refused(desk.team.inbox.set_status(number, "on_hold"), "unknown_status")


@row("S2-15", "pass")
async def test_the_way_of_the_status(desk: HelpDesk) -> None:
    """User and team are told the same steps, with their times and what made them."""
    ada = await desk.user()
    number = await desk.file(ada)
    desk.pass_by(hours=1)
    await desk.team.inbox.set_status(number, "review")
    desk.pass_by(hours=1)
    await desk.team.inbox.resolve(number, "It was a full disk.")
    desk.pass_by(hours=1)
    await ada.tickets.close(number)
    await desk.team.catch_up()
    mine = await ada.tickets.timeline(number)
    assert [step.status for step in mine] == ["open", "review", "resolved", "closed"]
    assert [(b.at - a.at).seconds for a, b in pairwise(mine)] == [3600] * 3
    theirs = await desk.team.history.timeline(number)
    assert [(step.at, step.kind, step.status) for step in theirs] == [
        (step.at, step.kind, step.status) for step in mine
    ]


@row("S2-15", "refuse")
async def test_what_breaks_a_rule_is_no_step(desk: HelpDesk) -> None:
    """An entry against the rules moves no status and stands in no timeline as if it had."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.ignored(ada, number, Kind.CLOSE, CloseBody("", ""), "close_note_needed")
    assert [step.status for step in await ada.tickets.timeline(number)] == ["open"]
    assert [step.status for step in await desk.team.history.timeline(number)] == ["open"]


@row("S2-16", "pass")
async def test_the_whole_ticket(desk: HelpDesk) -> None:
    """The user sees description, messages, status, priority, and by name who works on it."""
    ada = await desk.user()
    await desk.colleague("Ben")
    number = await desk.file(ada, category="access")
    await desk.team.inbox.assign(number, "Ben")
    await desk.team.inbox.reply(number, "We look into it.")
    ticket = await ada.tickets.get(number)
    assert [message.body for message in ticket.messages] == [TEXT, "We look into it."]
    assert (ticket.summary.status, ticket.summary.priority, ticket.assignee) == ("review", "critical", "Ben")


@row("S2-16", "refuse")
async def test_nobody_outside_the_team_is_assigned(desk: HelpDesk) -> None:
    """Users are shown no assignee who does not write for the team."""
    ada = await desk.user()
    number = await desk.file(ada)
    await refused(desk.team.inbox.assign(number, "Mallory"), "no_member")
    stranger = FieldsBody("", "", b"m" * 16, ())
    await desk.ignored_of_team(ada, number, Kind.FIELDS, stranger, "unknown_assignee")
    assert (await ada.tickets.get(number)).assignee == ""


@row("S2-17", "pass")
@row("S2-01", "pass")
async def test_a_reply_reaches_the_team(desk: HelpDesk) -> None:
    """What the user replies stands in the thread, and the relay rings the team for it."""
    ada = await desk.user()
    number = await desk.file(ada)
    heard = len((await desk.relay.feed(desk.team.desk.team_id, 0, desk.team.desk.capability())).items)
    await ada.tickets.reply(number, "It is still so.")
    page = await desk.relay.feed(desk.team.desk.team_id, 0, desk.team.desk.capability())
    assert len(page.items) == heard + 1
    await desk.team.catch_up()
    assert (await desk.team.inbox.get(number)).messages[-1].body == "It is still so."
    await desk.team.inbox.reply(number, "Thank you.")
    assert [(one.kind, one.number) for one in await ada.notifications()] == [("response", number)]


@row("S2-17", "refuse")
@row("S2-23", "refuse")
@row("S2-33", "refuse")
async def test_nothing_follows_a_closing(desk: HelpDesk) -> None:
    """After closing nobody writes or reopens, neither side, nor a program without rules."""
    ada = await desk.user()
    number = await resolved(desk, ada)
    await ada.tickets.close(number)
    assert (await ada.tickets.get(number)).actions == {"follow_up"}
    await refused(ada.tickets.reply(number, "One more thing."), "closed")
    await refused(ada.tickets.reopen(number, "It is back."), "reopen_never")
    await refused(desk.team.inbox.reply(number, "One more thing."), "closed")
    await refused(desk.team.inbox.reopen(number), "reopen_never")
    desk.pass_by(days=1)
    await desk.ignored(ada, number, Kind.MESSAGE, MessageBody("One more thing.", 0), "closed")
    await desk.ignored(ada, number, Kind.REOPEN, ReopenBody("It is back."), "reopen_never")
    await desk.ignored_of_team(ada, number, Kind.REOPEN, ReopenBody(""), "reopen_never")


@row("S2-23", "pass")
async def test_the_resolution_stays_in_sight(desk: HelpDesk) -> None:
    """A closed ticket is in the history of both sides, with the note of its resolution."""
    ada = await desk.user()
    number = await resolved(desk, ada)
    await ada.tickets.close(number)
    desk.pass_by(days=400)
    await desk.team.catch_up()
    assert (await ada.tickets.get(number)).resolution == "It was a full disk."
    assert (await desk.team.inbox.get(number)).resolution == "It was a full disk."
    await refused(desk.team.inbox.resolve(await desk.file(ada), ""), "resolution_note_needed")


@row("S2-18", "pass")
async def test_who_speaks_is_told_apart(desk: HelpDesk) -> None:
    """Messages stand in order with their times; the team's are the team's by its signature and under its name."""
    ada = await desk.user(profile=Profile(name="Ada"))
    number = await desk.file(ada)
    desk.pass_by(hours=1)
    await desk.team.inbox.reply(number, "We look into it.")
    desk.pass_by(hours=1)
    await ada.tickets.reply(number, "Thank you.")
    told = [(m.author.role, m.author.name, m.body) for m in (await ada.tickets.get(number)).messages]
    assert told == [
        (Speaker.USER, "Ada", TEXT),
        (Speaker.TEAM, "Support team", "We look into it."),
        (Speaker.USER, "Ada", "Thank you."),
    ]
    times = [m.at for m in (await ada.tickets.get(number)).messages]
    assert times == sorted(set(times))


@row("S2-18", "refuse")
async def test_no_name_makes_a_user_the_team(desk: HelpDesk) -> None:
    """A user who is called like the team, and a program that claims to speak for it, stay the user."""
    ada = await desk.user(profile=Profile(name="Support team"))
    number = await desk.file(ada)
    assert (await desk.team.inbox.get(number)).messages[0].author.role is Speaker.USER
    await desk.ignored(ada, number, Kind.MESSAGE, MessageBody("We are the team.", 1), "not_allowed")
    assert (await desk.team.inbox.get(number)).messages[-1].author.role is Speaker.USER


@row("S2-20", "pass")
@row("S2-21", "pass")
@row("S2-40", "pass")
async def test_the_bell(desk: HelpDesk) -> None:
    """Answer, change of status and resolution are one line each, which leads to its ticket and counts once."""
    ada = await desk.user()
    one, other = await desk.file(ada), await desk.file(ada)
    await desk.team.inbox.reply(one, "We look into it.")
    await desk.team.inbox.set_status(other, "review")
    await desk.team.inbox.resolve(one, "It was a full disk.")
    told = await ada.notifications()
    assert sorted((line.kind, line.number) for line in told) == sorted(
        [("response", one), ("status", other), ("resolved", one)]
    )
    await ada.mark_notifications_read()
    assert await ada.notifications() == ()
    assert len(await ada.notifications(unread=False)) == 3


@row("S2-20", "refuse")
@row("S2-40", "refuse")
async def test_nobody_rings_for_others(desk: HelpDesk) -> None:
    """One's own words, notes of the team, and tickets of other users ring nobody here."""
    ada, bob = await desk.user(), await desk.user("Bob")
    number = await desk.file(ada)
    await ada.tickets.reply(number, "It is still so.")
    await desk.team.catch_up()
    await desk.team.inbox.note(number, "The third report this week.")
    await desk.team.inbox.tag(number, ["disk"])
    assert await ada.notifications() == ()
    await desk.team.inbox.reply(number, "We look into it.")
    assert await bob.notifications() == ()


@row("S2-22", "refuse")
async def test_what_is_not_resolved_is_not_just_closed(desk: HelpDesk) -> None:
    """Before it is resolved, closing without a word is refused, whichever program asks."""
    ada = await desk.user()
    number = await desk.file(ada)
    await refused(ada.tickets.close(number), "close_note_needed")
    await desk.ignored(ada, number, Kind.CLOSE, CloseBody(" ", ""), "close_note_needed")


# --- priority ----------------------------------------------------------------------------------------------------


@row("S2-24", "pass")
@row("S2-36", "pass")
async def test_the_priority_follows_from_the_type(desk: HelpDesk) -> None:
    """Access is critical, bugs and billing high, data medium, the rest low, for both sides and after a change."""
    ada = await desk.user()
    implied = {"access": "critical", "bug": "high", "billing": "high", "data": "medium", "other": "low"}
    number = ""
    for category, level in implied.items():
        number = await desk.file(ada, category=category)
        assert (await ada.tickets.get(number)).summary.priority == level
        assert (await desk.team.inbox.get(number)).summary.priority == level
    await desk.team.inbox.set_category(number, "access")
    assert (await ada.tickets.get(number)).summary.priority == "critical"


@row("S2-24", "refuse")
@row("S2-36", "refuse")
async def test_nobody_sets_the_priority(desk: HelpDesk) -> None:
    """There is no field to forge: neither user nor team sets what is computed."""
    ada = await desk.user()
    await refused(desk.file(ada, category="other", priority="critical"), "priority_not_yours")
    await desk.rejected(ada, "priority_not_yours", category="other", priority="critical")
    number = await desk.file(ada, category="other")
    await refused(desk.team.inbox.set_priority(number, "critical"), "priority_not_yours")
    change = FieldsBody("", "critical", b"", ())
    await desk.ignored_of_team(ada, number, Kind.FIELDS, change, "priority_not_yours")


# --- promises of time --------------------------------------------------------------------------------------------


@row("S2-26", "pass")
async def test_a_first_answer_is_promised(desk: HelpDesk) -> None:
    """Users read within how many hours to expect an answer, and the team sees what is overdue."""
    ada = await desk.user()
    assert "24 hours" in expectation_words(ada.policy)
    number = await desk.file(ada)
    desk.pass_by(hours=24, seconds=-1)
    assert await desk.team.inbox.list(view="overdue") == ()
    desk.pass_by(seconds=1)
    assert [line.number for line in await desk.team.inbox.list(view="overdue")] == [number]
    await desk.team.inbox.reply(number, "We look into it.")
    assert await desk.team.inbox.list(view="overdue") == ()


@row("S2-27", "pass")
async def test_asking_again(desk: HelpDesk) -> None:
    """Users are told when to ask again, and a reply brings the ticket up while it goes on waiting since the first."""
    ada = await desk.user()
    assert "48 hours" in expectation_words(ada.policy)
    number, other = await desk.file(ada), await desk.file(ada)
    since = (await desk.team.inbox.get(number)).summary.waiting_since
    desk.pass_by(hours=48)
    await ada.tickets.reply(number, "Is there any news?")
    await desk.team.catch_up()
    line = (await desk.team.inbox.get(number)).summary
    assert line.waiting_since == since
    assert [one.number for one in await ada.tickets.list()] == [number, other]


# --- who reads ---------------------------------------------------------------------------------------------------


@row("S2-29", "pass")
async def test_notes_are_the_teams(desk: HelpDesk) -> None:
    """A note is read by colleagues, marked as internal."""
    ben, ada = await desk.colleague(), await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.note(number, "The third report this week.")
    await ben.catch_up()
    note = (await ben.inbox.get(number)).messages[-1]
    assert (note.body, note.internal, note.author.name) == ("The third report this week.", True, "Anna")


@row("S2-29", "refuse")
async def test_users_learn_of_no_note(desk: HelpDesk) -> None:
    """The user's client gets no entry for a note, cannot read its mailbox, and a user's own note is none."""
    ada = await desk.user()
    number = await desk.file(ada)
    before = await ada.tickets.get(number)
    await desk.team.inbox.note(number, "The third report this week.")
    assert await ada.tickets.get(number) == before
    (place,) = await ada.places()
    (staff,) = [mailbox for mailbox in desk.relay.mailboxes if mailbox != place.mailbox]
    await desk.closed_to(ada, staff)
    note = NoteBody(Head(1, Hash(bytes(32))), "The user is right.", ())
    await desk.ignored(ada, number, Kind.NOTE, note, "not_allowed")
    told = (await desk.team.inbox.get(number)).messages
    assert [one.body for one in told if one.internal] == ["The third report this week."]


@row("S2-30", "pass")
@row("S2-31", "pass")
async def test_user_and_team_read(desk: HelpDesk) -> None:
    """The user on each device and every member of the team read the same words."""
    ada, ben = await desk.user(), await desk.colleague()
    number = await desk.file(ada)
    other = await desk.second_device()
    await ben.catch_up()
    assert (await ben.inbox.get(number)).messages[0].body == TEXT
    assert [line.number for line in await other.tickets.list()] == [number]
    assert (await other.tickets.get(number)).messages[0].body == TEXT


@row("S2-01", "refuse")
@row("S2-30", "refuse")
@row("S2-31", "refuse")
async def test_nobody_else_reads(desk: HelpDesk) -> None:
    """Another user has no key and no access, and what the relay holds shows no word of a ticket."""
    ada, bob = await desk.user(), await desk.user("Bob")
    number = await desk.file(ada)
    await desk.file(bob, "Another matter entirely")
    await refused(bob.tickets.get(number), "unknown_ticket")
    mailbox = next(place.mailbox for place in await ada.places())
    await desk.closed_to(bob, mailbox)
    held = b"".join(item.entry for one in desk.relay.mailboxes for item in desk.relay.stored(one))
    for word in (SUBJECT, TEXT, "invoices", "billing"):
        assert word.encode() not in held


# --- what there is not -------------------------------------------------------------------------------------------


@row("S2-33", "pass")
async def test_a_new_ticket_names_the_old_one(desk: HelpDesk) -> None:
    """A follow-up is filled in from the closed ticket and cites its number for the team."""
    ada = await desk.user()
    old = await resolved(desk, ada)
    await ada.tickets.close(old)
    new = (await ada.tickets.follow_up(old, "It is back, and now in all browsers that we have here.")).number
    await desk.team.catch_up()
    view = await desk.team.inbox.get(new)
    assert (view.related, view.summary.subject, view.summary.category) == (old, SUBJECT, "bug")


@row("S2-34", "pass")
async def test_news_stay_in_the_application(desk: HelpDesk) -> None:
    """News come by the bell inside the application alone."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.reply(number, "We look into it.")
    assert len(await ada.notifications()) == 1
    notify = ada.policy.notify
    assert (notify.user_mail, notify.receipt_mail, notify.staff_mail) == (0, 0, 0)


@row("S2-34", "refuse")
async def test_no_address_is_sent(desk: HelpDesk) -> None:
    """Whoever asks for mails here keeps their address: it is not part of the ticket."""
    ada = await desk.user(profile=Profile(name="Ada", notify_email="ada@example.org"))
    number = await desk.file(ada)
    assert "ada@example.org" not in (await desk.team.inbox.get(number)).profile.values()


@row("S2-35", "pass")
async def test_words_alone(desk: HelpDesk) -> None:
    """A ticket without files goes its way."""
    number = await desk.file(await desk.user())
    assert (await desk.team.inbox.get(number)).messages[0].attachments == ()


@row("S2-35", "refuse")
async def test_no_files(desk: HelpDesk) -> None:
    """Neither side attaches anything, and nothing is uploaded."""
    ada = await desk.user()
    number = await desk.file(ada)
    picture = FileSpec(PICTURE, name="screen.png")
    await refused(desk.file(ada, attachments=[picture]), "attachments_off")
    await refused(ada.tickets.reply(number, "See the picture.", attachments=[picture]), "attachments_off")
    await refused(desk.team.inbox.reply(number, "See the picture.", attachments=[picture]), "attachments_off")
    assert "put_piece" not in desk.relay.calls


@row("S2-37", "pass")
async def test_tickets_are_kept(desk: HelpDesk) -> None:
    """Years later a closed ticket is there for both sides and has no day on which it ends."""
    ada = await desk.user()
    number = await resolved(desk, ada)
    await ada.tickets.close(number)
    desk.pass_by(days=3 * 365)
    await desk.team.catch_up()
    assert (await ada.tickets.get(number)).erase_at is None
    assert (await desk.team.inbox.get(number)).summary.erase_due is None
    assert ada.policy.relay_rules().idle_days == 0


@row("S2-38", "pass")
async def test_a_mistake_is_closed_with_a_note(desk: HelpDesk) -> None:
    """A ticket that was opened by mistake is closed at once by saying so."""
    ada = await desk.user()
    number = await desk.file(ada)
    await ada.tickets.close(number, note="I opened it twice.")
    assert await desk.status(ada, number) == ("Closed", "Closed")
    assert (await desk.team.inbox.get(number)).messages[-1].body == "I opened it twice."


@row("S2-38", "refuse")
async def test_nothing_is_removed(desk: HelpDesk) -> None:
    """A closed ticket is not hidden, and whatever a program claims it stands in both histories."""
    ada = await desk.user()
    number = await resolved(desk, ada)
    await ada.tickets.close(number)
    await refused(ada.tickets.hide(number), "hide_off")
    assert [line.number for line in await ada.tickets.list()] == [number]
    assert [line.number for line in await desk.team.inbox.list()] == [number]
