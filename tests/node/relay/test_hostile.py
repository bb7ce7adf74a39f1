"""Thousands of generated requests, none of which a relay may take, over real HTTP."""

from __future__ import annotations

import gc
import json
import random
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.chain.wallet import simulation_key
from ostrom.codec import checksum_address, encode_document
from ostrom.node.relay import Place, Relay
from ostrom.node.relay.messages import FORMS, KINDS, decode_message, encode_message
from ostrom.types import Role

CASES = 5_000
MALLORY, NEWCOMER = simulation_key(0, "mallory"), simulation_key(0, "newcomer")

BYTES = st.binary(min_size=32, max_size=32)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=80)
    | st.sampled_from(["ab" * 32, "AB" * 32, "0x" + "ab" * 20, "1", "01", "-1", "1e9", "\n\x00"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)
"""What a field may not hold, mostly; what it may is replaced."""

Case = tuple[str, bytes]


@dataclass
class Siege:
    """A relay in the Commit phase of round 2 that would like to take some messages."""

    town: Any
    relay: Relay
    client: httpx.Client
    good: dict[str, bytes]
    old: list[Case]
    found: Counter[str] = field(default_factory=Counter)

    def dump(self) -> list[Any]:
        book = self.relay._book
        return [*book._run("SELECT * FROM messages"), *book._run("SELECT * FROM batches")]

    def post(self, kind: str, data: bytes) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        return self.client.post(f"/v1/{kind}", content=data, headers=headers)

    def is_refused(self, kind: str, data: bytes) -> None:
        answer = self.post(kind, data)
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text, data)
        (line,) = json.loads(answer.content).values()
        assert 0 < len(line) <= 240
        assert line.isascii()
        assert line.isprintable()


@pytest.fixture(scope="module")
def siege(new_town: Any, serve: Any, tmp_path_factory: Any) -> Iterator[Siege]:
    town = new_town(4, max_trainers=9)
    relay = town.relay(Path(tmp_path_factory.mktemp("relay")) / "book.sqlite", admits=True)
    town.ledger.advance_time(town.state.deadline - town.now + 1)
    town.send(town.at.training.advance(town.task_id), town.carrier)
    town.commit_all(relay)
    old = [("commit", town.commit(key)) for key in town.trainers]
    old += [("reveal", town.reveal(key)) for key in town.trainers]
    for key in (NEWCOMER, MALLORY):
        town.send(town.at.token.transfer(key.address, 100), town.owner)
    old.append(("join", town.join(NEWCOMER, deadline=town.now)))
    old.append(("registration", town.registration(MALLORY, deadline=town.now)))
    town.next_round()
    town.send(town.at.registry.register(Role.TRAINER, bytes(32)), NEWCOMER)
    alice, bob = town.trainers[:2]
    assert town.offer(relay, town.commit(bob)).status == 202
    good = {
        "commit": town.commit(alice),
        "join": town.join(NEWCOMER),
        "registration": town.registration(MALLORY),
        "reveal": town.reveal(alice),
    }
    with (
        serve(town, relay) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=30) as client,
    ):
        yield Siege(town, relay, client, good, old)


def noise(siege: Siege, draw: Callable[..., Any]) -> Case:
    """Anything at all."""
    return draw(st.sampled_from(list(KINDS))), draw(
        st.binary(max_size=300) | JSON_VALUES.map(lambda value: json.dumps(value).encode())
    )


def misshapen(siege: Siege, draw: Callable[..., Any]) -> Case:
    """The schema's object with one field of another type, missing, renamed or added."""
    kind = draw(st.sampled_from(list(KINDS)))
    document = json.loads(siege.good[kind])
    name = draw(st.sampled_from(sorted(document)))
    value = draw(JSON_VALUES)
    how = draw(st.sampled_from(["other", "missing", "renamed", "added"]))
    if how == "added":
        document[draw(st.text(min_size=1, max_size=9)) + "_"] = value
    elif how == "missing":
        del document[name]
    elif how == "renamed":
        document[name + "s"] = document.pop(name)
    else:
        fits = name in FORMS[kind] and FORMS[kind][name].read(value) is not None
        document[name] = [value] if fits or value == document[name] else value
    return kind, json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def oversized(siege: Siege, draw: Callable[..., Any]) -> Case:
    """Too long, in one of many ways."""
    kind = draw(st.sampled_from(list(KINDS)))
    size = draw(st.sampled_from([2_049, 4_096, 100_000]))
    filler = draw(st.sampled_from([b" ", b"[", b'{"a":', b"0", b"\x00", b'"', b"9"]))
    long: bytes = (siege.good[kind] + filler * size)[-size:]
    return kind, long


def replayed(siege: Siege, draw: Callable[..., Any]) -> Case:
    """What was right once: another round, another phase, a wish that has expired."""
    case: Case = draw(st.sampled_from(siege.old))
    kind, _ = case
    if kind != "commit":
        return case
    # Whatever a trainer signed in the first round.
    key = draw(st.sampled_from(siege.town.trainers))
    return kind, siege.town.commit(key, 1, commitment=draw(BYTES.filter(lambda b: any(b[4:31]))))


def unsigned(siege: Siege, draw: Callable[..., Any]) -> Case:
    """A right message with a signature of somebody else, or of nobody."""
    kind = draw(st.sampled_from(["commit", "join", "registration"]))
    message: Any = decode_message(siege.good[kind])
    if draw(st.booleans()):
        return kind, encode_message(replace(message, r=draw(BYTES), vs=draw(BYTES)))
    signer = simulation_key(1, str(draw(st.integers(0, 20))))
    town = siege.town
    if kind == "commit":
        return kind, town.commit(town.trainers[0], signer=signer)
    return kind, (town.join if kind == "join" else town.registration)(
        NEWCOMER if kind == "join" else MALLORY, signer=signer
    )


def elsewhere(siege: Siege, draw: Callable[..., Any]) -> Case:
    """A message that would be right on another chain, contract, task or round."""
    town, alice = siege.town, siege.town.trainers[0]
    chain = draw(st.integers(0, 2**53 - 1).filter(lambda number: number != town.place.chain))
    contract = simulation_key(2, str(draw(st.integers(0, 20)))).address
    how = draw(st.integers(0, 3))
    if how == 0:
        return "commit", town.commit(alice, place=Place(chain, town.place.training))
    if how == 1:
        return "commit", town.commit(alice, place=Place(town.place.chain, contract))
    if how == 2:
        return "commit", town.commit(alice, task_id=draw(BYTES))
    number = draw(st.integers(1, 2**32 - 1).filter(lambda number: number != 2))
    kind = draw(st.sampled_from(["commit", "reveal"]))
    return kind, town.commit(alice, number) if kind == "commit" else town.reveal(alice, number)


def mutated(siege: Siege, draw: Callable[..., Any]) -> Case:
    """A right message of which a byte or two were changed, lost, doubled or cut off."""
    kind = draw(st.sampled_from(list(KINDS)))
    data = siege.good[kind]
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(data) - 1))
        how = draw(st.integers(0, 3))
        byte = bytes([data[at] ^ draw(st.integers(1, 255))])
        data = (
            data[:at] + byte + data[at + 1 :],
            data[:at] + data[at + 1 :],
            data[:at] + byte + data[at:],
            data[:at],
        )[how]
        if not data:
            break
    return kind, data + b" " if data == siege.good[kind] else data


def contradicting(siege: Siege, draw: Callable[..., Any]) -> Case:
    """A second commitment of a trainer whose first was taken, or an opening before its time."""
    town, bob = siege.town, siege.town.trainers[1]
    if draw(st.booleans()):
        return "commit", town.commit(bob, commitment=draw(BYTES.filter(lambda b: any(b[4:31]))))
    opening = replace(town.opening(bob), salt=draw(BYTES), samples=draw(st.integers(0, 2**53 - 1)))
    return "reveal", town.reveal(bob, opening=opening)


def crossed(siege: Siege, draw: Callable[..., Any]) -> Case:
    """A right message at the wrong address."""
    kind, other = draw(st.sampled_from([(a, b) for a in KINDS for b in KINDS if a != b]))
    return kind, siege.good[other]


ATTACKS = (
    noise,
    misshapen,
    oversized,
    replayed,
    unsigned,
    elsewhere,
    mutated,
    contradicting,
    crossed,
)


@given(st.data())
@settings(max_examples=CASES, deadline=None, derandomize=True, database=None)
def attack(siege: Siege, before: list[Any], data: Any) -> None:
    chosen = data.draw(st.sampled_from(ATTACKS))
    kind, body = chosen(siege, data.draw)
    siege.is_refused(kind, body)
    siege.found[chosen.__name__] += 1
    if sum(siege.found.values()) % 100 == 0:
        assert siege.dump() == before


def test_of_five_thousand_bad_requests_none_is_taken_and_each_gets_one_line(siege: Siege) -> None:
    before = siege.dump()
    attack(siege, before)
    assert siege.dump() == before
    assert sum(siege.found.values()) >= CASES
    # There are only twelve ways to cross; the generator sends nothing twice.
    assert min(siege.found[one.__name__] for one in ATTACKS if one is not crossed) > CASES // 100


def measured() -> int:
    """Bytes held, without the addresses of all those signers, of which at most 32,768 are kept."""
    checksum_address.cache_clear()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def test_memory_stays_flat_whatever_is_sent(siege: Siege) -> None:
    rng = random.Random(0)

    def send(count: int) -> None:
        for _ in range(count):
            kind = rng.choice(list(KINDS))
            data = bytearray(siege.good[kind])
            data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
            siege.is_refused(kind, rng.choice([bytes(data), b"[" * 5_000, rng.randbytes(1_500)]))

    before = siege.dump()
    tracemalloc.start()
    try:
        send(100)
        held = measured()
        send(600)
        now, (_, peak) = measured(), tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert now - held < 200_000
    assert peak - held < 2_000_000
    assert siege.dump() == before


def test_the_relay_still_takes_what_is_right(siege: Siege) -> None:
    """Last, because it changes what the relay holds."""
    for kind in ("commit", "join", "registration"):
        assert siege.post(kind, siege.good[kind]).status_code == 202
    assert siege.post("reveal", siege.good["reveal"]).status_code == 409
    assert encode_document(json.loads(siege.good["commit"])) == siege.good["commit"]
