"""The committed protocol vectors: data that any language can run, checked here against this implementation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from e2e_support.admission import admit_hash, check_team, check_work, find_work
from e2e_support.attachment import Opener, Plan, Sealer, safe_name
from e2e_support.canonical import Value, decode, encode
from e2e_support.content import Attachment, Author, Inner, MessageBody
from e2e_support.conversation import AuthorKey, Conversation, Draft
from e2e_support.crypto.hash import derive
from e2e_support.crypto.kem import KemPrivate
from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.epoch import epoch_keys
from e2e_support.errors import PeerError, SupportError
from e2e_support.ids import DeviceId, Hash, MailboxId, MemberId, MessageId, RelayKeyId, TeamId
from e2e_support.limits import CHUNK_SIZE
from e2e_support.mailbox import (
    Chain,
    ReceiptFact,
    ReceiptSigner,
    check_entry,
    entry_hash,
    first_hash,
    mailbox_id,
    relay_key_id,
    verify_receipt,
)
from e2e_support.opened import Opened
from e2e_support.request import check_time, content_digest, sign_request, verify_request
from e2e_support.space import volume_key
from e2e_support.tags import Tag
from e2e_support.ticket_keys import (
    KeyPort,
    TicketKeys,
    UserKeyPort,
    open_team_box,
    parse_number,
    ticket_number,
)
from e2e_support.user import is_users, make_card, open_card, prove_user, read_card, user_key
from e2e_support.vocab import AuthorRole, Direction, Kind, Recipient, Role, Verdict
from e2e_support.wire import Box, DeviceRecord, Entry, EpochRecord, Head, Stored
from vectors.generate_crypto import pattern
from vectors.generate_protocol import documents
from vectors.protocol_by_hand import FOLDER, RELAY, TIME, leaf, receipts, seed_of

Case = dict[str, Any]
PHASES = {"msgpack": "strict MessagePack", "canonical": "canonical form"}


def document(name: str) -> dict[str, Any]:
    """Return a committed vector file."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return content


def cases(name: str, part: str = "cases") -> list[Case]:
    """Return the cases of a vector file."""
    found: list[Case] = document(name)[part]
    return found


def comment_of(case: Case) -> str:
    """Return a case's comment, which names its test."""
    comment: str = case["comment"]
    return comment


def raw(case: Mapping[str, Any], field: str) -> bytes:
    """Return the bytes that a field gives in hex."""
    return bytes.fromhex(case[field])


def refused(case: Case) -> Any:
    """Return a context that must end in the case's code."""
    return pytest.raises(SupportError, check=lambda error: error.code == case["code"])


def test_the_committed_vectors_are_the_ones_that_the_generator_makes() -> None:
    """No vector was edited by hand, none is missing and none is left over; only the boxes are frozen."""
    committed = {path.name: path.read_text() for path in FOLDER.iterdir() if path.name != "frozen.json"}
    assert committed == documents()


@pytest.mark.parametrize(
    "name", ["codec", "mailbox", "receipt", "request", "admission", "ticket_keys", "entries", "attachment"]
)
def test_every_case_says_why_it_is_there(name: str) -> None:
    """Each case has a comment of its own."""
    comments = [comment_of(case) for case in cases(name)]
    assert all(comments)
    assert len(set(comments)) == len(comments)


# --- codec --------------------------------------------------------------------------------------------------


def value_of(told: Case) -> Value:
    """Return the value that a vector tells."""
    match told:
        case {"uint": number}:
            return int(number)
        case {"bin": data}:
            return bytes.fromhex(data)
        case {"text": text}:
            return str(text)
        case _:
            return tuple(value_of(item) for item in told["array"])


@pytest.mark.parametrize("case", cases("codec"), ids=comment_of)
def test_codec(case: Case) -> None:
    """A value has one spelling; everything else fails where the vector says."""
    data = raw(case, "bytes")
    if "code" not in case:
        assert decode(data, limit=10_000) == value_of(case["value"])
        assert encode(value_of(case["value"])) == data
        return
    with refused(case) as error:
        decode(data, limit=10_000)
    reached = next((phase for phase, words in PHASES.items() if words in error.value.message), "value")
    assert reached == case["fails_at"]


# --- mailboxes and receipts ---------------------------------------------------------------------------------


def test_mailbox_chain() -> None:
    """Id, first hash and entry hashes have the committed values."""
    given = document("mailbox")
    mailbox = mailbox_id(raw(given, "creation_key"))
    assert mailbox == raw(given, "mailbox_id")
    chain = Chain.start(mailbox)
    assert chain.hash == first_hash(mailbox) == raw(given, "first")
    for row in given["chain"]:
        assert entry_hash(mailbox, row["seq"], chain.hash, raw(row, "entry")) == raw(row, "hash")
        chain = chain.advance(raw(row, "entry"))
    assert chain.head == Head(len(given["chain"]), Hash(raw(given["chain"][-1], "hash")))


@pytest.mark.parametrize("case", cases("mailbox"), ids=comment_of)
def test_entry_from_outside(case: Case) -> None:
    """What a relay sees of an entry is well formed, or refused with the committed code."""
    if "code" not in case:
        assert check_entry(raw(case, "entry")).to_bytes() == raw(case, "entry")
        return
    with refused(case):
        check_entry(raw(case, "entry"))


@pytest.mark.parametrize("case", cases("receipt"), ids=comment_of)
def test_receipt(case: Case) -> None:
    """Receipts of any group verify alone; false ones end in the committed code."""
    given = document("receipt")
    keys = {RelayKeyId(raw(given, "relay_key_id")): raw(given, "relay_key")}
    mailbox, hashed = MailboxId(raw(given, "mailbox_id")), Hash(raw(case, "hash"))
    if "code" not in case:
        receipt = verify_receipt(
            raw(case, "receipt"), keys, mailbox=mailbox, seq=case["seq"], entry_hash=hashed
        )
        assert receipt.leaf.time == case["time"]
        return
    with refused(case):
        verify_receipt(raw(case, "receipt"), keys, mailbox=mailbox, seq=case["seq"], entry_hash=hashed)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_receipts_again(size: int) -> None:
    """A signer makes the committed receipts byte for byte."""
    given = document("receipt")
    rows = [case for case in cases("receipt") if case["comment"].endswith(f"of {size}")]
    mailbox = MailboxId(raw(given, "mailbox_id"))
    facts = [ReceiptFact(mailbox, row["seq"], Hash(raw(row, "hash")), row["time"]) for row in rows]
    signer = ReceiptSigner(SigningKey(Secret(RELAY)))
    assert signer.key_id == relay_key_id(signer.public) == raw(given, "relay_key_id")
    assert signer.sign(facts) == [raw(row, "receipt") for row in rows]


# --- requests and admission ---------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("request"), ids=comment_of)
def test_request(case: Case) -> None:
    """Requests are signed with the committed headers, and every other spelling is no signature."""
    given = document("request")
    where = {name: case[name] for name in ("method", "authority", "path", "query")}
    if "code" in case:
        with refused(case):
            verify_request(**where, headers=list(case["headers"].items()))
        return
    signed = verify_request(**where, headers=list(case["headers"].items()))
    assert signed.public == raw(given["capability"], "public")
    assert signed.digest == content_digest(raw(case, "body"))
    assert (signed.created, signed.nonce) == (given["created"], raw(given, "nonce"))
    key, nonce = SigningKey(Secret(raw(given["capability"], "seed"))), raw(given, "nonce")
    again = sign_request(key, **where, digest=signed.digest, now=signed.created, random=lambda _: nonce)
    assert again == case["headers"]


@pytest.mark.parametrize("case", cases("request", "times"), ids=comment_of)
def test_request_times(case: Case) -> None:
    """A request lives its minute by the relay's clock."""
    first = cases("request")[0]
    where = {name: first[name] for name in ("method", "authority", "path", "query")}
    signed = verify_request(**where, headers=list(first["headers"].items()))
    if "code" not in case:
        return check_time(signed, case["clock"])
    with refused(case):
        check_time(signed, case["clock"])
    return None


@pytest.mark.parametrize("case", cases("admission"), ids=comment_of)
def test_admission(case: Case) -> None:
    """Work and the team's signature admit one mailbox of one team and day."""
    given = document("admission")
    admit, proof = Hash(raw(case, "admit")), raw(case, "proof")
    if case["mode"] == "team":
        assert check_team(admit, proof, raw(given, "capability")) is case["admits"]
        return
    assert check_work(admit, proof, case["bits"]) is case["admits"]
    if case["admits"]:
        assert find_work(admit, case["bits"]) == proof


def test_admission_hash() -> None:
    """Team, day and mailbox give the committed hash."""
    given = document("admission")
    place = TeamId(raw(given, "team_id")), given["day"], MailboxId(raw(given, "mailbox_id"))
    assert admit_hash(*place) == raw(given, "admit")


# --- tickets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", cases("ticket_keys"), ids=comment_of)
def test_ticket_keys(case: Case) -> None:
    """Everything of a ticket follows from the master, and its staff log from the locator."""
    keys = TicketKeys.derive(
        Secret(raw(case, "master")), TeamId(raw(case, "team_id")), case["month"], case["index"]
    )
    assert keys.capability.public == raw(case, "capability")
    assert keys.author.public == raw(case, "author")
    assert hashlib.sha256(keys.reply.public).digest() == raw(case, "reply_sha256")
    assert keys.first_key.reveal(SECRET_ACCESS) == raw(case, "key")
    assert keys.mailbox == raw(case, "mailbox_id")
    assert ticket_number(keys.mailbox) == case["number"]
    locator = Secret(raw(document("ticket_keys"), "locator"))
    staff = SigningKey(derive(locator, Tag.STAFF_LOG, keys.mailbox))
    assert mailbox_id(staff.public) == raw(case, "staff_log")


@pytest.mark.parametrize("case", cases("ticket_keys", "volumes"), ids=comment_of)
def test_volumes_of_the_team_space(case: Case) -> None:
    """Each is found by the locator, its number and the last entry before it; another history leads elsewhere."""
    locator = Secret(raw(document("ticket_keys"), "locator"))
    key = volume_key(locator, case["number"], raw(case, "end"))
    assert mailbox_id(key.public) == raw(case, "mailbox_id")


@pytest.mark.parametrize("case", cases("ticket_keys", "typed"), ids=comment_of)
def test_typed_numbers(case: Case) -> None:
    """Numbers are read as people type them."""
    if "code" not in case:
        assert parse_number(case["typed"]) == case["number"]
        return
    with refused(case):
        parse_number(case["typed"])


@dataclass(frozen=True)
class VectorTeam:
    """The team of the vectors: two heads, of which the second began an epoch, and one device."""

    given: Mapping[str, Any]

    @property
    def team_id(self) -> TeamId:
        return TeamId(raw(self.given, "team_id"))

    @property
    def head(self) -> Head:
        return self.heads[-1]

    @property
    def heads(self) -> list[Head]:
        return [Head(length, Hash(bytes.fromhex(one))) for length, one in enumerate(self.given["heads"], 1)]

    @property
    def epoch(self) -> EpochRecord:
        return self.epoch_at(1)

    @property
    def relay_keys(self) -> Mapping[RelayKeyId, bytes]:
        public = raw(self.given, "relay_key")
        return {relay_key_id(public): public}

    def has_head(self, head: Head) -> bool:
        return head in self.heads

    def epoch_at(self, seq: int) -> EpochRecord:
        keys = self.keys(seq)
        return EpochRecord(seq, keys.public, bytes(32), Hash(bytes(32)), (), Hash(bytes(32)))

    def device_at(self, device_id: DeviceId, head: Head) -> DeviceRecord | None:
        if device_id != raw(self.given, "device_id") or not self.has_head(head):
            return None
        member, sign_key = MemberId(device_id), raw(self.given, "device")
        return DeviceRecord(device_id, member, Role.AGENT, sign_key, bytes(1216), "device", ())

    def keys(self, epoch: int) -> KemPrivate:
        """Return an epoch's key pair."""
        seed = self.given["epochs"][epoch]
        kem = epoch_keys(Secret(raw(seed, "seed"))).kem
        assert hashlib.sha256(kem.public).digest() == raw(seed, "kem_sha256")
        return kem

    def open_key(self, mailbox: MailboxId, entry: Entry) -> Secret:
        """Return the key in an entry's team box."""
        return open_team_box(self.keys(entry.boxes[0].epoch), self.team_id, mailbox, entry)


ENTRIES = document("entries")
TEAM = VectorTeam(ENTRIES["team"])
READERS: dict[str, KeyPort] = {
    "user": UserKeyPort(TEAM.team_id, KemPrivate(Secret(raw(ENTRIES["user"], "reply_seed")))),
    "team": TEAM,
}


def reader(name: str, log: str = "shared", *, upto: int = 99) -> tuple[Conversation, list[Opened]]:
    """Return a reader that has followed a log of the vectors."""
    mailbox = MailboxId(raw(ENTRIES[log], "mailbox_id"))
    conversation = Conversation(mailbox, TEAM, READERS[name], staff=log == "staff")
    items = [Stored(raw(row, "entry"), raw(row, "receipt")) for row in ENTRIES[log]["entries"][:upto]]
    return conversation, [conversation.receive(item) for item in items]


@pytest.mark.parametrize(("name", "log"), [("user", "shared"), ("team", "shared"), ("team", "staff")])
def test_logs_open(name: str, log: str) -> None:
    """Every reader opens every entry of the committed logs and finds the committed inner parts."""
    conversation, opened = reader(name, log)
    assert conversation.chain.hash == raw(ENTRIES[log], "head")
    assert [entry.verdict for entry in opened] == [Verdict.OK] * len(opened)
    expected = [Inner.from_bytes(raw(row, "inner")) for row in ENTRIES[log]["entries"]]
    assert [entry.inner for entry in opened] == expected


def test_the_user_cannot_open_the_staff_log() -> None:
    """It has no box for the user."""
    conversation = Conversation(
        MailboxId(raw(ENTRIES["staff"], "mailbox_id")), TEAM, READERS["user"], staff=True
    )
    row = ENTRIES["staff"]["entries"][0]
    assert conversation.receive(Stored(raw(row, "entry"), raw(row, "receipt"))).reason == "cannot_open"


@pytest.mark.parametrize("case", ENTRIES["contexts"], ids=comment_of)
def test_contexts(case: Case) -> None:
    """The place that an entry is bound to has the committed hash."""
    boxes = tuple(Box(Recipient(r), e, bytes.fromhex(sealed)) for r, e, sealed in case["boxes"])
    conversation = Conversation(MailboxId(raw(case, "mailbox_id")), TEAM, TEAM)
    conversation.chain = Chain(conversation.mailbox, int(case["seq"]), Hash(raw(case, "prev")))
    context = conversation.context(int(case["seq"]), case["gen"], Direction(case["direction"]), boxes)
    assert context == raw(case, "context")


def stored(conversation: Conversation, entry: bytes) -> Stored:
    """Return an entry with the receipt that an honest relay would give it."""
    chain = conversation.chain
    made = leaf(chain.mailbox, chain.length, chain.advance(entry).hash, TIME + 5 * chain.length)
    return Stored(entry, receipts([made])[0])


@pytest.mark.parametrize("name", ["user", "team"])
@pytest.mark.parametrize("case", cases("entries"), ids=comment_of)
def test_entries(case: Case, name: str) -> None:
    """Both readers give the committed verdict for the committed reason, or stop with the committed code."""
    conversation, _ = reader(name, upto=case.get("after", 99))
    item = stored(conversation, raw(case, "entry"))
    if "code" in case:
        with refused(case):
            conversation.receive(item)
        return
    opened = conversation.receive(item)
    assert opened.verdict.name.lower() == case.get("verdict", case.get(f"by_{name}"))
    assert opened.reason == case.get("reason", "cannot_open" if opened.verdict is Verdict.FORGED else "")


def test_a_reply_is_sealed_again() -> None:
    """With the committed salt and message id, sealing makes the committed reply byte for byte."""
    row = ENTRIES["shared"]["entries"][1]
    inner = Inner.from_bytes(raw(row, "inner"))
    conversation, _ = reader("team", upto=1)
    conversation.team = FirstTeam(ENTRIES["team"] | {"heads": ENTRIES["team"]["heads"][:1]})
    signer = AuthorKey(Author(AuthorRole.DEVICE, inner.author.key), SigningKey(Secret(seed_of("device"))))
    draft = Draft(Kind.MESSAGE, MessageBody.from_bytes(inner.body), MessageId(inner.message_id))
    sealed = conversation.seal(draft, signer, now=inner.time, random=lambda _: seed_of("salt 1"))
    assert sealed.entry == raw(row, "entry")


class FirstTeam(VectorTeam):
    """The team before its second link."""

    @property
    def epoch(self) -> EpochRecord:
        return self.epoch_at(0)


# --- users, cards, and what the team begins ------------------------------------------------------------------

USERS = document("users")
SECOND = MailboxId(raw(USERS["ticket"], "mailbox_id"))
ANYBODY: dict[str, KeyPort] = READERS | {
    "second": UserKeyPort(TEAM.team_id, KemPrivate(Secret(raw(USERS["ticket"], "reply_seed")))),
}


def follow(name: str, told: Case, *, staff: bool = False) -> tuple[Conversation, list[Opened]]:
    """Return a reader that has followed a log of the users' vectors."""
    conversation = Conversation(MailboxId(raw(told, "mailbox_id")), TEAM, ANYBODY[name], staff=staff)
    items = [Stored(raw(row, "entry"), raw(row, "receipt")) for row in told["entries"]]
    return conversation, [conversation.receive(item) for item in items]


@pytest.mark.parametrize("part", ["users", "cards", "firsts", "nexts", "team"])
def test_every_case_of_users_says_why_it_is_there(part: str) -> None:
    """Each case has a comment of its own."""
    comments = [comment_of(case) for case in USERS[part]]
    assert all(comments)
    assert len(set(comments)) == len(comments)


@pytest.mark.parametrize("case", USERS["users"], ids=comment_of)
def test_user_keys(case: Case) -> None:
    """A user has one key with each team, which follows from the master."""
    key = user_key(Secret(raw(case, "master")), TeamId(raw(case, "team_id")))
    assert key.public == raw(case, "user_key")


def test_a_proof_is_made_again() -> None:
    """The user's key signs team, mailbox and author key, byte for byte as committed."""
    given, author = USERS["ticket"], raw(USERS["ticket"], "author")
    key = user_key(Secret(raw(USERS["users"][0], "master")), TEAM.team_id)
    assert prove_user(key, TEAM.team_id, SECOND, author) == raw(given, "proof")
    assert is_users(key.public, raw(given, "proof"), TEAM.team_id, SECOND, author)


@pytest.mark.parametrize("case", USERS["cards"], ids=comment_of)
def test_cards(case: Case) -> None:
    """A card is made as committed and names its ticket and user; others end in the committed code."""
    if "code" in case:
        with refused(case):
            open_card(read_card(case["text"]), TEAM.team_id)
        return
    card = open_card(read_card(case["text"]), TEAM.team_id, SECOND)
    assert mailbox_id(card.creation_key) == raw(case, "mailbox_id") == SECOND
    assert card.user_key == raw(case, "user_key")
    master = Secret(raw(USERS["users"][0], "master"))
    keys = TicketKeys.derive(master, TEAM.team_id, 202701, USERS["ticket"]["index"])
    user = user_key(master, TEAM.team_id) if card.user_key else None
    assert make_card(keys, TEAM.team_id, user) == "".join(case["text"].split())


@pytest.mark.parametrize(
    ("name", "log"), [("second", "for_user"), ("team", "for_user"), ("team", "staff"), ("team", "space")]
)
def test_logs_of_the_team_open(name: str, log: str) -> None:
    """Every reader opens every entry of the committed logs and finds the committed inner parts."""
    conversation, opened = follow(name, USERS[log], staff=log != "for_user")
    assert conversation.chain.hash == raw(USERS[log], "head")
    assert [entry.verdict for entry in opened] == [Verdict.OK] * len(opened)
    expected = [Inner.from_bytes(raw(row, "inner")) for row in USERS[log]["entries"]]
    assert [entry.inner for entry in opened] == expected


@pytest.mark.parametrize("name", ["second", "team"])
@pytest.mark.parametrize("case", USERS["firsts"], ids=comment_of)
def test_first_entries(case: Case, name: str) -> None:
    """What is said of the user, or what card it brings, holds or does not; only good ones say who the user is."""
    conversation = Conversation(SECOND, TEAM, ANYBODY[name])
    opened = conversation.receive(stored(conversation, raw(case, "entry")))
    assert (opened.verdict.name.lower(), opened.reason) == (case["verdict"], case.get("reason", ""))
    assert bool(conversation.user_key) <= (opened.verdict is Verdict.OK)
    if opened.reason == "bad_card":
        assert conversation.author_key is conversation.reply_key is None


@pytest.mark.parametrize("name", ["user", "team"])
@pytest.mark.parametrize("case", USERS["nexts"], ids=comment_of)
def test_next_entries(case: Case, name: str) -> None:
    """Both readers give the committed verdict on a merge, a closing by itself, a second opening."""
    conversation, _ = reader(name)
    opened = conversation.receive(stored(conversation, raw(case, "entry")))
    assert (opened.verdict.name.lower(), opened.reason) == (case["verdict"], case.get("reason", ""))


@pytest.mark.parametrize("case", USERS["team"], ids=comment_of)
def test_entries_of_the_team(case: Case) -> None:
    """The team's own logs take well-formed bodies of devices only."""
    conversation, _ = follow("team", USERS[case["log"]], staff=True)
    item = stored(conversation, raw(case, "entry"))
    if "code" in case:
        with refused(case):
            conversation.receive(item)
        return
    opened = conversation.receive(item)
    assert (opened.verdict.name.lower(), opened.reason) == (case["verdict"], case["reason"])


# --- files --------------------------------------------------------------------------------------------------


def plain(blob: bytes, manifest: Attachment) -> bytes:
    """Return the file in a blob, the way a reader goes."""
    opener = Opener(manifest, MailboxId(raw(document("attachment"), "mailbox_id")))
    start, end = opener.leaves_range
    opener.load_leaves(blob[start:end])
    ranges = [opener.plan.chunk_sealed(index) for index in range(opener.plan.chunks)]
    return b"".join(opener.open_chunk(index, blob[a:b]) for index, (a, b) in enumerate(ranges))


@pytest.mark.parametrize("case", cases("attachment"), ids=comment_of)
def test_attachment(case: Case) -> None:
    """Files are sealed byte for byte as committed and come back; changed ones end in the committed code."""
    manifest = Attachment.from_bytes(raw(case, "manifest"))
    if "code" in case:
        with refused(case):
            plain(raw(case, "blob"), manifest)
        return
    plan = Plan(case["size"])
    assert (plan.padded, plan.chunks) == (case["padded"], case["chunks"])
    mailbox = MailboxId(raw(document("attachment"), "mailbox_id"))
    sealer = Sealer(plan, mailbox, manifest.blob_id, Secret(manifest.key), manifest.salt)
    data = pattern(case["size"])
    chunks = [sealer.seal_chunk(index, data[slice(*plan.chunk_file(index))]) for index in range(plan.chunks)]
    blob = b"".join(chunks) + sealer.leaves()
    assert sealer.leaves() == b"".join(bytes.fromhex(one) for one in case["leaves"])
    assert sealer.manifest(manifest.name, manifest.media_type) == manifest
    assert hashlib.sha256(blob).hexdigest() == case.get("blob_sha256", hashlib.sha256(blob).hexdigest())
    assert blob.hex() == case.get("blob", blob.hex())
    assert plain(blob, manifest) == data


def test_where_a_false_file_fails() -> None:
    """The commitment is checked before a leaf, the leaves before a chunk."""
    for case in (case for case in cases("attachment") if "code" in case):
        manifest, blob = Attachment.from_bytes(raw(case, "manifest")), raw(case, "blob")
        reached: list[str] = []
        try:
            opener = Opener(manifest, MailboxId(raw(document("attachment"), "mailbox_id")))
            reached.append("leaves")
            opener.load_leaves(blob[slice(*opener.leaves_range)])
            reached.append("chunk")
            opener.open_chunk(0, blob[slice(*opener.plan.chunk_sealed(0))])
        except PeerError:
            assert (["commitment", *reached])[-1] == case["fails_at"]


def test_plans() -> None:
    """Sizes of padded files, chunks, blobs and pieces have the committed values."""
    for row in document("attachment")["plans"]:
        plan = Plan(row["size"])
        found = {"padded": plan.padded, "chunks": plan.chunks, "blob": plan.blob, "pieces": plan.pieces}
        assert {"size": row["size"], **found} == row
        assert plan.chunks == max(1, -(-plan.padded // CHUNK_SIZE))


def test_names() -> None:
    """Names are cleaned as committed."""
    for row in document("attachment")["names"]:
        assert safe_name(row["name"]) == row["kept"]
