"""`ostrom node` as users run it: a real process, a real keystore, a chain that comes and goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.chain.anvil import Anvil
from tests.node.test_assembly import Network, founded
from typer.testing import CliRunner

from ostrom.chain.keystore import WORK_LIGHT, import_key
from ostrom.cli.app import app
from ostrom.cli.node import PLURAL, node_app
from ostrom.codec import keccak
from ostrom.node.config import FLAGS, NodeConfig
from ostrom.node.service import ADDRESS, locked

PASSPHRASE = "correct horse battery"
SECONDS_MAX = 60
HISTORY = ("--preserve-historical-states",)
"""Without it anvil forgets the state after each old block when it is started again."""


def secret_of(seed: int, name: str) -> bytes:
    """The secret behind `simulation_key`, which keeps it to itself."""
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    digest = keccak(f"ostrom simulation key {seed} {name}".encode())
    return (int.from_bytes(digest, "big") % (order - 1) + 1).to_bytes(32, "big")


@contextmanager
def node(folder: Path, *words: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """`ostrom node` with that folder as the current one."""
    made = subprocess.Popen(
        [sys.executable, "-m", "ostrom.cli", "node", *words],
        cwd=folder,
        env={**os.environ, "OSTROM_PASSPHRASE": PASSPHRASE, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield made
    finally:
        made.kill()
        made.communicate()


def until(true: Callable[[], bool], what: Callable[[], object]) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < end, f"never: {what()}"
        time.sleep(0.1)


def status(folder: Path) -> dict[str, Any]:
    """What `ostrom node status` says, {} while nothing answers."""
    file = folder / "node" / ADDRESS
    if not file.exists():
        return {}
    ended = CliRunner().invoke(app, ["node", "status", "--url", file.read_text().strip(), "--json"])
    return json.loads(ended.stdout) if ended.stdout else {}


def chain_errors(folder: Path) -> int:
    """How many looks failed because of the chain; 0 while nothing answers."""
    return int(status(folder).get("poll_errors", {"chain": 0})["chain"])


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Path]:
    """Writes a validator's settings and keystore."""

    def write(network: Network) -> Path:
        secret = secret_of(network.world.config.seed, "validator-0")
        key = import_key(tmp_path / "key.json", secret, PASSPHRASE, work=WORK_LIGHT)
        assert key.address == network.world.keys.validators[0].address
        (tmp_path / "node").mkdir()
        (tmp_path / "node" / "store").symlink_to(network.store)
        file = tmp_path / "node.toml"
        file.write_text(
            f'role = "validator"\nrpc = "{network.url}"\ntask = "{network.launch.task_id.hex()}"\n'
            'data = "digits"\nlisten = "127.0.0.1:0"\npoll_seconds = 0.1\nkeystore = "key.json"\n'
            'deployment = "deployment.json"\nfolder = "node"\nlog_format = "json"\n'
        )
        return file

    return write


def test_a_node_outlives_its_chain_and_says_so(tmp_path: Path, settings: Any) -> None:
    state = tmp_path / "chain.json"
    with Anvil(options=["--state", str(state), *HISTORY]) as chain:
        network = founded(tmp_path, chain.url)
        network.ledger.close()
    file, port = settings(network), network.url.rpartition(":")[2]
    with node(tmp_path, "--config", str(file), OSTROM_NODE_CONFIRMATIONS="0") as process:
        until(lambda: "health" in status(tmp_path), lambda: process.poll())
        first = status(tmp_path)
        assert first["healthy"] is False
        assert "has not seen the chain yet" in first["health"]
        with again(port, state):
            until(lambda: status(tmp_path).get("healthy") is True, lambda: status(tmp_path))
            seen = status(tmp_path)
            assert seen["role"] == "validator"
            assert seen["phase"] == "COMMIT"
            assert seen["notice"] == ""
        lost = seen["poll_errors"]["chain"]
        until(lambda: chain_errors(tmp_path) > lost, lambda: status(tmp_path))
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert lines[-1]["message"] == "stopped"
    assert PASSPHRASE not in log
    assert secret_of(network.world.config.seed, "validator-0").hex() not in log


@contextmanager
def again(port: str, state: Path) -> Iterator[None]:
    """The same chain at the same place."""
    chain = Anvil(options=["--state", str(state), *HISTORY])
    chain._options[chain._options.index("--port") + 1] = port
    with chain:
        yield


def test_faults_of_settings_are_lines_and_code_2(tmp_path: Path) -> None:
    with node(tmp_path, "--role", "king", "--task", "1") as process:
        _, log = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 2
    assert log.splitlines() == [
        "ostrom: --role: input should be 'trainer', 'validator' or 'relay'",
        "ostrom: rpc is missing: give --rpc, or OSTROM_RPC",
        "ostrom: --task: a task is named by 64 hexadecimal digits",
    ]


def test_a_wrong_passphrase_and_a_folder_in_use_have_their_codes(
    tmp_path: Path, settings: Any
) -> None:
    with Anvil() as chain:
        network = founded(tmp_path, chain.url)
        network.ledger.close()
    file = settings(network)
    with node(tmp_path, "--config", str(file), OSTROM_PASSPHRASE="wrong") as process:
        _, log = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 2
    assert "the passphrase does not open" in log
    with (
        locked(tmp_path / "node"),
        node(tmp_path, "--config", str(file), "--log-format", "human") as process,
    ):
        _, log = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 5
    assert len(log.splitlines()) == 1
    (tmp_path / "node" / "journal.sqlite").write_bytes(b"no database" * 500)
    with node(tmp_path, "--config", str(file)) as process:
        _, log = process.communicate(timeout=SECONDS_MAX)
    assert process.returncode == 4
    assert "damaged" in json.loads(log.splitlines()[-1])["message"]


def test_no_node_where_one_is_asked_is_one_line() -> None:
    ended = CliRunner().invoke(app, ["node", "status", "--url", "http://127.0.0.1:9"])
    assert ended.exit_code == 2
    assert ended.stderr.startswith("ostrom: no node answers at http://127.0.0.1:9: ")
    assert len(ended.stderr.splitlines()) == 1


def test_what_answers_must_be_a_node() -> None:
    with Anvil() as chain:
        ended = CliRunner().invoke(app, ["node", "status", "--url", chain.url])
    assert ended.exit_code == 2
    assert "is no node of Ostrom" in ended.stderr


def test_every_setting_is_an_option_with_the_default_that_help_names() -> None:
    from typer.main import get_command

    command: Any = get_command(node_app)
    hidden = ("help", "config", "install_completion", "show_completion")
    options = {one.name: one for one in command.params if one.name not in hidden}
    fields = {PLURAL.get(name, name): one for name, one in options.items()}
    assert set(fields) == set(NodeConfig.model_fields)
    for name, option in fields.items():
        assert option.opts == [FLAGS[name]]
        default = NodeConfig.model_fields[name].default
        shown = option.help.rpartition("[default: ")[2].rstrip("]") if "[" in option.help else ""
        if shown and default is not None:
            assert str(default) == shown or float(default) == float(shown), name


def test_help_needs_no_library_of_nodes() -> None:
    program = (
        "import sys; from ostrom.cli.app import app\n"
        "try: app(['node', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'web3', 'starlette', 'httpx', 'uvicorn'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ended.stderr.strip() == "[]"
    assert "--poll-seconds" in ended.stdout
