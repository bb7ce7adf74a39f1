"""A run's folder: which files it holds and how they are read and replaced."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ostrom.chain.deployment import Deployment
from ostrom.codec import decode_document, encode_document, parse_json
from ostrom.errors import CodecError, InputError
from ostrom.sim.config import RunConfig

FORMAT = "ostrom/run/1"
CHAIN = "chain.jsonl"
RUN = "run.json"
STORE = "store"
HISTORY = "history.jsonl"
TIMINGS = "timings.jsonl"

Row = dict[str, Any]

_HEX = re.compile(r"([0-9a-f]{64})?", re.ASCII)


def read_run(out: Path) -> Row:
    """A run's `run.json`: its config, the task, and where the contracts are.

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        document = decode_document((out / RUN).read_bytes())
    except OSError:
        raise InputError(f"{out} holds no run: there is no {RUN} in it") from None
    except CodecError as error:
        raise InputError(f"{out / RUN} is damaged: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"{out} was made by a version that this one cannot read")
    if not (_HEX.fullmatch(str(document.get("task"))) and _are_objects(document)):
        raise InputError(f"{out / RUN} is damaged: a field is missing or of another kind")
    return document


def _are_objects(document: Row) -> bool:
    return all(isinstance(document.get(name), dict) for name in ("config", "contracts"))


def write_run(out: Path, config: RunConfig, *, task: str, contracts: Row) -> None:
    """Write `run.json`; before the task exists, `task` is empty."""
    fields = config.model_dump(mode="json")
    # How many processes trained is no part of what was computed.
    fields["workers"] = None
    document = {"format": FORMAT, "config": fields, "task": task, "contracts": contracts}
    replace_file(out / RUN, encode_document(document))


def contracts_of(document: Row) -> Deployment:
    """Where a run's contracts are."""
    return Deployment.at(document["contracts"])


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file in one step, so that a killed process leaves the old or the new one."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Rows of plain values, one JSON line each, keys sorted."""
    lines = [json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n" for row in rows]
    replace_file(path, "".join(lines).encode())


def read_rows(path: Path) -> list[Row]:
    """The rows of a file, none if it does not exist.

    Raises:
        InputError: a line is damaged.
    """
    if not path.is_file():
        return []
    try:
        rows = [parse_json(line) for line in path.read_bytes().splitlines()]
    except CodecError as error:
        raise InputError(f"{path} is damaged: {error}") from None
    if not all(isinstance(row, dict) and "round" in row for row in rows):
        raise InputError(f"{path} is damaged: a line is no row of a round")
    return rows
