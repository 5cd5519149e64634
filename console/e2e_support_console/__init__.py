"""The administrators' side: opens, searches and answers tickets on their own machine."""

import logging

from e2e_support.errors import PeerError, SupportError, TransportError, TrustError, UsageError
from e2e_support.vocab import Verdict
from e2e_support_client.model import AttachmentInfo, Author, EventKind, Message, Role
from e2e_support_console.alarms import Alarm
from e2e_support_console.inbox import Inbox
from e2e_support_console.model import InboxTicket, TicketView, Unsent
from e2e_support_console.sync import SyncReport
from e2e_support_console.team import TeamClient
from e2e_support_keys.keystore import FileKeystore, Keystore, MemoryKeystore

__all__ = [
    "Alarm",
    "AttachmentInfo",
    "Author",
    "EventKind",
    "FileKeystore",
    "Inbox",
    "InboxTicket",
    "Keystore",
    "MemoryKeystore",
    "Message",
    "PeerError",
    "Role",
    "SupportError",
    "SyncReport",
    "TeamClient",
    "TicketView",
    "TransportError",
    "TrustError",
    "Unsent",
    "UsageError",
    "Verdict",
]

logging.getLogger("e2e_support").addHandler(logging.NullHandler())
