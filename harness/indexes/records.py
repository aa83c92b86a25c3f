"""What the audit of a workload found: from `harness.indexes.workload_audit`, shown by `harness.indexes.render`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.model import Status

SCHEMA_VERSION = 1
"""Version of the audit's JSON form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedStatement:
    """
    One statement of a query log, all its executions together.

    Args:
        text: as the driver was handed it.
        calls: executions.
        total_s: all of them together [s].
        max_s: the longest [s].
    """

    text: str
    calls: int
    total_s: float
    max_s: float

    @property
    def mean_s(self) -> float:
        """Mean duration [s]."""
        return self.total_s / self.calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """
    The statements of a query log.

    Args:
        statements: by total time, longest first.
        lines: lines read.
        bad_lines: of these, torn or another tool's.
        text_lines: of these, in the form for people, which is not read back.
        damaged: files that could not be read to their end, with the reason.
    """

    statements: tuple[CapturedStatement, ...]
    lines: int
    bad_lines: int
    text_lines: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementServing:
    """
    What serves one captured statement, and whether it is what the specification names for it.

    Args:
        statement: the statement and its figures.
        index: that the specification names for it; None where it names none.
        served: whether `index` serves it; None when none is named, or a healthy planner may pass it over too.
        used: indexes that its plan uses, in the plan's order; ``primary key`` for SQLite's row ids.
        note: why `served` is not True although an index is named.
    """

    statement: CapturedStatement
    index: str | None
    served: bool | None
    used: tuple[str, ...]
    note: str | None = None


class Weight(StrEnum):
    """How much a finding counts."""

    FAULT = "fault"
    """Makes the audit fail."""
    ADVICE = "advice"
    """Worth a look; changes no verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """
    An index that would serve a statement better, tried on a copy of the schema.

    Args:
        statement: ready to run.
        plan: of the statement on the copy, with the index, in one line.
        cost_ratio: planner's cost before over after; None where the database tells no cost.
        tried_on: what the copy was.
    """

    statement: str
    plan: str
    cost_ratio: float | None
    tried_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFinding:
    """
    What is wrong with one statement's plan.

    Args:
        statement: the statement and its figures; None figures for the specification's own.
        plan: in one line.
        fault: what the plan does that hurts, a clause.
        weight: see `Weight`.
        proposal: the index that would cure it; None when none was found.
        note: what else a person should know.
    """

    statement: CapturedStatement
    plan: str
    fault: str
    weight: Weight
    proposal: Proposal | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFinding:
    """
    What is wrong with one index, or with a table's statistics.

    Args:
        name: of the index or the table.
        table: it belongs to.
        fault: a clause.
        weight: see `Weight`.
        remedy: a statement ready to run; None when there is none.
    """

    name: str
    table: str
    fault: str
    weight: Weight
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditCoverage:
    """
    What was judged, and what was not.

    Args:
        captured: different statements in the log; None without a log.
        explained: of these, explained.
        time_ratio: share of the log's query time that the explained ones stand for, 0..1; None without a log.
        skipped: reason to the number of statements left out for it.
        examples: reason to one such statement.
        notes: what else was not looked at, and why, one sentence each.
    """

    captured: int | None
    explained: int
    time_ratio: float | None
    skipped: Mapping[str, int]
    examples: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """
    The audit of one database and its workload.

    Args:
        schema_version: see `SCHEMA_VERSION`.
        database: kind and version.
        status: PASS, FAIL, or INCONCLUSIVE when too little could be judged.
        statements: findings about statements, faults first.
        indexes: findings about indexes and statistics, faults first.
        served: different statements whose plans have nothing wrong.
        servings: of each explained statement of the log, by total time: which index serves it, and which should.
        coverage: what all this rests on.
    """

    schema_version: int
    database: str
    status: Status
    statements: tuple[StatementFinding, ...]
    indexes: tuple[IndexFinding, ...]
    served: int
    servings: tuple[StatementServing, ...]
    coverage: AuditCoverage
