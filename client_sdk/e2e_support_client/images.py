"""Takes out of pictures what people do not see and do not mean to send: places, devices, dates, thumbnails.

JPEG (ITU-T T.81) and PNG (W3C, third edition) are understood, and only as far as needed: which byte ranges hold
the picture. Nothing is decoded or copied, so a hostile file costs a bounded number of small reads. Everything
else is sent as it is, and the caller is told so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

from e2e_support.limits import KIB, MIB

Read = Callable[[int, int], bytes]
"""Returns ``size`` bytes from an offset, fewer at the end of the file."""

Part = tuple[int, int] | bytes
"""A piece of the cleaned file: a range [start, end) of the original, or bytes of our own."""

IMAGE_MAX: Final = 256 * MIB
SEGMENTS_MAX: Final = 100_000  # a PNG of that size in the usual chunks has a third of it
_WINDOW: Final = 64 * KIB


class Metadata(StrEnum):
    """What became of a file's hidden data."""

    NO_IMAGE = "no image"
    REMOVED = "removed"
    KEPT = "kept"


class _NotUnderstoodError(Exception):
    """The file is not what its first bytes claim."""


def clean_parts(read: Read, size: int) -> tuple[Metadata, Sequence[Part]]:
    """Return what of a file to send.

    Args:
        read: reads from the file.
        size: its size in bytes.

    Returns:
        What became of hidden data, and the parts that make up the file to send. A picture that is not understood
        is sent whole, with ``KEPT``.
    """
    whole: Sequence[Part] = [(0, size)]
    magic = read(0, 12)
    parser = next((parse for start, parse in _PARSERS.items() if magic.startswith(start)), None)
    if parser is None or size > IMAGE_MAX:
        return (Metadata.KEPT if parser or _is_image(magic) else Metadata.NO_IMAGE), whole
    try:
        return Metadata.REMOVED, parser(read, size)
    except _NotUnderstoodError:
        return Metadata.KEPT, whole


def _is_image(magic: bytes) -> bool:
    """Tell whether a file is a picture of a kind that can hold hidden data but is not cleaned here."""
    riff = magic[:4] == b"RIFF" and magic[8:] == b"WEBP"
    return riff or magic[4:8] == b"ftyp" or magic.startswith((b"GIF8", b"II*\0", b"MM\0*", b"\xff\x0a"))


class _Parts:
    """Collects what is kept; neighbours become one range."""

    def __init__(self) -> None:
        self.list: list[Part] = []

    def keep(self, start: int, end: int) -> None:
        last = self.list[-1] if self.list else b""
        if isinstance(last, tuple) and last[1] == start:
            self.list[-1] = (last[0], end)
        else:
            self.list.append((start, end))


# --- JPEG ------------------------------------------------------------------------------------------------

_SOI, _EOI, _SOS, _APP0, _APP1, _APP15, _COM = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xEF, 0xFE
_BARE: Final = {0x01, *range(0xD0, 0xD8)}  # markers without a length
_MARKER: Final = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")  # in a scan: neither a stuffed byte nor a restart
_ORIENTATION: Final = 0x0112
# Application segments that the picture's look depends on; all others hold hidden data.
_NEEDED: Final = {_APP0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}


def _jpeg_parts(read: Read, size: int) -> Sequence[Part]:
    """Keep the segments that make the picture, and how it is turned; what follows its end goes (S. B.1)."""
    parts, at = _Parts(), 2
    parts.keep(0, at)
    for _ in range(SEGMENTS_MAX):
        code, body = _jpeg_marker(read, at)
        if code == _EOI:
            parts.keep(at, body)
            return parts.list
        end = body if code in _BARE else body + _jpeg_length(read(body, 2))
        head = read(body + 2, min(end - body, _WINDOW))
        if _is_needed(code, head):
            parts.keep(at, end)
        elif turned := _orientation(code, head):
            parts.list.append(turned)
        at = end
        if code == _SOS:
            at = _scan_end(read, end, size)
            parts.keep(end, at)
    raise _NotUnderstoodError


def _jpeg_marker(read: Read, at: int) -> tuple[int, int]:
    """Return a marker's code and where its body begins; fill bytes may stand before the code."""
    found = read(at, 16)
    code = found.lstrip(b"\xff")[:1]
    if not found.startswith(b"\xff") or not code or code == b"\x00":
        raise _NotUnderstoodError
    return code[0], at + len(found) - len(found.lstrip(b"\xff")) + 1


def _jpeg_length(data: bytes) -> int:
    length = int.from_bytes(data, "big")
    if len(data) < 2 or length < 2:
        raise _NotUnderstoodError
    return length


def _is_needed(code: int, head: bytes) -> bool:
    if _APP0 <= code <= _APP15:
        return code in _NEEDED and head.startswith(_NEEDED[code])
    return code != _COM


def _scan_end(read: Read, at: int, size: int) -> int:
    """Return where the entropy-coded data of a scan ends: at the next real marker."""
    while at < size:
        window = read(at, _WINDOW)
        found = _MARKER.search(window)
        if found:
            return at + found.start()
        if len(window) < 2:
            break
        at += len(window) - 1  # the marker may begin with the last byte
    raise _NotUnderstoodError


def _orientation(code: int, head: bytes) -> bytes:
    """Return a segment that says only how the picture is turned, or nothing where it is upright (Exif 2.3)."""
    if code != _APP1 or not head.startswith(b"Exif\0\0"):
        return b""
    turned = _tiff_orientation(head[6:])
    if not 2 <= turned <= 8:
        return b""
    entry = _ORIENTATION.to_bytes(2, "big") + b"\0\3\0\0\0\1" + turned.to_bytes(2, "big") + b"\0\0"
    tiff = b"MM\0*\0\0\0\x08" + b"\0\1" + entry + bytes(4)
    return b"\xff\xe1" + (8 + len(tiff)).to_bytes(2, "big") + b"Exif\0\0" + tiff


def _tiff_orientation(tiff: bytes) -> int:
    """Return the orientation in the first directory of a TIFF structure; 0 where it says none."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(tiff[:4])

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "little" if order == "little" else "big")

    start = number(4, 4)
    if order is None or start > len(tiff):
        return 0
    for at in range(start + 2, min(start + 2 + 12 * number(start, 2), len(tiff)), 12):
        if (number(at, 2), number(at + 2, 2)) == (_ORIENTATION, 3):
            return number(at + 8, 2)
    return 0


# --- PNG -------------------------------------------------------------------------------------------------

_PNG_NEEDED: Final = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT acTL fcTL fdAT".split()
)


def _png_parts(read: Read, size: int) -> Sequence[Part]:
    """Keep the chunks that make the picture; text, dates, Exif, unknown ones and what follows the end go."""
    parts, at = _Parts(), 8
    parts.keep(0, at)
    for _ in range(SEGMENTS_MAX):
        head = read(at, 8)
        name, end = head[4:], at + 12 + int.from_bytes(head[:4], "big")
        if len(head) < 8 or not name.isalpha() or end > size:
            raise _NotUnderstoodError
        if name in _PNG_NEEDED:
            parts.keep(at, end)
        elif name[:1].isupper():
            raise _NotUnderstoodError  # a critical chunk that we do not know
        if name == b"IEND":
            return parts.list
        at = end
    raise _NotUnderstoodError


_PARSERS: Final = {b"\xff\xd8\xff": _jpeg_parts, b"\x89PNG\r\n\x1a\n": _png_parts}
