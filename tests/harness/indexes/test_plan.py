"""Plans of several servers become the same small tree."""

import pytest

from harness.indexes import postgres, sqlite
from harness.indexes.database import CannotExplainError
from harness.indexes.plan import Plan, PlanKind
from tests.harness.indexes import golden_plans

ACCESS = {PlanKind.SCAN, PlanKind.SEARCH}


@pytest.mark.parametrize("name", golden_plans.names())
def test_stored_answers(name: str) -> None:
    """Every stored answer of every stored version still gives the outline that was reviewed."""
    expected = (golden_plans.FOLDER / f"{name}.txt").read_text()
    assert expected == golden_plans.outlines(name)


def test_several_versions_are_stored() -> None:
    """Both databases, old and new."""
    databases = [name.split("-")[0] for name in golden_plans.names()]
    assert 4 <= databases.count("sqlite")
    assert 4 <= databases.count("postgresql")


@pytest.mark.parametrize("name", golden_plans.names())
def test_every_step_of_a_search_names_its_table(name: str) -> None:
    """Nothing that reads a table is mistaken for something else, aliases or not."""
    for title, answer in golden_plans.stored(name).items():
        plan = golden_plans.tree(name, answer)
        if title in {"no table", "insert"}:
            assert not any(node.kind in ACCESS for node in plan.nodes())
        else:
            tables = {
                node.table for node in plan.nodes() if node.kind in ACCESS and "Bitmap Index" not in node.detail
            }
            assert tables
            assert tables <= {"deployments", "agents", "bare"}, title


def test_sqlite_without_lines() -> None:
    """An INSERT has an empty plan."""
    assert Plan(kind=PlanKind.OTHER, detail="") == sqlite.parse_plan([])


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("SCAN my table", Plan(kind=PlanKind.SCAN, detail="SCAN my table", table="my table")),
        (
            "SEARCH pairs USING PRIMARY KEY (a=?)",
            Plan(
                kind=PlanKind.SEARCH, detail="SEARCH pairs USING PRIMARY KEY (a=?)", table="pairs", condition="a=?"
            ),
        ),
        (
            "SEARCH d USING INDEX i (a=? AND b>?) LEFT-JOIN",
            Plan(
                kind=PlanKind.SEARCH,
                detail="SEARCH d USING INDEX i (a=? AND b>?) LEFT-JOIN",
                table="d",
                index="i",
                condition="a=? AND b>?",
            ),
        ),
        (
            "SEARCH t USING INDEX i (<expr>=?)",
            Plan(
                kind=PlanKind.SEARCH,
                detail="SEARCH t USING INDEX i (<expr>=?)",
                table="t",
                index="i",
                condition="<expr>=?",
            ),
        ),
        ("SCAN 3-ROW VALUES CLAUSE", Plan(kind=PlanKind.OTHER, detail="SCAN 3-ROW VALUES CLAUSE")),
        ("UNION USING TEMP B-TREE", Plan(kind=PlanKind.SORT, detail="UNION USING TEMP B-TREE")),
        ("SCAN fts VIRTUAL TABLE INDEX 0:", None),
        ("some future words", Plan(kind=PlanKind.OTHER, detail="some future words")),
    ],
)
def test_sqlite_lines(detail: str, expected: Plan | None) -> None:
    """Lines that the stored answers don't hold; what is not understood is kept in its own words."""
    (step,) = sqlite.parse_plan([(1, 0, detail)]).children
    if expected is not None:
        assert expected == step
    assert detail == step.detail


@pytest.mark.parametrize("document", ["", "[]", "{}", "[{}]", '[{"Plan": {}}]', "[1]", "null"])
def test_postgres_answers_that_are_no_plan(document: str) -> None:
    """A proxy's nonsense is an error of that statement, not a crash."""
    with pytest.raises(CannotExplainError, match=r"^the answer is no plan in JSON: "):
        postgres.parse_plan(document)


def test_postgres_bitmaps_of_two_indexes_name_none() -> None:
    """A heap scan fed by two indexes is served by neither alone."""
    leaf = {"Node Type": "Bitmap Index Scan", "Total Cost": 1.0, "Plan Rows": 1}
    plan = postgres.parse_plan(
        [
            {
                "Plan": {
                    "Node Type": "Bitmap Heap Scan",
                    "Relation Name": "t",
                    "Plans": [
                        {
                            "Node Type": "BitmapOr",
                            "Plans": [leaf | {"Index Name": "a"}, leaf | {"Index Name": "b"}],
                        }
                    ],
                }
            }
        ]
    )
    assert (PlanKind.SEARCH, "t", None) == (plan.kind, plan.table, plan.index)
    assert (
        "Bitmap Heap Scan on t ← BitmapOr ← (Bitmap Index Scan using a; Bitmap Index Scan using b)"
        == plan.one_line()
    )
