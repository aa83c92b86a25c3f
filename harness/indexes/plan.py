"""One small tree for the query plans of every database: what is read how, and what is sorted."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class PlanKind(StrEnum):
    """What a step of a plan does, as far as an index is concerned."""

    SCAN = "scan"
    """Reads a whole table, or a whole index: its work grows with the table."""
    SEARCH = "search"
    """Enters an index, or the table's own key, at the values asked for."""
    SORT = "sort"
    """Puts rows in order, or in groups, by itself."""
    OTHER = "other"
    """Everything else: joins, limits, aggregates, subqueries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    A step of a query plan with the steps that feed it.

    Args:
        kind: what it does.
        detail: the step in the database's own words, in one line; empty for a mere root.
        table: table read, or its alias where the database tells nothing else; None when it reads none by itself.
        index: name of the index used; None for none, and for a table's own key.
        condition: what the index was entered with, in the database's own words.
        filter: what is checked on every row afterwards, in the database's own words.
        rows: rows the planner expects out of it; None when not told.
        cost: the planner's total cost of it and everything below, in its own unit; None when not told.
        children: the steps that feed it.
    """

    kind: PlanKind
    detail: str
    table: str | None = None
    index: str | None = None
    condition: str | None = None
    filter: str | None = None
    rows: float | None = None
    cost: float | None = None
    children: tuple["Plan", ...] = ()

    def nodes(self) -> Iterator["Plan"]:
        """Yield this step and every one below it, parents first."""
        yield self
        for child in self.children:
            yield from child.nodes()

    def one_line(self) -> str:
        """Return the plan for people: ``Sort ← Bitmap Heap Scan on a ← …``, siblings in parentheses."""
        below = "; ".join(child.one_line() for child in self.children)
        if not self.detail:
            return below
        if not below:
            return self.detail
        return f"{self.detail} ← ({below})" if len(self.children) > 1 else f"{self.detail} ← {below}"

    def outline(self) -> str:
        """Return the plan as an indented outline, a step a line, kinds and names spelt out."""
        return "\n".join(self._outline(0))

    def _outline(self, depth: int) -> Iterator[str]:
        parts = [f"{name}={value}" for name in ("table", "index") if (value := getattr(self, name)) is not None]
        parts += [
            f"{name}[{value}]" for name in ("condition", "filter") if (value := getattr(self, name)) is not None
        ]
        yield "  " * depth + " ".join([self.kind.value, *parts, f"| {self.detail}" if self.detail else "|"])
        for child in self.children:
            yield from child._outline(depth + 1)
