"""Creates a user's mailbox at the price that the relay asks of strangers (protocol 3.2, 7)."""

from __future__ import annotations

import asyncio

from e2e_support.admission import admit_hash, find_work
from e2e_support.crypto.sign import SigningKey
from e2e_support.errors import TransportError, UsageError
from e2e_support.ids import Hash, TeamId
from e2e_support.mailbox import mailbox_id
from e2e_support.vocab import AdmissionMode
from e2e_support.wire import AdmissionTerms, Create
from e2e_support_client.model import OnProgress, Progress
from e2e_support_client.port import RelayPort


async def create_mailbox(
    relay: RelayPort, team_id: TeamId, creation: SigningKey, on_progress: OnProgress
) -> bool:
    """Create the mailbox of a creation key, which is the user's capability too; tell whether it is new.

    Args:
        relay: the relay.
        team_id: whose tickets it is for.
        creation: the creation key.
        on_progress: told how the work goes.

    Raises:
        UsageError: ``admission_unsupported``.
        Refused: ``conflict`` when it is there, ``erased``.
        TransportError, PeerError: the relay cannot be reached, or answers what no relay does.
    """
    mailbox, public = mailbox_id(creation.public), creation.public
    terms = await relay.admission(team_id)
    proof = await _work(terms, admit_hash(team_id, terms.day, mailbox), on_progress)
    create = Create(public, public, 1, team_id, terms.day, terms.mode, proof)
    return await relay.create(mailbox, create, creation)


async def _work(terms: AdmissionTerms, admit: Hash, on_progress: OnProgress) -> bytes:
    """Return the proof of work, found in a thread (§7)."""
    if terms.mode is not AdmissionMode.OPEN:
        raise UsageError(
            "admission_unsupported",
            "this team admits new tickets in a way that this program does not know",
            hint="Open the ticket from the application that the team supports.",
        )
    loop, stop = asyncio.get_running_loop(), False
    expected = 2**terms.bits

    def report(attempts: int) -> None:
        if stop:
            raise TransportError("stopped", "the work was given up")
        loop.call_soon_threadsafe(on_progress, Progress("admission", attempts, expected))

    try:
        return await asyncio.to_thread(find_work, admit, terms.bits, on_progress=report)
    finally:
        stop = True  # a cancelled task must not leave its thread at work
