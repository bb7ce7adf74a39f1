"""Blocks from another node's gateway, which may be hostile.

The answer is read with limits on everything: seconds for all of it, bytes while they come, no
redirects, no encodings, no cookies, no proxy from the environment, and only from an address that
was checked (`ostrom.storage.addresses`). It needs the extra `node` (httpcore, the engine of httpx).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import httpcore

from ostrom.errors import ContentTooLarge, CorruptContent, NotFound, StoreError
from ostrom.storage.addresses import Resolve, checked_addresses, parse_url, resolve_by_system
from ostrom.storage.dag import verify_block
from ostrom.storage.requests import RAW_TYPE
from ostrom.types import Cid

SECONDS_MAX = 20.0
SILENCE_SECONDS_MAX = 5.0
"""How long a peer may send nothing: one that is away costs its callers no more than this."""

CONNECTIONS_MAX = 32

_ABSENT = (404, 410, 412, 451)
_DEADLINE: ContextVar[float] = ContextVar("deadline")


class GatewayFetch:
    """`fetch(url, cid, limit)`: the block `cid` from the gateway at `url`, verified.

    `seconds_max`: for the whole of one fetch, however slowly the bytes drip; a peer that sends
    nothing has five. Connections are kept and may be used by any number of threads; `close` ends
    them.

    Threat answered: wrong, half or endless answers, redirects, compressed bombs, silence, slow
    drips, addresses that lead into one's own network.
    Not answered: a peer that keeps a block to itself; ask another.

    >>> fetch = GatewayFetch()
    >>> empty = Cid("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")
    >>> fetch("http://127.0.0.1:8080", empty, 100)
    Traceback (most recent call last):
    ostrom.errors.InputError: the host 127.0.0.1 has the private address 127.0.0.1; ...
    >>> fetch.close()
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        seconds_max: float = SECONDS_MAX,
        resolve: Resolve = resolve_by_system,
    ) -> None:
        self._seconds_max = seconds_max
        self._pool = httpcore.ConnectionPool(
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=4.0,
            network_backend=_CheckedBackend(allow_private, resolve),
        )

    def __call__(self, url: str, cid: Cid, limit: int) -> bytes:
        """The block, of at most `limit` bytes.

        Raises:
            InputError: the URL or the address that it leads to is refused.
            NotFound: the gateway says that it has not this block.
            CorruptContent: what it gave is another block, or half of one.
            ContentTooLarge: it gave more than `limit` bytes.
            StoreError: it cannot be reached, is too slow, or breaks the protocol.
        """
        peer = parse_url(url)
        reset = _DEADLINE.set(time.monotonic() + self._seconds_max)
        try:
            with _explained(str(peer)):
                return verify_block(cid, self._read(f"{peer}/ipfs/{cid}?format=raw", limit), limit)
        finally:
            _DEADLINE.reset(reset)

    def close(self) -> None:
        """End all connections."""
        self._pool.close()

    def _read(self, url: str, limit: int) -> bytes:
        headers = [("Accept", RAW_TYPE), ("Accept-Encoding", "identity"), ("User-Agent", "ostrom")]
        # Seconds to wait for a free connection; all other waiting obeys the deadline.
        extensions = {"timeout": {"pool": self._seconds_max}}
        with self._pool.stream("GET", url, headers=headers, extensions=extensions) as response:
            _check_head(response, limit)
            return _body(response, limit)


class GatewaySource:
    """The gateway at one URL as a source of blocks: `LoadBlock`, to read whole content from it.

    >>> GatewaySource("http://127.0.0.1:8080", allow_private=True).url
    'http://127.0.0.1:8080'
    """

    def __init__(
        self, url: str, *, allow_private: bool = False, seconds_max: float = SECONDS_MAX
    ) -> None:
        self.url = str(parse_url(url))
        self._fetch = GatewayFetch(allow_private=allow_private, seconds_max=seconds_max)

    def __call__(self, cid: Cid, limit: int) -> bytes:
        """The block, verified; errors as `GatewayFetch`."""
        return self._fetch(self.url, cid, limit)

    def close(self) -> None:
        """End the connections."""
        self._fetch.close()


def _check_head(response: httpcore.Response, limit: int) -> None:
    if response.status in _ABSENT:
        # A connection whose answer was read to its end can be used again.
        with suppress(ContentTooLarge):
            _body(response, 1024)
        raise NotFound(f"the gateway has not this block (status {response.status})")
    if response.status != 200:
        raise StoreError(f"the gateway answers with status {response.status}")
    headers = {name.lower(): value for name, value in response.headers}
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise StoreError("the gateway sends an encoding that was not accepted")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length[:20]) > limit:
        raise ContentTooLarge(f"the gateway announces more than {limit} bytes")


def _body(response: httpcore.Response, limit: int) -> bytes:
    body = bytearray()
    for part in response.iter_stream():
        body += part
        if len(body) > limit:
            raise ContentTooLarge(f"the gateway sends more than {limit} bytes")
    return bytes(body)


@contextmanager
def _explained(peer: str) -> Iterator[None]:
    """Name the peer in every complaint, in one printable line."""
    try:
        yield
    except (httpcore.TimeoutException, TimeoutError):
        raise StoreError(f"{peer}: the gateway is too slow") from None
    except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
        line = ascii(str(error))[1:-1][:120]
        raise StoreError(f"{peer}: the gateway cannot be read: {line}") from error
    except (CorruptContent, ContentTooLarge, NotFound) as error:
        raise type(error)(f"{peer}: {error}") from None
    except StoreError as error:
        raise StoreError(f"{peer}: {error}") from None


def _remaining() -> float:
    """Seconds that this thread's fetch may wait for the next bytes."""
    seconds = _DEADLINE.get() - time.monotonic()
    if seconds <= 0:
        raise httpcore.ReadTimeout("the time for this block is over")
    return min(seconds, SILENCE_SECONDS_MAX)


class _CheckedBackend(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and lets no wait outlast the deadline."""

    def __init__(self, allow_private: bool, resolve: Resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        *others, last = checked_addresses(
            host.strip("[]"), port, allow_private=self._allow_private, resolve=self._resolve
        )
        for address in others:
            # A name may have an address that this machine has no route to, such as an IPv6 one.
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return self._connected(address, port, _remaining() / 2)
        return self._connected(last, port, _remaining())

    def _connected(self, address: str, port: int, seconds: float) -> httpcore.NetworkStream:
        return _TimedStream(self._sockets.connect_tcp(address, port, timeout=seconds))


class _TimedStream(httpcore.NetworkStream):
    """A connection of which every wait ends at the deadline of the fetch that uses it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, timeout=_remaining())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout=_remaining())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: Any,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, _remaining()))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
