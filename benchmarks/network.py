"""What a relay costs from ten to a thousand trainers: signed messages, a real chain, one relay.

Training is left out: an update is a digest. Everything else is real: keys, signatures, the relay's
checks and its book on a disk, the contracts, and anvil as the chain.

`python -m benchmarks.network TRAINERS` measures one size and prints it.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.federation import Federation, federation
from benchmarks.results import Result, table
from benchmarks.wire import AT_ONCE, Wire
from ostrom.chain.hashes import update_commitment
from ostrom.node.actions import Commit, Reveal
from ostrom.node.relay import Relay, commit_message, reveal_message
from ostrom.node.relay.timing import BATCH_MAX
from ostrom.protocol import TaskState
from ostrom.types import Address, Opening, Phase

COMMAND = "python -m benchmarks network"
SIZES = (10, 100, 1_000)
WARM_ROUND = 2
"""In the first round every slot is written for the first time; later ones are alike."""

PHASES = (Phase.COMMIT, Phase.REVEAL)
GAS_GOAL = 25_000.0
FLAT = 1.0
"""What a trainer may cost among many, against what it costs among fewer."""


@dataclass(frozen=True)
class Spent:
    """What one phase took for all trainers: seconds of this machine, bytes, gas.

    Attributes:
        signing: seconds in which the trainers made and signed their messages.
        taking: seconds in which the relay checked them and wrote them to the disk.
        sending: seconds from the first batch to the last receipt, with anvil's work.
        following: seconds in which the relay's node read the events from the chain.
        gas: of all transactions; `largest` of the largest one.
    """

    signing: float
    taking: float
    sending: float
    following: float
    message_bytes: int
    calldata_bytes: int
    transactions: int
    gas: int
    largest: int

    @property
    def carrying(self) -> float:
        """Seconds of the relay and its chain."""
        return self.taking + self.sending + self.following


@dataclass(frozen=True)
class Round:
    """One round's commits and reveals, and what came before it.

    Attributes:
        wire: what handing in the messages of another round took over HTTP.
        joining_gas: of all registrations and joins.
        block_gas: what a block holds.
    """

    trainers: int
    phases: Mapping[Phase, Spent]
    wire: Wire
    joining_gas: int
    block_gas: int

    def each(self, field: str) -> float:
        """A trainer's part of what both phases took."""
        total: float = sum(getattr(spent, field) for spent in self.phases.values())
        return total / self.trainers


Openings = dict[Address, Opening]
HandIn = Callable[[Relay, Sequence[bytes], TaskState, int], None]


def run_round(made: Federation, hand_in: HandIn) -> Mapping[Phase, Spent]:
    """Everybody commits and reveals once."""
    openings: Openings = {}
    return {phase: run_phase(made, phase, openings, hand_in) for phase in PHASES}


def hand_over(relay: Relay, messages: Sequence[bytes], state: TaskState, now: int) -> None:
    """Give the relay messages without a network between."""
    for message in messages:
        assert relay.accept(message, state, now).accepted


def run_phase(made: Federation, phase: Phase, openings: Openings, hand_in: HandIn) -> Spent:
    """Everybody signs, the relay takes and sends, its node looks."""
    state, now = made.state(), made.ledger.now()
    assert state.phase == phase, state.phase
    marks = [time.perf_counter()]
    messages = messages_of(made, state, openings)
    marks.append(time.perf_counter())
    hand_in(made.relay, messages, state, now)
    marks.append(time.perf_counter())
    receipts = []
    for batch in made.relay.due(state, now):
        receipts.append(made.ledger.send(batch.call, made.relay_key))
        made.relay.mined(batch.key, receipts[-1].events)
    marks.append(time.perf_counter())
    assert made.state().phase == phase + 1
    marks.append(time.perf_counter())
    signing, taking, sending, following = (after - before for before, after in pairwise(marks))
    return Spent(
        signing=signing,
        taking=taking,
        sending=sending,
        following=following,
        message_bytes=sum(map(len, messages)),
        calldata_bytes=sum(one.calldata for one in receipts),
        transactions=len(receipts),
        gas=sum(one.gas_used for one in receipts),
        largest=max(one.gas_used for one in receipts),
    )


def messages_of(made: Federation, state: TaskState, openings: Openings) -> Sequence[bytes]:
    """What the trainers hand to the relay in the current phase."""
    place, task_id, number = made.relay.place, made.task.task_id, state.number
    if state.phase == Phase.REVEAL:
        reveals = [Reveal(number, key.address, openings[key.address]) for key in made.trainers]
        return [reveal_message(place, task_id, act) for act in reveals]
    found = []
    for key in made.trainers:
        opening = Opening(secrets.token_bytes(32), secrets.token_bytes(32), 1, bytes(32))
        openings[key.address] = opening
        hidden = update_commitment(task_id, number, trainer=key.address, opening=opening)
        act = Commit(number, key.address, hidden)
        found.append(commit_message(place, task_id, act, key))
    return found


def measure_round(trainers: int) -> Round:
    """A later round with that many trainers; those before it are handed in over HTTP."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = federation(Path(folder), stack, trainers)
        limit = made.ledger.client.head().gas_limit
        while made.state().number < WARM_ROUND:
            run_round(made, (wire := Wire()).hand_in)
            made.skip_to_next_round()
        return Round(trainers, run_round(made, hand_over), wire, made.joining_gas, limit)


def measure() -> Iterable[Result]:
    """Gas, seconds and bytes of a trainer's round, and how they grow with the trainers."""
    rounds = {size: measure_round(size) for size in SIZES}
    for one in rounds.values():
        yield from rows(one)
    most = max(SIZES)
    for size in SIZES[:-1]:
        yield from growth(rounds[most], rounds[size])


def rows(one: Round) -> Iterable[Result]:
    """What a round of one size took."""
    size = one.trainers
    counts = [spent.transactions for spent in one.phases.values()]
    largest = max(spent.largest for spent in one.phases.values())
    yield _row(
        f"Commit and reveal through a relay, per trainer of {size:,}",
        one.each("gas"),
        "gas",
        goal=GAS_GOAL if size >= 100 else None,
        setting=f"{sum(counts)} transactions of at most {BATCH_MAX} trainers, the largest "
        f"{largest / 1e6:.1f} of a block's {one.block_gas / 1e6:.0f} million gas; once for all, "
        f"registering and joining by signature take {one.joining_gas / size:,.0f} gas each",
    )
    for phase, spent in one.phases.items():
        yield _row(
            f"{phase.name.capitalize()} phase of {size:,} trainers",
            spent.carrying,
            "s",
            setting=f"the relay and its chain: {_parts(spent)}; besides, all trainers together "
            f"sign for {spent.signing:.2f} s",
        )
    yield _row(
        f"A trainer's two messages over HTTP, of {size:,}",
        one.wire.bytes_total / size,
        "bytes",
        setting=f"{one.each('message_bytes'):.0f} bytes without heads and answers; handing in "
        f"and answering {2 * size:,} of them, {AT_ONCE} at once, took {one.wire.seconds:.1f} s, "
        "the trainers' part included",
    )
    yield _row(f"Calldata of a trainer's round, of {size:,}", one.each("calldata_bytes"), "bytes")


def growth(large: Round, small: Round) -> Iterable[Result]:
    """A trainer's costs among many over those among fewer."""
    against = f"per trainer with {large.trainers:,} trainers, against {small.trainers:,}"
    for what, field, goal in (("Gas", "gas", FLAT), ("Seconds", "carrying", None)):
        value = large.each(field) / small.each(field)
        yield _row(f"{what} {against}", value, "times", goal=goal)


def _parts(spent: Spent) -> str:
    parts = {"checks and disk": spent.taking, "sending": spent.sending, "events": spent.following}
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in parts.items())


def _row(
    name: str, value: float, unit: str, *, goal: float | None = None, setting: str = ""
) -> Result:
    where = "commit and reveal of round 2, one relay, anvil"
    text = f"{where}; {setting}" if setting else where
    reference = "no other relays commitments" if goal == GAS_GOAL else ""
    return Result(name, value, unit, goal, reference, "lower", COMMAND, setting=text)


def main() -> None:
    """Measure one size."""
    found = list(rows(measure_round(int(sys.argv[1]))))
    print(table(found))
    for one in found:
        print(f"{one.name}: {one.setting}")


if __name__ == "__main__":
    main()
