"""SQLite: EXPLAIN QUERY PLAN as a `Plan`, and the catalogue."""

import re
import secrets
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from harness.indexes.catalog import IndexDefinition, IndexUsage, TableFacts
from harness.indexes.database import CannotExplainError, driver_message
from harness.indexes.placeholders import for_sqlite
from harness.indexes.plan import Plan, PlanKind

# "SEARCH TABLE deployments AS d USING COVERING INDEX name (agent_id=? AND status=?)" up to 3.35,
# "SEARCH d USING COVERING INDEX name (agent_id=? AND status=?) LEFT-JOIN" from 3.36 on.
_ACCESS = re.compile(
    r"(?P<verb>SCAN|SEARCH) (?:TABLE )?(?P<table>.+?)(?: AS (?P<alias>\S+))?"
    r"(?: USING (?P<how>.*?)(?: \((?P<condition>.*)\))?)?(?: LEFT-JOIN)?(?: EXISTS)?"
)
_INDEX = re.compile(r"(?:COVERING )?INDEX (?P<name>.+)")
_NO_TABLE = re.compile(r"CONSTANT ROW|\d+ CONSTANT ROWS|\d+-ROW VALUES CLAUSE|SUBQUERY \d+|\(.*\)")
STALE_FACTOR = 10
"""How much a table may grow before its statistics are called out of date."""
_SORT = "USE TEMP B-TREE FOR "
_NAMED_TABLE = re.compile(r"""(?:\bFROM|\bJOIN|,)\s+["`\[]?(\w+)["`\]]?\s+(?:AS\s+)?["`\[]?(\w+)""", re.IGNORECASE)


def parse_plan(rows: Iterable[tuple[int, int, str]], tables: Mapping[str, str] | None = None) -> Plan:
    """
    Build the tree from the answer to EXPLAIN QUERY PLAN.

    Args:
        rows: (id, id of the parent, detail) of each line, parents first; the top ones have parent 0.
        tables: table behind each alias of the statement; from 3.36 on SQLite tells the alias alone.

    Returns:
        A root without words of its own, its children the top lines.
    """
    below: dict[int, list[tuple[int, str]]] = {}
    for number, parent, detail in rows:
        below.setdefault(parent, []).append((number, detail))

    def children(parent: int) -> tuple[Plan, ...]:
        return tuple(_step(detail, children(number), tables or {}) for number, detail in below.get(parent, ()))

    return Plan(kind=PlanKind.OTHER, detail="", children=children(0))


def aliases(statement: str) -> dict[str, str]:
    """
    Return what looks like an alias in a statement, with the table behind it.

    A word that follows a table without being an alias (``WHERE``) does no harm: no plan names it.
    """
    return {alias: table for table, alias in _NAMED_TABLE.findall(statement)}


def _step(detail: str, children: tuple[Plan, ...], tables: Mapping[str, str]) -> Plan:
    if detail.startswith(_SORT) or detail.endswith(" USING TEMP B-TREE"):
        return Plan(kind=PlanKind.SORT, detail=detail, children=children)
    access = _ACCESS.fullmatch(detail)
    if access is None or _NO_TABLE.fullmatch(access["table"]):
        return Plan(kind=PlanKind.OTHER, detail=detail, children=children)
    how = access["how"] or ""
    index = _INDEX.fullmatch(how)
    # An automatic index is built from the whole table each time.
    searched = access["verb"] == "SEARCH" and not how.startswith("AUTOMATIC")
    return Plan(
        kind=PlanKind.SEARCH if searched else PlanKind.SCAN,
        detail=detail,
        table=tables.get(access["table"], access["table"]),
        index=index["name"] if index else None,
        condition=access["condition"],
        children=children,
    )


class SqliteDatabase:
    """
    An open SQLite database.

    Args:
        connection: open.
        writable: False makes everything but reading an error.
    """

    name = "sqlite"

    def __init__(self, connection: Connection, *, writable: bool = False) -> None:
        self._connection = connection
        if not writable:
            connection.exec_driver_sql("PRAGMA query_only = ON")

    @property
    def version(self) -> str:
        """Version of the library."""
        return str(self._connection.exec_driver_sql("SELECT sqlite_version()").scalar_one())

    @property
    def connection(self) -> Connection:
        """The connection it reads through."""
        return self._connection

    def explain(self, statement: str) -> Plan:
        """
        Return the plan of a statement without running it.

        Raises:
            CannotExplainError: SQLite does not understand it.
        """
        # Reading the schema first makes SQLite notice a change by others; the comment keeps the driver's statement
        # cache, which hands out explanations from before a DROP INDEX, from knowing the text.
        self._connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
        numbered = for_sqlite(statement)
        try:
            rows = self._connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN /* {secrets.token_hex(8)} */ {numbered.text}", (None,) * numbered.count
            ).all()
        except DBAPIError as fault:
            raise CannotExplainError(driver_message(fault)) from fault
        return parse_plan(((row[0], row[1], row[3]) for row in rows), aliases(statement))

    def indexes(self) -> tuple[IndexDefinition, ...]:
        """Return every index, the automatic ones of constraints included; a rowid table's own key is none."""
        tables = self._connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
        ).scalars()
        return tuple(found for table in tables.all() for found in self._indexes_of(str(table)))

    def tables(self) -> tuple[TableFacts, ...]:
        """Return every table with its columns and size."""
        names = self._connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
        ).scalars()
        counted = self._counted_rows()
        return tuple(self._facts(str(name), counted) for name in names.all())

    def usage(self) -> IndexUsage | None:
        """Return None: SQLite counts nothing."""
        return None

    def excuse(self, table: str, plan: Plan) -> None:
        """Return None: SQLite searches a fitting index however small the table and however few its values are."""

    def _facts(self, table: str, counted: Mapping[str, int]) -> TableFacts:
        quoted = table.replace('"', '""')
        rows = int(self._connection.exec_driver_sql(f'SELECT count(*) FROM "{quoted}"').scalar_one())  # noqa: S608  # quoted above
        columns = self._connection.exec_driver_sql("SELECT name FROM pragma_table_info(?)", (table,)).scalars()
        known = counted.get(table)
        stale = None
        if known is not None and rows >= STALE_FACTOR * max(known, 1):
            stale = f"its statistics are of {known:,} rows, and it holds {rows:,}"
        return TableFacts(name=table, columns=tuple(str(name) for name in columns.all()), rows=rows, stale=stale)

    def _counted_rows(self) -> dict[str, int]:
        """Return how many rows each analysed table had; the first number of each statistic."""
        master = "SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'"
        if not self._connection.exec_driver_sql(master).scalar_one():
            return {}
        rows = self._connection.exec_driver_sql("SELECT tbl, stat FROM sqlite_stat1").all()
        return {str(table): int(str(stat).split()[0]) for table, stat in rows if stat}

    def _indexes_of(self, table: str) -> list[IndexDefinition]:
        listed = self._connection.exec_driver_sql(
            'SELECT name, "unique", origin, partial FROM pragma_index_list(?) ORDER BY name', (table,)
        ).all()
        return [
            IndexDefinition(
                name=name,
                table=table,
                columns=self._columns_of(name),
                unique=bool(unique),
                primary=origin == "pk",
                constraint=origin != "c",
                partial=bool(partial),
            )
            for name, unique, origin, partial in listed
        ]

    def _columns_of(self, index: str) -> tuple[str, ...]:
        rows = self._connection.exec_driver_sql(
            "SELECT name, desc FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno", (index,)
        ).all()
        # SQLite gives an expression no name.
        return tuple((name or "<expression>") + (" DESC" if descending else "") for name, descending in rows)
