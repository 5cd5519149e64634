"""Protocol vectors of who a user is across tickets, of tickets that the team opens, and of the team's own logs."""

from __future__ import annotations

from typing import Any

from vectors.generate_crypto import flip, xwing_public
from vectors.protocol_by_hand import (
    NONE,
    Case,
    Document,
    b64,
    derive,
    mailbox_of,
    pack,
    public_of,
    seed_of,
    signature,
    user_proof,
)
from vectors.protocol_tickets import (
    AS_DEVICE,
    AS_USER,
    DEVICE_ID,
    HEADS,
    KEYS,
    LOCATOR,
    MASTER,
    OPEN,
    TEAM,
    TEAM_ID,
    USER,
    Log,
    frozen,
    shared_head,
    shared_log,
    staff_log,
    ticket_keys,
    told_log,
    user_seed,
)

MERGE, OPEN_FOR, AUTO_CLOSE = 13, 14, 15
NOTE, TAG, ASSIGN, HOLD, ARCHIVE, SPAM, SNOOZE, LINK = range(33, 41)
READ_MARK, PROPOSAL, SETTING, CLAIM = range(41, 45)
SNIPPET, MACRO, VIEW = range(3)
OTHER = ticket_keys(MASTER, TEAM_ID, 202701, 1)
STRANGER = seed_of("stranger's master")
STRANGERS = ticket_keys(STRANGER, TEAM_ID, 202701, 0)
MEMBER = DEVICE_ID


def proof_of(keys: dict[str, bytes], *, master: bytes = MASTER, team_id: bytes = TEAM_ID) -> bytes:
    """Return the proof that a ticket is the user's of a master (section 5.8)."""
    return user_proof(user_seed(master, team_id), team_id, keys["mailbox"], public_of(keys["author"]))


def card_of(
    keys: dict[str, bytes],
    *,
    signer: bytes = b"",
    team_id: bytes = TEAM_ID,
    tag: str = "card",
    **fields: bytes,
) -> bytes:
    """Return a signed card (section 5.9); ``fields`` replaces what it says, by name."""
    said = {
        "creation": public_of(keys["capability"]),
        "author": public_of(keys["author"]),
        "reply": xwing_public(keys["reply"]),
        "user": public_of(user_seed(MASTER)),
        "proof": proof_of(keys),
    } | fields
    card = pack(list(said.values()))
    return pack([card, signature(signer or keys["author"], tag, team_id + card)])


def text_of(card: bytes) -> str:
    """Return a card as people hand it over."""
    return "e2es-card:" + b64(card)


AS_OTHER = (0, public_of(OTHER["author"]), OTHER["author"])


def first_boxes() -> dict[str, Any]:
    """Return boxes and key of the first entry of the user's second ticket."""
    boxes = [[TEAM, 0, frozen("team, for a user")], [USER, 0, frozen("user, for a user")]]
    return {"boxes": boxes, "key": seed_of("key for a user")}


def opening_for(card: bytes) -> list[Any]:
    """Return what the team says first in a ticket that it opens."""
    return [card, "Your invoice", "It comes on Monday.", "question", "", [], 1]


def log_for_user() -> Log:
    """Return a ticket that the team opened, with the user's answer."""
    log = Log(OTHER["mailbox"])
    log.add(AS_DEVICE, OPEN_FOR, opening_for(card_of(OTHER)), **first_boxes())
    log.add(AS_OTHER, 2, ["Thank you.", 0])
    return log


def busy_staff_log() -> Log:
    """Return a staff log with an entry of every kind."""
    log = staff_log()
    head = shared_head()
    rows: list[tuple[int, list[Any]]] = [
        (TAG, [head, ["billing", "vip"], ["new"]]),
        (ASSIGN, [head, MEMBER]),
        (HOLD, [head, 1, "Waits for the bank."]),
        (ARCHIVE, [head, 1, ""]),
        (SPAM, [head, 0, ""]),
        (SNOOZE, [head, 1_800_086_400]),
        (LINK, [head, OTHER["mailbox"], 1]),
    ]
    for kind, body in rows:
        log.add(AS_DEVICE, kind, body)
    return log


def team_space() -> Log:
    """Return a team space with an entry of every kind."""
    log = Log(mailbox_of(public_of(derive(LOCATOR, "team-space"))), staff=True)
    snippet: list[Any] = [SNIPPET, "hello", 0, "Greeting", "Thank you for writing.", []]
    log.add(AS_DEVICE, SETTING, snippet, boxes=[[TEAM, 0, frozen("space")]], key=seed_of("space key"))
    rows: list[tuple[int, list[Any]]] = [
        (SETTING, [VIEW, "mine", 0, "Mine", "", [["assignee", "me"]]]),
        (SETTING, [SNIPPET, "hello", 1, "", "", []]),
        (READ_MARK, [[[KEYS["mailbox"], 3], [OTHER["mailbox"], 1]]]),
        (CLAIM, ["mail", KEYS["mailbox"], 2]),
        (PROPOSAL, [pack([[], []])]),
    ]
    for kind, body in rows:
        log.add(AS_DEVICE, kind, body)
    return log


def first_entries() -> list[Case]:
    """Return first entries of the user's second ticket, each with another card or proof."""
    log = Log(OTHER["mailbox"])
    junk = xwing_public(OTHER["reply"])[:1184] + NONE
    opening: list[Any] = [
        "No invoice",
        "The list is empty.",
        "question",
        "",
        [],
        [],
        b"",
        "",
        b"",
        xwing_public(OTHER["reply"]),
    ]
    user = public_of(user_seed(MASTER))
    cards: list[tuple[str, bytes]] = [
        ("a stranger's card", card_of(STRANGERS)),
        ("a stranger's keys for this mailbox", card_of(STRANGERS, creation=public_of(OTHER["capability"]))),
        ("the card of the user's first ticket", card_of(KEYS)),
        ("a card that somebody else signed", card_of(OTHER, signer=STRANGERS["author"])),
        ("a card that was signed for another team", card_of(OTHER, team_id=NONE)),
        ("a card that was signed under another tag", card_of(OTHER, tag="request")),
        ("a card with another user's proof", card_of(OTHER, proof=proof_of(OTHER, master=STRANGER))),
        ("a card with the proof of another ticket", card_of(OTHER, proof=proof_of(KEYS))),
        ("a card with a user key and no proof", card_of(OTHER, proof=b"")),
        ("a card with a proof and no user key", card_of(OTHER, user=b"")),
        ("a card with half a reply key", card_of(OTHER, reply=junk)),
        ("a card of which one bit was changed", flip(card_of(OTHER), 40)),
        ("no card", b"junk"),
    ]
    proofs: list[tuple[str, bytes, bytes]] = [
        ("an opening with another user's proof", user, proof_of(OTHER, master=STRANGER)),
        ("an opening with the proof of another ticket", user, proof_of(KEYS)),
        ("an opening with the proof for another team", user, proof_of(OTHER, team_id=NONE)),
        ("an opening with a user key and no proof", user, b""),
        ("an opening with a proof and no user key", b"", proof_of(OTHER)),
        ("an opening with a key that is none", NONE, proof_of(OTHER)),
    ]

    def made(author: tuple[int, bytes, bytes], kind: int, body: list[Any]) -> bytes:
        return log.entry(author, kind, body, **first_boxes())[0]

    rows = [
        ("an opening that says nothing of the user", made(AS_OTHER, OPEN, [*opening, b"", b""]), "ok", ""),
        ("an opening with its proof", made(AS_OTHER, OPEN, [*opening, user, proof_of(OTHER)]), "ok", ""),
        ("a card with its proof", made(AS_DEVICE, OPEN_FOR, opening_for(card_of(OTHER))), "ok", ""),
        (
            "a card that says nothing of the user",
            made(AS_DEVICE, OPEN_FOR, opening_for(card_of(OTHER, user=b"", proof=b""))),
            "ok",
            "",
        ),
    ]
    rows += [
        (c, made(AS_DEVICE, OPEN_FOR, opening_for(card)), "nonconforming", "bad_card") for c, card in cards
    ]
    rows += [
        (c, made(AS_OTHER, OPEN, [*opening, key, proof]), "nonconforming", "bad_user_proof")
        for c, key, proof in proofs
    ]
    return [_told(*row) for row in rows]


def next_entries() -> list[Case]:
    """Return fourth entries of the shared log: merging, closing by itself, and bodies that are none."""
    log = shared_log()

    def made(kind: int, body: list[Any], author: tuple[int, bytes, bytes] = AS_DEVICE) -> bytes:
        return log.entry(author, kind, body, head=HEADS[1])[0]

    author, mailbox = public_of(OTHER["author"]), OTHER["mailbox"]
    merges: list[tuple[str, list[Any]]] = [
        ("into another user's ticket", [STRANGERS["mailbox"], public_of(STRANGERS["author"]), b""]),
        ("with another user's proof", [mailbox, author, proof_of(OTHER, master=STRANGER)]),
        ("with another author key", [mailbox, public_of(STRANGERS["author"]), proof_of(OTHER)]),
        ("with the proof of another ticket", [bytes(16), author, proof_of(OTHER)]),
        ("into itself", [KEYS["mailbox"], AS_USER[1], proof_of(KEYS)]),
    ]
    merges[0][1][2] = proof_of(STRANGERS, master=STRANGER)
    rows = [
        (
            "merged into the user's other ticket",
            made(MERGE, [mailbox, author, proof_of(OTHER), ""]),
            "ok",
            "",
        ),
        ("closed by itself", made(AUTO_CLOSE, []), "ok", ""),
        ("closed by itself, with a field", made(AUTO_CLOSE, [0]), "forged", "malformed"),
        ("merged without a proof", made(MERGE, [mailbox, author, b"", ""]), "forged", "malformed"),
        ("opened for a user without an answer", made(OPEN_FOR, [b"", ""]), "forged", "malformed"),
        ("opened for a user a second time", made(OPEN_FOR, opening_for(card_of(KEYS))), "ok", ""),
        ("opened for another user", made(OPEN_FOR, opening_for(card_of(OTHER))), "nonconforming", "bad_card"),
    ]
    rows += [
        (f"merged {comment}", made(MERGE, [*body, ""]), "nonconforming", "bad_user_proof")
        for comment, body in merges
    ]
    return [_told(*row) for row in rows]


def team_entries() -> list[Case]:
    """Return next entries of the staff log and of the team space whose bodies are not well formed, or too new."""
    staff, space = busy_staff_log(), team_space()
    head = [1, NONE]
    rows: list[tuple[str, str, int, list[Any], str]] = [
        ("a note without text", "staff", NOTE, [head], "malformed"),
        ("33 tags", "staff", TAG, [head, ["x"] * 33, []], "malformed"),
        ("an assignee of 15 bytes", "staff", ASSIGN, [head, bytes(15)], "malformed"),
        ("a flag that is neither on nor off", "staff", HOLD, [head, 2, ""], "malformed"),
        ("an archive without reason", "staff", ARCHIVE, [head, 1], "malformed"),
        ("spam without a head", "staff", SPAM, [1, "", ""], "malformed"),
        ("a snooze without end", "staff", SNOOZE, [head], "malformed"),
        ("a link to nothing", "staff", LINK, [head, b"", 1], "malformed"),
        ("a setting of a fourth kind", "space", SETTING, [3, "x", 0, "", "", []], "update_needed"),
        ("a setting that is half removed", "space", SETTING, [SNIPPET, "x", 2, "", "", []], "malformed"),
        ("a mark without a number", "space", READ_MARK, [[[bytes(16)]]], "malformed"),
        ("a claim of nothing", "space", CLAIM, ["mail", b"", 0], "malformed"),
    ]
    cases: list[Case] = []
    for comment, name, kind, body, code in rows:
        log = staff if name == "staff" else space
        entry, _ = log.entry(AS_DEVICE, kind, body)
        told: Case = {"comment": comment, "log": name, "entry": entry.hex()}
        cases.append(
            told | ({"code": code} if code == "update_needed" else {"verdict": "forged", "reason": code})
        )
    by_user, _ = staff.entry(AS_USER, NOTE, [head, "I am a note.", []], direction=2)
    cases.append(
        {
            "comment": "a note of the user",
            "log": "staff",
            "entry": by_user.hex(),
            "verdict": "forged",
            "reason": "bad_author",
        }
    )
    return cases


def _told(comment: str, entry: bytes, verdict: str, reason: str) -> Case:
    told: Case = {"comment": comment, "entry": entry.hex(), "verdict": verdict}
    return told | ({"reason": reason} if reason else {})


def cards() -> list[Case]:
    """Return cards as text, good and bad, with what reading and opening them says."""
    good, mailbox = card_of(OTHER), OTHER["mailbox"].hex()
    text = text_of(good)
    rows: list[tuple[str, str, str]] = [
        ("without its first word", text.removeprefix("e2es-card:"), "bad_card"),
        ("another first word", text.replace("card", "cart", 1), "bad_card"),
        ("a letter that is none", text[:60] + "*" + text[61:], "bad_card"),
        ("cut by four letters", text[:-4], "malformed"),
        ("nothing after its first word", "e2es-card:", "malformed"),
        ("signed by somebody else", text_of(card_of(OTHER, signer=STRANGERS["author"])), "bad_signature"),
        ("for another team", text_of(card_of(OTHER, team_id=NONE)), "bad_signature"),
        ("with another user's proof", text_of(card_of(OTHER, proof=proof_of(KEYS))), "bad_card"),
        ("with a proof and no user key", text_of(card_of(OTHER, user=b"")), "bad_card"),
        ("with a user key and no proof", text_of(card_of(OTHER, proof=b"")), "bad_card"),
        ("with a reply key of zeros", text_of(card_of(OTHER, reply=bytes(1216))), "bad_key"),
    ]
    anonymous = card_of(OTHER, user=b"", proof=b"")
    found: list[Case] = [
        {
            "comment": "as it was made",
            "text": text,
            "mailbox_id": mailbox,
            "user_key": public_of(user_seed(MASTER)).hex(),
        },
        {
            "comment": "broken into lines by a mail program",
            "text": f" {text[:70]}\n{text[70:]}\r\n",
            "mailbox_id": mailbox,
            "user_key": public_of(user_seed(MASTER)).hex(),
        },
        {"comment": "without the user", "text": text_of(anonymous), "mailbox_id": mailbox, "user_key": ""},
    ]
    return found + [{"comment": c, "text": t, "code": code} for c, t, code in rows]


def users_document() -> Document:
    """Return the vectors of users, cards, and of the logs that the team begins (sections 4.13, 5.6, 5.8, 5.9)."""
    users = [
        ("the user", MASTER, TEAM_ID),
        ("with another team", MASTER, NONE),
        ("another user", STRANGER, TEAM_ID),
    ]
    staff = [
        "opens",
        "a note",
        "tags",
        "assigned",
        "on hold",
        "archived",
        "no spam",
        "out of sight",
        "linked",
    ]
    space = ["a snippet", "a view", "the snippet is removed", "read marks", "a claim", "a proposal"]
    return {
        "about": "user key = Ed25519 of KDF(master, user, team_id); proof = Sign(user key, user-proof, team_id || "
        "mailbox_id || author key); a card's text is e2es-card: and base64url of SignedCard; firsts and nexts: what "
        "user and team say of a first entry of the second ticket, and of the entry after the shared log of "
        "entries.json; team: of the entry after the staff log or team space; verdicts before the rules of tickets",
        "users": [
            {
                "comment": c,
                "master": master.hex(),
                "team_id": team.hex(),
                "user_key": public_of(user_seed(master, team)).hex(),
            }
            for c, master, team in users
        ],
        "ticket": {
            "index": 1,
            "mailbox_id": OTHER["mailbox"].hex(),
            "reply_seed": OTHER["reply"].hex(),
            "author": public_of(OTHER["author"]).hex(),
            "proof": proof_of(OTHER).hex(),
        },
        "for_user": told_log(log_for_user(), ["the team opens", "the user answers"]),
        "staff": told_log(busy_staff_log(), staff),
        "space": told_log(team_space(), space),
        "cards": cards(),
        "firsts": first_entries(),
        "nexts": next_entries(),
        "team": team_entries(),
    }
