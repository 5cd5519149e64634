"""One log of a ticket: bytes in, opened entries out; drafts in, sealed entries out (protocol sections 5.2-5.5).

User clients and consoles drive the same object.
"""

from __future__ import annotations

from dataclasses import dataclass

from e2e_support.codec import Message
from e2e_support.content import Attachment, Author, Inner, OpenBody, OpenForBody, SignedInner
from e2e_support.crypto import cae
from e2e_support.crypto.pad import pad
from e2e_support.crypto.secret import SECRET_ACCESS, Random, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.crypto.suite import SUITE, VERSION
from e2e_support.errors import UsageError
from e2e_support.ids import Hash, MessageId
from e2e_support.log_reader import LogReader
from e2e_support.tags import Tag
from e2e_support.ticket_keys import seal_boxes
from e2e_support.user import card_in
from e2e_support.vocab import Kind
from e2e_support.wire import Box, Entry


@dataclass(frozen=True, slots=True)
class AuthorKey:
    """Who seals: how the author is named inside the entry, and the key that signs."""

    author: Author
    key: SigningKey


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person wants to say, before it is sealed."""

    kind: Kind
    body: Message
    message_id: MessageId
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry ready to be appended: its place, its bytes, its hash once it stands there."""

    seq: int
    prev_hash: Hash
    entry: bytes
    hash: Hash


@dataclass(slots=True)
class Conversation(LogReader):
    """One log (shared or staff) as one participant reads and writes it; arguments as ``LogPlace``."""

    def seal(
        self, draft: Draft, signer: AuthorKey, *, now: int, random: Random, first_key: Secret | None = None
    ) -> Sealed:
        """Seal a draft as the log's next entry, with fresh boxes where the team's epoch has moved on (§5.2).

        The conversation does not change: hand the stored entry with its receipt to ``receive``.

        Args:
            draft: what to say.
            signer: who says it.
            now: author time, seconds since 1970.
            random: source of keys and salts.
            first_key: ticket key of generation 0, for the first entry of a shared log.

        Raises:
            UsageError: ``malformed`` when the draft is over a protocol bound, ``no_author`` when the ticket needs a
                new key and this reader could not open the first entry, which says how to hand it to the user.
            PeerError: ``bad_key`` when the user's reply key is unusable, ``malformed`` for a card that is none.
        """
        seq, boxed = self.chain.length, self._key is None or self.team.epoch.epoch > self.epoch
        key = (first_key if seq == 0 else None) or (Secret.random(random) if boxed else self._key)
        assert key is not None  # noqa: S101 - boxed covers the case without a key
        gen = self.gen + 1 if boxed else self.gen
        boxes = self._boxes(key, gen, draft) if boxed else ()
        direction = self._direction_of(signer.author.role)
        context = self.context(seq, gen, direction, boxes)
        previous = self._key.reveal(SECRET_ACCESS) if boxed and self._key else b""
        inner = Inner(
            VERSION, draft.kind, draft.message_id, signer.author, self.team.head, self._receipt, now, previous,
            draft.body.to_bytes(), draft.attachments,
        ).to_bytes()  # fmt: skip
        signed = SignedInner(inner, signer.key.sign(Tag.ENTRY_SIGN, context, inner)).to_bytes()
        ciphertext = cae.encrypt(key, Tag.ENTRY, context, pad(signed), random)
        entry = Entry(VERSION, SUITE, gen, direction, boxes, ciphertext).to_bytes()
        return Sealed(seq, self.chain.hash, entry, self.chain.advance(entry).hash)

    def _boxes(self, key: Secret, gen: int, draft: Draft) -> tuple[Box, ...]:
        reply_key = self.reply_key if self.chain.length else _reply_key(draft.body)
        if reply_key is None and not self.staff:
            raise UsageError(
                "no_author",
                "how this ticket began cannot be read here, so no answer would reach its user",
                hint="Ask an administrator who can read all of it to answer.",
            )
        return seal_boxes(
            key,
            team_id=self.team.team_id,
            mailbox=self.mailbox,
            gen=gen,
            epoch=self.team.epoch,
            reply_key=None if self.staff else reply_key,
        )


def _reply_key(body: Message) -> bytes | None:
    """Return the user's key that a first entry brings with it."""
    match body:
        case OpenBody(reply_key=key):
            return key
        case OpenForBody(card=card):
            return card_in(card).reply_key
        case _:
            return None
