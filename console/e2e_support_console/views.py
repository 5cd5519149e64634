"""Saved views of the inbox, shared by the team; ``TeamClient.views``."""

from __future__ import annotations

from collections.abc import Mapping

from e2e_support.content import Pair
from e2e_support.vocab import SettingKind
from e2e_support_console.desk import Desk
from e2e_support_console.settings import Settings


class Views:
    """The team's saved views: filters of the inbox, by name.

    Args:
        desk: the unlocked device.
    """

    def __init__(self, desk: Desk) -> None:
        self._settings = Settings(desk, SettingKind.VIEW)

    async def list(self) -> dict[str, dict[str, str]]:
        """Return the filters of each view by its name; errors as ``Settings.all``."""
        found = await self._settings.all()
        return {name: _filters(view.items) for name, view in sorted(found.items())}

    async def get(self, name: str) -> dict[str, str]:
        """Return the filters of one; ``no_view``."""
        return _filters((await self._settings.get(name)).items)

    async def save(self, name: str, filters: Mapping[str, str]) -> None:
        """Add a view or change it; errors as ``Settings.save``.

        Args:
            name: small letters, digits, ``-`` and ``_``.
            filters: as the inbox takes them, by name.
        """
        await self._settings.save(name, items=[Pair(*pair) for pair in filters.items()])

    async def remove(self, name: str) -> None:
        """Remove one; ``no_view``."""
        await self._settings.remove(name)


def _filters(items: tuple[Pair, ...]) -> dict[str, str]:
    return {pair.name: pair.value for pair in items}
