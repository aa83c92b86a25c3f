"""The audit of a database and its workload: explain every statement, try what might help, judge the indexes."""

import re
from collections import Counter
from dataclasses import dataclass, field

from harness.indexes.advice import candidates, has_condition, index_name
from harness.indexes.audit import fault_of_definition
from harness.indexes.catalog import PENDING_INDEX, TableFacts
from harness.indexes.database import CannotExplainError, Database
from harness.indexes.plan import Plan, PlanKind
from harness.indexes.records import (
    SCHEMA_VERSION,
    Audit,
    AuditCoverage,
    CapturedStatement,
    IndexFinding,
    Proposal,
    StatementFinding,
    Weight,
    Workload,
)
from harness.indexes.review import is_master, review_indexes
from harness.indexes.serving import fault_of_plan
from harness.indexes.sqlite import aliases
from harness.indexes.trial import Copy, open_copy
from harness.model import Status

LARGE_TABLE_ROWS = 1000
"""Below this, reading all of a table hurts nobody, and planners do it whatever the indexes."""
SLOW_S = 0.1
"""Mean duration from which a sort is a fault: the specification's limit for a query."""
WORTHWHILE_COST_RATIO = 2.0
"""A proposed index has to make a statement cheaper by at least this."""

_QUERY = re.compile(
    r"\s*(?:/\*.*?\*/\s*)*(?:SELECT|WITH|INSERT|UPDATE|DELETE|VALUES|REPLACE)\b", re.IGNORECASE | re.DOTALL
)
_CUT_OFF = re.compile(r"… \(\d+ more\)$")
_WHERE = re.compile(r"\bWHERE\b", re.IGNORECASE)
_LIMIT = re.compile(r"\b(?:LIMIT|FETCH FIRST)\b", re.IGNORECASE)


def audit_workload(database: Database, workload: Workload | None, *, top: int = 50, trial: bool = True) -> Audit:
    """
    Audit an open database.

    Args:
        database: read only.
        workload: of its service; None judges the indexes and the specification's own query alone.
        top: statements looked at, those of the longest total time.
        trial: whether indexes may be tried, which on PostgreSQL copies rows to a server of our own.

    Returns:
        The audit. It fails for a fault that it can name the cure of: an index of the specification missing or
        passed over, an invalid one, a full scan of a large table where a tried index would do.
    """
    tables = {table.name: table for table in database.tables()}
    with open_copy(database) as copy:
        pass_over = _Pass(database=database, tables=tables, copy=copy if trial else None)
        for statement in workload.statements[:top] if workload is not None else ():
            pass_over.look_at(statement)
    pending = _pending_finding(database, tables)
    indexes = review_indexes(
        database.indexes(),
        tuple(tables.values()),
        database.usage(),
        pass_over.used if workload is not None else None,
    )
    statements = sorted(
        [*([pending] if pending is not None else []), *pass_over.findings],
        key=lambda one: (one.weight is not Weight.FAULT, -one.statement.total_s),
    )
    coverage = _coverage(pass_over, workload, top=top, trial=trial, master=is_master(tuple(tables.values())))
    return Audit(
        schema_version=SCHEMA_VERSION,
        database=f"{database.name} {database.version}",
        status=_status(statements, indexes, coverage, master=is_master(tuple(tables.values()))),
        statements=tuple(statements),
        indexes=indexes,
        served=pass_over.served,
        coverage=coverage,
    )


@dataclass(slots=True, kw_only=True)
class _Pass:
    """One pass over the statements, and what it gathers."""

    database: Database
    tables: dict[str, TableFacts]
    copy: Copy | None
    findings: list[StatementFinding] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    served: int = 0
    explained: int = 0
    explained_s: float = 0.0

    def look_at(self, statement: CapturedStatement) -> None:
        """Explain one statement and judge its plan."""
        reason = None
        if _CUT_OFF.search(statement.text):
            reason = "cut off in the log"
        elif not _QUERY.match(statement.text):
            reason = "no query: nothing to explain"
        else:
            try:
                plan = self.database.explain(statement.text)
            except CannotExplainError as fault:
                reason = f"the database can't explain it: {str(fault)[:100]}"
        if reason is not None:
            self.skipped[reason] += 1
            self.examples.setdefault(reason, statement.text[:200])
            return
        self.explained += 1
        self.explained_s += statement.total_s
        self.used.update(node.index for node in plan.nodes() if node.index is not None)
        finding = self._judge(statement, plan)
        if finding is None:
            self.served += 1
        else:
            self.findings.append(finding)

    def _judge(self, statement: CapturedStatement, plan: Plan) -> StatementFinding | None:
        step = self._costly_step(statement.text, plan)
        if step is None:
            return None
        fault, table = self._described(statement.text, step, plan)
        proposal, note = None, None
        if not has_condition(statement.text):
            note = "the statement asks for all rows; no index can spare that"
        elif self.copy is not None:
            proposal, note = self._propose(self.copy, statement, plan, table)
        # Reading an index in its order until enough is found is short most times; what it took says whether.
        whole = step.kind is PlanKind.SCAN and not (step.index and _LIMIT.search(statement.text))
        hurts = whole or statement.mean_s >= SLOW_S
        return StatementFinding(
            statement=statement,
            plan=plan.one_line(),
            fault=fault,
            weight=Weight.FAULT if hurts and proposal is not None else Weight.ADVICE,
            proposal=proposal,
            note=note,
        )

    def _costly_step(self, text: str, plan: Plan) -> Plan | None:
        for node in plan.nodes():
            if node.kind is PlanKind.SCAN and self._is_large(node.table) and not _is_short(text, node):
                return node
        for node in plan.nodes():
            # An incremental sort goes on from an index's order, group by group.
            if node.kind is PlanKind.SORT and not node.detail.startswith("Incremental"):
                rows = max((child.rows or 0 for child in node.children), default=0)
                told = any(other.rows is not None for other in plan.nodes())
                if (
                    rows >= LARGE_TABLE_ROWS
                    if told
                    else any(self._is_large(other.table) for other in plan.nodes())
                ):
                    return node
        return None

    def _is_large(self, table: str | None) -> bool:
        return table in self.tables and self.tables[table].rows >= LARGE_TABLE_ROWS

    def _described(self, text: str, step: Plan, plan: Plan) -> tuple[str, str | None]:
        if step.kind is PlanKind.SCAN:
            of_table = f"of {step.table} ({self.tables[step.table or ''].rows:,} rows)"
            if step.index and _LIMIT.search(text):
                how = f"index {step.index} {of_table} read until enough rows fit"
            else:
                how = f"{f'the whole index {step.index}' if step.index else 'all rows'} {of_table} read"
            return f"{how}: {step.detail}", step.table
        read = [facts for facts in self.tables.values() if any(node.table == facts.name for node in plan.nodes())]
        largest = max(read, key=lambda facts: facts.rows).name if read else None
        return f"rows sorted anew each time: {step.detail}", largest

    def _propose(
        self, copy: Copy, statement: CapturedStatement, plan: Plan, table: str | None
    ) -> tuple[Proposal | None, str | None]:
        facts = self.tables.get(table or "")
        if facts is None:
            return None, None
        guesses = candidates(statement.text, facts.name, facts.columns, aliases(statement.text))
        involved = tuple(table for table in self.tables if any(node.table == table for node in plan.nodes()))
        for columns in guesses:
            name = index_name(facts.name, columns)
            create = f"CREATE INDEX {name} ON {facts.name} ({', '.join(columns)})"
            try:
                before, after = copy.plans(statement.text, involved, create, name)
            except CannotExplainError as fault:
                return None, f"no index was tried: {fault}"
            if _is_better(before, after, name):
                ratio = before.cost / after.cost if before.cost and after.cost else None
                made = Proposal(statement=create, plan=after.one_line(), cost_ratio=ratio, tried_on=copy.described)
                return made, None
        return None, "no index that was tried serves it better" if guesses else "no index comes to mind"


def _is_short(text: str, scan: Plan) -> bool:
    """Tell whether a scan surely ends early: in an index's order, up to a limit, nothing left out on the way."""
    if scan.index is None or _LIMIT.search(text) is None:
        return False
    return scan.filter is None if scan.rows is not None else _WHERE.search(text) is None


def _is_better(before: Plan, after: Plan, index: str) -> bool:
    """Tell whether a plan with the new index is worth having it."""
    if not any(node.index == index for node in after.nodes()):
        return False
    if before.cost is not None and after.cost is not None:
        return before.cost >= WORTHWHILE_COST_RATIO * after.cost
    steps_before = Counter(node.kind for node in before.nodes())
    steps_after = Counter(node.kind for node in after.nodes())
    costly = (PlanKind.SCAN, PlanKind.SORT)
    return sum(steps_after[kind] for kind in costly) < sum(steps_before[kind] for kind in costly)


def _pending_finding(database: Database, tables: dict[str, TableFacts]) -> StatementFinding | None:
    """Judge the specification's own query; a missing or misdefined index is `review_indexes`' finding."""
    if not is_master(tuple(tables.values())):
        return None
    marks = ("?", "?") if database.name == "sqlite" else ("$1", "$2")
    text = "SELECT * FROM {} WHERE agent_id = {} AND status = {} ORDER BY created_at".format(  # noqa: S608  # constants
        PENDING_INDEX.table, *marks
    )
    plan = database.explain(text)
    definition = next((index for index in database.indexes() if index.name == PENDING_INDEX.name), None)
    if (
        definition is None
        or fault_of_definition(definition, PENDING_INDEX.table, PENDING_INDEX.columns) is not None
    ):
        return None
    fault = fault_of_plan(plan, definition)
    if fault is None:
        return None
    excuse = database.excuse(definition.table, plan)
    return StatementFinding(
        statement=CapturedStatement(text=text, calls=0, total_s=0.0, max_s=0.0),
        plan=plan.one_line(),
        fault=f"the pending query is not served by {PENDING_INDEX.name}: {fault}",
        weight=Weight.FAULT if excuse is None else Weight.ADVICE,
        note=excuse,
    )


def _coverage(
    pass_over: _Pass, workload: Workload | None, *, top: int, trial: bool, master: bool
) -> AuditCoverage:
    notes = []
    if workload is None:
        notes.append("No query log was given: the service's own statements were not looked at.")
    elif not workload.statements:
        notes.append("The query log holds no statements.")
    if workload is not None:
        if workload.bad_lines or workload.text_lines:
            notes.append(
                f"Of {workload.lines:,} lines of the log {workload.bad_lines:,} are torn or another tool's, and "
                f"{workload.text_lines:,} in the text form, which is not read back."
            )
        notes += [f"Not read to its end: {damage}." for damage in workload.damaged]
        if len(workload.statements) > top:
            notes.append(f"Of {len(workload.statements):,} different statements the {top} longest were looked at.")
    if not master:
        notes.append("This is no deployment master's database: the specification's indexes were not looked for.")
    if not trial:
        notes.append("No index was tried.")
    total_s = sum(one.total_s for one in workload.statements) if workload is not None else 0.0
    return AuditCoverage(
        captured=len(workload.statements) if workload is not None else None,
        explained=pass_over.explained,
        time_ratio=pass_over.explained_s / total_s if total_s > 0 else None,
        skipped=dict(pass_over.skipped.most_common()),
        examples=pass_over.examples,
        notes=tuple(notes),
    )


def _status(
    statements: list[StatementFinding], indexes: tuple[IndexFinding, ...], coverage: AuditCoverage, *, master: bool
) -> Status:
    weights = {finding.weight for finding in statements} | {finding.weight for finding in indexes}
    if Weight.FAULT in weights:
        return Status.FAIL
    nothing_explained = coverage.explained == 0 and (coverage.captured is not None or not master)
    return Status.INCONCLUSIVE if nothing_explained else Status.PASS
