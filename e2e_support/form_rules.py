"""What the policy allows in the fields of a ticket and in its files, whoever fills them in (protocol 4.11)."""

from __future__ import annotations

from e2e_support.content import Attachment, Pair
from e2e_support.policy import Policy
from e2e_support.policy_parts import AttachmentMode, PriorityMode
from e2e_support.ticket_state import count_text


def length_reason(what: str, text: str, low: int, high: int) -> str:
    """Judge a text by its length; the code names which text."""
    length = count_text(text)
    return f"{what}_too_short" if length < low else f"{what}_too_long" if length > high else ""


def priority_reason(priority: str, policy: Policy) -> str:
    """Judge a priority that a user sets."""
    if not priority:
        return ""
    if policy.priority.mode is not PriorityMode.USER:
        return "priority_not_yours"
    return level_reason(priority, policy)


def level_reason(priority: str, policy: Policy) -> str:
    """Judge a priority that is set at all: a computed one nobody sets (S2-24)."""
    if not priority:
        return ""
    if policy.priority.mode is PriorityMode.BY_CATEGORY:
        return "priority_not_yours"
    return "" if policy.level(priority) else "unknown_priority"


def implied_priority(category: str, policy: Policy) -> str:
    """Return the priority that is computed and never transmitted, so that nobody can forge it (S2-24)."""
    implied = {item.category: item.level for item in policy.priority.by_category}
    return implied.get(category, policy.priority.initial)


def fields_reason(fields: tuple[Pair, ...], policy: Policy) -> str:
    """Judge a form that a user filled in: what is required must be there."""
    answered = {pair.name for pair in fields if pair.value}
    missing = any(field.required and field.id not in answered for field in policy.fields)
    return choices_reason(fields, policy) or ("field_missing" if missing else "")


def choices_reason(fields: tuple[Pair, ...], policy: Policy) -> str:
    """Judge fields that are there: each known, each once, with a value to choose from."""
    known = {field.id: field.choices for field in policy.fields}
    good = all(
        pair.name in known and (not known[pair.name] or pair.value in known[pair.name]) for pair in fields
    )
    return "" if good and len({pair.name for pair in fields}) == len(fields) else "unknown_field"


def attachments_reason(before: int, files: tuple[Attachment, ...], policy: Policy) -> str:
    """Judge an entry's files, on top of so many bytes that the ticket has already."""
    rules = policy.attachments
    if not files:
        return ""
    if rules.mode is AttachmentMode.OFF:
        return "attachments_off"
    if rules.mode is AttachmentMode.IMAGES and not all(f.media_type.startswith("image/") for f in files):
        return "attachment_type"
    if len(files) > rules.files_max:
        return "too_many_attachments"
    if any(file.size > rules.file_bytes_max for file in files):
        return "attachment_too_large"
    return "ticket_full" if before + total_size(files) > rules.ticket_bytes_max else ""


def total_size(files: tuple[Attachment, ...]) -> int:
    """Return how many bytes files have together."""
    return sum(file.size for file in files)
