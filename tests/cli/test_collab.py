"""`ostrom collab`, on a real chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chain.anvil import Anvil
from tests.cli.town import Person, Town

from ostrom.cli.collab_file import read_collab
from ostrom.onchain.data import load_stream

DAY = 86_400
ROOTS = "the roots of a polynomial equation over a field"
PATHS = "the shortest path between two nodes of a directed graph"


class Commons(Town):
    """A chain with a model that takes deposits, and one that others try for points."""

    def collab(self, *words: object, who: Person | None = None, name: str = "collab") -> Any:
        return self.done("collab", *words, *self.at(name), who=who)

    def denied(self, *words: object, who: Person | None = None, name: str = "collab") -> str:
        return self.refused("collab", *words, *self.at(name), who=who)

    def at(self, name: str) -> tuple[object, ...]:
        return "--collab", self.folder / f"{name}.json"

    def deploy(self, name: str, *words: object) -> Any:
        out = ("--out", self.folder / f"{name}.json")
        return self.done("collab", "deploy", *words, *out, who=self.people["deployer"])


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commons]:
    with Anvil() as node:
        town = Commons(node.url, tmp_path_factory.mktemp("commons"))
        for name in ("deployer", "alice", "bob"):
            town.person(name, coins=100 * 10**18)
        made = town.deploy("collab", "--data", "passages")
        assert (made["learnt"], made["classes"], made["features"]) == (210, 2, 1_000)
        yield town


@pytest.fixture
def alice(town: Commons) -> Person:
    return town.people["alice"]


@pytest.fixture
def bob(town: Commons) -> Person:
    return town.people["bob"]


def test_deploying_twice_is_deploying_once(town: Commons) -> None:
    again = town.deploy("collab", "--data", "passages")
    assert (again["already"], again["gas"]) == (True, 0)


def test_good_data_come_back_and_bad_data_are_taken(
    town: Commons, alice: Person, bob: Person
) -> None:
    assert town.collab("predict", PATHS)["label"] == 0
    good = town.collab("add", ROOTS, "--label", 1, who=alice)
    assert good["predicted"] == 1
    assert int(good["deposit"]) == 10**14
    assert "now, more than 0.001 coins" in town.denied(
        "add", ROOTS, "--label", 1, "--most", "0.001", who=bob
    )
    town.pass_time(DAY + 1)
    bad = town.collab("add", PATHS, "--label", 1, who=bob)
    assert 10**14 < int(bad["deposit"]) < 2 * 10**15

    assert "who alone gets it back" in town.denied("refund", good["nonce"], who=bob)
    assert "refund opens in" in town.denied("refund", bad["nonce"], who=bob)
    assert "only who has one may report" not in town.denied("report", bad["nonce"], who=alice)
    refunded = town.collab("refund", good["nonce"], who=alice)
    assert refunded["amount"] == good["deposit"]
    assert town.collab("refund", good["nonce"], who=alice)["already"]

    town.pass_time(DAY + 1)
    assert "another label" in town.denied("refund", bad["nonce"], who=bob)
    assert "only who has one may report" in town.denied(
        "report", bad["nonce"], who=town.people["deployer"]
    )
    (line,) = town.collab("status")["open"]
    assert (line["model"], line["state"]) == ("disagrees", "report is open")
    taken = town.collab("report", bad["nonce"], who=alice)
    assert taken["amount"] == bad["deposit"]
    assert "nothing is left" in town.denied("clear", bad["nonce"], who=bob)

    paid = town.collab("withdraw", who=alice)
    assert int(paid["amount"]) == int(good["deposit"]) + int(bad["deposit"])
    assert town.collab("withdraw", who=alice)["already"]


def test_the_model_of_a_past_block_is_that_of_the_contract(town: Commons) -> None:
    head = town.ledger.block_number
    for text in (PATHS, ROOTS, "an ideal of a ring", "weighted edges"):
        now = town.collab("predict", text)["label"]
        assert town.collab("predict", text, "--at-block", head)["label"] == now
    assert "the model has blocks" in town.denied("predict", PATHS, "--at-block", head + 9)


def test_a_version_is_kept_once_and_given_back_by_deployer_or_vote(
    town: Commons, alice: Person, bob: Person
) -> None:
    made = town.collab("checkpoint", who=bob)
    assert town.collab("checkpoint", who=bob)["already"]
    version = made["version"]
    assert "only the deployer" in town.denied("rollback", version, who=bob)
    assert "there is no version 9" in town.denied("vote", 9, who=alice)
    assert "no vote" in town.denied("vote", version, who=bob)
    assert not town.collab("rollback", version, who=town.people["deployer"])["already"]
    assert town.collab("rollback", version, who=town.people["deployer"])["already"]
    assert town.collab("vote", version, who=alice)["rolled_back"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", ROOTS, "--label", 7), "give --label, 0 to 1"),
        (("refund", 99), "there is no contribution 99"),
        (("validate", 0), "that is for the incentive points"),
        (("market", "end"), "that is for the incentive market"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    town: Commons, alice: Person, words: tuple[object, ...], said: str
) -> None:
    assert said in town.denied(*words, who=alice)


def test_other_contracts_at_the_addresses_are_noticed(town: Commons) -> None:
    false = json.loads((town.folder / "collab.json").read_text())
    false["model"] = false["trainer"]
    (town.folder / "false.json").write_text(json.dumps(false))
    assert "is not the SparsePerceptron" in town.denied("status", name="false")


def test_another_encoder_than_the_contracts_is_noticed(town: Commons) -> None:
    false = json.loads((town.folder / "collab.json").read_text())
    false["encoder"] = "hashing(features=1000)"
    (town.folder / "false.json").write_text(json.dumps(false))
    assert "another encoder" in town.denied("predict", PATHS, name="false")


def test_points_reward_rows_of_numbers(town: Commons, alice: Person, bob: Person) -> None:
    file = town.folder / "rows.csv"
    file.write_text("0,1,10\n0,2,11\n1,10,1\n1,11,2\n")
    words = ("--data", file, "--model", "centroid", "--incentive", "points", "--wait", 60)
    town.deploy("points", *words)
    assert "a row has 2 numbers" in town.denied(
        "add", "1,2,3", "--label", 0, who=alice, name="points"
    )
    good = town.collab("add", "1.5,10", "--label", 0, who=alice, name="points")
    assert "validation opens in" in town.denied("validate", good["nonce"], who=bob, name="points")
    town.pass_time(61)
    won = town.collab("validate", good["nonce"], who=bob, name="points")["points"]
    (line,) = town.collab("leaderboard", name="points")
    assert (line["account"], line["points"]) == (alice.address, won)
    assert town.collab("validate", good["nonce"], who=bob, name="points")["already"]


def test_a_market_goes_from_bounty_to_payment(town: Commons, alice: Person, bob: Person) -> None:
    provider = town.people["deployer"]
    town.deploy("market", "--data", "passages", "--incentive", "market")
    secret = ("--secret", town.folder / "secret.json")

    def market(*words: object, who: Person) -> Any:
        return town.collab("market", *words, who=who, name="market")

    terms = ("--participation", 3_600, "--claim-time", 7_200, "--challenge-time", 3_600)
    opening = ("open", "--data", "passages", "--samples", 40, "--pieces", 4, "--bounty", 1)
    market(*opening, *terms, *secret, who=provider)
    assert market(*opening, *terms, *secret, who=provider)["already"]
    assert (town.folder / "secret.json").stat().st_mode & 0o077 == 0
    assert "is drawn after block" in town.denied(
        "market", "reveal", *secret, who=provider, name="market"
    )
    for _ in range(3):
        town.ledger.request("evm_mine")
    assert market("reveal", *secret, who=provider)["phase"] == "participation"
    market("stake", ROOTS, "--label", 1, "--stake", "0.01", who=alice)
    market("stake", PATHS, "--label", 1, "--stake", "0.02", who=bob)
    town.pass_time(3_601)
    assert market("reveal", *secret, who=provider)["phase"] == "claim"
    posted = market("claim", who=alice)
    assert market("claim", who=bob)["claim"] == posted["claim"]
    assert market("challenge", who=bob)["refuted"] == []
    assert "it can be settled in" in town.denied("market", "settle", who=bob, name="market")
    town.pass_time(3_601)
    assert market("settle", who=bob)["phase"] == "settled"
    market("collect", who=bob)
    assert market("collect", who=bob)["already"]
    amount = int(town.collab("withdraw", who=alice, name="market")["amount"])
    assert amount >= 11 * 10**16  # stake and bond
    assert "an earlier market" in town.denied(
        "market", *opening, *secret, who=provider, name="market"
    )


def test_the_file_is_canonical_and_names_all(town: Commons) -> None:
    path = town.folder / "collab.json"
    found = read_collab(path)
    assert found.encode() + b"\n" == path.read_bytes()
    assert found.encoder == load_stream("passages", seed=1).encoder.text


@pytest.mark.parametrize("content", ["{", '{"format": "ostrom/collab/2"}'])
def test_a_file_that_names_no_model_is_one_line(
    town: Commons, tmp_path: Path, content: str
) -> None:
    (town.folder / "odd.json").write_text(content)
    assert "names no model on a chain" in town.denied("status", name="odd")
