"""Several steps under one name, shared by the team: what a macro would do is said before, and it stops at a refusal.

A step is a name and a value, as a person types them: ``reply=…``, ``status=resolved``, ``tag=+billing``, ``close``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from e2e_support.content import Pair
from e2e_support.errors import SupportError, UsageError
from e2e_support.vocab import SettingKind
from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_console.inbox import Inbox
from e2e_support_console.settings import Settings
from e2e_support_console.snippets import Snippets
from e2e_support_console.until import parse_until

STEPS_MAX: Final = 32
_TOLD: Final = {
    "reply": "answer: {}",
    "snippet": "answer with the snippet {}",
    "note": "leave a note: {}",
    "status": "set the status {}",
    "priority": "set the priority {}",
    "category": "set the category {}",
    "assign": "assign to {}",
    "tag": "change the tags: {}",
    "hold": "put on hold: {}",
    "archive": "archive: {}",
    "spam": "mark as spam: {}",
    "snooze": "put out of sight until {}",
    "resolve": "mark resolved: {}",
    "close": "close: {}",
    "reopen": "open again: {}",
}
STEPS: Final = tuple(_TOLD)
"""Names of steps."""


@dataclass(frozen=True, slots=True)
class Macro:
    """Steps under one name.

    Attributes:
        id: what people type.
        title: what it is for.
        steps: (name, value) in order.
    """

    id: str
    title: str
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class MacroRun:
    """What came of a macro.

    Attributes:
        done: what was done, in words.
        left: what was not, in words; the first of them is what was refused.
        error: why; ``None`` if all was done.
    """

    done: tuple[str, ...]
    left: tuple[str, ...] = ()
    error: SupportError | None = None


class Macros:
    """The team's macros as one device sees them; ``TeamClient.macros``.

    Args:
        desk: the unlocked device.
        inbox: carries the steps out.
        snippets: texts that steps name.
    """

    def __init__(self, desk: Desk, inbox: Inbox, snippets: Snippets) -> None:
        self._settings = Settings(desk, SettingKind.MACRO)
        self._inbox = inbox
        self._snippets = snippets

    async def list(self) -> tuple[Macro, ...]:
        """Return all by their ids; errors as ``Settings.all``."""
        found = await self._settings.all()
        return tuple(_macro(name, one.title, one.items) for name, one in sorted(found.items()))

    async def get(self, wanted: str) -> Macro:
        """Return one; ``no_macro``."""
        found = await self._settings.get(wanted)
        return _macro(wanted, found.title, found.items)

    async def save(self, wanted: str, steps: Sequence[tuple[str, str]], title: str = "") -> None:
        """Add a macro or change it.

        Args:
            wanted: its id.
            steps: from ``parse_step``.
            title: what it is for.

        Raises:
            UsageError: ``bad_step`` for no or too many steps; otherwise as ``Settings.save``.
        """
        if not 1 <= len(steps) <= STEPS_MAX:
            raise UsageError("bad_step", f"a macro has 1 to {STEPS_MAX} steps", hint="Name its steps.")
        await self._settings.save(wanted, title, items=[Pair(*step) for step in steps])

    async def remove(self, wanted: str) -> None:
        """Remove one; ``no_macro``."""
        await self._settings.remove(wanted)

    async def preview(self, wanted: str, number: str) -> tuple[str, ...]:
        """Return what a macro would do to a ticket, in words, with the texts that its user would read.

        Raises:
            UsageError: ``no_macro``, ``no_snippet``, ``no_ticket``.
        """
        return tuple([await self._told(step, number) for step in (await self.get(wanted)).steps])

    async def run(self, wanted: str, number: str) -> MacroRun:
        """Do what a macro says, up to the first step that is refused.

        Raises:
            UsageError: as ``preview``; nothing was done.
        """
        macro, told = await self.get(wanted), await self.preview(wanted, number)
        for place, (name, value) in enumerate(macro.steps):
            try:
                await self._act(number, name, value)
            except SupportError as error:
                return MacroRun(told[:place], told[place:], error)
        return MacroRun(told)

    async def _told(self, step: tuple[str, str], number: str) -> str:
        name, value = step
        if name == "snippet":
            return _TOLD["reply"].format(await self._snippets.fill(value, number))
        return _TOLD.get(name, name).format(value).removesuffix(": ")

    async def _act(self, number: str, name: str, value: str) -> None:
        inbox = self._inbox
        acts: dict[str, Callable[[], Awaitable[object]]] = {
            "reply": lambda: inbox.reply(number, value),
            "snippet": lambda: self._answer(number, value),
            "note": lambda: inbox.note(number, value),
            "status": lambda: inbox.set_status(number, value),
            "priority": lambda: inbox.set_priority(number, value),
            "category": lambda: inbox.set_category(number, value),
            "assign": lambda: inbox.assign(number, value),
            "tag": lambda: inbox.tag(number, *_tags(value)),
            "hold": lambda: inbox.hold(number, reason=value),
            "archive": lambda: inbox.archive(number, reason=value),
            "spam": lambda: inbox.spam(number, reason=value),
            "snooze": lambda: inbox.snooze(number, parse_until(value, clock.now())),
            "resolve": lambda: inbox.resolve(number, value),
            "close": lambda: inbox.close(number, value),
            "reopen": lambda: inbox.reopen(number, value),
        }
        if name not in acts:
            raise _bad_step(name)
        await acts[name]()

    async def _answer(self, number: str, snippet: str) -> None:
        await self._inbox.reply(number, await self._snippets.fill(snippet, number))
        await self._snippets.count_use(snippet)


def parse_step(text: str) -> tuple[str, str]:
    """Return a step as a person types it: a name, and ``=`` with a value where it has one.

    Raises:
        UsageError: ``bad_step``.
    """
    name, _, value = text.partition("=")
    if name not in _TOLD:
        raise _bad_step(name)
    if name == "tag":
        _tags(value)
    return name, value


def _tags(value: str) -> tuple[list[str], list[str]]:
    """Return the tags to add and to remove of ``+one -another``."""
    words = value.split()
    if not words or any(word[0] not in "+-" or not word[1:] for word in words):
        raise UsageError("bad_step", f"{value!r} names no tags", hint="Write tag=+new or tag='+new -old'.")
    return [word[1:] for word in words if word[0] == "+"], [word[1:] for word in words if word[0] == "-"]


def _bad_step(name: str) -> UsageError:
    return UsageError("bad_step", f"{name} is no step", hint=f"Steps are {', '.join(STEPS)}.")


def _macro(wanted: str, title: str, items: Sequence[Pair]) -> Macro:
    return Macro(wanted, title, tuple((pair.name, pair.value) for pair in items))
