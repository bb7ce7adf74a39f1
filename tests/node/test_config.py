"""Settings: where they come from, which wins, and what each fault says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ostrom.data.loading import NAMED
from ostrom.node.config import (
    ENVIRONMENT,
    FLAGS,
    LIST_MAX,
    NAMED_DATA,
    ConfigError,
    Listen,
    NodeConfig,
    load_config,
)

TASK = "ab" * 32
GIVEN: dict[str, Any] = {"role": "relay", "rpc": ["http://127.0.0.1:8545"], "task": TASK}


def lines(
    file: Path | None = None, environ: dict[str, str] | None = None, **flags: Any
) -> list[str]:
    """The faults of these settings beside those that are needed."""
    with pytest.raises(ConfigError) as raised:
        load_config(file, environ or {}, {**GIVEN, **flags})
    assert str(raised.value) == "; ".join(raised.value.lines)
    assert all("\n" not in line for line in raised.value.lines)
    return list(raised.value.lines)


def written(folder: Path, text: str) -> Path:
    file = folder / "node.toml"
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        ({"role": "trainr"}, "--role: input should be 'trainer', 'validator' or 'relay'"),
        ({"role": ","}, "--role: give at least one"),
        ({"role": ["trainer", "validator"], "data": "digits"}, "--role: an account has one seat"),
        ({"role": ["relay", "relay"]}, "--role: an account has one seat"),
        ({"role": "trainer"}, "data: a trainer needs data of its own: give the path"),
        ({"role": "validator"}, "data: a validator needs data of its own: give the path"),
        ({"task": "12"}, "--task: a task is named by 64 hexadecimal digits"),
        ({"rpc": ["ftp://node"]}, "--rpc: a URL is http:// or https://"),
        ({"rpc": ["http://"]}, "--rpc: a URL is"),
        ({"rpc": ["http://a:99999"]}, "--rpc: a URL is"),
        ({"rpc": ["http://a:0"]}, "--rpc: a URL is"),
        ({"rpc": ["http://a b"]}, "--rpc: a URL is"),
        ({"rpc": ["http://a#b"]}, "--rpc: a URL is"),
        ({"rpc": ["http://[::1"]}, "--rpc: a URL is"),
        ({"peers": ["http://a\x1bb"]}, "--peer: a URL has at most 2048 printable characters"),
        ({"relays": ["http://" + "a" * 3_000]}, "--relay: a URL has at most 2048"),
        ({"peers": ["http://a"] * (LIST_MAX + 1)}, "--peer: tuple should have at most"),
        ({"announce": "example.org"}, "--announce: a URL is"),
        ({"listen": "example.org:80"}, "--listen: listen on an address of this machine"),
        ({"listen": "127.0.0.1:x"}, "--listen: listen on an address of this machine"),
        ({"listen": "127.0.0.1:80/x"}, "--listen: listen on an address of this machine"),
        ({"confirmations": -1}, "--confirmations: input should be greater than or equal to 0"),
        ({"poll_seconds": 0}, "--poll-seconds: input should be greater than or equal to 0.05"),
        ({"poll_seconds": float("nan")}, "--poll-seconds: input should be"),
        ({"replicas": 0}, "--replicas: input should be greater than or equal to 1"),
        ({"log_level": "loud"}, "--log-level: input should be 'debug', 'info'"),
        ({"log_format": "xml"}, "--log-format: input should be 'human' or 'json'"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_line(flags: dict[str, Any], line: str) -> None:
    (found,) = lines(**flags)
    assert found.startswith(line)


def test_every_fault_has_a_line_of_its_own(tmp_path: Path) -> None:
    file = written(tmp_path, 'confirmation = 3\nreplicas = "many"\n')
    found = lines(file, {"OSTROM_NODE_ROL": "relay", "OSTROM_NODE_WORKERS": "0"}, task="1")
    assert found == [
        f"{file}: unknown setting 'confirmation': did you mean 'confirmations'?",
        "unknown variable OSTROM_NODE_ROL: did you mean 'OSTROM_NODE_ROLE'?",
        "--task: a task is named by 64 hexadecimal digits",
        f"{file}: replicas: input should be a valid integer, unable to parse string as an integer",
        "OSTROM_NODE_WORKERS: input should be greater than or equal to 1",
    ]


def test_what_is_missing_is_named_with_the_ways_to_give_it() -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(None, {}, {})
    assert raised.value.lines == (
        "role is missing: give --role, or OSTROM_NODE_ROLE",
        "rpc is missing: give --rpc, or OSTROM_RPC",
        "task is missing: give --task, or OSTROM_NODE_TASK",
    )


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    assert lines(tmp_path / "absent") == [
        f"{tmp_path / 'absent'}: cannot be read: No such file or directory"
    ]
    assert lines(written(tmp_path, "a = "))[0].startswith(f"{tmp_path / 'node.toml'}: not TOML: ")
    (tmp_path / "node.toml").write_bytes(b"\xff")
    assert lines(tmp_path / "node.toml")[0].startswith(f"{tmp_path / 'node.toml'}: not TOML: ")
    (tmp_path / "node.toml").write_bytes(b"#" * (1 << 21))
    assert lines(tmp_path / "node.toml") == [
        f"{tmp_path / 'node.toml'}: a settings file has at most 1048576 bytes"
    ]


def test_an_unknown_setting_without_a_near_one_lists_all(tmp_path: Path) -> None:
    (line,) = lines(written(tmp_path, "zzzz = 1"))
    assert "choose among allow_private_peers, announce, confirmations" in line


def test_the_environment_is_above_the_file_and_options_are_above_both(tmp_path: Path) -> None:
    file = written(tmp_path, "confirmations = 1\nreplicas = 1\nworkers = 1\n")
    environ = {"OSTROM_NODE_CONFIRMATIONS": "2", "OSTROM_NODE_REPLICAS": "2"}
    config = load_config(file, environ, {**GIVEN, "confirmations": 3, "workers": None})
    assert (config.confirmations, config.replicas, config.workers) == (3, 2, 1)


def test_relative_paths_in_a_file_are_relative_to_it(tmp_path: Path) -> None:
    text = 'keystore = "keys/a.json"\nfolder = "/var/node"\ndata = "mine.npz"\n'
    config = load_config(written(tmp_path, text), {}, {**GIVEN, "deployment": Path("here.json")})
    assert config.keystore == tmp_path / "keys" / "a.json"
    assert config.folder == Path("/var/node")
    assert config.data == str(tmp_path / "mine.npz")
    assert config.deployment == Path("here.json")


@pytest.mark.parametrize("name", NAMED_DATA)
def test_a_named_data_set_is_no_path(name: str, tmp_path: Path) -> None:
    file = written(tmp_path, f'data = "{name}"')
    assert load_config(file, {}, GIVEN).data == name


def test_the_named_data_sets_are_those_that_can_be_loaded() -> None:
    assert set(NAMED_DATA) == set(NAMED)


def test_lists_come_as_lists_or_with_commas(tmp_path: Path) -> None:
    file = written(tmp_path, 'rpc = ["http://a/", "http://b:1/key"]\nrole = ["relay", "trainer"]')
    environ = {"OSTROM_NODE_PEERS": "http://c, http://d", "OSTROM_NODE_DATA": "digits"}
    config = load_config(file, environ, {"task": f"0x{TASK}", "relays": ["http://e,http://f"]})
    assert config.rpc == ("http://a", "http://b:1/key")
    assert config.role == ("relay", "trainer")
    assert config.has("relay")
    assert not config.has("validator")
    assert config.peers == ("http://c", "http://d")
    assert config.relays == ("http://e", "http://f")
    assert config.task_id == bytes.fromhex(TASK)


@pytest.mark.parametrize(
    ("text", "place", "loopback"),
    [
        ("127.0.0.1:0", Listen("127.0.0.1", 0), True),
        ("127.0.0.1", Listen("127.0.0.1", 8550), True),
        ("localhost:9", Listen("localhost", 9), True),
        ("[::1]:9", Listen("::1", 9), True),
        ("0.0.0.0:9", Listen("0.0.0.0", 9), False),
        ("[::]:9", Listen("::", 9), False),
    ],
)
def test_where_to_listen(text: str, place: Listen, loopback: bool) -> None:
    found = load_config(None, {}, {**GIVEN, "listen": text}).listen
    assert (found, found.loopback) == (place, loopback)
    assert str(found).endswith(f":{place.port}")


def test_nobody_else_can_connect_unless_it_is_asked_for() -> None:
    assert load_config(None, {}, GIVEN).listen.loopback
    assert not load_config(None, {}, GIVEN).allow_private_peers


def test_settings_do_not_change() -> None:
    config = load_config(None, {}, GIVEN)
    with pytest.raises(ValidationError):
        config.replicas = 5  # type: ignore[misc]


def test_every_setting_has_a_variable_and_an_option_and_none_holds_a_secret() -> None:
    assert set(ENVIRONMENT) == set(FLAGS) == set(NodeConfig.model_fields)
    assert len(set(ENVIRONMENT.values())) == len(set(FLAGS.values())) == len(ENVIRONMENT)
    assert not {"passphrase", "secret", "private_key"} & set(NodeConfig.model_fields)


def test_variables_of_other_commands_are_left_alone() -> None:
    environ = {"OSTROM_DATA": "/mnist", "OSTROM_PASSPHRASE": "x", "OSTROM_KEYSTORE": "k.json"}
    config = load_config(None, environ, GIVEN)
    assert config.keystore == Path("k.json")
    assert config.data is None
