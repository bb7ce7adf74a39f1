"""Announced addresses: URLs that a stranger chose and this machine is to connect to.

A URL is read by one strict rule, not by what the parsers of browsers and libraries let pass, since
where two parsers differ there is a hole. Its host is resolved once, every address it has is
checked, and the connection goes to an address that was checked: a name that changes its mind
between check and use (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ostrom.errors import InputError, StoreError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""`resolve(host, port)`: the texts of the addresses of a host name."""

URL_CHARACTERS_MAX = 256
LOW_PORTS = (80, 443)
HIGH_PORT_MIN = 1024
ADDRESSES_MAX = 4

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})"
    r"(:(?P<port>[1-9][0-9]{0,4}))?(?P<path>(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)/?",
    re.ASCII,
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_DOTTED = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}", re.ASCII)
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",
        "::/3", "4000::/2", "8000::/1", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
    )
)  # fmt: skip
"""No peer is there: this network, link-local (where clouds keep secrets), documentation, multicast,
broadcast, all of IPv6 but 2000::/3, and the forms in it that hide an IPv4 address."""

_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
        "::1/128", "fc00::/7",
    )
)  # fmt: skip


@dataclass(frozen=True)
class PeerUrl:
    """A URL in its one form. `path` has no slash at its end."""

    scheme: str
    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        port = "" if self.port == usual else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def parse_url(text: str) -> PeerUrl:
    """The URL of a peer: http or https, a host, perhaps a port and a plain path, nothing else.

    Refused are credentials, queries, fragments, escapes, white space, IP addresses that are not in
    their one usual form, and ports below 1024 other than 80 and 443.

    Raises:
        InputError: any of these, or more than 256 characters.

    >>> str(parse_url("HTTP://Peer.example:8080/gateway/"))
    'http://peer.example:8080/gateway'
    >>> parse_url("http://2130706433/")
    Traceback (most recent call last):
    ostrom.errors.InputError: cannot use the address 'http://2130706433/': an IP address ...
    """
    if len(text) > URL_CHARACTERS_MAX:
        raise InputError(f"an address has at most {URL_CHARACTERS_MAX} characters, not {len(text)}")
    match = _URL.fullmatch(_lower_authority(text))
    if match is None:
        raise _unusable(text, "write http://host:port or https://host:port, and a plain path")
    port = int(match["port"] or (443 if match["scheme"] == "https" else 80))
    if port not in LOW_PORTS and not HIGH_PORT_MIN <= port <= 65535:
        raise _unusable(
            text, f"port {port} is not allowed; use 80, 443 or {HIGH_PORT_MIN} to 65535"
        )
    return PeerUrl(match["scheme"], _host(match["host"], text), port, match["path"])


def resolve_by_system(host: str, port: int) -> list[str]:
    """The addresses that the machine's resolver gives; StoreError if it gives none.

    >>> resolve_by_system("127.0.0.1", 80)
    ['127.0.0.1']
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise StoreError(f"cannot resolve the host {host}: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(
    host: str, port: int, *, allow_private: bool, resolve: Resolve = resolve_by_system
) -> list[str]:
    """The addresses to connect to for `host`, all of them checked, at most four.

    One forbidden address among several is enough to refuse: it is there on purpose. Peers on the
    same machine or network need `allow_private`; link-local addresses are refused even then.

    Raises:
        InputError: an address is forbidden.
        StoreError: the host has none.

    >>> checked_addresses("8.8.8.8", 80, allow_private=False)
    ['8.8.8.8']
    >>> checked_addresses("localhost", 80, allow_private=False, resolve=lambda h, p: ["127.0.0.1"])
    Traceback (most recent call last):
    ostrom.errors.InputError: the host localhost has the private address 127.0.0.1; ...
    """
    try:
        found = [str(ipaddress.ip_address(host))]
    except ValueError:
        found = list(resolve(host, port))
    if not found:
        raise StoreError(f"the host {host} has no address")
    for text in found:
        _check(host, text, allow_private)
    return found[:ADDRESSES_MAX]


def is_refused(url: str, *, allow_private: bool) -> bool:
    """True if nobody would connect to the URL, as far as that shows without asking a resolver.

    >>> is_refused("http://127.0.0.1:8550", allow_private=False)
    True
    >>> is_refused("http://peer.example", allow_private=False)
    False
    """
    peer = parse_url(url)
    try:
        ipaddress.ip_address(peer.host)
    except ValueError:
        return False
    try:
        checked_addresses(peer.host, peer.port, allow_private=allow_private)
    except InputError:
        return True
    return False


def _check(host: str, text: str, allow_private: bool) -> None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InputError(f"the host {host} has the address {text!a}, which is none") from None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise InputError(f"the host {host} has the address {text}, which names an interface")
    if _within(address, _PRIVATE):
        if not allow_private:
            raise InputError(
                f"the host {host} has the private address {text}; peers elsewhere cannot mean it"
            )
    elif _within(address, _NEVER) or not address.is_global:
        raise InputError(f"the host {host} has the address {text}, where no peer can be")


def _within(address: Address, networks: Sequence[object]) -> bool:
    return any(address in network for network in networks)  # type: ignore[operator]


def _host(text: str, url: str) -> str:
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise _unusable(url, "its IPv6 address is none") from None
    labels = text.split(".")
    if _NUMERIC.fullmatch(labels[-1]):
        if not _DOTTED.fullmatch(text) or any(int(label) > 255 for label in labels):
            raise _unusable(url, "an IP address is four numbers from 0 to 255 with dots")
    elif not all(_LABEL.fullmatch(label) for label in labels):
        raise _unusable(url, "its host is no name; letters, digits, hyphens and dots")
    return text


def _lower_authority(text: str) -> str:
    """Scheme and host in lower case; the path keeps its case."""
    scheme, mark, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{mark}{host.lower()}{slash}{path}" if text.isascii() else text


def _unusable(text: str, reason: str) -> InputError:
    shown = text if len(text) <= 64 else text[:64] + "..."
    return InputError(f"cannot use the address {shown!a}: {reason}")
