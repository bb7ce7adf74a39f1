"""What every view of a chain must do: one suite on real nodes and on the simulated chain.

To add an implementation, add a line to `WORLDS`: a context that gives a `World`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from tests.chain.anvil import Anvil

from ostrom.chain.artifacts import encode_call
from ostrom.chain.client import Block, ChainClient, Mined
from ostrom.chain.contracts import Token
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call
from ostrom.chain.rpc_client import RpcClient
from ostrom.chain.wallet import Key, contract_address, simulation_key
from ostrom.codec import keccak
from ostrom.errors import CONTRACT_ERRORS, LedgerError
from ostrom.types import Address, Digest

COINS = 10**21
SUPPLY = 1_000
GAS = 3_000_000
TRANSFER_GAS = 150_000


@dataclass(frozen=True)
class World:
    """A chain on which blocks are made only by `mine`, as its client sees it.

    `reorganise` replaces that many of the newest blocks by empty ones, and their transactions are
    lost. Alice and mallory hold coins.
    """

    client: ChainClient
    mine: Callable[[], object]
    reorganise: Callable[[int], object]
    alice: Key
    mallory: Key

    def signed(self, call: Call, nonce: int, *, key: Key | None = None, dearer: int = 1) -> bytes:
        """A transaction of alice; `dearer` multiplies its fees."""
        fees = self.client.fees()
        fields: dict[str, object] = {
            "chainId": self.client.chain_id,
            "nonce": nonce,
            "gas": GAS if call.address == NOWHERE else TRANSFER_GAS,
            "value": call.value,
            "data": encode_call(call),
            "maxFeePerGas": dearer * fees.most,
            "maxPriorityFeePerGas": dearer * fees.tip,
        }
        if call.address != NOWHERE:
            fields["to"] = call.address
        return (key or self.alice).sign_transaction(fields)

    def land(self, raw: bytes) -> Mined:
        """Submit a transaction and make its block."""
        self.client.submit(raw)
        self.mine()
        mined = self.client.mined(keccak(raw))
        assert mined is not None
        return mined

    def token(self) -> Token:
        """A new token that is all alice's, listened to."""
        nonce = self.client.nonce(self.alice.address)
        call = Call("Token", NOWHERE, CONSTRUCTOR, (self.alice.address, SUPPLY))
        assert self.land(self.signed(call, nonce)).ok
        token = Token(contract_address(self.alice.address, nonce))
        self.client.watch({token.address: "Token"})
        return token

    def transfer(self, token: Token, amount: int, *, nonce: int | None = None, **how: Any) -> bytes:
        """A transfer from alice to bob."""
        next_one = self.client.nonce(self.alice.address) if nonce is None else nonce
        return self.signed(token.transfer(BOB, amount), next_one, **how)

    def bobs(self, token: Token, block: Block | None = None) -> int:
        """What bob holds."""
        call = Call("Token", token.address, "balanceOf", (BOB,))
        return int(self.client.call(call, block=block))


BOB = simulation_key(0, "bob").address


@contextmanager
def anvil_world() -> Iterator[World]:
    with Anvil(mining=False) as anvil:
        client = RpcClient([anvil.url], chain_id=anvil.chain_id)
        alice, mallory = Key.generate(), Key.generate()
        for key in (alice, mallory):
            client.request("anvil_setBalance", key.address, hex(COINS))
        client.request("evm_mine")
        yield World(
            client=client,
            mine=lambda: client.request("evm_mine"),
            reorganise=lambda depth: client.request("anvil_reorg", depth, []),
            alice=alice,
            mallory=mallory,
        )
        client.close()


@contextmanager
def simulated_world() -> Iterator[World]:
    from tests.simulation.chain import SimChain
    from tests.simulation.client import SimNodeClient
    from tests.simulation.faults import Faults, Log

    alice, mallory = simulation_key(0, "alice"), simulation_key(0, "mallory")
    chain = SimChain({alice.address: COINS, mallory.address: COINS})
    dice = Random(0)

    def mine(seconds: int = 12) -> None:
        chain.mine(chain.head.header.time + seconds, dice)

    def reorganise(depth: int) -> None:
        chain.go_back(depth, lost=lambda transaction: True)
        for _ in range(depth):
            mine(13)

    mine()
    client = SimNodeClient("alice", chain, Faults(0, Log(), only={}))
    yield World(client, mine, reorganise, alice, mallory)


WORLDS: Mapping[str, Callable[[], AbstractContextManager[World]]] = {
    "anvil": anvil_world,
    "simulated": simulated_world,
}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]() as one:
        yield one


def test_what_is_no_transaction_is_refused(world: World) -> None:
    for raw in (b"", b"\x02\x00", b"\x02" + bytes(40)):
        with pytest.raises(LedgerError):
            world.client.submit(raw)


def test_a_sender_without_coins_is_refused(world: World) -> None:
    call = Call("Token", NOWHERE, CONSTRUCTOR, (BOB, SUPPLY))
    with pytest.raises(LedgerError):
        world.client.submit(world.signed(call, 0, key=Key.generate()))


def test_a_call_that_the_contract_refuses_raises_the_class_of_its_error(world: World) -> None:
    token = world.token()
    with pytest.raises(CONTRACT_ERRORS["ERC20InsufficientBalance"], match="needed=5"):
        world.client.estimate(token.transfer(BOB, 5), world.mallory.address)
    with pytest.raises(CONTRACT_ERRORS["ERC20InvalidSender"], match="sender=0x0000"):
        world.client.call(token.transfer(BOB, 5))


def test_a_used_nonce_is_refused(world: World) -> None:
    token = world.token()
    with pytest.raises(LedgerError, match="nonce"):
        world.client.submit(world.transfer(token, 1, nonce=0))


def test_a_block_that_vanished_answers_nothing(world: World) -> None:
    token = world.token()
    world.mine()
    gone = world.client.head()
    world.reorganise(1)
    assert world.client.head().hash != gone.hash
    # A node may remember a dead branch; it must not answer for it from another one.
    for ask in (lambda: world.client.logs_of(gone), lambda: world.bobs(token, gone)):
        try:
            answer = ask()
        except LedgerError:
            continue
        assert answer in ([], 0)


def test_the_blocks_form_a_chain(world: World) -> None:
    first = world.client.head()
    world.mine()
    world.mine()
    head = world.client.head()
    assert head.number == first.number + 2
    assert head.time >= first.time
    middle = world.client.block(first.number + 1)
    assert middle is not None
    assert (middle.parent, head.parent) == (first.hash, middle.hash)
    assert world.client.block(head.number) == head
    assert world.client.block(head.number + 1) is None
    assert head.gas_limit >= GAS


def test_a_transaction_is_mined_once_it_is_in_a_block(world: World) -> None:
    token = world.token()
    raw = world.transfer(token, 7)
    assert world.client.mined(keccak(raw)) is None
    world.client.submit(raw)
    assert world.client.mined(keccak(raw)) is None
    assert world.bobs(token) == 0
    world.mine()
    head, mined = world.client.head(), world.client.mined(keccak(raw))
    assert mined is not None
    assert (mined.block, mined.block_hash, mined.ok) == (head.number, head.hash, True)
    assert 21_000 < mined.gas_used < TRANSFER_GAS
    assert world.bobs(token) == 7


def test_handing_in_twice_does_it_once_and_is_no_error(world: World) -> None:
    token = world.token()
    raw = world.transfer(token, 7)
    world.client.submit(raw)
    world.client.submit(raw)
    world.mine()
    world.client.submit(raw)
    world.mine()
    assert world.bobs(token) == 7
    assert world.client.nonce(world.alice.address) == 2


def test_a_failed_transaction_is_mined_and_not_ok(world: World) -> None:
    token = world.token()
    mined = world.land(world.signed(token.transfer(BOB, 5), 0, key=world.mallory))
    assert not mined.ok
    assert 21_000 < mined.gas_used < TRANSFER_GAS
    assert world.bobs(token) == 0


def test_only_a_dearer_transaction_takes_the_place_of_one_that_waits(world: World) -> None:
    token = world.token()
    first = world.transfer(token, 1)
    world.client.submit(first)
    with pytest.raises(LedgerError, match="underpriced"):
        world.client.submit(world.transfer(token, 2))
    dearer = world.transfer(token, 3, dearer=2)
    world.client.submit(dearer)
    world.mine()
    assert world.client.mined(keccak(first)) is None
    assert world.client.mined(keccak(dearer)) is not None
    assert world.bobs(token) == 3


def test_events_are_told_by_block_and_by_range_alike(world: World) -> None:
    token = world.token()
    start = world.client.head().number + 1
    hashes: list[Digest] = []
    for amounts in ((1,), (), (2, 3)):
        raws = [
            world.transfer(token, amount, nonce=world.client.nonce(world.alice.address) + at)
            for at, amount in enumerate(amounts)
        ]
        for raw in raws:
            world.client.submit(raw)
        hashes += [keccak(raw) for raw in raws]
        world.mine()
    end = world.client.head().number
    told = world.client.logs(start, end)
    assert [logged.event.arguments["value"] for logged in told] == [1, 2, 3]
    assert [logged.transaction for logged in told] == hashes
    places = [(logged.block, logged.index) for logged in told]
    assert places == sorted(set(places))
    blocks = [world.client.block(number) for number in range(start, end + 1)]
    for block in blocks:
        assert block is not None
        here = world.client.logs_of(block)
        assert here == [logged for logged in told if logged.block == block.number]
        assert all(logged.time == block.time for logged in here)


def test_events_of_foreign_contracts_are_not_heard(world: World) -> None:
    ours = world.token()
    call = Call("Token", NOWHERE, CONSTRUCTOR, (world.alice.address, SUPPLY))
    nonce = world.client.nonce(world.alice.address)
    world.land(world.signed(call, nonce))
    fake = Token(contract_address(world.alice.address, nonce))
    world.client.submit(world.transfer(fake, 5))
    world.client.submit(world.transfer(ours, 6, nonce=nonce + 2))
    world.mine()
    (logged,) = world.client.logs_of(world.client.head())
    assert logged.event.contract == "Token"
    assert logged.event.arguments["value"] == 6


def test_a_view_answers_for_the_block_it_is_asked_about(world: World) -> None:
    token = world.token()
    before = world.client.head()
    assert world.bobs(token, before) == 0
    world.land(world.transfer(token, 7))
    assert world.bobs(token, world.client.head()) == 7
    assert world.bobs(token, before) == 0
    assert world.bobs(token) == 7


def test_a_reorganisation_takes_a_transaction_back_and_it_can_be_handed_in_again(
    world: World,
) -> None:
    token = world.token()
    for _ in range(3):
        world.mine()
    raw = world.transfer(token, 7)
    first = world.land(raw)
    world.mine()
    before = world.client.head()
    world.reorganise(2)
    after = world.client.head()
    assert after.number >= before.number
    assert world.client.block(before.number) != before
    assert world.client.mined(keccak(raw)) is None
    assert world.client.nonce(world.alice.address) == 1
    assert world.client.logs(first.block, after.number) == []
    assert world.bobs(token) == 0
    again = world.land(raw)
    assert again.block > first.block
    assert world.bobs(token) == 7


def test_nonce_balance_and_code_are_those_of_the_head(world: World) -> None:
    nobody = Address(simulation_key(1, "nobody").address)
    assert world.client.nonce(nobody) == world.client.balance(nobody) == 0
    assert world.client.code(nobody) == b""
    before = world.client.balance(world.alice.address)
    assert before == COINS
    token = world.token()
    assert world.client.nonce(world.alice.address) == 1
    assert 0 < world.client.balance(world.alice.address) < before
    assert len(world.client.code(token.address)) > 1_000


def test_an_estimate_is_enough_gas(world: World) -> None:
    token = world.token()
    gas = world.client.estimate(token.transfer(BOB, 1), world.alice.address)
    mined = world.land(world.transfer(token, 1))
    assert mined.gas_used <= gas <= 2 * mined.gas_used


def test_fees_get_a_transaction_into_the_next_block(world: World) -> None:
    fees = world.client.fees()
    assert 0 < fees.tip <= fees.most
    assert not fees.legacy
