"""The first blocks of a local network: coins, contracts, the task, and everybody's joining.

Every step looks at the chain first and does only what is missing, so that an interrupted launch is
simply run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from ostrom.chain.contracts import SignedJoin, SignedPermit
from ostrom.chain.deployed import Deployed, read_deployed, write_deployed
from ostrom.chain.deployment import Deployment, deploy
from ostrom.chain.ledger import Call, Receipt
from ostrom.chain.registered import NOTHING, Registrations
from ostrom.chain.rpc import RpcLedger, Unsettled
from ostrom.chain.wallet import (
    Join,
    Key,
    Permit,
    Register,
    registry_domain,
    token_domain,
    training_domain,
)
from ostrom.errors import InputError, LedgerError
from ostrom.network.plan import DEPLOYMENT, HOME, TASK, Party, Plan
from ostrom.network.processes import wait_until
from ostrom.node.taskfile import PreparedTask, TaskFile
from ostrom.storage import DirectoryStore
from ostrom.storage.contacts import Contact
from ostrom.types import Address, Digest, Phase, Role, TaskCreated

COIN = 10**18
HOUR_SECONDS = 3_600
BOND_DELAY_SECONDS = 24 * HOUR_SECONDS
JOINS_MAX = 50
TRANSFER_GAS = 21_000
OFFERS_MAX, OFFER_SECONDS = 20, 3.0
REFUSALS_MAX = 4
REFUSED_SECONDS = 4.0

STORE = "store"
"""Where a node's folder holds its store."""

COINS = {"relay": 10, "validator": 10, "trainer": 1}
"""Whole coins for gas. A trainer needs its own only if relays do not carry its messages."""

Say = Callable[[str], None]
Give = Callable[[Address], None]


class PatientLedger(RpcLedger):
    """A ledger that asks again when something is refused.

    Where blocks are reorganised, or the next URL answers from a block behind, what was done a
    moment ago is missing for a moment.
    """

    def send(self, call: Call, key: Key) -> Receipt:
        """As `RpcLedger.send`, but a refusal counts only once it was repeated over some blocks."""
        for _ in range(REFUSALS_MAX - 1):
            try:
                return super().send(call, key)
            except Unsettled:
                raise
            except LedgerError:
                let_blocks_pass(self)
        return super().send(call, key)


def let_blocks_pass(ledger: RpcLedger) -> None:
    """Wait for two blocks, or for some seconds where none come."""
    later = ledger.block_number + 2
    wait_until(lambda: ledger.block_number >= later, REFUSED_SECONDS)


@dataclass(frozen=True)
class Launched:
    """A network that nodes can be started for; `first_block` is the one that created the task."""

    deployed: Deployed
    task_id: Digest
    first_block: int


@dataclass(frozen=True)
class Launcher:
    """Brings a plan onto a chain. `give` makes coins; without it the sponsor's are shared out.

    `contacts` are the nodes' by name, to be registered; who has none registers a role alone.
    """

    plan: Plan
    ledger: RpcLedger
    say: Say
    give: Give | None = None
    contacts: Mapping[str, Contact] = field(default_factory=dict)

    def run(self) -> Launched:
        """Do all that is missing.

        Raises:
            InputError: the sponsor cannot pay, or the task cannot be.
            LedgerError: the chain cannot be reached, or refuses.
        """
        passphrase = self.plan.passphrase
        sponsor = self.plan.sponsor.key(passphrase)
        keys = {one.name: one.key(passphrase) for one in self.plan.nodes}
        self._fund(sponsor, keys)
        deployed = self._deployed(sponsor)
        task = self._task(deployed, sponsor)
        joining = _Joining(self.ledger, deployed.contracts, task, sponsor, keys["relay"])
        self._register(deployed, joining, keys)
        for party in self.plan.parties("validator"):
            if joining.directly(keys[party.name]):
                self.say(f"{party.name} has joined with a stake of its own")
        trainers = [keys[one.name] for one in self.plan.parties("trainer")]
        if joined := joining.by_relay(trainers):
            self.say(f"{joined} trainers have signed, and the relay has brought them in")
        return Launched(deployed, task.task_id, self._first_block(deployed, task.task_id))

    def _register(self, deployed: Deployed, joining: _Joining, keys: Mapping[str, Key]) -> None:
        """Roles, and where the nodes are, of all members; what is on the chain stays."""
        known = Registrations(deployed.contracts.registry.address, deployed.block)
        digests = known.read(self.ledger, self.ledger.block_number)
        for party in self.plan.parties("validator", "trainer"):
            key, contact = keys[party.name], self.contacts.get(party.name)
            before = digests.get(key.address, NOTHING)
            wanted = before if contact is None else contact.digest
            joining.register(key, Role[party.role.upper()], metadata=wanted, before=before)

    def _first_block(self, deployed: Deployed, task_id: Digest) -> int:
        """Where the task's events begin, so that nobody reads what is older."""
        for logged in self.ledger.events(deployed.block, self.ledger.block_number):
            if isinstance(logged.event, TaskCreated) and logged.event.task_id == task_id:
                return logged.block
        return deployed.block

    def _fund(self, sponsor: Key, keys: dict[str, Key]) -> None:
        """Coins for gas, where somebody has none and gas costs something."""
        if self.give is not None:
            for key in (sponsor, *keys.values()):
                if not self._balance(key.address):
                    self.give(key.address)
            return
        price = int(self.ledger.request("eth_gasPrice"), 16)
        if price == 0:
            return
        wanted = {one: COINS[one.role] for one in self.plan.nodes}
        poor = {
            keys[one.name].address: coins * COIN
            for one, coins in wanted.items()
            if not self._balance(keys[one.name].address)
        }
        need = sum(poor.values()) + 10 * COIN
        if self._balance(sponsor.address) < need and (poor or not self._is_deployed()):
            raise InputError(
                f"send {-(-need // COIN)} coins of chain {self.ledger.chain_id} to the sponsor "
                f"{sponsor.address}, then run the command again"
            )
        self._pay(sponsor, poor)

    def _is_deployed(self) -> bool:
        return (self.plan.folder / DEPLOYMENT).exists()

    def _balance(self, account: Address) -> int:
        return self.ledger.client.balance(account)

    def _pay(self, sponsor: Key, amounts: dict[Address, int]) -> None:
        """Send coins, one transaction after the other, and wait until all are in blocks."""
        client = self.ledger.client
        fees, nonce = client.fees(), client.nonce(sponsor.address)
        price = (
            {"gasPrice": fees.most}
            if fees.legacy
            else {"maxFeePerGas": fees.most, "maxPriorityFeePerGas": fees.tip}
        )
        raws = []
        for account, amount in amounts.items():
            fields = {"chainId": client.chain_id, "nonce": nonce, "gas": TRANSFER_GAS, "data": b""}
            raws.append(sponsor.sign_transaction(fields | {"to": account, "value": amount} | price))
            nonce += 1
        for _ in range(OFFERS_MAX):
            # Again and again: a reorganisation can lose what a block held already.
            for raw in raws:
                with suppress(LedgerError):
                    client.submit(raw)
            if wait_until(lambda: client.nonce(sponsor.address) >= nonce, OFFER_SECONDS):
                let_blocks_pass(self.ledger)
                if client.nonce(sponsor.address) >= nonce:
                    return
        raise LedgerError("no block holds the coins for the nodes: run the command again")

    def _deployed(self, sponsor: Key) -> Deployed:
        """The contracts, deployed if the folder does not say where they are."""
        file = self.plan.folder / DEPLOYMENT
        if file.exists():
            deployed = read_deployed(file)
            deployed.contracts.watch(self.ledger)
            return deployed
        first = self.ledger.block_number
        contracts = deploy(
            self.ledger, sponsor, treasury=sponsor.address, bond_delay=BOND_DELAY_SECONDS
        )
        deployed = Deployed(self.ledger.chain_id, first, contracts)
        write_deployed(file, deployed)
        self.say(f"contracts deployed on chain {deployed.chain_id}")
        return deployed

    def _task(self, deployed: Deployed, sponsor: Key) -> PreparedTask:
        """The task, created if the chain does not know it; its files are in the relay's store."""
        at = deployed.contracts
        file = TaskFile.read(self.plan.folder / TASK)
        task = file.prepare(sponsor=sponsor.address, token=at.token.address)
        for party in self.plan.nodes:
            task.publish(DirectoryStore(party.folder / HOME / STORE))
        if at.training.task(self.ledger, task.task_id).phase == Phase.NONE:
            self.ledger.send(at.token.approve(at.training.address, task.params.pool), sponsor)
            self.ledger.send(at.training.create_task(task.params), sponsor)
            self.say(f"task {task.task_id.hex()} created")
        return task


@dataclass(frozen=True)
class _Joining:
    """Brings accounts into the task, once each."""

    ledger: RpcLedger
    at: Deployment
    task: PreparedTask
    sponsor: Key
    relay: Key

    def directly(self, key: Key) -> bool:
        """Join with transactions of the validator's own; False if it is in already."""
        if self._is_member(key.address):
            return False
        stake = self.task.params.validator_stake
        free = self.at.registry.free_of(self.ledger, key.address)
        calls: list[Call] = []
        if free < stake:
            self._stake(key.address, stake - free)
            calls += [
                self.at.token.approve(self.at.registry.address, stake - free),
                self.at.registry.deposit(stake - free),
            ]
        calls.append(self.at.training.join(self.task.task_id, role=Role.VALIDATOR, stake=stake))
        for call in calls:
            self.ledger.send(call, key)
        return True

    def register(self, key: Key, role: Role, *, metadata: Digest, before: Digest) -> None:
        """Let the relay carry what an account declares, unless the chain has it already."""
        registry = self.at.registry
        roles = registry.roles_of(self.ledger, key.address)
        if roles & role and metadata == before:
            return
        nonce = registry.nonce_of(self.ledger, key.address)
        deadline = self.ledger.now() + HOUR_SECONDS
        wish = Register(key.address, roles | role, metadata, nonce, deadline)
        signed = key.sign(wish.digest(registry_domain(self.ledger.chain_id, registry.address)))
        self.ledger.send(registry.register_by_signature(wish, signed), self.relay)

    def by_relay(self, keys: list[Key]) -> int:
        """Let the relay bring in what trainers signed; how many were not in yet."""
        missing = [key for key in keys if not self._is_member(key.address)]
        deadline = self.ledger.now() + HOUR_SECONDS
        for key in missing:
            self._stake(key.address, self.task.params.trainer_stake)
        joins = [self._signed(key, deadline) for key in missing]
        for first in range(0, len(joins), JOINS_MAX):
            batch = joins[first : first + JOINS_MAX]
            self.ledger.send(self.at.training.join_batch(self.task.task_id, batch), self.relay)
        left = [key.address for key in missing if not self._is_member(key.address)]
        if left:
            raise LedgerError(f"{left[0]} was not let in: run the command again")
        return len(missing)

    def _is_member(self, account: Address) -> bool:
        found = self.at.training.member(self.ledger, self.task.task_id, account=account)
        return found.role in (Role.TRAINER, Role.VALIDATOR)

    def _stake(self, account: Address, amount: int) -> None:
        """Tokens for a stake, from the sponsor, who holds the whole supply."""
        held = self.at.token.balance_of(self.ledger, account)
        if held < amount:
            self.ledger.send(self.at.token.transfer(account, amount - held), self.sponsor)

    def _signed(self, key: Key, deadline: int) -> SignedJoin:
        chain, stake = self.ledger.chain_id, self.task.params.trainer_stake
        nonce = self.at.token.nonce_of(self.ledger, key.address)
        permit = Permit(key.address, self.at.registry.address, stake, nonce, deadline)
        allowed = key.sign(permit.digest(token_domain(chain, self.at.token.address)))
        join = Join(key.address, Role.TRAINER, stake, deadline)
        domain = training_domain(chain, self.at.training.address)
        return SignedJoin.of(
            join,
            key.sign(join.digest(domain, self.task.task_id)),
            permit=SignedPermit.of(stake, deadline, signature=allowed),
        )


def node_store(party: Party) -> DirectoryStore:
    """What a party's node holds, to be read only."""
    return DirectoryStore(party.folder / HOME / STORE, read_only=True)
