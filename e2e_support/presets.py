"""Ready-made policies: the recommended default, and five that make one program behave like five kinds of help desk.

Each names only what it decides; the rest is ``_NEUTRAL``. The keys are those of the signed policy, so that whatever
a preset says an administrator can change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from e2e_support import preset_labels as labels
from e2e_support.errors import UsageError
from e2e_support.limits import MIB
from e2e_support.policy import VERSION, Policy
from e2e_support.policy_parts import (
    Admission,
    AttachmentMode,
    Attachments,
    Category,
    CategoryPriority,
    Close,
    ClosedReply,
    Colour,
    DayBoundary,
    DebugMode,
    Delete,
    Eligibility,
    Expectation,
    FieldDef,
    Freshness,
    Level,
    Limits,
    MailMode,
    Moves,
    NoteMode,
    Notify,
    Priority,
    PriorityMode,
    Reopen,
    Retention,
    Staff,
    StaffDelete,
    StaffIdentity,
    UserClose,
    UserDelete,
    UserReopen,
    Word,
)
from e2e_support.vocab import AdmissionMode


def _levels(*named: tuple[str, Colour]) -> tuple[Level, ...]:
    return tuple(Level(name.lower(), name, colour) for name, colour in named)


def _implied(**levels: Iterable[str]) -> tuple[CategoryPriority, ...]:
    return tuple(
        CategoryPriority(category, level) for level, categories in levels.items() for category in categories
    )


_NO_PRIORITY: Final = Priority(PriorityMode.NONE, levels=(), by_category=(), initial="", staff_can_change=0)
_SEVERITIES: Final = _levels(
    ("Low", Colour.GRAY), ("Medium", Colour.BLUE), ("High", Colour.ORANGE), ("Critical", Colour.RED)
)
_URGENCIES: Final = _levels(
    ("Low", Colour.GRAY), ("Normal", Colour.BLUE), ("High", Colour.ORANGE), ("Urgent", Colour.RED)
)

_NEUTRAL: Final = Policy(
    version=VERSION,
    preset="",
    eligibility=Eligibility(registered_only=0, refused_methods=()),
    admission=Admission(AdmissionMode.OPEN, bits=16),
    categories=(),
    fields=(),
    prompts=(),
    priority=_NO_PRIORITY,
    limits=Limits(
        subject_min=1,
        subject_max=200,
        text_min=1,
        text_max=10_000,
        create_per_day=0,
        day=DayBoundary.CALENDAR,
        zone="UTC",
        open_max=0,
    ),
    attachments=Attachments(
        AttachmentMode.ANY, files_max=10, file_bytes_max=25 * MIB, ticket_bytes_max=100 * MIB
    ),
    debug_data=DebugMode.OFF,
    labels_user=labels.PORTAL,
    labels_staff=labels.PORTAL,
    moves=Moves(staff_reply_waits=0, user_reply_clears=1, user_reply_reopens=1, assign_progress=0),
    close=Close(UserClose.NEVER, mistake_note=0, staff=1, resolved_days=0, reminder_days=0),
    reopen=Reopen(UserReopen.NEVER, window_days=0, staff=1, on_reply=ClosedReply.REFUSE),
    delete=Delete(UserDelete.NEVER, StaffDelete.NEVER, archive=0),
    retention=Retention(closed_days=0, idle_days=0),
    staff=Staff(StaffIdentity.NAMED, as_team=0, show_assignee=0, assignee=b"", assignees=()),
    notify=Notify(reply=1, status=1, resolved=1, user_mail=MailMode.OFF, receipt_mail=0, staff_mail=0),
    show_languages=0,
    expectation=Expectation(first_reply_hours=0, nudge_hours=0),
    resolution_note=NoteMode.OPTIONAL,
    external_url="",
    words=(),
    freshness=Freshness(days=30, override=0),
)

PORTAL: Final = replace(
    _NEUTRAL,
    preset="portal",
    eligibility=Eligibility(registered_only=0, refused_methods=("access_key",)),
    categories=(
        Category("account", "Account & Billing", "Name the account, and the invoice if it is about one."),
        Category("storage", "Storage (IPFS & S3)", "Name the bucket or the hash, the client and the time."),
        Category("general", "General", "Say what you were doing, so that the team can do the same."),
    ),
    priority=Priority(PriorityMode.USER, _SEVERITIES, (), initial="medium", staff_can_change=1),
    moves=replace(_NEUTRAL.moves, assign_progress=1),
    close=replace(_NEUTRAL.close, user=UserClose.ANY_OPEN),
    staff=replace(_NEUTRAL.staff, identity=StaffIdentity.TEAM, as_team=1),
    notify=replace(_NEUTRAL.notify, user_mail=MailMode.ON),
    words=(Word("priority", "Severity"),),
)

INSTANCE: Final = replace(
    _NEUTRAL,
    preset="instance",
    eligibility=Eligibility(registered_only=1, refused_methods=()),
    categories=(
        Category("account", "Account", "Say how you sign in and what you see. Never send a password."),
        Category(
            "drives", "Drive or team drive", "Say whose drive it is, and what is missing or in the way."
        ),
        Category("document", "Document", "Say what kind of document it is and who can open it."),
        Category("abuse", "Abuse", "Say where it is, and which rule of the terms it breaks."),
        Category(
            "bug", "Bug", "Say what you did, what you expected and what happened, and in which browser."
        ),
        Category("other", "Something else", "One matter per ticket gets the quickest answer."),
    ),
    attachments=replace(_NEUTRAL.attachments, mode=AttachmentMode.IMAGES),
    debug_data=DebugMode.WHOLE,
    labels_user=labels.INSTANCE_USER,
    labels_staff=labels.INSTANCE_STAFF,
    close=replace(_NEUTRAL.close, user=UserClose.ANY_OPEN),
    delete=Delete(UserDelete.HIDE, StaffDelete.NEVER, archive=1),
    staff=replace(_NEUTRAL.staff, identity=StaffIdentity.PER_ADMIN),
    show_languages=1,
)

RECORD: Final = replace(
    _NEUTRAL,
    preset="record",
    categories=(
        Category("bug", "Bug", "Something does not work as it should. One bug per ticket."),
        Category("data", "Data", "Numbers that are missing, late or wrong. Say which, and for which days."),
        Category("billing", "Billing", "Invoices, plans and payments. Name the invoice."),
        Category("access", "Access", "You or a colleague cannot get in. Say what you see instead."),
        Category("other", "Other", "Anything else, problems with this help center among it."),
    ),
    fields=(
        FieldDef(
            "feature",
            "Affected feature",
            0,
            ("Dashboards", "Reports", "Data sources", "Alerts", "API", "Team and settings", "Something else"),
        ),
    ),
    prompts=(
        "What were you doing?",
        "What happened?",
        "What did you expect to happen?",
        "Since when does it happen?",
        "Which steps make it happen again?",
    ),
    priority=Priority(
        PriorityMode.BY_CATEGORY,
        _SEVERITIES,
        _implied(critical=["access"], high=["bug", "billing"], medium=["data"], low=["other"]),
        initial="",
        staff_can_change=0,
    ),
    limits=replace(
        _NEUTRAL.limits, subject_min=10, subject_max=200, text_min=50, text_max=2_000, create_per_day=5
    ),
    attachments=replace(_NEUTRAL.attachments, mode=AttachmentMode.OFF),
    labels_user=labels.RECORD,
    labels_staff=labels.RECORD,
    close=replace(_NEUTRAL.close, user=UserClose.RESOLVED_ONLY, mistake_note=1),
    reopen=replace(_NEUTRAL.reopen, staff=0),
    staff=replace(_NEUTRAL.staff, identity=StaffIdentity.TEAM, as_team=1, show_assignee=1),
    expectation=Expectation(first_reply_hours=24, nudge_hours=48),
    resolution_note=NoteMode.REQUIRED,
    words=(Word("category", "Issue type"),),
)

DESK: Final = replace(
    _NEUTRAL,
    preset="desk",
    categories=(
        Category("support", "Technical support", "Name the service or the domain, and what it does not do."),
        Category("billing", "Billing", "Name the invoice or the order."),
        Category("sales", "Sales", "Say what you need, and from when on."),
    ),
    priority=Priority(PriorityMode.STAFF, _URGENCIES, (), initial="normal", staff_can_change=1),
    labels_user=labels.DESK_USER,
    labels_staff=labels.DESK_STAFF,
    delete=replace(_NEUTRAL.delete, archive=1),
    words=(Word("category", "Department"),),
)

PANEL: Final = replace(
    _NEUTRAL,
    preset="panel",
    categories=(
        Category("billing", "Billing", "Name the invoice or the order."),
        Category(
            "technical", "Technical", "Say what you did, what happened, and send the log if there is one."
        ),
        Category("account", "Account", "Say how you sign in and what you see. Never send a password."),
        Category("general", "General", "One matter per ticket gets the quickest answer."),
    ),
    fields=(FieldDef("related_app", "Related app", 0, ()),),
    priority=Priority(PriorityMode.USER, _URGENCIES, (), initial="normal", staff_can_change=1),
    labels_user=labels.PANEL,
    labels_staff=labels.PANEL,
    moves=replace(_NEUTRAL.moves, staff_reply_waits=1, assign_progress=1),
    close=replace(_NEUTRAL.close, resolved_days=7),
    reopen=Reopen(UserReopen.WINDOW, window_days=7, staff=1, on_reply=ClosedReply.REOPEN),
    delete=replace(_NEUTRAL.delete, staff=StaffDelete.CONFIRM),
    notify=replace(_NEUTRAL.notify, receipt_mail=1, staff_mail=1),
)

DEFAULT: Final = replace(
    _NEUTRAL,
    preset="default",
    categories=(
        Category("bug", "Something does not work", "Say what you did, what you expected and what happened."),
        Category("question", "Question", "Say what you want to achieve and what you have tried."),
        Category("account", "Account and access", "Say how you sign in and what you see. Send no password."),
        Category("billing", "Billing", "Name the invoice or the order, and the date."),
        Category("data", "My data", "Say which data, and whether it is missing, wrong or to be deleted."),
        Category("other", "Something else", "One matter per ticket gets the quickest answer."),
    ),
    fields=(FieldDef("impact", "Who is affected?", 0, ("Only me", "Several people", "Everyone")),),
    priority=Priority(PriorityMode.STAFF, _URGENCIES, (), initial="normal", staff_can_change=1),
    limits=replace(_NEUTRAL.limits, subject_min=5, create_per_day=10, open_max=20),
    debug_data=DebugMode.OPT_OUT,
    labels_user=labels.DEFAULT_USER,
    labels_staff=labels.DEFAULT_STAFF,
    moves=Moves(staff_reply_waits=1, user_reply_clears=1, user_reply_reopens=1, assign_progress=1),
    close=Close(UserClose.ANY_OPEN, mistake_note=0, staff=1, resolved_days=7, reminder_days=5),
    reopen=Reopen(UserReopen.WINDOW, window_days=14, staff=1, on_reply=ClosedReply.REOPEN_THEN_NEW),
    delete=Delete(UserDelete.ERASE_CLOSED, StaffDelete.CONFIRM, archive=1),
    retention=Retention(closed_days=365, idle_days=730),
    staff=replace(_NEUTRAL.staff, identity=StaffIdentity.PER_ADMIN, as_team=1),
    notify=replace(_NEUTRAL.notify, user_mail=MailMode.OPT_IN),
    show_languages=1,
    resolution_note=NoteMode.REQUIRED,
)

PRESETS: Final[dict[str, Policy]] = {
    policy.preset: policy for policy in (DEFAULT, PORTAL, INSTANCE, RECORD, DESK, PANEL)
}
"""The ready-made policies by name, the recommended one first."""

DESCRIPTIONS: Final[dict[str, str]] = {
    "default": "People close, reopen for 14 days and erase their tickets; resolved ones close after a week.",
    "portal": "People choose a severity and may close; nothing is reopened; answers ring by mail without content.",
    "instance": "No priorities; debug data and pictures help; people close, and hide what is closed.",
    "record": "Five tickets a day with set lengths, priority by type, no files; what is closed stays closed for good.",
    "desk": "Departments and staff statuses such as hold and spam; the team alone closes, and archives.",
    "panel": "People choose a priority; a reply reopens for 7 days; resolved tickets close by themselves.",
}
"""What each preset does, in a sentence."""


def preset_named(name: str) -> Policy:
    """Return a ready-made policy.

    Args:
        name: one of ``PRESETS``.

    Raises:
        UsageError: ``no_preset``.
    """
    if name not in PRESETS:
        raise UsageError("no_preset", f"there is no preset {name}", hint=f"There are {', '.join(PRESETS)}.")
    return PRESETS[name]
