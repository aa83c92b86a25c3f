"""Whether a plan serves a statement by one index: a pure judgement of a tree and a definition."""

import re
from collections.abc import Iterator

from harness.indexes.catalog import IndexDefinition
from harness.indexes.plan import Plan, PlanKind

LARGEST_SORT_UNDER_LIMIT = 1000
"""Rows that a plan may sort although it needs only the first of them."""


_TIES = re.compile(r"Incremental Sort\b|USE TEMP B-TREE FOR (?:RIGHT PART|LAST .*TERMS?) OF ORDER BY")


def sorts_ties(sort: Plan) -> bool:
    """Tell whether a sort goes on from an index's order, group by group, instead of beginning anew."""
    return _TIES.match(sort.detail) is not None


def fault_of_plan(plan: Plan, definition: IndexDefinition, *, ties: bool = False) -> str | None:
    """
    Tell why a plan does not serve its statement by an index, or None when it does.

    It does when it enters the index at its first column, checks none of the index's columns afterwards, reads the
    table in no other way, and sorts nothing. Two sorts are allowed: a bitmap of the index's matches gives them in
    the table's order, and PostgreSQL then sorts just these; and ties of the index's order may be sorted further.

    Args:
        plan: of the statement.
        definition: of the index that should serve it.
        ties: whether the statement is known to order by the index's last column first, so that what SQLite sorts
            of the rest is ties as well; its plan does not tell how large the groups are.

    Returns:
        A clause that names the step at fault.
    """
    entered = [node for node in _searches(plan, definition) if _mentions(node.condition, definition.columns[:1])]
    if not entered:
        return _instead(plan, definition)
    for node in plan.nodes():
        if node.kind is PlanKind.SCAN and node.table == definition.table:
            return f"besides the index all rows are read: {node.detail}"
        if node.index == definition.name and _mentions(node.filter, definition.columns):
            return f"rows found by the index are checked again and thrown away: {node.detail}"
    costly = (node for node in _costly_sorts(plan, definition) if not (ties and sorts_ties(node)))
    return next((f"its rows are sorted: {node.detail}" for node in costly), None)


def _searches(plan: Plan, definition: IndexDefinition) -> Iterator[Plan]:
    return (node for node in plan.nodes() if node.kind is PlanKind.SEARCH and node.index == definition.name)


def _instead(plan: Plan, definition: IndexDefinition) -> str:
    for node in plan.nodes():
        if node.kind is PlanKind.SCAN:
            how = f"the whole index {node.index} is read" if node.index else "all rows are read"
            return f"{how}: {node.detail}"
    for node in plan.nodes():
        if node.index == definition.name:
            return f"the index is not entered at its first column: {node.detail}"
        if node.kind is PlanKind.SEARCH:
            return f"another way in is taken: {node.detail}"
    return f"the plan does not use the index: {plan.one_line()}"


def _costly_sorts(plan: Plan, definition: IndexDefinition, *, limited: bool = False) -> Iterator[Plan]:
    if plan.kind is PlanKind.SORT and not _is_allowed_sort(plan, definition, limited=limited):
        yield plan
    for child in plan.children:
        yield from _costly_sorts(child, definition, limited=limited or plan.detail.startswith("Limit"))


def _is_allowed_sort(sort: Plan, definition: IndexDefinition, *, limited: bool) -> bool:
    feeds = [node for child in sort.children for node in child.nodes() if node.kind is not PlanKind.OTHER]
    if not feeds or any(node.kind is not PlanKind.SEARCH or node.index != definition.name for node in feeds):
        return False
    # An incremental sort puts the ties of the index's own order right, and stops where the limit is reached.
    ties_only = sort.detail.startswith("Incremental Sort")
    return ties_only or not limited or (sort.children[0].rows or 0) <= LARGEST_SORT_UNDER_LIMIT


def _mentions(condition: str | None, columns: tuple[str, ...]) -> bool:
    if condition is None:
        return False
    words = set(re.findall(r"\w+", condition))
    return any(column.strip('"').removesuffix(" DESC") in words for column in columns)
