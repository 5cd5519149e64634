"""A new policy binds the relay at once: what it may enforce it enforces from the link on (protocol 4.11)."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.destruction import Deed
from e2e_support.ids import BlobId
from e2e_support.policy import Policy
from e2e_support.policy_parts import AttachmentMode, UserDelete
from e2e_support.presets import RECORD
from e2e_support.request import b64
from e2e_support.wire import AdmissionTerms, BlobSize
from relay_crew import Crew
from relay_kit import POLICY, Mailbox, Reply, make_entry, new_key, running
from team_builder import device

ANNA = device("anna")
OFF = replace(POLICY, attachments=replace(POLICY.attachments, mode=AttachmentMode.OFF))


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncGenerator[Crew]:
    """A team of one owner on a relay."""
    async with running(tmp_path / "relay") as relay:
        yield await Crew.found(relay, ANNA)


async def change(crew: Crew, policy: Policy) -> None:
    """Let the owner sign a policy."""
    await crew.change((policy, [ANNA]), by=ANNA)


async def declared(box: Mailbox, size: int = 5_000) -> Reply:
    """Ask for room for a file."""
    target = f"{box.path}/blobs/{b64(BlobId(os.urandom(16)))}"
    return await box.client.ask(box.key, "PUT", target, BlobSize(size).to_bytes())


@pytest.mark.parametrize("policy", [OFF, replace(RECORD, admission=POLICY.admission)], ids=["off", "record"])
async def test_files_are_refused_from_the_link_on(crew: Crew, policy: Policy) -> None:
    """Once a policy has turned attachments off, no file is taken, in old tickets either; on again, they are (S2-35)."""
    box = await crew.relay.ticket(crew.handle)
    (await declared(box)).expect(201)
    await change(crew, policy)
    (await declared(box)).expect("budget")
    (await declared(await crew.relay.ticket(crew.handle))).expect("budget")
    await box.append()
    await change(crew, POLICY)
    (await declared(box)).expect(201)


async def test_a_file_that_came_before_can_still_be_named(crew: Crew) -> None:
    """What was uploaded while files were allowed may be committed by the entry that it was uploaded for."""
    box = await crew.relay.ticket(crew.handle)
    data = os.urandom(5_000)
    blob = await box.declare(len(data))
    (await box.piece(blob, 0, data)).expect(201)
    await change(crew, OFF)
    reply = await box.post(box.next(make_entry(), [blob]))
    reply.expect(200)


async def test_the_price_of_a_ticket_rises_at_once(crew: Crew) -> None:
    """New terms name the new policy's work, and work that was enough before is refused."""
    bits = 30
    await change(crew, replace(POLICY, admission=replace(POLICY.admission, bits=bits)))
    terms = AdmissionTerms.from_bytes((await crew.relay.send("GET", f"{crew.path}/admission")).body)
    assert terms.bits == bits
    key = new_key()
    (await crew.relay.put_mailbox(key, crew.relay.create(crew.handle, key))).expect("admission_refused")


async def test_users_erase_only_where_the_policy_lets_them(crew: Crew) -> None:
    """A user's statement that was good under one policy is refused under the next (S2-38)."""
    box = await crew.relay.ticket(crew.handle)
    await box.append()
    await change(crew, replace(POLICY, delete=replace(POLICY.delete, user=UserDelete.NEVER)))
    statement = crew.deed(box, Deed.ERASE, box.key)
    (await crew.destroy(box, statement, box.key)).expect("not_yours")
    await change(crew, POLICY)
    await crew.erase(box, box.key)
