"""One ticket and its two readers, for tests at the level of bytes: honest entries, and entries made wrong on purpose.

ticket = Ticket.begin()
ticket.say(ticket.user, Kind.MESSAGE, text("Any news?"))
ticket.post(ticket.craft(ticket.user, direction=Direction.TEAM_TO_USER))
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from e2e_support.canonical import encode
from e2e_support.codec import Message
from e2e_support.content import (
    BODIES,
    Attachment,
    Author,
    BarrierBody,
    CloseBody,
    Inner,
    MergeBody,
    MessageBody,
    OpenBody,
    ReopenBody,
    ResolutionBody,
    SignedInner,
    StatusBody,
)
from e2e_support.conversation import AuthorKey, Conversation, Draft
from e2e_support.crypto import cae
from e2e_support.crypto.hash import digest, u64
from e2e_support.crypto.pad import pad
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.epoch import epoch_keys
from e2e_support.errors import PeerError
from e2e_support.ids import MailboxId, MessageId
from e2e_support.mailbox import Chain, ReceiptFact, ReceiptSigner
from e2e_support.opened import Opened, Record
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT
from e2e_support.tags import Tag
from e2e_support.thread import Thread
from e2e_support.ticket_keys import KeyPort, TicketKeys, UserKeyPort, open_team_box, seal_boxes
from e2e_support.ticket_state import TicketState
from e2e_support.user import prove_user, user_key
from e2e_support.vocab import AuthorRole, Direction, Kind, Role, Verdict
from e2e_support.wire import Box, Entry, EpochRecord, Head, Stored
from team_builder import Device, Team, device, seed_of

NOW: Final = 1_800_100_000
STEP: Final = 60  # seconds between two entries
RELAY: Final = SigningKey(Secret(seed_of("relay")))
ANNA, BEN, AUDITOR = device("anna"), device("ben", Role.AGENT), device("audrey", Role.AUDITOR)


class Numbered:
    """Randomness whose every draw differs from the last and is the same in every run."""

    def __init__(self, name: str) -> None:
        self._name, self._drawn = name, 0

    def __call__(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(f"{self._name}/{self._drawn}".encode()).digest(size)


@dataclass
class TeamPort:
    """Opens team boxes of the epochs that a console has keys of: not those before it came, nor those to come."""

    team: Team
    first: int = 0
    last: int = 1000

    def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:
        """Return the ticket key in an entry's team box."""
        epoch = entry.boxes[0].epoch
        if not self.first <= epoch <= self.last or epoch not in self.team.seeds:
            raise PeerError("no_key", "no key of that epoch")
        return open_team_box(epoch_keys(self.team.seeds[epoch]).kem, self.team.team_id, mailbox, entry)


@dataclass
class Log:
    """A mailbox at a relay that signs what it is told, at the time that it is told."""

    mailbox: MailboxId
    now: int = NOW
    items: list[Stored] = field(default_factory=list[Stored])
    chain: Chain = field(init=False)

    def __post_init__(self) -> None:
        """Begin empty."""
        self.chain = Chain.start(self.mailbox)

    def add(self, entry: bytes, *, time: int | None = None) -> Stored:
        """Store an entry and return it with its receipt."""
        self.now += STEP
        item = Stored(entry, self.receipt(entry, time=time))
        self.chain = self.chain.advance(entry)
        self.items.append(item)
        return item

    def receipt(self, entry: bytes, *, time: int | None = None, key: SigningKey = RELAY) -> bytes:
        """Return a receipt for an entry as the next one."""
        return _receipt(self.chain, entry, self.now if time is None else time, key)

    def another_receipt(self, seq: int, *, time: int | None = None, key: SigningKey = RELAY) -> bytes:
        """Return a second receipt for an entry that is stored already."""
        chain = Chain.start(self.mailbox)
        for item in self.items[:seq]:
            chain = chain.advance(item.entry)
        return _receipt(chain, self.items[seq].entry, self.now if time is None else time, key)


def _receipt(chain: Chain, entry: bytes, time: int, key: SigningKey) -> bytes:
    after = chain.advance(entry)
    return ReceiptSigner(key).sign([ReceiptFact(chain.mailbox, chain.length, after.hash, time)])[0]


@dataclass
class Side:
    """One reader of a ticket, who may write too; ``records`` is what it keeps."""

    conversation: Conversation
    thread: Thread
    signer: AuthorKey
    random: Numbered
    first_key: Secret | None = None
    records: list[Record] = field(default_factory=list[Record])

    def read(self, item: Stored, *, accept_strange: bool = False) -> Opened:
        """Follow one entry and return it with the thread's verdict."""
        opened = self.conversation.receive(item, accept_strange=accept_strange)
        self.records.append(Record.from_bytes(opened.record().to_bytes()))
        return self.thread.take(opened)

    def resume(self, records: Sequence[Record]) -> Side:
        """Go on from what was kept."""
        for opened in self.conversation.resume(records):
            self.thread.take(opened)
        self.records = list(records)
        return self

    def seal(
        self, kind: Kind, body: Message, *files: Attachment, message_id: bytes = b"", now: int = NOW
    ) -> bytes:
        """Return the bytes of an honest entry."""
        draft = Draft(kind, body, MessageId(message_id or self.random(16)), files)
        first = self.first_key if self.conversation.chain.length == 0 else None
        return self.conversation.seal(draft, self.signer, now=now, random=self.random, first_key=first).entry

    @property
    def state(self) -> TicketState:
        """The ticket as this side sees it."""
        return self.thread.require_state()

    @property
    def key(self) -> Secret | None:
        """The newest ticket key that this side opened."""
        return next((entry.key for entry in reversed(self.thread.entries) if entry.key), None)

    @property
    def verdicts(self) -> list[tuple[Verdict, str]]:
        """What this side says of every entry."""
        return [(entry.verdict, entry.reason) for entry in self.thread.entries]


@dataclass
class Ticket:
    """A ticket of a user and a team of anna (owner), ben (agent) and audrey (auditor), through an honest relay."""

    team: Team
    keys: TicketKeys
    log: Log
    user: Side
    anna: Side

    @classmethod
    def empty(cls, policy: Policy = DEFAULT, *, index: int = 0) -> Ticket:
        """Return an empty mailbox that user and anna are about to follow."""
        team = Team.found(ANNA, BEN, AUDITOR, policy=policy, relay_key=RELAY.public)
        keys = TicketKeys.derive(Secret(seed_of("user")), team.team_id, 202701, index)
        log = Log(keys.mailbox)
        user = make_user(team, keys)
        anna = make_admin(team, keys.mailbox, ANNA)
        return cls(team, keys, log, user, anna)

    @classmethod
    def begin(cls, policy: Policy = DEFAULT, **opening: Any) -> Ticket:
        """Return a ticket that the user has opened and both have read."""
        ticket = cls.empty(policy)
        ticket.say(ticket.user, Kind.OPEN, ticket.opening(**opening))
        return ticket

    @classmethod
    def known(cls, policy: Policy = DEFAULT) -> Ticket:
        """Return a ticket whose user says who they are, so that it may be merged."""
        ticket = cls.empty(policy)
        ticket.say(ticket.user, Kind.OPEN, ticket.opening(**said_by(ticket.team, ticket.keys)))
        return ticket

    def opening(self, **changes: Any) -> OpenBody:
        """Return what the user says first."""
        body = OpenBody(
            "No invoice", "The list is empty.", "question", "", (), (), b"", "", b"", self.keys.reply.public
        )
        return replace(body, **changes)

    def admin(self, who: Device = ANNA, *, first_epoch: int = 0) -> Side:
        """Return a further console that has read nothing yet."""
        return make_admin(self.team, self.log.mailbox, who, first_epoch=first_epoch)

    def say(
        self,
        side: Side,
        kind: Kind,
        body: Message,
        *files: Attachment,
        message_id: bytes = b"",
        time: int | None = None,
    ) -> Opened:
        """Let a side write an honest entry; both read it; return it as the other side judges it."""
        return self.post(
            side.seal(kind, body, *files, message_id=message_id), time=time, reader=self.other(side)
        )

    def post(self, entry: bytes, *, time: int | None = None, reader: Side | None = None) -> Opened:
        """Store any bytes; both sides read them; return what anna, or the reader, makes of them."""
        item = self.log.add(entry, time=time)
        opened = {id(side): side.read(item) for side in (self.user, self.anna)}
        return opened[id(reader or self.anna)]

    @property
    def last_receipt(self) -> bytes:
        """The receipt that the next entry should quote."""
        return self.log.items[-1].receipt if self.log.items else b""

    def other(self, side: Side) -> Side:
        """Return the other side."""
        return self.anna if side is self.user else self.user

    def catch_up(self, side: Side) -> Side:
        """Let a side read what it has not read yet."""
        for item in self.log.items[side.conversation.chain.length :]:
            side.read(item)
        return side

    def use_roster(self) -> None:
        """Tell both sides the team's newest roster."""
        for side in (self.user, self.anna):
            side.conversation.team = self.team.roster
            side.thread.judge_again(self.team.roster)

    def agree(self) -> bool:
        """Tell whether both sides give the same verdicts and see the same ticket; why one is forged may differ."""
        verdicts = [[verdict for verdict, _ in side.verdicts] for side in (self.user, self.anna)]
        return verdicts[0] == verdicts[1] and self.user.thread.state == self.anna.thread.state

    def boxes(
        self, key: Secret, gen: int, *, user_key: Secret | None = None, epoch: EpochRecord | None = None
    ) -> tuple[Box, ...]:
        """Return boxes for both sides; ``user_key`` hands the user another key than the team."""
        record = epoch or self.team.roster.epoch
        place = {"team_id": self.team.team_id, "mailbox": self.log.mailbox, "gen": gen, "epoch": record}
        reply = self.keys.reply.public
        made = seal_boxes(key, reply_key=reply, **place)  # type: ignore[arg-type]
        other = seal_boxes(user_key or key, reply_key=reply, **place)  # type: ignore[arg-type]
        return made[0], other[1]

    def craft(
        self,
        side: Side,
        kind: Kind = Kind.MESSAGE,
        body: Message | None = None,
        *,
        key: Secret | None = None,
        gen: int | None = None,
        seq: int | None = None,
        mailbox: MailboxId | None = None,
        prev_hash: bytes | None = None,
        direction: Direction | None = None,
        boxes: tuple[Box, ...] = (),
        signer: SigningKey | None = None,
        as_transported: Callable[[bytes], bytes] = bytes,
        **inner_changes: Any,
    ) -> bytes:
        """Return an entry made by somebody who holds a side's keys and keeps no rule that is named here.

        Args:
            side: whose view and keys are used.
            kind: what the entry is.
            body: its body; a short message by default.
            key: the ticket key to encrypt under; the side's own by default.
            gen: generation outside and in the context.
            seq: sequence number in the context.
            mailbox: mailbox in the context.
            prev_hash: previous hash in the context.
            direction: direction outside and in the context.
            boxes: key boxes.
            signer: who signs instead.
            as_transported: changes the inner bytes before they are signed.
            inner_changes: fields of the inner part, by name.
        """
        conversation = side.conversation
        role = side.signer.author.role
        usual = Direction.USER_TO_TEAM if role is AuthorRole.USER else Direction.TEAM_TO_USER
        way = usual if direction is None else direction
        number = conversation.gen if gen is None else gen
        inner = Inner(
            1, kind, MessageId(side.random(16)), side.signer.author, conversation.team.head,
            self.last_receipt, NOW, b"", (body or text("hello")).to_bytes(), (),
        )  # fmt: skip
        inner_bytes = as_transported(replace(inner, **inner_changes).to_bytes())
        chain = conversation.chain
        place = self.team.team_id + (mailbox or self.log.mailbox) + u64(chain.length if seq is None else seq)
        context = digest(
            Tag.CONTEXT, u64(1) + u64(1), place, chain.hash if prev_hash is None else prev_hash,
            u64(number), u64(way), digest(Tag.BOXES, encode(tuple(box.dump() for box in boxes))),
        )  # fmt: skip
        signature = (signer or side.signer.key).sign(Tag.ENTRY_SIGN, context, inner_bytes)
        plain = pad(SignedInner(inner_bytes, signature).to_bytes())
        secret = key or side.key or side.first_key
        assert secret is not None
        ciphertext = cae.encrypt(secret, Tag.ENTRY, context, plain, side.random)
        return Entry(1, 1, number, way, boxes, ciphertext).to_bytes()


def said_by(team: Team, keys: TicketKeys, *, master: str = "user") -> dict[str, bytes]:
    """Return what an opening says of its user across tickets."""
    user = user_key(Secret(seed_of(master)), team.team_id)
    proof = prove_user(user, team.team_id, keys.mailbox, keys.author.public)
    return {"user_key": user.public, "user_proof": proof}


def merge_of(ticket: Ticket, *, own: bool = True) -> MergeBody:
    """Return what merges a ticket into the next one of its user, or into another user's."""
    master = "user" if own else "somebody else"
    keys = TicketKeys.derive(Secret(seed_of(master)), ticket.team.team_id, 202701, 1)
    proof = said_by(ticket.team, keys, master=master)["user_proof"]
    return MergeBody(keys.mailbox, keys.author.public, proof, "")


def make_user(team: Team, keys: TicketKeys) -> Side:
    """Return the user's client before the first entry."""
    port = UserKeyPort(team.team_id, keys.reply)
    conversation = Conversation(keys.mailbox, team.roster, port, author_key=keys.author.public)
    signer = AuthorKey(Author(AuthorRole.USER, keys.author.public), keys.author)
    return Side(conversation, Thread(team.roster), signer, Numbered("user"), keys.first_key)


def make_admin(
    team: Team, mailbox: MailboxId, who: Device, *, first_epoch: int = 0, staff: bool = False
) -> Side:
    """Return an administrator's console before the first entry."""
    port: KeyPort = TeamPort(team, first_epoch)
    conversation = Conversation(mailbox, team.roster, port, staff=staff)
    signer = AuthorKey(Author(AuthorRole.DEVICE, who.device_id), who.sign)
    return Side(conversation, Thread(team.roster), signer, Numbered(who.name))


def text(words: str, *, as_team: int = 0) -> MessageBody:
    """Return a message's body."""
    return MessageBody(words, as_team)


def head_of(ticket: Ticket, length: int) -> Head:
    """Return the head of the team's roster at a length."""
    return Head(length, ticket.team.roster.hashes[length - 1])


def reveal(secret: Secret) -> bytes:
    """Return a secret's bytes."""
    return secret.reveal(SECRET_ACCESS)


PLAIN_BODIES: Final[dict[Kind, Message]] = {
    Kind.MESSAGE: text("hello"),
    Kind.STATUS: StatusBody(2, 0),
    Kind.RESOLUTION: ResolutionBody("Sent again."),
    Kind.CLOSE: CloseBody("done", ""),
    Kind.REOPEN: ReopenBody("It is back."),
    Kind.BARRIER: BarrierBody(()),
    Kind.REKEY: BarrierBody(()),
    Kind.ACKNOWLEDGEMENT: BODIES[Kind.ACKNOWLEDGEMENT](),
    Kind.DUMMY: BODIES[Kind.DUMMY](),
    Kind.AUTO_CLOSE: BODIES[Kind.AUTO_CLOSE](),
}
"""Bodies that break no rule by themselves."""
