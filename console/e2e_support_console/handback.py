"""What a console does when the relay shows less than before, or something else (protocol 3.10; attacks 15, 88).

What was lost goes back to it, staff logs and the team space too, which no user can give back; what it contradicts is
proven by two receipts, where they say so.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from e2e_support.content import Inner, OpenForBody
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import PeerError, SupportError
from e2e_support.ids import MailboxId
from e2e_support.mailbox import Chain, mailbox_id
from e2e_support.roster import TrustedRoster
from e2e_support.user import open_card
from e2e_support.vocab import Kind
from e2e_support_client.evidence import find_contradiction
from e2e_support_client.handback import HandBack, Known, Pull
from e2e_support_client.port import RelayPort
from e2e_support_console.creating import create_for_team, create_for_user
from e2e_support_console.index import bytes_of, known_logs, records, remember
from e2e_support_console.team_sync import TeamSync
from e2e_support_console.volumes import finished, keys_of
from e2e_support_keys.store import Store


class Forked(PeerError):
    """The relay served another history than before.

    Args:
        error: what was noticed.
        proof: that the relay signed both; empty if its receipts do not say so.
    """

    def __init__(self, error: PeerError, proof: bytes) -> None:
        super().__init__(error.code, error.message, hint=error.hint)
        self.proof = proof


@dataclass(frozen=True, slots=True)
class FactNotes:
    """Notes among the console's facts.

    Args:
        store: the local store.
    """

    store: Store

    async def note(self, name: str) -> bytes:
        """Return what was noted under a name, or nothing."""
        return await bytes_of(self.store, name)

    async def set_note(self, name: str, value: bytes) -> None:
        """Note something under a name."""
        async with self.store.transaction() as change:
            await remember(change, name, value)


async def follow_log(pull: Pull, known: Known, hand_back: HandBack, roster: TrustedRoster) -> None:
    """Follow a log; the relay gets back what it lost.

    Args:
        pull: follows what is new.
        known: what was followed before.
        hand_back: knows the log's mailbox.
        roster: lists the relay's keys.

    Raises:
        Forked: the relay shows another history; with the proof, if there is one.
        SupportError: as ``pull``.
    """
    try:
        await hand_back.pull(pull, known)
    except PeerError as error:
        if error.code != "fork":
            raise
        raise Forked(error, await _contradiction(known, hand_back, roster)) from None


async def _contradiction(known: Known, hand_back: HandBack, roster: TrustedRoster) -> bytes:
    kept = [opened.record() for opened in known.entries]
    start = Chain.start(hand_back.mailbox)
    with suppress(SupportError):
        return await find_contradiction(hand_back.relay, start, hand_back.capability(), kept, roster)
    return b""


def losses(hand_back: HandBack) -> list[PeerError]:
    """Return the alarm for what the relay had lost and has again; none if there was nothing."""
    if not hand_back.given:
        return []
    lost = "the relay had lost entries; they were handed back"
    if hand_back.files_lost:
        hint = "Ask for the files once more, and tell whoever runs the relay that it was restored."
        return [PeerError("rollback", f"{lost}, but files with them are lost", hint=hint)]
    return [PeerError("rollback", lost, hint="Tell whoever runs the relay: it may be restored or dishonest.")]


async def create_again(relay: RelayPort, team: TeamSync, store: Store, mailbox: MailboxId) -> bool:
    """Create a mailbox that the relay does not have any more; tell whether the team may do that.

    A user's is created by the user, except where the ticket was opened with a card.

    Args:
        relay: the relay.
        team: roster and epoch keys.
        store: says what the mailbox was.
        mailbox: the mailbox.

    Raises:
        SupportError: the relay does not do it.
    """
    await team.refresh()  # an old epoch's capability finds nothing, and nothing is lost then
    team_id, capability = team.pin.team_id, team.keys.epoch().capability
    creation = await _team_key(team, store, mailbox)
    if creation is not None:
        await create_for_team(relay, team_id, capability, creation)
        return True
    card = await _card(store, mailbox)
    if not card:
        return False
    await create_for_user(relay, team_id, capability, open_card(card, team_id, mailbox).creation_key)
    return True


async def _team_key(team: TeamSync, store: Store, mailbox: MailboxId) -> SigningKey | None:
    """Return the creation key of a staff log or a volume of the team space."""
    for volume in keys_of(team.keys, await finished(store)):
        if mailbox == mailbox_id(volume.public):
            return volume
    log = (await known_logs(store, [mailbox])).get(mailbox)
    return team.keys.staff_log(log.ticket) if log and log.staff_log == mailbox else None


async def _card(store: Store, mailbox: MailboxId) -> bytes:
    """Return the card with which a ticket was opened for its user, if it was."""
    first, *_ = await records(store, mailbox)
    inner = Inner.from_bytes(first.inner) if first.inner else None
    return OpenForBody.from_bytes(inner.body).card if inner and inner.kind is Kind.OPEN_FOR else b""
