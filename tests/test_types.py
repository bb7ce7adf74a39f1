from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

from ostrom import types as t
from ostrom.types import Address, Phase, Verdict


def test_phases_stand_in_the_contracts_order() -> None:
    names = "NONE JOINING COMMIT REVEAL SCORE SCORE_REVEAL ATTEST FINISHED CANCELLED"
    assert [phase.name for phase in sorted(Phase)] == names.split()


def test_every_value_is_frozen() -> None:
    values = [c for _, c in inspect.getmembers(t, dataclasses.is_dataclass)]
    assert len(values) > 20
    for value in values:
        assert getattr(value, "__dataclass_params__").frozen, value  # noqa: B009


def test_every_event_but_the_token_s_names_its_task() -> None:
    for event in typing.get_args(t.Event):
        names = [field.name for field in dataclasses.fields(event)]
        assert names[0] == "task_id" or event is t.OtherEvent


def test_a_verdict_is_accepted_only_if_no_check_failed() -> None:
    alice = Address("0x" + "11" * 20)
    assert Verdict(alice).accepted
    assert not Verdict(alice, "norm", "too long").accepted
    with pytest.raises(dataclasses.FrozenInstanceError):
        Verdict(alice).check = "norm"  # type: ignore[misc]
