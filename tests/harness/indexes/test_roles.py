"""Which index the specification names for a statement, and for which statements it names none."""

import pytest

from harness.indexes.roles import specified_index

COMPOSITE = "idx_deployment_agent_status_created"
STATUS = "idx_deployment_status"
CREATED = "idx_deployment_created_at"
NAME = "idx_agent_name"


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("SELECT a FROM deployments WHERE agent_id = ? AND status = ? ORDER BY created_at", COMPOSITE),
        (
            "select a\nfrom deployments\nwhere status = 'it''s' and agent_id = 'x'\norder by created_at desc",
            COMPOSITE,
        ),
        (
            'SELECT "a" FROM "deployments" WHERE ("t"."agent_id" = %s AND "status" = %s) ORDER BY "created_at"',
            COMPOSITE,
        ),
        (
            "SELECT a FROM public.deployments AS d WHERE d.agent_id = $1::TEXT AND d.status = $2;",
            COMPOSITE,
        ),
        (
            "SELECT a FROM deployments WHERE agent_id = $1 AND status = $2 AND created_at > $3 FOR UPDATE",
            COMPOSITE,
        ),
        ("UPDATE deployments SET status=? WHERE agent_id = :a AND status = :b RETURNING id", COMPOSITE),
        ("/* 4711 */ SELECT count(*) FROM deployments d WHERE d.status = %(status_1)s -- OR", STATUS),
        ("DELETE FROM deployments WHERE created_at < ?", CREATED),
        ("SELECT a FROM deployments WHERE created_at BETWEEN ? AND ? ORDER BY created_at DESC, id DESC", CREATED),
        ("SELECT a FROM deployments WHERE created_at >= ? AND created_at < ? LIMIT ? OFFSET ?", CREATED),
        ("SELECT a FROM agents WHERE (agents.name = ?) ORDER BY agents.id LIMIT ?", NAME),
    ],
)
def test_the_specification_s_shapes(statement: str, index: str) -> None:
    """However they are written, and whatever the driver's placeholders."""
    found = specified_index(statement)
    assert found is not None
    assert index == found.name


@pytest.mark.parametrize(
    "statement",
    [
        "",
        "BEGIN",
        "SELECT 1",
        "SELECT a FROM deployments",
        "SELECT status, count(*) FROM deployments GROUP BY status",
        "INSERT INTO deployments SELECT a FROM deployments WHERE status = ?",
        "UPDATE deployments SET status=?, agent_id=? WHERE id = ?",
        # A sort or a choice of several values, which the composite can't give in order.
        "SELECT a FROM deployments WHERE agent_id = ? AND status = ? ORDER BY artifact",
        "SELECT a FROM deployments WHERE agent_id = ? AND status = ? ORDER BY lower(created_at)",
        "SELECT a FROM deployments WHERE agent_id = ? AND status IN (?, ?) ORDER BY created_at",
        "SELECT a FROM deployments WHERE agent_id = ? AND (status = ? OR status = ?)",
        "SELECT a FROM deployments WHERE (agent_id = ?) OR (status = ?)",
        "SELECT a FROM deployments WHERE agent_id = ? AND status = ANY($2)",
        "SELECT a FROM deployments WHERE agent_id = ? AND status IS NULL",
        "SELECT a FROM deployments WHERE agent_id = ? AND status <> ?",
        "SELECT a FROM deployments WHERE agent_id = ? AND NOT status = ?",
        "SELECT a FROM deployments WHERE agent_id = ? AND lower(status) = ?",
        "SELECT a FROM deployments WHERE agent_id = ? AND status = (SELECT x FROM y WHERE z = ?)",
        # More conditions: another index may serve better.
        "SELECT a FROM deployments WHERE agent_id = ? AND status = ? AND artifact = ?",
        "SELECT a FROM deployments WHERE status = ? AND created_at < ?",
        # Either of two indexes.
        "SELECT a FROM deployments WHERE status = ? ORDER BY created_at LIMIT 5",
        "SELECT a FROM deployments ORDER BY created_at LIMIT 5",
        # Several tables, or another one.
        "SELECT a FROM deployments JOIN agents ON agents.id = agent_id WHERE status = ?",
        "SELECT a FROM deployments, agents WHERE status = ?",
        "SELECT a FROM other WHERE agent_id = ? AND status = ?",
        "SELECT a FROM deployments WHERE status = ? UNION SELECT 1",
        "SELECT DISTINCT a FROM deployments WHERE status = ?",
        "SELECT a FROM deployments WHERE agent_id = ? AND sta… (3000 more)",
    ],
)
def test_other_statements_have_none(statement: str) -> None:
    assert specified_index(statement) is None
