"""What ``e2e-ticket`` prints of trust: who can read tickets, what changed, what is proven; names made harmless."""

from __future__ import annotations

from collections.abc import Sequence

from e2e_support.ids import TeamId
from e2e_support.proof import Shown
from e2e_support_client.people import ProofInfo, TeamChange, TeamInfo
from e2e_support_client.plain import plain_line
from e2e_support_client.render import count, table
from e2e_support_client.terminal import Json, iso, stamp
from e2e_support_keys.fingerprint import Fingerprint


def team_json(team: TeamInfo) -> dict[str, Json]:
    """Return who can read tickets, and what to compare."""
    return {
        "name": team.name,
        "words": " ".join(team.words),
        "digits": " ".join(team.digits),
        "members": [{"name": member.name, "role": member.role} for member in team.members],
        "languages": list[Json](team.languages),
        "epoch": team.epoch,
    }


def team_text(team: TeamInfo) -> str:
    """Return who can read tickets, and how to make sure of it."""
    members = ", ".join(f"{plain_line(member.name)} ({member.role})" for member in team.members)
    spoken = f"\nThey answer in: {', '.join(map(plain_line, team.languages))}" if team.languages else ""
    half = len(team.words) // 2
    return (
        f"Connected to {plain_line(team.name)}.\n\n"
        f"Only these people can read your tickets: {members}{spoken}\n\n"
        "To be sure that they are the right ones, compare with the team by telephone, on paper or in person,\n"
        "either the words or the digits. If they differ, write nothing.\n\n"
        f"  {' '.join(team.words[:half])}\n  {' '.join(team.words[half:])}\n\n"
        f"  {' '.join(team.digits)}"
    )


def whole_team_json(team: TeamInfo) -> dict[str, Json]:
    """Return who can read tickets, and whether the person has made sure of it."""
    return {name: value for name, value in team_json(team).items() if name != "digits"} | {
        "verified": team.verified
    }


def whole_team_text(team: TeamInfo, changes: Sequence[TeamChange]) -> str:
    """Return who can read tickets and since when, what to compare, and what is new since the last look."""
    rows = [
        (plain_line(member.name), member.role, f"since {stamp(member.since)}" if member.since else "")
        for member in team.members
    ]
    spoken = f"\nThey answer in: {', '.join(map(plain_line, team.languages))}" if team.languages else ""
    since = f", founded {stamp(team.since)}" if team.since else ""
    parts = [
        f"{plain_line(team.name)}{since}; its keys were renewed {count(team.epoch, 'time')}.",
        f"Only these people can read your tickets:\n{table(rows)}{spoken}",
        _comparison(team),
        _changes(changes),
    ]
    return "\n\n".join(parts)


def change_text(change: TeamChange) -> str:
    """Return a change of the team on one line."""
    return f"{stamp(change.at)}  {plain_line(change.what)}"


def proofs_json(proofs: Sequence[ProofInfo]) -> list[Json]:
    """Return the proofs that are kept, oldest first."""
    return [
        {"number": number, "found_at": iso(proof.found_at), "shows": proof.words}
        for number, proof in enumerate(proofs, 1)
    ]


def proofs_text(proofs: Sequence[ProofInfo]) -> str:
    """Return the proofs that are kept, a line each."""
    if not proofs:
        return "There is no proof against the relay or the team on this device."
    lines = [f"{at}  {stamp(proof.found_at)}  {proof.words}" for at, proof in enumerate(proofs, 1)]
    return "\n".join([*lines, "", "Hand one on with `e2e-ticket proof export PATH`."])


def shown_json(shown: Shown) -> dict[str, Json]:
    """Return what a proof shows."""
    return {"team_words": _words(shown), "kind": shown.kind.name.lower(), "shows": shown.words}


def shown_text(shown: Shown) -> str:
    """Return what a proof shows, and which team it is about."""
    return (
        f"The proof holds. {shown.words}\n"
        f"It is about the team with these words: {_words(shown)}\n"
        "It shows that two stories were told, not who told them."
    )


def _words(shown: Shown) -> str:
    return " ".join(Fingerprint.of(TeamId(shown.team_id)).words)


def _comparison(team: TeamInfo) -> str:
    half = len(team.words) // 2
    digits = f"  {' '.join(team.words[:half])}\n  {' '.join(team.words[half:])}\n\n  {' '.join(team.digits)}"
    if team.verified:
        return f"Verified: you have compared this with the team.\n\n{digits}"
    return (
        "Not compared yet. Compare the words or the digits with the team by telephone, on paper or in person;\n"
        f"if they agree, say so with `e2e-ticket team --compared`. If they differ, write nothing.\n\n{digits}"
    )


def _changes(changes: Sequence[TeamChange]) -> str:
    if not changes:
        return "Nothing has changed since you last looked."
    return "\n".join(["New since you last looked:", *(f"  {change_text(change)}" for change in changes)])
