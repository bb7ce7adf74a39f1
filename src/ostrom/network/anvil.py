"""A development chain on this machine: anvil, whose state outlives it.

anvil (https://getfoundry.sh/anvil/reference/) mines a block for each transaction while a network is
set up, and one each second afterwards. Its clock stands still while it is down, so that no phase of
a task runs out meanwhile.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ostrom.chain.rpc import RpcLedger
from ostrom.errors import InputError, LedgerError
from ostrom.network.processes import LOOPBACK, Process, free_port, listens, stop, wait_until
from ostrom.types import Address

VARIABLE = "OSTROM_ANVIL"
INSTALLED = Path("node_modules/.bin/anvil")
CHAIN_ID = 31_337
BLOCK_SECONDS = 1
STATE_SECONDS = 15
"""A killed chain forgets at most that many seconds; the nodes send again what was lost."""

STATES = 160
"""States that are kept: nodes ask for those of the last 128 blocks when they start."""

READY_SECONDS_MAX = 60.0
COIN = 10**18


def anvil_binary() -> str:
    """The program.

    Raises:
        InputError: it is not on this machine; the line says how to get it.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if shutil.which(named) is None:
            raise InputError(f"{VARIABLE} names {named}, which is no program")
        return named
    found = str(INSTALLED) if INSTALLED.exists() else shutil.which("anvil")
    if found is None or (found == str(INSTALLED) and shutil.which("node") is None):
        raise InputError(
            "there is no anvil: run `npm install @foundry-rs/anvil` here (it needs Node 20), put "
            f"one on the PATH, name one in {VARIABLE}, or give the --rpc URL of another chain"
        )
    return found


class Anvil:
    """A chain in a folder."""

    def __init__(self, folder: Path, *, lasting: bool = True) -> None:
        """Start it, from its last state if there is one.

        Args:
            lasting: write the state down, so that a later one goes on from it. That takes longer
                the more accounts there are, every few seconds.

        Raises:
            InputError: the program is not there.
            LedgerError: it does not answer in time.
        """
        state, port = folder / "state.json", free_port()
        again = lasting and state.exists()
        command = [anvil_binary(), "--host", LOOPBACK, "--port", str(port), "--silent"]
        command += ["--chain-id", str(CHAIN_ID), "--prune-history", str(STATES)]
        if lasting:
            command += ["--state", str(state), "--preserve-historical-states"]
            command += ["--state-interval", str(STATE_SECONDS)]
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://{LOOPBACK}:{port}"
        self.process = Process("chain", command, log=folder / "anvil.log")
        try:
            self._wait(port)
            if again:
                self._go_on()
        except BaseException:
            stop([self.process])
            raise

    def _wait(self, port: int) -> None:
        def told() -> bool:
            return self.process.status is not None or listens(port)

        if not wait_until(told, READY_SECONDS_MAX) or self.process.status is not None:
            raise LedgerError(f"the chain does not start: {self.process.last_words()}")

    def _go_on(self) -> None:
        """Let the clock go on from the last block."""
        ledger = RpcLedger(self.url)
        ledger.request("evm_setTime", hex(1_000 * (ledger.now() + 1)))
        ledger.close()

    def give(self, account: Address, coins: int = 100) -> None:
        """Set an account's balance, in whole coins."""
        ledger = RpcLedger(self.url)
        ledger.request("anvil_setBalance", account, hex(coins * COIN))
        ledger.close()

    def tick(self) -> None:
        """Mine a block each second from now on, whether there are transactions or not."""
        ledger = RpcLedger(self.url)
        ledger.request("evm_setAutomine", False)
        ledger.request("evm_setIntervalMining", BLOCK_SECONDS)
        ledger.close()

    def stop(self) -> None:
        """Let it write its state down and end."""
        stop([self.process])
