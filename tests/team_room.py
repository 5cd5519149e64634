"""A team of several administrators, each with a console and a home of their own, for tests that tell a story.

crew = TeamRoom(tmp_path)
anna = await crew.found("Anna")
ben = await crew.add(anna, "Ben", Role.AGENT)
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from console_room import Room
from e2e_support.vocab import Role
from e2e_support_client.port import RelayPort
from e2e_support_console.team import TeamClient
from e2e_support_keys.keystore import MemoryKeystore


class TeamRoom(Room):
    """A room with further consoles; every one that was opened is closed at the end.

    Attributes:
        keystores: everybody's keys by name.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder / "home", **settings)  # type: ignore[arg-type]
        self._folder = folder
        self._open = AsyncExitStack()
        self.keystores: dict[str, MemoryKeystore] = {}

    async def start(self, owner: str = "Anna") -> TeamClient:
        """Found the team and return its founder's console."""
        self.keystores[owner] = self.keystore
        return await self._open.enter_async_context(await self.found(owner=owner))

    async def add(
        self,
        inviter: TeamClient,
        name: str,
        role: Role = Role.AGENT,
        *,
        history: bool = True,
        device: bool = False,
    ) -> TeamClient:
        """Let somebody be invited, join and be approved, and return their console."""
        invitation = await inviter.members.invite(name, role, history=history, device=device)
        words = await self.join(invitation.link, invitation.code, name)
        assert await inviter.members.approve(name, " ".join(words)) is None
        return await self.console(name)

    async def join(self, link: str, code: str, name: str) -> tuple[str, ...]:
        """Let a newcomer answer an invitation on a computer of their own; return the words."""
        keystore = self.keystores.setdefault(name, MemoryKeystore())
        return await TeamClient.join(
            link, code=code, keystore=keystore, state_dir=self.home_of(name), relay=self.relay
        )

    async def console(self, name: str, relay: RelayPort | None = None) -> TeamClient:
        """Return somebody's console."""
        opened = await TeamClient.unlock(self.keystores[name], self.home_of(name), relay=relay or self.relay)
        return await self._open.enter_async_context(opened)

    def home_of(self, name: str) -> Path:
        """Return somebody's directory."""
        return self.home if self.keystores.get(name) is self.keystore else self._folder / name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()
