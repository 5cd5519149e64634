# Types for the part of shamir-mnemonic that e2e_support_keys.shares uses; the package ships no py.typed.

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

class MnemonicError(Exception): ...

class ShareGroupParameters(NamedTuple):
    identifier: int
    extendable: bool
    iteration_exponent: int
    group_index: int
    group_threshold: int
    group_count: int
    member_threshold: int

@dataclass(frozen=True)
class Share:
    identifier: int
    extendable: bool
    iteration_exponent: int
    group_index: int
    group_threshold: int
    group_count: int
    index: int
    member_threshold: int
    value: bytes
    def group_parameters(self) -> ShareGroupParameters: ...
    def mnemonic(self) -> str: ...
    @classmethod
    def from_mnemonic(cls, mnemonic: str) -> Share: ...

def generate_mnemonics(
    group_threshold: int,
    groups: Sequence[tuple[int, int]],
    master_secret: bytes,
    passphrase: bytes = b"",
    extendable: bool = True,
    iteration_exponent: int = 1,
) -> list[list[str]]: ...
def combine_mnemonics(mnemonics: Iterable[str], passphrase: bytes = b"") -> bytes: ...
