"""Stories of a hostile relay that are no row of a table: what people can do afterwards, and which proof they hold."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from e2e_support.mailbox import Chain
from e2e_support.proof import ProofKind, check_proof
from e2e_support.vocab import Direction, Recipient
from e2e_support.wire import Box, Entry, Page, Receipt, Stored
from e2e_support_client import clock
from e2e_support_client.faults import LOG_FAULTS, Fault, flipped
from e2e_support_console.logs import Log
from hostile_lies import invented
from hostile_relay import Asked, Face, Lie, log, receipt_for, said
from hostile_scene import CARRIERS, Scene, carried
from user_kit import BODY


@pytest.fixture(params=CARRIERS)
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Scene]:
    """A scene over each of the carriers."""
    async with carried(request.param, tmp_path) as found:
        yield found


async def test_2_only_what_the_team_answered_is_confirmed(scene: Scene) -> None:
    """Attack 2: while the relay hides a message from the team nobody confirms it, and the user is shown that."""
    await scene.open()
    await scene.team.catch_up()
    scene.faces["team"].tell(log(LOG_FAULTS[Fault.WITHHOLD]), scene.mailbox)
    await scene.write("user")
    assert await scene.read("team") == {"withheld"}
    assert not any(message.confirmed for message in (await scene.user.tickets.get(scene.number)).messages)
    scene.faces["team"].lies.clear()
    await scene.write("team")
    said_by_user = (await scene.user.tickets.get(scene.number)).messages[:2]
    assert [message.confirmed for message in said_by_user] == [True, True]


async def two_logs(scene: Scene) -> None:
    """Let user and team go on in two logs that were one until now."""
    await scene.open()
    await scene.team.catch_up()
    scene.faces["team"].part(scene.mailbox)
    await scene.write("user")
    await scene.write("team")
    assert await scene.read("user") == set()
    assert await scene.shown("user") == scene.texts[:2]
    assert (await scene.shown("team"))[1:] == scene.texts[2:]


async def test_15_two_logs_are_proven_when_they_are_shown(scene: Scene) -> None:
    """Attack 15: shown the team's log, the user's client says so, keeps its own, and has the relay's word twice."""
    await two_logs(scene)
    other = scene.faces["team"].split[scene.mailbox]
    scene.faces["user"].tell(log(lambda _true, _: other, raw=True), scene.mailbox)
    assert await scene.read("user") == {"fork"}
    assert await scene.shown("user") == scene.texts[:2]
    (proof,) = await scene.user.proofs()
    assert check_proof(proof.data).kind is ProofKind.RECEIPTS


async def test_15_two_logs_cannot_be_joined(scene: Scene) -> None:
    """Attack 15: what one side wrote in its log is a forgery in the other, and what is left out is missed."""
    await two_logs(scene)
    *_, answer = scene.faces["team"].split.pop(scene.mailbox)
    scene.faces["user"].tell(log(lambda true, _: [*true, answer]), scene.mailbox)
    assert await scene.read("user") == {"forged"}
    assert await scene.read("team") == {"fork"}


@pytest.mark.parametrize("who", ["user", "team"])
async def test_16_what_was_not_confirmed_is_stored_once(scene: Scene, who: str) -> None:
    """Attack 16: after a forged receipt nothing counts as sent; the next look finds the message in the log, once."""
    await scene.open()
    await scene.read("team")
    scene.faces[who].tell(
        said(Receipt, lambda receipt: replace(receipt, signature=flipped(receipt.signature)))
    )
    await scene.happen("writes", who)
    assert scene.codes == {"bad_signature"}
    for face in scene.faces.values():
        face.lies.clear()
    if who == "user":
        assert [item.code for item in await scene.user.outbox.list()] == ["bad_signature"]
        await scene.user.outbox.flush()
        assert await scene.user.outbox.list() == ()
    await scene.read(who)
    for side in ("user", "team"):
        await scene.read(side)
        assert await scene.shown(side) == [BODY, "message 1"]
    assert len(scene.faces["user"].truth.logs[scene.mailbox]) == 2


async def test_32_a_false_time_moves_nothing(scene: Scene) -> None:
    """Attack 32: receipts of next week change no order and no verdict, and are told beside the author's clock."""
    await scene.open()
    await scene.team.catch_up()
    await scene.write("team")
    scene.faces["user"].tell(log(lambda true, _: true, late=7 * 86_400), scene.mailbox)
    ticket = await scene.user.tickets.get(scene.number)
    assert [message.body for message in ticket.messages] == scene.texts
    assert [message.clock_differs for message in ticket.messages] == [False, True]
    assert ticket.messages[0].at <= ticket.messages[1].at


async def test_86_two_times_for_one_entry_are_proven_to_the_user(scene: Scene) -> None:
    """Attack 86: the team was told another time; its answer quotes it, and the user has the relay's word twice."""
    await scene.open()
    scene.faces["team"].tell(log(lambda true, _: true, late=3600), scene.mailbox)
    await scene.team.catch_up()
    scene.faces["team"].lies.clear()
    await scene.write("team")
    await scene.read("user")
    (proof,) = await scene.user.proofs()
    assert "two different times" in proof.words
    assert await scene.shown("user") == scene.texts


async def test_86_two_times_for_one_entry_are_proven_to_the_team(scene: Scene) -> None:
    """Attack 86: the user was told another time and quotes it; the console raises an alarm that holds the proof."""
    await scene.open()
    await scene.team.catch_up()
    await scene.write("team")
    scene.faces["user"].tell(log(lambda true, _: true, late=3600), scene.mailbox)
    await scene.read("user")
    scene.faces["user"].lies.clear()
    await scene.write("user")
    assert await scene.read("team") == {"equivocation"}
    (alarm,) = await scene.team.alarms()
    assert check_proof(alarm.proof).kind is ProofKind.RECEIPTS


def look_alike(face: Face, asked: Asked, honest: Page | None) -> Page:
    """Show entries of the right shape in mailboxes that do not exist."""
    if honest is not None:
        return honest
    sealed = (Box(Recipient.TEAM, 0, bytes(1232)), Box(Recipient.USER, 0, bytes(1168)))
    entry = Entry(1, 1, 0, Direction.USER_TO_TEAM, sealed, bytes(64 + 512 + 16)).to_bytes()
    chain = Chain.start(asked.mailbox).advance(entry)
    return Page(
        chain.head, (Stored(entry, receipt_for(face.truth.signer, chain, clock.now())),)[asked.start :]
    )


@pytest.mark.parametrize(("defended", "says"), [(True, {"aside:cannot_open"}), (False, {"forged_entry"})])
async def test_27_boxes_that_nobody_can_open_are_put_aside(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, defended: bool, says: set[str]
) -> None:
    """Attack 27: what begins with no opening is left at its first entry, without an alarm, by a console that looks."""
    if not defended:
        monkeypatch.setattr(Log, "_take_first", Log._take_some)  # pyright: ignore[reportPrivateUsage]
    await scene.open()
    scene.faces["team"].tell(Lie(Page, look_alike))
    scene.faces["team"].tell(invented(5))
    assert await scene.read("team") == says
    assert [line.number for line in await scene.team.inbox.list()] == [scene.number]
