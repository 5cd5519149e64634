"""Invitations as their inviter keeps them: whom they are for, what opens them, and who answered (protocol 4.10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from e2e_support.admission import admit_hash, day_of, prove_team
from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support.errors import PeerError, TrustError, UsageError
from e2e_support.ids import DeviceId
from e2e_support.invitation import Invitation, join_hash
from e2e_support.mailbox import Chain, verify_receipt
from e2e_support.roster import TrustedRoster
from e2e_support.roster_links import DeviceAdd
from e2e_support.vocab import AdmissionMode, Role
from e2e_support.wire import Append, Create, DeviceRecord, Offer
from e2e_support_client import clock
from e2e_support_client.port import Refused
from e2e_support_console.desk import Desk
from e2e_support_keys.fingerprint import Fingerprint
from e2e_support_keys.store import Queries, Row, Transaction

_OPEN: Final = 0
_OVER: Final = 1
_CLOSED: Final = 2
_COLUMNS: Final = "link, code, offer, history, device"
_GONE: Final = frozenset({"erased", "not_found"})


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody who was invited here and is not in the team yet.

    Attributes:
        invitation: link and code.
        offer: name and role, whose further device it is to be, and until when.
        history: whether the newcomer may read what was written before.
        device: which device it brings; empty until its words were compared.
    """

    invitation: Invitation
    offer: Offer
    history: bool
    device: bytes = b""

    @property
    def expired(self) -> bool:
        """Whether it cannot be answered any more."""
        return clock.now() >= self.offer.expires

    def came(self, roster: TrustedRoster) -> bool:
        """Tell whether the device is in the team, or was, be it by a proposal that others have carried out."""
        return self.device in roster.devices_ever


# --- the local store -------------------------------------------------------------------------------------


async def invited(queries: Queries) -> list[Invited]:
    """Return everybody who was invited here, the oldest first, with those whose invitation has expired."""
    sql = f"SELECT {_COLUMNS} FROM invitations WHERE stage <> ? ORDER BY invited_at, name"  # noqa: S608
    return [_invited(row) for row in await queries.fetch_all(sql, _OVER)]


async def invitation_for(queries: Queries, name: str) -> Invited:
    """Return the invitation for a name.

    Raises:
        UsageError: ``not_invited``.
    """
    sql = f"SELECT {_COLUMNS} FROM invitations WHERE name = ? AND stage <> ?"  # noqa: S608
    row = await queries.fetch_one(sql, name, _OVER)
    if row is None:
        raise UsageError(
            "not_invited", f"{name} was not invited from this device", hint="See `e2e-admin member list`."
        )
    return _invited(row)


async def keep_invitation(change: Transaction, new: Invited, *, now: int) -> None:
    """Keep an invitation; an earlier one for the same name is forgotten."""
    await change.execute(
        "INSERT OR REPLACE INTO invitations (name, link, code, offer, history, invited_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        *(new.offer.label, new.invitation.link, new.invitation.code, new.offer.to_bytes(), new.history, now),
    )


async def note_answer(change: Transaction, name: str, device: DeviceId) -> None:
    """Keep which device an invitation brings."""
    await change.execute("UPDATE invitations SET device = ? WHERE name = ?", device, name)


async def end_invitation(change: Transaction, name: str) -> None:
    """Let an invitation be over; ``close_doors`` forgets it once nothing of it is left at the relay."""
    await change.execute("UPDATE invitations SET stage = ? WHERE name = ?", _OVER, name)


def _invited(row: Row) -> Invited:
    offer = Offer.from_bytes(row["offer"])
    return Invited(Invitation.parse(row["link"], row["code"]), offer, bool(row["history"]), row["device"])


# --- the relay -------------------------------------------------------------------------------------------


async def open_door(desk: Desk, offer: Offer, *, history: bool) -> Invited:
    """Make an invitation, keep it, and leave the offer in its mailbox.

    The link pins the roster as it is now, so that the newcomer cannot be shown an older one. An earlier invitation
    for the same name is withdrawn.
    """
    async with desk.store.transaction() as change:
        await end_invitation(change, offer.label)
    await close_doors(desk)
    new = Invited(Invitation.make(desk.newest_link(), clock.random), offer, history)
    async with desk.store.transaction() as change:
        await keep_invitation(change, new, now=clock.now())
    await _leave_offer(desk, new)
    return new


async def try_door(desk: Desk) -> None:
    """Make an invitation for nobody and have it destroyed: the relay stores, signs for it and obeys.

    Raises:
        PeerError: ``bad_receipt`` or ``bad_signature``: it signs with another key than the roster lists.
        Refused, TransportError: what the relay says.
    """
    offer = Offer(Role.AUDITOR, "", b"", 0)
    new = Invited(Invitation.make(desk.newest_link(), clock.random), offer, history=False)
    await _leave_offer(desk, new)
    await _destroy(desk, new.invitation)


async def _leave_offer(desk: Desk, new: Invited) -> None:
    """Create an invitation's mailbox and write the offer into it, for a receipt that holds."""
    invitation = new.invitation
    key, mailbox, day = invitation.capability, invitation.mailbox, day_of(clock.now())
    proof = prove_team(desk.capability(), admit_hash(desk.team_id, day, mailbox))
    create = Create(key.public, key.public, 0, desk.team_id, day, AdmissionMode.TEAM, proof)
    await desk.relay.create(mailbox, create, key)
    entry, chain = invitation.offer(new.offer, clock.random), Chain.start(mailbox)
    receipt = await desk.relay.append(mailbox, Append(0, chain.hash, entry, ()), key)
    listed, written = desk.roster.current_relay_keys, chain.advance(entry).hash
    verify_receipt(receipt, listed, mailbox=mailbox, seq=0, entry_hash=written)


async def close_doors(desk: Desk) -> None:
    """Let the relay destroy the mailboxes of invitations that have served, were withdrawn or have expired.

    Raises:
        Refused, TransportError, PeerError: what the relay says; the next sync tries again.
    """
    sql = f"SELECT stage, name, {_COLUMNS} FROM invitations WHERE stage <> ?"  # noqa: S608
    for row in await desk.store.fetch_all(sql, _CLOSED):
        stage, name, one = row["stage"], row["name"], _invited(row)
        if stage == _OPEN and not one.expired and not one.came(desk.roster):
            continue
        await _destroy(desk, one.invitation)
        async with desk.store.transaction() as change:
            if stage == _OPEN and one.expired:
                await change.execute("UPDATE invitations SET stage = ? WHERE name = ?", _CLOSED, name)
            else:
                await change.execute("DELETE FROM invitations WHERE name = ?", name)


async def _destroy(desk: Desk, invitation: Invitation) -> None:
    """Erase an invitation's mailbox; the team has no capability of it, so the invitation's signs the request."""
    device_id, key = desk.bundle.signer()
    body = DestructionBody(desk.team_id, invitation.mailbox, Deed.ERASE, clock.now(), device_id)
    try:
        await desk.relay.destroy(invitation.mailbox, sign_destruction(body, key), invitation.capability)
    except Refused as refused:
        if refused.code not in _GONE:
            raise


async def answer(desk: Desk, invited: Invited, words: str) -> DeviceAdd:
    """Return the device that answered an invitation and has the words that its owner read out.

    Raises:
        UsageError: ``no_answer`` before anybody answered, ``words_differ`` when these words are nobody's,
            ``invitation_over`` once it has expired.
        TrustError: ``other_answer`` for a device other than the one that was invited.
        TransportError, PeerError: the relay is away or wrong.
    """
    if invited.expired:
        raise invitation_over("it has expired", "Invite them anew.")
    invitation = invited.invitation
    page = await desk.relay.read(invitation.mailbox, 1, invitation.capability)
    answers = list(_answers(invitation, [item.entry for item in page.items]))
    if not answers:
        raise UsageError(
            "no_answer",
            f"{invited.offer.label} has not joined yet",
            hint="They run `e2e-admin join` with link and code on their own computer.",
        )
    typed = tuple(words.lower().split())
    joining = next((one for one in answers if join_words(desk, one.record) == typed), None)
    if joining is None:
        raise UsageError(
            "words_differ",
            "these are not the words of the device that answered; nothing was changed",
            hint="Compare them once more by telephone. If they differ, somebody else has the invitation: "
            "invite anew.",
        )
    _require_offered(joining.record, invited.offer)
    return joining


def join_words(desk: Desk, record: DeviceRecord) -> tuple[str, ...]:
    """Return the words of a device that wants to join."""
    return Fingerprint.of_hash(join_hash(desk.team_id, record)).words


def invitation_over(why: str, hint: str) -> UsageError:
    """Return the error for an invitation that nobody can answer any more."""
    return UsageError("invitation_over", f"the invitation is not valid: {why}", hint=hint)


def _answers(invitation: Invitation, entries: Iterable[bytes]) -> Iterable[DeviceAdd]:
    for entry in entries:
        try:
            yield invitation.open(entry)
        except (PeerError, TrustError):
            continue  # whoever has the link alone can write into the mailbox, but not with the code


def _require_offered(record: DeviceRecord, offer: Offer) -> None:
    """The words bind name and role too, but people compare words and not what they stand for."""
    member_id = offer.member_id or record.device_id
    if (record.role, record.label, record.member_id) != (offer.role, offer.label, member_id):
        raise TrustError(
            "other_answer",
            "the device asks for another name or role than it was offered; nothing was changed",
            hint="Invite anew, and ask the newcomer which program they used.",
        )
