"""Lets an application offer end-to-end encrypted support tickets to its users."""

import logging

from e2e_support.errors import PeerError, SupportError, TransportError, TrustError, UsageError
from e2e_support.vocab import Verdict
from e2e_support_client.allowance import Today
from e2e_support_client.blocking import BlockingSupportClient
from e2e_support_client.client import SupportClient
from e2e_support_client.debug import collectors, redact
from e2e_support_client.debug.report import DebugReport, Field, FieldState
from e2e_support_client.guard import Choice, Finding
from e2e_support_client.history import TimelineEvent
from e2e_support_client.model import (
    AttachmentInfo,
    Author,
    Event,
    EventKind,
    FileSpec,
    Message,
    Notification,
    OutboxItem,
    Page,
    Progress,
    Role,
    State,
    Ticket,
    TicketRef,
    TicketSummary,
)
from e2e_support_client.people import Member, Profile, ProofInfo, Registration, TeamChange, TeamInfo
from e2e_support_keys.keystore import FileKeystore, Keystore, MemoryKeystore

__all__ = [
    "AttachmentInfo",
    "Author",
    "BlockingSupportClient",
    "Choice",
    "DebugReport",
    "Event",
    "EventKind",
    "Field",
    "FieldState",
    "FileKeystore",
    "FileSpec",
    "Finding",
    "Keystore",
    "Member",
    "MemoryKeystore",
    "Message",
    "Notification",
    "OutboxItem",
    "Page",
    "PeerError",
    "Profile",
    "Progress",
    "ProofInfo",
    "Registration",
    "Role",
    "State",
    "SupportClient",
    "SupportError",
    "TeamChange",
    "TeamInfo",
    "Ticket",
    "TicketRef",
    "TicketSummary",
    "TimelineEvent",
    "Today",
    "TransportError",
    "TrustError",
    "UsageError",
    "Verdict",
    "collectors",
    "redact",
]

logging.getLogger("e2e_support").addHandler(logging.NullHandler())
