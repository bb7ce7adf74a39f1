"""One network from its first virtual second to its last: who acts, and what goes wrong, when."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

from tests.simulation.blocks import SimBlock
from tests.simulation.chain import GENESIS_TIME, WEI
from tests.simulation.faults import Faults, Log
from tests.simulation.invariants import Invariants, Violation
from tests.simulation.machine import Machine
from tests.simulation.peers import SimNet
from tests.simulation.relaying import SimCarrier
from tests.simulation.setting import BLOCK_SECONDS, BOND_DELAY, Plan, SetupLedger, build_setting

from ostrom.chain.contracts import Registry, Training
from ostrom.errors import OstromError
from ostrom.protocol import TaskState
from ostrom.types import Phase, PhaseStarted, RoundSettled, RoundVoided

POLL_SECONDS = (3, 16)
RESTART_SECONDS = (5, 60)
PAUSE_SECONDS = (12, 60)
TROUBLE_BLOCKS = (1, 5)
"""How long a partition, a dead branch or a rise of the fees lasts."""

STORM_BLOCKS = (60, 160)
"""After so many blocks nothing goes wrong any more."""

STORM_AFTER_END = 15
"""And so many blocks after the end of the task."""

ROUND_BLOCKS_MAX = 50
"""A round of honest nodes ends within so many blocks once nothing goes wrong any more."""

BLOCKS_MAX = 1_500
GOODBYE_BLOCKS = 60
"""Blocks after the end of the task in which everybody is paid."""


@dataclass
class Outcome:
    """What came of a seed. `fault` is empty where everything held."""

    seed: int
    fault: str
    digest: str
    blocks: int
    transactions: int
    counts: Mapping[str, int]
    lines: list[str] | None
    settled: int = 0
    void: int = 0


@dataclass(order=True)
class Due:
    """Something that happens at a virtual time; ties are broken by the seed."""

    time: int
    tie: float
    act: Callable[[], None] = field(compare=False)


class Network:
    """Builds the network of a plan and runs it. Everything follows from the seed."""

    def __init__(
        self, plan: Plan, *, keep_log: bool = False, only: Mapping[str, float] | None = None
    ) -> None:
        self.plan = plan
        self.log = Log(keep=keep_log)
        self.faults = Faults(plan.seed, self.log, only=only)
        self.faults.on = False
        self.dice = Random(f"network {plan.seed}")
        self.setting = build_setting(plan)
        self.chain = self.setting.chain
        self.net = SimNet()
        self.machines = {
            name: Machine(name, self.setting, self.net, self.faults, self.log)
            for name in plan.nodes
        }
        self.invariants = Invariants(self.setting, self.machines)
        for machine in self.machines.values():
            self._listen(machine)
        self._agenda: list[Due] = []
        self.time = self.chain.head.header.time - GENESIS_TIME
        self._fee_blocks, self._fee, self._fee_low = 0, WEI, WEI
        self._storm_ends = self.chain.head.header.number + self.dice.randint(*STORM_BLOCKS)
        self._storm_spares_last = self.dice.random() < 0.5
        """Then the storm ends at the latest when the last round begins."""
        self._began: dict[int, int] = {}
        self._calm_since: int | None = None
        self._round_began = self.chain.head.header.number
        self._over_since: int | None = None

    def _listen(self, machine: Machine) -> None:
        machine.client.on_submit = lambda made: self.invariants.submitted(machine, made)
        if not self.plan.relay or not machine.name.startswith("trainer"):
            return
        machine.carrier = SimCarrier(
            sender=machine.name,
            relay=self.machines["relay"],
            net=self.net,
            faults=self.faults,
            later=self._after,
            on_offer=lambda data: self.invariants.offered(machine, data),
        )

    def run(self) -> Outcome:
        """Run to the end; whatever breaks is in the outcome."""
        fault = ""
        try:
            self._run()
        except (Violation, OstromError, AssertionError) as error:
            fault = f"{type(error).__name__}: {error}"
            self.log.write(self.time, "network", f"FAILS {fault}")
        finally:
            for machine in self.machines.values():
                machine.disk.unmount()
        state = self.invariants.state
        return Outcome(
            seed=self.plan.seed,
            fault=fault,
            digest=self.log.digest,
            blocks=self.chain.head.header.number,
            transactions=self.chain.executed,
            counts=dict(self.faults.count),
            lines=self.log.lines,
            settled=sum(r.settled is not None for r in state.rounds.values()),
            void=sum(r.void for r in state.rounds.values()),
        )

    def _run(self) -> None:
        self.faults.on = True
        self.log.write(self.time, "network", f"{self.plan} faults {sorted(self.faults.rates)}")
        self._after(BLOCK_SECONDS, self._block)
        for machine in self.machines.values():
            self._after(self.dice.randint(*POLL_SECONDS), partial(self._poll, machine))
        while not self._done():
            due = heapq.heappop(self._agenda)
            self.time = self.faults.time = due.time
            due.act()
        self.invariants.at_end()
        self._everybody_leaves()

    def _after(self, seconds: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, Due(self.time + seconds, self.dice.random(), act))

    # Nodes

    def _poll(self, machine: Machine) -> None:
        if self.faults.strikes("pause", machine.name):
            self._after(self.dice.randint(*PAUSE_SECONDS), partial(self._poll, machine))
            return
        lives = machine.poll()
        self.net.down.discard(machine.name)
        if not lives:
            self.net.down.add(machine.name)
        wait = self.dice.randint(*(POLL_SECONDS if lives else RESTART_SECONDS))
        self._after(wait, partial(self._poll, machine))

    # Blocks

    def _block(self) -> None:
        """A block is due: mine it, on another branch perhaps, and look at everything."""
        self._weather()
        if self.faults.strikes("reorganisation", "chain"):
            self._reorganise()
        share = self.dice.choice([0.3, 0.6, 1.0, 1.0]) if self.faults.on else 1.0
        self._mine(self.time + GENESIS_TIME, share)
        self._liveness()
        slow = self.faults.strikes("slow blocks", "chain")
        self._after(BLOCK_SECONDS * (self.dice.randint(2, 4) if slow else 1), self._block)

    def _mine(self, time: int, share: float) -> None:
        block = self.chain.mine(time, self.dice, base_fee=self._fee, share=share)
        self.invariants.after_block(block)
        self._tell(block)

    def _tell(self, block: SimBlock) -> None:
        header = block.header
        done = ", ".join(
            f"{self.setting.accounts[one.transaction.sender]}"
            f" {one.transaction.nonce}{'' if one.ok else ' FAILS'} {one.gas_used}"
            for one in block.included
        )
        text = f"block {header.number} {header.hash.hex()[:8]} [{done}]"
        for logged in self.chain.logs_of(block, self.invariants.contracts):
            text += f" {type(logged.event).__name__}"
        self.log.write(self.time, "chain", text)

    def _reorganise(self) -> None:
        """The last blocks give way to others; some nodes do not hear of it for a while."""
        head = self.chain.head
        first = self.setting.chain.line.index(head) - self._first_head()
        depth = min(self.dice.randint(1, self.plan.confirmations), first)
        if depth < 1:
            return
        for machine in self.machines.values():
            if self.faults.strikes("stuck on the old branch", machine.name):
                machine.client.branch = head
                self._for_a_while(partial(setattr, machine.client, "branch", None))
        dropped = self.chain.go_back(
            depth, lost=lambda made: self.faults.strikes("transaction lost with its block", "pool")
        )
        self.log.write(self.time, "chain", f"drops {depth} blocks")
        self._round_began = min(self._round_began, self.chain.head.header.number)
        for old in dropped:
            self._mine(old.header.time + self.dice.randint(0, 3), self.dice.choice([0.5, 1.0]))

    def _first_head(self) -> int:
        return self.setting.first + 5 * len(self.plan.names)

    def _weather(self) -> None:
        """Faults that come with time: fees, losses, partitions; and the end of all of them."""
        number = self.chain.head.header.number
        over = self._over_since is not None and number - self._over_since > STORM_AFTER_END
        spared = self._storm_spares_last and self.plan.rounds in self._began
        if self.faults.on and (over or spared or number >= self._storm_ends):
            self._calm()
        for name, machine in self.machines.items():
            if self.faults.strikes("partition", name):
                machine.client.reachable = False
                pairs = [(name, other) for other in self.machines]
                self.net.cut.update(pairs)
                self._for_a_while(partial(self._heal, machine, pairs))
            if self.faults.strikes("one-way partition", name):
                other = self.dice.choice(sorted(self.machines))
                self.net.cut.add((other, name))
                self._for_a_while(partial(self.net.cut.discard, (other, name)))
            if self.faults.strikes("block lost", name):
                self._lose_block(machine)
        for transaction in list(self.chain.pool):
            if self.faults.strikes("transaction lost", "pool"):
                self.chain.forget(transaction)
        if self._fee_blocks:
            self._fee_blocks -= 1
        elif self.faults.strikes("fees rise", "chain"):
            self._fee_blocks = self.dice.randint(*TROUBLE_BLOCKS)
            self._fee = WEI * self.dice.randint(4, 9)
        elif self.faults.strikes("fees stay high", "chain"):
            self._fee = self._fee_low = WEI * self.dice.randint(4, 9)
        else:
            self._fee = self._fee_low

    def _heal(self, machine: Machine, gone: list[tuple[str, str]]) -> None:
        machine.client.reachable = True
        self.net.cut.difference_update(gone)

    def _for_a_while(self, end: Callable[[], None]) -> None:
        self._after(BLOCK_SECONDS * self.dice.randint(*TROUBLE_BLOCKS), end)

    def _lose_block(self, machine: Machine) -> None:
        """A block rots on one machine, of which others have copies."""
        spare = [cid for cid in sorted(machine.store.blocks) if len(machine.store.holders(cid)) > 2]
        if spare:
            machine.store.delete_block(self.dice.choice(spare))

    def _calm(self) -> None:
        """From now on nothing goes wrong, and what must happen must happen in time."""
        self.faults.on = False
        self.net.cut.clear()
        for machine in self.machines.values():
            machine.client.reachable, machine.client.branch = True, None
        self._calm_since = self._round_began = self.chain.head.header.number
        self.log.write(self.time, "network", "CALM")

    # Progress

    def _liveness(self) -> None:
        state, number = self.invariants.state, self.chain.head.header.number
        for logged in self.chain.logs_of(self.chain.head, self.invariants.contracts):
            if isinstance(logged.event, RoundSettled | RoundVoided):
                self._round_began = number
            if isinstance(logged.event, RoundVoided):
                self._excuse(logged.event.round)
            if isinstance(logged.event, PhaseStarted) and logged.event.phase == Phase.COMMIT:
                self._began[logged.event.round] = number
        if number > BLOCKS_MAX:
            raise Violation(f"no end after {number} blocks")
        if state.over:
            self._over_since = self._over_since or number
            return
        self._over_since = None
        if self._calm_since is not None and number - self._round_began > self._patience():
            raise Violation(
                f"round {state.number} is in its {state.phase.name} phase after "
                f"{number - self._round_began} blocks without faults"
            )

    def _excuse(self, number: int) -> None:
        """A round may come to nothing only where something went wrong in it."""
        if self._calm_since is not None and self._began.get(number, 0) >= self._calm_since:
            raise Violation(f"round {number} comes to nothing though nothing went wrong")

    def _patience(self) -> int:
        """Liars and what the storm left behind can make each phase wait for its deadline."""
        began = self._calm_since == self._round_began
        if not self.plan.lies and not began:
            return max(ROUND_BLOCKS_MAX, 5 * (self.plan.confirmations + 6))
        return 5 * (self.plan.phase_blocks + 8)

    def _done(self) -> bool:
        state, number = self.invariants.state, self.chain.head.header.number
        if not state.over or self._over_since is None:
            return False
        paid = state.claimed_total == state.allocated
        rest = state.refunded or state.rules.pool == state.allocated
        if self._calm_since is None:
            return False
        if paid and rest and not self.invariants.unpunished():
            return True
        if number - max(self._over_since, self._calm_since) > GOODBYE_BLOCKS:
            left = state.allocated - state.claimed_total
            raise Violation(
                f"after the end {left} tokens stay unclaimed, {state.refunded} went back, "
                f"and nobody punished {self.invariants.unpunished()}"
            )
        return False

    def _everybody_leaves(self) -> None:
        """Alone and in any order, everybody gets the stake back that it has."""
        state = self.invariants.state
        self.chain.pool.clear()
        ledger = SetupLedger(self.chain)
        training, registry = self.setting.deployment.training, self.setting.deployment.registry
        names = list(self.plan.names)
        self.dice.shuffle(names)
        for name in names:
            self._leave(ledger, training, name, state)
        self.chain.mine(ledger.now() + BOND_DELAY + 1, self.dice)
        for name in names:
            self._withdraw(ledger, training, registry, name)
        self.invariants.after_block(self.chain.head)
        for contract in (training, registry):
            left = self.setting.deployment.token.balance_of(ledger, contract.address)
            if left:
                raise Violation(f"{left} tokens stay in {type(contract).__name__} for ever")

    def _leave(self, ledger: SetupLedger, training: Training, name: str, state: TaskState) -> None:
        key = self.plan.key(name)
        member = state.members[key.address]
        if not (member.left or member.expelled):
            ledger.send(training.leave(self.setting.task_id), key)
            self.invariants.after_block(self.chain.head)

    def _withdraw(
        self, ledger: SetupLedger, training: Training, registry: Registry, name: str
    ) -> None:
        key, bond = self.plan.key(name), self.setting.task_id
        account = key.address
        _, due = registry.bond_of(ledger, training.address, bond_id=bond, account=account)
        if due:
            ledger.send(registry.release(training.address, bond, account=account), key)
        free = registry.free_of(ledger, account)
        if free:
            ledger.send(registry.withdraw(free), key)


def simulate(
    seed: int, *, keep_log: bool = False, only: Mapping[str, float] | None = None
) -> Outcome:
    """The network of that seed, run to its end."""
    return Network(Plan.drawn(seed), keep_log=keep_log, only=only).run()
