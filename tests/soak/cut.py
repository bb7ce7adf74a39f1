"""Cut a network of processes in two halves, heal it, and see that the task ends as it must.

Every half has about as many nodes as the other; the seed draws who is where, the phase of the
second round in which the cut comes, and whether it refuses or is silent. Either half then reaches
neither the stores nor the relay of the other; in two of four scenarios one half has no chain.

A round under a cut may come to nothing. Whoever had the chain and the larger part of the stake has
no strike for it. For who was cut off the rules make no difference between away and silent: a
commitment that is not opened, scores or an attestation that are missing cost a strike, as the
threat is the same. So the strikes are counted, and each must belong to the half that was cut off.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.gate import Gate
from tests.soak.judging import judge, strikes
from tests.soak.kills import CHOICES

from ostrom.chain.rpc import RpcLedger
from ostrom.errors import LedgerError
from ostrom.evidence import read_document
from ostrom.network.launch import Launched
from ostrom.network.local import LocalNetwork, wait_for_nodes
from ostrom.network.outcome import AUDIT, all_paid
from ostrom.network.plan import NODE, Choices, Party, Plan, make_plan, node_text, write_file
from ostrom.network.processes import wait_until
from ostrom.protocol import TaskState, replay
from ostrom.records import decode_record
from ostrom.storage import DirectoryStore
from ostrom.types import Address, Phase, PhaseStarted, Role

ROUND = 2
"""The round in which the cut comes; one before it shows that all is well, others follow."""

PHASE_SECONDS = 60
"""A look may take half of it: five seconds for each silent peer, ten for a silent relay."""

PHASES = (Phase.COMMIT, Phase.REVEAL, Phase.SCORE, Phase.SCORE_REVEAL, Phase.ATTEST)
INTO_PHASE_SECONDS = 2.0
CHAIN = "chain"
START_SECONDS_MAX, CALM_SECONDS, PAID_SECONDS = 120.0, 90.0, 120.0
STARTS_MAX = 4
MISSED = ("missed_reveal", "missed_scores", "missed_attestation", "wrong_attestation")
"""What an honest member that is cut off may be blamed for."""


@dataclass(frozen=True)
class Scenario:
    """`loses_chain`: one half has no chain either. `phases`: how long the cut lasts at least."""

    name: str
    loses_chain: bool
    phases: int


SCENARIOS = (
    Scenario("stores, a phase", False, 1),
    Scenario("stores, a round", False, len(PHASES)),
    Scenario("stores and chain, a phase", True, 1),
    Scenario("stores and chain, a round", True, len(PHASES)),
)


@dataclass(frozen=True)
class Cut:
    """What a seed draws. Only `lost` has no chain while the cut lasts, where the scenario says."""

    halves: tuple[frozenset[str], frozenset[str]]
    lost: frozenset[str]
    phase: Phase
    delay: float
    silent: bool

    @classmethod
    def drawn(cls, seed: int, scenario: Scenario, plan: Plan) -> Cut:
        """The cut of a seed."""
        dice = random.Random(f"cut {seed} {scenario.name}")
        names = [one.name for one in plan.nodes]
        dice.shuffle(names)
        first, second = frozenset(names[: len(names) // 2]), frozenset(names[len(names) // 2 :])
        return cls(
            halves=(first, second),
            lost=second if scenario.loses_chain else frozenset(),
            phase=dice.choice(PHASES),
            delay=dice.uniform(0.0, INTO_PHASE_SECONDS),
            silent=dice.random() < 0.5,
        )

    def severs(self, one: str, other: str) -> bool:
        """True if they are in different halves."""
        return (one in self.halves[0]) != (other in self.halves[0])


@dataclass
class Tally:
    """What came of a cut. `strikes` says whose they are and why."""

    scenario: str
    settled: int = 0
    void: int = 0
    strikes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        why = f" ({'; '.join(self.strikes)})" if self.strikes else ""
        return (
            f"{self.scenario}: {self.settled} rounds settled, {self.void} void, "
            f"{len(self.strikes)} strikes{why}, {len(self.faults)} faults, {self.seconds:.0f} s"
        )


@dataclass
class CutNetwork(LocalNetwork):
    """A network whose halves reach each other, and one half the chain, through gates alone."""

    discovers: bool = False
    """The Registry would tell ways around the gates."""
    way: Cut = field(kw_only=True)
    _gates: dict[str, Gate] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        """As ever; the gates' ports are taken before the nodes' are chosen."""
        for name in (*(one.name for one in self.plan.nodes), CHAIN):
            gate = Gate(silent=self.way.silent)
            self._gates[name] = self._stack.enter_context(gate)
        super().start()

    def write_settings(self) -> None:
        """As ever, but for who is behind the gates."""
        super().write_settings()
        assert self.launched is not None
        (chain,) = self.rpc
        for name, port in {**self.ports, CHAIN: int(chain.rpartition(":")[2])}.items():
            self._gates[name].target = port
        for party in self.plan.nodes:
            rpc = f"http://127.0.0.1:{self._gates[CHAIN].port}"
            text = node_text(
                self.plan,
                party,
                rpc=[rpc if party.name in self.way.lost else chain],
                task=self.launched.task_id.hex(),
                first_block=self.launched.first_block,
                ports=self._seen_by(party),
            )
            write_file(party.folder / NODE, text.encode())

    def _seen_by(self, party: Party) -> dict[str, int]:
        return {
            name: self._gates[name].port if self.way.severs(party.name, name) else port
            for name, port in self.ports.items()
        }

    def cut(self) -> None:
        """Cut all ways between the halves."""
        for gate in self._gates.values():
            gate.cut()

    def heal(self) -> int:
        """Heal them; how many connections the cut has met."""
        for gate in self._gates.values():
            gate.heal()
        return sum(gate.stopped for gate in self._gates.values())

    def stop(self) -> None:
        """Stop the nodes and the chain, then the gates."""
        super().stop()
        self._stack.close()


def run(seed: int, scenario: Scenario, folder: Path) -> Tally:
    """One network, cut once; `faults` of the tally says what does not hold."""
    began, tally = time.monotonic(), Tally(scenario.name)
    plan = make_plan(folder, Choices.of({**CHOICES, "phase_seconds": PHASE_SECONDS, "seed": seed}))
    way = Cut.drawn(seed, scenario, plan)
    # What the Registry told of a node would lead around the gates.
    with CutNetwork(plan, print, discovers=False, way=way) as network:
        network.start()
        if not _comes_up(network):
            faults = [f"nodes do not start: {network.broken()}"]
        else:
            up = _place(network)
            faults = _cut_once(network, scenario) or _end(network, up, tally)
    tally.seconds = time.monotonic() - began
    tally.faults = [f"seed {seed}, {scenario.name}: {line}" for line in faults]
    return tally


def _comes_up(network: LocalNetwork) -> bool:
    """True once every node answers. One that has ended is started again: on a busy machine some
    connection may have had its port for a moment."""
    for _ in range(STARTS_MAX):
        if wait_for_nodes(network, START_SECONDS_MAX):
            return True
        time.sleep(INTO_PHASE_SECONDS)
        for party in network.plan.nodes:
            if network.processes[party.name].status is not None:
                network.start_node(party)
    return wait_for_nodes(network, START_SECONDS_MAX)


def _cut_once(network: CutNetwork, scenario: Scenario) -> list[str]:
    """Cut in the middle of the drawn phase, hold, heal."""
    way, choices = network.way, network.plan.choices
    start = _index(ROUND, way.phase)
    seconds_max = 2.0 * start * choices.phase_seconds
    if not wait_until(lambda: _place(network) >= start, seconds_max):
        return [f"round {ROUND} does not come to {way.phase.name}: {network.broken()}"]
    time.sleep(way.delay)
    began = time.monotonic()
    network.cut()
    place = _place(network)
    print(
        f"cut in {_words(place)}, {'silent' if way.silent else 'refusing'}, for {scenario.name}: "
        f"{', '.join(sorted(way.halves[0]))} | {', '.join(sorted(way.halves[1]))}"
        f"{', without the chain' if way.lost else ''}",
        flush=True,
    )

    def long_enough() -> bool:
        return (
            time.monotonic() - began >= choices.phase_seconds
            and _place(network) >= place + scenario.phases
        )

    passed = wait_until(long_enough, (scenario.phases + 2.0) * 1.5 * choices.phase_seconds)
    met = network.heal()
    seconds = time.monotonic() - began
    print(f"healed in {_words(_place(network))} after {seconds:.0f} s, {met} connections met it")
    return [] if passed else [f"the task stands still under the cut: {network.broken()}"]


def _end(network: CutNetwork, up: int, tally: Tally) -> list[str]:
    """See the task to its end, and judge; at the place `up` every node was there."""
    choices, launched = network.plan.choices, network.launched
    assert launched is not None
    healed = _place(network)
    seconds_max = CALM_SECONDS + 6.0 * choices.rounds * choices.phase_seconds
    if not wait_until(lambda: network.over, seconds_max):
        return [f"the task does not end: {network.broken()}", *map(str, network.views())]
    paid = wait_until(
        lambda: all_paid(network.rpc, launched.deployed, launched.task_id), PAID_SECONDS
    )
    faults = network.broken() + ([] if paid else ["not all is claimed"])
    judged = judge(network)
    tally.settled = judged.outcome.rounds_settled
    tally.void = judged.outcome.rounds - judged.outcome.rounds_settled
    faults += judged.faults
    state, begun = _history(network, launched)
    faults += _rounds(state, begun, up=up, healed=healed)
    return faults + _strikes(network, state, tally)


def _history(network: LocalNetwork, launched: Launched) -> tuple[TaskState, dict[int, int]]:
    """The task as its events tell it, and each round's last phase."""
    ledger = RpcLedger(network.rpc)
    try:
        launched.deployed.contracts.watch(ledger)
        log = ledger.events(launched.first_block, ledger.block_number)
    finally:
        ledger.close()
    last = {
        one.event.round: _index(one.event.round, one.event.phase)
        for one in log
        if isinstance(one.event, PhaseStarted) and one.event.task_id == launched.task_id
    }
    return replay(TaskState(task_id=launched.task_id), log), last


def _rounds(state: TaskState, last: Mapping[int, int], *, up: int, healed: int) -> list[str]:
    """Every round ends, and only one that the cut has touched comes to nothing, or one in which
    nodes were still starting after the first commitments were due."""
    faults = []
    late = up // len(PHASES) if up > _index(1, Phase.COMMIT) else 0
    for number, one in sorted(state.rounds.items()):
        ended = one.void or one.settled is not None
        touched = number <= late or ROUND <= number <= healed // len(PHASES)
        if not ended:
            faults.append(f"round {number} neither settled nor came to nothing")
        if one.void and not touched:
            faults.append(
                f"round {number} came to nothing without a cut, in {_words(last[number])}"
            )
    return faults


def _strikes(network: CutNetwork, state: TaskState, tally: Tally) -> list[str]:
    """The strikes in the records: whose, why, and whether they may be."""
    names = {one.address: one.name for one in network.plan.nodes}
    store = DirectoryStore(network.plan.folder / AUDIT, read_only=True)
    stakes = {names[a]: m.stake for a, m in state.members.items() if m.role == Role.VALIDATOR}
    may = cut_off(network.way, stakes, state.rules.quorum_bps)
    faults, counted = [], dict.fromkeys(names.values(), 0)
    for number, one in sorted(state.rounds.items()):
        if one.settled is None:
            continue
        document = decode_record(read_document(store, one.settled.record))
        assert isinstance(document, dict)
        blamed = document["faults"]
        assert isinstance(blamed, list)
        for account, why in blamed:  # type: ignore[misc]
            name = names[Address(str(account))]
            counted[name] += 1
            tally.strikes.append(f"{name}: {why} (record of round {number})")
            if name not in may or why not in MISSED:
                faults.append(f"{name} has a strike for {why} in round {number}, and was not away")
    wanted = {name: count for name, count in counted.items() if count}
    if not wait_until(lambda: _carried_out(network) == wanted, PAID_SECONDS):
        faults.append(f"the records hold the strikes {wanted}, the chain {_carried_out(network)}")
    return faults


def _carried_out(network: LocalNetwork) -> dict[str, int]:
    """The strikes on the chain."""
    ledger = RpcLedger(network.rpc)
    try:
        return strikes(ledger, network)
    finally:
        ledger.close()


def cut_off(way: Cut, stakes: Mapping[str, int], quorum_bps: int) -> frozenset[str]:
    """The half that the cut takes from the others: without chain, or without the quorum.

    Where neither half has a quorum of the validators' `stakes` and both have the chain, nobody is
    away.
    """
    if way.lost:
        return way.lost
    for here, there in (way.halves, way.halves[::-1]):
        held = sum(stakes.get(name, 0) for name in here)
        if held * 10_000 >= quorum_bps * sum(stakes.values()):
            return there
    return frozenset()


def _index(number: int, phase: Phase) -> int:
    """Phases since the task began; nothing comes after the end."""
    if phase > Phase.ATTEST:
        return 1 << 30
    return len(PHASES) * number + max(0, phase - Phase.COMMIT)


def _words(place: int) -> str:
    number, phase = divmod(place, len(PHASES))
    return f"{PHASES[phase].name} of round {number}" if place < 1 << 30 else "no round"


def _place(network: LocalNetwork) -> int:
    """Where the chain is now; 0 while it does not say."""
    launched = network.launched
    assert launched is not None
    try:
        ledger = RpcLedger(network.rpc)
        try:
            told = launched.deployed.contracts.training.task(ledger, launched.task_id)
        finally:
            ledger.close()
    except LedgerError:
        return 0
    return _index(told.round, told.phase)
