"""The loop of a run: tick, measure what settled, keep the folder in a state that can be audited."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ostrom.audit import write_manifest
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.protocol import RoundState, TaskState
from ostrom.sim.desk import Desk
from ostrom.sim.federation import Federation
from ostrom.sim.folder import (
    CHAIN,
    HISTORY,
    STORE,
    TIMINGS,
    Row,
    contracts_of,
    read_rows,
    read_run,
    write_rows,
    write_run,
)
from ostrom.sim.local_work import LocalWork, Trained
from ostrom.sim.measure import measure_clients, measure_version, metrics_row, round_row
from ostrom.sim.outputs import write_outputs
from ostrom.sim.setup import Launch, accounts, launch
from ostrom.sim.states import States
from ostrom.sim.stopwatch import Stopwatch
from ostrom.sim.world import World
from ostrom.storage import DirectoryStore
from ostrom.training import Metrics, close, warm
from ostrom.training.threads import one_thread
from ostrom.types import Address, Cid, Phase


@dataclass(frozen=True)
class Progress:
    """Where a run stands. `fraction` is of the whole run; `eta_s` is None until it can be told."""

    round: int
    rounds: int
    phase: str
    fraction: float
    eta_s: float | None
    accuracy: float | None
    gas: int
    bytes: int
    message: str = ""


Report = Callable[[Progress], None]

_STEPS = {Phase.COMMIT: 0.0, Phase.REVEAL: 0.7, Phase.SCORE: 0.75, Phase.ATTEST: 0.9}


@contextmanager
def _closed_on_failure(ledger: EmbeddedLedger) -> Iterator[None]:
    """Close the journal if the run cannot begin."""
    try:
        yield
    except BaseException:
        ledger.close()
        raise


class MeteredStore(DirectoryStore):
    """A directory store whose time is counted."""

    def __init__(self, path: Path, watch: Stopwatch) -> None:
        super().__init__(path, durable=False)
        self._watch = watch

    def put(self, data: bytes | BinaryIO) -> Cid:
        """Store content."""
        with self._watch.stage("store"):
            return super().put(data)

    def get(self, cid: str, *, max_bytes: int) -> bytes:
        """The content of `cid`."""
        with self._watch.stage("store"):
            return super().get(cid, max_bytes=max_bytes)


class Runner:
    """Runs a federation in a folder, from the first block or from where it was interrupted."""

    def __init__(
        self, world: World, out: Path, report: Report | None, *, watch: Stopwatch | None = None
    ) -> None:
        self.world, self.out = world, out
        self.watch = watch or Stopwatch()
        self.store = MeteredStore(out / STORE, self.watch)
        self.history: list[Row] = read_rows(out / HISTORY)
        self.timings: list[Row] = read_rows(out / TIMINGS)
        self.workers = world.config.workers or max(1, os.cpu_count() or 1)
        self._report = report or (lambda _: None)
        self._clients: dict[int, dict[Address, Row]] = {}
        self._began = time.monotonic()
        self._done_before = 0.0

    @classmethod
    def start(
        cls, world: World, out: Path, report: Report | None, *, watch: Stopwatch | None = None
    ) -> Runner:
        """A run from its first block; `watch` has counted what came before."""
        write_run(out, world.config, task="", contracts={})
        runner = cls(world, out, report, watch=watch)
        runner._say("setting up")
        ledger = EmbeddedLedger(out / CHAIN)
        with _closed_on_failure(ledger):
            with runner.watch.stage("chain"):
                launched = launch(world, ledger, runner.store)
            task, contracts = launched.task_id.hex(), launched.deployment.addresses
            write_run(out, world.config, task=task, contracts=contracts)
            runner._take_over(ledger, launched)
        runner.federation.spending.gas["setup"] = ledger.gas_used
        return runner

    @classmethod
    def again(cls, world: World, out: Path, report: Report | None) -> Runner:
        """A run that was interrupted; its chain is executed again first."""
        document = read_run(out)
        runner = cls(world, out, report)
        runner._say("executing the chain again")
        with runner.watch.stage("chain"):
            ledger = EmbeddedLedger.load(out / CHAIN, resume=True)
        with _closed_on_failure(ledger):
            deployment = contracts_of(document)
            deployment.watch(ledger)
            runner._take_over(ledger, Launch(deployment, bytes.fromhex(document["task"])))
        runner._done_before = runner._fraction()
        return runner

    def _take_over(self, ledger: EmbeddedLedger, launched: Launch) -> None:
        self.ledger = ledger
        desk = Desk(
            ledger=ledger,
            training=launched.deployment.training,
            task_id=launched.task_id,
            relay=self.world.keys.relay,
            sponsor=self.world.keys.sponsor,
            keys=accounts(self.world),
        )
        self.federation = Federation(
            world=self.world,
            ledger=ledger,
            store=self.store,
            desk=desk,
            state=TaskState(task_id=launched.task_id),
            watch=self.watch,
            workers=self.workers,
            work=LocalWork(
                world=self.world,
                store=self.store,
                states=States(self.out),
                watch=self.watch,
                workers=self.workers,
                on_trained=self._trained,
            ),
        )

    @property
    def state(self) -> TaskState:
        """The task as the chain tells it now."""
        return self.federation.state

    def finish(self) -> None:
        """Run to the end. An interrupt leaves what is settled, ready for audit and resume."""
        try:
            self._train_ahead()
            # Parties run side by side, each of them on one thread, for equal bytes anywhere.
            with one_thread():
                self._run()
        finally:
            close(self.workers)
            self.ledger.close()
            self._save()
        write_outputs(self)
        self._say("done")

    def _run(self) -> None:
        self._measure()
        while self.federation.tick() or not self.state.over:
            self._measure()
            self._say(self.state.phase.name.lower().replace("_", " "))

    def _train_ahead(self) -> None:
        """Start the training processes while the first round is prepared."""
        if not self.state.over and not self.world.model.small:
            warm(self.workers)

    def _trained(self, trained: Trained) -> None:
        self._clients[trained.number] = measure_clients(self.world, trained, workers=self.workers)

    def _measure(self) -> None:
        """Write a row for every round that ended since the last look, and for the first model."""
        ended = [n for n, r in self.state.rounds.items() if r.settled or r.void]
        known = {row["round"] for row in self.history}
        for number in [0, *ended]:
            if number not in known:
                self._write_row(number)

    def _write_row(self, number: int) -> None:
        spent = self.federation.spending.take()
        with self.watch.stage("evaluation"):
            row = round_row(
                self.state.rounds.get(number, RoundState(number)),
                store=self.store,
                world=self.world,
                clients=self._clients.pop(number, {}),
                spent=spent,
            )
            row |= metrics_row(self.measure(self._version_after(number)))
        self.history.append(row)
        self.timings.append({"round": number, "seconds": self.watch.take()})
        self._save()

    def measure(self, version: int) -> Metrics:
        """A model version on the global test data."""
        return measure_version(
            self.world, self.store, self.state, version=version, workers=self.workers
        )

    def _version_after(self, number: int) -> int:
        """The head once that round had ended."""
        versions = [v for v in self.state.versions.values() if v.round <= number]
        return versions[-1].version

    def _save(self) -> None:
        write_rows(self.out / HISTORY, self.history)
        write_rows(self.out / TIMINGS, self.timings)
        write_manifest(self.out, finished=False)

    def _fraction(self) -> float:
        if self.state.over:
            return 1.0
        begun = max(0, self.state.number - 1) + _STEPS.get(self.state.phase, 0.8)
        return min(1.0, begun / self.world.config.rounds)

    def _say(self, message: str) -> None:
        running = hasattr(self, "federation")
        fraction = self._fraction() if running else 0.0
        made = fraction - self._done_before
        elapsed = time.monotonic() - self._began
        measured = [row for row in self.history if row["round"] > 0]
        progress = Progress(
            round=self.state.number if running else 0,
            rounds=self.world.config.rounds,
            phase=self.state.phase.name.lower() if running else "setup",
            fraction=fraction,
            eta_s=elapsed * (1 - fraction) / made if made > 0.02 else None,
            accuracy=measured[-1]["accuracy"] if measured else None,
            gas=sum(sum(row["gas"].values()) for row in self.history),
            bytes=sum(sum(row["bytes"].values()) for row in self.history),
            message=message,
        )
        self._report(progress)
