"""Show an audit: as text for a terminal, as JSON for machines, as one HTML file. Nothing is judged here."""

import functools
import re
from collections.abc import Iterator, Sequence

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from harness.indexes.records import (
    Audit,
    AuditCoverage,
    CapturedStatement,
    IndexFinding,
    Proposal,
    StatementFinding,
    StatementServing,
    Weight,
)
from harness.model import Status
from harness.units import format_count, format_duration, format_number, format_ratio

_MARKS = {Weight.FAULT: "FAULT ", Weight.ADVICE: "advice"}
_SHOWN_CHARACTERS = 300
_SHOWN_IN_ROW = 110
_COLUMNS = re.compile(r"^SELECT\s.{12,}?\sFROM\s", re.IGNORECASE)


def render_json(audit: Audit) -> str:
    """Return the audit as JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(audit), indent=2).decode()


def render_text(audit: Audit) -> str:
    """Return the audit for a terminal, the status last."""
    return "\n".join(_lines(audit))


def render_html(audit: Audit) -> str:
    """Return the audit as one page: no script, no network, everything from outside escaped."""
    return _template().render(
        audit=audit,
        sentence=summary(audit),
        coverage=coverage_sentences(audit.coverage),
        figures=figures,
        gain=gain,
        mark=mark,
        index=index_shown,
        brief=brief,
        sent=sent,
    )


def summary(audit: Audit) -> str:
    """Return the outcome in one sentence."""
    weights = [finding.weight for finding in audit.statements] + [finding.weight for finding in audit.indexes]
    faults = weights.count(Weight.FAULT)
    if audit.status is Status.INCONCLUSIVE:
        return (
            "Too little could be explained to tell."
            if audit.coverage.explained
            else "There was nothing that could be judged."
        )
    return f"{_counted(faults, 'fault')}, {_counted(weights.count(Weight.ADVICE), 'piece')} of advice."


def coverage_sentences(coverage: AuditCoverage) -> list[str]:
    """Return what the audit rests on, and what it left out and why."""
    sentences = []
    if coverage.captured is not None:
        share = (
            f", {format_ratio(coverage.time_ratio)} of its query time" if coverage.time_ratio is not None else ""
        )
        sentences.append(
            f"Explained {format_count(coverage.explained)} of {format_count(coverage.captured)} "
            f"different statements of the log{share}."
        )
    for reason, count in coverage.skipped.items():
        sentences.append(f"Left out {format_count(count)}: {reason}. Such as: {_short(coverage.examples[reason])}")
    return [*sentences, *coverage.notes]


def figures(finding: StatementFinding) -> str:
    """Return how often a statement was sent and what it took."""
    statement = finding.statement
    if not statement.calls:
        return "the specification's own query"
    return (
        f"{_counted(statement.calls, 'call')}, {format_duration(statement.total_s)} in all, "
        f"mean {format_duration(statement.mean_s)}, longest {format_duration(statement.max_s)}"
    )


def mark(serving: StatementServing) -> str:
    """Return in a word whether a statement is served by the index that the specification names for it."""
    if serving.index is None:
        return "–"
    return {True: "served", False: "NOT SERVED", None: "can't tell"}[serving.served]


def index_shown(serving: StatementServing) -> str:
    """Return the index that the specification names for a statement, else those that its plan uses."""
    return serving.index or ", ".join(serving.used) or "no index"


def sent(statement: CapturedStatement) -> str:
    """Return how often a statement was sent, and its mean duration."""
    return f"{_counted(statement.calls, 'call')}, mean {format_duration(statement.mean_s)}"


def brief(statement: str) -> str:
    """Return a statement in one short line, its conditions before its columns."""
    return _short(_COLUMNS.sub("SELECT … FROM ", " ".join(statement.split())), _SHOWN_IN_ROW)


def gain(proposal: Proposal) -> str:
    """Return what a proposal was seen to bring, and where."""
    if proposal.cost_ratio is None:
        return f"tried on {proposal.tried_on}"
    return f"{format_number(proposal.cost_ratio)} times cheaper by the planner's count, on {proposal.tried_on}"


def _lines(audit: Audit) -> Iterator[str]:
    yield f"Indexes of {audit.database}"
    yield ""
    yield from _serving_lines(audit.servings)
    for finding in audit.statements:
        yield from _statement_lines(finding)
    for index in audit.indexes:
        yield from _index_lines(index)
    if not audit.statements and not audit.indexes:
        yield "No finding."
        yield ""
    for sentence in coverage_sentences(audit.coverage):
        yield f"  {sentence}"
    yield ""
    yield f"{audit.status.value}: {summary(audit)}"


def _serving_lines(servings: Sequence[StatementServing]) -> Iterator[str]:
    if not servings:
        return
    yield "Captured statements: is each served by the index that the specification names (–: it names none)?"
    rows = [(mark(one), index_shown(one), sent(one.statement), brief(one.statement.text)) for one in servings]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for serving, row in zip(servings, rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  " + "  ".join([*cells, row[-1]])
        if serving.note is not None:
            yield f"  {'':{widths[0]}}  {serving.note}"
    yield ""


def _statement_lines(finding: StatementFinding) -> Iterator[str]:
    yield f"{_MARKS[finding.weight]}  {finding.fault}"
    yield f"        statement  {_short(finding.statement.text)}"
    yield f"        sent       {figures(finding)}"
    yield f"        plan       {finding.plan}"
    if finding.proposal is not None:
        yield f"        remedy     {finding.proposal.statement};"
        yield f"        then       {finding.proposal.plan}"
        yield f"                   {gain(finding.proposal)}"
    if finding.note is not None:
        yield f"        note       {finding.note}"
    yield ""


def _index_lines(finding: IndexFinding) -> Iterator[str]:
    where = finding.name if finding.name == finding.table else f"{finding.name} on {finding.table}"
    yield f"{_MARKS[finding.weight]}  {where}: {finding.fault}"
    if finding.remedy is not None:
        yield f"        remedy     {finding.remedy};"
    yield ""


def _short(statement: str, most: int = _SHOWN_CHARACTERS) -> str:
    # Control characters of a log that anybody may write to are kept from the terminal.
    line = "".join(character if character.isprintable() else " " for character in " ".join(statement.split()))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _counted(number: int, noun: str) -> str:
    return f"{format_count(number)} {noun}{'' if number == 1 else 's'}"


@functools.cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("harness.indexes", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("audit.html.j2")
