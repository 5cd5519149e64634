"""A 32-byte secret split into lists of words, any few of which give it back: SLIP-0039, by its authors' library.

The library draws its randomness from the operating system and takes no care about timing: it is for the one
computer that shows or hears the words anyway (``docs/adr/0007-shares.md``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.wordlist import WORDLIST

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support.crypto.suite import KEY_SIZE
from e2e_support.errors import UsageError
from e2e_support_keys.phrase import alike

SHARES_MAX = 16
SHARE_WORDS = 33


def split(secret: Secret, threshold: int, shares: int) -> tuple[str, ...]:
    """Return shares of a secret; fewer of them than the threshold tell nothing about it.

    Two splits of one secret do not mix.

    Args:
        secret: 32 bytes.
        threshold: how many shares give the secret back, at least two.
        shares: how many there are, at most sixteen.

    Raises:
        UsageError: ``bad_split`` for impossible numbers, ``bad_key`` for a secret of another size.
    """
    if not 2 <= threshold <= shares <= SHARES_MAX:
        raise UsageError(
            "bad_split",
            f"{threshold} of {shares} shares is not possible",
            hint=f"Make two to {SHARES_MAX} shares, and require two or more of them.",
        )
    if len(secret) != KEY_SIZE:
        raise UsageError("bad_key", f"shares stand for {KEY_SIZE} bytes")
    # The exponent slows guesses of a passphrase, and there is none: what is split is random.
    (group,) = generate_mnemonics(
        1, [(threshold, shares)], secret.reveal(SECRET_ACCESS), iteration_exponent=0
    )
    return tuple(group)


def combine(shares: Sequence[str]) -> Secret:
    """Return the secret that shares stand for.

    Args:
        shares: as many as needed or more, in any order; capitals and white space do not matter.

    Raises:
        UsageError: ``bad_share``, naming the share by its place, where it can be known; ``too_few_shares``,
            saying how many are missing.
    """
    read = [_read(place, text) for place, text in enumerate(shares, 1)]
    _check_one_split(read)
    by_index = {share.index: text for share, text in zip(read, shares, strict=True)}
    wanted = read[0].member_threshold if read else 1
    if len(by_index) < wanted:
        raise _too_few(wanted - len(by_index))
    try:
        return Secret(combine_mnemonics(list(by_index.values())[:wanted]))
    except MnemonicError:
        raise UsageError(
            "bad_share",
            "the shares do not fit together, although no word is wrong: one of them is false",
            hint="Take another share instead of one of them; whoever brought the false one should explain.",
        ) from None


def _read(place: int, text: str) -> Share:
    """Return a share whose own checksum holds; RS1024 finds every change of up to three words."""
    words = text.lower().split()
    for at, word in enumerate(words, 1):
        if word not in WORDLIST:
            raise _bad_share(place, f"word {at}, {word!r}, is not in the list", alike(word, WORDLIST))
    if len(words) != SHARE_WORDS:
        raise _bad_share(place, f"it has {len(words)} words instead of {SHARE_WORDS}")
    try:
        return Share.from_mnemonic(" ".join(words))
    except MnemonicError:
        raise _bad_share(place, "the words do not fit together") from None


def _check_one_split(shares: Sequence[Share]) -> None:
    """Name the first share that is not of the split that most are of."""
    splits = [share.group_parameters() for share in shares]
    for place, found in enumerate(splits, 1):
        if found != Counter(splits).most_common(1)[0][0]:
            raise _bad_share(place, "it belongs to another set", "Leave it away; bring one of the same set.")


def _bad_share(place: int, why: str, hint: str = "Compare it with the paper, word by word.") -> UsageError:
    return UsageError("bad_share", f"share {place} is wrong: {why}", hint=hint)


def _too_few(missing: int) -> UsageError:
    more = "one more share is" if missing == 1 else f"{missing} more shares are"
    return UsageError("too_few_shares", f"{more} needed", hint="Ask their keepers; each must be another one.")
