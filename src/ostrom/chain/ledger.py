"""The seam between the protocol and a chain: what every ledger can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ostrom.types import Address, Digest, Logged

if TYPE_CHECKING:
    from ostrom.chain.wallet import Key

CONSTRUCTOR = "constructor"
NOWHERE = Address("")


@dataclass(frozen=True)
class Call:
    """One call of a contract's function, by name. `value` is in wei.

    A `function` of "constructor" at no address deploys the contract. `gas` is what it needs at
    least, whatever an estimate says: a function that catches the failures of inner calls succeeds
    with less.
    """

    contract: str
    address: Address
    function: str
    args: tuple[object, ...] = ()
    value: int = 0
    gas: int = 0


@dataclass(frozen=True)
class Receipt:
    """A call that a block holds. There is none for a refused call: `send` raises instead.

    `calldata` is the length of the call in bytes; `created` is the address of a new contract.
    """

    transaction: Digest
    block: int
    time: int
    gas_used: int
    calldata: int
    events: tuple[Logged, ...] = ()
    created: Address | None = None


class Ledger(Protocol):
    """A chain: it takes signed calls, answers views, and lists events.

    Answers to the threat that a foreign contract imitates an event: only contracts named to
    `watch` are heard. It does not answer a lying node; `ostrom.audit` replays for that.
    """

    @property
    def chain_id(self) -> int:
        """The chain's number (EIP-155)."""

    @property
    def block_number(self) -> int:
        """The number of the head block."""

    def now(self) -> int:
        """The head block's timestamp in Unix seconds: the only time that contracts know."""

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Decode the events of these addresses as those of the named contracts."""

    def send(self, call: Call, key: Key) -> Receipt:
        """Sign `call` with `key`, send it and wait until a block holds it.

        Raises:
            ContractError: a contract refuses the call; nothing is sent.
            LedgerError: the chain cannot be reached or does not take the call.
        """

    def call(self, call: Call) -> Any:
        """What a view answers at the head block: a value, a tuple of several, or a dict for a
        struct (names in snake_case).

        Raises:
            ContractError: the contract refuses the call.
        """

    def events(self, from_block: int, to_block: int) -> list[Logged]:
        """Events of the watched contracts in blocks `from_block` to `to_block`, both included."""

    def code(self, address: Address) -> bytes:
        """The code at `address`, empty if it holds none."""
