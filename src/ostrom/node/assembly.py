"""Puts a node together from its settings: chain, store, journal, and the parts of its roles.

Each piece is made when it is first needed and kept. What fails because the chain or some content is
not to be had now is tried again at the next look; what is wrong for good raises InputError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount

from ostrom.chain.deployed import Deployed, read_deployed
from ostrom.chain.follower import Follower, View
from ostrom.chain.rpc_client import RpcClient
from ostrom.chain.wallet import Key
from ostrom.codec import keccak, words
from ostrom.errors import InputError, LedgerError, StoreError
from ostrom.node.agent import Agent
from ostrom.node.contacts import contact_routes
from ostrom.node.content import STORE as STORE
from ostrom.node.content import Contents
from ostrom.node.journal import Journal
from ostrom.node.looking import Ending, Stop
from ostrom.node.outbox import Outbox
from ostrom.node.parts import Courier, Part, TrainerPart, ValidatorPart, Wanted
from ostrom.node.relay import Book, Place, Relay, admissions, lanes_of
from ostrom.node.relay.part import RelayPart
from ostrom.node.service import Desk
from ostrom.node.trainer import Trainer
from ostrom.node.validator import Validator
from ostrom.node.wiring import Asking, CountedCarrier, CountedFetch, Soon
from ostrom.participation import participation
from ostrom.protocol import TaskState
from ostrom.spec import Spec
from ostrom.storage import Store, cid_from_digest
from ostrom.storage.gateway import gateway_routes
from ostrom.storage.http import GatewayFetch
from ostrom.types import Address, Digest, Role

JOURNAL = "journal.sqlite"
BOOK = "relay.sqlite"
STATES = "states"

SPEC_BYTES_MAX = 1 << 20
LOOKS_PER_MEASURE = 15
"""The balance and the store's size are asked for at every so many looks."""

_SALT = keccak(b"ostrom salt of a commitment")


def salts(key: Key, chain_id: int, training: Address, task_id: Digest) -> Callable[[int], Digest]:
    """A salt for each round that only the key's owner can know, and finds again after any loss.

    salt = keccak(sign(keccak(purpose || chain || contract || task || round)))

    The signature is deterministic (RFC 6979) and over no message that anything else asks for.

    >>> from ostrom.chain.wallet import simulation_key
    >>> alice = simulation_key(0, "alice")
    >>> salt = salts(alice, 1, alice.address, bytes(32))
    >>> salt(1) == salt(1), salt(1) == salt(2)
    (True, False)
    """

    def salt(number: int) -> Digest:
        return keccak(key.sign(keccak(words(_SALT, chain_id, training, task_id, number))).data)

    return salt


@dataclass(frozen=True)
class Together:
    """Several parts of one account, the first more urgent than the next."""

    parts: tuple[Part, ...]

    def wanted(self, view: View) -> Wanted:
        """What each of them wants."""
        found: dict[str, object] = {}
        fault: StoreError | None = None
        for part in self.parts:
            try:
                found |= {k: v for k, v in part.wanted(view).items() if k not in found}
            except StoreError as error:
                fault = error
        if fault is not None and not found:
            raise fault
        return found  # type: ignore[return-value]


class Assembly:
    """A node's agent with all that it stands on."""

    def __init__(self, desk: Desk) -> None:
        """Check what needs no chain: the deployment file and the journal.

        Raises:
            InputError: they cannot be used.
            Stop: the journal is damaged.
        """
        self._desk, self.config, self.key = desk, desk.config, desk.key
        self.task_id = self.config.task_id
        self.deployed: Deployed = read_deployed(self.config.deployment)
        self._open: list[Callable[[], None]] = []
        self.journal = self._journal()
        self._first_view: View | None = None
        self.contents = Contents(
            self.config,
            self.deployed,
            self.key.address,
            state=lambda: None if self._seen is None else self._seen.state,
            spec=lambda: self.__dict__.get("spec"),
            connect=self._connect,
            fetch=self.fetch,
        )
        self._open.append(self.contents.close)
        self.local = self.contents.local
        desk.server.add(gateway_routes(self.local))
        desk.server.add(contact_routes(self.contents.contacts))
        self._relay_pages = Soon("/v1", "this relay has not seen its task yet: try again later")
        if self.config.has("relay"):
            desk.server.add([Mount("", app=self._relay_pages)])
        self._measured: dict[str, object] = {}
        self._looks = 0

    def poll(self) -> None:
        """Look at the chain once and do what is due."""
        self.contents.start()
        self.agent.poll()
        if self._looks % LOOKS_PER_MEASURE == 0:
            self._measured = self._measure()
        self._looks += 1

    def status(self) -> Mapping[str, object]:
        """The agent's, with what surrounds it."""
        agent: Agent | None = self.__dict__.get("agent")
        about = {
            "role": ", ".join(self.config.role),
            "task": self.task_id.hex(),
            "account": self.key.address,
            "announce": self.config.announce,
        }
        around = self.contents.status()
        if agent is None:
            return {**about, **around, "state": "starting"}
        return {**about, **around, **agent.status(), **self._measured, **self._counted(agent)}

    def _counted(self, agent: Agent) -> dict[str, object]:
        """The counts of whatever pieces there are, and what keeps the node from taking part."""
        found: dict[str, object] = {"notice": self._notice(agent)}
        if self.carrier is not None:
            found["offered"] = dict(self.carrier.counts)
        if self.config.has("relay") and agent.view is not None:
            found["relay_waiting"] = self.relay.waiting(agent.view.state)
        return found

    def close(self) -> None:
        """Let files and connections go, the last first."""
        while self._open:
            self._open.pop()()

    def _journal(self) -> Journal:
        try:
            journal = Journal(self.config.folder / JOURNAL, self._about())
        except StoreError as error:
            raise Stop(Ending.DAMAGED, f"{error}; see docs/node.md") from error
        self._open.append(journal.close)
        return journal

    def _about(self) -> dict[str, str]:
        """Whose files these are."""
        return {
            "account": self.key.address,
            "task": self.task_id.hex(),
            "chain": str(self.deployed.chain_id),
            "training": self.deployed.contracts.training.address,
        }

    @cached_property
    def chain(self) -> RpcClient:
        """The chain, once its contracts are the ones that are installed here."""
        chain = self._connect()
        try:
            self._check(chain)
        except BaseException:
            chain.close()
            raise
        self._open.append(chain.close)
        return chain

    def _connect(self) -> RpcClient:
        return RpcClient(self.config.rpc, chain_id=self.deployed.chain_id)

    def _check(self, chain: RpcClient) -> None:
        """Compare the contracts; a chain that fails in between is no fault of the settings."""
        contracts = self.deployed.contracts
        try:
            contracts.watch(chain)
        except LedgerError:
            chain.head()
            try:
                contracts.watch(chain)
            except LedgerError as error:
                raise InputError(f"{error} ({self.config.deployment})") from None

    @cached_property
    def follower(self) -> Follower:
        """Follows the task, from the block that the contracts or the settings name."""
        first = max(self.deployed.block, self.config.first_block or 0)
        return Follower(
            self.chain,
            self.deployed.contracts.training,
            self.task_id,
            first=first,
            confirmations=self.config.confirmations,
        )

    @cached_property
    def spec(self) -> Spec:
        """The task's spec, from the store."""
        self._first_view = self.follower.look()
        state = self._first_view.state
        if state.params is None:
            raise LedgerError(
                f"the chain shows no task {self.config.task} yet: check the task and "
                f"{self.config.deployment}"
            )
        cid = cid_from_digest(state.params.spec)
        return Spec.decode(self.store.get(cid, max_bytes=SPEC_BYTES_MAX))

    @cached_property
    def store(self) -> Store:
        """This node's store, which asks the peers for what it lacks."""
        return self.contents.store

    @cached_property
    def fetch(self) -> CountedFetch:
        """Reads from peers."""
        gateways = GatewayFetch(allow_private=self.config.allow_private_peers)
        self._open.append(gateways.close)
        return CountedFetch(gateways)

    @cached_property
    def outbox(self) -> Outbox:
        """Sends the account's transactions."""
        return Outbox(self.chain, self.key, self.journal, self.config.confirmations)

    @cached_property
    def agent(self) -> Agent:
        """Does what the roles want."""
        part = Together(tuple(self._part(role) for role in self.config.role))
        return Agent(self.follower, self.outbox, part)

    def _part(self, role: str) -> Part:
        makers = {"trainer": self._trainer, "validator": self._validator, "relay": self._relay}
        return makers[role]()

    def _trainer(self) -> Part:
        from ostrom.node.learning import own_data, train_callable

        train = train_callable(
            self.spec,
            own_data(str(self.config.data), self.spec),
            self.store,
            self.config.folder / STATES,
            me=self.key.address,
            working=self._desk.board.working,
        )
        me = Trainer(self.key.address, train, self.store, self._salt, self.spec)
        return TrainerPart(me, self.deployed.contracts.training, self.journal, self._courier())

    def _validator(self) -> Part:
        from ostrom.node.learning import holdout_of, own_data

        holdout = holdout_of(
            self.spec, own_data(str(self.config.data), self.spec), workers=self.config.workers
        )
        me = Validator(self.key.address, holdout, self.store, self._salt, self.spec)
        return ValidatorPart(me, self.deployed.contracts.training, self.journal)

    def _relay(self) -> Part:
        training = self.deployed.contracts.training
        return RelayPart(self.relay, self.outbox, self.chain, training, self.store)

    @cached_property
    def relay(self) -> Relay:
        """The relay of this node, and its pages."""
        from ostrom.node.relay.http import relay_routes

        contracts, about = self.deployed.contracts, self._about()
        asking = Asking(self._connect)
        self._open.append(asking.close)
        lanes = [
            *lanes_of(self.place, expects=participation(self.spec.participation)),
            *admissions(
                self.place, ask=asking, registry=contracts.registry, token=contracts.token.address
            ),
        ]
        book = Book(self.config.folder / BOOK, about)
        self._open.append(book.close)
        relay = Relay(self.place, self.task_id, book=book, lanes=lanes)
        self._relay_pages.app = Starlette(routes=relay_routes(relay, self._look))
        return relay

    @property
    def place(self) -> Place:
        """What relayed messages are for."""
        return Place(self.deployed.chain_id, self.deployed.contracts.training.address)

    @cached_property
    def carrier(self) -> CountedCarrier | None:
        """The relays of the settings, if there are any."""
        if not self.config.relays:
            return None
        from ostrom.node.relay.client import RelayClient

        return CountedCarrier(RelayClient(self.config.relays))

    def _courier(self) -> Courier | None:
        carrier = self.carrier
        return None if carrier is None else Courier(carrier, self.place, self.key)

    def _look(self) -> tuple[TaskState, int]:
        """The task at the head, for the pages, which other threads serve."""
        seen = self._seen
        if seen is None:
            raise LedgerError("this node has not seen the chain yet: ask again later")
        return seen.state, seen.head.time

    @property
    def _seen(self) -> View | None:
        """What was seen last; other threads may ask."""
        agent: Agent | None = self.__dict__.get("agent")
        return self._first_view if agent is None or agent.view is None else agent.view

    def _salt(self, number: int) -> Digest:
        training = self.deployed.contracts.training.address
        salt = salts(self.key, self.deployed.chain_id, training, self.task_id)(number)
        self._desk.secrets.protect(salt, lasting=False)
        return salt

    def _notice(self, agent: Agent) -> str:
        """What keeps the node from taking part, if anything."""
        if agent.view is None or agent.view.state.over:
            return ""
        wanted = {"trainer": Role.TRAINER, "validator": Role.VALIDATOR}
        member = agent.view.state.members.get(self.key.address)
        for name, role in wanted.items():
            if name not in self.config.role:
                continue
            if member is None:
                return f"{self.key.address} has not joined this task: run ostrom join --role {name}"
            if member.role != role:
                return f"{self.key.address} has joined this task, but not as a {name}"
            if member.expelled or member.left:
                return f"{self.key.address} has {'left' if member.left else 'been expelled'}"
        return ""

    def _measure(self) -> dict[str, object]:
        """The account's coins and the store's size."""
        blocks, size = _size_of(self.local.path)
        return {
            "balance": self.chain.balance(self.key.address),
            "store_blocks": blocks,
            "store_bytes": size,
        }


def _size_of(folder: Path) -> tuple[int, int]:
    """How many files lie in a folder and below, and their bytes; what vanishes is left out."""
    sizes = []
    for file in folder.glob("?/*"):
        try:
            sizes.append(file.lstat().st_size)
        except OSError:
            continue
    return len(sizes), sum(sizes)
