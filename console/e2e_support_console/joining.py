"""Joins a team from an invitation: keys made here, kept before anybody is told, and handed in to be compared.

A kill at any moment loses nothing: a second run finds the keys and hands in the same device (protocol 4.10).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from e2e_support.errors import PeerError, TrustError, UsageError
from e2e_support.ids import MemberId
from e2e_support.invitation import Invitation, join_hash
from e2e_support.roster_links import DeviceAdd
from e2e_support.support_link import SupportLink
from e2e_support.wire import Append, Offer, Page
from e2e_support_client import clock
from e2e_support_client.channel import ATTEMPTS_MAX
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.roster_sync import RosterSync
from e2e_support_console.founding import STORE_NAME, load_device
from e2e_support_console.index import bytes_of, open_index, remember, save_links
from e2e_support_console.invites import invitation_over
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.fingerprint import Fingerprint
from e2e_support_keys.keystore import Keystore
from e2e_support_keys.store import delete_store

JOINING: Final = "joining"


async def join(
    relay: RelayPort,
    invitation: Invitation,
    keystore: Keystore,
    state_dir: Path,
    languages: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Hand in this device and return the words to be compared with the inviter.

    Args:
        relay: the relay that the invitation names.
        invitation: link and code.
        keystore: where this device's keys are kept.
        state_dir: directory of the local store.
        languages: tags of the languages that the newcomer answers in.

    Raises:
        UsageError: ``wrong_code``, ``invitation_over``, ``invitation_used``, ``team_exists``.
        TrustError, PeerError: the relay does not serve the team that the invitation pins.
        TransportError: the relay is away; what was made is kept.
    """
    team = RosterSync(relay, invitation.team)
    await team.refresh()
    page = await _read(relay, invitation)
    offer = _offer(invitation, page)
    if clock.now() >= offer.expires:
        raise _over("it has expired")
    bundle = load_device(keystore)
    if bundle is None:
        bundle = await _make(invitation, offer, keystore, state_dir, languages, team.links)
    joining = await _kept(bundle, state_dir)
    await _hand_in(relay, invitation, joining)
    return Fingerprint.of_hash(join_hash(invitation.team.team_id, joining.record)).words


async def _make(
    invitation: Invitation,
    offer: Offer,
    keystore: Keystore,
    state_dir: Path,
    languages: tuple[str, ...],
    links: list[bytes],
) -> DeviceBundle:
    """Make keys and keep them, the store first, since without the keys it is nothing."""
    pin = SupportLink(invitation.team.url, invitation.team.team_id)
    member = MemberId(offer.member_id) if offer.member_id else None
    bundle = DeviceBundle.fresh(offer.label, clock.random, member_id=member, link=pin.format())
    joining = bundle.joining(pin.team_id, offer.role, languages)
    place = state_dir / STORE_NAME
    delete_store(place)
    async with await open_index(place, bundle.store_key) as store, store.transaction() as change:
        await save_links(change, links)
        await remember(change, JOINING, joining.to_bytes())
    keystore.save(bundle)
    return bundle


async def _kept(bundle: DeviceBundle, state_dir: Path) -> DeviceAdd:
    async with await open_index(state_dir / STORE_NAME, bundle.store_key) as store:
        joining = await bytes_of(store, JOINING)
    if not joining:
        raise UsageError(
            "team_exists", "there is a team here already", hint="Use another --home for another team."
        )
    return DeviceAdd.from_bytes(joining)


async def _read(relay: RelayPort, invitation: Invitation) -> Page:
    try:
        return await relay.read(invitation.mailbox, 0, invitation.capability)
    except Refused as refused:
        if refused.code not in {"not_found", "erased"}:
            raise
        raise _over("it was withdrawn, has expired, or has served already") from None


def _offer(invitation: Invitation, page: Page) -> Offer:
    if not page.items:
        raise _over("it was not finished")
    try:
        return invitation.read_offer(page.items[0].entry)
    except PeerError:
        raise UsageError(
            "wrong_code", "the code does not belong to this invitation", hint="Ask for the code again."
        ) from None


async def _hand_in(relay: RelayPort, invitation: Invitation, joining: DeviceAdd) -> None:
    """Leave the device in the invitation's mailbox, once."""
    for _ in range(ATTEMPTS_MAX):
        page = await _read(relay, invitation)
        if _is_there(invitation, page, joining):
            return
        entry = invitation.seal(joining, clock.random)
        append = Append(page.head.length, page.head.hash, entry, ())
        try:
            await relay.append(invitation.mailbox, append, invitation.capability)
        except Refused as refused:
            if refused.code != "head_moved":
                raise
        else:
            return
    raise _over("somebody else fills its mailbox")


def _is_there(invitation: Invitation, page: Page, joining: DeviceAdd) -> bool:
    """Tell whether this device was handed in; another one that was means that link and code are known."""
    for item in page.items[1:]:
        try:
            found = invitation.open(item.entry)
        except (PeerError, TrustError):
            continue  # whoever has the link alone can write here, but not with the code
        if found == joining:
            return True
        raise UsageError(
            "invitation_used",
            "another device has answered this invitation",
            hint="If it was not you, somebody else has link and code: tell the inviter at once.",
        )
    return False


def _over(why: str) -> UsageError:
    return invitation_over(
        why, "Ask to be invited anew. If it was you who joined, there is nothing more to do."
    )
