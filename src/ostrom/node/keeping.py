"""What a node's store keeps: what its task refers to, and its share of what others need.

Nothing that the chain of the task names is ever deleted, so that every round can be replayed from
the nodes' stores. What is left are proposals that came to nothing, branches that the chain gave up,
and content of strangers: it goes a day after it was written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from ostrom.errors import OstromError
from ostrom.protocol import RoundState, TaskState
from ostrom.registry import tensor_cid
from ostrom.spec import Spec
from ostrom.storage import DirectoryStore, Pins, Store, cid_from_digest, codec_for
from ostrom.storage.cid import codec_of, digest_of
from ostrom.storage.pins import Incomplete
from ostrom.storage.replication import CONTENT_BYTES_MAX, Replicator
from ostrom.types import Cid, Digest
from ostrom.updates import update_file_size

log = logging.getLogger(__name__)

AGE_SECONDS_MIN = 24 * 3600.0
"""What the task does not refer to stays for a day: a branch may come back, a proposal may win."""

DELETES_MAX = 1_000
"""Blocks that one step deletes at most: who waits for the lock meanwhile waits seconds."""

SCRUB_STEPS = 360
"""After so many steps all that is held is read again, which finds damage and repairs it."""


@dataclass
class Roots:
    """Names what a task refers to, as its state tells it; `store` is this node's own."""

    store: Store
    spec: Spec
    _models: dict[Digest, Cid] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._codec = codec_for(update_file_size(self.spec))

    def needed(self, state: TaskState) -> Iterator[Cid]:
        """What the task goes on from: spec, models, the settled rounds' records, and the current
        round's updates and score vectors."""
        if state.params is None:
            return
        yield cid_from_digest(state.params.spec)
        for version in state.versions.values():
            yield self._model(version.model)
        for one in state.rounds.values():
            if one.settled is not None:
                yield cid_from_digest(one.settled.record, "raw")
        yield from self._of_round(state.round)

    def referenced(self, state: TaskState) -> Iterator[Cid]:
        """All that the task ever named and that is here, under each name that it is here by."""
        names = dict.fromkeys(self.needed(state))
        for one in state.rounds.values():
            names |= dict.fromkeys(self._of_round(one))
        for cid in names:
            if self.store.has(cid):
                yield cid
            # A long record is a tree of blocks; the chain's digest does not tell.
            other = _otherwise(cid)
            if self.store.has(other):
                yield other

    def _of_round(self, one: RoundState) -> Iterator[Cid]:
        for revealed in one.reveals.values():
            yield cid_from_digest(revealed.update, self._codec)
        for scores in one.score_reveals.values():
            yield cid_from_digest(scores, "raw")

    def _model(self, digest: Digest) -> Cid:
        """A model's name; to find it reads the model, so what was found is remembered."""
        if digest not in self._models:
            found = tensor_cid(self.store, digest)
            if not self.store.has(found):
                return found
            self._models[digest] = found
        return self._models[digest]


def _otherwise(cid: Cid) -> Cid:
    """The same digest as a tree's root, or as a block of its own."""
    digest = digest_of(cid)
    return cid_from_digest(digest, "dag-pb" if codec_of(cid) == "raw" else "raw")


class Keeper:
    """Fetches what falls to this node to hold for the others.

    `roots` are what is needed now, `peers` the names of the other nodes that are not known to be
    away.
    """

    def __init__(
        self,
        replicator: Replicator,
        roots: Callable[[], Sequence[Cid]],
        peers: Callable[[], Collection[str]],
        *,
        scrub_steps: int = SCRUB_STEPS,
    ) -> None:
        self._replicator, self._roots, self._peers = replicator, roots, peers
        self._scrub_steps, self._steps = scrub_steps, 0
        self.held = 0

    def step(self) -> None:
        """One round of fetching.

        Raises:
            StoreError: the own store cannot be used.
        """
        self._steps += 1
        if self._steps % self._scrub_steps == 0:
            self._replicator.scrub()
        found = self._replicator.step(self._roots(), self._peers())
        self.held = len(found.held)
        if found.fetched:
            log.info("holds %d more contents for others", len(found.fetched))


class Collector:
    """Pins what the task refers to, and deletes what nothing refers to, some blocks at a time.

    Args:
        local: the node's own store, which is collected.
        store: reads from peers too, to repair what is pinned and incomplete.
        roots: what the task refers to and is here.
        clock: seconds since 1970, the clock of the files.

    Threat answered: a disk that fills with proposals, given-up branches and what strangers sent.
    Not answered: a task that is larger than the disk.
    """

    def __init__(
        self,
        local: DirectoryStore,
        pins: Pins,
        task: str,
        *,
        store: Store,
        roots: Callable[[], Sequence[Cid]],
        clock: Callable[[], float] = time.time,
        age_seconds_min: float = AGE_SECONDS_MIN,
        deletes_max: int = DELETES_MAX,
    ) -> None:
        self._local, self._pins, self._task, self._store = local, pins, task, store
        self._roots, self._clock = roots, clock
        self._age_seconds_min, self._deletes_max = age_seconds_min, deletes_max
        self._hopeless: set[Cid] = set()
        self.deleted = 0

    def step(self) -> None:
        """Pin, then delete.

        Raises:
            StoreError: the own store or the pins cannot be used; nothing was deleted.
        """
        self._pin(set(self._roots()) - self._hopeless)
        try:
            found = self._pins.collect(
                self._local,
                now=self._clock(),
                age_seconds_min=self._age_seconds_min,
                deletes_max=self._deletes_max,
            )
        except Incomplete as error:
            self._repair(error.cid)
            return
        self.deleted += len(found.deleted)
        if found.deleted:
            log.info("deleted %d blocks that nothing refers to", len(found.deleted))

    def _pin(self, wanted: set[Cid]) -> None:
        """Pins are only added: a chain's node that lags shows less than there is."""
        new = wanted - set(self._pins.pinned(self._task))
        if new:
            self._pins.pin(self._task, *new)

    def _repair(self, cid: Cid) -> None:
        """Read a pinned content whole, from peers if need be; give up what nobody has whole."""
        try:
            for _ in self._store.stream(cid, max_bytes=CONTENT_BYTES_MAX):
                pass
        except OstromError as error:
            log.warning("content %s is lost here, and no peer has it whole: %s", cid, error)
            self._hopeless.add(cid)
            self._pins.unpin(self._task, cid)
