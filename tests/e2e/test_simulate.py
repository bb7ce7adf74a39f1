"""The whole way, as a user goes it: run, look, roll back, interrupt, resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ostrom.audit import audit_run
from ostrom.errors import CONTRACT_ERRORS, InputError
from ostrom.sim.config import RunConfig
from ostrom.sim.run import Run, load_run, resume, roll_back, simulate
from ostrom.sim.runner import Progress

FIELDS = {
    "dataset": "digits",
    "model": "logistic",
    "clients": 3,
    "validators": 2,
    "rounds": 2,
    "workers": 1,
    "samples": 300,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Progress]]:
    told: list[Progress] = []
    out = tmp_path_factory.mktemp("made") / "run"
    return simulate(RunConfig.of(FIELDS), out, progress=told.append), told


def test_a_run_learns_and_its_audit_passes(made: Any) -> None:
    run, _ = made
    assert run.accuracy > 0.7
    assert run.audit().passed
    assert run.summary["audit"]["passed"] is True


def test_the_pictures_are_where_the_run_says(made: Any) -> None:
    run, _ = made
    names = [picture.name for picture in run.plot()]
    assert names == ["contributions.png", "curves.png", "digits.png"]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in run.plot())


def test_progress_goes_forward_from_setup_to_done(made: Any) -> None:
    _, told = made
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert told[0].phase == "setup"
    assert told[-1].message == "done"
    assert [p.round for p in told] == sorted(p.round for p in told)


def test_the_summary_adds_up(made: Any) -> None:
    run, _ = made
    summary = run.summary
    totals = summary["totals"]
    parties = [*summary["trainers"], *summary["validators"]]
    assert sum(int(party["payout"]) for party in parties) == int(totals["paid"])
    assert int(totals["paid"]) + int(totals["refunded"]) == int(totals["pool"])
    assert [row["round"] for row in summary["rounds"]] == [1, 2]
    for row in summary["rounds"]:
        scores = [line["payout"] for line in row["trainers"].values()]
        assert all(int(payout) >= 0 for payout in scores)
    assert summary["final"]["accuracy"] == summary["rounds"][-1]["accuracy"]


def test_loading_a_run_gives_what_simulate_gave(made: Any) -> None:
    run, _ = made
    again = load_run(run.path)
    assert again == run
    assert again.summary == run.summary


def test_a_second_run_in_the_same_folder_is_refused(made: Any) -> None:
    run, _ = made
    with pytest.raises(InputError, match="not empty"):
        simulate(RunConfig.of(FIELDS), run.path)
    assert run.audit().passed


def copied(run: Run, to: Path) -> Path:
    for file in run.path.rglob("*"):
        target = to / file.relative_to(run.path)
        if file.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return to


def head(path: Path) -> str:
    (line,) = [line for line in audit_run(path).lines if line.check == "lineage"]
    return line.detail


def test_rolling_back_moves_the_head_and_keeps_history(made: Any, tmp_path: Path) -> None:
    out = copied(made[0], tmp_path)
    before = (out / "chain.jsonl").read_bytes()
    assert head(out) == "3 versions, head 3"
    roll_back(out, 1)
    after = (out / "chain.jsonl").read_bytes()
    assert after.startswith(before)
    assert len(after.splitlines()) == len(before.splitlines()) + 1
    assert head(out) == "3 versions, head 1"
    assert audit_run(out).passed
    roll_back(out, 2)
    assert head(out) == "3 versions, head 2"


@pytest.mark.parametrize(
    ("version", "error"),
    [
        (0, "ModelRegistryUnknownVersion"),
        (9, "ModelRegistryUnknownVersion"),
        (3, "ModelRegistryAlreadyHead"),
    ],
)
def test_rolling_back_to_no_other_version_is_refused_in_one_line(
    made: Any, tmp_path: Path, version: int, error: str
) -> None:
    out = copied(made[0], tmp_path)
    before = (out / "chain.jsonl").read_bytes()
    with pytest.raises(CONTRACT_ERRORS[error]) as refused:
        roll_back(out, version)
    assert "\n" not in str(refused.value)
    assert str(version) in str(refused.value)
    assert (out / "chain.jsonl").read_bytes() == before
    assert audit_run(out).passed


class Stop:
    """Ctrl-C at the first report of that round and phase."""

    def __init__(self, number: int, phase: str) -> None:
        self.where = (number, phase)

    def __call__(self, progress: Progress) -> None:
        if (progress.round, progress.phase) == self.where:
            raise KeyboardInterrupt


def stopped(out: Path, number: int, phase: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        simulate(RunConfig.of(FIELDS), out, progress=Stop(number, phase))


def test_rolling_back_in_the_middle_of_a_round_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "run"
    stopped(out, 2, "score")
    before = (out / "chain.jsonl").read_bytes()
    with pytest.raises(CONTRACT_ERRORS["TrainingTaskNotIdle"]):
        roll_back(out, 1)
    assert (out / "chain.jsonl").read_bytes() == before
    assert audit_run(out).passed


def test_a_run_that_is_rolled_back_between_rounds_goes_on_from_there(tmp_path: Path) -> None:
    out = tmp_path / "run"
    stopped(out, 2, "commit")
    roll_back(out, 1)
    assert "chain.jsonl" not in json.loads((out / "files.json").read_bytes())
    assert audit_run(out).passed
    run = resume(out)
    report = run.audit()
    assert report.passed, report.divergence
    assert report.rounds_settled == 2
    parents = [json.loads(f.read_bytes())["parent"] for f in records(out)]
    assert sorted(parents) == [1, 1]


def records(out: Path) -> list[Path]:
    blocks = (f for f in (out / "store").rglob("*") if f.is_file())
    return [f for f in blocks if b'"ostrom/record/1"' in f.read_bytes()[:200]]


def test_an_interrupted_run_has_no_summary_and_resume_makes_it(made: Any, tmp_path: Path) -> None:
    out = tmp_path / "run"
    stopped(out, 2, "reveal")
    with pytest.raises(InputError, match="no summary yet"):
        load_run(out)
    report = audit_run(out)
    assert report.passed
    assert report.rounds_settled == 1
    run = resume(out)
    assert run.accuracy == made[0].accuracy
    assert (out / "chain.jsonl").read_bytes() == (made[0].path / "chain.jsonl").read_bytes()
    assert run.audit().passed


def test_resuming_a_finished_run_changes_neither_chain_nor_results(
    made: Any, tmp_path: Path
) -> None:
    out = copied(made[0], tmp_path)
    before = (out / "chain.jsonl").read_bytes()
    run = resume(out)
    assert (out / "chain.jsonl").read_bytes() == before
    for part in ("rounds", "final", "trainers", "validators"):
        assert run.summary[part] == made[0].summary[part]
    assert run.audit().passed


def test_a_dead_federation_still_gets_its_page(tmp_path: Path) -> None:
    config = {**FIELDS, "attack": "drop_out(trainers=3)", "rounds": 1}
    run = simulate(RunConfig.of(config), tmp_path / "run")
    assert run.summary["rounds"][0]["void"] is True
    assert run.summary["totals"]["refunded"] == run.summary["totals"]["pool"]
    assert run.audit().passed
    assert (run.path / "report.html").stat().st_size > 1000
