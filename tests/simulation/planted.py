"""Bugs put into the real code on purpose: the simulation is worth what it finds of them.

A bug counts as found when a seed fails with it and passes without it, under the same faults.
`python -m tests.simulation --planted` shows the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias
from unittest.mock import patch

from tests.simulation.faults import RATES
from tests.simulation.network import Network
from tests.simulation.setting import Plan

import ostrom.node.balances as balances
import ostrom.node.outbox as outbox
import ostrom.node.parts as parts
import ostrom.node.sponsor as sponsor
import ostrom.node.trainer as trainer
import ostrom.node.validator as validator
import ostrom.storage.peers as peers
from ostrom.chain.follower import Follower
from ostrom.node.actions import Attest, Refund, Reveal
from ostrom.node.journal import Journal
from ostrom.node.outbox import Outbox
from ostrom.node.parts import ROUNDS_KEPT, ValidatorPart
from ostrom.node.validator import ValidatorMemory

SEEDS = range(40)
"""A bug that so many seeds do not find is not found."""

MORE = 3
"""How much more often than usual the faults come that a bug needs."""

Change: TypeAlias = tuple[Any, str, Any]
"""An object, the name of one of its attributes, and what is put there."""


@dataclass(frozen=True)
class Planted:
    """A bug. `needs` are faults and `lies` liars that every seed gets, to find it sooner."""

    name: str
    changes: Callable[[], Sequence[Change]]
    needs: tuple[str, ...] = ()
    lies: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The code with the bug in it."""
        with ExitStack() as stack:
            for target, name, value in self.changes():
                stack.enter_context(patch.object(target, name, value))
            yield

    def network(self, seed: int) -> Network:
        """The network of a seed, with what this bug needs."""
        plan = Plan.drawn(seed)
        if self.lies:
            plan = replace(plan, lies=dict(self.lies), relay=plan.relay or "relay" in self.lies)
            plan = replace(plan, validators=4)
        made = Network(plan)
        made.faults.rates |= {kind: min(0.5, MORE * RATES[kind]) for kind in self.needs}
        return made


@dataclass(frozen=True)
class Found:
    """Which seed found a bug, and by what; no seed if none did."""

    name: str
    seed: int | None
    fault: str


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


# The outbox and the journal


def _send_first() -> list[Change]:
    def launch(self: Outbox, one: Any) -> None:
        self.chain.submit(one.raw)
        self.journal.keep_flight(one)

    return [(Outbox, "_launch", launch)]


def _pragma(text: str) -> list[Change]:
    prepare = Journal._prepare

    def changed(self: Journal) -> None:
        prepare(self)
        list(self._file.execute(text))

    return [(Journal, "_prepare", changed)]


def _nonce(step: int) -> list[Change]:
    first = Outbox._first

    def changed(self: Outbox, head: Any, acts: Any, *, nonce: int, above: Any = None) -> Any:
        return first(self, head, acts, nonce=max(0, nonce + step), above=above)

    return [(Outbox, "_first", changed)]


def _impatient() -> list[Change]:
    work = Outbox.work

    def changed(self: Outbox, head: Any, wanted: Any) -> Any:
        self.patience = 1 << 30
        return work(self, head, wanted)

    return [(Outbox, "work", changed)]


def _forget_now() -> list[Change]:
    forget = Journal.forget

    def changed(self: Journal, before: int) -> None:
        forget(self, before + ROUNDS_KEPT + 1)

    return [(Journal, "forget", changed)]


# The follower


def _newest(self: Follower, newest: Any) -> Any:
    return self._line[-1]


# Trainers and validators


def _publish_early() -> list[Change]:
    seal = trainer.seal

    def changed(me: Any, state: Any) -> Any:
        sealed = seal(me, state)
        me.store.put(sealed.content)
        return sealed

    return [(trainer, "seal", changed)]


def _other_salt() -> list[Change]:
    step = trainer.trainer_step

    def changed(me: Any, memory: Any, state: Any) -> Any:
        kept, actions = step(me, memory, state)
        return kept, [_resalted(one) for one in actions]

    return [(parts, "trainer_step", changed)]


def _resalted(action: Any) -> Any:
    if not isinstance(action, Reveal):
        return action
    return replace(action, opening=replace(action.opening, salt=bytes(31) + b"1"))


def _follow_the_first() -> list[Change]:
    recompute = validator.recompute

    def changed(me: Any, state: Any) -> Any:
        own = recompute(me, state)
        votes = list(state.round.attestations.values())
        return replace(own, result=votes[0].result) if votes else own

    return [(validator, "recompute", changed)]


def _keep_no_result() -> list[Change]:
    def changed(me: Any, state: Any, now: int) -> Any:
        if not validator.is_my_turn(me.address, state, now):
            return []
        return [Attest(state.number, me.address, validator.recompute(me, state).result)]

    return [(validator, "attest", changed)]


def _own_arithmetic() -> list[Change]:
    recompute = validator.recompute

    def changed(me: Any, state: Any) -> Any:
        own = recompute(me, state)
        if int(me.address, 16) % 2:
            own = replace(own, result=replace(own.result, paid=own.result.paid - 1))
        return own

    return [(validator, "recompute", changed)]


def _no_memory(self: ValidatorPart, state: Any) -> ValidatorMemory:
    return ValidatorMemory()


# The keeper, claims, the store


def _no_refund() -> list[Change]:
    step = sponsor.sponsor_step

    def changed(*args: Any, **kwargs: Any) -> Any:
        return [one for one in step(*args, **kwargs) if not isinstance(one, Refund)]

    import ostrom.node.relay.part as relay_part

    return [(parts, "sponsor_step", changed), (relay_part, "sponsor_step", changed)]


def _round_before() -> list[Change]:
    def changed(state: Any) -> Any:
        settled = [r.settled for r in state.rounds.values() if r.settled]
        return settled[max(0, len(settled) - 2)] if settled else None

    return [(balances, "last_settled", changed)]


def _never_again() -> list[Change]:
    note = peers.PeerStore._note

    def changed(self: Any, url: str, faults: int, began: float) -> None:
        note(self, url, faults, began)
        if url in self._standings:
            self._standings[url].until = float("inf")

    return [(peers.PeerStore, "_note", changed)]


def _one_peer() -> list[Change]:
    order = peers.PeerStore._order
    return [(peers.PeerStore, "_order", lambda self, cid: sorted(order(self, cid))[:1])]


PLANTED: tuple[Planted, ...] = (
    Planted("sends before writing down", _send_first),
    Planted("writes no transaction down", lambda: [(Journal, "keep_flight", _nothing)]),
    Planted("writes no update down", lambda: [(Journal, "keep_update", _nothing)]),
    Planted("writes no scores down", lambda: [(Journal, "keep_scores", _nothing)]),
    Planted("reads no update back", lambda: [(Journal, "updates", lambda self: {})]),
    Planted("journal does not wait for the disk", lambda: _pragma("PRAGMA synchronous = OFF")),
    Planted(
        "journal without rollback",
        lambda: _pragma("PRAGMA journal_mode = OFF"),
        needs=("crash before", "crash tears the disk", "disk fails"),
    ),
    Planted("forgets the round at hand", _forget_now),
    Planted("uses a nonce twice", lambda: _nonce(-1)),
    Planted("leaves a gap in the nonces", lambda: _nonce(1)),
    Planted(
        "offers nothing again",
        lambda: [(Outbox, "_again", lambda *args: [])],
        needs=("transaction lost",),
    ),
    Planted("never raises fees", _impatient, needs=("fees stay high",)),
    Planted(
        "raises fees too little",
        lambda: [(outbox, "_dearer", lambda fees, last: replace(fees, most=last.most + 1))],
        needs=("fees stay high",),
    ),
    Planted("acts on unconfirmed blocks", lambda: [(Follower, "_confirmed", _newest)]),
    Planted(
        "does not go back",
        lambda: [(Follower, "_go_back", lambda self, head: 0)],
        needs=("reorganisation",),
    ),
    Planted(
        "believes that it hears everything",
        lambda: [(Follower, "_check", _nothing)],
        needs=("logs missing",),
    ),
    Planted("publishes an update early", _publish_early),
    Planted("opens with another salt", _other_salt),
    Planted(
        "attests to whatever came first",
        _follow_the_first,
        lies={"validator-0": "wrong result"},
    ),
    Planted("keeps no copy of the result", _keep_no_result),
    Planted("computes in its own way", _own_arithmetic),
    Planted("forgets the committed scores", lambda: [(ValidatorPart, "_memory", _no_memory)]),
    Planted(
        "judges before all contents are there",
        lambda: [(parts, "is_incomplete", lambda *args: False)],
        needs=("fetch lost", "partition"),
    ),
    Planted(
        "pushes no phase on",
        lambda: [(sponsor, "due", lambda *args: ())],
        lies={"trainer-0": "silent reveal"},
    ),
    Planted(
        "carries out no sanction",
        lambda: [(sponsor, "sanctions", lambda *args: [])],
        lies={"trainer-0": "garbage"},
    ),
    Planted("keeps the rest of the pool", _no_refund, lies={"validator-0": "silent"}),
    Planted("claims what the round before said", _round_before),
    Planted(
        "accepts unverified blocks",
        lambda: [(peers, "verify_block", lambda cid, block, limit: block)],
        needs=("fetch gives wrong bytes",),
    ),
    Planted("never asks a peer again", _never_again, needs=("fetch lost",)),
    Planted("asks one peer only", _one_peer),
    Planted(
        "trusts its relay for ever",
        lambda: [(parts, "must_send_directly", lambda *args, **kwargs: False)],
        lies={"relay": "censor"},
    ),
)


def search(bug: Planted, seeds: Sequence[int] = SEEDS) -> Found:
    """The first seed that fails with the bug and passes without it."""
    for seed in seeds:
        fault = _fault_with(bug, seed)
        if fault and not bug.network(seed).run().fault:
            return Found(bug.name, seed, fault)
    return Found(bug.name, None, "")


def _fault_with(bug: Planted, seed: int) -> str:
    with bug.in_place():
        try:
            return bug.network(seed).run().fault
        except Exception as error:
            # What the bug broke is no error that a node expects.
            return f"{type(error).__name__}: {error}"


def _search_named(name: str) -> Found:
    return search(next(one for one in PLANTED if one.name == name))


def report(*, jobs: int = 1, names: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a bug is not found."""
    chosen = [one.name for one in PLANTED if not names or one.name in names]
    with ProcessPoolExecutor(jobs) as pool:
        found = list(_printed(pool.map(_search_named, chosen)))
    missed = [one for one in found if one.seed is None]
    print(f"{len(found) - len(missed)} of {len(found)} planted bugs found")
    return int(bool(missed))


def _printed(found: Iterator[Found]) -> Iterator[Found]:
    for one in found:
        told = "NOT FOUND" if one.seed is None else f"seed {one.seed:>2}: {one.fault[:120]}"
        print(f"{one.name:<40} {told}", flush=True)
        yield one
