"""What a local network is made of, and its folder: one for each party, with its own key and data.

    FOLDER/network.json        what was asked for
    FOLDER/passphrase          opens the keystores below; for local networks only
    FOLDER/task.toml           the task, as `ostrom task create` reads it
    FOLDER/deployment.json     where the contracts are, once they are deployed
    FOLDER/test.npz            examples that nobody trains on
    FOLDER/chain/              the development chain's state and log
    FOLDER/NAME/               a party: key.json, data.npz, node.toml, node.log, node/

Nothing here is secret from whoever can read the folder: it is a network of one's own.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ostrom.chain.keystore import WORK_LIGHT, address_of, create, load, read_passphrase
from ostrom.chain.wallet import Key
from ostrom.codec import encode_document, parse_json
from ostrom.data import Dataset, deal, load_dataset, split
from ostrom.errors import CodecError, InputError
from ostrom.spec import first_line
from ostrom.types import Address

NETWORK, PASSPHRASE, TASK, DEPLOYMENT = "network.json", "passphrase", "task.toml", "deployment.json"
TEST = "test.npz"
KEY, DATA, NODE, LOG, HOME = "key.json", "data.npz", "node.toml", "node.log", "node"

PARTIES_MAX = 64
HOLDOUT = 500
"""Examples that a validator scores with, at most."""

RECIPES: Mapping[str, tuple[str, str]] = {
    "mnist": ("federated_net", "fedavg(epochs=2)"),
    "sentences": ("transformer", "fedavg"),
    "": ("mlp", "fedavg(batch=16,epochs=5,lr=0.1)"),
}
"""Model and local algorithm by data set, as `ostrom demo` has them; a test compares."""

RoleName = Literal["sponsor", "trainer", "validator", "relay"]


class Choices(BaseModel):
    """What somebody asks of a local network. `phase_seconds` are seconds of the chain's clock.

    >>> Choices(trainers=2, validators=1).names("trainer")
    ('trainer-1', 'trainer-2')
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: Literal["ostrom/network/1"] = "ostrom/network/1"
    trainers: int = Field(default=5, ge=1, le=PARTIES_MAX)
    validators: int = Field(default=4, ge=1, le=PARTIES_MAX)
    rounds: int = Field(default=5, ge=1, le=10_000)
    dataset: str = "digits"
    skew: str = "emphasis(share=0.9)"
    model: str = ""
    algorithm: str = ""
    aggregation: str = "mean"
    phase_seconds: int = Field(default=120, ge=5, le=86_400)
    confirmations: int = Field(default=1, ge=0, le=64)
    poll_ms: int = Field(default=500, ge=50, le=60_000)
    rpc: str = ""
    seed: int = Field(default=1, ge=0, le=(1 << 53) - 1)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Choices:
        """Choices from plain fields.

        Raises:
            InputError: the first field that cannot be, in one line.
        """
        try:
            return cls(**fields)
        except ValidationError as error:
            raise InputError(first_line(error)) from None

    def names(self, role: RoleName) -> tuple[str, ...]:
        """The parties of a role, by name."""
        if role in ("sponsor", "relay"):
            return (role,)
        count = self.trainers if role == "trainer" else self.validators
        return tuple(f"{role}-{i + 1}" for i in range(count))

    @property
    def recipe(self) -> tuple[str, str]:
        """Model and local algorithm."""
        model, algorithm = RECIPES.get(self.dataset, RECIPES[""])
        return self.model or model, self.algorithm or algorithm


@dataclass(frozen=True)
class Party:
    """One party: its name, its role, and its folder."""

    name: str
    role: RoleName
    folder: Path

    @property
    def address(self) -> Address:
        """Its account, which its keystore names in clear."""
        return address_of(self.folder / KEY)

    def key(self, passphrase: str) -> Key:
        """Its key.

        Raises:
            InputError: the keystore cannot be read, or its passphrase is another.
        """
        return load(self.folder / KEY, passphrase)


@dataclass(frozen=True)
class Plan:
    """A local network's folder."""

    folder: Path
    choices: Choices

    def parties(self, *roles: RoleName) -> tuple[Party, ...]:
        """The parties of these roles, in their order."""
        return tuple(
            Party(name, role, self.folder / name)
            for role in roles
            for name in self.choices.names(role)
        )

    @property
    def nodes(self) -> tuple[Party, ...]:
        """The parties that run a node."""
        return self.parties("relay", "validator", "trainer")

    @property
    def sponsor(self) -> Party:
        """Who deploys, creates the task and pays."""
        return self.parties("sponsor")[0]

    @property
    def passphrase(self) -> str:
        """What opens the keystores."""
        return read_passphrase(self.folder / PASSPHRASE)

    def test(self) -> Dataset:
        """Examples that nobody trains on."""
        return load_dataset(str(self.folder / TEST)).train


def make_plan(folder: Path, choices: Choices) -> Plan:
    """Make a network's folder: keys, data and the task; what is there already is kept.

    Raises:
        InputError: the folder holds something else, or the data cannot be dealt.
    """
    plan = Plan(folder, choices)
    if folder.exists() and (not folder.is_dir() or _has_other_files(folder)):
        raise InputError(f"{folder} holds something else: give an empty or a new folder")
    _make_folders(plan)
    if not (folder / PASSPHRASE).exists():
        write_file(folder / PASSPHRASE, f"{secrets.token_hex(16)}\n".encode(), mode=0o600)
    passphrase = plan.passphrase
    for party in (*plan.parties("sponsor"), *plan.nodes):
        if not (party.folder / KEY).exists():
            create(party.folder / KEY, passphrase, work=WORK_LIGHT)
    shape, classes = deal_data(plan)
    write_file(folder / TASK, task_text(plan, shape, classes).encode())
    # The last file: with it, the folder is a network's.
    write_file(folder / NETWORK, encode_document(choices.model_dump(mode="json")))
    return plan


def read_plan(folder: Path) -> Plan:
    """The network in a folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        document = parse_json((folder / NETWORK).read_bytes())
    except OSError:
        raise InputError(
            f"{folder} holds no network: make one with ostrom network up --dir {folder}"
        ) from None
    except CodecError as error:
        raise InputError(f"{folder / NETWORK} is damaged: {error}") from None
    if not isinstance(document, dict):
        raise InputError(f"{folder / NETWORK} is damaged: it is not an object")
    return Plan(folder, Choices.of(document))


def _has_other_files(folder: Path) -> bool:
    """True if something lies there that an interrupted `make_plan` has not left."""
    left = {PASSPHRASE, TASK, TEST, "lock", "sponsor", "relay", "chain"}
    names = {one.name for one in folder.iterdir() if not one.name.endswith(".tmp")}
    return any(not name.startswith(("trainer-", "validator-")) for name in names - left)


def _make_folders(plan: Plan) -> None:
    try:
        for party in (*plan.parties("sponsor"), *plan.nodes):
            party.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {plan.folder}: {error.strerror}") from None


def deal_data(plan: Plan) -> tuple[tuple[int, ...], int]:
    """Deal the data set into one file for each party; one example's shape, and the classes.

    Raises:
        InputError: no such data set, or too few examples for so many parties.
    """
    choices = plan.choices
    rng = np.random.default_rng(np.random.SeedSequence(choices.seed))
    parts = split(load_dataset(choices.dataset), rng)
    if len(parts.dev) < choices.validators:
        raise InputError(f"{len(parts.dev)} holdout examples are too few for so many validators")
    shares = deal(choices.skew, parts, n=choices.trainers, rng=rng)
    holdouts = np.array_split(np.arange(len(parts.dev)), choices.validators)
    given = {
        **dict(zip(choices.names("trainer"), [share.train for share in shares])),
        **dict(
            zip(choices.names("validator"), [parts.dev.subset(one[:HOLDOUT]) for one in holdouts])
        ),
    }
    for name, data in given.items():
        _write_data(plan.folder / name / DATA, data)
    _write_data(plan.folder / TEST, parts.test)
    return parts.train.shape, parts.train.classes


def _write_data(path: Path, data: Dataset) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        np.savez(file, x=data.x, y=data.y)
    os.replace(temporary, path)


def task_text(plan: Plan, shape: Sequence[int], classes: int) -> str:
    """The task's file."""
    choices = plan.choices
    model, algorithm = choices.recipe
    validators = [one.address for one in plan.parties("validator")]
    # The name makes this network's task another than an equal one on the same chain.
    name = f"local network {secrets.token_hex(8)}"
    phases = ("commit", "reveal", "score", "score_reveal", "attest")
    return "\n".join(
        [
            f"name = {quoted(name)}",
            "pool = 10_000",
            "trainer_stake = 100",
            "validator_stake = 1_000",
            f"rounds = {choices.rounds}",
            f"max_trainers = {choices.trainers}",
            f"validators = {quoted(validators)}",
            "",
            "[phases]",
            *(f"{phase} = {choices.phase_seconds}" for phase in phases),
            "",
            "[model]",
            f"name = {quoted(model)}",
            f"shape = {quoted(list(shape))}",
            f"classes = {classes}",
            f"seed = {choices.seed}",
            "",
            "[mechanisms]",
            f"algorithm = {quoted(algorithm)}",
            f"aggregation = {quoted(choices.aggregation)}",
            "",
        ]
    )


def node_text(
    plan: Plan,
    party: Party,
    *,
    rpc: Sequence[str],
    task: str,
    first_block: int,
    ports: Mapping[str, int],
    discovers: bool = False,
) -> str:
    """A node's settings; `ports` are everybody's, by name.

    With `discovers` they name the relay alone as a peer: the others are found in the Registry.
    """
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    fields: dict[str, object] = {
        "role": party.role,
        "rpc": list(rpc),
        "task": task,
        "first_block": first_block,
        "deployment": f"../{DEPLOYMENT}",
        "keystore": KEY,
        "passphrase_file": f"../{PASSPHRASE}",
        "folder": HOME,
        "listen": f"127.0.0.1:{ports[party.name]}",
        "announce": urls[party.name],
        "peers": [
            url
            for name, url in urls.items()
            if name != party.name and (name == "relay" or not discovers)
        ],
        "confirmations": plan.choices.confirmations,
        "poll_seconds": plan.choices.poll_ms / 1_000,
        "allow_private_peers": True,
    }
    if party.role in ("trainer", "validator"):
        fields["data"] = DATA
    if party.role == "trainer":
        fields["relays"] = [urls["relay"]]
    return "".join(f"{name} = {quoted(value)}\n" for name, value in fields.items())


def quoted(value: object) -> str:
    """A text, number, truth or list of them as TOML, which JSON's form of them is.

    >>> quoted(["a", 1]), quoted(True)
    ('["a", 1]', 'true')
    """
    return json.dumps(value)


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file, all of it or nothing.

    Raises:
        InputError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
