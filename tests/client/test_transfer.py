"""Attachments over a relay: they arrive byte for byte or not at all, and an interrupted upload goes on."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_story import Person, Story
from e2e_support.attachment import Plan
from e2e_support.content import Attachment
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, SupportError, TransportError, UsageError
from e2e_support.ids import BlobId, Hash, MailboxId
from e2e_support.limits import CHUNK_SIZE, KIB, MIB, PIECE_SIZE
from e2e_support_client import files
from e2e_support_client.download import download, read_bytes
from e2e_support_client.files import FileSource
from e2e_support_client.images import Metadata
from e2e_support_client.part_file import PartFile, target_in
from e2e_support_client.testing import FakeRelay, Fault
from e2e_support_client.transfer import Phase, Progress
from e2e_support_client.upload import UploadState, upload

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SMALL, LARGE = b"a screenshot" * 100, os.urandom(2 * PIECE_SIZE + 12_345)


@contextmanager
def fails(code: str, kind: type[SupportError] = UsageError) -> Generator[None]:
    """Expect one error: its class says who is at fault, its code what is wrong."""
    with pytest.raises(kind) as caught:
        yield
    assert (type(caught.value), caught.value.code) == (kind, code)


@pytest.fixture
def story() -> Story:
    """A relay and a team."""
    return Story.begin()


@pytest.fixture
async def user(story: Story) -> Person:
    """A user with an open ticket."""
    return (await story.ticket())[0]


async def send(
    user: Person, data: bytes, name: str = "log.txt", state: UploadState | None = None
) -> Attachment:
    """Upload bytes."""
    source = FileSource.from_bytes(data, name=name)
    state = state or UploadState.fresh()
    return await upload(user.relay, user.conversation.mailbox, user.capability, source, state=state)


async def fetch(user: Person, manifest: Attachment) -> bytes:
    """Download into memory."""
    return await read_bytes(user.relay, user.conversation.mailbox, user.capability, manifest)


async def save(user: Person, manifest: Attachment, target: Path, *, force: bool = False) -> Path:
    """Download into a file."""
    return await download(
        user.relay, user.conversation.mailbox, user.capability, manifest, target, force=force
    )


def names(folder: Path) -> list[str]:
    """Return what stands in a folder."""
    return sorted(path.name for path in folder.iterdir())


def relay_of(user: Person) -> FakeRelay:
    """Return the relay of a person as the fake that it is."""
    assert isinstance(user.relay, FakeRelay)
    return user.relay


# --- there and back --------------------------------------------------------------------------------------

SIZES = [0, 1, 4096, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, MIB, PIECE_SIZE, 9 * MIB + 5]


@pytest.mark.parametrize("size", SIZES)
async def test_a_file_arrives_byte_for_byte(user: Person, tmp_path: Path, size: int) -> None:
    """A file of any size is the same after upload and download, under its name and for its owner alone."""
    data = os.urandom(size)
    (tmp_path / "log.txt").write_bytes(data)
    with FileSource.from_path(tmp_path / "log.txt") as source:
        manifest = await upload(
            user.relay, user.conversation.mailbox, user.capability, source, state=UploadState.fresh()
        )
    assert (manifest.name, manifest.media_type, manifest.size) == ("log.txt", "text/plain", size)
    (tmp_path / "downloads").mkdir()
    saved = await save(user, manifest, target_in(tmp_path / "downloads", manifest))
    assert saved.read_bytes() == data
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert names(saved.parent) == ["log.txt"]


@settings(max_examples=25)
@given(st.binary(max_size=3 * KIB), st.text(max_size=40))
async def test_any_bytes_under_any_name_come_back(data: bytes, name: str) -> None:
    """Bytes in memory come back whatever they are and whatever they are called."""
    user, _ = await Story.begin().ticket()
    manifest = await send(user, data, name)
    assert await fetch(user, manifest) == data


async def test_both_sides_can_read_an_attachment_that_an_entry_names(story: Story) -> None:
    """The manifest travels in a signed entry; the team downloads with its own capability."""
    user, anna = await story.ticket()
    manifest = await send(user, LARGE, "crash.dmp")
    await user.say("See the dump.", manifest)
    opened = (await anna.pull())[-1]
    assert opened.inner is not None
    assert await fetch(anna, opened.inner.attachments[0]) == LARGE


async def test_the_relay_sees_neither_name_nor_size_nor_content(user: Person) -> None:
    """Two small files of different sizes look alike to the relay, and no plaintext reaches it."""
    sizes: list[int] = []
    for data in (SMALL, b"short"):
        manifest = await send(user, data, "invoice-2026.txt")
        place = user.conversation.mailbox, manifest.blob_id
        state = await user.relay.blob_state(*place, user.capability)
        held = await user.relay.read_blob(*place, 0, state.size, user.capability)
        sizes.append(len(held))
        assert data not in held
        assert b"invoice" not in held
    assert sizes == [Plan(0).blob] * 2


async def test_progress_is_told_from_nothing_to_all(user: Person) -> None:
    """Every piece is reported, and the last report says that everything is done."""
    seen: list[Progress] = []
    source = FileSource.from_bytes(LARGE, name="a.bin")
    mailbox, key = user.conversation.mailbox, user.capability
    manifest = await upload(
        user.relay, mailbox, key, source, state=UploadState.fresh(), on_progress=seen.append
    )
    await read_bytes(user.relay, mailbox, key, manifest, on_progress=seen.append)
    total = Plan(len(LARGE)).blob
    for phase in Phase:
        done = [step.done for step in seen if step.phase is phase]
        assert len(done) >= 3
        assert done == sorted(done)
        assert done[-1] == total
    assert {step.total for step in seen} == {total}


class CountingSource(FileSource):
    """Counts the bytes that were read and not yet sent."""

    waiting = most = 0

    def read(self, start: int, size: int) -> bytes:
        """Read and count."""
        self.waiting += size
        self.most = max(self.most, self.waiting)
        return super().read(start, size)


async def test_only_a_few_pieces_are_in_memory(user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the file, no more pieces wait to be sent than two windows hold."""
    monkeypatch.setattr("e2e_support_client.upload.WINDOW", 2)
    source = CountingSource.from_bytes(bytes(12 * MIB), name="a.bin")
    done = 0

    def sent(progress: Progress) -> None:
        nonlocal done
        source.waiting -= progress.done - done
        done = progress.done

    mailbox, key = user.conversation.mailbox, user.capability
    await upload(user.relay, mailbox, key, source, state=UploadState.fresh(), on_progress=sent)
    assert 2 * MIB <= source.most <= 4 * MIB


# --- interrupted uploads ---------------------------------------------------------------------------------


def cut_after(user: Person, pieces: int) -> None:
    """Let the connection break after some pieces."""
    relay = relay_of(user)
    put, left = relay.put_piece, [pieces]

    async def put_some(*args: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise TransportError("relay_unreachable", "cut")
        await put(*args)  # type: ignore[arg-type]

    relay.put_piece = put_some  # type: ignore[method-assign, assignment]


async def interrupted(user: Person, data: bytes, pieces: int = 1) -> UploadState:
    """Return the state, as it was kept, of an upload that broke off after some pieces."""
    kept: list[bytes] = []

    async def keep(state: UploadState) -> None:
        kept.append(state.to_bytes())

    cut_after(user, pieces)
    source, state = FileSource.from_bytes(data, name="a.bin"), UploadState.fresh()
    with fails("relay_unreachable", TransportError):
        await upload(user.relay, user.conversation.mailbox, user.capability, source, state=state, keep=keep)
    del relay_of(user).put_piece  # the connection is back
    return UploadState.from_bytes(kept[-1])


async def test_an_interrupted_upload_goes_on_where_it_stopped(user: Person) -> None:
    """With the kept state only the missing pieces are sent, and the file arrives."""
    state = await interrupted(user, LARGE)
    relay_of(user).calls.clear()
    manifest = await send(user, LARGE, state=state)
    assert manifest.blob_id == state.blob_id
    assert relay_of(user).calls.count("put_piece") == 2
    assert await fetch(user, manifest) == LARGE


CHANGES = {
    "one byte, same size": bytes([LARGE[0] ^ 1]) + LARGE[1:],
    "the last byte": LARGE[:-1] + bytes([LARGE[-1] ^ 1]),
    "longer": LARGE + b"more",
    "much longer": LARGE + bytes(MIB),
    "shorter": LARGE[:-1],
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES.keys())
async def test_79_a_file_that_changed_gets_new_keys_and_a_new_blob(user: Person, changed: bytes) -> None:
    """Attack 79: the same key never seals other bytes; the changed file is sent whole, under a new blob id."""
    state = await interrupted(user, LARGE, pieces=2)
    before = replace(state)
    manifest = await send(user, changed, state=state)
    assert manifest.blob_id != before.blob_id
    assert manifest.key != before.file_key
    assert manifest.salt != before.salt
    assert await fetch(user, manifest) == changed


async def test_79_nothing_leaves_before_its_fingerprint_is_kept(user: Person) -> None:
    """Attack 79 over a crash: whatever ciphertext the relay may hold, the kept state knows its plaintext."""
    kept: list[int] = []
    put = relay_of(user).put_piece

    async def keep(state: UploadState) -> None:
        kept[:] = UploadState.from_bytes(state.to_bytes()).seen

    async def put_checked(mailbox: object, blob: object, index: int, *args: object) -> None:
        plan = Plan(len(data))
        chunks = range(4 * index, min(4 * index + 4, plan.chunks))
        assert set(chunks) <= set(kept)
        await put(mailbox, blob, index, *args)  # type: ignore[arg-type]

    data = os.urandom(10 * PIECE_SIZE)
    relay_of(user).put_piece = put_checked  # type: ignore[method-assign, assignment]
    source = FileSource.from_bytes(data, name="a.bin")
    mailbox, key = user.conversation.mailbox, user.capability
    await upload(user.relay, mailbox, key, source, state=UploadState.fresh(), keep=keep)


async def test_a_file_that_changes_under_the_upload_is_sent_again(user: Person, tmp_path: Path) -> None:
    """A file rewritten meanwhile is sent anew from the start; one that never rests is given up with a hint."""
    path = tmp_path / "a.bin"
    path.write_bytes(LARGE)
    versions = [b"version 2", b"the first version"]

    def rewrite(step: Progress) -> None:
        if versions and step.done == step.total:
            path.write_bytes(versions.pop())

    with FileSource.from_path(path) as source:
        mailbox, key = user.conversation.mailbox, user.capability
        with fails("file_changed"):
            await upload(user.relay, mailbox, key, source, state=UploadState.fresh(), on_progress=rewrite)
        manifest = await upload(
            user.relay, mailbox, key, source, state=UploadState.fresh(), on_progress=rewrite
        )
    assert await fetch(user, manifest) == b"version 2"


async def test_a_log_that_only_grows_is_sent_as_it_was(user: Person, tmp_path: Path) -> None:
    """Appending to a file does not stop its upload: what stood there at first is sent."""
    path = tmp_path / "app.log"
    path.write_bytes(SMALL)

    def grow(_: Progress) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with FileSource.from_path(path) as source:
        mailbox, key = user.conversation.mailbox, user.capability
        manifest = await upload(user.relay, mailbox, key, source, state=UploadState.fresh(), on_progress=grow)
    assert await fetch(user, manifest) == SMALL


@given(
    st.integers(-1, 2**31),
    st.dictionaries(st.integers(0, 40), st.binary(min_size=32, max_size=32).filter(any)),
)
def test_a_state_survives_being_kept(size: int, seen: dict[int, bytes]) -> None:
    """What a state holds is the same after it was written down."""
    state = UploadState.fresh()
    state.size, state.seen = size, seen
    assert UploadState.from_bytes(state.to_bytes()) == state


def test_a_state_that_cannot_be_read_is_malformed() -> None:
    """Damaged bytes raise one error."""
    with fails("malformed", PeerError):
        UploadState.from_bytes(b"\x95" + bytes(10))


# --- hostile relays --------------------------------------------------------------------------------------

BLOB_ATTACKS = [
    ("17: another blob", Fault.OTHER_BLOB),
    ("18: truncated", Fault.TRUNCATE_BLOB),
    ("20: swapped chunks", Fault.SWAP_CHUNKS),
    ("21: one bit", Fault.CORRUPT_BLOB),
]


@pytest.mark.parametrize(("story_line", "fault"), BLOB_ATTACKS, ids=[row[0] for row in BLOB_ATTACKS])
async def test_a_file_that_the_relay_touched_never_appears(
    user: Person, tmp_path: Path, story_line: str, fault: Fault
) -> None:
    """Attacks 17, 18, 20, 21: an error, no file under its name, and no ``.part`` left behind."""
    manifest = await send(user, LARGE)
    await send(user, LARGE[::-1])
    relay_of(user).inject(fault)
    with fails("bad_attachment", PeerError):
        await save(user, manifest, tmp_path / "a.bin")
    assert names(tmp_path) == []
    relay_of(user).heal()
    assert await fetch(user, manifest) == LARGE


async def test_an_answer_of_another_length_is_refused(user: Person) -> None:
    """Neither fewer nor more bytes than were asked for are accepted, whatever they are."""
    manifest = await send(user, LARGE)
    relay = relay_of(user)
    read = relay.read_blob
    for surplus in (b"x", b""):

        async def read_other(
            mailbox: MailboxId,
            blob: BlobId,
            start: int,
            end: int,
            capability: SigningKey,
            more: bytes = surplus,
        ) -> bytes:
            data = await read(mailbox, blob, start, end, capability)
            return data if start else data + more if more else data[:-1]

        relay.read_blob = read_other  # type: ignore[method-assign]
        with fails("bad_attachment", PeerError):
            await fetch(user, manifest)


async def test_17_another_tickets_blob_does_not_open(story: Story, user: Person) -> None:
    """Attack 17: a manifest only opens in the mailbox that it was made for."""
    manifest = await send(user, SMALL)
    other, _ = await story.ticket(1)
    with fails("cannot_open", PeerError):
        await fetch(other, manifest)


async def test_a_manifest_with_another_root_or_size_does_not_open(user: Person) -> None:
    """The size and the root in the signed entry are what is read, whatever the relay holds (attacks 18, 19)."""
    manifest = await send(user, LARGE)
    for wrong in (replace(manifest, root=Hash(bytes(32))), replace(manifest, size=len(LARGE) - CHUNK_SIZE)):
        with fails("bad_attachment", PeerError):
            await fetch(user, wrong)


async def test_an_incomplete_blob_is_refused_by_name(user: Person) -> None:
    """A blob that was never completed cannot be read; the error is the relay's clear no."""
    state = await interrupted(user, LARGE)
    manifest = replace(await send(user, SMALL), blob_id=state.blob_id)
    with fails("cannot_open", PeerError):
        await fetch(user, manifest)
    with pytest.raises(SupportError) as caught:
        await user.relay.read_blob(user.conversation.mailbox, BlobId(state.blob_id), 0, 5, user.capability)
    assert caught.value.code == "blob_incomplete"


# --- files -----------------------------------------------------------------------------------------------


async def test_nothing_is_overwritten_unless_asked(user: Person, tmp_path: Path) -> None:
    """An existing file, a dangling link and a leftover ``.part`` are refused; force replaces, never follows."""
    manifest = await send(user, SMALL)
    outside = tmp_path / "outside"
    outside.write_text("precious")
    for link in (False, True):
        for suffix in ("", ".part"):
            folder = tmp_path / f"{link}{suffix}"
            folder.mkdir()
            blocker = folder / f"a.bin{suffix}"
            if link:
                blocker.symlink_to(outside)
            else:
                blocker.write_text("mine")
            with fails("file_exists"):
                await save(user, manifest, folder / "a.bin")
            await save(user, manifest, folder / "a.bin", force=True)
            assert (folder / "a.bin").read_bytes() == SMALL
            assert not (folder / "a.bin").is_symlink()
            assert names(folder) == ["a.bin"]
    assert outside.read_text() == "precious"


async def test_a_name_taken_meanwhile_is_not_overwritten(user: Person, tmp_path: Path) -> None:
    """A file that appears during the download stays as it is (attack 36)."""
    manifest = await send(user, SMALL)
    target = tmp_path / "a.bin"
    mailbox, key = user.conversation.mailbox, user.capability

    def take_name(_: Progress) -> None:
        target.write_text("mine")

    with fails("file_exists"):
        await download(user.relay, mailbox, key, manifest, target, on_progress=take_name)
    assert target.read_text() == "mine"
    assert names(tmp_path) == ["a.bin"]


async def test_a_file_system_without_links_works_too(
    user: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where hard links are not possible the file is renamed, and still not over another one."""

    def no_links(*args: object, **options: object) -> NoReturn:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(os, "link", no_links)
    manifest = await send(user, SMALL)
    target = await save(user, manifest, tmp_path / "a.bin")
    assert target.read_bytes() == SMALL
    part = PartFile(tmp_path / "b.bin")
    (tmp_path / "b.bin").write_text("mine")
    with fails("file_exists"):
        part.commit()
    part.discard()


DISK_TROUBLES = [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EIO, "cannot_write")]


@pytest.mark.parametrize(("number", "code"), DISK_TROUBLES)
async def test_trouble_with_the_disk_leaves_nothing(
    user: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    """A full or broken disk is named with a hint, and the ``.part`` is gone."""
    manifest = await send(user, SMALL)

    def fail(*args: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    for call in ("write", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            with fails(code):
                await save(user, manifest, tmp_path / "a.bin")
        assert names(tmp_path) == []


async def test_an_impossible_folder_is_named(user: Person, tmp_path: Path) -> None:
    """A folder that is not there cannot be written to."""
    manifest = await send(user, SMALL)
    with fails("cannot_write"):
        await save(user, manifest, tmp_path / "nowhere" / "a.bin")


def test_36_a_hostile_name_stays_in_the_chosen_folder(tmp_path: Path) -> None:
    """Attack 36: whatever a manifest is called, the target lies directly in the folder."""
    manifest = Attachment(
        "", "text/plain", 0, BlobId(bytes(16)), bytes(32), bytes(32), bytes(32), Hash(bytes(32))
    )
    for name in ("../../etc/passwd", "/etc/passwd", "..", "CON", "a\0b", "-rf", "x.pdf\u202eexe", ".bashrc"):
        target = target_in(tmp_path, replace(manifest, name=name))
        assert target.parent == tmp_path
        assert target.name not in {"", ".", ".."}
        assert "\u202e" not in target.name


async def test_a_large_attachment_is_not_read_into_memory(user: Person) -> None:
    """Reading into memory has a limit that the signed size is compared with before anything is fetched."""
    manifest = await send(user, LARGE)
    relay_of(user).calls.clear()
    with fails("file_too_large"):
        await read_bytes(user.relay, user.conversation.mailbox, user.capability, manifest, limit=MIB)
    assert relay_of(user).calls == []


# --- sources ---------------------------------------------------------------------------------------------


class Pipe(io.RawIOBase):
    """A stream that cannot go back."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return self._data.readinto(buffer)


async def test_streams_are_sent_from_where_they_stand(user: Person) -> None:
    """A seekable stream is read in place and stays open; another one is taken into memory up to a limit."""
    stream = io.BytesIO(b"skipped" + SMALL)
    stream.seek(7)
    pipe = io.BufferedReader(Pipe(SMALL))
    for source in (FileSource.from_stream(stream, name="a.txt"), FileSource.from_stream(pipe, name="a.txt")):
        mailbox, key = user.conversation.mailbox, user.capability
        manifest = await upload(user.relay, mailbox, key, source, state=UploadState.fresh())
        source.close()
        assert await fetch(user, manifest) == SMALL
    assert not stream.closed


def test_an_endless_stream_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read twice and does not fit into memory is refused before it is read on."""
    monkeypatch.setattr(files, "STREAM_MAX", 10)
    with fails("file_too_large"):
        FileSource.from_stream(io.BufferedReader(Pipe(b"x" * 11)), name="a.txt")


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    """Missing files, folders and pipes are named at once; none of them makes the program wait."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        with fails("cannot_read"):
            FileSource.from_path(path)
    source = FileSource.from_bytes(SMALL, name="a.txt")
    source.close()
    with fails("cannot_read"):
        source.read(0, 1)


def test_a_file_over_the_protocols_limit_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that no relay would take is refused before anything is read."""
    monkeypatch.setattr(files, "FILE_MAX", 10)
    (tmp_path / "a").write_bytes(bytes(11))
    with fails("file_too_large"):
        FileSource.from_path(tmp_path / "a")


async def test_a_file_that_shrinks_is_noticed(user: Person, tmp_path: Path) -> None:
    """A file that is shorter than when it was opened is sent as it is now."""
    path = tmp_path / "a.bin"
    path.write_bytes(LARGE)
    with FileSource.from_path(path) as source:
        path.write_bytes(SMALL)
        mailbox, key = user.conversation.mailbox, user.capability
        manifest = await upload(user.relay, mailbox, key, source, state=UploadState.fresh())
    assert await fetch(user, manifest) == SMALL


PICTURE = b"\xff\xd8\xff\xfe\x00\x0asecret!!\xff\xdb\x00\x04\0\0\xff\xd9"


@pytest.mark.parametrize("strip", [True, False])
async def test_pictures_are_sent_without_hidden_data_unless_told_otherwise(user: Person, strip: bool) -> None:
    """The comment of a JPEG stays at home by default, and the source says so."""
    source = FileSource.from_bytes(PICTURE, name="screen.jpg", strip_metadata=strip)
    mailbox, key = user.conversation.mailbox, user.capability
    manifest = await upload(user.relay, mailbox, key, source, state=UploadState.fresh())
    assert manifest.media_type == "image/jpeg"
    assert source.metadata is (Metadata.REMOVED if strip else Metadata.NO_IMAGE)
    assert await fetch(user, manifest) == (PICTURE.replace(PICTURE[2:14], b"") if strip else PICTURE)


CHUNKS = {
    name: len(name * 9).to_bytes(4, "big") + name + name * 9 + b"crc!" for name in (b"IDAT", b"tEXt", b"gAMA")
}
START, END = b"\x89PNG\r\n\x1a\n", bytes(4) + b"IENDcrc!"


@given(st.lists(st.sampled_from(sorted(CHUNKS))), st.data())
def test_any_range_of_a_cleaned_picture_is_that_of_the_whole(
    chunks: list[bytes], data: st.DataObject
) -> None:
    """A picture that is sent in parts reads, from anywhere, like the file that was put together from them."""
    picture = START + b"".join(CHUNKS[name] for name in chunks) + END
    whole = START + b"".join(CHUNKS[name] for name in chunks if name != b"tEXt") + END
    source = FileSource.from_bytes(picture, name="a.png")
    start = data.draw(st.integers(0, len(whole)))
    size = data.draw(st.integers(0, len(whole) - start))
    assert source.size == len(whole)
    assert source.read(start, size) == whole[start : start + size]
