"""A store in a Kubo node, over its RPC (https://docs.ipfs.tech/reference/kubo/rpc/).

Content that is put here is on the IPFS network as soon as the node announces it. The RPC gives
whoever reaches it all power over the node: keep it on loopback. It needs the extra `node` (httpx).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import httpx

from ostrom.errors import InputError, NotFound, StoreError
from ostrom.storage.addresses import parse_url
from ostrom.storage.cid import codec_of, is_cid, parse_cid
from ostrom.storage.dag import DEFAULT_PROFILE
from ostrom.storage.store import Store
from ostrom.types import Cid

KUBO_URL = "http://127.0.0.1:5001"
SECONDS_MAX = 60.0

_ABSENT = ("not found", "could not find", "not pinned")
_MESSAGE_BYTES_MAX = 1 << 16
_LINE_CHARACTERS_MAX = 4096


class KuboStore(Store):
    """Content in the Kubo node whose RPC is at `url`.

    `pin`: what is put is also pinned, so that the node's own garbage collection leaves it.
    `offline`: a block that the node has not is not found; otherwise the node asks the network for
    up to `seconds_max`. `authorization`: the value of that header, if the RPC wants one.

    Threat answered: a node that gives wrong bytes, or keeps a block under another name.
    Not answered: who else controls the node.

    >>> KuboStore("http://127.0.0.1:5001/api/v0")
    Traceback (most recent call last):
    ostrom.errors.InputError: cannot use the address 'http://127.0.0.1:5001/api/v0': leave out ...
    """

    def __init__(
        self,
        url: str = KUBO_URL,
        *,
        profile: str = DEFAULT_PROFILE,
        pin: bool = True,
        offline: bool = True,
        seconds_max: float = SECONDS_MAX,
        authorization: str | None = None,
    ) -> None:
        super().__init__(profile)
        self.url = _base(url)
        self._pin = pin
        self._offline = offline
        self._seconds_max = seconds_max
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v0/",
            timeout=seconds_max,
            trust_env=False,
            headers={"Authorization": authorization} if authorization else {},
        )

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def put(self, data: bytes | BinaryIO) -> Cid:
        """Store content, pin it unless the store does not pin, and return its CID."""
        cid = super().put(data)
        if self._pin:
            self.pin(cid)
        return cid

    def pin(self, cid: str) -> None:
        """Let the node keep the content, all blocks of which it has or can fetch; NotFound."""
        self._json("pin/add", arg=parse_cid(cid), recursive="true")

    def unpin(self, cid: str) -> bool:
        """Let the node drop the content at its next collection; False if it was not pinned."""
        try:
            self._json("pin/rm", arg=parse_cid(cid), recursive="true")
        except NotFound:
            return False
        return True

    def cids(self) -> Iterator[Cid]:
        """The blocks that the node has, each as a raw one: it knows them by hash, not by codec.

        Blocks of kinds that Ostrom does not make are left out.
        """
        seen: set[Cid] = set()
        with self._answer("refs/local", {}) as response:
            for line in _lines(response):
                name = _document(line).get("Ref")
                if isinstance(name, str) and is_cid(name) and name not in seen:
                    seen.add(Cid(name))
                    yield Cid(name)

    def has_block(self, cid: Cid) -> bool:
        try:
            self._json("block/stat", arg=cid, offline="true")
        except NotFound:
            return False
        return True

    def read_block(self, cid: Cid, limit: int) -> bytes:
        query = {"arg": cid, "offline": "true" if self._offline else "false"}
        if not self._offline:
            query["timeout"] = f"{self._seconds_max:g}s"
        block = bytearray()
        with self._answer("block/get", query) as response:
            for part in response.iter_raw():
                block += part
                if len(block) > limit:
                    break
        return bytes(block[: limit + 1])

    def write_block(self, cid: Cid, block: bytes) -> None:
        query = {"cid-codec": codec_of(cid), "mhtype": "sha2-256", "pin": "false"}
        key = self._json("block/put", files={"data": block}, **query).get("Key")
        if key != cid:
            shown = ascii(str(key))[:80]
            raise StoreError(
                f"{self.url} keeps block {cid} as {shown}; is it a Kubo of 0.12 or later?"
            )

    def _json(
        self, command: str, files: Mapping[str, bytes] | None = None, **query: str
    ) -> dict[str, Any]:
        """The answer to a command, one JSON object."""
        with self._answer(command, query, files) as response:
            return _document(_read(response))

    @contextmanager
    def _answer(
        self, command: str, query: Mapping[str, str], files: Mapping[str, bytes] | None = None
    ) -> Iterator[httpx.Response]:
        """A successful answer whose body is still to be read."""
        try:
            with self._client.stream("POST", command, params=query, files=files) as response:
                if response.status_code != 200:
                    raise self._complaint(command, response)
                yield response
        except httpx.TimeoutException as error:
            raise StoreError(f"the Kubo node at {self.url} is too slow ({command})") from error
        except httpx.HTTPError as error:
            raise StoreError(
                f"cannot reach a Kubo node at {self.url} ({command}): {ascii(str(error))[1:-1]}; "
                "start it (ipfs daemon) or give another URL"
            ) from error

    def _complaint(self, command: str, response: httpx.Response) -> StoreError:
        """The error that stands for what the node complains about."""
        try:
            message = str(_document(_read(response)).get("Message", ""))
        except StoreError:
            message = ""
        line = ascii(message)[1:-1][:200]
        if any(words in message for words in _ABSENT):
            return NotFound(f"the Kubo node at {self.url}: {line}")
        return StoreError(
            f"the Kubo node at {self.url} refuses {command} (status {response.status_code}): {line}"
        )


def _base(url: str) -> str:
    """Scheme, host and port of the RPC, which the node's owner chose, not a stranger."""
    parsed = parse_url(url)
    if parsed.path:
        raise InputError(f"cannot use the address {url!a}: leave out the path; write {KUBO_URL}")
    return str(parsed)


def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > _MESSAGE_BYTES_MAX:
            raise StoreError("the Kubo node answers with more than a message")
    return bytes(body)


def _lines(response: httpx.Response) -> Iterator[str]:
    """The lines of a stream, none longer than a CID in JSON can be."""
    rest = ""
    for part in response.iter_text():
        *whole, rest = (rest + part).split("\n")
        yield from (line for line in whole if line.strip())
        if len(rest) > _LINE_CHARACTERS_MAX:
            raise StoreError("the Kubo node answers with a line without end")
    if rest.strip():
        yield rest


def _document(text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise StoreError("the Kubo node answers with something else than a JSON object")
    return value
