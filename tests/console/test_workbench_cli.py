"""The commands for work at many tickets: timeline, log, answers, drafts, shared settings, merging, bulk."""

from __future__ import annotations

import asyncio
import io
import json
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from admin_shell import Shell
from console_room import Room, fresh_key, opening
from e2e_support.crypto.secret import Secret
from e2e_support.errors import TransportError
from e2e_support.ticket_keys import TicketKeys
from e2e_support.user import make_card, prove_user
from e2e_support.vocab import Kind
from e2e_support_client import clock
from e2e_support_client.terminal import INTERRUPTED
from e2e_support_client.testing import Fault
from e2e_support_console import answers


@pytest.fixture(autouse=True)
def heeded() -> Generator[None]:
    """Let Ctrl-C reach this process, also where a shell started it in the background and so had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Typed(io.StringIO):
    """Standard input with a person before it."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def types(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Let a person type something."""
    monkeypatch.setattr("sys.stdin", Typed(text))


# --- what happened ---------------------------------------------------------------------------------------


def test_timeline_and_log(team: Shell) -> None:
    """``timeline`` has a line per status and ``log`` one per event, with the agreed keys; both print for people."""
    number = team.ticket()
    team("note", number, "A known bug.")
    team("tag", number, "+vip")
    team("resolve", number, "--note", "Fixed.")
    line = team.data("timeline", number)
    assert [(event["kind"], event["by"]) for event in line] == [("opened", "User"), ("resolved", "Anna")]
    assert set(line[0]) >= {"at", "kind", "status", "by"}
    log = team.data("log", number)
    assert [event["kind"] for event in log] == ["opened", "staff_open", "note", "tag", "resolved"]
    assert set(log[0]) >= {"at", "kind", "status", "by", "detail", "verdict", "hash"}
    assert {"what": "tags", "old": "", "new": "vip"} in log[3]["detail"]
    assert [event["kind"] for event in team.data("log", number, "--kind", "tag", "--by", "Anna")] == ["tag"]
    assert "Resolved · Anna" in team("timeline", number)
    text = team("log", number)
    assert "    + tags: vip" in text.splitlines()
    assert "note (internal) · Anna (team)" in text
    assert "No such event" in team("log", number, "--kind", "none")


# --- answers and drafts ----------------------------------------------------------------------------------


def test_drafts_on_the_command_line(team: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draft is kept, listed, shown, sent and discarded; the one of a note is another one."""
    number = team.ticket()
    assert team.data("draft", number, "We look into it.")["text"] == "We look into it."
    team("draft", number, "--note", "A known bug?")
    assert [(one["mode"], one["text"]) for one in team.data("drafts")] == [
        ("note", "A known bug?"),
        ("reply", "We look into it."),
    ]
    assert "reply" in team("drafts")
    assert team.data("reply", number, "--draft")["state"] == "stored"
    assert team.error("reply", number, "--draft")["code"] == "no_draft"
    assert team.error("reply", number, "--draft", "x")["code"] == "two_texts"
    team("draft", number, "--note", "--discard")
    assert team.data("drafts") == []
    assert "no drafts" in team("drafts")
    team("draft", number, "Half of it")
    types(monkeypatch, "n\n")
    team("reply", number, code=1)
    assert "Half of it" in team.err
    types(monkeypatch, "\n")
    assert "stored" in team("reply", number)
    assert [m["body"] for m in team.data("show", number)["messages"]][-1] == "Half of it"


def test_files_of_a_draft_on_the_command_line(team: Shell, tmp_path: Path) -> None:
    """Files go into a draft and out of it, are listed with where they lie, and go with the answer."""
    number, first, second = team.ticket(), tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("1")
    second.write_text("2")
    draft = team.data("draft", number, "See these.", "--attach", str(first), "--attach", str(second))
    assert draft["files"][0] == {"name": "first.txt", "size": 1, "path": str(first), "state": "there"}
    assert team.error("draft", number, "--note", "--attach", str(first))["code"] == "no_file"
    assert team.error("draft", number, "--detach", "third.txt")["code"] == "no_file"
    assert team.error("draft", number, "--attach", str(tmp_path / "none"))["code"] == "cannot_read"
    assert team("draft", number, "--detach", "second.txt") == f"See these.\n  + first.txt (1 byte)  {first}\n"
    first.write_text("one")
    assert f"(1 byte, changed since it was attached)  {first}" in team("drafts")
    assert team.error("reply", number, "--draft")["code"] == "file_changed"
    assert team.data("reply", number, "--draft", "--attach", str(first))["state"] == "stored"
    said = team.data("show", number)["messages"][-1]
    assert (said["body"], [file["size"] for file in said["attachments"]]) == ("See these.", [3])
    assert team.data("drafts") == []


def test_what_finds_no_relay_says_that_it_is_a_draft(team: Shell) -> None:
    """Answers and notes that cannot go name the command that sends them later; the members are known all the same."""
    number = team.ticket()
    team("inbox")
    team.relay.inject(Fault.OFFLINE)
    for command in ("reply", "note"):
        assert f"e2e-admin {command} {number} --draft" in team.error(command, number, "Later.")["hint"]
    assert team.data("member", "list")[0]["name"] == "Anna"
    assert "known before" in team.err
    team.relay.heal()
    assert team.data("note", number, "--draft")["state"] == "stored"
    assert team.error("note", number, "--draft")["code"] == "no_draft"
    assert team.data("reply", number, "--draft")["state"] == "stored"
    texts = [message["body"] for message in team.data("show", number)["messages"]]
    assert texts[1:] == ["Later.", "Later."]
    assert "--draft" not in team.error("note", "T-AAAAA-AAAAA", "x")["hint"]


def test_a_snippet_is_shown_before_it_is_sent(team: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person sees the filled text and may say no; a program gets it sent, and its use is counted."""
    number = team.ticket()
    team("snippets", "add", "hello", "This is {number}, with {me}.")
    types(monkeypatch, "n\n")
    team("reply", number, "--snippet", "hello", code=1)
    assert f"This is {number}, with Anna." in team.err
    assert team.data("reply", number, "--snippet", "hello")["state"] == "stored"
    assert team.data("show", number)["messages"][-1]["body"] == f"This is {number}, with Anna."
    assert team.data("snippets")[0]["uses"] == 1


def test_an_answer_with_a_file_and_a_status(team: Shell, tmp_path: Path) -> None:
    """``--attach`` sends a file without a text, ``--status`` moves the ticket in the same command."""
    number = team.ticket()
    path = tmp_path / "steps.txt"
    path.write_text("first, second")
    answer = team.data("reply", number, "--attach", str(path), "--status", "progress")
    assert (answer["state"], answer["status_id"]) == ("stored", "progress")
    assert [file["name"] for file in team.data("show", number)["messages"][1]["attachments"]] == ["steps.txt"]
    assert team.error("reply", number, "x", "--attach", str(tmp_path / "none"))["code"] == "cannot_read"


def test_what_is_new_is_shown_above_the_draft(team: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody writes at the same moment, people read it with their choices; programs find it in ``newer``."""
    user = team.user(Room.ticket)
    team("inbox")
    real = team.relay.append

    def racing() -> None:
        async def append(mailbox: Any, entry: Any, capability: Any) -> bytes:
            monkeypatch.setattr(team.relay, "append", real)
            await user.say("Wait!")
            return await real(mailbox, entry, capability)

        monkeypatch.setattr(team.relay, "append", append)

    racing()
    error: Any = team.error("reply", user.number, "We look into it.")
    assert error["code"] == "ticket_moved"
    assert [message["body"] for message in error["newer"]] == ["Wait!"]
    racing()
    team("reply", user.number, "We look into it.", code=1)
    assert "  Wait!" in team.err
    assert "--discard" in team.err
    assert team.data("drafts")[0]["text"] == "We look into it."
    assert team.data("reply", user.number, "--draft", "--anyway")["state"] == "stored"


def test_words_after_the_ticket_was_shown_stop_an_answer(team: Shell) -> None:
    """Who answers what `show` showed is first shown what others said since, once; own words stop nothing."""
    user = team.user(Room.ticket)
    team("show", user.number)
    team("reply", user.number, "We look into it.")
    team("reply", user.number, "And one more thing.")

    async def speak(_: Room) -> None:
        await user.pull()
        await user.say("It works again!")

    team.user(speak)
    team("inbox")
    error: Any = team.error("reply", user.number, "Try to restart.")
    assert error["code"] == "ticket_moved"
    assert [message["body"] for message in error["newer"]] == ["It works again!"]
    assert team.data("reply", user.number, "--draft")["state"] == "stored"


def test_an_answer_is_taken_back_by_an_interrupt(team: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while an answer waits sends nothing and says where the text is; a wait that is over sends it."""
    number = team.ticket()
    team("inbox")

    async def interrupted(*_: object) -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        await asyncio.sleep(30)

    with monkeypatch.context() as patched:
        patched.setattr(answers.Answers, "_wait", interrupted)
        team("reply", number, "Too quick.", "--undo", "10", code=INTERRUPTED)
    assert f"It is the draft of {number}" in team.err
    assert team.data("drafts")[0]["text"] == "Too quick."
    with monkeypatch.context() as patched:
        patched.setattr(answers.Answers, "_wait", interrupted)
        assert team.error("reply", number, "--draft", "--undo", "10", code=INTERRUPTED)["code"] == "unsent"
    assert team.data("reply", number, "--draft", "--undo", "0.01")["state"] == "stored"
    assert team.error("reply", number, "x", "--undo", "long", code=2)["code"] == "usage"


def test_an_interrupt_on_the_way_says_that_it_may_be_stored(
    team: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C once the answer is sealed does not say that it was taken back; the next command sends it, once."""
    number = team.ticket()
    team("inbox")

    async def interrupted(*_: object) -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        await asyncio.sleep(30)

    with monkeypatch.context() as patched:
        patched.setattr(team.relay, "append", interrupted)
        assert team.error("reply", number, "On its way.", code=INTERRUPTED)["code"] == "unconfirmed"
    assert team.data("drafts") == []
    assert [message["body"] for message in team.data("show", number)["messages"]][1:] == ["On its way."]


# --- shared settings -------------------------------------------------------------------------------------


def test_snippets_on_the_command_line(team: Shell) -> None:
    """Snippets are added once, changed, used and removed, and listed for people and programs."""
    number = team.ticket()
    assert team.data("snippets") == []
    assert team.data("snippets", "add", "hello", "Hello.", "--title", "Greeting")["state"] == "stored"
    assert team.error("snippets", "add", "hello", "Again.")["code"] == "snippet_exists"
    assert team.error("snippets", "edit", "none", "Again.")["code"] == "no_snippet"
    team("snippets", "edit", "hello", "Hello {user}.")
    assert team.data("snippets", "list") == [
        {"id": "hello", "title": "Greeting", "text": "Hello {user}.", "uses": 0}
    ]
    assert "Greeting" in team("snippets")
    assert team.data("snippets", "use", "hello", number)["text"] == "Hello user."
    team("snippets", "remove", "hello")
    assert "no snippets" in team("snippets")


def test_macros_on_the_command_line(team: Shell) -> None:
    """A macro tells what it would do, does it, and says what it did when a step is refused."""
    number = team.ticket()
    team("macros", "add", "done", "reply=We are on it.", "resolve=Fixed.", "--title", "All at once")
    assert team.data("macros")[0]["steps"][1] == {"name": "resolve", "value": "Fixed."}
    assert "resolve=Fixed." in team("macros", "list")
    assert "mark resolved: Fixed." in team("macros", "run", "done", number, "--preview")
    assert len(team.data("show", number)["messages"]) == 1
    assert len(team.data("macros", "run", "done", number)["done"]) == 2
    team("macros", "add", "bad", "tag=+x", "status=none", "close")
    error: Any = team.error("macros", "run", "bad", number)
    assert (error["code"], len(error["done"]), len(error["left"])) == ("unknown_status", 1, 2)
    team("macros", "run", "bad", number, code=1)
    assert "Not done, from the refused step on:" in team.err
    team("macros", "remove", "bad")
    assert [one["id"] for one in team.data("macros")] == ["done"]
    assert team.error("macros", "add", "x", "dance")["code"] == "bad_step"


def test_views_on_the_command_line(team: Shell) -> None:
    """A saved view filters the inbox, other filters narrow it, and what no list takes is not saved."""
    first, second = team.ticket(), team.ticket()
    team("close", first)
    assert team.data("views", "add", "over", "--status", "closed")["state"] == "stored"
    assert [line["number"] for line in team.data("inbox", "--view", "over")] == [first]
    assert team.data("inbox", "--view", "over", "--text", "nothing") == []
    assert sum(team.data("counts", "--view", "over").values()) >= 1
    assert {"id": "over", "title": "over", "filters": {"status": "closed"}} in team.data("views")
    assert "closed" in team("views", "list")
    assert team.error("views", "add", "bad", "--status", "none")["code"] == "unknown_status"
    assert team.error("views", "add", "mine", "--status", "closed")["code"] == "view_exists"
    assert team.error("views", "add", "empty")["code"] == "no_filters"
    team("views", "remove", "over")
    assert team.error("inbox", "--view", "over")["code"] == "no_view"
    assert second in team("inbox")


# --- merging and opening ---------------------------------------------------------------------------------


def of_one_user(shell: Shell) -> tuple[str, str]:
    """Let a user open two tickets that prove whose they are; return their numbers."""
    person = fresh_key()

    async def story(room: Room) -> str:
        user = await room.mailbox()
        team_id = (await room.roster()).team_id
        proof = prove_user(person, team_id, user.mailbox, user.keys.author.public)
        await user.send(Kind.OPEN, opening(user, user_key=person.public, user_proof=proof), first=True)
        return user.number

    return shell.user(story), shell.user(story)


def test_merge_on_the_command_line(team: Shell) -> None:
    """``merge`` says where the ticket goes on; where it is not proven, it offers ``link``."""
    first, second = of_one_user(team)
    assert team.data("merge", first, second, "--note", "See there.")["status_id"] == "closed"
    assert first in team.data("show", second)["messages"][-1]["body"]
    stranger = team.ticket()
    error = team.error("merge", stranger, second)
    assert error["code"] == "not_same_user"
    assert f"e2e-admin link {stranger} {second}" in error["hint"]


def test_open_for_on_the_command_line(team: Shell, tmp_path: Path) -> None:
    """A card opens a ticket as text and as a file; a file that is not there is named."""

    async def card(room: Room) -> str:
        team_id = (await room.roster()).team_id
        return make_card(TicketKeys.derive(Secret.random(clock.random), team_id, 202701, 0), team_id, None)

    opened = ("--subject", "Your invoice", "--category", "question", "It is late.")
    line = team.data("open-for", team.user(card), *opened)
    assert (line["subject"], line["state"]) == ("Your invoice", "stored")
    path = tmp_path / "card.txt"
    path.write_text(team.user(card) + "\n")
    assert team.data("open-for", str(path), *opened)["number"] != line["number"]
    assert team.error("open-for", str(tmp_path / "none"), *opened)["code"] == "cannot_read"
    assert len(team.data("inbox")) == 2


# --- many at once ----------------------------------------------------------------------------------------


def test_bulk_does_what_it_can(team: Shell) -> None:
    """Each ticket takes the action for itself; who refused it is listed with the reason, and the exit code says so."""
    numbers = [team.ticket() for _ in range(3)]
    assert team.data("bulk", "tag", *numbers, "+vip", "-old") == {"done": numbers, "refused": []}
    team("close", numbers[1])
    result = team.data("bulk", "reply", *numbers, "We are on it.", code=1)
    assert result["done"] == [numbers[0], numbers[2]]
    assert [(one["number"], one["code"]) for one in result["refused"]] == [(numbers[1], "closed")]
    assert set(result["refused"][0]) == {"number", "code", "message", "hint"}
    assert json.loads(team.err)["code"] == "some_refused"
    assert team.data("bulk", "resolve", numbers[0], numbers[0], "--note", "Fixed.")["done"] == [numbers[0]]
    text = team("bulk", "assign", *numbers[:2], "me")
    assert text.startswith("Done: 2.")
    team("bulk", "reopen", numbers[1], numbers[2], code=1)
    assert f"{numbers[2]} refused it: " in team.out


def test_bulk_that_is_interrupted_says_how_far_it_came(team: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of many tickets leaves a list of those that took it."""
    first, second = team.ticket(), team.ticket()
    team("inbox")
    real, calls = team.relay.append, list[object]()

    async def second_is_slow(*arguments: Any) -> bytes:
        calls.append(arguments)
        if len(calls) > 1:
            asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
            await asyncio.sleep(30)
        return await real(*arguments)

    monkeypatch.setattr(team.relay, "append", second_is_slow)
    told = team.data("bulk", "close", first, second, code=INTERRUPTED)
    assert told == {"done": [first], "refused": []}


def test_bulk_says_what_it_would_do(team: Shell) -> None:
    """A preview lists tickets and action and changes nothing."""
    numbers = [team.ticket() for _ in range(2)]
    shown = team.data("bulk", "close", *numbers, "--note", "Done.", "--preview")
    assert shown["action"] == ["close", "--note", "Done."]
    assert [one["number"] for one in shown["would"]] == numbers
    assert "2 times:" in team("bulk", "--preview", "close", *numbers)
    assert {line["status_id"] for line in team.data("inbox")} == {"open"}


@pytest.mark.parametrize("words", [["close"], ["reply", "-"], ["status"], ["reply"], ["erase"], ["tag", "x"]])
def test_bulk_that_makes_no_sense_is_refused_at_once(shell: Shell, words: list[str]) -> None:
    """No ticket, a missing or wrong argument, and a text that could be read only once are wrong use."""
    numbers = [] if words == ["close"] else ["T-00000-00000"]
    assert shell.error("bulk", words[0], *numbers, *words[1:], code=2)["code"] == "usage"


def test_bulk_stops_where_the_relay_is_gone(team: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the relay is away the others are not tried one by one; all are listed."""
    numbers = [team.ticket() for _ in range(3)]
    team("inbox")
    asked: list[object] = []

    async def away(*arguments: object) -> object:
        asked.append(arguments)
        raise TransportError("relay_unreachable", "the relay cannot be reached")

    monkeypatch.setattr(team.relay, "append", away)
    result = team.data("bulk", "reply", *numbers, "Hello.", code=1)
    assert [one["number"] for one in result["refused"]] == numbers
    assert len(asked) == 1
