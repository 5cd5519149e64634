"""Creating, appending to, reading, restoring and destroying mailboxes."""

from __future__ import annotations

from aiohttp import web

from e2e_support.destruction import Destruction
from e2e_support.wire import Append, Create, Page
from e2e_support_server.handlers.http import CONTEXT, answer, made, mailbox_of, numbers


async def create(request: web.Request) -> web.Response:
    """Answer ``PUT /v1/mailboxes/{mailbox_id}``."""
    relay, mailbox_id = request.app[CONTEXT], mailbox_of(request)
    public, body = await relay.guard.create(request, mailbox_id, Create.LIMIT)
    return made(await relay.mailboxes.create(mailbox_id, public, body, _address(request)))


async def append(request: web.Request) -> web.Response:
    """Answer ``POST /v1/mailboxes/{mailbox_id}/entries``."""
    relay = request.app[CONTEXT]
    permit = await relay.guard.write(request, mailbox_of(request), Append.LIMIT)
    return answer(await relay.mailboxes.append(permit.mailbox, permit.writer, permit.body))


async def read(request: web.Request) -> web.Response:
    """Answer ``GET /v1/mailboxes/{mailbox_id}/entries``."""
    relay = request.app[CONTEXT]
    (start,) = numbers(request, "from")
    permit = await relay.guard.read(request, mailbox_of(request))
    return answer(await relay.mailboxes.page(permit.mailbox, start))


async def hand_back(request: web.Request) -> web.Response:
    """Answer ``POST /v1/mailboxes/{mailbox_id}/handback``."""
    relay = request.app[CONTEXT]
    permit = await relay.guard.write(request, mailbox_of(request), Page.LIMIT)
    return answer(await relay.mailboxes.hand_back(permit.mailbox, permit.body))


async def destroy(request: web.Request) -> web.Response:
    """Answer ``POST /v1/mailboxes/{mailbox_id}/destruction``."""
    relay = request.app[CONTEXT]
    permit = await relay.guard.write(request, mailbox_of(request), Destruction.LIMIT, erased=True)
    await relay.erasure.carry_out(permit.mailbox, permit.body)
    return answer()


async def tombstone(request: web.Request) -> web.Response:
    """Answer ``GET /v1/mailboxes/{mailbox_id}/tombstone``."""
    numbers(request)
    relay = request.app[CONTEXT]
    permit = await relay.guard.read(request, mailbox_of(request), erased=True)
    return answer(await relay.erasure.tombstone(permit.mailbox))


def _address(request: web.Request) -> str:
    """Return where a request comes from: the peer, or the last hop that the operator's own proxy names."""
    header = request.app[CONTEXT].config.address_header
    named = request.headers.get(header, "") if header else ""
    return named.rpartition(",")[2].strip() or request.remote or ""
