"""The main job with real processes on loopback: one ticket from a user's device to an administrator and back.

Run it with ``make demo``. Every step prints what the person sees and what the relay holds. Then two teams with
other policies answer the same user side by side. At the end the
relay's whole data folder and its log are searched for every word that was sent. It exits 0 only if all of it
held, and leaves nothing behind.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

BIN = Path(sys.executable).parent
MIB = 1024 * 1024

SUBJECT = "Marigold calendar crashes on startup"
BODY = (
    "Yesterday evening the calendar window vanished.\nI opened the appointment with Dr. Weatherstone first."
)
ANSWER = "Please remove the recurring appointment called Quarterly-Checkup and start again."
THANKS = "That helped, the appointment with Weatherstone is visible again. Thank you!"
RESOLUTION = "Recurring appointments without an end crashed the calendar; repaired in release Bluebell."
NOTE = "Third report about Quarterly appointments this week, ask Engineering about Snapdragon."
DEBUG = {"app": {"release": "Foxglove-2026.11"}, "locale": "pt-BR", "log": ["ValueError: Larkspur ledger"]}
SECOND = "My colleague Buttercup looks at the recurring appointments now."
AFTERWARDS = "Only Periwinkle may know that the Thistledown release is late."
AGAIN_SUBJECT = "Invoices of Gardenia are missing"
AGAIN_BODY = "Since the update to Camellia the list of invoices stays blank, whichever month I choose."
AGAIN_REPLY = "It happened once more, this time in Hollyhock."
PEOPLE = ("admin", "second", "user", "record-admin", "record-user", "panel-admin", "panel-user")
PASSPHRASES = {name: f"correct-horse-battery-{name}" for name in PEOPLE}


class DemoFailed(Exception):
    """Something that had to hold did not."""


@dataclass
class Person:
    """Somebody with a command, a home and a passphrase file.

    Attributes:
        name: who.
        command: the program that they use.
        home: where their device keeps its state.
        secret: the file with their passphrase.
    """

    name: str
    command: str
    home: Path
    secret: Path

    def run(self, *arguments: str, stdin: str = "") -> Any:
        """Run a command with ``--json`` and return what it printed, decoded."""
        done = self._done(arguments, stdin)
        if done.returncode:
            raise DemoFailed(f"{self.name}: {' '.join(arguments)} failed: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refusal(self, *arguments: str) -> str:
        """Run a command and return the code of what stands against it; empty if it was done."""
        done = self._done(arguments, "")
        return str(json.loads(done.stderr.splitlines()[-1])["code"]) if done.returncode else ""

    def _done(self, arguments: Sequence[str], stdin: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / self.command), "--home", str(self.home), *arguments, "--json"],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            env={**os.environ, "E2ES_PASSPHRASE_FILE": str(self.secret)},
        )

    def watch(self) -> subprocess.Popen[str]:
        """Start waiting for the bell."""
        return subprocess.Popen(
            [
                str(BIN / self.command),
                "--home",
                str(self.home),
                "watch",
                "--once",
                "--timeout",
                "60",
                "--json",
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "E2ES_PASSPHRASE_FILE": str(self.secret)},
        )


def person(folder: Path, name: str, command: str) -> Person:
    """Return a person with a new home."""
    secret = folder / f"{name}.passphrase"
    secret.write_text(PASSPHRASES[name] + "\n", encoding="utf-8")
    secret.chmod(0o600)
    return Person(name, command, folder / name, secret)


@contextmanager
def relay(folder: Path) -> Generator[tuple[str, Path, Path]]:
    """Run a relay; yield its address, its data folder and its log."""
    data, log = folder / "relay", folder / "relay.log"
    command = [str(BIN / "e2e-relay"), "--data", str(data), "serve", "--listen", "127.0.0.1:0"]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://\S+", line)
        if not found:
            raise DemoFailed(f"the relay did not start: {log.read_text(encoding='utf-8')}")
        yield found[0].rstrip("/"), data, log
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
        if process.stdout:
            process.stdout.close()
    if code:
        raise DemoFailed(f"the relay ended with {code}")


def one_time_code(data: Path) -> str:
    """Return a code with which a team is founded, as the relay's operator gets it."""
    command = [str(BIN / "e2e-relay"), "--data", str(data), "bootstrap"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def step(title: str) -> None:
    """Begin a step."""
    print(f"\n── {title}")


def say(text: str) -> None:
    """Print what a person sees."""
    print("   " + text.replace("\n", "\n   "))


def holdings(data: Path) -> str:
    """Return what the relay holds: file sizes under opaque names."""
    files = sorted(
        (path for path in data.rglob("*") if path.is_file()), key=lambda path: -path.stat().st_size
    )
    total = sum(path.stat().st_size for path in files)
    shown = ", ".join(f"{path.relative_to(data)} {path.stat().st_size:,} B" for path in files[:4])
    return f"[relay] {total:,} B in {len(files)} files: {shown}"


def picture(path: Path) -> None:
    """Write a small real PNG, with a comment that the client must strip."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\x00" + bytes((x * 7 + y * 3) % 256 for x in range(64)) for y in range(64))
    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    comment = chunk(b"tEXt", b"Comment\x00Taken at Honeysuckle Lane")
    parts = (chunk(b"IHDR", header), comment, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def expect(truth: object, claim: str) -> None:
    """Say that something holds, or stop."""
    if not truth:
        raise DemoFailed(f"this does not hold: {claim}")
    say(f"✓ {claim}")


def words_sent(extra: Sequence[str]) -> list[str]:
    """Return every word of five letters or more that somebody sent, and whole names."""
    first = (SUBJECT, BODY, SECOND, AFTERWARDS, ANSWER, THANKS, RESOLUTION, NOTE, json.dumps(DEBUG))
    texts = (*first, AGAIN_SUBJECT, AGAIN_BODY, AGAIN_REPLY)
    words = {word for text in texts for word in re.findall(r"[A-Za-z0-9.-]{5,}", text)}
    return sorted(words | set(extra))


def forms(word: str) -> set[bytes]:
    """Return the spellings under which a word is searched: as it is, in lower case, UTF-16, hex, base64."""
    plain = word.encode()
    encoded = base64.b64encode(plain + b"\x00\x00").rstrip(b"=")[: len(plain) * 4 // 3 - 1]
    return {plain, word.lower().encode(), word.encode("utf-16-le"), plain.hex().encode(), encoded}


def search(folder: Path, log: Path, words: Sequence[str], public: bytes) -> list[str]:
    """Return where a word that was sent stands on the relay; words of the public policy are left out."""
    wanted = {form: word for word in words if word.lower().encode() not in public for form in forms(word)}
    found: list[str] = []
    for path in [*(path for path in folder.rglob("*") if path.is_file()), log]:
        content = path.read_bytes()
        found += [f"{word!r} in {path.name}" for form, word in wanted.items() if form in content]
    return found


def file_a_ticket(user: Person, folder: Path, link: str) -> str:
    """Let the user connect and file a ticket with text, debug data, an image and a 20 MiB file."""
    step("The user connects with the link and files a ticket")
    say(f"team: {user.run('connect', link)['name']}")
    picture(folder / "screenshot-honeysuckle.png")
    (folder / "trace-larkspur.bin").write_bytes(os.urandom(20 * MIB))
    (folder / "debug.json").write_text(json.dumps(DEBUG), encoding="utf-8")
    began = time.monotonic()
    filed = user.run(
        *("new", "--subject", SUBJECT, "--body", "-", "--category", "bug", "--yes"),
        *("--debug", str(folder / "debug.json"), "--attach", str(folder / "screenshot-honeysuckle.png")),
        *("--attach", str(folder / "trace-larkspur.bin")),
        stdin=BODY,
    )
    say(f"ticket {filed['number']}: {filed['state']} after {time.monotonic() - began:.1f} s")
    expect(filed["state"] == "stored", "the ticket is stored")
    return str(filed["number"])


def read_the_ticket(admin: Person, folder: Path, number: str) -> None:
    """Let the administrator find, read and download everything."""
    step("The administrator reads it")
    for row in admin.run("inbox"):
        say(f"{row['number']}  {row['status']}  {row['category']}  {row['subject']}")
    shown = admin.run("show", number)
    first = shown["messages"][0]
    say(first["body"])
    expect(
        (shown["subject"], first["body"], first["verdict"]) == (SUBJECT, BODY, "ok"),
        "the text arrived, verified",
    )
    expect(admin.run("debug", number) == DEBUG, "the debug data arrived as it was shown to the user")
    names = [attachment["name"] for attachment in first["attachments"]]
    for name in names:
        admin.run("download", number, name, "-o", str(folder / f"received-{name}"))
    trace = (folder / "received-trace-larkspur.bin").read_bytes()
    expect(trace == (folder / "trace-larkspur.bin").read_bytes(), "the 20 MiB file arrived byte for byte")
    image = (folder / "received-screenshot-honeysuckle.png").read_bytes()
    expect(
        image.startswith(b"\x89PNG") and b"Honeysuckle" not in image, "the image came without its metadata"
    )


def answer_and_close(admin: Person, user: Person, number: str) -> None:
    """Let both talk until the ticket is closed."""
    step("The administrator writes a note and answers; the user is rung")
    admin.run("note", number, NOTE)
    bell = user.watch()
    admin.run("reply", number, ANSWER)
    rung = json.loads(bell.communicate(timeout=90)[0].splitlines()[0])
    say(f"bell: {rung['kind']} in {rung['number']}")
    expect(rung["number"] == number, "the user was rung for this ticket")
    messages = user.run("show", number)["messages"]
    say(f"{messages[-1]['author']['name']}: {messages[-1]['body']}")
    expect(
        (messages[-1]["body"], messages[-1]["author"]["role"]) == (ANSWER, "team"),
        "the user reads the answer",
    )
    expect(not any(message["internal"] for message in messages), "the user sees nothing of the note")
    step("The user answers; the administrator resolves and closes")
    user.run("reply", number, "-", stdin=THANKS)
    seen = admin.run("show", number)["messages"]
    expect(seen[-1]["body"] == THANKS, "the administrator reads the user's answer")
    expect(
        any(message["internal"] and message["body"] == NOTE for message in seen),
        "the note is there for the team",
    )
    admin.run("resolve", number, "--note", RESOLUTION)
    admin.run("close", number)
    closed = user.run("show", number)
    say(f"{closed['number']}  {closed['status']}  {closed['subject']}")
    expect(closed["status"] == "Closed", "the user sees the ticket closed")
    expect(any(RESOLUTION in message["body"] for message in closed["messages"]), "and how it was resolved")


def give_up(_number: int, _frame: FrameType | None) -> None:
    """End in order when told to stop, so that nothing is left behind then either."""
    sys.exit(1)


def main() -> int:
    """Run the demo; return the exit code."""
    signal.signal(signal.SIGTERM, give_up)
    folder = Path(tempfile.mkdtemp(prefix="e2e-support-demo-"))
    try:
        with relay(folder) as (url, data, log):
            step("A relay starts, and prints a one-time code for whoever founds the team")
            say(url)
            code = one_time_code(data)
            admin, user = person(folder, "admin", "e2e-admin"), person(folder, "user", "e2e-ticket")
            step("The administrator founds the team on their own computer")
            founded = admin.run(
                "team", "create", url, "--name", "Example support", "--owner", "Owner", "--code", code
            )
            say(f"support link: {founded['link']}\nwords: {founded['words']}")
            say(holdings(data))
            number = file_a_ticket(user, folder, founded["link"])
            say(holdings(data))
            read_the_ticket(admin, folder, number)
            second_administrator(folder, admin, user, number)
            answer_and_close(admin, user, number)
            say(holdings(data))
            two_policies(folder)
        step("What the relay holds, searched for every word that was sent")
        check_relay(folder, data, log, number)
    except (DemoFailed, subprocess.SubprocessError) as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\nAll of it held.")
    return 0


def second_administrator(folder: Path, admin: Person, user: Person, number: str) -> None:
    """Let a second administrator join, answer, be removed, and read nothing that is written afterwards."""
    step("A second administrator joins: link and code by two ways, words compared by telephone")
    invited = admin.run("member", "invite", "--name", "Second", "--role", "agent")
    second = person(folder, "second", "e2e-admin")
    words = second.run("join", invited["link"], "--code", invited["code"])["words"]
    admin.run("member", "approve", "Second", "--words", words)
    say(", ".join(f"{one['name']}: {one['role']}, {one['state']}" for one in admin.run("member", "list")))
    expect(
        second.run("show", number)["messages"][0]["body"] == BODY, "the second one reads all that came before"
    )
    second.run("reply", number, SECOND)
    expect(user.run("show", number)["messages"][-1]["body"] == SECOND, "and answers")
    step("The second administrator is removed")
    admin.run("member", "remove", "Second")
    user.run("reply", number, AFTERWARDS)
    expect(admin.run("show", number)["messages"][-1]["body"] == AFTERWARDS, "the first one reads on")
    seen = second.run("show", number)["messages"]
    expect(
        not any(AFTERWARDS in message["body"] for message in seen), "the removed one sees nothing that is new"
    )


def two_policies(folder: Path) -> None:
    """Let the same user do the same at two teams whose signed policies differ, and compare the answers."""
    step("Two more teams, one that keeps records and one of a panel; the same user does the same at both")
    with ThreadPoolExecutor() as pool:
        record, panel = pool.map(partial(one_policy, folder), ("record", "panel"))
    leaks = record.pop("leaks") + panel.pop("leaks")
    for question, answer in record.items():
        say(f"{question:<34} record: {answer or 'yes':<22} panel: {panel[question] or 'yes'}")
    expect(
        (record["a priority of one's own?"], record["the priority"]) == ("priority_not_yours", "high"),
        "records compute the priority from the type",
    )
    expect(
        (panel["a priority of one's own?"], panel["the priority"]) == ("", "urgent"),
        "at the panel the user chooses it",
    )
    expect(
        (record["a picture?"], panel["a picture?"]) == ("attachments_off", ""),
        "records take no files, the panel does",
    )
    expect(
        record["closing before it is resolved?"] == "close_note_needed" and not record["closing once it is?"],
        "records are closed by their user once they are resolved",
    )
    expect(
        panel["closing before it is resolved?"] == panel["closing once it is?"] == "close_not_allowed",
        "at the panel the team alone closes",
    )
    expect(
        (record["a reply after closing?"], record["the status"]) == ("closed", "Closed"),
        "what is closed among records stays closed",
    )
    expect(
        (panel["a reply after closing?"], panel["the status"]) == ("", "In Progress"),
        "at the panel a reply within 7 days opens it again",
    )
    expect(not leaks, f"neither relay holds a word of it{leaks and f', but {leaks}'}")


def one_policy(folder: Path, preset: str) -> dict[str, str]:
    """Found a team with a preset at a relay of its own, and let a user go through a ticket's life.

    Returns:
        What came of each wish: the code of a refusal, empty for none; and how the ticket stands.
    """
    home = folder / preset
    home.mkdir()
    admin = person(folder, f"{preset}-admin", "e2e-admin")
    user = person(folder, f"{preset}-user", "e2e-ticket")
    with relay(home) as (url, data, log):
        named = ("--name", f"{preset} team", "--owner", "Owner")
        team = ("team", "create", url, *named, "--preset", preset, "--code", one_time_code(data))
        user.run("connect", admin.run(*team)["link"])
        told = wishes(folder, admin, user)
        shown = user.run("show", told["the ticket"])
        leaks = search(data, log, words_sent([told["the ticket"]]), policy_text())
    return {
        **told,
        "the priority": shown["priority"],
        "the status": shown["status"],
        "leaks": ", ".join(leaks),
    }


def wishes(folder: Path, admin: Person, user: Person) -> dict[str, str]:
    """Let a user wish for everything that policies differ about; return the code of each refusal."""
    ticket = ("new", "--subject", AGAIN_SUBJECT, "--body", AGAIN_BODY, "--category", "billing")
    files = ("--attach", str(folder / "screenshot-honeysuckle.png"))
    priority = user.refusal(*ticket, "--priority", "urgent", *files)
    attached = user.refusal(*ticket, *files) if priority else ""
    if attached:
        user.run(*ticket)
    (number,) = [row["number"] for row in admin.run("inbox")]
    early = user.refusal("close", number)
    admin.run("resolve", number, "--note", RESOLUTION)
    late = user.refusal("close", number)
    if late:
        admin.run("close", number)
    return {
        "the ticket": number,
        "a priority of one's own?": priority,
        "a picture?": attached,
        "closing before it is resolved?": early,
        "closing once it is?": late,
        "a reply after closing?": user.refusal("reply", number, AGAIN_REPLY),
    }


def check_relay(folder: Path, data: Path, log: Path, number: str) -> None:
    """Search the relay's data and log for everything that people sent."""
    names = ["screenshot-honeysuckle.png", "trace-larkspur.bin", "Honeysuckle", number, *PASSPHRASES.values()]
    words = words_sent(names)
    public = policy_text()
    found = search(data, log, words, public)
    sample = (folder / "trace-larkspur.bin").read_bytes()[MIB : MIB + 64]
    leaked = [path.name for path in data.rglob("*") if path.is_file() and sample in path.read_bytes()]
    left_out = [word for word in words if word.lower().encode() in public]
    say(
        f"{len(words) - len(left_out)} words and names searched in {sum(1 for _ in data.rglob('*'))} files and the log"
    )
    if left_out:
        say(f"left out, since the public policy itself has them: {', '.join(left_out)}")
    expect(
        not found and not leaked,
        "nothing that was sent is there" + (f", but {found + leaked}" if found else ""),
    )


def policy_text() -> bytes:
    """Return the words of the public policies, which every relay holds in the clear."""
    from e2e_support.presets import (  # noqa: PLC0415 - only to tell public words from private ones
        DEFAULT,
        PANEL,
        RECORD,
    )

    return b"".join(policy.to_bytes().lower() for policy in (DEFAULT, RECORD, PANEL))


if __name__ == "__main__":
    sys.exit(main())
