"""The appends of one commit group: judged one after the other, receipted with one signature, stored together."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from e2e_support.ids import Hash
from e2e_support.mailbox import ReceiptFact, ReceiptSigner
from e2e_support_server.refusal import Refusal, not_found
from e2e_support_server.rules import Budget, State, Wish, judge
from e2e_support_server.storage.base import Appended

_STATE = (
    "SELECT length, hash, time, user_entries, user_bytes, team_entries, team_bytes, frozen, team, team_access"
    " FROM mailboxes WHERE number = ?"
)
_TEAM = "SELECT epoch, cursor FROM teams WHERE number = ?"
_PRESENT = "SELECT hash, receipt FROM entries WHERE mailbox = ? AND seq = ?"
_READY = "SELECT 1 FROM blobs WHERE mailbox = ? AND id = ? AND writer = ? AND complete = 1 AND open_since IS NOT NULL"
_COMMIT_BLOB = "UPDATE blobs SET open_since = NULL WHERE mailbox = ? AND id = ?"
_ENTRY = "INSERT INTO entries (mailbox, seq, hash, entry, receipt) VALUES (?, ?, ?, ?, ?)"
_STEP = "INSERT INTO feed (team, cursor, mailbox_id, seq) VALUES (?, ?, ?, ?)"
_MOVE = (
    "UPDATE mailboxes SET length = ?, hash = ?, time = ?, user_entries = ?, user_bytes = ?, team_entries = ?,"
    " team_bytes = ?, empty_since = NULL WHERE number = ?"
)
_CURSOR = "UPDATE teams SET cursor = ? WHERE number = ?"


@dataclass(slots=True)
class _TeamState:
    epoch: int
    cursor: int


@dataclass(slots=True)
class _MailboxState:
    state: State
    team: int
    in_feed: bool


@dataclass(frozen=True, slots=True)
class _Accepted:
    wish: Wish
    seq: int
    time: int
    team: int
    cursor: int


class AppendGroup:
    """Builds up one group inside a transaction that the caller began and will commit.

    Args:
        connection: with the open transaction.
        signer: signs the group's receipts.
        now: seconds since 1970.
        bytes_allowed: how many bytes of entries a writer class may keep in one mailbox.
    """

    def __init__(
        self, connection: sqlite3.Connection, signer: ReceiptSigner, now: int, *, bytes_allowed: int
    ) -> None:
        self._run = connection.execute
        self._run_many = connection.executemany
        self._signer = signer
        self._now = now
        self._bytes_allowed = bytes_allowed
        self._mailboxes: dict[int, _MailboxState] = {}
        self._teams: dict[int, _TeamState] = {}
        self._accepted: list[_Accepted] = []
        self._places: dict[tuple[int, int], tuple[Hash, int]] = {}

    def add(self, wish: Wish) -> Appended | int:
        """Take one wish in.

        Returns:
            What was stored before if it is a repetition, else the wish's position among this group's receipts.

        Raises:
            Refusal: by the order of checks of §3.3; nothing was changed then.
        """
        mailbox = self._mailbox(wish)
        repeated = self._repeated(wish, mailbox.state)
        if repeated is not None:
            return repeated
        team = self._team(mailbox.team)
        judge(mailbox.state, wish, newest_epoch=team.epoch, bytes_allowed=self._bytes_allowed)
        self._commit_blobs(wish)
        return self._accept(wish, mailbox, team)

    def store(self) -> list[Appended]:
        """Write what was accepted, and return it in the order of acceptance."""
        if not self._accepted:
            return []
        pairs = list(zip(self._accepted, self._receipts(), strict=True))
        self._run_many(
            _ENTRY,
            [(a.wish.mailbox.number, a.seq, a.wish.entry_hash, a.wish.entry, r) for a, r in pairs],
        )
        self._run_many(_STEP, [(a.team, a.cursor, a.wish.mailbox.id, a.seq) for a, _ in pairs if a.cursor])
        moved = {a.wish.mailbox.number for a in self._accepted}
        self._run_many(_MOVE, [_move_row(number, self._mailboxes[number].state) for number in moved])
        self._run_many(
            _CURSOR, [(self._teams[team].cursor, team) for team in {a.team for a in self._accepted}]
        )
        return [Appended(receipt, accepted.seq + 1, accepted.cursor) for accepted, receipt in pairs]

    def _receipts(self) -> list[bytes]:
        """Return a receipt for everything accepted: what came back brings its own."""
        new = [a for a in self._accepted if a.wish.kept is None]
        facts = [ReceiptFact(a.wish.mailbox.id, a.seq, a.wish.entry_hash, a.time) for a in new]
        signed = iter(self._signer.sign(facts) if facts else ())
        return [a.wish.kept.receipt if a.wish.kept else next(signed) for a in self._accepted]

    def _mailbox(self, wish: Wish) -> _MailboxState:
        number = wish.mailbox.number
        found = self._mailboxes.get(number)
        if found is None:
            row = self._run(_STATE, (number,)).fetchone()
            if row is None:
                raise not_found()
            length, last, time, ue, ub, te, tb, frozen, team, access = row
            state = State(length, last, time, (Budget(ue, ub), Budget(te, tb)), bool(frozen))
            found = self._mailboxes[number] = _MailboxState(state, team, bool(access))
        return found

    def _team(self, number: int) -> _TeamState:
        if number not in self._teams:
            self._teams[number] = _TeamState(*self._run(_TEAM, (number,)).fetchone())
        return self._teams[number]

    def _repeated(self, wish: Wish, state: State) -> Appended | int | None:
        """Find the same entry at the same place (§3.3 step 1), in this group or before it."""
        if wish.seq >= state.length:
            return None
        place = (wish.mailbox.number, wish.seq)
        if place in self._places:
            other, position = self._places[place]
            return position if other == wish.entry_hash else None
        row = self._run(_PRESENT, place).fetchone()
        return Appended(row[1]) if row is not None and row[0] == wish.entry_hash else None

    def _commit_blobs(self, wish: Wish) -> None:
        """Bind the blobs to their entry (§3.3 step 5): all of them or none."""
        if len(set(wish.blobs)) != len(wish.blobs):
            raise Refusal("blob_incomplete")
        keys = [(wish.mailbox.number, blob) for blob in wish.blobs]
        for key in keys:
            if self._run(_READY, (*key, int(wish.writer))).fetchone() is None:
                raise Refusal("blob_incomplete")
        if keys:
            self._run_many(_COMMIT_BLOB, keys)

    def _accept(self, wish: Wish, mailbox: _MailboxState, team: _TeamState) -> int:
        position = len(self._accepted)
        mailbox.state.advance(wish, wish.kept.time if wish.kept else self._now)
        team.cursor += mailbox.in_feed
        cursor = team.cursor if mailbox.in_feed else 0
        self._accepted.append(_Accepted(wish, wish.seq, mailbox.state.time, mailbox.team, cursor))
        self._places[wish.mailbox.number, wish.seq] = (wish.entry_hash, position)
        return position


def _move_row(number: int, state: State) -> tuple[object, ...]:
    user, team = state.used
    return (state.length, state.hash, state.time, user.entries, user.bytes, team.entries, team.bytes, number)
