"""The relay put together: what it consists of, its routes, and how it starts and stops."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from e2e_support.mailbox import ReceiptSigner
from e2e_support_server import keyfile
from e2e_support_server.admission import Admission
from e2e_support_server.bell import Bell
from e2e_support_server.blobs.base import Blobs as BlobStore
from e2e_support_server.blobs.files import BlobFiles
from e2e_support_server.clock import Clock, now
from e2e_support_server.config import Config
from e2e_support_server.guard import Guard
from e2e_support_server.handlers import bells, blobs, mailboxes, relay, teams
from e2e_support_server.handlers.http import CONTEXT, Context
from e2e_support_server.janitor import Janitor
from e2e_support_server.listener import Listening, listen
from e2e_support_server.log import Logger, make_logger
from e2e_support_server.screen import make_middleware
from e2e_support_server.service.blobs import Blobs
from e2e_support_server.service.erasure import Erasure
from e2e_support_server.service.mailboxes import Mailboxes
from e2e_support_server.service.rosters import Rosters
from e2e_support_server.service.teams import Teams
from e2e_support_server.storage.base import Store
from e2e_support_server.storage.sqlite import SqliteStore
from e2e_support_server.tokens import Sessions
from e2e_support_server.verifier import Verifier, processors

DATABASE = "relay.db"
BLOBS = "blobs"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MAILBOX = "/v1/mailboxes/{mailbox_id}"
_BLOB = _MAILBOX + "/blobs/{blob_id}"
_TEAM = "/v1/team/{team_id}"

ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/v1/relay", relay.info),
    ("POST", "/v1/teams", teams.found),
    ("GET", f"{_TEAM}/links", teams.links),
    ("POST", f"{_TEAM}/links", teams.append_links),
    ("GET", f"{_TEAM}/boxes/{{epoch}}", teams.boxes),
    ("GET", f"{_TEAM}/freshness", teams.freshness),
    ("PUT", f"{_TEAM}/freshness", teams.put_freshness),
    ("GET", f"{_TEAM}/freshness/pending", teams.pending_freshness),
    ("GET", f"{_TEAM}/admission", teams.admission),
    ("GET", f"{_TEAM}/feed", teams.feed),
    ("GET", f"{_TEAM}/bell", bells.team_bell),
    ("POST", "/v1/session", relay.begin_session),
    ("PUT", _MAILBOX, mailboxes.create),
    ("POST", f"{_MAILBOX}/entries", mailboxes.append),
    ("GET", f"{_MAILBOX}/entries", mailboxes.read),
    ("GET", f"{_MAILBOX}/bell", bells.mailbox_bell),
    ("POST", f"{_MAILBOX}/handback", mailboxes.hand_back),
    ("POST", f"{_MAILBOX}/destruction", mailboxes.destroy),
    ("GET", f"{_MAILBOX}/tombstone", mailboxes.tombstone),
    ("PUT", _BLOB, blobs.declare),
    ("GET", f"{_BLOB}/state", blobs.state),
    ("PUT", f"{_BLOB}/{{index}}", blobs.put_piece),
    ("GET", _BLOB, blobs.read),
)
"""Protocol section 9, in its order; a test compares the two."""

_SHAPES = {
    "mailbox_id": "[A-Za-z0-9_-]{22}",
    "blob_id": "[A-Za-z0-9_-]{22}",
    "team_id": "[A-Za-z0-9_-]{43}",
    "epoch": "(?:0|[1-9][0-9]{0,8})",
    "index": "(?:0|[1-9][0-9]{0,8})",
}


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay's parts.

    Attributes:
        config: its settings.
        store: its database.
        files: its blobs.
        verifier: verifies its requests.
        context: what handlers reach.
        janitor: removes what nobody came back for.
        logger: its log.
    """

    config: Config
    store: Store
    files: BlobStore
    verifier: Verifier
    context: Context
    janitor: Janitor
    logger: Logger

    async def close(self) -> None:
        """Finish what was accepted and let go of the data."""
        await self.verifier.close()
        await self.files.close()
        await self.store.close()


async def open_relay(config: Config, *, clock: Clock = now, logger: Logger | None = None) -> Relay:
    """Return a relay on its data directory, made ready if it is new; ``close`` it in the end."""
    logger = logger or make_logger(config.log_level, clock)
    signer = prepare(config)
    store = make_store(config, signer, clock)
    await store.open()
    bell = Bell(most=config.limits.listeners, most_each=config.limits.listeners_each)
    files = BlobFiles(config.data / BLOBS)
    team_service = Teams(store, clock)
    await team_service.load()
    admission = Admission(config.limits)
    verifier = Verifier(
        helper=bool(config.helper) and processors() > 1, waiting_most=config.limits.writes_waiting
    )
    sessions = Sessions()
    boxes = Mailboxes(store, team_service, admission, bell, clock, config.limits)
    erasure = Erasure(store, files, team_service, boxes, bell, clock)
    context = Context(
        config=config,
        clock=clock,
        relay_key=signer.public,
        guard=Guard(boxes, team_service, sessions, verifier, clock, config.limits),
        bell=bell,
        admission=admission,
        teams=team_service,
        rosters=Rosters(store, team_service, clock, ended=(sessions.end, bell.end)),
        mailboxes=boxes,
        erasure=erasure,
        blobs=Blobs(store, files, team_service, clock, config.limits),
    )
    janitor = Janitor(store, files, boxes, erasure, clock, logger)
    return Relay(config, store, files, verifier, context, janitor, logger)


def prepare(config: Config) -> ReceiptSigner:
    """Make the data directory ready and return what signs receipts."""
    keyfile.make_directory(config.data)
    keyfile.make_directory(config.data / BLOBS)
    return ReceiptSigner(keyfile.load_key(config.data))


def make_store(config: Config, signer: ReceiptSigner, clock: Clock) -> Store:
    """Return the store of a data directory, not yet open."""
    return SqliteStore(
        config.data / DATABASE,
        signer,
        clock,
        entry_bytes=config.limits.entry_bytes,
        waiting_most=config.limits.writes_waiting,
    )


def make_app(opened: Relay, authorities: frozenset[str]) -> web.Application:
    """Return the web application of a relay that answers to the given names."""
    app = web.Application(middlewares=[make_middleware(authorities, opened.logger)])
    app[CONTEXT] = opened.context
    for method, path, handler in ROUTES:
        app.router.add_route(method, _shaped(path), handler)
    return app


def _shaped(path: str) -> str:
    """Write the shape of every placeholder into a path, so that nothing else matches."""
    for name, shape in _SHAPES.items():
        path = path.replace(f"{{{name}}}", f"{{{name}:{shape}}}")
    return path


@asynccontextmanager
async def serving(
    config: Config, *, clock: Clock = now, logger: Logger | None = None
) -> AsyncGenerator[tuple[Relay, Listening]]:
    """Run a relay; leaving the block stops it gracefully.

    New connections are refused first, then streams are told ``bye``, requests in flight finished, and the
    writer drained.

    Raises:
        UsageError: ``in_use`` while another relay serves from the data directory.
    """
    prepare(config)
    locked = keyfile.lock(config.data)
    try:
        opened = await open_relay(config, clock=clock, logger=logger)
        try:
            async with listen(config, lambda names: make_app(opened, names)) as listening:
                cleaning = asyncio.create_task(opened.janitor.run())
                try:
                    yield opened, listening
                finally:
                    cleaning.cancel()
                    listening.stop_accepting()
                    opened.context.bell.close()
        finally:
            await opened.close()
    finally:
        os.close(locked)
