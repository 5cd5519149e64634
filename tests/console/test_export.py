"""Tickets leave the console: with notes only when asked, signed by a device, verified without relay and keys."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from admin_shell import Shell
from console_room import Room, User
from e2e_support.errors import PeerError, UsageError
from e2e_support.vocab import Role, Verdict
from e2e_support_client.archive.checking import CheckedTicket, check_export
from e2e_support_client.archive.sealing import seal_cover
from e2e_support_client.archive.sheets import COVER, SEAL, Cover
from e2e_support_client.files import FileSource
from e2e_support_client.upload import UploadState, upload
from e2e_support_console.team import TeamClient
from team_room import TeamRoom

NOTE = "Between us: a known bug."
DATA = b"line\n" * 1000


async def told(room: Room, team: TeamClient) -> User:
    """Return a user with a ticket that has a file, an answer and a note."""
    user = await room.ticket("No invoice")
    source = FileSource.from_bytes(DATA, name="log.txt")
    file = await upload(room.relay, user.mailbox, user.keys.capability, source, state=UploadState.fresh())
    await user.say("See the file.", file)
    await team.catch_up()
    await team.inbox.note(user.number, NOTE)
    await team.inbox.reply(user.number, "We look into it.")
    return user


def leftovers(folder: Path) -> list[Path]:
    """Return what an export that failed has left behind."""
    return [path for path in folder.iterdir() if "ticket" in path.name or path.name.startswith(".")]


def lose_files(room: Room) -> None:
    """Let the relay lose all files that it stored."""
    room.relay._blobs.clear()  # pyright: ignore[reportPrivateUsage]


def words_in(path: Path) -> str:
    """Return all that stands in an export."""
    with zipfile.ZipFile(path) as parcel:
        return "".join(parcel.read(name).decode("utf-8", "replace") for name in parcel.namelist())


def only(path: Path) -> CheckedTicket:
    """Return what an export shows of its one ticket."""
    (ticket,) = check_export(path).tickets
    return ticket


# --- what leaves -------------------------------------------------------------------------------------------


async def test_notes_leave_only_when_asked(tmp_path: Path) -> None:
    """Without ``notes`` neither the page nor the sheet says that there is a staff log; with it, both do."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await told(room, team)
        bare, whole = tmp_path / "bare.zip", tmp_path / "whole.zip"
        assert await team.inbox.export(bare, user.number) == 1
        assert await team.inbox.export(whole, user.number, notes=True) == 1
    assert NOTE not in words_in(bare)
    assert "staff" not in words_in(bare)
    assert NOTE in words_in(whole)
    assert (only(bare).notes, only(whole).notes) == (0, 2)
    assert only(whole).verdicts == {Verdict.OK: 5}
    assert only(whole).files == 1
    assert (check_export(whole).by, check_export(whole).removed) == ("Anna", False)


async def test_all_tickets_leave_closed_ones_too(tmp_path: Path) -> None:
    """Without numbers everything in the store leaves, and an empty store says so."""
    room = Room(tmp_path)
    async with await room.found() as team:
        target = tmp_path / "all.zip"
        with pytest.raises(UsageError) as error:
            await team.inbox.export(target)
        assert (error.value.code, target.exists()) == ("no_tickets", False)
        users = [await room.ticket(f"Ticket {number}") for number in range(3)]
        await users[0].close()
        await team.catch_up()
        await team.inbox.archive(users[1].number)
        assert await team.inbox.export(target, attachments=False) == 3
    assert {ticket.number for ticket in check_export(target).tickets} == {user.number for user in users}


async def test_a_file_that_cannot_be_fetched_leaves_no_export(tmp_path: Path) -> None:
    """Where the relay has lost a file nothing is written, and without files the ticket leaves all the same."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await told(room, team)
        lose_files(room)
        target = tmp_path / "tickets.zip"
        with pytest.raises(PeerError) as error:
            await team.inbox.export(target, user.number)
        assert error.value.code == "file_missing"
        assert not leftovers(tmp_path)
        await team.inbox.export(target, user.number, attachments=False)
    assert only(target).files == 0


# --- who exported ------------------------------------------------------------------------------------------


async def test_an_export_outlives_its_exporter(tmp_path: Path) -> None:
    """What an agent exported before the removal still verifies, in the agent's name."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.AGENT)
        user = await told(room, anna)
        await ben.catch_up()
        target = tmp_path / "ben.zip"
        await ben.inbox.reply(user.number, "Ben here.")
        await ben.inbox.export(target, user.number, notes=True)
        await anna.members.remove("Ben")
        assert (check_export(target).by, check_export(target).removed) == ("Ben", False)
        after = tmp_path / "after.zip"
        await anna.catch_up()
        await anna.inbox.export(after, user.number, notes=True)
    assert set(only(after).verdicts) == {Verdict.OK}  # what was followed before the removal still counts


async def test_a_removed_device_is_named_as_one(tmp_path: Path) -> None:
    """Whoever signs an export of a roster that has removed them is shown as removed."""
    async with TeamRoom(tmp_path) as room:
        anna = await room.start()
        ben = await room.add(anna, "Ben", Role.AGENT)
        user = await told(room, anna)
        await anna.members.remove("Ben")
        target = tmp_path / "late.zip"
        await anna.inbox.export(target, user.number)
        sign_again(target, tmp_path / "by-ben.zip", ben)
    checked = check_export(tmp_path / "by-ben.zip")
    assert (checked.by, checked.removed) == ("Ben", True)


def sign_again(source: Path, target: Path, signer: TeamClient, **changed: bytes) -> None:
    """Write an export anew, with another signature and changed members."""
    with zipfile.ZipFile(source) as parcel:
        members = {name: parcel.read(name) for name in parcel.namelist()}
    members |= changed
    members[SEAL] = seal_cover(members[COVER], [signer.desk.bundle.signer()])
    with zipfile.ZipFile(target, "w") as parcel:
        for name, data in members.items():
            parcel.writestr(name, data)


# --- what an exporter may not do ---------------------------------------------------------------------------


async def test_notes_of_another_ticket_do_not_hold(tmp_path: Path) -> None:
    """An exporter who puts the notes of one ticket to another one is found out."""
    room = Room(tmp_path)
    async with await room.found() as team:
        users = [await told(room, team) for _ in range(2)]
        others = team.desk.staff_log(users[1].mailbox)
        async with team.desk.store.transaction() as change:
            swap = "UPDATE tickets SET staff_log = ? WHERE mailbox = ?"
            await change.execute(swap, b"x" * 16, users[1].mailbox)
            await change.execute(swap, others, users[0].mailbox)
        target = tmp_path / "mixed.zip"
        await team.inbox.export(target, users[0].number, notes=True)
    with pytest.raises(PeerError, match="written to another log"):
        check_export(target)


async def test_a_false_key_makes_nobody_a_forger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that does not open its entry is the exporter's fault, not a forgery by the entry's author."""
    room = Room(tmp_path)
    async with await room.found() as team:
        user = await told(room, team)

        def lie(_place: object, _key: object, _opened: object) -> bytes:
            return bytes(32)

        monkeypatch.setattr("e2e_support.export._single", lie)
        target = tmp_path / "false.zip"
        await team.inbox.export(target, user.number)
    with pytest.raises(PeerError, match="a key does not open"):
        check_export(target)


# --- the commands ------------------------------------------------------------------------------------------


def test_export_and_verify(team: Shell, tmp_path: Path) -> None:
    """``export`` takes numbers and a path, or ``--all``; ``verify`` needs no keys and says the same in JSON."""
    number, target = team.ticket(), tmp_path / "one.zip"
    assert team.data("export", number, str(target)) == {"path": str(target), "tickets": 1, "notes": False}
    assert "Internal notes are in it" in team("export", "--all", str(tmp_path / "all.zip"), "--with-notes")
    assert team.error("export", number, str(target))["code"] == "file_exists"
    team("export", number, str(target), "--force")
    team.home = tmp_path / "nobody"
    told = team.data("verify", str(target))
    assert (told["team"], told["by"], told["removed"]) == ("Example team", "Anna", False)
    assert [ticket["number"] for ticket in told["tickets"]] == [number]
    assert "Everything in it holds. Exported by administrator Anna" in team("verify", str(target))
    target.write_bytes(b"PK")
    assert team.error("verify", str(target))["code"] == "bad_export"


def test_export_wants_numbers_or_all(team: Shell, tmp_path: Path) -> None:
    """Neither nothing nor both: a slip must not write every ticket into a file."""
    number = team.ticket()
    assert team.error("export", str(tmp_path / "x.zip"))["code"] == "no_numbers"
    assert team.error("export", "--all", number, str(tmp_path / "x.zip"))["code"] == "no_numbers"
    assert not (tmp_path / "x.zip").exists()


def test_the_cover_is_bound_to_its_members() -> None:
    """A cover reads back as it was written."""
    cover = Cover(1, (b"link",), ("tickets/a.json",), {"tickets/a.json": "0" * 64})
    assert Cover.load(cover.dump()) == cover
