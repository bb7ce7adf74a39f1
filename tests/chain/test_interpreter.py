"""The loop and the accounts beneath the embedded chain against py-evm's own."""

from __future__ import annotations

from typing import Any

import pytest
from eth.chains.base import MiningChain
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.db.atomic import AtomicDB
from eth.exceptions import VMError
from eth.vm.forks.paris import ParisVM
from eth.vm.forks.paris.opcodes import PARIS_OPCODES
from eth.vm.message import Message
from eth.vm.transaction_context import BaseTransactionContext
from eth_typing import Address as RawAddress
from hypothesis import given, settings
from hypothesis import strategies as st

from ostrom.chain.accounts import Accounts, Database
from ostrom.chain.interpreter import Machine
from ostrom.chain.trie import BLANK_ROOT, Trie
from ostrom.codec import keccak
from ostrom.errors import LedgerError

ALICE, CONTRACT, OTHER = (RawAddress(bytes([n]) * 20) for n in (0xA1, 0xC0, 0x07))
ECHO = bytes.fromhex("366000600037366000f3")
"""Returns what it is called with."""
PARAMETERS = {
    "coinbase": RawAddress(bytes(20)),
    "difficulty": 0,
    "extra_data": b"",
    "gas_limit": 30_000_000,
    "nonce": bytes(8),
    "timestamp": 1_700_000_000,
    "base_fee_per_gas": 0,
}


def state_of(machine: type[ParisVM], database: AtomicDB) -> Any:
    """The state at a fresh chain's genesis, with a contract that can be called."""

    class Chain(MiningChain):
        chain_id = 1337
        vm_configuration = ((0, machine),)  # type: ignore[assignment]

    chain: Any = Chain.from_genesis(database, dict(PARAMETERS), {})
    state = chain.get_vm(chain.get_canonical_head()).state
    state.set_code(OTHER, ECHO)
    state.set_balance(ALICE, 10**18)
    state.persist()
    state.lock_changes()
    return state


def execute(state: Any, code: bytes, data: bytes, gas: int) -> tuple[object, ...]:
    """All that an execution does, its faults included."""
    to = CONTRACT if code else CREATE_CONTRACT_ADDRESS
    message = Message(gas=gas, to=to, sender=ALICE, value=0, data=data, code=code)
    context = BaseTransactionContext(gas_price=0, origin=ALICE)
    done = state.computation_class.apply_message(state, message, context)
    fault = done.error if done.is_error else None
    found = (
        done.is_success,
        isinstance(fault, VMError) and (fault.burns_gas, fault.erases_return_data),
        done.output,
        done.get_gas_used(),
        done.get_gas_refund(),
        done.get_log_entries(),
    )
    slots = [state.get_storage(CONTRACT, slot) for slot in range(4)]
    state.persist()
    return (*found, slots, state.state_root)


def both(code: bytes, data: bytes = b"", gas: int = 100_000) -> tuple[object, ...]:
    """What this package's machine does, after checking that py-evm does the same."""
    own = execute(state_of(Machine, Database()), code, data, gas)
    assert own == execute(state_of(ParisVM, AtomicDB()), code, data, gas)
    return own


FAULTS = {
    "a pop from an empty stack": "50",
    "an addition with one operand": "600101",
    "a swap below the stack": "600190",
    "a duplicate below the stack": "80",
    "a jump to what is no JUMPDEST": "600056",
    "a jump into the bytes of a push": "60035b605b56",
    "a jump beyond the code": "61ffff56",
    "a conditional jump to nowhere": "6001600057",
    "an opcode that does not exist": "0c",
    "the invalid opcode": "fe",
    "a store beyond all memory": "600160ff60020a52",
    "a full stack": "5b60016000 56".replace(" ", ""),
}


@pytest.mark.parametrize("code", FAULTS.values(), ids=FAULTS)
def test_a_fault_burns_all_gas_as_in_py_evm(code: str) -> None:
    success, fault, _, gas, *_ = both(bytes.fromhex(code))
    assert (success, fault, gas) == (False, (True, True), 100_000)


@pytest.mark.parametrize("gas", [0, 2, 3, 5, 8, 9, 11, 20, 2_300, 22_000, 22_112, 22_113])
def test_gas_runs_out_at_the_same_opcode_as_in_py_evm(gas: int) -> None:
    both(bytes.fromhex("60016000526001600055"), gas=gas)


def test_a_revert_returns_its_reason_and_the_rest_of_the_gas() -> None:
    success, fault, output, gas, *_ = both(bytes.fromhex("602a60005260206000fd"))
    assert (success, fault, output) == (False, (False, False), (42).to_bytes(32, "big"))
    assert isinstance(gas, int)
    assert gas < 100


def test_a_call_returns_what_the_other_contract_returns() -> None:
    call = "602a600052" + "6020" + "6020" + "6020" + "6000" + "6000" + "73" + OTHER.hex()
    success, _, output, *_ = both(bytes.fromhex(call + "61fffff1" + "60206020f3"))
    assert (success, output) == (True, (42).to_bytes(32, "big"))


OPCODES = st.sampled_from(sorted(set(PARIS_OPCODES) - {0x00, 0xF3, 0xFD, 0xFF}))
PIECES = st.one_of(
    # Small numbers make useful offsets, slots and targets; large ones the corners of arithmetic.
    st.integers(0, 64).map(lambda n: bytes([0x60, n])),
    st.sampled_from([0, 1, 31, 255, 1 << 255, (1 << 256) - 1]).map(
        lambda n: b"\x7f" + n.to_bytes(32, "big")
    ),
    OPCODES.map(lambda opcode: bytes([opcode])),
    st.just(b"\x5b"),
    st.binary(min_size=1, max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=40), st.binary(max_size=70), st.sampled_from([500, 60_000]))
def test_any_program_does_what_it_does_in_py_evm(
    pieces: list[bytes], data: bytes, gas: int
) -> None:
    # Sixteen numbers to work on, so that most programs get beyond their first opcodes.
    numbers = b"".join(bytes([0x60, n]) for n in range(16, 0, -1))
    both(numbers + b"".join(pieces), data, gas)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.binary(max_size=40)), max_size=60))
def test_a_trie_s_root_depends_on_its_contents_alone(puts: list[tuple[int, bytes]]) -> None:
    trie, fresh = Trie(), Trie()
    for key, value in puts:
        trie.put(bytes([key]), value)
        trie.root()
    for key, value in sorted(dict(puts).items()):
        fresh.put(bytes([key]), value)
    assert trie.root() == fresh.root()
    for key in range(41):
        trie.put(bytes([key]), b"")
    assert trie.root() == BLANK_ROOT


def test_a_trie_of_one_short_entry_has_ethereum_s_root() -> None:
    # keccak(rlp([hex prefix of the path as a leaf, value])), by the yellow paper.
    trie = Trie()
    trie.put(b"alice", b"1")
    leaf = b"\xe3\xa1\x20" + keccak(b"alice") + b"1"
    assert trie.root() == keccak(leaf)


def test_another_block_s_state_is_refused() -> None:
    with pytest.raises(LedgerError, match="only the state after the last block is kept"):
        Accounts(Database(), bytes(32))
    accounts = Accounts(Database())
    with pytest.raises(LedgerError, match="only the state after the last block is kept"):
        accounts.state_root = bytes(32)


def test_what_a_refused_transaction_changed_is_taken_back() -> None:
    accounts = Accounts(Database())
    accounts.set_storage(CONTRACT, 1, 5)
    accounts.lock_changes()
    point = accounts.record()
    accounts.set_storage(CONTRACT, 1, 6)
    accounts.set_balance(ALICE, 7)
    accounts.mark_storage_warm(CONTRACT, 1)
    accounts.delete_account(CONTRACT)
    assert accounts.get_storage(CONTRACT, 1) == 0
    assert accounts.get_storage(CONTRACT, 1, from_journal=False) == 5
    accounts.discard(point)
    assert accounts.get_storage(CONTRACT, 1) == 5
    assert not accounts.account_exists(ALICE)
    assert not accounts.is_storage_warm(CONTRACT, 1)
