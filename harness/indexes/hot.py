"""Whether a captured statement is served by the index that the specification names for it."""

from collections.abc import Sequence

from harness.indexes.audit import fault_of_definition
from harness.indexes.catalog import ExpectedIndex, IndexDefinition
from harness.indexes.database import Database
from harness.indexes.plan import Plan
from harness.indexes.records import CapturedStatement, StatementFinding, StatementServing, Weight
from harness.indexes.serving import fault_of_plan


def judge_serving(
    database: Database,
    definitions: Sequence[IndexDefinition],
    statement: CapturedStatement,
    plan: Plan,
    expected: ExpectedIndex | None,
) -> tuple[StatementServing, StatementFinding | None]:
    """
    Tell what serves a statement, and whether it is what the specification names.

    Args:
        database: open; asked for its excuses only.
        definitions: every index of it.
        statement: captured, or the specification's own.
        plan: of the statement.
        expected: the index that the specification names for it, from `harness.indexes.roles.specified_index`.

    Returns:
        What serves it; and the fault that its index stands there as it should and is passed over, or None. An
        index that is missing or on other columns is a finding about indexes, which names its cure.
    """
    used = tuple(dict.fromkeys(name for node in plan.nodes() if (name := _entered(node)) is not None))
    if expected is None:
        return StatementServing(statement=statement, index=None, served=None, used=used), None
    standing, missing = _standing(definitions, expected)
    if missing is not None:
        return _serving(statement, expected.name, used, served=False, note=missing), None
    faults = {one.name: fault_of_plan(plan, one, ties=True) for one in standing}
    # The specification leaves the name of one index open: any that stands may serve.
    name = next((name for name, fault in faults.items() if fault is None), standing[0].name)
    fault = faults[name]
    if fault is None:
        return _serving(statement, name, used, served=True), None
    excuse = database.excuse(expected.table, plan)
    finding = StatementFinding(
        statement=statement,
        plan=plan.one_line(),
        fault=f"not served by {name}, which the specification names for it: {fault}",
        weight=Weight.FAULT if excuse is None else Weight.ADVICE,
        note=excuse,
    )
    if excuse is None:
        return _serving(statement, name, used, served=False, note=fault), finding
    # A captured one has its line in the table of statements, with the excuse; the specification's own has none.
    return _serving(statement, name, used, served=None, note=excuse), None if statement.calls else finding


def _entered(node: Plan) -> str | None:
    # SQLite keeps a table in the order of its integer key, which is no index.
    return "primary key" if " USING INTEGER PRIMARY KEY" in node.detail else node.index


def _standing(
    definitions: Sequence[IndexDefinition], expected: ExpectedIndex
) -> tuple[list[IndexDefinition], str | None]:
    """Return the indexes that fulfil the specification, or why there is none."""
    if not expected.named:
        fitting = [
            one
            for one in definitions
            if one.table == expected.table and one.columns[: len(expected.columns)] == expected.columns
            if one.valid and not one.partial
        ]
        missing = f"there is no index on {expected.table} ({', '.join(expected.columns)})"
        return fitting, None if fitting else missing
    found = next((one for one in definitions if one.name == expected.name), None)
    if found is None:
        return [], f"there is no index {expected.name}"
    return [found], fault_of_definition(found, expected.table, expected.columns)


def _serving(
    statement: CapturedStatement,
    index: str,
    used: tuple[str, ...],
    *,
    served: bool | None,
    note: str | None = None,
) -> StatementServing:
    return StatementServing(statement=statement, index=index, served=served, used=used, note=note)
