"""Following a task on a chain whose newest blocks can vanish, with the real contracts."""

from __future__ import annotations

from random import Random

import pytest
from tests.simulation.chain import SimChain
from tests.simulation.client import SimNodeClient
from tests.simulation.faults import Faults, Log
from tests.simulation.setting import Plan, Setting, build_setting, signed

from ostrom.chain.client import Block
from ostrom.chain.follower import Follower, View
from ostrom.chain.ledger import Call
from ostrom.errors import LedgerError
from ostrom.types import Logged, Phase

KEPT = 8


class Forgetful(SimNodeClient):
    """A node that can be told to leave events out."""

    leaves_out = False

    def logs_of(self, block: Block) -> list[Logged]:
        found = super().logs_of(block)
        return found[1:] if self.leaves_out else found

    def logs(self, first: int, last: int) -> list[Logged]:
        found = super().logs(first, last)
        return found[: len(found) // 2] if self.leaves_out else found


class Net:
    """A task that everybody has joined, and one node's follower."""

    def __init__(self, confirmations: int = 2) -> None:
        self.setting: Setting = build_setting(Plan(0, trainers=3, validators=3))
        self.chain: SimChain = self.setting.chain
        self.client = Forgetful("node", self.chain, Faults(0, Log(), only={}))
        self.follower = self.fresh(confirmations)

    def fresh(self, confirmations: int = 2) -> Follower:
        self.setting.deployment.watch(self.client)  # type: ignore[arg-type]
        return Follower(
            self.client,
            self.setting.deployment.training,
            self.setting.task_id,
            first=self.setting.first,
            confirmations=confirmations,
            kept=KEPT,
        )

    def commit(self, trainer: int) -> None:
        """Let a trainer commit to something."""
        call = self.setting.deployment.training.commit(
            self.setting.task_id, 1, commitment=bytes([trainer + 1]) * 32
        )
        self.send(call, f"trainer-{trainer}")

    def send(self, call: Call, who: str) -> None:
        self.chain.submit(signed(self.chain, call, self.setting.plan.key(who)))

    def mine(self, blocks: int = 1, *, seconds: int = 12) -> None:
        for _ in range(blocks):
            self.chain.mine(self.chain.head.header.time + seconds, Random(1))

    def look(self) -> View:
        return self.follower.look()


@pytest.fixture
def net() -> Net:
    return Net()


def test_the_head_is_told_apart_from_what_is_confirmed(net: Net) -> None:
    net.look()
    net.commit(0)
    net.mine()
    view = net.look()
    assert (len(view.state.round.commits), len(view.safe.round.commits)) == (1, 0)
    net.mine(2)
    view = net.look()
    assert view.head.number - view.confirmed.number == 2
    assert len(view.safe.round.commits) == 1


def test_a_follower_that_starts_late_sees_the_same_task(net: Net) -> None:
    net.look()
    net.commit(0)
    net.mine(KEPT + 7, seconds=1)
    late = net.fresh()
    assert late.look().state == net.look().state
    assert len(late.look().state.round.commits) == 1


def test_what_a_reorganisation_drops_is_forgotten(net: Net) -> None:
    net.look()
    net.commit(0)
    net.mine(3)
    assert len(net.look().safe.round.commits) == 1
    net.chain.go_back(3, lost=lambda _: True)
    net.commit(1)
    net.mine(4)
    view = net.look()
    assert view.dropped == 3
    assert list(view.state.round.commits) == [net.setting.plan.key("trainer-1").address]


@pytest.mark.parametrize("depth", [1, 5, 7, 12])
def test_after_a_reorganisation_the_state_is_that_of_a_fresh_reading(depth: int) -> None:
    net = Net()
    net.mine(depth)
    net.look()
    net.chain.go_back(depth, lost=lambda _: True)
    net.commit(2)
    net.mine(depth + 1)
    assert net.look().state == net.fresh().look().state


def test_a_node_that_lags_behind_drops_nothing(net: Net) -> None:
    net.mine(4)
    ahead = net.look()
    net.client.branch = net.chain.line[-3]
    behind = net.look()
    assert (behind.head, behind.dropped) == (ahead.head, 0)


def test_a_reorganisation_deeper_than_what_is_kept_is_read_anew() -> None:
    net = Net()
    net.mine(KEPT + 20, seconds=1)
    net.look()
    net.chain.go_back(KEPT + 15, lost=lambda _: True)
    net.commit(0)
    net.mine(KEPT + 20, seconds=1)
    view = net.look()
    assert len(view.state.round.commits) == 1
    assert view.state == net.fresh().look().state


def test_a_node_that_leaves_events_out_is_noticed_and_nothing_is_lost(net: Net) -> None:
    net.look()
    net.commit(0)
    net.mine()
    net.client.leaves_out = True
    with pytest.raises(LedgerError, match=r"events are missing|contradict"):
        net.look()
    net.client.leaves_out = False
    assert len(net.look().state.round.commits) == 1


def test_old_events_that_are_left_out_are_noticed(net: Net) -> None:
    net.client.leaves_out = True
    net.mine(KEPT + 5, seconds=1)
    with pytest.raises(LedgerError, match=r"events are missing|contradict"):
        net.fresh().look()


def test_phases_that_closed_early_are_followed(net: Net) -> None:
    for trainer in range(3):
        net.commit(trainer)
    net.mine(3)
    assert net.look().safe.phase == Phase.REVEAL
