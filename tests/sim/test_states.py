from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostrom.errors import InputError
from ostrom.sim.states import States
from ostrom.types import Address

ALICE, BOB = Address("0x" + "11" * 20), Address("0x" + "22" * 20)


def vector(value: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array([value, -value], dtype=np.int32)


def test_a_lost_state_is_one_clear_line(tmp_path: Path) -> None:
    States(tmp_path).save(1, {ALICE: {"control": vector(1)}})
    for file in (tmp_path / "private").rglob("*"):
        if file.is_file():
            file.write_bytes(b"damaged")
    with pytest.raises(InputError, match="a trainer's state is lost"):
        States(tmp_path).before(2)


def test_before_the_first_round_nobody_keeps_anything(tmp_path: Path) -> None:
    assert States(tmp_path).before(1) == {}


def test_empty_states_leave_no_file(tmp_path: Path) -> None:
    States(tmp_path).save(1, {ALICE: {}})
    assert list(tmp_path.iterdir()) == []


def test_states_survive_a_restart(tmp_path: Path) -> None:
    States(tmp_path).save(1, {ALICE: {"control": vector(1)}, BOB: {}})
    kept = States(tmp_path).before(2)
    assert list(kept) == [ALICE]
    assert kept[ALICE]["control"].tolist() == [1, -1]


def test_a_round_that_is_trained_again_starts_from_the_states_before_it(tmp_path: Path) -> None:
    states = States(tmp_path)
    for number in (1, 2, 3):
        states.save(number, {ALICE: {"control": vector(number)}})
    states.save(3, {ALICE: {"control": vector(30)}})
    for kept in (states, States(tmp_path)):
        assert kept.before(3)[ALICE]["control"][0] == 2
        assert kept.before(4)[ALICE]["control"][0] == 30


def test_a_trainer_that_misses_rounds_keeps_its_state(tmp_path: Path) -> None:
    states = States(tmp_path)
    states.save(1, {ALICE: {"control": vector(1)}, BOB: {"control": vector(7)}})
    for number in (2, 3, 4):
        states.save(number, {ALICE: {"control": vector(number)}})
    assert states.before(5)[BOB]["control"][0] == 7


KEEPING = {
    "algorithm": "scaffold",
    "aggregation": "mean(weights=equal)",
    "compression": "error_feedback|int8",
    "participation": "uniform(share=0.7)",
    "clients": 3,
    "rounds": 3,
}
"""Everything that keeps something between rounds: trainers, their compression, the server step."""


def test_a_killed_run_whose_trainers_keep_states_resumes_to_the_same_bytes(
    start: Any, again: Any, files_of: Any, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    seen: list[str] = []
    start(whole, lambda progress: seen.append(progress.phase), **KEEPING)
    for step in range(3, len(seen), 4):
        begun: list[str] = []

        def kill(progress: Any, at: int = step, begun: list[str] = begun) -> None:
            begun.append(progress.phase)
            if len(begun) == at:
                raise KeyboardInterrupt

        folder = killed / str(step)
        folder.mkdir(parents=True)
        with pytest.raises(KeyboardInterrupt):
            start(folder, kill, **KEEPING)
        again(folder)
        assert files_of(folder) == files_of(whole), f"killed at step {step}"


def test_states_are_never_in_the_public_store(start: Any, tmp_path: Path) -> None:
    start(tmp_path, **KEEPING)
    private = {f.name for f in (tmp_path / "private").rglob("*") if f.is_file()}
    public = {f.name for f in (tmp_path / "store").rglob("*") if f.is_file()}
    assert private
    assert not private & public
