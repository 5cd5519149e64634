"""Holders for secret bytes that must ask for a token before they give them up.

``grep -rn SECRET_ACCESS`` lists every place where a secret leaves its holder.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final, NoReturn, final

from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.errors import UsageError

Random = Callable[[int], bytes]
"""A source of randomness: takes a number of bytes, returns that many. Rooms pass ``os.urandom``."""


@final
class SecretAccess:
    """The permission to read secret bytes; the only instance that counts is ``SECRET_ACCESS``."""

    __slots__ = ()


SECRET_ACCESS: Final = SecretAccess()


@final
class Secret:
    """Immutable secret bytes that do not print, pickle or copy.

    Args:
        data: the secret, of any size.
    """

    __slots__ = ("_Secret__data",)
    __data: bytes

    def __init__(self, data: bytes) -> None:
        object.__setattr__(self, "_Secret__data", bytes(data))

    @classmethod
    def random(cls, random: Random, size: int = KEY_SIZE) -> Secret:
        """Return a fresh secret.

        Args:
            random: the source of randomness.
            size: number of bytes.

        Raises:
            UsageError: ``bad_random`` when the source returns another number of bytes.
        """
        return cls(draw(random, size))

    def reveal(self, access: SecretAccess) -> bytes:
        """Return the secret bytes.

        Args:
            access: ``SECRET_ACCESS``, so that every such place can be found.

        Raises:
            UsageError: ``no_access`` for any other token.
        """
        require_access(access)
        return self.__data

    def __len__(self) -> int:
        return len(self.__data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.__data, other.__data)

    def __hash__(self) -> int:
        return int.from_bytes(hashlib.sha256(self.__data).digest()[:8], "big")

    def __repr__(self) -> str:
        return f"Secret(<{len(self.__data)} bytes>)"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a secret cannot be changed")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


def require_access(access: SecretAccess) -> None:
    """Do nothing for ``SECRET_ACCESS``.

    Raises:
        UsageError: ``no_access`` for any other token.
    """
    if access is not SECRET_ACCESS:
        raise UsageError("no_access", "a secret is revealed to SECRET_ACCESS only")


def draw(random: Random, size: int) -> bytes:
    """Return random bytes and make sure that there are as many as asked for.

    Args:
        random: the source of randomness.
        size: number of bytes.

    Raises:
        UsageError: ``bad_random`` when the source returns another number of bytes.
    """
    data = random(size)
    if len(data) != size:
        raise _bad_random(f"the random source returned {len(data)} bytes instead of {size}")
    return data


def check_random(random: Random) -> None:
    """Refuse a random source that is plainly broken; programs call this once when they start.

    It cannot tell good randomness from bad: it catches a source that is stuck.

    Args:
        random: the source to test.

    Raises:
        UsageError: ``bad_random`` when two draws of 32 bytes are equal or have a wrong size.
    """
    if hmac.compare_digest(draw(random, KEY_SIZE), draw(random, KEY_SIZE)):
        raise _bad_random("the random source returned the same 32 bytes twice")


def _bad_random(why: str) -> UsageError:
    return UsageError("bad_random", why, hint="Do not go on: keys made on this machine would be guessable.")
