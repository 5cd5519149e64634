"""A team of several devices on a real relay, and the statements that they sign: what the tests of both share.

crew = await Crew.found(relay, anna, ben)
await crew.change((DeviceRevoke(ben.device_id), [anna]), (EPOCH, [anna]), by=anna)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2e_support.crypto.sign import SigningKey
from e2e_support.destruction import Deed, DestructionBody, sign_destruction
from e2e_support.freshness import sign_freshness
from e2e_support.policy import Policy
from e2e_support.request import b64
from e2e_support.roster_links import DeviceRevoke, Payload, Rename
from e2e_support.wire import Batch, Found
from relay_kit import POLICY, Client, Mailbox, Reply, TeamHandle
from team_builder import EPOCH, Device, NewEpoch, Team, pairs

Step = tuple[Payload | NewEpoch | Device, Sequence[Device]]


def rename(device: Device, label: str) -> Rename:
    """Return a small change: a device's new label."""
    return Rename(device.device_id, label, ("en",))


@dataclass
class Crew:
    """A team that the relay knows.

    Attributes:
        relay: the relay.
        team: its roster, as the devices see it.
    """

    relay: Client
    team: Team

    @classmethod
    async def found(
        cls, relay: Client, *devices: Device, threshold: int = 1, policy: Policy = POLICY
    ) -> Crew:
        """Found a team of owners and others."""
        assert relay.relay
        team = Team.found(*devices, threshold=threshold, policy=policy, relay_key=relay.relay_key)
        code = await relay.relay.context.teams.issue_code()
        (await relay.send("POST", "/v1/teams", Found(code, team.genesis).to_bytes())).expect(201)
        return cls(relay, team)

    @property
    def path(self) -> str:
        """The team's route."""
        return f"/v1/team/{b64(self.team.team_id)}"

    @property
    def handle(self) -> TeamHandle:
        """The team as mailboxes know it: with the capability of its newest epoch."""
        return TeamHandle(self.team.team_id, self.team.keys.capability, self.team.roster.epoch.epoch)

    async def post(self, batch: Batch, by: Device | SigningKey) -> Reply:
        """Send a batch as some device; nothing is taken over."""
        key = by.sign if isinstance(by, Device) else by
        return await self.relay.ask(key, "POST", f"{self.path}/links", batch.to_bytes())

    async def change(self, *steps: Step, by: Device) -> None:
        """Change the team, here and on the relay."""
        batch = self.team.prepare(*steps)
        (await self.post(batch, by)).expect(200)
        self.team.accept(batch)

    async def remove(self, target: Device, by: Device) -> None:
        """Remove a device with its epoch."""
        await self.change((DeviceRevoke(target.device_id), [by]), (EPOCH, [by]), by=by)

    def statement(self, *signers: Device, at: float | None = None) -> bytes:
        """Return a freshness statement about the newest head."""
        now = int(self.relay.clock() if at is None else at)
        return sign_freshness(self.team.roster, pairs(signers), now=now)

    async def vouch(self, statement: bytes, by: Device) -> Reply:
        """Send a freshness statement as some device."""
        return await self.relay.ask(by.sign, "PUT", f"{self.path}/freshness", statement)

    def deed(self, box: Mailbox, deed: Deed, signer: Device | SigningKey, /, **changed: object) -> bytes:
        """Return a statement of a device, or of the user, about a mailbox."""
        if isinstance(signer, Device):
            name, key = bytes(signer.device_id), signer.sign
        else:
            name, key = signer.public, signer
        fields: dict[str, object] = {
            "team_id": self.team.team_id,
            "mailbox_id": box.id,
            "deed": deed,
            "time": int(self.relay.clock()),
            "by": name,
        }
        return sign_destruction(DestructionBody(**{**fields, **changed}), key)  # type: ignore[arg-type]

    async def destroy(self, box: Mailbox, statement: bytes, key: SigningKey | None = None) -> Reply:
        """Send a statement with the team's capability, or another."""
        return await self.relay.ask(
            key or self.handle.capability, "POST", f"{box.path}/destruction", statement
        )

    async def erase(self, box: Mailbox, by: Device | SigningKey) -> bytes:
        """Erase a mailbox and return the statement."""
        statement = self.deed(box, Deed.ERASE, by)
        (await self.destroy(box, statement)).expect(200)
        return statement
