"""The support link has one spelling, and every other text is refused with a hint."""

import base64

import pytest

from e2e_support.crypto.hash import digest
from e2e_support.errors import UsageError
from e2e_support.ids import TeamId
from e2e_support.limits import INT_MAX
from e2e_support.support_link import SupportLink
from e2e_support.tags import Tag

TEAM = TeamId(bytes(range(32)))
HEAD = (7, bytes(range(16)))
URLS = [
    "https://support.example.org",
    "https://support.example.org:8443",
    "https://x",
    "https://xn--bcher-kva.example",
    "https://192.0.2.1",
    "https://[2001:db8::1]:8443",
    "http://127.0.0.1:8000",
    "http://127.254.3.9",
    "http://[::1]:8000",
    "http://localhost:8000",
    "http://relay.localhost",
    "http://" + "a" * 56 + ".onion",
    "https://" + "a" * 56 + ".onion",
    "https://" + ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61]),
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("head", [None, HEAD, (INT_MAX, bytes(16))])
def test_link_round_trip(url: str, head: tuple[int, bytes] | None) -> None:
    """Parsing what was formatted gives the link back, and formatting that gives the text back."""
    link = SupportLink(url, TEAM, head)
    text = link.format()
    assert SupportLink.parse(text) == link
    assert SupportLink.parse(f" {text}\n") == link


def test_link_is_what_the_protocol_says() -> None:
    """A link spells out scheme, origin and base64url of team id, head and checksum (section 4.9)."""
    said = TEAM + (7).to_bytes(8, "big") + HEAD[1]
    code = base64.urlsafe_b64encode(said + digest(Tag.SUPPORT_LINK, said)[:4]).decode()
    assert SupportLink("https://example.org", TEAM, HEAD).format() == f"e2es://example.org/#{code}"
    assert SupportLink("http://localhost", TEAM).format().startswith("e2es+http://localhost/#")


CODE = SupportLink("https://example.org", TEAM, HEAD).format().partition("#")[2]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "form"),
        (f"https://example.org/#{CODE}", "form"),
        (f"E2ES://example.org/#{CODE}", "form"),
        (f"e2es+https://example.org/#{CODE}", "form"),
        (f"e2es://example.org#{CODE}", "form"),
        (f"e2es://example.org/path/#{CODE}", "form"),
        (f"e2es://example.org/?q#{CODE}", "form"),
        (f"e2es://user@example.org/#{CODE}", "form"),
        (f"e2es://user:pass@example.org/#{CODE}", "form"),
        (f"e2es:///#{CODE}", "form"),
        (f"e2es://exam ple.org/#{CODE}", "form"),
        (f"e2es://example.org/#{CODE}#", "form"),
        (f"e2es://example.org/#{CODE}=", "form"),
        (f"e2es://example.org/#{CODE}\nx", "form"),
        ("e2es://example.org/#", "form"),
        ("e2es://example.org/", "form"),
        (f"e2es://example.org\\@evil.org/#{CODE}", "form"),
        (f"e2es://EXAMPLE.org/#{CODE}", "host and port"),
        (f"e2es://exämple.org/#{CODE}", "host and port"),
        (f"e2es://example.org:/#{CODE}", "host and port"),
        (f"e2es://example.org:08443/#{CODE}", "host and port"),
        (f"e2es://example.org:1:2/#{CODE}", "host and port"),
        (f"e2es://[::1/#{CODE}", "host and port"),
        (f"e2es://[fe80::1%25eth0]/#{CODE}", "host and port"),
        (f"e2es://example.org:443/#{CODE}", "port"),
        (f"e2es://example.org:65536/#{CODE}", "port"),
        (f"e2es+http://localhost:80/#{CODE}", "port"),
        (f"e2es://example..org/#{CODE}", "not a host"),
        (f"e2es://example.org./#{CODE}", "not a host"),
        (f"e2es://-example.org/#{CODE}", "not a host"),
        (f"e2es://{'a' * 64}.org/#{CODE}", "not a host"),
        (f"e2es://{'.'.join(['a' * 63, 'b' * 63, 'c' * 63, 'd' * 62])}/#{CODE}", "not a host"),
        (f"e2es://127.1/#{CODE}", "not a host"),
        (f"e2es://2130706433/#{CODE}", "not a host"),
        (f"e2es://0x7f000001/#{CODE}", "not a host"),
        (f"e2es://127.0.0.01/#{CODE}", "not a host"),
        (f"e2es://256.0.0.1/#{CODE}", "not a host"),
        (f"e2es://[::0001]/#{CODE}", "not a host"),
        (f"e2es://[1.2.3.4]/#{CODE}", "not a host"),
        (f"e2es+http://example.org/#{CODE}", "plain http"),
        (f"e2es+http://128.0.0.1/#{CODE}", "plain http"),
        (f"e2es+http://[::2]/#{CODE}", "plain http"),
        (f"e2es+http://[::ffff:7f00:1]/#{CODE}", "plain http"),
        (f"e2es+http://notlocalhost/#{CODE}", "plain http"),
        (f"e2es+http://localhost.example.org/#{CODE}", "plain http"),
        (f"e2es+http://onion/#{CODE}", "plain http"),
        (f"e2es+http://127.0.0.1.example.org/#{CODE}", "plain http"),
        (f"e2es://example.org/#{CODE[:-1]}", "missing"),
        (f"e2es://example.org/#{CODE}A", "missing"),
        (f"e2es://example.org/#{CODE[:48]}", "changed"),
    ],
)
def test_malformed_link_is_refused(text: str, why: str) -> None:
    """Every text that ``format`` would not have made is refused, with the reason and a hint."""
    with pytest.raises(UsageError, match=why) as caught:
        SupportLink.parse(text)
    assert caught.value.code == "bad_link"
    assert caught.value.hint


def test_every_changed_character_is_noticed() -> None:
    """No single changed character of the code passes the checksum."""
    for place, old in enumerate(CODE):
        new = "B" if old == "A" else "A"
        with pytest.raises(UsageError, match="changed"):
            SupportLink.parse(f"e2es://example.org/#{CODE[:place]}{new}{CODE[place + 1 :]}")


@pytest.mark.parametrize("length", [0, INT_MAX + 1])
def test_impossible_head_length_is_refused(length: int) -> None:
    """A head of no links, or of more than an integer may say, is refused even with a good checksum."""
    said = TEAM + length.to_bytes(8, "big") + bytes(16)
    code = base64.urlsafe_b64encode(said + digest(Tag.SUPPORT_LINK, said)[:4]).decode()
    with pytest.raises(UsageError, match="impossible length"):
        SupportLink.parse(f"e2es://example.org/#{code}")


@pytest.mark.parametrize(
    ("link", "why"),
    [
        (SupportLink("example.org", TEAM), "starts with https"),
        (SupportLink("ftp://example.org", TEAM), "starts with https"),
        (SupportLink("https:", TEAM), "starts with https"),
        (SupportLink("https://example.org/", TEAM), "host and port"),
        (SupportLink("http://example.org", TEAM), "plain http"),
        (SupportLink("https://example.org", TeamId(b"short")), "32 bytes"),
        (SupportLink("https://example.org", TEAM, (0, bytes(16))), "head"),
        (SupportLink("https://example.org", TEAM, (1, bytes(15))), "head"),
    ],
)
def test_nothing_is_formatted_that_would_not_parse(link: SupportLink, why: str) -> None:
    """A link whose parts cannot stand in a link is refused before anybody publishes it."""
    with pytest.raises(UsageError, match=why):
        link.format()
