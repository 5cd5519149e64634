"""`SupportClient` over a relay in memory: opening, reading, answering, closing, and staying honest offline."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2e_support.content import FieldsBody, OpenBody, Pair
from e2e_support.crypto.secret import SECRET_ACCESS
from e2e_support.errors import PeerError, SupportError, TransportError, TrustError, UsageError
from e2e_support.policy import Policy
from e2e_support.policy_parts import PriorityMode, StaffIdentity
from e2e_support.presets import DEFAULT
from e2e_support.support_link import SupportLink
from e2e_support.vocab import Kind, Verdict
from e2e_support_client import (
    Choice,
    FileSpec,
    Finding,
    MemoryKeystore,
    Profile,
    Progress,
    Role,
    State,
    SupportClient,
    team,
)
from e2e_support_client.debug.report import DebugReport, Field
from e2e_support_client.model import EventKind
from e2e_support_client.testing import Fault
from e2e_support_keys.bundle import DeviceBundle, UserBundle
from e2e_support_keys.phrase import from_phrase
from team_builder import EPOCH, Team, device, seed_of
from user_kit import BODY, FAKE_URL, SUBJECT, World, fake_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A team at a relay in memory."""
    return fake_world(tmp_path)


def with_staff(identity: StaffIdentity) -> Policy:
    """Return a policy that shows the team in one way."""
    return replace(DEFAULT, staff=replace(DEFAULT.staff, identity=identity))


async def opened(user: SupportClient, **options: Any) -> str:
    """Open a ticket and return its number."""
    return (await user.tickets.create(SUBJECT, BODY, category="billing", **options)).number


async def refusal(work: Any) -> SupportError:
    """Return the error that something raises."""
    with pytest.raises(SupportError) as caught:
        await work
    return caught.value


# --- there and back --------------------------------------------------------------------------------------------


async def test_a_ticket_travels_to_the_team_and_back(world: World) -> None:
    """What a user writes reaches the team, and the team's answer reaches the user, verified on both sides."""
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        assert ref.state == "stored"
        (read,) = await world.console.read(ref.number)
        assert BODY in repr(read.body)
        await world.console.answer(ref.number, "Look again.")
        ticket = await user.tickets.get(ref.number)
    assert [(m.body, m.author.role, m.verified) for m in ticket.messages] == [
        (BODY, Role.USER, True),
        ("Look again.", Role.TEAM, True),
    ]


async def test_a_reply_reaches_the_team(world: World) -> None:
    """A user may add to a ticket before anybody has answered (S1-19)."""
    async with world.client() as user:
        number = await opened(user)
        ref = await user.tickets.reply(number, "It is the one of May.")
        assert (ref.number, ref.state) == (number, State.STORED)
    assert "It is the one of May." in repr((await world.console.read(number))[-1].body)


async def test_texts_are_normalised(world: World) -> None:
    """Decomposed letters and halves of characters can be sent: they become what the protocol allows."""
    async with world.client() as user:
        ref = await user.tickets.create("Caf\u0065\u0301 is closed", "half \ud83d of it", category="other")
        ticket = await user.tickets.get(ref.number)
    assert ticket.summary.subject == "Caf\u00e9 is closed"
    assert ticket.messages[0].body == "half ? of it"


async def test_profile_and_fields_travel_in_the_opening(world: World) -> None:
    """The team learns of the user what the host gave, and nothing else."""
    profile = Profile(name="Ada", account="u-17", account_type="paid")
    async with world.client(profile=profile) as user:
        number = await opened(user, fields={"impact": "Everyone"})
        assert (await user.tickets.get(number)).messages[0].author.name == "Ada"
    (read,) = await world.console.read(number)
    assert isinstance(read.body, OpenBody)
    assert {pair.name: pair.value for pair in read.body.profile} == {
        "name": "Ada",
        "account": "u-17",
        "account_type": "paid",
    }
    assert read.body.fields == (Pair("impact", "Everyone"),)


async def test_a_ticket_can_refer_to_another(world: World) -> None:
    """A new ticket names the one that it follows, in the usual spelling (S2-33)."""
    async with world.client() as user:
        first = await opened(user)
        second = await opened(user, related=first.lower())
        assert (await user.tickets.get(second)).related == first


async def test_a_ticket_refers_to_none_that_is_not_here(world: World) -> None:
    """A mistyped number is refused before anything is kept: nobody could follow it."""
    async with world.client() as user:
        await user.verify_team()
        error = await refusal(opened(user, related="T-00000-00000"))
        assert (error.code, bool(error.hint)) == ("unknown_ticket", True)
        assert await user.outbox.list() == ()


async def test_two_tickets_share_nothing_at_the_relay(world: World) -> None:
    """Two tickets of one user have different mailboxes and keys; nothing the relay has links them (attack 29)."""
    async with world.client() as user:
        numbers = {await opened(user), await opened(user)}
    assert len(numbers) == 2
    assert len(world.fake.mailboxes) == 2


# --- names and verdicts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "as_team", "name"),
    [
        (StaffIdentity.TEAM, False, "Support team"),
        (StaffIdentity.NAMED, True, "anna"),
        (StaffIdentity.PER_ADMIN, True, "Support team"),
        (StaffIdentity.PER_ADMIN, False, "anna"),
    ],
)
async def test_the_policy_says_how_the_team_is_named(
    tmp_path: Path, identity: StaffIdentity, as_team: bool, name: str
) -> None:
    """Answers are shown as the team or by name, as the policy or the administrator says (C12)."""
    world = fake_world(tmp_path, with_staff(identity))
    async with world.client() as user:
        number = await opened(user)
        await world.console.answer(number, as_team=as_team)
        answer = (await user.tickets.get(number)).messages[-1]
    assert (answer.author.role, answer.author.name) == (Role.TEAM, name)
    assert answer.author.device == world.console.device.device_id.hex()


async def test_a_resolution_is_a_message_and_stays_pinned(world: World) -> None:
    """The note of a resolution can be read in the ticket and on top of it (S2-23)."""
    async with world.client() as user:
        number = await opened(user)
        await world.console.resolve(number, "It was a full disk.")
        await world.console.close(number)
        ticket = await user.tickets.get(number)
    assert ticket.resolution == "It was a full disk."
    assert ticket.messages[-1].kind is EventKind.RESOLVED
    assert (ticket.summary.status, ticket.summary.status_text) == ("closed", "Closed")


async def test_status_and_fields_are_those_of_the_log(world: World) -> None:
    """Labels, category and priority are computed from the log by the policy's table."""
    async with world.client() as user:
        number = await opened(user)
        assert (await user.tickets.get(number)).summary.status == "open"
        await world.console.progress(number)
        await world.console.write(number, Kind.FIELDS, FieldsBody("data", "urgent", b"", ()))
        summary = (await user.tickets.get(number)).summary
    assert (summary.status, summary.category, summary.priority) == ("progress", "data", "urgent")


async def test_an_answer_that_breaks_a_rule_is_shown_as_such(world: World) -> None:
    """What a device of the team writes against the rules is visible in quarantine and changes nothing."""
    async with world.client() as user:
        number = await opened(user)
        await world.console.write(number, Kind.FIELDS, FieldsBody("nonsense", "", b"", ()))
        ticket = await user.tickets.get(number)
    assert ticket.summary.category == "billing"
    assert (ticket.messages[-1].verdict, ticket.messages[-1].reason) == (
        Verdict.NONCONFORMING,
        "unknown_category",
    )


# --- rules, before anything is sent --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"subject": "x" * 201}, "subject_too_long"),
        ({"subject": "x"}, "subject_too_short"),
        ({"body": ""}, "text_too_short"),
        ({"category": "nonsense"}, "unknown_category"),
        ({"priority": "high"}, "priority_not_yours"),
        ({"fields": {"impact": "Nobody"}}, "unknown_field"),
    ],
)
async def test_a_refused_ticket_sends_nothing_and_is_kept(
    world: World, changed: dict[str, Any], code: str
) -> None:
    """The rule and what to do are told before anything leaves the device, and the text is not lost."""
    words: dict[str, Any] = {"subject": SUBJECT, "body": BODY, "category": "billing", **changed}
    async with world.client() as user:
        error = await refusal(user.tickets.create(**words))
        assert (type(error), error.code) == (UsageError, code)
        assert error.hint
        (item,) = await user.outbox.list()
        assert (item.state, item.code, item.number) == (State.FAILED, code, "")
        assert not await user.tickets.list()
    assert not {"create", "append"} & set(world.fake.calls)


async def test_users_choose_priorities_where_they_may(tmp_path: Path) -> None:
    """Where the policy lets users choose, their choice counts (S0-08, S4-09)."""
    policy = replace(DEFAULT, priority=replace(DEFAULT.priority, mode=PriorityMode.USER))
    world = fake_world(tmp_path, policy)
    async with world.client() as user:
        number = await opened(user, priority="urgent")
        assert (await user.tickets.get(number)).summary.priority == "urgent"


async def test_unknown_and_impossible_numbers_are_told_apart(world: World) -> None:
    """A typing error in a number and a number of somebody else are two different things."""
    async with world.client() as user:
        assert (await refusal(user.tickets.get("T-00000-00000"))).code == "unknown_ticket"
        assert (await refusal(user.tickets.reply("nonsense", "x"))).code == "bad_number"


# --- lists -----------------------------------------------------------------------------------------------------


async def test_lists_can_be_searched_and_filtered(world: World) -> None:
    """Tickets are found by status, category, and text in number, subject or messages."""
    async with world.client() as user:
        first = await opened(user)
        second = (await user.tickets.create("Cannot log in", "It says no.", category="account")).number
        await world.console.answer(second, "Try the blue button.")
        found = user.tickets.list
        assert {t.number for t in await found()} == {first, second}
        assert [t.number for t in await found(status="open")] == [first]
        assert [t.number for t in await found(status="Waiting for you")] == [second]
        assert [t.number for t in await found(category="account")] == [second]
        assert [t.number for t in await found(text="BLUE button")] == [second]
        assert [t.number for t in await found(text=first[2:7])] == [first]
        assert len(await found(limit=1)) == 1
        assert not await found(text="nothing has this")


@pytest.mark.parametrize(
    ("asked", "named"),
    [({"status": "opne"}, "waiting (Waiting for you)"), ({"category": "biling"}, "billing")],
)
async def test_a_filter_that_fits_nothing_names_what_there_is(
    world: World, asked: dict[str, Any], named: str
) -> None:
    """A mistyped status or category is no empty list: the refusal says which there are."""
    async with world.client() as user:
        await opened(user)
        assert len(await user.tickets.list(status=[])) == 0
        error = await refusal(user.tickets.list(**asked))
        (what,) = asked
        assert error.code == f"unknown_{what}"
        assert named in error.hint


async def test_statuses_of_this_device_alone_are_known(world: World) -> None:
    """What waits here can be asked for, though no policy names it; before any team is known all can be asked."""
    async with world.client() as user:
        world.fake.inject(Fault.OFFLINE)
        assert len(await user.tickets.list(status="nonsense")) == 0
        world.fake.heal()
        await user.verify_team()
        world.fake.inject(Fault.OFFLINE)
        await opened(user)
        assert len(await user.tickets.list(status="queued")) == 1
        assert len(await user.tickets.list(status="failed")) == 0


async def test_unread_counts_what_the_team_said(world: World) -> None:
    """A person's own messages are never unread; the team's are until they are marked read."""
    async with world.client() as user:
        number = await opened(user)
        await world.console.answer(number)
        await world.console.progress(number)
        assert (await user.tickets.list())[0].unread == 1
        await user.tickets.mark_read(number)
        assert (await user.tickets.list())[0].unread == 0
    async with world.client() as user:
        assert (await user.tickets.list())[0].unread == 0


async def test_tickets_survive_a_restart_and_can_be_read_offline(world: World) -> None:
    """A new process shows what is known from the encrypted store, and says that it is not what the relay has."""
    async with world.client() as user:
        number = await opened(user)
        await world.console.answer(number)
        await user.tickets.get(number)
    world.fake.inject(Fault.OFFLINE)
    async with world.client() as user:
        page, ticket = await user.tickets.list(), await user.tickets.get(number)
    assert page.offline and ticket.offline  # noqa: PT018 - one claim
    assert [message.body for message in ticket.messages] == [BODY, "Look again."]


async def test_an_older_roster_stops_no_reading(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the relay serves an older list of administrators, what is known is shown and the reason is told."""
    monkeypatch.setattr(team, "READ_AFTER", 0)
    console = world.console
    batch = console.team.prepare((EPOCH, [console.device]))
    console.team.accept(batch)
    world.fake.take_batch(console.team.team_id, batch)
    async with world.client() as user:
        number = await opened(user)
        world.fake.inject(Fault.OLD_ROSTER)
        ticket = await user.tickets.get(number)
    assert "older list" in ticket.offline
    assert ticket.messages[0].body == BODY


async def test_what_is_up_to_date_says_nothing_of_offline(world: World) -> None:
    """Without trouble there is no hint."""
    async with world.client() as user:
        number = await opened(user)
        assert (await user.tickets.list()).offline == ""
        assert (await user.tickets.get(number)).offline == ""


async def test_nothing_readable_is_on_the_disk(world: World) -> None:
    """Neither drafts nor tickets nor keys stand in the clear in any file of the state directory (attack 62)."""
    async with world.client() as user:
        await opened(user)
        world.fake.inject(Fault.OFFLINE)
        await user.tickets.create("Another subject", "Unsent words", category="other")
        held = b"".join(path.read_bytes() for path in (world.folder / "user").rglob("*") if path.is_file())
    for secret in (SUBJECT, BODY, "Another subject", "Unsent words", "billing"):
        assert secret.encode() not in held


async def test_logs_hold_steps_and_codes_only(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """At the most talkative level no logger of this process learns a word, a number or a key (canary)."""
    caplog.set_level(logging.DEBUG)
    async with world.client(profile=Profile(name="Ada Lovelace")) as user:
        number = await opened(user, attachments=[FileSpec(b"file body", name="secret-name.txt")])
        await world.console.answer(number, "Look again.")
        await user.tickets.get(number)
        world.fake.inject(Fault.ROLLBACK)
        await user.tickets.list()
        phrase = (await user.register()).recovery_phrase
    bundle = world.keys().load()
    assert isinstance(bundle, UserBundle)
    for secret in (SUBJECT, BODY, "Ada", "secret-name", "Look again", number, phrase.split()[0] + " "):
        assert secret not in caplog.text
    for key in (bundle.master, bundle.store_key):
        assert key.reveal(SECRET_ACCESS).hex() not in caplog.text
    assert "delivery: stored" in caplog.text
    assert "a ticket's log: rollback" in caplog.text


# --- what users may do -----------------------------------------------------------------------------------------


async def test_actions_follow_the_rules(world: World) -> None:
    """A client offers exactly what others would accept: reply, close while open, reopen within the window."""
    async with world.client() as user:
        number = await opened(user)
        assert (await user.tickets.get(number)).actions == {"reply", "close"}
        await user.tickets.close(number, note="Found it.")
        ticket = await user.tickets.get(number)
        assert ticket.actions == {"reply", "reopen", "hide", "erase"}
        assert ticket.messages[-1].body == "Found it."
        await user.tickets.reopen(number, "Lost it again.")
        assert (await user.tickets.get(number)).summary.status == "open"


async def test_a_reply_reopens_where_the_policy_says_so(world: World) -> None:
    """A reply to a closed ticket within the window opens it again (S4-23)."""
    async with world.client() as user:
        number = await opened(user)
        await world.console.close(number)
        await user.tickets.reply(number, "One more thing.")
        assert (await user.tickets.get(number)).summary.status == "open"


async def test_closing_twice_is_refused_with_a_reason(world: World) -> None:
    """What a rule forbids is refused before it is sent, with the rule's code."""
    async with world.client() as user:
        number = await opened(user)
        await user.tickets.close(number)
        assert (await refusal(user.tickets.close(number))).code == "closed"


# --- files -----------------------------------------------------------------------------------------------------


async def test_files_travel_both_ways(world: World, tmp_path: Path) -> None:
    """A path and bytes are uploaded, listed with their real sizes, and come back byte for byte."""
    source = tmp_path / "trace.log"
    source.write_bytes(b"line\n" * 60_000)
    async with world.client() as user:
        number = await opened(user, attachments=[source, FileSpec(b"{}", name="state.json")])
        (message,) = (await user.tickets.get(number)).messages
        assert [(f.name, f.size) for f in message.attachments] == [("trace.log", 300_000), ("state.json", 2)]
        saved = await user.tickets.download(number, "trace.log", tmp_path / "back.log")
        assert saved.read_bytes() == source.read_bytes()
        inside = await user.tickets.download(number, "state.json", tmp_path)
        assert inside == tmp_path / "state.json"
        again = await refusal(user.tickets.download(number, "state.json", tmp_path))
        assert again.code == "file_exists"
        assert (await refusal(user.tickets.download(number, "no.txt", tmp_path))).code == "unknown_attachment"


async def test_a_missing_file_is_told_before_anything_is_kept(world: World, tmp_path: Path) -> None:
    """A wrong path is an error of the call: nothing is created and nothing waits."""
    async with world.client() as user:
        error = await refusal(opened(user, attachments=[tmp_path / "no such file"]))
        assert error.code == "cannot_read"
        assert not await user.outbox.list()


async def test_progress_is_told(world: World) -> None:
    """Uploads say how far they are, with the name of the file."""
    told: list[tuple[str, str, bool]] = []

    def progress(at: Progress) -> None:
        told.append((at.phase, at.name, at.done >= at.total))

    async with world.client() as user:
        await opened(user, attachments=[FileSpec(bytes(3_000_000), name="dump.bin")], on_progress=progress)
    assert told[-1] == ("upload", "dump.bin", True)


# --- consent and secrets ---------------------------------------------------------------------------------------


def report() -> DebugReport:
    """Return some debug data."""
    return DebugReport([Field(("app", "version"), "1.2.3", "Tells which version it is.", "host")])


async def test_debug_data_needs_a_person(world: World) -> None:
    """A report that nobody has seen cannot be sent; one that was previewed can."""
    async with world.client() as user:
        assert (await refusal(opened(user, debug=report()))).code == "no_consent"
        seen = report()
        shown = seen.preview("json")
        number = await opened(user, debug=seen)
    (read,) = await world.console.read(number)
    assert isinstance(read.body, OpenBody)
    assert read.body.debug == shown.encode()


@pytest.mark.parametrize("answer", [True, False])
async def test_consent_decides_about_debug_data_alone(world: World, answer: bool) -> None:
    """A "no" leaves the debug data out; the ticket itself is opened all the same."""
    asked: list[DebugReport] = []

    async def consent(shown: DebugReport) -> bool:
        asked.append(shown)
        return answer

    async with world.client(consent=consent) as user:
        number = await opened(user, debug=report())
    (read,) = await world.console.read(number)
    assert isinstance(read.body, OpenBody)
    assert bool(read.body.debug) is answer
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("choice", "left"),
    [(Choice.KEEP, "hunter2hunter2"), (Choice.MASK, "••••••••"), (Choice.REMOVE, "[removed]")],
)
async def test_a_person_decides_about_secrets(world: World, choice: Choice, left: str) -> None:
    """Text that looks like a password is kept, masked or removed before it is sealed, as the person says."""

    def choose(_found: tuple[Finding, ...]) -> Choice:
        return choice

    async with world.client(on_secret=choose) as user:
        ref = await user.tickets.create(SUBJECT, "my password: hunter2hunter2 fails", category="account")
        ticket = await user.tickets.get(ref.number)
    assert ticket.messages[0].body == f"my password: {left} fails"


# --- team and keys ---------------------------------------------------------------------------------------------


async def test_the_team_can_be_compared(world: World) -> None:
    """Name, words, digits, members and languages are those of the verified roster."""
    async with world.client() as user:
        team = await user.verify_team()
        assert user.team == team
        assert user.policy.categories == DEFAULT.categories
    assert (team.name, len(team.words), len(team.digits), team.epoch) == ("Example team", 8, 6, 0)
    assert [(member.name, member.role) for member in team.members] == [("anna", "owner")]
    assert team.languages == ("en",)


async def test_registration_gives_the_words_of_the_master(world: World) -> None:
    """The recovery phrase stands for the very secret that all ticket keys follow from."""
    keys = MemoryKeystore()
    async with world.client(keystore=keys) as user:
        first = await user.register()
        silent = await user.register(recovery="none")
    bundle = keys.load()
    assert isinstance(bundle, UserBundle)
    assert from_phrase(first.recovery_phrase) == bundle.master
    assert first.recovery_phrase not in repr(first)
    assert (first.created, silent.recovery_phrase) == (True, "")
    async with world.client(keystore=keys) as user:
        assert not (await user.register()).created


async def test_a_foreign_team_is_refused(world: World) -> None:
    """A relay that serves another team than the link pins gets nothing (attack 9)."""
    other = SupportLink(FAKE_URL, Team.found(device("mallory"), name="Other").team_id).format()
    async with SupportClient(
        other, keystore=MemoryKeystore(), state_dir=world.folder / "x", relay=world.relay
    ) as user:
        error = await refusal(user.verify_team())
        assert isinstance(error, (TrustError, PeerError, UsageError))
        assert (await refusal(opened(user))).code == error.code
    assert not world.fake.mailboxes


async def test_keys_in_use_do_not_change_teams(world: World) -> None:
    """Once a team was verified, a link of another team is refused for the same keys and store."""
    other = SupportLink(FAKE_URL, Team.found(device("mallory"), name="Other").team_id).format()
    keys = MemoryKeystore()
    async with world.client(keystore=keys) as user:
        await user.verify_team()
    wrong = SupportClient(other, keystore=keys, state_dir=world.folder / "user", relay=world.relay)
    assert (await refusal(wrong.__aenter__())).code == "team_mismatch"


async def test_a_wrong_first_link_can_be_put_right(world: World) -> None:
    """Keys that never met their team take another link: a typing error costs nothing."""
    other = SupportLink(FAKE_URL, Team.found(device("mallory"), name="Other").team_id).format()
    keys = MemoryKeystore()
    async with SupportClient(
        other, keystore=keys, state_dir=world.folder / "user", relay=world.relay
    ) as user:
        await refusal(user.verify_team())
    async with world.client(keystore=keys) as user:
        assert (await user.verify_team()).name == "Example team"


async def test_an_administrators_keys_are_refused(world: World) -> None:
    """A home of an administrator is not taken for a user's."""
    keys = MemoryKeystore(DeviceBundle.fresh("anna", lambda size: seed_of("x")[:size]))
    assert (await refusal(world.client(keystore=keys).__aenter__())).code == "wrong_keys"


async def test_without_link_and_keys_nothing_opens(world: World) -> None:
    """A program that never connected is told to connect."""
    client = SupportClient(None, keystore=MemoryKeystore(), state_dir=world.folder / "new")
    assert (await refusal(client.__aenter__())).code == "no_link"
    with pytest.raises(UsageError, match="directory"):
        SupportClient(None)


async def test_a_closed_client_says_so(world: World) -> None:
    """Using a client outside its block is an error with a hint, not a crash."""
    client = world.client()
    assert (await refusal(client.verify_team())).code == "not_open"
    with pytest.raises(UsageError, match="not open"):
        _ = client.tickets


async def test_two_processes_do_not_share_a_store(world: World) -> None:
    """A second client on the same store is refused while the first is open (attack 65)."""
    async with world.client():
        assert (await refusal(world.client().__aenter__())).code == "store_locked"
    async with world.client() as user:
        assert await user.outbox.list() == ()


async def test_raising_instead_of_queueing(world: World) -> None:
    """With ``offline="raise"`` an unreachable relay is an error, and nothing stays behind."""
    world.fake.inject(Fault.OFFLINE)
    async with world.client() as user:
        error = await refusal(opened(user, offline="raise"))
        assert isinstance(error, TransportError)
        assert await user.outbox.list() == ()
