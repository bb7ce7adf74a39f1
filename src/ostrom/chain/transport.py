"""One node behind one URL: JSON-RPC 2.0 (https://www.jsonrpc.org/specification) over HTTP POST.

Answers to the threat of a node, or of something in its place, that answers for ever, slowly or at
great length: a whole answer has one time limit, however it trickles in, and one size limit.
Redirects are not followed, and no proxy is used.
"""

from __future__ import annotations

import base64
import io
import json
import socket
import time as clock
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, InvalidURL
from itertools import count
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit
from weakref import finalize

from ostrom.chain.refusals import TooLong, Unreachable, failure, one_line
from ostrom.codec import parse_json
from ostrom.errors import CodecError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

REQUEST_SECONDS_MAX = 30.0
CONNECT_SECONDS_MAX = 10.0
ANSWER_BYTES_MAX = 64 << 20
"""Some 100,000 logs."""

_PIECE_BYTES = 1 << 16


class Transport:
    """Questions to one node. Several threads may ask at once."""

    def __init__(
        self,
        url: str,
        *,
        seconds_max: float = REQUEST_SECONDS_MAX,
        bytes_max: int = ANSWER_BYTES_MAX,
    ) -> None:
        """Nothing is sent before the first question, not even to a wrong `url`."""
        self.name = shown(url)
        self._url, self._seconds_max, self._bytes_max = url, seconds_max, bytes_max
        self._ids = count(1)
        self._idle: list[HTTPConnection] = []
        finalize(self, _close, self._idle)

    def ask(self, method: str, *params: object) -> Any:
        """The result of a method, as JSON decodes it.

        Raises:
            Unreachable: no answer, or none of JSON-RPC.
            LedgerError: the node's own error, as `failure` reads it.
        """
        number = next(self._ids)
        question = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        try:
            answer = parse_json(self._post(json.dumps(question).encode()))
        except CodecError:
            raise self._nonsense(method, "no JSON, or only a part") from None
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(
                f"cannot reach the node at {self.name}: {_reason(error)}; "
                "check that it runs and that the URL is right"
            ) from None
        if not isinstance(answer, dict):
            raise self._nonsense(method, "no object")
        if answer.get("error") is not None:
            raise failure(method, answer["error"])
        if "result" not in answer or answer.get("id") != number:
            raise self._nonsense(method, "not the answer to this question")
        return answer["result"]

    def close(self) -> None:
        """Close the connections that are kept open."""
        _close(self._idle)

    def _nonsense(self, method: str, what: str) -> Unreachable:
        return Unreachable(f"the node at {self.name} answered {method} with {what}")

    def _post(self, body: bytes) -> bytes:
        connection = self._connection()
        try:
            answer = self._exchange(connection, body)
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:
            self._idle.append(connection)
        return answer

    def _exchange(self, connection: HTTPConnection, body: bytes) -> bytes:
        deadline = clock.monotonic() + self._seconds_max
        parts = urlsplit(self._url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        connection.request("POST", path, body, headers | _authorization(parts))
        connection.response_class = _bounded(deadline, self._bytes_max)
        with connection.getresponse() as response:
            if response.status != 200:
                raise HTTPException(f"HTTP status {response.status}")
            if (response.length or 0) > self._bytes_max:
                raise TooLong(f"the node at {self.name} announces an answer longer than is read")
            # In pieces: the length that a stranger announces is not reserved in memory.
            pieces = list(iter(lambda: response.read(_PIECE_BYTES), b""))
            if response.length:
                raise HTTPException("the answer broke off")
            return b"".join(pieces)

    def _connection(self) -> HTTPConnection:
        """One that is kept open, or a new one; a socket that can be read now has been closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.sock and not _readable(connection.sock):
                connection.sock.settimeout(self._seconds_max)
                return connection
            connection.close()
        parts = urlsplit(self._url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a URL starts with http:// or https:// and names a host")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        seconds = min(self._seconds_max, CONNECT_SECONDS_MAX)
        connection = kind(parts.hostname, parts.port, timeout=seconds)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.settimeout(self._seconds_max)
        return connection


def _readable(sock: socket.socket) -> bool:
    with DefaultSelector() as selector:
        selector.register(sock, EVENT_READ)
        return bool(selector.select(0))


def _close(idle: list[HTTPConnection]) -> None:
    while idle:
        idle.pop().close()


def shown(url: str) -> str:
    """A URL as messages may show it: passwords and paths, which hold keys, are left out.

    >>> shown("https://me:secret@node.example:8545/v3/key")
    'https://node.example:8545'
    """
    try:
        parts = urlsplit(url)
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "a URL that cannot be read"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    if parts.scheme and host:
        return f"{parts.scheme}://{host}{port}"
    return "a URL without a host" if "@" in url else ascii(url[:64])


def _authorization(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _reason(error: Exception) -> str:
    # The message of an invalid URL repeats its path, which may be a key.
    if isinstance(error, (OSError, InvalidURL)) or not str(error):
        return type(error).__name__
    return one_line(error)


def _bounded(deadline: float, bytes_max: int) -> Any:
    """A class of responses that read from a socket until a deadline and up to a size."""

    def response(sock: socket.socket, **options: Any) -> HTTPResponse:
        source: Any = _Source(sock, deadline, bytes_max)
        return HTTPResponse(source, **options)

    return response


class _Source:
    """What `HTTPResponse` takes for a socket."""

    def __init__(self, sock: socket.socket, deadline: float, bytes_max: int) -> None:
        self._reader = _Reader(sock, deadline, bytes_max)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


class _Reader(io.RawIOBase):
    """The bytes of a socket, with one deadline for all of them."""

    def __init__(self, sock: socket.socket, deadline: float, bytes_max: int) -> None:
        # The unbuffered file keeps the socket open until the answer is read.
        self._socket, self._file = sock, sock.makefile("rb", buffering=0)
        self._deadline, self._left = deadline, bytes_max + _PIECE_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        seconds = self._deadline - clock.monotonic()
        if seconds <= 0:
            raise TimeoutError("no whole answer in time")
        self._socket.settimeout(seconds)
        got = self._file.readinto(buffer)
        self._left -= got or 0
        if self._left < 0:
            raise TooLong("the node's answer is longer than is read")
        return got

    def close(self) -> None:
        self._file.close()
        super().close()
