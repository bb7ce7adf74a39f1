"""Small pieces between the parts of a node: they count, share, and run beside the looks."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ostrom.chain.ledger import Call
from ostrom.chain.rpc_client import RpcClient
from ostrom.errors import InputError, NotFound, OstromError, StoreError
from ostrom.node.relay import Carrier, Receipt
from ostrom.protocol import TaskState
from ostrom.registry import tensor_cid
from ostrom.spec import Spec
from ostrom.storage import Store, cid_from_digest, codec_for
from ostrom.storage.peers import Fetch
from ostrom.storage.replication import Replicator
from ostrom.types import Cid
from ostrom.updates import update_file_size

log = logging.getLogger(__name__)

REPLICATION_SECONDS = 10.0


@dataclass
class CountedCarrier:
    """Hands messages to a carrier, counts what it says, and logs what no relay takes."""

    carrier: Carrier
    counts: Counter[str] = field(default_factory=Counter)

    def offer(self, data: bytes) -> Receipt:
        """As the carrier's."""
        answer = self.carrier.offer(data)
        self.counts["taken" if answer.accepted else "refused"] += 1
        if answer.accepted:
            log.info("a relay has it: %s", answer.line)
        else:
            log.warning("no relay takes it: %s", answer.line)
        return answer


@dataclass
class CountedFetch:
    """Fetches from peers and counts faults; to lack a block is none. Threads may share it."""

    fetch: Fetch
    faults: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, url: str, cid: Cid, limit: int) -> bytes:
        """As the fetch's."""
        try:
            return self.fetch(url, cid, limit)
        except NotFound:
            raise
        except (StoreError, InputError) as error:
            with self._lock:
                self.faults += 1
            log.debug("a peer failed: %s", error, extra={"url": url})
            raise


class Asking:
    """A chain's views for threads that share one connection, which is made when first needed."""

    def __init__(self, connect: Callable[[], RpcClient]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._chain: RpcClient | None = None

    def __call__(self, call: Call) -> Any:
        """What a view answers at the head.

        Raises:
            ContractError: the contract refuses the call.
            LedgerError: the chain cannot be asked.
        """
        with self._lock:
            if self._chain is None:
                self._chain = self._connect()
            return self._chain.call(call)

    def close(self) -> None:
        """Let the connection go."""
        with self._lock:
            if self._chain is not None:
                self._chain.close()
                self._chain = None


def roots_of(state: TaskState, spec: Spec, store: Store) -> Iterator[Cid]:
    """The contents that a task needs: spec, models, the settled rounds' records, and the current
    round's updates and score vectors."""
    if state.params is None:
        return
    yield cid_from_digest(state.params.spec)
    for version in state.versions.values():
        yield tensor_cid(store, version.model)
    size = update_file_size(spec)
    for number, one in state.rounds.items():
        if one.settled is not None:
            yield cid_from_digest(one.settled.record, "raw")
        if number == state.number:
            for revealed in one.reveals.values():
                yield cid_from_digest(revealed.update, codec_for(size))
            for scores in one.score_reveals.values():
                yield cid_from_digest(scores, "raw")


class Keeper:
    """Fetches, in a thread, what falls to this node to hold for the others."""

    def __init__(
        self,
        replicator: Replicator,
        roots: Callable[[], Sequence[Cid]],
        peers: Sequence[str],
        *,
        seconds: float = REPLICATION_SECONDS,
    ) -> None:
        self._replicator, self._roots, self._peers = replicator, roots, peers
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self.held = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End, without waiting for a peer that drips."""
        self._stop.set()
        self._thread.join(self._seconds)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                self.step()
            except OstromError as error:
                log.warning("cannot keep content for others: %s", error)
            except Exception:
                # The node can do without; without a line nobody would ever know.
                log.exception("keeping content for others failed")

    def step(self) -> None:
        """One round of fetching.

        Raises:
            StoreError: the own store cannot be used.
        """
        found = self._replicator.step(self._roots(), self._peers)
        self.held = len(found.held)
        if found.fetched:
            log.info("holds %d more contents for others", len(found.fetched))
