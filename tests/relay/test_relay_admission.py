# pyright: reportPrivateUsage=false
"""The price of a mailbox and the limits on how many are made (protocol section 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from e2e_support.admission import admit_hash, day_of, find_work, prove_team
from e2e_support.ids import Hash, TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.policy import RelayRules
from e2e_support.request import b64
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import AdmissionTerms, Create
from e2e_support_server.admission import WINDOW, Admission, network_of
from e2e_support_server.config import Limits
from e2e_support_server.refusal import Refusal
from relay_kit import LIMITS, ManualClock, new_key, running

NOW = 1_800_000_000.0
RULES = RelayRules(AdmissionMode.OPEN, 4, 10, 10, 10, 0, user_erase=False)
CAPABILITY = new_key()
TEAM = TeamId(bytes(32))


@dataclass(frozen=True)
class Door:
    """What admission knows of a team."""

    capability_key: bytes = CAPABILITY.public
    rules: RelayRules = RULES


def attempt(bits: int, *, mode: AdmissionMode = AdmissionMode.OPEN, user: bool = True) -> tuple[Create, Hash]:
    """Return a create with work of exactly so many bits, and what it was done for."""
    key = new_key()
    day = day_of(int(NOW))
    admit = admit_hash(TEAM, day, mailbox_id(key.public))
    proof = prove_team(CAPABILITY, admit) if mode is AdmissionMode.TEAM else find_work(admit, bits)
    return Create(key.public, key.public if user else b"", 1, TEAM, day, mode, proof), admit


def make(**limits: int) -> Admission:
    """Return an admission with low limits."""
    return Admission(replace(Limits(), creates_calm=4, **limits))


def test_a_quiet_relay_asks_what_the_policy_says() -> None:
    """Without a rush the price is the policy's (§7)."""
    assert make().terms(RULES, NOW) == AdmissionTerms(AdmissionMode.OPEN, 4, day_of(int(NOW)))


def test_an_operator_may_ask_for_more() -> None:
    """The operator's floor counts where it is above the policy's (§7)."""
    assert make(work_bits=9).terms(RULES, NOW).bits == 9


@pytest.mark.parametrize(("created", "extra"), [(3, 0), (4, 1), (7, 1), (8, 2), (16, 3), (64, 5)])
def test_every_doubling_costs_a_bit(created: int, extra: int) -> None:
    """When many mailboxes are made the price rises with the logarithm of their number (§7)."""
    admission = make()
    for _ in range(created):
        admission.created(NOW)
    assert admission.terms(RULES, NOW).bits == 4 + extra


def test_the_price_has_a_ceiling() -> None:
    """However great the rush, honest devices can still pay (§7)."""
    admission = make(work_bits_most=6)
    for _ in range(10_000):
        admission.created(NOW)
    assert admission.terms(RULES, NOW).bits == 6


def test_the_price_falls_when_the_rush_is_over() -> None:
    """What was made more than ten minutes ago no longer counts (§7)."""
    admission = make()
    for _ in range(8):
        admission.created(NOW)
    assert admission.terms(RULES, NOW + WINDOW + 1).bits == 4


def test_what_was_asked_for_stays_accepted_for_ten_minutes() -> None:
    """Work that was done for the price of the last ten minutes is not in vain (§7)."""
    admission = make()
    told = admission.terms(RULES, NOW)
    cheap, admit = attempt(told.bits)
    for _ in range(2000):
        admission.created(NOW + 1)
    assert admission.terms(RULES, NOW + 1).bits > told.bits
    admission.check(cheap, admit, Door(), NOW + WINDOW - 1)
    for _ in range(2000):
        admission.created(NOW + WINDOW)
    with pytest.raises(Refusal, match="admission_refused"):
        admission.check(cheap, admit, Door(), NOW + WINDOW + 60)


def test_a_proof_is_for_its_mode() -> None:
    """A policy that does not admit by work refuses work; the team is admitted always (§7)."""
    closed = Door(rules=replace(RULES, mode=AdmissionMode.GRANT))
    create, admit = attempt(4)
    with pytest.raises(Refusal, match="admission_refused"):
        make().check(create, admit, closed, NOW)
    create, admit = attempt(0, mode=AdmissionMode.TEAM, user=False)
    make().check(create, admit, closed, NOW)


def test_too_many_in_all_have_to_wait() -> None:
    """The relay as a whole makes so many mailboxes a minute (§7)."""
    admission = make(creates_minute=3, creates_network=1000)
    create, _ = attempt(0)
    for number in range(3):
        admission.limit(create, f"10.0.0.{number}", NOW)
    with pytest.raises(Refusal, match="rate"):
        admission.limit(create, "10.0.0.9", NOW)
    admission.limit(create, "10.0.0.9", NOW + 60)


def test_one_network_cannot_use_up_the_others_share() -> None:
    """Each network has a limit of its own; the team has none (§7)."""
    admission = make(creates_network=2)
    create, _ = attempt(0)
    for _ in range(2):
        admission.limit(create, "10.0.0.1", NOW)
    with pytest.raises(Refusal, match="rate"):
        admission.limit(create, "10.0.0.1", NOW)
    admission.limit(create, "10.0.0.2", NOW)
    team, _ = attempt(0, mode=AdmissionMode.TEAM)
    admission.limit(team, "10.0.0.1", NOW)


def test_no_address_is_kept() -> None:
    """Networks are remembered as keyed hashes, under a key that changes every day (§7)."""
    admission = make()
    one = admission._network("192.0.2.7", NOW)
    assert one == admission._network("192.0.2.7", NOW)
    assert one != admission._network("192.0.2.7", NOW + 86_400)
    assert b"192.0.2" not in repr(vars(admission)).encode()


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("::ffff:192.0.2.7", "192.0.2.7/32"),
        ("2001:db8:1:2ab::7", "2001:db8:1:200::/56"),
        ("unix:", "unix:"),
    ],
)
def test_a_network_is_what_one_customer_gets(address: str, network: str) -> None:
    """An IPv4 address counts alone, an IPv6 prefix of 56 bits as one."""
    assert network_of(address) == network


async def test_limits_hold_over_http(tmp_path: Path, clock: ManualClock) -> None:
    """Over its share a network is told when to come again; a repetition costs nothing."""
    async with running(tmp_path / "relay", clock=clock, limits=replace(LIMITS, creates_network=1)) as relay:
        team = await relay.found()
        key, other = new_key(), new_key()
        create = relay.create(team, key)
        (await relay.put_mailbox(key, create)).expect(201)
        (await relay.put_mailbox(key, create)).expect(200)
        refused = (await relay.put_mailbox(other, relay.create(team, other))).expect("rate")
        assert 0 < int(refused.headers["Retry-After"]) <= WINDOW
        await relay.staff_log(team)


async def test_behind_a_proxy_the_named_address_counts(tmp_path: Path) -> None:
    """With a header configured, the last address in it is the client's; what a client writes before is not believed."""
    limits = replace(LIMITS, creates_network=1)
    async with running(tmp_path / "relay", limits=limits, address_header="X-Forwarded-For") as relay:
        team = await relay.found()

        async def create(forwarded: str) -> str:
            key = new_key()
            body = relay.create(team, key).to_bytes()
            path = f"/v1/mailboxes/{b64(mailbox_id(key.public))}"
            return (await relay.ask(key, "PUT", path, body, {"X-Forwarded-For": forwarded})).code

        assert await create("192.0.2.1") == ""
        assert await create("192.0.2.2") == ""
        assert await create("198.51.100.9, 192.0.2.2") == "rate"
