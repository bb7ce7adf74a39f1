from __future__ import annotations

from random import Random

import pytest
from tests.simulation.chain import WEI, NonceTooLow, SimChain, Underpriced
from tests.simulation.setting import COINS, SUPPLY, SetupLedger

from ostrom.chain.artifacts import encode_call
from ostrom.chain.contracts import Token
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call
from ostrom.chain.wallet import simulation_key
from ostrom.types import Address

ALICE = simulation_key(0, "alice")
BOB = simulation_key(0, "bob").address


class Play:
    """A chain on which alice holds all of a token."""

    def __init__(self, seed: int = 0) -> None:
        self.chain = SimChain({ALICE.address: COINS})
        self.dice = Random(seed)
        created = SetupLedger(self.chain).send(
            Call("Token", NOWHERE, CONSTRUCTOR, (ALICE.address, SUPPLY)), ALICE
        )
        assert created.created is not None
        self.token = Token(created.created)
        self.balance = Call("Token", self.token.address, "balanceOf", (BOB,))

    def pay(self, amount: int, *, nonce: int | None = None, tip: int = WEI) -> None:
        """Hand in a transfer from alice to bob."""
        here = self.chain.head.nonces[ALICE.address]
        fields: dict[str, object] = {
            "chainId": 1337,
            "nonce": here if nonce is None else nonce,
            "maxFeePerGas": 3 * WEI + tip,
            "maxPriorityFeePerGas": tip,
            "gas": 100_000,
            "to": self.token.address,
            "value": 0,
            "data": encode_call(self.token.transfer(BOB, amount)),
        }
        self.chain.submit(ALICE.sign_transaction(fields))

    def mine(self) -> None:
        """The next block."""
        self.chain.mine(0, self.dice)

    def bobs(self, back: int = 0) -> int:
        """What bob has, so many blocks before the head."""
        block = self.chain.line[-1 - back]
        return int(self.chain.read(self.balance, block))


def test_a_used_nonce_and_a_cheap_replacement_are_refused() -> None:
    play = Play()
    with pytest.raises(NonceTooLow):
        play.pay(1, nonce=0)
    play.pay(1)
    with pytest.raises(Underpriced):
        play.pay(2)
    play.pay(3, tip=2 * WEI + WEI)
    play.mine()
    assert play.bobs() == 3


def test_a_transaction_waits_for_the_nonces_before_it() -> None:
    play = Play()
    play.pay(2, nonce=2)
    play.mine()
    assert play.bobs() == 0
    play.pay(1, nonce=1)
    play.mine()
    assert play.bobs() == 3


def test_a_low_fee_waits_for_the_base_fee_to_fall() -> None:
    play = Play()
    play.pay(1)
    play.chain.mine(0, play.dice, base_fee=100 * WEI)
    assert play.bobs() == 0
    play.mine()
    assert play.bobs() == 1


def test_a_failed_call_costs_a_nonce_and_coins_and_changes_nothing() -> None:
    play = Play()
    coins = play.chain.head.coins[ALICE.address]
    play.pay(SUPPLY + 1)
    play.mine()
    (done,) = play.chain.head.included
    assert not done.ok
    assert play.bobs() == 0
    assert play.chain.head.nonces[ALICE.address] == 2
    assert play.chain.head.coins[ALICE.address] < coins


def test_a_view_answers_for_old_blocks_and_for_dropped_ones() -> None:
    play = Play()
    for amount in (1, 2, 3):
        play.pay(amount)
        play.mine()
    assert [play.bobs(back) for back in (2, 1, 0)] == [1, 3, 6]
    dropped = play.chain.go_back(2, lost=lambda made: False)
    assert play.bobs() == 1
    assert play.chain.read(play.balance, dropped[1]) == 6
    alices = Call("Token", play.token.address, "balanceOf", (ALICE.address,))
    assert play.chain.read(alices, dropped[0]) == SUPPLY - 3
    assert play.chain.read(alices, play.chain.head) == SUPPLY - 1


def test_what_a_reorganisation_drops_waits_again_or_is_lost() -> None:
    for lost, left in ((False, 3), (True, 0)):
        play = Play()
        play.pay(3)
        play.mine()
        (old,) = play.chain.go_back(1, lost=lambda made, gone=lost: gone)  # type: ignore[misc]
        play.mine()
        assert play.bobs() == left
        assert play.chain.head.header.number == old.header.number
        assert (play.chain.head.header.hash == old.header.hash) == (not lost)


def test_a_thousand_blocks_and_many_reorganisations_leave_the_sums_right() -> None:
    play = Play()
    for number in range(1, 1_100):
        play.pay(1)
        play.mine()
        if number % 50 == 0:
            play.chain.go_back(12, lost=lambda made: False)
            while play.chain.pool:
                play.mine()
    assert play.bobs() == 1_099


def test_the_same_dice_give_the_same_blocks() -> None:
    heads = set()
    for _ in range(2):
        play = Play(seed=7)
        for amount in (1, 2):
            play.pay(amount)
            play.mine()
        heads.add(play.chain.head.header.hash)
    assert len(heads) == 1
    assert Address(BOB)
