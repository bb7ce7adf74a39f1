"""The report's sections, each from the summary alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ostrom.report import paper
from ostrom.report.html import Content, Html, definitions, table, tag
from ostrom.report.words import (
    NOTHING,
    TOKEN,
    count,
    decimal,
    demo_command,
    duration,
    is_number,
    money,
    percent,
    short,
    size,
    whole,
)

Row = Mapping[str, Any]

NBSP = "\u00a0"

ROWS_MAX = 200
"""A longer table shows its two ends; `summary.json` and `history.csv` hold all of it."""

MATRIX_CLASSES_MAX = 20
MATRIX_MANY = 0.01
"""A confusion of this share of a class, or more, stands out."""


def story(summary: Row) -> Html:
    """What happened, in sentences."""
    return _section("story", "What happened", tag("ul", _sentences(summary), class_="story"))


def _sentences(summary: Row) -> list[Html]:
    rounds, config = summary["rounds"], summary["config"]
    reached = summary.get("reached")
    last = len(rounds) if reached is None else reached
    voided = [row["round"] for row in rounds if row["void"] and row["round"] <= last]
    told = [
        f"{count(len(summary['trainers']), 'trainer')} held "
        f"{whole(summary['dataset']['train'])} training examples, dealt by {config['skew']}.",
        _learning(summary),
        f"The chain used {whole(summary['totals']['gas'])} gas and the run took "
        f"{duration(summary['totals']['seconds'])}.",
        f"Trainers and validators earned {money(summary['totals']['paid'])}; "
        f"{money(summary['totals']['refunded'])} went back to the sponsor.",
    ]
    if reached is not None:
        told.append(
            f"The target, {config['target']}, was reached in round {reached}: "
            "the rounds after it were not played."
        )
    if voided:
        names = _and([str(number) for number in voided])
        told.append(f"No quorum was reached in round {names}: void, and the model stayed.")
    told.extend(_misbehaviour(summary))
    return [tag("li", _unbroken(sentence)) for sentence in told]


def _unbroken(sentence: str) -> str:
    """Numbers stay on one line with their units."""
    return sentence.replace(" %", f"{NBSP}%").replace(f" {TOKEN}", f"{NBSP}{TOKEN}")


def _learning(summary: Row) -> str:
    initial, final = summary.get("initial") or {}, summary["final"]
    before = f"from {percent(initial['accuracy'])} " if initial.get("accuracy") else ""
    settled = sum(1 for row in summary["rounds"] if not row["void"])
    better = "" if summary["config"]["dataset"] != paper.DATASET else (
        f" The paper reports {percent(paper.TEST_ACCURACY)} for its global model."
    )  # fmt: skip
    return (
        f"In {count(settled, 'settled round')} the global model went {before}to "
        f"{percent(final['accuracy'])}; precision {percent(final['precision'])}, recall "
        f"{percent(final['recall'])}, F1 {percent(final['f1'])}.{better}"
    )


def _misbehaviour(summary: Row) -> list[str]:
    parties = [*summary["trainers"], *summary["validators"]]
    bad = [p for p in parties if p["behaviour"] != "honest"]
    if not bad:
        return ["Every party was honest."]
    shown = [f"{p['name']} ({p['behaviour']}) earned {money(p['payout'])}" for p in bad[:6]]
    more = f", and {len(bad) - 6} more misbehaved" if len(bad) > 6 else ""
    return [f"{_and(shown)}{more}."]


def trainers(summary: Row) -> Html:
    """The trainers: what they held, what they were worth, what they got."""
    head = (
        "Trainer", "Account", "Behaviour", "Examples", "Mostly class", "Score", "Paid", "Strikes",
        "Slashed",
    )  # fmt: skip
    rows = [
        (
            row["name"],
            tag("code", short(row["address"]), title=row["address"]),
            row["behaviour"].replace("_", " "),
            whole(row["samples"]),
            _emphasis(row["classes"]),
            decimal(row["score_sum"] / 1_000_000),
            _exactly(row["payout"]),
            row["strikes"],
            _exactly(row["slashed"]),
        )
        for row in summary["trainers"]
    ]
    shown = _both_ends(rows, len(head))
    return _section("trainers", "Trainers", table("Trainers, in their order", head, shown, words=3))


def _emphasis(classes: Sequence[int]) -> str:
    total, most = sum(classes), max(classes, default=0)
    return f"{classes.index(most)} ({percent(most / total, 0)})" if total else NOTHING


def _exactly(amount: str) -> Html:
    """Rounded down for the eye, to the last unit on hovering."""
    return tag("span", money(amount), title=f"{amount} units of 10^-18")


def validators(summary: Row) -> Html:
    """The validators."""
    rows = [
        (
            row["name"],
            tag("code", short(row["address"]), title=row["address"]),
            row["behaviour"].replace("_", " "),
            whole(row["holdout"]),
            _exactly(row["payout"]),
            row["strikes"],
        )
        for row in summary["validators"]
    ]
    head = ("Validator", "Account", "Behaviour", "Holdout examples", "Paid", "Strikes")
    return _section("validators", "Validators", table("Validators", head, rows, words=3))


def rounds(summary: Row) -> Html:
    """The rounds: learning, gas, bytes and seconds."""
    head = (
        "Round", "Outcome", "Accuracy", "Loss", "F1", "Clients' accuracy", "Clients' loss", "Gas",
        "Gas per update", "Update bytes", "Call data", "Seconds", "Training",
    )  # fmt: skip
    rows = [_round(row) for row in summary["rounds"]]
    shown = _both_ends(rows, len(head))
    note = tag(
        "p",
        "Gas per update counts a trainer's commit and reveal. Gas of each kind and the seconds of "
        "each stage are in history.csv.",
        class_="note",
    )
    return _section("rounds", "Round by round", table("Rounds", head, shown, words=2), note)


def _round(row: Row) -> tuple[Content, ...]:
    seconds = row.get("seconds", {})
    rejected = sum(1 for trainer in row["trainers"].values() if trainer.get("check"))
    outcome = "void" if row["void"] else f"settled{f', {rejected} rejected' if rejected else ''}"
    return (
        row["round"],
        outcome,
        percent(row.get("accuracy")),
        decimal(row.get("loss")),
        percent(row.get("f1")),
        percent(row.get("client_accuracy")),
        decimal(row.get("client_loss")),
        whole(sum(row["gas"].values())),
        whole(gas_per_update([row])),
        size(row["bytes"].get("updates", 0)),
        size(row["bytes"].get("calldata", 0)),
        duration(sum(seconds.values()) if seconds else None),
        duration(seconds.get("training")),
    )


def gas_per_update(rows: Iterable[Row]) -> int | None:
    """Commit and reveal gas by the updates that settled rounds name, rounded up; None without."""
    settled = [row for row in rows if not row["void"]]
    updates = sum(1 for r in settled for t in r["trainers"].values() if "check" in t)
    spent = sum(r["gas"].get("commit", 0) + r["gas"].get("reveal", 0) for r in settled)
    return -(-spent // updates) if updates else None


def classes(summary: Row) -> Html:
    """The final model class by class, and what it takes for what."""
    final = summary["final"]
    rows = [
        (
            row["class"],
            percent(row["precision"]),
            percent(row["recall"]),
            percent(row["f1"]),
            whole(row["support"]),
        )
        for row in final["per_class"]
    ]
    head = ("Class", "Precision", "Recall", "F1", "Test examples")
    shown = _both_ends(rows, len(head))
    parts = [table("The final model on the test set", head, shown)]
    if 1 < len(final["confusion"]) <= MATRIX_CLASSES_MAX:
        parts.append(_confusion(final["confusion"]))
    return _section("classes", "Class by class", *parts)


def _confusion(matrix: Sequence[Sequence[int]]) -> Html:
    head = ("True class", *(f"as {i}" for i in range(len(matrix))))
    rows: list[list[Content]] = [
        [i, *(_cell(value, right=i == j, total=sum(row)) for j, value in enumerate(row))]
        for i, row in enumerate(matrix)
    ]
    caption = "What the model takes each class for; confusions of 1 % or more stand out"
    return tag("div", table(caption, head, rows), class_="matrix")


def _cell(value: int, *, right: bool, total: int) -> Html:
    many = total and value / total >= MATRIX_MANY
    kind = "right" if right else "many" if many else "none"
    return tag("span", whole(value) if value else "·", class_=kind)


def audit(document: Row | None) -> Html:
    """What the audit found, every check of it."""
    if document is None:
        return _section("audit", "Audit", tag("p", "This run has not been audited yet."))
    checks = document["checks"]
    words = (
        f"All {count(len(checks), 'check')} hold: the chain was executed again and every settled "
        "round recomputed from the updates in the store, byte for byte."
        if document["passed"]
        else f"The first divergence: {first_failure(document)}."
    )
    failed = [row for row in checks if not row["passed"]]
    parts = [tag("p", words)]
    if failed:
        parts.append(_checks("Checks that fail", failed))
    whole_list = _checks("Every check", checks)
    opened = {"open": "open"} if len(checks) <= 12 else {}
    parts.append(
        tag("details", tag("summary", f"All {count(len(checks), 'check')}"), whole_list, **opened)
    )
    return _section("audit", "Audit", *parts)


def _checks(caption: str, checks: Sequence[Row]) -> Html:
    head = ("Check", "Round", "Result", "What was seen")
    rows = [
        (
            row["check"],
            NOTHING if row["round"] is None else row["round"],
            _result(row["passed"]),
            tag("span", row["detail"], class_="wrap"),
        )
        for row in checks
    ]
    return table(caption, head, _both_ends(rows, len(head)), words=4)


def _result(passed: bool) -> Html:
    return tag("span", "✓ holds" if passed else "✗ fails", class_="good" if passed else "bad")


def first_failure(document: Row) -> str:
    """The first check that fails, in words."""
    for row in document["checks"]:
        if not row["passed"]:
            where = "" if row["round"] is None else f" in round {row['round']}"
            return f"{row['check']}{where}: {row['detail']}"
    return "nothing was checked"


def reproduce(summary: Row) -> Html:
    """The settings, and the two commands that repeat the run and check it."""
    config = {key: value for key, value in summary["config"].items() if value is not None}
    settings = [(key, tag("code", str(value))) for key, value in config.items()]
    model = summary.get("model", {})
    if is_number(model.get("parameters")):
        settings.append(("parameters", tag("code", whole(model["parameters"]))))
    settings.append(("task", tag("code", short(summary["task"]), title=summary["task"])))
    return _section(
        "reproduce",
        "Do it again",
        tag("p", "The same command makes the same models, byte for byte:"),
        tag("pre", tag("code", demo_command(summary["config"]))),
        tag("p", "And this checks the run in the folder that holds this page:"),
        tag("pre", tag("code", "ostrom audit .")),
        tag("h3", "Settings"),
        definitions(settings, class_="settings"),
    )


def _both_ends(rows: Sequence[Sequence[Content]], width: int) -> Sequence[Sequence[Content]]:
    if len(rows) <= ROWS_MAX:
        return rows
    half = ROWS_MAX // 2
    gap = (f"… {len(rows) - 2 * half:,} more", *[""] * (width - 1))
    return [*rows[:half], gap, *rows[-half:]]


def _section(name: str, title: str, *content: Content) -> Html:
    return tag("section", tag("h2", title), *content, id=name)


def _and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1] if parts else "")))
