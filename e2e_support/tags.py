"""The domain-separation table: every hash, derivation, signature and seal names one of these tags.

``docs/protocol.md`` section 2.1 is the same table; a test compares the two.
"""

from __future__ import annotations

from enum import Enum

PREFIX = b"e2es/v1/"


class Tag(Enum):
    """What a hash, key, signature or sealed box is for. Values are ASCII and end in no NUL."""

    # mailbox and receipts
    MAILBOX = "mailbox"
    FIRST = "first"
    ENTRY_HASH = "entry-hash"
    RECEIPT_LEAF = "receipt-leaf"
    RECEIPT_NODE = "receipt-node"
    RECEIPT = "receipt"
    RELAY_KEY = "relay-key"
    TOMBSTONE = "tombstone"
    # requests and admission
    REQUEST = "request"
    SESSION = "session"
    ADMIT = "admit"
    ADMIT_WORK = "admit-work"
    ADMIT_TEAM = "admit-team"
    ADMIT_GRANT = "admit-grant"
    ADMIT_BLIND = "admit-blind"
    BOOTSTRAP = "bootstrap"
    # roster
    TEAM = "team"
    LINK = "link"
    LINK_SIGN = "link-sign"
    FRESHNESS = "freshness"
    BOX_HASH = "box-hash"
    EPOCH_BOX = "epoch-box"
    EPOCH_COMMIT = "epoch-commit"
    EPOCH_KEM = "epoch-kem"
    EPOCH_CAPABILITY = "epoch-capability"
    RING = "ring"
    DEVICE_PROOF = "device-proof"
    INVITE = "invite"
    INVITE_CAPABILITY = "invite-capability"
    INVITE_KEY = "invite-key"
    INVITE_OFFER = "invite-offer"
    WORDS = "words"
    SUPPORT_LINK = "support-link"
    # tickets
    TICKET = "ticket"
    TICKET_CAPABILITY = "ticket-capability"
    TICKET_AUTHOR = "ticket-author"
    TICKET_REPLY = "ticket-reply"
    TICKET_KEY_FIRST = "ticket-key-first"
    TICKET_KEY = "ticket-key"
    TICKET_KEY_USER = "ticket-key-user"
    STAFF_LOG = "staff-log"
    TEAM_SPACE = "team-space"
    AUTO_CLOSE = "auto-close"
    NUMBER = "number"
    BOXES = "boxes"
    CONTEXT = "ctx"
    ENTRY = "entry"
    ENTRY_SIGN = "entry-sign"
    CARD = "card"
    USER = "user"
    USER_PROOF = "user-proof"
    ATTESTATION = "attestation"
    # attachments
    STREAM = "stream"
    LEAF = "leaf"
    LEAF_ROOT = "leaf-root"
    PIECE = "piece"
    # keys and stores at rest
    DEVICE_ID = "device-id"
    DEVICE_SIGN = "device-sign"
    DEVICE_KEM = "device-kem"
    STORE_KEY = "store-key"
    DRAFT = "draft"
    DEBUG = "debug"
    EXPORT = "export"

    def __init__(self, name: str) -> None:
        self._prefix = PREFIX + name.encode("ascii") + b"\x00"

    def prefix(self) -> bytes:
        """Return the bytes that stand before the data: ``e2es/v1/`` tag NUL."""
        return self._prefix
