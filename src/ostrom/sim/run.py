"""Running a federation to its end, with a folder that anyone can audit afterwards.

The folder holds `chain.jsonl` (every block), `store/` (every document and tensor), `run.json` (the
config and where the contracts are) and `history.jsonl` (a line per round of measurements that no
chain can know); all other files are made from these.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ostrom import registry
from ostrom.audit import AuditReport, audit_run, write_manifest
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.codec import parse_json
from ostrom.errors import CodecError, InputError
from ostrom.registry import Version
from ostrom.sim.config import RunConfig
from ostrom.sim.folder import CHAIN, STORE, contracts_of, read_run
from ostrom.sim.heads import read_state
from ostrom.sim.runner import Report, Runner
from ostrom.sim.stopwatch import Stopwatch
from ostrom.sim.world import build_keys, build_world
from ostrom.storage import DirectoryStore
from ostrom.types import Phase


@dataclass(frozen=True)
class Run:
    """A run's folder."""

    path: Path
    config: RunConfig
    summary: dict[str, Any] = field(repr=False)

    @property
    def accuracy(self) -> float:
        """The global model's accuracy on the test set, in [0, 1]."""
        return float(self.summary["final"]["accuracy"])

    def audit(self) -> AuditReport:
        """Replay the run from its chain and its store."""
        return audit_run(self.path)

    def plot(self) -> list[Path]:
        """The pictures of the run."""
        return sorted(self.path.glob("*.png"))


def simulate(config: RunConfig, out: Path, *, progress: Report | None = None) -> Run:
    """Run a whole federation in this process and leave an auditable folder at `out`.

    Raises:
        InputError: `out` is not empty, or the config names what does not exist.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not empty: choose another folder, or resume the run in it")
    watch = Stopwatch()
    with watch.stage("setup"):
        world = build_world(config)
    out.mkdir(parents=True, exist_ok=True)
    Runner.start(world, out, progress, watch=watch).finish()
    return load_run(out)


def resume(out: Path, *, progress: Report | None = None) -> Run:
    """Continue an interrupted run; a finished one is left as it is.

    Raises:
        InputError: `out` holds no run.
    """
    out = Path(out)
    document = read_run(out)
    world = build_world(RunConfig.of(document["config"]))
    if document["task"]:
        Runner.again(world, out, progress).finish()
    else:
        (out / CHAIN).unlink(missing_ok=True)
        Runner.start(world, out, progress).finish()
    return load_run(out)


def load_run(out: Path) -> Run:
    """A finished or interrupted run.

    Raises:
        InputError: `out` holds no run, or it was killed before it wrote a summary.
    """
    out, config = Path(out), RunConfig.of(read_run(out)["config"])
    try:
        summary = parse_json((out / "summary.json").read_bytes())
    except FileNotFoundError:
        raise InputError(
            f"{out} has no summary yet: finish it with `ostrom demo --resume {out}`"
        ) from None
    except CodecError as error:
        raise InputError(f"{out / 'summary.json'} is damaged: {error}") from None
    if not isinstance(summary, dict) or "final" not in summary:
        raise InputError(f"{out / 'summary.json'} is damaged: it is no summary")
    return Run(out, config, summary)


def lineage(run: Run) -> list[Version]:
    """The model versions of a run, oldest first."""
    store = DirectoryStore(run.path / STORE, read_only=True)
    return registry.lineage(read_state(run.path), store)


def roll_back(out: Path, version: int) -> None:
    """Let the sponsor make an earlier model version the head; history stays.

    Raises:
        InputError: `out` holds no run.
        ContractError: no such version, or a round is under way.
    """
    out = Path(out)
    document = read_run(out)
    sponsor = build_keys(RunConfig.of(document["config"])).sponsor
    deployment, task = contracts_of(document), bytes.fromhex(document["task"])
    with closing(EmbeddedLedger.load(out / CHAIN, resume=True)) as ledger:
        deployment.watch(ledger)
        call = deployment.training.roll_back(task, version)
        ledger.send(call, sponsor)
        phase, _ = deployment.training.phase_of(ledger, task)
    write_manifest(out, finished=phase >= Phase.FINISHED)
