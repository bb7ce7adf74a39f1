"""`ostrom cid`: the content identifier of a file."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ostrom.cli.console import clean_exit
from ostrom.errors import InputError

File = Annotated[str, typer.Argument(metavar="FILE", help="A file, or - for standard input.")]
Profile = Annotated[
    str | None,
    typer.Option(help="How content is cut into blocks.", show_default="unixfs-v1-2025"),
]


def cid(file: File, profile: Profile = None) -> None:
    """Print the CID of a file, as `ipfs add` with the same profile would name it."""
    with clean_exit():
        from ostrom.storage import DEFAULT_PROFILE, cid_of

        chosen = profile or DEFAULT_PROFILE
        if file == "-":
            typer.echo(cid_of(sys.stdin.buffer, chosen))
            return
        try:
            with open(file, "rb") as stream:
                typer.echo(cid_of(stream, chosen))
        except BrokenPipeError:
            raise
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}") from None
