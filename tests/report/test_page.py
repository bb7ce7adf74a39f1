"""The page: safe with anything in it, complete, and one file."""

from __future__ import annotations

import base64
import copy
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.report.conftest import ALICE, round_row, trainer

from ostrom.report import report_html
from ostrom.report.html import render, table, tag
from ostrom.report.sections import ROWS_MAX
from ostrom.report.words import demo_command

EVIL = "<script>alert(1)</script><img src=x onerror=y>\"'&"

LEAVES = {"meta", "img", "br"}


class Checker(HTMLParser):
    """Collects tags, and insists that they nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((name, dict(attributes)))
        if name not in LEAVES:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.open == []
    return checker


def poisoned(value: Any) -> Any:
    """The same document with every text replaced, save what has to be a number or a key."""
    if isinstance(value, dict):
        return {k: v if k in ("payout", "slashed") else poisoned(v) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(item) for item in value]
    return EVIL if isinstance(value, str) and not value.isdigit() else value


def test_whatever_a_run_says_of_itself_is_text_on_the_page(
    summary: dict[str, Any], audited: dict[str, Any]
) -> None:
    page = report_html(poisoned(summary), {"curves": b"png"}, poisoned(audited))
    names = {name for name, _ in checked(page).tags}
    assert "script" not in names
    assert all("onerror" not in attributes for _, attributes in checked(page).tags)
    assert "<script" not in page


def test_the_page_loads_nothing_and_forbids_itself_to(
    summary: dict[str, Any], audited: dict[str, Any]
) -> None:
    page = report_html(summary, {"curves": b"png", "digits": b"png"}, audited)
    tags = checked(page).tags
    assert all((a["src"] or "").startswith("data:image/png;base64,") for n, a in tags if "src" in a)
    assert not {"script", "link", "iframe", "form"} & {name for name, _ in tags}
    assert all("style" not in attributes for _, attributes in tags)
    (policy,) = (a["content"] for _, a in tags if a.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert policy is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}'" in policy


def test_an_unknown_picture_is_left_out(summary: dict[str, Any]) -> None:
    assert "<figure" not in report_html(summary, {"other": b"png"}, None)


def test_the_page_tells_the_run_and_the_paper(
    summary: dict[str, Any], audited: dict[str, Any]
) -> None:
    page = report_html(summary, {"curves": b"png"}, audited)
    for expected in (
        "2 trainers, one model", "70.00 %", "9.80 %", "on MNIST", "23,001 per update",
        "Audit passed: 2 checks", ALICE, "14 OSTR", "ostrom audit .",
        "ostrom demo --dataset digits", "trainer-1 (garbage) earned", "4.6 kB",
    ):  # fmt: skip
        assert expected in page.replace("\u00a0", " ")


def test_the_comparison_names_mnist_only_where_the_data_differ(summary: dict[str, Any]) -> None:
    summary["config"]["dataset"] = "mnist"
    page = report_html(summary, {}, None)
    assert "on MNIST" not in page
    assert "The paper reports 9.80" in page


def test_a_failed_audit_is_told_first_and_by_name(
    summary: dict[str, Any], audited: dict[str, Any]
) -> None:
    audited["passed"] = False
    audited["checks"][1] |= {"passed": False, "detail": "expected 1, got 2"}
    page = report_html(summary, {}, audited)
    assert "Audit failed: result in round 1: expected 1, got 2" in page
    assert "Audit passed" not in page


def test_a_run_without_audit_says_so(summary: dict[str, Any]) -> None:
    assert "not audited yet" in report_html(summary, {}, None)


def test_every_check_is_on_the_page(summary: dict[str, Any], audited: dict[str, Any]) -> None:
    page = report_html(summary, {}, audited)
    assert all(check["detail"] in page for check in audited["checks"])


def test_a_void_round_and_missing_measurements_show_a_dash(summary: dict[str, Any]) -> None:
    summary["rounds"][1] = round_row(
        2, void=True, trainers={}, client_accuracy=None, client_loss=None, seconds={}
    )
    page = report_html(summary, {}, None)
    checked(page)
    assert "No quorum was reached in round 2" in page
    assert "—" in page


@pytest.mark.parametrize("rounds", [[], [round_row(1, void=True, trainers={})]])
def test_a_run_in_which_nothing_settled_has_a_page(
    summary: dict[str, Any], rounds: list[dict[str, Any]]
) -> None:
    summary |= {"rounds": rounds, "initial": None}
    checked(report_html(summary, {}, None))


def test_a_long_table_shows_its_two_ends(summary: dict[str, Any]) -> None:
    summary["trainers"] = [trainer(f"trainer-{i}", ALICE) for i in range(ROWS_MAX + 50)]
    page = report_html(summary, {}, None)
    assert "… 50 more" in page
    assert "trainer-0<" in page
    assert f"trainer-{ROWS_MAX + 49}<" in page


def test_tables_have_captions_and_scoped_headers(
    summary: dict[str, Any], audited: dict[str, Any]
) -> None:
    tags = checked(report_html(summary, {"digits": b"png"}, audited)).tags
    names = [name for name, _ in tags]
    assert names.count("caption") == names.count("table") > 4
    assert all(a.get("scope") in ("row", "col") for name, a in tags if name == "th")
    assert all(a.get("alt") for name, a in tags if name == "img")


def test_a_page_is_made_without_changing_the_summary(
    summary: dict[str, Any], audited: dict[str, Any]
) -> None:
    before = copy.deepcopy(summary)
    assert report_html(summary, {}, audited) == report_html(summary, {}, audited)
    assert summary == before


def test_markup_is_escaped_once() -> None:
    inner = tag("b", "<")
    assert render(inner) is inner
    assert tag("p", inner) == "<p><b>&lt;</b></p>"
    assert "&lt;i&gt;" in table("<i>", ["<i>"], [["<i>"]])


def test_a_command_survives_a_shell() -> None:
    command = demo_command({"dataset": "my data; rm -rf .npz", "workers": 4, "samples": None})
    assert command == "ostrom demo --dataset 'my data; rm -rf .npz'"
