from __future__ import annotations

import socket
from typing import Any

import pytest

from ostrom.chain.refusals import failure as _failure
from ostrom.chain.rpc import RpcLedger
from ostrom.codec import keccak, words
from ostrom.errors import CONTRACT_ERRORS, ContractError, LedgerError

REVERT = (keccak(b"TrainingExpired(uint256)")[:4] + words(7)).hex()


def test_a_refused_connection_says_what_to_check() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(LedgerError, match=f"cannot reach the node at http://127.0.0.1:{port}"):
        RpcLedger(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1"])
def test_what_is_no_url_says_what_to_check(url: str) -> None:
    with pytest.raises(LedgerError, match="check that it runs and that the URL is right"):
        RpcLedger(url)


@pytest.mark.parametrize(
    "data",
    [
        f"0x{REVERT}",
        f"Reverted 0x{REVERT}",
        {"data": f"0x{REVERT}"},
        {"result": f"0x{REVERT}"},
        {"data": {"data": f"0x{REVERT}"}},
    ],
)
def test_a_revert_is_understood_whichever_way_the_node_reports_it(data: Any) -> None:
    found = _failure("eth_call", {"code": 3, "message": "execution reverted", "data": data})
    assert type(found) is CONTRACT_ERRORS["TrainingExpired"]
    assert str(found) == "the contract refused: TrainingExpired(deadline=7)"


def test_a_revert_without_data_is_a_contract_error() -> None:
    found = _failure("eth_call", {"code": -32000, "message": "execution reverted"})
    assert type(found) is ContractError


@pytest.mark.parametrize(
    "error", ["a text", {"message": "nonce too low"}, {"code": 1}, {"message": "x", "data": "0xzz"}]
)
def test_any_other_failure_is_a_ledger_error(error: Any) -> None:
    found = _failure("eth_sendRawTransaction", error)
    assert type(found) is LedgerError
    assert str(found).startswith("eth_sendRawTransaction failed: ")
