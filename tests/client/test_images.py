"""What leaves with a picture is the picture: hidden data goes, the look stays, broken files are left alone."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2e_support_client import images
from e2e_support_client.images import Metadata, clean_parts

PLACE = b"52.5200 N, 13.4050 E"


def clean(data: bytes) -> tuple[Metadata, bytes]:
    """Return what became of the metadata, and the bytes that would be sent."""
    metadata, parts = clean_parts(lambda at, size: data[at : at + size], len(data))
    return metadata, b"".join(p if isinstance(p, bytes) else data[p[0] : p[1]] for p in parts)


# --- JPEG ------------------------------------------------------------------------------------------------


def segment(code: int, body: bytes) -> bytes:
    """Return a JPEG segment."""
    return bytes([0xFF, code]) + (len(body) + 2).to_bytes(2, "big") + body


def exif(orientation: int | None, order: str = "<") -> bytes:
    """Return an Exif segment with a place, and with an orientation if there is one."""
    entries = [(0x0112, 3, orientation)] if orientation is not None else []
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, value in entries:
        directory += struct.pack(order + "HHIHH", tag, kind, 1, value, 0)
    mark = b"II" if order == "<" else b"MM"
    tiff = mark + struct.pack(order + "HI", 42, 8) + directory + bytes(4) + PLACE
    return segment(0xE1, b"Exif\0\0" + tiff)


SOI, EOI = b"\xff\xd8", b"\xff\xd9"
JFIF = segment(0xE0, b"JFIF\0\1\2" + bytes(7))
ICC = segment(0xE2, b"ICC_PROFILE\0\1\1colours")
ADOBE = segment(0xEE, b"Adobe\0d\0\0\0\0\0\1")
TABLES = segment(0xDB, bytes(65)) + segment(0xC0, bytes(15)) + segment(0xC4, bytes(30))
SCAN = segment(0xDA, bytes(10)) + b"\x12\xff\x00\x34\xff\xd0\x56\xff\xff\x00" * 7
PICTURE = JFIF + ICC + ADOBE + TABLES + SCAN
HIDDEN = {
    "exif": exif(None),
    "xmp": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PLACE),
    "photoshop": segment(0xED, b"Photoshop 3.0\0" + PLACE),
    "comment": segment(0xFE, PLACE),
    "thumbnail": segment(0xE0, b"JFXX\0\x10" + PLACE),
    "several pictures": segment(0xE2, b"MPF\0" + PLACE),
    "content credentials": segment(0xEB, b"JP\0\1" + PLACE),
    "a vendor's": segment(0xE4, PLACE),
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN.keys())
def test_a_jpeg_loses_what_people_do_not_see(hidden: bytes) -> None:
    """Segments that the look does not need go, wherever they stand; all others stay byte for byte."""
    metadata, sent = clean(SOI + hidden + PICTURE + hidden + SCAN + EOI + PLACE)
    assert metadata is Metadata.REMOVED
    assert sent == SOI + PICTURE + SCAN + EOI


def test_a_jpeg_without_hidden_data_is_sent_as_it_is() -> None:
    """A clean picture does not change, fill bytes before markers included."""
    picture = SOI + b"\xff\xff" + PICTURE + b"\xff" + EOI
    assert clean(picture) == (Metadata.REMOVED, picture)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(10))
def test_a_turned_picture_stays_turned(orientation: int, order: str) -> None:
    """Of Exif data only the orientation survives, where it says more than "upright"."""
    _, sent = clean(SOI + exif(orientation, order) + PICTURE + EOI)
    assert PLACE not in sent
    if not 2 <= orientation <= 8:
        assert sent == SOI + PICTURE + EOI
        return
    tiff = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    assert sent == SOI + segment(0xE1, b"Exif\0\0" + tiff) + PICTURE + EOI
    assert clean(sent) == (Metadata.REMOVED, sent)


@pytest.mark.parametrize(
    "tiff", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"XX*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\xff\xff"]
)
def test_broken_exif_data_goes_without_a_trace(tiff: bytes) -> None:
    """Exif data that cannot be read is hidden data like any other."""
    broken = segment(0xE1, b"Exif\0\0" + tiff)
    assert clean(SOI + broken + PICTURE + EOI) == (Metadata.REMOVED, SOI + PICTURE + EOI)


# --- PNG -------------------------------------------------------------------------------------------------


def chunk(name: bytes, body: bytes = b"") -> bytes:
    """Return a PNG chunk."""
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD, DATA, END = chunk(b"IHDR", bytes(13)), chunk(b"IDAT", b"pixels") * 3, chunk(b"IEND")
COLOURS = (
    chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", b"\0") + chunk(b"gAMA", bytes(4)) + chunk(b"pHYs", bytes(9))
)


@pytest.mark.parametrize("name", [b"eXIf", b"tEXt", b"iTXt", b"zTXt", b"tIME", b"caBX", b"prVt"])
def test_a_png_loses_what_people_do_not_see(name: bytes) -> None:
    """Text, dates, Exif and unknown chunks go, and what follows the end; the picture stays byte for byte."""
    hidden = chunk(name, PLACE)
    metadata, sent = clean(SIGNATURE + HEAD + hidden + COLOURS + DATA + hidden + END + PLACE)
    assert (metadata, sent) == (Metadata.REMOVED, SIGNATURE + HEAD + COLOURS + DATA + END)


# --- everything else -------------------------------------------------------------------------------------

BROKEN = {
    "jpeg, cut in a segment": SOI + PICTURE[:40],
    "jpeg, cut in the scan": SOI + PICTURE,
    "jpeg, impossible length": SOI + b"\xff\xe1\0\1" + PICTURE + EOI,
    "jpeg, no marker": SOI + JFIF + b"\0\0\0\0" + EOI,
    "jpeg, only markers": SOI + b"\xff" * 40,
    "jpeg, nothing": SOI + b"\xff",
    "png, cut": SIGNATURE + HEAD + DATA[:20],
    "png, endless chunk": SIGNATURE + b"\xff\xff\xff\xffIDAT" + END,
    "png, unknown critical chunk": SIGNATURE + HEAD + chunk(b"QUUX") + END,
    "png, no chunk": SIGNATURE + HEAD + b"\0\0\0\0\0\0\0\0\0\0\0\0",
    "png, nothing": SIGNATURE,
    "webp": b"RIFF\0\0\0\0WEBPVP8X" + PLACE,
    "heic": b"\0\0\0\x18ftypheic" + PLACE,
    "gif": b"GIF89a" + PLACE,
    "tiff": b"II*\0" + PLACE,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_picture_that_is_not_understood_is_sent_as_it_is_and_said_so(data: bytes) -> None:
    """Nothing is guessed: the file stays whole and the sender learns that hidden data is still there."""
    assert clean(data) == (Metadata.KEPT, data)


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8", b"%PDF-1.7", bytes(100)])
def test_what_is_no_picture_is_left_alone(data: bytes) -> None:
    """Other files are sent as they are, without a word about pictures."""
    assert clean(data) == (Metadata.NO_IMAGE, data)


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of endless tiny segments, and one above the size that is looked at, are given up (attack 37)."""
    monkeypatch.setattr(images, "SEGMENTS_MAX", 50)
    for data in (SOI + segment(0xFE, b"") * 60 + EOI, SIGNATURE + chunk(b"tEXt") * 60 + END):
        assert clean(data) == (Metadata.KEPT, data)
    monkeypatch.setattr(images, "IMAGE_MAX", 10)
    assert clean(SOI + PICTURE + EOI)[0] is Metadata.KEPT


def test_a_marker_is_found_across_the_windows_of_a_long_scan() -> None:
    """The end of a scan is found wherever it lies with respect to the parser's read windows."""
    for length in (65_534, 65_535, 65_536, 65_537, 131_071, 131_072):
        scan = segment(0xDA, bytes(10)) + b"\x01" * length
        picture = SOI + JFIF + scan + EOI
        assert clean(picture + PLACE) == (Metadata.REMOVED, picture)


@given(st.sampled_from([SOI + b"\xff", SIGNATURE, SOI + PICTURE]), st.binary(max_size=300))
def test_no_bytes_break_the_parser(start: bytes, rest: bytes) -> None:
    """Whatever stands in a file, the parts are ranges of it, in order, or an orientation of our own."""
    data = start + rest
    metadata, parts = clean_parts(lambda at, size: data[at : at + size], len(data))
    ranges: Sequence[tuple[int, int]] = [part for part in parts if isinstance(part, tuple)]
    edges = [edge for part in ranges for edge in part]
    assert edges == sorted(edges)
    assert not edges or edges[-1] <= len(data)
    assert metadata is not Metadata.KEPT or parts == [(0, len(data))]
