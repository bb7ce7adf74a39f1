"""Whole nodes on a real chain: put together from their settings, in one process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.chain.anvil import Anvil

from ostrom.chain.deployed import Deployed, write_deployed
from ostrom.chain.rpc import RpcLedger
from ostrom.chain.wallet import Key, simulation_key
from ostrom.errors import InputError, LedgerError, NotFound
from ostrom.node.actions import Reveal
from ostrom.node.assembly import Assembly, Together, salts
from ostrom.node.config import Listen, NodeConfig
from ostrom.node.logs import Secrets
from ostrom.node.looking import Ending, Stop
from ostrom.node.relay import reveal_message
from ostrom.node.relay.client import RelayClient
from ostrom.node.server import Board, Server, application
from ostrom.node.service import Desk
from ostrom.registry import load_model
from ostrom.sim import RunConfig
from ostrom.sim.setup import Launch, accounts, launch
from ostrom.sim.world import World, build_world
from ostrom.storage import DirectoryStore
from ostrom.types import Address, Logged, Opening, Phase

ETHER = 10**18
POLLS_MAX = 100
POLLS_TO_CLAIM = 8

REVEAL = Reveal(1, Address("0x" + "11" * 20), Opening(bytes(32), bytes(32), 1, bytes(32)))

SETTINGS = RunConfig(
    dataset="digits",
    clients=2,
    validators=3,
    rounds=1,
    model="logistic",
    algorithm="scaffold",
    aggregation="mean(weights=equal)",
    compression="error_feedback|int8",
    holdout=20,
)


@dataclass
class Network:
    """A chain with one task, and what its parties need."""

    url: str
    ledger: RpcLedger
    world: World
    launch: Launch
    deployment: Path
    store: Path

    def skip(self, seconds: int) -> None:
        """Let chain time pass."""
        self.ledger.request("evm_increaseTime", seconds)
        self.ledger.request("evm_mine")


def founded(folder: Path, url: str) -> Network:
    world, ledger = build_world(SETTINGS), RpcLedger(url)
    for account in accounts(world):
        ledger.request("anvil_setBalance", account, hex(100 * ETHER))
    store = folder / "shared"
    started = launch(world, ledger, DirectoryStore(store))
    deployment = folder / "deployment.json"
    write_deployed(deployment, Deployed(ledger.chain_id, 0, started.deployment))
    return Network(url, ledger, world, started, deployment, store)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with Anvil() as chain:
        made = founded(tmp_path, chain.url)
        yield made
        made.ledger.close()


def given_listen(settings: dict[str, Any]) -> Listen:
    found = settings.get("listen", Listen("127.0.0.1", 0))
    return found if found.port != 8550 else Listen("127.0.0.1", 0)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Callable[..., Assembly]]:
    """Puts a node together; all of them are closed in the end."""
    with ExitStack() as stack:

        def make(name: str, key: Key, **settings: Any) -> Assembly:
            given = {"rpc": ("http://127.0.0.1:9",), "task": "00" * 32, "confirmations": 0}
            config = NodeConfig(**{**given, "folder": tmp_path / name, **settings})
            board = Board(time.monotonic)
            listen = given_listen(settings)
            server = Server(application(board), listen)
            stack.enter_context(server)
            config.folder.mkdir(exist_ok=True)
            made = Assembly(Desk(config, key, Secrets(), board, server))
            stack.callback(made.close)
            return made

        yield make


def settings_of(network: Network, role: str, **more: Any) -> dict[str, Any]:
    return {
        "role": (role,),
        "rpc": (network.url,),
        "task": network.launch.task_id.hex(),
        "deployment": network.deployment,
        "data": "digits",
        **more,
    }


def shares_store(network: Network, folder: Path) -> None:
    """Give a node the network's store as its own, as if every peer were fast."""
    folder.mkdir()
    (folder / "store").symlink_to(network.store)


def parties(network: Network, node: Any, tmp_path: Path, **more: Any) -> list[Assembly]:
    """Two trainers and three validators."""
    keys, nodes = network.world.keys, []
    for role, held in (("trainer", keys.trainers), ("validator", keys.validators)):
        for place, key in enumerate(held):
            shares_store(network, tmp_path / f"{role}-{place}")
            settings = settings_of(network, role, **(more if role == "trainer" else {}))
            nodes.append(node(f"{role}-{place}", key, **settings))
    return nodes


def play(network: Network, nodes: list[Assembly]) -> dict[str, Any]:
    """Let all look in turn until the task is over and claims had their time; the last status."""
    over = 0
    for _ in range(POLLS_MAX):
        for one in nodes:
            try:
                one.poll()
            except LedgerError as error:
                # A node may show a block before its events.
                if "look again" in str(error):
                    continue
                if "funds" not in str(error):
                    raise
                # Who has no coins gets some as soon as it has to pay for something.
                network.ledger.request("anvil_setBalance", one.key.address, hex(ETHER))
        # Blocks come with transactions; a node that only waits needs time to pass.
        network.skip(30)
        status = dict(nodes[-1].status())
        over += bool(status["over"])
        if over == POLLS_TO_CLAIM:
            return status
    pytest.fail(f"the task did not end: {[dict(one.status()) for one in nodes]}")


def carried(network: Network, name: str) -> list[Logged]:
    """The events of that name on the chain."""
    events = network.ledger.events(0, network.ledger.block_number)
    return [one for one in events if type(one.event).__name__ == name]


def test_a_federation_of_nodes_runs_a_task_to_its_end(
    network: Network, node: Any, tmp_path: Path
) -> None:
    nodes = parties(network, node, tmp_path)
    status = play(network, nodes)
    assert (status["round"], status["phase"]) == (1, Phase.FINISHED.name)
    assert status["notice"] == ""
    assert isinstance(status["balance"], int)
    assert isinstance(status["store_bytes"], int)
    for one in nodes:
        assert one.agent.outbox.counts.failed == 0
        view = one.agent.view
        assert view is not None
        state = view.state
    assert state.claimed_total == state.allocated > 0
    newest = state.versions[state.head]
    model = load_model(DirectoryStore(network.store), newest, network.world.spec)
    assert model["parameters"].any()
    kept = sorted(file.name for file in (tmp_path / "trainer-0" / "states").iterdir())
    assert len(kept) == 1
    assert kept[0].startswith("00000001.")


def test_a_trainer_without_coins_takes_part_through_a_relay(
    network: Network, node: Any, tmp_path: Path
) -> None:
    keys = network.world.keys
    shares_store(network, tmp_path / "relay")
    relay = node("relay", keys.relay, **settings_of(network, "relay"))
    relay.poll()
    pages = relay._desk.server.url
    nodes = parties(network, node, tmp_path, relays=(pages,))
    for key in keys.trainers:
        network.ledger.request("anvil_setBalance", key.address, "0x0")
    status = play(network, [relay, *nodes])
    assert status["over"]
    for one in nodes[:2]:
        assert dict(one.status())["offered"]["taken"] >= 2
    for name in ("Committed", "Revealed"):
        assert len(carried(network, name)) == 2
        assert len({one.transaction for one in carried(network, name)}) == 1, "one for both"
    answer = httpx.get(f"{pages}/v1/status", trust_env=False, verify=False)
    assert answer.json()["task"] == network.launch.task_id.hex()


def test_nodes_with_stores_of_their_own_fetch_from_one_another(
    network: Network, node: Any, tmp_path: Path
) -> None:
    ports = free_ports(6)
    pages = [f"http://127.0.0.1:{port}" for port in ports]
    more = {"peers": tuple(pages), "allow_private_peers": True}
    # A node with no seat holds what the sponsor published.
    shares_store(network, tmp_path / "seed")
    settings = settings_of(network, "relay", listen=Listen("127.0.0.1", ports[5]))
    seed = node("seed", network.world.keys.relay, **settings)
    keys, nodes = network.world.keys, []
    for place, key in enumerate((*keys.trainers, *keys.validators)):
        role = "trainer" if place < 2 else "validator"
        where = {"listen": Listen("127.0.0.1", ports[place]), "announce": pages[place]}
        nodes.append(node(f"own-{place}", key, **settings_of(network, role, **where, **more)))
    status = play(network, [seed, *nodes])
    assert status["over"]
    assert len(carried(network, "Revealed")) == 2
    assert len(carried(network, "Attested")) == 3
    assert len(carried(network, "RoundSettled")) == 1
    for one in nodes:
        assert not (one.local.path).is_symlink()
        assert dict(one.status())["peer_failures"] == 0


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses at the moment."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [one.getsockname()[1] for one in sockets]


def test_a_killed_node_goes_on_from_its_folder(network: Network, node: Any, tmp_path: Path) -> None:
    nodes = parties(network, node, tmp_path)
    for _ in range(8):
        for place, one in enumerate(nodes):
            one.poll()
            if place < 3:
                # Nothing is handed over but the folder.
                one.close()
                nodes[place] = node(one.config.folder.name, one.key, **dict(one.config))
    status = play(network, nodes)
    assert status["over"]
    assert len(carried(network, "Committed")) == 2
    assert len(carried(network, "Attested")) == 3


def test_a_chain_that_is_not_there_is_waited_for(network: Network, node: Any) -> None:
    key = network.world.keys.validators[0]
    late = node("late", key, **settings_of(network, "validator", rpc=("http://127.0.0.1:9",)))
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"127\.0\.0\.1:9"):
            late.poll()
    assert late.status()["state"] == "starting"


def test_content_that_is_not_there_is_waited_for(
    network: Network, node: Any, tmp_path: Path
) -> None:
    key = network.world.keys.validators[0]
    alone = node("alone", key, **settings_of(network, "validator"))
    with pytest.raises(NotFound):
        alone.poll()
    store = DirectoryStore(network.store)
    for cid in store.cids():
        alone.local.write_block(cid, store.read_block(cid, 1 << 20))
    alone.poll()
    assert alone.status()["block"] == network.ledger.block_number


def test_a_task_that_the_chain_does_not_show_is_waited_for(network: Network, node: Any) -> None:
    key = network.world.keys.validators[0]
    other = node("other", key, **settings_of(network, "validator", task="ab" * 32))
    with pytest.raises(LedgerError, match="the chain shows no task abab"):
        other.poll()


def test_contracts_of_another_network_end_the_node(
    network: Network, node: Any, tmp_path: Path
) -> None:
    contracts = network.launch.deployment
    wrong = type(contracts)(
        contracts.token, contracts.registry, contracts.models, contracts.registry
    )  # type: ignore[arg-type]
    file = tmp_path / "wrong.json"
    write_deployed(file, Deployed(network.ledger.chain_id, 0, wrong))
    key = network.world.keys.validators[0]
    lost = node("lost", key, **settings_of(network, "validator", deployment=file))
    with pytest.raises(InputError, match=r"is not the Training of this network.*wrong\.json"):
        lost.poll()


def test_data_of_another_task_end_the_node(network: Network, node: Any, tmp_path: Path) -> None:
    shares_store(network, tmp_path / "odd")
    file = tmp_path / "odd.csv"
    file.write_text("a,b\n1,2\n")
    key = network.world.keys.trainers[0]
    odd = node("odd", key, **settings_of(network, "trainer", data=str(file)))
    with pytest.raises(InputError, match=r"odd\.csv"):
        odd.poll()


@pytest.mark.parametrize(
    ("who", "role", "line"),
    [
        ("stranger", "trainer", "has not joined this task: run ostrom join --role trainer"),
        ("validator", "trainer", "has joined this task, but not as a trainer"),
    ],
)
def test_who_has_no_seat_is_told(
    network: Network, node: Any, tmp_path: Path, who: str, role: str, line: str
) -> None:
    keys = {"stranger": simulation_key(9, "mallory"), "validator": network.world.keys.validators[0]}
    shares_store(network, tmp_path / "seatless")
    seatless = node("seatless", keys[who], **settings_of(network, role))
    seatless.poll()
    assert str(seatless.status()["notice"]).endswith(line)


def test_a_node_serves_its_store_before_it_sees_the_chain(
    network: Network, node: Any, tmp_path: Path
) -> None:
    key = network.world.keys.validators[0]
    early = node("early", key, **settings_of(network, "validator", rpc=("http://127.0.0.1:9",)))
    cid = early.local.put(b"a model")
    url = f"{early._desk.server.url}/ipfs/{cid}?format=raw"
    assert httpx.get(url, trust_env=False, verify=False).content == b"a model"


def test_a_relay_that_has_not_seen_its_task_says_later(network: Network, node: Any) -> None:
    key = network.world.keys.relay
    early = node("early", key, **settings_of(network, "relay", rpc=("http://127.0.0.1:9",)))
    url = early._desk.server.url
    answer = httpx.get(f"{url}/v1/status", trust_env=False, verify=False)
    assert answer.status_code == 503
    line = "this relay has not seen its task yet: try again later"
    assert answer.json() == {"error": line}
    refused = RelayClient([url]).offer(reveal_message(early.place, early.task_id, REVEAL))
    assert not refused.accepted
    assert line in refused.line


def test_a_folder_of_another_account_is_refused(network: Network, node: Any) -> None:
    alice, bob = network.world.keys.trainers
    node("one", alice, **settings_of(network, "trainer")).close()
    with pytest.raises(InputError, match="belongs to another account"):
        node("one", bob, **settings_of(network, "trainer"))


def test_a_damaged_journal_has_an_ending_of_its_own(
    network: Network, node: Any, tmp_path: Path
) -> None:
    (tmp_path / "hurt").mkdir()
    (tmp_path / "hurt" / "journal.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(Stop, match="damaged") as raised:
        node("hurt", network.world.keys.trainers[0], **settings_of(network, "trainer"))
    assert raised.value.ending == Ending.DAMAGED


def test_salts_are_secret_fresh_and_found_again() -> None:
    alice, bob = simulation_key(0, "alice"), simulation_key(0, "bob")
    place = alice.address
    of = [salts(alice, 1, place, bytes(32)), salts(bob, 1, place, bytes(32))]
    of += [salts(alice, 2, place, bytes(32)), salts(alice, 1, bob.address, bytes(32))]
    of += [salts(alice, 1, place, b"\x01" * 32)]
    assert len({salt(number) for salt in of for number in range(5)}) == 25
    assert salts(simulation_key(0, "alice"), 1, place, bytes(32))(3) == of[0](3)


def test_one_part_that_must_wait_does_not_hold_up_another() -> None:
    class Waits:
        def wanted(self, view: Any) -> Any:
            raise NotFound("no model")

    class Acts:
        def wanted(self, view: Any) -> Any:
            return {"advance": view}

    assert Together((Waits(), Acts())).wanted("view") == {"advance": "view"}  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        Together((Waits(), Waits())).wanted("view")  # type: ignore[arg-type]


def test_relays_are_asked_from_many_threads(network: Network, node: Any, tmp_path: Path) -> None:
    shares_store(network, tmp_path / "busy")
    relay = node("busy", network.world.keys.relay, **settings_of(network, "relay"))
    relay.poll()
    url, answers = relay._desk.server.url, []

    def ask() -> None:
        answers.append(httpx.get(f"{url}/v1/status", trust_env=False, verify=False).status_code)

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 20
