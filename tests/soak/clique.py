"""A federation on a chain of three validators, one of which dies in mid-round and comes back.

The chain is EthereumJS under Clique; chain and nodes are processes. At the end all validators hold
the same block, and the audit passes from each of them alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ostrom.chain.wallet import Key
from ostrom.errors import InputError, LedgerError
from ostrom.network.clique import VARIABLE, Clique, Genesis, client_folder
from ostrom.network.local import LocalNetwork
from ostrom.network.outcome import Outcome, all_paid, conclude
from ostrom.network.plan import Choices, Plan, make_plan
from ostrom.network.processes import wait_until
from ostrom.types import Address

INSTALLED = Path(__file__).parents[1] / "foreign/node_modules/@ethereumjs/client"
SIGNERS = 3
COINS = 10**24
PERIOD_SECONDS = 2
BLOCKS_WITHOUT = 5
"""Blocks that the others seal while one is dead."""

ROUND_SECONDS_MAX = 300
ASKED_MAX = 10
AFTER_COMMIT = ("REVEAL", "SCORE", "SCORE_REVEAL", "ATTEST")
CHOICES = {
    "trainers": 2,
    "validators": 3,
    "rounds": 2,
    "phase_seconds": 240,  # Start-up must never void a round.
    "confirmations": 2,
}


def find_client() -> None:
    """Let the chain be the client that the tests have installed, unless another one is named.

    Raises:
        InputError: it is not there.
    """
    os.environ.setdefault(VARIABLE, str(INSTALLED))
    client_folder()


def new_chain(folder: Path, balances: Mapping[Address, int]) -> Clique:
    """A chain of three validators that does not run yet."""
    secrets = [bytes([i + 1]) * 32 for i in range(SIGNERS)]
    signers = tuple(Key(secret).address for secret in secrets)
    genesis = Genesis(20_260, signers, balances, period=PERIOD_SECONDS)
    return Clique.create(folder, genesis, secrets)


def run(seed: int, folder: Path) -> list[str]:
    """A task on such a chain, to its end; what does not hold."""
    try:
        find_client()
    except InputError as error:
        return [str(error)]
    plan = make_plan(folder / "network", Choices.of({**CHOICES, "seed": seed}))
    with (
        new_chain(folder / "chain", {plan.sponsor.address: COINS}) as chain,
        _network(plan, chain) as network,
    ):
        began = time.monotonic()
        network.start()
        faults = _lose_one(chain, network) or _end(chain, network)
        print(f"{time.monotonic() - began:.0f} s, {chain.common_height()} blocks", flush=True)
        return faults


@contextmanager
def _network(plan: Plan, chain: Clique) -> Iterator[LocalNetwork]:
    choices = plan.choices.model_copy(update={"rpc": ",".join(chain.urls)})
    with LocalNetwork(Plan(plan.folder, choices), print) as network:
        yield network


def _lose_one(chain: Clique, network: LocalNetwork) -> list[str]:
    """Kill a validator in the middle of the first round, and start it again some blocks later."""
    if not wait_until(lambda: _is_mid_round(network), ROUND_SECONDS_MAX):
        return [f"the first round is not seen: {network.broken()}"]
    victim, other = chain.sealers[:2]
    assert victim.process is not None
    victim.process.kill()
    goal = max(one.head()[0] for one in chain.sealers[1:]) + BLOCKS_WITHOUT
    if not wait_until(lambda: other.head()[0] >= goal, 60):
        return [f"two of three validators seal no block after {other.head()[0]}"]
    chain.start_one(victim)
    print(f"{victim.name} was dead for {BLOCKS_WITHOUT} blocks", flush=True)
    return []


def _is_mid_round(network: LocalNetwork) -> bool:
    """True once some node sees that the first round's updates are committed."""
    return any(
        view.status.get("round") == 1 and view.status.get("phase") in AFTER_COMMIT
        for view in network.views()
    )


def _end(chain: Clique, network: LocalNetwork) -> list[str]:
    """See the task to its end, and ask everybody."""
    if not wait_until(lambda: network.over, network.plan.choices.rounds * ROUND_SECONDS_MAX):
        return [f"the task does not end: {network.broken()}", *map(str, network.views())]
    launched = network.launched
    assert launched is not None
    if not wait_until(lambda: all_paid(network.rpc, launched.deployed, launched.task_id), 60):
        return ["not all is claimed"]
    faults = network.broken()
    if not wait_until(lambda: chain.common_height() > launched.first_block, 60):
        faults.append(f"the validators differ: {[one.head() for one in chain.sealers]}")
    return faults + [line for url in chain.urls for line in _judge(network, url)]


def _judge(network: LocalNetwork, url: str) -> list[str]:
    """What does not hold for somebody who asks that validator alone."""
    outcome = _concluded(network, url)
    faults = [] if outcome.audit.passed else [f"the audit fails: {outcome.audit.document()}"]
    if outcome.rounds_settled != outcome.rounds:
        faults.append(f"{outcome.rounds_settled} of {outcome.rounds} rounds settled")
    if outcome.accuracy is None or outcome.accuracy <= 0.5:
        faults.append(f"the model's accuracy is {outcome.accuracy}")
    if not outcome.claimed == outcome.paid > 0:
        faults.append(f"{outcome.claimed} claimed of {outcome.paid}")
    return [f"{url}: {line}" for line in faults]


def _concluded(network: LocalNetwork, url: str) -> Outcome:
    """The outcome, asked for again where the validator still computes its newest block."""
    assert network.launched is not None
    nodes = [view.url for view in network.views()]
    for _ in range(ASKED_MAX - 1):
        try:
            return conclude(network.plan, network.launched, rpc=[url], nodes=nodes)
        except LedgerError as error:
            print(f"{url} is asked again: {error}", flush=True)
            time.sleep(PERIOD_SECONDS / 2)
    return conclude(network.plan, network.launched, rpc=[url], nodes=nodes)
