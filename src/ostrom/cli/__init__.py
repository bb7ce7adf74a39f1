"""The command `ostrom`. Nothing heavy is imported before a command needs it."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from ostrom.cli.app import app

    app(prog_name="ostrom")
