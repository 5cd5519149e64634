"""What a name looks like, so that two names which people cannot tell apart are shown with something that differs.

An aid for eyes, never a rule: no link or entry is refused for a name, since readers know different editions of Unicode.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_CYRILLIC: Final = ("АВЕЅІЈКМНОРСТУХаеѕіјорсухһԁԛԝк", "ABESIJKMHOPCTYXaesijopcyxhdqwk")
_GREEK: Final = ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορτυχ", "ABEZHIKMNOPTYXaikvoptux")
_OTHERS: Final = ("ıȷɑɡłŁøØđĐ", "ijaglLoOdD")
_LATIN: Final = str.maketrans(
    "".join(foreign for foreign, _ in (_CYRILLIC, _GREEK, _OTHERS)),
    "".join(latin for _, latin in (_CYRILLIC, _GREEK, _OTHERS)),
)
_BLANK: Final = (
    "\u115f\u1160\u2800"  # letters that look like nothing, after the forms of others were made one
)
_STROKES: Final = str.maketrans("i1|0", "lllo")  # after small letters were made of all
_ID: Final = re.compile(r"(\([0-9a-f]*\)\s*)+$")  # what is put behind names that look alike is part of none


@lru_cache(maxsize=4096)
def appearance(name: str) -> str:
    """Return the same text for names that look alike in most fonts, or are the same but for what cannot be seen.

    Args:
        name: any text.
    """
    letters = unicodedata.normalize("NFKD", name).translate(_LATIN).casefold()
    seen = (one for one in _ID.sub("", letters) if unicodedata.category(one)[0] not in "CMZ")
    return (
        "".join(one for one in seen if one not in _BLANK)
        .translate(_STROKES)
        .replace("rn", "m")
        .replace("vv", "w")
    )
