"""Verifies an export without network and keys: roster, signatures, receipts, verdicts, and every byte of files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from e2e_support.attachment import Plan, Sealer
from e2e_support.content import OpenForBody, StaffBody
from e2e_support.crypto.hash import same
from e2e_support.crypto.secret import Secret
from e2e_support.errors import UsageError
from e2e_support.export import ExportedEntry, read_entries
from e2e_support.ids import DeviceId, MailboxId, TeamId
from e2e_support.opened import Opened
from e2e_support.roster import TrustedRoster
from e2e_support.thread import StaffThread, Thread
from e2e_support.ticket_keys import ticket_number
from e2e_support.ticket_state import advance, label
from e2e_support.user import card_in
from e2e_support.vocab import AuthorRole, Verdict
from e2e_support.wire import Head
from e2e_support_client.archive.parcel import ParcelReader
from e2e_support_client.archive.sealing import Exporter, open_seal
from e2e_support_client.archive.sheets import COVER, SEAL, Cover, FileMember, Sheet, bad_export
from e2e_support_client.model import utc
from e2e_support_keys.fingerprint import Fingerprint

OnTicket = Callable[[int, int], None]
_MEMBERS_BESIDE: Final = frozenset({COVER, SEAL})


@dataclass(frozen=True, slots=True)
class CheckedTicket:
    """A ticket whose export holds.

    Attributes:
        number: as people know it.
        subject: as it was opened.
        status: its label by the export's policy.
        verdicts: how many entries have each verdict.
        notes: entries of the staff log; 0 where it was not exported.
        files: files whose every byte is the one that was signed.
    """

    number: str
    subject: str
    status: str
    verdicts: dict[Verdict, int]
    notes: int
    files: int


@dataclass(frozen=True, slots=True)
class CheckedExport:
    """An export that holds.

    Attributes:
        team: what the team calls itself.
        words: its id as eight words, to compare.
        exported_at: when, as whoever exported says.
        by: the administrator's name; empty for the user themselves.
        removed: whether the team had removed that administrator's device before.
        tickets: what is in it.
    """

    team: str
    words: tuple[str, ...]
    exported_at: datetime
    by: str
    removed: bool
    tickets: tuple[CheckedTicket, ...]


def check_export(
    path: Path, *, team_id: TeamId | None = None, on_ticket: OnTicket | None = None
) -> CheckedExport:
    """Return what an export shows, if all of it holds.

    Args:
        path: the file.
        team_id: the team that it must be of; without one compare the words.
        on_ticket: told how many tickets are done, of how many.

    Raises:
        UsageError: ``cannot_read``.
        PeerError, TrustError: the first thing that does not hold.
    """
    with ParcelReader(path) as parcel:
        data = parcel.read(COVER)
        cover = Cover.load(data)
        roster = _roster(cover, team_id)
        by = open_seal(data, parcel.read(SEAL), roster)
        _check_members(parcel, cover)
        tickets: list[CheckedTicket] = []
        for done, name in enumerate(cover.sheets, 1):
            tickets.append(_check_ticket(parcel, name, roster, by, cover.exported_at))
            if on_ticket:
                on_ticket(done, len(cover.sheets))
    device = roster.devices_ever[DeviceId(by.device)] if by.device else None
    return CheckedExport(
        roster.name,
        Fingerprint.of(roster.team_id).words,
        utc(cover.exported_at),
        device.record.label if device else "",
        device is not None and device.revoked is not None,
        tuple(tickets),
    )


def _roster(cover: Cover, team_id: TeamId | None) -> TrustedRoster:
    if not cover.links:
        raise bad_export("it names no team")
    return TrustedRoster.begin(cover.links[0], team_id=team_id).update(cover.links[1:])


def _check_members(parcel: ParcelReader, cover: Cover) -> None:
    """Every member is listed and is what was signed; pages are covered as sheets are."""
    if set(parcel.names) - _MEMBERS_BESIDE != set(cover.members):
        raise bad_export("members are missing, or were added")
    if not set(cover.sheets) <= set(cover.members) or len(set(cover.sheets)) < len(cover.sheets):
        raise bad_export("its tickets are not among its members")
    for name, wanted in cover.members.items():
        sha = hashlib.sha256()
        for part in parcel.parts(name):
            sha.update(part)
        if not same(sha.hexdigest().encode(), wanted.encode()):
            raise bad_export(f"{name} is not what was signed")


def _check_ticket(
    parcel: ParcelReader, name: str, roster: TrustedRoster, by: Exporter, now: int
) -> CheckedTicket:
    sheet = Sheet.load(parcel.read(name))
    if sheet.number != ticket_number(sheet.mailbox):
        raise bad_export(f"{name} is of another ticket than it says")
    shared = Thread(roster)
    _follow(shared.take, sheet.mailbox, roster, sheet.shared)
    if shared.state is None:
        raise bad_export(f"{sheet.number} holds no valid ticket")
    _check_user(sheet, shared.entries, by)
    staff = StaffThread(roster)
    if sheet.staff_log is not None:
        _follow(staff.take, sheet.staff_log, roster, sheet.staff, staff=True)
        _check_staff(sheet, shared.entries, staff.entries)
    for file in sheet.files:
        _check_file(parcel, sheet.mailbox, file, shared.entries)
    state = advance(shared.state, now)
    status = label(state, roster.policy).text
    counted = dict(_counted([*shared.entries, *staff.entries]))
    return CheckedTicket(sheet.number, state.subject, status, counted, len(staff.entries), len(sheet.files))


def _follow(
    take: Callable[[Opened], Opened],
    mailbox: MailboxId,
    roster: TrustedRoster,
    entries: tuple[ExportedEntry, ...],
    *,
    staff: bool = False,
) -> None:
    for opened, entry in zip(read_entries(mailbox, roster, entries, staff=staff), entries, strict=True):
        if entry.key and opened.verdict is Verdict.FORGED:  # honest exporters give no key for what is forged
            raise bad_export("a key does not open the entry that it stands with")
        take(opened)


def _check_staff(sheet: Sheet, shared: list[Opened], staff: list[Opened]) -> None:
    """Notes belong to this ticket: they name the shared log as their authors saw it (5.6).

    One is enough, since nobody can put logs together; a relay may have shown another history to somebody.
    """
    said = [e.body.shared for e in staff if e.verdict is Verdict.OK and isinstance(e.body, StaffBody)]
    heads = [head for head in said if head.length]
    if heads and not any(_is_of(head, shared) for head in heads):
        raise bad_export(f"{sheet.number} comes with notes that were written to another log")


def _is_of(head: Head, shared: list[Opened]) -> bool:
    return head.length <= len(shared) and same(shared[head.length - 1].hash, head.hash)


def _check_user(sheet: Sheet, entries: list[Opened], by: Exporter) -> None:
    """A user stands for their own tickets only, each by the key that signed in it."""
    if by.device:
        return
    authors = set(_authors(entries))
    if not authors or not authors <= by.author_keys:
        raise bad_export(f"{sheet.number} is not signed by its user")


def _authors(entries: list[Opened]) -> Iterator[bytes]:
    """Yield the user's author key in every entry that tells it; one that the team opened has it in the card."""
    for entry in entries:
        if entry.verdict is not Verdict.OK or entry.inner is None:
            continue
        if entry.inner.author.role is AuthorRole.USER:
            yield entry.inner.author.key
        elif isinstance(entry.body, OpenForBody):
            yield card_in(entry.body.card).author_key


def _check_file(parcel: ParcelReader, mailbox: MailboxId, file: FileMember, entries: list[Opened]) -> None:
    """Seal the bytes again: under the manifest's key they must give the root that the sender signed."""
    inner = entries[file.seq].inner if file.seq < len(entries) else None
    if inner is None or file.index >= len(inner.attachments):
        raise bad_export(f"{file.path} belongs to nothing")
    manifest = inner.attachments[file.index]
    plan = Plan(manifest.size)
    sealer = Sealer(plan, mailbox, manifest.blob_id, Secret(manifest.key), manifest.salt)
    parts = parcel.parts(file.path, manifest.size)
    try:
        for index in range(plan.chunks):
            sealer.seal_chunk(index, next(parts, b""))
    except UsageError:
        raise bad_export(f"{file.path} is not as long as the file that was sent") from None
    if next(parts, b""):
        raise bad_export(f"{file.path} is longer than the file that was sent")
    again = sealer.manifest(manifest.name, manifest.media_type)
    if not (same(again.root, manifest.root) and same(again.commitment, manifest.commitment)):
        raise bad_export(f"{file.path} is not the file that was sent")


def _counted(entries: list[Opened]) -> Iterator[tuple[Verdict, int]]:
    for verdict in Verdict:
        found = sum(entry.verdict is verdict for entry in entries)
        if found:
            yield verdict, found
