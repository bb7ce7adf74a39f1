"""Do honest people earn and malicious people pay, and does the model survive? Over seeds.

    python benchmarks/onchain.py                     all tasks, 20 seeds, both paid mechanisms
    python benchmarks/onchain.py --seeds 3 --plots docs/images

Three in ten contributions are malicious. Return is what somebody has more than they brought, over
what they brought. Clean is the same run without the malicious contributions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from ostrom.onchain.data import accuracy, load_stream
from ostrom.onchain.market_simulation import simulate_market
from ostrom.onchain.models import model
from ostrom.onchain.plots import save_plots
from ostrom.onchain.simulate import Agent, Run, simulate, warm_state

TASKS = (
    ("breast_cancer", "centroid"),
    ("breast_cancer", "dense_perceptron(averaged=1)"),
    ("breast_cancer", "dense_perceptron"),
    ("digits", "centroid"),
    ("digits", "dense_perceptron(averaged=1)"),
    ("passages(counted=1)", "naive_bayes"),
    ("passages", "sparse_perceptron(averaged=1,bits=16)"),
    ("passages", "sparse_perceptron"),
)
MARKET_WARM = 5
PLOTTED = (
    ("passages(counted=1)", "naive_bayes", "flooders"),
    ("breast_cancer", "centroid", "mixed"),
)
CROWDS: Mapping[str, Mapping[str, int]] = {
    "flooders": {"good": 7, "flooder": 3},
    "colluders": {"good": 7, "colluder": 3},
    "mixed": {"good": 5, "noisy": 1, "reporter": 1, "copier": 1, "flooder": 1, "colluder": 1},
}


def deposit_row(task: str, text: str, *, crowd: str, seed: int) -> dict[str, Any]:
    """One run with deposits, and the clean one."""
    stream, known = load_stream(task, seed=seed), model(text)
    start = warm_state(known, stream)
    honest = {name: n for name, n in CROWDS[crowd].items() if name not in ("flooder", "colluder")}
    clean = simulate(known, stream, start, crowd=honest, malicious_share=0, seed=seed)
    run = simulate(known, stream, start, crowd=CROWDS[crowd], seed=seed)
    count = run.state.trainer.count
    before = accuracy(known, start, stream.test)
    reached = (before, clean.accuracies[-1][1], run.accuracies[-1][1])
    row = _row(task, text, crowd, seed, reached)
    row["malicious_share"] = run.malicious / count
    row["returns"] = {agent.name: run.share(agent) for agent in run.agents}
    row |= _groups(
        run.agents, {a.name: (run.net(a), run.paid.get(a.address, 0)) for a in run.agents}
    )
    return row


def market_row(task: str, text: str, *, crowd: str, seed: int) -> dict[str, Any]:
    """One grouped market."""
    stream, known = load_stream(task, seed=seed), model(text)
    # A market is for a provider with little data: a few samples of each label to start with.
    few = replace(stream, warm=stream.warm[: MARKET_WARM * stream.classes])
    start = warm_state(known, few)
    run = simulate_market(known, stream, start, crowd={"good": 7, "flooder": 3}, seed=seed)
    row = _row(task, text, crowd, seed, (run.before, run.clean, run.after))
    staked = {a.name: sum(c.stake for c in run.market.contributions if c.account == a.address)
              for a in run.agents}  # fmt: skip
    row["returns"] = {a.name: run.net(a) / staked[a.name] for a in run.agents}
    row["stages"] = len(run.settlement.scores)
    row |= _groups(run.agents, {a.name: (run.net(a), staked[a.name]) for a in run.agents})
    return row


def _row(
    task: str, text: str, crowd: str, seed: int, reached: tuple[float, float, float]
) -> dict[str, Any]:
    before, clean, after = reached
    return {"task": task, "model": text, "crowd": crowd, "seed": seed,
            "before": before, "clean": clean, "after": after}  # fmt: skip


def _groups(agents: Sequence[Agent], money: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """The returns of the honest and of the malicious together."""
    found: dict[str, Any] = {}
    for name, is_malicious in (("honest", False), ("malicious", True)):
        pairs = [money[a.name] for a in agents if a.behaviour.is_malicious is is_malicious]
        paid = sum(paid for _, paid in pairs)
        found[name] = sum(net for net, _ in pairs) / paid if paid else 0.0
        found[f"{name}_positive"] = sum(net > 0 for net, _ in pairs) / max(len(pairs), 1)
    return found


def plotted(task: str, text: str, crowd: str) -> tuple[str, Run[Any], Run[Any]]:
    """A title, one run and the clean one."""
    stream, known = load_stream(task, seed=1), model(text)
    start = warm_state(known, stream)
    honest = {name: n for name, n in CROWDS[crowd].items() if name not in ("flooder", "colluder")}
    clean = simulate(known, stream, start, crowd=honest, malicious_share=0, seed=1)
    run = simulate(known, stream, start, crowd=CROWDS[crowd], seed=1)
    return f"{task}, {text}, {crowd}", run, clean


def summary(rows: Iterable[Mapping[str, Any]]) -> str:
    """A line for each task, model and crowd."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["task"], row["model"], row["crowd"]), []).append(row)
    head = (f"{'task':<20} {'model':<37} {'crowd':<9} {'seeds':>5} {'before':>6} {'clean':>6} "
            f"{'after':>6} {'loss':>5} {'worst':>5} {'honest':>7} {'least':>7} {'malicious':>9} "
            f"{'most':>7} {'honest > 0':>10}")  # fmt: skip
    lines = [head]
    for (task, text, crowd), found in groups.items():
        losses = [row["clean"] - row["after"] for row in found]
        before, clean, after, honest, malicious, positive = (
            mean(row[name] for row in found)
            for name in ("before", "clean", "after", "honest", "malicious", "honest_positive")
        )
        least, most = min(r["honest"] for r in found), max(r["malicious"] for r in found)
        lines.append(
            f"{task:<20} {text:<37} {crowd:<9} {len(found):>5} {before:>6.1f} {clean:>6.1f} "
            f"{after:>6.1f} {mean(losses):>5.1f} {max(losses):>5.1f} {honest:>7.2f} {least:>7.2f} "
            f"{malicious:>9.2f} {most:>7.2f} {positive:>10.2f}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--tasks", default="", help="only tasks or models with this in their name")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--crowds", default="flooders,market")
    parser.add_argument("--out", type=Path, help="write every row as a JSON line here")
    parser.add_argument("--plots", type=Path, help="write plots of one run into this folder")
    chosen = parser.parse_args(arguments)
    rows = []
    for crowd in chosen.crowds.split(","):
        for task, text in TASKS:
            if chosen.tasks not in f"{task} {text}":
                continue
            for seed in range(chosen.first, chosen.first + chosen.seeds):
                make = market_row if crowd == "market" else deposit_row
                rows.append(make(task, text, crowd=crowd, seed=seed))
                if chosen.out:
                    with chosen.out.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
            print(summary(rows[-chosen.seeds :]), flush=True)
    print(summary(rows))
    if chosen.plots:
        save_plots(chosen.plots, [plotted(*case) for case in PLOTTED])


if __name__ == "__main__":
    main()
