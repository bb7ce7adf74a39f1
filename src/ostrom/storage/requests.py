"""What a request to a gateway asks for: parsed and checked, without any server.

The IPFS trustless gateway (https://specs.ipfs.tech/http-gateways/trustless-gateway/): one raw
block, or a CAR with the blocks of some content. Each refusal is a status and one clear line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast, get_args

from ostrom.errors import InputError
from ostrom.storage.cid import parse_cid
from ostrom.storage.walk import Span

RAW_TYPE = "application/vnd.ipld.raw"
CAR_TYPE = "application/vnd.ipld.car"
PROBE = "bafkqaaa"
"""The CID of no bytes, by which clients find out whether they talk to a gateway."""

ADVICE = f"add ?format=raw or ?format=car, or accept {RAW_TYPE} or {CAR_TYPE}"

DagScope: TypeAlias = Literal["block", "entity", "all"]

_TYPES = {RAW_TYPE: "raw", CAR_TYPE: "car"}
_NUMBER = r"(0|-?[1-9][0-9]{0,17})"
_ENTITY_BYTES = re.compile(rf"{_NUMBER}:(\*|{_NUMBER})", re.ASCII)
_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.ASCII)
_QUALITY = re.compile(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)", re.ASCII)
_CID_CHARACTERS_MAX = 128


class Refusal(Exception):
    """A request that is answered with a status above 299 and one line."""

    def __init__(self, status: int, line: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(line)


@dataclass(frozen=True)
class RawRequest:
    """One block."""

    format = "raw"
    query = "format=raw"

    @property
    def content_type(self) -> str:
        return RAW_TYPE

    def tag(self, cid: str) -> str:
        """The ETag of the answer; the block never changes, so it is a strong one."""
        return f'"{cid}.raw"'


@dataclass(frozen=True)
class CarRequest:
    """The blocks of some content. `entity`: its first and last byte, counted as the URL does."""

    scope: DagScope = "all"
    entity: tuple[int, int | None] | None = None
    dups: bool = False

    format = "car"

    @property
    def content_type(self) -> str:
        return f"{CAR_TYPE}; version=1; order=dfs; dups={self._dups}"

    def tag(self, cid: str) -> str:
        """The ETag of the answer, a strong one: order and header are always the same."""
        return f'"{self.scope}{self._bytes}.{cid}.car.dfs.{self._dups}"'

    @property
    def query(self) -> str:
        """What a URL says to ask for the same."""
        part = f"&entity-bytes={self._bytes}" if self.entity else ""
        return f"format=car&dag-scope={self.scope}{part}&car-order=dfs&car-dups={self._dups}"

    @property
    def _bytes(self) -> str:
        if self.entity is None:
            return ""
        first, last = self.entity
        return f"{first}:{'*' if last is None else last}"

    @property
    def _dups(self) -> str:
        return "y" if self.dups else "n"

    def span(self, size: int) -> Span:
        """The bytes asked for, of content of `size` bytes.

        >>> CarRequest(entity=(-10, None)).span(100), CarRequest(entity=(95, 1000)).span(100)
        ((90, 100), (95, 100))
        """
        if self.scope == "block":
            return 0, 0
        first, last = self.entity or (0, None)
        start = first if first >= 0 else max(size + first, 0)
        stop = size if last is None else (last if last >= 0 else size + last) + 1
        return min(start, size), max(min(stop, size), 0)


def read_path(rest: str) -> tuple[str, bool]:
    """The CID in what follows `/ipfs/`, and whether a path follows the CID.

    Raises:
        Refusal: 400, it is no CID that Ostrom makes.

    >>> read_path("bafkqaaa")
    ('bafkqaaa', False)
    """
    name, slash, _ = rest.partition("/")
    if name == PROBE:
        return PROBE, bool(slash)
    try:
        if len(name) > _CID_CHARACTERS_MAX:
            raise InputError(f"not a CID: it has {len(name)} characters")
        return parse_cid(name), bool(slash)
    except InputError as error:
        raise Refusal(400, str(error)) from None


def read_request(query: Mapping[str, str], accept: str | None) -> RawRequest | CarRequest:
    """What the query and the header `Accept` ask for; the query has precedence.

    Raises:
        Refusal: 400 for what cannot be understood, 406 for what no gateway without trust gives.

    >>> read_request({"format": "raw"}, None).content_type
    'application/vnd.ipld.raw'
    >>> read_request({}, "application/vnd.ipld.car; dups=y").content_type
    'application/vnd.ipld.car; version=1; order=dfs; dups=y'
    """
    wanted = query.get("format")
    offers = list(_offers(accept or ""))
    if wanted is None:
        wanted, parameters = _preferred(offers)
    elif wanted in ("raw", "car"):
        parameters = next((p for kind, p in offers if _TYPES.get(kind) == wanted), {})
    else:
        raise Refusal(406, f"format {_shown(wanted)} is not served here; {ADVICE}")
    return RawRequest() if wanted == "raw" else _car_request(query, parameters)


def read_range(header: str | None, size: int) -> Span | None:
    """The bytes that the header `Range` asks for, of a block of `size` bytes; None for all.

    Several ranges, other units and nonsense are ignored, as RFC 9110, section 14.2, allows.

    Raises:
        Refusal: 416, the range lies outside the block.

    >>> read_range("bytes=-3", 10), read_range("bytes=5-99", 10), read_range("bytes=a-b", 10)
    ((7, 10), (5, 10), None)
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        start, stop = max(size - int(match[2]), 0), size
    else:
        start = int(match[1])
        stop = min(int(match[2]) + 1, size) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
    if start >= stop:
        extra = {"Content-Range": f"bytes */{size}"}
        raise Refusal(416, f"the block has {size} bytes; ask for some of them", extra)
    return start, stop


def matches_tag(header: str | None, tag: str) -> bool:
    """True if the header `If-None-Match` names this ETag (RFC 9110, section 13.1.2).

    >>> matches_tag('W/"a", "b"', '"b"'), matches_tag("*", '"b"'), matches_tag(None, '"b"')
    (True, True, False)
    """
    tags = [part.strip().removeprefix("W/") for part in (header or "").split(",")]
    return "*" in tags or tag in tags


def _offers(accept: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The media types of an `Accept` header with their parameters, the preferred first."""
    found: list[tuple[float, str, dict[str, str]]] = []
    for part in accept.lower().split(","):
        kind, *rest = (piece.strip() for piece in part.split(";"))
        pairs = (piece.partition("=") for piece in rest)
        parameters = {key.strip(): value.strip().strip('"') for key, _, value in pairs}
        text = parameters.pop("q", "1")
        quality = float(text) if _QUALITY.fullmatch(text) else 0.0
        if kind and quality > 0:
            found.append((quality, kind, parameters))
    found.sort(key=lambda offer: -offer[0])
    return ((kind, parameters) for _, kind, parameters in found)


def _preferred(offers: list[tuple[str, dict[str, str]]]) -> tuple[str, dict[str, str]]:
    for kind, parameters in offers:
        if kind == RAW_TYPE or (kind == CAR_TYPE and _is_known_car(parameters)):
            return _TYPES[kind], parameters
    if any(kind not in ("*/*", "application/*") for kind, _ in offers):
        raise Refusal(406, f"none of the accepted types is served here; {ADVICE}")
    raise Refusal(400, f"say in which form you want the content; {ADVICE}")


def _is_known_car(parameters: Mapping[str, str]) -> bool:
    known = {"version": {"1"}, "order": {"dfs", "unk", ""}, "dups": {"y", "n", ""}}
    return all(value in known.get(key, {value}) for key, value in parameters.items())


def _car_request(query: Mapping[str, str], parameters: Mapping[str, str]) -> CarRequest:
    asked = {
        key: query.get(f"car-{key}", parameters.get(key, ""))
        for key in ("version", "order", "dups")
    }
    if asked["version"] not in ("", "1"):
        raise Refusal(406, "only version 1 of CAR is served here; ask for version=1")
    if not _is_known_car({**asked, "version": "1"}):
        raise Refusal(406, "this order or dups is not served here; use order=dfs and dups=y or n")
    scope = _scope(query.get("dag-scope", "all"))
    text = query.get("entity-bytes")
    entity = None if text is None else _entity(text)
    if entity is not None:
        scope = "entity"
    return CarRequest(scope, entity, asked["dups"] == "y")


def _scope(text: str) -> DagScope:
    for scope in get_args(DagScope):
        if text == scope:
            return cast(DagScope, scope)
    raise Refusal(400, f"dag-scope {_shown(text)} is unknown; use block, entity or all")


def _entity(text: str) -> tuple[int, int | None]:
    match = _ENTITY_BYTES.fullmatch(text)
    if match is None:
        raise Refusal(400, f"entity-bytes {_shown(text)} is no range; write 0:1023, 0:* or -1024:*")
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 32 else text[:32] + "...")
