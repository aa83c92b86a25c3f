"""Which samples a gate is about: its subject is a route template, with or without a method before it."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import replace

from harness.judge.catalogue import METRICS, Scope
from harness.judge.context import Context
from harness.judge.evidence import Evidence
from harness.judge.findings import nothing_observed
from harness.model import Finding, Gate

_MOST_NAMED = 3


class Contexts:
    """The evidence, route by route; what several gates on one route need is computed once."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.polled = Context(evidence)
        self._others: dict[str, Context] = {}

    def of(self, gate: Gate) -> Context | Finding:
        """
        Return what a gate is judged on.

        Returns:
            The context of its route, of the polled one for what is measured on no route; a finding that names the
            near miss when nothing was requested of the route.
        """
        if METRICS[gate.metric].scope is not Scope.ROUTE and gate.metric != "handler_time":
            return self.polled
        evidence = self.evidence
        matching = routes_named(gate.subject, evidence.subject, evidence.others)
        if matching == [evidence.subject]:
            return self.polled
        if len(matching) == 1:
            return self._other(matching[0])
        if matching:
            names = " and ".join(matching)
            return nothing_observed(
                gate,
                f"{gate.subject} was requested in several ways, {names}: a gate is about one of them",
                remedy=f"the method before the route, such as '{matching[0]}: …'",
            )
        return self._unknown(gate)

    def ungated(self, gates: Iterable[Gate]) -> tuple[str, ...]:
        """Return the routes that were requested in the measured window and that no gate is about."""
        subjects = {gate.subject for gate in gates if METRICS[gate.metric].scope in {Scope.ROUTE, Scope.TARGET}}
        summary, evidence = self.evidence.summary, self.evidence
        requested = [_with_method(evidence.subject)] if summary.sent else []
        requested += [key for key, route in evidence.others.items() if route.summary.sent]
        return tuple(key for key in requested if not subjects & _spellings(key, bare=True))

    def _other(self, key: str) -> Context:
        if key not in self._others:
            route = self.evidence.others[key]
            evidence = replace(
                self.evidence, subject=key, columns=route.columns, summary=route.summary, planned=False
            )
            self._others[key] = Context(evidence)
        return self._others[key]

    def _unknown(self, gate: Gate) -> Finding:
        evidence = self.evidence
        if not evidence.others:
            reason = f"no poll of {gate.subject} in this run, which polled {evidence.subject}"
        else:
            reason = f"no request of {gate.subject} in this run, which requested {_named(self._known())}"
        near = difflib.get_close_matches(gate.subject, sorted(_all_spellings(self._known())), n=1)
        remedy = "a gate on what the run polls, or a scenario that polls what the gate names"
        return nothing_observed(gate, reason, remedy=f"'{near[0]}', if that was meant" if near else remedy)

    def _known(self) -> list[str]:
        return [_with_method(self.evidence.subject), *self.evidence.others]


def routes_named(subject: str, polled: str, others: Iterable[str]) -> list[str]:
    """
    Return the routes that a gate names.

    Args:
        subject: of the gate, with or without a method.
        polled: template of the polled route, which wins.
        others: the other routes by method and template.

    Returns:
        One; none where nothing was requested of it; several where it was requested by several methods.
    """
    if subject in _spellings(polled):
        return [polled]
    return [key for key in others if subject in _spellings(key, bare=True)]


def _with_method(subject: str) -> str:
    return f"GET {subject}" if subject.startswith("/") else subject


def _spellings(key: str, *, bare: bool = False) -> set[str]:
    """Return how a gate may name a route: with its method, and without where that is meant."""
    full = _with_method(key)
    return {full, full.partition(" ")[2]} if bare or full != key else {full}


def _all_spellings(keys: Collection[str]) -> set[str]:
    return {spelling for key in keys for spelling in _spellings(key, bare=True)}


def _named(keys: list[str]) -> str:
    shown = ", ".join(keys[:_MOST_NAMED])
    more = len(keys) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
