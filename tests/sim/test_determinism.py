"""One seed, one schedule, one log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CROWD = "garbage|late_reveal|silent_validator|wrong_digest"


def everything(folder: Path, files_of: Any) -> dict[str, bytes]:
    return {**files_of(folder), "history": (folder / "history.jsonl").read_bytes()}


@pytest.mark.parametrize(
    "fields",
    [{}, {"attack": CROWD, "clients": 4, "validators": 7}],
    ids=["honest", "with attacks"],
)
def test_the_same_config_gives_the_same_chain_store_and_history(
    start: Any, files_of: Any, tmp_path: Path, fields: dict[str, Any]
) -> None:
    start(tmp_path / "alice", **fields)
    start(tmp_path / "bob", **fields)
    assert everything(tmp_path / "alice", files_of) == everything(tmp_path / "bob", files_of)


@pytest.mark.parametrize("model", ["logistic", "federated_net(width=2)"])
def test_the_number_of_workers_changes_no_byte(
    start: Any, files_of: Any, tmp_path: Path, model: str
) -> None:
    start(tmp_path / "one", model=model, workers=1, rounds=1, samples=100)
    start(tmp_path / "two", model=model, workers=2, rounds=1, samples=100)
    assert everything(tmp_path / "one", files_of) == everything(tmp_path / "two", files_of)
    assert (tmp_path / "one" / "run.json").read_bytes() == (
        tmp_path / "two" / "run.json"
    ).read_bytes()


def test_another_seed_gives_another_chain_and_other_models(start: Any, tmp_path: Path) -> None:
    first = start(tmp_path / "one", rounds=1, seed=1)
    second = start(tmp_path / "two", rounds=1, seed=2)
    assert first.state.task_id != second.state.task_id
    assert first.state.versions[2].model != second.state.versions[2].model
    assert not set(first.state.members) & set(second.state.members)


def test_nothing_of_the_machine_is_in_chain_or_run_document(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USER", "alice-of-the-tests")
    start(tmp_path / "run", rounds=1)
    for name in ("chain.jsonl", "run.json", "history.jsonl"):
        text = (tmp_path / "run" / name).read_text()
        assert "alice-of-the-tests" not in text
        assert str(tmp_path) not in text
