"""What strangers, thieves and the network try on a relay, by number; each row reads as a story.

P1 to P3 are the probes that comparable systems fail. A stranger knows everything public and the mailbox id.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from e2e_support.admission import admit_hash, check_work, find_work, prove_team
from e2e_support.crypto.sign import SigningKey
from e2e_support.ids import MailboxId, TeamId
from e2e_support.mailbox import first_hash, mailbox_id
from e2e_support.request import b64
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import Append, BlobSize, Create
from e2e_support_server import rules
from relay_kit import BITS, Client, Mailbox, ManualClock, Reply, TeamHandle, make_entry, new_key, running


@dataclass
class Scene:
    """A relay with a team, a victim's ticket, and a stranger with a key and a ticket of their own."""

    relay: Client
    team: TeamHandle
    victim: Mailbox
    stranger: SigningKey
    own: Mailbox
    clock: ManualClock

    async def nothing_changed(self) -> None:
        """The victim's ticket is as it was."""
        page = await self.victim.page()
        assert (page.head.length, page.head.hash) == (self.victim.length, self.victim.hash)


@asynccontextmanager
async def set_scene(folder: Path) -> AsyncGenerator[Scene]:
    """Set the scene."""
    clock = ManualClock()
    async with running(folder / "relay", clock=clock) as relay:
        team = await relay.found()
        victim = await relay.ticket(team)
        blob = await victim.declare(100)
        await victim.piece(blob, 0, bytes(100))
        await victim.append(blobs=[blob])
        await victim.append(key=team.capability)
        stranger = new_key()
        own = await relay.ticket(team, stranger)
        await own.append()
        yield Scene(relay, team, victim, stranger, own, clock)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    """The scene, set."""
    async with set_scene(tmp_path) as found:
        yield found


def visible(reply: Reply) -> tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]:
    """Return everything that a client can see of an answer, but the date."""
    return reply.status, reply.body, tuple(pair for pair in reply.raw_headers if pair[0] != b"Date")


NOWHERE = f"/v1/mailboxes/{b64(MailboxId(b'nobody was here!'))}"
BLOB = b64(os.urandom(16))

DOORS: dict[str, tuple[str, str, bytes]] = {
    "P1 reads the entries": ("GET", "/entries?from=0", b""),
    "P1 listens": ("GET", "/bell?after=0&wait=0", b""),
    "P1 reads a blob": ("GET", f"/blobs/{BLOB}", b""),
    "P1 asks after a blob": ("GET", f"/blobs/{BLOB}/state", b""),
    "P2 appends junk": (
        "POST",
        "/entries",
        Append(0, first_hash(MailboxId(bytes(16))), make_entry(), ()).to_bytes(),
    ),
    "P2 appends garbage": ("POST", "/entries", b"\xc1"),
    "P2 declares a blob": ("PUT", f"/blobs/{BLOB}", BlobSize(10).to_bytes()),
    "P2 sends a piece": ("PUT", f"/blobs/{BLOB}/0", bytes(10)),
}


SIGNERS = ("a key of their own", "no key", "a broken signature", "another ticket's session")


@pytest.mark.parametrize(
    ("door", "signer"),
    [
        (d, s) for d in DOORS for s in SIGNERS if not s.endswith("session") or DOORS[d][0] == "GET"
    ],  # only reads
)
async def test_p1_p2_69_a_stranger_cannot_even_tell_whether_a_mailbox_exists(
    scene: Scene, door: str, signer: str
) -> None:
    """Whatever a stranger tries on a mailbox, existing or not, the answers are the same, byte for byte."""
    method, route, body = DOORS[door]
    answers: set[tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]] = set()
    for path in (scene.victim.path, NOWHERE):
        target = path + route
        headers = scene.relay.signature(scene.stranger, method, target, body)
        if signer == "no key":
            headers = {}
        elif signer == "a broken signature":
            headers["signature"] = headers["signature"].replace("A", "B").replace("b", "c")
        elif signer == "another ticket's session":
            headers = await scene.relay.session(scene.stranger)
        answers.add(visible(await scene.relay.send(method, target, body, headers)))
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    await scene.nothing_changed()


async def test_p1_the_feed_is_closed_to_strangers(scene: Scene) -> None:
    """Who does not hold the newest capability sees no feed, of this team or of none."""
    answers = {
        visible(await scene.relay.ask(scene.stranger, "GET", f"/v1/team/{b64(team)}/feed?after=0"))
        for team in (scene.team.team_id, TeamId(os.urandom(32)))
    }
    assert {status for status, _, _ in answers} == {404}
    assert len(answers) == 1


async def test_p3_an_accepted_ciphertext_cannot_be_replayed(scene: Scene) -> None:
    """A stored entry, sent again at its place or the next, in its own ticket or another, adds nothing."""
    entry = scene.victim.entries[0]
    stolen = Append(scene.victim.length, scene.victim.hash, entry, ())
    target = f"{scene.victim.path}/entries"
    (await scene.relay.ask(scene.stranger, "POST", target, stolen.to_bytes())).expect("not_found")
    (await scene.victim.post(Append(0, first_hash(scene.victim.id), entry, ()))).expect(200)
    await scene.nothing_changed()


async def test_47_another_tickets_capability_opens_nothing(scene: Scene) -> None:
    """A user who learned another ticket's id is told the same as about an id that was never there."""
    body = scene.victim.next(make_entry()).to_bytes()
    answers = [
        visible(await scene.relay.ask(scene.stranger, "POST", f"{path}/entries", body))
        for path in (scene.victim.path, NOWHERE)
    ]
    assert answers[0] == answers[1]
    await scene.nothing_changed()


@dataclass(frozen=True)
class Forgery:
    """A create that somebody hopes to get through; the scene gives the honest parts."""

    scene: Scene
    key: SigningKey
    honest: Create

    def elsewhere(self, *, owner: bytes = b"", team: bytes = b"", days: int = 0) -> Create:
        """Return the create with work that is good for something else and happens to be none here."""
        day = self.honest.day + days
        other = admit_hash(TeamId(team or self.honest.team_id), day, mailbox_id(owner or self.key.public))
        here = admit_hash(self.honest.team_id, self.honest.day, mailbox_id(self.key.public))
        proofs = (find_work(other, bits) for bits in range(BITS, 20))
        return replace(
            self.honest, proof=next(proof for proof in proofs if not check_work(here, proof, BITS))
        )

    def as_team(self, owner: bytes, signer: SigningKey) -> Create:
        """Return the create with a team's proof for some mailbox."""
        admit = admit_hash(self.honest.team_id, self.honest.day, mailbox_id(owner))
        return replace(self.honest, mode=AdmissionMode.TEAM, proof=prove_team(signer, admit))


FORGERIES: dict[str, Callable[[Forgery], Create]] = {
    "steals the work of another mailbox": lambda f: f.elsewhere(owner=f.scene.victim.key.public),
    "shows the work for another team": lambda f: f.elsewhere(team=bytes(32)),
    "shows the work for another day": lambda f: f.elsewhere(days=1),
    "shows no work": lambda f: replace(f.honest, proof=b""),
    "shows nine bytes": lambda f: replace(f.honest, proof=f.honest.proof + b"\x00"),
    "claims to be the team with work": lambda f: replace(f.honest, mode=AdmissionMode.TEAM),
    "signs the team's proof themselves": lambda f: f.as_team(f.key.public, f.key),
    "steals the team's proof for another mailbox": lambda f: f.as_team(
        f.scene.victim.key.public, f.scene.team.capability
    ),
    "claims a grant": lambda f: replace(f.honest, mode=AdmissionMode.GRANT),
    "claims a blind token": lambda f: replace(f.honest, mode=AdmissionMode.BLIND),
    "wants a staff log for work": lambda f: replace(f.honest, user_key=b""),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_48_a_forged_or_stolen_admission_opens_nothing(
    scene: Scene, forge: Callable[[Forgery], Create]
) -> None:
    """Proofs hold for one team, day and mailbox; a create with any other is refused and makes nothing."""
    key = new_key()
    forged = forge(Forgery(scene, key, scene.relay.create(scene.team, key)))
    (await scene.relay.put_mailbox(key, forged)).expect("admission_refused")
    (await scene.relay.ask(key, "GET", f"/v1/mailboxes/{b64(mailbox_id(key.public))}/entries")).expect(
        "not_found"
    )


async def test_48_50_one_admission_makes_one_mailbox(scene: Scene) -> None:
    """The same create ten times at once, and again later, makes exactly one mailbox."""
    key = new_key()
    create = scene.relay.create(scene.team, key)
    replies = await asyncio.gather(*(scene.relay.put_mailbox(key, create) for _ in range(10)))
    assert sorted(reply.status for reply in replies) == [200] * 9 + [201]
    assert (await scene.relay.put_mailbox(key, create)).status == 200


async def test_49_a_mailbox_id_cannot_be_chosen_or_squatted(scene: Scene) -> None:
    """An id belongs to the hash of its key: nobody creates the victim's, or one of another key."""
    key = new_key()
    create = scene.relay.create(scene.team, key)
    for path in (scene.victim.path, NOWHERE):
        (await scene.relay.ask(key, "PUT", path, create.to_bytes())).expect("not_found")
    theirs = replace(create, creation_key=scene.victim.key.public)
    own = f"/v1/mailboxes/{b64(mailbox_id(key.public))}"
    (await scene.relay.ask(key, "PUT", own, theirs.to_bytes())).expect("not_found")


async def test_66_a_recorded_request_works_neither_again_nor_later(scene: Scene) -> None:
    """A request that was seen on the way is worth nothing: used once, and over after a minute."""
    append = scene.victim.next(make_entry())
    target, body = f"{scene.victim.path}/entries", append.to_bytes()
    recorded = scene.relay.signature(scene.victim.key, "POST", target, body)
    unused = scene.relay.signature(scene.victim.key, "GET", target)
    (await scene.relay.send("POST", target, body, recorded)).expect(200)
    (await scene.relay.send("POST", target, body, recorded)).expect("request_replayed")
    scene.clock.time += 61
    for headers, method, sent in ((recorded, "POST", body), (unused, "GET", b"")):
        (await scene.relay.send(method, target, sent, headers)).expect("request_expired")
    assert (await scene.victim.page()).head.length == scene.victim.length + 1


async def test_66_one_request_many_times_at_once_works_once(scene: Scene) -> None:
    """Replays that race with the original are refused too."""
    target = f"{scene.victim.path}/entries"
    headers = scene.relay.signature(scene.victim.key, "GET", target)
    replies = await asyncio.gather(*(scene.relay.send("GET", target, headers=headers) for _ in range(10)))
    assert sorted(reply.status for reply in replies) == [200] + [401] * 9


@dataclass(frozen=True)
class Request:
    """What a signature is made for, or what is sent under it."""

    method: str
    target: str
    body: bytes
    authority: str


SUBSTITUTIONS: dict[str, Callable[[Scene, Request], tuple[Request, Request]]] = {
    "another path": lambda s, r: (r, replace(r, target=f"{s.victim.path}/entries")),
    "another method": lambda s, r: (replace(r, method="PUT"), r),
    "another body": lambda s, r: (r, replace(r, body=s.own.next(make_entry()).to_bytes())),
    "another query": lambda s, r: (r, replace(r, target=f"{r.target}?x=1")),
    "another relay": lambda s, r: (replace(r, authority="relay.example"), r),
    "a piece for another index": lambda s, r: (
        replace(r, method="PUT", target=f"{s.own.path}/blobs/{BLOB}/0"),
        replace(r, method="PUT", target=f"{s.own.path}/blobs/{BLOB}/1"),
    ),
}


@pytest.mark.parametrize("change", SUBSTITUTIONS.values(), ids=SUBSTITUTIONS.keys())
async def test_67_a_signed_request_cannot_be_turned_into_another(
    scene: Scene, change: Callable[[Scene, Request], tuple[Request, Request]]
) -> None:
    """A signature holds for one method, relay, path, query and body; anything else is no signature."""
    body = scene.own.next(make_entry()).to_bytes()
    honest = Request("POST", f"{scene.own.path}/entries", body, scene.relay.authority)
    signed, sent = change(scene, honest)
    headers = scene.relay.signature(
        scene.stranger, signed.method, signed.target, signed.body, authority=signed.authority
    )
    (await scene.relay.send(sent.method, sent.target, sent.body, headers)).expect("not_found")
    assert (await scene.own.page()).head.length == scene.own.length


SMUGGLED = {
    "two hosts": ["Host: relay.example"],
    "two signatures": ["signature: e2es=:x:"],
    "two digests": ["content-digest: sha-256=:x:"],
    "a length and chunks": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "two lengths": ["Content-Length: 5", "Content-Length: 6"],
    "a folded header": ["X: a\r\n b"],
    "a space before the colon": ["signature : x"],
}


@pytest.mark.parametrize("lines", SMUGGLED.values(), ids=SMUGGLED.keys())
async def test_68_what_two_readers_may_understand_differently_is_refused(
    scene: Scene, lines: list[str]
) -> None:
    """Duplicate or ambiguous headers end the conversation before anything is looked up."""
    target = f"{scene.victim.path}/entries?from=0"
    signed = scene.relay.signature(scene.victim.key, "GET", target)
    head = [
        f"GET {target} HTTP/1.1",
        f"Host: {scene.relay.authority}",
        *(f"{k}: {v}" for k, v in signed.items()),
        *lines,
    ]
    host, _, port = scene.relay.authority.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join([*head, "Connection: close", "", ""]).encode())
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    assert answer.split(b" ")[1] == b"400"
    assert answer.count(b"HTTP/1.") == 1


async def test_68_a_query_in_another_spelling_is_another_query(scene: Scene) -> None:
    """The query is signed as sent: an encoded twin of it does not fit the signature."""
    target = f"{scene.victim.path}/entries"
    headers = scene.relay.signature(scene.victim.key, "GET", f"{target}?from=0")
    (await scene.relay.send("GET", f"{target}?from=%30", headers=headers)).expect("malformed")
    (await scene.relay.send("GET", f"{target}?from=1", headers=headers)).expect("not_found")


async def test_69_a_stranger_costs_the_same_whether_a_mailbox_exists_or_not(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal verifies one signature and asks the database once, be the mailbox remembered, stored or made up."""
    assert scene.relay.relay
    store, guard = scene.relay.relay.store, scene.relay.relay.verifier
    work: list[str] = []

    def counted(name: str, function: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def call(*arguments: object) -> object:
            work.append(name)
            return await function(*arguments)

        return call

    monkeypatch.setattr(store, "mailbox", counted("lookup", store.mailbox))
    monkeypatch.setattr(guard, "verify", counted("verify", guard.verify))
    forgotten = await scene.relay.ticket(scene.team)
    scene.relay.relay.context.mailboxes.forget(forgotten.id)
    await scene.victim.page()  # so that the relay remembers it
    seen: list[list[str]] = []
    for path in (scene.victim.path, forgotten.path, NOWHERE):
        for method, route, body in (("GET", "/entries", b""), ("POST", "/entries", b"junk")):
            work.clear()
            (await scene.relay.ask(scene.stranger, method, path + route, body)).expect("not_found")
            seen.append(list(work))
    assert seen == [["verify", "lookup"]] * 6


async def test_70_the_relay_redirects_nowhere(scene: Scene) -> None:
    """No answer is a redirect, so nobody can be led to another host or to plain HTTP."""
    for target in ("/v1/relay/", "/v1/Relay", "/v1/teams/", scene.victim.path + "/entries/"):
        reply = await scene.relay.send("GET", target)
        assert reply.status in (400, 404)
        assert "Location" not in reply.headers


async def test_82_a_user_who_loops_appends_does_not_silence_the_team(scene: Scene) -> None:
    """While the user class appends as fast as it can, a team that follows the protocol gets its entry in."""
    stop = asyncio.Event()

    async def loop() -> None:
        while not stop.is_set():
            reply = await scene.own.post(scene.own.next(make_entry()))
            if reply.code == "head_moved":
                await _catch_up(scene.own)
            elif reply.code == "rate":
                await asyncio.sleep(0)

    flood = [asyncio.create_task(loop()) for _ in range(3)]
    team = Mailbox(scene.relay, scene.own.key, scene.team)
    stored = 0
    try:
        async with asyncio.timeout(60):
            while stored < 5:
                await _catch_up(team, scene.team.capability)
                reply = await team.post(team.next(make_entry()), scene.team.capability)
                stored += reply.status == 200
                scene.clock.time += 0.2
    finally:
        stop.set()
        await asyncio.gather(*flood)
    assert stored == 5


async def test_82_who_lost_a_race_has_the_next_turn(scene: Scene) -> None:
    """The team's append came too late; the faster user has to wait until the team has written, and then goes on."""
    team, capability = Mailbox(scene.relay, scene.own.key, scene.team), scene.team.capability
    await _catch_up(team, capability)
    late = team.next(make_entry())
    await scene.own.append()
    (await team.post(late, capability)).expect("head_moved")
    (await scene.own.post(scene.own.next(make_entry()))).expect("rate")
    await _catch_up(team, capability)
    (await team.post(team.next(make_entry()), capability)).expect(200)
    await _catch_up(scene.own)
    (await scene.own.post(scene.own.next(make_entry()))).expect(200)


async def test_82_a_class_that_has_spent_its_budget_leaves_the_other_its_own(tmp_path: Path) -> None:
    """A user who fills their half of a mailbox cannot take the team's."""
    async with running(tmp_path / "relay") as relay:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rules, "MAILBOX_ENTRIES_MAX", 8)
            team = await relay.found()
            box = await relay.ticket(team)
            for _ in range(4):
                await box.append()
            (await box.post(box.next(make_entry()))).expect("budget")
            for _ in range(4):
                await box.append(key=team.capability)
            (await box.post(box.next(make_entry()), team.capability)).expect("budget")


async def _catch_up(box: Mailbox, key: SigningKey | None = None) -> None:
    page = await box.page(2**40, key)
    box.length, box.hash = page.head.length, page.head.hash
