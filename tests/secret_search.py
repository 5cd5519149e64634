"""Looks for secret bytes in everything that the interpreter still holds.

It sees objects of Python, not the memory of libraries written in C. What is looked for is kept reversed, so that the
search does not find itself.
"""

from __future__ import annotations

import gc

from e2e_support.crypto.secret import SECRET_ACCESS, Secret


def reversed_bytes(secret: Secret) -> bytes:
    """Return what ``holders`` looks for."""
    return secret.reveal(SECRET_ACCESS)[::-1]


def holders(wanted: bytes) -> list[str]:
    """Return the types of what holds the bytes, alone or inside of longer ones.

    Args:
        wanted: from ``reversed_bytes``.
    """
    gc.collect()
    size = len(wanted)
    return [
        type(holder).__name__
        for holder in gc.get_objects()
        for held in gc.get_referents(holder)
        if isinstance(held, (bytes, bytearray)) and len(held) >= size and wanted in held[::-1]
    ]
