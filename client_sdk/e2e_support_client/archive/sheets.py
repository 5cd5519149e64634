"""What stands in an export: one JSON sheet per ticket, and the cover that names and seals all members.

Everything is read with bounds: an export may come from anybody.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from e2e_support.errors import PeerError
from e2e_support.export import ExportedEntry
from e2e_support.ids import ID_SIZE, MailboxId
from e2e_support.limits import ENTRY_MAX, INT_MAX, LINK_MAX, MAILBOX_ENTRIES_MAX, RECEIPT_MAX
from e2e_support.wire import Stored

FORMAT: Final = "e2es-export"
VERSION: Final = 1
COVER: Final = "bundle.json"
SEAL: Final = "bundle.sig"
MEMBERS_MAX: Final = 200_000
_LINKS_MAX: Final = 10_000
_NUMBER: Final = re.compile(r"T-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}")
_PATH: Final = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[^/\\\x00-\x1f][^\\\x00-\x1f]{0,299}")
_SHA: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileMember:
    """A file of a ticket: which manifest it belongs to, and where its bytes stand.

    Attributes:
        seq: the entry of the shared log.
        index: place of its manifest in that entry.
        path: member of the export.
    """

    seq: int
    index: int
    path: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One exported ticket.

    Attributes:
        number: as people know it.
        mailbox: its shared log.
        shared: the whole shared log.
        staff_log: id of the staff log, where it was exported.
        staff: the whole staff log; none where it was not exported.
        files: the files that were exported with it.
    """

    number: str
    mailbox: MailboxId
    shared: tuple[ExportedEntry, ...]
    staff_log: MailboxId | None = None
    staff: tuple[ExportedEntry, ...] = ()
    files: tuple[FileMember, ...] = ()

    def dump(self) -> bytes:
        """Return the sheet as JSON."""
        data: dict[str, object] = {
            "number": self.number,
            "mailbox": self.mailbox.hex(),
            "shared": [_entry_json(entry) for entry in self.shared],
            "files": [[file.seq, file.index, file.path] for file in self.files],
        }
        if self.staff_log is not None:
            data |= {"staff_log": self.staff_log.hex(), "staff": [_entry_json(one) for one in self.staff]}
        return json.dumps(data, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Sheet:
        """Return the sheet in JSON; nothing in it is verified yet.

        Raises:
            PeerError: ``bad_export``.
        """
        read = _Reader(_parse(data))
        staff_log = read.mailbox("staff_log") if "staff_log" in read.fields else None
        return cls(
            read.text("number", _NUMBER),
            read.mailbox("mailbox"),
            read.entries("shared"),
            staff_log,
            read.entries("staff") if staff_log else (),
            tuple(_file(item) for item in read.list("files", MEMBERS_MAX)),
        )


@dataclass(frozen=True, slots=True)
class Cover:
    """What an export says of itself.

    Attributes:
        exported_at: when, as whoever exported says; seconds since 1970.
        links: the team's roster from the genesis on.
        sheets: members with a ticket each.
        members: SHA-256 of every other member, in hex, by its path.
    """

    exported_at: int
    links: tuple[bytes, ...]
    sheets: tuple[str, ...]
    members: Mapping[str, str]

    def dump(self) -> bytes:
        """Return the cover as JSON: these bytes are signed."""
        data = {
            "format": FORMAT,
            "version": VERSION,
            "exported_at": self.exported_at,
            "links": [_text_of(link) for link in self.links],
            "sheets": list(self.sheets),
            "members": dict(self.members),
        }
        return json.dumps(data, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Cover:
        """Return the cover in JSON; nothing in it is verified yet.

        Raises:
            PeerError: ``bad_export``; ``update_needed`` for a version that this program does not know.
        """
        read = _Reader(_parse(data))
        if read.fields.get("format") != FORMAT:
            raise bad_export("it is no export of tickets")
        if read.fields.get("version") != VERSION:
            raise PeerError(
                "update_needed", "the export was written by a newer program", hint="Update this program."
            )
        links = tuple(_bytes_of(link, 2 * LINK_MAX) for link in read.list("links", _LINKS_MAX))
        sheets = tuple(_matching(path, _PATH) for path in read.list("sheets", MEMBERS_MAX))
        return cls(read.number("exported_at"), links, sheets, read.members())


def bad_export(why: str) -> PeerError:
    """Return the error of an export that does not hold."""
    return PeerError(
        "bad_export", f"this export does not hold: {why}", hint="Ask for it again; trust none of it."
    )


# --- JSON from anybody -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reader:
    fields: dict[str, object]

    def list(self, name: str, most: int) -> Sequence[object]:
        value = self.fields.get(name)
        items = cast("Sequence[object]", value) if isinstance(value, list) else None
        if items is None or len(items) > most:
            raise bad_export(f"{name} is no list or too long")
        return items

    def members(self) -> dict[str, str]:
        value = self.fields.get("members")
        found = cast("dict[str, object]", value) if isinstance(value, dict) else None
        if found is None or len(found) > MEMBERS_MAX:
            raise bad_export("it does not list its members")
        return {_matching(path, _PATH): _matching(sha, _SHA) for path, sha in found.items()}

    def number(self, name: str) -> int:
        return _whole(self.fields.get(name))

    def text(self, name: str, form: re.Pattern[str]) -> str:
        return _matching(self.fields.get(name), form)

    def mailbox(self, name: str) -> MailboxId:
        try:
            found = bytes.fromhex(str(self.fields.get(name)))
        except ValueError:
            raise bad_export(f"{name} is no mailbox") from None
        if len(found) != ID_SIZE:
            raise bad_export(f"{name} is no mailbox")
        return MailboxId(found)

    def entries(self, name: str) -> tuple[ExportedEntry, ...]:
        return tuple(_entry(item) for item in self.list(name, MAILBOX_ENTRIES_MAX))


def _parse(data: bytes) -> dict[str, object]:
    """Return a JSON object in which no name stands twice: two readers must not see two exports."""
    try:
        value = json.loads(
            data, object_pairs_hook=_once, parse_constant=_no_constant, parse_float=_no_constant
        )
    except (ValueError, RecursionError):
        raise bad_export("it is not well formed") from None
    if not isinstance(value, dict):
        raise bad_export("it is not well formed")
    return cast("dict[str, object]", value)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _no_constant(_text: str) -> object:
    raise ValueError


def _entry_json(entry: ExportedEntry) -> list[str | int]:
    return [_text_of(entry.stored.entry), _text_of(entry.stored.receipt), _text_of(entry.key), entry.known]


def _entry(item: object) -> ExportedEntry:
    entry, receipt, key, known = _row(item, 4)
    stored = Stored(_bytes_of(entry, ENTRY_MAX), _bytes_of(receipt, RECEIPT_MAX))
    return ExportedEntry(stored, _bytes_of(key, 32), _whole(known))


def _file(item: object) -> FileMember:
    seq, index, path = _row(item, 3)
    return FileMember(_whole(seq), _whole(index), _matching(path, _PATH))


def _row(item: object, length: int) -> list[object]:
    row = cast("list[object]", item) if isinstance(item, list) else []
    if len(row) != length:
        raise bad_export("a row is not well formed")
    return row


def _whole(value: object) -> int:
    if type(value) is not int or not 0 <= value <= INT_MAX:
        raise bad_export("a number is not well formed")
    return value


def _matching(value: object, form: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise bad_export("a name is not well formed")
    return value


def _text_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes_of(value: object, most: int) -> bytes:
    if not isinstance(value, str) or len(value) > 4 * most:
        raise bad_export("bytes are not well formed")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise bad_export("bytes are not well formed") from None
    if len(data) > most:
        raise bad_export("bytes are not well formed")
    return data
