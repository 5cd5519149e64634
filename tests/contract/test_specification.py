"""The normative document says what the code does."""

from __future__ import annotations

import re

from tools import spec_tables

SPEC = spec_tables.SPEC.read_text(encoding="utf-8")
SOURCES = spec_tables.source_files()


def test_tables_equal_the_code() -> None:
    """Tags, kinds, messages, limits and codes of the document are those of the code; rerun tools/spec_tables.py."""
    assert spec_tables.rewritten(SPEC) == SPEC


def test_every_cited_section_exists() -> None:
    """A section that code cites as "§4.2" or "protocol 4.2" is a heading of the document."""
    headings = set(re.findall(r"^#+ (\d+(?:\.\d+)?)[. ]", SPEC, re.MULTILINE))
    cited = {
        (section, path.name)
        for path in SOURCES
        for section in re.findall(
            r"(?:§|protocol (?:section )?)(\d+(?:\.\d+)?)", path.read_text(encoding="utf-8")
        )
    }
    assert cited
    assert sorted((section, name) for section, name in cited if section not in headings) == []
