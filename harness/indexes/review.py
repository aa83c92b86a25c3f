"""Judge the indexes themselves: the specification's, duplicates, unused ones. Pure."""

from collections.abc import Collection, Iterator, Sequence

from harness.indexes.catalog import SPECIFIED_INDEXES, ExpectedIndex, IndexDefinition, IndexUsage, TableFacts
from harness.indexes.records import IndexFinding, Weight


def review_indexes(
    definitions: Sequence[IndexDefinition],
    tables: Sequence[TableFacts],
    usage: IndexUsage | None,
    used: Collection[str] | None,
) -> tuple[IndexFinding, ...]:
    """
    Return what is wrong with a database's indexes and statistics, faults first.

    Args:
        definitions: every index.
        tables: every table.
        usage: the database's own counters; None when it has none.
        used: indexes that the plans of the audited statements use; None when there were no statements.
    """
    redundant = tuple(_redundant(definitions))
    told = {finding.name for finding in redundant}
    findings = [
        *_specified(definitions, tables),
        *_invalid(definitions),
        *redundant,
        *(finding for finding in _unused(definitions, usage, used) if finding.name not in told),
        *(
            IndexFinding(
                name=table.name,
                table=table.name,
                fault=f"statistics out of date: {table.stale}",
                weight=Weight.ADVICE,
                remedy=f"ANALYZE {table.name}",
            )
            for table in tables
            if table.stale is not None
        ),
    ]
    return tuple(sorted(findings, key=lambda one: one.weight is not Weight.FAULT))


def is_master(tables: Sequence[TableFacts]) -> bool:
    """Tell whether a database is a deployment master's, by the columns that the specification's indexes need."""
    held = {table.name: set(table.columns) for table in tables}
    return all(set(index.columns) <= held.get(index.table, set()) for index in SPECIFIED_INDEXES)


def _specified(definitions: Sequence[IndexDefinition], tables: Sequence[TableFacts]) -> Iterator[IndexFinding]:
    if not is_master(tables):
        return
    by_name = {definition.name: definition for definition in definitions}
    for expected in SPECIFIED_INDEXES:
        if not expected.named:
            fitting = (one for one in definitions if one.table == expected.table and not one.partial)
            if not any(one.columns[: len(expected.columns)] == expected.columns for one in fitting):
                keys = ", ".join(expected.columns)
                yield _missing(expected, f"no index on {expected.table} ({keys}), which the specification wants")
            continue
        found = by_name.get(expected.name)
        if found is None:
            yield _missing(expected, "missing, and the specification names it")
        elif (found.table, found.columns) != (expected.table, expected.columns) or found.partial:
            wanted = f"{expected.table} ({', '.join(expected.columns)})"
            really = f"{found.table} ({', '.join(found.columns)}){' for some rows only' if found.partial else ''}"
            yield _missing(expected, f"on {really}, and the specification wants it on {wanted}", replaced=True)


def _missing(expected: ExpectedIndex, fault: str, *, replaced: bool = False) -> IndexFinding:
    drop = f"DROP INDEX {expected.name}; " if replaced else ""
    return IndexFinding(
        name=expected.name,
        table=expected.table,
        fault=fault,
        weight=Weight.FAULT,
        remedy=drop + expected.create_statement,
    )


def _invalid(definitions: Sequence[IndexDefinition]) -> Iterator[IndexFinding]:
    for one in definitions:
        if not one.valid:
            yield IndexFinding(
                name=one.name,
                table=one.table,
                fault="invalid: its building failed half-way, writes keep it up and no query uses it",
                weight=Weight.FAULT,
                remedy=f"REINDEX INDEX {one.name}",
            )


def _redundant(definitions: Sequence[IndexDefinition]) -> Iterator[IndexFinding]:
    named = {index.name for index in SPECIFIED_INDEXES}
    plain = [one for one in definitions if one.method == "btree" and not one.partial and one.valid]
    for position, one in enumerate(plain):
        if one.constraint or one.unique or one.name in named:
            continue
        for other_position, other in enumerate(plain):
            if other is one or other.table != one.table or other.columns[: len(one.columns)] != one.columns:
                continue
            same = other.columns == one.columns
            # Of two equals the first is kept, unless the other can't be dropped.
            if (
                same
                and position < other_position
                and not (other.constraint or other.unique or other.name in named)
            ):
                continue
            fault = (
                f"a duplicate of {other.name}"
                if same
                else f"redundant: {other.name} ({', '.join(other.columns)}) begins with its columns"
            )
            yield IndexFinding(
                name=one.name,
                table=one.table,
                fault=fault,
                weight=Weight.ADVICE,
                remedy=f"DROP INDEX {one.name}",
            )
            break


def _unused(
    definitions: Sequence[IndexDefinition], usage: IndexUsage | None, used: Collection[str] | None
) -> Iterator[IndexFinding]:
    named = {index.name for index in SPECIFIED_INDEXES}
    for one in definitions:
        # The specification's stay in any case; a unique one is there for what it forbids.
        if one.constraint or one.unique or one.name in named or (used is not None and one.name in used):
            continue
        if usage is not None and usage.scans.get(one.name, 0) == 0:
            since = f" since {usage.since}" if usage.since else ""
            fault = f"never used{since}, by this server's counters (a replica has its own)"
            remedy: str | None = f"DROP INDEX {one.name}"
        elif usage is None and used is not None:
            fault, remedy = "used by none of the explained statements", None
        else:
            continue
        yield IndexFinding(name=one.name, table=one.table, fault=fault, weight=Weight.ADVICE, remedy=remedy)
