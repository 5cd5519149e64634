"""Whether the keys and proofs that an entry brings are true: of its user, of a card, of another ticket (5.8, 5.9)."""

from __future__ import annotations

from e2e_support.codec import Message
from e2e_support.content import MergeBody, OpenBody, OpenForBody
from e2e_support.crypto.kem import KemPublic
from e2e_support.errors import PeerError
from e2e_support.log_place import LogPlace
from e2e_support.user import is_users, open_card


def false_proof(body: Message, author: bytes, place: LogPlace) -> str:
    """Return what is wrong with the keys and proofs of an entry, or the empty string.

    Args:
        body: what the entry says.
        author: the key under which it is signed.
        place: the log before it.
    """
    team, own = place.team.team_id, place.mailbox
    match body:
        case OpenBody():
            if not _is_kem_key(body.reply_key):
                return "bad_reply_key"
            proven = is_users(body.user_key, body.user_proof, team, own, author)
            return "" if proven or not (body.user_key or body.user_proof) else "bad_user_proof"
        case OpenForBody():
            return "" if _is_card(body.card, place) else "bad_card"
        case MergeBody():
            proven = is_users(place.user_key, body.user_proof, team, body.into, body.author_key)
            return "" if proven and body.into != own else "bad_user_proof"
        case _:
            return ""


def _is_card(signed: bytes, place: LogPlace) -> bool:
    """Tell whether the team opened the ticket with its own user's card, and not with a stranger's (P6)."""
    try:
        card = open_card(signed, place.team.team_id, place.mailbox)
    except PeerError:
        return False
    return place.author_key in {None, card.author_key}


def _is_kem_key(data: bytes) -> bool:
    try:
        KemPublic(data)
    except PeerError:
        return False
    return True
