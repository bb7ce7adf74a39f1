"""Sending and waiting: what is lost, stuck, interrupted or refused is never done twice."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from tests.chain.anvil import Anvil
from tests.chain.fault_proxy import FaultProxy

from ostrom.chain import rpc
from ostrom.chain.client import Fees
from ostrom.chain.contracts import Token
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call, Receipt
from ostrom.chain.refusals import NonceTooLow, Underpriced, Unreachable, failure, is_known
from ostrom.chain.rpc import RpcLedger, Unsettled
from ostrom.chain.rpc_client import RpcClient
from ostrom.chain.wallet import Key, simulation_key
from ostrom.codec import keccak, words
from ostrom.errors import CONTRACT_ERRORS, ContractError, LedgerError

REVERT = (keccak(b"TrainingExpired(uint256)")[:4] + words(7)).hex()
BOB = simulation_key(0, "bob").address
SUPPLY = 100


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    """A node that makes blocks only when it is told to."""
    with Anvil(mining=False) as node:
        yield node


@pytest.fixture
def direct(anvil: Anvil) -> RpcClient:
    return RpcClient([anvil.url])


@pytest.fixture
def alice(direct: RpcClient) -> Key:
    key = Key.generate()
    direct.request("anvil_setBalance", key.address, hex(10**20))
    direct.request("evm_mine")
    return key


@pytest.fixture
def token(anvil: Anvil, direct: RpcClient, alice: Key) -> Token:
    call = Call("Token", NOWHERE, CONSTRUCTOR, (alice.address, SUPPLY))
    created = beside(lambda: RpcLedger(anvil.url).send(call, alice), mining(direct)).created
    assert created is not None
    return Token(created)


def test_a_refused_connection_says_what_to_check() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(LedgerError, match=f"cannot reach the node at http://127.0.0.1:{port}"):
        RpcLedger(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://127.0.0.1", "http://", "http://[", "http://127.0.0.1:99999/"]
)
def test_what_is_no_url_says_what_to_check(url: str) -> None:
    with pytest.raises(LedgerError, match="check that it runs and that the URL is right"):
        RpcLedger(url)


def test_a_transaction_that_is_stuck_is_offered_with_higher_fees(
    anvil: Anvil, direct: RpcClient, alice: Key, token: Token
) -> None:
    ledger = RpcLedger(anvil.url, raise_seconds=0.2)
    prices: list[int] = []

    def seen_three() -> bool:
        for one in waiting(direct, alice):
            price = int(one["maxFeePerGas"], 16)
            prices.extend([] if price in prices else [price])
        return len(prices) >= 3

    def watch() -> None:
        wait_for(seen_three)
        direct.request("evm_mine")

    receipt = beside(lambda: ledger.send(token.transfer(BOB, 5), alice), watch)
    assert all(dearer >= cheaper * 1.125 for cheaper, dearer in pairwise(prices))
    assert direct.nonce(alice.address) == 2
    assert held(direct, token, BOB) == 5
    assert direct.mined(receipt.transaction) is not None


def test_fees_are_raised_so_often_and_no_more() -> None:
    signed: list[object] = []

    def sign(fees: object) -> bytes:
        signed.append(fees)
        return bytes([len(signed)])

    flight = rpc._Flight(sign, Fees(1_000, 10))
    assert [flight.rise(Fees(1, 1)) for _ in range(rpc.RAISES_MAX)] == [True] * rpc.RAISES_MAX
    assert not flight.rise(Fees(1, 1))
    assert flight.fees.most < 4_000
    assert signed[1] == Fees(1_125, 12)


@pytest.mark.parametrize("fault", ["gone after acceptance", "error after acceptance"])
def test_an_answer_that_is_lost_after_acceptance_is_no_harm(
    anvil: Anvil, direct: RpcClient, alice: Key, token: Token, fault: str
) -> None:
    with FaultProxy(anvil.url, mine=2) as proxy:
        proxy.plan(*[fault] * 2)
        RpcLedger(proxy.url).send(token.transfer(BOB, 5), alice)
        assert proxy.done[fault] >= 1
    assert held(direct, token, alice.address) == SUPPLY - 5
    assert direct.nonce(alice.address) == 2


def test_a_transaction_that_no_block_holds_in_time_is_named_and_may_still_be_mined(
    anvil: Anvil, direct: RpcClient, alice: Key, token: Token
) -> None:
    ledger = RpcLedger(anvil.url, receipt_seconds_max=0.4, raise_seconds=0.25)
    with pytest.raises(Unsettled, match=r"0x.*it may still be mined") as caught:
        ledger.send(token.transfer(BOB, 5), alice)
    assert all(f"0x{each.hex()}" in str(caught.value) for each in caught.value.transactions)
    direct.request("evm_mine")
    mined = [each for each in caught.value.transactions if direct.mined(each) is not None]
    assert len(mined) == 1


def test_an_interrupted_send_names_what_may_still_be_mined(
    anvil: Anvil, direct: RpcClient, alice: Key, token: Token
) -> None:
    ledger = RpcLedger(anvil.url)

    def interrupt() -> None:
        wait_for(lambda: waiting(direct, alice))
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match=r"0x[0-9a-f]{64}: interrupted; it may still"):
        beside(lambda: ledger.send(token.transfer(BOB, 5), alice), interrupt)


def test_a_transaction_that_vanishes_is_offered_again(
    anvil: Anvil, direct: RpcClient, alice: Key, token: Token
) -> None:
    ledger = RpcLedger(anvil.url, confirmations=2)

    def shake() -> None:
        wait_for(lambda: waiting(direct, alice))
        direct.request("evm_mine")
        direct.request("anvil_reorg", 1, [])
        wait_for(lambda: waiting(direct, alice))
        for _ in range(3):
            direct.request("evm_mine")

    receipt = beside(lambda: ledger.send(token.transfer(BOB, 5), alice), shake)
    assert direct.head().number - receipt.block >= 2
    assert held(direct, token, alice.address) == SUPPLY - 5


def test_a_call_that_fails_only_in_its_block_says_why(
    anvil: Anvil, direct: RpcClient, alice: Key, token: Token
) -> None:
    all_of_it = token.transfer(BOB, SUPPLY)
    ledger, other = RpcLedger(anvil.url), RpcLedger(anvil.url, receipt_seconds_max=0.2)
    with pytest.raises(Unsettled):
        other.send(all_of_it, alice)
    with pytest.raises(CONTRACT_ERRORS["ERC20InsufficientBalance"], match="balance=0"):
        beside(lambda: ledger.send(all_of_it, alice), mining(direct, count=2))
    assert direct.nonce(alice.address) == 3


def test_a_call_that_is_refused_at_once_sends_nothing(
    anvil: Anvil, direct: RpcClient, alice: Key, token: Token
) -> None:
    with pytest.raises(CONTRACT_ERRORS["ERC20InsufficientBalance"]):
        RpcLedger(anvil.url).send(token.transfer(BOB, SUPPLY + 1), alice)
    poor = Key.generate()
    creation = Call("Token", NOWHERE, CONSTRUCTOR, (poor.address, 1))
    with pytest.raises(LedgerError, match="nsufficient funds") as caught:
        RpcLedger(anvil.url).send(creation, poor)
    assert not isinstance(caught.value, (Unsettled, Unreachable))
    assert waiting(direct, alice) == waiting(direct, poor) == []


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
    found = failure("eth_call", {"code": 3, "message": "execution reverted", "data": data})
    assert type(found) is CONTRACT_ERRORS["TrainingExpired"]
    assert str(found) == "the contract refused: TrainingExpired(deadline=7)"


def test_a_revert_without_data_is_a_contract_error() -> None:
    found = failure("eth_call", {"code": -32000, "message": "execution reverted"})
    assert type(found) is ContractError


SAID = {
    "already known": None,
    "Known transaction": None,
    "AlreadyKnown": None,
    "transaction already imported": None,
    "0x12ab: this transaction is already in the TxPool": None,
    "INTERNAL_ERROR: existing tx with same hash": None,
    "nonce too low": NonceTooLow,
    "nonce too low: next nonce 2, tx nonce 1": NonceTooLow,
    "Nonce too low": NonceTooLow,
    "OldNonce, Current nonce: 4, nonce of rejected tx: 3": NonceTooLow,
    "0xab tries to send a tx with nonce 0, but account has nonce 1 (tx nonce too low)": NonceTooLow,
    "replacement transaction underpriced": Underpriced,
    "Replacement transaction underpriced": Underpriced,
    "transaction underpriced: tip needed 1, tip permitted 0": Underpriced,
    "replacement gas too low, got tip 1, min: 2, got fee 1, min: 2": Underpriced,
    "max fee per gas less than block base fee: address 0x, maxFeePerGas: 1": Underpriced,
    "Gas price below current base fee": Underpriced,
    "Tx cannot pay basefee of 7, have 1": Underpriced,
    "FeeTooLow": Underpriced,
    "ReplacementNotAllowed": Underpriced,
    "insufficient funds for gas * price + value": LedgerError,
    "nonce too high": LedgerError,
    "intrinsic gas too low": LedgerError,
}
"""What geth, Erigon, Nethermind, Besu, anvil and EthereumJS say; None where all is well."""


@pytest.mark.parametrize(("message", "kind"), SAID.items())
def test_the_words_of_each_kind_of_node_are_understood(
    message: str, kind: type[LedgerError] | None
) -> None:
    found = failure("eth_sendRawTransaction", {"code": -32000, "message": message})
    assert is_known(found) == (kind is None)
    assert kind is None or type(found) is kind


@pytest.mark.parametrize(
    "error", ["a text", {"message": "out of gas"}, {"code": 1}, {"message": "x", "data": "0xzz"}]
)
def test_any_other_failure_is_a_ledger_error(error: Any) -> None:
    found = failure("eth_sendRawTransaction", error)
    assert type(found) is LedgerError
    assert str(found).startswith("eth_sendRawTransaction failed: ")


def test_a_nodes_words_are_one_short_line_that_no_terminal_obeys() -> None:
    found = failure("eth_call", {"message": "\x1b[2J a\n b" + "c" * 10_000})
    assert str(found).startswith("eth_call failed: ?[2J a b")
    assert len(str(found)) < 400


def beside(act: Callable[[], Receipt], other: Callable[[], object]) -> Receipt:
    """What `act` gives while `other` runs in a thread."""
    thread = threading.Thread(target=other)
    thread.start()
    try:
        return act()
    finally:
        thread.join()


def mining(direct: RpcClient, *, count: int = 1) -> Callable[[], None]:
    """Wait until an account has handed in that many transactions, and make a block."""

    def handed_in() -> bool:
        pool = direct.request("txpool_content")["pending"]
        return any(len(each) >= count for each in pool.values())

    def mine() -> None:
        wait_for(handed_in)
        direct.request("evm_mine")

    return mine


def waiting(direct: RpcClient, key: Key) -> list[Any]:
    """The key's transactions that no block holds."""
    pool = direct.request("txpool_content")["pending"]
    return list(pool.get(key.address.lower(), {}).values())


def wait_for(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < deadline, "nothing was handed in"
        time.sleep(0.02)


def held(direct: RpcClient, token: Token, account: str) -> int:
    return int(direct.call(Call("Token", token.address, "balanceOf", (account,))))
