"""Looking tasks up: by topics, in spans that a node bounds, at the chain's pace."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.chain.anvil import Anvil

from ostrom.chain import tasks
from ostrom.chain.deployed import Deployed
from ostrom.chain.deployment import deploy
from ostrom.chain.rpc import RpcLedger
from ostrom.chain.tasks import Pace, created_task, created_tasks, read_pace, seats
from ostrom.chain.wallet import Key
from ostrom.errors import LedgerError
from ostrom.node.taskfile import EXAMPLE, TaskFile
from ostrom.types import Role

COINS = hex(10**20)


class Town:
    """A network with two tasks; bob trains in the second and leaves."""

    def __init__(self, ledger: RpcLedger) -> None:
        self.ledger, self.sponsor, self.bob = ledger, Key.generate(), Key.generate()
        for key in (self.sponsor, self.bob):
            ledger.request("anvil_setBalance", key.address, COINS)
        at = deploy(ledger, self.sponsor, treasury=self.bob.address, bond_delay=60)
        self.at = Deployed(ledger.chain_id, 0, at)
        self.ids = [self._create(name) for name in ("one", "two")]
        ledger.send(at.token.transfer(self.bob.address, 10**20), self.sponsor)
        training, stake = at.training, 10**20
        for call in (
            at.token.approve(at.registry.address, stake),
            at.registry.deposit(stake),
            at.registry.register(Role.TRAINER, bytes(32)),
            training.join(self.ids[1], role=Role.TRAINER, stake=stake),
            training.leave(self.ids[1]),
        ):
            ledger.send(call, self.bob)

    def _create(self, name: str) -> bytes:
        at, sponsor = self.at.contracts, self.sponsor
        file = TaskFile.parse(EXAMPLE.replace('"digits"', f'"{name}"'))
        made = file.prepare(sponsor=sponsor.address, token=at.token.address)
        self.ledger.send(at.token.approve(at.training.address, made.params.pool), sponsor)
        self.ledger.send(at.training.create_task(made.params), sponsor)
        return made.task_id


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with Anvil() as node:
        yield Town(RpcLedger(node.url))


def test_tasks_are_found_in_the_order_of_their_creation(town: Town) -> None:
    assert [one.task_id for one in created_tasks(town.ledger, town.at)] == town.ids


def test_one_task_is_found_by_its_name(town: Town) -> None:
    found = created_task(town.ledger, town.at, town.ids[1])
    assert found is not None
    assert found.params.sponsor == town.sponsor.address
    assert created_task(town.ledger, town.at, bytes(32)) is None


def test_seats_are_those_of_one_task_with_what_became_of_them(town: Town) -> None:
    assert seats(town.ledger, town.at, town.ids[0]) == []
    (seat,) = seats(town.ledger, town.at, town.ids[1])
    assert (seat.account, seat.role, seat.stake) == (town.bob.address, Role.TRAINER, 10**20)
    assert seat.left
    assert not seat.expelled


def test_the_first_version_is_settled_by_no_round(town: Town) -> None:
    assert tasks.last_settled_version(town.ledger, town.at, town.ids[0]) is None
    assert [one.round for one in tasks.versions(town.ledger, town.at, town.ids[0])] == [0]


class Narrow(RpcLedger):
    """A real node that refuses spans of more than five blocks, as public ones do at some number."""

    asked = 0

    def request(self, method: str, *params: Any) -> Any:
        if method == "eth_getLogs":
            self.asked += 1
            if int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) >= 5:
                raise LedgerError("eth_getLogs failed: the range is too large")
        return super().request(method, *params)


def test_a_node_that_bounds_spans_still_finds_everything(town: Town) -> None:
    narrow = Narrow(town.ledger.client.url)
    assert [one.task_id for one in created_tasks(narrow, town.at)] == town.ids
    assert narrow.asked > town.ledger.block_number // 5
    assert seats(narrow, town.at, town.ids[1]) == seats(town.ledger, town.at, town.ids[1])


def test_a_node_that_answers_nothing_is_an_error(town: Town) -> None:
    class Mute(RpcLedger):
        def request(self, method: str, *params: Any) -> Any:
            raise LedgerError("no")

    with pytest.raises(LedgerError, match="no"):
        created_tasks(Mute(town.ledger.client.url), town.at)


def test_the_pace_is_the_mean_of_the_last_blocks() -> None:
    with Anvil(mining=False) as node:
        ledger = RpcLedger(node.url)
        assert read_pace(ledger).block_seconds is None
        start = ledger.now()
        for number in range(1, 41):
            ledger.request("evm_setNextBlockTimestamp", hex(start + 12 * number))
            ledger.request("evm_mine")
        pace = read_pace(ledger)
        assert (pace.block, pace.time, pace.block_seconds) == (40, start + 480, 12.0)


@pytest.mark.parametrize(
    ("seconds", "blocks"), [(0, 0), (1, 1), (12, 1), (13, 2), (36, 3), (86_400, 7_200)]
)
def test_blocks_ahead_are_rounded_up(seconds: int, blocks: int) -> None:
    assert Pace(1, 0, 12.0).blocks(seconds) == blocks
