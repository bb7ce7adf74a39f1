from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ostrom.errors import InputError
from ostrom.spec import Spec
from ostrom.storage import cid_of, digest_of
from ostrom.tensors import chunk_root, encode_tensors
from ostrom.types import Address, IntVector, Revealed
from ostrom.verification import Checked, check_round, check_update
from ostrom.verification.checks import Bounds, _beyond_norm, _beyond_range, bounds

ONE = 1 << 20
GOOD = np.array([1, -2, 3, 0, ONE], dtype=np.int32)
OTHER = np.array([5, 4, 3, 2, 1], dtype=np.int32)


def encoded(values: IntVector) -> bytes:
    return encode_tensors({"update": values})


def told(
    trainer: Address, content: bytes, *, root: bytes | None = None, samples: int = 10
) -> Revealed:
    digest = digest_of(cid_of(content))
    return Revealed(bytes(32), 1, trainer, digest, root or chunk_root(GOOD), samples)


def check(values: IntVector, spec: Spec) -> Checked:
    content = encoded(values)
    alice = Address("0x" + "11" * 20)
    return check_update(told(alice, content, root=chunk_root(values)), content, spec)


# What is refused, and whether it costs a strike

FILES: dict[str, tuple[bytes | None, str, bool]] = {
    "content that nobody serves": (None, "available", False),
    "nothing": (b"", "decodes", True),
    "noise": (b"noise" * 20, "decodes", True),
    "a cut file": (encoded(GOOD)[:-1], "decodes", True),
    "a longer file": (encoded(GOOD) + b"\0", "decodes", True),
    "another dtype": (encoded(GOOD.astype(np.int64)), "decodes", True),
    "a longer vector": (encoded(np.arange(6, dtype=np.int32)), "decodes", True),
    "a matrix": (encode_tensors({"update": GOOD.reshape(1, 5)}), "decodes", True),
    "another name": (encode_tensors({"model": GOOD}), "decodes", True),
    "two tensors": (encode_tensors({"update": GOOD, "more": GOOD}), "decodes", True),
    "another update": (encoded(OTHER), "chunk_root", True),
}


@pytest.mark.parametrize(("content", "name", "strike"), FILES.values(), ids=FILES.keys())
def test_a_file_that_is_not_the_update_is_refused(
    address: Any, small_spec: Any, content: bytes | None, name: str, strike: bool
) -> None:
    mallory = address("mallory")
    one = check_update(told(mallory, content or b""), content, small_spec())
    assert (one.verdict.trainer, one.verdict.check) == (mallory, name)
    assert one.verdict.strike is strike
    assert one.verdict.reason
    assert one.values is None
    assert not one.verdict.accepted


@pytest.mark.parametrize("samples", [0, 1_000_001, 2**64 - 1])
def test_a_sample_count_out_of_range_costs_a_strike_whatever_the_file(
    address: Any, small_spec: Any, samples: int
) -> None:
    content = encoded(GOOD)
    for served in (content, None):
        one = check_update(told(address("mallory"), content, samples=samples), served, small_spec())
        assert (one.verdict.check, one.verdict.strike) == ("samples", True)
        assert one.values is None


BEYOND: dict[str, tuple[list[int], str, bool]] = {
    "zeros": ([0] * 5, "zero", False),
    "one value too high": ([0, 0, 0, 0, 64 * ONE + 1], "range", True),
    "one value too low": ([0, 0, -64 * ONE - 1, 0, 0], "range", True),
    "the highest integer": ([2**31 - 1] * 5, "range", True),
    "the lowest integer": ([-(2**31)] * 5, "range", True),
}


@pytest.mark.parametrize(("values", "name", "strike"), BEYOND.values(), ids=BEYOND.keys())
def test_values_beyond_the_spec_are_refused(
    small_spec: Any, values: list[int], name: str, strike: bool
) -> None:
    one = check(np.array(values, dtype=np.int32), small_spec())
    assert (one.verdict.check, one.verdict.strike) == (name, strike)
    assert one.values is None


def test_a_large_norm_is_left_out_without_a_strike(small_spec: Any) -> None:
    spec = small_spec(checks="norm(max=2)")
    on_the_bound = np.array([2 * ONE, 0, 0, 0, 0], dtype=np.int32)
    assert check(on_the_bound, spec).verdict.accepted
    beyond = on_the_bound + np.array([0, 1, 0, 0, 0], dtype=np.int32)
    one = check(beyond, spec)
    assert (one.verdict.check, one.verdict.strike) == ("norm", False)


def test_the_very_bounds_are_accepted(small_spec: Any) -> None:
    for sign in (1, -1):
        values = np.array([sign * 64 * ONE, 1, 0, 0, 0], dtype=np.int32)
        assert check(values, small_spec()).verdict.accepted


def test_identical_updates_count_once_whoever_came_first(address: Any, small_spec: Any) -> None:
    alice, bob, mallory = sorted(map(address, ("alice", "bob", "mallory")), key=str.lower)
    content, other = encoded(GOOD), encoded(OTHER)
    contents: dict[Address, bytes | None] = {alice: content, bob: other, mallory: content}
    log = [
        told(mallory, content, samples=70),
        told(bob, other, root=chunk_root(OTHER)),
        told(alice, content, samples=3),
    ]
    rounds = [check_round(reveals, contents, small_spec()) for reveals in (log, log[::-1])]
    for checked in rounds:
        first, apart, copy = checked
        assert (first.holders, first.samples) == ((alice, mallory), 70)
        assert first.values is not None
        assert (apart.holders, apart.samples) == ((bob,), 10)
        assert copy.verdict.check == "duplicate"
        assert not copy.verdict.strike
        assert alice in copy.verdict.reason
        assert copy.values is None


def test_an_update_that_was_not_drawn_is_refused_and_shares_nothing(
    address: Any, small_spec: Any
) -> None:
    alice, mallory = sorted(map(address, ("alice", "mallory")), key=str.lower)
    content = encoded(GOOD)
    log = [told(one, content) for one in (alice, mallory)]
    contents: dict[Address, bytes | None] = dict.fromkeys((alice, mallory), content)
    first, second = check_round(log, contents, small_spec(), drawn=frozenset({mallory}))
    assert (first.verdict.check, first.verdict.strike) == ("drawn", False)
    assert second.verdict.accepted
    assert second.holders == (mallory,)


def test_a_refused_update_makes_no_duplicate(address: Any, small_spec: Any) -> None:
    """Mallory cannot spoil alice's update by claiming its chunk root over other bytes."""
    alice, mallory = address("alice"), address("mallory")
    content = encoded(GOOD)
    contents: dict[Address, bytes | None] = {alice: content, mallory: b"noise"}
    log = [told(mallory, b"noise"), told(alice, content)]
    checks = {c.verdict.trainer: c.verdict for c in check_round(log, contents, small_spec())}
    assert checks[alice].accepted
    assert checks[mallory].check == "decodes"


def test_copies_pass_where_the_spec_does_not_ask(address: Any, small_spec: Any) -> None:
    content = encoded(GOOD)
    names = [address("alice"), address("bob")]
    log = [told(name, content) for name in names]
    for text in ("", "range(abs=64)"):
        checked = check_round(log, dict.fromkeys(names, content), small_spec(checks=text))
        assert all(one.verdict.accepted for one in checked)


def test_verdicts_stand_in_order_of_address_whatever_the_log(address: Any, small_spec: Any) -> None:
    names = [address(str(i)) for i in range(8)]
    vectors = {n: GOOD + np.int32(i) for i, n in enumerate(names)}
    contents: dict[Address, bytes | None] = {n: encoded(v) for n, v in vectors.items()}
    log = [told(n, encoded(v), root=chunk_root(v)) for n, v in vectors.items()]
    forwards = check_round(log, contents, small_spec())
    backwards = check_round(log[::-1], contents, small_spec())
    assert [c.verdict for c in forwards] == [c.verdict for c in backwards]
    assert [c.verdict.trainer for c in forwards] == sorted(names, key=str.lower)
    assert check_round([], {}, small_spec()) == []


# The spec's text of checks


@pytest.mark.parametrize(
    "text",
    [
        *("range", "range(max=1)", "range(abs=big)", "range(abs=1,max=2)", "norm(abs=1)"),
        *("range(abs=0)", "range(abs=-1)", "norm(max=-5)", "norm(max=0)", "norm(max=1e999)"),
        *("duplicate(of=1)", "duplicate|duplicate", "range(abs=1)|range(abs=64)"),
        *("colour", "range(abs=1)|exec(code=1)", "|", "range(abs=nan)", "range()"),
    ],
)
def test_an_unreadable_text_of_checks_is_refused(small_spec: Any, text: str) -> None:
    with pytest.raises(InputError):
        bounds(small_spec(checks=text))


def test_bounds_are_exact_integers_of_the_fixed_point(small_spec: Any) -> None:
    limits = bounds(small_spec(checks="range(abs=0.1)|norm(max=0.3)", fraction_bits=10))
    assert limits.value_max == 1024 // 10
    assert limits.norm_squared_max == (1024 * 1024 * 9) // 100
    assert not limits.duplicates
    assert bounds(small_spec(checks="")).value_max is None
    assert bounds(small_spec(checks="norm(max=1e22)")).norm_squared_max == (10**22 << 20) ** 2


EXTREMES = st.sampled_from([0, 1, -1, 2**15, 2**16, -(2**16), 2**31 - 1, -(2**31), 2**32 - 1])
WIDE = EXTREMES | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**63 - 1, -(2**63)])


@given(
    hnp.arrays(np.int32, 5, elements=st.integers(-(2**31), 2**31 - 1))
    | hnp.arrays(np.int64, 5, elements=WIDE)
    | hnp.arrays(np.int64, 5, elements=st.integers(-(2**33), 2**33))
)
def test_range_and_norm_are_those_of_python_s_integers(values: IntVector) -> None:
    squares = sum(int(v) ** 2 for v in values.tolist())
    top = max(abs(int(v)) for v in values.tolist())
    assert not _beyond_norm(values, Bounds(norm_squared_max=squares))
    assert _beyond_norm(values, Bounds(norm_squared_max=squares - 1))
    assert not _beyond_range(values, Bounds(value_max=top))
    assert _beyond_range(values, Bounds(value_max=top - 1))


# Ten thousand malformed updates


def spoil(good: bytes, rng: np.random.Generator) -> bytes:
    """Bytes that differ from `good`: flipped, cut, grown, spliced or invented."""
    kind, place = int(rng.integers(6)), int(rng.integers(len(good)))
    noise = rng.bytes(int(rng.integers(1, 40)))
    flipped = bytearray(good)
    flipped[place] ^= 1 << int(rng.integers(8))
    spoilt = [
        bytes(flipped),
        good[:place],
        good + noise,
        good[:place] + noise + good[place:],
        rng.bytes(int(rng.integers(200))),
        good[place:] + good[:place],
    ][kind]
    return spoilt if spoilt != good else good + b"\0"


def test_of_ten_thousand_malformed_updates_none_is_accepted_and_each_sender_is_named(
    address: Any, small_spec: Any
) -> None:
    spec, good, rng = small_spec(), encoded(GOOD), np.random.default_rng(1)
    senders = [address(f"mallory {i}") for i in range(100)]
    for batch in range(100):
        contents: dict[Address, bytes | None] = {s: spoil(good, rng) for s in senders}
        log = [told(s, contents[s] or b"") for s in senders]
        checked = check_round(log, contents, spec)
        assert sorted(c.verdict.trainer for c in checked) == sorted(senders), batch
        for one in checked:
            assert one.values is None
            assert one.verdict.strike
            assert one.verdict.check in ("decodes", "chunk_root")
            assert one.verdict.reason
