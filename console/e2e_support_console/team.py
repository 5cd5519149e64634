"""How an administrator's device comes to a team: by founding it, unlocking what is here, joining, or recovering."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Self

from e2e_support.errors import TransportError, UsageError
from e2e_support.invitation import Invitation
from e2e_support.policy import Policy
from e2e_support.presets import DEFAULT, preset_named
from e2e_support.support_link import SupportLink
from e2e_support_client.port import RelayPort
from e2e_support_client.transport import HttpRelay
from e2e_support_console.desk import Desk
from e2e_support_console.founding import STORE_NAME, NewTeam, confirm, found, load_device, require_finished
from e2e_support_console.index import open_index
from e2e_support_console.joining import join
from e2e_support_console.key_care import recovery_texts
from e2e_support_console.recovering import recover_team
from e2e_support_console.renewal import renew
from e2e_support_console.team_sync import TeamSync
from e2e_support_console.unlocked_team import UnlockedTeam
from e2e_support_keys.keystore import FileKeystore, Keystore

PathLike = str | os.PathLike[str]


class TeamClient(UnlockedTeam):
    """An administrator's client. Make one with ``create`` or ``unlock`` and use it in ``async with``.

    Only one process can have a state directory open. The keystore may block on a person and on half a second of
    key derivation. With ``auto_lock`` the keys are dropped and the store is closed once no call has run for that
    long: every later call raises ``UsageError`` ``locked``, and a fresh ``unlock`` opens the team again.
    """

    @classmethod
    async def create(  # noqa: PLR0913 - each is the founder's to say
        cls,
        relay_url: str,
        *,
        name: str,
        owner: str,
        bootstrap_code: str,
        keystore: Keystore,
        state_dir: PathLike,
        languages: Iterable[str] = (),
        preset: str = DEFAULT.preset,
        policy: Policy | None = None,
        auto_lock: timedelta | None = None,
        relay: RelayPort | None = None,
    ) -> Self:
        """Found a team on a relay, and check that a test ticket opens. Run again, it finishes what was begun.

        Args:
            relay_url: origin of the relay, ``https://host[:port]``.
            name: of the team, as users see it.
            owner: name of the founder, as users see it.
            bootstrap_code: the one-time code that ``e2e-relay bootstrap`` printed.
            keystore: where this device's keys are kept, before the relay is told.
            state_dir: directory of the local encrypted store.
            languages: tags of the languages that the founder answers in.
            preset: name of the ready-made policy to begin with.
            policy: the instance policy, instead of a ready-made one.
            auto_lock: drop the keys after so long without a call.
            relay: speaks to the relay instead of HTTP, for tests.

        Raises:
            UsageError: ``team_exists``, ``other_relay``, ``code_refused``, ``bad_link``, ``store_locked``,
                ``no_preset`` …
            TransportError: the relay is away; what was made is kept.
            TrustError, PeerError: the relay served something else back, or a test ticket does not open.
        """
        url = relay_url.strip().rstrip("/")
        wanted = NewTeam(url, name, owner, tuple(languages), policy or preset_named(preset))
        async with AsyncExitStack() as stack:
            port = _connected(stack, relay, url)
            bundle, store = await found(port, wanted, bootstrap_code, keystore, Path(state_dir))
            await stack.enter_async_context(store)
            desk = Desk(bundle, port, store, await TeamSync.load(port, bundle, store))
            await confirm(desk)
            with suppress(TransportError):  # the next sync does it
                await renew(desk)
            return cls._opened(desk, stack, keystore, auto_lock)

    @classmethod
    async def unlock(
        cls,
        keystore: Keystore,
        state_dir: PathLike,
        *,
        auto_lock: timedelta | None = None,
        relay: RelayPort | None = None,
    ) -> Self:
        """Open this device's keys and store; the relay is not asked for anything yet.

        Args:
            keystore: where the keys are.
            state_dir: directory of the local encrypted store; a missing store is filled again by ``sync``.
            auto_lock: drop the keys after so long without a call.
            relay: speaks to the relay instead of HTTP, for tests.

        Raises:
            UsageError: ``no_keys``, ``wrong_passphrase``, ``store_locked``, ``team_unfinished`` …
            TrustError: what was kept does not verify any more.
        """
        bundle = load_device(keystore)
        if bundle is None:
            raise UsageError(
                "no_keys",
                "there is no team here yet",
                hint="Found one with `e2e-admin team create`, `join` one with an invitation, or `recover` yours.",
            )
        async with AsyncExitStack() as stack:
            port = _connected(stack, relay, SupportLink.parse(bundle.link).url)
            store = await stack.enter_async_context(
                await open_index(Path(state_dir) / STORE_NAME, bundle.store_key)
            )
            await require_finished(store)
            desk = Desk(bundle, port, store, await TeamSync.load(port, bundle, store))
            return cls._opened(desk, stack, keystore, auto_lock)

    @staticmethod
    async def join(
        link: str,
        *,
        code: str,
        keystore: Keystore,
        state_dir: PathLike,
        languages: Iterable[str] = (),
        relay: RelayPort | None = None,
    ) -> tuple[str, ...]:
        """Hand in this device to an invitation; once an owner has approved it, ``unlock`` opens the team.

        Args:
            link: the invitation's link.
            code: its code, which came another way.
            keystore: where this device's keys are kept.
            state_dir: directory of the local encrypted store.
            languages: tags of the languages that the newcomer answers in.
            relay: speaks to the relay instead of HTTP, for tests.

        Returns:
            Words that the newcomer reads out to the inviter.

        Raises:
            UsageError: ``bad_invitation``, ``wrong_code``, ``invitation_over``, ``invitation_used``, ``team_exists``.
            TrustError, PeerError: the relay does not serve the team that the invitation pins.
            TransportError: the relay is away; what was made is kept.
        """
        invitation = Invitation.parse(link, code)
        async with AsyncExitStack() as stack:
            port = _connected(stack, relay, invitation.team.url)
            return await join(port, invitation, keystore, Path(state_dir), tuple(languages))

    @classmethod
    async def recover(
        cls,
        link: str,
        typed: str,
        *,
        name: str,
        keystore: Keystore,
        state_dir: PathLike,
        auto_lock: timedelta | None = None,
        relay: RelayPort | None = None,
    ) -> Self:
        """Make this device an owner with what stands on the recovery sheets.

        Args:
            link: the team's support link.
            typed: 24 words, or enough shares.
            name: how colleagues are to see the new owner.
            keystore: where this device's keys are kept.
            state_dir: directory of the local encrypted store.
            auto_lock: drop the keys after so long without a call.
            relay: speaks to the relay instead of HTTP, for tests.

        Raises:
            UsageError: ``bad_phrase``, ``bad_share``, ``too_few_shares``, ``not_recovery``, ``team_exists``.
            TransportError: the relay is away; what was made is kept, run it again.
            TrustError, PeerError: relay or team are not as they must be.
        """
        pin, texts = SupportLink.parse(link), recovery_texts(typed)
        async with AsyncExitStack() as stack:
            port = _connected(stack, relay, pin.url)
            await recover_team(port, pin, texts, name, keystore, Path(state_dir))
        return await cls.unlock(keystore, state_dir, auto_lock=auto_lock, relay=relay)

    @classmethod
    def _opened(
        cls, desk: Desk, stack: AsyncExitStack, keystore: Keystore, auto_lock: timedelta | None
    ) -> Self:
        if auto_lock is not None and isinstance(keystore, FileKeystore):
            stack.callback(keystore.forget)
        return cls(desk, stack.pop_all(), auto_lock)


def _connected(stack: AsyncExitStack, relay: RelayPort | None, url: str) -> RelayPort:
    port = relay or HttpRelay(url)
    stack.push_async_callback(port.close)
    return port
