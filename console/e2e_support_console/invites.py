"""Invitations as their inviter keeps them: whom they are for, what opens them, and who answered (protocol 4.10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from e2e_support.admission import admit_hash, day_of, prove_team
from e2e_support.errors import PeerError, TrustError, UsageError
from e2e_support.invitation import Invitation, join_hash
from e2e_support.mailbox import Chain
from e2e_support.roster_links import DeviceAdd
from e2e_support.support_link import SupportLink
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import Append, Create, DeviceRecord, Offer
from e2e_support_client import clock
from e2e_support_console.desk import Desk
from e2e_support_keys.fingerprint import Fingerprint
from e2e_support_keys.store import Queries, Row, Transaction


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody who was invited here and is not in the team yet.

    Attributes:
        invitation: link and code.
        offer: name and role, and whose further device it is to be.
        history: whether the newcomer may read what was written before.
    """

    invitation: Invitation
    offer: Offer
    history: bool


# --- the local store -------------------------------------------------------------------------------------


async def invited(queries: Queries) -> list[Invited]:
    """Return everybody who was invited here, the oldest first."""
    sql = "SELECT link, code, offer, history FROM invitations ORDER BY invited_at, name"
    return [_invited(row) for row in await queries.fetch_all(sql)]


async def invitation_for(queries: Queries, name: str) -> Invited:
    """Return the invitation for a name.

    Raises:
        UsageError: ``not_invited``.
    """
    sql = "SELECT link, code, offer, history FROM invitations WHERE name = ?"
    row = await queries.fetch_one(sql, name)
    if row is None:
        raise UsageError("not_invited", f"{name} was not invited from this device", hint="See `member list`.")
    return _invited(row)


async def keep_invitation(change: Transaction, new: Invited, *, now: int) -> None:
    """Keep an invitation; an earlier one for the same name is forgotten, and whoever answers it is not heard."""
    await change.execute(
        "INSERT OR REPLACE INTO invitations (name, link, code, offer, history, invited_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        *(new.offer.label, new.invitation.link, new.invitation.code, new.offer.to_bytes(), new.history, now),
    )


async def forget_invitation(change: Transaction, name: str) -> None:
    """Forget an invitation that has served."""
    await change.execute("DELETE FROM invitations WHERE name = ?", name)


def _invited(row: Row) -> Invited:
    link, code, offer, history = row
    return Invited(Invitation.parse(link, code), Offer.from_bytes(offer), bool(history))


# --- the relay -------------------------------------------------------------------------------------------


async def open_door(desk: Desk, offer: Offer, *, history: bool) -> Invited:
    """Make an invitation, keep it, and leave the offer in its mailbox.

    The link pins the roster as it is now, so that the newcomer cannot be shown an older one.
    """
    length, newest = desk.roster.head.length, desk.roster.head.hash
    team = SupportLink(desk.team.pin.url, desk.team_id, (length, newest[:16]))
    new = Invited(Invitation.make(team, clock.random), offer, history)
    async with desk.store.transaction() as change:
        await keep_invitation(change, new, now=clock.now())
    invitation = new.invitation
    key, mailbox, day = invitation.capability, invitation.mailbox, day_of(clock.now())
    proof = prove_team(desk.capability(), admit_hash(desk.team_id, day, mailbox))
    create = Create(key.public, key.public, 0, desk.team_id, day, AdmissionMode.TEAM, proof)
    await desk.relay.create(mailbox, create, key)
    entry = invitation.offer(offer, clock.random)
    await desk.relay.append(mailbox, Append(0, Chain.start(mailbox).hash, entry, ()), key)
    return new


async def answer(desk: Desk, invited: Invited, words: str) -> DeviceAdd:
    """Return the device that answered an invitation and has the words that its owner read out.

    Raises:
        UsageError: ``no_answer`` before anybody answered, ``words_differ`` when these words are nobody's.
        TrustError: ``other_answer`` for a device other than the one that was invited.
        TransportError, PeerError: the relay is away or wrong.
    """
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
