"""What tests about the life of tickets share: clocks that tests move, and what the team does besides answering.

clocks = Clocks(monkeypatch)  # before the world, so that its team is founded at that time
world = fake_world(tmp_path)
desk = Desk(world)
number = await desk.open_for(await user.tickets.card())
clocks.pass_by(days=7)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from e2e_support.admission import admit_hash, day_of, prove_team
from e2e_support.content import (
    Author,
    EmptyBody,
    FieldsBody,
    MergeBody,
    OpenBody,
    OpenForBody,
    ReopenBody,
)
from e2e_support.conversation import AuthorKey, Conversation, Draft
from e2e_support.ids import MessageId
from e2e_support.mailbox import mailbox_id
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.ticket_keys import ticket_number
from e2e_support.user import open_card, read_card
from e2e_support.vocab import AdmissionMode, AuthorRole, Kind
from e2e_support.wire import Append, Create
from e2e_support_client import MemoryKeystore, clock
from e2e_support_keys.bundle import UserBundle
from team_builder import TIME, Device
from user_kit import MoodyRelay, World

DAY = 24 * 3600


@dataclass
class Clocks:
    """The clocks of a user and of a relay in memory, which go together.

    Attributes:
        monkeypatch: puts the clocks back.
        now: seconds since 1970; a noon in January.
    """

    monkeypatch: pytest.MonkeyPatch
    now: int = TIME - TIME % DAY + DAY // 2

    def __post_init__(self) -> None:
        """Set the clocks, and stop them: slow computers must not lose seconds."""
        self.monkeypatch.setattr(clock, "now", lambda: self.now)
        self.monkeypatch.setattr(MoodyRelay, "time", property(lambda _: self.now))

    def pass_by(self, *, days: int = 0, hours: int = 0, seconds: int = 0) -> None:
        """Let time pass."""
        self.now += days * DAY + hours * 3600 + seconds


@dataclass
class Desk:
    """What an administrator does besides answering, resolving and closing."""

    world: World

    async def assign(self, number: str, who: Device) -> Opened:
        """Assign a ticket where its user can see it."""
        return await self.world.console.write(
            number, Kind.FIELDS, FieldsBody("", "", who.record.member_id, ())
        )

    async def reopen(self, number: str) -> Opened:
        """Open a ticket again."""
        return await self.world.console.write(number, Kind.REOPEN, ReopenBody("We look again."))

    async def note_closing(self, number: str) -> Opened:
        """Write down that a ticket has closed by itself."""
        return await self.world.console.write(number, Kind.AUTO_CLOSE, EmptyBody())

    async def merge(self, number: str, into: str, **changes: Any) -> Opened:
        """End a ticket that goes on in another one; ``changes`` are lies."""
        (opening,) = [o for o in await self._entries(into) if o.seq == 0]
        body, inner = opening.body, opening.inner
        assert isinstance(body, OpenBody)
        assert inner is not None
        mailbox = await self.world.console.mailbox(into)
        said = {"author_key": inner.author.key, "user_proof": body.user_proof, **changes}
        return await self.world.console.write(
            number, Kind.MERGE, MergeBody(mailbox, said["author_key"], said["user_proof"], "")
        )

    async def open_for(
        self, card: str, *, subject: str = "Your disk is full", text: str = "It is.", for_card: str = ""
    ) -> str:
        """Open a ticket with a user's card and return its number.

        Args:
            card: whose mailbox it goes to.
            subject: what it is about.
            text: the text.
            for_card: another card that stands in it: a lie.
        """
        console, team = self.world.console, self.world.console.team
        signed = read_card(card)
        opened = open_card(signed, team.team_id)
        mailbox = mailbox_id(opened.creation_key)
        day = day_of(clock.now())
        proof = prove_team(team.keys.capability, admit_hash(team.team_id, day, mailbox))
        key = opened.creation_key
        create = Create(key, key, 1, team.team_id, day, AdmissionMode.TEAM, proof)
        await console.relay.create(mailbox, create, team.keys.capability)
        talk = console.followed.setdefault(mailbox, Conversation(mailbox, team.roster, console))
        said = read_card(for_card) if for_card else signed
        body = OpenForBody(said, subject, text, "billing", "", (), 0)
        signer = AuthorKey(Author(AuthorRole.DEVICE, console.device.device_id), console.device.sign)
        draft = Draft(Kind.OPEN_FOR, body, MessageId(clock.random(16)))
        sealed = talk.seal(draft, signer, now=clock.now(), random=clock.random)
        append = Append(sealed.seq, sealed.prev_hash, sealed.entry, ())
        await console.relay.append(mailbox, append, team.keys.capability)
        return ticket_number(mailbox)

    def decide(self, policy: Policy) -> None:
        """Sign another policy."""
        console = self.world.console
        batch = console.team.prepare((policy, [console.device]))
        console.team.accept(batch)
        self.world.fake.take_batch(console.team.team_id, batch)

    async def _entries(self, number: str) -> list[Opened]:
        """Return a ticket's entries anew, without what the console has followed."""
        console = self.world.console
        mailbox = await console.mailbox(number)
        talk = Conversation(mailbox, console.team.roster, console)
        page = await console.relay.read(mailbox, 0, console.team.keys.capability)
        return [talk.receive(item) for item in page.items]


def another_device(world: World, name: str = "second") -> dict[str, Any]:
    """Return the options of another device with the same master, after the first was opened once."""
    bundle = world.keys().load()
    assert isinstance(bundle, UserBundle)
    copy = UserBundle.fresh(bundle.link, clock.random, master=bundle.master)
    return {"keystore": MemoryKeystore(copy), "state_dir": world.folder / name}
