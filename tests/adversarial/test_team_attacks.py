"""Attacks among administrators as their consoles meet them, with a relay that helps or looks on (53, 54, 55, 58)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import pytest

from e2e_support import conversation, roster_steps
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError, UsageError
from e2e_support.mailbox import ReceiptSigner
from e2e_support.membership import Device, Membership
from e2e_support.proof import ProofKind, check_proof
from e2e_support.roster import TrustedRoster, next_bodies
from e2e_support.roster_links import DeviceAdd, OpenLink, Payload, Threshold, prove_device, sign_link
from e2e_support.roster_rules import Quorum
from e2e_support.ticket_keys import seal_boxes
from e2e_support.vocab import Role, Verdict
from e2e_support.wire import Batch, Box, DeviceRecord
from e2e_support_client import MemoryKeystore, SupportClient, clock
from e2e_support_client.faults import LOG_FAULTS, Fault
from e2e_support_client.port import RelayPort
from e2e_support_client.testing import FakeRelay
from e2e_support_console.team import TeamClient
from hostile_relay import Face, Truth, links, log, lying
from team_builder import device, seed_of
from team_room import TeamRoom
from user_kit import BODY, SUBJECT

RELAY_KEY = SigningKey(Secret(seed_of("relay")))


class Crowd(TeamRoom):
    """Three owners, Anna, Ben and Cleo, at a relay that may show each of them something else.

    Attributes:
        truth: what really happened.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, relay=FakeRelay(RELAY_KEY))
        self.truth = Truth(ReceiptSigner(RELAY_KEY))
        self._faces: dict[str, Face] = {}

    async def gather(self, threshold: int = 1) -> tuple[TeamClient, TeamClient, TeamClient]:
        """Return the three consoles, each behind a face of its own."""
        anna = await self.start()
        for name in ("Ben", "Cleo"):
            await (await self.add(anna, name, Role.OWNER)).close()
        if threshold > 1:
            assert await anna.members.set_threshold(threshold) is None
        await anna.close()
        roster = await self.roster()
        self.truth.roster = lambda: roster
        consoles = [await self.console(name, self.port(name)) for name in ("Anna", "Ben", "Cleo")]
        for console in consoles:
            await console.catch_up()
        return consoles[0], consoles[1], consoles[2]

    def face(self, name: str) -> Face:
        """Return what somebody is shown."""
        return self._faces.setdefault(name, Face(self.truth))

    def port(self, name: str) -> RelayPort:
        """Return the relay as somebody sees it."""
        return lying(self.relay, self.face(name))

    async def now_true(self) -> TrustedRoster:
        """Let the relay know the roster as it stands, for its lies."""
        roster = await self.roster()
        self.truth.roster = lambda: roster
        return roster

    async def user(self) -> SupportClient:
        """Return a user's client."""
        client = SupportClient(
            self.link, keystore=MemoryKeystore(), state_dir=self.home_of("user"), relay=self.port("user")
        )
        return await self._open.enter_async_context(client)


async def codes(team: TeamClient) -> set[str]:
    """Let a console follow all there is, and return what it says."""
    said = set[str]()
    try:
        await team.catch_up()
    except SupportError as error:
        said.add(error.code)
    return said | {alarm.code for alarm in await team.alarms()}


# --- 53: a removal and a signature at once ---------------------------------------------------------------


class Racing:
    """A relay to which somebody else's change comes first, just before the next batch is posted."""

    def __init__(self, relay: RelayPort, first: Callable[[], Awaitable[object]]) -> None:
        self._relay = relay
        self._first: Callable[[], Awaitable[object]] | None = first

    def __getattr__(self, name: str) -> Any:
        """Return the real call."""
        return getattr(self._relay, name)

    async def post_links(self, *args: Any) -> None:
        """Let the other one be faster."""
        first, self._first = self._first, None
        if first is not None:
            await first()
        await self._relay.post_links(*args)


async def racing(
    room: Crowd, console: TeamClient, name: str, first: Callable[[], Awaitable[object]]
) -> TeamClient:
    """Return somebody's console whose next change comes too late."""
    await console.close()
    return await room.console(name, cast("RelayPort", Racing(room.relay, first)))


async def test_53_a_removal_that_comes_first_stands(tmp_path: Path) -> None:
    """Ben signs a change in the moment in which he is removed: the removal stands, his change is nowhere."""
    async with Crowd(tmp_path) as room:
        anna, ben, cleo = await room.gather()
        ben = await racing(room, ben, "Ben", lambda: anna.members.remove("Ben"))
        with pytest.raises(SupportError) as caught:
            await ben.members.set_threshold(2)
        assert caught.value.code == "not_in_team"
        assert await codes(ben) == {"not_in_team"}
        assert await codes(anna) == await codes(cleo) == set()
        assert ben.desk.bundle.device_id not in cleo.desk.roster.devices
        assert (cleo.desk.roster.threshold, anna.desk.roster.head) == (1, cleo.desk.roster.head)


async def test_53_a_change_that_comes_first_holds_for_the_removal(tmp_path: Path) -> None:
    """Ben is faster by a moment: from then on two must agree to his removal, and two can."""
    async with Crowd(tmp_path) as room:
        anna, ben, cleo = await room.gather()
        anna = await racing(room, anna, "Anna", lambda: ben.members.set_threshold(2))
        proposal = await anna.members.remove("Ben")
        assert proposal is not None
        assert ben.desk.bundle.device_id in (await room.roster()).devices
        assert await cleo.proposals.cosign(proposal.number) is None
        assert ben.desk.bundle.device_id not in (await room.roster()).devices
        assert await codes(anna) == await codes(cleo) == set()


def nothing(*_: object, **__: object) -> None:
    """Stand where a check was taken away."""


def anyone(members: Membership, link: OpenLink, *_: object) -> Quorum:
    """Let whoever signs be entitled, and one voice be enough."""
    return Quorum(frozenset(signature.device_id for signature in link.signatures))


def any_device(self: Membership, record: DeviceRecord, seq: int) -> Membership:
    """Let every device enter."""
    return replace(self, devices={**self.devices, record.device_id: Device(record, seq)})


Defence = tuple[object, str, object]
SIGNERS: Final[list[Defence]] = [
    (roster_steps, "quorum", anyone),
    (roster_steps, "check_signatures", nothing),
]
DEVICES: Final[list[Defence]] = [*SIGNERS, (Membership, "adding", any_device)]


def taken_away(monkeypatch: pytest.MonkeyPatch, defences: Sequence[Defence]) -> None:
    """Take defences away."""
    for owner, name, stand_in in defences:
        monkeypatch.setattr(owner, name, stand_in)


@pytest.mark.parametrize("defended", [True, False])
async def test_53_what_a_removed_owner_signs_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, defended: bool
) -> None:
    """The relay appends Ben's signature behind his removal: Cleo's console refuses the list, and says why."""
    async with Crowd(tmp_path) as room:
        anna, ben, cleo = await room.gather()
        signer = ben.desk.bundle.signer()
        await anna.members.remove("Ben")
        true = await room.now_true()
        (body,) = next_bodies(true, (Threshold(2),), clock.now())
        late = sign_link(body, [signer])
        room.face("Cleo").tell(links(lambda links_, _: [*links_, late]))
        if not defended:
            taken_away(monkeypatch, SIGNERS)
        assert await codes(cleo) == ({"not_entitled"} if defended else set())
        assert cleo.desk.roster.threshold == (1 if defended else 2)


async def test_53_two_orders_of_removal_and_signature_are_proven(tmp_path: Path) -> None:
    """The relay tells Cleo the other order afterwards: she keeps the removal, sends nothing, and holds the proof."""
    async with Crowd(tmp_path) as room:
        anna, ben, cleo = await room.gather()
        before = ben.desk.roster
        (body,) = next_bodies(before, (Threshold(1),), clock.now())
        other = sign_link(body, [ben.desk.bundle.signer()])
        await anna.members.remove("Ben")
        await cleo.catch_up()
        room.face("Cleo").tell(links(lambda _true, _: [*before.links, other, other]))
        assert await codes(cleo) == {"roster_fork"}
        (alarm,) = await cleo.alarms()
        assert check_proof(alarm.proof).kind is ProofKind.ROSTER
        assert ben.desk.bundle.device_id not in cleo.desk.roster.devices


# --- 54: too few voices ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trick:
    """How Ben pretends that two agreed.

    Attributes:
        what: he does.
        links: makes the links that he signs.
        code: what consoles say.
        wanting: how many voices it lacks as a proposal; ``None`` where it is none.
        defences: what must be missing for it to succeed.
    """

    what: str
    links: Callable[[TeamClient, TeamClient], list[bytes]]
    code: str
    wanting: int | None
    defences: Sequence[Defence]


def signed(team: TeamClient, payloads: Sequence[Payload], *signers: Any) -> list[bytes]:
    """Return links on the newest roster."""
    return [sign_link(body, signers) for body in next_bodies(team.desk.roster, payloads, clock.now())]


def alone(ben: TeamClient, _: TeamClient) -> list[bytes]:
    """Lower the threshold with one voice."""
    return signed(ben, [Threshold(1)], ben.desk.bundle.signer())


def twice(ben: TeamClient, _: TeamClient) -> list[bytes]:
    """Lower the threshold with one voice that stands there twice."""
    return signed(ben, [Threshold(1)], ben.desk.bundle.signer(), ben.desk.bundle.signer())


def second_self(ben: TeamClient, anna: TeamClient) -> list[bytes]:
    """Enter a second time as somebody else with the same key; Anna was talked into it."""
    desk, (_, key) = ben.desk, ben.desk.bundle.signer()
    record = replace(device("twin").record, sign_key=key.public)
    epoch = desk.team.keys.next_epoch((*desk.roster.devices.values(), record), clock.random)
    joining = DeviceAdd(record, prove_device(key, desk.team_id, record))
    return signed(ben, [joining, epoch.record], ben.desk.bundle.signer(), anna.desk.bundle.signer())


TRICKS = [
    Trick("below the threshold", alone, "too_few_signers", 1, SIGNERS),
    Trick("one signer counted twice", twice, "duplicate_signer", None, SIGNERS),
    Trick("one key under two ids", second_self, "key_known", None, DEVICES),
]


@pytest.mark.parametrize("defended", [True, False])
@pytest.mark.parametrize("trick", TRICKS, ids=[trick.what for trick in TRICKS])
async def test_54_a_false_majority_reaches_no_console(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trick: Trick, defended: bool
) -> None:
    """A relay in league with Ben shows Cleo links that too few have signed: she keeps the list that she had."""
    async with Crowd(tmp_path) as room:
        anna, ben, cleo = await room.gather(threshold=2)
        false, before = trick.links(ben, anna), cleo.desk.roster
        room.face("Cleo").tell(links(lambda true, _: [*true, *false]))
        if not defended:
            taken_away(monkeypatch, trick.defences)
        assert (trick.code in await codes(cleo)) == defended
        assert (cleo.desk.roster.links == before.links) == defended


@pytest.mark.parametrize("trick", TRICKS, ids=[trick.what for trick in TRICKS])
async def test_54_a_false_majority_is_no_majority_as_a_proposal(tmp_path: Path, trick: Trick) -> None:
    """Put before the others, it still lacks the voices that it pretends to have, or is not shown at all."""
    async with Crowd(tmp_path) as room:
        anna, ben, _ = await room.gather(threshold=2)
        batch = Batch(tuple(trick.links(ben, anna)), ())
        if trick.wanting is None:
            with pytest.raises(UsageError) as error:
                await ben.proposals.add(batch)
            assert error.value.code == "stale_batch"
            assert await anna.proposals.list() == ()
        else:
            assert (await ben.proposals.add(batch)).missing == trick.wanting
        with pytest.raises(SupportError) as caught:
            await room.relay.post_links(ben.desk.team_id, batch, ben.desk.bundle.signer()[1])
        assert caught.value.code == "link_refused"
        assert (await room.roster()).threshold == 2


# --- 55, 58: one log and one key for all -----------------------------------------------------------------


async def split_keys(room: Crowd, ben: TeamClient, number: str, cheated: int) -> None:
    """Let Ben write under a new key that only one side is given.

    Args:
        room: where.
        ben: whose device is past its own rules.
        number: the ticket.
        cheated: place of the box that holds another key: the team's or the user's.
    """
    await ben.keys.rotate()

    def cheat(key: Secret, **place: Any) -> tuple[Box, ...]:
        good, bad = seal_boxes(key, **place), seal_boxes(Secret(bytes(32)), **place)
        return tuple(bad[at] if at == cheated else good[at] for at in range(len(good)))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(conversation, "seal_boxes", cheat)
        await ben.inbox.reply(number, "Only for one of you.", anyway=True)


@pytest.mark.parametrize("cheated", [0, 1], ids=["the team's box", "the user's box"])
async def test_55_58_a_message_for_some_is_seen_by_all(tmp_path: Path, cheated: int) -> None:
    """Ben hands user and team different keys: whom he cheats is told of a forgery, and the next words reach all."""
    async with Crowd(tmp_path) as room:
        anna, ben, cleo = await room.gather()
        user = await room.user()
        number = (await user.tickets.create(SUBJECT, BODY, category="billing")).number
        for console in (anna, ben, cleo):
            await console.catch_up()
        await split_keys(room, ben, number, cheated)
        seen = (await user.tickets.get(number)).messages[-1].verdict
        assert seen is (Verdict.FORGED if cheated else Verdict.OK)
        for console in (anna, cleo):
            assert await codes(console) == (set() if cheated else {"forged_entry"})
            last = (await console.inbox.get(number)).messages[-1]
            assert (last.verdict, bool(last.body)) == (
                (Verdict.OK, True) if cheated else (Verdict.FORGED, False)
            )
        writer = user.tickets.reply if cheated else anna.inbox.reply
        await writer(number, "What was that?")
        assert (await user.tickets.get(number)).messages[-1].body == "What was that?"
        for console in (anna, ben, cleo):
            assert (await console.inbox.get(number)).messages[-1].body == "What was that?"


async def test_55_a_message_that_is_kept_from_one_administrator_is_missed(tmp_path: Path) -> None:
    """The relay hides Ben's message from Anna: her console says that something is withheld, her answer fits nowhere."""
    async with Crowd(tmp_path) as room:
        anna, ben, cleo = await room.gather()
        user = await room.user()
        number = (await user.tickets.create(SUBJECT, BODY, category="billing")).number
        for console in (anna, ben, cleo):
            await console.catch_up()
        (mailbox,) = room.truth.logs
        room.face("Anna").tell(log(LOG_FAULTS[Fault.WITHHOLD]), mailbox)
        await ben.inbox.reply(number, "Between you and me.")
        assert await codes(anna) == {"withheld"}
        with pytest.raises(SupportError):
            await anna.inbox.reply(number, "How can we help?")
        texts = [BODY, "Between you and me."]
        assert [message.body for message in (await user.tickets.get(number)).messages] == texts
        face = room.face("Anna")
        face.lies.clear()
        face.part(mailbox)  # now it takes her answer, into a log that Ben's message is not in
        face.split[mailbox].pop()
        await anna.inbox.reply(number, "How can we help?", anyway=True)
        room.face("user").tell(log(lambda _true, _: face.split[mailbox], raw=True), mailbox)
        ticket = await user.tickets.get(number)
        assert (ticket.summary.problem, [message.body for message in ticket.messages]) == ("fork", texts)
        (proof,) = await user.proofs()
        assert check_proof(proof.data).kind is ProofKind.RECEIPTS
        assert await codes(cleo) == await codes(ben) == set()
        face.split.clear()
        assert "fork" in await codes(anna) | {(await anna.inbox.get(number)).summary.problem}
