"""A user's tickets leave: what the export shows, that it verifies without a relay, and that nobody can change it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

import pytest

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError, UsageError
from e2e_support.limits import CHUNK_SIZE
from e2e_support.vocab import Verdict
from e2e_support_client import BlockingSupportClient, FileSpec, clock
from e2e_support_client.archive.checking import check_export
from e2e_support_client.archive.parcel import ParcelWriter
from e2e_support_client.archive.sealing import seal_cover
from e2e_support_client.client import ClientOptions
from e2e_support_client.testing import Fault
from lifecycle_kit import Desk
from user_kit import BODY, SUBJECT, Console, World, fake_world

PICTURE = b"not a picture, but three chunks of bytes" * 15_000
Members = dict[str, bytes]


async def exported(folder: Path) -> tuple[World, Path]:
    """Return a world with an export of two tickets, one of them with a file and a hostile text."""
    world = fake_world(folder)
    target = folder / "tickets.zip"
    async with world.client() as user:
        first = await user.tickets.create(
            SUBJECT, BODY, category="billing", attachments=[FileSpec(PICTURE, name="state.bin")]
        )
        await user.tickets.create("<script>alert(1)</script>", "\x1b[31mred\u202e", category="billing")
        await world.console.answer(first.number, "Look again.")
        await user.tickets.get(first.number)
        assert await user.export(target) == 2
    return world, target


async def test_an_export_verifies_offline(tmp_path: Path) -> None:
    """Without relay and keys it tells the team's words, every verdict and that the file's bytes are the sender's."""
    world, target = await exported(tmp_path)
    checked = check_export(target, team_id=world.console.team.team_id)
    assert (checked.by, len(checked.tickets)) == ("", 2)
    assert {ticket.subject for ticket in checked.tickets} == {SUBJECT, "<script>alert(1)</script>"}
    assert sum(ticket.files for ticket in checked.tickets) == 1
    assert oct(target.stat().st_mode & 0o777) == "0o600"


async def test_pages_run_and_load_nothing(tmp_path: Path) -> None:
    """Attack 33: a stranger's markup is text on the page, control characters are gone, nothing is allowed."""
    _, target = await exported(tmp_path)
    with zipfile.ZipFile(target) as parcel:
        pages = [parcel.read(name).decode() for name in parcel.namelist() if name.endswith((".html", ".txt"))]
    assert len(pages) == 4
    assert any("&lt;script&gt;" in page for page in pages)
    assert not any("<script>" in page and "<html" in page for page in pages)
    assert not any("\x1b" in page or "\u202e" in page for page in pages)
    assert all("default-src 'none'" in page for page in pages if "<html" in page)


async def test_no_key_of_a_ticket_leaves(tmp_path: Path) -> None:
    """Neither master nor ticket keys, capabilities or author keys stand in the file, in bytes, hex or base64."""
    world, target = await exported(tmp_path)
    reader = Console(world.console.team, world.console.device, world.console.relay)
    secrets = [
        entry.key.reveal(SECRET_ACCESS)
        for number in await reader.numbers()
        for entry in await reader.read(number)
        if entry.key
    ]
    with zipfile.ZipFile(target) as parcel:
        whole = b"".join(parcel.read(name) for name in parcel.namelist())
    assert len(secrets) == 2
    for secret in secrets:
        assert secret not in whole
        assert secret.hex().encode() not in whole


def rewritten(target: Path, change: Callable[[Members], None]) -> Path:
    """Write a changed copy of an export."""
    with zipfile.ZipFile(target) as parcel:
        members = {name: parcel.read(name) for name in parcel.namelist()}
    change(members)
    copy = target.with_name("changed.zip")
    with zipfile.ZipFile(copy, "w") as parcel:
        for name, data in members.items():
            parcel.writestr(name, data)
    return copy


def one(members: Members, end: str) -> str:
    """Return the name of a member by how it ends."""
    return next(name for name in sorted(members) if name.endswith(end))


def a_byte_of(end: str) -> Callable[[Members], None]:
    """Return what changes a byte in a member."""

    def change(members: Members) -> None:
        name = one(members, end)
        data = bytearray(members[name])
        data[len(data) // 2] ^= 1
        members[name] = bytes(data)

    return change


def without(end: str) -> Callable[[Members], None]:
    """Return what leaves a member out."""

    def change(members: Members) -> None:
        del members[one(members, end)]

    return change


def with_more(members: Members) -> None:
    """Add a member that nobody signed."""
    members["T-00000-00000.html"] = b"<p>We never promised that.</p>"


def unsigned(members: Members) -> None:
    """Take the signatures away."""
    members["bundle.sig"] = b"[]"


@pytest.mark.parametrize(
    "change",
    [
        *(a_byte_of(end) for end in (".html", ".txt", "state.bin", ".json", "bundle.json", "bundle.sig")),
        *(without(end) for end in (".html", "state.bin", "bundle.json", "bundle.sig")),
        with_more,
        unsigned,
    ],
    ids=[
        *("page", "text", "file", "sheet", "cover", "seal"),
        *("no page", "no file", "no cover", "no seal"),
        "more",
        "unsigned",
    ],
)
async def test_a_changed_export_does_not_hold(tmp_path: Path, change: Callable[[Members], None]) -> None:
    """Whatever is altered, left out or added is found."""
    _, target = await exported(tmp_path)
    with pytest.raises(SupportError):
        check_export(rewritten(target, change))


async def test_another_user_cannot_stand_for_it(tmp_path: Path) -> None:
    """A signature by a key that wrote nothing in the ticket is refused, although it fits the cover."""
    _, target = await exported(tmp_path)
    stranger = SigningKey(Secret(bytes(32)))

    def sign(members: Members) -> None:
        members["bundle.sig"] = seal_cover(members["bundle.json"], [(stranger.public, stranger)])

    with pytest.raises(SupportError) as error:
        check_export(rewritten(target, sign))
    assert "not signed by its user" in error.value.message


async def test_nothing_is_written_over(tmp_path: Path) -> None:
    """An existing file stays, and a failed export leaves nothing behind."""
    world, target = await exported(tmp_path)
    before = target.read_bytes()
    async with world.client() as user:
        with pytest.raises(UsageError) as error:
            await user.export(target)
        with pytest.raises(UsageError):
            await user.export(tmp_path / "other.zip", "T-00000-00000")
    assert error.value.code == "file_exists"
    assert target.read_bytes() == before
    assert not (tmp_path / "other.zip").exists()
    assert not (tmp_path / "other.zip.part").exists()


@pytest.mark.parametrize(
    "text",
    [
        '{"format":"e2es-export","format":"x"}',
        "[]",
        "[" * 100_000,
        '{"format":"e2es-export","version":2}',
        "NaN",
    ],
)
async def test_junk_is_refused_in_words(tmp_path: Path, text: str) -> None:
    """A cover that is no cover gives a clear error and no crash."""
    junk = tmp_path / "junk.zip"
    with zipfile.ZipFile(junk, "w") as parcel:
        parcel.writestr("bundle.json", text)
    with pytest.raises(SupportError) as error:
        check_export(junk)
    assert error.value.code in {"bad_export", "update_needed"}
    junk.write_text(json.dumps({}))
    with pytest.raises(SupportError):
        check_export(junk)


async def test_a_ticket_that_the_team_opened_is_its_users(tmp_path: Path) -> None:
    """Its user stands for it by the key of their card, also before they have written a word in it."""
    world, target = fake_world(tmp_path), tmp_path / "tickets.zip"
    async with world.client() as user:
        await user.verify_team()
        number = await Desk(world).open_for(await user.tickets.card())
        assert await user.export(target) == 1
    assert [ticket.number for ticket in check_export(target).tickets] == [number]

    def sign(members: Members) -> None:
        stranger = SigningKey(Secret(bytes(32)))
        members["bundle.sig"] = seal_cover(members["bundle.json"], [(stranger.public, stranger)])

    with pytest.raises(SupportError, match="not signed by its user"):
        check_export(rewritten(target, sign))


async def test_a_ticket_that_is_named_twice_leaves_once(tmp_path: Path) -> None:
    """However its number is spelled, one sheet stands for it, and with it what the team said since the last look."""
    world, target = fake_world(tmp_path), tmp_path / "tickets.zip"
    async with world.client() as user:
        number = (await user.tickets.create(SUBJECT, BODY, category="billing")).number
        await world.console.answer(number)
        assert await user.export(target, number, number.lower()) == 1
    (ticket,) = check_export(target).tickets
    assert ticket.verdicts == {Verdict.OK: 2}


async def test_a_ticket_that_waits_cannot_leave(tmp_path: Path) -> None:
    """A ticket that is kept on this device alone is called so."""
    world, target = fake_world(tmp_path), tmp_path / "tickets.zip"
    async with world.client() as user:
        await user.verify_team()
        world.fake.inject(Fault.OFFLINE)
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        with pytest.raises(UsageError) as error:
            await user.export(target, ref.number)
    assert error.value.code == "not_stored"


async def test_what_is_no_ticket_keeps_no_ticket_back(tmp_path: Path) -> None:
    """Somebody of the team puts a stranger's card into a place that is kept free: all others still leave."""
    world, target = fake_world(tmp_path), tmp_path / "tickets.zip"
    async with world.client("other") as other:
        await other.verify_team()
        strange = await other.tickets.card()
    async with world.client() as user:
        ref = await user.tickets.create(SUBJECT, BODY, category="billing")
        junk = await Desk(world).open_for(await user.tickets.card(), for_card=strange)
        assert await user.export(target) == 1
        with pytest.raises(UsageError) as error:
            await user.export(target, junk, force=True)
    assert error.value.code == "not_a_ticket"
    assert [ticket.number for ticket in check_export(target).tickets] == [ref.number]


# --- files that were made to harm, and exporters who cheat ---------------------------------------------------


async def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """An export that would unpack to far more than its own size is refused before anything of it is read."""
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as parcel:
        parcel.writestr("bundle.json", bytes(64 << 20))
    with pytest.raises(SupportError, match="unpacks to more"):
        check_export(bomb)


@pytest.mark.filterwarnings("ignore:Duplicate name")
async def test_no_member_stands_twice(tmp_path: Path) -> None:
    """Two members of one name could show two exports to two readers."""
    _, target = await exported(tmp_path)
    with zipfile.ZipFile(target, "a") as parcel:
        parcel.writestr("bundle.json", b"{}")
    with pytest.raises(SupportError, match="one twice"):
        check_export(target)


async def test_an_exporter_adds_nothing_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that ends with a whole chunk cannot be made longer, not even by whoever signs the export."""
    world, target = fake_world(tmp_path), tmp_path / "longer.zip"
    chunk = bytes(range(256)) * (CHUNK_SIZE // 256)
    more = ParcelWriter.add_parts

    def add_parts(self: ParcelWriter, path: str, parts: Iterable[bytes], *, stored: bool = True) -> None:
        more(self, path, chain(parts, [b"and more"] if path.startswith("files/") else []), stored=stored)

    monkeypatch.setattr(ParcelWriter, "add_parts", add_parts)
    async with world.client() as user:
        await user.tickets.create(
            SUBJECT, BODY, category="billing", attachments=[FileSpec(chunk, name="whole.bin")]
        )
        await user.export(target)
    with pytest.raises(SupportError, match=r"longer than|too large"):
        check_export(target)


async def test_a_name_that_is_no_text_is_refused_in_words(tmp_path: Path) -> None:
    """A directory whose names are no UTF-8 although it says so gives a clear error and no crash."""
    target = tmp_path / "names.zip"
    with zipfile.ZipFile(target, "w") as parcel:
        parcel.writestr("\u00e4\u00e4", b"")
    target.write_bytes(target.read_bytes().replace("\u00e4\u00e4".encode(), b"\xff\xff\xff\xff"))
    with pytest.raises(SupportError, match="damaged"):
        check_export(target)


async def test_a_time_beyond_all_calendars_is_shown_as_the_last(tmp_path: Path) -> None:
    """An exporter may sign any number as the time: the check says so and does not break."""
    world, target = fake_world(tmp_path), tmp_path / "late.zip"
    with pytest.MonkeyPatch.context() as patch:
        async with world.client() as user:
            await user.tickets.create(SUBJECT, BODY, category="billing")
            patch.setattr(clock, "now", lambda: 2**53 - 1)
            await user.export(target)
    assert check_export(target).exported_at.year == 9999


# --- without await, and as commands --------------------------------------------------------------------------


def test_it_works_without_await(tmp_path: Path) -> None:
    """``BlockingSupportClient.export`` does the same."""
    world, target = fake_world(tmp_path), tmp_path / "tickets.zip"
    options: ClientOptions = {"keystore": world.keys(), "state_dir": tmp_path / "user", "relay": world.relay}
    with BlockingSupportClient(world.link, **options) as user:
        number = user.tickets.create(SUBJECT, BODY, category="billing").number
        assert user.export(target, number) == 1
    assert [ticket.number for ticket in check_export(target).tickets] == [number]
