"""A hostile relay before a user's client and a console, both whole, as simulator and as proxy before a real relay.

Each row of the table is one lie, told to one of the two sides while a ticket goes on; what that side must say of it
stands in the row. Every row runs over both carriers with both readers, and once more with its defence taken away.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from e2e_support import log_place, log_reader, membership, roster, roster_steps
from e2e_support.conversation import Conversation
from e2e_support.mailbox import Chain
from e2e_support.membership import Membership
from e2e_support.roster_links import OpenLink
from e2e_support.roster_rules import Quorum
from e2e_support.wire import Entry, EpochBox, LinksPage, Page, Receipt
from e2e_support_client.faults import Fault, flipped
from e2e_support_client.roster_sync import RosterSync
from e2e_support_console import feed, sync
from e2e_support_keys import epochs
from hostile_lies import (
    EVE,
    SMALL_ORDER,
    STRANGER,
    MakeLie,
    boxes,
    edited,
    fault,
    feed_without,
    invented,
    joins,
    other_story,
    own_epoch_key,
    own_relay_key,
)
from hostile_relay import links, log, refusing, said
from hostile_scene import CARRIERS, Scene, carried, simulated


@dataclass(frozen=True)
class Attack:
    """One lie.

    Attributes:
        number: in the threat model.
        what: what the relay does.
        lie: what is said from the word ``LIE`` of the story on.
        story: words of ``Scene.happen``.
        user: what the user's client says at the end; ``None`` where it is not concerned.
        team: what the console says at the end; likewise.
        without: a defence, and what the first of the two says where it is missing: nothing, or what a second
            defence finds.
    """

    number: int
    what: str
    lie: MakeLie
    story: str
    user: str | None
    team: str | None
    without: tuple[str, str] | None = None

    @property
    def readers(self) -> dict[str, str]:
        """What the sides that are concerned say."""
        return {who: says for who, says in (("user", self.user), ("team", self.team)) if says is not None}


ATTACKS: Final = [
    Attack(
        1,
        "drops an entry",
        fault(Fault.DROP),
        "other other LIE",
        "forged",
        "forged forged_entry withheld",
        ("context", "nonconforming"),
    ),
    Attack(
        1,
        "drops an entry, raw",
        fault(Fault.DROP, raw=True),
        "other other LIE",
        "bad_receipt",
        "bad_receipt",
        ("receipts", "forged"),
    ),
    Attack(
        1,
        "drops one that was read",
        fault(Fault.DROP),
        "other other reads other LIE",
        "fork",
        "fork",
        ("page", ""),
    ),
    Attack(
        2,
        "withholds what is new",
        fault(Fault.WITHHOLD),
        "reads LIE other",
        "",
        "withheld",
        ("announced", ""),
    ),
    Attack(
        2,
        "leaves a step out of its feed",
        lambda _: feed_without(1),
        "other LIE",
        None,
        "feed_gap",
        ("feed", ""),
    ),
    Attack(
        3,
        "repeats an entry",
        fault(Fault.REPLAY),
        "other LIE",
        "forged",
        "forged forged_entry",
        ("context", "nonconforming"),
    ),
    Attack(
        4,
        "swaps two entries",
        fault(Fault.REORDER),
        "other other LIE",
        "forged",
        "forged forged_entry",
        ("context", "nonconforming"),
    ),
    Attack(
        4,
        "swaps two that were read",
        fault(Fault.REORDER),
        "other other reads LIE",
        "fork",
        "fork",
        ("page", ""),
    ),
    Attack(
        5,
        "goes on with another ticket",
        fault(Fault.SWAP_MAILBOX),
        "second reads LIE",
        "fork",
        "fork",
        ("page", "bad_receipt"),
    ),
    Attack(
        6,
        "turns an entry round",
        fault(Fault.REFLECT),
        "other LIE",
        "forged",
        "forged forged_entry",
        ("direction", ""),
    ),
    Attack(
        6,
        "moves one to an old generation",
        fault(Fault.OLD_GENERATION),
        "reads rotate other LIE",
        "forged",
        "forged forged_entry",
    ),
    Attack(
        7,
        "hides the newest link",
        lambda _: links(lambda true, _: true[:-1]),
        "rotate reads LIE",
        "roster_rollback",
        "roster_rollback",
        ("links", ""),
    ),
    Attack(
        8,
        "tells two stories of the team",
        other_story,
        "rotate reads LIE",
        "roster_fork",
        "roster_fork",
        ("links", ""),
    ),
    Attack(
        9,
        "makes itself an owner",
        joins(EVE.record, owner=False),
        "LIE",
        "not_entitled",
        "not_entitled",
        ("signers", ""),
    ),
    Attack(
        10,
        "adds a key whose holder never joined",
        joins(EVE.record, proof=bytes(64)),
        "LIE",
        "no_possession",
        "no_possession",
        ("possession", ""),
    ),
    Attack(
        11,
        "adds a key that accepts any signature",
        joins(SMALL_ORDER),
        "LIE",
        "bad_key",
        "bad_key",
        ("keys", ""),
    ),
    Attack(
        12,
        "swaps an epoch's box",
        boxes(lambda all_: (EpochBox(all_[0].device_id, bytes(1232)), *all_[1:])),
        "LIE forgets",
        None,
        "bad_package",
        ("boxes", "no_box"),
    ),
    Attack(
        12,
        "adds a box for itself",
        boxes(lambda all_: (*all_, EpochBox(EVE.device_id, bytes(1232)))),
        "LIE forgets",
        None,
        "bad_package",
        ("boxes", ""),
    ),
    Attack(
        12, "leaves a box out", boxes(lambda _: ()), "LIE forgets", None, "bad_package", ("boxes", "no_box")
    ),
    Attack(
        13,
        "puts its own key into an epoch",
        own_epoch_key,
        "rotate LIE forgets",
        "bad_signature",
        "bad_signature",
        ("signers", ""),
    ),
    Attack(14, "goes back", fault(Fault.ROLLBACK), "other reads LIE", "rollback", "rollback", ("page", "")),
    Attack(
        16,
        "forges the receipt of an entry",
        lambda _: said(Receipt, lambda r: replace(r, signature=flipped(r.signature))),
        "reads LIE writes",
        "bad_signature",
        "bad_signature",
        ("receipts", ""),
    ),
    Attack(
        16,
        "gives a receipt for another place",
        lambda _: said(Receipt, lambda r: replace(r, leaf=replace(r.leaf, seq=9))),
        "reads LIE writes",
        "bad_receipt",
        "bad_receipt",
        ("receipts", ""),
    ),
    Attack(
        24,
        "claims an older version",
        edited(version=0),
        "other LIE",
        "update_needed",
        "update_needed",
        ("version", ""),
    ),
    Attack(
        25,
        "claims another suite",
        edited(suite=2),
        "other LIE",
        "update_needed",
        "update_needed",
        ("version", ""),
    ),
    Attack(26, "lists mailboxes that do not exist", lambda _: invented(5), "LIE", None, "not_found"),
    Attack(
        31,
        "signs with another key",
        lambda _: log(lambda true, _: true, signer=STRANGER),
        "other LIE",
        "bad_receipt",
        "bad_receipt",
        ("receipts", ""),
    ),
    Attack(
        31,
        "replaces its key by itself",
        own_relay_key,
        "LIE",
        "too_few_signers",
        "too_few_signers",
        ("signers", ""),
    ),
    Attack(
        78,
        "swaps the boxes of a re-key",
        fault(Fault.SWAP_BOX),
        "reads rotate other LIE",
        "forged",
        "forged forged_entry",
        ("context", ""),
    ),
    Attack(
        81,
        "says that a ticket was erased",
        lambda _: refusing(Page, "erased"),
        "reads LIE other",
        "relay_says_erased",
        "erased",
    ),
]


async def told(scene: Scene, attack: Attack, reader: str) -> str:
    """Tell a story and return what the reader says at its end."""
    await scene.open()
    if reader == "user":
        await scene.team.catch_up()
    for word in attack.story.split():
        if word == "LIE":
            lie = attack.lie(scene)
            scene.faces[reader].tell(lie, scene.mailbox if lie.about is Page else None)
        else:
            await scene.happen(word, reader)
    return " ".join(sorted(await scene.read(reader) | scene.codes))


@pytest.fixture(params=CARRIERS)
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Scene]:
    """A scene over each of the carriers."""
    async with carried(request.param, tmp_path) as found:
        yield found


@pytest.mark.parametrize("attack", ATTACKS, ids=[f"{attack.number}: {attack.what}" for attack in ATTACKS])
async def test_a_lie_is_told_apart(scene: Scene, attack: Attack) -> None:
    """The side that is lied to says so in the row's words, and shows no text but true ones in their order."""
    for reader, says in attack.readers.items():
        assert (reader, await told(scene, attack, reader)) == (reader, says)
        shown = await scene.shown(reader)
        assert scene.kept <= len(shown)
        assert shown == scene.texts[: len(shown)]


# --- without its defence ---------------------------------------------------------------------------------


def nothing(*_: object, **__: object) -> None:
    """Stand where a check was taken away."""


def same_context(*_: object) -> bytes:
    """Bind every entry to the same place."""
    return b"anywhere"


def any_receipt(data: bytes, *_: object, **__: object) -> Receipt:
    """Believe every receipt."""
    return Receipt.from_bytes(data)


def anyone(members: Membership, link: OpenLink, *_: object) -> Quorum:
    """Let whoever signs be entitled, and one voice be enough."""
    return Quorum(frozenset(signature.device_id for signature in link.signatures))


async def any_links(self: Any, start: int) -> LinksPage:
    """Ask for what is new, and never for what is known."""
    page: LinksPage = await self._relay.links(self._pin.team_id, start)
    return replace(page, length=max(page.length, start))


async def whatever_came(pull: Coroutine[None, None, None], outcome: Any) -> Any:
    """Be content with what the relay hands out."""
    await pull
    return outcome


Defence = tuple[object, str, object]
DEFENCES: Final[dict[str, list[Defence]]] = {
    "context": [(Conversation, "context", same_context)],
    "page": [(Chain, "check_page", nothing)],
    "receipts": [(log_place, "verify_receipt", any_receipt)],
    "feed": [(feed, "_gap", nothing)],
    "links": [(RosterSync, "_page", any_links)],
    "signers": [(roster_steps, "quorum", anyone), (roster_steps, "check_signatures", nothing)],
    "possession": [(roster_steps, "check_possession", nothing)],
    "keys": [(membership, "check_public", nothing), (roster_steps, "check_possession", nothing)],
    "boxes": [(roster, "check_package", nothing), (epochs, "check_package", nothing)],
    "direction": [
        (Conversation, "context", same_context),
        (Conversation, "_check_direction", nothing),
        (Conversation, "_check_order", nothing),
    ],
    "version": [(log_reader, "check_entry", Entry.from_bytes)],
    "announced": [(sync, "_pulled", whatever_came)],
}
DEFENDED = [attack for attack in ATTACKS if attack.without]


@pytest.mark.parametrize("attack", DEFENDED, ids=[f"{attack.number}: {attack.what}" for attack in DEFENDED])
async def test_it_would_succeed_without_its_defence(
    attack: Attack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the row's defence taken away nothing is noticed, or only a second defence does."""
    assert attack.without is not None
    defence, end = attack.without
    for owner, name, stand_in in DEFENCES[defence]:
        monkeypatch.setattr(owner, name, stand_in)
    async with simulated(tmp_path) as scene:
        assert await told(scene, attack, next(iter(attack.readers))) == end
