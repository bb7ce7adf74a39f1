"""Bringing the contracts onto a chain, and finding them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from ostrom.chain.artifacts import is_code_of
from ostrom.chain.contracts import AllowList, Contract, ModelRegistry, Registry, Token, Training
from ostrom.chain.ledger import CONSTRUCTOR, NOWHERE, Call, Ledger
from ostrom.chain.wallet import Key
from ostrom.errors import LedgerError
from ostrom.types import Address

SUPPLY = 1_000_000_000 * 10**18
"""The token's whole supply, in its smallest unit."""


class Views(Protocol):
    """What checking contracts asks of a chain: every `Ledger` and the nodes' client have it."""

    @property
    def chain_id(self) -> int:
        """The chain's number (EIP-155)."""

    def code(self, address: Address) -> bytes:
        """The code at `address`, empty if it holds none."""

    def call(self, call: Call) -> Any:
        """What a view answers at the head block."""

    def watch(self, contracts: Mapping[Address, str]) -> None:
        """Decode the events of these addresses as those of the named contracts."""


@dataclass(frozen=True)
class Deployment:
    """Where the contracts of one network are."""

    token: Token
    registry: Registry
    models: ModelRegistry
    training: Training

    @property
    def addresses(self) -> dict[str, Address]:
        """Each contract's address by field name, for a document; `at` reads it."""
        return {name: contract["address"] for name, contract in asdict(self).items()}

    @classmethod
    def at(cls, addresses: Mapping[str, str]) -> Deployment:
        """The contracts at `addresses`, as the property of that name gives them.

        Raises:
            LedgerError: an address is missing.
        """
        try:
            return cls(
                token=Token(Address(addresses["token"])),
                registry=Registry(Address(addresses["registry"])),
                models=ModelRegistry(Address(addresses["models"])),
                training=Training(Address(addresses["training"])),
            )
        except KeyError as error:
            raise LedgerError(f"the address of the contract {error} is missing") from None

    def watch(self, views: Views) -> None:
        """Let `views` decode these contracts' events, once their code and links are checked.

        The token may be any that the registry stakes, and its events are not listened to.

        Raises:
            LedgerError: an address does not hold the contract, or a contract uses another one.
        """
        for contract in (self.registry, self.models, self.training):
            if not is_code_of(type(contract).__name__, views.code(contract.address)):
                raise _wrong(views, contract)
        if not views.code(self.token.address):
            raise _wrong(views, self.token)
        for owner, view, used in (
            (self.registry, "stakingToken", self.token),
            (self.training, "registry", self.registry),
            (self.training, "modelRegistry", self.models),
        ):
            if views.call(Call(type(owner).__name__, owner.address, view)) != used.address:
                raise _wrong(views, used)
        ours = (self.registry, self.models, self.training)
        views.watch({each.address: type(each).__name__ for each in ours})


def deploy(
    ledger: Ledger, key: Key, *, treasury: Address, bond_delay: int, supply: int = SUPPLY
) -> Deployment:
    """Deploy all contracts and connect them; `key` owns them and the token's whole supply.

    Slashed stakes go to `treasury`; stakes are released `bond_delay` seconds after leaving.

    Raises:
        LedgerError: the chain cannot be reached or a constructor refuses.
    """
    owner = key.address
    token = Token(_create(ledger, key, "Token", owner, supply))
    registry = Registry(
        _create(ledger, key, "Registry", token.address, treasury, bond_delay, owner)
    )
    models = ModelRegistry(_create(ledger, key, "ModelRegistry", owner))
    training = Training(_create(ledger, key, "Training", registry.address, models.address, owner))
    for call in (
        registry.enable_locker(training.address),
        models.enable_publisher(training.address),
        training.enable_token(token.address),
    ):
        ledger.send(call, key)
    deployment = Deployment(token, registry, models, training)
    deployment.watch(ledger)
    return deployment


def deploy_allow_list(ledger: Ledger, key: Key) -> AllowList:
    """Deploy a membership list that `key` owns."""
    return AllowList(_create(ledger, key, "AllowList", key.address))


def _wrong(views: Views, contract: Contract) -> LedgerError:
    return LedgerError(
        f"{contract.address} on chain {views.chain_id} is not the {type(contract).__name__} of "
        "this network: check the address, the chain and the version"
    )


def _create(ledger: Ledger, key: Key, contract: str, *args: object) -> Address:
    created = ledger.send(Call(contract, NOWHERE, CONSTRUCTOR, args), key).created
    if created is None:
        raise LedgerError(f"the chain does not say where it put {contract}")
    return created
