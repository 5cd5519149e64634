"""What a removed colleague, a bad colleague, a restored or curious relay make of a team of several, by number.

The relay's half: what it refuses to store, what it ends, and what its tables could tell whoever takes them away.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from e2e_support.destruction import Deed, Destruction, DestructionBody
from e2e_support.freshness import sign_freshness
from e2e_support.limits import STRANGE_BATCH_MAX
from e2e_support.roster_links import DeviceAdd, DeviceRevoke, RelayKeys
from e2e_support.vocab import Role
from e2e_support.wire import Batch, EpochBox, LinksPage, Page
from e2e_support_server.app import ROUTES
from e2e_support_server.service.erasure import DEEDS_BURST
from e2e_support_server.storage.schema import migrate
from relay_crew import Crew, rename
from relay_kit import Client, ManualClock, running
from team_builder import EPOCH, Device, Team, device, pairs

ANNA, CARL = device("anna"), device("carl")
BEN, DORA = device("ben", Role.AGENT), device("dora", Role.AUDITOR)
EVE, FAY = device("eve"), device("fay")


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test moves."""
    return ManualClock()


@asynccontextmanager
async def gathered(folder: Path, clock: ManualClock) -> AsyncGenerator[Crew]:
    """Found a team of two owners, an agent and an auditor on a relay."""
    async with running(folder / "relay", clock=clock) as relay:
        yield await Crew.found(relay, ANNA, CARL, BEN, DORA, threshold=2)


@pytest.fixture
async def crew(tmp_path: Path, clock: ManualClock) -> AsyncGenerator[Crew]:
    """The team on its relay."""
    async with gathered(tmp_path, clock) as found:
        yield found


# --- 9 to 13, 31: links that nobody entitled signed ------------------------------------------------------


def own_key(team: Team) -> Batch:
    """9: an agent makes a device of their own an owner."""
    return team.prepare((EVE, [BEN]), (EPOCH, [BEN]))


def one_voice(team: Team) -> Batch:
    """9: one owner of two makes another."""
    return team.prepare((EVE, [ANNA]), (EPOCH, [ANNA]))


def no_possession(team: Team) -> Batch:
    """10: both owners sign for a key whose holder never asked to join."""
    joining = DeviceAdd(EVE.record, CARL.joining(team.team_id).proof)
    return team.prepare((joining, [ANNA, CARL]), (EPOCH, [ANNA]))


def small_order(team: Team) -> Batch:
    """11: a device whose key accepts any signature."""
    return team.prepare((EVE.claiming(sign_key=b"\x01" + bytes(31)), [ANNA, CARL]), (EPOCH, [ANNA]))


def other_box(team: Team) -> Batch:
    """12: the boxes beside the links are not the signed ones."""
    batch = team.prepare((EPOCH, [ANNA]))
    package = batch.packages[0]
    swapped = (EpochBox(package.boxes[0].device_id, bytes(1232)), *package.boxes[1:])
    return Batch(batch.links, (replace(package, boxes=swapped),))


def no_epoch(team: Team) -> Batch:
    """12: a removal that leaves the old epoch, and the removed one's box, in force."""
    return team.prepare((DeviceRevoke(BEN.device_id), [ANNA]))


def other_epoch(team: Team) -> Batch:
    """13: an auditor begins an epoch whose key they chose."""
    return team.prepare((EPOCH, [DORA]))


def new_relay_key(team: Team) -> Batch:
    """31: one owner lets another key sign receipts."""
    return team.prepare((RelayKeys((EVE.sign.public,)), [ANNA]))


def stranger_signs(team: Team) -> Batch:
    """9: the signature of somebody who is not in the team stands beside good ones."""
    return team.prepare((rename(ANNA, "x"), [ANNA, EVE]))


BAD: list[Callable[[Team], Batch]] = [
    own_key,
    one_voice,
    no_possession,
    small_order,
    other_box,
    no_epoch,
    other_epoch,
    new_relay_key,
    stranger_signs,
]


@pytest.mark.parametrize("attack", BAD, ids=[attack.__name__ for attack in BAD])
async def test_9_to_13_and_31_a_link_without_its_signers_is_not_stored(
    crew: Crew, attack: Callable[[Team], Batch]
) -> None:
    """The relay judges links as every client does and serves none that clients would have to refuse."""
    (await crew.post(attack(crew.team), ANNA)).expect("link_refused")
    reply = await crew.relay.send("GET", f"{crew.path}/links?from=1")
    assert reply.expect(200).body.count(crew.team.team_id) == 0
    await crew.change((rename(ANNA, "still works"), [ANNA]), by=ANNA)


# --- 80, 81: erasing everything --------------------------------------------------------------------------


async def test_80_one_agent_cannot_erase_everything_overnight(crew: Crew) -> None:
    """A burst of mailboxes goes, the next has to wait; each one's tombstone names the device that did it."""
    boxes = [await crew.relay.ticket(crew.handle) for _ in range(DEEDS_BURST + 2)]
    for box in boxes:
        await box.append()
    for box in boxes[:DEEDS_BURST]:
        await crew.erase(box, BEN)
        stone = await crew.relay.ask(box.key, "GET", f"{box.path}/tombstone")
        body = DestructionBody.from_bytes(Destruction.from_bytes(stone.expect(200).body).body)
        assert body.by == BEN.device_id
    for box in boxes[DEEDS_BURST:]:
        (await crew.destroy(box, crew.deed(box, Deed.ERASE, BEN))).expect("rate")
        assert (await box.page()).head.length == 1


@pytest.mark.parametrize(
    "thief", [DORA, EVE, device("former", Role.AGENT)], ids=["auditor", "stranger", "former"]
)
async def test_80_an_auditor_a_stranger_and_a_former_agent_erase_nothing(crew: Crew, thief: object) -> None:
    """The team's capability alone destroys nothing: an active owner or agent has to stand for it."""
    box = await crew.relay.ticket(crew.handle)
    await box.append()
    former = device("former", Role.AGENT)
    await crew.change((former, [ANNA]), (EPOCH, [ANNA]), by=ANNA)
    await crew.remove(former, by=ANNA)
    for deed in Deed:
        (await crew.destroy(box, crew.deed(box, deed, thief))).expect("not_yours")  # type: ignore[arg-type]
    assert (await box.page()).head.length == 1


async def test_81_a_bare_410_can_be_told_from_a_tombstone(crew: Crew, clock: ManualClock) -> None:
    """Only a mailbox that somebody answers for has a statement: the relay's own word for it has none."""
    assert crew.relay.relay
    erased, idle = await crew.relay.ticket(crew.handle), await crew.relay.ticket(crew.handle)
    for box in (erased, idle):
        await box.append()
    statement = await crew.erase(erased, ANNA)
    clock.time += 10_000 * 24 * 3600
    await crew.relay.relay.janitor.clean()
    for box in (erased, idle):
        (await crew.relay.ask(box.key, "GET", f"{box.path}/entries")).expect("erased")
    assert (await crew.relay.ask(erased.key, "GET", f"{erased.path}/tombstone")).body == statement
    (await crew.relay.ask(idle.key, "GET", f"{idle.path}/tombstone")).expect("not_found")


# --- 84, 85: the removed device --------------------------------------------------------------------------


@asynccontextmanager
async def stream(
    relay: Client, target: str, session: dict[str, str]
) -> AsyncGenerator[aiohttp.ClientResponse]:
    """Open an event stream."""
    headers = {**session, "Accept": "text/event-stream"}
    async with relay.http.get(relay.url + target, headers=headers) as response:
        assert response.status == 200
        yield response


async def rest(response: aiohttp.ClientResponse) -> bytes:
    """Return what still comes until the relay ends a stream."""
    async with asyncio.timeout(10):
        return await response.read()


async def test_84_a_removed_devices_session_and_streams_end_with_the_batch(crew: Crew) -> None:
    """Feed and mailbox streams say ``bye`` at once, the session is over, and the user's stream goes on."""
    relay = crew.relay
    box = await relay.ticket(crew.handle)
    await box.append()
    session, users = await relay.session(crew.handle.capability), await relay.session(box.key)
    bell = f"{box.path}/bell?after=1&wait=0"
    async with (
        stream(relay, f"{crew.path}/bell?after=1&wait=0", session) as feed,
        stream(relay, bell, session) as mailbox,
        stream(relay, bell, users) as user,
    ):
        await crew.remove(BEN, by=ANNA)
        assert b"event: bye" in await rest(feed)
        assert b"event: bye" in await rest(mailbox)
        await box.append()
        async with asyncio.timeout(10):
            assert b"event: bell" in await user.content.readline()
    for target in (f"{crew.path}/feed?after=0", f"{box.path}/entries"):
        (await relay.send("GET", target, headers=session)).expect("session_expired")


async def test_85_a_removed_agent_keeps_no_old_head_fresh(crew: Crew, clock: ManualClock) -> None:
    """A statement about the head before the removal has too few active signers, and goes back besides."""
    before = crew.team.roster
    await crew.remove(BEN, by=ANNA)
    stale = sign_freshness(before, pairs([BEN, CARL]), now=int(clock.time) + 1)
    (await crew.vouch(stale, BEN)).expect("not_found")
    (await crew.vouch(stale, CARL)).expect(202)  # one voice of two: nobody is given it
    (await crew.relay.send("GET", f"{crew.path}/freshness")).expect("not_found")
    (await crew.vouch(crew.statement(ANNA, CARL), ANNA)).expect(200)
    (await crew.vouch(stale, CARL)).expect("link_refused")


# --- 88: restored from an old backup ---------------------------------------------------------------------


async def test_88_nothing_acknowledged_is_lost_with_an_old_backup(tmp_path: Path) -> None:
    """What a relay gave receipts for and lost comes back byte for byte from a client that kept it."""
    place = tmp_path / "restored"
    async with running(place) as relay:
        crew = await Crew.found(relay, ANNA)
        box = await relay.ticket(crew.handle)
        await box.append()
    with (
        closing(sqlite3.connect(place / "relay.db")) as live,
        closing(sqlite3.connect(tmp_path / "b.db")) as backup,
    ):
        live.backup(backup)
    async with running(place) as relay:
        box.client = relay
        await box.append()
        await box.append(key=crew.handle.capability)
        page = await box.page()
    for file in place.glob("relay.db*"):
        file.unlink()
    (tmp_path / "b.db").rename(place / "relay.db")
    async with running(place) as relay:
        box.client = relay
        assert (await box.page()).head.length == 1
        lost = Page(page.head, page.items[1:]).to_bytes()
        (await relay.ask(box.key, "POST", f"{box.path}/handback", lost)).expect(200)
        assert await box.page() == page


def lost(crew: Crew) -> Batch:
    """Return what a team's devices know and the relay, restored from a backup, does not: Ben left, Eve came."""
    team = crew.team
    steps = ((EVE, [ANNA, CARL]), (DeviceRevoke(BEN.device_id), [ANNA]), (EPOCH, [ANNA]))
    return team.prepare(*steps)


async def taken(crew: Crew) -> int:
    """Return how many links the relay has."""
    reply = (await crew.relay.send("GET", f"{crew.path}/links?from=0")).expect(200)
    return LinksPage.from_bytes(reply.body).length


@pytest.mark.parametrize("carrier", [ANNA, DORA, EVE, BEN], ids=lambda one: one.name)
async def test_88_links_come_back_from_whoever_was_or_is_in_the_team(crew: Crew, carrier: Device) -> None:
    """The links carry their own proof: even one who came since, or was removed since, can only bring the true ones."""
    (await crew.post(lost(crew), carrier)).expect(200)
    assert await taken(crew) == 4
    (await crew.post(crew.team.prepare((rename(BEN, "Benjamin"), [BEN])), BEN)).expect("not_found")


@pytest.mark.parametrize("carrier", [ANNA, EVE], ids=lambda one: one.name)
async def test_88_false_boxes_do_not_come_back(crew: Crew, carrier: Device) -> None:
    """A box that is not the one that the link commits to is refused, and nothing of its batch is stored."""
    batch = lost(crew)
    package = batch.packages[0]
    first, second, *more = package.boxes
    boxes = (replace(first, sealed=second.sealed), replace(second, sealed=first.sealed), *more)
    bad = Batch(batch.links, (replace(package, boxes=boxes),))
    (await crew.post(bad, carrier)).expect("link_refused" if carrier is ANNA else "not_found")
    assert await taken(crew) == 1


async def test_88_a_stranger_brings_nothing_back(crew: Crew) -> None:
    """Who is in the team neither before nor after is not found, with the true links or with their own."""
    own = crew.team.prepare((FAY, [FAY]), (EPOCH, [FAY]))
    for batch in (lost(crew), own, Batch((), ()), Batch((b"\x90",), ())):
        (await crew.post(batch, FAY)).expect("not_found")
    (await crew.relay.ask(FAY.sign, "POST", f"{crew.path}/links", b"junk")).expect("not_found")
    assert await taken(crew) == 1


async def test_88_a_stranger_sends_little_at_a_time(crew: Crew) -> None:
    """What a key brings that the relay does not know is short, so that strangers cost no more than elsewhere."""
    body = bytes(STRANGE_BATCH_MAX + 1)
    (await crew.relay.ask(FAY.sign, "POST", f"{crew.path}/links", body)).expect("too_large")
    (await crew.relay.ask(BEN.sign, "POST", f"{crew.path}/links", body)).expect("malformed")


async def test_88_a_forked_link_does_not_come_back(crew: Crew) -> None:
    """Where the relay went on since it was restored, the links of before are told its head: the first one stands."""
    before = lost(crew)
    await crew.change((rename(ANNA, "Anne"), [ANNA]), by=ANNA)
    (await crew.post(before, CARL)).expect("head_moved")
    (await crew.post(before, EVE)).expect("not_found")
    assert await taken(crew) == 2


# --- 90: is a ticket closed? -----------------------------------------------------------------------------

COLUMNS = {
    "code": "id hash expires",
    "teams": "number id length epoch cursor",
    "links": "team seq link",
    "packages": "team epoch package",
    "feed": "team cursor mailbox_id seq",
    "mailboxes": "number id request user_key team team_access empty_since length hash time user_entries user_bytes"
    " team_entries team_bytes frozen held",
    "entries": "number mailbox seq hash entry receipt",
    "blobs": "number mailbox id writer size complete open_since",
    "pieces": "blob position digest",
    "freshness": "team newest pending",
    "tombstones": "id user_key team team_access statement cursor unfinished",
}
"""Everything that the relay remembers. A new column has to be looked at: does it tell whether a ticket is closed?"""


def test_90_no_table_has_a_field_or_date_that_tells_whether_a_ticket_is_closed() -> None:
    """The only date of a mailbox is its last entry's; the only marks are frozen and held, which closing sets not."""
    with closing(sqlite3.connect(":memory:")) as connection:
        migrate(connection)
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        found = {
            table: " ".join(row[1] for row in connection.execute(f"PRAGMA table_info({table})"))
            for table in tables
            if table != "sqlite_sequence"
        }
    assert found == COLUMNS
    words = re.compile(r"clos|resolv|status|state|open|archiv|done|spam")
    said = [COLUMNS["mailboxes"], COLUMNS["entries"], COLUMNS["feed"]]
    said += [path for _, path, _ in ROUTES if "/blobs/" not in path]
    assert not words.search(" ".join(said))


def test_a_control_for_bad_links() -> None:
    """The control of 9 to 13: the same steps with the right signers are accepted."""
    team = Team.found(ANNA, CARL, BEN, DORA, threshold=2)
    team.do((EVE, [ANNA, CARL]), (EPOCH, [ANNA]))
