"""Hostile addresses: none gets a connection, whatever form it takes."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.errors import InputError, StoreError
from ostrom.storage.addresses import checked_addresses, parse_url, resolve_by_system

HOSTILE_URLS = [
    # Not a URL of the web.
    "",
    " ",
    "127.0.0.1",
    "example.org",
    "//example.org/",
    "/ipfs/",
    "http:example.org",
    "http:/example.org",
    "http:///example.org",
    "http://",
    "http:///",
    "https://:443/",
    "file:///etc/passwd",
    "ftp://example.org/",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://127.0.0.1:11211/stats",
    "ldap://127.0.0.1/",
    "javascript:alert(1)",
    "data:text/plain,hello",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "jar:http://example.org!/",
    "view-source:http://127.0.0.1/",
    # Two readings of one text.
    "http://alice@example.org/",
    "http://alice:secret@example.org/",
    "http://example.org@127.0.0.1/",
    "http://127.0.0.1:80@example.org/",
    "http://example.org#@127.0.0.1/",
    "http://example.org?@127.0.0.1/",
    "http://example.org/#fragment",
    "http://example.org/?query=1",
    "http://example.org\\@127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http://example.org\\.evil.example/",
    "http://example.org;127.0.0.1/",
    "http://example.org,127.0.0.1/",
    "http://exam ple.org/",
    " http://example.org/",
    "http://example.org/ ",
    "http://example.org/\n",
    "http://example.org\r\nHost: evil.example/",
    "http://example.org/\r\nX: y",
    "http://example.org\t/",
    "http://example.org\0.evil.example/",
    "http://example.org%00.evil.example/",
    "http://%31%32%37.0.0.1/",
    "http://127%2e0%2e0%2e1/",
    "http://example.org/%2e%2e/",
    "http://example.org/../admin",
    "http://example.org/./x",
    "http://example.org//x",
    "http://example.org/a/..;/b",
    # Names that are none.
    "http://localhost./",
    "http://.example.org/",
    "http://example..org/",
    "http://-example.org/",
    "http://example-.org/",
    "http://exa_mple.org/",
    "http://" + "a" * 64 + ".org/",
    "http://" + "a." * 130 + "org/",
    "http://\u24d4xample.org/",
    "http://\uff11\uff12\uff17.0.0.1/",
    "http://127\u30020\u30020\u30021/",
    "http://ex\u0430mple.org/",
    # Numbers that some parsers take for 127.0.0.1 or 169.254.169.254.
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0/",
    "http://0x/",
    "http://127.0.0.01/",
    "http://127.0.0.256/",
    "http://127.0.0.1.5/",
    "http://1.2.3.0x4/",
    "http://evil.example.0x7f/",
    "http://2852039166/",
    "http://425.510.425.510/",
    "http://00000127.0.0.1/",
    "http://127.0.0.1./",
    # IPv6.
    "http://::1/",
    "http://[::1/",
    "http://::1]/",
    "http://[]/",
    "http://[::1]evil.example/",
    "http://[::1%25lo]/",
    "http://[fe80::1%eth0]/",
    "http://[1:2:3]/",
    "http://[:::1]/",
    "http://[v1.example]/",
    "http://[127.0.0.1]/",
    "http://[::12345]/",
    # Ports.
    "http://example.org:/",
    "http://example.org:0/",
    "http://example.org:22/",
    "http://example.org:25/",
    "http://example.org:65536/",
    "http://example.org:99999/",
    "http://example.org:-1/",
    "http://example.org:080/",
    "http://example.org:80:90/",
    "http://example.org:0x50/",
    "http://example.org:\u0668\u0660/",
    "http://example.org:8_0/",
    # Length.
    "http://example.org/" + "a" * 300,
    "http://" + "a" * 10_000_000,
]


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=lambda url: ascii(url[:48]))
def test_a_hostile_url_is_refused_in_one_short_line(url: str) -> None:
    with pytest.raises(InputError, match="address") as caught:
        parse_url(url)
    message = str(caught.value)
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 250


FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.0.1",
    "192.0.0.1",
    "192.0.2.5",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::1",
    "3fff::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "4000::1",
]

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "100.64.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "::1",
    "fc00::1",
    "fd00:ec2::254",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450::1"]


def literal(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@pytest.mark.parametrize("address", FORBIDDEN)
@pytest.mark.parametrize("allow_private", [False, True])
def test_where_no_peer_can_be_nobody_connects(address: str, allow_private: bool) -> None:
    url = parse_url(f"http://{literal(address)}:8080/")
    for resolve in (resolve_by_system, lambda host, port: [address]):
        for host in (url.host, "peer.example"):
            if host == "peer.example" and resolve is resolve_by_system:
                continue
            with pytest.raises(InputError, match=r"address|none"):
                checked_addresses(host, 8080, allow_private=allow_private, resolve=resolve)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_permission(address: str) -> None:
    url = parse_url(f"http://{literal(address)}:8080")
    with pytest.raises(InputError, match="private"):
        checked_addresses(url.host, url.port, allow_private=False)
    with pytest.raises(InputError, match="private"):
        checked_addresses("peer.example", 80, allow_private=False, resolve=lambda h, p: [address])
    assert checked_addresses(url.host, url.port, allow_private=True) == [address]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert checked_addresses(address, 80, allow_private=False) == [address]
    assert checked_addresses(
        "peer.example", 80, allow_private=False, resolve=lambda h, p: [address]
    ) == [address]


@pytest.mark.parametrize("bad", ["127.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "fe80::1%lo"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_forbidden_address_among_several_is_enough(bad: str, place: int) -> None:
    found = ["8.8.8.8", "1.1.1.1"]
    found.insert(place, bad)
    with pytest.raises(InputError):
        checked_addresses("peer.example", 80, allow_private=False, resolve=lambda h, p: found)


def test_a_host_without_address_is_no_input_error() -> None:
    with pytest.raises(StoreError, match="no address"):
        checked_addresses("peer.example", 80, allow_private=False, resolve=lambda h, p: [])
    with pytest.raises(StoreError, match="cannot resolve"):
        resolve_by_system("does-not-exist.invalid", 80)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "1.2.3.4.5", "2130706433", "\x1b[2J"])
def test_what_a_resolver_invents_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        checked_addresses("peer.example", 80, allow_private=True, resolve=lambda h, p: [text])


@given(raw=st.integers(0, 2**32 - 1))
def test_no_ipv4_address_that_is_not_global_passes(raw: int) -> None:
    address = ipaddress.IPv4Address(raw)
    try:
        checked_addresses(str(address), 80, allow_private=False)
    except InputError:
        return
    assert address.is_global
    assert not address.is_multicast


GOOD = {
    "http://example.org": "http://example.org",
    "http://example.org/": "http://example.org",
    "https://example.org:443/": "https://example.org",
    "http://example.org:443/": "http://example.org:443",
    "HTTPS://EXAMPLE.org:8443/Gate/": "https://example.org:8443/Gate",
    "http://xn--bcher-kva.example/a/b-c_d~e.f": "http://xn--bcher-kva.example/a/b-c_d~e.f",
    "http://127.0.0.1:1024": "http://127.0.0.1:1024",
    "http://[2606:4700:4700:0:0:0:0:1111]:8080/": "http://[2606:4700:4700::1111]:8080",
    "http://1.2.3.4.example:65535": "http://1.2.3.4.example:65535",
    "http://localhost:8080": "http://localhost:8080",
}


@pytest.mark.parametrize(("text", "form"), GOOD.items())
def test_a_good_url_has_one_form(text: str, form: str) -> None:
    assert str(parse_url(text)) == form
    assert parse_url(form) == parse_url(text)


@given(
    text=st.text(max_size=40),
    prefix=st.sampled_from(["", "http://", "http://a.b/", "http://[::1]"]),
)
def test_any_text_is_refused_or_has_one_form(text: str, prefix: str) -> None:
    try:
        url = parse_url(prefix + text)
    except InputError:
        return
    assert parse_url(str(url)) == url
    assert str(url).isascii()
