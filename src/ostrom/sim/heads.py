"""Where a run's folder stands: the task as its chain tells it, and the model in force."""

from __future__ import annotations

from pathlib import Path

from ostrom.aggregation import pipeline
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.errors import InputError
from ostrom.evidence import read_document
from ostrom.protocol import TaskState, replay
from ostrom.registry import load_model
from ostrom.sim.folder import CHAIN, STORE, contracts_of, read_run
from ostrom.spec import Spec
from ostrom.storage import DirectoryStore
from ostrom.types import IntVector


def read_state(out: Path) -> TaskState:
    """The task as the chain of a run tells it; every block is executed again.

    Raises:
        InputError: `out` holds no run, or none with a task yet.
        LedgerError: the chain is damaged.
    """
    document = read_run(out)
    if not document["task"]:
        raise InputError(f"{out} has no task yet: finish it with `ostrom demo --resume {out}`")
    ledger = EmbeddedLedger.load(out / CHAIN, resume=False)
    contracts_of(document).watch(ledger)
    log = ledger.events(0, ledger.block_number)
    return replay(TaskState(task_id=bytes.fromhex(document["task"])), log)


def head_tensors(out: Path, wanted: Spec) -> dict[str, IntVector]:
    """The head of a run, for a task that goes on from it: its parameters (d,), and what its server
    step kept of what the new task's server step keeps too.

    Raises:
        InputError: `out` holds no run, or its model is another one than `wanted` names.
        LedgerError, StoreError: the run is damaged.
    """
    state = read_state(out)
    store = DirectoryStore(out / STORE, read_only=True)
    spec = Spec.decode(read_document(store, state.rules.spec))
    if (spec.model, spec.shape, spec.classes) != (wanted.model, wanted.shape, wanted.classes):
        raise InputError(f"{out} trained {spec.model}, not {wanted.model}: start with its model")
    tensors = load_model(store, state.versions[state.head], spec)
    rule = pipeline(wanted.aggregation, fraction_bits=wanted.fraction_bits)
    kept = {f"state.{name}" for name in rule.initial_state(wanted.update_length)}
    return {name: part for name, part in tensors.items() if name in {"parameters", *kept}}
