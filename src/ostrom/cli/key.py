"""`ostrom key`: keys in files that are locked with a passphrase."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ostrom.cli.console import AsJson, clean_exit, say, show_json
from ostrom.cli.passphrase import PassphraseFile, ask_secret, passphrase
from ostrom.errors import InputError

if TYPE_CHECKING:
    from ostrom.types import Address

Keystore = Annotated[
    Path, typer.Option("--keystore", metavar="PATH", help="The key's file (Ethereum keystore v3).")
]
Light = Annotated[
    bool,
    typer.Option(
        "--light", help="Lock it with little work: for keys of local networks that guard nothing."
    ),
]
From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="A file whose first line is the private key in hexadecimal; else a prompt.",
        show_default=False,
    ),
]

Open = Annotated[
    bool, typer.Option("--open", help="Open it with its passphrase, which proves whose key it is.")
]

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@keys.callback()
def key() -> None:
    """Make, import and show keys. A key is never shown, and no file is ever overwritten."""


@keys.command(short_help="Make a fresh key.")
def new(
    keystore: Keystore,
    passphrase_file: PassphraseFile = None,
    light: Light = False,
    as_json: AsJson = False,
) -> None:
    """Make a fresh key and print its address. Without the passphrase the key is lost."""
    with clean_exit():
        from ostrom.chain.keystore import WORK, WORK_LIGHT, create

        _need_free(keystore)
        secret = passphrase(passphrase_file, keystore, new=True)
        made = create(keystore, secret, work=WORK_LIGHT if light else WORK)
        _tell(made.address, keystore, as_json)


@keys.command(short_help="Print a key's address.")
def show(
    keystore: Keystore,
    proved: Open = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the address that a keystore says it holds; with --open, that of the key in it."""
    with clean_exit():
        from ostrom.chain.keystore import address_of, is_exposed, load

        if is_exposed(keystore):
            say(f"ostrom: others can read {keystore}: chmod 600 {keystore}")
        if proved:
            account = load(keystore, passphrase(passphrase_file, keystore)).address
        else:
            account = address_of(keystore)
        _tell(account, keystore, as_json)


@keys.command("import", short_help="Lock a private key into a keystore.")
def import_(
    keystore: Keystore,
    source: From = None,
    passphrase_file: PassphraseFile = None,
    light: Light = False,
    as_json: AsJson = False,
) -> None:
    """Lock a private key from elsewhere into a keystore, and print its address."""
    with clean_exit():
        from ostrom.chain.keystore import WORK, WORK_LIGHT, import_key, read_passphrase

        _need_free(keystore)
        text = ask_secret("Private key in hexadecimal") if source is None else (
            read_passphrase(source)
        )  # fmt: skip
        private = _private_key(text)
        secret = passphrase(passphrase_file, keystore, new=True)
        made = import_key(keystore, private, secret, work=WORK_LIGHT if light else WORK)
        _tell(made.address, keystore, as_json)


def _private_key(text: str) -> bytes:
    try:
        return bytes.fromhex(text.strip().removeprefix("0x"))
    except ValueError:
        # The chained error would name the text.
        pass
    raise InputError("a private key is 64 hexadecimal digits")


def _need_free(path: Path) -> None:
    """Refuse before the user has typed anything."""
    if path.exists():
        raise InputError(f"{path} exists: a key is never overwritten, choose another path")


def _tell(account: Address, keystore: Path, as_json: bool) -> None:
    if as_json:
        show_json({"address": account, "keystore": str(keystore)})
    else:
        typer.echo(account)
