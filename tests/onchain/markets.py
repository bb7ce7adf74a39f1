"""Random markets from bounty to payment, on the contract and on the reference.

Everybody's credits, the model afterwards and the contract's coins must be what the rule says; a
false claim must fall to the one challenge that an honest observer makes, a true one to none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Any

from tests.onchain.machine import RevmLedger
from tests.onchain.worlds import KEYS, NAMES, World, honest, junk, make_world, update

from ostrom.chain.ledger import Call
from ostrom.errors import ContractError
from ostrom.onchain.claims import (
    Fault,
    Piece,
    Stage,
    counted_samples,
    find_fault,
    make_claim,
    place_in_pieces,
    replay_claim,
    write_bits,
)
from ostrom.onchain.contracts import ModelContract
from ostrom.onchain.data import Sample
from ostrom.onchain.deployment import deploy_market, deploy_model
from ostrom.onchain.market import Market as Rule
from ostrom.onchain.market import Settlement, Staked, forfeited, learn
from ostrom.onchain.market_contract import Market, MarketPhase, MarketTerms
from ostrom.onchain.replay import replay, watch

OWNER = "owner"
DAY = 86_400
REPLAYABLE = 5
"""The first worlds, whose models can repeat steps."""

PATHS = ("settled",) * 8 + ("cancelled", "overdue", "empty", "hidden", "unclaimed")


@dataclass
class MarketPlay:
    """One market: the chain's side, what everybody should be owed."""

    world: World
    ledger: RevmLedger
    model: ModelContract
    market: Market
    dice: Random
    pieces: list[Piece] = field(default_factory=list)
    terms: MarketTerms = field(default_factory=MarketTerms)
    staked: list[Staked] = field(default_factory=list)
    owed: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    bounty: int = 0
    first: int = 0

    def send(self, who: str, call: Call) -> None:
        self.ledger.send(call, KEYS[who])
        self.counts[f"market {call.function}"] += 1

    def refuses(self, name: str, who: str, call: Call) -> None:
        """The contract must refuse with that error."""
        found = "taken"
        try:
            self.ledger.send(call, KEYS[who])
        except ContractError as error:
            found = str(error).removeprefix("the contract refused: ").split("(")[0]
        assert found == name, f"{call.function}: {found} is not {name}"
        self.counts[f"market {call.function} {name}"] += 1

    # Phases

    def create(self) -> None:
        dice, terms = self.dice, self.terms
        counts = [dice.choice((1, 2, 5, 9)) for _ in range(dice.randrange(2, 5))]
        if dice.random() < 0.1:
            counts[0] = 270
        self.pieces = [Piece(dice.randbytes(32), self.samples(count)) for count in counts]
        self.bounty = sum(counts) * dice.choice((1, 3, 10, 1_000, 10**12)) + dice.randrange(7)
        call = self.market.create(self.pieces, terms, bounty=self.bounty)
        self.refuses("MarketNotProvider", "mallory", call)
        self.refuses("MarketBadParameter", OWNER, replace(call, value=sum(counts) - 1))
        self.send(OWNER, call)
        self.terms = self.market.terms(self.ledger)
        assert self.terms.bond == (terms.bond or -(-self.bounty // 10))
        self.refuses("MarketNotOver", OWNER, call)
        self.refuses("MarketTooEarly", "alice", self.market.draw())

    def samples(self, count: int) -> tuple[Sample, ...]:
        """Some of them malformed: those are wrong, whatever the model."""
        size = self.world.classes, self.world.features
        found = [honest(self.world, self.dice, *size) for _ in range(count)]
        return tuple(
            Sample(b"\0\5\0", one.label) if self.dice.random() < 0.05 else one for one in found
        )

    def show(self) -> None:
        self.ledger.mine(3)
        self.send("bob", self.market.draw())
        self.first = self.market.market(self.ledger).first
        piece, other = self.pieces[self.first], (self.first + 1) % len(self.pieces)
        self.refuses("MarketNotFirst", OWNER, self.market.reveal(other, self.pieces[other]))
        forged = replace(piece, salt=bytes(31) + b"\1")
        self.refuses("MarketWrongPiece", OWNER, self.market.reveal(self.first, forged))
        self.refuses("MarketNotProvider", "mallory", self.market.reveal(self.first, piece))
        self.send(OWNER, self.market.reveal(self.first, piece))

    def participate(self) -> None:
        dice, size = self.dice, (self.world.classes, self.world.features)
        for _ in range(min(dice.randrange(1, 9), self.terms.contributions_max)):
            who, kind = dice.choice(NAMES[1:]), dice.random()
            maker = junk if kind < 0.1 else update if kind < 0.2 else honest
            sample = maker(self.world, dice, *size)
            if 0.2 < kind < 0.5:
                sample = Sample(sample.x, dice.randrange(size[0]))
            least = self.terms.stake_min
            stake = dice.choice((least, least, least + 2, 40, 10**6, 10**15))
            stake = max(stake, least)
            if least > 1 and dice.random() < 0.2:
                low = self.market.add(sample, least - 1)
                self.refuses("MarketStakeTooLow", who, low)
            self.send(who, self.market.add(sample, stake))
            self.staked.append(Staked(KEYS[who].address, sample, stake))
        if len(self.staked) < self.terms.contributions_max:
            self.ledger.time += self.terms.participation_seconds + 1

    def reveal(self) -> None:
        order = [number for number in range(len(self.pieces)) if number != self.first]
        self.dice.shuffle(order)
        self.refuses("MarketWrongPhase", "alice", self.market.add(Sample(b"", 0), 10**18))
        for number in order:
            self.send(OWNER, self.market.reveal(number, self.pieces[number]))
        assert self.market.market(self.ledger).phase == MarketPhase.CLAIM

    # Claims

    @property
    def rule(self) -> Rule:
        samples = counted_samples(self.pieces, self.first)
        return Rule(tuple(self.staked), samples, self.bounty, self.terms.grouped)

    def settle(self) -> None:
        stages, settlement = make_claim(self.world.model, self.world.start, self.rule)
        assert list(replay_claim(self.rule, stages)) == list(settlement.positions[1:])
        if self.dice.random() < 0.6:
            self.lie(stages, settlement)
        claim = self.post("alice", stages, settlement, len(stages))
        found = self.market.claim_of(self.ledger, claim)
        end = settlement.end
        assert (found.complete, found.rounds, found.rest) == (True, end.rounds, end.rest)
        assert found.alive == sum(1 << party for party in end.alive)
        self.attack(claim, stages)
        self.refuses("MarketTooEarly", "bob", self.market.accept(claim))
        self.ledger.time = found.window_end + 1
        self.refuses("MarketBondHeld", "bob", self.market.return_bond(claim))
        self.send("bob", self.market.accept(claim))
        self.send("bob", self.market.return_bond(claim))
        self.owed["alice"] += self.terms.bond
        self.owed[OWNER] += end.rest
        self.collect(end.balances)
        self.learn(end.alive)

    def post(self, who: str, stages: tuple[Stage, ...], settlement: Settlement, count: int) -> int:
        """Claim so many stages; the claim's number."""
        number = self.market.claim_count(self.ledger)
        self.refuses("MarketWrongBond", who, self.market.claim(stages[0], bond=self.terms.bond + 1))
        self.send(who, self.market.claim(stages[0], bond=self.terms.bond))
        for stage, position in zip(stages[1:count], settlement.positions[1:]):
            self.send(who, self.market.extend(number, position.balances, stage=stage))
        return number

    def lie(self, stages: tuple[Stage, ...], settlement: Settlement) -> None:
        """Mallory claims what is not so; Carol refutes it by what she finds."""
        at = self.dice.randrange(len(stages))
        false = falsify(self.rule, stages[at], self.dice)
        posted = (*stages[:at], false)
        claim = self.post("mallory", posted, settlement, at + 1)
        fault = find_fault(self.world.model, self.world.start, self.rule, false)
        assert fault is not None
        call = self.challenge(claim, fault, at, false)
        self.send("carol", call)
        self.counts[f"market refuted {fault.kind}"] += 1
        self.refuses("MarketClaimRefuted", "carol", call)
        self.owed["carol"] += self.terms.bond // 2

    def attack(self, claim: int, stages: tuple[Stage, ...]) -> None:
        """No challenge of what is true succeeds."""
        at = self.dice.randrange(len(stages))
        order = self.rule.order(stages[at].alive)
        point = self.dice.randrange(len(order) + 1)
        state = self.world.start
        for _, number in order[:point]:
            state = learn(self.world.model, state, self.staked[number].sample)
        words = self.world.model.dump(state)
        place = self.dice.randrange(len(self.rule.samples))
        faults = [Fault("sample", point, words, place)]
        if point < len(order):
            faults.append(Fault("step", point, words))
        faults.append(Fault("start", 0, b""))
        for fault in faults:
            call = self.challenge(claim, fault, at, stages[at])
            self.refuses("MarketClaimHolds", "mallory", call)

    def challenge(self, claim: int, fault: Fault, at: int, stage: Stage) -> Call:
        proof: Any = None
        if fault.kind == "step":
            proof = self.staked[self.rule.order(stage.alive)[fault.point][1]].sample
        if fault.kind == "sample":
            number, index = place_in_pieces(self.pieces, self.first, fault.sample)
            proof = (number, self.pieces[number], index)
        return self.market.challenge(claim, fault, stage=(at, stage), proof=proof)

    # Ends

    def collect(self, amounts: tuple[int, ...]) -> None:
        is_settled = self.market.market(self.ledger).phase == MarketPhase.SETTLED
        shown = amounts if is_settled else ()
        if is_settled:
            wrong = (amounts[0] + 1, *amounts[1:])
            self.refuses("MarketWrongBalances", "dave", self.market.collect(wrong, most=1))
        self.send("dave", self.market.collect(shown, most=1))
        if len(amounts) > 1:
            self.send("dave", self.market.collect(shown, most=300))
        self.refuses("MarketAllCollected", "dave", self.market.collect(shown, most=1))
        parties = self.rule.parties
        for party, amount in enumerate(amounts):
            one = self.staked[parties.index(party)]
            name = next(name for name in NAMES if KEYS[name].address == one.account)
            self.owed[name] += amount

    def learn(self, alive: frozenset[int]) -> None:
        samples = [self.staked[number].sample for _, number in self.rule.order(alive)]
        cut = self.dice.randrange(len(samples) + 1)
        for page in (samples[:cut], samples[cut:]):
            if page:
                self.send("dave", self.market.learn(page))
        self.refuses("MarketAllLearnt", "dave", self.market.learn([Sample(b"", 0)]))
        state = self.world.start
        for sample in samples:
            state = learn(self.world.model, state, sample)
        words = self.world.model.dump(state)
        assert self.model.state(self.ledger) == words
        start = self.world.model.start(self.world.classes, self.world.features)
        events = self.ledger.events(0, self.ledger.block_number)
        assert self.world.model.dump(replay(self.world.model, start, events)) == words

    def finish(self) -> None:
        """Everybody has and takes what they are owed; what stays is what refuted claims lost."""
        for who in NAMES:
            address = KEYS[who].address
            assert self.market.balance_of(self.ledger, address) == self.owed[who], who
            if self.owed[who]:
                self.send(who, self.market.withdraw())
        lies = sum(n for name, n in self.counts.items() if name.startswith("market refuted"))
        lost = lies * (self.terms.bond - self.terms.bond // 2)
        assert self.ledger.coins(self.market.address) == lost

    def run(self, path: str) -> None:
        self.create()
        if path == "cancelled":
            self.send(OWNER, self.market.cancel())
        elif path == "overdue":
            self.ledger.mine(3)
            self.send("bob", self.market.draw())
            self.refuses("MarketNotProvider", "bob", self.market.cancel())
            self.ledger.time += self.terms.reveal_seconds + 1
            self.send("bob", self.market.cancel())
        else:
            self.show()
            self.take_part(path)
        if path in ("cancelled", "overdue", "empty"):
            self.owed[OWNER] += self.bounty
        self.finish()

    def take_part(self, path: str) -> None:
        if path == "empty":
            self.refuses("MarketTooEarly", OWNER, self.market.cancel())
            self.ledger.time += self.terms.participation_seconds + 1
            self.send("bob", self.market.cancel())
            return
        self.participate()
        if path != "hidden":
            self.reveal()
        if path == "settled":
            self.settle()
            return
        wait = self.terms.claim_seconds if path == "unclaimed" else self.terms.reveal_seconds
        self.refuses("MarketTooEarly", "bob", self.market.forfeit())
        self.ledger.time += wait + 1
        self.send("bob", self.market.forfeit())
        self.collect(forfeited(self.rule))


def falsify(rule: Rule, stage: Stage, dice: Random) -> Stage:
    """The stage with a wrong hash or a wrong bit."""
    width = 32 * (1 + -(-len(rule.samples) // 256))
    points = bytearray(stage.points)
    point = dice.randrange(len(points) // width) * width
    if dice.random() < 0.5:
        points[point + dice.randrange(32)] ^= 1 << dice.randrange(8)
    else:
        flip = write_bits(1 << dice.randrange(len(rule.samples)), len(rule.samples))
        for i, byte in enumerate(flip):
            points[point + 32 + i] ^= byte
    return Stage(stage.alive, bytes(points))


def run_market(seed: int) -> MarketPlay:
    """The market of that seed, compared.

    Raises:
        AssertionError: the contract and the rule differ.
    """
    dice = Random(f"market {seed}")
    world, ledger, model, market = set_market(seed % REPLAYABLE)
    terms = MarketTerms(
        grouped=dice.random() < 0.5,
        stake_min=dice.choice((0, 0, 1, 5, 10**6)),
        bond=dice.choice((0, 0, 1, 10**9 + 1)),
        contributions_max=dice.choice((0, 200, 3)),
    )
    play = MarketPlay(world, ledger, model, market, dice, terms=terms)
    mark, path = ledger.mark(), dice.choice(PATHS)
    try:
        play.run(path)
    except (AssertionError, ContractError) as error:
        error.add_note(f"market seed {seed}, {path}, {world.name}, {play.terms}")
        raise
    finally:
        ledger.rewind(mark)
    play.counts[f"market {path}"] += 1
    return play


@cache
def set_market(world_index: int) -> tuple[World, RevmLedger, ModelContract, Market]:
    """A market on a ledger of its own."""
    world, ledger, owner = make_world(world_index), RevmLedger(*KEYS.values()), KEYS[OWNER]
    deployed = deploy_model(ledger, owner, world.model, state=world.start, encoder="none")
    market = deploy_market(ledger, owner, deployed)
    watch(ledger, deployed, market)
    return world, ledger, deployed, market
