"""Makes this device an owner with what stands on paper: keys made here and kept before the relay is told.

A kill at any moment loses nothing: a second run finds the keys and adds the same device (protocol 4.12).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from e2e_support.errors import TransportError, UsageError
from e2e_support.support_link import SupportLink
from e2e_support_client import clock
from e2e_support_client.channel import ATTEMPTS_MAX
from e2e_support_client.port import Refused, RelayPort
from e2e_support_client.roster_sync import RosterSync
from e2e_support_console.founding import STORE_NAME, load_device
from e2e_support_console.index import bytes_of, open_index, remember, save_links
from e2e_support_console.key_care import fetch_packages
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.keystore import Keystore
from e2e_support_keys.recovery import read_secret, recover, recovery_device
from e2e_support_keys.store import delete_store

_RECOVERING: Final = "recovering"


async def recover_team(
    relay: RelayPort, pin: SupportLink, texts: Sequence[str], name: str, keystore: Keystore, state_dir: Path
) -> None:
    """Add this device to the team as an owner.

    Args:
        relay: the relay that the link names.
        pin: the support link.
        texts: 24 words, or enough shares.
        name: how colleagues are to see the new owner.
        keystore: where this device's keys are kept.
        state_dir: directory of the local store.

    Raises:
        UsageError: ``bad_phrase``, ``bad_share``, ``too_few_shares``, ``not_recovery``, ``team_exists``.
        TransportError: the relay is away, or ``busy_team``; what was made is kept, run it again.
        TrustError, PeerError: relay or team are not as they must be.
    """
    secret = read_secret(texts)
    _, key = recovery_device(secret).signer()
    team = RosterSync(relay, pin)
    for _ in range(ATTEMPTS_MAX):
        await team.refresh()
        *older, newest = await fetch_packages(relay, team.roster)
        known = load_device(keystore)
        bundle = known or DeviceBundle.fresh(name, clock.random, link=pin.format())
        if bundle.device_id in team.roster.devices:
            return
        batch = recover(
            *(team.roster, secret, newest, bundle), older=older, now=clock.now(), random=clock.random
        )
        await (
            _require_unfinished(known, state_dir) if known else _keep(bundle, keystore, state_dir, team.links)
        )
        try:
            await relay.post_links(pin.team_id, batch, key)
        except Refused as refused:
            if refused.code != "head_moved":
                raise
        else:
            return
    raise TransportError(
        "busy_team", "others change the team faster than this", hint="Try again in a minute."
    )


async def _keep(bundle: DeviceBundle, keystore: Keystore, state_dir: Path, links: Sequence[bytes]) -> None:
    """Keep keys that work: the store first, since without the keys it is nothing."""
    place = state_dir / STORE_NAME
    delete_store(place)
    async with await open_index(place, bundle.store_key) as store, store.transaction() as change:
        await save_links(change, links)
        await remember(change, _RECOVERING, b"\x01")
    keystore.save(bundle)


async def _require_unfinished(bundle: DeviceBundle, state_dir: Path) -> None:
    async with await open_index(state_dir / STORE_NAME, bundle.store_key) as store:
        if not await bytes_of(store, _RECOVERING):
            raise UsageError(
                "team_exists", "there is a team here already", hint="Use another --home for a recovery."
            )
