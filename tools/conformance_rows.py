"""What five existing ticket systems do, row by row: a short name for each, and who sees to it here.

The letters: C every client from the signed log, K keys, R the relay, S a promise that nobody can enforce; none is
convenience. ``tools/conformance.py`` makes a table of the rows and of the tests that show them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PAGE: Final = "web page"
PROMISE: Final = "social promise"
MISSING: Final = "not done"


@dataclass(frozen=True, slots=True)
class Row:
    """A feature of a reference system.

    Attributes:
        id: stable; tests, documents and commits cite it.
        name: what it is, in a few words.
        by: letters of who enforces it; empty for convenience.
        state: why no test of the suites shows it; empty where tests do.
        note: what that means here, or what is weaker than it sounds.
        passes: further tests that show that it works, as ``path::name``.
        refuses: further tests that show that what it forbids is refused.
    """

    id: str
    name: str
    by: str = ""
    state: str = ""
    note: str = ""
    passes: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()


_LIST: Final = (
    # --- a storage portal --------------------------------------------------------------------------------------
    Row("S0-01", "one place for requests and complaints, answered by two kinds of staff", "C"),
    Row(
        "S0-02",
        "answers are also announced by mail",
        "C",
        note="The mail says that there is an answer, never which.",
    ),
    Row(
        "S0-03",
        "nobody who signed in with an access key",
        "CR",
        note="The user's program refuses by what its host says; a changed one is stopped only by a relay whose "
        "team admits by its host's grants, and hosts cannot issue those yet.",
        refuses=("tests/relay/test_relay_admission.py::test_a_proof_is_for_its_mode",),
    ),
    Row("S0-04", "an entry in the side bar", "", PAGE, "Where the entry stands is the host's drawing."),
    Row("S0-05", "the list of one's tickets comes first"),
    Row("S0-06", "a subject is required", "C"),
    Row("S0-07", "three categories", "C"),
    Row("S0-08", "users choose the severity", "C"),
    Row("S0-09", "a description is required", "C"),
    Row("S0-10", "pictures or other files may come along", "CR"),
    Row("S0-11", "the form is sent, and is known to have arrived"),
    Row("S0-12", "columns: subject, status, category, severity, date"),
    Row("S0-13", "a search over one's tickets"),
    Row("S0-14", "a menu on each line", "", PAGE, "The command is `show`; a menu is drawing."),
    Row("S0-15", "a thread to read and to write in", "C"),
    Row("S0-16", "a status that follows what happens", "C"),
    # --- a document suite's support ------------------------------------------------------------------------------
    Row("S1-01", "end-to-end encrypted, to the administrators alone", "K"),
    Row("S1-02", "an entry in the user's menu", "", PAGE, "Where the entry stands is the host's drawing."),
    Row(
        "S1-03",
        "tabs for tickets, a new ticket, debug data",
        "",
        PAGE,
        "The three are commands; tabs are drawing.",
    ),
    Row("S1-04", "debug data is exactly what was previewed", "C"),
    Row("S1-05", "debug: what the user is called"),
    Row("S1-06", "debug: identifiers of the user's things"),
    Row("S1-07", "debug: public keys"),
    Row("S1-08", "debug: storage"),
    Row("S1-09", "debug: browser"),
    Row("S1-10", "debug: screen"),
    Row("S1-11", "debug: where the login block lies"),
    Row("S1-12", "debug: the user's teams"),
    Row("S1-13", "every debug field says what it is for"),
    Row("S1-14", "a ticket has category, subject and text", "C"),
    Row("S1-15", "the administrators' languages are shown", "C"),
    Row("S1-16", "advice for each category", "C"),
    Row("S1-17", "after sending, the list is shown", "", PAGE, "Which view follows is drawing."),
    Row("S1-18", "the list, and answers to read in it"),
    Row("S1-19", "adding to a ticket before it is answered", "C"),
    Row("S1-20", "an answer rings", "CR"),
    Row("S1-21", "users answer answers", "C"),
    Row("S1-22", "users close at any time", "C"),
    Row("S1-23", "administrators close too", "C"),
    Row("S1-24", "pictures may come along, in any message", "CR"),
    Row("S1-25", "a closed ticket stays in the list"),
    Row("S1-26", "a closed ticket can be removed from the list", "C"),
    Row("S1-27", "off until administrators have keys", "K"),
    Row("S1x-1", "six categories", "C"),
    Row("S1x-2", "users never reopen; administrators can", "C"),
    Row(
        "S1x-3",
        "inbox groups and tags",
        note="Plans are what the user's application claims, so there is no group of those who pay: the search finds "
        "the claim.",
    ),
    Row("S1x-4", "administrators search subjects and numbers"),
    Row("S1x-5", "administrators write first, to a user who handed over a card", "C"),
    Row("S1x-6", "an administrator may answer as the team", "C"),
    Row("S1x-7", "shared answers, those used most first"),
    Row("S1x-8", "only a closed ticket can be removed", "C"),
    # --- a help center of records ----------------------------------------------------------------------------------
    Row("S2-01", "a private channel with notifications inside the application", "KR"),
    Row(
        "S2-02",
        "entries and an address of its own",
        "",
        PAGE,
        "Entries and addresses are the host's drawing.",
    ),
    Row("S2-03", "two ways to the form", "", PAGE, "The command is `new`; buttons are drawing."),
    Row("S2-04", "five types", "C"),
    Row("S2-05", "the affected feature, from a list", "C"),
    Row("S2-06", "subjects of 10 to 200 characters", "C"),
    Row("S2-07", "descriptions of 50 to 2,000 characters", "C"),
    Row("S2-08", "five guiding questions", "C"),
    Row(
        "S2-09", "a preview of the description", "", PAGE, "Texts are plain: what is typed is what is shown."
    ),
    Row(
        "S2-10",
        "five tickets a day and user",
        "C",
        note="Counted by the user's own programs and by every console; the relay does not know whose tickets are "
        "whose, so a changed program is seen and not stopped.",
    ),
    Row("S2-11", "a search by number or subject"),
    Row("S2-12", "a filter by status"),
    Row("S2-13", "lists show priority and date"),
    Row("S2-14", "five statuses", "C"),
    Row("S2-15", "the way of the status is told step by step", "C"),
    Row("S2-16", "the whole ticket, with whoever works on it", "C"),
    Row("S2-17", "a reply goes into the thread and tells the team", "CR"),
    Row("S2-18", "in order of time, and who speaks is told apart", "C"),
    Row("S2-19", "the newest message is scrolled to", "", PAGE, "Scrolling is drawing."),
    Row("S2-20", "answers, changes of status and resolutions are told", "CR"),
    Row("S2-21", "one bell for all; each line leads to its ticket"),
    Row("S2-22", "users close what is resolved", "C"),
    Row(
        "S2-23",
        "nothing is written after closing; the resolution stays in sight",
        "C",
        note="The relay cannot tell closing from talking; every client passes over what comes later.",
    ),
    Row("S2-24", "the priority follows from the type", "C"),
    Row("S2-25", "advice on good tickets", "C"),
    Row("S2-26", "a first answer is promised within 24 hours", "C"),
    Row("S2-27", "after 48 hours users are told to ask again"),
    Row("S2-28", "from new to closed by its user", "C"),
    Row("S2-29", "internal notes", "CK"),
    Row("S2-30", "only the user and the team read a ticket", "K"),
    Row(
        "S2-31", "encrypted on the way and at rest", "K", note="Stronger here: the relay never has the text."
    ),
    Row(
        "S2-32",
        "staff keep tickets to themselves",
        "S",
        PROMISE,
        "Nothing can keep a person who may read something from telling it.",
    ),
    Row("S2-33", "no reopening; a new ticket names the old one", "C"),
    Row("S2-34", "no mail", "C"),
    Row("S2-35", "no attachments", "CR"),
    Row("S2-36", "access and billing are urgent by themselves", "C"),
    Row(
        "S2-37",
        "tickets are kept without end",
        "R",
        note="That the relay's operator keeps its disk is a promise.",
    ),
    Row("S2-38", "no deletion; a mistake is closed with a note", "CR"),
    Row("S2-39", "trouble with the help center itself is a ticket too"),
    Row("S2-40", "users hear of progress", "CR"),
    # --- the tickets of a hosting company ----------------------------------------------------------------------------
    Row("S3-01", "tickets and their statuses in one place"),
    Row("S3-02", "a filter of seven statuses"),
    Row("S3-03", "Open: waits for an answer", "C"),
    Row("S3-04", "On Hold: waits for something outside", "C"),
    Row("S3-05", "Answered: follows from the team's word", "C"),
    Row("S3-06", "Archived: kept for the record", "C"),
    Row("S3-07", "Customer Reply: follows from the user's word", "C"),
    Row("S3-08", "Spammed: marked as no request", "C"),
    Row("S3-09", "Closed", "C"),
    Row("S3-10", "a ticket is opened by its number"),
    Row("S3-11", "whose ticket it is", "C"),
    Row("S3-12", "a number of its own", "CR"),
    Row(
        "S3-13",
        "the kind of account",
        "C",
        note="Shown as claimed by the user's application: nobody attests it.",
    ),
    Row("S3-14", "the department", "C"),
    Row("S3-15", "when it was last changed", "C"),
    Row("S3-16", "its status", "C"),
    Row(
        "S3-17", "a mail address", "C", note="Shown as claimed by the user's application: nobody attests it."
    ),
    Row("S3-18", "replies", "C"),
    Row("S3-19", "notes that only the team sees", "CK"),
    Row("S3-20", "a log of everything", "C"),
    Row("S3-21", "statuses that the organisation defines", "C"),
    # --- the support center of a panel --------------------------------------------------------------------------------
    Row("S4-01", "off until it is turned on", "C"),
    Row(
        "S4-02",
        "one page for users and administrators",
        "",
        PAGE,
        "One page is drawing; keys decide what is seen.",
    ),
    Row("S4-03", "how many tickets have each status"),
    Row("S4-04", "a number leads to its tickets"),
    Row("S4-05", "a search by subject or number"),
    Row("S4-06", "a filter by priority"),
    Row("S4-07", "a filter by category"),
    Row("S4-08", "a line has number, priority, subject, category, application, user, date, status"),
    Row("S4-09", "a form with priority and files", "C"),
    Row("S4-10", "a receipt by mail with the number", "C", note="To users who gave an address for it."),
    Row("S4-11", "users read, reply, reopen, and do not close", "C"),
    Row("S4-12", "assigning to a member of the team", "C"),
    Row("S4-13", "setting the status by hand", "C"),
    Row("S4-14", "changing the priority", "C"),
    Row("S4-15", "changing the category", "C"),
    Row("S4-16", "internal notes", "CK"),
    Row("S4-17", "administrators close and reopen at any time", "C"),
    Row(
        "S4-18",
        "erasing, after a confirmation",
        "CR",
        note="That relay and people keep no copy is a promise.",
        passes=("tests/console/test_erasing.py::test_erase_asks_for_the_number",),
    ),
    Row("S4-19", "mail to the team about new tickets", "C"),
    Row("S4-20", "resolved tickets close by themselves after 7 days", "C"),
    Row("S4-21", "a first assignee", "C"),
    Row("S4-22", "a colour for each status"),
    Row("S4-23", "a reply reopens within 7 days", "C"),
    Row("S4-24", "a help desk elsewhere instead", "C"),
    Row("S4-25", "Waiting User follows from the team's word", "C"),
)

ROWS: Final = {row.id: row for row in _LIST}
"""All rows by id, in the order of their systems."""
