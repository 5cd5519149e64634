"""`SupportClient`: end-to-end encrypted support tickets for the users of an application."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypedDict

import platformdirs

from e2e_support.errors import UsageError
from e2e_support.support_link import SupportLink
from e2e_support_client.archive.own import export_own
from e2e_support_client.assembly import KEYS_FILE, Settings
from e2e_support_client.context import Consent
from e2e_support_client.debug import redact
from e2e_support_client.debug.collectors import Collector
from e2e_support_client.debug.report import DebugReport
from e2e_support_client.delivery import OnState, no_progress
from e2e_support_client.guard import OnSecret
from e2e_support_client.known_team import KnownTeam
from e2e_support_client.model import OnProgress
from e2e_support_client.news import News
from e2e_support_client.outbox import Outbox
from e2e_support_client.own_keys import OwnKeys
from e2e_support_client.people import Profile
from e2e_support_client.port import RelayPort
from e2e_support_client.retry import DEFAULT_RETRY, RetryPolicy
from e2e_support_client.tickets import Tickets
from e2e_support_client.transport import TIMEOUT
from e2e_support_keys.keystore import FileKeystore, Keystore
from e2e_support_keys.passphrase import passphrase_from_environment


class ClientOptions(TypedDict, total=False):
    """The options of ``SupportClient`` by name, for wrappers."""

    keystore: Keystore | None
    state_dir: str | os.PathLike[str] | None
    profile: Profile | None
    collectors: Sequence[Collector]
    redactors: Sequence[redact.Redactor]
    consent: Consent | None
    on_secret: OnSecret | None
    proxy: str | None
    timeout: timedelta
    retry: RetryPolicy
    relay: RelayPort | None
    lock_wait: timedelta
    on_state: OnState
    accept_stale: bool
    auto_lock: timedelta | None


class SupportClient(OwnKeys, KnownTeam, News):
    """One user of an application on one team; an asynchronous context manager, safe to keep open.

    Keys are made when it is first entered. Nothing else happens before something is asked of it.

    Args:
        link: the support link that the administrators publish; ``None`` for the one that the keys belong to.
        keystore: where the user's keys are kept; by default a file in ``state_dir``, locked by a passphrase that
            is asked for on the terminal or read from the file that ``E2ES_PASSPHRASE_FILE`` names.
        state_dir: directory of the encrypted store; one per user and team. By default one for the team in the
            user's data directory.
        profile: what the host tells the administrators of its user.
        collectors: what ``collect`` gathers.
        redactors: what is taken out of debug data.
        consent: shows a debug report to the person and returns their answer; without it only a report that was
            previewed can be sent.
        on_secret: asks the person what to do about text that looks like a password or key; without it texts are
            left as they are.
        proxy: ``http://host:port``; the environment is not asked.
        timeout: within which the relay must answer.
        retry: how often it is asked again.
        relay: another way to the relay, for tests; it is not closed.
        lock_wait: how long to wait for another process that has the store open.
        on_state: told how a delivery goes on, for tests.
        accept_stale: send although nobody vouches for the list of administrators, where the policy allows it.
        auto_lock: drop the keys and close the store once no call has run for so long; event streams end then,
            later calls raise ``UsageError`` ``locked``, and ``unlock`` opens both again.

    Raises:
        UsageError: ``bad_link``, ``bad_proxy``, or ``no_state_dir`` without link and directory.
    """

    def __init__(  # noqa: PLR0913 - options by keyword
        self,
        link: str | None,
        *,
        keystore: Keystore | None = None,
        state_dir: str | os.PathLike[str] | None = None,
        profile: Profile | None = None,
        collectors: Sequence[Collector] = (),
        redactors: Sequence[redact.Redactor] = redact.DEFAULT,
        consent: Consent | None = None,
        on_secret: OnSecret | None = None,
        proxy: str | None = None,
        timeout: timedelta = TIMEOUT,
        retry: RetryPolicy = DEFAULT_RETRY,
        relay: RelayPort | None = None,
        lock_wait: timedelta = timedelta(0),
        on_state: OnState = lambda _: None,
        accept_stale: bool = False,
        auto_lock: timedelta | None = None,
    ) -> None:
        pin = SupportLink.parse(link) if link is not None else None
        folder = _folder(state_dir, pin)
        super().__init__(
            Settings(
                pin,
                keystore or FileKeystore(folder / KEYS_FILE, _ask),
                folder,
                profile or Profile(),
                tuple(collectors),
                tuple(redactors),
                consent,
                on_secret,
                proxy,
                timeout,
                retry,
                relay,
                lock_wait,
                on_state,
                accept_stale,
                auto_lock,
            )
        )

    @property
    def tickets(self) -> Tickets:
        """What the user can do with tickets."""
        return self._counted(Tickets(self._context))

    @property
    def outbox(self) -> Outbox:
        """What is kept on this device because it is not stored yet."""
        return self._counted(self._context.outbox)

    async def export(
        self,
        target: str | os.PathLike[str],
        *numbers: str,
        attachments: bool = True,
        force: bool = False,
        on_progress: OnProgress = no_progress,
    ) -> int:
        """Write tickets into one file that anybody can read and verify offline; return how many.

        They leave with what the relay has now if it can be reached. The file is a ZIP with pages for people and
        signed sheets for ``check_export`` (protocol 5.11). All of it is in the clear; keys of tickets are not in it.

        Args:
            target: the file to make.
            numbers: which tickets; all by default.
            attachments: whether their files go with them.
            force: whether an existing file is replaced.
            on_progress: told after every ticket.

        Raises:
            UsageError: ``unknown_ticket``, ``not_stored``, ``not_a_ticket``, ``no_tickets``, ``file_exists``,
                ``cannot_write``.
            SupportError: a file could not be fetched; nothing was written.
        """
        context = self._context
        return await export_own(
            context, Path(target), numbers, on_progress, attachments=attachments, force=force
        )

    def collect(self, *extra: Collector) -> DebugReport:
        """Return debug data from the configured collectors and these; nothing leaves the device by this.

        Args:
            extra: further collectors, for this report only.
        """
        found = (field for collector in (*self._settings.collectors, *extra) for field in collector())
        return DebugReport(redact.redact(field, self._settings.redactors) for field in found)


def _folder(state_dir: str | os.PathLike[str] | None, pin: SupportLink | None) -> Path:
    if state_dir is not None:
        return Path(state_dir).expanduser()
    if pin is None:
        raise UsageError("no_state_dir", "without a link the directory must be named")
    return platformdirs.user_data_path("e2e-support") / pin.team_id.hex()[:16]


def _ask() -> str:
    return passphrase_from_environment("Passphrase for your support keys: ")
