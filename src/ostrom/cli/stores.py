"""Stores by the place that a user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostrom.errors import InputError

if TYPE_CHECKING:
    from ostrom.storage import Store

StorePlace = Annotated[
    str,
    typer.Option(
        "--store",
        envvar="OSTROM_STORE",
        metavar="FOLDER",
        help="The folder of a store that holds the task's records.",
    ),
]


def open_store(place: str) -> Store:
    """A store to read from.

    Raises:
        InputError: there is none at that place.
    """
    from ostrom.storage import DirectoryStore

    if not Path(place).is_dir():
        raise InputError(f"there is no store {place}: give the folder of one")
    return DirectoryStore(Path(place), read_only=True)
