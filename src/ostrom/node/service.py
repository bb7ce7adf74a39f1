"""The node as a process: one folder, one account, one task; it looks at the chain until it is told
to stop.

It outlives a chain that cannot be reached and content that is not to be had: it waits, longer each
time, and /health says so. It ends with a line and a code of its own where waiting mends nothing:
wrong settings, a full disk, a damaged journal. Whatever ends it, the journal lets it go on.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from ostrom.chain.keystore import load
from ostrom.chain.wallet import Key
from ostrom.node.config import NodeConfig
from ostrom.node.logs import Secrets, configure
from ostrom.node.looking import (
    WAIT_SECONDS_MAX,
    Agent,
    Ending,
    Looking,
    Pace,
    Stop,
    diagnose,
)
from ostrom.node.server import Board, Server, application
from ostrom.node.space import FULL

log = logging.getLogger(__name__)

LOCK = "lock"
ADDRESS = "address"
"""The file with the URL of the node's own pages, while it runs."""

STALE_SECONDS_MIN = 60.0
STALE_POLLS = 10
WAIT_POLLS = 30


@dataclass(frozen=True)
class Desk:
    """What the process lends its agent: the key, what logs must not show, board and server."""

    config: NodeConfig
    key: Key
    secrets: Secrets
    board: Board
    server: Server


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a node's folder for this process; it is made if it is not there.

    Raises:
        Stop: another process uses it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (folder / LOCK).open("a+")
    except OSError as error:
        if error.errno in FULL:
            raise
        line = f"cannot use the folder {folder}: {error.strerror or error}"
        raise Stop(Ending.SETTINGS, line) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            who = file.read(32).strip() or "unknown"
            line = (
                f"another node (process {who}) uses the folder {folder}: stop it, or give another"
            )
            raise Stop(Ending.IN_USE, line) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        # The file stays: whoever removed it could let a second node lock a new one.
        yield


@contextmanager
def signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set `stop`; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()
        log.info("told to stop: finishing what is under way; once more ends at once")

    before = {one: signal.signal(one, handle) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, former in before.items():
            signal.signal(one, former)


def run(
    config: NodeConfig,
    passphrase: Callable[[], str],
    assemble: Callable[[Desk], Agent],
    *,
    stop: threading.Event | None = None,
) -> Ending:
    """Run a node until it is told to stop, or must; the reason is the last line of its log.

    Args:
        config: its settings.
        passphrase: opens the keystore; asked once.
        assemble: makes what is driven; it may not need the chain yet.
        stop: set it from another thread to end the node.
    """
    secrets = Secrets()
    for url in (*config.rpc, *config.peers, *config.relays):
        secrets.protect_url(url)
    configure(level=config.log_level, form=config.log_format, secrets=secrets)
    try:
        with ExitStack() as stack:
            ending = _run(config, passphrase, assemble, stop or threading.Event(), secrets, stack)
        log.info("stopped")
        return ending
    except Exception as error:
        why = diagnose(error) or Stop(Ending.BROKEN, str(error))
        log.error("%s", why.line, exc_info=error if why.ending == Ending.BROKEN else None)
        return why.ending


def _run(
    config: NodeConfig,
    passphrase: Callable[[], str],
    assemble: Callable[[Desk], Agent],
    stop: threading.Event,
    secrets: Secrets,
    stack: ExitStack,
) -> Ending:
    stack.enter_context(locked(config.folder))
    stack.enter_context(signals(stop))
    key = _open(config, passphrase, secrets)
    stale = max(STALE_SECONDS_MIN, STALE_POLLS * config.poll_seconds)
    board = Board(time.monotonic, stale)
    server = stack.enter_context(Server(application(board), config.listen))
    stack.enter_context(_announced(config.folder / ADDRESS, server.url))
    if not config.listen.loopback:
        log.warning("other machines can reach %s: see that they should", server.url)
    agent = assemble(Desk(config, key, secrets, board, server))
    stack.callback(agent.close)
    # Before its files: a request that comes late finds no server rather than no files.
    stack.callback(server.close)
    log.info("%s for task %s, pages at %s", ", ".join(config.role), config.task, server.url)
    pace = Pace(config.poll_seconds, most=min(WAIT_SECONDS_MAX, WAIT_POLLS * config.poll_seconds))
    return Looking(agent, board, pace, stop).run()


def _open(config: NodeConfig, passphrase: Callable[[], str], secrets: Secrets) -> Key:
    """The node's key; its passphrase goes into no line of the log."""
    word = passphrase()
    secrets.protect(word)
    return load(config.keystore, word)


@contextmanager
def _announced(file: Path, url: str) -> Iterator[None]:
    """Write the node's own address down while it runs, for who looks for it on this machine."""
    temporary = file.with_name(f".{file.name}")
    temporary.write_text(f"{url}\n", "ascii")
    os.replace(temporary, file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
