"""What people type into the search: words, "exact phrases", -words that must not occur, and filters such as tag:vip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from e2e_support.errors import UsageError
from e2e_support.ticket_keys import parse_number
from e2e_support_client.plain import plain_line
from e2e_support_console.passages import TICKET_SHIFT, Field
from e2e_support_console.words import words
from e2e_support_keys.store import Parameter

T = TypeVar("T")
OPERATORS: Final = """\
  invoice paid     both words, anywhere in the ticket; beginnings will do, case and accents do not matter
  "not paid"       exactly these words next to each other
  -refund          not this word
  T-7K3M9-QXF20    the ticket of this number, or of numbers that begin so
  in:notes         look into subject, messages, notes, files or users only
  has:note         with a note; also has:file, has:debug
  status:open      also priority:, category:, assignee: (me, nobody, a name), tag:"two words", view:"""
"""The operators, for people."""

TERMS_MAX: Final = 16
LENGTH_MAX: Final = 1_000  # characters; a longer text was pasted by mistake
_QUOTES: Final = str.maketrans("“”„‟«»", '""""""')
_GROUPS: Final = {
    "subject": Field.SUBJECT,
    "messages": Field.MESSAGE,
    "notes": Field.NOTE,
    "files": Field.FILE,
    "users": Field.PERSON,
}
_HAS: Final = {"note": "notes > 0", "file": "files > 0", "debug": "debug = 1"}
_FILTERS: Final = frozenset({"status", "priority", "category", "assignee", "tag", "view"})
_PARTS: Final = re.compile(r'(?P<not>-?)(?:(?P<name>[a-z]+):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')


@dataclass(frozen=True, slots=True)
class Term:
    """What must be found, or must not.

    Attributes:
        phrase: words that follow each other.
        open: whether the last of them may be only the beginning of a word.
        number: the words of a ticket's number that is meant, too.
    """

    phrase: tuple[str, ...]
    open: bool = False
    number: tuple[str, ...] = ()

    @property
    def expression(self) -> str:
        """The term for the index; words hold letters, digits and marks only, so nothing in it is an operator."""
        asked = f'"{" ".join(self.phrase)}"' + " *" * self.open
        return f'({asked} OR "{" ".join(self.number)}")' if self.number else asked

    @property
    def phrases(self) -> tuple[tuple[str, ...], ...]:
        """What may stand there."""
        return (self.phrase, self.number) if self.number else (self.phrase,)


@dataclass(frozen=True, slots=True)
class Query:
    """A search as it is carried out.

    Attributes:
        terms: what must be found, each somewhere in a ticket.
        excluded: what must not.
        fields: where to look; empty for everywhere.
        has: conditions on tickets, of this file's own.
        filters: filters of lists, by name.
    """

    terms: tuple[Term, ...] = ()
    excluded: tuple[Term, ...] = ()
    fields: tuple[Field, ...] = ()
    has: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()

    def expression(self, *terms: Term, field: Field | None = None) -> str:
        """Return the expression for any of some terms in one field, by default in those of this query."""
        columns = " ".join(one.column for one in self.fields) if field is None else field.column
        any_of = " OR ".join(term.expression for term in terms)
        return f"{{{columns}}} : ({any_of})" if columns else any_of


def parse_query(text: str) -> Query:
    """Return what a person typed as a query.

    Args:
        text: one line.

    Raises:
        UsageError: ``bad_query`` with what is not understood.
    """
    if len(text) > LENGTH_MAX:
        raise UsageError("bad_query", "this is too long", hint=f"Name a few words, {TERMS_MAX} at most.")
    terms: list[Term] = []
    excluded: list[Term] = []
    fields: list[Field] = []
    has: list[str] = []
    filters: list[tuple[str, str]] = []
    for part in _PARTS.finditer(plain_line(text).translate(_QUOTES)):
        name, word = part["name"], part["word"] or ""
        value = word if part["phrase"] is None else part["phrase"]
        if name == "in" and not part["not"]:
            fields.append(_one_of(_GROUPS, value))
        elif name == "has":
            has.append(f"NOT ({_one_of(_HAS, value)})" if part["not"] else _one_of(_HAS, value))
        elif name in _FILTERS and not part["not"]:
            filters.append((name, value))
        elif term := _term(f"{name}:{value}" if name else value, exact=part["phrase"] is not None):
            (excluded if part["not"] else terms).append(term)
    if len(terms) + len(excluded) > TERMS_MAX:
        raise UsageError("bad_query", "these are too many words", hint=f"Name {TERMS_MAX} at most.")
    return Query(tuple(terms), tuple(excluded), tuple(fields), tuple(has), tuple(filters))


def matching(query: Query) -> Iterator[tuple[str, tuple[Parameter, ...]]]:
    """Yield the conditions that a query puts on tickets: each word may stand in another text of the ticket."""
    there = f"id {{}} (SELECT rowid >> {TICKET_SHIFT} FROM found WHERE found MATCH ?)"  # noqa: S608 - literals alone
    for term in query.terms:
        yield there.format("IN"), (query.expression(term),)
    for term in query.excluded:
        yield there.format("NOT IN"), (query.expression(term),)
    for sql in query.has:
        yield sql, ()


def _term(value: str, *, exact: bool) -> Term | None:
    """Return a word or phrase as what is looked for; ``None`` where there is no letter or digit in it."""
    phrase = tuple(words(value))
    if not phrase or exact:
        return Term(phrase) if phrase else None
    begun = bool(words(value[-1]))  # people who end with a sign mean the whole word
    try:
        return Term(phrase, begun, tuple(words(parse_number(value))))
    except UsageError:
        return Term(phrase, begun)


def _one_of(known: dict[str, T], value: str) -> T:
    if value not in known:
        raise UsageError("bad_query", f"{value} cannot be asked for", hint=f"There are {', '.join(known)}.")
    return known[value]
