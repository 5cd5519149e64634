"""The load generator: connections that send requests made beforehand, each the next as soon as one is answered.

It runs in a process of its own and does nothing while the clock runs but ``send``, ``recv`` and reading the time,
so that the relay is what limits. How much of a core it used stands in every result.
"""

from __future__ import annotations

import resource
import select
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.processes import busy_seconds, cpu_seconds
from bench.team import NOOP, Mailbox, Target, authority_of, http_request
from e2e_support.mailbox import entry_hash, first_hash, relay_key_id, verify_receipt
from e2e_support.wire import Append

SURPLUS = 1.5  # requests that a sender has beyond its share, since the fast ones run ahead
WARM_UP = 2  # answers a sender that are not counted
ANSWER_SECONDS = 30
BODY = 2200  # bytes of a no-op's body: as large as an append's


@dataclass(frozen=True, slots=True)
class Round:
    """What one round measured.

    Attributes:
        seconds: how long the counted answers took.
        latencies: seconds from the sending of each request to the end of its answer.
        generator: processor time of the load generator in that time.
        relay: processor time of the relay, all threads and its helper.
        others: processor time of everything else on this machine: what disturbed the round.
    """

    seconds: float
    latencies: list[float]
    generator: float
    relay: float
    others: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


@dataclass(slots=True)
class _Sender:
    connection: socket.socket
    requests: Iterator[bytes]
    began: float = 0.0
    buffer: bytes = b""
    answers: list[bytes] = field(default_factory=list[bytes])

    def send(self) -> None:
        request = next(self.requests)
        self.began = time.perf_counter()
        self.connection.sendall(request)

    def receive(self) -> bool:
        """Take what has arrived; tell whether the answer is complete."""
        part = self.connection.recv(65536)
        self.buffer += part
        head, end, body = self.buffer.partition(b"\r\n\r\n")
        if not part or (end and not head.startswith(b"HTTP/1.1 200 ")):
            raise RuntimeError(f"the relay answered {self.buffer[:500]!r}")
        if not end or len(body) < _length(head):
            return False
        self.answers.append(body)
        self.buffer = b""
        return True


def measure_noop(target: Target, senders: int, count: int) -> Round:
    """Send POSTs that the relay does nothing with."""
    request = http_request(target.url, "POST", NOOP, bytes(BODY), {})
    plans = [[request] * _share(count, senders) for _ in range(senders)]
    done, _ = _drive(target, plans, count)
    return done


def measure_appends(target: Target, senders: int, count: int) -> Round:
    """Append signed entries, every sender to a mailbox of its own; the receipts are checked afterwards."""
    mailboxes = [Mailbox.create(target.url, target.team_id) for _ in range(senders)]
    share = _share(count, senders)
    plans = [[mailbox.next_append() for _ in range(share)] for mailbox in mailboxes]
    done, answers = _drive(target, plans, count)
    if target.relay_key:
        for mailbox, plan, receipts in zip(mailboxes, plans, answers, strict=True):
            _check_receipts(target, mailbox, plan, receipts)
    return done


def _share(count: int, senders: int) -> int:
    return int(count / senders * SURPLUS) + WARM_UP + 2


def _drive(target: Target, plans: Sequence[Sequence[bytes]], count: int) -> tuple[Round, list[list[bytes]]]:
    """Send until ``count`` answers have come after the first few, then let the rest come in uncounted."""
    senders = [_Sender(_connect(target.url), iter(plan)) for plan in plans]
    try:
        measured = _pump(target, senders, WARM_UP * len(senders), count)
    finally:
        for sender in senders:
            sender.connection.close()
    return measured, [sender.answers for sender in senders]


def _pump(target: Target, senders: Sequence[_Sender], warm: int, count: int) -> Round:
    poll = select.epoll()
    waiting = {sender.connection.fileno(): sender for sender in senders}
    for number, sender in waiting.items():
        poll.register(number, select.EPOLLIN)
        sender.send()
    latencies: list[float] = []
    marks: list[tuple[float, float, float, float]] = []
    in_flight, last = len(senders), warm + count
    while in_flight:
        events = poll.poll(ANSWER_SECONDS)
        if not events:
            raise RuntimeError("the relay does not answer")
        for number, _ in events:
            sender = waiting[number]
            if not sender.receive():
                continue
            latencies.append(time.perf_counter() - sender.began)
            if len(latencies) in (warm, last):
                marks.append(_mark(target))
            if len(latencies) + in_flight <= last:
                sender.send()
            else:
                in_flight -= 1
    poll.close()
    seconds, own, relay, all_used = (after - before for before, after in zip(*marks, strict=True))
    return Round(seconds, latencies[warm:last], own, relay, max(0.0, all_used - own - relay))


def _mark(target: Target) -> tuple[float, float, float, float]:
    """Return the time, and the processor time that this process, the relay and the whole machine used so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime, cpu_seconds(target.pid), busy_seconds()


def _connect(url: str) -> socket.socket:
    host, _, port = authority_of(url).rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _length(head: bytes) -> int:
    """Return the length of an answer's body."""
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise RuntimeError(f"an answer without a length: {head[:500]!r}")


def _check_receipts(
    target: Target, mailbox: Mailbox, plan: Sequence[bytes], receipts: Sequence[bytes]
) -> None:
    """Make sure that what was timed is what was asked for: every entry chained and receipted."""
    keys = {relay_key_id(target.relay_key): target.relay_key}
    chained = first_hash(mailbox.id)
    for request, receipt in zip(plan, receipts, strict=False):
        append = Append.from_bytes(request.partition(b"\r\n\r\n")[2])
        chained = entry_hash(mailbox.id, append.seq, chained, append.entry)
        verify_receipt(receipt, keys, mailbox=mailbox.id, seq=append.seq, entry_hash=chained)
