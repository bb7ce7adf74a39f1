"""Amounts of a network's token, as people write and read them. Exact: nothing is rounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ostrom.chain.ledger import Ledger
    from ostrom.types import Address

DECIMALS_MAX = 36
SYMBOL_CHARACTERS_MAX = 11


@dataclass(frozen=True)
class Coin:
    """A token's symbol, and how many decimals its smallest unit has."""

    symbol: str = "OSTR"
    decimals: int = 18

    def units(self, text: str) -> int:
        """The amount that a user wrote, in the smallest unit.

        Raises:
            InputError: it is no amount.
        """
        from ostrom.node.taskfile import units

        return units(text, self.decimals)

    def text(self, amount: int) -> str:
        """An amount in the smallest unit with its thousands apart and the token's symbol.

        >>> Coin().text(1_234_500_000_000_000_000_000), Coin("USD", 6).text(1)
        ('1,234.5 OSTR', '0.000001 USD')
        """
        whole, part = divmod(amount, 10**self.decimals)
        decimals = f".{part:0{self.decimals}}".rstrip("0") if part else ""
        return f"{whole:,}{decimals} {self.symbol}"


def read_coin(ledger: Ledger, token: Address) -> Coin:
    """What the token says of itself.

    Raises:
        LedgerError: it says nothing, or nonsense.
    """
    from ostrom.chain.ledger import Call
    from ostrom.errors import LedgerError

    symbol, decimals = (ledger.call(Call("Token", token, view)) for view in ("symbol", "decimals"))
    if not 0 <= decimals <= DECIMALS_MAX:
        raise LedgerError(f"the token {token} has {decimals} decimals: that is not sane")
    return Coin(str(symbol)[:SYMBOL_CHARACTERS_MAX], int(decimals))
