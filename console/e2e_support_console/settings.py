"""What a team shares among its administrators: snippets, macros and saved views, kept in the team space (4.13)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from e2e_support.content import Pair, SettingBody
from e2e_support.errors import TransportError, UsageError
from e2e_support.limits import ID_TEXT_MAX
from e2e_support.opened import Opened
from e2e_support.space import settings_of
from e2e_support.vocab import Kind, SettingKind
from e2e_support_console.desk import Desk
from e2e_support_console.renewal import require_fresh, vouched
from e2e_support_console.team_space import TeamSpace

_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Settings:
    """Settings of one kind; the newest of each id counts, whoever wrote it.

    Args:
        desk: the unlocked device.
        kind: which.
    """

    def __init__(self, desk: Desk, kind: SettingKind) -> None:
        self._desk = desk
        self._space = TeamSpace(desk, frozenset({Kind.SETTING}))
        self._kind = kind

    async def all(self) -> dict[str, SettingBody]:
        """Return them by id; without the relay those that are known here.

        Raises:
            PeerError, TrustError: relay or team are not as they must be.
        """
        try:
            entries = await self._space.entries()
        except TransportError:
            entries = await self._space.kept()
        return settings_of(entries, self._kind)

    async def get(self, wanted: str) -> SettingBody:
        """Return one.

        Args:
            wanted: its id.

        Raises:
            UsageError: ``no_snippet``, ``no_macro`` or ``no_view``.
        """
        found = (await self.all()).get(wanted)
        if found is None:
            raise _missing(self._kind, wanted)
        return found

    async def save(self, wanted: str, title: str = "", text: str = "", items: Sequence[Pair] = ()) -> None:
        """Add one, or put it in the place of the one with its id.

        Args:
            wanted: its id: small letters, digits, ``-`` and ``_``.
            title: what people read in a list.
            text: of a snippet.
            items: steps of a macro, or filters of a view.

        Raises:
            UsageError: ``bad_id``, or ``malformed`` for what no entry holds.
            TransportError: it is not known whether it was stored; saying it again does no harm.
            PeerError, TrustError: as ``all``, or ``roster_stale`` … (protocol 4.7).
        """
        if not _ID.fullmatch(wanted) or len(wanted) > ID_TEXT_MAX:
            raise UsageError("bad_id", f"{wanted} is no id", hint="Use small letters, digits, - and _.")
        await self._write(SettingBody(self._kind, wanted, 0, title, text, tuple(items)))

    async def remove(self, wanted: str) -> None:
        """Remove one; errors as ``get`` and ``save``."""
        await self.get(wanted)
        await self._write(SettingBody(self._kind, wanted, 1, "", "", ()))

    async def _write(self, body: SettingBody) -> None:
        setting = SettingBody.from_bytes(body.to_bytes())
        statement = await vouched(self._desk)

        def check(_entries: Sequence[Opened]) -> None:
            require_fresh(self._desk, statement)

        await self._space.write(Kind.SETTING, setting, check=check)


def _missing(kind: SettingKind, wanted: str) -> UsageError:
    match kind:
        case SettingKind.SNIPPET:
            return UsageError("no_snippet", f"there is no snippet {wanted}", hint="See `e2e-admin snippets`.")
        case SettingKind.MACRO:
            return UsageError("no_macro", f"there is no macro {wanted}", hint="See `e2e-admin macros`.")
        case SettingKind.VIEW:
            return UsageError("no_view", f"there is no view {wanted}", hint="See `e2e-admin views`.")
