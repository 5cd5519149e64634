"""Proofs as files, for both command lines: saved to hand on, checked wherever they come from."""

from __future__ import annotations

from pathlib import Path

from e2e_support.errors import PeerError, UsageError
from e2e_support.proof import Proof, Shown, check_proof


def save_proof(path: Path, data: bytes) -> None:
    """Write a proof to a new file.

    Raises:
        UsageError: ``file_exists``, ``cannot_write``.
    """
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise UsageError("file_exists", f"{path} exists", hint="Choose another name.") from None
    except OSError as error:
        raise UsageError("cannot_write", f"{path}: {error.strerror}", hint="Choose another place.") from None


def check_proof_in(path: Path) -> Shown:
    """Return what the proof in a file shows; needs neither keys nor a network.

    Raises:
        UsageError: ``cannot_read``.
        PeerError: ``malformed``, and as ``check_proof``.
        TrustError: as ``check_proof``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(Proof.LIMIT + 1)
    except OSError as error:
        raise UsageError("cannot_read", f"{path}: {error.strerror}", hint="Check the path.") from None
    try:
        return check_proof(data)
    except PeerError as error:
        if error.code != "malformed":
            raise
        raise PeerError(
            "malformed", f"{path} is no proof, or it is damaged", hint="Ask for the file again."
        ) from None
