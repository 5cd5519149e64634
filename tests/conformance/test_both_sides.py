"""Whatever user and team do, real programs of both sides show the same ticket, and offer what the rules accept.

They may differ by what stands in the team's own log alone, which users do not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance_kit import HelpDesk, help_desk
from e2e_support.content import CloseBody, MessageBody, ReopenBody
from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.presets import PRESETS
from e2e_support.ticket import judge
from e2e_support.ticket_state import Fact, advance, label
from e2e_support.vocab import AuthorRole, Kind
from e2e_support_client import SupportClient
from e2e_support_client.history import timeline
from e2e_support_client.model import utc

WISHES = {
    "reply": (Kind.MESSAGE, MessageBody("x", 0)),
    "close": (Kind.CLOSE, CloseBody("x", "")),
    "reopen": (Kind.REOPEN, ReopenBody("x")),
}
USER = ("reply", "close", "close with a note", "reopen")
TEAM = (
    "reply", "resolve", "close", "reopen", "status", "priority", "category", "assign", "note", "tag", "hold",
    "archive", "spam", "snooze",
)  # fmt: skip
STORIES = st.lists(
    st.tuples(st.just("user"), st.sampled_from(USER), st.integers(0, 9))
    | st.tuples(st.just("team"), st.sampled_from(TEAM), st.integers(0, 9))
    | st.tuples(st.just("time"), st.sampled_from(["hours", "days"]), st.integers(1, 8)),
    min_size=3,
    max_size=9,
)
Story = Sequence[tuple[str, str, int]]


@pytest.mark.parametrize("preset", PRESETS)
@settings(max_examples=8)
@given(story=STORIES)
def test_both_sides_agree(tmp_path_factory: pytest.TempPathFactory, preset: str, story: Story) -> None:
    """After every step: one state, the label of each side's table, one way to it, and the actions that hold."""
    with pytest.MonkeyPatch.context() as patch:
        asyncio.run(told(story, PRESETS[preset], tmp_path_factory.mktemp("story"), patch))


async def told(story: Story, policy: Policy, folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Tell a story and compare both sides after each step."""
    async with help_desk(policy, folder, patch) as desk:
        ada = await desk.user()
        number = await desk.file(ada)
        for who, what, choice in story:
            desk.pass_by(seconds=1)
            with suppress(UsageError):  # what a program refuses does not happen
                await step(desk, ada, number, who, what, choice)
            await compared(desk, ada, number)


async def step(desk: HelpDesk, ada: SupportClient, number: str, who: str, what: str, choice: int) -> None:
    """Let somebody do something, or time pass."""
    if who == "time":
        desk.pass_by(**{what: choice})
    elif who == "user":
        await of_user(ada, number, what)
    else:
        await desk.team.catch_up()
        await of_team(desk, number, what, choice)


async def of_user(ada: SupportClient, number: str, what: str) -> None:
    """Let the user do something."""
    match what:
        case "reply":
            await ada.tickets.reply(number, "It is still so.")
        case "close" | "close with a note":
            await ada.tickets.close(number, note="done" if "note" in what else "")
        case _:
            await ada.tickets.reopen(number, "It is back.")


async def of_team(desk: HelpDesk, number: str, what: str, choice: int) -> None:
    """Let an administrator do something."""
    inbox, policy, on = desk.team.inbox, desk.policy, bool(choice % 2)
    statuses = [rule.id for rule in policy.labels_staff]
    levels = [level.id for level in policy.priority.levels] or ["none"]
    categories = [category.id for category in policy.categories]
    steps: dict[str, Callable[[], Awaitable[object]]] = {
        "reply": lambda: inbox.reply(number, "We look into it."),
        "resolve": lambda: inbox.resolve(number, "It was a full disk."),
        "close": lambda: inbox.close(number),
        "reopen": lambda: inbox.reopen(number, "We look again."),
        "status": lambda: inbox.set_status(number, statuses[choice % len(statuses)], note="done"),
        "priority": lambda: inbox.set_priority(number, levels[choice % len(levels)]),
        "category": lambda: inbox.set_category(number, categories[choice % len(categories)]),
        "assign": lambda: inbox.assign(number, "me" if on else "nobody"),
        "note": lambda: inbox.note(number, "The third report this week."),
        "tag": lambda: inbox.tag(number, ["disk"]),
        "hold": lambda: inbox.hold(number, on=on),
        "archive": lambda: inbox.archive(number, on=on),
        "spam": lambda: inbox.spam(number, on=on),
        "snooze": lambda: inbox.snooze(number, utc(desk.now + choice * 3600)),
    }
    await steps[what]()


async def compared(desk: HelpDesk, ada: SupportClient, number: str) -> None:
    """Expect that both sides have the same ticket now."""
    state, ticket = await desk.state(number), await ada.tickets.get(number)
    assert state is not None
    now, policy, roster = desk.now, desk.policy, desk.team.desk.roster
    reached, line = advance(state, now), (await desk.team.inbox.get(number)).summary

    assert ticket.summary.status == label(reached, policy).id
    assert (ticket.summary.priority, ticket.summary.category) == (line.priority, line.category)
    assert ticket.summary.updated_at == line.updated_at
    assert [await desk.broken(number)] == [[m.reason for m in ticket.messages if m.reason]] == [[]]
    if (
        policy.labels_user == policy.labels_staff
        and not set(line.flags)
        and not (line.assignee or ticket.assignee)
    ):
        assert ticket.summary.status == line.status

    thread = await desk.thread(number)
    mine = await ada.tickets.timeline(number)
    theirs = timeline(thread.entries, roster, now=now, name_of=lambda _: "")
    assert [(at.at, at.kind, at.status) for at in mine] == [(at.at, at.kind, at.status) for at in theirs]

    accepted = {
        name
        for name, (kind, body) in WISHES.items()
        if not judge(state, Fact(1, kind, AuthorRole.USER, body, now), policy)[1]
    }
    assert ticket.actions & set(WISHES) == accepted
    assert ("follow_up" in ticket.actions) <= (not accepted)
