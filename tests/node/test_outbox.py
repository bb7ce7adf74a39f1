"""The outbox on a real EVM whose blocks and pool the tests control."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest
from tests.simulation.chain import CHAIN_ID, WEI, SimChain
from tests.simulation.client import SimNodeClient
from tests.simulation.faults import Faults, Log

from ostrom.chain.artifacts import encode_call
from ostrom.chain.contracts import Token
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call
from ostrom.chain.wallet import Key, simulation_key
from ostrom.errors import LedgerError
from ostrom.node.journal import Journal
from ostrom.node.outbox import FEE_MAX, LOST, PATIENCE, Outbox
from ostrom.types import Address

OWNER = simulation_key(0, "owner")
BOB = simulation_key(0, "bob").address
CAROL = simulation_key(0, "carol").address


class Flaky(SimNodeClient):
    """A node that takes transactions and says that it did not."""

    fails = False

    def submit(self, raw: bytes) -> None:
        super().submit(raw)
        if self.fails:
            raise LedgerError("the connection broke")


@dataclass
class Bank:
    """A token on a chain, and its owner's outbox."""

    path: Path
    confirmations: int = 2
    key: Key = OWNER
    chain: SimChain = field(default_factory=lambda: SimChain({OWNER.address: 10**24}))

    def __post_init__(self) -> None:
        self.client = Flaky("node", self.chain, Faults(0, Log(), only={}))
        self.token = Token(self._deployed())
        self.outbox = self._outbox()

    def _deployed(self) -> Address:
        data = encode_call(Call("Token", NOWHERE, CONSTRUCTOR, (self.key.address, 1_000)))
        self.by_hand(0, data=data)
        self.mine()
        created = self.chain.head.included[0].created
        assert created is not None
        return created

    def by_hand(self, nonce: int, *, data: bytes, to: Address | None = None) -> None:
        """Send with the same key and without the outbox."""
        fields: dict[str, object] = {
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "gas": 5_000_000,
            "value": 0,
            "data": data,
            "maxFeePerGas": 50 * WEI,
            "maxPriorityFeePerGas": 5 * WEI,
        }
        raw = self.key.sign_transaction(fields if to is None else fields | {"to": to})
        self.chain.submit(raw)

    def _outbox(self) -> Outbox:
        journal = Journal(self.path / "journal", {"account": self.key.address})
        return Outbox(self.client, self.key, journal, self.confirmations)

    def restart(self) -> None:
        """Throw the process away and begin anew from its journal."""
        self.outbox.journal.close()
        self.outbox = self._outbox()

    def transfer(self, to: Address, amount: int) -> Call:
        return self.token.transfer(to, amount)

    def work(self, **wanted: Call) -> list[str]:
        return [str(one) for one in self.outbox.work(self.client.head(), wanted)]

    def mine(self, blocks: int = 1, *, share: float = 1.0, base_fee: int = WEI) -> None:
        for _ in range(blocks):
            time = self.chain.head.header.time + 12
            self.chain.mine(time, Random(1), share=share, base_fee=base_fee)

    def of(self, account: Address) -> int:
        call = Call("Token", self.token.address, "balanceOf", (account,))
        return int(self.chain.read(call, self.chain.head))


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path)


def test_an_act_is_sent_once_however_often_it_is_wanted(bank: Bank) -> None:
    pay = bank.transfer(BOB, 5)
    for _ in range(3):
        bank.work(pay=pay)
    assert len(bank.chain.pool) == 1
    bank.mine()
    for _ in range(3):
        bank.work(pay=pay)
        bank.mine()
    assert bank.of(BOB) == 5


def test_acts_go_one_after_the_other_in_the_order_of_their_urgency(bank: Bank) -> None:
    first, second = bank.transfer(BOB, 5), bank.transfer(CAROL, 7)
    bank.work(first=first, second=second)
    bank.mine()
    assert (bank.of(BOB), bank.of(CAROL)) == (5, 0)
    bank.work(first=first, second=second)
    bank.mine()
    assert (bank.of(BOB), bank.of(CAROL)) == (5, 7)


def test_the_transaction_is_written_down_before_it_is_sent(bank: Bank) -> None:
    bank.client.fails = True
    with pytest.raises(LedgerError, match="broke"):
        bank.work(pay=bank.transfer(BOB, 5))
    bank.client.fails = False
    bank.restart()
    bank.work(pay=bank.transfer(BOB, 5))
    bank.mine(3)
    bank.work()
    assert bank.of(BOB) == 5
    assert bank.outbox.counts.landed == 1


def test_what_the_pool_forgot_is_offered_again(bank: Bank) -> None:
    pay = bank.transfer(BOB, 5)
    bank.work(pay=pay)
    (lost,) = bank.chain.pool
    bank.chain.forget(lost)
    bank.work(pay=pay)
    assert set(bank.chain.pool) == {lost}


def test_what_no_block_takes_is_offered_dearer_with_the_same_nonce(bank: Bank) -> None:
    pay = bank.transfer(BOB, 5)
    bank.work(pay=pay)
    (cheap,) = bank.chain.pool.values()
    bank.mine(PATIENCE, base_fee=10_000 * WEI)
    bank.work(pay=pay)
    (dear,) = bank.chain.pool.values()
    assert dear.nonce == cheap.nonce
    assert dear.most > cheap.most
    bank.mine(3)
    bank.work(pay=pay)
    assert bank.of(BOB) == 5


def test_what_is_too_cheap_for_the_next_block_is_raised_at_once(bank: Bank) -> None:
    pay = bank.transfer(BOB, 5)
    bank.work(pay=pay)
    (cheap,) = bank.chain.pool.values()
    bank.mine(1, share=0.0)
    bank.work(pay=pay)
    assert list(bank.chain.pool.values()) == [cheap]
    bank.mine(1, base_fee=cheap.most + 1)
    bank.work(pay=pay)
    bank.mine(1, base_fee=cheap.most + 1)
    assert bank.of(BOB) == 5


def test_fees_are_not_raised_without_end(bank: Bank) -> None:
    pay = bank.transfer(BOB, 5)
    for _ in range(40):
        bank.work(pay=pay)
        bank.mine(PATIENCE, share=0.0)
    assert max(one.most for one in bank.chain.pool.values()) <= FEE_MAX


def test_an_act_that_is_out_of_date_gives_its_place_to_another(bank: Bank) -> None:
    bank.work(old=bank.transfer(BOB, 5))
    bank.work(new=bank.transfer(CAROL, 7))
    bank.mine()
    assert (bank.of(BOB), bank.of(CAROL)) == (0, 7)


def test_another_content_under_the_same_name_is_another_act(bank: Bank) -> None:
    bank.work(attest=bank.transfer(BOB, 5))
    bank.work(attest=bank.transfer(BOB, 6))
    bank.mine()
    assert bank.of(BOB) == 6


def test_what_a_reorganisation_drops_is_offered_again_with_its_nonce(bank: Bank) -> None:
    pay = bank.transfer(BOB, 5)
    bank.work(pay=pay)
    bank.mine()
    bank.chain.go_back(1, lost=lambda _: True)
    assert bank.of(BOB) == 0
    bank.work(pay=pay)
    bank.mine(3)
    bank.work()
    assert bank.of(BOB) == 5
    assert bank.outbox.journal.flights() == []


def test_two_that_a_reorganisation_drops_are_both_offered_again(bank: Bank) -> None:
    first, second = bank.transfer(BOB, 5), bank.transfer(CAROL, 7)
    bank.work(first=first)
    bank.mine()
    bank.work(second=second)
    bank.mine()
    bank.chain.go_back(2, lost=lambda _: True)
    bank.work(first=first, second=second)
    bank.mine()
    bank.work(second=second)
    bank.mine()
    assert (bank.of(BOB), bank.of(CAROL)) == (5, 7)


def test_what_the_contract_refuses_is_said_and_does_not_stop_the_next(bank: Bank) -> None:
    refused = bank.work(much=bank.transfer(BOB, 10**9), little=bank.transfer(CAROL, 1))
    assert "ERC20InsufficientBalance" in refused[0]
    bank.mine()
    assert bank.of(CAROL) == 1


def test_a_key_that_is_used_elsewhere_too_does_not_stop_the_outbox(bank: Bank) -> None:
    bank.work(pay=bank.transfer(BOB, 5))
    bank.chain.pool.clear()
    bank.by_hand(1, data=encode_call(bank.transfer(CAROL, 2)), to=bank.token.address)
    bank.mine()
    bank.work(pay=bank.transfer(BOB, 5))
    bank.mine(LOST + bank.confirmations + 2)
    bank.work()
    assert (bank.of(BOB), bank.of(CAROL)) == (5, 2)
    assert bank.outbox.journal.flights() == []
