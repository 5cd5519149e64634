"""S1 and S1x, a document suite's support: debug data, pictures, closing by the user, hiding what is closed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from conformance_kit import PICTURE, SUBJECT, TEXT, HelpDesk, refused, row
from e2e_support.content import MessageBody, ReopenBody
from e2e_support.errors import SupportError
from e2e_support.ids import TeamId
from e2e_support.presets import INSTANCE
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Kind, Role
from e2e_support_client import FileSpec, MemoryKeystore, Profile, SupportClient
from e2e_support_client.debug import collectors
from e2e_support_client.debug.collectors import Collector
from e2e_support_client.debug.report import DebugReport
from e2e_support_client.model import Role as Speaker

PRESET = INSTANCE
LOG = FileSpec(b"line\n" * 100, name="console.log")
CATALOGUE: dict[str, Collector] = {
    "S1-05": collectors.names(display_name="Ada", username="ada"),
    "S1-06": collectors.identifiers(drive="drive-one", channel="channel-one", notifications="bell-one"),
    "S1-07": collectors.keys(curve="curve-one", signing="signing-one"),
    "S1-08": collectors.quota(total=1000, used=10),
    "S1-09": collectors.browser(user_agent="Browser/1", vendor="Vendor", app_version="1.0"),
    "S1-10": collectors.screen(width=1920, height=1080),
    "S1-11": collectors.block_location("block/one"),
    "S1-12": collectors.teams([{"name": "Writers", "members": 3}]),
}


def declined(_: DebugReport) -> bool:
    """Say no."""
    return False


# --- who reads ---------------------------------------------------------------------------------------------------


@row("S1-01", "pass")
@row("S1-14", "pass")
async def test_the_administrators_read_it(desk: HelpDesk) -> None:
    """Category, subject and text arrive at every administrator."""
    ben, ada = await desk.colleague(), await desk.user()
    number = await desk.file(ada, category="drives")
    await ben.catch_up()
    for console in (desk.team, ben):
        view = await console.inbox.get(number)
        assert (view.summary.category, view.summary.subject) == ("drives", SUBJECT)
        assert view.messages[0].body == TEXT


@row("S1-01", "refuse")
async def test_nobody_else_reads_it(desk: HelpDesk) -> None:
    """The relay holds no word, another user has no access, and whoever was removed reads nothing new."""
    ben, ada, bob = await desk.colleague(), await desk.user(), await desk.user("Bob")
    await desk.file(bob)
    await desk.team.members.remove("Ben")
    await ada.verify_team()
    number = await desk.file(ada, "Only for those who stayed")
    held = b"".join(item.entry for one in desk.relay.mailboxes for item in desk.relay.stored(one))
    assert not any(word.encode() in held for word in ("stayed", TEXT, "account"))
    await desk.closed_to(bob, next(place.mailbox for place in await ada.places()))
    with pytest.raises(SupportError):
        await ben.catch_up()
    assert not await ben.inbox.has(number)


@row("S1-27", "pass")
async def test_keys_turn_it_on(desk: HelpDesk) -> None:
    """Once an administrator has made keys there is a link, and tickets can be opened by them."""
    number = await desk.file(await desk.user())
    assert await desk.team.inbox.has(number)


@row("S1-27", "refuse")
async def test_without_keys_it_is_off(desk: HelpDesk) -> None:
    """A link of a team without keys opens nothing, and a link of the wrong keys is not believed."""
    pin = SupportLink.parse(desk.team.link)
    wrong = replace(pin, team_id=TeamId(bytes(32))).format()
    home = desk.folder / "lost"
    async with SupportClient(wrong, keystore=MemoryKeystore(), state_dir=home, relay=desk.relay) as lost:
        with pytest.raises(SupportError):
            await lost.verify_team()
        with pytest.raises(SupportError):
            await lost.tickets.create(SUBJECT, TEXT, category="bug", offline="raise")
    assert desk.relay.mailboxes == ()


# --- debug data --------------------------------------------------------------------------------------------------


@row("S1-04", "pass")
@row("S1-05", "pass")
@row("S1-06", "pass")
@row("S1-07", "pass")
@row("S1-08", "pass")
@row("S1-09", "pass")
@row("S1-10", "pass")
@row("S1-11", "pass")
@row("S1-12", "pass")
@row("S1-13", "pass")
async def test_what_is_previewed_arrives(desk: HelpDesk) -> None:
    """Every section of the catalogue says what it is for, and arrives byte for byte as the person saw it."""
    ada = await desk.user(redactors=())
    report = ada.collect(*CATALOGUE.values())
    seen = report.preview("json")
    assert all(one.purpose for one in report)
    number = await desk.file(ada, category="bug", debug=report)
    arrived = await desk.team.inbox.debug(number)
    assert arrived == seen.encode()
    told = json.dumps(json.loads(arrived))
    for value in ("Ada", "drive-one", "curve-one", "1000", "Browser/1", "1920", "block/one", "Writers"):
        assert value in told


@row("S1-04", "refuse")
async def test_what_was_not_seen_is_not_sent(desk: HelpDesk) -> None:
    """A report that nobody has looked at, or that was changed since, is refused; one that is declined stays here."""
    ada = await desk.user()
    report = ada.collect(*CATALOGUE.values())
    await refused(desk.file(ada, category="bug", debug=report), "no_consent")
    report.preview()
    report.drop("names.*")
    await refused(desk.file(ada, category="bug", debug=report), "no_consent")
    bob = await desk.user("Bob", consent=declined)
    number = await desk.file(bob, category="bug", debug=bob.collect(CATALOGUE["S1-10"]))
    assert await desk.team.inbox.debug(number) == b""
    assert [line.number for line in await desk.team.inbox.list()] == [number]


# --- the form ----------------------------------------------------------------------------------------------------


@row("S1-14", "refuse")
@row("S1x-1", "refuse")
async def test_no_other_category(desk: HelpDesk) -> None:
    """A category that is not of the list is refused on both sides."""
    ada = await desk.user()
    await refused(desk.file(ada, category="premium"), "unknown_category")
    await desk.rejected(ada, "unknown_category", category="premium")


@row("S1-15", "pass")
async def test_languages_are_shown(desk: HelpDesk) -> None:
    """Users see in which languages the administrators answer."""
    assert (await (await desk.user()).verify_team()).languages == ("en",)


@row("S1-15", "refuse")
@row("S1-16", "refuse")
async def test_only_owners_say_what_is_shown(desk: HelpDesk) -> None:
    """Advice and languages come with the signed policy: an agent changes neither, and what it hides is hidden."""
    ben = await desk.colleague("Ben", Role.AGENT)
    advice = (replace(INSTANCE.categories[0], guidelines="Send your password."), *INSTANCE.categories[1:])
    await refused(ben.policy.apply(replace(INSTANCE, categories=advice)), "nothing_to_sign")
    ada = await desk.user()
    assert ada.policy == INSTANCE
    assert await desk.team.policy.apply(replace(INSTANCE, show_languages=0)) is None
    assert (await ada.verify_team()).languages == ()


@row("S1-16", "pass")
@row("S1x-1", "pass")
async def test_six_categories_with_advice(desk: HelpDesk) -> None:
    """Each of the six takes tickets and says what administrators will need."""
    ada = await desk.user()
    ids = [category.id for category in ada.policy.categories]
    assert ids == ["account", "drives", "document", "abuse", "bug", "other"]
    assert all(len(category.guidelines) > 20 for category in ada.policy.categories)
    numbers = [await desk.file(ada, category=category) for category in ids]
    assert len(await desk.team.inbox.list()) == len(numbers)


@row("S1-24", "pass")
async def test_pictures_in_any_message(desk: HelpDesk) -> None:
    """A picture goes with the first message, with an answer of the user, and with one of the administrators."""
    ada = await desk.user()
    picture = FileSpec(PICTURE, name="screen.png")
    number = await desk.file(ada, attachments=[picture])
    await ada.tickets.reply(number, "Another one.", attachments=[picture])
    await desk.team.catch_up()
    await desk.team.inbox.reply(number, "Like this?", attachments=[picture])
    messages = (await ada.tickets.get(number)).messages
    assert [[file.name for file in message.attachments] for message in messages] == [["screen.png"]] * 3


@row("S1-24", "refuse")
async def test_no_other_files(desk: HelpDesk) -> None:
    """A log is refused before it is uploaded, for either side."""
    ada = await desk.user()
    number = await desk.file(ada)
    await refused(desk.file(ada, attachments=[LOG]), "attachment_type")
    await refused(ada.tickets.reply(number, "See the log.", attachments=[LOG]), "attachment_type")
    await refused(desk.team.inbox.reply(number, "See the log.", attachments=[LOG]), "attachment_type")
    assert "put_piece" not in desk.relay.calls


# --- talking -----------------------------------------------------------------------------------------------------


@row("S1-18", "pass")
@row("S1-21", "pass")
async def test_the_list_leads_to_answers(desk: HelpDesk) -> None:
    """A ticket of the list says that there is something to read; the user reads the answer and answers it."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.reply(number, "Which drive is it?")
    (line,) = await ada.tickets.list()
    assert (line.number, line.status_text, line.unread) == (number, "Answered", 1)
    await ada.tickets.mark_read(number)
    await ada.tickets.reply(number, "The blue one.")
    assert await desk.status(ada, number) == ("Open", "Unanswered")


@row("S1-19", "pass")
async def test_a_ticket_is_extended_before_it_is_answered(desk: HelpDesk) -> None:
    """The user adds to the first message, and goes on waiting since that one."""
    ada = await desk.user()
    number = await desk.file(ada)
    since = (await desk.team.inbox.get(number)).summary.waiting_since
    desk.pass_by(hours=1)
    await ada.tickets.reply(number, "I forgot: it is the blue drive.")
    await desk.team.catch_up()
    view = await desk.team.inbox.get(number)
    assert [message.body for message in view.messages] == [TEXT, "I forgot: it is the blue drive."]
    assert view.summary.waiting_since == since


@row("S1-19", "refuse")
@row("S1-21", "refuse")
@row("S1x-2", "refuse")
async def test_what_is_closed_is_not_extended(desk: HelpDesk) -> None:
    """After closing the user neither writes nor reopens, whichever program they use; a new ticket cites the old."""
    ada = await desk.user()
    number = await desk.file(ada)
    await ada.tickets.close(number)
    await refused(ada.tickets.reply(number, "One more thing."), "closed")
    await refused(ada.tickets.reopen(number, "It is back."), "reopen_never")
    await desk.ignored(ada, number, Kind.MESSAGE, MessageBody("One more thing.", 0), "closed")
    await desk.ignored(ada, number, Kind.REOPEN, ReopenBody("It is back."), "reopen_never")
    ref = await ada.tickets.follow_up(number, "It is back.")
    assert (await ada.tickets.get(ref.number)).related == number


@row("S1-20", "pass")
async def test_an_answer_rings(desk: HelpDesk) -> None:
    """An answer is one line behind the bell, which says so and leads to its ticket."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.reply(number, "Which drive is it?")
    (line,) = await ada.notifications()
    assert (line.kind, line.number, line.text) == ("response", number, "The team answered.")


@row("S1-20", "refuse")
async def test_only_answers_ring(desk: HelpDesk) -> None:
    """One's own words ring not, and a user cannot make the bell say that the team has answered."""
    ada = await desk.user()
    number = await desk.file(ada)
    await ada.tickets.reply(number, "I forgot something.")
    assert await ada.notifications() == ()
    other = await desk.second_device()
    await other.tickets.list()
    await desk.ignored(ada, number, Kind.MESSAGE, MessageBody("We are the team.", 1), "not_allowed")
    assert [one.kind for one in await other.notifications() if one.kind == "response"] == []


# --- the end of a ticket -----------------------------------------------------------------------------------------


@row("S1-22", "pass")
@row("S1-25", "pass")
@row("S1-26", "pass")
async def test_users_close_and_put_away(desk: HelpDesk) -> None:
    """A user closes at any time; the ticket stays in the list until its user removes it."""
    ada = await desk.user()
    number = await desk.file(ada)
    await ada.tickets.close(number)
    assert await desk.status(ada, number) == ("Closed", "Closed")
    assert [line.number for line in await ada.tickets.list()] == [number]
    await ada.tickets.hide(number)
    assert len(await ada.tickets.list()) == 0
    assert await desk.team.inbox.has(number)


@row("S1-22", "refuse")
@row("S1-23", "refuse")
async def test_what_is_closed_is_not_closed_again(desk: HelpDesk) -> None:
    """A second closing is refused, for either side."""
    ada = await desk.user()
    number = await desk.file(ada)
    await ada.tickets.close(number)
    await refused(ada.tickets.close(number), "closed")
    await refused(desk.team.inbox.close(number), "closed")


@row("S1-23", "pass")
async def test_administrators_close(desk: HelpDesk) -> None:
    """An administrator closes with a word, and the user sees both."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.close(number, "It is repaired.")
    ticket = await ada.tickets.get(number)
    assert (ticket.summary.status_text, ticket.messages[-1].body) == ("Closed", "It is repaired.")


@row("S1-26", "refuse")
@row("S1x-8", "refuse")
async def test_what_is_open_is_not_removed(desk: HelpDesk) -> None:
    """An open ticket stays in the list."""
    ada = await desk.user()
    number = await desk.file(ada)
    await refused(ada.tickets.hide(number), "not_closed")
    assert [line.number for line in await ada.tickets.list()] == [number]


@row("S1x-8", "pass")
async def test_what_was_removed_comes_back_when_it_is_open_again(desk: HelpDesk) -> None:
    """A removed ticket that an administrator opens again is in the list again."""
    ada = await desk.user()
    number = await desk.file(ada)
    await ada.tickets.close(number)
    await ada.tickets.hide(number)
    await desk.team.inbox.reopen(number, "We need one thing more.")
    assert [line.number for line in await ada.tickets.list()] == [number]


@row("S1x-2", "pass")
async def test_administrators_reopen(desk: HelpDesk) -> None:
    """Where more information is needed, an administrator opens a closed ticket again, and the user answers."""
    ada = await desk.user()
    number = await desk.file(ada)
    await ada.tickets.close(number)
    await desk.team.catch_up()
    await desk.team.inbox.reopen(number, "Which drive was it?")
    await ada.tickets.reply(number, "The blue one.")
    assert await desk.status(ada, number) == ("Open", "Unanswered")


# --- the administrators' side ------------------------------------------------------------------------------------


@row("S1x-3", "pass")
@row("S1x-4", "pass")
async def test_the_inbox(desk: HelpDesk) -> None:
    """Unanswered, answered, archived and closed are groups; tags, subject, number and the claimed plan find tickets."""
    ada = await desk.user(profile=Profile(name="Ada", account_type="premium"))
    numbers = [await desk.file(ada, f"Drive number {n}") for n in range(4)]
    inbox = desk.team.inbox
    await inbox.reply(numbers[1], "Which drive is it?")
    await inbox.archive(numbers[2])
    await inbox.close(numbers[3])
    for status, number in zip(("unanswered", "answered", "archived", "closed"), numbers, strict=True):
        assert [line.number for line in await inbox.list(status=status)] == [number]
    await inbox.tag(numbers[0], ["sync"])
    assert [line.number for line in await inbox.list(tag="sync")] == [numbers[0]]
    for text in ("number 3", numbers[3]):
        assert [line.number for line in await inbox.list(text=text)] == [numbers[3]]
    assert (await inbox.get(numbers[0])).summary.account == "premium"


@row("S1x-5", "pass")
async def test_administrators_write_first(desk: HelpDesk) -> None:
    """With a card that the user handed over an administrator opens a ticket, and the user answers it."""
    ada = await desk.user()
    card = await ada.tickets.card()
    line = await desk.team.inbox.open_for(card, "Your drive is full", "Please look.", category="drives")
    (ticket,) = await ada.tickets.list()
    assert (ticket.number, ticket.subject, ticket.unread) == (line.number, "Your drive is full", 1)
    await ada.tickets.reply(line.number, "I have looked.")
    await desk.team.catch_up()
    assert (await desk.team.inbox.get(line.number)).messages[-1].body == "I have looked."


@row("S1x-5", "refuse")
async def test_only_administrators_write_first(desk: HelpDesk) -> None:
    """A changed card opens nothing, a card serves once, and whoever only reads opens no ticket."""
    ada, eve = await desk.user(), await desk.colleague("Eve", Role.AUDITOR)
    card = await ada.tickets.card()
    await refused(eve.inbox.open_for(card, SUBJECT, TEXT, category="drives"), "not_allowed")
    changed = card[:-2] + ("AA" if card[-2:] != "AA" else "BB")
    with pytest.raises(SupportError):
        await desk.team.inbox.open_for(changed, SUBJECT, TEXT, category="drives")
    await desk.team.inbox.open_for(card, SUBJECT, TEXT, category="drives")
    await refused(desk.team.inbox.open_for(card, "Another", TEXT, category="drives"), "card_used")
    assert len(await ada.tickets.list()) == 1


@row("S1x-6", "pass")
async def test_answering_as_the_team(desk: HelpDesk) -> None:
    """Each administrator chooses whether users read their name."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.reply(number, "We look into it.", as_team=True)
    await desk.team.inbox.reply(number, "It is repaired.", as_team=False)
    said = (await ada.tickets.get(number)).messages[1:]
    assert [(one.author.name, one.author.role) for one in said] == [
        ("Support team", Speaker.TEAM),
        ("Anna", Speaker.TEAM),
    ]


@row("S1x-6", "refuse")
async def test_users_do_not_answer_as_the_team(desk: HelpDesk) -> None:
    """A user's message that claims to be the team's is passed over and shown as the user's."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.ignored(ada, number, Kind.MESSAGE, MessageBody("We are the team.", 1), "not_allowed")
    assert (await ada.tickets.get(number)).messages[-1].author.role is Speaker.USER


@row("S1x-7", "pass")
async def test_shared_answers(desk: HelpDesk) -> None:
    """What one administrator saves another one uses, and what is used most stands first."""
    ben = await desk.colleague()
    await desk.team.snippets.save("ask", "Which drive is it?")
    await desk.team.snippets.save("thanks", "Thank you.")
    await ben.catch_up()
    await ben.snippets.count_use("thanks")
    assert [one.id for one in await ben.snippets.list()] == ["thanks", "ask"]
    number = await desk.file(await desk.user())
    await ben.catch_up()
    assert await ben.snippets.fill("ask", number) == "Which drive is it?"
