"""Who takes part, as applications see it: the user's profile and keys, the team, its changes and its faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """What the host tells of its user; empty text is not sent.

    Attributes:
        name: display name.
        account: account id at the host.
        account_type: plan or kind of account.
        email: address.
        locale: language tag.
        auth_method: how the user has signed in; a team can refuse some methods.
        notify_email: where the user wants mails that say that there is news, and never what; it is sent only to
            teams that send mails, inside the encrypted ticket.
    """

    name: str = ""
    account: str = ""
    account_type: str = ""
    email: str = ""
    locale: str = ""
    auth_method: str = ""
    notify_email: str = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """A user's keys on this device.

    Attributes:
        created: whether they were made just now.
        recovery_phrase: 24 words that bring them back; empty when they were not asked for.
    """

    created: bool
    recovery_phrase: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    """An administrator as users see them.

    Attributes:
        name: label of their device.
        role: ``owner``, ``agent``, ``auditor`` or ``recovery``.
        languages: what they answer in.
        since: when they were added, as the signed list says.
    """

    name: str
    role: str
    languages: tuple[str, ...]
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class TeamInfo:
    """Who can read tickets, after the whole list of administrators was verified.

    Attributes:
        name: what the team calls itself.
        words: eight words to compare.
        digits: six groups of five digits to compare instead.
        members: who holds keys now.
        languages: what they answer in; empty where the policy does not show it.
        epoch: number of the team's newest key.
        verified: whether the person has compared words or digits with the team.
        since: when the team was founded.
    """

    name: str
    words: tuple[str, ...]
    digits: tuple[str, ...]
    members: tuple[Member, ...]
    languages: tuple[str, ...]
    epoch: int
    verified: bool = False
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class TeamChange:
    """Something that happened to the team, from its signed list.

    Attributes:
        at: when, as its author said.
        what: one sentence; names in it are the administrators' own.
        after: number of entries of the ticket that stood before, where it is told in a ticket.
    """

    at: datetime
    what: str
    after: int = 0


@dataclass(frozen=True, slots=True)
class ProofInfo:
    """A proof that the relay or the team told two stories; anyone can check it offline.

    Attributes:
        found_at: when this device met it.
        words: what it shows, in one sentence.
        data: the proof itself, for ``e2e-ticket proof verify``.
    """

    found_at: datetime
    words: str
    data: bytes = field(repr=False)
