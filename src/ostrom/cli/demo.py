"""`ostrom demo`: a whole federation on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ostrom.cli.console import (
    FAILED,
    INTERRUPTED,
    AsJson,
    clean_exit,
    need_run,
    say,
    show_json,
)
from ostrom.errors import InputError

if TYPE_CHECKING:
    from ostrom.sim import Run

RUNS = Path("runs")
SKEW_MIN, SKEW_MAX = 0.1, 1.0

Text = str | None
Number = int | None


def _option(text: str, default: str, metavar: str | None = None) -> Any:
    return typer.Option(help=f"{text} [default: {default}]", show_default=False, metavar=metavar)


# Defaults are `RunConfig`'s; they are repeated for --help, and a test holds the two together.
def demo(
    dataset: Annotated[
        Text, _option("mnist, digits, an .npz or .csv file, or a folder of images.", "mnist")
    ] = None,
    clients: Annotated[Number, _option("How many trainers.", "10")] = None,
    skew: Annotated[
        Text,
        _option(
            "How unlike their data are: the share of a class that its own trainer holds "
            "(0.1 to 1), or a partition such as iid, shards(k=2), dirichlet(alpha=0.5).",
            "emphasis(share=0.9)",
        ),
    ] = None,
    rounds: Annotated[Number, _option("How many rounds.", "10")] = None,
    model: Annotated[
        Text, _option("The model, such as logistic, mlp(hidden=64).", "by data set")
    ] = None,
    algorithm: Annotated[
        Text,
        _option("What trainers do: fedavg(epochs=1,lr=0.05), fedprox, ridge, ...", "by data set"),
    ] = None,
    aggregation: Annotated[
        Text, _option("How updates are joined: mean, nnm(f=2)|trimmed_mean(f=2), ...", "mean")
    ] = None,
    scorer: Annotated[Text, _option("How validators rate updates.", "leave_one_out")] = None,
    incentive: Annotated[Text, _option("How scores become payouts.", "proportional")] = None,
    validators: Annotated[Number, _option("How many validators.", "4")] = None,
    holdout: Annotated[
        Number, _option("Images that each validator scores updates with.", "500")
    ] = None,
    compression: Annotated[
        Text, _option("How updates are packed: int8, chunk_top_k(chunk=64,k=2), ...", "none")
    ] = None,
    participation: Annotated[
        Text, _option("Who trains in a round: all, uniform(share=0.1).", "all")
    ] = None,
    target: Annotated[
        Text, _option("Stop early once it is reached: accuracy(at_least=0.97).", "none")
    ] = None,
    start: Annotated[
        Text, _option("Go on from the model of that run.", "a fresh model", "RUN")
    ] = None,
    attack: Annotated[
        Text, _option("Who misbehaves: sign_flip(trainers=2)|silent_validator, ...", "none")
    ] = None,
    samples: Annotated[Number, _option("Use at most that many training examples.", "all")] = None,
    seed: Annotated[Number, _option("The same seed makes the same bytes.", "1")] = None,
    workers: Annotated[
        Number, _option("Training processes; they never change the result.", "one per core")
    ] = None,
    out: Annotated[
        Path | None, _option("A new folder for the run.", "runs/NUMBER-DATASET", "FOLDER")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with an interrupted run.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model in a federation on this machine, chain, store, validators and all."""
    given = {key: value for key, value in locals().items() if value is not None}
    options = {key: given[key] for key in given if key not in ("out", "resume", "as_json")}
    with clean_exit():
        if resume is None:
            run = _start(options, out)
        else:
            run = _resume(resume, [*options, *(["out"] if out else [])])
        _conclude(run, as_json)


def _start(options: Mapping[str, Any], out: Path | None) -> Run:
    from ostrom import sim

    fields = dict(options)
    if "skew" in fields:
        fields["skew"] = partition_text(fields["skew"])
    config = sim.RunConfig.of(fields)
    with _folder(out, config.dataset) as folder, _kept(folder), _progress() as progress:
        return sim.simulate(config, folder, progress=progress)


def _resume(folder: Path, options: list[str]) -> Run:
    from ostrom import sim

    if options:
        names = ", ".join(f"--{name}" for name in options)
        raise InputError(f"a resumed run keeps its settings: leave out {names}")
    with _kept(need_run(folder)), _progress() as progress:
        return sim.resume(folder, progress=progress)


def partition_text(text: str) -> str:
    """A partition's text; a plain number is the share of its class that a trainer holds.

    Raises:
        InputError: the number is not a share from 0.1 to 1.

    >>> partition_text("0.9"), partition_text("iid")
    ('emphasis(share=0.9)', 'iid')
    """
    try:
        share = float(text)
    except ValueError:
        return text
    if not SKEW_MIN <= share <= SKEW_MAX:
        raise InputError(f"--skew {text}: give a share from {SKEW_MIN:g} to {SKEW_MAX:g}, or iid")
    return f"emphasis(share={share!r})"


@contextmanager
def _folder(out: Path | None, dataset: str) -> Iterator[Path]:
    """The folder of a new run; nothing is ever overwritten, and an unused one is removed."""
    folder = _numbered(dataset) if out is None else _fresh(out)
    try:
        yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()


def _fresh(out: Path) -> Path:
    if (out / "run.json").exists():
        raise InputError(f"{out} holds a run: choose another --out, or use --resume {out}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not empty: choose another --out")
    return out


def _numbered(dataset: str) -> Path:
    """`runs/001-mnist`, `runs/002-digits`, ...: the next number, also if another run takes one."""
    name = "".join(c if c.isalnum() else "-" for c in Path(dataset).stem)[:40] or "run"
    try:
        RUNS.mkdir(exist_ok=True)
        taken = [path.name.partition("-")[0] for path in RUNS.iterdir()]
        number = max((int(text) for text in taken if text.isascii() and text.isdigit()), default=0)
        while True:
            number += 1
            folder = RUNS / f"{number:03}-{name}"
            with suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        raise InputError(f"cannot write to {RUNS}: {error.strerror}; choose an --out") from None


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """On Ctrl-C, say what is there and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if (folder / "run.json").exists():
            say(
                f"ostrom: interrupted; the run is kept in {folder}: check it with "
                f"'ostrom audit {folder}', go on with 'ostrom demo --resume {folder}'"
            )
        else:
            say("ostrom: interrupted before there was a run")
        raise typer.Exit(INTERRUPTED) from None


def _progress() -> Any:
    from ostrom.cli.progress import progress

    return progress()


def _conclude(run: Run, as_json: bool) -> None:
    audited = run.summary.get("audit") or run.audit().document()
    if as_json:
        show_json(run.summary | {"audit": audited, "path": str(run.path)})
    else:
        from ostrom.cli.outcome import show_outcome

        show_outcome(run.path, run.summary, audited)
    if not audited["passed"]:
        raise typer.Exit(FAILED)
