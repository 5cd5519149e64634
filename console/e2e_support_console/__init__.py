"""The administrators' side: opens, searches and answers tickets on their own machine."""

import logging

from e2e_support.errors import PeerError, SupportError, TransportError, TrustError, UsageError
from e2e_support.vocab import Verdict
from e2e_support_client.model import AttachmentInfo, Author, EventKind, Message, Role
from e2e_support_console.agent import Agent, Report
from e2e_support_console.alarms import Alarm
from e2e_support_console.collision import TicketMoved
from e2e_support_console.drafts import Mode, WrittenDraft
from e2e_support_console.history import LogEvent
from e2e_support_console.inbox import Inbox
from e2e_support_console.macros import Macro, MacroRun
from e2e_support_console.mail import Mailer, MailSettings
from e2e_support_console.model import InboxTicket, TicketView, Unsent
from e2e_support_console.snippets import Snippet
from e2e_support_console.sync import SyncReport
from e2e_support_console.team import TeamClient
from e2e_support_keys.keystore import FileKeystore, Keystore, MemoryKeystore

__all__ = [
    "Agent",
    "Alarm",
    "AttachmentInfo",
    "Author",
    "EventKind",
    "FileKeystore",
    "Inbox",
    "InboxTicket",
    "Keystore",
    "LogEvent",
    "Macro",
    "MacroRun",
    "MailSettings",
    "Mailer",
    "MemoryKeystore",
    "Message",
    "Mode",
    "PeerError",
    "Report",
    "Role",
    "Snippet",
    "SupportError",
    "SyncReport",
    "TeamClient",
    "TicketMoved",
    "TicketView",
    "TransportError",
    "TrustError",
    "Unsent",
    "UsageError",
    "Verdict",
    "WrittenDraft",
]

logging.getLogger("e2e_support").addHandler(logging.NullHandler())
