"""Writes the protocol vectors: ``cd tests && python -m vectors.generate_protocol``.

It imports nothing of the code under test: mailboxes, receipts, requests, tickets and files are made a second time
from hashlib, msgpack and the bare libraries. Key boxes are randomised by their library, so those stand in
``frozen.json``; ``--freeze`` makes the missing ones. Changing a committed vector means changing the protocol.
"""

from __future__ import annotations

import json
import sys

from vectors import protocol_tickets as tickets
from vectors import protocol_users as users
from vectors import protocol_wire as wire
from vectors.protocol_by_hand import FOLDER


def documents() -> dict[str, str]:
    """Return every generated file's name and text."""
    made = {
        "codec": wire.codec_document(),
        "mailbox": wire.mailbox_document(),
        "receipt": wire.receipt_document(),
        "request": wire.request_document(),
        "admission": wire.admission_document(),
        "ticket_keys": tickets.ticket_keys_document(),
        "entries": tickets.entries_document(),
        "attachment": tickets.attachment_document(),
        "users": users.users_document(),
    }
    return {f"{name}.json": json.dumps(document, indent=1) + "\n" for name, document in made.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    if "--freeze" in sys.argv:
        tickets.freeze()
    for file_name, content in documents().items():
        (FOLDER / file_name).write_text(content)
