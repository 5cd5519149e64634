"""The recovery sheet as text: whole for whoever reads it in ten years, and narrow enough for any printer."""

import re

from e2e_support.crypto.secret import Secret
from e2e_support.ids import TeamId
from e2e_support.support_link import SupportLink
from e2e_support_keys.fingerprint import Fingerprint
from e2e_support_keys.phrase import to_phrase
from e2e_support_keys.recovery import read_secret
from e2e_support_keys.shares import split
from e2e_support_keys.sheet import recovery_sheets
from keys_room import KEY, refused

TEAM = TeamId(bytes(range(32)))
LINK = SupportLink("https://relay.example", TEAM).format()
(WHOLE,) = recovery_sheets("Acme support", LINK, [to_phrase(KEY)], made="2026-11-21")
SHARES = recovery_sheets("Acme support", LINK, split(KEY, 3, 5), threshold=3, made="2026-11-21")


def words_on(sheet: str) -> str:
    """Return the numbered words of a sheet, in the order of their numbers."""
    numbered = re.findall(r"(?:^|\s)(\d{1,2}) ([a-z]+)\b", sheet.split("\n\n")[2])
    return " ".join(word for _, word in sorted(numbered, key=lambda pair: int(pair[0])))


def secret_on(*sheets: str) -> Secret:
    """Return what somebody gets who types the numbered words."""
    return read_secret([words_on(sheet) for sheet in sheets])


def test_the_words_on_paper_give_the_secret_back() -> None:
    """Typing a sheet, or enough of the shares, word by word in the order of their numbers is enough."""
    assert secret_on(WHOLE) == KEY
    assert secret_on(SHARES[4], SHARES[0], SHARES[2]) == KEY


def test_a_sheet_names_its_team() -> None:
    """Name, link and both forms of the fingerprint stand on it, so that it can be compared and found."""
    fingerprint = Fingerprint.of(TEAM)
    for sheet in (WHOLE, *SHARES):
        flat = " ".join(sheet.split())
        assert "Acme support" in sheet
        assert LINK in sheet.splitlines()[5]
        assert " ".join(fingerprint.words) in flat
        assert " ".join(fingerprint.digits) in flat
        assert "2026-11-21" in sheet


def test_a_sheet_says_what_it_is_for_and_can_do() -> None:
    """Whoever finds it learns what it is for, what harm it can do and where it belongs."""
    for sheet in (WHOLE, *SHARES):
        for title in ("What it is for", "What it can do", "Where to keep it"):
            assert f"\n\n{title}\n" in sheet
        assert "read every ticket of the team" in " ".join(sheet.split())
    assert "Every share belongs in another hand" in " ".join(SHARES[0].split())
    assert "share" not in WHOLE.lower()


def test_shares_are_numbered() -> None:
    """Each share says which it is, of how many, and how many are needed."""
    assert len(SHARES) == 5
    assert SHARES[1].startswith("RECOVERY SHEET: SHARE 2 OF 5, OF WHICH 3 ARE NEEDED\n")
    assert "Whoever holds 3 of the 5 shares" in " ".join(SHARES[1].split())


def test_lines_are_short_but_for_the_link() -> None:
    """Nothing is cut at the edge of a page; the link is one word, since it is typed as one."""
    for sheet in (WHOLE, *SHARES):
        assert [line for line in sheet.splitlines() if len(line) > 72 and LINK not in line] == []
        assert sheet.endswith(".\n")


def test_a_sheet_without_a_team_is_none() -> None:
    """A link that is none is refused before anything is on paper."""
    with refused("bad_link"):
        recovery_sheets("Acme support", "https://relay.example", [to_phrase(KEY)], made="today")
