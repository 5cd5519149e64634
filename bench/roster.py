"""What a newcomer pays for a long roster: all links verified from the genesis on, against their signatures alone."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Report, Row, at_least
from bench.machine import facts
from bench.team import now
from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey, verify
from e2e_support.presets import DEFAULT
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import OpenLink, open_link
from e2e_support.tags import Tag
from e2e_support.vocab import Role
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.ceremony import found_team
from e2e_support_keys.changes import add_device_batch, remove_devices_batch
from e2e_support_keys.epochs import TeamKeys

URL = "https://support.example.org"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, and links of the roster."""

    rounds: int
    links: int


FULL = Size(rounds=9, links=1_000)
QUICK = Size(rounds=1, links=20)


def run(data: Path, *, quick: bool) -> Report:
    """Measure and return what was found; the disk is not used."""
    size = QUICK if quick else FULL
    machine = facts(data)
    links = _history(size.links)
    opened = [open_link(link) for link in links]
    keys = _signers(TrustedRoster.begin(links[0]).update(links[1:]))
    whole: list[float] = []
    bare: list[float] = []
    for _ in range(size.rounds):
        bare.append(_verify_signatures(opened, keys))
        whole.append(_verify_roster(links))
    report = Report(
        "roster",
        machine,
        {"rounds": size.rounds, "links": len(links), "bytes": sum(map(len, links))},
        ("links per s", "CPU µs each", "least", "most"),
    )
    report.rows = [
        _row("signatures alone", bare, len(links)),
        _row("the whole roster from its genesis on", whole, len(links)),
    ]
    ratios = [alone / all_of_it for alone, all_of_it in zip(bare, whole, strict=True)]
    report.goals = [
        at_least("whole roster, links per s", [len(links) / one for one in whole], 1_000),
        at_least("whole roster / signatures alone, links per s", ratios, 0.15),
    ]
    report.raw = {"bare": [round(s, 5) for s in bare], "whole": [round(s, 5) for s in whole]}
    return report


def _history(count: int) -> tuple[bytes, ...]:
    """Return the links of a team in which somebody comes and goes again and again, each time with an epoch."""
    founded = found_team(
        "Bench",
        "Owner",
        relay_url=URL,
        relay_key=SigningKey(Secret.random(os.urandom)).public,
        policy=DEFAULT,
        now=now(),
        random=os.urandom,
    )
    owner, roster = founded.bundle, TrustedRoster.begin(founded.genesis)
    keys = TeamKeys(roster.team_id, owner.device_id, owner.kem())
    keys.add(roster.epochs, founded.package)
    while len(roster.links) < count:
        others = [device for device in roster.devices if device != owner.device_id]
        if others:
            batch = remove_devices_batch(roster, keys, others, owner, now=now(), random=os.urandom)
        else:
            joining = DeviceBundle.fresh("Agent", os.urandom).joining(roster.team_id, Role.AGENT)
            batch = add_device_batch(roster, keys, joining, owner, now=now(), random=os.urandom)
        roster = roster.update_batch(batch)
        keys.add(roster.epochs, batch.packages[0])
    return roster.links


def _signers(roster: TrustedRoster) -> dict[bytes, bytes]:
    return {device_id: device.record.sign_key for device_id, device in roster.devices_ever.items()}


def _verify_signatures(links: Sequence[OpenLink], keys: dict[bytes, bytes]) -> float:
    """Return the processor time of as many verifications as there are links."""
    began = time.process_time()
    for link in links:
        (signature,) = link.signatures
        if not verify(keys[signature.device_id], signature.signature, Tag.LINK_SIGN, link.signed):
            raise RuntimeError("a signature does not hold")
    return time.process_time() - began


def _verify_roster(links: Sequence[bytes]) -> float:
    began = time.process_time()
    TrustedRoster.begin(links[0]).update(links[1:])
    return time.process_time() - began


def _row(name: str, seconds: Sequence[float], links: int) -> Row:
    middle = statistics.median(seconds)
    each = (f"{one / links * 1e6:,.0f}" for one in (middle, min(seconds), max(seconds)))
    return Row(name, (f"{links / middle:,.0f}", *each))
