"""The commands of a network, on a real chain."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.chain.anvil import Anvil
from tests.cli.town import HOUR, PASSPHRASE, Person, Town, found_town
from tests.storage.conftest import running
from tests.storage.rpc import Rpc

from ostrom.chain.registered import Registrations
from ostrom.chain.rpc import RpcLedger
from ostrom.codec import decode_document
from ostrom.node.taskfile import TaskFile
from ostrom.spec import Spec
from ostrom.storage import DirectoryStore
from ostrom.storage.contacts import Contact
from ostrom.storage.gateway import gateway
from ostrom.storage.kubo import KuboStore

TOKEN = 10**18


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with found_town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture(scope="module")
def vera(town: Town) -> Person:
    """A validator of every task here."""
    return town.person("vera", tokens=5_000)


@pytest.fixture(scope="module")
def sponsor(town: Town) -> Person:
    return town.people["sponsor"]


def acts(document: object) -> list[str]:
    assert isinstance(document, dict)
    return [act["act"] for act in document["acts"]]


# deploy


def test_a_deployment_says_where_everything_is_in_a_canonical_file(town: Town) -> None:
    document = decode_document(town.deployment.read_bytes().strip())
    assert document["format"] == "ostrom/deployment/1"
    assert document["chain"] == 31337
    assert document["block"] == 1
    assert set(document["contracts"]) == {"token", "registry", "models", "training"}


def test_deploying_twice_is_deploying_once(town: Town, sponsor: Person) -> None:
    before = town.ledger.block_number
    again = town.done("deploy", "--out", town.deployment, who=sponsor)
    assert (again["already"], again["gas"]) == (True, 0)
    shown = town.run("deploy", "--out", town.deployment, who=sponsor).stdout
    assert "already deployed" in shown
    assert town.ledger.block_number == before


def test_deploying_says_what_it_costs(town: Town, sponsor: Person) -> None:
    ended = town.run("deploy", "--out", town.folder / "second.json", who=sponsor)
    assert ended.exit_code == 0
    assert "Training.constructor: 5," in ended.stderr
    assert "gas in 7 transactions" in ended.stdout
    assert town.deployed.contracts.training.address not in ended.stdout


def test_an_account_without_coins_deploys_nothing(town: Town) -> None:
    pauper = town.person("pauper", coins=0)
    out = town.folder / "third.json"
    said = town.refused("deploy", "--out", out, who=pauper)
    assert said == (f"{pauper.address} cannot pay for gas on chain 31337: send it some of its coin")
    assert not out.exists()


def test_coins_that_run_out_are_one_line(town: Town) -> None:
    poor = town.person("poor", coins=10**9)
    said = town.refused("register", "--role", "trainer", who=poor)
    assert "cannot pay for gas on chain 31337" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "names no network: it is not JSON"),
        ('{"format": "ostrom/deployment/2"}', "names no network: format: "),
        ('{"format": "ostrom/deployment/1", "block": 1, "contracts": {}, "chain": 1}', "token"),
    ],
)
def test_a_file_that_names_no_network_stays_as_it_is(
    town: Town, sponsor: Person, content: str, said: str
) -> None:
    out = town.folder / "other.json"
    out.write_text(content)
    assert said in town.refused("deploy", "--out", out, who=sponsor)
    assert out.read_text() == content


def test_a_network_on_another_chain_is_not_taken_for_this_one(town: Town, sponsor: Person) -> None:
    other = json.loads(town.deployment.read_text()) | {"chain": 5}
    out = town.folder / "elsewhere.json"
    out.write_text(json.dumps(other))
    assert "on chain 5, the node serves chain 31337" in town.refused(
        "deploy", "--out", out, who=sponsor
    )
    said = town.refused("task", "list", "--deployment", out)
    assert "31337" in said


def test_other_contracts_at_the_addresses_are_noticed(town: Town) -> None:
    false = json.loads(town.deployment.read_text())
    false["contracts"]["training"] = false["contracts"]["registry"]
    out = town.folder / "false.json"
    out.write_text(json.dumps(false))
    assert "is not the Training of this network" in town.refused(
        "task", "list", "--deployment", out
    )


def test_nothing_is_paid_for_a_file_that_cannot_be_written(town: Town, sponsor: Person) -> None:
    out = town.folder / "missing" / "deployment.json"
    assert "cannot write" in town.refused("deploy", "--out", out, who=sponsor)


def test_a_node_that_is_not_there_is_one_line(town: Town) -> None:
    ended = town.run("task", "list", "--rpc", "http://127.0.0.1:1")
    assert ended.exit_code == 2
    assert ended.stderr.startswith("ostrom: ")
    assert "http://127.0.0.1:1" in ended.stderr
    assert ended.stderr.count("\n") == 1


# task


def test_a_dry_run_says_the_costs_and_sends_nothing(
    town: Town, sponsor: Person, vera: Person
) -> None:
    before = town.ledger.block_number
    file, store = town.task_file("dry", vera), town.folder / "dry-store"
    ended = town.run("task", "create", "-f", file, "--dry-run", "--store", store, who=sponsor)
    assert ended.exit_code == 0
    assert "pool: 1,000 OSTR over 3 rounds at most" in ended.stderr
    assert "gas: at most" in ended.stderr
    assert "nothing was sent" in ended.stderr
    assert town.ledger.block_number == before
    assert not store.exists()


def test_a_task_is_published_approved_and_created_as_its_file_says(
    town: Town, sponsor: Person, vera: Person
) -> None:
    file = town.task_file("honest", vera)
    made = town.done("task", "create", "-f", file, who=sponsor)
    assert acts(made) == ["Token.approve", "Training.createTask"]
    token = town.deployed.contracts.token.address
    wanted = TaskFile.read(file).prepare(sponsor=sponsor.address, token=token)
    assert town.state(made["task"]).params == wanted.params
    assert town.store.get(made["model"], max_bytes=1 << 20) == wanted.files[1]
    spec = Spec.decode(town.store.get(made["spec"], max_bytes=1 << 20))
    assert spec == wanted.spec
    assert spec.algorithm.startswith("fedavg(")


def test_the_costs_that_were_announced_are_not_exceeded(
    town: Town, sponsor: Person, vera: Person
) -> None:
    others = [town.person(f"v{number}") for number in range(7)]
    file = town.task_file("many", vera, *others)
    ended = town.run("task", "create", "-f", file, "--dry-run", who=sponsor)
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("gas: ")]
    most = int(line.split()[3].strip(",").replace(",", ""))
    made = town.done("task", "create", "-f", file, who=sponsor)
    assert most / 2 < sum(act["gas"] for act in made["acts"]) <= most


def test_creating_a_task_twice_pays_once(town: Town, sponsor: Person, vera: Person) -> None:
    task = town.task("once", vera)
    before = town.ledger.block_number
    ended = town.run("task", "create", "-f", town.folder / "once.toml", who=sponsor)
    assert ended.stdout == f"{task}\n"
    assert "exists already; nothing was sent" in ended.stderr
    assert town.ledger.block_number == before


def test_a_task_can_be_published_in_a_kubo_node(town: Town, sponsor: Person, vera: Person) -> None:
    file = town.task_file("kubo", vera)
    with running(Rpc().app()) as url:
        made = town.done("task", "create", "-f", file, "--store", url, who=sponsor)
        node = KuboStore(url)
        assert Spec.decode(node.get(made["spec"], max_bytes=1 << 20))
        node.close()


def test_what_cannot_be_published_is_not_paid_for(
    town: Town, sponsor: Person, vera: Person
) -> None:
    file = town.task_file("unpublished", vera)
    before = town.ledger.block_number
    words = ("task", "create", "-f", file, "--store", "http://127.0.0.1:1")
    ended = town.run(*words, who=sponsor)
    assert ended.exit_code == 2
    assert "http://127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert town.ledger.block_number == before


def test_an_allowance_that_is_there_is_not_asked_for_again(
    town: Town, sponsor: Person, vera: Person
) -> None:
    key_of = town.folder / "sponsor.json"
    from ostrom.chain.keystore import load

    at = town.deployed.contracts
    town.ledger.send(at.token.approve(at.training.address, 10**30), load(key_of, PASSPHRASE))
    made = town.done("task", "create", "-f", town.task_file("allowed", vera), who=sponsor)
    assert acts(made) == ["Training.createTask"]
    town.ledger.send(at.token.approve(at.training.address, 0), load(key_of, PASSPHRASE))


def test_a_sponsor_who_cannot_pay_the_pool_sends_nothing(town: Town, vera: Person) -> None:
    poor = town.person("poor-sponsor", tokens=10)
    said = town.refused("task", "create", "-f", town.task_file("poor", vera), who=poor)
    assert said == f"{poor.address} holds 10 OSTR, less than the pool of 1,000 OSTR"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rounds = 3", "rounds = 0", "rounds: "),
        ("rounds = 3", "ronds = 3", "ronds is not known: did you mean rounds?"),
        ("pool = 1_000", "pool = 0.5", "pool: an amount is a number of tokens"),
        ('"logistic"', '"logistics"', "there is no 'logistics' here: choose among"),
        ('"fedavg(epochs=1)"', '"fedavg(epoch=1)"', "fedavg has no argument 'epoch'"),
        ('store = "store"', "", "names no store: add one, or give --store PLACE"),
        ("[model]", "[model", "not TOML"),
        ("max_trainers", 'membership = "0x' + "11" * 20 + '"\nmax_trainers', "no contract at"),
    ],
)
def test_a_task_that_cannot_be_is_refused_before_anything_is_sent(
    town: Town, sponsor: Person, vera: Person, old: str, new: str, said: str
) -> None:
    file = town.task_file("wrong", vera)
    file.write_text(file.read_text().replace(old, new))
    assert said in town.refused("task", "create", "-f", file, who=sponsor)


def test_the_list_of_tasks_is_that_of_the_chain(town: Town, vera: Person) -> None:
    task = town.task("listed", vera)
    found = town.done("task", "list")[-1]
    assert found["task"] == task
    assert (found["phase"], found["round"], found["pool"]) == ("joining", 0, str(1_000 * TOKEN))
    text = town.run("task", "list").stdout
    assert task in text
    assert "1,000 OSTR" in text


def test_a_task_is_shown_with_its_deadline_members_and_versions(town: Town, vera: Person) -> None:
    task, alice = town.task("shown", vera), town.person("shown-alice", tokens=10)
    town.done("join", "--task", task, "--role", "trainer", who=alice)
    found = town.done("task", "show", task)
    assert found["members"] == [
        {
            "account": alice.address,
            "role": "trainer",
            "stake": str(10 * TOKEN),
            "strikes": 0,
            "seat": "taken",
        }
    ]
    assert [one["version"] for one in found["versions"]] == [1]
    assert 0 < found["deadline"]["seconds"] <= HOUR
    text = town.run("task", "show", f"0x{task}").stdout
    assert "joining, round 0 of 3" in text
    assert f"in {found['deadline']['words'].split()[0]}" in text
    assert alice.address in text


@pytest.mark.parametrize("command", [["task", "show"], ["join", "--role", "trainer", "--task"]])
def test_an_unknown_task_is_one_line(town: Town, vera: Person, command: list[str]) -> None:
    said = town.refused(*command, "ab" * 32, who=vera)
    assert said == f"there is no task {'ab' * 32} here: see ostrom task list"
    assert "give 64 hexadecimal digits" in town.refused(*command, "first", who=vera)


# membership


def test_joining_does_all_that_is_missing_and_twice_is_once(town: Town, vera: Person) -> None:
    task, bob = town.task("joined", vera), town.person("bob", tokens=50)
    first = town.done("join", "--task", task, "--role", "trainer", who=bob)
    assert acts(first) == [
        "Registry.register", "Token.approve", "Registry.deposit", "Training.join",
    ]  # fmt: skip
    assert town.state(task).members[bob.address].stake == 10 * TOKEN
    again = town.run("join", "--task", task, "--role", "trainer", who=bob)
    assert again.exit_code == 0
    assert again.stdout == (
        f"{bob.address} has already joined task {task} as trainer (nothing was sent)\n"
    )


def test_a_join_that_was_interrupted_goes_on_where_it_stopped(town: Town, vera: Person) -> None:
    task, carol = town.task("resumed", vera), town.person("carol", tokens=50)
    from ostrom.chain.keystore import load

    at, key = town.deployed.contracts, load(carol.keystore, PASSPHRASE)
    town.done("register", "--role", "trainer", who=carol)
    town.ledger.send(at.token.approve(at.registry.address, 4 * TOKEN), key)
    town.ledger.send(at.registry.deposit(4 * TOKEN), key)
    left = town.done("join", "--task", task, "--role", "trainer", who=carol)
    assert acts(left) == ["Token.approve", "Registry.deposit", "Training.join"]
    assert at.token.balance_of(town.ledger, carol.address) == 40 * TOKEN


def test_a_validator_may_stake_more_than_is_asked_and_a_trainer_may_not(
    town: Town, vera: Person
) -> None:
    task, dave = town.task("stakes", vera), town.person("dave", tokens=500)
    town.done("join", "--task", task, "--role", "validator", "--stake", 200, who=vera)
    assert town.state(task).members[vera.address].stake == 200 * TOKEN
    said = town.refused("join", "--task", task, "--role", "trainer", "--stake", "11", who=dave)
    assert said == "the stake must be 10 OSTR, not 11 OSTR"
    said = town.refused("join", "--task", task, "--role", "trainer", "--stake", "1e3", who=dave)
    assert "an amount is a number of tokens" in said


def test_who_may_not_join_pays_for_nothing(town: Town, vera: Person) -> None:
    task, mallory = town.task("closed", vera), town.person("mallory", tokens=500)
    said = town.refused("join", "--task", task, "--role", "validator", who=mallory)
    assert said == (
        f"the task does not name {mallory.address} as a validator: its sponsor chose them"
    )
    said = town.refused("join", "--task", task, "--role", "trainer", who=vera)
    assert "those who score may not train" in said
    pauper = town.person("pauper-2")
    said = town.refused("join", "--task", task, "--role", "trainer", who=pauper)
    assert said == (f"{pauper.address} holds 0 OSTR and needs 10 OSTR: 10 OSTR are missing")
    for name in ("seat-1", "seat-2"):
        town.done("join", "--task", task, "--role", "trainer", who=town.person(name, tokens=10))
    said = town.refused("join", "--task", task, "--role", "trainer", who=mallory)
    assert said == "all of the task's 2 seats for trainers are taken"


def test_a_relay_is_asked_only_for_trainers_and_one_that_is_away_is_one_line(
    town: Town, vera: Person
) -> None:
    task = town.task("relayed", vera)
    kate = town.person("kate", tokens=10, coins=0)
    join = ("join", "--task", task, "--role", "trainer")
    assert "cannot pay for gas" in town.refused(*join, who=kate)
    assert "cannot be reached" in town.refused(*join, "--relay", "http://127.0.0.1:1", who=kate)
    assert "nobody else" in town.refused(
        "join", "--task", task, "--role", "validator", "--relay", "http://127.0.0.1:1", who=vera
    )


def test_a_round_pays_and_leaving_frees_the_stake(town: Town, vera: Person) -> None:
    walter = town.person("walter", tokens=200)
    erin = town.person("erin", tokens=10)
    task = town.task("played", vera, walter, rounds=1)
    town.done("join", "--task", task, "--role", "validator", who=vera)
    town.done("join", "--task", task, "--role", "trainer", who=erin)
    town.pass_time(HOUR + 1)
    said = town.refused("join", "--task", task, "--role", "validator", who=walter)
    assert said.startswith("joining closed when round 1 began; the task is in the commit phase")
    town.done("register", "--role", "sponsor", who=erin)
    from ostrom.chain.keystore import load

    training = town.deployed.contracts.training
    key = load(erin.keystore, PASSPHRASE)
    town.ledger.send(training.advance(bytes.fromhex(task)), key)
    said = town.refused("leave", "--task", task, who=vera)
    assert said.startswith("a validator stays until the task ends, in ")
    assert said.endswith("(5 h 0 min) at the latest")
    said = town.refused("claim", "--task", task, "--store", town.folder / "store", who=erin)
    assert said == "no round of that task is settled yet: there is nothing to claim"

    town.settle_round(task, erin, vera)
    store = town.folder / "store"
    at = town.deployed.contracts
    before = at.token.balance_of(town.ledger, vera.address)
    paid = town.done("claim", "--task", task, "--store", store, who=vera)
    earned = int(paid["cumulative"])
    assert earned > 0
    assert at.token.balance_of(town.ledger, vera.address) == before + earned
    again = town.run("claim", "--task", task, "--store", store, who=vera)
    assert "has already claimed" in again.stdout
    assert "(nothing was sent)" in again.stdout
    with running(gateway(town.store)) as url:
        found = town.done("claim", "--task", task, "--store", url, who=erin)
        assert int(found["cumulative"]) >= 0
    assert town.done("claim", "--task", task, "--store", store, who=walter)["cumulative"] == "0"
    said = town.refused("claim", "--task", task, "--store", town.folder / "none", who=vera)
    assert said.startswith("there is no store ")

    assert "leave it first" in town.refused("withdraw", "--task", task, who=erin)
    left = town.run("leave", "--task", task, who=erin)
    assert "10 OSTR is free in " in left.stdout
    assert "has already left" in town.run("leave", "--task", task, who=erin).stdout
    assert "the stake is free in " in town.refused("withdraw", "--task", task, who=erin)
    town.pass_time(61)
    out = town.done("withdraw", "--task", task, who=erin)
    assert acts(out) == ["Registry.release", "Registry.withdraw"]
    assert at.token.balance_of(town.ledger, erin.address) >= 10 * TOKEN
    assert town.done("withdraw", "--task", task, who=erin)["already"]


def test_who_never_joined_cannot_leave(town: Town, vera: Person) -> None:
    stranger = town.person("stranger")
    said = town.refused("leave", "--task", town.task("left", vera), who=stranger)
    assert said == f"{stranger.address} never joined that task"


def test_roles_add_up(town: Town) -> None:
    frank = town.person("frank")
    town.done("register", "--role", "trainer", who=frank)
    town.done("register", "--role", "validator", "--role", "sponsor", who=frank)
    registry = town.deployed.contracts.registry
    assert int(registry.roles_of(town.ledger, frank.address)) == 7
    again = town.run("register", "--role", "trainer", who=frank)
    assert again.stdout == f"{frank.address} has already registered as trainer (nothing was sent)\n"


def test_an_account_says_where_its_node_is(town: Town, tmp_path: Path) -> None:
    rosa, store = town.person("rosa"), tmp_path / "contacts"
    first = Contact.of(["http://127.0.0.1:8550"])
    url = ("--url", "http://127.0.0.1:8550/", "--store", str(store))
    made = town.done("register", "--role", "trainer", *url, who=rosa)
    assert (made["urls"], made["contact"]) == (["http://127.0.0.1:8550"], first.cid)
    assert registered(town)[rosa.address] == first.digest
    document = DirectoryStore(store, read_only=True).get(first.cid, max_bytes=1_000)
    assert Contact.decode(document) == first
    assert town.done("register", "--role", "trainer", *url, who=rosa)["already"]
    town.done("register", "--role", "validator", who=rosa)
    assert registered(town)[rosa.address] == first.digest, "another role leaves it as it is"
    two = ("--url", "https://rosa.example", "--url", "http://127.0.0.1:8551")
    town.done("register", "--role", "validator", *two, who=rosa)
    second = Contact.of(["https://rosa.example", "http://127.0.0.1:8551"])
    assert registered(town)[rosa.address] == second.digest


def registered(town: Town) -> Mapping[str, bytes]:
    """The digests that the Registry's events name."""
    at = town.deployed
    found = Registrations(at.contracts.registry.address, at.block)
    return found.read(town.ledger, town.ledger.block_number)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--url", "http://2130706433/"), "cannot use the address 'http://2130706433/'"),
        (("--url", "http://a.example", "--url", "http://a.example/"), "names each address once"),
        (("--store", "there"), "--store is for the contact that --url makes: give --url"),
    ],
)
def test_a_contact_that_cannot_be_is_refused_before_anything_is_sent(
    town: Town, options: tuple[str, ...], line: str
) -> None:
    sam = town.people.get("sam") or town.person("sam")
    assert line in town.refused("register", "--role", "trainer", *options, who=sam)
    assert sam.address not in registered(town)


def test_funding_twice_is_funding_once(town: Town, sponsor: Person) -> None:
    grace = town.person("grace")
    give = ("fund", "--account", grace.address.lower(), "--amount", "2.5")
    assert town.done(*give, who=sponsor)["sent"] == str(25 * TOKEN // 10)
    assert town.done(*give, who=sponsor)["sent"] == "0"
    assert f"sent nothing: {grace.address} has 2.5 OSTR" in town.run(*give, who=sponsor).stdout
    assert "a wrong checksum" in town.refused(
        "fund", "--account", grace.address.swapcase().replace("0X", "0x"), "--amount", 1,
        who=sponsor,
    )  # fmt: skip
    said = town.refused("fund", "--account", town.person("judy").address, "--amount", 9, who=grace)
    assert said == f"{grace.address} holds 2.5 OSTR and needs 9 OSTR: 6.5 OSTR are missing"


def test_no_more_than_the_free_stake_can_be_taken_out(town: Town) -> None:
    henry = town.person("henry")
    said = town.refused("withdraw", "--amount", "5", who=henry)
    assert said == f"{henry.address} has 0 OSTR free: give at most that"
    assert "has nothing to take out" in town.run("withdraw", who=henry).stdout


def test_a_wrong_passphrase_is_one_line(town: Town, sponsor: Person) -> None:
    ended = town.run("register", "--role", "trainer", who=sponsor, OSTROM_PASSPHRASE="wrong")
    assert ended.exit_code == 2
    assert ended.stderr == f"ostrom: the passphrase does not open {sponsor.keystore}\n"


def test_a_keystore_that_others_can_read_is_named(town: Town) -> None:
    ivan = town.person("ivan")
    ivan.keystore.chmod(0o644)
    ended = town.run("register", "--role", "trainer", who=ivan)
    assert ended.exit_code == 0
    assert f"others can read {ivan.keystore}: chmod 600" in ended.stderr


def test_an_interrupted_command_says_what_may_be_mined_and_is_run_again(
    tmp_path: Path,
) -> None:
    with Anvil() as node:
        town = Town(node.url, tmp_path)
        alice = town.person("alice")
        town.done("deploy", "--out", town.deployment, who=alice)
        ledger = RpcLedger(node.url)
        ledger.request("evm_setAutomine", False)
        words = [sys.executable, "-m", "ostrom.cli", "register", "--role", "trainer"]
        environment = os.environ | town.environment(OSTROM_KEYSTORE=str(alice.keystore))
        command = subprocess.Popen(
            words, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        until = time.monotonic() + 60
        while not ledger.request("txpool_status")["pending"].strip("0x"):
            assert time.monotonic() < until
            assert command.poll() is None
            time.sleep(0.05)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=30)
        assert command.returncode == 130
        assert "it may still be mined" in said
        assert "run the command again" in said
        assert "Traceback" not in said
        ledger.request("evm_setAutomine", True)
        ledger.request("evm_mine")
        again = town.done("register", "--role", "trainer", who=alice)
        assert again["already"]


def test_a_trainer_without_coins_joins_through_a_relay(
    town: Town, vera: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ostrom.cli.relayed.WAIT_SECONDS_MAX", 120)
    task = town.task("relayed", vera, seats=1)
    carrier, ruth = town.person("carrier"), town.person("ruth", tokens=10, coins=0)
    join = ("join", "--task", task, "--role", "trainer")
    assert "cannot pay for gas" in town.refused(*join, who=ruth)
    assert "nobody else" in town.refused(
        "join", "--task", task, "--role", "validator", "--relay", "http://127.0.0.1:1", who=vera
    )
    assert "cannot be reached" in town.refused(*join, "--relay", "http://127.0.0.1:1", who=ruth)
    with town.relay(carrier, "relayed", tmp_path) as url:
        ended = town.run(*join, "--relay", url, who=ruth)
        assert ended.exit_code == 0, ended.output
        assert ended.stdout == (
            f"{ruth.address} has joined task {task} as trainer (a relay paid)\n"
        )
        assert town.state(task).members[ruth.address].stake == 10 * TOKEN
        assert town.done(*join, "--relay", url, who=ruth)["already"]
