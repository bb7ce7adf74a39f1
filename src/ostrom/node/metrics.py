"""A node's numbers in the format that Prometheus reads.

https://prometheus.io/docs/instrumenting/exposition_formats/. Nothing is counted twice: all numbers
come from one status, a mapping that the service renews after each look at the chain, so that the
pages /status and /metrics never disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ostrom.types import Phase
from ostrom.version import VERSION

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LABELS_MAX = 64
"""More kinds under one name are left out: what strangers say must not fill the monitoring."""

Status: TypeAlias = Mapping[str, object]


class Number(NamedTuple):
    """A metric, the entry of the status that it shows, and by what a mapping there is keyed."""

    kind: Literal["gauge", "counter"]
    name: str
    entry: str
    text: str
    label: str = "kind"


NUMBERS: tuple[Number, ...] = (
    Number("gauge", "chain_head_block", "block", "Number of the newest block seen."),
    Number("gauge", "chain_confirmed_block", "confirmed", "Number of the block acted on."),
    Number("gauge", "chain_time_seconds", "now", "Unix time of the newest block seen."),
    Number("gauge", "task_round", "round", "The task's round."),
    Number("gauge", "task_phase", "phase", "The task's phase, as the contract numbers it."),
    Number("gauge", "task_deadline_seconds", "deadline", "Unix time at which the phase ends."),
    Number("gauge", "task_over", "over", "1 once no round can follow."),
    Number("counter", "acts_sent", "sent", "Transactions signed and sent."),
    Number("counter", "acts_confirmed", "landed", "Transactions deep enough in the chain."),
    Number("counter", "acts_failed", "failed", "Transactions that only cost gas."),
    Number("counter", "acts_refused", "refused_total", "Acts that the contracts refused."),
    Number("counter", "acts_resubmitted", "again", "Transactions that were sent again."),
    Number("counter", "acts_replaced", "raised", "Transactions sent again with higher fees."),
    Number("counter", "gas_spent", "gas", "Gas of the confirmed transactions."),
    Number("gauge", "balance_wei", "balance", "The account's coins."),
    Number("counter", "reorganised_blocks", "reorganised", "Blocks that vanished from the chain."),
    Number("gauge", "reorganisation_depth", "deepest", "Blocks in the deepest reorganisation."),
    Number("counter", "polls", "polls", "Looks at the chain."),
    Number("counter", "poll_errors", "poll_errors", "Looks that failed.", label="cause"),
    Number("gauge", "last_poll_age_seconds", "poll_age", "Seconds since the last good look."),
    Number("gauge", "poll_seconds", "poll_took", "Seconds that the last good look took."),
    Number("gauge", "store_blocks", "store_blocks", "Blocks in the store."),
    Number("gauge", "store_bytes", "store_bytes", "Bytes in the store."),
    Number("counter", "peer_failures", "peer_failures", "Fetches from peers that failed."),
    Number("gauge", "store_contents_held", "contents_held", "Contents held for others."),
    Number("gauge", "relay_waiting", "relay_waiting", "Messages that the relay still holds."),
    Number("counter", "relay_offers", "offered", "Acts offered to relays.", label="outcome"),
)
"""Every metric. A counter's name ends in `_total` where it is read."""


class StatusCollector(Collector):
    """Reads the status when somebody asks; what it lacks is left out."""

    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """The metrics of the status as it is now."""
        info = GaugeMetricFamily("ostrom_node", "The node's version.", labels=["version"])
        info.add_metric([VERSION], 1)
        yield info
        status = self._status()
        for number in NUMBERS:
            family = _family(number, status.get(number.entry))
            if family is not None:
                yield family

    def describe(self) -> list[Metric]:
        """Nothing: names are asked for only to find two collectors of one name."""
        return []


def _family(number: Number, value: object) -> Metric | None:
    made = GaugeMetricFamily if number.kind == "gauge" else CounterMetricFamily
    name = f"ostrom_{number.name}"
    if isinstance(value, Mapping):
        family = made(name, number.text, labels=[number.label])
        for label in sorted(map(str, value))[:LABELS_MAX]:
            family.add_metric([label], _real(value[label]) or 0.0)
        return family
    real = _real(value)
    return None if real is None else made(name, number.text, value=real)


def _real(value: object) -> float | None:
    """A number of the status; phases have numbers of their own."""
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str) and value in Phase.__members__:
        return float(Phase[value])
    return None


def exposition(status: Callable[[], Status]) -> Callable[[], bytes]:
    """A function that writes the metrics of a status as Prometheus reads them.

    >>> b"ostrom_task_round 3.0" in exposition(lambda: {"round": 3})()
    True
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StatusCollector(status))
    return lambda: generate_latest(registry)
