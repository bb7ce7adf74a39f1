"""Three validators of a chain carry a contract, lose one of them, and agree again.

The chain is EthereumJS under Clique. A federation on it takes minutes: `tests/soak/clique.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.soak.clique import COINS, INSTALLED, new_chain

from ostrom.chain.contracts import AllowList
from ostrom.chain.deployment import deploy_allow_list
from ostrom.chain.rpc import RpcLedger
from ostrom.chain.wallet import Key
from ostrom.errors import InputError, LedgerError
from ostrom.network.clique import VARIABLE, Clique, Genesis, client_folder
from ostrom.network.processes import wait_until

ALICE, BOB = Key(b"a" * 32), Key(b"b" * 32)
SECONDS_MAX = 60


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clique]:
    monkeypatch.setenv(VARIABLE, os.environ.get(VARIABLE) or str(INSTALLED))
    try:
        client_folder()
    except InputError as error:
        pytest.fail(f"{error}; for tests: npm install --prefix tests/foreign", pytrace=False)
    with new_chain(tmp_path / "chain", {ALICE.address: COINS}) as made:
        yield made


def test_a_missing_client_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(InputError, match=f"there is no EthereumJS in {tmp_path}: run `npm "):
        client_folder()


def test_keys_of_others_than_the_signers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not those of the genesis block"):
        Clique.create(tmp_path, Genesis(1, (ALICE.address,), {}), [b"b" * 32])


def test_validators_carry_a_contract_lose_one_and_agree_again(chain: Clique) -> None:
    ledger = RpcLedger(chain.urls, confirmations=1)
    members = deploy_allow_list(ledger, ALICE)
    victim, *others = chain.sealers
    assert victim.process is not None
    victim.process.kill()
    added = ledger.send(members.add([BOB.address]), ALICE)
    ledger.close()
    assert all(one.head()[0] >= added.block for one in others)

    chain.start_one(victim)
    assert wait_until(lambda: chain.common_height() > added.block, SECONDS_MAX)
    for sealer in chain.sealers:
        assert wait_until(partial(holds_bob, members, sealer.url), SECONDS_MAX)
        # Nothing is written where the test runs.
        assert (sealer.folder / "client.log").exists()


def holds_bob(members: AllowList, url: str) -> bool:
    """What one validator's own state says; False also while it still computes its newest block."""
    ledger = RpcLedger(url)
    try:
        return members.is_member(ledger, bytes(32), account=BOB.address)
    except LedgerError:
        return False
    finally:
        ledger.close()
