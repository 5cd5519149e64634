"""The command ``e2e-admin``: arguments, JSON, exit codes, errors, and what people read."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pytest

from admin_shell import Shell
from console_room import URL, Room, User
from e2e_support.content import Pair
from e2e_support.errors import TransportError
from e2e_support.support_link import SupportLink
from e2e_support_client import clock
from e2e_support_client.testing import CODE, Fault
from e2e_support_console import cli
from e2e_support_console.shell import KEYS_NAME, keystore_in
from e2e_support_console.team import TeamClient
from e2e_support_keys.passphrase import passphrase_from_environment as real
from rings import Ring, use_ring

T = TypeVar("T")
KEYS = {"number", "subject", "status", "category", "priority", "created_at", "updated_at", "unread"}


# --- the team --------------------------------------------------------------------------------------------


def test_team_create_prints_link_and_words(shell: Shell) -> None:
    """``team create`` prints the support link and the words, and ``link`` prints the same again."""
    made = shell.data(
        "team", "create", URL, "--name", "Example team", "--owner", "Anna", "--code", CODE, "--language", "en"
    )
    assert set(made) == {"link", "team_id", "words"}
    assert made["link"].startswith("e2es://support.example.org/#")
    assert len(made["words"].split()) == 8
    assert shell.data("link") == made
    assert made["link"] in shell("link")


def test_team_create_asks_for_the_code(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``--code`` a person is asked for it; without a person the error says how to give it."""
    create = ("team", "create", URL, "--name", "Example team", "--owner", "Anna")
    assert shell.error(*create)["code"] == "no_code"

    def typed(_prompt: str) -> str:
        return CODE

    monkeypatch.setattr("e2e_support_console.shell.getpass", typed)
    monkeypatch.setattr("sys.stdin", Typed(""))
    assert "Your team is ready" in shell(*create)


def test_a_new_passphrase_is_asked_for_twice(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a prompt the passphrase of new keys is typed twice, that of existing ones once."""
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "correct horse"

    monkeypatch.delenv("E2ES_PASSPHRASE_FILE")

    def prompting(prompt: str, *, confirm: bool) -> str:
        return real(prompt, confirm=confirm, environment={}, ask=answer)

    monkeypatch.setattr("e2e_support_keys.home.passphrase_from_environment", prompting)
    shell("team", "create", URL, "--name", "Example team", "--owner", "Anna", "--code", CODE)
    assert len(asked) == 2
    shell("link")
    assert len(asked) == 3


def test_the_keyring_can_keep_the_passphrase(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``--keyring`` the system's keyring makes the passphrase and gives it back; nobody is asked."""
    ring = Ring()
    use_ring(monkeypatch, ring)
    monkeypatch.delenv("E2ES_PASSPHRASE_FILE")
    create = ("team", "create", URL, "--name", "T", "--owner", "Anna", "--keyring", "--code")
    shell(*create, "WRONG", code=1)
    (shell.home / KEYS_NAME).unlink()  # as if the run had ended just before the keys were kept
    shell(*create, CODE)
    assert shell.data("inbox") == []
    assert len(ring.entries) == 1


def test_a_wrong_passphrase_is_a_clear_no(team: Shell, tmp_path: Path) -> None:
    """A wrong passphrase opens nothing and exits with 1 and one JSON object on standard error."""
    (tmp_path / "secret").write_text("wrong\n")
    error = team.error("inbox")
    assert (error["code"], set(error)) == ("wrong_passphrase", {"code", "message", "hint"})


def test_the_passphrase_is_changed(team: Shell, tmp_path: Path) -> None:
    """After ``keys passphrase`` the new passphrase opens the keys, and the old one does not."""
    new = tmp_path / "new"
    new.write_text("a new one, with more words\n")
    new.chmod(0o600)
    assert team.data("keys", "passphrase", "--new-passphrase-file", str(new)) == {"state": "done"}
    assert team.error("inbox")["code"] == "wrong_passphrase"
    new.replace(tmp_path / "secret")
    assert team.data("inbox") == []


async def test_the_passphrase_of_a_console_at_work_stays(team: Shell, tmp_path: Path) -> None:
    """While another process has the team open, ``keys passphrase`` says so and changes nothing."""
    before = (team.home / KEYS_NAME).read_bytes()
    async with await TeamClient.unlock(keystore_in(team.home), team.home, relay=team.relay):
        change = asyncio.to_thread(
            team.error, "keys", "passphrase", "--new-passphrase-file", str(tmp_path / "secret")
        )
        assert (await change)["code"] == "store_locked"
    assert (team.home / KEYS_NAME).read_bytes() == before


def test_without_a_team_every_command_says_how_to_begin(shell: Shell) -> None:
    """In an empty home a command fails with the hint to found a team, join one or recover it."""
    assert shell.error("inbox")["code"] == "no_keys"
    shell("inbox", code=1)
    assert shell.err.splitlines() == [
        "there is no team here yet",
        "  Found one with `e2e-admin team create`, `join` one with an invitation, or `recover` yours.",
    ]


# --- tickets ---------------------------------------------------------------------------------------------


def test_inbox_and_show_have_their_keys(team: Shell) -> None:
    """``inbox`` and ``show`` print the agreed keys, times in ISO 8601 UTC, and count what is unread."""
    number = team.ticket(profile=(Pair("name", "Ada"),))
    (line,) = team.data("inbox")
    assert set(line) >= KEYS
    assert (line["number"], line["subject"], line["status_id"], line["unread"]) == (
        number,
        "No invoice",
        "open",
        1,
    )
    assert line["created_at"].endswith("Z")
    shown = team.data("show", number)
    assert set(shown) >= KEYS | {"messages"}
    (message,) = shown["messages"]
    assert message["author"] == {"role": "user", "name": "Ada"}
    assert (message["body"], message["verdict"], message["internal"]) == ("The list is empty.", "ok", False)
    assert message["attachments"] == []
    assert team.data("inbox")[0]["unread"] == 0


def test_a_conversation_on_the_command_line(team: Shell) -> None:
    """Reply, note, resolve, close and reopen each say what is stored and show in the ticket."""
    number = team.ticket()
    team("inbox")
    assert team.data("reply", number, "We look into it.")["state"] == "stored"
    assert "users can never read it" in team("note", number, "A known bug.")
    assert team.data("resolve", number, "--note", "Fixed in 1.2.")["status_id"] == "resolved"
    assert team.data("close", number, "--note", "Done.")["status_id"] == "closed"
    assert team.data("reopen", number, "Not yet.")["status_id"] != "closed"
    bodies = [(m["body"], m["internal"]) for m in team.data("show", number)["messages"]]
    assert bodies == [
        ("The list is empty.", False), ("We look into it.", False), ("A known bug.", True),
        ("Fixed in 1.2.", False), ("Done.", False), ("Not yet.", False),
    ]  # fmt: skip


def test_the_policy_decides_whether_a_resolution_needs_a_note(team: Shell) -> None:
    """`resolve` without a note is refused where the policy wants one, and done where it does not."""
    number = team.ticket()
    assert team.error("resolve", number, code=1)["code"] == "resolution_note_needed"
    team("policy", "set", "resolution_note=optional", "--yes")
    assert team.data("resolve", number)["status_id"] == "resolved"


def test_people_read_notes_as_notes(team: Shell) -> None:
    """Printed for people, a note has a bar and says who can read it, and the resolution is pinned on top."""
    number = team.ticket()
    team("note", number, "A known bug.")
    team("resolve", number, "--note", "Fixed in 1.2.")
    lines = team("show", number).splitlines()
    assert any(line.startswith("┃ Anna (team) · internal note, only administrators") for line in lines)
    assert "┃   A known bug." in lines
    assert lines.index("Resolution (pinned):") < lines.index("  The list is empty.")
    listed = team("inbox")
    assert number in listed
    assert "1 ticket" in listed


def test_a_ticket_is_found_without_listing_first(team: Shell) -> None:
    """A number that this device has not fetched yet is fetched by the command that names it."""
    number = team.ticket()
    assert team.data("reply", number, "Hello.")["number"] == number


def test_text_comes_from_standard_input(team: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """``-`` and a missing text mean standard input."""
    number = team.ticket()
    for index, arguments in enumerate((("-",), ())):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"line {index}\nlast\n"))
        team("reply", number, *arguments)
    said = [message["body"] for message in team.data("show", number)["messages"]]
    assert said[1:] == ["line 0\nlast", "line 1\nlast"]


def test_debug_prints_the_object_that_was_sent(team: Shell) -> None:
    """``debug`` prints the user's object as it is; for people it says what was withheld."""
    sent = {"app": {"version": "1.1"}, "_fields": {"host.name": {"state": "withheld"}}}
    number = team.ticket(debug=json.dumps(sent).encode())
    assert team.data("debug", number) == sent
    assert team("debug", number).splitlines() == ["app.version: 1.1", "host.name: withheld by the user"]
    assert team.data("debug", team.ticket()) == {}
    assert "No debug data" in team("debug", team.ticket())


def test_download_says_where_it_is(team: Shell, tmp_path: Path) -> None:
    """``download`` of a file that is not there is refused before anything is written."""
    number = team.ticket()
    assert team.error("download", number, "x.txt", "-o", str(tmp_path))["code"] == "no_file"


def test_a_closed_ticket_refuses_with_the_rule(team: Shell) -> None:
    """What the rules forbid exits with 1, the rule's code, and what to do."""
    number = team.ticket()
    team("close", number)
    error = team.error("reply", number, "Hello.")
    assert error["code"] == "closed"
    assert error["hint"]


# --- trouble ---------------------------------------------------------------------------------------------


def test_offline_lists_what_was_known(team: Shell) -> None:
    """Without the relay ``inbox`` and ``show`` print what was known, say so on standard error, and exit with 0."""
    number = team.ticket()
    team("inbox")
    team.relay.inject(Fault.OFFLINE)
    assert [line["number"] for line in team.data("inbox")] == [number]
    assert json.loads(team.err)["code"] == "offline"
    assert team.data("show", number)["number"] == number
    team("inbox")
    assert "this is what was known before" in team.err
    assert team.error("reply", number, "Hello.")["code"] == "relay_unreachable"


def test_alarms_are_pointed_at_and_listed(team: Shell) -> None:
    """After something that must not happen ``inbox`` points at ``alarms``, which tells and can forget it."""
    number = team.ticket()
    team("inbox")
    team.relay.inject(Fault.ROLLBACK)
    assert "older history" in team("show", number)
    team.relay.heal()
    team("inbox")
    assert "e2e-admin alarms" in team.err
    listed = team.data("alarms")
    assert ("rollback", number) in {(alarm["code"], alarm["number"]) for alarm in listed["alarms"]}
    assert "rollback" in team("alarms", "--clear")
    assert team.data("alarms") == {"alarms": [], "quarantined": {}, "unsent": []}


def test_a_text_that_could_not_be_sent_is_given_back(team: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written and cannot be sent any more stands in ``alarms`` with its text and the reason."""

    async def lose(*_: object) -> bytes:
        raise TransportError("timeout", "the relay answers too slowly")

    user = team.user(Room.ticket)
    team("inbox")
    with monkeypatch.context() as patched:
        patched.setattr(team.relay, "append", lose)
        assert team.error("reply", user.number, "A long answer.")["code"] == "unconfirmed"
    asyncio.run(user.close())
    team("inbox")
    (item,) = team.data("alarms")["unsent"]
    assert item == {"number": user.number, "text": "A long answer.", "reason": "closed"}
    assert "A long answer." in team("alarms", "--clear")


def test_what_was_put_aside_is_counted(team: Shell) -> None:
    """Mailboxes that are no tickets are counted by reason, in words for people."""
    team.ticket(subject="Hi")
    team("inbox")
    assert team.data("alarms")["quarantined"] == {"subject_too_short": 1}
    assert "the subject is too short" in team("alarms")


@pytest.mark.parametrize(
    "arguments",
    [(), ("frobnicate",), ("show",), ("resolve",), ("team",), ("inbox", "--what")],
)
def test_wrong_use_exits_with_two(shell: Shell, arguments: tuple[str, ...]) -> None:
    """A missing or unknown command or argument exits with 2 and names the help."""
    assert shell.error(*arguments, code=2)["code"] == "usage"
    shell(*arguments, code=2)
    assert "--help" in shell.err


@pytest.mark.parametrize(
    "command",
    ["", "team", "team create", "link", "alarms", "inbox", "show", "reply", "note", "resolve", "close", "reopen",
     "debug", "download", "timeline", "log", "draft", "drafts", "snippets", "snippets add", "macros", "macros run",
     "views", "views add", "merge", "open-for", "bulk"],
)  # fmt: skip
def test_every_command_explains_itself(shell: Shell, command: str) -> None:
    """``--help`` prints what a command does and exits with 0."""
    with pytest.raises(SystemExit) as done:
        shell(*command.split(), "--help")
    assert done.value.code == 0


def test_no_secret_stands_among_the_arguments(shell: Shell) -> None:
    """No option takes a passphrase or a key; only the one-time code may be given as an argument."""
    text = cli.parser().format_help() + cli.parser().format_usage()
    assert not any(word in text.lower() for word in ("passphrase", "--key ", "--seed", "--secret"))


class Typed(io.StringIO):
    """Standard input with a person before it."""

    def isatty(self) -> bool:
        """Say so."""
        return True


# --- the team itself -------------------------------------------------------------------------------------


@pytest.fixture
def ben(team: Shell, tmp_path: Path) -> Shell:
    """Return the terminal of a colleague who was invited, joined and approved."""
    invitation = team.data("member", "invite", "--name", "Ben", "--role", "owner")
    assert set(invitation) == {"link", "code", "expires"}
    shell = Shell(tmp_path / "ben", team.capsys)
    shell.relay = team.relay
    joined = shell.data("join", invitation["link"], "--code", invitation["code"])
    assert set(joined) == {"words"}
    assert team.error("member", "approve", "Ben", "--words", "a b c")["code"] == "words_differ"
    approved = team.data("member", "approve", "Ben", "--words", joined["words"])
    assert approved == {"name": "Ben", "state": "done"}
    return shell


def test_a_colleague_joins_on_the_command_line(team: Shell, ben: Shell) -> None:
    """Invite, join and approve leave a colleague whose commands just work, with keys that nobody else reads."""
    number = team.ticket()
    assert ben.data("inbox")[0]["number"] == number
    listed = team.data("member", "list")
    assert [(one["name"], one["role"], one["state"]) for one in listed] == [
        ("Anna", "owner", "active"),
        ("Ben", "owner", "active"),
    ]
    assert set(listed[0]) == {"name", "role", "state", "devices", "expires"}
    assert (ben.home / KEYS_NAME).stat().st_mode & 0o777 == 0o600
    assert "active" in team("member", "list")


def test_invitations_end_on_the_command_line(team: Shell) -> None:
    """An invitation says until when it counts, is listed with that, and can be withdrawn."""
    before = clock.now()
    invitation = team.data("member", "invite", "--name", "Ben", "--expires", "12h")
    until = datetime.fromisoformat(invitation["expires"]).timestamp()
    assert before + 12 * 3600 <= until <= clock.now() + 12 * 3600
    (_, ben) = team.data("member", "list")
    assert (ben["state"], ben["expires"]) == ("invited", invitation["expires"])
    assert "(until 2" in team("member", "list")
    assert team.data("member", "uninvite", "Ben") == {"name": "Ben", "state": "done"}
    assert len(team.data("member", "list")) == 1
    assert team.error("member", "uninvite", "Ben")["code"] == "not_invited"
    assert "Both must be done by 2" in team("member", "invite", "--name", "Cleo")


@pytest.mark.parametrize("lifetime", ["", "7", "0d", "d", "-1d", "7w", "91d", "2161h"])
def test_a_lifetime_is_hours_or_days(team: Shell, lifetime: str) -> None:
    """An invitation's time is a number of hours or days, up to ninety days."""
    assert "usage" in team.error("member", "invite", "--name", "Ben", f"--expires={lifetime}", code=2)["code"]


def test_two_owners_agree_on_the_command_line(team: Shell, ben: Shell) -> None:
    """Above a threshold of one a change is proposed, listed, co-signed and carried out."""
    assert team.data("team", "threshold", "2") == {"state": "done"}
    proposed = team.data("team", "threshold", "1")
    assert (proposed["state"], proposed["missing"]) == ("proposed", 1)
    waiting = ben.data("proposals")
    assert set(waiting[0]) == {"number", "what", "by", "missing", "newcomers"}
    assert ben.data("cosign", str(waiting[0]["number"])) == {"state": "done"}
    assert ben.data("proposals") == []
    assert ben.error("cosign", "7")["code"] == "no_proposal"


def test_the_newest_link_names_the_list_as_it_is(team: Shell, ben: Shell) -> None:
    """`link --newest` names the newest head although no owner has gone, so that users can settle a fork by it."""
    assert SupportLink.parse(team.data("link")["link"]).head is None
    before = SupportLink.parse(ben.data("link", "--newest")["link"]).head
    team.data("keys", "rotate")
    after = SupportLink.parse(team.data("link", "--newest")["link"]).head
    assert before
    assert after
    assert after[0] > before[0] > 1
    assert team.error("link", "--newest", "--plain", code=2)["code"] == "usage"


@pytest.mark.parametrize("owners", ["0", "-1", "257", "x", ""])
def test_a_threshold_is_a_number_of_owners(team: Shell, owners: str) -> None:
    """A threshold of nobody, or of more than a team holds, is wrong use."""
    assert team.error("team", "threshold", owners, code=2)["code"] == "usage"


def test_a_removed_device_is_told_to_ask_an_owner(team: Shell, ben: Shell) -> None:
    """Who was removed reads what was known before, and is not told to try again later."""
    number = team.ticket()
    ben.data("inbox")
    team.data("member", "remove", "Ben")
    assert [row["number"] for row in ben.data("inbox")] == [number]
    told = [json.loads(line) for line in ben.err.splitlines()]
    assert "Ask an owner" in told[0]["hint"]


def test_removing_and_leaving_on_the_command_line(team: Shell, ben: Shell) -> None:
    """Whoever left or was removed is told so, and is listed as removed."""
    plain = team.data("link")["link"]
    left = ben.data("member", "leave")
    assert (left["state"], left["staying"]) == ("done", [])
    newer = team.data("link")["link"]
    assert newer == left["link"] != plain
    assert team.data("link", "--plain")["link"] == plain
    team.relay.inject(Fault.OFFLINE)
    assert team.data("link")["link"] == newer
    assert "offline" in team.err
    team.relay.heal()
    assert team.data("member", "list")[1]["state"] == "removed"
    assert team.error("member", "remove", "Ben")["code"] == "no_member"


def test_removing_an_owner_gives_a_link_to_publish(team: Shell, ben: Shell) -> None:
    """Whoever removes an owner is told to publish a link that names the list as it is now; an agent's is no reason."""
    removed = team.data("member", "remove", "Ben")
    assert removed == {"name": "Ben", "state": "done", "link": team.data("link")["link"]}
    cleo = Shell(ben.home.with_name("cleo"), team.capsys)
    cleo.relay = team.relay
    invitation = team.data("member", "invite", "--name", "Cleo")
    words = cleo.data("join", invitation["link"], "--code", invitation["code"])["words"]
    team("member", "approve", "Cleo", "--words", words)
    assert team.data("member", "remove", "Cleo") == {"name": "Cleo", "state": "done"}


def test_a_removal_that_others_complete_gives_the_link(team: Shell, ben: Shell) -> None:
    """Whoever gives the last signature to an owner's removal is told the link to publish."""
    cleo = Shell(ben.home.with_name("cleo"), team.capsys)
    cleo.relay = team.relay
    invitation = team.data("member", "invite", "--name", "Cleo", "--role", "owner")
    words = cleo.data("join", invitation["link"], "--code", invitation["code"])["words"]
    team("member", "approve", "Cleo", "--words", words)
    team("team", "threshold", "2")
    proposed = team.data("member", "remove", "Ben")
    assert (proposed["state"], "link" in proposed) == ("proposed", False)
    text = cleo("cosign", str(proposed["proposal"]))
    assert "publish this support link" in text
    assert cleo.data("link")["link"] in text


def test_leaving_names_what_stays(team: Shell, ben: Shell) -> None:
    """A person with two devices who leaves with one is told so; with --everywhere both are gone."""
    phone = Shell(ben.home.with_name("phone"), team.capsys)
    phone.relay = team.relay
    invitation = ben.data("member", "invite", "--name", "Ben's phone", "--device")
    words = phone.data("join", invitation["link"], "--code", invitation["code"])["words"]
    ben("member", "approve", "Ben's phone", "--words", words)
    assert "Your other devices stay in the team: Ben." in phone("member", "leave")
    assert ben.data("member", "leave", "--everywhere")["staying"] == []


def test_the_team_tells_its_history(team: Shell, ben: Shell) -> None:
    """``team audit`` lists what happened, who signed it, and nothing that would be wrong."""
    told = team.data("team", "audit")
    assert [set(event) for event in told] == [{"seq", "at", "what", "by"}] * 2
    assert told[1]["what"].startswith("Anna added Ben as owner")
    assert told[1]["by"] == ["Anna"]
    assert "Users can send until" in team("team", "audit")


def test_recovery_on_the_command_line(team: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sheets are shown once, tried without a change, and make a new owner; words come from standard input."""
    assert "lost" in team("keys", "recovery")
    made = team.data("keys", "recovery", "--shares", "3", "--threshold", "2")
    assert (len(made["shares"]), len(made["sheets"]), made["state"]) == (3, 3, "done")
    typed = "\n".join(made["shares"][:2])
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert team.data("keys", "drill") == {"state": "ok", "closed_epochs": []}
    new = Shell(tmp_path / "new", team.capsys)
    new.relay = team.relay
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert new.data("recover", team.data("link")["link"], "--name", "New")["state"] == "done"
    assert team.data("keys", "rotate") == {"state": "done"}
    assert new.data("keys", "self-check")["findings"] == []
    assert new.data("member", "list")[-1]["name"] == "New"


def wronged(team: Shell) -> User:
    """Return a user about whose ticket the relay has told two stories."""

    async def story(room: Room) -> User:
        return await room.ticket()

    user = team.user(story)
    team.relay.inject(Fault.OTHER_TIME, mailbox=user.mailbox)
    team.data("inbox")
    team.relay.heal()

    async def more(_: Room) -> None:
        await user.say("Any news?")

    team.user(more)
    team.data("inbox")
    return user


def test_each_proof_can_be_exported(team: Shell, tmp_path: Path) -> None:
    """Proofs are listed in the order in which they were met and exported by number; by default the newest is."""
    assert team.data("proof", "list") == []
    assert "no proof" in team("proof", "list")
    numbers = [wronged(team).number for _ in range(2)]
    listed = team.data("proof", "list")
    assert [set(one) for one in listed] == [{"number", "found_at", "shows", "ticket"}] * 2
    assert [(one["number"], one["ticket"]) for one in listed] == list(enumerate(numbers, 1))
    paths = {name: tmp_path / name for name in ("1", "2", "newest")}
    for number in ("1", "2"):
        team("proof", "export", str(paths[number]), "--number", number)
    team("proof", "export", str(paths["newest"]))
    assert paths["newest"].read_bytes() == paths["2"].read_bytes() != paths["1"].read_bytes()
    for number in ("0", "3"):
        error = team.error("proof", "export", str(tmp_path / "none"), "--number", number)
        assert error["code"] == "no_proof"
    assert numbers[1] in team("proof", "list")


def test_a_proof_convinces_others(team: Shell, tmp_path: Path) -> None:
    """Two receipts for one entry are exported and checked by somebody with nothing but the file."""
    path = tmp_path / "proof"
    assert team.error("proof", "export", str(path))["code"] == "no_proof"
    wronged(team)
    assert "two different times" in team.data("proof", "export", str(path))["shows"]
    assert team.data("proof", "verify", str(path))["kind"] == "receipts"
    path.write_bytes(b"no proof")
    assert team.error("proof", "verify", str(path))["code"] == "malformed"
    assert team.error("proof", "export", str(path))["code"] == "file_exists"
    assert team.error("proof", "verify", str(tmp_path / "none"))["code"] == "cannot_read"
