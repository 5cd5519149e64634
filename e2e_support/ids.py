"""Typed identifiers: byte strings of fixed width that cannot be mixed up by a type checker."""

from __future__ import annotations

from typing import NewType

MailboxId = NewType("MailboxId", bytes)  # 16 B, hash of the creation key: cannot be chosen or squatted
TeamId = NewType("TeamId", bytes)  # 32 B, hash of the genesis body: what clients pin
DeviceId = NewType("DeviceId", bytes)  # 16 B random
MemberId = NewType("MemberId", bytes)  # 16 B, the person's first device
MessageId = NewType("MessageId", bytes)  # 16 B random, makes a re-sent message harmless
BlobId = NewType("BlobId", bytes)  # 16 B random
RelayKeyId = NewType("RelayKeyId", bytes)  # 16 B, hash of the relay's public key
Hash = NewType("Hash", bytes)  # 32 B SHA-256

ID_SIZE = 16
HASH_SIZE = 32
