"""A small trainer and four people, on the reference."""

from __future__ import annotations

from ostrom.onchain.deposit_refund_take import DepositRefundTake, Rules
from ostrom.onchain.features import encode_tokens
from ostrom.onchain.models import sparse_centroid
from ostrom.onchain.models.sparse_centroid import SparseCentroidState
from ostrom.onchain.points import Points
from ostrom.onchain.records import Trainer
from ostrom.types import Address

OWNER, ALICE, BOB, MALLORY = (Address(f"0x{i:040x}") for i in range(1, 5))
CAT, DOG = encode_tokens([1, 2, 3]), encode_tokens([6, 7, 8])


MODEL = sparse_centroid()
NOW = 1_767_225_600
BASE = 1_000


def trainer() -> Trainer[SparseCentroidState]:
    """Knows two cats (0) and two dogs (1)."""
    state = MODEL.start(2, 10)
    for _ in range(2):
        for label, x in enumerate((CAT, DOG)):
            state, _ = MODEL.learn(state, x, label)
    return Trainer(OWNER, state)


def deposits() -> DepositRefundTake[SparseCentroidState]:
    """That trainer with deposits."""
    return DepositRefundTake(Rules(base=BASE), trainer())


def points() -> Points[SparseCentroidState]:
    """That trainer with points."""
    return Points(trainer())
