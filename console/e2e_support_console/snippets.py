"""Texts that a team answers with again and again, with the ticket's own words put in; ``TeamClient.snippets``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from e2e_support.vocab import SettingKind
from e2e_support_console.desk import Desk
from e2e_support_console.follow import Follower
from e2e_support_console.reading import profile_of
from e2e_support_console.settings import Settings

_USER: Final = "user"  # in a sentence, where an application tells no name


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text to answer with.

    Attributes:
        id: what people type.
        title: what it is for.
        text: with ``{user}``, ``{number}`` and ``{me}`` where a ticket's own words stand.
        uses: how often this administrator has used it.
    """

    id: str
    title: str
    text: str
    uses: int = 0


class Snippets:
    """The team's snippets as one device sees them.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._settings = Settings(desk, SettingKind.SNIPPET)

    async def list(self) -> tuple[Snippet, ...]:
        """Return all, those that are used most on this device first; errors as ``Settings.all``."""
        rows = await self._desk.store.fetch_all("SELECT id, count FROM snippet_uses")
        uses: dict[str, int] = {row[0]: row[1] for row in rows}
        found = await self._settings.all()
        all_of_them = [Snippet(one.id, one.title, one.text, uses.get(one.id, 0)) for one in found.values()]
        return tuple(sorted(all_of_them, key=lambda one: (-one.uses, one.id)))

    async def save(self, wanted: str, text: str, title: str = "") -> None:
        """Add a snippet or change it; arguments and errors as ``Settings.save``."""
        await self._settings.save(wanted, title, text)

    async def get(self, wanted: str) -> Snippet:
        """Return one; ``no_snippet``."""
        found = await self._settings.get(wanted)
        return Snippet(found.id, found.title, found.text)

    async def remove(self, wanted: str) -> None:
        """Remove one; ``no_snippet``."""
        await self._settings.remove(wanted)

    async def fill(self, wanted: str, number: str) -> str:
        """Return a snippet with the words of a ticket in it.

        Args:
            wanted: its id.
            number: the ticket's.

        Raises:
            UsageError: ``no_snippet``, ``no_ticket``.
        """
        snippet = await self.get(wanted)
        row = await Follower(self._desk).find(number)
        profile = profile_of((await self._desk.load(row.mailbox)).thread.entries)
        words = {"user": profile.get("name") or _USER, "number": row.number, "me": self._desk.writer().label}
        return filled(snippet.text, words)

    async def count_use(self, wanted: str) -> None:
        """Note on this device that a snippet was sent."""
        sql = "INSERT INTO snippet_uses VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET count = count + 1"
        async with self._desk.store.transaction() as change:
            await change.execute(sql, wanted)


def filled(text: str, words: dict[str, str]) -> str:
    """Return a text with words in the places that name them; what was put in is not looked through again.

    Args:
        text: with names in curly brackets; unknown ones stay as they are.
        words: by name.
    """
    parts = text.split("{")
    return parts[0] + "".join(_part(part, words) for part in parts[1:])


def _part(part: str, words: dict[str, str]) -> str:
    name, closed, rest = part.partition("}")
    return words[name] + rest if closed and name in words else "{" + part
