"""What an unlocked device works with: its keys, the team, the relay, the local store."""

from __future__ import annotations

from e2e_support.content import Author
from e2e_support.conversation import AuthorKey, Conversation
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import TrustError
from e2e_support.ids import MailboxId, TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.roster import TrustedRoster
from e2e_support.support_link import SupportLink
from e2e_support.thread import StaffThread, Thread
from e2e_support.vocab import WRITERS, AuthorRole
from e2e_support.wire import DeviceRecord
from e2e_support_client.auto_lock import is_locked
from e2e_support_client.channel import Channel
from e2e_support_client.handback import HandBack
from e2e_support_client.port import RelayPort
from e2e_support_console.handback import FactNotes, create_again
from e2e_support_console.index import records
from e2e_support_console.logs import Log
from e2e_support_console.team_sync import TeamSync
from e2e_support_keys.bundle import DeviceBundle
from e2e_support_keys.store import Store


class Desk:
    """One administrator's device, unlocked until it locks itself.

    Args:
        bundle: its keys.
        relay: the relay.
        store: the local store.
        team: roster and epoch keys.

    Attributes:
        relay: the relay.
        store: the local store.
    """

    def __init__(self, bundle: DeviceBundle, relay: RelayPort, store: Store, team: TeamSync) -> None:
        self.relay = relay
        self.store = store
        self._keys: tuple[DeviceBundle, TeamSync] | None = (bundle, team)

    def lock(self) -> None:
        """Drop all keys; whoever asks for them from then on is told ``locked``."""
        self._keys = None

    @property
    def bundle(self) -> DeviceBundle:
        """The device's keys."""
        return self._unlocked()[0]

    @property
    def team(self) -> TeamSync:
        """Roster and epoch keys."""
        return self._unlocked()[1]

    @property
    def team_id(self) -> TeamId:
        """The pinned team."""
        return self.team.pin.team_id

    @property
    def roster(self) -> TrustedRoster:
        """The newest verified roster; ``no_roster`` before the first connection."""
        return self.team.roster

    def newest_link(self) -> SupportLink:
        """Return a support link that names the newest head: whoever holds it can be shown no older roster."""
        head = self.roster.head
        return SupportLink(self.team.pin.url, self.team_id, (head.length, head.hash[:16]))

    def capability(self) -> SigningKey:
        """Return the key that makes this device the team at the relay."""
        return self.team.keys.epoch().capability

    def author(self) -> AuthorKey:
        """Return this device as an author of entries."""
        device_id, key = self.bundle.signer()
        return AuthorKey(Author(AuthorRole.DEVICE, device_id), key)

    def writer(self) -> DeviceRecord:
        """Return this device's record if it may write.

        Raises:
            TrustError: ``not_in_team``, or ``not_allowed`` for an auditor (attack 89).
        """
        record = self.roster.devices.get(self.bundle.device_id)
        if record is None:
            raise TrustError(
                "not_in_team", "this device does not belong to the team any more", hint="Ask an owner."
            )
        if record.role not in WRITERS:
            raise TrustError(
                "not_allowed", "this device may read only", hint="Ask an owner for another role."
            )
        return record

    def staff_log(self, ticket: MailboxId) -> MailboxId:
        """Return the id of a ticket's staff log, whether or not it exists (§5.6)."""
        return mailbox_id(self.team.keys.staff_log(ticket).public)

    def begin(self, mailbox: MailboxId, *, staff: bool = False) -> Log:
        """Return a log before its first entry."""
        conversation = Conversation(mailbox, self.roster, self.team.keys, staff)
        channel = Channel(self.relay, self.team, conversation, self.capability)
        thread = StaffThread(self.team) if staff else Thread(self.team)
        return Log(channel, thread, self.hand_back(mailbox))

    def hand_back(self, mailbox: MailboxId) -> HandBack:
        """Return what gives a mailbox back to a relay that lost it (§3.10)."""

        async def create() -> bool:
            return await create_again(self.relay, self.team, self.store, mailbox)

        return HandBack(self.relay, mailbox, self.capability, FactNotes(self.store), create)

    async def load(self, mailbox: MailboxId, *, staff: bool = False) -> Log:
        """Return a log as far as it was followed; nothing is decrypted again."""
        log = self.begin(mailbox, staff=staff)
        for opened in log.conversation.resume(await records(self.store, mailbox)):
            log.thread.take(opened)
        return log

    def _unlocked(self) -> tuple[DeviceBundle, TeamSync]:
        if self._keys is None:
            raise is_locked()
        return self._keys
