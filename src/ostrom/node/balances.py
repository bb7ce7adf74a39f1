"""What the last settled round says that everybody has earned and is guilty of, with the proofs.

All who claim in one process ask for the same record, so the last answers are kept: a proof then
costs a look into a tree instead of the tree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ostrom.codec import merkle_levels, merkle_path
from ostrom.evidence import balances_of, last_settled
from ostrom.incentives import balance_leaves
from ostrom.protocol import TaskState
from ostrom.storage import Store
from ostrom.types import Address, Digest


@dataclass(frozen=True)
class Proved:
    """Amounts by account, in order of address, and the tree that proves each of them."""

    amounts: Mapping[Address, int]
    positions: Mapping[Address, int]
    levels: list[list[Digest]]

    @classmethod
    def of(cls, task_id: Digest, amounts: Mapping[Address, int]) -> Proved:
        """The tree of a record's balances."""
        positions = {one: at for at, one in enumerate(sorted(amounts, key=str.lower))}
        return cls(amounts, positions, merkle_levels(balance_leaves(task_id, amounts)))

    def proof(self, account: Address) -> tuple[Digest, ...]:
        """What shows the contract that the account has its amount."""
        return tuple(merkle_path(self.levels, self.positions[account]))


@dataclass(frozen=True)
class Settled:
    """The balances of the last settled round."""

    payouts: Proved
    strikes: Proved


def last_settled_balances(store: Store, state: TaskState) -> Settled | None:
    """The balances after the last settled round, with their proofs; None before the first.

    Raises:
        StoreError: the record is not there, or it is damaged.
        CodecError: the record is none.
    """
    last = last_settled(state)
    return None if last is None else _settled(store, last.record, state.task_id)


@lru_cache(maxsize=2)
def _settled(store: Store, record: Digest, task_id: Digest) -> Settled:
    found = balances_of(store, record)
    return Settled(Proved.of(task_id, found.payouts), Proved.of(task_id, found.strikes))
