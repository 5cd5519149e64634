"""Where the relay enforces or must not learn something: the same policies at a real relay, a process of its own."""

from __future__ import annotations

from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conformance_kit import PICTURE, SUBJECT, TEXT, refused, row
from console_room import fresh_key
from e2e_support.admission import admit_hash, day_of, find_work
from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support.mailbox import mailbox_id
from e2e_support.policy import Policy
from e2e_support.presets import INSTANCE, PORTAL, RECORD
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import Create
from e2e_support_client import FileSpec, MemoryKeystore, Profile, SupportClient, clock
from e2e_support_client.files import FileSource
from e2e_support_client.port import Refused
from e2e_support_client.retry import NO_RETRY
from e2e_support_client.transport import HttpRelay
from e2e_support_client.upload import UploadState, upload
from e2e_support_console.team import TeamClient
from process_kit import run, start, stop


@dataclass(frozen=True)
class Counter:
    """A team and one user at a relay that is a process of its own.

    Attributes:
        data: the relay's folder.
        process: the relay.
        relay: speaks to it.
        team: the console.
        user: the user's client.
    """

    data: Path
    process: Process
    relay: HttpRelay
    team: TeamClient
    user: SupportClient

    async def file(self, **options: object) -> str:
        """Let the user open a ticket that the team then has; return its number."""
        category = self.team.policy.current.categories[0].id
        ref = await self.user.tickets.create(SUBJECT, TEXT, category=category, offline="raise", **options)  # type: ignore[arg-type]
        await self.team.catch_up()
        return ref.number

    def holds(self, word: str) -> bool:
        """Tell whether a word stands anywhere on the relay's disk."""
        return self.holds_bytes(word.encode())

    def holds_bytes(self, wanted: bytes) -> bool:
        """Tell whether bytes stand anywhere on the relay's disk."""
        return any(wanted in path.read_bytes() for path in self.data.rglob("*") if path.is_file())


@asynccontextmanager
async def counter(folder: Path, policy: Policy) -> AsyncGenerator[Counter]:
    """Run a relay, and a team with a policy at it."""
    cheap = replace(policy, admission=replace(policy.admission, bits=4))
    data = folder / "relay"
    code = run(data, "bootstrap").stdout.strip()
    process, url = await start(data, E2ES_LOG_LEVEL="debug")
    try:
        relay = HttpRelay(url, retry=NO_RETRY)
        founding = TeamClient.create(
            url,
            name="Example team",
            owner="Anna",
            bootstrap_code=code,
            keystore=MemoryKeystore(),
            state_dir=folder / "console",
            languages=("en",),
            policy=cheap,
            relay=relay,
        )
        async with await founding as team:
            keys, profile = MemoryKeystore(), Profile(name="Ada")
            made = SupportClient(
                team.link, keystore=keys, state_dir=folder / "user", relay=relay, profile=profile
            )
            async with made as user:
                await user.verify_team()
                yield Counter(data, process, relay, team, user)
        await relay.close()
    finally:
        if process.returncode is None:
            await stop(process)


@row("S0-03", "refuse")
async def test_a_relay_takes_nobody_without_the_hosts_word(tmp_path: Path) -> None:
    """Where a team admits by its host's grants, a program that has none creates no mailbox, whatever it says."""
    policy = replace(PORTAL, admission=replace(PORTAL.admission, mode=AdmissionMode.GRANT))
    async with counter(tmp_path, policy) as desk:
        await refused(desk.file(), "admission_unsupported")
        key, team_id = fresh_key(), desk.team.desk.team_id
        mailbox, day = mailbox_id(key.public), day_of(clock.now())
        work = find_work(admit_hash(team_id, day, mailbox), 4)
        create = Create(key.public, key.public, 1, team_id, day, AdmissionMode.OPEN, work)
        await refused(desk.relay.create(mailbox, create, key), "admission_refused")
        await desk.team.catch_up()
        assert await desk.team.inbox.list() == ()


@row("S0-10", "pass")
@row("S1-24", "pass")
async def test_pictures_go_through(tmp_path: Path) -> None:
    """A picture arrives as it was, and the relay holds neither its bytes nor its name."""
    async with counter(tmp_path, INSTANCE) as desk:
        number = await desk.file(attachments=[FileSpec(PICTURE, name="marigold.png")])
        saved = await desk.team.inbox.download(number, "marigold.png", tmp_path / "saved.png")
        assert saved.read_bytes() == PICTURE
        assert not desk.holds("marigold")
        assert not desk.holds_bytes(PICTURE)


@row("S2-35", "refuse")
async def test_the_relay_takes_no_files(tmp_path: Path) -> None:
    """A program that ignores the policy uploads nothing: the relay knows from the signed policy that there are none."""
    async with counter(tmp_path, RECORD) as desk:
        await desk.file()
        (place,) = await desk.user.places()
        source = FileSource.from_bytes(PICTURE, name="screen.png")
        with pytest.raises(Refused) as caught:
            await upload(desk.relay, place.mailbox, place.capability, source, state=UploadState.fresh())
        assert caught.value.code == "budget"


@row("S2-37", "refuse")
@row("S2-38", "refuse")
async def test_the_relay_erases_nothing_for_users(tmp_path: Path) -> None:
    """A user's well signed wish to erase a ticket is refused where the policy keeps all, and the ticket stays."""
    async with counter(tmp_path, RECORD) as desk:
        number = await desk.file()
        (place,) = await desk.user.places()
        team_id, by = desk.team.desk.team_id, place.capability.public
        body = DestructionBody(team_id, place.mailbox, Deed.ERASE, clock.now(), by)
        statement = sign_destruction(body, place.capability)
        await refused(desk.relay.destroy(place.mailbox, statement, place.capability), "not_yours")
        assert (await desk.user.tickets.get(number)).offline == ""
        await desk.team.catch_up()
        assert (await desk.team.inbox.get(number)).messages[0].body == TEXT


@row("S2-01", "refuse")
@row("S2-30", "refuse")
@row("S2-31", "refuse")
@row("S3-19", "refuse")
async def test_the_relay_learns_no_word(tmp_path: Path) -> None:
    """Subject, text, note, names, category, number and answer stand nowhere on its disk or in its log."""
    async with counter(tmp_path, RECORD) as desk:
        number = await desk.file()
        await desk.team.inbox.note(number, "Ask about Snapdragon.")
        await desk.team.inbox.reply(number, "Please remove Bluebell.")
        await desk.user.tickets.get(number)
        words = (
            SUBJECT,
            "invoices",
            "browsers",
            "Snapdragon",
            "Bluebell",
            "Ada",
            number,
            number.replace("-", ""),
        )
        assert [word for word in words if desk.holds(word)] == []
        _, log = await stop(desk.process)
        assert [word for word in words if word in log] == []
