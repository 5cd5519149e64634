"""What the policy's commands print: JSON for programs, text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from e2e_support.policy import Policy
from e2e_support.policy_diff import Change
from e2e_support.policy_parts import DayBoundary
from e2e_support.presets import DESCRIPTIONS
from e2e_support.quota import day_bounds
from e2e_support_client.model import utc
from e2e_support_client.plain import plain_line
from e2e_support_client.policy_rules import Rule, policy_rules
from e2e_support_client.render import count
from e2e_support_client.terminal import Json, stamp
from e2e_support_console.policy_editor import Preview
from e2e_support_console.policy_effects import Affected

# --- for programs ----------------------------------------------------------------------------------------


def changes_json(changes: Sequence[Change]) -> list[Json]:
    """Return what differs; ``old`` or ``new`` is null for what came or went."""
    return [
        {"path": change.path, "old": change.forms[0], "new": change.forms[1], "text": change.words()}
        for change in changes
    ]


def preview_json(preview: Preview) -> dict[str, Json]:
    """Return what a change does."""
    return {
        "changes": changes_json(preview.diff),
        "rules": [_rule_json(rule) for rule in preview.summary],
        "gone": [_rule_json(rule) for rule in preview.gone],
        "affected": [
            {"number": one.number, "subject": one.subject, "what": list(one.what)} for one in preview.affected
        ],
    }


def _rule_json(rule: Rule) -> Json:
    return {"topic": rule.topic, "text": rule.text, "enforced_by": rule.by.value}


# --- for people ------------------------------------------------------------------------------------------


def show_text(policy: Policy, now: int) -> str:
    """Return all rules in words with who enforces each.

    Args:
        policy: the policy.
        now: seconds since 1970, for the day that is running.
    """
    lines = [_rule_text(rule) for rule in policy_rules(policy)]
    limits = policy.limits
    if limits.create_per_day and limits.day is DayBoundary.CALENDAR:
        lines.append(f"{'':14}The running day ends at {stamp(utc(day_bounds(limits, now)[1]))}.")
    made = f"Made from the preset {policy.preset}. " if policy.preset else ""
    head = f"{made}Before each rule stands who enforces it."
    return "\n".join([head, "", *lines])


def presets_text() -> str:
    """Return the names of the presets with what each does."""
    return "\n".join(f"{name:10}  {text}" for name, text in DESCRIPTIONS.items())


def changes_text(changes: Sequence[Change]) -> str:
    """Return what differs, a line for each setting, whole."""
    return "\n".join(plain_line(change.words()) for change in changes) or "Nothing differs."


def preview_text(preview: Preview) -> str:
    """Return what a change does: settings, rules, and open tickets."""
    parts = [
        f"Settings that change ({len(preview.diff)}):",
        _indented(plain_line(change.words()) for change in preview.diff),
    ]
    if preview.gone:
        parts += ["Rules that hold no more:", _indented(map(_rule_text, preview.gone))]
    if preview.summary:
        parts += ["Rules from now on:", _indented(map(_rule_text, preview.summary))]
    if preview.affected:
        parts += [
            f"It changes {count(len(preview.affected), 'open ticket')}:",
            _indented(line for one in preview.affected for line in _affected_lines(one)),
        ]
    else:
        parts += ["It changes no open ticket that this device knows."]
    return "\n".join(parts)


def _affected_lines(one: Affected) -> Iterator[str]:
    yield f"{one.number}  {plain_line(one.subject)}"
    yield from (f"  {plain_line(line)}" for line in one.what)


def _rule_text(rule: Rule) -> str:
    return f"{rule.by.value:12}  {plain_line(rule.text)}"


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
