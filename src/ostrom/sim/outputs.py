"""The files that a person looks at, made from a run's chain, store and history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ostrom import report
from ostrom.audit import audit_run, write_manifest
from ostrom.node import last_balances
from ostrom.protocol import TaskState
from ostrom.registry import load_model
from ostrom.sim.behaviours import HONEST, parse_attack
from ostrom.sim.folder import Row, replace_file
from ostrom.sim.world import World
from ostrom.spec import Spec
from ostrom.storage import Store
from ostrom.targets import target
from ostrom.training import Metrics, predict
from ostrom.updates import update_file_size
from ostrom.version import VERSION

if TYPE_CHECKING:
    from ostrom.sim.runner import Runner

PICTURED = 27
TRAINING = "training"


def write_outputs(runner: Runner) -> None:
    """Write summary, table, pictures and page; audit the run; write what the audit found."""
    world, out, state = runner.world, runner.out, runner.state
    with runner.watch.stage("report"):
        final = runner.measure(state.head)
        summary = _summary(runner, final)
        pictures = _draw(summary, world, runner.store, state, out)
        replace_file(out / "history.csv", report.history_csv(summary).encode())
    write_manifest(out, finished=False)
    with runner.watch.stage("audit"):
        summary["audit"] = audit_run(out).document()
    summary["totals"] |= _seconds(
        [*runner.timings, {"round": None, "seconds": runner.watch.take()}]
    )
    page = report.report_html(summary, pictures, summary["audit"])
    replace_file(out / "report.html", page.encode())
    text = json.dumps(summary, indent=1, sort_keys=True) + "\n"
    replace_file(out / "summary.json", text.encode())
    write_manifest(out, finished=state.over)


def _summary(runner: Runner, final: Metrics) -> Row:
    world, state = runner.world, runner.state
    parts = world.parts
    rounds = [row | _timing(runner.timings, row["round"]) for row in runner.history]
    return {
        "ostrom": VERSION,
        "config": world.config.model_dump(mode="json"),
        "task": state.task_id.hex(),
        "dataset": {
            "name": parts.train.name,
            "train": len(parts.train),
            "dev": len(parts.dev),
            "test": len(parts.test),
            "classes": parts.train.classes,
            "shape": list(parts.train.shape),
        },
        "model": {
            "text": world.model.text,
            "parameters": world.model.parameters,
            "update_bytes": update_file_size(world.spec),
        },
        "initial": rounds[0] if rounds else None,
        "rounds": [row for row in rounds if row["round"] > 0],
        "reached": _reached(world.spec, rounds),
        "final": _final(final),
        "trainers": _trainers(world, state, runner.store, rounds),
        "validators": _validators(world, state, runner.store),
        "totals": {
            "gas": runner.ledger.gas_used,
            "bytes": sum(sum(r["bytes"].values()) for r in rounds),
            "pool": str(state.rules.pool),
            "paid": str(state.allocated),
            "refunded": str(state.refunded),
        },
        "audit": None,
    }


def _reached(spec: Spec, rounds: list[Row]) -> int | None:
    """The round whose model reached the task's target; None without a target, or not yet."""
    wanted = target(spec.target)
    measured = [row for row in rounds if row.get("metric") is not None]
    good = (row["round"] for row in measured if wanted is not None and row["metric"] >= wanted)
    return next(good, None)


def _timing(timings: list[Row], number: int) -> Row:
    found = [row["seconds"] for row in timings if row["round"] == number]
    return {"seconds": found[-1] if found else {}}


def _seconds(timings: list[Row]) -> Row:
    """Wall-clock seconds of the whole run, and the share that is not local training."""
    total = sum(sum(row["seconds"].values()) for row in timings)
    training = sum(row["seconds"].get(TRAINING, 0.0) for row in timings)
    by_stage: dict[str, float] = {}
    for row in timings:
        for stage, seconds in row["seconds"].items():
            by_stage[stage] = by_stage.get(stage, 0.0) + seconds
    return {
        "seconds": total,
        "training_seconds": training,
        "other_share": (total - training) / total if total else 0.0,
        "seconds_by_stage": by_stage,
    }


def _final(metrics: Metrics) -> Row:
    names = ("accuracy", "loss", "precision", "recall", "f1")
    return {name: getattr(metrics, name) for name in names} | {
        "per_class": [
            {
                "class": index,
                "precision": row.precision,
                "recall": row.recall,
                "f1": row.f1,
                "support": row.support,
            }
            for index, row in enumerate(metrics.per_class)
        ],
        "confusion": metrics.confusion.tolist(),
    }


def _trainers(world: World, state: TaskState, store: Store, rounds: list[Row]) -> list[Row]:
    casting = parse_attack(world.config.attack, world.config.clients, world.config.validators)
    balances = last_balances(store, state)
    rows = []
    for index, key in enumerate(world.keys.trainers):
        member = state.members.get(key.address)
        scores = [r["trainers"].get(key.address, {}).get("score") or 0 for r in rounds]
        labels = world.shares[index].train.y
        played = casting.trainers.get(index)
        rows.append(
            {
                "name": f"trainer-{index}",
                "address": key.address,
                "samples": len(labels),
                "classes": np.bincount(labels, minlength=world.parts.train.classes).tolist(),
                "payout": str(balances.payouts.get(key.address, 0)),
                "score_sum": sum(scores),
                "strikes": balances.strikes.get(key.address, 0),
                "slashed": str(member.slashed if member else 0),
                "behaviour": played.name if played else HONEST,
            }
        )
    return rows


def _validators(world: World, state: TaskState, store: Store) -> list[Row]:
    casting = parse_attack(world.config.attack, world.config.clients, world.config.validators)
    balances = last_balances(store, state)
    rows = []
    for index, key in enumerate(world.keys.validators):
        played = casting.validators.get(index)
        rows.append(
            {
                "name": f"validator-{index}",
                "address": key.address,
                "holdout": len(world.holdouts[index]),
                "payout": str(balances.payouts.get(key.address, 0)),
                "strikes": balances.strikes.get(key.address, 0),
                "behaviour": played.name if played else HONEST,
            }
        )
    return rows


def _draw(
    summary: Row, world: World, store: Store, state: TaskState, out: Path
) -> dict[str, bytes]:
    """The pictures, as files and as bytes for the page."""
    figures = {
        "curves": report.curves(summary),
        "contributions": report.contributions(summary),
    }
    shape = world.parts.test.shape
    if len(shape) == 2 or (len(shape) == 3 and shape[0] == 1):
        figures["digits"] = _digits(world, store, state)
    return {name: report.save(figure, out / f"{name}.png") for name, figure in figures.items()}


def _digits(world: World, store: Store, state: TaskState) -> report.Figure:
    tensors = load_model(store, state.versions[state.head], world.spec)
    shown = world.parts.test.subset(np.arange(min(PICTURED, len(world.parts.test))))
    probabilities = predict(world.model, tensors["parameters"], shown.x)
    images = shown.x.reshape(len(shown), *world.parts.test.shape[-2:])
    return report.digits(images, shown.y, probabilities)
