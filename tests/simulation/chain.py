"""A chain in memory: real contracts on revm, blocks that can vanish, a pool that can forget.

Time, order, fees and reorganisations are arguments, so that one seed gives one chain. What is not
simulated: the merkle tries, gas to the last unit (storage is never committed, so slots stay warm)
and transfers of coins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any

import pyrevm
from tests.simulation.blocks import Included, RawLog, SimBlock
from tests.simulation.transactions import Transaction, read_transaction

from ostrom.chain.artifacts import decode_answer, decode_log, decode_refusal, encode_call
from ostrom.chain.client import Block, Mined
from ostrom.chain.ledger import Call
from ostrom.codec import checksum_address, keccak, words
from ostrom.errors import LedgerError
from ostrom.types import Address, Digest, Logged

CHAIN_ID = 1337
GAS_LIMIT = 30_000_000
GENESIS_TIME = 1_767_225_600
WEI = 10**9
"""A gwei: the unit of the base fee here."""

NOBODY = "0x" + "00" * 20
STATES_KEPT = 300
"""Blocks whose states can be asked for."""

CODE_PADDING = 33
"""Zeros that revm puts behind a contract's code."""

REPLACEMENT_PERCENT = 10
"""What a transaction must pay more than the one whose nonce it takes, as nodes ask."""


class NonceTooLow(LedgerError):
    """A transaction of that nonce is in a block already."""


class Underpriced(LedgerError):
    """A transaction of that nonce waits already and pays as much, or nearly."""


class SimChain:
    """A tree of blocks; `head` is the end of the branch that everybody will agree on."""

    def __init__(self, coins: Mapping[Address, int], *, salt: bytes = b"") -> None:
        self._salt = salt
        self._evm = _machine()
        genesis = Block(0, keccak(b"genesis" + salt), bytes(32), GENESIS_TIME, GAS_LIMIT)
        first = SimBlock(genesis, WEI, (), {}, dict(coins))
        self.blocks: dict[Digest, SimBlock] = {genesis.hash: first}
        self.line: list[SimBlock] = [first]
        """The canonical blocks by number."""
        self._marks = {0: self._evm.snapshot()}
        self.pool: dict[Digest, Transaction] = {}
        self._asked: dict[tuple[Address, bytes], Call] = {}
        self._encoded: dict[Call, tuple[Address, bytes]] = {}
        self._where: dict[Digest, list[SimBlock]] = {}
        self.executed = 0

    # What everybody agrees on

    @property
    def head(self) -> SimBlock:
        """The newest block."""
        return self.line[-1]

    def is_canonical(self, block: SimBlock) -> bool:
        """True if the block is on the branch of `head`."""
        number = block.header.number
        return number < len(self.line) and self.line[number] is block

    # The pool

    def submit(self, raw: bytes) -> Transaction:
        """Take a signed transaction into the pool; one that is known is no error.

        Raises:
            LedgerError: it is no transaction, its nonce is used, or it pays too little.
        """
        made = read_transaction(raw, CHAIN_ID)
        if made.hash in self.pool:
            return made
        nonce = self.head.nonces.get(made.sender, 0)
        if made.nonce < nonce:
            if self.mined(made.hash, self.head) is not None:
                return made
            raise NonceTooLow(f"nonce too low: next nonce {nonce}, tx nonce {made.nonce}")
        if made.gas * made.most + made.value > self.head.coins.get(made.sender, 0):
            raise LedgerError("insufficient funds for gas * price + value")
        rival = self._rival(made)
        if rival is not None:
            if not _pays_more(made, rival):
                raise Underpriced("replacement transaction underpriced")
            del self.pool[rival.hash]
        self.pool[made.hash] = made
        return made

    def _rival(self, made: Transaction) -> Transaction | None:
        same = (one for one in self.pool.values() if one.sender == made.sender)
        return next((one for one in same if one.nonce == made.nonce), None)

    def forget(self, transaction: Digest) -> None:
        """Lose a transaction that waits."""
        del self.pool[transaction]

    # Blocks

    def mine(self, time: int, dice: Random, *, base_fee: int = WEI, share: float = 1.0) -> SimBlock:
        """The next block, with waiting transactions in an order that `dice` decides.

        `share` of those that could be taken are.
        """
        parent = self.head
        number = parent.header.number + 1
        time = max(time, parent.header.time + 1)
        nonces, coins = dict(parent.nonces), dict(parent.coins)
        self._at_time(number, time)
        included: list[Included] = []
        for made in self._chosen(nonces, dice, base_fee, share):
            done = self._execute(made)
            price = min(made.most, base_fee + made.tip)
            nonces[made.sender] = made.nonce + 1
            coins[made.sender] = coins.get(made.sender, 0) - done.gas_used * price
            included.append(done)
            del self.pool[made.hash]
        hashes = b"".join(one.transaction.hash for one in included)
        name = keccak(parent.header.hash + words(number, time) + hashes + self._salt)
        header = Block(number, name, parent.header.hash, time, GAS_LIMIT)
        made_block = SimBlock(header, base_fee, tuple(included), nonces, coins)
        self.blocks[name] = made_block
        for done in included:
            self._where.setdefault(done.transaction.hash, []).append(made_block)
        self.line.append(made_block)
        self._mark(number)
        self._drop_stale(nonces)
        for key, call in self._asked.items():
            made_block.answers[key] = self._view(call.address, key[1])
        return made_block

    def _chosen(
        self, nonces: dict[Address, int], dice: Random, base_fee: int, share: float
    ) -> Iterator[Transaction]:
        """Transactions in the order of a block: each account's in order of nonce."""
        closed: set[Address] = set()
        gas = 0
        while True:
            ready = [
                one
                for one in self.pool.values()
                if one.sender not in closed
                and one.nonce == nonces.get(one.sender, 0)
                and one.most >= base_fee
                and gas + one.gas <= GAS_LIMIT
            ]
            if not ready:
                return
            dearest = max(one.tip for one in ready)
            made = dice.choice([one for one in ready if one.tip == dearest])
            if dice.random() >= share:
                closed.add(made.sender)
                continue
            gas += made.gas
            yield made

    def _drop_stale(self, nonces: Mapping[Address, int]) -> None:
        """The pool forgets what can never be mined on this branch."""
        stale = [h for h, one in self.pool.items() if one.nonce < nonces.get(one.sender, 0)]
        for one in stale:
            del self.pool[one]

    def go_back(self, depth: int, *, lost: Callable[[Transaction], bool]) -> list[SimBlock]:
        """Take the newest `depth` blocks off; their transactions wait again, or are `lost`."""
        dropped = self.line[-depth:]
        keep = len(self.line) - depth
        self._rewind(keep - 1)
        del self.line[keep:]
        for block in dropped:
            for one in block.included:
                made = one.transaction
                if not lost(made) and self._rival(made) is None:
                    self.pool[made.hash] = made
        return dropped

    # Reading

    def mined(self, transaction: Digest, tip: SimBlock) -> Mined | None:
        """Where the transaction is on the branch that ends in `tip`."""
        for block in self._where.get(transaction, ()):
            header = block.header
            if self.at(header.number, tip) is not block:
                continue
            done = next(one for one in block.included if one.transaction.hash == transaction)
            return Mined(header.number, header.hash, done.gas_used, done.ok)
        return None

    def branch(self, tip: SimBlock) -> Iterator[SimBlock]:
        """The blocks from `tip` back to the first."""
        block: SimBlock | None = tip
        while block is not None:
            yield block
            block = self.blocks.get(block.header.parent)

    def at(self, number: int, tip: SimBlock) -> SimBlock | None:
        """The block of that number on the branch that ends in `tip`."""
        if not 0 <= number <= tip.header.number:
            return None
        for block in self.branch(tip):
            if self.is_canonical(block):
                return self.line[number] if number <= block.header.number else None
            if block.header.number == number:
                return block
        return None

    def read(self, call: Call, block: SimBlock, *, remember: bool = False) -> Any:
        """What a view answers after `block`; `remember` asks the same of every later block.

        Raises:
            ContractError: the contract refuses.
        """
        key = self._encoded.get(call)
        if key is None:
            key = self._encoded[call] = (call.address, encode_call(call))
        if remember:
            self._asked.setdefault(key, call)
        if key not in block.answers:
            with self._state_of(block):
                block.answers[key] = self._view(*key)
        answer = block.answers[key]
        if isinstance(answer, Exception):
            raise answer
        if key not in block.values:
            block.values[key] = decode_answer(call, answer)
        value = block.values[key]
        return dict(value) if isinstance(value, dict) else value

    def view(self, address: Address, data: bytes) -> int:
        """The number that a view answers at the head."""
        answer = self._view(address, data)
        assert isinstance(answer, bytes), answer
        return int.from_bytes(answer[:32], "big")

    def try_out(self, call: Call, sender: Address, block: SimBlock) -> int:
        """The gas that a call takes after `block`.

        Raises:
            ContractError: the contract refuses.
        """
        with self._state_of(block):
            mark = self._evm.snapshot()
            try:
                self._evm.message_call(
                    sender, call.address, encode_call(call), value=0, gas=GAS_LIMIT
                )
                return int(self._evm.result.gas_used)
            except RuntimeError as error:
                raise _refusal(error) from None
            finally:
                self._evm.revert(mark)

    def code(self, address: Address) -> bytes:
        """The code at an address."""
        code = bytes(self._evm.get_code(address) or b"")
        return code[:-CODE_PADDING] if code else code

    def logs_of(self, block: SimBlock, contracts: Mapping[Address, str]) -> list[Logged]:
        """The events of the named contracts in a block, in order."""
        found = []
        for index, log, transaction in block.logs():
            if log.address not in contracts:
                continue
            if index not in block.decoded:
                event = decode_log(contracts[log.address], log.topics, log.data)
                header = block.header
                block.decoded[index] = Logged(event, header.number, header.time, index, transaction)
            found.append(block.decoded[index])
        return found

    # The machine

    def _at_time(self, number: int, time: int) -> None:
        block = pyrevm.BlockEnv(number=number, timestamp=time, basefee=0, gas_limit=GAS_LIMIT)
        self._evm.set_block_env(block)

    def _execute(self, made: Transaction) -> Included:
        self.executed += 1
        created: Address | None = None
        logs: tuple[RawLog, ...] = ()
        ok = True
        try:
            if made.to is None:
                address = self._evm.deploy(made.sender, made.data, gas=made.gas)
                created = checksum_address(bytes.fromhex(address[2:]))
            else:
                self._evm.message_call(made.sender, made.to, made.data, gas=made.gas)
            logs = tuple(_log(one) for one in self._evm.result.logs)
        except RuntimeError:
            ok = False
        return Included(made, ok, int(self._evm.result.gas_used), logs, created)

    def _view(self, address: Address | str, data: bytes) -> bytes | Exception:
        mark = self._evm.snapshot()
        try:
            return bytes(self._evm.message_call(NOBODY, address, data, gas=GAS_LIMIT))
        except RuntimeError as error:
            return _refusal(error)
        finally:
            self._evm.revert(mark)

    @contextmanager
    def _state_of(self, block: SimBlock) -> Iterator[None]:
        """The machine as it was after `block`; older and dropped blocks are executed again."""
        self._at_time(block.header.number, block.header.time)
        if block is self.head:
            yield
            return
        behind = [one for one in self.branch(block) if not self.is_canonical(one)]
        common = block.header.number - len(behind)
        self._rewind(common)
        for one in reversed(behind):
            self._again(one)
        self._at_time(block.header.number, block.header.time)
        try:
            yield
        finally:
            self._rewind(common)
            for one in self.line[common + 1 :]:
                self._again(one)
                self._mark(one.header.number)

    def _mark(self, number: int) -> None:
        """Remember the state after a block; the machine takes only so many at a time."""
        self._marks[number] = self._evm.snapshot()
        if len(self._marks) > STATES_KEPT:
            del self._marks[min(self._marks)]
            self._evm.commit()

    def _rewind(self, number: int) -> None:
        """Back to the state after a block."""
        if number not in self._marks:
            raise LedgerError(f"the state after block {number} is not kept any more")
        for one in sorted((n for n in self._marks if n >= number), reverse=True):
            self._evm.revert(self._marks.pop(one))
        self._mark(number)

    def _again(self, block: SimBlock) -> None:
        self._at_time(block.header.number, block.header.time)
        for one in block.included:
            assert self._execute(one.transaction).ok == one.ok, "the same call did something else"


def _machine() -> Any:
    block = pyrevm.BlockEnv(number=0, timestamp=GENESIS_TIME, basefee=0, gas_limit=GAS_LIMIT)
    env = pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=CHAIN_ID), block=block)
    return pyrevm.EVM(env=env, gas_limit=GAS_LIMIT, spec_id="MERGE")


def _pays_more(made: Transaction, rival: Transaction) -> bool:
    least = 100 + REPLACEMENT_PERCENT
    return made.most * 100 >= rival.most * least and made.tip * 100 >= rival.tip * least


def _log(log: Any) -> RawLog:
    topics, data = log.data
    address = checksum_address(bytes.fromhex(log.address[2:]))
    return RawLog(address, tuple(bytes(one) for one in topics), bytes(data))


def _refusal(error: RuntimeError) -> Exception:
    """The contract's own error from what the machine says of a call that failed."""
    text = str(error)
    if not text.startswith("Revert"):
        return LedgerError(f"the EVM stopped: {text[:100]}")
    return decode_refusal(bytes.fromhex(text.split("output: 0x")[1].split(" ")[0].strip("}")))
