"""A log as people read it: each entry with its final verdict, and the state they add up to.

The state is a pure function of the log, the receipt times that entries quote, and the policy at the roster
head that each entry cites (protocol 5.5, 5.7).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Protocol, TypeVar

from e2e_support.content import AssignBody, BarrierBody, FieldsBody, Inner
from e2e_support.errors import UsageError
from e2e_support.ids import DeviceId, Hash, MemberId
from e2e_support.opened import Opened
from e2e_support.policy import Policy
from e2e_support.reasons import refusal
from e2e_support.space import judge_space, volume_of
from e2e_support.staff import StaffState, judge_staff
from e2e_support.ticket import judge
from e2e_support.ticket_state import DAY, NOBODY, Fact, TicketState, advance
from e2e_support.vocab import WRITERS, Verdict
from e2e_support.wire import Head

S = TypeVar("S")
Identity = tuple[int, bytes, bytes]
"""Of a message: the volume of the team space that it stands in, its author and its id."""
GRACE: Final = 7 * DAY
"""How long an entry may follow a policy that was replaced: who was away for a day is not at fault (§5.5)."""


class Policies(Protocol):
    """What a thread asks of the roster."""

    def policy_at(self, seq: int) -> Policy:
        """Return the policy that held once the link of that sequence number stood."""
        ...

    def revocation_of(self, device_id: DeviceId) -> tuple[int, Hash] | None:
        """Return sequence number and hash of the link that removed a device, if one did."""
        ...

    def policy_ended(self, seq: int) -> int | None:
        """Return when the policy that held at a link was replaced; ``None`` while it holds."""
        ...

    def may_be_assigned(self, member_id: MemberId, head: Head) -> bool:
        """Tell whether a member wrote for the team at a head."""
        ...


@dataclass(slots=True)
class LogThread(ABC, Generic[S]):
    """The entries of a log and its state; feed it what a ``Conversation`` opened, in order.

    Args:
        policies: the roster; after it grew, ``judge_again`` with the new one.

    Attributes:
        entries: every entry with its final verdict, whatever it is; nothing is dropped.
        state: what they add up to; ``None`` while no opening stands.
    """

    policies: Policies
    entries: list[Opened] = field(default_factory=list[Opened])
    state: S | None = None
    _opened: list[Opened] = field(default_factory=list[Opened])
    _barriers: dict[Hash, list[tuple[Opened, Inner, int]]] = field(
        default_factory=dict[Hash, list[tuple[Opened, Inner, int]]]
    )
    _believed: dict[DeviceId, int | None] = field(default_factory=dict[DeviceId, int | None])
    _settled: S | None = None
    _last: Opened | None = None
    _time: int = 0
    _seen: set[Identity] = field(default_factory=set[Identity])

    def take(self, opened: Opened) -> Opened:
        """Add the next entry and return it with its final verdict.

        The entry before gets the receipt time that this one quotes, and is judged anew by it: its verdict in
        ``entries`` is the one that stays.
        """
        self._opened.append(opened)
        if not self._note_barrier(opened):
            return self._take(opened)
        self._replay()
        return self.entries[-1]

    def judge_again(self, policies: Policies) -> None:
        """Judge all entries anew after the roster grew: a removal changes what is believed (§4.8)."""
        self.policies = policies
        self._replay()

    def check(self, fact: Fact, policy: Policy) -> None:
        """Do nothing if an entry may be written now.

        Args:
            fact: what is to be written, with the time at which it would be received.
            policy: the newest policy.

        Raises:
            UsageError: the rule that stands against it.
        """
        _, reason = self._rules(self.state, fact, policy)
        if reason:
            raise refusal(reason)

    @abstractmethod
    def _rules(self, state: S | None, fact: Fact, policy: Policy) -> tuple[S | None, str]:
        """Return the state after an entry and the rule that it breaks; each kind of log has its own."""

    def _take(self, opened: Opened) -> Opened:
        if self._last is not None:
            self._settle(self._last, opened.quoted or self._last.received)
        self._last = opened
        judged, self.state = self._judge(opened)
        self.entries.append(judged)
        return judged

    def _replay(self) -> None:
        self.entries.clear()
        self._seen.clear()
        self._believed.clear()
        self.state = self._settled = self._last = None
        self._time = 0
        for opened in self._opened:
            self._take(opened)

    def barrier(self, device_id: DeviceId) -> int | None:
        """Return up to which number entries of a removed device are believed; ``None`` without a barrier (§4.8).

        The first word for a removal counts, if it is of a device that stood after that removal: neither a user nor
        whoever was removed can say what is believed of them. Each barrier is judged by later removals only.
        """
        if device_id not in self._believed:
            self._believed[device_id] = self._find_barrier(device_id)
        return self._believed[device_id]

    def _find_barrier(self, device_id: DeviceId) -> int | None:
        removal = self.policies.revocation_of(device_id)
        if removal is None:
            return None
        seq, revocation = removal
        for entry, inner, upto in self._barriers.get(revocation, ()):
            if inner.roster_head.length > seq and self._removal_verdict(entry) is None:
                return upto
        return None

    def _note_barrier(self, opened: Opened) -> bool:
        """Keep what an entry says of removals; tell whether it changes what is believed of somebody."""
        inner, body, device = opened.inner, opened.body, opened.device
        if opened.verdict is not Verdict.OK or device is None or device.role not in WRITERS:
            return False
        if inner is None or not isinstance(body, BarrierBody):
            return False
        told = {item.revocation: item.accept_upto for item in reversed(body.items)}  # the first word counts
        for revocation, upto in told.items():
            self._barriers.setdefault(revocation, []).append((opened, inner, upto))
        before, self._believed = self._believed, {}
        return any(self.barrier(device_id) != upto for device_id, upto in before.items())

    def _settle(self, last: Opened, time: int) -> None:
        if last.received != time:
            self.entries[-1], self.state = self._judge(replace(last, received=time))
        self._settled, final = self.state, self.entries[-1]
        if final.verdict is Verdict.OK and final.inner:  # what had no effect may be said again
            self._seen.add(self._identity(final.seq, final.inner))
            self._time = final.received

    def _judge(self, opened: Opened) -> tuple[Opened, S | None]:
        inner = opened.inner
        if opened.verdict is not Verdict.OK or inner is None:
            return opened, self._settled
        if (removed := self._removal_verdict(opened)) is not None:
            return removed, self._settled
        if self._identity(opened.seq, inner) in self._seen:
            return replace(opened, verdict=Verdict.NONCONFORMING, reason="same_message"), self._settled
        if opened.received < self._time:  # only a dishonest relay's times go back; rules never see it (§5.7)
            opened = replace(opened, received=self._time)
        state, reason = self._settled, "superseded_policy"
        if not self._is_superseded(inner.roster_head, opened.received):
            policy = self.policies.policy_at(inner.roster_head.length - 1)
            state, reason = self._rules(state, fact_of(opened, self.policies), policy)
        return (replace(opened, verdict=Verdict.NONCONFORMING, reason=reason) if reason else opened), state

    def _identity(self, _seq: int, inner: Inner) -> Identity:
        """Return what two entries that say the same message have in common."""
        return 0, inner.author.key, inner.message_id

    def _is_superseded(self, cited: Head, time: int) -> bool:
        """Tell whether an entry came long after the rules that it follows had ended: nobody picks their own."""
        ended = self.policies.policy_ended(cited.length - 1)
        return ended is not None and time > ended + GRACE

    def _removal_verdict(self, opened: Opened) -> Opened | None:
        """Return what a removed device's entry is believed, or ``None`` where it counts (§4.8, attack 52).

        A barrier decides, so that all readers agree; without one an entry counts for whoever had followed it
        before they knew of the removal.
        """
        device = opened.device
        removal = self.policies.revocation_of(device.device_id) if device else None
        if device is None or removal is None:
            return None
        upto = self.barrier(device.device_id)
        if upto is not None and opened.seq > upto:
            return replace(opened, verdict=Verdict.FORGED, reason="after_removal", inner=None, body=None)
        if upto is not None or opened.known <= removal[0]:
            return None
        return replace(opened, verdict=Verdict.UNVERIFIABLE, reason="removed_device")


@dataclass(slots=True)
class Thread(LogThread[TicketState]):
    """A ticket's shared log."""

    def at(self, now: int) -> TicketState | None:
        """Return the ticket as time has made it: a resolved one closes by itself (§5.10).

        Args:
            now: seconds since 1970.
        """
        return advance(self.state, now) if self.state else None

    def _rules(self, state: TicketState | None, fact: Fact, policy: Policy) -> tuple[TicketState | None, str]:
        return judge(state, fact, policy)

    def require_state(self) -> TicketState:
        """Return the state of a ticket that has a valid opening.

        Raises:
            UsageError: ``not_a_ticket``.
        """
        if self.state is None:
            raise UsageError(
                "not_a_ticket",
                "this mailbox holds no valid ticket",
                hint="It stays in quarantine; tell its author.",
            )
        return self.state


@dataclass(slots=True)
class StaffThread(LogThread[StaffState]):
    """A ticket's staff log."""

    def _rules(self, state: StaffState | None, fact: Fact, policy: Policy) -> tuple[StaffState | None, str]:
        return judge_staff(state, fact, policy)


@dataclass(slots=True)
class SpaceThread(LogThread[int]):
    """The team space; its state is how many entries hold.

    Entries are numbered through all volumes. Of a finished volume those may be left out that are not asked for, but
    for barriers, and what is left comes with its settled time and no quoted one.
    """

    def _rules(self, state: int | None, fact: Fact, policy: Policy) -> tuple[int | None, str]:
        return judge_space(state, fact, policy)

    def _identity(self, seq: int, inner: Inner) -> Identity:
        return volume_of(seq), inner.author.key, inner.message_id


def fact_of(opened: Opened, policies: Policies) -> Fact:
    """Return what an opened entry says, without its bytes and keys.

    Args:
        opened: an entry that did open.
        policies: the roster, which knows who is in the team.
    """
    inner, device = opened.inner, opened.device
    assert inner is not None and opened.body is not None  # noqa: S101, PT018 - only opened entries are judged
    role, device_id = (device.role, bytes(device.device_id)) if device else (None, b"")
    return Fact(
        opened.seq,
        inner.kind,
        inner.author.role,
        opened.body,
        opened.received,
        role,
        device_id,
        inner.attachments,
        _is_assignable(opened.body, inner.roster_head, policies),
    )


def _is_assignable(body: object, cited: Head, policies: Policies) -> bool:
    assignee = body.assignee if isinstance(body, AssignBody | FieldsBody) else b""
    return assignee in {b"", NOBODY} or policies.may_be_assigned(MemberId(assignee), cited)
