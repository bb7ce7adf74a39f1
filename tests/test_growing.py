from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrom.growing import Growing, put, without

ENTRIES = st.lists(st.tuples(st.integers(0, 5), st.integers()), max_size=12)


def test_a_version_does_not_see_what_a_later_one_added() -> None:
    one = Growing({"alice": 1})
    one.put("bob", 2)
    assert "bob" not in one
    with pytest.raises(KeyError):
        one["bob"]
    assert (len(one), list(one)) == (1, ["alice"])


def test_two_versions_that_grow_from_one_do_not_meet() -> None:
    one = Growing({"alice": 1})
    two, three = one.put("bob", 2), one.put("bob", 3)
    assert (two["bob"], three["bob"]) == (2, 3)


def test_an_old_version_can_be_read_while_a_new_one_grows() -> None:
    one = Growing(dict.fromkeys(range(5), 0))
    seen = []
    for key in one:
        one = put(one, key + 5, 0)
        seen.append(key)
    assert seen == [0, 1, 2, 3, 4]


@given(ENTRIES)
def test_every_version_equals_the_dict_of_its_time(entries: list[tuple[int, int]]) -> None:
    versions: list[tuple[Growing[int, int], dict[int, int]]] = [(Growing(), {})]
    for key, value in entries:
        last, plain = versions[-1]
        versions.append((last.put(key, value), {**plain, key: value}))
    for version, plain in versions:
        assert version == plain
        assert list(version.items()) == list(plain.items())
        assert without(version, 3) == {k: v for k, v in plain.items() if k != 3}
