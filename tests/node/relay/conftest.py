"""A town with a chain, a task, many trainers, and a relay that carries for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from ostrom.chain.contracts import SignedJoin, SignedPermit
from ostrom.chain.deployment import deploy
from ostrom.chain.embedded import EmbeddedLedger
from ostrom.chain.hashes import task_id_of, update_commitment
from ostrom.chain.wallet import (
    Join,
    Key,
    Permit,
    Register,
    registry_domain,
    simulation_key,
    token_domain,
    training_domain,
)
from ostrom.codec import checksum_address, keccak
from ostrom.node import Commit, Reveal
from ostrom.node.relay import (
    IN_MEMORY,
    Book,
    Place,
    Receipt,
    Relay,
    admissions,
    commit_message,
    join_message,
    lanes_of,
    registration_message,
    reveal_message,
)
from ostrom.node.relay.http import Limits, relay_app
from ostrom.protocol import TaskState, replay
from ostrom.types import Opening, Role, TaskParams

STAKE = 100
HOUR = 3_600


class Town:
    """The contracts in this process; one task; trainers who only sign."""

    def __init__(self, trainers: int = 4, *, joined: bool = True, **rules: Any) -> None:
        self.ledger = EmbeddedLedger()
        self.owner = simulation_key(0, "owner")
        self.carrier = simulation_key(0, "relay")
        self.validator = simulation_key(0, "vera")
        self.trainers = [simulation_key(0, f"trainer {i}") for i in range(trainers)]
        treasury = simulation_key(0, "treasury").address
        self.at = deploy(self.ledger, self.owner, treasury=treasury, bond_delay=HOUR)
        self.place = Place(self.ledger.chain_id, self.at.training.address)
        self.params = replace(self._params(trainers), **rules)
        self.task_id = task_id_of(self.params)
        self._state, self._read = TaskState(task_id=self.task_id), 0
        self._lock = threading.Lock()
        for key in (self.validator, *self.trainers):
            self.send(self.at.token.transfer(key.address, STAKE), self.owner)
        self.send(self.at.token.approve(self.at.training.address, self.params.pool), self.owner)
        self.send(self.at.training.create_task(self.params), self.owner)
        self._seat(self.validator, Role.VALIDATOR)
        if joined:
            for key in self.trainers:
                self._seat(key, Role.TRAINER)

    def _params(self, trainers: int) -> TaskParams:
        return TaskParams(
            sponsor=self.owner.address,
            token=self.at.token.address,
            pool=10_000,
            trainer_stake=STAKE,
            validator_stake=STAKE,
            rounds=9,
            max_trainers=trainers,
            quorum_bps=6_667,
            join_time=HOUR,
            commit_time=HOUR,
            reveal_time=HOUR,
            score_time=HOUR,
            score_reveal_time=HOUR,
            attest_time=HOUR,
            membership=checksum_address(bytes(20)),
            validators=(self.validator.address,),
            spec=keccak(b"spec"),
            model=keccak(b"model"),
            model_root=keccak(b"root"),
            salt=bytes(32),
        )

    def _seat(self, key: Key, role: Role) -> None:
        deployed = self.at
        for call in (
            deployed.token.approve(deployed.registry.address, STAKE),
            deployed.registry.deposit(STAKE),
            deployed.registry.register(role, bytes(32)),
            deployed.training.join(self.task_id, role=role, stake=STAKE),
        ):
            self.send(call, key)

    def send(self, call: Any, key: Key) -> Any:
        return self.ledger.send(call, key)

    @property
    def state(self) -> TaskState:
        with self._lock:
            last = self.ledger.block_number
            self._state = replay(self._state, self.ledger.events(self._read, last))
            self._read = last + 1
            return self._state

    @property
    def now(self) -> int:
        return self.ledger.now()

    def look(self) -> tuple[TaskState, int]:
        return self.state, self.now

    def sleep_until(self, part: float) -> None:
        """Let time pass until `part` of the current phase is over."""
        wanted = self.state.deadline - HOUR + int(HOUR * part)
        self.ledger.advance_time(wanted - self.now)

    def next_round(self) -> None:
        """Let this round become void."""
        number = self.state.number
        while self.state.number == number:
            self.ledger.advance_time(max(self.state.deadline - self.now, 0) + 1)
            self.send(self.at.training.advance(self.task_id), self.carrier)

    def book(self, path: Path = IN_MEMORY, **options: Any) -> Book:
        about = {"training": self.place.training, "task": self.task_id.hex()}
        return Book(path, about, **options)

    def relay(self, path: Path = IN_MEMORY, *, admits: bool = False) -> Relay:
        lanes = lanes_of(self.place)
        if admits:
            lanes += admissions(
                self.place,
                ask=self.ledger.call,
                registry=self.at.registry,
                token=self.at.token.address,
            )
        return Relay(self.place, self.task_id, book=self.book(path), lanes=lanes)

    def opening(self, key: Key, number: int | None = None) -> Opening:
        number = self.state.number if number is None else number
        seed = keccak(f"{key.address} {number}".encode())
        return Opening(keccak(seed + b"u"), keccak(seed + b"r"), 7, keccak(seed + b"s"))

    def commitment(self, key: Key, number: int | None = None) -> bytes:
        number = self.state.number if number is None else number
        opening = self.opening(key, number)
        return update_commitment(self.task_id, number, trainer=key.address, opening=opening)

    def commit(
        self, key: Key, number: int | None = None, *, commitment: bytes | None = None, **other: Any
    ) -> bytes:
        """The message with which the trainer hands its commitment in."""
        number = self.state.number if number is None else number
        action = Commit(number, key.address, commitment or self.commitment(key, number))
        place, task_id = other.get("place", self.place), other.get("task_id", self.task_id)
        return commit_message(place, task_id, action, other.get("signer", key))

    def reveal(self, key: Key, number: int | None = None, opening: Opening | None = None) -> bytes:
        number = self.state.number if number is None else number
        action = Reveal(number, key.address, opening or self.opening(key, number))
        return reveal_message(self.place, self.task_id, action)

    def registration(self, key: Key, *, signer: Key | None = None, **changes: Any) -> bytes:
        wish = Register(key.address, Role.TRAINER, bytes(32), nonce=0, deadline=self.now + HOUR)
        wish = replace(wish, **changes)
        domain = registry_domain(self.place.chain, self.at.registry.address)
        return registration_message(self.place, wish, (signer or key).sign(wish.digest(domain)))

    def join(self, key: Key, *, signer: Key | None = None, **changes: Any) -> bytes:
        deadline = self.now + HOUR
        permit = Permit(key.address, self.at.registry.address, STAKE, nonce=0, deadline=deadline)
        allowed = key.sign(permit.digest(token_domain(self.place.chain, self.at.token.address)))
        wish = replace(Join(key.address, Role.TRAINER, STAKE, deadline), **changes)
        domain = training_domain(self.place.chain, self.place.training)
        signed = SignedJoin.of(
            wish,
            (signer or key).sign(wish.digest(domain, self.task_id)),
            permit=SignedPermit.of(STAKE, deadline, signature=allowed),
        )
        return join_message(self.place, self.task_id, signed)

    def offer(self, relay: Relay, data: bytes) -> Receipt:
        return relay.accept(data, self.state, self.now)

    def carry(self, relay: Relay) -> list[int]:
        """Send what is due; how many messages each transaction carried."""
        batches = relay.due(self.state, self.now)
        for batch in batches:
            relay.mined(batch.key, self.send(batch.call, self.carrier).events)
        return [len(batch.slots) for batch in batches]

    def commit_all(self, relay: Relay) -> None:
        """Everybody commits through the relay, so that the Reveal phase begins."""
        for key in self.trainers:
            assert self.offer(relay, self.commit(key)).status == 202
        assert self.carry(relay) == [len(self.trainers)]


@pytest.fixture(scope="session")
def new_town() -> type[Town]:
    """To found a town of one's own."""
    return Town


@pytest.fixture
def town() -> Town:
    """Four trainers in the Commit phase of round 1."""
    return Town()


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The application behind real HTTP on loopback; gives its URL."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        http="h11",
        h11_max_incomplete_event_size=16_384,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        (listener,) = server.servers
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.fixture(name="serving", scope="session")
def _serving() -> Callable[[Any], Any]:
    return serving


@pytest.fixture(name="serve", scope="session")
def _serve() -> Callable[..., Any]:
    """Serve a relay of a town."""

    def serve(town: Town, relay: Relay, limits: Limits | None = None) -> Any:
        return serving(relay_app(relay, town.look, limits=limits))

    return serve
