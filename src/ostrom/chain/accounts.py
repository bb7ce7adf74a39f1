"""The accounts of an embedded chain: dictionaries, with the tries that give the state root.

py-evm keeps every state since the genesis in a database and reads each slot through five layers of
it. A chain in one process only ever needs its head, so this one keeps the head alone: what a block
changed lies in an overlay that can be taken back, and goes into the dictionaries and the tries when
the block is sealed. Addresses, roots and gas are those of py-evm's own database.

Threat answered: none of its own; the journal's block hashes hold every state root.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from eth.abc import AccountDatabaseAPI, AtomicDatabaseAPI, MetaWitnessAPI
from eth.db.atomic import AtomicDB
from eth.db.witness import MetaWitness
from eth.typing import JournalDBCheckpoint
from eth_typing import Address, Hash32

from ostrom.chain.rlp import rlp_integer, rlp_list, rlp_string
from ostrom.chain.trie import BLANK_ROOT, Trie
from ostrom.codec import keccak
from ostrom.errors import LedgerError

NO_CODE = keccak(b"")
_BLANK = Hash32(BLANK_ROOT)


class Account(NamedTuple):
    """What an address holds besides its storage."""

    nonce: int = 0
    balance: int = 0
    code_hash: bytes = NO_CODE


@dataclass
class Head:
    """The state after the last sealed block."""

    accounts: dict[bytes, Account] = field(default_factory=dict)
    slots: dict[bytes, dict[int, int]] = field(default_factory=dict)
    codes: dict[bytes, bytes] = field(default_factory=lambda: {NO_CODE: b""})
    tries: dict[bytes, Trie] = field(default_factory=dict)
    trie: Trie = field(default_factory=Trie)

    def wipe(self, address: bytes) -> None:
        """Forget an account's storage."""
        self.slots.pop(address, None)
        self.tries.pop(address, None)

    def store(self, address: bytes, slot: int, value: int) -> None:
        """Set one slot."""
        self.slots.setdefault(address, {})[slot] = value
        written = rlp_integer(value) if value else b""
        self.tries.setdefault(address, Trie()).put(slot.to_bytes(32, "big"), written)

    def write(self, address: bytes, account: Account | None) -> None:
        """Set an account, whose storage must be written before; None removes it."""
        if account is None:
            self.accounts.pop(address, None)
            self.trie.put(address, b"")
            return
        self.accounts[address] = account
        storage = self.tries[address].root() if address in self.tries else BLANK_ROOT
        nonce, balance = rlp_integer(account.nonce), rlp_integer(account.balance)
        fields = [nonce, balance, rlp_string(storage), rlp_string(account.code_hash)]
        self.trie.put(address, rlp_list(fields))


class Database(AtomicDB):
    """py-evm's database for blocks and headers, and the head's accounts beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head()


class Accounts(AccountDatabaseAPI):
    """The head's accounts with one block's changes, as py-evm asks for them."""

    def __init__(self, db: AtomicDatabaseAPI, state_root: Hash32 = _BLANK) -> None:
        """The accounts after the last sealed block.

        Raises:
            LedgerError: `state_root` is that of another block.
        """
        assert isinstance(db, Database)
        self._head = db.head
        if state_root != self.state_root:
            raise LedgerError("only the state after the last block is kept")
        self._accounts: dict[bytes, Account | None] = {}
        self._slots: dict[tuple[bytes, int], int] = {}
        self._wiped: dict[bytes, bool] = {}
        self._warm: dict[object, bool] = {}
        self._before: dict[tuple[bytes, int], int] = {}
        self._undo: list[tuple[MutableMapping[Any, Any], Any, Any]] = []

    @property
    def state_root(self) -> Hash32:
        """The root of the last sealed block."""
        return Hash32(self._head.trie.root())

    @state_root.setter
    def state_root(self, value: Hash32) -> None:
        if value != self.state_root:
            raise LedgerError("only the state after the last block is kept")

    def has_root(self, state_root: bytes) -> bool:
        """True for the last sealed block's."""
        return state_root == self.state_root

    # What a transaction changes

    def _put(self, table: MutableMapping[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((table, key, table.get(key, _ABSENT)))
        table[key] = value

    def record(self) -> JournalDBCheckpoint:
        """A point to return to."""
        return JournalDBCheckpoint(len(self._undo))

    def discard(self, checkpoint: JournalDBCheckpoint) -> None:
        """Take everything back that happened since the point."""
        while len(self._undo) > checkpoint:
            table, key, value = self._undo.pop()
            if value is _ABSENT:
                del table[key]
            else:
                table[key] = value

    def commit(self, checkpoint: JournalDBCheckpoint) -> None:
        """Keep what happened since the point; an earlier point can still be returned to."""

    def lock_changes(self) -> None:
        """A transaction begins: what was changed before it stays changed."""
        self._before.clear()
        self._warm.clear()
        self._undo.clear()

    # Storage

    def get_storage(self, address: Address, slot: int, from_journal: bool = True) -> int:
        """A slot's value; without `from_journal`, the one before the transaction."""
        key = address, slot
        if not from_journal and key in self._before:
            return self._before[key]
        value = self._slots.get(key)
        if value is not None:
            return value
        return 0 if address in self._wiped else self._head.slots.get(address, {}).get(slot, 0)

    def set_storage(self, address: Address, slot: int, value: int) -> None:
        """Set a slot."""
        key = address, slot
        self._before.setdefault(key, self.get_storage(address, slot))
        self._put(self._slots, key, value)

    def delete_storage(self, address: Address) -> None:
        """Set every slot to zero."""
        for key in [key for key in self._slots if key[0] == address]:
            self._put(self._slots, key, 0)
        self._put(self._wiped, address, True)

    def is_storage_warm(self, address: Address, slot: int) -> bool:
        """True if the transaction has touched the slot."""
        return (address, slot) in self._warm

    def mark_storage_warm(self, address: Address, slot: int) -> None:
        """Remember that the transaction touched the slot."""
        self._put(self._warm, (address, slot), True)

    # Accounts

    def _found(self, address: bytes) -> Account | None:
        if address in self._accounts:
            return self._accounts[address]
        return self._head.accounts.get(address)

    def _account(self, address: bytes) -> Account:
        return self._found(address) or Account()

    def get_balance(self, address: Address) -> int:
        """In wei."""
        return self._account(address).balance

    def set_balance(self, address: Address, balance: int) -> None:
        """Set the balance; the account exists from then on."""
        self._put(self._accounts, address, self._account(address)._replace(balance=balance))

    def get_nonce(self, address: Address) -> int:
        """How many transactions or contracts the account has made."""
        return self._account(address).nonce

    def set_nonce(self, address: Address, nonce: int) -> None:
        """Set the nonce; the account exists from then on."""
        self._put(self._accounts, address, self._account(address)._replace(nonce=nonce))

    def increment_nonce(self, address: Address) -> None:
        """Add one to the nonce."""
        self.set_nonce(address, self.get_nonce(address) + 1)

    def get_code(self, address: Address) -> bytes:
        """The code, empty if there is none."""
        return self._head.codes[self._account(address).code_hash]

    def set_code(self, address: Address, code: bytes) -> None:
        """Set the code."""
        digest = keccak(code)
        self._head.codes[digest] = code
        self._put(self._accounts, address, self._account(address)._replace(code_hash=digest))

    def get_code_hash(self, address: Address) -> Hash32:
        """The digest of the code."""
        return Hash32(self._account(address).code_hash)

    def delete_code(self, address: Address) -> None:
        """Take the code away."""
        self._put(self._accounts, address, self._account(address)._replace(code_hash=NO_CODE))

    def account_has_code_or_nonce(self, address: Address) -> bool:
        """True if the account cannot be created."""
        account = self._account(address)
        return account.nonce != 0 or account.code_hash != NO_CODE

    def account_exists(self, address: Address) -> bool:
        """True if the state trie has the account or will have it."""
        return self._found(address) is not None

    def account_is_empty(self, address: Address) -> bool:
        """True without nonce, balance and code (EIP-161)."""
        return self._account(address) == Account()

    def touch_account(self, address: Address) -> None:
        """The account exists from then on."""
        self._put(self._accounts, address, self._account(address))

    def delete_account(self, address: Address) -> None:
        """Remove the account with its storage."""
        self.delete_storage(address)
        self._put(self._accounts, address, None)

    def is_address_warm(self, address: Address) -> bool:
        """True if the transaction has touched the account."""
        return address in self._warm

    def mark_address_warm(self, address: Address) -> None:
        """Remember that the transaction touched the account."""
        self._put(self._warm, address, True)

    # The end of a block

    def make_state_root(self) -> Hash32:
        """Put all changes into the head, and give its root."""
        head = self._head
        for address in self._wiped:
            head.wipe(address)
        for (address, slot), value in self._slots.items():
            head.store(address, slot, value)
        changed = {*self._accounts, *self._wiped, *(address for address, _ in self._slots)}
        for address in changed:
            head.write(address, self._found(address))
        for table in (self._accounts, self._slots, self._wiped):
            table.clear()
        self.lock_changes()
        return self.state_root

    def persist(self) -> MetaWitnessAPI:
        """Seal the block. Nobody asks for its witness, which stays empty."""
        self.make_state_root()
        return MetaWitness(set(), {})


_ABSENT = object()
