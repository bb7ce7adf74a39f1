"""The page of commands names every command with its options, and no others."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from ostrom.cli.app import app
from ostrom.node.taskfile import EXAMPLE, TaskFile

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
ELSEWHERE = ("demo", "audit", "predict", "models", "cid", "node", "network")
"""Commands whose options other pages list."""


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Each command that does something, by its words."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


ROOT: Any = typer.main.get_command(app)
COMMANDS = {
    words: {option for one in command.params for option in one.opts if option.startswith("-")}
    for words, command in leaves(ROOT)
    if words.split()[0] not in ELSEWHERE
}


def section(words: str) -> str:
    found = re.search(rf"^### `ostrom {words}`\n(.*?)(?=^##|\Z)", PAGE, re.S | re.M)
    assert found is not None, f"no section about ostrom {words}"
    return found[1]


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_a_commands_options_are_those_of_its_table(words: str) -> None:
    rows = [line.split("|")[1] for line in section(words).splitlines() if line.startswith("| `")]
    shown = {word for row in rows for word in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row)}
    assert shown == {option for option in COMMANDS[words] if option != "-h"}


@pytest.mark.parametrize("name", sorted(ROOT.commands))
def test_every_command_is_in_the_first_table(name: str) -> None:
    table = PAGE.partition("## All commands")[2].partition("\n## ")[0]
    assert f"`ostrom {name}`" in table


def test_no_section_is_about_a_command_that_does_not_exist() -> None:
    assert set(re.findall(r"^### `ostrom (.+)`$", PAGE, re.M)) == set(COMMANDS)


def test_the_commands_of_the_example_exist_with_their_options() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("ostrom ")]
    assert len(lines) > 5
    for line in lines:
        _, *words = shlex.split(line)
        name = next(one for one in COMMANDS if words[: one.count(" ") + 1] == one.split())
        assert {word for word in words if word.startswith("-")} <= COMMANDS[name], line


def test_the_task_file_of_the_page_is_one_and_all_its_keys_are_explained() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.S)
    assert TaskFile.parse(text.replace('store = "store"\n', "")) == TaskFile.parse(EXAMPLE)
    table = PAGE.partition("## Task files")[2].partition("\n## ")[0]
    for name, field in TaskFile.model_fields.items():
        inner = getattr(field.annotation, "model_fields", None)
        rows = [line for line in table.splitlines() if inner is None or f"`[{name}]`" in line]
        for key in [name] if inner is None else inner:
            assert any(f"`{key}`" in row for row in rows), f"{name} {key}"
