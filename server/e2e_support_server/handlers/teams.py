"""Founding a team, its public roster and freshness, the price of a mailbox, and the team's feed."""

from __future__ import annotations

from aiohttp import web

from e2e_support.wire import Batch, Found, Freshness
from e2e_support_server.guard import read_body
from e2e_support_server.handlers.http import CONTEXT, answer, numbers, team_of


async def found(request: web.Request) -> web.Response:
    """Answer ``POST /v1/teams``."""
    relay = request.app[CONTEXT]
    body = await read_body(request, Found.LIMIT, relay.config.limits.body_seconds)
    await relay.teams.found(body)
    return answer(status=201)


async def links(request: web.Request) -> web.Response:
    """Answer ``GET /v1/team/{team_id}/links``."""
    (start,) = numbers(request, "from")
    return answer(await request.app[CONTEXT].teams.links(team_of(request), start))


async def append_links(request: web.Request) -> web.Response:
    """Answer ``POST /v1/team/{team_id}/links``."""
    relay, team_id = request.app[CONTEXT], team_of(request)
    public, body = await relay.guard.carrier(request, team_id, Batch.LIMIT)
    await relay.rosters.append(team_id, public, body)
    return answer()


async def freshness(request: web.Request) -> web.Response:
    """Answer ``GET /v1/team/{team_id}/freshness``."""
    numbers(request)
    return answer(await request.app[CONTEXT].rosters.freshness(team_of(request)))


async def put_freshness(request: web.Request) -> web.Response:
    """Answer ``PUT /v1/team/{team_id}/freshness``: 202 for a statement that waits for signatures."""
    relay, team_id = request.app[CONTEXT], team_of(request)
    device, body = await relay.guard.device(request, team_id, Freshness.LIMIT)
    return answer(status=200 if await relay.rosters.put_freshness(team_id, device, body) else 202)


async def pending_freshness(request: web.Request) -> web.Response:
    """Answer ``GET /v1/team/{team_id}/freshness/pending``."""
    numbers(request)
    relay, team_id = request.app[CONTEXT], team_of(request)
    await relay.guard.team(request, team_id)
    return answer(await relay.rosters.pending(team_id))


async def boxes(request: web.Request) -> web.Response:
    """Answer ``GET /v1/team/{team_id}/boxes/{epoch}``."""
    numbers(request)
    epoch = int(request.match_info["epoch"])
    return answer(await request.app[CONTEXT].teams.package(team_of(request), epoch))


async def admission(request: web.Request) -> web.Response:
    """Answer ``GET /v1/team/{team_id}/admission``."""
    numbers(request)
    relay = request.app[CONTEXT]
    rules = relay.teams.team(team_of(request)).rules
    return answer(relay.admission.terms(rules, relay.clock()).to_bytes())


async def feed(request: web.Request) -> web.Response:
    """Answer ``GET /v1/team/{team_id}/feed``."""
    relay, team_id = request.app[CONTEXT], team_of(request)
    (after,) = numbers(request, "after")
    await relay.guard.team(request, team_id)
    return answer(await relay.teams.feed(team_id, after))
