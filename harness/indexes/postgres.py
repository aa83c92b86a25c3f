"""PostgreSQL: EXPLAIN (FORMAT JSON) of the generic plan as a `Plan`, and the catalogue."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from harness.errors import HarnessError, explain
from harness.indexes.catalog import IndexDefinition, IndexUsage, TableFacts
from harness.indexes.database import CannotExplainError, driver_message
from harness.indexes.placeholders import Numbered, for_postgres
from harness.indexes.plan import Plan, PlanKind

OLDEST_VERSION = 120000
"""The first server with ``plan_cache_mode``, in ``server_version_num``'s form."""
SMALL_TABLE_ROWS = 1000
"""
Below this a healthy planner may read the whole table, which fits into a few pages. Measured on 15 and 18 with rows
of 100 bytes: from 400 rows on the composite index is used wherever there are ten agents or more.
"""
UNSELECTIVE_RATIO = 0.05
"""
Above this share of a table, matches are as cheap to find in other ways: with one or two agents the agent's id says
next to nothing. In the same measurement the index was used up to 10 % and passed over at 12.5 %.
"""
STALE_RATIO = 0.5
"""Share of changed rows above which statistics are called out of date; autovacuum analyses at 0.1 by default."""
STATEMENT_TIMEOUT_MS = 5000
LOCK_TIMEOUT_MS = 1000
LATER_LOCK_TIMEOUT_MS = 50
"""After the first lock that was waited for in vain: who holds it would be waited for by each statement anew."""

_INDEX_SCANS = ("Index Scan", "Index Only Scan")
_KINDS = {
    "Seq Scan": PlanKind.SCAN,
    "Sample Scan": PlanKind.SCAN,
    "Bitmap Heap Scan": PlanKind.SEARCH,
    "Bitmap Index Scan": PlanKind.SEARCH,
    "Tid Scan": PlanKind.SEARCH,
    "Tid Range Scan": PlanKind.SEARCH,
    "Sort": PlanKind.SORT,
    "Incremental Sort": PlanKind.SORT,
}
_STATISTICS = """
SELECT EXISTS (SELECT FROM pg_stats s WHERE s.tablename = c.relname AND s.schemaname = n.nspname), c.reltuples
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)
"""
_TABLES = """
SELECT c.relname,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
       greatest(c.reltuples, s.n_live_tup, 0), s.n_live_tup, s.n_mod_since_analyze,
       coalesce(s.last_analyze, s.last_autoanalyze) IS NOT NULL
FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE pg_table_is_visible(c.oid)
ORDER BY c.relname
"""
# An expression's text takes a lock on its table, which another session may hold; a column's name takes none.
_INDEXES = """
SELECT i.relname, t.relname, x.indisunique, x.indisprimary, x.indpred IS NOT NULL, x.indisvalid AND x.indisready,
       m.amname, EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid),
       ARRAY(SELECT CASE x.indkey[k - 1] WHEN 0 THEN pg_get_indexdef(x.indexrelid, k, true)
                                         ELSE (SELECT quote_ident(a.attname) FROM pg_attribute a
                                               WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[k - 1]) END
                    || CASE WHEN x.indoption[k - 1] & 1 = 1 THEN ' DESC' ELSE '' END
             FROM generate_series(1, x.indnkeyatts) AS k)
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_class t ON t.oid = x.indrelid
JOIN pg_am m ON m.oid = i.relam
WHERE pg_table_is_visible(t.oid) AND t.relnamespace <> 'pg_catalog'::regnamespace
ORDER BY t.relname, i.relname
"""


def parse_plan(document: str | Sequence[Mapping[str, Any]]) -> Plan:
    """
    Build the tree from the answer to EXPLAIN (FORMAT JSON).

    Args:
        document: the answer, as text or already decoded.

    Returns:
        The top step.

    Raises:
        CannotExplainError: the answer is no plan.
    """
    try:
        decoded = json.loads(document) if isinstance(document, str) else document
        return _step(decoded[0]["Plan"])
    except (ValueError, KeyError, IndexError, TypeError) as fault:
        raise CannotExplainError(f"the answer is no plan in JSON: {fault!r}") from fault


def _step(node: Mapping[str, Any]) -> Plan:
    children = tuple(_step(child) for child in node.get("Plans", ()))
    kind = _KINDS.get(node["Node Type"], PlanKind.OTHER)
    if node["Node Type"] in _INDEX_SCANS:
        # Without a condition the whole index is read; "Order By" is a nearest-neighbour search.
        kind = PlanKind.SEARCH if "Index Cond" in node or "Order By" in node else PlanKind.SCAN
    index = node.get("Index Name")
    if node["Node Type"] == "Bitmap Heap Scan":
        below = {found.index for child in children for found in child.nodes() if found.index}
        index = below.pop() if len(below) == 1 else None
    return Plan(
        kind=kind,
        detail=_detail(node),
        table=node.get("Relation Name"),
        index=index,
        condition=node.get("Index Cond") or node.get("Recheck Cond"),
        filter=node.get("Filter"),
        rows=node.get("Plan Rows"),
        cost=node.get("Total Cost"),
        children=children,
    )


def _detail(node: Mapping[str, Any]) -> str:
    """Return the step as EXPLAIN's text form would put it, in one line."""
    text = str(node["Node Type"])
    if "Index Name" in node:
        text += f" using {node['Index Name']}"
    if "Relation Name" in node:
        text += f" on {node['Relation Name']}"
    if "Sort Key" in node:
        text += f" by {', '.join(node['Sort Key'])}"
    conditions = [f"{name}: {node[name]}" for name in ("Index Cond", "Filter") if name in node]
    return f"{text} [{'; '.join(conditions)}]" if conditions else text


def _stale(table: str, rows: int, changes: int, analysed: bool) -> str | None:  # noqa: FBT001  # a row of _TABLES
    if rows < SMALL_TABLE_ROWS:
        return None
    if not analysed:
        return f"it was never analysed and holds about {rows:,} rows"
    if changes > STALE_RATIO * rows:
        return f"{changes:,} of about {rows:,} rows of {table} have changed since it was last analysed"
    return None


class PostgresDatabase:
    """An open PostgreSQL database, in one transaction that can't write and that waits for nobody long."""

    name = "postgresql"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._run("SET TRANSACTION READ ONLY")
        number, self._version = self._run(
            "SELECT current_setting('server_version_num')::int, "
            "split_part(current_setting('server_version'), ' ', 1)"
        )[0]
        if number < OLDEST_VERSION:
            raise HarnessError(
                explain("PostgreSQL", self._version, fault="too old to ask for a generic plan", need="12 or newer")
            )
        for setting in (
            f"statement_timeout = {STATEMENT_TIMEOUT_MS}",
            f"lock_timeout = {LOCK_TIMEOUT_MS}",
            # The plan for any value, not for the one at hand: it is what a healthy index is measured by.
            "plan_cache_mode = force_generic_plan",
        ):
            self._run(f"SET LOCAL {setting}")

    @property
    def version(self) -> str:
        """Version of the server."""
        return str(self._version)

    @property
    def connection(self) -> Connection:
        """The connection it reads through."""
        return self._connection

    def explain(self, statement: str) -> Plan:
        """
        Return the generic plan of a statement without running it.

        Raises:
            CannotExplainError: PostgreSQL does not understand it, can't tell the type of a value, may not read one
                of its tables, or had to wait too long for a lock.
        """
        try:
            return parse_plan(self.document(for_postgres(statement.strip().rstrip(";"))))
        except CannotExplainError as fault:
            if "lock timeout" in str(fault):
                self._run(f"SET LOCAL lock_timeout = {LATER_LOCK_TIMEOUT_MS}")
            raise

    def document(self, numbered: Numbered) -> Any:
        """Return the answer to EXPLAIN (FORMAT JSON) as it comes; see `explain`."""
        name = f"harness_{secrets.token_hex(8)}"
        values = f" ({', '.join(['NULL'] * numbered.count)})" if numbered.count else ""
        savepoint = self._connection.begin_nested()
        prepared = False
        try:
            self._prepare(name, numbered.text)
            prepared = True
            return self._run(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{values}")[0][0]
        except DBAPIError as fault:
            raise CannotExplainError(driver_message(fault)) from fault
        finally:
            savepoint.rollback()
            if prepared:  # a rollback leaves it in place
                self._run(f"DEALLOCATE {name}")

    def indexes(self) -> tuple[IndexDefinition, ...]:
        """Return every index of the tables on the search path."""
        return tuple(
            IndexDefinition(
                name=name,
                table=table,
                columns=tuple(columns),
                unique=unique,
                primary=primary,
                constraint=constraint,
                partial=partial,
                valid=valid,
                method=method,
            )
            for name, table, unique, primary, partial, valid, method, constraint, columns in self._run(_INDEXES)
        )

    def tables(self) -> tuple[TableFacts, ...]:
        """Return every table on the search path, with its columns and the planner's idea of its size."""
        return tuple(
            TableFacts(name=name, columns=tuple(columns), rows=int(rows), stale=_stale(name, *counts))
            for name, columns, rows, *counts in self._run(_TABLES)
        )

    def usage(self) -> IndexUsage | None:
        """Return how often each index was used since the server's counters were last set to zero."""
        scans = self._run(
            "SELECT indexrelname, idx_scan FROM pg_stat_user_indexes WHERE pg_table_is_visible(relid)"
        )
        since = self._run(
            "SELECT to_char(stats_reset, 'YYYY-MM-DD') FROM pg_stat_database WHERE datname = current_database()"
        )[0][0]
        return IndexUsage(scans={name: int(count or 0) for name, count in scans}, since=since)

    def excuse(self, table: str, plan: Plan) -> str | None:
        """
        Return why a plan that passes an index over says nothing against the index.

        The table is small, it was never analysed, or the statement wants too large a part of it.

        Args:
            table: that the index belongs to.
            plan: the generic plan.
        """
        quoted = table.replace('"', '""')
        few = f'SELECT count(*) FROM (SELECT 1 FROM "{quoted}" LIMIT {SMALL_TABLE_ROWS:d}) AS few'  # noqa: S608  # quoted above
        rows = int(self._run(few)[0][0])
        if rows < SMALL_TABLE_ROWS:
            return (
                f"too small to judge: {table} holds {rows} rows, and below {SMALL_TABLE_ROWS} a healthy planner "
                "may pass over any index"
            )
        analysed, estimate = self._run(_STATISTICS, f'"{quoted}"')[0]
        if not analysed:
            return f"no statistics to judge by: {table} was never analysed; ANALYZE {table} does it"
        expected = min((node.rows for node in plan.nodes() if node.table == table and node.rows), default=0.0)
        if expected > UNSELECTIVE_RATIO * max(estimate, 1.0):
            return (
                f"too few different values to judge: the planner expects {expected:.0f} of {estimate:.0f} rows of "
                f"{table}, a share that other ways find as cheaply"
            )
        return None

    def _prepare(self, name: str, statement: str) -> None:
        # The statement may come from a log that anybody could write to: by the extended protocol, which `binary`
        # asks for, the server takes one command and refuses a second after a semicolon.
        driver: Any = self._connection.connection.driver_connection
        errors: Any = self._connection.dialect.dbapi
        try:
            driver.execute(f"PREPARE {name} AS {statement}", binary=True)
        except errors.Error as fault:
            raise CannotExplainError(driver_message(fault)) from fault

    def _run(self, command: str, *values: str) -> Sequence[Any]:
        # Without values the driver must not look for placeholders: a statement may hold any per cent sign.
        options = {"no_parameters": not values}
        result = self._connection.exec_driver_sql(command, values or None, execution_options=options)
        return result.all() if result.returns_rows else ()
