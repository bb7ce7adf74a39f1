"""Fifty schedules of faults: each intended transaction is mined exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import pytest
from tests.chain.anvil import Anvil
from tests.chain.fault_proxy import FAULTS, REORGANISED_BLOCKS_MAX, FaultProxy

from ostrom.chain import rpc
from ostrom.chain.artifacts import encode_call
from ostrom.chain.contracts import Token
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call
from ostrom.chain.rpc import RpcLedger, Unsettled
from ostrom.chain.rpc_client import RpcClient
from ostrom.chain.wallet import Key, simulation_key
from ostrom.codec import keccak
from ostrom.errors import ContractError, LedgerError
from ostrom.types import Address, Logged

SCHEDULES = 50
RATE = 0.2
DEEP = REORGANISED_BLOCKS_MAX
TRIES = 400
REQUEST_SECONDS = 0.3
AMOUNTS = (1, 20, 300)
"""Different, so that a transfer which happens twice or never shows in the sum."""

Answer = TypeVar("Answer")


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    # A node of its own for each schedule: a block costs anvil more the more there are.
    with Anvil(mining=False) as node:
        yield node


@pytest.fixture(scope="module")
def counts() -> Iterator[Counter[str]]:
    total: Counter[str] = Counter()
    yield total
    schedules = total.pop("schedules", 0)
    print(f"\n{total.total()} faults in {schedules} schedules: {dict(total.most_common())}")


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(rpc, "POLL_SECONDS_MAX", 0.01)
    monkeypatch.setattr(rpc, "OFFER_SECONDS", 0.1)
    monkeypatch.setattr(rpc, "REQUEST_SECONDS_MAX", REQUEST_SECONDS)


@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_each_transaction_is_mined_once_whatever_the_node_does(
    anvil: Anvil, seed: int, counts: Counter[str]
) -> None:
    direct = RpcClient([anvil.url])
    alice, bob = Key.generate(), simulation_key(seed, "bob").address
    fund(direct, alice)
    with FaultProxy(
        anvil.url, seed=seed, rate=RATE, mine=4, slow_seconds=2 * REQUEST_SECONDS
    ) as proxy:
        ledger = again(lambda: RpcLedger(proxy.url, chain_id=31337, confirmations=DEEP))
        token = Token(deployed(ledger, alice))
        receipts = [sent(ledger, token.transfer(bob, amount), alice) for amount in AMOUNTS]
        assert listed(ledger, token, [each.block for each in receipts]) == list(AMOUNTS)
        submit_all(ledger.client, alice, [token.transfer(bob, 1_000 * each) for each in AMOUNTS])
        counts.update(proxy.done)
        counts["schedules"] += 1
    direct.watch({token.address: "Token"})
    paid = [e for e in direct.logs(0, direct.head().number) if transferred(e.event) is not None]
    wanted = [*AMOUNTS, *(1_000 * each for each in AMOUNTS)]
    assert [transferred(e.event) for e in paid] == wanted
    assert direct.call(Call("Token", token.address, "balanceOf", (bob,))) == sum(wanted)
    assert direct.nonce(alice.address) == 1 + len(wanted)


def test_the_schedules_hold_every_fault(counts: Counter[str]) -> None:
    if counts["schedules"] == SCHEDULES:
        assert {each for each in FAULTS if not counts[each]} == set()


def fund(direct: RpcClient, key: Key) -> None:
    """Coins that no reorganisation takes back."""
    rich = direct.request("eth_accounts")[0]
    direct.request("eth_sendTransaction", {"from": rich, "to": key.address, "value": hex(10**18)})
    for _ in range(DEEP + 1):
        direct.request("evm_mine")


def again(ask: Callable[[], Answer]) -> Answer:
    """Ask until there is an answer."""
    for _ in range(TRIES):
        try:
            return ask()
        except ContractError:
            raise
        except LedgerError:
            continue
    return pytest.fail(f"no answer to {TRIES} questions")


def sent(ledger: RpcLedger, call: Call, key: Key) -> Any:
    """Send a call again where nothing of it was sent, and only then."""
    for _ in range(TRIES):
        try:
            return ledger.send(call, key)
        except (Unsettled, ContractError):
            raise
        except LedgerError:
            continue
    return pytest.fail("could not be sent")


def deployed(ledger: RpcLedger, owner: Key) -> Address:
    call = Call("Token", NOWHERE, CONSTRUCTOR, (owner.address, 10**6))
    created = sent(ledger, call, owner).created
    assert created is not None
    return Address(created)


def submit_all(client: RpcClient, key: Key, calls: list[Call]) -> None:
    """What a node does: sign once, and offer until enough blocks stand on the transaction."""
    first = again(lambda: client.nonce(key.address))
    raws = [signed(client, key, call, first + at) for at, call in enumerate(calls)]
    for raw in raws:
        for _ in range(TRIES):
            try:
                client.submit(raw)
                mined = client.mined(keccak(raw))
                if mined is not None and client.head().number - mined.block >= DEEP:
                    assert mined.ok
                    break
            except LedgerError:
                continue
        else:
            pytest.fail("no block held the transaction for long")


def signed(client: RpcClient, key: Key, call: Call, nonce: int) -> bytes:
    fees = again(client.fees)
    return key.sign_transaction(
        {
            "chainId": client.chain_id,
            "nonce": nonce,
            "gas": 200_000,
            "maxFeePerGas": fees.most,
            "maxPriorityFeePerGas": fees.tip,
            "to": call.address,
            "value": 0,
            "data": encode_call(call),
        }
    )


def listed(ledger: RpcLedger, token: Token, numbers: list[int]) -> list[int]:
    """The amounts of all transfers, as the events of single blocks tell them."""
    client = ledger.client
    client.watch({token.address: "Token"})
    found = []
    for number in sorted(set(numbers)):
        found += again(partial(read_block, client, number))
    return [amount for e in found if (amount := transferred(e.event)) is not None]


def read_block(client: RpcClient, number: int) -> list[Logged]:
    block = client.block(number)
    if block is None:
        raise LedgerError("a node that lags does not have it yet")
    return client.logs_of(block)


def transferred(event: Any) -> int | None:
    """The amount of a transfer between accounts; a new token is no transfer."""
    if event.name != "Transfer" or event.arguments["from"] == Address("0x" + "0" * 40):
        return None
    return int(event.arguments["value"])
