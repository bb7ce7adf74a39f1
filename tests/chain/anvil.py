"""A real development node for tests: anvil on a free port of the loopback interface."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 10


class Anvil:
    """A node that runs while the context is open; `url` is where it answers.

    Args:
        mining: False if blocks are made only by `evm_mine`.
        block_time: seconds between blocks; without it every transaction gets one at once.
        options: further options of the command line.
    """

    def __init__(
        self,
        *,
        chain_id: int = 31337,
        mining: bool = True,
        block_time: int | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.chain_id = chain_id
        self.url = ""
        self._options = ["--host", "127.0.0.1", "--port", "0", "--chain-id", str(chain_id)]
        self._options += [] if mining else ["--no-mining"]
        self._options += [] if block_time is None else ["--block-time", str(block_time)]
        self._options += options
        self._node: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Anvil:
        # A pipe that nobody empties would stop the node.
        self._words = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._node = subprocess.Popen(
            [binary(), *self._options],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=self._words,
            stderr=subprocess.STDOUT,
        )
        try:
            self.url = self._listening(self._node)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        node, self._node = self._node, None
        if node is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if node.poll() is None:
                os.killpg(node.pid, number)
            try:
                node.wait(STOP_SECONDS_MAX)
                break
            except subprocess.TimeoutExpired:
                continue
        self._words.close()

    def _listening(self, node: subprocess.Popen[bytes]) -> str:
        """The URL that the node prints once it answers."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while node.poll() is None and time.monotonic() < deadline:
            self._words.seek(0)
            found = re.search(r"^Listening on (127\.0\.0\.1:\d+)$", self._words.read(), re.M)
            if found:
                return f"http://{found[1]}"
            time.sleep(0.02)
        return pytest.fail(f"anvil did not answer within {START_SECONDS_MAX} s")


def binary() -> str:
    """The command that the project's `npm ci` installs."""
    path = ROOT / "node_modules" / ".bin" / "anvil"
    if not path.exists() or shutil.which("node") is None:
        pytest.fail("anvil is missing: install Node 20 and run `npm ci` in the project's root")
    return str(path)
