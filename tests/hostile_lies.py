"""Lies of a hostile relay that need to know the team or the ticket that they are about; see ``hostile_relay``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from e2e_support.ids import MailboxId
from e2e_support.mailbox import ReceiptSigner
from e2e_support.roster import TrustedRoster, next_bodies, next_body
from e2e_support.roster_links import DeviceAdd, RelayKeys, Rename, open_link, prove_device, sign_link
from e2e_support.wire import DeviceRecord, Entry, EpochBox, EpochPackage, FeedItem, FeedPage, Link
from e2e_support_client import clock
from e2e_support_client.faults import LOG_FAULTS, Fault
from hostile_relay import Asked, Face, Lie, links, log, said
from hostile_scene import Scene
from team_builder import device

MakeLie = Callable[[Scene], Lie]

EVE = device("eve")
STRANGER = ReceiptSigner(EVE.sign)
SMALL_ORDER = replace(EVE.record, sign_key=b"\x01" + bytes(31))


def fault(kind: Fault, **options: Any) -> MakeLie:
    """Return a change of the log as readers see it."""
    return lambda _: log(LOG_FAULTS[kind], **options)


def edited(**fields: object) -> MakeLie:
    """Return the lie that the newest entry says something else outside."""

    def change(kept: list[Any], _: object) -> list[Any]:
        entry = replace(Entry.from_bytes(kept[-1].entry), **fields)  # type: ignore[arg-type]
        return [*kept[:-1], replace(kept[-1], entry=entry.to_bytes())]

    return lambda _: log(change)


def joins(record: DeviceRecord, *, proof: bytes = b"", owner: bool = True) -> MakeLie:
    """Return the lie that a device has joined, with its epoch.

    Args:
        record: the device's.
        proof: that its holder wants to; the true one by default.
        owner: whether the owner signed, who can be in league with a relay or be fooled by it; else Eve.
    """

    def make(scene: Scene) -> Lie:
        roster, desk = scene.roster, scene.team.desk
        epoch = desk.team.keys.next_epoch((*roster.devices.values(), record), clock.random)
        joining = DeviceAdd(record, proof or prove_device(EVE.sign, roster.team_id, record))
        signer = desk.bundle.signer() if owner else (EVE.device_id, EVE.sign)
        bodies = next_bodies(roster, (joining, epoch.record), clock.now())
        more = [sign_link(body, [signer]) for body in bodies]
        return links(lambda true, _: [*true, *more])

    return make


def own_relay_key(scene: Scene) -> Lie:
    """Replace the relay's key by a link that nobody signed."""
    payload = RelayKeys((EVE.sign.public,))
    link = sign_link(next_body(scene.roster, payload, clock.now()), [])
    return links(lambda true, _: [*true, link])


def other_story(scene: Scene) -> Lie:
    """Tell another last link, which the owner signed as well."""
    true = scene.roster.links
    before = TrustedRoster.begin(true[0]).update(true[1:-1])
    renamed = Rename(scene.team.desk.bundle.device_id, "Ann", ())
    other = sign_link(next_body(before, renamed, clock.now()), [scene.team.desk.bundle.signer()])
    return links(lambda _true, _: [*true[:-1], other])


def own_epoch_key(_: Scene) -> Lie:
    """Put the relay's public key into the newest epoch's link."""

    def change(true: Sequence[bytes], roster: TrustedRoster) -> Sequence[bytes]:
        opened = open_link(true[-1])
        record = replace(roster.epoch, kem_key=EVE.record.kem_key)
        return [
            *true[:-1],
            Link(replace(opened.body, payload=record.to_bytes()).to_bytes(), opened.signatures).to_bytes(),
        ]

    return links(change)


def boxes(change: Callable[[tuple[EpochBox, ...]], tuple[EpochBox, ...]]) -> MakeLie:
    """Return the lie that other boxes stand beside the links."""
    return lambda _: said(EpochPackage, lambda package: replace(package, boxes=change(package.boxes)))


def invented(count: int) -> Lie:
    """Return the lie that so many more mailboxes moved than there are."""

    def tell(_face: Face, asked: Asked, honest: FeedPage | None) -> FeedPage:
        assert honest is not None
        newest = honest.newest
        more = [FeedItem(newest + at, MailboxId(bytes([at]) * 16), 0) for at in range(1, count + 1)]
        left = [item for item in more if item.cursor > asked.start]
        return FeedPage(newest + count, (*honest.items, *left))

    return Lie(FeedPage, tell)


def feed_without(step: int) -> Lie:
    """Return the lie that a step of the feed does not exist."""

    def change(page: FeedPage) -> FeedPage:
        return replace(page, items=tuple(item for item in page.items if item.cursor != step))

    return said(FeedPage, change)
