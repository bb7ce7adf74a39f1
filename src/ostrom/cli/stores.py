"""Stores by the place that a user names: a folder, or a node's address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
        metavar="PLACE",
        help="Where the task's records are: a store's folder, or the URL of a node or gateway.",
    ),
]


@contextmanager
def open_store(place: str) -> Iterator[Store]:
    """A store to read from; what comes from a URL is verified like every block.

    Raises:
        InputError: there is none at that place.
    """
    from ostrom.storage import DirectoryStore, MemoryStore

    if not is_url(place):
        if not Path(place).is_dir():
            raise InputError(f"there is no store {place}: give a store's folder, or a node's URL")
        yield DirectoryStore(Path(place), read_only=True)
        return
    with _extra():
        from ostrom.storage.http import GatewayFetch
        from ostrom.storage.peers import PeerStore
    # The user named it, so it may be on this machine.
    fetch = GatewayFetch(allow_private=True)
    try:
        yield PeerStore(MemoryStore(), lambda: [place], fetch)
    finally:
        fetch.close()


@contextmanager
def open_sink(place: str) -> Iterator[Store]:
    """A store to publish in: a folder, or the Kubo node whose RPC is at a URL.

    Raises:
        InputError: the folder cannot be made, or the URL is none.
    """
    from ostrom.storage import DirectoryStore

    if not is_url(place):
        yield DirectoryStore(Path(place))
        return
    with _extra():
        from ostrom.storage.kubo import KuboStore
    store = KuboStore(place)
    try:
        yield store
    finally:
        store.close()


def is_url(place: str) -> bool:
    """True if the place is on the network."""
    return place.startswith(("http://", "https://"))


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise InputError(
            f"a store at a URL needs {error.name}: pip install 'ostrom[node]', or give a folder"
        ) from None
