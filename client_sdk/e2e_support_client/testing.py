"""A relay in memory for tests: it keeps the protocol's rules, and breaks them one by one when told to.

``FakeRelay`` stands wherever a ``RelayPort`` does. Host applications use it to test how they behave offline, when
asked to wait, or under a hostile relay; this project's own attack tests are driven by it.

    relay = FakeRelay()
    relay.take_team(batch)
    relay.inject(Fault.OFFLINE, times=2)

``memory.relay`` says what the real relay does besides.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from e2e_support.crypto.secret import Secret
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import SupportError, TransportError
from e2e_support.ids import ID_SIZE, DeviceId, MailboxId, MemberId
from e2e_support.mailbox import Chain
from e2e_support.roster import TrustedRoster, next_body
from e2e_support.roster_links import DeviceAdd, prove_device, sign_link
from e2e_support.vocab import Role
from e2e_support.wire import DeviceRecord, Receipt
from e2e_support_client import clock
from e2e_support_client.faults import BLOB_FAULTS, LOG_FAULTS, Fault, View, flipped
from e2e_support_client.memory.held import HeldBlob, HeldMailbox, Kept
from e2e_support_client.memory.relay import CODE, WORK_BITS, MemoryRelay
from e2e_support_client.refusals import refusal

__all__ = ["CODE", "FakeRelay", "Fault"]

OTHER_TIME = 3600  # seconds by which an equivocating relay is off
_RECEIPT_FAULTS = (Fault.FORGED_RECEIPT, Fault.OTHER_RECEIPT, Fault.OTHER_TIME)


@dataclass(slots=True)
class _Injected:
    """A fault that is on: for how many more times, where, and how long the logs were before."""

    left: float
    mailbox: MailboxId | None
    lengths: dict[MailboxId, int]


class FakeRelay(MemoryRelay):
    """A ``MemoryRelay`` that fails and lies as it is told; arguments as there.

    Attributes:
        slowness: seconds that every call takes under ``Fault.SLOW``.
        retry_after: what ``Fault.RATE`` and ``Fault.BUSY`` ask for, in seconds.
        signs_anew: whether a hostile relay signs receipts for what it changed.
    """

    def __init__(
        self,
        relay_key: SigningKey | None = None,
        *,
        now: clock.Clock = clock.now,
        work_bits: int = WORK_BITS,
        code: str = CODE,
    ) -> None:
        super().__init__(relay_key, now=now, work_bits=work_bits, code=code)
        self._forger = SigningKey(Secret.random(clock.random))
        self._faults: dict[Fault, _Injected] = {}
        self._refusals: list[SupportError] = []
        self.slowness = 0.05
        self.retry_after = 1.0
        self.signs_anew = True

    def inject(self, fault: Fault, *, times: float = float("inf"), mailbox: MailboxId | None = None) -> None:
        """Turn a fault on.

        Args:
            fault: what goes wrong.
            times: for how many calls that it touches.
            mailbox: only there; everywhere by default.
        """
        lengths = {one: len(box.log) for one, box in self._mailboxes.items()}
        self._faults[fault] = _Injected(times, mailbox, lengths)

    def heal(self, *faults: Fault) -> None:
        """Turn faults off; all of them if none is named."""
        for fault in faults or tuple(Fault):
            self._faults.pop(fault, None)

    def refuse_next(self, *codes: str) -> None:
        """Answer the next calls with these codes of protocol section 11, one each."""
        self._refusals.extend(refusal(code) for code in codes)

    async def _enter(self, call: str, mailbox: MailboxId | None = None) -> None:
        """Let the network's faults happen to a call."""
        await super()._enter(call, mailbox)
        if self._hit(Fault.SLOW, mailbox):
            await asyncio.sleep(self.slowness)
        if self._hit(Fault.OFFLINE, mailbox):
            raise TransportError("relay_unreachable", "the relay cannot be reached")
        for fault, code in ((Fault.RATE, "rate"), (Fault.BUSY, "busy")):
            if self._hit(fault, mailbox):
                raise refusal(code, retry_after=self.retry_after)
        if mailbox is not None and self._hit(Fault.ERASED, mailbox):
            raise refusal("erased")
        if self._refusals:
            raise self._refusals.pop(0)

    def _leave(self) -> None:
        if self._hit(Fault.LOST_ANSWER):
            raise TransportError("timeout", "the relay answers too slowly")

    def _links_shown(self, roster: TrustedRoster) -> list[bytes]:
        links = super()._links_shown(roster)
        if self._hit(Fault.OLD_ROSTER):
            links = links[:-1]
        if self._hit(Fault.FOREIGN_LINK):
            links.append(self._foreign_link(roster))
        return links

    def _receipt_shown(self, mailbox: MailboxId, receipt: bytes) -> bytes:
        return self._spoilt(receipt, {fault for fault in _RECEIPT_FAULTS if self._hit(fault, mailbox)})

    def _blob_shown(self, mailbox: MailboxId, blob: HeldBlob) -> bytes:
        data = blob.data
        others = [other.data for other in self._blobs.values() if other is not blob and not other.missing]
        for fault, change in BLOB_FAULTS.items():
            if self._hit(fault, mailbox):
                data = change(data, others[0] if others else bytes(len(data)))
        return data

    def _hit(self, fault: Fault, mailbox: MailboxId | None = None) -> bool:
        injected = self._faults.get(fault)
        if injected is None or injected.left < 1 or injected.mailbox not in {None, mailbox}:
            return False
        injected.left -= 1
        return True

    def _log_shown(self, mailbox: MailboxId, box: HeldMailbox) -> tuple[list[Kept], Chain]:
        """Return the log as a reader is shown it, and the chain that the relay claims."""
        changes = [fault for fault in LOG_FAULTS if self._hit(fault, mailbox)]
        spoils = {fault for fault in _RECEIPT_FAULTS if self._hit(fault, mailbox)}
        if not changes and not spoils:
            return box.log, box.chain
        log = list(box.log)
        for fault in changes:
            log = LOG_FAULTS[fault](log, self._view(fault, mailbox, box)) if log else log
        chain = Chain.start(mailbox)
        shown: list[Kept] = []
        for kept in log:
            chain = chain.advance(kept.entry)
            shown.append(self._signed_anew(kept, chain, spoils))
        return shown, chain

    def _view(self, fault: Fault, mailbox: MailboxId, box: HeldMailbox) -> View:
        others = [other.log for one, other in self._mailboxes.items() if one != mailbox and other.log]
        others.sort(key=len, reverse=True)
        before = self._faults[fault].lengths.get(mailbox, 0)
        return View(mailbox, others, before, self._roster_of(box))

    def _signed_anew(self, kept: Kept, chain: Chain, spoils: set[Fault]) -> Kept:
        """Give an entry the receipt that its reader gets; the relay's own key signs whatever it likes."""
        time = kept.time + OTHER_TIME * (Fault.OTHER_TIME in spoils)
        receipt = kept.receipt
        if self.signs_anew:
            receipt = self._receipt(chain.mailbox, chain.length - 1, chain.hash, time)
        return Kept(kept.entry, time, self._spoilt(receipt, spoils))

    def _spoilt(self, receipt: bytes, spoils: set[Fault]) -> bytes:
        """Return a receipt, or what a relay gives out that did not store the entry (attack 16)."""
        opened = Receipt.from_bytes(receipt)
        leaf = opened.leaf
        if Fault.FORGED_RECEIPT in spoils:
            return Receipt(leaf, (), flipped(opened.signature)).to_bytes()
        if Fault.OTHER_RECEIPT in spoils:
            return self._receipt(leaf.mailbox_id, leaf.seq + 1, leaf.entry_hash, leaf.time)
        return receipt

    def _foreign_link(self, roster: TrustedRoster) -> bytes:
        """Return a link by which the relay makes itself an owner (attack 9)."""
        device = DeviceId(bytes(ID_SIZE))
        kem_key = roster.epoch.kem_key
        record = DeviceRecord(device, MemberId(device), Role.OWNER, self._forger.public, kem_key, "relay", ())
        joining = DeviceAdd(record, prove_device(self._forger, roster.team_id, record))
        return sign_link(next_body(roster, joining, self.time), [(device, self._forger)])
