"""A program that changes the passphrase of keys and kills itself at one step of it; run by the tests of homes.

Arguments: home, file with the new passphrase, how many steps go well. Before and after every call that changes
something outside of the process there is a step.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring

from e2e_support_keys.home import KeyHome
from e2e_support_keys.keystore import FileKeystore
from e2e_support_keys.vault import FLOOR
from rings import FileRing

DEFAULTS = FileKeystore.__init__.__kwdefaults__ or {}
"""Of every key file; tests set the cost to the least."""


def home_in(folder: Path) -> KeyHome:
    """Return the keys; all runs share them."""
    return KeyHome("e2e-test", folder / "keys", folder / "store.db", "Passphrase")


class Steps:
    """Counts the calls that change something, and kills the process at one of them."""

    def __init__(self, left: int) -> None:
        self.left = left

    def watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call with a step before it and one after."""

        def run(*given: Any, **named: Any) -> Any:
            self._step()
            done = call(*given, **named)
            self._step()
            return done

        return run

    def _step(self) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


def main(folder: Path, new: Path, left: int) -> None:
    """Change the passphrase."""
    ring, steps = FileRing(folder / "ring"), Steps(left)
    keyring.set_keyring(ring)
    DEFAULTS["cost"] = FLOOR
    for owner, names in ((os, ("fsync", "replace")), (ring, ("set_password", "delete_password"))):
        for name in names:
            setattr(owner, name, steps.watched(getattr(owner, name)))
    home_in(folder).change_passphrase(new)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
