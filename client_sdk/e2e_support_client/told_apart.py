"""Tells people of a team apart whose names look alike, where a ticket names who wrote (attack 114)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from e2e_support.ids import DeviceId, MemberId
from e2e_support.roster import TrustedRoster
from e2e_support_client.model import Author, Message
from e2e_support_keys.appearance import appearance


def told_apart(said: Iterable[Message], roster: TrustedRoster) -> Iterator[Message]:
    """Yield messages, with an id where the author's name looks like that of another who is or was in the team.

    Args:
        said: messages as ``messages`` yields them.
        roster: the newest.
    """
    called: dict[str, set[MemberId]] = {}
    for known in roster.devices_ever.values():
        called.setdefault(appearance(known.record.label), set()).add(known.record.member_id)
    for message in said:
        author = message.author
        device = roster.devices_ever.get(DeviceId(bytes.fromhex(author.device)))
        if device and called.get(appearance(author.name), set()) - {device.record.member_id}:
            yield replace(message, author=_marked(author, roster, device.record.member_id))
        else:
            yield message


def _marked(author: Author, roster: TrustedRoster, member_id: MemberId) -> Author:
    """Return an author with the id by which lists of members show them: their first device's that is active."""
    present = roster.members.get(member_id, ())
    return replace(author, mark=(present[0].device_id if present else member_id).hex()[:6])
