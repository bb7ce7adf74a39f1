"""The same hundred clients in Flower: MLP 784-64-10, FedAvg, batch 10, one local epoch.

Run by an interpreter that has `flwr[simulation]` and numpy:

    python benchmarks/flower_app.py FOLDER ROUNDS CLIENTS CPUS

The folder holds the images and labels as x.npy and y.npy. It prints one JSON object: Flower's
version and the seconds between the ends of rounds. It is made as fast as Flower allows: clients are
plain numpy, nobody evaluates, and a client reads its images from a memory map.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import flwr
import numpy as np
from flwr.client import ClientApp, NumPyClient
from flwr.common import ndarrays_to_parameters
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.simulation import run_simulation

HIDDEN, CLASSES, BATCH, RATE = 64, 10, 10, 0.01


def initial(pixels: int) -> list[Any]:
    """The model's four tensors."""
    rng = np.random.default_rng(0)
    return [
        rng.normal(0, pixels**-0.5, (pixels, HIDDEN)).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        rng.normal(0, HIDDEN**-0.5, (HIDDEN, CLASSES)).astype(np.float32),
        np.zeros(CLASSES, np.float32),
    ]


def epoch(tensors: list[Any], x: Any, y: Any, rng: np.random.Generator) -> list[Any]:
    """One epoch of stochastic gradient descent."""
    w1, b1, w2, b2 = (tensor.copy() for tensor in tensors)
    order = rng.permutation(len(y))
    for first in range(0, len(y), BATCH):
        rows = order[first : first + BATCH]
        batch, labels = x[rows], y[rows]
        hidden = np.maximum(batch @ w1 + b1, 0)
        logits = hidden @ w2 + b2
        logits -= logits.max(axis=1, keepdims=True)
        slope = np.exp(logits)
        slope /= slope.sum(axis=1, keepdims=True)
        slope[np.arange(len(rows)), labels] -= 1
        slope /= len(rows)
        back = (slope @ w2.T) * (hidden > 0)
        w2 -= RATE * (hidden.T @ slope)
        b2 -= RATE * slope.sum(axis=0)
        w1 -= RATE * (batch.T @ back)
        b1 -= RATE * back.sum(axis=0)
    return [w1, b1, w2, b2]


def client_app(data: Path, clients: int) -> Any:
    """A client that trains on its own part of the data."""

    class Client(NumPyClient):
        def __init__(self, index: int) -> None:
            self.index = index

        def fit(self, parameters: list[Any], config: Any) -> tuple[list[Any], int, dict[str, Any]]:
            x, y = np.load(data / "x.npy", mmap_mode="r"), np.load(data / "y.npy", mmap_mode="r")
            each = len(y) // clients
            own = slice(self.index * each, (self.index + 1) * each)
            images = np.asarray(x[own], np.float32) / 255
            made = epoch(parameters, images, np.asarray(y[own]), np.random.default_rng(self.index))
            return made, each, {}

    return ClientApp(
        client_fn=lambda context: Client(int(context.node_config["partition-id"])).to_client()
    )


def main() -> None:
    """Run the simulation and print what a round took."""
    data, rounds, clients, cpus = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    ends: list[float] = []

    class Timed(FedAvg):
        def aggregate_fit(self, server_round: int, results: Any, failures: Any) -> Any:
            assert len(results) == clients, f"{len(results)} of {clients} clients answered"
            made = super().aggregate_fit(server_round, results, failures)
            ends.append(time.perf_counter())
            return made

    def server(context: Any) -> Any:
        strategy = Timed(
            fraction_fit=1.0,
            fraction_evaluate=0.0,
            min_fit_clients=clients,
            min_available_clients=clients,
            initial_parameters=ndarrays_to_parameters(initial(784)),
        )
        return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=rounds))

    began = time.perf_counter()
    run_simulation(
        server_app=ServerApp(server_fn=server),
        client_app=client_app(data, clients),
        num_supernodes=clients,
        backend_config={
            "init_args": {"num_cpus": cpus, "log_to_driver": False},
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        },
    )
    seconds = [after - before for before, after in pairwise(ends)]
    print(json.dumps({"flwr": flwr.__version__, "start_up": ends[0] - began, "rounds": seconds}))


if __name__ == "__main__":
    main()
