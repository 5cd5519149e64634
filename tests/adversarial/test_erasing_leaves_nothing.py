"""Erasing, over a real relay: nothing of a ticket is left in the relay's folder or in either side's store.

What was planted is looked for in every file of the relay (its ciphertext, as recorded before) and in every decrypted
page of both encrypted databases and their logs, free pages included; before erasing the same search finds all of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from console_room import Room
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support_client import FileSpec, MemoryKeystore, SupportClient
from e2e_support_client.assembly import STORE_FILE
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.testing import FakeRelay
from e2e_support_client.tombstones import Erased
from e2e_support_client.transport import HttpRelay
from e2e_support_console.drafts import Mode
from e2e_support_console.founding import STORE_NAME
from e2e_support_console.team import TeamClient
from e2e_support_server.app import Relay
from relay_kit import POLICY, running

PAGE, RESERVED, IV, SALT, WAL_HEAD, FRAME_HEAD = 4096, 80, 16, 16, 32, 24
SUBJECT, BODY, REPLY = "zebrasubject lost", "quaggabody is empty", "okapireply look again"
NOTE, DRAFT, FILE = "tapirnote known bug", "dugongdraft almost", "manateefile.log"
OWN = ("zebrasubject", "quaggabody", "okapireply", "manateefile")
MARKS = (*OWN, "tapirnote", "dugongdraft", "ibexname", "ibexdata")
DATA = b"".join(b"narwhalbytes %06d\n" % line for line in range(4000))


@dataclass
class Scene:
    """A team and a user at a real relay, and the ticket that is to go.

    Attributes:
        folder: where everything is kept.
        relay: the relay.
        team: the console.
        user: the user's client.
        number: the ticket.
        sealed: pieces of all that the relay stores of it.
        keys: of the two stores.
    """

    folder: Path
    relay: Relay
    team: TeamClient
    user: SupportClient
    number: str
    sealed: list[bytes]
    keys: tuple[Secret, Secret]

    def at_relay(self) -> int:
        """Return how many recorded pieces stand anywhere in the relay's folder."""
        files = [path for path in (self.folder / "relay").rglob("*") if path.is_file()]
        whole = [path.read_bytes() for path in files]
        return sum(any(piece in data for data in whole) for piece in self.sealed)

    def at_user(self) -> list[str]:
        """Return what of the marks stands in the user's store."""
        return found(self.folder / "user" / STORE_FILE, self.keys[0])

    def at_team(self) -> list[str]:
        """Return what of the marks stands in the console's store."""
        return found(self.folder / "home" / STORE_NAME, self.keys[1])

    async def tidy(self) -> None:
        """Do what the relay's janitor does every few minutes."""
        await self.relay.context.erasure.finish()


def found(path: Path, key: Secret) -> list[str]:
    """Return which marks stand in a store's pages, in clear or in the words of its search."""
    data = b"".join(pages(path, key)).lower()
    return [mark for mark in MARKS if mark.encode() in data]


def pages(path: Path, key: Secret) -> Iterator[bytes]:
    """Yield every page of an encrypted database and of its log, decrypted; used or free."""
    whole = path.read_bytes()
    assert whole
    for start in range(0, len(whole), PAGE):
        yield decrypted(whole[start : start + PAGE], key, SALT if start == 0 else 0)
    log = path.with_name(path.name + "-wal")
    frames = log.read_bytes()[WAL_HEAD:] if log.exists() else b""
    for start in range(0, len(frames), FRAME_HEAD + PAGE):
        yield decrypted(frames[start + FRAME_HEAD : start + FRAME_HEAD + PAGE], key, 0)
        yield decrypted(frames[start + FRAME_HEAD : start + FRAME_HEAD + PAGE], key, SALT)


def decrypted(page: bytes, key: Secret, skip: int) -> bytes:
    """Return a page as SQLCipher 4 opens it: AES-256-CBC, whose IV stands behind it."""
    end = PAGE - RESERVED
    cipher = Cipher(AES(key.reveal(SECRET_ACCESS)), CBC(page[end : end + IV])).decryptor()
    return cipher.update(page[skip:end]) + cipher.finalize()


def recorded(folder: Path) -> list[bytes]:
    """Return pieces of every entry and file that a relay stores."""
    (database,) = folder.rglob("*.db")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        stored = [row[0] for row in connection.execute("SELECT entry FROM entries")]
    stored += [path.read_bytes() for path in (folder / "blobs").rglob("*") if path.is_file()]
    return [data[start : start + 32] for data in stored for start in range(200, len(data) - 32, 512)]


@asynccontextmanager
async def scene(folder: Path) -> AsyncGenerator[Scene]:
    """Yield a closed ticket with a file, an answer, a note and drafts on both sides."""
    async with running(folder / "relay") as client:
        assert client.relay is not None
        relay = HttpRelay(client.url, retry=NO_RETRY)
        code = await client.relay.context.teams.issue_code()
        room = Room(folder / "home", cast("FakeRelay", relay), url=client.url, code=code, policy=POLICY)
        keystore = MemoryKeystore()
        try:
            async with (
                await room.found() as team,
                SupportClient(room.link, keystore=keystore, state_dir=folder / "user", relay=relay) as user,
            ):
                before = set(recorded(folder / "relay"))
                files = [FileSpec(DATA, name=FILE)]
                ref = await user.tickets.create(SUBJECT, BODY, category="question", attachments=files)
                await team.catch_up()
                await team.inbox.note(ref.number, NOTE)
                await team.inbox.reply(ref.number, REPLY)
                await team.drafts.keep(ref.number, DRAFT, Mode.NOTE)
                await team.drafts.attach(ref.number, [FileSpec(b"ibexdata", name="ibexname.txt")])
                await user.tickets.get(ref.number)
                await user.tickets.close(ref.number, note="done")
                await team.catch_up()
                sealed = [piece for piece in recorded(folder / "relay") if piece not in before]
                mine, theirs = keystore.load(), room.keystore.load()
                assert mine is not None
                assert theirs is not None
                keys = (mine.store_key, theirs.store_key)
                yield Scene(folder, client.relay, team, user, ref.number, sealed, keys)
        finally:
            await relay.close()


@pytest.mark.parametrize("by", ["user", "team"])
async def test_nothing_is_left_anywhere(tmp_path: Path, by: str) -> None:
    """Whichever side erases, relay and both stores hold nothing of the ticket once the other side has synced."""
    async with scene(tmp_path) as story:
        assert story.at_relay() == len(story.sealed) > 100
        assert set(story.at_user()) == set(OWN)
        assert set(story.at_team()) == set(MARKS)
        if by == "user":
            await story.user.tickets.erase(story.number)
            await story.team.catch_up()
        else:
            await story.team.inbox.erase(story.number)
            await story.user.tickets.list()
        await story.tidy()
        assert story.at_relay() == 0
        assert story.at_user() == []
        assert story.at_team() == []
        for asked in (story.user.tickets.get(story.number), story.team.inbox.get(story.number)):
            with pytest.raises(Erased):
                await asked
        assert await story.team.alarms() == ()


async def test_the_side_that_has_not_heard_of_it_still_has_it(tmp_path: Path) -> None:
    """The control: before the other side syncs, its own store holds the ticket, as the command says."""
    async with scene(tmp_path) as story:
        await story.user.tickets.erase(story.number)
        assert story.at_user() == []
        assert set(story.at_team()) == set(MARKS)


async def test_no_word_stays_in_the_index_of_the_search(tmp_path: Path) -> None:
    """A long ticket fills many pages of the index; none of them keeps a word of it, not even between two others."""
    room = Room(tmp_path / "home")
    async with await room.found() as team:
        user, other = await room.ticket(), await room.ticket("Another")
        for number in range(150):
            await user.say(" ".join(f"quaggabody{number}x{word}" for word in range(40)))
            await other.say(" ".join(f"harmless{number}x{word}" for word in range(40)))
            if number % 10 == 0:
                await team.catch_up()
        await team.catch_up()
        keys = room.keystore.load()
        assert keys is not None
        assert found(tmp_path / "home" / STORE_NAME, keys.store_key) == ["quaggabody"]
        await team.inbox.erase(user.number)
        assert found(tmp_path / "home" / STORE_NAME, keys.store_key) == []
        assert (await team.inbox.search("harmless7x7")).tickets == 1
