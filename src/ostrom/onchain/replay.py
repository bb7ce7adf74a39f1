"""The model at any past block, from events alone: what anybody can check or recover.

A trainer logs what the model learnt, the model what it was loaded with and how it grew. Replaying
them gives the same words as the contract's storage, in every block.

Threat: a model that is not what its history makes it; compare `replay` with `state()`. Not
answered: a node that leaves events out, see `ostrom.audit` for a chain that is replayed whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from ostrom.chain.contracts import Contract
from ostrom.chain.ledger import Ledger
from ostrom.errors import LedgerError
from ostrom.onchain.models.model import Model
from ostrom.onchain.records import Contribution
from ostrom.types import Address, Logged, OtherEvent

S = TypeVar("S")

WORD_BYTES = 32


def watch(ledger: Ledger, *contracts: Contract) -> None:
    """Let the ledger decode the events of these contracts."""
    ledger.watch({each.address: type(each).__name__ for each in contracts})


def contributions(events: Iterable[Logged]) -> Iterator[tuple[int, Contribution]]:
    """The block and the data of every contribution that a trainer logged."""
    for logged in events:
        event = logged.event
        if isinstance(event, OtherEvent) and event.name == "Added":
            yield logged.block, _contribution(event)


def replay(model: Model[S], start: S, events: Iterable[Logged]) -> S:
    """The model's state after the events of its contract and of its trainer, in their order.

    `start` is the state at deployment, before the first event.

    Raises:
        LedgerError: the events do not follow from each other.
    """
    state, given = start, dict[int, tuple[bytes, int]]()
    for logged in events:
        event = logged.event
        if not isinstance(event, OtherEvent):
            continue
        found: Mapping[str, Any] = event.arguments
        if event.name == "Added":
            one = _contribution(event)
            given[one.nonce] = (one.features, one.label)
            state = model.learn(state, one.features, one.label)[0]
        elif event.name == "ContributionQueued":
            given[found["number"]] = (found["x"], found["label"])
        elif event.name == "Relearnt" or (
            event.name == "ContributionLearnt" and not found["refused"]
        ):
            number = found["nonce" if event.name == "Relearnt" else "number"]
            if number not in given:
                raise LedgerError(f"contribution {number} was learnt but never given")
            state = model.learn(state, *given[number])[0]
        elif event.name == "Loaded":
            state = model.load(_overwritten(model.dump(state), found["first"], found["words"]))
        elif event.name == "Grown":
            state = model.widen(
                state,
                classes=found["classes"] - model.classes(state),
                features=found["features"] - model.features(state),
            )
    return state


def state_at(ledger: Ledger, model: Model[S], *, start: S, block: int) -> S:
    """The state after a block, from the events of the watched contracts up to it."""
    return replay(model, start, ledger.events(0, block))


def _contribution(event: OtherEvent) -> Contribution:
    found: Mapping[str, Any] = event.arguments
    return Contribution(
        features=found["features"],
        label=found["label"],
        time=found["time"],
        contributor=Address(found["contributor"]),
        nonce=found["nonce"],
    )


def _overwritten(words: bytes, first: int, new: bytes) -> bytes:
    at = first * WORD_BYTES
    return words[:at] + new + words[at + len(new) :]
