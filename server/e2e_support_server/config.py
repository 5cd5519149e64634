"""The relay's settings: a TOML file in the data directory, ``E2ES_*`` in the environment, flags on top."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

from e2e_support.errors import UsageError
from e2e_support.limits import MIB

FILE_NAME = "relay.toml"
DEFAULT_PORT = 8470


@dataclass(frozen=True, slots=True)
class Limits:
    """What one relay grants; the protocol's own bounds are in ``e2e_support.limits``.

    Attributes:
        work_bits: leading zero bits of work for a new mailbox, whatever less the policy asks for.
        work_bits_most: the most it ever asks for.
        creates_calm: mailboxes in ten minutes before more work is asked for; every doubling costs one bit.
        creates_minute: mailboxes a minute in all.
        creates_network: mailboxes in ten minutes from one network.
        user_rate: appends a second and mailbox of the user class, in the long run.
        team_rate: the same of the team class.
        rate_burst: seconds' worth of appends that may come at once.
        entry_bytes: bytes of entries a class may write into one mailbox.
        blob_bytes: bytes of blobs a class may keep in one mailbox.
        blobs_open: uncommitted blobs a class may have in one mailbox.
        disk_reserve: bytes of the disk that blobs leave free.
        writes_waiting: writes that may wait for their turn before the relay says that it is busy.
        uploads: pieces that may be in memory at once.
        listeners: event streams and long polls at once.
        listeners_each: the same on one mailbox or feed.
        connections: open connections.
        body_seconds: how long a body may take to arrive.
        write_seconds: how long a reader may take for one part of an answer.
        idle_seconds: how long a connection may take to send the next request's head.
        stream_seconds: how long an event stream lives before it is told to come again.
        ping_seconds: between two comments on a silent event stream.
        stop_seconds: how long requests in flight may take when the relay stops.
    """

    work_bits: int = 0
    work_bits_most: int = 24
    creates_calm: int = 200
    creates_minute: int = 600
    creates_network: int = 60
    user_rate: int = 20
    team_rate: int = 100
    rate_burst: int = 10
    entry_bytes: int = 256 * MIB
    blob_bytes: int = 4096 * MIB
    blobs_open: int = 64
    disk_reserve: int = 256 * MIB
    writes_waiting: int = 4096
    uploads: int = 48
    listeners: int = 20_000
    listeners_each: int = 256
    connections: int = 24_000
    body_seconds: int = 60
    write_seconds: int = 60
    idle_seconds: int = 75
    stream_seconds: int = 3600
    ping_seconds: int = 15
    stop_seconds: int = 20


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set.

    Attributes:
        data: directory of everything the relay keeps.
        host: address to listen on.
        port: port to listen on; 0 lets the system choose.
        authorities: names under which clients reach this relay; empty means the address it listens on.
        address_header: header in which a reverse proxy puts the client's address; empty without a proxy.
        helper: 1 lets a second process verify signatures under load, where there is a second processor.
        log_level: ``debug`` adds a line for every request.
        limits: what this relay grants.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    authorities: tuple[str, ...] = ()
    address_header: str = ""
    helper: int = 1
    log_level: str = "info"
    limits: Limits = field(default_factory=Limits)

    def names(self, port: int) -> frozenset[str]:
        """Return the authorities that the relay answers to when it listens on ``port``."""
        if self.authorities:
            return frozenset(name.lower() for name in self.authorities)
        hosts = {self.host, "127.0.0.1", "localhost"}
        return frozenset(f"[{h}]:{port}" if ":" in h else f"{h}:{port}" for h in hosts)


def load(data: Path, environ: Mapping[str, str]) -> Config:
    """Return the settings of a data directory, changed by the environment.

    Args:
        data: the data directory; its ``relay.toml`` is read if there is one.
        environ: ``E2ES_PORT=…``, ``E2ES_AUTHORITIES=a,b``, ``E2ES_LIMITS_WORK_BITS=…`` and so on.

    Raises:
        UsageError: ``bad_config`` for an unknown name or a value of a wrong type.
    """
    file = data / FILE_NAME
    try:
        settings = tomllib.loads(file.read_text("utf-8")) if file.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _bad(f"{FILE_NAME} is not TOML: {error}") from None
    limits = settings.pop("limits", {})
    config = replace(Config(data), **_checked(Config, {**settings, **_from(environ, Config, "E2ES_")}))
    return replace(
        config,
        limits=replace(Limits(), **_checked(Limits, {**limits, **_from(environ, Limits, "E2ES_LIMITS_")})),
    )


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT`` or ``[HOST]:PORT``.

    Raises:
        UsageError: ``bad_config``.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise _bad(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _from(environ: Mapping[str, str], kind: type[Any], prefix: str) -> dict[str, str]:
    names = {prefix + f.name.upper(): f.name for f in fields(kind)}
    return {name: environ[key] for key, name in names.items() if key in environ}


def _checked(kind: type[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    known = {f.name: f.type for f in fields(kind) if f.name not in ("data", "limits")}
    for name in settings:
        if name not in known:
            raise _bad(f"unknown setting {name!r}")
    return {name: _typed(name, str(known[name]), value) for name, value in settings.items()}


def _typed(name: str, kind: str, value: object) -> int | str | tuple[str, ...]:
    if kind == "int" and str(value).isdecimal():
        return int(str(value))
    if isinstance(value, str) and kind == "str":
        return value
    if kind.startswith("tuple") and isinstance(value, str | list):
        items = value.split(",") if isinstance(value, str) else cast("list[object]", value)
        return tuple(map(str, items))
    raise _bad(f"{name} has a wrong type")


def _bad(why: str) -> UsageError:
    return UsageError("bad_config", why, hint=f"See the settings in {FILE_NAME} and the E2ES_* variables.")
