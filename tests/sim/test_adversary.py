"""One round's updates under behaviours: who sends what, and who splits which data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostrom.data import Dataset, Share
from ostrom.sim.adversary import Knowledge, corrupt, known_rule, parties, seat
from ostrom.sim.attacks import ATTACKS
from ostrom.sim.behaviours import parse_attack
from ostrom.spec import example
from ostrom.types import Update

D = 40


def trained(count: int) -> dict[int, Update]:
    rng = np.random.default_rng(1)
    rows = rng.normal(5e4, 1e5, (count, D)).astype(np.int32)
    return {i: Update(row, 10 + i) for i, row in enumerate(rows)}


def knowledge(**fields: Any) -> Knowledge:
    known: dict[str, Any] = {"rule": known_rule(example(), {}), "previous": None, "seed": bytes(32)}
    return Knowledge(**known | fields)


def share(start: int, size: int) -> Share:
    data = Dataset("some", np.zeros((size, 4, 4), np.uint8), np.arange(start, start + size), 99)
    return Share(data, data)


@pytest.mark.parametrize("name", [*ATTACKS, "label_flip", "backdoor", "lazy", "sybil", "garbage"])
def test_honest_updates_stay_as_they_are_whatever_others_do(name: str) -> None:
    updates = trained(6)
    count = "identities" if name == "sybil" else "trainers"
    sent = corrupt(parse_attack(f"{name}({count}=2)", 6, 1), updates, knowledge())
    assert set(sent) == set(updates)
    assert all(sent[i] is updates[i] for i in range(4))
    assert all(one.values.dtype == np.int32 and one.values.shape == (D,) for one in sent.values())


def test_colluders_know_the_honest_mean_and_differ_from_one_another() -> None:
    updates = trained(6)
    sent = corrupt(parse_attack("ipm(epsilon=1,trainers=2)", 6, 1), updates, knowledge())
    mean = np.mean([updates[i].values for i in range(4)], axis=0)
    for seat_ in (4, 5):
        assert np.abs(sent[seat_].values + mean).max() < 6
        assert sent[seat_].samples == updates[seat_].samples
    assert not np.array_equal(sent[4].values, sent[5].values)


def test_without_anybody_honest_colluders_know_themselves() -> None:
    updates = trained(3)
    sent = corrupt(parse_attack("alie(trainers=3,z=1)", 3, 1), updates, knowledge())
    rows = np.stack([one.values for one in updates.values()])
    assert np.abs(sent[0].values - rows.mean(axis=0) - rows.std(axis=0, ddof=1)).max() < 6


def test_who_is_not_in_the_round_sends_nothing() -> None:
    updates = {i: one for i, one in trained(6).items() if i not in (4, 5)}
    sent = corrupt(parse_attack("optimal_alie(trainers=2)", 6, 1), updates, knowledge())
    assert sent == updates


def test_the_search_asks_the_tasks_own_rule_with_everyones_weight() -> None:
    asked = []

    def rule(rows: Any, weights: Any) -> Any:
        asked.append((rows.shape, weights.tolist()))
        return rows[0].astype(np.int64)

    casting = parse_attack("optimal_ipm(trainers=2)", 6, 1)
    corrupt(casting, trained(6), knowledge(rule=rule))
    assert asked == [((6, D), [10, 11, 12, 13, 15, 14])] * 16


def test_a_free_rider_replays_the_last_change() -> None:
    casting = parse_attack("last_delta", 3, 1)
    previous = np.arange(D, dtype=np.int64) * 1000
    sent = corrupt(casting, trained(3), knowledge(previous=previous))
    assert np.abs(sent[2].values - previous).max() <= 5


def test_a_boosted_backdoor_is_sent_several_times_over() -> None:
    updates = trained(3)
    sent = corrupt(parse_attack("backdoor(boost=3)", 3, 1), updates, knowledge())
    assert np.array_equal(sent[2].values, updates[2].values * 3)


def test_the_lazy_claim_what_they_did_not_use() -> None:
    updates = trained(3)
    sent = corrupt(parse_attack("lazy(share=0.25)", 3, 1), updates, knowledge())
    assert sent[2].samples == 4 * updates[2].samples
    assert np.array_equal(sent[2].values, updates[2].values)


def test_the_rule_is_known_without_the_server_step() -> None:
    spec = example().model_copy(update={"aggregation": "median|server_momentum(beta=0.9)"})
    rows = np.array([[1], [2], [9]], dtype=np.int32)
    assert known_rule(spec, {})(rows, np.ones(3, dtype=np.int64)).tolist() == [2]


def test_the_known_rule_leaves_out_what_the_checks_refuse() -> None:
    spec = example().model_copy(update={"checks": "range(abs=2)|norm(max=3)"})
    rows = np.array([[1, 1], [-3, 0], [2, 2], [2, 1]]) * 2**20
    mean = known_rule(spec, {})(rows, np.ones(4, dtype=np.int64))
    assert mean == pytest.approx(rows[[0, 2, 3]].mean(axis=0), abs=1)
    assert known_rule(spec, {})(rows[1:2], np.ones(1, dtype=np.int64)).tolist() == [0, 0]


def test_sybils_split_one_share_among_their_seats() -> None:
    casting = parse_attack("zeros|sybil(identities=3)|sybil(identities=2)", 8, 1)
    assert parties(casting, 8) == 5
    dealt = [share(10 * i, 10) for i in range(5)]
    seated = seat(casting, dealt, clients=8, seed=1)
    held = [set(one.train.y.tolist()) for one in seated]
    assert len(held) == 8
    first, second = set(range(20, 30)), set(range(30, 40))
    assert held[2] | held[3] == first
    assert held[4] | held[5] | held[6] == second
    assert [len(one) for one in held] == [10, 10, 5, 5, 4, 3, 3, 10]
    assert all(seated[i].test is dealt[2].test for i in (2, 3))


def test_poisoned_data_are_fed_to_those_who_poison_and_to_nobody_else() -> None:
    casting = parse_attack("label_flip", 3, 1)
    dealt = [share(10 * i, 10) for i in range(3)]
    seated = seat(casting, dealt, clients=3, seed=1)
    assert seated[0] is dealt[0]
    assert seated[1] is dealt[1]
    assert np.array_equal(seated[2].train.y, 98 - dealt[2].train.y)
    assert seated[2].test is dealt[2].test


@pytest.mark.parametrize("step", [9, 11])
def test_a_run_under_attack_that_is_interrupted_resumes_to_the_same_bytes(
    start: Any, again: Any, files_of: Any, tmp_path: Path, step: int
) -> None:
    fields = {
        "attack": "last_delta|optimal_alie(trainers=2)|label_flip|copy(victim=1)|inflate(friend=1)",
        "clients": 7,
        "rounds": 2,
        "aggregation": "nnm(f=2)|trimmed_mean(f=2)|server_momentum(beta=0.5)",
    }
    calls = []

    def interrupt(progress: Any) -> None:
        calls.append(progress)
        if len(calls) == step:
            raise KeyboardInterrupt

    start(tmp_path / "whole", **fields)
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "cut", interrupt, **fields)
    again(tmp_path / "cut")
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "whole")
