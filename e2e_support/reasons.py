"""The rules that an entry can break, in words: what is wrong and what to do (protocol 5.5)."""

from __future__ import annotations

from typing import Final

from e2e_support.errors import UsageError

REASONS: Final[dict[str, tuple[str, str]]] = {
    "not_allowed": ("this side may not do that", "Look at what the ticket offers now."),
    "not_first": ("a ticket is opened once", "Write a message instead."),
    "closed": ("the ticket is closed", "Reopen it, or open a new ticket that refers to this one."),
    "not_closed": ("the ticket is not closed", "Nothing needs to be reopened."),
    "reopen_never": ("closed tickets stay closed here", "Open a new ticket that refers to this one."),
    "reopen_window_over": ("the time to reopen is over", "Open a new ticket that refers to this one."),
    "close_not_allowed": ("only the team closes tickets here", "Say in a message that it is done."),
    "close_not_resolved": ("a ticket can be closed once it is resolved", "Wait for the resolution or write."),
    "close_note_needed": ("closing an unresolved ticket needs a note", "Say with a note why it is closed."),
    "resolution_note_needed": ("a resolution needs a note", "Say how it was resolved."),
    "resolution_note_off": ("resolutions carry no note here", "Leave the note out."),
    "subject_too_short": ("the subject is too short", "Say in a few words what it is about."),
    "subject_too_long": ("the subject is too long", "Shorten it; details belong into the text."),
    "text_too_short": ("the text is too short", "Describe it in a little more detail."),
    "text_too_long": ("the text is too long", "Shorten it, or attach it as a file."),
    "text_empty": ("the text is empty", "Write something."),
    "unknown_category": ("there is no such category", "Choose one of the list."),
    "unknown_priority": ("there is no such priority", "Choose one of the list."),
    "priority_not_yours": ("the priority is not chosen by this side here", "Leave it out."),
    "unknown_field": ("there is no such field or choice", "Choose from the form."),
    "field_missing": ("a required field is missing", "Fill in the form."),
    "attachments_off": ("attachments are not accepted here", "Describe it in words."),
    "attachment_type": ("only images are accepted here", "Send a picture or describe it in words."),
    "too_many_attachments": ("too many attachments", "Send fewer files."),
    "attachment_too_large": ("an attachment is too large", "Send a smaller file or a part of it."),
    "ticket_full": ("the ticket's attachments are over its limit", "Send fewer or smaller files."),
    "stray_attachment": ("this entry carries no attachments", "Send them with a message."),
    "debug_off": ("debug data is not accepted here", "Leave it out."),
    "same_message": ("the same message stands there already", "Nothing to do."),
    "superseded_policy": (
        "it follows rules that ended over a week before",
        "Fetch the team's rules; try again.",
    ),
    "merged": ("the ticket was merged into another one", "Write in that ticket."),
    "not_same_user": ("it is not proven that one user opened both tickets", "Link the tickets instead."),
    "same_ticket": ("a ticket cannot be merged into itself", "Name another ticket."),
    "not_due": ("the ticket has not closed by itself", "Nothing to note."),
    "unknown_assignee": ("who it is assigned to is no active owner or agent", "Choose somebody of the team."),
    "archive_off": ("tickets are not archived here", "Close it instead."),
    "bad_tag": ("a tag is empty, or the ticket has too many", "Name a tag, or remove others first."),
}
"""Every rule that ``judge`` can find broken: code → (what is wrong, what to do)."""


def refusal(reason: str) -> UsageError:
    """Return the error that tells a person which rule stands against what they want."""
    message, hint = REASONS[reason]
    return UsageError(reason, message, hint=hint)
