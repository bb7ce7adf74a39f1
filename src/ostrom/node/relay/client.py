"""Handing messages to relays over HTTP: what a trainer's node does.

A relay may be down, slow, full or hostile. Its answers are short, are never followed elsewhere, and
prove nothing: only the chain shows that a message was carried.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from ostrom.codec import parse_json
from ostrom.errors import CodecError, InputError
from ostrom.node.relay.messages import decode_message, kind_of
from ostrom.node.relay.receipts import KNOWN, NOT_NOW, TAKEN, Receipt, receipt

ANSWER_BYTES_MAX = 4_096
SECONDS_MAX = 10.0
"""For one relay's whole answer."""

SILENT_PAUSES = 3.0
"""A relay that did not answer in time is left alone for so many times as long: a trainer must not
spend the end of a phase on waiting for it."""


class RelayClient:
    """Some relays of one task, in order of preference."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        seconds_max: float = SECONDS_MAX,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The relays at `urls`, each http or https and without a path of its own or with one.

        Args:
            transport: how to reach them; without it, the network, by no proxy.
            clock: seconds, for how long a silent relay is left alone.

        Raises:
            InputError: no URL, or one that cannot be a relay's.
        """
        if not urls:
            raise InputError("give the URL of at least one relay")
        self.urls = tuple(_checked(url) for url in urls)
        self._seconds_max, self._transport = seconds_max, transport
        self._clock, self._silent_until = clock, dict[str, float]()
        self._trust = httpx.create_ssl_context(trust_env=False)

    def offer(self, data: bytes, *, first: int = 0) -> Receipt:
        """Hand a message to one relay after the other until one takes it.

        Args:
            first: the place of the relay to begin with; a node that waits in vain for one relay
                begins with the next.

        Returns:
            The receipt of the relay that took it, or the first refusal that says more than "later".

        Raises:
            CodecError: `data` is no message.

        Waits, so call it outside of an event loop.
        """
        kind = kind_of(decode_message(data))
        refused: list[Receipt] = []
        for place in range(len(self.urls)):
            url = self.urls[(first + place) % len(self.urls)]
            given = self._offer_to(url, kind, data)
            if given.accepted:
                return given
            refused.append(given)
        return next((one for one in refused if one.status != NOT_NOW), refused[0])

    def _offer_to(self, url: str, kind: str, data: bytes) -> Receipt:
        if self._clock() < self._silent_until.get(url, -math.inf):
            return receipt(NOT_NOW, f"{url} was too slow lately: left alone for a while")
        try:
            return asyncio.run(self._asked(url, kind, data))
        except TimeoutError:
            self._silent_until[url] = self._clock() + SILENT_PAUSES * self._seconds_max
            return receipt(NOT_NOW, f"{url} took more than {self._seconds_max:g} seconds")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return receipt(NOT_NOW, f"{url} cannot be reached: {type(error).__name__}")

    async def _asked(self, url: str, kind: str, data: bytes) -> Receipt:
        """One request; the time limit is for all of it, so nobody can hold us by dripping."""
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        async with (
            asyncio.timeout(self._seconds_max),
            httpx.AsyncClient(
                verify=self._trust,
                trust_env=False,
                follow_redirects=False,
                timeout=self._seconds_max,
                transport=self._transport,
            ) as client,
            client.stream("POST", f"{url}/v1/{kind}", content=data, headers=headers) as response,
        ):
            return _understood(url, response.status_code, await _read(response))


async def _read(response: httpx.Response) -> bytes | None:
    """The whole answer, unless it is long."""
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            return None
    return bytes(body)


def _understood(url: str, status: int, body: bytes | None) -> Receipt:
    """A receipt made of an answer that may be anything."""
    line = _line_of(body)
    if line is None or not (status in (KNOWN, TAKEN) or 400 <= status < 600):
        return receipt(NOT_NOW, f"{url} does not answer like a relay (status {status})")
    if status >= 500:
        return receipt(NOT_NOW, f"{url}: {line}")
    return receipt(status, f"{url}: {line}")


def _line_of(body: bytes | None) -> str | None:
    try:
        document: Any = None if body is None else parse_json(body)
    except CodecError:
        return None
    if not isinstance(document, dict):
        return None
    line = document.get("line", document.get("error"))
    return line if isinstance(line, str) else None


def _checked(url: str) -> str:
    """The URL without a slash at its end."""
    try:
        parts = urlsplit(url)
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and plain
        right = right and (parts.port is None or parts.port > 0) and url.isprintable()
    except ValueError:
        right = False
    if not right:
        raise InputError(
            f"not the URL of a relay: {json.dumps(url)[:120]}; "
            "give one such as http://127.0.0.1:8551"
        )
    return url.rstrip("/")
