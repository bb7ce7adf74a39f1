"""A cohort: what it refuses, and the same bytes whichever way it is trained."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from ostrom.data import load_dataset, partition
from ostrom.errors import InputError
from ostrom.tensors import quantise
from ostrom.training import Start, build_model, close, local_algorithm, train_cohort
from ostrom.training.cohort import CHUNK_TRAINERS

DIGITS = load_dataset("digits").train
FEDAVG = local_algorithm("fedavg(epochs=2)")


def shares(n: int, size: int) -> list:
    rng = np.random.default_rng(0)
    parts = partition("dirichlet(alpha=1)", DIGITS.y[: n * size], n, rng)
    return [DIGITS.subset(part if len(part) else np.array([0])) for part in parts]


def train(text: str, n: int, *, workers: int, algorithm: object = FEDAVG) -> list[bytes]:
    model = build_model(text, shape=(8, 8), classes=10)
    start = Start(quantise(model.initial(0)))
    cohort = train_cohort(model, algorithm, start, shares(n, 12), range(n), workers=workers)
    return [update.values.tobytes() for update, _ in cohort]


def test_refuses_a_seed_too_few() -> None:
    model = build_model("logistic", shape=(8, 8), classes=10)
    with pytest.raises(InputError, match="one seed"):
        train_cohort(model, FEDAVG, Start(quantise(model.initial(0))), [DIGITS, DIGITS], [1])


def test_refuses_a_trainer_without_examples() -> None:
    model = build_model("logistic", shape=(8, 8), classes=10)
    nothing = DIGITS.subset(np.zeros(0, np.int64))
    with pytest.raises(InputError, match="at least one example"):
        train_cohort(model, FEDAVG, Start(quantise(model.initial(0))), [DIGITS, nothing], [1, 2])


def test_worker_processes_give_the_bytes_of_a_single_process() -> None:
    try:
        assert train("federated_net", 3, workers=2) == train("federated_net", 3, workers=1)
        wild = local_algorithm("fedavg(lr=1000000)")
        with pytest.raises(InputError, match="diverged"):
            train("federated_net", 3, workers=2, algorithm=wild)
    finally:
        close()


def test_threads_give_the_bytes_of_one_thread_for_small_models() -> None:
    n = CHUNK_TRAINERS + 5
    assert train("mlp(hidden=8)", n, workers=2) == train("mlp(hidden=8)", n, workers=1)


@pytest.mark.parametrize("text", ["mlp(hidden=8)", "federated_net"])
def test_the_machines_thread_count_changes_nothing(text: str) -> None:
    before, runs = torch.get_num_threads(), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        runs.append(train(text, 2, workers=1))
        assert torch.get_num_threads() == threads
    torch.set_num_threads(before)
    assert runs[0] == runs[1]


@pytest.mark.parametrize("algorithm", ["fedavg(batch=5,epochs=2)", "fedprox(mu=0.5)"])
def test_ragged_trainers_in_one_call_learn_what_they_learn_alone(algorithm: str) -> None:
    model, chosen = build_model("mlp", shape=(8, 8), classes=10), local_algorithm(algorithm)
    start, data = Start(quantise(model.initial(0))), shares(6, 20)
    assert len({len(one) for one in data}) > 3
    together = train_cohort(model, chosen, start, data, range(6))
    for i, (update, _) in enumerate(together):
        alone, _ = chosen(model, start, data[i], np.random.default_rng(i), {})
        assert np.abs(update.values - alone.values).max() <= 4
        assert update.samples == alone.samples


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_ends_parent_and_workers_in_silence() -> None:
    code = (
        "import signal, time\n"
        "from ostrom.training import warm, close\n"
        "if __name__ == '__main__':\n"
        # A shell in the background starts its children deaf to Ctrl-C.
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "    warm(2)\n"
        "    print('ready', flush=True)\n"
        "    try:\n"
        "        time.sleep(30)\n"
        "    except KeyboardInterrupt:\n"
        "        close()\n"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")
