"""The audit of a database and its workload: explain every statement, try what might help, judge the indexes."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.indexes.advice import candidates, has_condition, index_name
from harness.indexes.audit import remedy_for
from harness.indexes.catalog import PENDING_INDEX, SPECIFIED_INDEXES, IndexDefinition, TableFacts
from harness.indexes.database import CannotExplainError, Database
from harness.indexes.hot import judge_serving
from harness.indexes.plan import Plan, PlanKind
from harness.indexes.records import (
    SCHEMA_VERSION,
    Audit,
    AuditCoverage,
    CapturedStatement,
    IndexFinding,
    Proposal,
    StatementFinding,
    StatementServing,
    Weight,
    Workload,
)
from harness.indexes.review import is_master, review_indexes
from harness.indexes.roles import specified_index
from harness.indexes.sqlite import aliases
from harness.indexes.trial import Copy, open_copy
from harness.model import Status

LARGE_TABLE_ROWS = 1000
"""Below this, reading all of a table hurts nobody, and planners do it whatever the indexes."""
SLOW_S = 0.1
"""Mean duration from which a sort is a fault: the specification's limit for a query."""
WORTHWHILE_COST_RATIO = 2.0
"""A proposed index has to make a statement cheaper by at least this."""
LEAST_TIME_RATIO = 0.5
"""Share of the query time looked at that has to be explained for a PASS: no fault among few says little."""

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
    master = is_master(tuple(tables.values()))
    with open_copy(database) as copy:
        pass_over = _Pass(
            database=database,
            tables=tables,
            definitions=database.indexes(),
            master=master,
            copy=copy if trial else None,
        )
        chosen = _chosen(workload.statements, top, master=master) if workload is not None else ()
        for statement in chosen:
            pass_over.look_at(statement)
    captured_pending = any(one.index == PENDING_INDEX.name for one in pass_over.servings)
    if master and not captured_pending:
        pass_over.retyped = _judge_retyped(pass_over)
    indexes = review_indexes(
        pass_over.definitions,
        tuple(tables.values()),
        database.usage(),
        pass_over.used if workload is not None else None,
    )
    statements = sorted(
        pass_over.findings, key=lambda one: (one.weight is not Weight.FAULT, -one.statement.total_s)
    )
    coverage = _coverage(pass_over, workload, chosen=len(chosen), trial=trial, captured_pending=captured_pending)
    return Audit(
        schema_version=SCHEMA_VERSION,
        database=f"{database.name} {database.version}",
        status=_status(statements, indexes, pass_over, workload),
        statements=tuple(statements),
        indexes=indexes,
        served=pass_over.served,
        servings=tuple(pass_over.servings),
        coverage=coverage,
    )


@dataclass(slots=True, kw_only=True)
class _Pass:
    """One pass over the statements, and what it gathers."""

    database: Database
    tables: dict[str, TableFacts]
    definitions: tuple[IndexDefinition, ...]
    master: bool
    copy: Copy | None
    servings: list[StatementServing] = field(default_factory=list)
    findings: list[StatementFinding] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    served: int = 0
    explained: int = 0
    explained_s: float = 0.0
    looked_at_s: float = 0.0
    retyped: str | None = None

    def look_at(self, statement: CapturedStatement) -> None:
        """Explain one statement and judge its plan."""
        reason = None
        self.looked_at_s += statement.total_s
        if _CUT_OFF.search(statement.text):
            reason = "cut off in the log"
        elif not _QUERY.match(statement.text):
            reason = "no query: nothing to explain"
        else:
            try:
                plan = self.database.explain(statement.text)
            except CannotExplainError as fault:
                remedy = remedy_for(str(fault))
                reason = f"the database can't explain it: {str(fault)[:100]}" + (
                    f"; try {remedy}" if remedy else ""
                )
        if reason is not None:
            self.skipped[reason] += 1
            self.examples.setdefault(reason, statement.text[:200])
            return
        self.explained += 1
        self.explained_s += statement.total_s
        self.used.update(node.index for node in plan.nodes() if node.index is not None)
        expected = specified_index(statement.text) if self.master else None
        serving, finding = judge_serving(self.database, self.definitions, statement, plan, expected)
        self.servings.append(serving)
        # Served as specified is served well: what its plan does besides is what the specification asks for.
        if finding is None and serving.served is not True:
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
            name = self._name(facts.name, columns)
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

    def _name(self, table: str, columns: tuple[str, ...]) -> str:
        """Return a proposed index's name: the specification's where it names one like it that is missing."""
        specified = (one.name for one in SPECIFIED_INDEXES if (one.table, one.columns) == (table, columns))
        taken = {one.name for one in self.definitions}
        return next((name for name in specified if self.master and name not in taken), index_name(table, columns))


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


def _judge_retyped(pass_over: _Pass) -> str | None:
    """
    Judge the pending query as the specification words it, where no captured statement is that query.

    Returns:
        Why it could not be judged, or None.
    """
    marks = ("?", "?") if pass_over.database.name == "sqlite" else ("$1", "$2")
    text = "SELECT * FROM {} WHERE agent_id = {} AND status = {} ORDER BY created_at".format(  # noqa: S608  # constants
        PENDING_INDEX.table, *marks
    )
    own = CapturedStatement(text=text, calls=0, total_s=0.0, max_s=0.0)
    try:
        plan = pass_over.database.explain(text)
    except CannotExplainError as fault:
        remedy = remedy_for(str(fault))
        return f"{fault}; try {remedy}" if remedy else str(fault)
    _, finding = judge_serving(pass_over.database, pass_over.definitions, own, plan, PENDING_INDEX)
    if finding is not None:
        pass_over.findings.append(finding)
    return None


def _chosen(statements: Sequence[CapturedStatement], top: int, *, master: bool) -> tuple[CapturedStatement, ...]:
    """Return the longest statements, and the longest of each specified index's own that are not among them."""
    chosen = list(statements[:top])
    if not master:
        return tuple(chosen)
    seen = {specified_index(one.text) for one in chosen} | {None}
    for statement in statements[top:]:
        expected = specified_index(statement.text)
        if expected not in seen:
            seen.add(expected)
            chosen.append(statement)
    return tuple(chosen)


def _coverage(
    pass_over: _Pass, workload: Workload | None, *, chosen: int, trial: bool, captured_pending: bool
) -> AuditCoverage:
    notes = []
    if workload is None:
        notes.append("No query log was given: the service's own statements were not looked at.")
    elif not workload.statements:
        notes.append("The query log holds no statements.")
    if workload is not None:
        if workload.bad_lines or workload.text_lines:
            notes.append(
                f"Lines of the log: {workload.lines:,}, of these {workload.bad_lines:,} torn or another tool's, "
                f"and {workload.text_lines:,} in the text form, which is not read back."
            )
        notes += [f"Not read to its end: {damage}." for damage in workload.damaged]
        if len(workload.statements) > chosen:
            notes.append(
                f"Of {len(workload.statements):,} different statements {chosen} were looked at: the longest, and "
                "one at least for each index of the specification."
            )
        if pass_over.master and not captured_pending:
            notes.append(
                "No pending query of the log could be judged"
                + ("." if pass_over.retyped is not None else ": the one in the specification's words was instead.")
            )
    if pass_over.retyped is not None:
        notes.append(f"The pending query in the specification's words could not be judged: {pass_over.retyped}.")
    if not pass_over.master:
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
    statements: Sequence[StatementFinding],
    indexes: Sequence[IndexFinding],
    pass_over: _Pass,
    workload: Workload | None,
) -> Status:
    if Weight.FAULT in {one.weight for one in statements} | {one.weight for one in indexes}:
        return Status.FAIL
    if workload is None:
        judged = pass_over.master and pass_over.retyped is None
    else:
        judged = pass_over.explained > 0 and pass_over.explained_s >= LEAST_TIME_RATIO * pass_over.looked_at_s
    return Status.PASS if judged else Status.INCONCLUSIVE
