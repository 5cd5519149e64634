"""Snippets, macros and views that a team shares."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e_support.content import Pair
from e2e_support.errors import UsageError
from e2e_support_client.testing import Fault
from e2e_support_console.macros import parse_step
from e2e_support_console.snippets import Snippet, filled
from team_room import TeamRoom

STEPS = ["reply=We look into it.", "tag=+billing", "assign=me", "resolve=Fixed.", "close=Done."]


async def test_snippets_are_shared(tmp_path: Path) -> None:
    """What one administrator saves another one reads, the newest of an id counts, and what is removed is gone."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await anna.snippets.save("hello", "Hello {user},", "Greeting")
        await ben.snippets.save("hello", "Dear {user},", "Greeting")
        await anna.snippets.save("bye", "Bye.")
        await ben.sync()
        room.relay.inject(Fault.OFFLINE)
        assert [one.id for one in await ben.snippets.list()] == ["bye", "hello"]
        room.relay.heal()
        assert await anna.snippets.get("hello") == Snippet("hello", "Greeting", "Dear {user},")
        await ben.snippets.remove("bye")
        assert [one.id for one in await anna.snippets.list()] == ["hello"]
        with pytest.raises(UsageError) as error:
            await anna.snippets.remove("bye")
        assert error.value.code == "no_snippet"
        with pytest.raises(UsageError) as bad:
            await anna.snippets.save("Two words", "x")
        assert bad.value.code == "bad_id"


async def test_a_snippet_speaks_of_its_ticket(tmp_path: Path) -> None:
    """User, number and administrator stand where the snippet names them; the one that is used most stands first."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket(profile=(Pair("name", "Ada {me}"),))
        await anna.sync()
        await anna.snippets.save("a", "A.")
        await anna.snippets.save("hello", "Hello {user}, {number} is with {me}. {x} {")
        text = await anna.snippets.fill("hello", user.number)
        assert text == f"Hello Ada {{me}}, {user.number} is with Anna. {{x}} {{"
        await anna.snippets.count_use("hello")
        assert [(one.id, one.uses) for one in await anna.snippets.list()] == [("hello", 1), ("a", 0)]


def test_what_is_put_in_is_not_looked_through() -> None:
    """A user's name that looks like a place stays a name."""
    assert filled("{user}{number}", {"user": "{number}", "number": "7"}) == "{number}7"
    assert filled("no place", {"user": "Ada"}) == "no place"


async def test_views_are_shared(tmp_path: Path) -> None:
    """A saved view is a name for filters, for every console."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben")
        await anna.views.save("urgent", {"priority": "high", "status": "open"})
        assert await ben.views.list() == {"urgent": {"priority": "high", "status": "open"}}
        await ben.views.remove("urgent")
        with pytest.raises(UsageError) as error:
            await anna.views.get("urgent")
        assert error.value.code == "no_view"


async def test_a_macro_says_what_it_does_and_does_it(tmp_path: Path) -> None:
    """A preview tells every step with its text and does nothing; a run does all of them in order."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket()
        await anna.sync()
        await anna.snippets.save("hello", "Hello from {me}.")
        steps = [parse_step(step) for step in ("snippet=hello", *STEPS)]
        await anna.macros.save("done", steps, "All at once")
        told = await anna.macros.preview("done", user.number)
        assert told == (
            "answer: Hello from Anna.",
            "answer: We look into it.",
            "change the tags: +billing",
            "assign to me",
            "mark resolved: Fixed.",
            "close: Done.",
        )
        assert len((await anna.inbox.get(user.number)).messages) == 1
        run = await anna.macros.run("done", user.number)
        assert (run.done, run.left, run.error) == (told, (), None)
        (line,) = await anna.inbox.list()
        assert (line.status, line.tags) == ("closed", ("billing",))
        assert [one.uses for one in await anna.snippets.list()] == [1]
        assert [macro.id for macro in await anna.macros.list()] == ["done"]


async def test_a_macro_stops_at_the_first_refusal(tmp_path: Path) -> None:
    """What was done stays done, what was refused says why, and nothing behind it is tried."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        user = await room.ticket()
        await anna.sync()
        await anna.macros.save("bad", [parse_step(one) for one in ("tag=+x", "status=none", "close")])
        run = await anna.macros.run("bad", user.number)
        assert run.done == ("change the tags: +x",)
        assert run.left == ("set the status none", "close")
        assert run.error is not None
        assert run.error.code == "unknown_status"
        assert not (await anna.inbox.list())[0].closed


@pytest.mark.parametrize("step", ["erase", "reply with words", "tag=x", "tag="])
def test_what_is_no_step_is_refused(step: str) -> None:
    """Only the named steps make a macro, and tags say whether they come or go."""
    with pytest.raises(UsageError) as error:
        parse_step(step)
    assert error.value.code == "bad_step"


async def test_a_macro_has_steps(tmp_path: Path) -> None:
    """A macro without steps, or with more than an entry holds, is refused."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        for steps in ([], [("close", "")] * 33):
            with pytest.raises(UsageError) as error:
                await anna.macros.save("none", steps)
            assert error.value.code == "bad_step"
