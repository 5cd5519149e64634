"""What is loaded together: an application with the client never loads the code that makes team keys."""

import subprocess
import sys

CLIENTS = "bundle, fingerprint, keystore, passphrase, phrase, private_files, shares, store, vault"
TEAMS = {f"e2e_support_keys.{name}" for name in ("audit", "ceremony", "changes", "epochs", "recovery")}


def loaded_by(statement: str) -> set[str]:
    """Return the modules of a fresh process after a statement."""
    script = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_what_clients_use_does_not_load_team_keys() -> None:
    """Keystore, store and the rest work without what makes, hands over and recovers epochs."""
    loaded = loaded_by(f"from e2e_support_keys import {CLIENTS}")
    assert "e2e_support_keys.keystore" in loaded
    assert not loaded & TEAMS


def test_the_package_itself_loads_nothing() -> None:
    """Importing the room has no side effect."""
    assert {name for name in loaded_by("import e2e_support_keys") if name.startswith("e2e_support")} == {
        "e2e_support_keys"
    }
