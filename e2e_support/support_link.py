"""The support link: relay and pinned team in one string that administrators publish (protocol 4.9).

The grammar is strict and has one spelling per link, so that what a person compares is what a program uses:
no user name, no path, no query, no port that goes without saying.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from dataclasses import dataclass

from e2e_support.crypto.hash import digest
from e2e_support.errors import UsageError
from e2e_support.ids import HASH_SIZE, ID_SIZE, TeamId
from e2e_support.limits import INT_MAX
from e2e_support.tags import Tag

_LINK = re.compile(r"e2es(?P<plain>\+http)?://(?P<origin>[^/?#@\s]+)/#(?P<payload>[A-Za-z0-9_-]+)", re.ASCII)
_ORIGIN = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:(?P<port>[1-9][0-9]{0,4}))?", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)  # browsers read such a last label as an address
_HOST_MAX = 253  # RFC 1035
_CHECKSUM = 4
_LENGTH = 8
_PAYLOAD_SIZES = frozenset({48, 80})  # base64 of 36 and 60 bytes
_DEFAULT_PORTS = {"https": 443, "http": 80}
_COPY_AGAIN = "Copy the whole link again from where the team published it."


@dataclass(frozen=True, slots=True)
class SupportLink:
    """Where a team's relay is and which team it must be.

    Attributes:
        url: the relay's origin, ``https://host[:port]``, or ``http://`` on this machine and for ``.onion``.
        team_id: the hash that the genesis must have.
        head: (length, first 16 bytes of the link hash) that the roster must contain, or ``None``.
    """

    url: str
    team_id: TeamId
    head: tuple[int, bytes] | None = None

    @classmethod
    def parse(cls, text: str) -> SupportLink:
        """Return what a support link says.

        Args:
            text: the link, as pasted; white space around it does not matter.

        Raises:
            UsageError: ``bad_link`` for everything that ``format`` would not have made.
        """
        found = _LINK.fullmatch(text.strip())
        if found is None:
            raise _bad_link("it does not have the form e2es://host/#code", _COPY_AGAIN)
        url = _checked_url("http" if found["plain"] else "https", found["origin"])
        team_id, head = _open_payload(found["payload"])
        return cls(url, team_id, head)

    def format(self) -> str:
        """Return the link as text.

        Raises:
            UsageError: ``bad_link`` when ``url``, ``team_id`` or ``head`` cannot stand in a link.
        """
        scheme, separator, origin = self.url.partition("://")
        if scheme not in _DEFAULT_PORTS or not separator:
            raise _bad_link("the relay's address starts with https://", "Give scheme, host and port only.")
        _checked_url(scheme, origin)
        prefix = "e2es+http" if scheme == "http" else "e2es"
        return f"{prefix}://{origin}/#{_payload(self.team_id, self.head)}"


def _payload(team_id: TeamId, head: tuple[int, bytes] | None) -> str:
    said = bytes(team_id)
    if head is not None:
        length, prefix = head
        if not 0 < length <= INT_MAX or len(prefix) != ID_SIZE:
            raise _bad_link("a head is a length and 16 bytes", "Take both from the team's roster.")
        said += length.to_bytes(_LENGTH, "big") + prefix
    if len(team_id) != HASH_SIZE:
        raise _bad_link("a team id has 32 bytes", "Take it from the team's roster.")
    return base64.urlsafe_b64encode(said + _checksum(said)).decode("ascii")  # 36 or 60 bytes: no padding


def _open_payload(payload: str) -> tuple[TeamId, tuple[int, bytes] | None]:
    if len(payload) not in _PAYLOAD_SIZES:
        raise _bad_link("characters are missing or too many", _COPY_AGAIN)
    data = base64.urlsafe_b64decode(payload)
    said, checksum = data[:-_CHECKSUM], data[-_CHECKSUM:]
    if checksum != _checksum(said):
        raise _bad_link("a character was changed on the way", _COPY_AGAIN)
    team_id, length, prefix = TeamId(said[:HASH_SIZE]), said[HASH_SIZE:-ID_SIZE], said[-ID_SIZE:]
    if len(said) == HASH_SIZE:
        return team_id, None
    number = int.from_bytes(length, "big")
    if not 0 < number <= INT_MAX:
        raise _bad_link("its head has an impossible length", _COPY_AGAIN)
    return team_id, (number, prefix)


def _checksum(said: bytes) -> bytes:
    return digest(Tag.SUPPORT_LINK, said)[:_CHECKSUM]


def _checked_url(scheme: str, origin: str) -> str:
    """Return ``scheme://origin`` if the origin is in its one spelling and the scheme is safe for it."""
    found = _ORIGIN.fullmatch(origin)
    if found is None:
        raise _bad_link("host and port cannot be read", "Write the host in lower case, without a user name.")
    host, port = found["host"], found["port"]
    if port is not None and (int(port) > 65_535 or int(port) == _DEFAULT_PORTS[scheme]):
        raise _bad_link(f"port {port} is impossible or the default", "Leave out the usual port.")
    if not _is_host(host):
        raise _bad_link(f"{host} is not a host", "Check the host's name for typing errors.")
    if scheme == "http" and not _is_private_path(host):
        raise _bad_link(
            "plain http is only for this computer and .onion addresses",
            "Ask the team for a link that starts with e2es://.",
        )
    return f"{scheme}://{origin}"


def _is_host(host: str) -> bool:
    """Tell whether a host is a DNS name, an IPv4 address or an IPv6 literal, each in its usual spelling."""
    if host.startswith("["):
        return _is_ipv6(host[1:-1])
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _is_ipv4(host)
    return len(host) <= _HOST_MAX and all(_LABEL.fullmatch(label) for label in labels)


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _is_ipv6(host: str) -> bool:
    try:
        return str(ipaddress.IPv6Address(host)) == host
    except ValueError:
        return False


def _is_private_path(host: str) -> bool:
    """Tell whether what is sent to a host without TLS can be read on no network: loopback, or Tor's own."""
    if host in {"localhost", "[::1]"} or host.endswith((".localhost", ".onion")):
        return True
    return _is_ipv4(host) and ipaddress.IPv4Address(host).is_loopback


def _bad_link(why: str, hint: str) -> UsageError:
    return UsageError("bad_link", f"this is not a support link: {why}", hint=hint)
