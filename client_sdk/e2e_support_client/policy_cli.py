"""The command ``e2e-ticket policy``: what the team asks for and promises, to be read before writing."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence

from e2e_support.policy import Policy
from e2e_support.policy_form import message_form
from e2e_support.policy_parts import PriorityMode
from e2e_support_client.allowance import Today
from e2e_support_client.cli_client import known_team, open_client
from e2e_support_client.plain import plain_line
from e2e_support_client.policy_words import (
    LEAVES,
    attachment_words,
    close_words,
    expectation_words,
    priority_words,
    reopen_words,
    word,
)
from e2e_support_client.render import categories_json, count
from e2e_support_client.terminal import Json, Terminal, iso, stamp


async def show_policy(options: Namespace, terminal: Terminal) -> None:
    """Show what the team asks for, as the relay has it now or as it was last verified."""
    async with open_client(options, terminal) as support:
        team = await known_team(support, terminal)
        policy, today = support.policy, await support.today()
        text = policy_text(policy, team.name, team.languages, today)
        terminal.show(policy_json(policy, team.languages, today), text)


def policy_json(policy: Policy, languages: Sequence[str], today: Today) -> Json:
    """Return what a form needs to know before a ticket is written."""
    return {
        "categories": categories_json(policy),
        "fields": [message_form(field) for field in policy.fields],
        "prompts": list(policy.prompts),
        "priority": {**message_form(policy.priority), "text": priority_words(policy)},
        "attachments": {**message_form(policy.attachments), "text": attachment_words(policy)},
        "languages": list(languages),
        "limits": message_form(policy.limits),
        "left_today": today.left,
        "resets_at": iso(today.resets_at),
        "expectation": {**message_form(policy.expectation), "text": expectation_words(policy)},
        "close": close_words(policy),
        "reopen": reopen_words(policy),
        "external_url": {"url": policy.external_url, "warning": LEAVES} if policy.external_url else None,
        "words": {named.id: named.text for named in policy.words},
    }


def policy_text(policy: Policy, team: str, languages: Sequence[str], today: Today) -> str:
    """Return the same for a person who is about to write."""
    parts = [
        f"What {plain_line(team)} asks for, and what it promises:",
        "\n".join(_choices(policy)),
        "\n".join(_advice(policy)),
        "\n".join(f"{plain_line(line)}" for line in _rules(policy, languages, today)),
    ]
    return "\n\n".join(part for part in parts if part)


def _choices(policy: Policy) -> Iterator[str]:
    yield f"{plain_line(word(policy, 'category', 'Category'))}, one of (--category):"
    for category in policy.categories:
        yield f"  {category.id}: {plain_line(category.label)}"
        if category.guidelines:
            yield f"    {plain_line(category.guidelines)}"
    for field in policy.fields:
        needed = "needed" if field.required else "if you like"
        choices = f", one of: {', '.join(map(plain_line, field.choices))}" if field.choices else ""
        yield f"{plain_line(field.label)} (--field {field.id}=…, {needed}){choices}"
    if policy.priority.mode is PriorityMode.USER:
        levels = ", ".join(level.id for level in policy.priority.levels)
        yield f"{plain_line(word(policy, 'priority', 'Priority'))} (--priority): {levels}"


def _advice(policy: Policy) -> Iterator[str]:
    if policy.prompts:
        yield "It helps to say:"
        yield from (f"  {plain_line(prompt)}" for prompt in policy.prompts)


def _rules(policy: Policy, languages: Sequence[str], today: Today) -> Iterator[str]:
    limits = policy.limits
    yield (
        f"The subject has {limits.subject_min:,} to {limits.subject_max:,} characters, "
        f"the text {limits.text_min:,} to {limits.text_max:,}."
    )
    if today.left is not None:
        again = f"; the number rises again at {stamp(today.resets_at)}" if today.resets_at else ""
        yield f"You can open {count(today.left, 'more ticket')} today{again}."
    yield attachment_words(policy)
    if policy.priority.mode is not PriorityMode.USER:
        yield priority_words(policy)
    yield close_words(policy)
    yield reopen_words(policy)
    if languages:
        yield f"The team answers in: {', '.join(languages)}."
    if expectation_words(policy):
        yield expectation_words(policy)
    if policy.external_url:
        yield f"Support is also at {policy.external_url}. {LEAVES}"
