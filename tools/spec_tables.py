"""Writes the tables of docs/protocol.md that the code decides: tags, entry kinds, messages, limits.

``python tools/spec_tables.py`` rewrites them; a test fails while they differ.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from e2e_support import content, limits, policy, policy_parts, roster_links, user, wire
from e2e_support.codec import Message, message_shapes
from e2e_support.content import BODIES
from e2e_support.reasons import REASONS
from e2e_support.tags import Tag
from e2e_support.transitions import TRANSITIONS
from e2e_support.vocab import AuthorRole, Kind

ROOT = Path(__file__).parent.parent
SPEC = ROOT / "docs" / "protocol.md"
ROOMS = [
    "e2e_support",
    "keys/e2e_support_keys",
    "client_sdk/e2e_support_client",
    "server/e2e_support_server",
    "console/e2e_support_console",
]
FAMILIES = {
    "UsageError": "you",
    "PeerError": "the other side",
    "TrustError": "keys or roster",
    "TransportError": "the way there",
    "refuse": "keys or roster",
}


def tags_table() -> str:
    """Return all tags, in the order of the code."""
    return ", ".join(f"`{tag.value}`" for tag in Tag)


def kinds_table() -> str:
    """Return who may write which kind in which log."""
    rows = [
        f"| {kind.value} | {kind.name.lower()} | {_log(kind)} | {_writers(kind)} | {_body(kind)} |"
        for kind in Kind
    ]
    return "\n".join(["| number | kind | log | written by | body |", "|---|---|---|---|---|", *rows])


def messages_table() -> str:
    """Return every message with its fields in wire order."""
    modules = (wire, roster_links, policy_parts, policy, content, user)
    rows = [f"| {cls.__name__} | {_fields(cls)} | {cls.LIMIT or ''} |" for cls in _messages(modules)]
    return "\n".join(["| message | fields | largest, bytes |", "|---|---|---|", *rows])


def limits_table() -> str:
    """Return every bound with its reason."""
    source = inspect.getsource(limits)
    found = re.findall(r"^([A-Z_]+) = .*?#\s*(.+)$", source, re.MULTILINE)
    rows = [f"| {name} | {getattr(limits, name)} | {reason} |" for name, reason in found]
    return "\n".join(["| bound | value | reason or unit |", "|---|---|---|", *rows])


def codes_table() -> str:
    """Return every code that client programs raise, with who is at fault, beside those that a relay answers."""
    found = {code: ("you", message) for code, (message, _) in REASONS.items()}
    for path in source_files():
        if "server" not in path.parts:
            found |= _raised(ast.parse(path.read_text(encoding="utf-8")))
    rows = [f"| {code} | {blame} | {message} |" for code, (blame, message) in sorted(found.items())]
    return "\n".join(["| code | at fault | what it says |", "|---|---|---|", *rows])


TABLES = {
    "tags": tags_table,
    "kinds": kinds_table,
    "messages": messages_table,
    "limits": limits_table,
    "codes": codes_table,
}


def source_files() -> list[Path]:
    """Return every module of the five rooms."""
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def rewritten(text: str) -> str:
    """Return the specification with every table as the code has it."""
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n{table()}\n{end}{tail}"
    return text


def _log(kind: Kind) -> str:
    if kind in {Kind.BARRIER, Kind.REKEY, Kind.DUMMY}:
        return "all"
    return "shared" if kind < Kind.STAFF_OPEN else "staff" if kind < Kind.READ_MARK else "space"


def _writers(kind: Kind) -> str:
    if kind >= Kind.STAFF_OPEN:
        return "team"
    if kind in {Kind.OPEN, Kind.OPEN_FOR}:
        return f"{'user' if kind is Kind.OPEN else 'team'}, as first entry"
    sides = {AuthorRole.USER: "user", AuthorRole.DEVICE: "team"}
    return ", ".join(word for role, word in sides.items() if (kind, role) in TRANSITIONS)


def _body(kind: Kind) -> str:
    return BODIES[kind].__name__ if kind in BODIES else "reserved"


def _raised(tree: ast.Module) -> dict[str, tuple[str, str]]:
    """Return code → (who is at fault, message) of the errors that a module makes from literals."""
    codes: dict[str, tuple[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAMILIES:
            words = [_literal(argument) for argument in node.args[:2]]
            if len(words) == 2 and words[0]:
                codes[words[0]] = (FAMILIES[node.func.id], words[1])
    return codes


def _literal(node: ast.expr) -> str:
    """Return a string literal; the moving parts of an f-string become an ellipsis."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _messages(modules: Iterable[ModuleType]) -> Iterable[type[Message]]:
    for module in modules:
        for cls in vars(module).values():
            if inspect.isclass(cls) and issubclass(cls, Message) and cls.__module__ == module.__name__:
                yield cls


def _fields(cls: type[Message]) -> str:
    return ", ".join(f"{name}: {shape.describe()}" for name, shape in message_shapes(cls)) or "none"


if __name__ == "__main__":
    SPEC.write_text(rewritten(SPEC.read_text(encoding="utf-8")), encoding="utf-8")
