"""Keyrings for tests: backends of the library ``keyring`` that keep their entries in memory or in a file."""

from __future__ import annotations

import json
from pathlib import Path

import keyring.backend
import pytest
from keyring.compat import properties


class Ring(keyring.backend.KeyringBackend):
    """A keyring of the recommended kind, in memory."""

    @properties.classproperty
    def priority(self) -> float:
        return 5

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


class UselessRing(Ring):
    """A keyring that protects nothing, as its priority says."""

    @properties.classproperty
    def priority(self) -> float:
        return 0


class FileRing(Ring):
    """A keyring that outlives its process, as a system's does."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        if path.exists():
            self.entries = {(service, user): kept for service, user, kept in json.loads(path.read_bytes())}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password
        self._keep()

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]
        self._keep()

    def _keep(self) -> None:
        self._path.write_text(json.dumps([[*name, kept] for name, kept in self.entries.items()]))


def use_ring(monkeypatch: pytest.MonkeyPatch, ring: keyring.backend.KeyringBackend) -> None:
    """Make a backend the system's keyring for one test."""
    monkeypatch.setattr("keyring.core._keyring_backend", ring)
