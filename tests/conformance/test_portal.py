"""S0, a storage portal: three categories, a severity that users choose, files, and a thread."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conformance_kit import PICTURE, SUBJECT, TEXT, HelpDesk, refused, row
from e2e_support.content import MessageBody
from e2e_support.policy_parts import MailMode
from e2e_support.presets import PORTAL
from e2e_support.vocab import Kind, Role
from e2e_support_client import FileSpec, Profile
from e2e_support_client.model import Role as Speaker
from e2e_support_client.policy_words import word
from e2e_support_console.agent import Agent
from mail_kit import mail_server

PRESET = PORTAL
LOG = FileSpec(b"line\n" * 100, name="upload.log")


@row("S0-01", "pass")
async def test_both_kinds_of_staff_answer(desk: HelpDesk) -> None:
    """A complaint is filed like a request; an owner and an agent answer it, and both are the team."""
    ben, ada = await desk.colleague("Ben", Role.AGENT), await desk.user()
    number = await desk.file(ada, "I want to complain", category="general")
    await desk.team.inbox.reply(number, "We look into it.")
    await ben.catch_up()
    await ben.inbox.reply(number, "It is repaired.")
    said = (await ada.tickets.get(number)).messages[1:]
    assert [(one.body, one.author.role, one.author.name) for one in said] == [
        ("We look into it.", Speaker.TEAM, "Support team"),
        ("It is repaired.", Speaker.TEAM, "Support team"),
    ]


@row("S0-01", "refuse")
async def test_who_only_reads_does_not_answer(desk: HelpDesk) -> None:
    """An auditor of the team answers nobody."""
    eve, ada = await desk.colleague("Eve", Role.AUDITOR), await desk.user()
    number = await desk.file(ada)
    await eve.catch_up()
    await refused(eve.inbox.reply(number, "I am the team."), "not_allowed")
    assert len((await ada.tickets.get(number)).messages) == 1


@row("S0-02", "pass")
async def test_answers_are_announced_by_mail(desk: HelpDesk) -> None:
    """The user is mailed that there is something new, with the number and without a word of it."""
    ada = await desk.user(profile=Profile(name="Ada", email="ada@example.org"))
    number = await desk.file(ada)
    await desk.team.inbox.reply(number, "Empty the blue bucket.")
    async with mail_server() as server:
        agent = Agent(desk.team, server.mailer())
        assert ((await agent.run_once()).mails, (await agent.run_once()).mails) == (1, 0)
        ((to, mail),) = server.mails
        assert (to, mail["Subject"]) == ("ada@example.org", f"News in your ticket {number}")
        assert not any(word in mail.as_string() for word in ("bucket", SUBJECT, TEXT, "Anna"))
    assert [line.kind for line in await ada.notifications()] == ["response"]


@row("S0-02", "refuse")
async def test_no_mails_to_what_is_no_address(desk: HelpDesk) -> None:
    """An address that would carry a second one is mailed nothing, nor is anybody once the policy turns mails off."""
    bob = await desk.user("Bob", profile=Profile(email="bob@example.org\nBcc: eve@example.org"))
    ada = await desk.user(profile=Profile(email="ada@example.org"))
    for user in (ada, bob):
        await desk.team.inbox.reply(await desk.file(user), "Empty the blue bucket.")
    off = replace(PORTAL, notify=replace(PORTAL.notify, user_mail=MailMode.OFF))
    async with mail_server() as server:
        assert (await Agent(desk.team, server.mailer()).run_once()).mails == 1
        assert [to for to, _ in server.mails] == ["ada@example.org"]
        assert await desk.team.policy.apply(off) is None
        await desk.team.inbox.reply(await desk.file(ada), "Empty the green bucket.")
        assert (await Agent(desk.team, server.mailer()).run_once()).mails == 0


@row("S0-03", "pass")
async def test_other_ways_to_sign_in_are_fine(desk: HelpDesk) -> None:
    """Whoever signed in with a password, or whose host does not say how, files tickets."""
    ada = await desk.user(profile=Profile(auth_method="password"))
    bob = await desk.user("Bob")
    numbers = {await desk.file(ada), await desk.file(bob)}
    assert {line.number for line in await desk.team.inbox.list()} == numbers


@row("S0-03", "refuse")
async def test_an_access_key_files_nothing(desk: HelpDesk) -> None:
    """Whoever signed in with an access key is told so before anything leaves the device."""
    ada = await desk.user(profile=Profile(auth_method="access_key"))
    error = await refused(desk.file(ada), "not_eligible")
    assert "access_key" in error.message
    assert desk.relay.mailboxes == ()


@row("S0-05", "pass")
@row("S0-12", "pass")
@row("S0-13", "pass")
async def test_the_list_of_ones_tickets(desk: HelpDesk) -> None:
    """The list has one's own tickets with subject, status, category, severity and date, and is searched."""
    ada, bob = await desk.user(), await desk.user("Bob")
    number = await desk.file(ada, "The bucket is full", category="storage", priority="high")
    await desk.file(bob, "The invoice is wrong")
    (line,) = await ada.tickets.list()
    assert (line.number, line.subject, line.status_text) == (number, "The bucket is full", "Open")
    assert (line.category, line.priority) == ("storage", "high")
    assert line.created_at == datetime.fromtimestamp(desk.now, UTC)
    assert len(await ada.tickets.list(text="bucket")) == 1
    assert len(await ada.tickets.list(text="invoice is wrong")) == 0


@row("S0-06", "pass")
@row("S0-09", "pass")
@row("S0-11", "pass")
async def test_a_ticket_is_submitted(desk: HelpDesk) -> None:
    """With a subject and a description it is sent, and is known to be stored."""
    ada = await desk.user()
    ref = await ada.tickets.create("x", "y", category="general")
    assert ref.state == "stored"
    await desk.team.catch_up()
    view = await desk.team.inbox.get(ref.number)
    assert (view.summary.subject, view.messages[0].body) == ("x", "y")


@row("S0-06", "refuse")
@row("S0-09", "refuse")
@pytest.mark.parametrize(
    ("subject", "text", "code"), [(" ", TEXT, "subject_too_short"), (SUBJECT, "\n ", "text_too_short")]
)
async def test_subject_and_description_are_required(
    desk: HelpDesk, subject: str, text: str, code: str
) -> None:
    """White space is neither; it is refused by the user's program and by consoles."""
    ada = await desk.user()
    await refused(desk.file(ada, subject, text), code)
    await desk.rejected(ada, code, subject=subject, text=text)


@row("S0-07", "pass")
async def test_three_categories(desk: HelpDesk) -> None:
    """Account and billing, storage, and everything else."""
    ada = await desk.user()
    labels = [category.label for category in ada.policy.categories]
    assert labels == ["Account & Billing", "Storage (IPFS & S3)", "General"]
    for category in ada.policy.categories:
        number = await desk.file(ada, category=category.id)
        assert (await desk.team.inbox.get(number)).summary.category == category.id


@row("S0-07", "refuse")
async def test_no_fourth_category(desk: HelpDesk) -> None:
    """A category that is not of the list is refused on both sides."""
    ada = await desk.user()
    await refused(desk.file(ada, category="sales"), "unknown_category")
    await desk.rejected(ada, "unknown_category", category="sales")


@row("S0-08", "pass")
async def test_users_choose_the_severity(desk: HelpDesk) -> None:
    """It is called so, every level can be chosen, and without a choice it is the middle one."""
    ada = await desk.user()
    assert word(ada.policy, "priority", "Priority") == "Severity"
    for level in ("low", "medium", "high", "critical"):
        number = await desk.file(ada, priority=level)
        assert (await desk.team.inbox.get(number)).summary.priority == level
    assert (await ada.tickets.get(await desk.file(ada))).summary.priority == "medium"


@row("S0-08", "refuse")
async def test_no_other_severity(desk: HelpDesk) -> None:
    """An invented severity is refused on both sides."""
    ada = await desk.user()
    await refused(desk.file(ada, priority="apocalyptic"), "unknown_priority")
    await desk.rejected(ada, "unknown_priority", priority="apocalyptic")


@row("S0-10", "pass")
async def test_a_picture_or_another_file(desk: HelpDesk, tmp_path: Path) -> None:
    """A picture and a log come along, and arrive as they were."""
    files = [FileSpec(PICTURE, name="screen.png"), LOG]
    number = await desk.file(await desk.user(), attachments=files)
    view = await desk.team.inbox.get(number)
    assert [file.name for file in view.messages[0].attachments] == ["screen.png", "upload.log"]
    assert (await desk.team.inbox.download(number, "upload.log", tmp_path)).read_bytes() == LOG.source
    assert (await desk.team.inbox.download(number, "screen.png", tmp_path)).read_bytes() == PICTURE


@row("S0-10", "refuse")
async def test_too_many_or_too_large_files(desk: HelpDesk, tmp_path: Path) -> None:
    """An eleventh file and a file over 25 MiB are refused before anything is uploaded."""
    ada = await desk.user()
    await refused(desk.file(ada, attachments=[LOG] * 11), "too_many_attachments")
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(25 * 1024 * 1024 + 1)
    await refused(desk.file(ada, attachments=[big]), "attachment_too_large")
    assert "put_piece" not in desk.relay.calls


@row("S0-15", "pass")
async def test_the_thread(desk: HelpDesk) -> None:
    """Both sides read the thread in order and write into it."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.reply(number, "Which bucket is it?")
    await ada.tickets.reply(number, "The blue one.")
    await desk.team.catch_up()
    words = [TEXT, "Which bucket is it?", "The blue one."]
    assert [message.body for message in (await ada.tickets.get(number)).messages] == words
    assert [message.body for message in (await desk.team.inbox.get(number)).messages] == words


@row("S0-15", "refuse")
async def test_a_closed_thread_takes_no_words(desk: HelpDesk) -> None:
    """After closing neither side writes, and an empty message is none at any time."""
    ada = await desk.user()
    number = await desk.file(ada)
    await refused(ada.tickets.reply(number, " "), "text_empty")
    await ada.tickets.close(number)
    await refused(ada.tickets.reply(number, "One more thing."), "closed")
    await refused(desk.team.inbox.reply(number, "One more thing."), "closed")
    await desk.ignored(ada, number, Kind.MESSAGE, MessageBody("One more thing.", 0), "closed")


@row("S0-16", "pass")
async def test_the_status_follows(desk: HelpDesk) -> None:
    """Open, in progress, answered, open again with the user's word, resolved, closed: the same for both sides."""
    ada = await desk.user()
    number = await desk.file(ada)
    seen = [await desk.status(ada, number)]
    await desk.team.inbox.set_status(number, "progress")
    seen.append(await desk.status(ada, number))
    await desk.team.inbox.reply(number, "Which bucket is it?")
    seen.append(await desk.status(ada, number))
    await ada.tickets.reply(number, "The blue one.")
    seen.append(await desk.status(ada, number))
    await desk.team.inbox.resolve(number, "")
    seen.append(await desk.status(ada, number))
    await ada.tickets.close(number)
    seen.append(await desk.status(ada, number))
    words = ["Open", "In progress", "Answered", "In progress", "Resolved", "Closed"]
    assert seen == [(each, each) for each in words]


@row("S0-16", "refuse")
async def test_a_derived_status_is_not_set(desk: HelpDesk) -> None:
    """That the team has answered follows from its answer, and nobody can say it without one."""
    number = await desk.file(await desk.user())
    await refused(desk.team.inbox.set_status(number, "answered"), "status_derived")
