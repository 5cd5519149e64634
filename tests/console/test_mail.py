"""Mails of agents: what stands in them, who gets them, and that none goes out twice, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console_room import Killed, User
from e2e_support.content import Pair, ReopenBody, SettingBody
from e2e_support.errors import TransportError, UsageError
from e2e_support.policy_parts import MailMode, NoteMode
from e2e_support.presets import DEFAULT
from e2e_support.vocab import Kind, SettingKind
from e2e_support_client.testing import Fault
from e2e_support_console import mailing
from e2e_support_console.agent import Agent
from e2e_support_console.agent_file import NAME, mail_settings
from e2e_support_console.mail import Connection, Letter, Mailer, MailSettings, Security, compose, is_address
from e2e_support_console.team import TeamClient
from e2e_support_console.team_space import TeamSpace
from mail_kit import PASSWORD, USER, Hours, MailServer, mail_server
from team_room import TeamRoom

ADA, ADMIN = "ada@example.org", "anna@example.org"
MAILS = replace(
    DEFAULT,
    close=replace(DEFAULT.close, resolved_days=7, reminder_days=5),
    resolution_note=NoteMode.OPTIONAL,
    notify=replace(DEFAULT.notify, user_mail=MailMode.OPT_IN, receipt_mail=1, staff_mail=1),
)


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncGenerator[TeamRoom]:
    """Yield a room whose policy lets all mails be sent."""
    async with TeamRoom(tmp_path, policy=MAILS) as room:
        yield room


@pytest.fixture
async def server() -> AsyncGenerator[MailServer]:
    """Yield a mail server."""
    async with mail_server() as server:
        yield server


async def ask(crew: TeamRoom, address: str = ADA, **changes: Any) -> User:
    """Return a user who wants mails and has opened a ticket."""
    return await crew.ticket("No invoice", profile=(Pair("notify_email", address),), **changes)


async def mails(team: TeamClient, server: MailServer, **settings: Any) -> int:
    """Run an agent of its own once; return how many mails it sent."""
    report = await Agent(team, server.mailer(**settings)).run_once()
    assert report.trouble is None
    return report.mails


# --- what is sent ----------------------------------------------------------------------------------------


async def test_a_mail_says_no_more_than_that_there_is_news(crew: TeamRoom, server: MailServer) -> None:
    """Number, application and link stand in a mail, and not a word of the ticket; nothing is sent twice."""
    anna = await crew.start()
    user = await ask(crew, text="The list is empty.")
    to = {"to": (ADMIN,), "application": "Example", "link": "https://app.example.org/support"}
    assert await mails(anna, server, **to) == 2
    await anna.inbox.reply(user.number, "We look into it.")
    assert await mails(anna, server, **to) == 1
    assert await mails(anna, server, **to) == 0
    assert [(who, mail["Subject"]) for who, mail in server.mails] == [
        (ADMIN, f"New ticket {user.number}"),
        (ADA, f"Your ticket {user.number}"),
        (ADA, f"News in your ticket {user.number}"),
    ]
    last = server.mails[-1][1]
    assert str(last.get_payload()).split() == (
        f"There is something new in your ticket {user.number}. Example https://app.example.org/support".split()
    )
    assert sorted(last.keys()) == [
        "Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "MIME-Version",
        "Message-ID", "Subject", "To",
    ]  # fmt: skip
    for word in ("invoice", "empty", "look into", "Anna"):
        assert all(word not in mail.as_string() for _, mail in server.mails)


async def test_what_users_hear_of(
    crew: TeamRoom, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers, changes, resolutions and closings, near or done, are news; the user's own words are not."""
    hours = Hours(crew.relay, monkeypatch)
    anna = await crew.start()
    user = await ask(crew)
    assert await mails(anna, server) == 1
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: anna.inbox.reply(user.number, "We look into it."),
        lambda: anna.inbox.set_status(user.number, "progress"),
        lambda: anna.inbox.resolve(user.number, "Fixed."),
    ]
    for step in steps:
        await step()
        assert await mails(anna, server) == 1
    hours.pass_by(days=4.9)
    assert await mails(anna, server) == 0
    hours.pass_by(days=0.2)
    assert await mails(anna, server) == 1
    hours.pass_by(days=2)
    assert await mails(anna, server) == 1
    hours.pass_by(days=0.4)
    assert await mails(anna, server) == 0
    await user.pull()
    await user.send(Kind.REOPEN, ReopenBody("It is back."))
    await user.say("Hello?")
    assert await mails(anna, server) == 0
    await anna.inbox.close(user.number, "Enough.")
    assert await mails(anna, server) == 1
    assert len({mail["Message-ID"] for _, mail in server.mails}) == 7


async def test_the_newest_news_stands_for_the_rest(crew: TeamRoom, server: MailServer) -> None:
    """Several answers since the last mail are one mail, and no older one is sent once a newer one was."""
    anna = await crew.start()
    ben = await crew.add(anna, "Ben")
    user = await ask(crew)
    await anna.catch_up()
    for text in ("One.", "Two.", "Three."):
        await anna.inbox.reply(user.number, text)
    assert await mails(anna, server) == 2
    assert await mails(ben, server) == 0


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 3),
        ({"receipt_mail": 0}, 2),
        ({"staff_mail": 0}, 2),
        ({"user_mail": MailMode.OFF}, 2),
        ({"reply": 0}, 2),
        ({"receipt_mail": 0, "staff_mail": 0, "user_mail": MailMode.OFF}, 0),
    ],
)
async def test_the_policy_says_which_mails_there_are(
    tmp_path: Path, server: MailServer, changes: dict[str, Any], count: int
) -> None:
    """Each switch of the policy turns its mails off, and no others."""
    policy = replace(MAILS, notify=replace(MAILS.notify, **changes))
    async with TeamRoom(tmp_path, policy=policy) as crew:
        anna = await crew.start()
        user = await ask(crew)
        await anna.catch_up()
        await anna.inbox.reply(user.number, "We look into it.")
        assert await mails(anna, server, to=(ADMIN,)) == count


async def test_old_news_and_spam_are_not_mailed(
    crew: TeamRoom, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is older than a day is no news any more, and whoever sends spam hears nothing."""
    hours = Hours(crew.relay, monkeypatch)
    anna = await crew.start()
    await ask(crew)
    spam = await ask(crew)
    await anna.catch_up()
    await anna.inbox.spam(spam.number)
    assert await mails(anna, server) == 1
    await ask(crew)
    hours.pass_by(days=1.1)
    assert await mails(anna, server) == 0


# --- addresses -------------------------------------------------------------------------------------------

EVIL = [
    "ada@example.org\r\nBcc: all@example.org",
    "ada@example.org\nSubject: Hello",
    "ada@example.org, eve@example.org",
    "Ada <ada@example.org>",
    '"a b"@example.org',
    "ada@example.org;eve@example.org",
    "ada@@example.org",
    "@example.org",
    "ada@-example.org",
    "ada@example.org\x00",
    "adä@example.org",
    "",
]


@pytest.mark.parametrize("address", EVIL)
async def test_an_address_is_an_address_alone(crew: TeamRoom, server: MailServer, address: str) -> None:
    """No line end, list, quoting or name comes through: nobody gets a mail by such an address."""
    anna = await crew.start()
    await ask(crew, address)
    assert await mails(anna, server) == 0
    with pytest.raises(UsageError):
        compose(Letter(address, "Hello", "Hello"), MailSettings("h", 25, Security.NONE, ADMIN))


@given(st.text())
@example("a.b+c@mail.example.org")
def test_no_address_adds_a_header(text: str) -> None:
    """Whatever passes for an address stands in one header and leaves the others as they were."""
    settings = MailSettings("127.0.0.1", 25, Security.NONE, ADMIN)
    if is_address(text):
        mail = compose(Letter(text, "News", "News"), settings)
        assert (mail["To"], mail["Subject"], mail["From"]) == (text, "News", ADMIN)
    else:
        with pytest.raises(UsageError):
            compose(Letter(text, "News", "News"), settings)


# --- the mail server -------------------------------------------------------------------------------------


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_mails_go_through_a_server_that_proves_its_name(
    crew: TeamRoom, tmp_path: Path, security: Security
) -> None:
    """With TLS the password is given to a server whose certificate holds, and to no other one."""
    anna = await crew.start()
    await ask(crew)
    async with mail_server(tmp_path / "tls", implicit=security is Security.TLS) as server:
        mailer = server.signed_in(security)
        for bad in (replace(mailer.settings, ca=""), replace(mailer.settings, host="localhost")):
            report = await Agent(anna, Mailer(bad)).run_once()
            assert report.trouble is not None
            assert (report.mails, report.trouble.code) == (0, "mail_away")
        assert (await Agent(anna, mailer).run_once()).mails == 1
        assert len(server.mails) == 1


async def test_a_server_without_tls_gets_nothing_where_tls_is_wanted(
    crew: TeamRoom, server: MailServer
) -> None:
    """Somebody in the middle who takes STARTTLS away gets no mail and no password."""
    anna = await crew.start()
    await ask(crew)
    for mailer in (server.signed_in(Security.STARTTLS), server.mailer(security=Security.STARTTLS)):
        report = await Agent(anna, mailer).run_once()
        assert report.trouble is not None
        assert (report.mails, report.trouble.code, server.mails) == (0, "mail_away", [])


async def test_nothing_is_lost_while_the_mail_server_is_away(crew: TeamRoom, server: MailServer) -> None:
    """Nothing is claimed before the server answers, so the mail goes out once it is back."""
    anna = await crew.start()
    await ask(crew)
    report = await Agent(anna, server.mailer(port=1)).run_once()
    assert report.trouble is not None
    assert report.trouble.code == "mail_away"
    assert await TeamSpace(anna.desk).entries() == []
    assert await mails(anna, server) == 1


async def test_a_mail_that_is_put_off_is_sent_later_and_a_refused_one_never(
    crew: TeamRoom, server: MailServer
) -> None:
    """After a 4xx the same agent tries again, after a 5xx it does not; neither is sent by another one."""
    anna = await crew.start()
    ben = await crew.add(anna, "Ben")
    await ask(crew)
    await ask(crew, "eve@example.org")
    server.answers = ["451 later", "554 never"]
    agent = Agent(anna, server.mailer())
    assert (await agent.run_once()).mails == 0
    assert await mails(ben, server) == 0
    assert [(await agent.run_once()).mails for _ in range(2)] == [1, 0]
    assert [to for to, _ in server.mails] == [ADA]


# --- limits ----------------------------------------------------------------------------------------------


async def test_an_hour_has_room_for_so_many_mails(
    crew: TeamRoom, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes over the limit waits for the next hour, whether or not the agent was started anew."""
    hours = Hours(crew.relay, monkeypatch)
    anna = await crew.start()
    for number in range(5):
        await ask(crew, f"user{number}@example.org")
    assert [await mails(anna, server, per_hour=3) for _ in range(2)] == [3, 0]
    hours.pass_by(seconds=3601)
    assert [await mails(anna, server, per_hour=3) for _ in range(2)] == [2, 0]
    assert len({to for to, _ in server.mails}) == 5


async def test_nobody_floods_an_address_that_is_not_theirs(
    crew: TeamRoom, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever names a stranger's address in many tickets has few mails sent to it an hour; others get theirs."""
    monkeypatch.setattr(mailing, "PER_ADDRESS", 2)
    anna = await crew.start()
    for _ in range(4):
        await ask(crew, "victim@example.org")
    await ask(crew)
    assert [await mails(anna, server) for _ in range(2)] == [3, 0]
    assert sorted(to for to, _ in server.mails) == [ADA, "victim@example.org", "victim@example.org"]


async def test_mails_never_fill_the_team_space(
    crew: TeamRoom, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claims go on in the next volume, where settings find their place too; what was claimed before stays so."""
    monkeypatch.setattr("e2e_support.space.VOLUME_MAX", 3)
    anna = await crew.start()
    for _ in range(5):
        await ask(crew)
        assert await mails(anna, server) == 1
    await anna.snippets.save("hello", "Hello", "Hello.")
    assert await mails(anna, server) == 0
    assert len(await TeamSpace(anna.desk).kept()) == 6


# --- once ------------------------------------------------------------------------------------------------


async def test_of_several_agents_one_sends_each_mail(crew: TeamRoom, server: MailServer) -> None:
    """Three agents that see the same news at once send each mail once together."""
    anna = await crew.start()
    teams = [anna, await crew.add(anna, "Ben"), await crew.add(anna, "Cleo")]
    users = [await ask(crew) for _ in range(5)]
    counts = await asyncio.gather(*(mails(team, server, to=(ADMIN,)) for team in teams))
    assert sum(counts) == 10
    assert sorted(server.subjects) == sorted(
        f"{what} {user.number}" for user in users for what in ("New ticket", "Your ticket")
    )
    assert sum([await mails(team, server, to=(ADMIN,)) for team in teams]) == 0


async def test_a_crash_between_claim_and_sending_loses_one_mail(
    crew: TeamRoom, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most once: what was claimed by an agent that died is sent by nobody; all others are."""
    anna = await crew.start()
    ben = await crew.add(anna, "Ben")
    await ask(crew)
    await ask(crew)

    async def die(_self: Connection, _letter: Letter) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "send", die)
        with pytest.raises(Killed):
            await mails(anna, server)
    assert [await mails(team, server) for team in (ben, anna)] == [1, 0]


async def test_a_claim_whose_answer_was_lost_is_still_ours(crew: TeamRoom, server: MailServer) -> None:
    """Where it is not known whether a claim was stored, the next run finds out and sends the mail once."""
    anna = await crew.start()
    await ask(crew)
    await anna.catch_up()
    await TeamSpace(anna.desk).write(*_setting())
    agent = Agent(anna, server.mailer())

    async def check(_self: Connection) -> None:
        crew.relay.inject(Fault.LOST_ANSWER, times=1)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Connection, "check", check)
        report = await agent.run_once()
    assert isinstance(report.trouble, TransportError)
    assert report.mails == 0
    assert [(await agent.run_once()).mails for _ in range(2)] == [1, 0]
    assert len(server.mails) == 1


def _setting() -> tuple[Kind, Any]:
    return Kind.SETTING, SettingBody(SettingKind.SNIPPET, "hello", 0, "", "Hello.", ())


# --- agent.toml ------------------------------------------------------------------------------------------

WHOLE = f"""
[mail]
host = "smtp.example.org"
user = "{USER}"
password_file = "mail.password"
from = "support@example.org"
to = ["{ADMIN}"]
application = "Example"
link = "https://app.example.org/support"
per_hour = 7
"""


def written(home: Path, text: str) -> Path:
    """Return a home with an ``agent.toml`` and a password."""
    (home / NAME).write_text(text)
    (home / "mail.password").write_text(f"{PASSWORD}\n")
    (home / "mail.password").chmod(0o600)
    return home


def test_the_agent_reads_its_file(tmp_path: Path) -> None:
    """Everything in the file counts, STARTTLS is the default, and no print shows the password."""
    assert mail_settings(tmp_path) is None
    settings = mail_settings(written(tmp_path, WHOLE), ["ben@example.org", ADMIN])
    assert settings is not None
    assert (settings.port, settings.security, settings.per_hour) == (587, Security.STARTTLS, 7)
    assert settings.to == (ADMIN, "ben@example.org")
    assert PASSWORD not in repr(settings)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('host = "smtp.example.org"', ""),
        ('host = "smtp.example.org"', "host = 5"),
        ("[mail]", "[post]"),
        ("per_hour = 7", "per_hour = 0"),
        ("per_hour = 7", "per_hour = true"),
        ("per_hour = 7", "per_minute = 7"),
        ("per_hour = 7", 'security = "maybe"'),
        ("per_hour = 7", 'security = "none"'),
        ("per_hour = 7", "per_hour"),
        ("support@example.org", "support"),
        (f'["{ADMIN}"]', f'"{ADMIN}"'),
        (f'"{ADMIN}"', '"anna"'),
        ('"Example"', r'"Example\r\nBcc: eve@example.org"'),
        (f'user = "{USER}"', ""),
    ],
)
def test_a_file_that_is_wrong_is_told(tmp_path: Path, before: str, after: str) -> None:
    """No agent starts with settings that it does not understand, or that would give a password away."""
    assert before in WHOLE
    home = written(tmp_path, WHOLE.replace(before, after, 1))
    with pytest.raises(UsageError) as error:
        mail_settings(home)
    assert error.value.code == "bad_agent_file"
    assert PASSWORD not in error.value.message


def test_a_password_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The password's file is as private as a passphrase's, or the agent does not start."""
    written(tmp_path, WHOLE)
    (tmp_path / "mail.password").chmod(0o644)
    with pytest.raises(UsageError) as error:
        mail_settings(tmp_path)
    assert error.value.code == "unsafe_file"
    with pytest.raises(UsageError) as error:
        mail_settings(tmp_path, ["no address"])
    assert error.value.code == "bad_email"
