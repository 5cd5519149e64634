"""Debug data: what is previewed is what is sent, private text is taken out, withheld fields are seen as withheld."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2e_support.content import OpenBody
from e2e_support.errors import UsageError
from e2e_support.limits import DEBUG_MAX
from e2e_support_client.debug import collectors, redact
from e2e_support_client.debug.collectors import Breadcrumbs, LogBuffer
from e2e_support_client.debug.report import ABOUT, DebugReport, Field, FieldState, Json, as_json, flatten
from user_kit import BODY, SUBJECT, fake_world

TEXT = st.text(max_size=30)
VALUES: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(TEXT.filter(lambda name: name != ABOUT), VALUES, max_size=5)


def made(data: dict[str, Any]) -> DebugReport:
    """Return a report of a document, redacted as a client does it."""
    fields = flatten(data, source="test", purpose="To test.")
    return DebugReport(redact.redact(field, redact.DEFAULT) for field in fields)


# --- the promise -------------------------------------------------------------------------------------------------


@given(DOCUMENTS, st.lists(TEXT, max_size=2))
def test_the_preview_is_the_payload(data: dict[str, Json], dropped: list[str]) -> None:
    """The JSON preview is byte for byte what is encrypted, and the others are made of nothing else."""
    report = made(data)
    report.drop(*dropped)
    assert report.preview("json").encode() == report.payload
    assert len(report.payload) == report.size
    assert json.loads(report.payload) is not None
    again = DebugReport(iter(report))
    assert again.payload == report.payload
    assert report.preview("text") == again.preview("text")


@settings(max_examples=10)
@given(DOCUMENTS)
def test_what_was_previewed_is_what_the_team_opens(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, Json]
) -> None:
    """The bytes that an administrator decrypts are the bytes that the person was shown."""
    shown, received = _run(tmp_path_factory.mktemp("world"), made(data))
    assert received == shown.encode()


def _run(folder: Path, report: DebugReport) -> tuple[str, bytes]:
    import asyncio  # noqa: PLC0415 - hypothesis runs synchronous tests

    async def story() -> tuple[str, bytes]:
        world = fake_world(folder)
        shown = report.preview("json")
        async with world.client() as user:
            ref = await user.tickets.create(SUBJECT, BODY, category="bug", debug=report)
        (read,) = await world.console.read(ref.number)
        assert isinstance(read.body, OpenBody)
        return shown, read.body.debug

    return asyncio.run(story())


@given(DOCUMENTS)
def test_every_value_can_be_seen_in_the_preview(data: dict[str, Json]) -> None:
    """The text preview names every field and shows every value, and nothing in it can move a terminal."""
    report = made(data)
    text = report.preview("text")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in text)
    assert sum(line.lstrip() == "(To test.)" for line in text.splitlines()) >= len({f.name for f in report})


def test_a_plain_document_is_sent_as_it_is() -> None:
    """A document without anything to take out arrives exactly as its host wrote it."""
    data: dict[str, Json] = {
        "app": {"release": "2026.11", "flags": ["a", "b"]},
        "locale": "pt-BR",
        "empty": {},
    }
    report = DebugReport(flatten(data, source="file"))
    assert json.loads(report.payload) == data


def test_dropped_fields_are_withheld_visibly() -> None:
    """A withheld value is nowhere in the bytes, but that it was withheld is (A4)."""
    report = DebugReport([*collectors.quota(total=9, used=5)(), *collectors.block_location("https://x/y")()])
    report.drop("quota.*")
    told = json.loads(report.payload)
    assert "quota" not in told
    assert told[ABOUT]["quota.used"]["state"] == "withheld"
    assert "quota.used [withheld]" in report.preview()
    assert {field.state for field in report if field.path[0] == "quota"} == {FieldState.WITHHELD}


def test_a_change_needs_another_look() -> None:
    """What was previewed and then changed has not been seen."""
    report = made({"a": 1, "b": 2})
    report.preview()
    assert report.previewed
    report.drop("a")
    assert not report.previewed


def test_html_escapes_everything() -> None:
    """A value in the page's preview is text, whatever it holds (attack 33)."""
    page = made({"<script>": "<img src=x onerror=alert(1)>", "a&b": "javascript:alert(1)"}).preview("html")
    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;img" in page


def test_too_much_is_refused_with_the_largest_name() -> None:
    """Data over the limit is refused, and the person learns which field to leave out."""
    report = made({"small": "x", "log": ["y" * 1000] * 100})
    with pytest.raises(UsageError, match="at most") as caught:
        _ = report.payload
    assert caught.value.code == "debug_too_large"
    assert "log" in caught.value.hint
    assert report.size > DEBUG_MAX


def test_the_reports_own_name_is_taken() -> None:
    """A host cannot pretend what was redacted or withheld."""
    with pytest.raises(UsageError, match="own name"):
        list(flatten({ABOUT: {}}, source="x"))


class Strange:
    """An object that must not be asked for its text."""

    def __str__(self) -> str:
        raise AssertionError

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (2**70, str(2**70)),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        ((1, 2), [1, 2]),
        (b"secret", "<bytes>"),
        (Strange(), "<Strange>"),
        ("half \ud800", "half ?"),
        ({1: {2: 3}}, {"1": {"2": 3}}),
    ],
)
def test_any_value_becomes_data(value: object, shown: Json) -> None:
    """Whatever a host hands over becomes JSON without running its code or showing its bytes."""
    assert as_json(value) == shown


def test_depth_and_length_are_bounded() -> None:
    """A structure without end and a text without end are cut, and say so."""
    endless: list[object] = []
    endless.append(endless)
    assert "<list>" in json.dumps(as_json(endless))
    assert str(as_json("x" * 100_000)).endswith("more characters)")


# --- redaction ---------------------------------------------------------------------------------------------------


def cleaned(value: Json, key: str = "field") -> Json:
    """Return a value as it is after all redactors."""
    return redact.redact(Field((key,), value), redact.DEFAULT).value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail ada.lovelace@example.org now", "mail [e-mail] now"),
        ("from 192.168.17.4:8080", "from [ip address]:8080"),
        ("at 2001:db8::7334 and ::1", "at [ip address] and ::1"),
        ("localhost 127.0.0.1 stays", "localhost 127.0.0.1 stays"),
        (f"{Path.home()}/project/x.py", "~/project/x.py"),
        ("/home/ada/x and /Users/ada/y", "/home/[user]/x and /Users/[user]/y"),
        (r"C:\Users\ada\file", r"C:\Users\[user]\file"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: [secret] abcdefgh12345678"),
        ("GET /?token=abc123&x=1", "GET /?token=[secret]&x=1"),
        ("password=hunter2", "password=[secret]"),
        ('{"api_key": "abc"}', '{"api_key": [secret]}'),
        ("https://ada:pw@example.org/", "https://[password]@example.org/"),
        ("ghp_abcdefghij0123456789", "[token]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF-123", "[token]"),
        ("id 9fQ2xZ7Lm4Tr8Kp1Vb6Nc3Hj5Wd0SgYe", "id [random text]"),
        ("sha 0123456789abcdef0123456789abcdef01234567", "sha [random text]"),
        ("version 3.11.7 of 2026-11-21", "version 3.11.7 of 2026-11-21"),
        (
            "/usr/lib/python3/dist-packages/requests/adapters.py",
            "/usr/lib/python3/dist-packages/requests/adapters.py",
        ),
    ],
)
def test_private_text_is_taken_out(text: str, shown: str) -> None:
    """Addresses, homes, tokens and random text go; versions, dates and paths of programs stay."""
    if "Bearer" in text:
        assert "abcdefgh12345678" not in str(cleaned(text))
    else:
        assert cleaned(text) == shown


def test_redaction_goes_all_the_way_down() -> None:
    """Keys and values at any depth are redacted, and secrets are known by their names."""
    value: Json = {"ada@example.org": [{"deep": "bob@example.org", "db_password": "x1"}], "n": 5}
    assert cleaned(value) == {"[e-mail]": [{"deep": "[e-mail]", "db_password": "[secret]"}], "n": 5}
    assert cleaned("s3cr3t", key="session_token") == "[secret]"
    assert cleaned("fine", key="tokenizer") == "fine"


def test_what_was_redacted_is_marked() -> None:
    """The person and the team see that something was taken out of a field."""
    report = made({"who": "ada@example.org", "what": "a crash"})
    states = {field.name: field.state for field in report}
    assert states == {"who": FieldState.REDACTED, "what": FieldState.SENT}
    assert json.loads(report.payload)[ABOUT]["who"]["state"] == "redacted"


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing(text: str) -> None:
    """Redactors leave their own marks alone."""
    once = cleaned(text)
    assert cleaned(once) == once


@given(
    st.emails(), st.ip_addresses(v=4).filter(lambda ip: not ip.is_loopback and not ip.is_unspecified), TEXT
)
def test_addresses_never_survive(email: str, ip: object, around: str) -> None:
    """An e-mail or IP address between any words is gone afterwards."""
    text = str(cleaned(f"{around} {ip} {around}"))
    assert str(ip) not in text or str(ip) in around
    domain = email.rpartition("@")[2]
    if email.isascii() and email.replace("@", "").replace(".", "").isalnum() and "." in domain:
        assert email not in str(cleaned(f"write to {email} please"))


@given(st.binary())
def test_keys_in_hex_never_survive(seed: bytes) -> None:
    """A 256-bit key that got into a log is taken out."""
    key = hashlib.sha256(seed).hexdigest()
    assert key not in str(cleaned(f"loaded key {key} from disk"))


# --- collectors --------------------------------------------------------------------------------------------------


def found(collector: Callable[[], Any]) -> dict[str, Json]:
    """Return what a collector finds, by name; every field must have a purpose and a source."""
    fields = list(collector())
    assert all(field.purpose.endswith(".") and field.source for field in fields)
    return {field.name: field.value for field in fields}


def test_the_runtime_is_described() -> None:
    """Python, system and machine are named."""
    assert {"runtime.python", "runtime.system", "runtime.hostname"} <= set(found(collectors.runtime))


def test_packages_by_name_or_all() -> None:
    """Versions of named packages, also of missing ones, or of everything."""
    assert found(collectors.packages("aiohttp", "no-such-thing"))["packages.no-such-thing"] == "not installed"
    assert "packages.aiohttp" in found(collectors.packages())


def test_an_exception_without_values_of_variables() -> None:
    """Type, message and places of an exception are told, local variables are not."""
    hidden = "the value of a variable"
    error = ValueError("something broke")
    error.__cause__ = KeyError("cause")
    told = found(collectors.exception(error))
    assert told["exception.type"] == "ValueError"
    assert told["exception.message"] == "something broke"
    assert "KeyError" in str(told["exception.traceback"])
    assert hidden not in str(told).replace("hidden", "")


def test_the_tail_of_the_log() -> None:
    """The newest lines of a buffer are told, no more than asked for, none without a buffer."""
    buffer = LogBuffer(lines=50)
    logger = logging.getLogger("test_debug")
    logger.addHandler(buffer)
    try:
        for number in range(60):
            logger.warning("line %s", number)
    finally:
        logger.removeHandler(buffer)
    tail = found(collectors.log_tail(10, buffer=buffer))["log"]
    assert isinstance(tail, list)
    assert (len(tail), str(tail[-1]).endswith("line 59")) == (10, True)
    assert found(collectors.log_tail()) == {"log": []}


def test_only_allowed_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment only listed names are collected; a secret next to them is not."""
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("MY_APP_MODE", "fast")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never")
    told = found(collectors.environment("MY_APP_MODE"))
    assert (told["env.LANG"], told["env.MY_APP_MODE"]) == ("de_DE.UTF-8", "fast")
    assert "never" not in str(told)


def test_breadcrumbs_keep_the_last_steps() -> None:
    """The host's notes are told in order, the oldest forgotten."""
    steps = Breadcrumbs(most=2)
    for step in ("opened", "clicked", "crashed"):
        steps.add(step)
    assert found(steps) == {"breadcrumbs": ["clicked", "crashed"]}


def test_host_sections_cover_the_catalogue() -> None:
    """Everything from S1-05 to S1-12 has a section with names and a purpose; what is empty is left out."""
    key = "9fQ2xZ7Lm4Tr8Kp1Vb6Nc3Hj5Wd0SgYe"
    catalogue = [
        collectors.names(display_name="Ada", username=""),
        collectors.identifiers(drive="d-1", channel=key),
        collectors.keys(signing=key),
        collectors.quota(total=10, used=3),
        collectors.browser(user_agent="Firefox/112", vendor="", app_version="5.0"),
        collectors.screen(width=1470, height=956),
        collectors.block_location("https://drive.example.org/block"),
        collectors.teams([{"name": "Ops", "role": "member"}]),
        collectors.section("app", {"mode": "dark"}, purpose="Themes differ."),
    ]
    told = {name: value for collector in catalogue for name, value in found(collector).items()}
    assert told["names.display_name"] == "Ada"
    assert "names.username" not in told
    report = DebugReport(redact.redact(f, redact.DEFAULT) for collect in catalogue for f in collect())
    sent = json.loads(report.payload)
    assert sent["keys"]["signing"] == key  # named on purpose: a public key looks random too
    assert sent["teams"]["list"] == [{"name": "Ops", "role": "member"}]
