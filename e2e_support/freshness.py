"""Freshness: active devices state that a roster head was the newest, for some days (protocol 4.7).

A relay can withhold links, but it cannot make such statements; a client whose last one is over sends nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from e2e_support.crypto.sign import SigningKey, verify
from e2e_support.errors import TrustError
from e2e_support.ids import DeviceId, MemberId
from e2e_support.limits import CLOCK_WARNING
from e2e_support.roster_links import open_link
from e2e_support.roster_state import RosterState
from e2e_support.tags import Tag
from e2e_support.vocab import Role
from e2e_support.wire import DeviceSignature, Freshness, FreshnessBody, Head

DAY = 24 * 3600
SIGNERS_MIN = 2
"""One stolen or removed device must not vouch for an old roster alone, nor one person with two."""
ELSEWHERE = frozenset({"roster_behind", "roster_fork"})
"""Codes by which active devices contradict the relay: a person waits for no statement, but for the true roster."""
NEWCOMER_DAYS = 3  # until a newcomer's first sync nobody else could vouch, and users could not send


@dataclass(frozen=True, slots=True)
class FreshUntil:
    """What a good statement says; a client keeps the newest and never goes back.

    Attributes:
        head: the head that was the newest when it was issued.
        issued: seconds since 1970.
        expires: when sending stops without a newer statement; never later than the policy's days allow.
    """

    head: Head
    issued: int
    expires: int


def sign_freshness(roster: RosterState, signers: Iterable[tuple[DeviceId, SigningKey]], *, now: int) -> bytes:
    """Return a statement that a roster's head is the newest one, for as long as its policy says.

    Args:
        roster: the newest roster that the signers know.
        signers: owner or agent devices with their keys; ``cosign_freshness`` adds others later.
        now: seconds since 1970.
    """
    expires = now + roster.policy.freshness.days * DAY
    body = FreshnessBody(roster.team_id, roster.head, now, expires).to_bytes()
    return Freshness(body, _sign(body, signers)).to_bytes()


def cosign_freshness(statement: bytes, signers: Iterable[tuple[DeviceId, SigningKey]]) -> bytes:
    """Return a statement with further signatures.

    The caller checks first that the statement is about the roster that it knows: ``freshness_of``.

    Raises:
        PeerError: ``malformed``.
    """
    begun = Freshness.from_bytes(statement)
    return Freshness(begun.body, begun.signatures + _sign(begun.body, signers)).to_bytes()


def freshness_of(statement: bytes) -> FreshnessBody:
    """Return what a statement says, whoever signed it.

    Raises:
        PeerError: ``malformed``.
    """
    return FreshnessBody.from_bytes(Freshness.from_bytes(statement).body)


def check_freshness(
    roster: RosterState, statement: bytes, *, now: int, earlier: FreshUntil | None = None
) -> FreshUntil:
    """Return how long a roster counts as fresh.

    Signers must be active in the roster at hand, not in the one that the statement is about: a removed device
    vouches for nothing. The statement may be about an older head of the same roster, so that a new link does
    not stop everybody until enough devices have signed again. Fewer signatures are enough where all others that
    could sign are newcomers; its days run from when the first of them came, so that a device which is removed
    soon after gains nothing by dating a statement later. That links are hidden, or that there is another roster,
    one good signature shows, but none by devices that this reader does not know.

    Args:
        roster: the client's roster.
        statement: a ``Freshness``.
        now: this machine's time in seconds since 1970.
        earlier: the newest statement that this client accepted before.

    Raises:
        PeerError: ``malformed``.
        TrustError: ``roster_stale`` when it is over, ``roster_behind`` when it is about a newer roster,
            ``roster_fork`` when it is about another one, ``too_few_signers``, or ``bad_freshness``.
    """
    signed = Freshness.from_bytes(statement)
    body = FreshnessBody.from_bytes(signed.body)
    if body.team_id != roster.team_id:
        raise _bad("the statement is about another team")
    good = _good_signers(roster, signed)
    if good and not roster.has_head(body.head):  # without a signature, these are only the relay's words
        raise _behind() if body.head.length > len(roster.links) else _fork()
    since = _vouched_since(roster, good, body.issued, now)
    _check_forward(body, earlier)
    expires = min(body.expires, since + roster.policy.freshness.days * DAY)
    _check_time(body.issued, expires, now)
    return FreshUntil(body.head, body.issued, expires)


def require_vouched(roster: RosterState, statement: bytes, *, now: int) -> None:
    """Do nothing if something may be sealed for a roster: enough active devices say that it is the newest.

    A team that never stated anything is fresh for the policy's days after it was founded.

    Args:
        roster: the newest roster that is known.
        statement: the newest ``Freshness`` that was accepted for it; empty where there was none.
        now: this machine's time in seconds since 1970.

    Raises:
        TrustError: as ``check_freshness``.
    """
    if statement:
        check_freshness(roster, statement, now=now)
    elif now >= open_link(roster.links[0]).body.time + roster.policy.freshness.days * DAY:
        raise _stale()


def _check_forward(body: FreshnessBody, earlier: FreshUntil | None) -> None:
    if earlier and (body.issued < earlier.issued or body.head.length < earlier.head.length):
        raise _bad("the statement is older than one that was seen before")


def _check_time(issued: int, expires: int, now: int) -> None:
    if issued > now + CLOCK_WARNING:
        raise _bad("the statement was issued in the future: compare this computer's clock")
    if now >= expires:
        raise _stale()


def _sign(body: bytes, signers: Iterable[tuple[DeviceId, SigningKey]]) -> tuple[DeviceSignature, ...]:
    return tuple(DeviceSignature(device, key.sign(Tag.FRESHNESS, body)) for device, key in signers)


def _vouched_since(roster: RosterState, good: Collection[DeviceId], issued: int, now: int) -> int:
    """Return from when on the days of a statement run, if enough devices have signed it."""
    may = _vouchers(roster)
    if _are_enough(good, may) and _are_enough(_members(roster, good), _members(roster, may)):
        return issued
    came = [_came(roster, device) for device in may.difference(good)]
    if not good or not all(_is_newcomer(time, issued, now) for time in came):
        raise TrustError(
            "too_few_signers",
            "too few active devices have signed that this roster is the newest",
            hint="The relay may hide a removal. Try again later; ask the team if it stays so.",
        )
    return min(issued, *came)


def _are_enough(good: Collection[bytes], may: Collection[bytes]) -> bool:
    return len(good) >= min(SIGNERS_MIN, len(may))


def _members(roster: RosterState, devices: Iterable[DeviceId]) -> frozenset[MemberId]:
    """Return whose devices these are: whoever adds a device of their own has no second voice by it (attack 110)."""
    return frozenset(roster.devices[device].member_id for device in devices)


def _vouchers(roster: RosterState) -> frozenset[DeviceId]:
    return roster.membership.by_role(Role.OWNER, Role.AGENT)


def _good_signers(roster: RosterState, signed: Freshness) -> set[DeviceId]:
    """Return the devices with a good signature that may vouch; others are not counted, nor do they harm."""
    may = _vouchers(roster)
    return {
        signature.device_id
        for signature in signed.signatures
        if signature.device_id in may
        and verify(
            roster.devices[signature.device_id].sign_key, signature.signature, Tag.FRESHNESS, signed.body
        )
    }


def _came(roster: RosterState, device: DeviceId) -> int:
    """Return when a device was added; 0 for the founders', who were there before anybody trusted the team."""
    added = roster.devices_ever[device].added
    return open_link(roster.links[added]).body.time if added else 0


def _is_newcomer(came: int, issued: int, now: int) -> bool:
    """Tell whether nobody waits for a device yet; one dated far ahead would be a newcomer for ever."""
    return issued < came + NEWCOMER_DAYS * DAY and came <= now + CLOCK_WARNING


def _bad(why: str) -> TrustError:
    return TrustError("bad_freshness", why, hint="Try again later; ask the team if it stays so.")


def _behind() -> TrustError:
    return TrustError(
        "roster_behind",
        "the relay serves an older roster than active devices vouch for",
        hint="Fetch the newest links. If the relay has none, it hides them: send nothing and ask the team.",
    )


def _fork() -> TrustError:
    return TrustError(
        "roster_fork",
        "active devices vouch for another roster than the relay serves",
        hint="Fetch a fresh support link from where the team publishes it, and send nothing until then.",
    )


def _stale() -> TrustError:
    return TrustError(
        "roster_stale",
        "nobody has vouched for this roster lately",
        hint="Drafts are kept and sent once an administrator's device has been online.",
    )
