"""What trainers keep between rounds: content-addressed in a folder of their own, with a journal.

A trainer's state (control variates, momentum, what a compression held back) never leaves it, but a
run that is killed must go on with the same bytes. Each round's states are written before its
commitments, under their CIDs; a round that is trained again starts from the states before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ostrom.errors import InputError, StoreError, TensorError
from ostrom.sim.folder import Row, read_rows, write_rows
from ostrom.storage import DirectoryStore
from ostrom.tensors import FILE_BYTES_MAX, decode_tensors, encode_tensors
from ostrom.types import Address, IntVector

JOURNAL = "states.jsonl"
STORE = "private"

State = Mapping[str, IntVector]


class States:
    """The trainers' states in a run's folder. Empty states are not written."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._rows: list[Row] = read_rows(out / JOURNAL)
        self._known: dict[str, State] = {}

    def before(self, number: int) -> dict[Address, State]:
        """The last state of each trainer from before that round.

        Raises:
            InputError: a state is missing or damaged.
        """
        last = {row["trainer"]: row["cid"] for row in self._rows if row["round"] < number}
        return {Address(trainer): self._load(cid) for trainer, cid in last.items()}

    def save(self, number: int, states: Mapping[Address, State]) -> None:
        """Keep the states after that round; those before the last round are forgotten."""
        kept = {address: state for address, state in states.items() if state}
        if not kept:
            return
        store = DirectoryStore(self._out / STORE, durable=False)
        rows = [row for row in self._rows if row["round"] < number]
        for address, state in kept.items():
            cid = store.put(encode_tensors(state))
            self._known[cid] = state
            rows.append({"round": number, "trainer": address, "cid": cid})
        self._rows = _last_two(rows)
        self._known = {row["cid"]: self._load(row["cid"]) for row in self._rows}
        write_rows(self._out / JOURNAL, self._rows)

    def _load(self, cid: str) -> State:
        if cid not in self._known:
            store = DirectoryStore(self._out / STORE, read_only=True)
            try:
                self._known[cid] = decode_tensors(store.get(cid, max_bytes=FILE_BYTES_MAX))
            except (StoreError, TensorError) as error:
                raise InputError(
                    f"a trainer's state is lost: {error}: start the run anew"
                ) from None
        return self._known[cid]


def _last_two(rows: list[Row]) -> list[Row]:
    """The two newest rows of each trainer: a round may have to be trained again."""
    newest: dict[str, list[Row]] = {}
    for row in rows:
        newest.setdefault(row["trainer"], []).append(row)
    return [row for mine in newest.values() for row in mine[-2:]]
