"""What an audit found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ostrom.codec import Document
from ostrom.errors import OstromError


@dataclass(frozen=True)
class AuditLine:
    """One check: what was compared, in which round, whether it holds, and what was seen."""

    check: str
    round: int | None
    passed: bool
    detail: str


@dataclass(frozen=True)
class AuditReport:
    """All checks in order. A run passes only if every one holds."""

    task: str
    rounds_settled: int
    lines: tuple[AuditLine, ...]

    @property
    def passed(self) -> bool:
        """True if there were checks and every one holds."""
        return bool(self.lines) and all(line.passed for line in self.lines)

    @property
    def divergence(self) -> AuditLine | None:
        """The first check that fails."""
        return next((line for line in self.lines if not line.passed), None)

    def document(self) -> Document:
        """The report as plain values, for JSON."""
        return {
            "task": self.task,
            "passed": self.passed,
            "rounds_settled": self.rounds_settled,
            "checks": [
                {"check": x.check, "round": x.round, "passed": x.passed, "detail": x.detail}
                for x in self.lines
            ],
        }


@dataclass
class Findings:
    """The lines of an audit that is under way."""

    lines: list[AuditLine] = field(default_factory=list)

    def note(self, check: str, passed: bool, detail: str, *, number: int | None = None) -> bool:
        """Write one line down."""
        self.lines.append(AuditLine(check, number, passed, detail))
        return passed

    @contextmanager
    def guard(self, check: str, *, number: int | None = None) -> Iterator[None]:
        """Turn an error of Ostrom's inside the block into a failed line of that check."""
        try:
            yield
        except OstromError as error:
            self.note(check, False, str(error), number=number)

    @property
    def clean(self) -> bool:
        """True while nothing has failed."""
        return all(line.passed for line in self.lines)
