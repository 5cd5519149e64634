"""`e2e-ticket policy`: what a form needs to know, what is left of the day, and words for a person about to write."""

from __future__ import annotations

import io
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from e2e_support.errors import TrustError
from e2e_support.policy import Policy
from e2e_support.policy_parts import DayBoundary
from e2e_support.presets import DEFAULT, PANEL, PORTAL, RECORD
from e2e_support_client import cli, clock
from e2e_support_client.allowance import Today
from e2e_support_client.policy_cli import policy_json, policy_text
from e2e_support_client.policy_words import LEAVES
from e2e_support_client.testing import Fault
from e2e_support_keys.bundle import UserBundle
from e2e_support_keys.keystore import FileKeystore
from keys_room import unlock_cheaply
from user_kit import BODY, CHEAP, SUBJECT, fake_world, live_world

KEYS = {
    "categories", "fields", "prompts", "priority", "attachments", "languages", "limits", "left_today", "resets_at",
    "expectation", "close", "reopen", "external_url", "words",
}  # fmt: skip
LONG = "x" * 60
NEVER = Today(None, None)


# --- what is left of the day -------------------------------------------------------------------------------


async def test_tickets_of_today_are_counted(tmp_path: Path) -> None:
    """Each ticket takes one of the five a day, also while it waits on this device to be sent (S2-10)."""
    world = fake_world(tmp_path, replace(RECORD, limits=replace(RECORD.limits, day=DayBoundary.ROLLING)))
    async with world.client() as user:
        await user.verify_team()
        before = await user.today()
        await user.tickets.create("No invoice today", LONG, category="billing")
        world.fake.inject(Fault.OFFLINE)
        await user.tickets.create("No invoice at all", LONG, category="billing")
        after = await user.today()
    assert (before.left, after.left) == (5, 3)
    assert after.resets_at is not None
    assert timedelta(hours=23) < after.resets_at - datetime.now(UTC) <= timedelta(hours=24, seconds=1)


async def test_what_was_refused_counts_nothing(tmp_path: Path) -> None:
    """A ticket that a rule keeps from being sent is kept as failed and costs nothing."""
    world = fake_world(tmp_path, RECORD)
    async with world.client() as user:
        await user.verify_team()
        with pytest.raises(Exception, match="subject is too short"):
            await user.tickets.create("Short", LONG, category="billing")
        assert (await user.today()).left == 5


async def test_without_a_limit_there_is_nothing_to_count(tmp_path: Path) -> None:
    """Where the policy sets no limit, nothing is left and nothing resets."""
    world = fake_world(tmp_path, PANEL)
    async with world.client() as user:
        with pytest.raises(TrustError):
            await user.today()
        await user.verify_team()
        await user.tickets.create(SUBJECT, BODY, category="billing")
        assert await user.today() == NEVER


async def test_a_change_of_the_policy_is_news_in_words(tmp_path: Path) -> None:
    """Users are told what their team changed, setting by setting, the next time they look at the team."""
    world = fake_world(tmp_path)
    async with world.client() as user:
        await user.verify_team()
        await user.team_news()
        console = world.console
        batch = console.team.prepare((replace(DEFAULT, show_languages=0), [console.device]))
        console.team.accept(batch)
        world.fake.take_batch(console.team.team_id, batch)
        await user.verify_team()
        (change,) = await user.team_news()
        assert change.what == "anna changed the policy: users see the team's languages: yes → no"
        assert user.policy.show_languages == 0


# --- what is said ------------------------------------------------------------------------------------------


def test_the_form_is_told_to_programs() -> None:
    """Categories with guidelines, questions, limits, promises: everything that a form shows before writing."""
    told: Any = policy_json(RECORD, ("en", "de"), Today(3, datetime(2026, 11, 23, tzinfo=UTC)))
    assert set(told) == KEYS
    assert told["categories"][0] == {
        "id": "bug",
        "label": "Bug",
        "guidelines": RECORD.categories[0].guidelines,
    }
    assert told["fields"][0]["id"] == "feature"
    assert told["languages"] == ["en", "de"]
    assert told["limits"] == {
        "subject_min": 10, "subject_max": 200, "text_min": 50, "text_max": 2_000,
        "create_per_day": 5, "day": "calendar", "zone": "UTC", "open_max": 0,
    }  # fmt: skip
    assert (told["left_today"], told["resets_at"]) == (3, "2026-11-23T00:00:00Z")
    assert told["expectation"]["first_reply_hours"] == 24
    assert told["external_url"] is None
    json.dumps(told)


def test_a_person_reads_what_matters_before_writing() -> None:
    """Advice, prompts, lengths, what is left, what becomes of the ticket, and the team's promise (S1-16, S2-08)."""
    text = policy_text(RECORD, "Example", ("en",), Today(1, datetime(2026, 11, 23, tzinfo=UTC)))
    for line in (
        "What Example asks for, and what it promises:",
        "Issue type, one of (--category):",
        "  bug: Bug",
        f"    {RECORD.categories[0].guidelines}",
        "Affected feature (--field feature=…, if you like), one of: Dashboards, Reports",
        "  Since when does it happen?",
        "The subject has 10 to 200 characters, the text 50 to 2,000.",
        "You can open 1 more ticket today; the number rises again at 2026-11-23 00:00 UTC.",
        "No files are accepted.",
        "Users cannot reopen a closed ticket.",
        "The team answers in: en.",
        "Most tickets get a first answer within 24 hours.",
    ):
        assert line in text
    assert "--priority" not in text


@pytest.mark.parametrize(
    ("policy", "today", "line"),
    [
        (PORTAL, NEVER, "Severity (--priority): low, medium, high, critical"),
        (PANEL, NEVER, "Related app (--field related_app=…, if you like)"),
        (PANEL, Today(2, None), "You can open 2 more tickets today."),
    ],
)
def test_other_policies_read_well(policy: Policy, today: Today, line: str) -> None:
    """Where users choose a severity, answer in their own words, or wait for nothing, it says so."""
    assert line in policy_text(policy, "Example", (), today).splitlines()


def test_an_address_outside_is_told_with_its_warning() -> None:
    """Programs and people get the warning together with the address (S4-24)."""
    away = replace(PANEL, external_url="https://desk.example.org")
    told: Any = policy_json(away, (), NEVER)
    assert told["external_url"] == {"url": "https://desk.example.org", "warning": LEAVES}
    assert f"Support is also at https://desk.example.org. {LEAVES}" in policy_text(away, "Example", (), NEVER)


def test_names_of_strangers_cannot_write_to_the_terminal() -> None:
    """A label with an escape sequence in it is shown without it (attack 34)."""
    category = replace(PANEL.categories[0], label="Bil\x1b[2Jling", guidelines="a\nb")
    text = policy_text(replace(PANEL, categories=(category,)), "Ex\x1b[31mample", (), NEVER)
    assert "\x1b" not in text
    assert "  billing: Billing\n    a b" in text


def test_a_category_needs_no_advice() -> None:
    """A category without guidelines is one line."""
    bare = replace(PANEL, categories=(replace(PANEL.categories[0], guidelines=""),))
    assert "  billing: Billing\nRelated app" in policy_text(bare, "Example", (), NEVER)


# --- the command -------------------------------------------------------------------------------------------


@contextmanager
def shell(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Generator[Any]:
    """Yield what runs a command in a new home against a real relay, and returns what it printed."""
    rolling = replace(CHEAP, limits=replace(CHEAP.limits, day=DayBoundary.ROLLING))  # no midnight in between
    with live_world(folder / "relay", rolling) as world:
        secret = folder / "passphrase"
        secret.write_text("correct horse battery staple\n")
        secret.chmod(0o600)
        monkeypatch.setenv("E2ES_PASSPHRASE_FILE", str(secret))
        monkeypatch.setattr("sys.stdin", io.StringIO())
        home = folder / "home"
        unlock_cheaply(monkeypatch)
        keys = FileKeystore(home / "keys", lambda: "correct horse battery staple")
        keys.save(UserBundle.fresh(world.link, clock.random))

        def run(*arguments: str) -> str:
            assert cli.main(["--home", str(home), *arguments]) == 0
            return capsys.readouterr().out

        yield run


def test_the_command_tells_programs_and_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command needs nothing but a connection; a ticket that was opened is counted in the next answer."""
    with shell(tmp_path, monkeypatch, capsys) as run:
        before = json.loads(run("policy", "--json"))
        assert set(before) == KEYS
        run("new", "--subject", "No invoice", "--body", "The list is empty.", "--category", "billing")
        assert json.loads(run("policy", "--json"))["left_today"] == before["left_today"] - 1
        assert "You can open 9 more tickets today" in run("policy")
