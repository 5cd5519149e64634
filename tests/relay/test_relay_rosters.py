"""Batches of roster links at the relay: who may post, what is stored, and what ends with the old epoch (§4.6)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from e2e_support.request import b64, unb64
from e2e_support.roster_links import DeviceRevoke
from e2e_support.vocab import Role
from e2e_support.wire import Batch, EpochPackage, Head, LinksPage
from relay_crew import Crew, rename
from relay_kit import Client, make_entry, new_key, running
from team_builder import EPOCH, device

ANNA, BEN, CARL = device("anna"), device("ben", Role.AGENT), device("carl")
DORA, SHEET = device("dora", Role.AUDITOR), device("sheet", Role.RECOVERY)


async def links(crew: Crew) -> tuple[bytes, ...]:
    """Return the links that the relay serves."""
    reply = (await crew.relay.send("GET", f"{crew.path}/links?from=0")).expect(200)
    return LinksPage.from_bytes(reply.body).links


async def test_a_batch_is_stored_with_its_boxes_and_counts_at_once(relay: Client) -> None:
    """Links and package are served to everybody, and the new epoch's capability is the team (§4.6)."""
    crew = await Crew.found(relay, ANNA)
    box = await relay.ticket(crew.handle)
    await crew.change((BEN, [ANNA]), (EPOCH, [ANNA]), by=ANNA)
    assert await links(crew) == crew.team.roster.links
    package = (await relay.send("GET", f"{crew.path}/boxes/1")).expect(200).body
    assert EpochPackage.from_bytes(package) == crew.team.packages[1]
    await box.append(key=crew.handle.capability)


async def test_an_old_capability_finds_nothing_and_old_boxes_are_refused(relay: Client) -> None:
    """After a batch with an epoch the capability before it is a stranger's, and the user seals again (§3.3)."""
    crew = await Crew.found(relay, ANNA, BEN)
    box, old = await relay.ticket(crew.handle), crew.handle.capability
    await crew.remove(BEN, by=ANNA)
    (await box.post(box.next(make_entry()), old)).expect("not_found")
    (await relay.ask(old, "GET", f"{crew.path}/feed?after=0")).expect("not_found")
    (await relay.ask(old, "POST", "/v1/session")).expect("not_found")
    (await box.post(box.next(make_entry(epoch=0)))).expect("epoch_changed")
    await box.append(make_entry(epoch=1))


async def test_any_active_device_may_carry_a_batch(relay: Client) -> None:
    """The request's signature only keeps strangers out; who may change what the links' own signatures say (§4.6)."""
    crew = await Crew.found(relay, ANNA, BEN, DORA, SHEET)
    for carrier in (BEN, DORA, SHEET, ANNA):
        await crew.change((rename(ANNA, f"as {carrier.name}"), [ANNA]), by=carrier)
    assert len(await links(crew)) == 5


async def test_strangers_and_removed_devices_are_not_found(relay: Client) -> None:
    """A batch counts for nothing unless an active device posts it, and the answer tells a stranger nothing."""
    crew = await Crew.found(relay, ANNA, BEN)
    batch = crew.team.prepare((rename(ANNA, "x"), [ANNA]))
    (await crew.post(batch, new_key())).expect("not_found")
    (await crew.post(batch, crew.handle.capability)).expect("not_found")
    (await relay.send("POST", f"{crew.path}/links", batch.to_bytes())).expect("not_found")
    await crew.remove(BEN, by=ANNA)
    later = crew.team.prepare((rename(ANNA, "y"), [ANNA]))
    (await crew.post(later, BEN)).expect("not_found")
    assert await links(crew) == crew.team.roster.links


async def test_the_same_batch_again_is_harmless(relay: Client) -> None:
    """A lost answer costs nothing, not even the one who left and is no member any more (§4.6 step 1)."""
    crew = await Crew.found(relay, ANNA, CARL)
    leaving = crew.team.prepare((DeviceRevoke(CARL.device_id), [CARL]))
    for _ in range(2):
        (await crew.post(leaving, CARL)).expect(200)
    crew.team.accept(leaving)
    await crew.change((EPOCH, [ANNA]), by=ANNA)
    (await crew.post(leaving, CARL)).expect(200)
    assert await links(crew) == crew.team.roster.links


async def test_of_two_batches_at_once_one_is_told_the_head(relay: Client) -> None:
    """The loser of a race is refused with the roster's new head, and nothing of it is stored (§4.6 step 2)."""
    crew = await Crew.found(relay, ANNA, BEN)
    batches = [crew.team.prepare((rename(ANNA, name), [ANNA])) for name in ("one", "two")]
    replies = await asyncio.gather(*(crew.post(batch, ANNA) for batch in batches))
    lost = next(reply for reply in replies if reply.status != 200).expect("head_moved")
    won = batches[[reply.status for reply in replies].index(200)]
    crew.team.accept(won)
    head = lost.problem["head"]
    assert Head.from_bytes(unb64(head, len(head) * 3 // 4)) == crew.team.roster.head
    assert await links(crew) == crew.team.roster.links


async def test_a_refusal_names_the_rule(relay: Client) -> None:
    """Whoever made a bad batch is told which rule of section 4.4 it breaks (§4.6 step 3)."""
    crew = await Crew.found(relay, ANNA, BEN)
    batch = crew.team.prepare((CARL, [BEN]), (EPOCH, [BEN]))
    assert "not_entitled" in (await crew.post(batch, BEN)).expect("link_refused").problem["hint"]


async def test_a_batch_without_links_is_malformed(relay: Client) -> None:
    """There is nothing to append, and nothing is said about the roster."""
    crew = await Crew.found(relay, ANNA)
    (await crew.post(Batch((), ()), ANNA)).expect("malformed")
    (await crew.post(Batch((b"\x90",), ()), ANNA)).expect("malformed")


async def test_a_changed_team_survives_a_restart(tmp_path: Path) -> None:
    """Links, epoch and capability are read back as they were when the relay stopped."""
    async with running(tmp_path / "relay") as relay:
        crew = await Crew.found(relay, ANNA, BEN)
        box = await relay.ticket(crew.handle)
        await box.append()
        await crew.remove(BEN, by=ANNA)
    async with running(tmp_path / "relay") as relay:
        crew.relay = box.client = relay
        await box.append(make_entry(epoch=1), key=crew.handle.capability)
        await crew.change((rename(ANNA, "again"), [ANNA]), by=ANNA)


async def test_a_body_that_comes_after_the_batch_comes_too_late(relay: Client) -> None:
    """A request that a removed device began before its removal is not carried out after it (attack 84)."""
    crew = await Crew.found(relay, ANNA, BEN)
    box, old = await relay.ticket(crew.handle), crew.handle.capability
    await box.append()
    body = box.next(make_entry()).to_bytes()
    removed = asyncio.Event()

    async def slowly() -> None:
        host, _, port = relay.authority.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        signed = relay.signature(old, "POST", f"{box.path}/entries", body)
        lines = [f"POST {box.path}/entries HTTP/1.1", f"Host: {relay.authority}"]
        lines += [f"{name}: {value}" for name, value in signed.items()]
        lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
        writer.write("\r\n".join(lines).encode() + body[:10])
        await writer.drain()
        await removed.wait()
        writer.write(body[10:])
        assert b"404" in (await reader.read()).splitlines()[0]
        writer.close()

    late = asyncio.create_task(slowly())
    await asyncio.sleep(0.2)
    await crew.remove(BEN, by=ANNA)
    removed.set()
    await late
    assert (await box.page()).head.length == 1


async def test_an_unknown_team_has_no_devices(relay: Client) -> None:
    """A batch for a team that is not here is not found."""
    crew = await Crew.found(relay, ANNA)
    batch = crew.team.prepare((rename(ANNA, "x"), [ANNA]))
    target = f"/v1/team/{b64(os.urandom(32))}/links"
    (await relay.ask(ANNA.sign, "POST", target, batch.to_bytes())).expect("not_found")
