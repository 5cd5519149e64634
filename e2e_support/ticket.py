"""What a ticket's log adds up to, entry by entry: the rules of the policy and the state (protocol 5.4, 5.5).

Pure and blind to bytes and keys. User clients, consoles and the check before sending all call ``judge``, so
that nobody is offered what others would call nonconforming.
"""

from __future__ import annotations

from e2e_support.policy import Policy
from e2e_support.ticket_effects import after
from e2e_support.ticket_opening import OPENINGS, judge_open
from e2e_support.ticket_rules import broken_rule
from e2e_support.ticket_state import Fact, TicketState, advance
from e2e_support.vocab import Role


def judge(state: TicketState | None, fact: Fact, policy: Policy) -> tuple[TicketState | None, str]:
    """Return the state after an entry, and the rule that it breaks.

    Args:
        state: the ticket so far; ``None`` before its first entry.
        fact: the entry.
        policy: the policy at the roster head that the entry cites.

    Returns:
        (new state, "") or (the same state, a code of ``REASONS``).
    """
    if fact.role in {Role.AUDITOR, Role.RECOVERY}:
        return state, "not_allowed"
    if state is None or fact.kind in OPENINGS:
        return judge_open(state, fact, policy)
    reached = advance(state, fact.time)
    reason = broken_rule(reached, fact, policy)
    return (state, reason) if reason else (after(reached, fact, policy), "")
