"""A development chain that is not to outlive its process."""

from __future__ import annotations

from pathlib import Path

from ostrom.chain.rpc import RpcLedger
from ostrom.chain.wallet import simulation_key
from ostrom.network.anvil import COIN, Anvil


def test_a_chain_that_need_not_last_leaves_no_state_and_does_not_read_one(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("no state")
    chain, alice = Anvil(tmp_path, lasting=False), simulation_key(0, "alice")
    try:
        chain.give(alice.address, 3)
        ledger = RpcLedger(chain.url)
        assert ledger.client.balance(alice.address) == 3 * COIN
        ledger.close()
    finally:
        chain.stop()
    assert (tmp_path / "state.json").read_text() == "no state"
