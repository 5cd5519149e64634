"""`BlockingSupportClient`: the same names without ``await``, for scripts, Django views and worker threads.

Everything runs on one event loop in one thread of its own. The methods are made from the asynchronous ones with
their types and documentation, so that the two cannot drift apart.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, Unpack

from e2e_support.errors import UsageError
from e2e_support.policy import Policy
from e2e_support_client.client import ClientOptions, SupportClient
from e2e_support_client.debug.collectors import Collector
from e2e_support_client.debug.report import DebugReport
from e2e_support_client.model import Event, Message
from e2e_support_client.outbox import Outbox
from e2e_support_client.people import TeamInfo
from e2e_support_client.tickets import Tickets

P = ParamSpec("P")
R = TypeVar("R")
A_co = TypeVar("A_co", covariant=True)


class LoopThread:
    """An event loop in a thread; started by the first wait, stopped by ``close``."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._starting = threading.Lock()

    def wait(self, work: Coroutine[Any, Any, R]) -> R:
        """Run work on the loop and return its result; interrupting the wait cancels the work.

        Raises:
            UsageError: ``would_block`` when a callback of this client waits for the client itself; ``forked``.
        """
        try:
            loop = self._started()
        except UsageError:
            work.close()
            raise
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Stop the loop and its thread."""
        with self._starting:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None and thread is not None and os.getpid() == self._pid:
            asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        if os.getpid() != self._pid:
            raise UsageError("forked", "this client was made before a fork", hint="Make one in each process.")
        if threading.current_thread() is self._thread:
            raise UsageError(
                "would_block", "a callback must not wait for the client", hint="Do it after the callback."
            )
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="e2e-support", daemon=True
                )
                self._thread.start()
            return self._loop


class Blocking(Generic[A_co]):
    """Something asynchronous together with the loop that it runs on."""

    def __init__(self, inner: A_co, loop: LoopThread) -> None:
        self.inner = inner
        self.loop = loop


def blocking(
    method: Callable[Concatenate[A_co, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Blocking[A_co], P], R]:
    """Return a method that waits for an asynchronous one of the same name."""
    name = getattr(method, "__name__")  # noqa: B009 - a callable need not have one

    @functools.wraps(method)
    def call(self: Blocking[A_co], /, *args: P.args, **kwargs: P.kwargs) -> R:
        work: Coroutine[Any, Any, R] = getattr(self.inner, name)(*args, **kwargs)  # as the client counts it
        return self.loop.wait(work)

    return call


class BlockingTickets(Blocking[Tickets]):
    """``Tickets`` without ``await``."""

    create = blocking(Tickets.create)
    reply = blocking(Tickets.reply)
    close = blocking(Tickets.close)
    reopen = blocking(Tickets.reopen)
    follow_up = blocking(Tickets.follow_up)
    mark_read = blocking(Tickets.mark_read)
    counts = blocking(Tickets.counts)
    hide = blocking(Tickets.hide)
    unhide = blocking(Tickets.unhide)
    stakes = blocking(Tickets.stakes)
    erase = blocking(Tickets.erase)
    erased = blocking(Tickets.erased)
    card = blocking(Tickets.card)
    timeline = blocking(Tickets.timeline)
    list = blocking(Tickets.list)
    get = blocking(Tickets.get)
    download = blocking(Tickets.download)

    def messages(self, number: str) -> Iterator[Message]:
        """Yield what was said in a ticket, in order; otherwise as ``get``."""
        yield from self.get(number).messages


class BlockingOutbox(Blocking[Outbox]):
    """``Outbox`` without ``await``."""

    list = blocking(Outbox.list)
    flush = blocking(Outbox.flush)
    retry = blocking(Outbox.retry)
    discard = blocking(Outbox.discard)


class BlockingSupportClient(Blocking[SupportClient]):
    """``SupportClient`` without ``await``; a context manager that may be used from any thread.

    Callbacks (progress, consent, secrets) are called on the client's own thread.

    Args:
        link: as for ``SupportClient``, likewise the options.
        options: as for ``SupportClient``.
    """

    register = blocking(SupportClient.register)
    unlock = blocking(SupportClient.unlock)
    restore = blocking(SupportClient.restore)
    new_keys = blocking(SupportClient.new_keys)
    verify_team = blocking(SupportClient.verify_team)
    known_team = blocking(SupportClient.known_team)
    confirm_team = blocking(SupportClient.confirm_team)
    team_news = blocking(SupportClient.team_news)
    proofs = blocking(SupportClient.proofs)
    news = blocking(SupportClient.news)
    notifications = blocking(SupportClient.notifications)
    mark_notifications_read = blocking(SupportClient.mark_notifications_read)
    today = blocking(SupportClient.today)
    export = blocking(SupportClient.export)

    def __init__(self, link: str | None, **options: Unpack[ClientOptions]) -> None:
        super().__init__(SupportClient(link, **options), LoopThread())

    def __enter__(self) -> Self:
        """Open keys and store; errors as in ``SupportClient.__aenter__``."""
        try:
            self.loop.wait(self.inner.__aenter__())
        except BaseException:
            self.loop.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections, store and thread; what is kept in the outbox stays there."""
        try:
            self.loop.wait(self.inner.close())
        finally:
            self.loop.close()

    @property
    def tickets(self) -> BlockingTickets:
        """What the user can do with tickets."""
        return BlockingTickets(self.inner.tickets, self.loop)

    @property
    def outbox(self) -> BlockingOutbox:
        """What is kept on this device because it is not stored yet."""
        return BlockingOutbox(self.inner.outbox, self.loop)

    @property
    def team(self) -> TeamInfo:
        """What was last verified of the team."""
        return self.inner.team

    @property
    def policy(self) -> Policy:
        """The team's signed rules."""
        return self.inner.policy

    @property
    def offline(self) -> str:
        """Why the last look at the relay failed; empty if it did not."""
        return self.inner.offline

    def collect(self, *extra: Collector) -> DebugReport:
        """Return debug data from the configured collectors and these; nothing leaves the device by this."""
        return self.inner.collect(*extra)

    @contextmanager
    def events(self, *, since: str | None = None, ticket: str | None = None) -> Generator[Iterator[Event]]:
        """Follow what happens; each step of the iterator waits for the next event.

        Args:
            since: as for ``SupportClient.events``.
            ticket: as for ``SupportClient.events``.
        """
        opened = self.inner.events(since=since, ticket=ticket)
        events = self.loop.wait(opened.__aenter__())
        try:
            yield self._each(events)
        finally:
            self.loop.wait(_left(opened.__aexit__(None, None, None)))

    def _each(self, events: AsyncIterator[Event]) -> Iterator[Event]:
        while True:
            try:
                yield self.loop.wait(_next(events))
            except StopAsyncIteration:
                return


async def _next(events: AsyncIterator[Event]) -> Event:
    return await anext(events)


async def _left(leaving: Coroutine[Any, Any, bool | None]) -> None:
    await leaving
