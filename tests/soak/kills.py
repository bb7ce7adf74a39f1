"""Kill nodes at random moments, reorganise their chain, and see that the task ends as it must.

A run is a local network: anvil, a relay, trainers and validators as processes. A seed draws who is
killed when, and how deep the chain is reorganised; the machine's own timing is not in its hands, so
a failing seed is replayed as often as it takes.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.judging import judge

from ostrom.chain.rpc import RpcLedger
from ostrom.errors import LedgerError
from ostrom.network.local import LocalNetwork, wait_for_nodes
from ostrom.network.plan import Choices, make_plan

REORGANISED_MAX = 5
CALM_SECONDS = 90.0
"""After the last fault every process runs; the rest of the task must then end."""

CHOICES = {
    "trainers": 3,
    "validators": 4,
    "rounds": 4,
    "model": "logistic",
    "algorithm": "fedavg(batch=16)",
    "phase_seconds": 40,
    "confirmations": 2,
    "poll_ms": 250,
}


@dataclass
class Tally:
    """What was done to a network, and how it ended."""

    kills: int = 0
    reorganisations: int = 0
    deepest: int = 0
    settled: int = 0
    void: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Sum up."""
        self.kills += other.kills
        self.reorganisations += other.reorganisations
        self.deepest = max(self.deepest, other.deepest)
        self.settled += other.settled
        self.void += other.void
        self.seconds += other.seconds
        self.faults += other.faults


def run(seed: int, folder: Path, *, kills: int, reorganisations: int) -> Tally:
    """One network with so many faults; `faults` of the tally says what does not hold."""
    began, tally = time.monotonic(), Tally()
    plan = make_plan(folder, Choices.of({**CHOICES, "seed": seed}))
    with LocalNetwork(plan, print) as network:
        network.start()
        if not wait_for_nodes(network, 60):
            tally.faults.append(f"seed {seed}: nodes do not start: {network.broken()}")
            return tally
        _torment(network, random.Random(seed), tally, kills, reorganisations)
        if not _ends(network, seconds_max=CALM_SECONDS + _seconds_left(network)):
            tally.faults.append(f"seed {seed}: the task does not end: {network.broken()}")
            return tally
        tally.faults += [f"seed {seed}: {line}" for line in _judge(network, tally)]
    tally.seconds = time.monotonic() - began
    return tally


def _torment(
    network: LocalNetwork, dice: random.Random, tally: Tally, kills: int, reorganisations: int
) -> None:
    """Kill and reorganise in a drawn order, until all is done or the task is over."""
    acts = ["kill"] * kills + ["reorganise"] * reorganisations
    dice.shuffle(acts)
    for act in acts:
        time.sleep(dice.uniform(0.1, 2.5))
        if network.over:
            return
        if act == "kill":
            party = dice.choice(network.plan.nodes)
            process = network.processes[party.name]
            process.kill()
            time.sleep(dice.uniform(0.0, 1.5))
            network.start_node(party)
            tally.kills += 1
        else:
            depth = dice.randint(1, REORGANISED_MAX)
            tally.deepest = max(tally.deepest, depth)
            tally.reorganisations += _reorganise(network, depth)


def _reorganise(network: LocalNetwork, depth: int) -> int:
    """Replace the newest blocks by empty ones: what they held is gone from pool and chain."""
    ledger = RpcLedger(network.rpc)
    try:
        ledger.request("anvil_reorg", depth, [])
    except LedgerError as error:
        print(f"the chain was not reorganised: {error}")
        return 0
    finally:
        ledger.close()
    return 1


def _seconds_left(network: LocalNetwork) -> float:
    """How long the rest of the task may take by its rules."""
    return 6.0 * network.plan.choices.rounds * network.plan.choices.phase_seconds


def _ends(network: LocalNetwork, *, seconds_max: float) -> bool:
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        if network.over:
            return True
        time.sleep(1)
    return False


def _judge(network: LocalNetwork, tally: Tally) -> list[str]:
    """What does not hold at the end: the audit, the money, honest members' stakes."""
    judged = judge(network)
    tally.settled += judged.outcome.rounds_settled
    tally.void += judged.outcome.rounds - judged.outcome.rounds_settled
    struck = judged.strikes.items()
    return judged.faults + [f"{name} is honest and has {count} strikes" for name, count in struck]
