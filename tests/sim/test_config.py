"""What cannot be run is refused in one clear line, before anything is on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ostrom.errors import InputError
from ostrom.sim import behaviours
from ostrom.sim.behaviours import parse_attack
from ostrom.sim.config import RunConfig
from ostrom.sim.run import load_run, resume, roll_back, simulate

SMALL = {"dataset": "digits", "model": "logistic", "clients": 3, "validators": 2, "rounds": 1}

BAD: list[tuple[dict[str, Any], str]] = [
    ({"colour": "red"}, "colour: extra inputs are not permitted"),
    ({"dataset": "nope"}, "no data set 'nope'"),
    ({"dataset": ""}, "no images"),
    ({"dataset": 3}, "dataset: input should be a valid string"),
    ({"clients": 0}, "clients: .* greater than or equal to 1"),
    ({"clients": -1}, "clients: .* greater than or equal to 1"),
    ({"clients": 50_001}, "clients: .* less than or equal to 50000"),
    ({"clients": 3_000}, "too few for 3000 trainers"),
    ({"clients": 2.5}, "clients: .* valid integer"),
    ({"clients": None}, "clients: .* valid integer"),
    ({"skew": "nope"}, "there is no 'nope'"),
    ({"skew": "emphasis(share=2)"}, "share must lie between 0 and 1"),
    ({"skew": "emphasis(foo=1)"}, "emphasis .*'foo'"),
    ({"skew": "emphasis(share=x)"}, "emphasis .*share"),
    ({"skew": "emphasis|emphasis"}, "one mechanism is wanted, not 2"),
    ({"skew": ""}, "cannot read ''"),
    ({"rounds": 0}, "rounds: .* greater than or equal to 1"),
    ({"rounds": 10_001}, "rounds: .* less than or equal to 10000"),
    ({"model": "nope"}, "there is no 'nope'"),
    ({"model": "mlp(hidden=0)"}, "hidden must be an integer of at least 1"),
    ({"model": "mlp(hidden=x)"}, "mlp .*hidden"),
    ({"model": "logistic|mlp"}, "one mechanism is wanted, not 2"),
    ({"algorithm": "nope"}, "there is no 'nope'"),
    ({"algorithm": "fedavg(epochs=0)"}, "epochs and batch must be integers of at least 1"),
    ({"algorithm": "fedavg(epochs=x)"}, "fedavg .*epochs"),
    ({"algorithm": "fedavg(lr=-1)"}, "lr must be above 0"),
    ({"algorithm": "fedavg|fedavg"}, "one mechanism is wanted, not 2"),
    ({"algorithm": "ridge"}, "ridge trains a ridge_features model"),
    ({"aggregation": "nope"}, "unknown mechanism 'nope'"),
    ({"aggregation": "trimmed_mean(f=-1)"}, "trimmed_mean needs f >= 0"),
    ({"aggregation": "norm_clip(c=0)|mean"}, "norm_clip needs c > 0"),
    ({"aggregation": "mean|mean"}, "exactly one rule"),
    ({"aggregation": "nnm(f=1)"}, "exactly one rule"),
    ({"scorer": "nope"}, "'nope'"),
    ({"scorer": "leave_one_out|leave_one_out"}, "leave_one_out"),
    ({"scorer": "leave_one_out(a=1)"}, "leave_one_out"),
    ({"incentive": "nope"}, "'nope'"),
    ({"incentive": "proportional|proportional"}, "proportional"),
    ({"validators": 0}, "validators: .* greater than or equal to 1"),
    ({"validators": 65}, "validators: .* less than or equal to 64"),
    ({"holdout": 0}, "holdout: .* greater than or equal to 1"),
    ({"holdout": 1 << 53}, "holdout: .* less than or equal to"),
    ({"samples": 0}, "samples: .* greater than or equal to 1"),
    ({"samples": 2}, "2 examples are too few for 3 trainers"),
    ({"samples": 1 << 53}, "samples: .* less than or equal to"),
    ({"seed": -1}, "seed: .* greater than or equal to 0"),
    ({"seed": 1 << 53}, "seed: .* less than or equal to"),
    ({"seed": "x"}, "seed: .* valid integer"),
    ({"workers": 0}, "workers: .* greater than or equal to 1"),
    ({"workers": 257}, "workers: .* less than or equal to 256"),
    ({"attack": ""}, "cannot read ''"),
    ({"attack": "zeros("}, "cannot read"),
    ({"attack": "nope"}, "unknown attack 'nope'"),
    ({"attack": "none|zeros"}, "unknown attack 'none'"),
    ({"attack": "zeros(trainers=4)"}, "only 3 trainers left"),
    ({"attack": "zeros(trainers=2)|copy(trainers=2)"}, "only 1 trainers left"),
    ({"attack": "zeros(trainers=0)"}, "only 3 trainers left"),
    ({"attack": "zeros(trainers=1.5)"}, "only 3 trainers left"),
    ({"attack": "zeros(by=2)"}, "the arguments are trainers"),
    ({"attack": "scale(by=abc)"}, "by to be of type float"),
    ({"attack": "silent_validator(trainers=1)"}, "the arguments are validators"),
    ({"attack": "silent_validator(validators=3)"}, "only 2 validators left"),
]


@pytest.mark.parametrize(("fields", "message"), BAD, ids=[str(fields) for fields, _ in BAD])
def test_a_config_that_cannot_be_run_is_refused_and_leaves_nothing(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    out = tmp_path / "deep" / "run"
    with pytest.raises(InputError, match=message) as refused:
        simulate(RunConfig.of({**SMALL, **fields}), out)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize("content", ["file", "folder", "run.json", ".hidden"])
def test_a_folder_that_holds_anything_is_refused_and_left_alone(
    tmp_path: Path, content: str
) -> None:
    place = tmp_path / content
    place.mkdir() if content == "folder" else place.write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        simulate(RunConfig.of(SMALL), tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == [content]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        simulate(RunConfig.of(SMALL), tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("use", [resume, load_run, lambda out: roll_back(out, 1)])
def test_a_folder_without_a_run_is_refused(tmp_path: Path, use: Any) -> None:
    with pytest.raises(InputError, match="holds no run"):
        use(tmp_path)
    with pytest.raises(InputError, match="holds no run"):
        use(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "damaged"),
        (b"[]", "another version|version that this one cannot read"),
        (b'{"format":"ostrom/run/9"}', "cannot read"),
        (b'{"format":"ostrom/run/1"}', "damaged"),
        (b'{"config":7,"contracts":{},"format":"ostrom/run/1","task":""}', "damaged"),
        (b'{"config":{},"contracts":[],"format":"ostrom/run/1","task":""}', "damaged"),
        (b'{"config":{},"contracts":{},"format":"ostrom/run/1","task":"xyz"}', "damaged"),
        (b'{"config":{"a":1},"contracts":{},"format":"ostrom/run/1","task":""}', "a: extra"),
    ],
)
@pytest.mark.parametrize("use", [resume, load_run, lambda out: roll_back(out, 1)])
def test_a_damaged_run_document_is_refused(
    tmp_path: Path, use: Any, document: bytes, message: str
) -> None:
    (tmp_path / "run.json").write_bytes(document)
    with pytest.raises(InputError, match=message):
        use(tmp_path)
    assert (tmp_path / "run.json").read_bytes() == document


@pytest.mark.parametrize("summary", [b"", b"{", b"[]", b"{}", b"\xff"])
def test_a_damaged_summary_is_refused(start: Any, tmp_path: Path, summary: bytes) -> None:
    start(tmp_path, rounds=1, clients=1, validators=1, samples=100)
    (tmp_path / "summary.json").write_bytes(summary)
    with pytest.raises(InputError, match=r"summary\.json is damaged"):
        load_run(tmp_path)


@pytest.mark.parametrize("history", [b"{", b"7\n", b"{}\n", b"\xff"])
def test_a_damaged_history_is_refused(start: Any, tmp_path: Path, history: bytes) -> None:
    start(tmp_path, rounds=1, clients=1, validators=1, samples=100)
    (tmp_path / "history.jsonl").write_bytes(history)
    with pytest.raises(InputError, match=r"history\.jsonl is damaged"):
        resume(tmp_path)


def test_roles_are_cast_from_the_last_party_downwards() -> None:
    casting = parse_attack("zeros(trainers=2)|copy|silent_validator", 5, 4)
    assert {i: m.name for i, m in casting.trainers.items()} == {4: "zeros", 3: "zeros", 2: "copy"}
    assert {i: m.name for i, m in casting.validators.items()} == {3: "silent_validator"}


def test_every_behaviour_is_in_the_table_of_its_module() -> None:
    names = [*behaviours.TRAINER_BEHAVIOURS, *behaviours.VALIDATOR_BEHAVIOURS]
    assert all(f"| {name} |" in (behaviours.__doc__ or "") for name in names)


def test_a_config_is_written_and_read_back_whole() -> None:
    config = RunConfig.of({**SMALL, "attack": "scale(by=3)", "seed": (1 << 53) - 1})
    assert RunConfig.of(config.model_dump(mode="json")) == config


def test_exact_shapley_values_are_refused_for_more_than_ten_before_anything_starts() -> None:
    assert RunConfig(clients=10, scorer="exact_shapley").clients == 10
    with pytest.raises(InputError, match="use gtg_shapley"):
        RunConfig.of({"clients": 11, "scorer": "exact_shapley"})
