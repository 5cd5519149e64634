"""The team's signed rules in plain sentences, and for each who enforces it: what a person reads before trusting one.

"Nobody" is said where it is true: a promise, or something that only a host of users could count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from e2e_support.policy import Policy
from e2e_support.policy_parts import (
    AttachmentMode,
    DayBoundary,
    DebugMode,
    FieldDef,
    LabelRule,
    MailMode,
    NoteMode,
    StaffDelete,
    StaffIdentity,
    UserDelete,
)
from e2e_support.vocab import AdmissionMode
from e2e_support_client.policy_words import (
    IMAGES_ONLY,
    LEAVES,
    close_words,
    expectation_words,
    file_sizes,
    priority_words,
    reopen_words,
    word,
)
from e2e_support_client.render import count

_COUNTED: Final = "A changed client is not stopped, but the team sees it."


class Enforcer(StrEnum):
    """Who sees to it that a rule holds."""

    KEYS = "keys"  # nobody else could even read it
    RELAY = "relay"
    CLIENTS = "every client"  # from the signed log, whatever relay and other clients do
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as people read it.

    Attributes:
        topic: what it is about, one word.
        text: one or two sentences.
        by: who enforces it.
    """

    topic: str
    text: str
    by: Enforcer


def policy_rules(policy: Policy) -> tuple[Rule, ...]:
    """Return all rules, in the order in which a ticket meets them."""
    return (
        Rule("secrecy", "Only the user and the team read messages, only the team its notes.", Enforcer.KEYS),
        *_admission(policy),
        *_form(policy),
        *_limits(policy),
        *_files(policy),
        *_life(policy),
        *_end(policy),
        *_team(policy),
        *_promises(policy),
    )


# --- before a ticket -------------------------------------------------------------------------------------


def _admission(policy: Policy) -> Iterator[Rule]:
    who, vouched = policy.eligibility, policy.admission.mode is not AdmissionMode.OPEN
    by = Enforcer.RELAY if vouched else Enforcer.NOBODY
    if vouched:
        yield Rule("admission", "A new ticket needs a grant of the application's host.", by)
    else:
        text = f"A new ticket costs a computer about 2^{policy.admission.bits} tries of work."
        yield Rule("admission", text, Enforcer.RELAY)
    if who.registered_only:
        yield Rule("eligibility", "Only registered people are meant to write.", by)
    if who.refused_methods:
        methods = ", ".join(who.refused_methods)
        yield Rule("eligibility", f"Who signs in with {methods} is not meant to write.", by)


def _form(policy: Policy) -> Iterator[Rule]:
    name = word(policy, "category", "Category")
    labels = ", ".join(f"{category.label} ({category.id})" for category in policy.categories)
    yield Rule("category", f"{name}, one of: {labels}.", Enforcer.CLIENTS)
    for field in policy.fields:
        yield Rule("field", _question(field), Enforcer.CLIENTS)
    if policy.prompts:
        yield Rule("prompts", f"The form asks: {' '.join(policy.prompts)}", Enforcer.NOBODY)
    yield Rule("priority", priority_words(policy), Enforcer.CLIENTS)
    debug = {
        DebugMode.OFF: "No debug data is accepted.",
        DebugMode.WHOLE: "Debug data may be added, after a preview, as a whole.",
        DebugMode.OPT_OUT: "Debug data may be added, after a preview; each field can be left out.",
    }
    yield Rule("debug", debug[policy.debug_data], Enforcer.CLIENTS)


def _question(field: FieldDef) -> str:
    choices = f", one of: {', '.join(field.choices)}" if field.choices else ", in their own words"
    return f"Users {'must' if field.required else 'may'} answer: {field.label} ({field.id}){choices}."


def _limits(policy: Policy) -> Iterator[Rule]:
    limits = policy.limits
    text = (
        f"A subject has {limits.subject_min:,} to {limits.subject_max:,} characters, a description "
        f"{limits.text_min:,} to {limits.text_max:,}; later messages have at most {limits.text_max:,}."
    )
    yield Rule("limits", text, Enforcer.CLIENTS)
    if limits.create_per_day:
        tickets = count(limits.create_per_day, "ticket")
        calendar = limits.day is DayBoundary.CALENDAR
        day = f"a day, which begins at midnight in {limits.zone}" if calendar else "in 24 hours"
        yield Rule("rate", f"A user may open {tickets} {day}. {_COUNTED}", Enforcer.CLIENTS)
    if limits.open_max:
        tickets = count(limits.open_max, "ticket")
        yield Rule("rate", f"A user may have {tickets} open at once. {_COUNTED}", Enforcer.CLIENTS)


def _files(policy: Policy) -> Iterator[Rule]:
    mode, sizes = policy.attachments.mode, file_sizes(policy)
    if mode is AttachmentMode.IMAGES:
        yield Rule("attachments", IMAGES_ONLY, Enforcer.CLIENTS)
    yield Rule("attachments", sizes, Enforcer.RELAY)


# --- the life of a ticket --------------------------------------------------------------------------------


def _life(policy: Policy) -> Iterator[Rule]:
    users, team = _statuses(policy.labels_user), _statuses(policy.labels_staff)
    yield Rule("status", f"Users see: {users}. The team sees: {team}.", Enforcer.CLIENTS)
    moves = policy.moves
    told = (
        (moves.staff_reply_waits, "An answer of the team means that it waits for the user."),
        (moves.user_reply_clears, "A reply of the user ends waiting and hold."),
        (moves.user_reply_reopens, "A reply of the user opens a resolved ticket again."),
        (moves.assign_progress, "A ticket that is assigned is in progress."),
    )
    yield from (Rule("moves", text, Enforcer.CLIENTS) for holds, text in told if holds)
    notes = {
        NoteMode.NONE: "A resolution has no note.",
        NoteMode.OPTIONAL: "A resolution may have a note, which stays pinned.",
        NoteMode.REQUIRED: "A resolution needs a note, which stays pinned.",
    }
    yield Rule("resolution", notes[policy.resolution_note], Enforcer.CLIENTS)
    yield Rule("close", close_words(policy), Enforcer.CLIENTS)
    yield Rule("reopen", reopen_words(policy), Enforcer.CLIENTS)


def _statuses(rules: tuple[LabelRule, ...]) -> str:
    return ", ".join(dict.fromkeys(rule.text for rule in reversed(rules)))


# --- the end of a ticket ---------------------------------------------------------------------------------


def _end(policy: Policy) -> Iterator[Rule]:
    users = {
        UserDelete.NEVER: "Users cannot erase tickets.",
        UserDelete.HIDE: "Users can hide closed tickets from their list; they cannot erase them.",
        UserDelete.ERASE_CLOSED: "Users can erase their closed tickets for good.",
    }
    yield Rule("delete", users[policy.delete.user], Enforcer.RELAY)
    if policy.delete.staff is StaffDelete.NEVER:
        yield Rule("delete", "The team is not meant to erase tickets.", Enforcer.NOBODY)
    else:
        text = "The team can erase a ticket for good, after a confirmation."
        yield Rule("delete", text, Enforcer.CLIENTS)
    if policy.delete.archive:
        yield Rule("archive", "The team can archive tickets.", Enforcer.CLIENTS)
    keep = policy.retention
    if keep.closed_days:
        text = f"Closed tickets are erased after {count(keep.closed_days, 'day')}."
        yield Rule("retention", text, Enforcer.CLIENTS)
    if keep.idle_days:
        text = f"The relay erases a ticket in which nothing happened for {count(keep.idle_days, 'day')}."
        yield Rule("retention", text, Enforcer.RELAY)
    if not keep.closed_days and not keep.idle_days:
        text = "Tickets are kept for as long as the relay's operator keeps them."
        yield Rule("retention", text, Enforcer.NOBODY)


# --- the team --------------------------------------------------------------------------------------------


def _team(policy: Policy) -> Iterator[Rule]:
    staff = policy.staff
    names = {
        StaffIdentity.TEAM: "Answers show the team, not who wrote them.",
        StaffIdentity.NAMED: "Answers show the name of whoever wrote them.",
        StaffIdentity.PER_ADMIN: "Answers show the team or a name, as each administrator chooses.",
    }
    yield Rule("identity", names[staff.identity], Enforcer.CLIENTS)
    if staff.show_assignee:
        yield Rule("assignee", "Users see who works on a ticket.", Enforcer.CLIENTS)
    if staff.assignee or staff.assignees:
        categories = ", ".join(item.category for item in staff.assignees)
        which = "New tickets" if staff.assignee else f"New tickets of {categories}"
        yield Rule("assignee", f"{which} are assigned as they come.", Enforcer.CLIENTS)
    if policy.show_languages:
        yield Rule("languages", "Users see in which languages the team answers.", Enforcer.NOBODY)


def _promises(policy: Policy) -> Iterator[Rule]:
    notify = policy.notify
    told = (
        (notify.reply, "answers"),
        (notify.status, "changes of status"),
        (notify.resolved, "resolutions"),
    )
    events = ", ".join(name for holds, name in told if holds) or "nothing"
    yield Rule("notify", f"In the application users are told of: {events}.", Enforcer.NOBODY)
    yield from (Rule("mail", text, Enforcer.NOBODY) for text in _mails(policy))
    expectation = expectation_words(policy)
    if expectation:
        yield Rule("expectation", expectation, Enforcer.NOBODY)
    if policy.external_url:
        text = f"Support is also at {policy.external_url}. {LEAVES}"
        yield Rule("external", text, Enforcer.NOBODY)
    fresh = policy.freshness
    unless = " unless they insist" if fresh.override else ""
    text = f"Users send nothing{unless} while the list of administrators was not vouched for"
    yield Rule("freshness", f"{text} within {count(fresh.days, 'day')}.", Enforcer.CLIENTS)


def _mails(policy: Policy) -> Iterator[str]:
    notify = policy.notify
    if notify.user_mail is not MailMode.OFF:
        who = "Users get" if notify.user_mail is MailMode.ON else "Users who ask for it get"
        yield f"{who} a mail when there is something new; it holds nothing of what was written."
    if notify.receipt_mail:
        yield "Users get a mail with the number of a new ticket and nothing else of it."
    if notify.staff_mail:
        yield "The team gets a mail when there is a new ticket; it holds nothing of what was written."
