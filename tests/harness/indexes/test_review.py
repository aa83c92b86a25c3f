"""Judging the indexes themselves."""

from typing import Any

from harness.indexes.catalog import SPECIFIED_INDEXES, IndexDefinition, IndexUsage, TableFacts
from harness.indexes.records import IndexFinding, Weight
from harness.indexes.review import is_master, review_indexes

TABLES = (
    TableFacts(name="agents", columns=("id", "name"), rows=50, stale=None),
    TableFacts(name="deployments", columns=("id", "agent_id", "status", "created_at"), rows=9, stale=None),
)
OTHERS = (TableFacts(name="t", columns=("a", "b"), rows=9, stale=None),)
SPECIFIED = [IndexDefinition(name=one.name, table=one.table, columns=one.columns) for one in SPECIFIED_INDEXES]


def index(name: str, *columns: str, **more: Any) -> IndexDefinition:
    return IndexDefinition(name=name, table="t", columns=columns, **more)


def review(
    *definitions: IndexDefinition, usage: IndexUsage | None = None, used: set[str] | None = None
) -> list[tuple[str, str]]:
    found = review_indexes(definitions, OTHERS, usage, used)
    assert all(Weight.ADVICE is one.weight for one in found if "invalid" not in one.fault)
    return [(one.name, one.fault) for one in found]


def test_nothing_at_all() -> None:
    assert () == review_indexes((), (), None, None)


def test_specification_kept() -> None:
    assert is_master(TABLES)
    assert () == review_indexes(SPECIFIED, TABLES, None, None)


def test_foreign_database() -> None:
    """Without the master's tables and columns the specification is none of its business."""
    assert not is_master(OTHERS)
    assert not is_master(())
    assert [] == review()


def test_specified_index_missing() -> None:
    found = review_indexes(SPECIFIED[1:], TABLES, None, None)
    assert (
        IndexFinding(
            name="idx_deployment_agent_status_created",
            table="deployments",
            fault="missing, and the specification names it",
            weight=Weight.FAULT,
            remedy=(
                "CREATE INDEX idx_deployment_agent_status_created ON deployments (agent_id, status, created_at)"
            ),
        ),
    ) == found


def test_specified_index_wrong() -> None:
    wrong = IndexDefinition(
        name="idx_deployment_status", table="deployments", columns=("created_at",), partial=True
    )
    (found,) = review_indexes([SPECIFIED[0], wrong, *SPECIFIED[2:]], TABLES, None, None)
    assert (
        "on deployments (created_at) for some rows only, and the specification wants it on deployments (status)"
        == found.fault
    )
    assert (
        "DROP INDEX idx_deployment_status; CREATE INDEX idx_deployment_status ON deployments (status)"
        == found.remedy
    )


def test_agents_name_under_any_name() -> None:
    """The specification asks for an index on the name; it does not name it."""
    mine = IndexDefinition(name="mine", table="agents", columns=("name",), unique=True)
    assert () == review_indexes([*SPECIFIED[:3], mine], TABLES, None, None)
    (found,) = review_indexes(SPECIFIED[:3], TABLES, None, None)
    assert "no index on agents (name), which the specification wants" == found.fault


def test_invalid() -> None:
    (found,) = review_indexes([index("broken", "a", valid=False)], OTHERS, None, None)
    assert (Weight.FAULT, "REINDEX INDEX broken") == (found.weight, found.remedy)


def test_duplicates_and_prefixes() -> None:
    """Of two equals one is told, never the one that a constraint needs; partial ones are no equals."""
    assert [("b", "a duplicate of a")] == review(index("a", "x"), index("b", "x"))
    assert [("a", "a duplicate of b")] == review(index("a", "x"), index("b", "x", unique=True))
    assert [("a", "a duplicate of b")] == review(index("a", "x"), index("b", "x", constraint=True, unique=True))
    assert [("a", "redundant: b (x, y) begins with its columns")] == review(index("a", "x"), index("b", "x", "y"))
    assert [] == review(index("a", "x", unique=True), index("b", "x", "y"))
    assert [] == review(index("a", "y"), index("b", "x", "y"))
    assert [] == review(index("a", "x"), index("b", "x", partial=True))
    assert [] == review(index("a", "x"), index("b", "x", method="hash"))


def test_unused() -> None:
    """By the server's counters where there are some, else by the statements at hand."""
    usage = IndexUsage(scans={"a": 0, "b": 7}, since="2026-01-01")
    assert [("a", "never used since 2026-01-01, by this server's counters (a replica has its own)")] == review(
        index("a", "x"),
        index("b", "y"),
        index("u", "z", unique=True),
        index("k", "w", constraint=True),
        usage=usage,
    )
    assert [] == review(index("a", "x"), usage=usage, used={"a"})
    assert [("a", "used by none of the explained statements")] == review(
        index("a", "x"), index("b", "y"), used={"b"}
    )
    assert [] == review(index("a", "x"))


def test_stale_statistics() -> None:
    stale = TableFacts(
        name="t", columns=("a",), rows=5000, stale="it was never analysed and holds about 5,000 rows"
    )
    (found,) = review_indexes((), (stale,), None, None)
    assert ("statistics out of date: it was never analysed and holds about 5,000 rows", "ANALYZE t") == (
        found.fault,
        found.remedy,
    )
