"""What counts as being served by an index: a pure judgement."""

import pytest

from harness.indexes.catalog import PENDING_INDEX, IndexDefinition
from harness.indexes.plan import Plan, PlanKind
from harness.indexes.serving import LARGEST_SORT_UNDER_LIMIT, fault_of_plan
from tests.harness.indexes import golden_plans

INDEX = PENDING_INDEX.name
DEFINITION = IndexDefinition(name=INDEX, table="deployments", columns=PENDING_INDEX.columns)
POSTGRES = [name for name in golden_plans.names() if name.startswith("postgresql")]


def search(**other: object) -> Plan:
    fields: dict[str, object] = {
        "kind": PlanKind.SEARCH,
        "detail": "the search",
        "table": "deployments",
        "index": INDEX,
        "condition": "(agent_id = $1) AND (status = $2)",
        "rows": 10.0,
    }
    return Plan(**(fields | other))  # type: ignore[arg-type]


def above(kind: PlanKind, detail: str, *children: Plan) -> Plan:
    return Plan(kind=kind, detail=detail, children=children)


@pytest.mark.parametrize("title", ["pending", "pending, first one", "pending under an alias", "index only"])
@pytest.mark.parametrize("name", golden_plans.names())
def test_pending_query_is_served_on_every_version(name: str, title: str) -> None:
    """With its index, on every stored server: index scan, covering scan, bitmap with a small sort."""
    assert fault_of_plan(golden_plans.tree(name, golden_plans.stored(name)[title]), DEFINITION) is None


@pytest.mark.parametrize("title", ["sort", "sort of the rest", "full scan", "named index read whole", "window"])
@pytest.mark.parametrize("name", [name for name in golden_plans.names() if name.startswith("sqlite")])
def test_other_queries_are_not_on_sqlite(name: str, title: str) -> None:
    """A sort, a scan of the table and a scan of a named index don't count."""
    assert fault_of_plan(golden_plans.tree(name, golden_plans.stored(name)[title]), DEFINITION) is not None


@pytest.mark.parametrize("name", golden_plans.names())
def test_without_the_index(name: str) -> None:
    """The reason names what is done instead."""
    fault = fault_of_plan(
        golden_plans.tree(name, golden_plans.stored(name)[golden_plans.WITHOUT_COMPOSITE]), DEFINITION
    )
    assert fault is not None
    assert "another way in is taken: " == fault[:25]
    assert "idx_deployment_status" in fault


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (search(), None),
        (above(PlanKind.SORT, "Sort", search()), None),
        (above(PlanKind.SORT, "Sort", above(PlanKind.OTHER, "Gather", search())), None),
        (above(PlanKind.OTHER, "Limit", above(PlanKind.SORT, "Sort", search())), None),
        (
            above(
                PlanKind.OTHER, "Limit", above(PlanKind.SORT, "Sort", search(rows=LARGEST_SORT_UNDER_LIMIT + 1.0))
            ),
            "its rows are sorted: Sort",
        ),
        # Ties of the index's own order: however many rows there are, only the first ones are sorted.
        (
            above(
                PlanKind.OTHER, "Limit", above(PlanKind.SORT, "Incremental Sort by created_at", search(rows=5e6))
            ),
            None,
        ),
        # SQLite's form: the sort beside the search, not above it.
        (
            above(PlanKind.OTHER, "", search(), above(PlanKind.SORT, "USE TEMP B-TREE")),
            "its rows are sorted: USE TEMP B-TREE",
        ),
        (
            search(filter="(status = $2)"),
            "rows found by the index are checked again and thrown away: the search",
        ),
        (search(filter="(artifact = $3)"), None),
        (search(condition="(status = $2)"), "the index is not entered at its first column: the search"),
        (search(condition=None), "the index is not entered at its first column: the search"),
        (
            search(kind=PlanKind.SCAN),
            f"the whole index {INDEX} is read: the search",
        ),
        (search(index="other"), "another way in is taken: the search"),
        (above(PlanKind.SCAN, "Seq Scan"), "all rows are read: Seq Scan"),
        (above(PlanKind.OTHER, "Result"), "the plan does not use the index: Result"),
        (
            above(PlanKind.OTHER, "Append", search(), search(kind=PlanKind.SCAN, index=None, detail="Seq Scan")),
            "besides the index all rows are read: Seq Scan",
        ),
        # Another table's scan is another index's business.
        (above(PlanKind.OTHER, "Join", search(), search(kind=PlanKind.SCAN, index=None, table="agents")), None),
    ],
)
def test_shapes(plan: Plan, expected: str | None) -> None:
    assert expected == fault_of_plan(plan, DEFINITION)


def test_expression_and_descending_columns() -> None:
    """The first column is found however the catalogue writes it."""
    definition = IndexDefinition(name=INDEX, table="deployments", columns=("agent_id DESC",))
    assert fault_of_plan(search(), definition) is None
