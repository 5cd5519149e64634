"""What stands where a defence was taken away, for attacks that are run once more without it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from e2e_support import codec
from e2e_support import ticket as ticket_module
from e2e_support.destruction import Destruction, DestructionBody
from e2e_support.errors import SupportError
from e2e_support.ids import DeviceId, MailboxId
from e2e_support.membership import Membership
from e2e_support.roster_links import OpenLink
from e2e_support.roster_rules import Quorum
from e2e_support.ticket_opening import judge_open
from e2e_support.ticket_state import Fact
from e2e_support.vocab import AuthorRole, Role
from e2e_support_console import feed, sync
from e2e_support_console.desk import Desk
from e2e_support_server.rules import Writer

WAITING: Final = feed.waiting


def nothing(*_: Any, **__: Any) -> None:
    """Stand where a check was taken away."""


async def nothing_awaited(*_: Any, **__: Any) -> int:
    """Stand where a duty was taken away."""
    return 0


def always(*_: Any, **__: Any) -> bool:
    """Say yes to whoever asks."""
    return True


def never(*_: Any, **__: Any) -> float:
    """Let nobody wait."""
    return 0.0


def same_text(text: str, *_: Any, **__: Any) -> str:
    """Leave a text as it is."""
    return text


def lines_of(text: str) -> list[str]:
    """Split a text and leave its lines as they are."""
    return text.split("\n")


def as_before(self: Membership, _: int) -> Membership:
    """Let a change of the threshold pass."""
    return self


def anyone(_: Membership, link: OpenLink, *__: object) -> Quorum:
    """Let whoever signs be entitled, and one voice be enough."""
    return Quorum(frozenset(signature.device_id for signature in link.signatures))


def whatever_it_says(statement: bytes, **_: object) -> DestructionBody:
    """Believe a statement whoever signed it."""
    return DestructionBody.from_bytes(Destruction.from_bytes(statement).body)


def as_by_the_team(statement: bytes, *, devices: Mapping[DeviceId, Any], **_: object) -> DestructionBody:
    """Believe a statement as if somebody of the team had signed it."""
    return replace(whatever_it_says(statement), by=next(iter(devices)))


def a_user(*_: Any) -> Writer:
    """Let every key open every mailbox."""
    return Writer.USER


def own_name(author: Any, _role: str) -> str:
    """Show the name alone."""
    return str(author.name)


async def everything(queries: Any, _: int) -> Any:
    """Pull all at once."""
    return await WAITING(queries, 10**6)


def as_by_an_agent(state: Any, fact: Fact, policy: Any) -> Any:
    """Judge whoever writes as an agent."""
    return ticket_module.judge(state, replace(fact, role=Role.AGENT), policy)


def as_by_a_user(state: Any, fact: Fact, policy: Any) -> Any:
    """Let everybody open a ticket as users do."""
    return judge_open(state, replace(fact, by=AuthorRole.USER), policy)


def no_reason(*_: Any) -> str:
    """Find nothing wrong."""
    return ""


def no_lock(_: Path) -> int:
    """Let everybody in."""
    return os.open(os.devnull, os.O_RDONLY)


def unheard_of(*_: Any) -> tuple[bytes, bytes]:
    """Take every message for a new one."""
    return os.urandom(16), b""


def as_markup(text: str, *_: Any, **__: Any) -> str:
    """Show a text as a program would that reads it as HTML."""
    return re.sub("<[^>]*>", "", text)


def its_own_author(_: Any, author: Any, *__: Any) -> bytes:
    """Believe an entry whose author it names."""
    return bytes(author.key)


def own_record(self: Desk) -> Any:
    """Let every device of the team write."""
    return self.roster.devices_ever[self.bundle.device_id].record


def beside_the_ticket(_: Desk, ticket: MailboxId) -> MailboxId:
    """Put internal notes into the ticket itself."""
    return ticket


async def whatever_came(pull: Any, outcome: Any) -> Any:
    """Be content with what the relay hands out."""
    await pull
    return outcome


def any_number(self: codec.Items, value: tuple[Any, ...]) -> Any:
    """Write as many items as there are."""
    return tuple(self._shape.dump(one) for one in value)  # pyright: ignore[reportPrivateUsage]


def allocated(size: int, *_: Any, **cost: int) -> bytes:
    """Take the memory that a header asks for: as a count alone, since the machine is not to fall."""
    raise AssertionError(f"{cost} for {size} bytes")


async def not_caught(self: Any, moved: Any, known: Any) -> Any:
    """Pull a mailbox and let nothing be caught but what is expected."""
    try:
        return await (self._pull_known(moved, known) if known else self._pull_unknown(moved))
    except SupportError as error:
        return sync._Outcome(moved, error=error)  # pyright: ignore[reportPrivateUsage]
