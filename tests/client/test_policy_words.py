"""The rules in plain sentences: true for every preset, with who enforces them and the warnings that belong there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from e2e_support.ids import MemberId
from e2e_support.policy import Policy
from e2e_support.policy_parts import (
    Admission,
    CategoryAssignee,
    ClosedReply,
    Eligibility,
    Expectation,
    Freshness,
    MailMode,
    NoteMode,
    Reopen,
    UserReopen,
)
from e2e_support.presets import DEFAULT, DESK, INSTANCE, PANEL, PORTAL, PRESETS, RECORD
from e2e_support.vocab import AdmissionMode
from e2e_support_client.policy_rules import Enforcer, policy_rules
from e2e_support_client.policy_words import LEAVES, reopen_words, word

RELAY, CLIENTS, NOBODY = Enforcer.RELAY, Enforcer.CLIENTS, Enforcer.NOBODY


def by(policy: Policy) -> dict[str, Enforcer]:
    """Return who enforces each sentence."""
    return {rule.text: rule.by for rule in policy_rules(policy)}


SENTENCES: list[tuple[Policy, Enforcer, str]] = [
    (PANEL, CLIENTS, "Users can reopen by replying for 7 days. The team can reopen at any time."),
    (
        PANEL,
        CLIENTS,
        (
            "Users cannot close tickets. The team can close tickets. "
            "A resolved ticket closes by itself after 7 days."
        ),
    ),
    (PANEL, CLIENTS, "The team can erase a ticket for good, after a confirmation."),
    (PANEL, NOBODY, "Users get a mail with the number of a new ticket and nothing else of it."),
    (PANEL, NOBODY, "The team gets a mail when there is a new ticket; it holds nothing of what was written."),
    (PANEL, CLIENTS, "Users may answer: Related app (related_app), in their own words."),
    (PANEL, CLIENTS, "An answer of the team means that it waits for the user."),
    (PORTAL, NOBODY, "Who signs in with access_key is not meant to write."),
    (
        PORTAL,
        CLIENTS,
        "Severity is chosen by the user: Low, Medium, High, Critical. The team can change it.",
    ),
    (
        PORTAL,
        NOBODY,
        "Users get a mail when there is something new; it holds nothing of what was written.",
    ),
    (PORTAL, CLIENTS, "Answers show the team, not who wrote them."),
    (INSTANCE, NOBODY, "Only registered people are meant to write."),
    (INSTANCE, CLIENTS, "Tickets have no priority."),
    (INSTANCE, CLIENTS, "Files must be pictures."),
    (INSTANCE, CLIENTS, "Debug data may be added, after a preview, as a whole."),
    (INSTANCE, RELAY, "Users can hide closed tickets from their list; they cannot erase them."),
    (INSTANCE, NOBODY, "Users see in which languages the team answers."),
    (
        INSTANCE,
        CLIENTS,
        "Users see: Open, Answered, Closed. The team sees: Unanswered, Answered, Archived, Closed.",
    ),
    (
        RECORD,
        CLIENTS,
        "A subject has 10 to 200 characters, a description 50 to 2,000; later messages have at most 2,000.",
    ),
    (
        RECORD,
        CLIENTS,
        (
            "A user may open 5 tickets a day, which begins at midnight in UTC. "
            "A changed client is not stopped, but the team sees it."
        ),
    ),
    (RECORD, RELAY, "No files are accepted."),
    (
        RECORD,
        CLIENTS,
        (
            "Priority follows from the category: access is Critical, bug is High, billing is High, data is Medium, "
            "other is Low. The team cannot change it."
        ),
    ),
    (
        RECORD,
        CLIENTS,
        (
            "Users can close a ticket once it is resolved. Before that they can close it with a note that says why. "
            "The team can close tickets."
        ),
    ),
    (
        RECORD,
        CLIENTS,
        (
            "Users cannot reopen a closed ticket. A reply to a closed ticket is refused; a new ticket can refer to it. "
            "The team cannot reopen."
        ),
    ),
    (RECORD, CLIENTS, "A resolution needs a note, which stays pinned."),
    (RECORD, NOBODY, "Tickets are kept for as long as the relay's operator keeps them."),
    (RECORD, NOBODY, "The team is not meant to erase tickets."),
    (RECORD, CLIENTS, "Users see who works on a ticket."),
    (
        RECORD,
        NOBODY,
        (
            "Most tickets get a first answer within 24 hours. "
            "After 48 hours without an answer, a further message brings it up again."
        ),
    ),
    (DESK, CLIENTS, "Department, one of: Technical support (support), Billing (billing), Sales (sales)."),
    (DESK, CLIENTS, "Answers show the name of whoever wrote them."),
    (DESK, CLIENTS, "The team can archive tickets."),
    (DEFAULT, Enforcer.KEYS, "Only the user and the team read messages, only the team its notes."),
    (DEFAULT, RELAY, "A new ticket costs a computer about 2^16 tries of work."),
    (
        DEFAULT,
        RELAY,
        "A message carries at most 10 files of 25.0 MiB each, a ticket 100.0 MiB.",
    ),
    (
        DEFAULT,
        CLIENTS,
        "Users may answer: Who is affected? (impact), one of: Only me, Several people, Everyone.",
    ),
    (
        DEFAULT,
        CLIENTS,
        "A user may have 20 tickets open at once. A changed client is not stopped, but the team sees it.",
    ),
    (DEFAULT, CLIENTS, "Debug data may be added, after a preview; each field can be left out."),
    (
        DEFAULT,
        CLIENTS,
        (
            "Users can reopen by replying for 14 days. "
            "After that a reply starts a new ticket that refers to it. The team can reopen at any time."
        ),
    ),
    (DEFAULT, RELAY, "Users can erase their closed tickets for good."),
    (DEFAULT, CLIENTS, "Closed tickets are erased after 365 days."),
    (DEFAULT, RELAY, "The relay erases a ticket in which nothing happened for 730 days."),
    (
        DEFAULT,
        NOBODY,
        "Users who ask for it get a mail when there is something new; it holds nothing of what was written.",
    ),
    (
        DEFAULT,
        CLIENTS,
        (
            "Users can close any open ticket. The team can close tickets. "
            "A resolved ticket closes by itself after 7 days, with a reminder after 5 days."
        ),
    ),
    (
        DEFAULT,
        CLIENTS,
        "Users send nothing while the list of administrators was not vouched for within 30 days.",
    ),
    (
        replace(DEFAULT, freshness=Freshness(1, override=1)),
        CLIENTS,
        "Users send nothing unless they insist while the list of administrators was not vouched for within 1 day.",
    ),
    (
        replace(
            DEFAULT,
            eligibility=Eligibility(1, ("access_key",)),
            admission=Admission(AdmissionMode.GRANT, 0),
        ),
        RELAY,
        "Only registered people are meant to write.",
    ),
    (
        replace(DEFAULT, staff=replace(DEFAULT.staff, assignee=bytes(16))),
        CLIENTS,
        "New tickets are assigned as they come.",
    ),
    (
        replace(
            DEFAULT,
            staff=replace(DEFAULT.staff, assignees=(CategoryAssignee("bug", MemberId(bytes(16))),)),
        ),
        CLIENTS,
        "New tickets of bug are assigned as they come.",
    ),
    (
        replace(DEFAULT, notify=replace(DEFAULT.notify, reply=0, status=0, resolved=0)),
        NOBODY,
        "In the application users are told of: nothing.",
    ),
    (
        replace(DEFAULT, resolution_note=NoteMode.NONE, close=replace(DEFAULT.close, staff=0)),
        CLIENTS,
        "A resolution has no note.",
    ),
    (
        replace(DEFAULT, expectation=Expectation(1, 0)),
        NOBODY,
        "Most tickets get a first answer within 1 hour.",
    ),
]


@pytest.mark.parametrize(("policy", "enforcer", "sentence"), SENTENCES, ids=map(str, range(len(SENTENCES))))
def test_a_rule_is_said_with_who_enforces_it(policy: Policy, enforcer: Enforcer, sentence: str) -> None:
    """Each rule of a policy is one plain sentence, and nobody is named who cannot enforce it."""
    assert by(policy).get(sentence) is enforcer, "\n".join(by(policy))


REOPENS = [
    (Reopen(UserReopen.ALWAYS, 0, 1, ClosedReply.REOPEN), "Users can reopen by replying at any time."),
    (Reopen(UserReopen.WINDOW, 1, 0, ClosedReply.REFUSE), "Users can reopen for 1 day. A reply to a closed"),
    (
        Reopen(UserReopen.NEVER, 0, 1, ClosedReply.NEW_LINKED),
        "Users cannot reopen a closed ticket. A reply to a",
    ),
]


@pytest.mark.parametrize(("rule", "words"), REOPENS, ids=[words for _, words in REOPENS])
def test_reopening_is_said_as_it_works(rule: Reopen, words: str) -> None:
    """Who may reopen, for how long, and what a reply becomes stand together (C2)."""
    assert reopen_words(replace(DEFAULT, reopen=rule)).startswith(words)


@pytest.mark.parametrize("name", PRESETS)
def test_no_sentence_stands_twice(name: str) -> None:
    """Every preset is said in full and without repetition, and has no address outside of its own accord."""
    texts = [rule.text for rule in policy_rules(PRESETS[name])]
    assert len(set(texts)) == len(texts) > 15
    assert not any(LEAVES in text for text in texts)


def test_an_address_outside_comes_with_a_warning() -> None:
    """Wherever an external desk is named it is said that the encrypted channel ends there (S4-24, C16)."""
    away = replace(DEFAULT, external_url="https://desk.example.org")
    assert by(away)[f"Support is also at https://desk.example.org. {LEAVES}"] is NOBODY


def test_mail_is_off_by_default_elsewhere() -> None:
    """Where the policy sends no mail, no mail is promised (S2-34)."""
    assert RECORD.notify.user_mail is MailMode.OFF
    assert not any(rule.topic == "mail" for rule in policy_rules(RECORD))


def test_things_are_called_as_the_instance_calls_them() -> None:
    """A word of the policy replaces the usual one (C9)."""
    assert word(DESK, "category", "Category") == "Department"
    assert word(DEFAULT, "category", "Category") == "Category"
