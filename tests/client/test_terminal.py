"""What all command lines share: exit codes, errors, JSON, texts, times."""

from __future__ import annotations

import io
import json
from argparse import Namespace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from e2e_support.errors import TransportError, UsageError
from e2e_support_client.terminal import (
    DONE,
    INTERRUPTED,
    MISUSED,
    REFUSED,
    Command,
    Parser,
    Terminal,
    ago,
    iso,
    read_text,
    run,
    size_of,
    stamp,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def parser_of(command: Command) -> Parser:
    """Return a parser whose only action is a command."""
    parser = Parser(prog="tool")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--number", type=int)
    parser.set_defaults(run=command)
    return parser


def raising(error: BaseException) -> Parser:
    """Return a parser whose command fails."""

    async def command(options: Namespace, terminal: Terminal) -> None:
        raise error

    return parser_of(command)


async def fine(options: Namespace, terminal: Terminal) -> None:
    """Print something."""
    terminal.show({"text": "\x1b[31m\u202e"}, "text")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no_ticket", "there is none"), REFUSED),
        (TransportError("offline", "the relay is away"), REFUSED),
        (KeyboardInterrupt(), INTERRUPTED),
    ],
)
def test_the_exit_code_says_how_it_ended(error: BaseException, code: int) -> None:
    """A refusal is 1, an interruption 130."""
    assert run(raising(error), []) == code


def test_wrong_arguments_are_two(capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments that do not parse exit with 2; with --json the complaint is JSON like every error."""
    assert run(parser_of(fine), ["--what"]) == MISUSED
    assert run(parser_of(fine), ["--json", "--number", "x"]) == MISUSED
    told = capsys.readouterr().err.splitlines()
    assert told[1] == "  See tool --help."
    assert json.loads(told[2])["code"] == "usage"


def test_an_unexpected_error_is_not_hidden() -> None:
    """A fault of the program itself is raised, not dressed up as a refusal."""
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()), [])


def test_data_are_text_or_ascii_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A command prints its text, or with --json one line of ASCII in which nothing moves a terminal."""
    assert run(parser_of(fine), []) == DONE
    assert run(parser_of(fine), ["--json"]) == DONE
    text, data = capsys.readouterr().out.splitlines()
    assert text == "text"
    assert data.isascii()
    assert data.isprintable()
    assert json.loads(data) == {"text": "\x1b[31m\u202e"}


def test_errors_are_two_lines_or_an_object() -> None:
    """People get what happened and what to do; programs get code, message and hint; neither gets an escape."""
    error = UsageError("no_ticket", "there is none\x1b[31m", hint="Look\x07 again.")
    people, programs = (Terminal(json=json_wanted, err=io.StringIO()) for json_wanted in (False, True))
    for terminal in (people, programs):
        terminal.tell(error)
    assert people.err.getvalue() == "there is none\n  Look again.\n"  # type: ignore[attr-defined]
    told = json.loads(programs.err.getvalue())  # type: ignore[attr-defined]
    assert (told["code"], set(told)) == ("no_ticket", {"code", "message", "hint"})


def test_an_error_without_a_hint_is_one_line() -> None:
    """No empty line is printed for a hint that there is not."""
    terminal = Terminal(err=io.StringIO())
    terminal.tell(UsageError("no_ticket", "there is none"))
    assert terminal.err.getvalue() == "there is none\n"  # type: ignore[attr-defined]


def test_a_reader_that_has_seen_enough_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that was closed by `head` ends the command quietly."""
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert run(raising(BrokenPipeError()), []) == DONE


class Pipe(io.StringIO):
    """Standard input of a test."""

    def __init__(self, text: str, *, person: bool = False) -> None:
        super().__init__(text)
        self._person = person

    def isatty(self) -> bool:
        """Tell whether somebody types."""
        return self._person


@pytest.mark.parametrize(
    ("given", "piped", "text"),
    [
        ("hello", "ignored", "hello"),
        ("-", "piped\n", "piped"),
        (None, "two\nlines\n", "two\nlines"),
        (None, "no end", "no end"),
        ("", "ignored", ""),
    ],
)
def test_a_text_is_the_argument_or_standard_input(given: str | None, piped: str, text: str) -> None:
    """A dash or nothing means standard input, whose last line end does not count."""
    assert read_text(given, "Say.", Pipe(piped)) == text


def test_a_person_is_told_how_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Only where somebody types is the prompt printed, and not into the data."""
    read_text(None, "Your answer.", Pipe("hi\n", person=True))
    read_text(None, "Your answer.", Pipe("hi\n"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Your answer. End with Ctrl-D on a line of its own.\n")


def test_endless_or_binary_input_is_refused() -> None:
    """Standard input that is too long or no text is refused with a clear error."""
    with pytest.raises(UsageError) as error:
        read_text("-", "", Pipe("x" * 200_000))
    assert error.value.code == "text_too_long"
    with pytest.raises(UsageError) as error:
        read_text("-", "", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8"))
    assert error.value.code == "bad_text"


def test_times_are_utc() -> None:
    """Times are ISO 8601 in UTC for programs and short for people, from any zone."""
    summer = NOON.astimezone(timezone(timedelta(hours=2)))
    assert (iso(summer), iso(None)) == ("2026-03-01T12:00:00Z", None)
    assert stamp(summer) == "2026-03-01 12:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "now"), (59, "now"), (60, "1 min"), (3_599, "59 min"), (7_200, "2 h"), (200_000, "2 d")],
)
def test_how_long_ago(seconds: int, text: str) -> None:
    """Only the largest unit counts, and the future is now."""
    assert ago(NOON, int(NOON.timestamp()) + seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (20 * 1024**2, "20.0 MiB"),
        (5 * 1024**4, "5120.0 GiB"),
    ],
)
def test_sizes_are_readable(count: int, text: str) -> None:
    """A size has one decimal and the unit that fits."""
    assert size_of(count) == text


@pytest.mark.parametrize("text", ["found it", "- found it", "-dash, then words"])
def test_a_last_text_is_found_behind_options(text: str) -> None:
    """A text that may be left out may stand behind an option, also one with spaces that begins with a dash."""
    parser = Parser(prog="tool")
    parser.add_argument("number")
    parser.add_argument("text", nargs="?")
    parser.add_argument("--undo")
    assert parser.parse_args(["T-1", "--undo", "0", text]).text == text
    with pytest.raises(UsageError):
        parser.parse_args(["T-1", "--undo", "0", "-nonsense"])
