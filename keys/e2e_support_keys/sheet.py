"""The text of a recovery sheet: what stands on paper in a safe, for somebody who reads it in ten years.

It is as secret as the words in it. Nothing here prints or stores it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from e2e_support.support_link import SupportLink
from e2e_support_keys.fingerprint import Fingerprint

_WIDTH = 72
_COLUMNS = 3

_FOR = (
    "If the owners of the team have lost their devices, this adds a new owner, who can then read the team's "
    "tickets and add others. Without it the team would have to begin again, and its tickets would stay closed "
    "for ever."
)
_ALONE = "Whoever holds it"
_SHARE = "Alone, it can do nothing and tells nothing. Whoever holds {threshold} of the {count} shares"
_CAN = (
    " can read every ticket of the team without being seen, and can make themselves an owner, more than once if "
    "they like; that everybody in the team sees. It can sign nothing else."
)
_KEEP = (
    "On paper alone, in a sealed envelope, in a safe or with somebody whom all owners trust, and not where the "
    "devices are. Do not photograph it. Type it only to recover, or in a drill, which changes nothing; hold a drill "
    "once a year. If it is lost, or somebody has seen it who should not, the owners remove it from the team and "
    "make another."
)
_KEEP_APART = " Every share belongs in another hand; nobody may hold enough of them."


def recovery_sheets(
    team: str, link: str, texts: Sequence[str], *, threshold: int = 1, made: str
) -> tuple[str, ...]:
    """Return one sheet for each text.

    Args:
        team: the team's name.
        link: the team's support link.
        texts: a phrase of 24 words alone, or all the shares of ``shares.split``.
        threshold: how many of them are needed together.
        made: the day as people write it.

    Raises:
        UsageError: ``bad_link``.
    """
    fingerprint = Fingerprint.of(SupportLink.parse(link).team_id)
    head = {
        "Team": team,
        "In words": " ".join(fingerprint.words),
        "In digits": " ".join(fingerprint.digits),
        "Link": link,
        "Made": made,
    }
    return tuple(
        "\n\n".join(
            [
                _title(number, len(texts), threshold),
                "\n".join(_field(name, value) for name, value in head.items()),
                _numbered(text.split()),
                _section("What it is for", _FOR),
                _section("What it can do", _can(len(texts), threshold)),
                _section("Where to keep it", _KEEP + (_KEEP_APART if len(texts) > 1 else "")),
            ]
        )
        + "\n"
        for number, text in enumerate(texts, 1)
    )


def _title(number: int, count: int, threshold: int) -> str:
    if count == 1:
        return "RECOVERY SHEET"
    return f"RECOVERY SHEET: SHARE {number} OF {count}, OF WHICH {threshold} ARE NEEDED"


def _can(count: int, threshold: int) -> str:
    holder = _ALONE if count == 1 else _SHARE.format(threshold=threshold, count=count)
    return holder + _CAN


def _field(name: str, value: str) -> str:
    """Set a value beside its name; a link is never broken, since it is typed as one word."""
    return textwrap.fill(
        value,
        _WIDTH,
        initial_indent=f"{name:<11}",
        subsequent_indent=" " * 11,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _numbered(words: Sequence[str]) -> str:
    """Set words in columns that are read downwards."""
    rows = -(-len(words) // _COLUMNS)
    cells = [f"{place:>3} {word:<12}" for place, word in enumerate(words, 1)]
    return "\n".join("    ".join(cells[row::rows]).rstrip() for row in range(rows))


def _section(title: str, text: str) -> str:
    return f"{title}\n{textwrap.fill(text, _WIDTH)}"
