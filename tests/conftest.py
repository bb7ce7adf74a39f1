"""A task told by events, for tests of whatever reads them. Nothing here touches a chain."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ostrom import types as t
from ostrom.chain.hashes import result_digest, score_commitment, task_id_of, update_commitment
from ostrom.codec import checksum_address, keccak, sha256
from ostrom.evidence import gather, read_metrics, read_scores
from ostrom.protocol import TaskState, step
from ostrom.records import encode_scores
from ostrom.settlement import Evidence, Outcome, candidate, settle
from ostrom.spec import Spec, example
from ostrom.storage import MemoryStore, cid_of, digest_of
from ostrom.tensors import chunk_root, encode_tensors
from ostrom.types import Address, Phase, Role

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A job in the background of a shell ignores Ctrl-C, and so would all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

LENGTH = 5
SALT = bytes(31) + b"s"
SECONDS = 100


def address(name: str) -> Address:
    """The account of a named actor."""
    return checksum_address(keccak(name.encode())[:20])


def small_spec(**changes: Any) -> Spec:
    """A spec with updates of five integers."""
    return example().model_copy(
        update={"parameters": LENGTH, "layout": ((LENGTH,),), **changes},
    )


class Play:
    """One task and its actors: alice, bob and mallory train, vera, viktor and vinh validate."""

    def __init__(
        self,
        trainers: Iterable[str] = ("alice", "bob", "mallory"),
        validators: Iterable[str] = ("vera", "viktor", "vinh"),
        *,
        spec: Spec | None = None,
        **rules: Any,
    ) -> None:
        self.trainers = [address(name) for name in trainers]
        self.validators = [address(name) for name in validators]
        self.spec = spec or small_spec()
        self.store = MemoryStore()
        self.initial = np.arange(LENGTH, dtype=np.int32)
        self.now = 1_000
        self.version = 0
        self.openings: dict[Address, t.Opening] = {}
        self.contents: dict[Address, bytes | None] = {}
        self.state = TaskState()
        self.state = TaskState(task_id=task_id_of(self._params(rules)))
        self.tell(t.TaskCreated(self.id, self._params(rules)))
        self.start(Phase.JOINING)
        self.publish(0, digest_of(self._put_model()), chunk_root(self.initial), bytes(32))

    @property
    def id(self) -> bytes:
        return self.state.task_id

    @property
    def number(self) -> int:
        return self.state.number

    def _put_model(self) -> t.Cid:
        return self.store.put(encode_tensors({"parameters": self.initial}))

    def _params(self, rules: dict[str, Any]) -> t.TaskParams:
        params = t.TaskParams(
            sponsor=address("sam"),
            token=address("token"),
            pool=9_001,
            trainer_stake=100,
            validator_stake=1_000,
            rounds=3,
            max_trainers=10,
            quorum_bps=6_667,
            join_time=SECONDS,
            commit_time=SECONDS,
            reveal_time=SECONDS,
            score_time=SECONDS,
            score_reveal_time=SECONDS,
            attest_time=SECONDS,
            membership=checksum_address(bytes(20)),
            validators=tuple(sorted(self.validators, key=str.lower)),
            spec=sha256(self.spec.encode()),
            model=digest_of(self._put_model()),
            model_root=chunk_root(self.initial),
            salt=bytes(32),
        )
        return replace(params, **rules)

    def tell(self, event: t.Event) -> Play:
        """Let the event happen now."""
        self.state, _ = step(self.state, event, self.now)
        return self

    def start(self, phase: Phase) -> Play:
        number = self.number + (phase == Phase.COMMIT)
        return self.tell(t.PhaseStarted(self.id, number, phase, self.now + SECONDS))

    def publish(self, number: int, model: bytes, root: bytes, record: bytes) -> Play:
        self.version += 1
        head = self.state.head
        return self.tell(t.ModelPublished(self.id, self.version, head, number, model, root, record))

    def join(self) -> Play:
        """Everybody joins."""
        for one in self.validators:
            self.tell(t.Joined(self.id, one, Role.VALIDATOR, 1_000))
        for one in self.trainers:
            self.tell(t.Joined(self.id, one, Role.TRAINER, 100))
        return self

    def begin(self) -> Play:
        """Everybody joins and the first round starts."""
        return self.join().start(Phase.COMMIT)

    def content(self, one: Address, content: bytes, *, root: bytes, samples: int = 10) -> Play:
        """What the trainer will commit to: any bytes under any chunk root."""
        digest = digest_of(cid_of(content))
        self.openings[one] = t.Opening(digest, root, samples, SALT)
        self.contents[one] = content
        return self

    def update(self, one: Address, values: Iterable[int], *, samples: int = 10) -> Play:
        """What the trainer will commit to: an honest update."""
        vector = np.array(list(values), dtype=self.spec.dtype)
        content = encode_tensors({"update": vector})
        return self.content(one, content, root=chunk_root(vector), samples=samples)

    def commit(self, *trainers: Address) -> Play:
        for one in trainers or self.trainers:
            if one not in self.openings:
                self.update(one, [1 + self.trainers.index(one)] * LENGTH)
            hidden = update_commitment(
                self.id, self.number, trainer=one, opening=self.openings[one]
            )
            self.tell(t.Committed(self.id, self.number, one, hidden))
        return self

    def reveal(self, *trainers: Address) -> Play:
        for one in trainers or self.trainers:
            content = self.contents[one]
            if content is not None:
                self.store.put(content)
            opening = self.openings[one]
            self.tell(
                t.Revealed(
                    self.id, self.number, one, opening.update, opening.chunk_root, opening.samples
                )
            )
        return self

    def score(self, scores: dict[Address, dict[Address, int]], metric: int | None = None) -> Play:
        """Both score phases; the vectors of the given validators reach the store."""
        documents = {
            v: encode_scores(self.state, v, line, metric=metric) for v, line in scores.items()
        }
        for v, data in documents.items():
            hidden = score_commitment(
                self.id, self.number, validator=v, scores=sha256(data), salt=SALT
            )
            self.tell(t.ScoresCommitted(self.id, self.number, v, hidden))
        self.start(Phase.SCORE_REVEAL)
        for v, data in documents.items():
            self.store.put(data)
            self.tell(t.ScoresRevealed(self.id, self.number, v, sha256(data)))
        return self

    def to_reveal(self) -> Play:
        return self.commit().start(Phase.REVEAL)

    def to_score(self) -> Play:
        return self.to_reveal().reveal().start(Phase.SCORE)

    def to_attest(
        self, scores: dict[Address, dict[Address, int]] | None = None, metric: int | None = None
    ) -> Play:
        """From the commit phase to the attest phase."""
        self.to_score()
        return self.score(self.flat(1) if scores is None else scores, metric).start(Phase.ATTEST)

    def flat(self, score: int) -> dict[Address, dict[Address, int]]:
        """Every validator gives every trainer the same score."""
        return {v: dict.fromkeys(self.trainers, score) for v in self.validators}

    def evidence(self) -> Evidence:
        return gather(self.store, self.state, self.spec)

    def outcome(self, scores: dict[Address, dict[Address, int]] | None = None) -> Outcome:
        votes = read_scores(self.store, self.state) if scores is None else scores
        metrics = read_metrics(self.store, self.state, self.spec)
        return settle(candidate(self.evidence(), fresh=True), votes, metrics)

    def attest(self, result: t.Result, *validators: Address) -> Play:
        digest = result_digest(self.id, self.number, result=result)
        for one in validators or self.validators:
            self.tell(t.Attested(self.id, self.number, one, digest, result))
        return self

    def settle(self, result: t.Result) -> Play:
        """What the contract says once a quorum has attested."""
        digest = result_digest(self.id, self.number, result=result)
        self.publish(self.number, result.model, result.model_root, result.record)
        return self.tell(t.RoundSettled(self.id, self.number, digest, self.version, result.paid))

    def void(self) -> Play:
        return self.tell(t.RoundVoided(self.id, self.number))

    def finish(self) -> Play:
        return self.tell(t.TaskFinished(self.id))

    def play_round(self, outcome: Outcome | None = None, metric: int | None = None) -> Outcome:
        """An honest round, from its commit phase to its settlement."""
        self.to_attest(metric=metric)
        done = outcome or self.outcome()
        self.store.put(done.model)
        self.store.put(done.record)
        self.attest(done.result).settle(done.result)
        return done


@pytest.fixture(name="address", scope="session")
def _address() -> Callable[[str], Address]:
    return address


@pytest.fixture(name="small_spec", scope="session")
def _small_spec() -> Callable[..., Spec]:
    return small_spec


@pytest.fixture(name="new_play", scope="session")
def _new_play() -> type[Play]:
    """To write a task of one's own."""
    return Play


@pytest.fixture
def play() -> Play:
    """A task in the commit phase of its first round."""
    return Play().begin()
