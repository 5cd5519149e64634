"""S4-23 under a relay that lies about time: what it says to both holds for both, what it says to one is proven."""

from __future__ import annotations

from conformance_kit import DAY, HelpDesk, row
from e2e_support.presets import PANEL
from e2e_support.proof import ProofKind, check_proof
from e2e_support.vocab import Verdict
from e2e_support_client.testing import Fault

PRESET = PANEL


@row("S4-23", "pass")
async def test_a_time_told_to_the_team_alone_is_proven(desk: HelpDesk) -> None:
    """A relay that tells the team of a reply in time as if it were late is caught by the user's next word.

    Until then the two sides differ; afterwards both go by the time that the user was given a receipt for.
    """
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.close(number)
    desk.pass_by(days=7, seconds=-60)
    await ada.tickets.reply(number, "It is back.")
    desk.relay.inject(Fault.OTHER_TIME)
    await desk.team.catch_up()
    desk.relay.heal()
    assert (await desk.team.inbox.get(number)).summary.status_text == "Closed"
    await ada.tickets.reply(number, "Do you read this?")
    assert await desk.status(ada, number) == ("Open", "Open")
    (alarm,) = [alarm for alarm in await desk.team.alarms() if alarm.code == "equivocation"]
    assert check_proof(alarm.proof).kind is ProofKind.RECEIPTS


@row("S4-23", "refuse")
async def test_a_clock_that_is_ahead_shortens_the_window_for_both(desk: HelpDesk) -> None:
    """A relay whose clock is 7 days and a minute ahead refuses a reply on both sides, and both show the difference."""
    ada = await desk.user()
    number = await desk.file(ada)
    await desk.team.inbox.close(number)
    desk.relay.advance(7 * DAY + 60)
    await ada.tickets.reply(number, "It is back.")
    await desk.team.catch_up()
    for last in (
        (await ada.tickets.get(number)).messages[-1],
        (await desk.team.inbox.get(number)).messages[-1],
    ):
        assert (last.verdict, last.reason) == (Verdict.NONCONFORMING, "reopen_window_over")
        assert last.clock_differs
    assert await desk.broken(number) == ["reopen_window_over"]
