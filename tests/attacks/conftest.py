"""Federations with misbehaving parties, played once each and shared by the tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

from ostrom.audit import AuditReport, audit_run, write_manifest
from ostrom.chain.deployment import Deployment
from ostrom.codec import checksum_address
from ostrom.evidence import last_balances
from ostrom.protocol import Member
from ostrom.records import Balances
from ostrom.sim import runner as runner_module
from ostrom.sim.config import RunConfig
from ostrom.sim.folder import contracts_of, read_run
from ostrom.sim.runner import Runner
from ostrom.sim.world import World, build_world
from ostrom.types import Address, Digest

SMALL = {"dataset": "digits", "model": "logistic", "clients": 4, "rounds": 4, "workers": 1}


@dataclass(frozen=True)
class Played:
    """A federation that has run to its end."""

    runner: Runner

    @property
    def world(self) -> World:
        return self.runner.world

    @cached_property
    def names(self) -> dict[str, Address]:
        keys = self.world.keys
        named = {f"trainer-{i}": key.address for i, key in enumerate(keys.trainers)}
        named |= {f"validator-{i}": key.address for i, key in enumerate(keys.validators)}
        named |= {"sponsor": keys.sponsor.address, "relay": keys.relay.address}
        return named | {"treasury": checksum_address(self.world.secret("treasury")[:20])}

    @property
    def parties(self) -> list[str]:
        """Trainers and validators by name."""
        return [name for name in self.names if "-" in name]

    @property
    def rogues(self) -> set[str]:
        """The names of those who misbehave."""
        casting = self.runner.federation._casting
        trainers = {f"trainer-{i}" for i in casting.trainers}
        return trainers | {f"validator-{i}" for i in casting.validators}

    @cached_property
    def balances(self) -> Balances:
        return last_balances(self.runner.store, self.runner.state)

    @cached_property
    def report(self) -> AuditReport:
        return audit_run(self.runner.out)

    @cached_property
    def contracts(self) -> Deployment:
        return contracts_of(read_run(self.runner.out))

    def earned(self, name: str) -> int:
        return self.balances.payouts.get(self.names[name], 0)

    def strikes(self, name: str) -> int:
        return self.balances.strikes.get(self.names[name], 0)

    def member(self, name: str) -> Member:
        return self.runner.state.members[self.names[name]]

    def checks(self, name: str) -> list[str | None]:
        """Which check refused the party's update in each round: "" for none, None if absent."""
        rows = [row["trainers"].get(self.names[name], {}) for row in self.runner.history[1:]]
        return [row.get("check") for row in rows]

    def held(self, address: Address) -> int:
        return self.contracts.token.balance_of(self.runner.ledger, address)

    @property
    def model(self) -> Digest:
        state = self.runner.state
        return state.versions[state.head].model

    @property
    def accuracy(self) -> float:
        return float(self.runner.history[-1]["accuracy"])


Play = Callable[..., Played]


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Run a small federation without pictures; `checks` replaces those of the spec."""

    @cache
    def played(attack: str = "none", *, checks: str | None = None, **fields: Any) -> Played:
        world = build_world(RunConfig.of({**SMALL, "attack": attack, **fields}))
        if checks is not None:
            world = replace(world, spec=world.spec.model_copy(update={"checks": checks}))
        runner = Runner.start(world, tmp_path_factory.mktemp("run"), None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(runner_module, "write_outputs", _without_pictures)
            runner.finish()
        return Played(runner)

    return played


def _without_pictures(runner: Runner) -> None:
    write_manifest(Path(runner.out), finished=True)
