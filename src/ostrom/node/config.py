"""A node's settings: a TOML file, the environment above it, command-line options above both.

Everything is checked before anything starts, and every fault is one line that names the place it
stands at. No setting is a secret: a passphrase comes from a file that only its owner may read, from
the environment, or from a prompt.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ostrom.errors import InputError

RoleName: TypeAlias = Literal["trainer", "validator", "relay"]

NAMED_DATA = ("mnist", "digits", "sentences")
"""Data sets that are no path; a test holds them equal to those that can be loaded."""

PORT_DEFAULT = 8550
FILE_BYTES_MAX = 1 << 20
LIST_MAX = 256
URL_CHARACTERS_MAX = 2_048


class ConfigError(InputError):
    """Settings that cannot be used: one line for each fault in `lines`."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("; ".join(self.lines))


class Listen(NamedTuple):
    """Where to listen: a host and a port, 0 for any free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """True if only this machine can connect."""
        return self.host == "localhost" or ip_address(self.host).is_loopback

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Urls: TypeAlias = Annotated[tuple[str, ...], Field(max_length=LIST_MAX)]


class NodeConfig(BaseModel):
    """What one node needs to know. Made by `load_config`.

    `task` is the task's 32 bytes in hexadecimal; `data` a path or the name of a data set;
    `folder` holds what the node keeps; `listen` is where its own HTTP pages are; `announce` the URL
    under which others reach them; `peers` and `relays` are URLs; `confirmations` is in blocks;
    `first_block` is where the task begins, if later than the contracts; `replicas` is how many
    nodes should hold each block of the store, `workers` the threads that rate models.

    >>> NodeConfig(role=("relay",), rpc=("http://127.0.0.1:8545",), task="ab" * 32).listen
    Listen(host='127.0.0.1', port=8550)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: tuple[RoleName, ...] = Field(min_length=1, max_length=2)
    rpc: Urls = Field(min_length=1)
    task: str = Field(pattern=r"^(0x)?[0-9a-fA-F]{64}$")
    deployment: Path = Path("deployment.json")
    keystore: Path = Path("key.json")
    passphrase_file: Path | None = None
    data: str | None = None
    folder: Path = Path("node")
    listen: Listen = Listen("127.0.0.1", PORT_DEFAULT)
    announce: str | None = None
    peers: Urls = ()
    relays: Urls = ()
    confirmations: int = Field(default=2, ge=0, le=10_000)
    poll_seconds: float = Field(default=2.0, ge=0.05, le=3_600)
    first_block: int | None = Field(default=None, ge=0)
    replicas: int = Field(default=3, ge=1, le=LIST_MAX)
    workers: int = Field(default=1, ge=1, le=256)
    allow_private_peers: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["human", "json"] = "human"

    @property
    def task_id(self) -> bytes:
        """The task's 32 bytes."""
        return bytes.fromhex(self.task.removeprefix("0x"))

    def has(self, role: RoleName) -> bool:
        """True if the node plays that role."""
        return role in self.role

    @field_validator("role", "rpc", "peers", "relays", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """One text, or several with commas between them, as a list."""
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)) or not all(isinstance(one, str) for one in parts):
            return value
        return tuple(word.strip() for one in parts for word in one.split(",") if word.strip())

    @field_validator("role")
    @classmethod
    def _one_seat(cls, roles: tuple[RoleName, ...]) -> tuple[RoleName, ...]:
        if len(set(roles)) != len(roles) or {"trainer", "validator"} <= set(roles):
            raise ValueError("an account has one seat: trainer or validator, and relay beside it")
        return roles

    @field_validator("rpc", "peers", "relays")
    @classmethod
    def _are_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_url(one) for one in urls)

    @field_validator("announce")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        return None if url is None else _url(url)

    @field_validator("listen", mode="before")
    @classmethod
    def _is_place(cls, value: Any) -> Any:
        return _place(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_data(self) -> NodeConfig:
        for role in ("trainer", "validator"):
            if role in self.role and self.data is None:
                raise ValueError(f"data: a {role} needs data of its own: give the path")
        return self


SHARED = ("rpc", "keystore", "deployment")
"""Settings whose environment variable the other commands read too."""

ENVIRONMENT: Mapping[str, str] = {
    name: f"OSTROM_{'' if name in SHARED else 'NODE_'}{name.upper()}"
    for name in NodeConfig.model_fields
}
"""Each setting's environment variable."""

FLAGS: Mapping[str, str] = {
    **{name: f"--{name.replace('_', '-')}" for name in NodeConfig.model_fields},
    "keystore": "--key",
    "peers": "--peer",
    "relays": "--relay",
}
"""Each setting's option."""

PATHS = ("deployment", "keystore", "passphrase_file", "folder", "data")


@dataclass(frozen=True)
class _Given:
    """A value, and the place to name if it is wrong."""

    value: Any
    place: str


def load_config(
    file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]
) -> NodeConfig:
    """The settings of a node.

    Args:
        file: a TOML file or None; relative paths in it are relative to its folder.
        environ: the environment, of which the variables in `ENVIRONMENT` are read.
        flags: command-line options by field name; None and () stand for "not given".

    Raises:
        ConfigError: a file that cannot be read, unknown names, or values that cannot be used.

    >>> given = {"role": "relay", "rpc": "http://127.0.0.1:8545", "task": "00" * 32}
    >>> load_config(None, {"OSTROM_NODE_CONFIRMATIONS": "5"}, given).confirmations
    5
    """
    given: dict[str, _Given] = {}
    faults: list[str] = []
    if file is not None:
        faults += _from_file(file, given)
    faults += _from_environment(environ, given)
    for name, value in flags.items():
        if value is not None and value != () and value != []:
            given[name] = _Given(value, FLAGS.get(name, name))
    try:
        config = NodeConfig.model_validate({name: one.value for name, one in given.items()})
    except ValidationError as error:
        raise ConfigError([*faults, *_lines(error, given)]) from None
    if faults:
        raise ConfigError(faults)
    return config


def _from_file(file: Path, given: dict[str, _Given]) -> list[str]:
    """Take the file's settings up; its faults."""
    try:
        data = file.read_bytes()
        if len(data) > FILE_BYTES_MAX:
            return [f"{file}: a settings file has at most {FILE_BYTES_MAX} bytes"]
        table = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        return [f"{file}: cannot be read: {error.strerror or error}"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return [f"{file}: not TOML: {error}"]
    faults = []
    for name, value in table.items():
        if name not in NodeConfig.model_fields:
            faults.append(f"{file}: unknown setting {name!r}{_nearest(name, ENVIRONMENT)}")
            continue
        given[name] = _Given(_beside(file, name, value), f"{file}: {name}")
    return faults


def _beside(file: Path, name: str, value: Any) -> Any:
    """A relative path as one from the file's folder."""
    if name not in PATHS or not isinstance(value, str) or (name == "data" and value in NAMED_DATA):
        return value
    path = Path(value).expanduser()
    made = path if path.is_absolute() else file.parent / path
    return str(made) if name == "data" else made


def _from_environment(environ: Mapping[str, str], given: dict[str, _Given]) -> list[str]:
    """Take the environment's settings up; its faults."""
    fields = {variable: name for name, variable in ENVIRONMENT.items()}
    faults = []
    for variable in sorted(environ):
        if variable in fields and environ[variable]:
            given[fields[variable]] = _Given(environ[variable], variable)
        elif variable.startswith("OSTROM_NODE_") and variable not in fields:
            faults.append(f"unknown variable {variable}{_nearest(variable, fields)}")
    return faults


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, as the end of a line."""
    choices = sorted(known)
    found = get_close_matches(name, choices, n=1, cutoff=0.5)
    return f": did you mean {found[0]!r}?" if found else f": choose among {', '.join(choices)}"


def _lines(error: ValidationError, given: Mapping[str, _Given]) -> list[str]:
    """One line for each fault, with the place that the value came from."""
    lines: dict[str, str] = {}
    for fault in error.errors():
        name = str(fault["loc"][0]) if fault["loc"] else ""
        text = _said(fault["msg"].removeprefix("Value error, "))
        if fault["type"] == "missing":
            text = f"{name} is missing: give {FLAGS[name]}, or {ENVIRONMENT[name]}"
        elif name in given:
            text = f"{given[name].place}: {text}"
        # A second fault of one setting only repeats the first in other words.
        lines.setdefault(name, text)
    return list(lines.values())


def _said(text: str) -> str:
    """pydantic's words as the end of a line."""
    if text.startswith("String should match pattern"):
        return "a task is named by 64 hexadecimal digits"
    if text.startswith("Tuple should have at least 1 item"):
        return "give at least one"
    return f"{text[:1].lower()}{text[1:]}"


def _url(text: str) -> str:
    """A URL of a server as it is, without a slash at its end."""
    if len(text) > URL_CHARACTERS_MAX or not text.isprintable():
        raise ValueError(f"a URL has at most {URL_CHARACTERS_MAX} printable characters")
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or " " in text or parts.fragment:
        raise ValueError("a URL is http:// or https://, a host, and maybe a port and a path")
    return text.rstrip("/")


def _place(text: str) -> Listen:
    """Where to listen, from HOST, HOST:PORT or [IPV6]:PORT."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname or "", PORT_DEFAULT if parts.port is None else parts.port
        if host != "localhost":
            ip_address(host)
    except ValueError:
        raise ValueError("listen on an address of this machine, such as 127.0.0.1:8550") from None
    if parts.path or parts.query or parts.username:
        raise ValueError("listen on an address of this machine, such as 127.0.0.1:8550")
    return Listen(host, port)
