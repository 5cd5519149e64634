"""Founds a team so that a kill at any moment loses nothing: what was made is kept before the relay is told.

The genesis waits in the local store, which opens only with the keys of the keystore. A second run finds both and
finishes the same team, whether or not the relay had heard of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e_support.errors import PeerError, UsageError
from e2e_support.ids import TeamId
from e2e_support.mailbox import relay_key_id
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT
from e2e_support.roster import begin_batch
from e2e_support.support_link import SupportLink
from e2e_support.wire import Batch, Found
from e2e_support_client import clock
from e2e_support_client.port import Refused, RelayPort
from e2e_support_console.desk import Desk
from e2e_support_console.index import bytes_of, forget, open_index, remember
from e2e_support_console.invites import try_door
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.ceremony import found_team
from e2e_support_keys.keystore import Keystore
from e2e_support_keys.rehearsal import rehearse
from e2e_support_keys.store import Queries, Store, delete_store

STORE_NAME: Final = "console.db"
_FOUNDING: Final = "founding"


@dataclass(frozen=True, slots=True)
class NewTeam:
    """What a founder decides.

    Attributes:
        url: origin of the relay.
        name: of the team, as users see it.
        owner: name of the founder, as users see it.
        languages: tags of the languages that the founder answers in.
        policy: the instance policy.
    """

    url: str
    name: str
    owner: str
    languages: tuple[str, ...] = ()
    policy: Policy = DEFAULT


def load_device(keystore: Keystore) -> DeviceBundle | None:
    """Return an administrator device's keys, if there are any.

    Raises:
        UsageError: ``not_a_device`` for a user's keys, or what the keystore raises.
    """
    bundle = keystore.load()
    if bundle is None or isinstance(bundle, DeviceBundle):
        return bundle
    raise UsageError(
        "not_a_device", "these are the keys of a user, not of an administrator", hint="Choose another place."
    )


async def found(
    relay: RelayPort, wanted: NewTeam, code: str, keystore: Keystore, state_dir: Path
) -> tuple[DeviceBundle, Store]:
    """Found a team, or finish the one that an earlier run began; return its keys and the open store.

    Args:
        relay: the relay.
        wanted: what the team is to be; an unfinished one stays what it was.
        code: the relay's one-time code.
        keystore: where the keys are kept.
        state_dir: where the store is.

    Raises:
        UsageError: ``team_exists``, ``other_relay``, ``Refused`` ``code_refused``, or what the keystore raises.
        TrustError, PeerError: the keys do not work, or the relay is none or another one (``other_relay_key``).
        TransportError: the relay is away; what was made is kept, run it again.
    """
    bundle = load_device(keystore) or await _make(relay, wanted, keystore, state_dir)
    store = await open_index(state_dir / STORE_NAME, bundle.store_key)
    try:
        await _tell(relay, wanted.url, bundle, await bytes_of(store, _FOUNDING), code)
    except BaseException:
        await store.close()
        raise
    return bundle, store


async def confirm(desk: Desk) -> None:
    """See that the relay serves this very team, signs with its key, and that its tickets open here; then it is founded.

    Raises:
        TrustError, PeerError: the relay serves something else or signs with another key than the genesis says
            (``bad_receipt``), or a test ticket does not open.
    """
    await desk.team.refresh()
    rehearse(desk.roster, desk.team.keys, desk.bundle.signer(), clock.random)
    await try_door(desk)
    async with desk.store.transaction() as change:
        await forget(change, _FOUNDING)


async def require_finished(queries: Queries) -> None:
    """Do nothing if the store holds no team that the relay may not know yet.

    Raises:
        UsageError: ``team_unfinished``.
    """
    if await bytes_of(queries, _FOUNDING):
        raise UsageError(
            "team_unfinished",
            "the relay may not know this team yet",
            hint="Run `e2e-admin team create` once more; it finishes the same team.",
        )


async def _make(relay: RelayPort, wanted: NewTeam, keystore: Keystore, state_dir: Path) -> DeviceBundle:
    """Make keys and genesis and keep both: the genesis first, since without the keys it is nothing."""
    founded = found_team(
        wanted.name,
        wanted.owner,
        relay_url=wanted.url,
        relay_key=(await relay.info()).relay_key,
        policy=wanted.policy,
        now=clock.now(),
        random=clock.random,
        languages=wanted.languages,
    )
    place = state_dir / STORE_NAME
    delete_store(place)  # what stands there opens with no keys that are left
    batch = Batch((founded.genesis,), (founded.package,))
    async with await open_index(place, founded.bundle.store_key) as store, store.transaction() as change:
        await remember(change, _FOUNDING, batch.to_bytes())
    keystore.save(founded.bundle)
    return founded.bundle


async def _tell(relay: RelayPort, url: str, bundle: DeviceBundle, batch: bytes, code: str) -> None:
    """Post the genesis with the code, unless the relay has it: a code works once, and an answer can be lost."""
    pin = SupportLink.parse(bundle.link)
    if not batch:
        raise UsageError(
            "team_exists", "there is a team here already", hint="`e2e-admin link` shows its support link."
        )
    if pin.url != url:
        raise UsageError(
            "other_relay",
            f"an unfinished team for {pin.url} is here",
            hint="Finish that one, or use another home.",
        )
    await _require_stated_key(relay, Batch.from_bytes(batch))
    if not await _is_known(relay, pin.team_id):
        await relay.found(Found(code, Batch.from_bytes(batch)))


async def _require_stated_key(relay: RelayPort, founding: Batch) -> None:
    """Do nothing if the relay still states the key in the genesis: users take receipts under no other."""
    if relay_key_id((await relay.info()).relay_key) not in begin_batch(founding).current_relay_keys:
        raise PeerError(
            "other_relay_key",
            "the relay states another key than this team was made for",
            hint="It was set up anew, or somebody stands between you and it. Ask whoever runs it; then found the "
            "team from another --home.",
        )


async def _is_known(relay: RelayPort, team_id: TeamId) -> bool:
    try:
        return (await relay.links(team_id, 0)).length > 0
    except Refused as refused:
        if refused.code != "not_found":
            raise
        return False
