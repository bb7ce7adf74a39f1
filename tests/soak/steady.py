"""Half an hour of rounds: memory and open files of every process stay flat, no round is missed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.soak.kills import CHOICES

from ostrom.network.local import LocalNetwork, wait_for_nodes
from ostrom.network.outcome import conclude
from ostrom.network.plan import Choices, make_plan

SAMPLE_SECONDS = 20.0
GROWTH_PERCENT_MAX = 10
"""Of memory, from the end of the first fifth to the end."""

FILES_MORE_MAX = 8


@dataclass(frozen=True)
class Sample:
    """One process at one time: resident memory in KiB, open files."""

    memory: int
    files: int


def sample(pid: int) -> Sample:
    """What a process uses now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") // 1024
    return Sample(memory, len(os.listdir(f"/proc/{pid}/fd")))


def run(seed: int, folder: Path, *, minutes: float, rounds: int) -> list[str]:
    """Run a network for so long; what does not hold."""
    plan = make_plan(folder, Choices.of({**CHOICES, "seed": seed, "rounds": rounds}))
    kept: dict[str, list[Sample]] = {}
    with LocalNetwork(plan, print) as network:
        network.start()
        if not wait_for_nodes(network, 60):
            return [f"nodes do not start: {network.broken()}"]
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until and not network.over:
            time.sleep(SAMPLE_SECONDS)
            for party in plan.nodes:
                kept.setdefault(party.name, []).append(sample(network.processes[party.name].pid))
        ports = [f"http://127.0.0.1:{port}" for port in network.ports.values()]
        assert network.launched is not None
        # The audit of so many rounds takes longer than a round.
        views = network.views()
        outcome = conclude(plan, network.launched, rpc=network.rpc, nodes=ports)
    reached = max(int(str(view.status.get("round", 0))) for view in views)
    missed = reached - 1 - outcome.rounds_settled if not is_done(reached, rounds) else 0
    faults = [] if outcome.audit.passed else [f"the audit fails: {outcome.audit.document()}"]
    if missed > 0:
        faults.append(f"{missed} of {reached - 1} rounds were missed")
    for name, samples in kept.items():
        early, late = samples[max(1, len(samples) // 5)], samples[-1]
        print(
            f"{name}: {early.memory >> 10} to {late.memory >> 10} MiB, "
            f"{early.files} to {late.files} open files, {len(samples)} samples"
        )
        if late.memory > early.memory * (1 + GROWTH_PERCENT_MAX / 100):
            faults.append(f"{name} grew from {early.memory} to {late.memory} KiB")
        if late.files > early.files + FILES_MORE_MAX:
            faults.append(f"{name} opened {late.files - early.files} more files")
    print(f"{outcome.rounds_settled} rounds settled, {reached} begun")
    return faults


def is_done(reached: int, rounds: int) -> bool:
    """True if the task came to its last round."""
    return reached >= rounds
