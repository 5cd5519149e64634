"""The signed instance policy: one positional array that every client reads the same way.

It is the payload of ``POLICY`` links and a field of the genesis (``docs/protocol.md`` section 4.11). A later
version only appends fields. The relay sees the policy, since the roster is public, and enforces what
``RelayRules`` holds; everything else is judged by every client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from e2e_support.codec import Choice, Items, Message, Text, Uint
from e2e_support.crypto.pad import padme
from e2e_support.crypto.suite import HASH_SIZE, TAG
from e2e_support.limits import CHUNK_SIZE, FILE_PAD_MIN, POLICY_MAX
from e2e_support.policy_parts import (
    CHOICES_MAX,
    FLAG,
    ID,
    RULES_MAX,
    URL,
    Admission,
    AttachmentMode,
    Attachments,
    Category,
    Close,
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
    Reopen,
    Retention,
    Staff,
    UserDelete,
    Word,
)
from e2e_support.vocab import AdmissionMode

VERSION = 1


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
