"""A local network that runs: its chain, its nodes as processes, and what they say of themselves."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ostrom.codec import encode_document, parse_json
from ostrom.errors import CodecError, InputError
from ostrom.network.anvil import Anvil
from ostrom.network.launch import Launched, Launcher, PatientLedger
from ostrom.network.plan import LOG, NODE, Party, Plan, node_text, write_file
from ostrom.network.processes import (
    LOOPBACK,
    Process,
    Running,
    free_ports,
    started_at,
    stop,
    stop_left,
    tail,
    uninterrupted,
    wait_until,
)
from ostrom.storage.contacts import Contact

RUNNING, LOCK = "running.json", "lock"
FORMAT = "ostrom/network-running/1"
ANSWER_SECONDS_MAX = 2.0
ANSWER_BYTES_MAX = 1 << 20
STOP_SECONDS_MAX = 20.0

NODE_COMMAND = (sys.executable, "-m", "ostrom.cli", "node")

Say = Callable[[str], None]


@dataclass(frozen=True)
class NodeView:
    """What a node says of itself now; `status` is empty while it does not answer."""

    party: Party
    url: str
    alive: bool
    status: Mapping[str, Any]
    last_words: str = ""

    @property
    def over(self) -> bool:
        """True once the node has seen the end of the task."""
        return bool(self.status.get("over"))


@dataclass
class LocalNetwork:
    """Starts and stops the processes of a plan. Use it as a context: leaving it stops them all.

    With `discovers` nodes find each other through the Registry; without, their settings name all.
    """

    plan: Plan
    say: Say
    chain: Anvil | None = None
    rpc: tuple[str, ...] = ()
    launched: Launched | None = None
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    discovers: bool = True

    def __enter__(self) -> LocalNetwork:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the chain, do what is missing on it, and start every node.

        Raises:
            InputError: something is not installed, or cannot be paid.
            LedgerError: the chain does not start, or refuses.
        """
        self.start_chain()
        give = self.chain.give if self.chain else None
        # Each step stands on the one before: on a chain of others it must not vanish again.
        confirmations = 0 if self.chain else min(1, self.plan.choices.confirmations)
        ledger = PatientLedger(self.rpc, confirmations=confirmations)
        self.ports = usual_ports(self.plan)
        contacts = {name: Contact.of([_url(port)]) for name, port in self.ports.items()}
        registered = contacts if self.discovers else {}
        launcher = Launcher(self.plan, ledger, self.say, give, registered)
        try:
            self.launched = launcher.run()
        finally:
            launcher.ledger.close()
        if self.chain is not None:
            self.chain.tick()
        self.write_settings()
        for party in self.plan.nodes:
            self.start_node(party)

    def start_chain(self) -> None:
        """Start a chain of one's own, unless the plan names another."""
        if self.plan.choices.rpc:
            self.rpc = tuple(url for url in self.plan.choices.rpc.split(",") if url)
            return
        with uninterrupted():
            self.chain = Anvil(self.plan.folder / "chain")
            self.processes["chain"] = self.chain.process
            self._note()
        self.rpc = (self.chain.url,)

    def write_settings(self) -> None:
        """Write every node's settings."""
        assert self.launched is not None
        for at, party in enumerate(self.plan.nodes):
            # Each begins with another of the chain's nodes.
            turn = at % len(self.rpc)
            text = node_text(
                self.plan,
                party,
                rpc=(*self.rpc[turn:], *self.rpc[:turn]),
                task=self.launched.task_id.hex(),
                first_block=self.launched.first_block,
                ports=self.ports,
                discovers=self.discovers,
            )
            write_file(party.folder / NODE, text.encode())

    def start_node(self, party: Party) -> None:
        """Start one party's node, or start it again."""
        command = [*NODE_COMMAND, "--config", str(party.folder / NODE)]
        with uninterrupted():
            self.processes[party.name] = Process(
                party.name, command, log=party.folder / LOG, environment=_environment()
            )
            self._note()

    def stop(self) -> None:
        """Stop the nodes, then the chain, and forget that they ran."""
        nodes = [one for name, one in self.processes.items() if name != "chain"]
        late = stop(nodes, seconds_max=STOP_SECONDS_MAX)
        if self.chain is not None:
            self.chain.stop()
        if late:
            self.say(f"had to kill {', '.join(late)}")
        with suppress(OSError):
            (self.plan.folder / RUNNING).unlink()

    def views(self) -> list[NodeView]:
        """What every node says of itself."""
        return [
            _view(party, self.ports.get(party.name, 0), _is_up(self.processes.get(party.name)))
            for party in self.plan.nodes
        ]

    def broken(self) -> list[str]:
        """A line for each process that ended by itself."""
        return [
            f"{name} ended with status {one.status}: {one.last_words()}"
            for name, one in self.processes.items()
            if one.status is not None
        ]

    @property
    def over(self) -> bool:
        """True once every node that runs has seen the end of the task."""
        return is_over(self.views())

    def _note(self) -> None:
        """Write down what runs, so that another process finds it."""
        children = [
            {
                "name": name,
                "pid": one.running.pid,
                "started": one.running.started,
                "port": self.ports.get(name, 0),
            }
            for name, one in self.processes.items()
            if one.status is None
        ]
        me = {"pid": os.getpid(), "started": started_at(os.getpid())}
        document = {"format": FORMAT, "supervisor": me, "rpc": list(self.rpc), "children": children}
        write_file(self.plan.folder / RUNNING, encode_document(document))


def usual_ports(plan: Plan) -> dict[str, int]:
    """Each node's port: that of its settings, which the Registry may name, if it is free now."""
    ports = {party.name: _port_of(party) for party in plan.nodes}
    taken = [name for name, port in ports.items() if not port or not is_free(port)]
    return {**ports, **dict(zip(taken, free_ports(len(taken))))}


def _port_of(party: Party) -> int:
    """The port in a node's settings, 0 if there is none."""
    try:
        found = tomllib.loads((party.folder / NODE).read_text("utf-8"))
        return int(str(found["listen"]).rpartition(":")[2])
    except (OSError, ValueError, KeyError):
        return 0


def is_over(views: Sequence[NodeView]) -> bool:
    """True once every node that runs has seen the end of the task; at least one must run."""
    alive = [view for view in views if view.alive]
    return bool(alive) and all(view.over for view in alive)


def _is_up(process: Process | None) -> bool:
    return process is not None and process.status is None


def _environment() -> dict[str, str]:
    """This process's without what would override a node's settings; one thread for each node."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OSTROM_")}
    return {**kept, "OMP_NUM_THREADS": "1"}


def _view(party: Party, port: int, alive: bool) -> NodeView:
    url = _url(port)
    status = ask(url) if alive and port else {}
    words = "" if status else tail(party.folder / LOG)
    return NodeView(party, url, alive, status, words)


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def is_free(port: int) -> bool:
    """True if a node could listen at the port now."""
    with socket.socket() as probe:
        # As servers do: connections that have just ended are nobody's.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def ask(url: str) -> dict[str, Any]:
    """A node's own status; empty if it does not answer."""
    import httpx

    try:
        answer = httpx.get(f"{url}/status", timeout=ANSWER_SECONDS_MAX, trust_env=False)
        found = json.loads(answer.content[:ANSWER_BYTES_MAX])
    except (httpx.HTTPError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Noted:
    """What ran when somebody last wrote it down."""

    supervisor: Running
    rpc: tuple[str, ...]
    children: Mapping[str, Running]
    ports: Mapping[str, int]

    @property
    def alive(self) -> bool:
        """True while the process that looks after the network runs."""
        return self.supervisor.alive


def read_running(folder: Path) -> Noted | None:
    """What runs in a folder; None if nothing was left.

    Raises:
        InputError: the note is damaged.
    """
    try:
        found = parse_json((folder / RUNNING).read_bytes())
        children = {one["name"]: one for one in found["children"]}
        return Noted(
            Running(found["supervisor"]["pid"], found["supervisor"]["started"]),
            tuple(found["rpc"]),
            {name: Running(one["pid"], one["started"]) for name, one in children.items()},
            {name: one["port"] for name, one in children.items()},
        )
    except FileNotFoundError:
        return None
    except (OSError, CodecError, KeyError, TypeError):
        raise InputError(
            f"{folder / RUNNING} is damaged: see that no process of the network runs, and delete it"
        ) from None


def noted_views(plan: Plan, noted: Noted) -> list[NodeView]:
    """What the nodes say that another process looks after."""
    return [
        _view(
            party,
            noted.ports.get(party.name, 0),
            party.name in noted.children and noted.children[party.name].alive,
        )
        for party in plan.nodes
    ]


def bring_down(folder: Path, *, seconds_max: float = 60.0) -> int:
    """Stop a network that another process looks after; how many processes still ran.

    Raises:
        InputError: the note of what runs is damaged.
    """
    noted = read_running(folder)
    if noted is None:
        return 0
    count = sum(one.alive for one in noted.children.values())
    if noted.alive:
        os.kill(noted.supervisor.pid, signal.SIGTERM)
        wait_until(lambda: not noted.alive, seconds_max)
    # The nodes first: the chain is what they would miss.
    for names in ([n for n in noted.children if n != "chain"], ["chain"]):
        stop_left([noted.children[name] for name in names if name in noted.children])
    if not noted.alive:
        with suppress(OSError):
            (folder / RUNNING).unlink()
    return count


@contextmanager
def looked_after(folder: Path) -> Iterator[None]:
    """Keep a network's folder for this process, and clear away what a killed one left running.

    Raises:
        InputError: another process looks after it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                f"the network in {folder} is up: see ostrom network status --dir {folder}"
            ) from None
        noted = read_running(folder)
        if noted is not None:
            bring_down(folder)
        yield


def wait_for_nodes(network: LocalNetwork, seconds_max: float) -> bool:
    """True once every node answers; False if one has not in time, or has ended."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        views = network.views()
        if all(view.status for view in views):
            return True
        if any(not view.alive for view in views):
            return False
        time.sleep(0.2)
    return False
