"""What one open client is made of, so that its parts need not know how they were put together."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from typing import Final

from e2e_support.content import Pair
from e2e_support.errors import UsageError
from e2e_support_client.allowance import Allowance
from e2e_support_client.courier import Courier
from e2e_support_client.debug.report import DebugReport
from e2e_support_client.discovery import Discovery
from e2e_support_client.guard import Choice, Finding, OnSecret, apply, find
from e2e_support_client.lifecycle_store import LifecycleStore
from e2e_support_client.outbox import Outbox
from e2e_support_client.people import Profile
from e2e_support_client.port import RelayPort
from e2e_support_client.reader import Reader
from e2e_support_client.reminders import Reminders
from e2e_support_client.rooms import Rooms
from e2e_support_client.store import LocalStore
from e2e_support_client.team import Team
from e2e_support_client.trust_store import TrustStore

_EMAIL: Final = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9.-]{1,190}")
"""No spaces, no line ends: a mail is made of it."""
Consent = Callable[[DebugReport], bool | Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of an open client, and what its host decided.

    Attributes:
        relay: the relay.
        store: the local store.
        trust: what is remembered of trust, in the same database.
        lifecycle: what is remembered of the list, likewise.
        team: the roster.
        rooms: the tickets.
        reader: reads them.
        discovery: finds those that other devices made.
        reminders: what time alone has done.
        allowance: says whether one more may be opened.
        outbox: writes them.
        courier: carries files.
        profile: what the host tells of its user.
        consent: asks the person about debug data.
        on_secret: asks the person about what looks like a secret.
    """

    relay: RelayPort
    store: LocalStore
    trust: TrustStore
    lifecycle: LifecycleStore
    team: Team
    rooms: Rooms
    reader: Reader
    discovery: Discovery
    reminders: Reminders
    allowance: Allowance
    outbox: Outbox
    courier: Courier
    profile: Profile
    consent: Consent | None
    on_secret: OnSecret | None

    def profile_pairs(self) -> tuple[Pair, ...]:
        """Return what stands in an opening of the user: only what the host gave.

        Raises:
            UsageError: ``bad_email`` when mails could not be sent to what stands there.
        """
        address = self.profile.notify_email
        if address and not _EMAIL.fullmatch(address):
            raise UsageError("bad_email", "this is not a mail address", hint="It looks like ada@example.org.")
        values = ((field.name, getattr(self.profile, field.name)) for field in fields(self.profile))
        return tuple(Pair(name, value) for name, value in values if value)

    async def agreed(self, debug: DebugReport | None) -> bytes:
        """Return the debug data that may be sent: nothing without the person's yes.

        Raises:
            UsageError: ``no_consent`` when nobody has looked at the report and nobody can be asked.
        """
        if debug is None:
            return b""
        if self.consent is None:
            if not debug.previewed:
                raise UsageError(
                    "no_consent",
                    "nobody has seen this debug data yet",
                    hint="Show report.preview() first, or give the client a consent function that asks.",
                )
            return debug.payload
        answer = self.consent(debug)
        return debug.payload if (await answer if inspect.isawaitable(answer) else answer) else b""

    async def guarded(self, subject: str, body: str) -> tuple[str, str]:
        """Return subject and text after the person was asked about what looks like a secret in them."""
        if self.on_secret is None:
            return subject, body
        found: tuple[Finding, ...] = (*find(subject), *find(body))
        if not found:
            return subject, body
        answer = self.on_secret(found)
        choice: Choice = await answer if inspect.isawaitable(answer) else answer
        return apply(subject, choice), apply(body, choice)
