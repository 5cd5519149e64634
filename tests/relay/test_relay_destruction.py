"""Erasing, freezing and holding mailboxes, and what is left of them: one statement (§3.9)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.destruction import Deed
from e2e_support.policy_parts import Delete, StaffDelete, UserDelete
from e2e_support.request import b64
from e2e_support.roster_links import NO_HASH
from e2e_support.vocab import Role
from e2e_support.wire import FeedItem, FeedPage
from e2e_support_server.service.erasure import DEEDS_BURST
from relay_crew import Crew
from relay_kit import POLICY, Client, Mailbox, ManualClock, Reply, make_entry, new_key, running
from team_builder import device

ANNA, BEN, DORA = device("anna"), device("ben", Role.AGENT), device("dora", Role.AUDITOR)
DAY = 24 * 3600
NO_ERASING = replace(POLICY, delete=Delete(UserDelete.NEVER, StaffDelete.CONFIRM, archive=1))


async def clean(relay: Client) -> None:
    """Let the janitor work now."""
    assert relay.relay
    await relay.relay.janitor.clean()


async def tombstone(box: Mailbox) -> Reply:
    """Ask for the statement with the user's capability."""
    return await box.client.ask(box.key, "GET", f"{box.path}/tombstone")


async def feed(crew: Crew) -> list[FeedItem]:
    """Return all steps of the team's feed."""
    reply = await crew.relay.ask(crew.handle.capability, "GET", f"{crew.path}/feed?after=0")
    return list(FeedPage.from_bytes(reply.expect(200).body).items)


async def test_an_erased_mailbox_leaves_its_statement_to_those_who_knew_it(relay: Client) -> None:
    """Whoever could open it is told ``erased`` and given the statement; a stranger is told nothing."""
    crew = await Crew.found(relay, ANNA, BEN)
    box = await relay.ticket(crew.handle)
    await box.append()
    (await tombstone(box)).expect("not_found")
    statement = await crew.erase(box, BEN)
    for key in (box.key, crew.handle.capability):
        (await relay.ask(key, "GET", f"{box.path}/entries")).expect("erased")
        (await box.post(box.next(make_entry()), key)).expect("erased")
        session = await relay.session(key)
        found = await relay.send("GET", f"{box.path}/tombstone", headers=session)
        assert found.expect(200).body == statement
    stranger = new_key()
    for route in ("entries", "tombstone", "bell"):
        (await relay.ask(stranger, "GET", f"{box.path}/{route}")).expect("not_found")


async def test_an_erased_mailbox_is_not_created_again(relay: Client) -> None:
    """Its own creation key hears that it was erased, for the same request as for another one."""
    crew = await Crew.found(relay, ANNA)
    key = new_key()
    create = relay.create(crew.handle, key)
    (await relay.put_mailbox(key, create)).expect(201)
    box = Mailbox(relay, key, crew.handle)
    await box.append()
    await crew.erase(box, ANNA)
    for again in (create, replace(create, user_key=new_key().public)):
        (await relay.put_mailbox(key, again)).expect("erased")


async def test_the_same_statement_again_is_harmless(relay: Client) -> None:
    """A lost answer costs nothing; another statement is told that it came too late."""
    crew = await Crew.found(relay, ANNA, BEN)
    box = await relay.ticket(crew.handle)
    await box.append()
    statement = await crew.erase(box, ANNA)
    (await crew.destroy(box, statement)).expect(200)
    (await crew.destroy(box, crew.deed(box, Deed.ERASE, BEN))).expect("erased")
    (await crew.destroy(box, statement, new_key())).expect("not_found")
    assert (await tombstone(box)).body == statement


async def test_users_erase_their_own_where_the_policy_lets_them(relay: Client) -> None:
    """The ticket's capability signs for its own mailbox, and for nothing but its erasure."""
    crew = await Crew.found(relay, ANNA)
    box, other = await relay.ticket(crew.handle), await relay.ticket(crew.handle)
    await box.append()
    (await crew.destroy(box, crew.deed(box, Deed.ERASE, other.key))).expect("not_yours")
    (await crew.destroy(box, crew.deed(box, Deed.FREEZE, box.key), box.key)).expect("not_yours")
    (await crew.destroy(box, crew.deed(box, Deed.ERASE, box.key), box.key)).expect(200)
    (await relay.ask(box.key, "GET", f"{box.path}/entries")).expect("erased")


async def test_users_erase_nothing_where_the_policy_forbids_it(relay: Client) -> None:
    """``delete.user = never`` binds the relay, since the policy is public."""
    crew = await Crew.found(relay, ANNA, policy=NO_ERASING)
    box = await relay.ticket(crew.handle)
    (await crew.destroy(box, crew.deed(box, Deed.ERASE, box.key), box.key)).expect("not_yours")
    await crew.erase(box, ANNA)


async def test_freezing_binds_users_until_thawed(relay: Client) -> None:
    """A frozen mailbox takes the team's entries and not the user's; both go on reading."""
    crew = await Crew.found(relay, ANNA, BEN)
    box = await relay.ticket(crew.handle)
    (await crew.destroy(box, crew.deed(box, Deed.FREEZE, BEN))).expect(200)
    (await box.post(box.next(make_entry()))).expect("frozen")
    await box.append(key=crew.handle.capability)
    assert (await box.page()).head.length == 1
    (await crew.destroy(box, crew.deed(box, Deed.THAW, ANNA))).expect(200)
    await box.append()


async def test_idle_mailboxes_go_unless_they_are_held(relay: Client, clock: ManualClock) -> None:
    """After the policy's idle days without an entry a mailbox is erased, without a statement; a hold keeps it."""
    crew = await Crew.found(relay, ANNA)
    idle, held, lively = [await relay.ticket(crew.handle) for _ in range(3)]
    for box in (idle, held, lively):
        await box.append()
    (await crew.destroy(held, crew.deed(held, Deed.HOLD, ANNA))).expect(200)
    clock.time += POLICY.retention.idle_days * DAY - 10
    await lively.append()
    await clean(relay)
    assert (await idle.page()).head.length == 1
    clock.time += 20
    await clean(relay)
    (await relay.ask(idle.key, "GET", f"{idle.path}/entries")).expect("erased")
    (await tombstone(idle)).expect("not_found")
    assert [(await box.page()).head.length for box in (held, lively)] == [1, 2]
    (await crew.destroy(held, crew.deed(held, Deed.RELEASE, ANNA))).expect(200)
    await clean(relay)
    (await relay.ask(held.key, "GET", f"{held.path}/entries")).expect("erased")


async def test_the_feed_tells_of_the_erasure_and_forgets_the_rest(relay: Client) -> None:
    """The cursor has no gap: steps of the erased mailbox stand for nothing, and the last one names it."""
    crew = await Crew.found(relay, ANNA)
    box, other = await relay.ticket(crew.handle), await relay.ticket(crew.handle)
    for one in (box, other, box):
        await one.append()
    await crew.erase(box, ANNA)
    await other.append()
    await clean(relay)
    nothing = bytes(16)
    assert [(i.cursor, i.mailbox_id, i.seq) for i in await feed(crew)] == [
        (1, nothing, 0),
        (2, other.id, 0),
        (3, nothing, 0),
        (4, box.id, 2),
        (5, other.id, 1),
    ]


def on_disk(place: Path) -> bytes:
    """Return everything that the relay's directory holds."""
    return b"".join(file.read_bytes() for file in sorted(place.rglob("*")) if file.is_file())


async def test_nothing_of_an_erased_mailbox_stays_on_the_disk(tmp_path: Path) -> None:
    """Database, write-ahead log and blobs hold no byte of it once the janitor came by; the neighbour stays."""
    place = tmp_path / "relay"
    async with running(place) as relay:
        crew = await Crew.found(relay, ANNA)
        box, other = await relay.ticket(crew.handle), await relay.ticket(crew.handle)
        await other.append()
        entries, piece = [make_entry(size=size) for size in (512, 8192, 65536)], os.urandom(5000)
        blob = await box.declare(len(piece))
        (await box.piece(blob, 0, piece)).expect(201)
        for entry in entries:
            await box.append(entry, blobs=[blob] if entry is entries[-1] else [])
        traces = [part for data in (*entries, piece) for part in (data[-200:-168], data[-32:])]
        assert all(trace in on_disk(place) for trace in traces)
        await crew.erase(box, ANNA)
        await clean(relay)
        disk = on_disk(place)
        assert not any(trace in disk for trace in (*traces, box.hash, blob))
        assert (await other.page()).head.length == 1


async def test_what_was_left_by_a_crash_is_removed_later(relay: Client) -> None:
    """Files that are still there after an erasure, or come after it, go with the next round of the janitor."""
    assert relay.relay
    crew = await Crew.found(relay, ANNA)
    box = await relay.ticket(crew.handle)
    await box.append()
    await crew.erase(box, ANNA)
    late = relay.relay.config.data / "blobs" / box.id.hex()[:2] / box.id.hex() / "late"
    late.parent.mkdir(parents=True)
    late.write_bytes(b"ciphertext")
    await clean(relay)
    assert not late.exists()
    assert await relay.relay.store.blank_steps() == []


@pytest.mark.parametrize(
    "changed", [{"team_id": NO_HASH}, {"mailbox_id": bytes(16)}, {"by": DORA.device_id}, {"by": b"x" * 32}]
)
async def test_a_statement_is_about_this_mailbox_and_by_its_signer(
    relay: Client, changed: dict[str, bytes]
) -> None:
    """One about another mailbox or team, or in another's name, does nothing."""
    crew = await Crew.found(relay, ANNA, DORA)
    box = await relay.ticket(crew.handle)
    await box.append()
    (await crew.destroy(box, crew.deed(box, Deed.ERASE, ANNA, **changed))).expect("not_yours")
    (await crew.destroy(box, b"\x90")).expect("malformed")
    assert (await box.page()).head.length == 1


async def test_deeds_are_bounded_per_device(relay: Client, clock: ManualClock) -> None:
    """After a burst a device waits a minute for each deed; its colleagues do not wait with it."""
    crew = await Crew.found(relay, ANNA, BEN)
    box = await relay.ticket(crew.handle)
    for _ in range(DEEDS_BURST):
        (await crew.destroy(box, crew.deed(box, Deed.FREEZE, BEN))).expect(200)
    reply = (await crew.destroy(box, crew.deed(box, Deed.FREEZE, BEN))).expect("rate")
    assert int(reply.headers["Retry-After"]) <= 60
    (await crew.destroy(box, crew.deed(box, Deed.FREEZE, ANNA))).expect(200)
    clock.time += 61
    (await crew.destroy(box, crew.deed(box, Deed.FREEZE, BEN))).expect(200)


async def test_an_unknown_mailbox_cannot_be_erased(relay: Client) -> None:
    """The team's capability alone finds nothing where nothing is."""
    crew = await Crew.found(relay, ANNA)
    box = Mailbox(relay, new_key(), crew.handle)
    (await crew.destroy(box, crew.deed(box, Deed.ERASE, ANNA))).expect("not_found")
    path = f"/v1/mailboxes/{b64(box.id)}/tombstone"
    (await relay.ask(crew.handle.capability, "GET", path)).expect("not_found")
