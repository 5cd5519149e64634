"""How a ticket begins: by its user or, with a user's card, by the team (protocol 5.4, 5.9)."""

from __future__ import annotations

from typing import Final

from e2e_support.content import OpenBody, OpenForBody
from e2e_support.form_rules import (
    attachments_reason,
    choices_reason,
    fields_reason,
    implied_priority,
    length_reason,
    level_reason,
    priority_reason,
    total_size,
)
from e2e_support.policy import Policy
from e2e_support.policy_parts import DebugMode
from e2e_support.ticket_state import Fact, TicketState
from e2e_support.user import card_in
from e2e_support.vocab import AuthorRole, Kind

OPENINGS: Final = frozenset({Kind.OPEN, Kind.OPEN_FOR})


def judge_open(state: TicketState | None, fact: Fact, policy: Policy) -> tuple[TicketState | None, str]:
    """Return the ticket that an entry opens, and the rule that it breaks; arguments as ``judge``."""
    if state is not None:
        return state, "not_first"
    if fact.kind not in OPENINGS or (fact.kind is Kind.OPEN) != (fact.by is AuthorRole.USER):
        return None, "not_allowed"
    if fact.seq:
        return None, "not_first"  # who the user is, and how to reach them, clients take from the first entry
    body = fact.body
    if isinstance(body, OpenForBody):
        reason = _open_for_reason(body, fact, policy)
        return (None, reason) if reason else (_opened_for(body, fact, policy), "")
    assert isinstance(body, OpenBody)  # noqa: S101 - the body was decoded by its kind
    reason = _open_reason(body, fact, policy)
    return (None, reason) if reason else (_opened(body, fact, policy), "")


def _opened(body: OpenBody, fact: Fact, policy: Policy) -> TicketState:
    return TicketState(
        body.subject,
        body.category,
        body.priority or implied_priority(body.category, policy),
        body.fields,
        body.related,
        created_at=fact.time,
        updated_at=fact.time,
        waiting_since=fact.time,
        attachment_bytes=total_size(fact.attachments),
        user_key=body.user_key,
    )


def _opened_for(body: OpenForBody, fact: Fact, policy: Policy) -> TicketState:
    """Return a ticket that begins with the team's word; nobody waits for the team yet."""
    card = card_in(body.card)
    return TicketState(
        body.subject,
        body.category,
        body.priority or implied_priority(body.category, policy),
        body.fields,
        "",
        created_at=fact.time,
        updated_at=fact.time,
        first_response_at=fact.time,
        waiting_user=bool(policy.moves.staff_reply_waits),
        last_by=AuthorRole.DEVICE,
        user_key=card.user_key,
        opened_by=AuthorRole.DEVICE,
        last_user_seq=-1,
    )


def _open_for_reason(body: OpenForBody, fact: Fact, policy: Policy) -> str:
    """Judge what the team writes first: its lengths have no least, and it need not fill in the form."""
    limits = policy.limits
    checks = (
        length_reason("subject", body.subject, 1, limits.subject_max),
        length_reason("text", body.text, 1, limits.text_max),
        "" if policy.category(body.category) else "unknown_category",
        level_reason(body.priority, policy),
        choices_reason(body.fields, policy),
        "stray_attachment" if fact.attachments else "",
    )
    return next((reason for reason in checks if reason), "")


def _open_reason(body: OpenBody, fact: Fact, policy: Policy) -> str:
    limits = policy.limits
    checks = (
        length_reason("subject", body.subject, limits.subject_min, limits.subject_max),
        length_reason("text", body.text, limits.text_min, limits.text_max),
        "" if policy.category(body.category) else "unknown_category",
        priority_reason(body.priority, policy),
        fields_reason(body.fields, policy),
        "debug_off" if body.debug and policy.debug_data is DebugMode.OFF else "",
        attachments_reason(0, fact.attachments, policy),
    )
    return next((reason for reason in checks if reason), "")
