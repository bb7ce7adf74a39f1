"""A small finished run, written by hand."""

from __future__ import annotations

from typing import Any

import pytest

ALICE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
MALLORY = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
OSTR = 10**18


def round_row(number: int, **changed: Any) -> dict[str, Any]:
    scored = {"check": "", "score": 12_000, "payout": str(7 * OSTR), "samples": 30}
    refused = {"check": "tensor", "score": None, "payout": "0", "samples": 30}
    row = {
        "round": number,
        "void": False,
        "accuracy": 0.5 + number / 10,
        "loss": 1.0 / number,
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "client_accuracy": 0.9,
        "client_loss": 0.3,
        "gas": {"commit": 20_000, "reveal": 26_001, "score": 4, "attest": 5, "other": 6},
        "bytes": {"updates": 2_000, "calldata": 300},
        "seconds": {"training": 1.5, "chain": 0.5},
        "trainers": {ALICE: scored, MALLORY: refused},
    }
    return row | changed


def trainer(name: str, address: str, behaviour: str = "honest") -> dict[str, Any]:
    return {
        "name": name,
        "address": address,
        "samples": 30,
        "classes": [27, 3],
        "payout": str(14 * OSTR) if behaviour == "honest" else "0",
        "score_sum": 24_000,
        "strikes": 0,
        "slashed": "0",
        "behaviour": behaviour,
    }


@pytest.fixture
def summary() -> dict[str, Any]:
    return {
        "ostrom": "0.1.0",
        "config": {"dataset": "digits", "clients": 2, "rounds": 2, "seed": 1, "skew": "iid"},
        "task": "ab" * 32,
        "dataset": {
            "name": "digits", "train": 60, "dev": 10, "test": 20, "classes": 2, "shape": [8, 8],
        },
        "model": {"text": "logistic", "parameters": 130},
        "initial": round_row(1, round=0) | {"accuracy": 0.1, "loss": 2.3, "trainers": {}},
        "rounds": [round_row(1), round_row(2)],
        "final": {
            "accuracy": 0.7,
            "loss": 0.5,
            "precision": 0.7,
            "recall": 0.7,
            "f1": 0.7,
            "per_class": [
                {"class": i, "precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 10}
                for i in range(2)
            ],
            "confusion": [[7, 3], [3, 7]],
        },
        "trainers": [
            trainer("trainer-0", ALICE), trainer("trainer-1", MALLORY, "garbage"),
        ],
        "validators": [
            {
                "name": "validator-0", "address": ALICE, "holdout": 10, "payout": str(OSTR),
                "strikes": 0, "behaviour": "honest",
            }
        ],
        "totals": {
            "gas": 92_032, "bytes": 4_600, "seconds": 4.0, "training_seconds": 3.0,
            "other_share": 0.25, "pool": str(100 * OSTR), "paid": str(15 * OSTR),
            "refunded": str(85 * OSTR),
        },
        "audit": None,
    }  # fmt: skip


@pytest.fixture
def audited() -> dict[str, Any]:
    return {
        "task": "ab" * 32,
        "passed": True,
        "rounds_settled": 2,
        "checks": [
            {"check": "chain", "round": None, "passed": True, "detail": "9 blocks"},
            {"check": "result", "round": 1, "passed": True, "detail": "equal"},
        ],
    }
