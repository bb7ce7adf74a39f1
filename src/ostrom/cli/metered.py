"""A ledger that says what each transaction costs, as it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ostrom.chain.artifacts import encode_call
from ostrom.chain.ledger import Call, Receipt
from ostrom.chain.rpc import RpcLedger
from ostrom.chain.rpc_client import message_of
from ostrom.chain.wallet import Key
from ostrom.cli.console import say
from ostrom.errors import ContractError, InputError, LedgerError
from ostrom.report.words import whole
from ostrom.types import Address, Digest


@dataclass(frozen=True)
class Act:
    """A transaction that a block holds, and what it was for."""

    name: str
    transaction: Digest
    block: int
    gas: int

    def document(self) -> dict[str, Any]:
        """The act as JSON."""
        shown = f"0x{self.transaction.hex()}"
        return {"act": self.name, "transaction": shown, "block": self.block, "gas": self.gas}


class MeteredLedger(RpcLedger):
    """An `RpcLedger` that keeps its transactions in `acts`."""

    def __init__(self, url: str | Sequence[str], *, chain_id: int | None = None) -> None:
        """A connection; errors as `RpcLedger`."""
        super().__init__(url, chain_id=chain_id)
        self.acts: list[Act] = []

    def send(self, call: Call, key: Key) -> Receipt:
        """Send, wait, and say what it cost; errors as `RpcLedger.send`.

        Raises:
            InputError: the account cannot pay for gas.
        """
        name = f"{call.contract}.{call.function}"
        try:
            receipt = super().send(call, key)
        except KeyboardInterrupt as stop:
            say(f"ostrom: {name}: {stop or 'nothing was sent'}")
            say("ostrom: run the command again: it sends what is missing")
            raise
        except ContractError:
            raise
        except LedgerError as error:
            if "insufficient funds" in str(error).lower():
                raise self.broke(key.address) from None
            raise
        self.acts.append(Act(name, receipt.transaction, receipt.block, receipt.gas_used))
        say(f"{name}: {whole(receipt.gas_used)} gas, block {receipt.block}")
        return receipt

    def rehearse(self, call: Call, account: Address) -> None:
        """Ask what would happen if the account sent the call now; nothing is sent.

        Raises:
            ContractError: the contract would refuse.
        """
        message = message_of(call, encode_call(call)) | {"from": account}
        self.request("eth_call", message, "latest")

    def gas_price(self) -> int:
        """What a unit of gas costs at most, in wei."""
        return self.client.fees().most

    def need_gas(self, account: Address) -> None:
        """Refuse before the first transaction where an account has nothing and gas is not free.

        Raises:
            InputError: that is so.
        """
        if self.client.balance(account) == 0 and self.gas_price():
            raise self.broke(account)

    def broke(self, account: Address) -> InputError:
        """What to say to an account that cannot pay."""
        return InputError(
            f"{account} cannot pay for gas on chain {self.chain_id}: send it some of its coin"
        )
