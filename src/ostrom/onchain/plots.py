"""Plots of a simulated run: accuracy and everybody's balance over time. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ostrom.onchain.simulate import START, Agent, Run

DAY = 86_400
GOOD, BAD, OTHER = "tab:blue", "tab:red", "tab:gray"


def plot_run(run: Run[Any], clean: Run[Any], path: Path, *, title: str) -> None:
    """Writes a picture: above the accuracy with and without the malicious, below net worths.

    A net worth is balance and open deposits less what was paid in, in deposits' `base`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    for which, word, colour in ((clean, "without", OTHER), (run, "with", BAD)):
        days = [_days(time) for time, _ in which.accuracies]
        reached = [value for _, value in which.accuracies]
        above.plot(days, reached, color=colour, label=f"{word} the malicious", lw=1.5)
    above.set_ylabel("accuracy on the test set, %")
    above.legend(loc="lower right", frameon=False)
    above.set_title(title)
    base, named = run.state.rules.base, set[str]()
    for agent in run.agents:
        kind, colour = _kind(agent)
        label = None if kind in named else kind
        named.add(kind)
        days = [_days(time) for time, _ in run.worths]
        worths = [worth[agent.name] / base for _, worth in run.worths]
        below.plot(days, worths, color=colour, label=label, lw=1.2, ls=_style(kind))
    below.axhline(0, color="black", lw=0.8)
    below.set_ylabel("net worth, in base deposits")
    below.set_xlabel("days")
    below.legend(loc="lower left", frameon=False)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    figure.savefig(path)


def _kind(agent: Agent) -> tuple[str, str]:
    """What an agent is called in the legend, and its colour."""
    kind = agent.name.split(" ")[0]
    return kind, BAD if agent.behaviour.is_malicious else GOOD if kind == "good" else OTHER


def _style(kind: str) -> Any:
    """A line for each behaviour, so that colour is not all that tells them apart."""
    styles: dict[str, Any] = {"colluder": "--", "noisy": ":", "reporter": "--", "copier": "-."}
    return styles.get(kind, "-")


def _days(time: int) -> float:
    return (time - START) / DAY


def save_plots(folder: Path, runs: Sequence[tuple[str, Run[Any], Run[Any]]]) -> list[Path]:
    """A picture of each (title, run, clean run), named by its title."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for title, run, clean in runs:
        name = "".join(c if c.isalnum() else "-" for c in title.lower()).strip("-")
        paths.append(folder / f"{name}.svg")
        plot_run(run, clean, paths[-1], title=title)
    return paths
