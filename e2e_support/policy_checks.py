"""What must fit together in a policy; rules of one field alone are the decoder's (protocol 4.11)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from e2e_support.canonical import decode
from e2e_support.errors import PeerError
from e2e_support.policy import VERSION, Policy
from e2e_support.policy_parts import (
    STAFF_CONDITIONS,
    AttachmentMode,
    ClosedReply,
    Condition,
    LabelRule,
    PriorityMode,
    UserClose,
    UserReopen,
    unique,
)
from e2e_support.vocab import AdmissionMode

_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")  # whether it exists each computer knows for itself
_WEB = re.compile(r"https://[!-~]+")
_REPEATABLE = frozenset({"labels_user", "labels_staff"})  # two rules with one id are joined by "or"


def open_policy(data: bytes) -> Policy:
    """Return the policy in bytes that came from a link, checked.

    Args:
        data: the canonical bytes.

    Raises:
        PeerError: ``malformed``, ``update_needed`` or ``bad_policy``.
    """
    value = decode(data, limit=Policy.LIMIT)
    if type(value) is tuple and value and type(value[0]) is int and value[0] != VERSION:
        raise PeerError(
            "update_needed",
            f"policy version {value[0]} is unknown",
            hint="Update this program: the team uses a newer version.",
        )
    policy = Policy.load(value)
    check_policy(policy)
    return policy


def check_policy(policy: Policy) -> None:
    """Do nothing if a policy makes sense as a whole.

    Raises:
        PeerError: ``bad_policy`` with the first thing that does not.
    """
    problem = next(_problems(policy), "")
    if problem:
        raise PeerError("bad_policy", f"policy: {problem}", hint="Correct the policy and sign it again.")


def _problems(policy: Policy) -> Iterator[str]:
    if policy.version != VERSION:
        yield f"version {policy.version} is not {VERSION}"
    if policy.admission.mode is AdmissionMode.TEAM:
        yield "strangers cannot be admitted by the team's capability"
    if policy.external_url and not _WEB.fullmatch(policy.external_url):
        yield "external_url is not a web address that starts with https://"
    yield from _id_problems(policy)
    yield from _priority_problems(policy)
    yield from _limit_problems(policy)
    yield from _lifecycle_problems(policy)
    yield from _staff_problems(policy)
    yield from _label_problems("labels_user", policy.labels_user)
    yield from _label_problems("labels_staff", policy.labels_staff)
    yield from _user_label_problems(policy)


def _id_problems(policy: Policy) -> Iterator[str]:
    lists = {
        "categories": [item.id for item in policy.categories],
        "fields": [item.id for item in policy.fields],
        "priority.levels": [item.id for item in policy.priority.levels],
        "labels_user": [item.id for item in policy.labels_user],
        "labels_staff": [item.id for item in policy.labels_staff],
        "words": [item.id for item in policy.words],
    }
    for name, ids in lists.items():
        if not all(_ID.fullmatch(one) for one in ids):
            yield f"an id in {name} is not made of a-z, 0-9, - and _"
        if name not in _REPEATABLE and not unique(ids):
            yield f"an id in {name} stands twice"
    if not policy.categories:
        yield "there is no category"
    for field in policy.fields:
        if not unique(field.choices):
            yield f"a choice of field {field.id} stands twice"


def _priority_problems(policy: Policy) -> Iterator[str]:
    priority = policy.priority
    levels = {level.id for level in priority.levels}
    mapped = [item.category for item in priority.by_category]
    if bool(levels) == (priority.mode is PriorityMode.NONE):
        yield "levels and priority mode do not fit: levels stand exactly where there are priorities"
    if not unique(mapped):
        yield "a category implies two priorities"
    if any(item.level not in levels for item in priority.by_category):
        yield "a category implies a level that is not in the list"
    if any(policy.category(category) is None for category in mapped):
        yield "a priority is implied by a category that is not in the list"
    if priority.initial and priority.initial not in levels:
        yield "the initial level is not in the list"
    if priority.mode is PriorityMode.BY_CATEGORY and len(mapped) < len(policy.categories):
        yield "a category implies no priority"


def _limit_problems(policy: Policy) -> Iterator[str]:
    limits, files = policy.limits, policy.attachments
    if limits.subject_min > limits.subject_max:
        yield "subject_min is larger than subject_max"
    if limits.text_min > limits.text_max:
        yield "text_min is larger than text_max"
    if not _ZONE.fullmatch(limits.zone):
        yield "zone is not the name of a time zone, like Europe/Berlin"
    if files.mode is not AttachmentMode.OFF and not 0 < files.file_bytes_max <= files.ticket_bytes_max:
        yield "the largest file must have at least one byte and fit into a ticket"
    if files.mode is not AttachmentMode.OFF and not files.files_max:
        yield "attachments are on, but a message may carry none"


def _lifecycle_problems(policy: Policy) -> Iterator[str]:
    close, reopen, keep = policy.close, policy.reopen, policy.retention
    if close.reminder_days and close.reminder_days >= close.resolved_days:
        yield "the reminder must come before the ticket closes by itself"
    if (reopen.user is UserReopen.WINDOW) != bool(reopen.window_days):
        yield "a window of days stands exactly where reopening has one"
    reopens = reopen.on_reply in {ClosedReply.REOPEN, ClosedReply.REOPEN_THEN_NEW}
    if reopens and reopen.user is UserReopen.NEVER:
        yield "a reply cannot reopen where a user may not"
    if close.mistake_note and close.user is not UserClose.RESOLVED_ONLY:
        yield "mistake_note is for users who may close resolved tickets only"
    if keep.idle_days and not 0 < keep.closed_days <= keep.idle_days:
        yield "the relay would erase a ticket before its retention is over"


def _staff_problems(policy: Policy) -> Iterator[str]:
    assigned = [item.category for item in policy.staff.assignees]
    if not unique(assigned):
        yield "a category is assigned twice"
    if any(policy.category(category) is None for category in assigned):
        yield "an assigned category is not in the list"


def _label_problems(name: str, rules: tuple[LabelRule, ...]) -> Iterator[str]:
    """Yield what keeps a table from giving every ticket exactly one label by a rule that can be reached."""
    if not rules or rules[-1].conditions:
        yield f"the last rule of {name} must hold for every ticket"
    if any(not rule.conditions for rule in rules[:-1]):
        yield f"a rule of {name} hides those below it"
    if len({rule.id for rule in rules}) < len({(rule.id, rule.text, rule.colour) for rule in rules}):
        yield f"two rules of {name} with one id do not look alike"
    if not all(rule.text for rule in rules):
        yield f"a rule of {name} has no text"


def _user_label_problems(policy: Policy) -> Iterator[str]:
    named = {condition for rule in policy.labels_user for condition in rule.conditions}
    if named & STAFF_CONDITIONS:
        yield "labels_user asks for a fact of the staff log"
    if Condition.ASSIGNED in named and not policy.staff.show_assignee:
        yield "labels_user asks for an assignee that users are not shown"
