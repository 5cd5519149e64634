"""The signed instance policy: one positional array that every client reads the same way.

It is the payload of ``POLICY`` links and a field of the genesis (``docs/protocol.md`` section 4.11). A later
version only appends fields. The relay sees the policy, since the roster is public, and enforces what
``RelayRules`` holds; everything else is judged by every client.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from e2e_support.canonical import decode
from e2e_support.codec import Choice, Items, Message, Text, Uint
from e2e_support.crypto.pad import padme
from e2e_support.crypto.suite import HASH_SIZE, TAG
from e2e_support.errors import PeerError
from e2e_support.limits import CHUNK_SIZE, FILE_PAD_MIN, POLICY_MAX
from e2e_support.policy_parts import (
    CHOICES_MAX,
    FLAG,
    ID,
    RULES_MAX,
    STAFF_CONDITIONS,
    URL,
    Admission,
    AttachmentMode,
    Attachments,
    Category,
    Close,
    ClosedReply,
    Condition,
    DebugMode,
    Delete,
    Eligibility,
    Expectation,
    FieldDef,
    Freshness,
    LabelRule,
    Level,
    Limits,
    Moves,
    NoteMode,
    Notify,
    Priority,
    PriorityMode,
    Reopen,
    Retention,
    Staff,
    UserClose,
    UserDelete,
    UserReopen,
    Word,
    unique,
)
from e2e_support.vocab import AdmissionMode

VERSION = 1
_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")  # whether it exists each computer knows for itself
_WEB = re.compile(r"https://[!-~]+")
_REPEATABLE = frozenset({"labels_user", "labels_staff"})  # two rules with one id are joined by "or"


@dataclass(frozen=True, slots=True)
class RelayRules:
    """What a blind relay may enforce of a policy: sizes, counts and admission, never a meaning.

    Attributes:
        mode: how a stranger is admitted.
        bits: leading zero bits of work in the open mode; the relay may ask for more when it is busy.
        blobs_max: attachments that one entry may name; 0 where attachments are off.
        blob_bytes_max: largest blob, with padding, tags and leaf list.
        mailbox_bytes_max: bytes of blobs in one mailbox.
        idle_days: days without an entry after which a mailbox is erased; 0 is never.
        user_erase: whether the user class may erase; whether a ticket is closed only clients can judge.
    """

    mode: AdmissionMode
    bits: int
    blobs_max: int
    blob_bytes_max: int
    mailbox_bytes_max: int
    idle_days: int
    user_erase: bool


@dataclass(frozen=True, slots=True)
class Policy(Message):
    """Everything that an instance can decide. ``preset`` names what it was made from and decides nothing.

    Of the two label tables the user's may ask only for facts of the shared log.
    """

    LIMIT: ClassVar[int] = POLICY_MAX
    version: Annotated[int, Uint()]
    preset: Annotated[str, ID]
    eligibility: Annotated[Eligibility, Eligibility]
    admission: Annotated[Admission, Admission]
    categories: Annotated[tuple[Category, ...], Items(Category, CHOICES_MAX)]
    fields: Annotated[tuple[FieldDef, ...], Items(FieldDef, RULES_MAX)]
    prompts: Annotated[tuple[str, ...], Items(Text(200), RULES_MAX)]
    priority: Annotated[Priority, Priority]
    limits: Annotated[Limits, Limits]
    attachments: Annotated[Attachments, Attachments]
    debug_data: Annotated[DebugMode, Choice(DebugMode)]
    labels_user: Annotated[tuple[LabelRule, ...], Items(LabelRule, RULES_MAX)]
    labels_staff: Annotated[tuple[LabelRule, ...], Items(LabelRule, RULES_MAX)]
    moves: Annotated[Moves, Moves]
    close: Annotated[Close, Close]
    reopen: Annotated[Reopen, Reopen]
    delete: Annotated[Delete, Delete]
    retention: Annotated[Retention, Retention]
    staff: Annotated[Staff, Staff]
    notify: Annotated[Notify, Notify]
    show_languages: Annotated[int, FLAG]
    expectation: Annotated[Expectation, Expectation]
    resolution_note: Annotated[NoteMode, Choice(NoteMode)]
    external_url: Annotated[str, URL]
    words: Annotated[tuple[Word, ...], Items(Word, CHOICES_MAX)]
    freshness: Annotated[Freshness, Freshness]

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Return the policy in bytes that came from a link, checked.

        Args:
            data: the canonical bytes.

        Raises:
            PeerError: ``malformed``, ``update_needed`` or ``bad_policy``.
        """
        value = decode(data, limit=cls.LIMIT)
        if type(value) is tuple and value and type(value[0]) is int and value[0] != VERSION:
            raise PeerError(
                "update_needed",
                f"policy version {value[0]} is unknown",
                hint="Update this program: the team uses a newer version.",
            )
        policy = cls.load(value)
        policy.check()
        return policy

    def check(self) -> None:
        """Do nothing if the policy makes sense as a whole.

        Raises:
            PeerError: ``bad_policy`` with the first thing that does not.
        """
        problem = next(_problems(self), "")
        if problem:
            raise PeerError("bad_policy", f"policy: {problem}", hint="Correct the policy and sign it again.")

    def category(self, category_id: str) -> Category | None:
        """Return the category of an id, if there is one."""
        return next((category for category in self.categories if category.id == category_id), None)

    def level(self, level_id: str) -> Level | None:
        """Return the priority level of an id, if there is one."""
        return next((level for level in self.priority.levels if level.id == level_id), None)

    def relay_rules(self) -> RelayRules:
        """Return what the relay enforces of this policy."""
        files = self.attachments
        off = files.mode is AttachmentMode.OFF
        return RelayRules(
            mode=self.admission.mode,
            bits=self.admission.bits,
            blobs_max=0 if off else files.files_max,
            blob_bytes_max=0 if off else sealed_size(files.file_bytes_max),
            mailbox_bytes_max=0 if off else _ticket_size(files.ticket_bytes_max),
            idle_days=self.retention.idle_days,
            user_erase=self.delete.user is UserDelete.ERASE_CLOSED,
        )


def sealed_size(size: int) -> int:
    """Return how many bytes a file takes as a blob: padding, a tag and a leaf hash per chunk (section 6).

    Args:
        size: bytes of the file.
    """
    padded = padme(max(size, FILE_PAD_MIN))
    chunks = -(-padded // CHUNK_SIZE)
    return padded + chunks * (TAG + HASH_SIZE)


def _ticket_size(size: int) -> int:
    """Return a bound for many files of ``size`` bytes together: each pads by at most an eighth (Padmé)."""
    return size + size // 8 + 64 * FILE_PAD_MIN


# --- what must fit together ------------------------------------------------------------------------------


def _problems(policy: Policy) -> Iterator[str]:
    """Yield everything that is wrong; rules of one field alone are the decoder's."""
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
