"""Finding peers by what they registered, over real HTTP; then with whole nodes on a real chain."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.node.test_assembly import Network, free_ports, settings_of
from tests.node.test_assembly import network as network
from tests.node.test_assembly import node as node

from ostrom.chain.registered import NOTHING, Registrations
from ostrom.chain.wallet import simulation_key
from ostrom.errors import NotFound, StoreError
from ostrom.node.config import Listen
from ostrom.node.contacts import Contacts, contact_routes, members_of, tell
from ostrom.node.server import Board, Server, application
from ostrom.node.wiring import CountedFetch
from ostrom.protocol import TaskState
from ostrom.registry import tensor_cid
from ostrom.storage import DirectoryStore, MemoryStore, digest_of
from ostrom.storage.contacts import CONTACT_BYTES_MAX, Contact
from ostrom.storage.gateway import gateway_routes
from ostrom.storage.http import GatewayFetch
from ostrom.types import Address, Digest, Role

SECONDS_MAX = 60


def account(name: str) -> Address:
    return simulation_key(0, name).address


@dataclass
class Site:
    """One node's pages and what it knows of others."""

    contacts: Contacts
    store: MemoryStore
    url: str


@pytest.fixture
def site() -> Iterator[Callable[..., Site]]:
    """Starts nodes that know the peers of their settings, and their own address."""
    with ExitStack() as stack:
        gateways = GatewayFetch(allow_private=True, seconds_max=5)
        stack.callback(gateways.close)

        def start(*settings: str, **more: Any) -> Site:
            store = MemoryStore()
            server = Server(application(Board(time.monotonic)), Listen("127.0.0.1", 0))
            stack.enter_context(server)
            given = {"own": Contact.of([server.url]), "allow_private": True, **more}
            contacts = Contacts(store, CountedFetch(gateways), settings, **given)
            server.add([*gateway_routes(store), *contact_routes(contacts)])
            return Site(contacts, store, server.url)

        yield start


def named(**sites: Site) -> dict[Address, Digest]:
    """What the chain says that they registered."""
    found = {}
    for name, one in sites.items():
        assert one.contacts.own is not None
        found[account(name)] = one.contacts.own.digest
    return found


def test_nodes_that_know_one_find_each_other(site: Any) -> None:
    hub = site()
    alice, bob = site(hub.url), site(hub.url)
    chain = named(hub=hub, alice=alice, bob=bob)
    for one in (hub, alice, bob):
        one.contacts.step(chain)
    # Who came before the others had told the hub learns of them at its next step.
    alice.contacts.clock = hub.contacts.clock = lambda: time.monotonic() + 10
    alice.contacts.step(chain)
    assert set(hub.contacts.peers()) == {alice.url, bob.url}
    assert set(alice.contacts.peers()) == {hub.url, bob.url}
    assert set(bob.contacts.peers()) == {hub.url, alice.url}
    assert bob.contacts.peers()[0] == hub.url, "the settings' peers come first"


def test_what_nobody_registered_is_not_kept(site: Any) -> None:
    hub, mallory = site(), Contact.of(["http://127.0.0.1:9999"]).encode()
    hub.contacts.step(named(hub=hub))
    assert not tell(hub.url, mallory)
    answer = httpx.post(f"{hub.url}/contact", content=mallory, trust_env=False, verify=False)
    assert answer.status_code == 409
    assert len(answer.text.splitlines()) == 1
    assert len(list(hub.store.cids())) == 1


def test_a_large_body_is_refused(site: Any) -> None:
    hub = site()
    data = b"x" * (CONTACT_BYTES_MAX + 1)
    answer = httpx.post(f"{hub.url}/contact", content=data, trust_env=False, verify=False)
    assert answer.status_code == 413
    assert not hub.contacts.offer(data)


def test_registered_documents_that_are_no_contacts_are_dropped(site: Any) -> None:
    hub, peer = site(), MemoryStore()
    hostile = [
        b"no contact",
        Contact.of(["http://169.254.169.254"]).encode(),
        b'{"format":"ostrom/contact/1","urls":["http://0x7f.1"]}',
        bytes(CONTACT_BYTES_MAX + 1),
    ]
    cids = [peer.put(data) for data in hostile]
    chain = named(hub=hub)
    for place, cid in enumerate(cids):
        chain[account(f"mallory {place}")] = digest_of(cid)
    asked: list[str] = []

    def fetch(url: str, cid: Any, limit: int) -> bytes:
        asked.append(cid)
        return peer.read_block(cid, limit)[: limit + 1]

    hub.contacts.fetch, hub.contacts.settings = fetch, ("http://peer.example",)
    hub.contacts.tell = lambda url, data: True
    hub.contacts.step(chain)
    assert hub.contacts.found() == [hub.contacts.own]
    assert hub.contacts.peers() == ["http://peer.example"]
    assert len(list(hub.store.cids())) == 1, "nothing of it was kept"
    hub.contacts.step(chain)
    assert len(asked) == len(set(asked)), "nor asked for again at once"


def test_private_addresses_are_for_who_allows_them(site: Any) -> None:
    alice = site()
    careful = site(allow_private=False, own=None)
    careful.contacts.step(named(alice=alice))
    assert alice.contacts.own is not None
    assert not careful.contacts.offer(alice.contacts.own.encode())
    assert careful.contacts.peers() == []


def test_a_contact_of_public_and_private_addresses_is_used_in_part(site: Any) -> None:
    both = Contact.of(["http://10.0.0.7:8550", "https://alice.example"])
    careful = site(allow_private=False, own=None)
    careful.contacts.step({account("alice"): both.digest})
    assert careful.contacts.offer(both.encode())
    assert careful.contacts.peers() == ["https://alice.example"]
    assert careful.store.get(both.cid, max_bytes=CONTACT_BYTES_MAX) == both.encode()
    assert careful.contacts.cids() == [both.cid], "what is handed on is the whole"


def test_who_leaves_or_moves_is_forgotten(site: Any) -> None:
    hub, alice = site(), site()
    hub.contacts.step(named(hub=hub, alice=alice))
    assert hub.contacts.offer(alice.contacts.own.encode())
    assert hub.contacts.peers() == [alice.url]
    moved = Contact.of(["https://alice.example"])
    hub.contacts.step({account("alice"): moved.digest})
    assert hub.contacts.peers() == []
    hub.contacts.step({})
    assert not hub.contacts.offer(alice.contacts.own.encode())


def test_a_peer_that_does_not_listen_is_told_later_each_time(site: Any) -> None:
    now, told = [0.0], []

    def refuse(url: str, data: bytes) -> bool:
        told.append(now[0])
        return False

    alice = site("http://hub.example", tell=refuse, clock=lambda: now[0])
    for _ in range(200):
        alice.contacts.step(named(alice=alice))
        now[0] += 1
    assert told[:6] == [0.0, 2.0, 6.0, 14.0, 30.0, 62.0]
    assert len(told) == 7


def test_nobody_is_told_before_the_chain_names_the_contact(site: Any) -> None:
    told: list[str] = []
    alice = site("http://hub.example", tell=lambda url, data: bool(told.append(url)))
    alice.contacts.step({})
    assert told == []


def test_a_store_that_cannot_keep_it_says_try_again(site: Any) -> None:
    hub, alice = site(), site()

    def full(data: bytes) -> Any:
        raise StoreError("cannot write")

    hub.contacts.step(named(alice=alice))
    hub.store.put = full
    data = alice.contacts.own.encode()
    answer = httpx.post(f"{hub.url}/contact", content=data, trust_env=False, verify=False)
    assert answer.status_code == 503
    assert not tell(hub.url, data)


def test_validators_come_before_trainers(new_play: Any) -> None:
    state = new_play().begin().state
    found = members_of(state)
    assert found[0] == state.rules.sponsor
    roles = [state.members[one].role for one in found[1:]]
    assert roles == sorted(roles, key=lambda role: role != Role.VALIDATOR)
    assert set(found[1:]) == set(state.members)
    assert members_of(TaskState()) == []


# On a chain.


def register(network: Network, key: Any, digest: bytes) -> None:
    registry = network.launch.deployment.registry
    roles = registry.roles_of(network.ledger, key.address)
    network.ledger.send(registry.register(roles, digest), key)


def test_the_last_digest_of_each_account_counts(network: Network) -> None:
    alice, bob = network.world.keys.trainers
    found = Registrations(network.launch.deployment.registry.address, first=0)

    def read() -> dict[Address, Digest]:
        return dict(found.read(network.ledger, network.ledger.block_number))

    assert read() == {}, "roles alone name no document"
    register(network, alice, b"1" * 32)
    register(network, bob, b"2" * 32)
    assert read() == {alice.address: b"1" * 32, bob.address: b"2" * 32}
    register(network, alice, b"3" * 32)
    register(network, bob, NOTHING)
    assert read() == {alice.address: b"3" * 32}
    assert found.next_block == network.ledger.block_number + 1
    assert read() == {alice.address: b"3" * 32}
    again = Registrations(network.launch.deployment.registry.address, first=0)
    assert again.read(network.ledger, network.ledger.block_number) == read()


def until(true: Callable[[], bool], *, what: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < end, f"never: {what()}"
        time.sleep(0.2)


def test_a_node_that_knows_one_peer_reads_a_model_from_a_third(
    network: Network, node: Any, tmp_path: Path
) -> None:
    ports = free_ports(3)
    pages = [f"http://127.0.0.1:{port}" for port in ports]
    keys = network.world.keys

    def member(place: int, key: Any, role: str, *peers: str, **more: Any) -> Any:
        where = {"listen": Listen("127.0.0.1", ports[place]), "announce": pages[place]}
        own = settings_of(network, role, **where, peers=peers, allow_private_peers=True, **more)
        return node(f"member-{place}", key, **own)

    # The first has everything and is known to the second alone.
    third = member(0, keys.validators[0], "validator", pages[1])
    content = DirectoryStore(network.store)
    for cid in content.cids():
        third.local.write_block(cid, content.read_block(cid, 1 << 20))
    hub = member(1, keys.validators[1], "validator", rpc=(network.url,))
    new = member(2, keys.trainers[0], "trainer", pages[1], poll_seconds=0.1)
    version = network_state(third).versions[1]
    model = tensor_cid(content, version.model)
    with pytest.raises(NotFound):
        new.poll()
    assert not hub.local.has(model)
    for key, page in zip((*keys.validators[:2], keys.trainers[0]), pages):
        register(network, key, Contact.of([page]).digest)
    for one in (third, hub):
        poll_if_possible(one)
    until(lambda: pages[0] in new.contents.contacts.peers(), what=new.contents.status)
    assert new.config.peers == (pages[1],)
    assert new.store.get(model, max_bytes=1 << 24)
    assert new.local.has(model)
    new.poll()
    assert new.status()["contact"] == "registered"
    assert new.status()["last_act"].startswith("commit ")
    assert new.status()["sent_by_kind"] == {"commit": 1}


def network_state(one: Any) -> TaskState:
    one.poll()
    view = one.agent.view
    assert view is not None
    return view.state  # type: ignore[no-any-return]


def poll_if_possible(one: Any) -> None:
    with suppress(NotFound):
        one.poll()


def test_a_node_says_that_its_address_is_not_registered(
    network: Network, node: Any, tmp_path: Path
) -> None:
    key = network.world.keys.validators[0]
    (tmp_path / "quiet").mkdir()
    (tmp_path / "quiet" / "store").symlink_to(network.store)
    quiet = node("quiet", key, **settings_of(network, "validator", announce="http://q.example"))
    quiet.poll()
    quiet.contents.find_peers()
    said = "not registered: run ostrom register --role validator --url http://q.example"
    assert quiet.status()["contact"] == said


def test_a_running_node_collects_what_its_task_does_not_need(
    network: Network, node: Any, tmp_path: Path
) -> None:
    key = network.world.keys.validators[0]
    tidy = node("tidy", key, **settings_of(network, "validator"))
    content = DirectoryStore(network.store)
    for cid in content.cids():
        tidy.local.write_block(cid, content.read_block(cid, 1 << 20))
    scrap = tidy.local.put(b"scrap")
    old = time.time() - 2 * 86_400
    for cid in tidy.local.cids():
        os.utime(tidy.local.path / cid[-2] / cid, (old, old))
    tidy.contents.collect()
    assert tidy.local.has(scrap), "nothing goes before the task was seen"
    tidy.poll()
    tidy.contents.collect()
    assert not tidy.local.has(scrap)
    assert set(tidy.local.cids()) == set(content.cids())
    assert tidy.status()["blocks_collected"] == 1
