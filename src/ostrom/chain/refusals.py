"""What a node says when it does not do what it was asked, in one tree of errors.

::

    LedgerError
    ├── Unreachable     no usable answer; the node may have acted all the same
    │   └── TooLong     an answer larger than the node gives, or than is read
    ├── NonceTooLow     a block holds another transaction of that account and nonce
    ├── Underpriced     the fees are too low, also to replace what waits with that nonce
    └── ContractError   the contract refuses

Nodes agree on the codes of these errors less than on the words, so words are read: those of geth,
Erigon, Nethermind, Besu, anvil and EthereumJS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ostrom.chain.artifacts import decode_refusal
from ostrom.errors import ContractError, LedgerError


class Unreachable(LedgerError):
    """No usable answer came; the node may have done what it was asked all the same."""


class TooLong(Unreachable):
    """An answer is larger than the node gives, or than is read."""


class NonceTooLow(LedgerError):
    """A block holds another transaction of that account with that nonce."""


class Underpriced(LedgerError):
    """The fees are too low, or too low to replace what waits with that nonce."""


WORDS_MAX = 300
"""How much of a stranger's message is repeated."""

_KNOWN = (
    "already known",  # geth, Nethermind, Erigon
    "known transaction",  # Besu, older geth
    "alreadyknown",  # older Nethermind
    "already imported",  # anvil
    "already in the txpool",  # EthereumJS
    "existing tx with same hash",  # older Erigon
)
_NONCE = ("nonce too low", "nonce is too low", "oldnonce")
_PRICE = (
    "underpriced",  # geth, Besu, Nethermind, anvil: too low as such, or to replace another
    "replacement gas too low",  # EthereumJS
    "replacementnotallowed",  # older Nethermind
    "feetoolow",
    "could not replace existing tx",  # Erigon
    "gas price too low",  # Besu
    "less than block base fee",  # geth, anvil
    "below current base fee",  # Besu
    "cannot pay basefee",  # EthereumJS
    "does not pay the minimum gas price",
)
_FAULTS = {-32603: Unreachable, -32005: TooLong, -32002: Unreachable}
"""Codes of faults of the node itself (EIP-1474): internal error, limit exceeded, unavailable."""


def failure(method: str, error: Any) -> LedgerError:
    """The error that a JSON-RPC error object stands for, whichever way this node puts it.

    >>> failure("eth_call", {"code": 3, "message": "execution reverted", "data": "0x"})
    ContractError('the contract refused the call without a reason')
    >>> failure("eth_sendRawTransaction", {"code": -32000, "message": "nonce too low"})
    NonceTooLow('eth_sendRawTransaction failed: nonce too low')
    """
    if not isinstance(error, Mapping):
        return LedgerError(f"{method} failed: {one_line(error)}")
    message = str(error.get("message", error))
    data = _revert_data(error.get("data"))
    if data is not None:
        return decode_refusal(data)
    words, line = message.lower(), f"{method} failed: {one_line(message)}"
    if "revert" in words:
        return ContractError(f"the contract refused: {one_line(message)}")
    if any(each in words for each in _NONCE):
        return NonceTooLow(line)
    if any(each in words for each in _PRICE):
        return Underpriced(line)
    code = error.get("code")
    return _FAULTS.get(code, LedgerError)(line) if isinstance(code, int) else LedgerError(line)


def one_line(message: object) -> str:
    """A stranger's words on one short line, without what a terminal would obey.

    >>> one_line("two\\nlines \\x1b[2J")
    'two lines ?[2J'
    """
    line = " ".join(str(message)[: WORDS_MAX + 1].split())
    plain = "".join(c if c.isprintable() else "?" for c in line)
    return plain if len(plain) <= WORDS_MAX else f"{plain[:WORDS_MAX]}..."


def is_known(error: LedgerError) -> bool:
    """True if the node says that it has the transaction already.

    >>> is_known(failure("eth_sendRawTransaction", {"message": "transaction already imported"}))
    True
    """
    words = str(error).lower()
    return any(each in words for each in _KNOWN)


def _revert_data(data: Any) -> bytes | None:
    """The bytes that a revert returned: plain (geth, anvil), in words (Nethermind), or nested."""
    for _ in range(4):
        if not isinstance(data, Mapping):
            break
        data = data.get("data", data.get("result"))
    if not isinstance(data, str) or "0x" not in data:
        return None
    try:
        return bytes.fromhex(data[data.index("0x") + 2 :])
    except ValueError:
        return None
