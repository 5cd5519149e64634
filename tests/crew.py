"""A team of people with real keys, changed by real batches and read by real conversations, for tests of the keys room.

crew = Crew.found("anna")
crew.add("ben", Role.AGENT, by="anna", history=False)
crew.remove("ben", by=["anna"])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from e2e_support.content import Author, OpenBody
from e2e_support.conversation import AuthorKey, Conversation, Draft
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import DeviceId, MemberId, MessageId
from e2e_support.mailbox import ReceiptFact, ReceiptSigner
from e2e_support.opened import Opened
from e2e_support.presets import DEFAULT
from e2e_support.roster import TrustedRoster, begin_batch
from e2e_support.roster_links import Payload, Threshold
from e2e_support.ticket_keys import TicketKeys, UserKeyPort
from e2e_support.vocab import AuthorRole, Kind, Role
from e2e_support.wire import Batch, EpochPackage, Stored
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.ceremony import found_team
from e2e_support_keys.changes import (
    add_device_batch,
    cosign,
    leave_batch,
    missing,
    propose,
    remove_devices_batch,
    rotate_batch,
)
from e2e_support_keys.epochs import TeamKeys
from keys_room import KEY, OTHER_KEY, Numbered

NOW = 1_800_000_000
RELAY = ReceiptSigner(SigningKey(KEY))


@dataclass(frozen=True)
class Ticket:
    """A ticket of one entry, as the relay has it."""

    keys: TicketKeys
    item: Stored


@dataclass
class Crew:
    """A team, everybody in it with their device, and what a relay has of it.

    Attributes:
        roster: as it stands.
        packages: boxes and rings by epoch.
        devices: everybody's keys by name, those who left included.
        keys: what each of them has opened.
        random: source of all randomness.
    """

    roster: TrustedRoster
    packages: dict[int, EpochPackage]
    devices: dict[str, DeviceBundle]
    keys: dict[str, TeamKeys]
    random: Numbered
    now: int = NOW
    _tickets: int = field(default=0, init=False)

    @classmethod
    def found(cls, owner: str, *others: str, seed: int = 0, threshold: int = 1) -> Crew:
        """Return a new team of owners, of whom so many must agree."""
        random = Numbered(seed)
        made = found_team(
            "Acme support",
            owner,
            relay_url="https://relay.example",
            relay_key=RELAY.public,
            policy=DEFAULT,
            now=NOW,
            random=random,
        )
        batch = Batch((made.genesis,), (made.package,))
        crew = cls(begin_batch(batch), {}, {owner: made.bundle}, {}, random)
        crew.keys[owner] = crew._no_keys(made.bundle)
        crew._hand_out(batch)
        for name in others:
            crew.add(name, Role.OWNER, by=owner)
        if threshold > 1:
            crew.change([Threshold(threshold)], by=[owner])
        return crew

    # --- people ------------------------------------------------------------------------------------------

    def active(self) -> list[str]:
        """Return the names of those who are in the team, the oldest first."""
        return [name for name, bundle in self.devices.items() if bundle.device_id in self.roster.devices]

    def id(self, name: str) -> DeviceId:
        """Return somebody's device id."""
        return self.devices[name].device_id

    def role(self, name: str) -> Role:
        """Return somebody's role, past or present."""
        return self.roster.devices_ever[self.id(name)].record.role

    def newcomer(self, name: str, *, of: str = "") -> DeviceBundle:
        """Return a fresh device, a further one of somebody if so said, that nobody added yet."""
        member = MemberId(self.devices[of].member_id) if of else None
        self.devices[name] = DeviceBundle.fresh(name, self.random, member_id=member)
        self.keys[name] = self._no_keys(self.devices[name])
        return self.devices[name]

    # --- changes -----------------------------------------------------------------------------------------

    def adding(self, name: str, role: Role, *, by: str, history: bool = True, of: str = "") -> Batch:
        """Return the batch by which somebody adds a fresh device."""
        joining = self.newcomer(name, of=of).joining(self.roster.team_id, role)
        return add_device_batch(
            self.roster,
            self.keys[by],
            joining,
            self.devices[by],
            with_history=history,
            now=self.now,
            random=self.random,
        )

    def removing(self, *names: str, by: str) -> Batch:
        """Return the batch by which somebody removes devices."""
        ids = [self.id(name) for name in names]
        return remove_devices_batch(
            self.roster, self.keys[by], ids, self.devices[by], now=self.now, random=self.random
        )

    def rotating(self, *, by: str, give_history: Sequence[str] = ()) -> Batch:
        """Return the batch by which somebody begins an epoch."""
        ids = [self.id(name) for name in give_history]
        return rotate_batch(
            self.roster, self.keys[by], self.devices[by], give_history=ids, now=self.now, random=self.random
        )

    def add(self, name: str, role: Role, *, by: str, history: bool = True, of: str = "") -> None:
        """Add a fresh device; owners co-sign as far as they must."""
        self.carry_out(self.adding(name, role, by=by, history=history, of=of))

    def remove(self, *names: str, by: str) -> None:
        """Remove devices; owners co-sign as far as they must."""
        self.carry_out(self.removing(*names, by=by))

    def rotate(self, *, by: str, give_history: Sequence[str] = ()) -> None:
        """Begin an epoch."""
        self.carry_out(self.rotating(by=by, give_history=give_history))

    def leave(self, name: str) -> None:
        """Let somebody leave."""
        self.carry_out(leave_batch(self.roster, self.devices[name], now=self.now))

    def change(self, payloads: Sequence[Payload], *, by: Sequence[str]) -> None:
        """Carry out links without an epoch."""
        self.carry_out(propose(self.roster, payloads, self.devices[by[0]], now=self.now))

    def carry_out(self, batch: Batch) -> None:
        """Let whoever must co-sign a batch do so, store it, and hand out its boxes."""
        for name in self.active():
            wanted = missing(batch, self.roster)
            if any(self.id(name) in one.devices for one in wanted):
                batch = cosign(batch, self.roster, self.keys[name], self.devices[name])
        self.roster = self.roster.update_batch(batch)
        self.now += 60
        self._hand_out(batch)

    def _hand_out(self, batch: Batch) -> None:
        for package in batch.packages:
            self.packages[package.epoch] = package
            for name in self.active():
                self.keys[name].add(self.roster.epochs, package)

    def _no_keys(self, bundle: DeviceBundle) -> TeamKeys:
        return TeamKeys(self.roster.team_id, bundle.device_id, bundle.kem())

    # --- tickets -----------------------------------------------------------------------------------------

    def write(self) -> Ticket:
        """Let a user open a ticket, sealed to the newest epoch."""
        self._tickets += 1
        keys = TicketKeys.derive(OTHER_KEY, self.roster.team_id, 202611, self._tickets)
        side = Conversation(keys.mailbox, self.roster, UserKeyPort(self.roster.team_id, keys.reply))
        author = AuthorKey(Author(AuthorRole.USER, keys.author.public), keys.author)
        body = OpenBody("Subject", "It does not work.", "", "", (), (), b"", "", b"", keys.reply.public)
        draft = Draft(Kind.OPEN, body, MessageId(self.random(16)))
        sealed = side.seal(draft, author, now=self.now, random=self.random, first_key=keys.first_key)
        receipt = RELAY.sign([ReceiptFact(keys.mailbox, 0, sealed.hash, self.now)])[0]
        return Ticket(keys, Stored(sealed.entry, receipt))

    def read(self, name: str, ticket: Ticket, keys: TeamKeys | None = None) -> Opened:
        """Return a ticket's entry as somebody's device opens it."""
        return Conversation(ticket.keys.mailbox, self.roster, keys or self.keys[name]).receive(ticket.item)
