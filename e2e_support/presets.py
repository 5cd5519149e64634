"""Ready-made policies: the recommended default."""

from __future__ import annotations

from e2e_support.limits import MIB
from e2e_support.policy import VERSION, Policy
from e2e_support.policy_parts import (
    Admission,
    AttachmentMode,
    Attachments,
    Category,
    Close,
    ClosedReply,
    Colour,
    Condition,
    DayBoundary,
    DebugMode,
    Delete,
    Eligibility,
    Expectation,
    FieldDef,
    Freshness,
    LabelRule,
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
)
from e2e_support.vocab import AdmissionMode


def _label(label_id: str, text: str, colour: Colour, *conditions: Condition) -> LabelRule:
    return LabelRule(label_id, text, colour, conditions)


DEFAULT = Policy(
    version=VERSION,
    preset="default",
    eligibility=Eligibility(registered_only=0, refused_methods=()),
    admission=Admission(AdmissionMode.OPEN, bits=16),
    categories=(
        Category("bug", "Something does not work", "Say what you did, what you expected and what happened."),
        Category("question", "Question", "Say what you want to achieve and what you have tried."),
        Category("account", "Account and access", "Say how you sign in and what you see. Send no password."),
        Category("billing", "Billing", "Name the invoice or the order, and the date."),
        Category("data", "My data", "Say which data, and whether it is missing, wrong or to be deleted."),
        Category("other", "Something else", "One matter per ticket gets the quickest answer."),
    ),
    fields=(FieldDef("impact", "Who is affected?", 0, ("Only me", "Several people", "Everyone")),),
    prompts=(),
    priority=Priority(
        mode=PriorityMode.STAFF,
        levels=(
            Level("low", "Low", Colour.GRAY),
            Level("normal", "Normal", Colour.BLUE),
            Level("high", "High", Colour.ORANGE),
            Level("urgent", "Urgent", Colour.RED),
        ),
        by_category=(),
        initial="normal",
        staff_can_change=1,
    ),
    limits=Limits(
        subject_min=5,
        subject_max=200,
        text_min=1,
        text_max=10_000,
        create_per_day=10,
        day=DayBoundary.CALENDAR,
        zone="UTC",
        open_max=20,
    ),
    attachments=Attachments(
        AttachmentMode.ANY, files_max=10, file_bytes_max=25 * MIB, ticket_bytes_max=100 * MIB
    ),
    debug_data=DebugMode.OPT_OUT,
    labels_user=(
        _label("closed", "Closed", Colour.GRAY, Condition.CLOSED),
        _label("resolved", "Resolved", Colour.GREEN, Condition.RESOLVED),
        _label("waiting", "Waiting for you", Colour.ORANGE, Condition.WAITING_USER),
        _label("progress", "In progress", Colour.YELLOW, Condition.PROGRESS),
        _label("answered", "Answered", Colour.BLUE, Condition.LAST_STAFF),
        _label("open", "Open", Colour.BLUE),
    ),
    labels_staff=(
        _label("spam", "Spam", Colour.GRAY, Condition.SPAM),
        _label("archived", "Archived", Colour.GRAY, Condition.ARCHIVED),
        _label("closed", "Closed", Colour.GRAY, Condition.CLOSED),
        _label("resolved", "Resolved", Colour.GREEN, Condition.RESOLVED),
        _label("hold", "On hold", Colour.PURPLE, Condition.HOLD),
        _label("snoozed", "Snoozed", Colour.PURPLE, Condition.SNOOZED),
        _label("waiting", "Waiting for user", Colour.ORANGE, Condition.WAITING_USER),
        _label("replied", "User replied", Colour.RED, Condition.LAST_USER, Condition.STAFF_REPLIED),
        _label("progress", "In progress", Colour.YELLOW, Condition.PROGRESS),
        _label("answered", "Answered", Colour.BLUE, Condition.LAST_STAFF),
        _label("open", "Open", Colour.BLUE),
    ),
    moves=Moves(staff_reply_waits=1, user_reply_clears=1, user_reply_reopens=1, assign_progress=1),
    close=Close(UserClose.ANY_OPEN, mistake_note=0, staff=1, resolved_days=7, reminder_days=5),
    reopen=Reopen(UserReopen.WINDOW, window_days=14, staff=1, on_reply=ClosedReply.REOPEN_THEN_NEW),
    delete=Delete(UserDelete.ERASE_CLOSED, StaffDelete.CONFIRM, archive=1),
    retention=Retention(closed_days=365, idle_days=730),
    staff=Staff(StaffIdentity.PER_ADMIN, as_team=1, show_assignee=0, assignee=b"", assignees=()),
    notify=Notify(reply=1, status=1, resolved=1, user_mail=MailMode.OPT_IN, receipt_mail=0, staff_mail=0),
    show_languages=1,
    expectation=Expectation(first_reply_hours=0, nudge_hours=0),
    resolution_note=NoteMode.REQUIRED,
    external_url="",
    words=(),
    freshness=Freshness(days=30, override=0),
)
