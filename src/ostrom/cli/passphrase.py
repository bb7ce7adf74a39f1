"""Where the passphrase of a keystore comes from: never from the command line, which all can read.

A file, else the environment, else a prompt in the terminal.
"""

from __future__ import annotations

import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from ostrom.cli.console import say
from ostrom.errors import InputError

VARIABLE = "OSTROM_PASSPHRASE"

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help=f"The first line is the keystore's passphrase; else {VARIABLE}, else a prompt.",
        show_default=False,
    ),
]


def passphrase(file: Path | None, keystore: Path, *, new: bool = False) -> str:
    """The passphrase of a keystore; of a `new` one, a prompt asks for it twice.

    Raises:
        InputError: the file cannot be read, or there is no terminal to ask in.
    """
    from ostrom.chain.keystore import is_exposed, read_passphrase

    if file is not None:
        if is_exposed(file):
            say(f"ostrom: others can read {file}: chmod 600 {file}")
        return read_passphrase(file)
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    given = ask_secret(f"Passphrase of {keystore}")
    if new and ask_secret("The same again") != given:
        raise InputError("the two passphrases differ: nothing was written")
    return given


def ask_secret(question: str) -> str:
    """What the user types in the terminal without seeing it.

    Raises:
        InputError: there is no terminal, or the input ended.
    """
    try:
        if sys.stdin.isatty():
            return getpass(f"{question}: ")
    except EOFError:
        pass
    raise InputError(f"nobody answers '{question}': give --passphrase-file, or set {VARIABLE}")
