"""The threat model's claims are tied to tests: every link leads somewhere, every number is carried out there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "threat-model.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
LINKS = sorted(set(re.findall(r"\]\(([^)#]+)\)", TEXT)))
CLAIMS = [
    (number, target)
    for numbers, targets in re.findall(r"((?:\bP?\d+(?:, )?)+) in ((?:\[\w+\]\([^)]+\)(?:, | and )?)+)", TEXT)
    for number in re.findall(r"P?\d+", numbers)
    for target in [re.findall(r"\(([^)]+)\)", targets)]
]


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_somewhere(link: str) -> None:
    """Every file that the threat model names exists."""
    assert (DOCUMENT.parent / link).exists()


@pytest.mark.parametrize(("number", "targets"), CLAIMS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CLAIMS)])
def test_attacks_are_carried_out_where_the_document_says(number: str, targets: list[str]) -> None:
    """An attack's number stands in one of the test files that are named for it."""
    files = [(DOCUMENT.parent / target).read_text(encoding="utf-8") for target in targets]
    named = re.compile(rf"(?<![\w.]){number}(?!\w)|_{number.lower()}_", re.IGNORECASE)
    assert any(named.search(text) for text in files)


def test_there_are_claims() -> None:
    """The document is read as it is meant."""
    assert len(CLAIMS) > 30
