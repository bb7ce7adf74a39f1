"""Every name that a user can write or meet is in the documentation, and it names nothing else."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
import typer

import ostrom
from ostrom.aggregation import PRE_AGGREGATIONS, RULES, SELECTIONS, SERVER_STEPS
from ostrom.cli.app import app
from ostrom.compression import COMPRESSIONS
from ostrom.data import PARTITIONS
from ostrom.data.loading import NAMED, READERS
from ostrom.errors import CONTRACT_ERROR_NAMES
from ostrom.incentives import INCENTIVES
from ostrom.participation import PARTICIPATIONS
from ostrom.sim import RunConfig
from ostrom.sim.behaviours import TRAINERS
from ostrom.sim.validator_lies import LIES
from ostrom.spec import Spec
from ostrom.storage import PROFILES
from ostrom.targets import TARGETS
from ostrom.training import LOCAL_ALGORITHMS, MODELS
from ostrom.verification import SCORERS

ROOT = Path(__file__).parents[2]
CONTRACTS = ("Token", "AllowList", "Registry", "ModelRegistry", "Training")
CATALOGUES: Mapping[str, Mapping[str, Any]] = {
    "data set": NAMED,
    "file": READERS,
    "partition": PARTITIONS,
    "model": MODELS,
    "local algorithm": LOCAL_ALGORITHMS,
    "selection": SELECTIONS,
    "pre-aggregation": PRE_AGGREGATIONS,
    "rule": RULES,
    "server step": SERVER_STEPS,
    "compression": COMPRESSIONS,
    "participation": PARTICIPATIONS,
    "target": TARGETS,
    "scorer": SCORERS,
    "incentive": INCENTIVES,
    "behaviour": {**TRAINERS, **LIES},
    "profile": PROFILES,
}
GIVEN = {"shape", "classes", "fraction_bits", "exact", "layout", "previous"}
"""Arguments that a user does not write; `ridge_solve` alone shows its classes."""

Names = Iterator[tuple[str, str]]


def pages() -> list[Path]:
    top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    return [*top, *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def code() -> str:
    """All code spans and code blocks of the documentation."""
    texts = [page.read_text("utf-8") for page in pages()]
    blocks = [block for text in texts for block in re.findall(r"```.*?\n(.*?)```", text, re.S)]
    spans = [span for text in texts for span in re.findall(r"`([^`\n]+)`", _without_blocks(text))]
    return "\n".join([*blocks, *spans])


def _without_blocks(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.S)


def is_documented(name: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code()))


def source(*parts: str) -> str:
    return resources.files("ostrom").joinpath(*parts).read_text("utf-8")


def mechanisms() -> Names:
    for kind, catalogue in CATALOGUES.items():
        for name, factory in catalogue.items():
            yield kind, name
            if callable(factory) and kind not in ("data set", "file", "scorer", "incentive"):
                parameters = inspect.signature(factory).parameters.values()
                for one in parameters:
                    if one.name not in GIVEN:
                        yield f"argument of {name}", one.name


def settings() -> Names:
    yield from (("setting", name) for name in RunConfig.model_fields)
    yield from (("field of the spec", name) for name in Spec.model_fields)
    yield from (("public name", name) for name in ostrom.__all__)
    yield "environment variable", "OSTROM_DATA"


def verdicts() -> Names:
    checks = source("verification", "checks.py")
    _, *rows = re.findall(r"^\| (\w+)(?:\(\w+\))? \|", checks, re.M)
    yield from (("check", name) for name in rows)
    faults = set(re.findall(r'"((?:missed|wrong)_\w+)"', source("faults.py")))
    yield from (("fault", name) for name in sorted(faults))
    audits = source("audit", "run.py") + source("audit", "replay.py")
    found = re.findall(r'(?:guard|note)\(\s*"(\w+)"', audits)
    yield from (("check of the audit", name) for name in sorted(set(found)))


def abi() -> Names:
    for contract in CONTRACTS:
        yield "contract", contract
        for entry in json.loads(source("chain", "abi", f"{contract}.json"))["abi"]:
            if entry["type"] in ("event", "error", "function"):
                yield f"{entry['type']} of {contract}", entry["name"]
            if entry.get("name") == "createTask":
                (params,) = entry["inputs"]
                yield from (("task parameter", field["name"]) for field in params["components"])
    yield from (("error", name) for name in CONTRACT_ERROR_NAMES)


def commands() -> Mapping[str, set[str]]:
    """Each command's options, those of commands within groups as "group command"."""
    return dict(_within(typer.main.get_command(app), ""))


def _within(group: Any, before: str) -> Iterator[tuple[str, set[str]]]:
    for name, command in group.commands.items():
        options = {o for one in command.params for o in one.opts if o.startswith("--")}
        yield before + name, options
        if hasattr(command, "commands"):
            yield from _within(command, f"{before}{name} ")


def words() -> Names:
    for command, options in commands().items():
        yield "command", command
        yield from ((f"option of {command}", option) for option in sorted(options))
    targets = re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    yield from (("make target", f"make {target}") for target in targets)


SOURCES = (mechanisms, settings, verdicts, abi, words)
EVERYTHING = sorted({pair for names in SOURCES for pair in names()})


def test_the_lists_are_not_empty() -> None:
    for names in SOURCES:
        assert len(list(names())) > 5
    assert ("check", "duplicate") in EVERYTHING
    assert ("fault", "missed_reveal") in EVERYTHING
    assert ("check of the audit", "lineage") in EVERYTHING


@pytest.mark.parametrize(("kind", "name"), EVERYTHING)
def test_it_is_in_the_documentation(kind: str, name: str) -> None:
    assert is_documented(name), f"the {kind} {name} is in no page under docs, in code type"


def test_a_name_that_does_not_exist_is_not_documented() -> None:
    assert not is_documented("trimmed_median")


def console_lines() -> Iterator[tuple[str, list[str]]]:
    for page in pages():
        for block in re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.S):
            for line in block.splitlines():
                if line.startswith("$ ") and "ostrom " in line:
                    yield page.name, shlex.split(line.partition("ostrom ")[2], comments=True)


def test_every_shown_command_exists_with_its_options() -> None:
    known, lines = commands(), list(console_lines())
    assert lines
    for page, (command, *arguments) in lines:
        if command.startswith("-"):
            continue
        if arguments and f"{command} {arguments[0]}" in known:
            command = f"{command} {arguments[0]}"
        assert command in known, f"{page}: ostrom {command}"
        options = {word for word in arguments if word.startswith("--")}
        assert options <= known[command], f"{page}: ostrom {command} {options - known[command]}"


def test_every_shown_setting_of_a_demo_is_one() -> None:
    for page, (command, *arguments) in console_lines():
        fields = {a[2:]: b for a, b in pairwise(arguments) if a[2:] in RunConfig.model_fields}
        if command == "demo" and "skew" not in fields:
            assert RunConfig.of(fields), page


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = _without_blocks(page.read_text("utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{page.name} links to {target}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", _without_blocks(page.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_every_named_file_and_test_exists() -> None:
    roots = "src|tests|contracts|docs|scripts|examples|benchmarks"
    named = re.findall(rf"(?<![\w/.])((?:{roots})/[\w./-]*\w)(?:::(\w+))?", code())
    assert len(named) > 50
    for path, test in named:
        assert (ROOT / path).exists(), f"no file {path}"
        if test:
            text = (ROOT / path).read_text("utf-8")
            assert re.search(rf"(?:def|function) {test}\(", text), f"no test {path}::{test}"


def test_every_named_function_exists() -> None:
    folder = ROOT / "src" / "ostrom"
    parts = {path.stem for path in folder.iterdir() if not path.name.startswith("_")}
    spans = [line.removeprefix("ostrom.") for line in code().splitlines()]
    named = {s for s in spans if re.fullmatch(r"[a-z]+(\.\w+)+", s) and s.split(".")[0] in parts}
    named -= {s for s in named if s.split(".")[-1] in ("py", "json", "jsonl", "md")}
    assert len(named) > 20
    for name in sorted(named):
        assert resolve_name(f"ostrom.{name}"), name


def test_the_gas_figures_are_the_measured_ones() -> None:
    text = (ROOT / "docs" / "contracts.md").read_text("utf-8")
    table = text.partition("<!-- gas -->")[2].partition("<!-- /gas -->")[0]
    shown = {a: b.replace(",", "") for a, b in re.findall(r"^\| (.+) \| ([\d,]+) \|$", table, re.M)}
    assert shown == json.loads((ROOT / "contracts" / "gas" / "Training.json").read_text("utf-8"))


def test_the_house_is_the_one_that_import_linter_enforces() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (layers,) = (each["layers"] for each in settings["contracts"] if each["type"] == "layers")
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("## The house")[2]
    shown = [set(re.findall(r"\w+", line)) for line in text.split("```")[1].strip().splitlines()]
    place = 0
    for layer in layers:
        names = set(re.findall(r"ostrom\.(\w+)", layer))
        found = next((i for i, words in enumerate(shown) if i >= place and names <= words), None)
        assert found is not None, f"the house does not show {layer} at its place"
        place = found


def test_the_house_names_every_part() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    inside = (ROOT / "src" / "ostrom").iterdir()
    parts = {path.stem for path in inside if path.suffix == ".py" or path.is_dir()}
    missing = {name for name in parts if name[0] != "_" and not re.search(rf"\b{name}\b", text)}
    assert not missing


def test_every_decision_is_listed_once() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text("utf-8"))
    assert listed == sorted(file.name for file in folder.glob("[0-9]*.md"))
