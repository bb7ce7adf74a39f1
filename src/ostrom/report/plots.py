"""A run's pictures: the curves beside the paper's, test digits, and who contributed what.

Colours are Okabe and Ito's, which colour-blind people tell apart, and nothing is said by colour
alone. Figures are matplotlib objects without pyplot, so nothing global is left behind.
"""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ostrom.report import paper
from ostrom.report.words import count, decimal, is_number, percent

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")

PAPER, INK, QUIET, RULE = "#fdfcfa", "#22211f", "#6f6a63", "#ddd8d0"
BLUE, VERMILLION, SKY = "#0072b2", "#d55e00", "#56b4e9"

STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": QUIET,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.labelcolor": QUIET,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
}

DPI = 144
TRAINERS_MAX = 30
"""More trainers than these are shown by their best and their worst."""

COLUMNS = 9
NUMBERED_ROUNDS_MAX = 14
SCORE_COLOURS = ("#c85200", "#f3b27a", "#f4efe8", "#9fc9e3", "#0a6aa6")


def _styled(draw: Callable[P, T]) -> Callable[P, T]:
    """Draw in this module's style whatever the user's own settings are."""

    @functools.wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib

        with matplotlib.rc_context():
            # The backend is the one setting that rc_context does not put back.
            plain = {k: v for k, v in matplotlib.rcParamsDefault.items() if "backend" not in k}
            matplotlib.rcParams.update(plain | STYLE)
            return draw(*args, **kwargs)

    return inner


@_styled
def save(figure: Figure, path: Path | None = None) -> bytes:
    """The PNG of a figure, written to `path` if there is one; the same figure, the same bytes.

    The file is replaced in one step and the figure is emptied.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(
        buffer, format="png", dpi=DPI, metadata={"Software": None}, facecolor=PAPER
    )
    figure.clear()
    if path is not None:
        temporary = path.with_name(f"{path.name}.tmp")
        temporary.write_bytes(buffer.getvalue())
        os.replace(temporary, path)
    return buffer.getvalue()


@_styled
def curves(summary: Mapping[str, Any]) -> Figure:
    """Accuracy and loss of the global model and of the clients, beside the paper's.

    A void round is a gap under a grey band. Rounds are counted from 1; 0 is the untrained model.
    """
    rounds: Sequence[Mapping[str, Any]] = summary["rounds"]
    figure = _figure(11.0, 4.9)
    left, right = figure.subplots(1, 2)
    _series(left, rounds, summary.get("initial"), metric="accuracy")
    _series(right, rounds, summary.get("initial"), metric="loss")
    _reference(left, [paper.DEV_ACCURACY] * paper.ROUNDS, paper.CLIENT_ACCURACY)
    _reference(right, [paper.DEV_LOSS] * paper.ROUNDS, paper.CLIENT_LOSS)
    left.set(title="Accuracy", ylim=(-0.02, 1.06), yticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
    left.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    right.set(title="Loss (cross-entropy)")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        _round_axis(axes, rounds)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _series(
    axes: Axes,
    rounds: Sequence[Mapping[str, Any]],
    initial: Mapping[str, Any] | None,
    *,
    metric: str,
) -> None:
    """The run's own two lines; void rounds and missing numbers are gaps."""
    first = [initial] if initial else []
    numbers = [row["round"] for row in (*first, *rounds)]
    dots = {"markersize": 5 if len(numbers) < 60 else 0, "linewidth": 2.2}
    for name, colour, marker, label in (
        (metric, BLUE, "o", "global model"),
        (f"client_{metric}", SKY, "s", "clients, own data"),
    ):
        values = [_value(row, name) for row in (*first, *rounds)]
        looks: dict[str, Any] = {"marker": marker, "color": colour, **dots}
        axes.plot(numbers, values, label=label, zorder=4 if colour == BLUE else 3, **looks)
    last = [row for row in rounds if is_number(_value(row, metric))]
    if last:
        value = last[-1][metric]
        _label(axes, last[-1]["round"], value, percent(value) if metric == "accuracy" else "")


def _label(axes: Axes, number: int, value: float, text: str) -> None:
    axes.annotate(
        text or decimal(value, 3),
        (number, value),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=BLUE,
        weight="bold",
        annotation_clip=False,
    )


def _reference(axes: Axes, whole: Sequence[float], clients: Sequence[float]) -> None:
    numbers = range(1, paper.ROUNDS + 1)
    line: dict[str, Any] = {"linewidth": 1.5, "zorder": 2}
    axes.plot(numbers, whole, "--", color=VERMILLION, label="paper: global model (MNIST)", **line)
    axes.plot(numbers, clients, ":", color=QUIET, label="paper: clients (MNIST)", **line)


def _round_axis(axes: Axes, rounds: Sequence[Mapping[str, Any]]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("round")
    axes.margins(x=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=11))
    axes.grid(axis="x", visible=False)
    for first, last in _void_spans(rounds):
        axes.axvspan(first - 0.5, last + 0.5, color=RULE, alpha=0.6, linewidth=0)
        axes.text(
            (first + last) / 2,
            0.02,
            "void",
            transform=axes.get_xaxis_transform(),
            ha="center",
            size=8,
            color=QUIET,
        )


def _void_spans(rounds: Sequence[Mapping[str, Any]]) -> list[tuple[int, int]]:
    """The first and the last of each stretch of void rounds."""
    spans: list[tuple[int, int]] = []
    for number in (row["round"] for row in rounds if row.get("void")):
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans


def _value(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return float(value) if is_number(value) and not row.get("void") else float("nan")


@_styled
def digits(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer[Any]],
    probabilities: npt.NDArray[np.floating[Any]],
) -> Figure:
    """A grid of test images, each with what the model takes it for, after the paper's figure 4.

    `images` (n, h, w) or (n, h, w, 3), `labels` (n,), `probabilities` (n, classes). A wrong
    prediction has a cross, a thick frame and the right answer.
    """
    rows = max(1, -(-len(images) // COLUMNS))
    figure = _figure(11.0, 1.52 * rows + 0.5)
    right = int((probabilities.argmax(1) == labels).sum())
    title = f"{right} of {count(len(images), 'test image')} recognised"
    figure.suptitle(title, size=13, weight="bold", color=INK)
    grid = figure.subplots(rows, COLUMNS, squeeze=False).flatten().tolist()
    for axes in grid:
        axes.set_axis_off()
    for axes, image, label, chances in zip(grid, images, labels, probabilities):
        _picture(axes, image, label=int(label), chances=chances)
    return figure


def _picture(axes: Axes, image: Any, *, label: int, chances: Any) -> None:
    guess = int(chances.argmax())
    wrong = guess != label
    axes.set_axis_on()
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=VERMILLION if wrong else RULE, linewidth=3 if wrong else 1)
    text = f"✗ {guess}, is {label}" if wrong else f"{guess}"
    colour = VERMILLION if wrong else INK
    sure = percent(float(chances[guess]), 0)
    axes.set_title(text, size=10, color=colour, pad=5, loc="left")
    axes.set_title(sure, size=7.5, color=QUIET, pad=5, loc="right", weight="normal")


@_styled
def contributions(summary: Mapping[str, Any]) -> Figure:
    """Each trainer's score round by round, and what it was paid in all.

    Scores are in thousandths (of a nat of loss, or of accuracy, as the scorer has it): blue raised
    the model, orange harmed it. A cross marks an update that failed a check, a dot a
    trainer that sent none; a trainer that misbehaved is named with its behaviour.
    """
    shown = _shown(summary["trainers"])
    rounds = [row for row in summary["rounds"] if not row.get("void")]
    figure = _figure(11.0, 1.7 + 0.34 * max(4, len(shown)))
    wide = min(3.0, max(0.6, 0.32 * len(rounds)))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[wide, 2.2])
    if rounds:
        _scores(left, shown, rounds)
    else:
        left.set(title="No round settled", xticks=[])
    left.set_yticks(range(len(shown)), [_name(trainer) for trainer in shown])
    _payouts(right, shown)
    hidden = len(summary["trainers"]) - len(shown)
    note = "Scores in thousandths: blue helped, orange harmed; a cross marks a failed check."
    if hidden:
        note += f" Best and worst paid; {count(hidden, 'trainer')} between them not shown."
    figure.supxlabel(note, size=9, color=QUIET, x=0.01, ha="left")
    return figure


def _shown(trainers: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if len(trainers) <= TRAINERS_MAX:
        return list(trainers)
    half = TRAINERS_MAX // 2
    ranked = sorted(trainers, key=lambda trainer: -int(trainer["payout"]))
    return [*ranked[:half], *ranked[-half:]]


def _scores(
    axes: Axes, trainers: Sequence[Mapping[str, Any]], rounds: Sequence[Mapping[str, Any]]
) -> None:
    import numpy as np
    from matplotlib.colors import LinearSegmentedColormap

    cells = np.array(
        [[_score(row, trainer) for row in rounds] for trainer in trainers], dtype=float
    ).reshape(len(trainers), len(rounds))
    reach = float(np.nanmax(np.abs(cells))) if np.isfinite(cells).any() else 1.0
    reach = reach or 1.0
    # The square root keeps late, small scores visible beside early, large ones.
    shades = np.sign(cells) * np.sqrt(np.abs(cells) / reach)
    colours = LinearSegmentedColormap.from_list("score", SCORE_COLOURS).with_extremes(bad=PAPER)
    axes.imshow(shades, cmap=colours, vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    axes.set(title="Score by round", xlabel="round")
    step = max(1, -(-len(rounds) // 12))
    axes.set_xticks(range(0, len(rounds), step), [str(r["round"]) for r in rounds[::step]])
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    _marks(axes, trainers, rounds)
    if len(rounds) <= NUMBERED_ROUNDS_MAX:
        _numbers(axes, cells, reach)


def _score(row: Mapping[str, Any], trainer: Mapping[str, Any]) -> float:
    score = row.get("trainers", {}).get(trainer["address"], {}).get("score")
    return score / 1000 if is_number(score) else float("nan")


def _marks(
    axes: Axes, trainers: Sequence[Mapping[str, Any]], rounds: Sequence[Mapping[str, Any]]
) -> None:
    for y, trainer in enumerate(trainers):
        for x, row in enumerate(rounds):
            seen = row.get("trainers", {}).get(trainer["address"], {})
            if seen.get("check"):
                axes.plot(x, y, "x", color=INK, markersize=7, markeredgewidth=1.6)
            elif not is_number(seen.get("score")):
                axes.plot(x, y, ".", color=QUIET, markersize=4)


def _numbers(axes: Axes, cells: npt.NDArray[np.floating[Any]], reach: float) -> None:
    """Scores as text, where there is room: the colour is not the only carrier."""
    import numpy as np

    for (y, x), value in np.ndenumerate(cells):
        if np.isfinite(value):
            colour = PAPER if abs(value) > 0.6 * reach else INK
            text = f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}"
            axes.text(x, y, text, ha="center", va="center", size=8, color=colour)


def _payouts(axes: Axes, trainers: Sequence[Mapping[str, Any]]) -> None:
    paid = [int(trainer["payout"]) / 10**18 for trainer in trainers]
    kinds = [trainer.get("behaviour", "honest") == "honest" for trainer in trainers]
    bars = axes.barh(
        range(len(paid)), paid, height=0.64, color=[BLUE if honest else PAPER for honest in kinds]
    )
    for bar, honest in zip(bars, kinds):
        if not honest:
            bar.set(edgecolor=VERMILLION, hatch="////", linewidth=1.2)
    axes.bar_label(bars, [f"{amount:,.2f}" for amount in paid], padding=5, size=9, color=INK)
    axes.set(title="Paid in all (OSTR)")
    axes.set_xlim(0, max([*paid, 0.01]) * 1.22)
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)


def _name(trainer: Mapping[str, Any]) -> str:
    behaviour = trainer.get("behaviour", "honest")
    return str(trainer["name"]) if behaviour == "honest" else f"{trainer['name']} · {behaviour}"


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
