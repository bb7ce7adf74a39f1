"""The report: one page that needs nothing else, no script, no network."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ostrom.report import paper, sections
from ostrom.report.html import Html, bar, data_uri, definitions, leaf, render, tag
from ostrom.report.style import CSS
from ostrom.report.words import count, duration, money, per_update, percent, size, whole

Summary = Mapping[str, Any]

CAPTIONS: Mapping[str, tuple[str, str, str]] = {
    "curves": (
        "Learning",
        "Accuracy and loss in every round, beside the paper's.",
        "The global model is measured on the test set, clients on held-out data as skewed as "
        "their own. The paper reports its global model on its development set. "
        "A void round leaves the model as it was.",
    ),
    "digits": (
        "What it recognises",
        "Test images and what the final model takes them for.",
        "Above each image: the answer and the model's confidence. A cross, a thick frame and "
        "“is” mark a wrong one. None of these images was used in training.",
    ),
    "contributions": (
        "Who contributed what",
        "Each trainer's score in every round, and its payout.",
        "A score is the validators' stake-weighted median of what each measured on its own "
        "holdout. Payouts follow from the scores by the task's incentive.",
    ),
}


def report_html(
    summary: Summary, images: Mapping[str, bytes], audit: Mapping[str, Any] | None
) -> str:
    """The whole report as one HTML page.

    `images` are PNG bytes by name (curves, digits, contributions); `audit` is the document of an
    `AuditReport`, None before an audit. Whatever they hold is shown as text: the page runs no
    script, loads nothing, and its own policy forbids both.
    """
    title = f"Ostrom: {summary['dataset']['name']}, {_parties(summary)}"
    head = tag(
        "head",
        leaf("meta", charset="utf-8"),
        leaf("meta", http_equiv="Content-Security-Policy", content=_policy()),
        leaf("meta", name="viewport", content="width=device-width, initial-scale=1"),
        leaf("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Html(CSS)),
    )
    body = tag("body", _header(summary, audit), _main(summary, images, audit), _footer(summary))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _policy() -> str:
    """Nothing but this very style sheet and pictures that are part of the page."""
    from ostrom.codec import sha256  # brings numpy, which `ostrom --help` can do without

    style = base64.b64encode(sha256(CSS.encode())).decode("ascii")
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _main(summary: Summary, images: Mapping[str, bytes], audit: Mapping[str, Any] | None) -> Html:
    return tag(
        "main",
        sections.story(summary),
        [_figure(name, images[name]) for name in CAPTIONS if name in images],
        sections.trainers(summary),
        sections.validators(summary),
        sections.rounds(summary),
        sections.classes(summary),
        sections.audit(audit),
        sections.reproduce(summary),
    )


def _header(summary: Summary, audit: Mapping[str, Any] | None) -> Html:
    config = summary["config"]
    eyebrow = f"Ostrom · {summary['dataset']['name']} · seed {config['seed']}"
    return tag(
        "header",
        tag("p", eyebrow, class_="eyebrow"),
        tag(
            "h1",
            f"{_parties(summary)}, one model:",
            leaf("br"),
            tag("b", _accuracy(summary)),
            " right",
        ),
        tag("p", _lede(summary), class_="lede"),
        _verdict(audit),
        _versus(summary),
        _figures(summary),
    )


def _parties(summary: Summary) -> str:
    return count(len(summary["trainers"]), "trainer")


def _accuracy(summary: Summary) -> str:
    return percent(summary["final"]["accuracy"])


def _lede(summary: Summary) -> str:
    data = summary["dataset"]
    return (
        f"Measured on {count(data['test'], 'test example')} that nobody trained on. Each trainer "
        "kept its own data; the chain holds the rules, the commitments and the money; the store "
        "holds every update and every model."
    )


def _verdict(audit: Mapping[str, Any] | None) -> Html:
    if audit is None:
        return tag("p", "○ not audited yet", class_="verdict")
    checks = count(len(audit["checks"]), "check")
    if audit["passed"]:
        return tag("p", f"✓ Audit passed: {checks}", class_="verdict good")
    return tag("p", f"✗ Audit failed: {sections.first_failure(audit)}", class_="verdict bad")


def _versus(summary: Summary) -> Html:
    share = summary["final"]["accuracy"]
    same = summary["config"]["dataset"] == paper.DATASET
    theirs = "The paper's global model" + ("" if same else ", on MNIST")
    return tag(
        "div",
        _against("This run's global model", share, "own"),
        _against(theirs, paper.TEST_ACCURACY, "theirs"),
        class_="versus",
    )


def _against(label: str, share: float, kind: str) -> Html:
    number = tag("b", percent(share))
    return tag("div", tag("span", label), bar(share, kind), number, class_=f"{kind}-text")


def _figures(summary: Summary) -> Html:
    totals, rounds = summary["totals"], summary["rounds"]
    voided = sum(1 for row in rounds if row["void"])
    seconds = totals["seconds"]
    share = totals.get("other_share")
    figures: list[tuple[str, str, str]] = [
        ("Rounds settled", whole(len(rounds) - voided), f"{voided} void" if voided else ""),
        ("Validators", whole(len(summary["validators"])), "each recomputes every result"),
        ("Gas", whole(totals["gas"]), _gas_note(summary)),
        ("Data moved", size(totals["bytes"]), per_update(summary["model"]) or "and call data"),
        ("Time", duration(seconds), f"{percent(share, 0)} of it not training"),
        ("Paid", money(totals["paid"]), f"of a pool of {money(totals['pool'])}"),
    ]
    return definitions(
        [(term, render([value, tag("small", note)])) for term, value, note in figures],
        class_="figures",
    )


def _gas_note(summary: Summary) -> str:
    each = sections.gas_per_update(summary["rounds"])
    return "" if each is None else f"{whole(each)} per update, commit and reveal"


def _figure(name: str, png: bytes) -> Html:
    title, alt, caption = CAPTIONS[name]
    picture = leaf("img", src=data_uri(png), alt=alt)
    return tag(
        "section", tag("h2", title), tag("figure", picture, tag("figcaption", caption)), id=name
    )


def _footer(summary: Summary) -> Html:
    files = ("summary.json", "history.csv")
    links = [[tag("a", name, href=name), " "] for name in files]
    return tag(
        "footer",
        tag("p", f"Made by Ostrom {summary['ostrom']}. The same numbers for programs: ", links),
        tag("p", f"The paper: {paper.CITATION}."),
    )
