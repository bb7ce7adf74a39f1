"""A local network's folder: everybody has a key and data of their own."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import numpy as np
import pytest

from ostrom.errors import InputError
from ostrom.network.plan import (
    DATA,
    KEY,
    NETWORK,
    NODE,
    PASSPHRASE,
    RECIPES,
    TASK,
    Choices,
    Plan,
    make_plan,
    node_text,
    read_plan,
)
from ostrom.node.config import load_config
from ostrom.node.taskfile import TaskFile
from ostrom.sim.config import RECIPES as DEMO_RECIPES

SMALL = Choices(trainers=2, validators=3, rounds=2)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_plan(tmp_path / "network", SMALL)


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(InputError, match="holds something else"):
        make_plan(tmp_path, SMALL)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"trainers": 0}, "trainers"),
        ({"rounds": "many"}, "rounds"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_choices_that_cannot_be_are_one_line(fields: dict[str, object], line: str) -> None:
    with pytest.raises(InputError, match=line) as caught:
        Choices.of(fields)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_network_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ostrom network up --dir"):
        read_plan(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"trainers":2', '{"trainers":-2}'])
def test_a_damaged_plan_is_refused(plan: Plan, text: str) -> None:
    (plan.folder / NETWORK).write_text(text)
    with pytest.raises(InputError):
        read_plan(plan.folder)


def test_a_plan_is_read_as_it_was_made(plan: Plan) -> None:
    assert read_plan(plan.folder) == plan


def test_everybody_has_a_key_of_its_own(plan: Plan) -> None:
    parties = (plan.sponsor, *plan.nodes)
    assert len({one.address for one in parties}) == len(parties) == 7
    assert all(one.key(plan.passphrase).address == one.address for one in parties)
    for file in [plan.folder / PASSPHRASE, *(one.folder / KEY for one in parties)]:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nobody_has_an_example_of_another(plan: Plan) -> None:
    seen: list[bytes] = []
    for party in plan.parties("trainer", "validator"):
        with np.load(party.folder / DATA, allow_pickle=False) as held:
            seen += [x.tobytes() for x in held["x"]]
    seen += [x.tobytes() for x in plan.test().x]
    # A few of the published images are alike to the last pixel.
    assert len(seen) - len(set(seen)) < 20 < len(seen)


def test_the_task_is_one_that_can_be_created(plan: Plan) -> None:
    task = TaskFile.read(plan.folder / TASK)
    prepared = task.prepare(sponsor=plan.sponsor.address, token=plan.sponsor.address)
    assert prepared.params.rounds == 2
    validators = {one.address for one in plan.parties("validator")}
    assert set(prepared.params.validators) == validators


def test_a_node_takes_its_settings(plan: Plan) -> None:
    party = plan.parties("trainer")[0]
    ports = {one.name: 9_000 + i for i, one in enumerate(plan.nodes)}
    urls = ["http://127.0.0.1:1"]
    text = node_text(plan, party, rpc=urls, task="ab" * 32, first_block=3, ports=ports)
    tomllib.loads(text)
    (party.folder / NODE).write_text(text)
    config = load_config(party.folder / NODE, {}, {})
    assert config.data == str(party.folder / DATA)
    assert config.relays == ("http://127.0.0.1:9000",)
    assert f"http://127.0.0.1:{ports[party.name]}" not in config.peers
    assert len(config.peers) == len(plan.nodes) - 1
    few = node_text(
        plan, party, rpc=urls, task="ab" * 32, first_block=3, ports=ports, discovers=True
    )
    assert tomllib.loads(few)["peers"] == ["http://127.0.0.1:9000"]
    assert config.listen.loopback


def test_making_goes_on_where_it_was_interrupted(plan: Plan) -> None:
    (plan.folder / NETWORK).unlink()
    (plan.folder / TASK).unlink()
    before = [one.address for one in plan.nodes]
    again = make_plan(plan.folder, SMALL)
    assert [one.address for one in again.nodes] == before


def test_recipes_are_those_of_the_demo() -> None:
    theirs = {name: (one["model"], one["algorithm"]) for name, one in DEMO_RECIPES.items()}
    assert dict(RECIPES) == theirs
