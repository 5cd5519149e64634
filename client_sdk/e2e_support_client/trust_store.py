"""What a client remembers of trust: proofs, what was compared, how fresh the roster was, keys of before."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_support.crypto.secret import SECRET_ACCESS, Secret
from e2e_support_keys.store import Store


@dataclass(frozen=True, slots=True)
class ProofRow:
    """A proof that can be shown to others.

    Attributes:
        found_at: seconds since 1970.
        data: a ``proof.Proof``; whoever has it can check it offline.
    """

    found_at: int
    data: bytes


class TrustStore:
    """The queries of trust in the same database as ``LocalStore``.

    Args:
        database: opened with ``schema.MIGRATIONS``.
    """

    def __init__(self, database: Store) -> None:
        self._db = database

    async def note(self, name: str) -> bytes:
        """Return what was noted under a name, or nothing."""
        row = await self._db.fetch_one("SELECT value FROM notes WHERE name = ?", name)
        return bytes(row["value"]) if row else b""

    async def set_note(self, name: str, value: bytes) -> None:
        """Note something under a name."""
        async with self._db.transaction() as write:
            await write.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", name, value)

    async def add_proof(self, data: bytes, now: int) -> None:
        """Keep a proof; the same one is kept once."""
        async with self._db.transaction() as write:
            await write.execute("INSERT OR IGNORE INTO proofs (found_at, data) VALUES (?, ?)", now, data)

    async def proofs(self) -> list[ProofRow]:
        """Return the proofs, the oldest first."""
        rows = await self._db.fetch_all("SELECT found_at, data FROM proofs ORDER BY id")
        return [ProofRow(int(row["found_at"]), bytes(row["data"])) for row in rows]

    async def masters(self) -> list[Secret]:
        """Return the user's earlier masters, the first one first."""
        rows = await self._db.fetch_all("SELECT master FROM masters ORDER BY era")
        return [Secret(bytes(row["master"])) for row in rows]

    async def retire(self, era: int, master: Secret) -> None:
        """Keep a master that will be followed by another, so that its tickets stay readable here."""
        async with self._db.transaction() as write:
            await write.execute(
                "INSERT OR REPLACE INTO masters VALUES (?, ?)", era, master.reveal(SECRET_ACCESS)
            )

    async def unretire(self, era: int) -> None:
        """Forget that a master was followed by another: the change was never finished."""
        async with self._db.transaction() as write:
            await write.execute("DELETE FROM masters WHERE era = ?", era)
