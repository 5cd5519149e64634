"""An exported ticket as people read it: a page and a text, self-contained, with every stranger's text made harmless."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from e2e_support.policy import Policy
from e2e_support.ticket_state import TicketState, label
from e2e_support.vocab import Verdict
from e2e_support_client.model import Message, Role, utc
from e2e_support_client.plain import plain_line, plain_text
from e2e_support_client.render import name_and_role, reason_text
from e2e_support_client.terminal import size_of, stamp

_ROLES: Final = {Role.USER: "user", Role.TEAM: "team", Role.UNKNOWN: "not verified"}
_STYLE: Final = (
    "body{font:1rem/1.5 sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "article{border-left:.25rem solid #888;padding:0 1rem;margin:1.5rem 0}"
    ".team{border-color:#1565c0}.note{border-style:double;border-color:#b8860b}.bad{border-color:#b00020}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}footer{color:#555;font-size:.85rem}"
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_FOOT: Final = "Written for reading. What can be verified stands beside it: verify the whole export."


def ticket_html(number: str, state: TicketState, policy: Policy, said: Iterable[Message]) -> str:
    """Return a ticket as a page that loads nothing and runs nothing.

    Args:
        number: as people know it.
        state: the ticket.
        policy: the newest policy, which names its status.
        said: messages, and notes where they were exported.
    """
    title = f"{number}  {plain_line(state.subject)}"
    lines = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f'<meta name="referrer" content="no-referrer"><style>{_STYLE}</style></head><body>',
        f"<h1>{_text(title)}</h1><p>{_text(_facts(state, policy))}</p>",
        *(_article(message) for message in said),
        f"<footer>{_text(_FOOT)}</footer></body></html>",
    ]
    return "\n".join(lines) + "\n"


def ticket_text(number: str, state: TicketState, policy: Policy, said: Iterable[Message]) -> str:
    """Return a ticket as text; arguments as ``ticket_html``."""
    head = f"{number}  {plain_line(state.subject)}\n{_facts(state, policy)}"
    parts = [head, *(_paragraph(message) for message in said), _FOOT]
    return "\n\n".join(parts) + "\n"


def _facts(state: TicketState, policy: Policy) -> str:
    facts = [label(state, policy).text, state.category, state.priority]
    facts += [f"{pair.name}: {pair.value}" for pair in state.fields]
    told = " · ".join(plain_line(fact) for fact in facts if fact)
    return f"{told} · opened {stamp(utc(state.created_at))}"


def _article(message: Message) -> str:
    bad = message.verdict is not Verdict.OK
    kind = "bad" if bad else "note" if message.internal else message.author.role.value
    marks = "".join(f"<p><strong>{_text(mark)}</strong></p>" for mark in _marks(message))
    files = "".join(f"<p>{_text(file)}</p>" for file in _files(message))
    body = f"<pre>{_text(plain_text(message.body))}</pre>"
    return f'<article class="{kind}"><p>{_text(_title(message))}</p>{marks}{body}{files}</article>'


def _paragraph(message: Message) -> str:
    lines = [*_marks(message), plain_text(message.body).strip("\n"), *_files(message)]
    return "\n".join([_title(message), textwrap.indent("\n".join(filter(None, lines)), "  ")])


def _title(message: Message) -> str:
    did = "internal note" if message.internal else message.kind.value
    return f"{name_and_role(message.author, _ROLES[message.author.role])} · {did} · {stamp(message.at)}"


def _marks(message: Message) -> Sequence[str]:
    if message.verdict is Verdict.OK:
        return ()
    return (f"{message.verdict.name.lower()}: {reason_text(message.reason)}",)


def _files(message: Message) -> Sequence[str]:
    return [f"[file] {plain_line(file.name)} ({size_of(file.size)})" for file in message.attachments]


def _text(text: str) -> str:
    return html.escape(text, quote=True)
