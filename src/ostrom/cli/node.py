"""`ostrom node`: run one node of a task; `ostrom node status`: ask one how it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from ostrom.cli.console import FAILED, USAGE, AsJson, clean_exit, say, show_json, show_table
from ostrom.cli.passphrase import PassphraseFile, passphrase
from ostrom.errors import InputError

URL_DEFAULT = "http://127.0.0.1:8550"
ANSWER_BYTES_MAX = 1 << 20
ANSWER_SECONDS_MAX = 10.0

node_app = typer.Typer(
    help="Run one node of a task: a trainer, a validator, or a relay.",
    invoke_without_command=True,
    subcommand_metavar="[status]",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _option(text: str, metavar: str, *names: str, default: str = "") -> Any:
    shown = f"{text} [default: {default}]" if default else text
    return typer.Option(*names, help=shown, show_default=False, metavar=metavar)


# Defaults are `NodeConfig`'s; they are repeated for --help, and a test holds the two together.
@node_app.callback()
def node(
    context: typer.Context,
    config: Annotated[Path | None, _option("A TOML file with settings.", "FILE")] = None,
    role: Annotated[
        list[str] | None,
        _option("trainer, validator or relay; relay may stand beside one.", "ROLE"),
    ] = None,
    rpc: Annotated[
        list[str] | None, _option("A chain's JSON-RPC address; several are tried in turn.", "URL")
    ] = None,
    task: Annotated[str | None, _option("The task's 64 hexadecimal digits.", "ID")] = None,
    deployment: Annotated[
        Path | None,
        _option("The file that ostrom deploy wrote.", "FILE", default="deployment.json"),
    ] = None,
    key: Annotated[
        Path | None, _option("The account's keystore.", "FILE", default="key.json")
    ] = None,
    passphrase_file: PassphraseFile = None,
    data: Annotated[
        str | None, _option("This party's examples: a path, or a data set's name.", "PATH")
    ] = None,
    folder: Annotated[
        Path | None, _option("What the node keeps; one node, one folder.", "DIR", default="node")
    ] = None,
    listen: Annotated[
        str | None,
        _option("Where its own pages are.", "HOST:PORT", default="127.0.0.1:8550"),
    ] = None,
    announce: Annotated[
        str | None, _option("The URL under which other nodes reach those pages.", "URL")
    ] = None,
    peer: Annotated[
        list[str] | None, _option("Another node's address, to fetch content from.", "URL")
    ] = None,
    relay: Annotated[
        list[str] | None, _option("A relay's address; without one, acts are sent directly.", "URL")
    ] = None,
    confirmations: Annotated[
        int | None, _option("Blocks that must stand on what is acted on.", "N", default="2")
    ] = None,
    poll_seconds: Annotated[
        float | None, _option("Seconds between two looks at the chain.", "S", default="2")
    ] = None,
    first_block: Annotated[
        int | None, _option("The block to read from.", "N", default="the deployment's")
    ] = None,
    replicas: Annotated[
        int | None, _option("How many nodes should hold each block.", "K", default="3")
    ] = None,
    workers: Annotated[int | None, _option("Threads that rate models.", "N", default="1")] = None,
    allow_private_peers: Annotated[
        bool | None,
        typer.Option(
            "--allow-private-peers",
            help="Connect to peers on this machine or in private networks.",
            show_default=False,
        ),
    ] = None,
    log_level: Annotated[
        str | None, _option("debug, info, warning or error.", "LEVEL", default="info")
    ] = None,
    log_format: Annotated[str | None, _option("human or json.", "FORMAT", default="human")] = None,
) -> None:
    """Run one node of a task until it is told to stop (Ctrl-C, SIGTERM)."""
    given = {name: value for name, value in locals().items() if name not in ("context", "config")}
    if context.invoked_subcommand is None:
        with clean_exit():
            raise typer.Exit(_run(config, given))


PLURAL = {"key": "keystore", "peer": "peers", "relay": "relays"}
"""Options that are named otherwise than their setting."""


def _run(file: Path | None, given: Mapping[str, Any]) -> int:
    from ostrom.node.config import ConfigError, load_config

    flags = {PLURAL.get(name, name): value for name, value in given.items()}
    try:
        config = load_config(file, os.environ, flags)
    except ConfigError as error:
        for line in error.lines:
            say(f"ostrom: {line}")
        return USAGE
    need_extra()
    from ostrom.node.assembly import Assembly
    from ostrom.node.service import run

    return int(run(config, lambda: passphrase(config.passphrase_file, config.keystore), Assembly))


def need_extra() -> None:
    """Say what to install where the libraries of nodes are missing.

    Raises:
        InputError: one is.
    """
    try:
        import httpx  # noqa: F401
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"a node needs {error.name}, which is not installed: pip install 'ostrom[node]'"
        ) from None


@node_app.command()
def status(
    url: Annotated[
        str, typer.Option(metavar="URL", help="Where the node's own pages are.")
    ] = URL_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Ask a node how it is; exit 0 only if it is well."""
    with clean_exit():
        need_extra()
        found = _fetch(url.rstrip("/"))
        if as_json:
            show_json(found)
        else:
            show_table(("", ""), _rows(found))
        if not found.get("healthy"):
            say(f"ostrom: the node is not well: {found.get('health', 'it does not say')}")
            raise typer.Exit(FAILED)


def _fetch(url: str) -> dict[str, Any]:
    """What a node says of itself.

    Raises:
        InputError: nothing answers there, or no node does.
    """
    import httpx

    from ostrom.codec import parse_json
    from ostrom.errors import CodecError

    try:
        with (
            httpx.Client(timeout=ANSWER_SECONDS_MAX, trust_env=False) as client,
            client.stream("GET", f"{url}/status") as answer,
        ):
            data = b""
            for part in answer.iter_bytes():
                data += part
                if len(data) > ANSWER_BYTES_MAX:
                    break
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        raise InputError(f"no node answers at {url}: {reason}; see FOLDER/address") from None
    try:
        found = parse_json(data)
    except CodecError:
        found = None
    if answer.status_code != 200 or not isinstance(found, dict):
        raise InputError(f"what answers at {url} is no node of Ostrom")
    return found


def _rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The entries of a status, the usual ones first."""
    first = (
        "health",
        "role",
        "account",
        "task",
        "round",
        "phase",
        "deadline",
        "block",
        "confirmed",
    )
    names = [name for name in first if name in found]
    names += sorted(name for name in found if name not in (*first, "healthy"))
    rows = ((name.replace("_", " "), _shown(name, found[name])) for name in names)
    return [(name, value) for name, value in rows if value]


def _shown(name: str, value: Any) -> str:
    if value is None or value == [] or value == {}:
        return ""
    if name in ("deadline", "now") and isinstance(value, int):
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in sorted(value.items()))
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
