"""A team id as people compare it: eight words over the telephone, or digits on paper (protocol 4.9)."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_support.crypto.hash import digest
from e2e_support.ids import TeamId
from e2e_support.tags import Tag
from e2e_support_keys.phrase import word_list

_WORDS = 8
_WORD_BITS = 11
_WORD_BYTES = _WORDS * _WORD_BITS // 8  # 11
_DIGIT_BYTES = 13
_GROUPS = 6
_GROUP = 5


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The two forms of one team id. Either is enough: 88 bits of words, almost 100 bits of digits.

    Attributes:
        words: eight words of the BIP-39 English list.
        digits: six groups of five decimal digits.
    """

    words: tuple[str, ...]
    digits: tuple[str, ...]

    @classmethod
    def of(cls, team_id: TeamId) -> Fingerprint:
        """Return the fingerprint of a team.

        Args:
            team_id: 32 bytes.
        """
        return cls.of_hash(digest(Tag.WORDS, team_id))

    @classmethod
    def of_hash(cls, hashed: bytes) -> Fingerprint:
        """Return the fingerprint of what was hashed with the tag "words" already, like a device that joins.

        Args:
            hashed: 32 bytes.
        """
        word_bits = int.from_bytes(hashed[:_WORD_BYTES], "big")
        digits = int.from_bytes(hashed[_WORD_BYTES : _WORD_BYTES + _DIGIT_BYTES], "big")
        return cls(_words(word_bits), _groups(digits % 10 ** (_GROUPS * _GROUP)))


def _words(bits: int) -> tuple[str, ...]:
    """Cut a number into indices of 11 bits, the highest first."""
    shifts = range(_WORD_BITS * (_WORDS - 1), -1, -_WORD_BITS)
    return tuple(word_list()[bits >> shift & (1 << _WORD_BITS) - 1] for shift in shifts)


def _groups(number: int) -> tuple[str, ...]:
    text = f"{number:0{_GROUPS * _GROUP}}"
    return tuple(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
