"""Single rules of the team in plain sentences: closing and reopening, priority, files, what is promised."""

from __future__ import annotations

from typing import Final

from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support.policy_parts import (
    AttachmentMode,
    ClosedReply,
    FieldDef,
    PriorityMode,
    UserClose,
    UserReopen,
)
from e2e_support_client.render import count
from e2e_support_client.terminal import size_of

LEAVES: Final = "What is written there leaves the encrypted channel: its operators can read it."
"""The warning that stands wherever an external address is shown (C16)."""
IMAGES_ONLY: Final = "Files must be pictures."


def word(policy: Policy, word_id: str, usual: str) -> str:
    """Return what the instance calls a thing: "Department" for ``category`` (C9).

    Args:
        policy: the policy.
        word_id: id of the thing.
        usual: what it is called where the policy says nothing.
    """
    return next((named.text for named in policy.words if named.id == word_id), usual)


def priority_words(policy: Policy) -> str:
    """Return who sets the priority, and which there are."""
    rule, name = policy.priority, word(policy, "priority", "Priority")
    labels = {level.id: level.label for level in rule.levels}
    change = "The team can change it." if rule.staff_can_change else "The team cannot change it."
    match rule.mode:
        case PriorityMode.NONE:
            return "Tickets have no priority."
        case PriorityMode.USER:
            return f"{name} is chosen by the user: {', '.join(labels.values())}. {change}"
        case PriorityMode.STAFF:
            return f"{name} is set by the team: {', '.join(labels.values())}. {change}"
        case PriorityMode.BY_CATEGORY:
            implied = ", ".join(f"{item.category} is {labels[item.level]}" for item in rule.by_category)
            return f"{name} follows from the category: {implied}. {change}"


def attachment_words(policy: Policy) -> str:
    """Return which files may be sent."""
    images = policy.attachments.mode is AttachmentMode.IMAGES
    return f"{IMAGES_ONLY} {file_sizes(policy)}" if images else file_sizes(policy)


def file_sizes(policy: Policy) -> str:
    """Return how many files may be sent, and how large."""
    files = policy.attachments
    if files.mode is AttachmentMode.OFF:
        return "No files are accepted."
    return (
        f"A message carries at most {count(files.files_max, 'file')} of {size_of(files.file_bytes_max)} each, "
        f"a ticket {size_of(files.ticket_bytes_max)}."
    )


def close_words(policy: Policy) -> str:
    """Return who closes tickets, and when they close by themselves."""
    rule = policy.close
    users = {
        UserClose.NEVER: "Users cannot close tickets.",
        UserClose.RESOLVED_ONLY: "Users can close a ticket once it is resolved.",
        UserClose.ANY_OPEN: "Users can close any open ticket.",
    }
    parts = [users[rule.user]]
    parts += ["Before that they can close it with a note that says why."] if rule.mistake_note else []
    parts += ["The team can close tickets." if rule.staff else "The team cannot close tickets."]
    if rule.resolved_days:
        reminder = f", with a reminder after {count(rule.reminder_days, 'day')}" if rule.reminder_days else ""
        days = count(rule.resolved_days, "day")
        parts.append(f"A resolved ticket closes by itself after {days}{reminder}.")
    return " ".join(parts)


def reopen_words(policy: Policy) -> str:
    """Return who reopens closed tickets and how, and what a reply to one becomes."""
    rule = policy.reopen
    replying = "by replying " if rule.on_reply in {ClosedReply.REOPEN, ClosedReply.REOPEN_THEN_NEW} else ""
    users = {
        UserReopen.NEVER: "Users cannot reopen a closed ticket.",
        UserReopen.WINDOW: f"Users can reopen {replying}for {count(rule.window_days, 'day')}.",
        UserReopen.ALWAYS: f"Users can reopen {replying}at any time.",
    }
    after = {
        ClosedReply.REFUSE: "A reply to a closed ticket is refused; a new ticket can refer to it.",
        ClosedReply.REOPEN: "",
        ClosedReply.NEW_LINKED: "A reply to a closed ticket starts a new ticket that refers to it.",
        ClosedReply.REOPEN_THEN_NEW: "After that a reply starts a new ticket that refers to it.",
    }
    team = "The team can reopen at any time." if rule.staff else "The team cannot reopen."
    return " ".join(part for part in (users[rule.user], after[rule.on_reply], team) if part)


def explained(refused: UsageError, policy: Policy) -> UsageError:
    """Return the refusal by a rule with what the rule is here in its hint."""
    rule = _rule_words(refused.code, policy)
    return UsageError(refused.code, refused.message, hint=f"{refused.hint} {rule}") if rule else refused


def _rule_words(code: str, policy: Policy) -> str:
    limits = policy.limits
    match code:
        case "unknown_category":
            return f"There are: {', '.join(category.id for category in policy.categories)}."
        case "unknown_priority":
            return f"There are: {', '.join(level.id for level in policy.priority.levels)}."
        case "unknown_field" | "field_missing":
            return f"It asks for: {'; '.join(map(_field_words, policy.fields)) or 'nothing further'}."
        case "subject_too_short" | "subject_too_long":
            return f"It has {limits.subject_min:,} to {limits.subject_max:,} characters here."
        case "text_too_short" | "text_too_long":
            return f"It has {limits.text_min:,} to {limits.text_max:,} characters here."
        case "too_many_attachments" | "attachment_too_large" | "ticket_full":
            return attachment_words(policy)
        case _:
            return ""


def _field_words(field: FieldDef) -> str:
    needed = " (needed)" if field.required else ""
    return f"{field.id}{needed}{': ' if field.choices else ''}{', '.join(field.choices)}"


def expectation_words(policy: Policy) -> str:
    """Return what the team promises about time; empty if it promises nothing."""
    promise, parts = policy.expectation, list[str]()
    if promise.first_reply_hours:
        parts.append(f"Most tickets get a first answer within {count(promise.first_reply_hours, 'hour')}.")
    if promise.nudge_hours:
        hours = count(promise.nudge_hours, "hour")
        parts.append(f"After {hours} without an answer, a further message brings it up again.")
    return " ".join(parts)
