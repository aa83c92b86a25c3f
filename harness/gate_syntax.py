"""
Text as gates: the form of the command line, of gate files and of reports. `harness.gate_text` writes it.

::

    gate      = [ [METHOD] /route ":" ] condition { "," option }
    condition = figure ( "<" | ">" | "==" ) limit
              | figure "within" N% "of" limit
              | figure "vs baseline" ( "<" +N% | ">" -N% )
              | "index(" NAME ")"
    figure    = [ metric [ "(" kind ")" ] ] [ "p(" N ")" | "pN" | "med" | "max" ]
    option    = "confidence" N% | "on_inconclusive" ( "fail" | "pass" ) | "abort_on_fail" | "optional"

Aggregations, operators and their spelling are those of k6's thresholds; units are not optional here.
"""

import difflib
import re
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from harness.errors import UsageError, explain
from harness.gate_text import name_of, plain_decimal
from harness.judge.catalogue import METRICS, Kind, nearest_metric
from harness.load.answers import ERROR_KINDS
from harness.model import PENDING_ROUTE, Direction, Gate

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_EXAMPLE = "a form such as 'p(95) < 200ms'"
_NUMBER = r"\d+(?:\.\d+)?"
_AGGREGATE = re.compile(rf"(?:p\s*\(\s*({_NUMBER})\s*\)|p({_NUMBER})|(med|max|avg|mean|min))")
_FIGURE = re.compile(
    rf"(?P<metric>[A-Za-z_][\w-]*)?\s*(?:\((?P<kind>[^()]*)\))?\s*(?P<aggregate>{_AGGREGATE.pattern})?"
)
_WITHIN = re.compile(rf"(?P<figure>.+?)\s+within\s+(?P<tolerance>{_NUMBER}\s*%?)\s+of\s+(?P<limit>.+)", re.DOTALL)
_BASELINE = re.compile(r"(?P<figure>.+?)\s+vs\.?\s+baseline\s*(?P<rest>.*)", re.DOTALL)
_COMPARED = re.compile(r"(?P<figure>[^<>=!]*)(?P<operator>[<>=!]+)(?P<limit>.*)", re.DOTALL)
_CHANGE = re.compile(rf"(?P<operator>[<>=!]*)\s*(?P<sign>[+−-]?)\s*(?P<number>{_NUMBER})\s*(?P<unit>%?)")
_INDEX = re.compile(r"index\s*\(\s*(?P<name>[^()\s]*)\s*\)")
_DURATION_PART = re.compile(rf"({_NUMBER})\s*(us|µs|μs|ms|min|s|m|h)")
_SECONDS = {"us": "1e-6", "µs": "1e-6", "μs": "1e-6", "ms": "1e-3", "s": "1", "m": "60", "min": "60", "h": "3600"}
_RATE = re.compile(rf"({_NUMBER})\s*/\s*(s|min)")
_OPERATORS = {"<": Direction.BELOW, ">": Direction.ABOVE, "==": Direction.NEAR, "===": Direction.NEAR}
_UNITS = {
    "s": ("a duration such as 200ms or 2s", "{}ms"),
    "ratio": ("a percentage such as 1%", "{}%"),
    "per_s": ("a rate such as 0.1/s or 6/min", "{}/s"),
    "count": ("a whole number", "{}"),
    "number": ("a plain number", "{}"),
}


def parse_gate(
    text: str,
    *,
    name: str | None = None,
    interval_s: float | None = None,
    confidence: float = 0.95,
    on_inconclusive: str = "fail",
) -> Gate:
    """
    Read a gate.

    Args:
        text: as written, such as ``GET /api/agents: p(95) < 200ms, confidence 99%``. Without a route it is about
            the polled one; without a metric about the response time.
        name: of the gate; None derives one from what it says (`name_of`).
        interval_s: polling interval, which the limit ``1/interval`` stands for [s]; None where it is not known.
        confidence: where the text says nothing of it.
        on_inconclusive: likewise.

    Returns:
        The gate. `harness.judge.gates.check_gates` tells whether it can be judged.

    Raises:
        UsageError: it can't be read; what was probably meant is named.
    """
    gate = _Reader(text, interval_s).gate(name, confidence=confidence, on_inconclusive=on_inconclusive)
    return replace(gate, name=name_of(gate)) if name is None else gate


def with_unique_names(gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
    """Return the gates, those of a name that stands before them already numbered: ``p95-2``."""
    taken: set[str] = set()
    named: list[Gate] = []
    for gate in gates:
        name, number = gate.name, 2
        while name in taken:
            name, number = f"{gate.name}-{number}", number + 1
        taken.add(name)
        named.append(replace(gate, name=name))
    return tuple(named)


class _Reader:
    """One text on its way to a gate; knows the whole text for the errors."""

    def __init__(self, text: str, interval_s: float | None) -> None:
        self._text = " ".join(text.split())
        self._interval_s = interval_s

    def gate(self, name: str | None, *, confidence: float, on_inconclusive: str) -> Gate:
        if not self._text:
            raise self._fault("empty", need=_EXAMPLE)
        subject, rest = self._subject()
        condition, *options = (part.strip() for part in _split(rest))
        gate = replace(
            self._condition(condition, subject),
            name=name or "",
            confidence=confidence,
            on_inconclusive=on_inconclusive,
        )
        for option in options:
            gate = self._option(gate, option)
        return gate

    def _subject(self) -> tuple[str, str]:
        """Split off the route. A colon inside braces, as in ``{path:path}``, belongs to it."""
        depth = 0
        for position, letter in enumerate(self._text):
            depth += {"{": 1, "}": -1}.get(letter, 0)
            if letter == ":" and depth == 0:
                return self._route(self._text[:position].strip()), self._text[position + 1 :].strip()
        if self._text.startswith("/") or self._text.partition(" ")[0].upper() in _METHODS:
            raise self._fault("a route without a colon after it", need="'GET /route: p(95) < 200ms'")
        return PENDING_ROUTE, self._text

    def _route(self, text: str) -> str:
        method, _, route = text.rpartition(" ")
        method = method.strip().upper()
        if not route.startswith("/"):
            metric = nearest_metric(text)
            remedy = f"'{metric} {self._text.partition(':')[2].strip()}'" if metric else None
            raise self._fault("no route before the colon", got=f"'{text}'", need="one with a /", remedy=remedy)
        if method and method not in _METHODS:
            raise self._fault("unknown method", got=f"'{method}'", need="one of " + ", ".join(_METHODS))
        # The agents poll with GET and nothing else: one way to write the gates that most are about.
        return route if not method or (method, route) == ("GET", PENDING_ROUTE) else f"{method} {route}"

    def _condition(self, text: str, subject: str) -> Gate:
        if index := _INDEX.fullmatch(text):
            return self._index(index["name"], subject)
        if found := _BASELINE.fullmatch(text):
            return self._change(found["figure"], found["rest"].strip(), subject)
        if found := _WITHIN.fullmatch(text):
            gate = self._figure(found["figure"], subject)
            tolerance = self._percent(found["tolerance"])
            limit = self._limit(found["limit"], gate.unit)
            return replace(gate, limit=limit, direction=Direction.NEAR, tolerance_ratio=tolerance)
        found = _COMPARED.fullmatch(text)
        if found is None:
            raise self._fault("no comparison in it", got=f"'{text}'", need=_EXAMPLE)
        direction = self._direction(found["operator"])
        gate = self._figure(found["figure"], subject)
        return self._compared(gate, direction, self._limit(found["limit"], gate.unit))

    def _compared(self, gate: Gate, direction: Direction, limit: float) -> Gate:
        if METRICS[gate.metric].kind is Kind.SHARE and direction is Direction.NEAR:
            if limit != 0:
                raise self._fault("a share can't be shown to be exactly something", need="'<', or '== 0%'")
            # None may: the one exact statement that a count can make.
            return replace(gate, limit=0.0)
        near = direction is Direction.NEAR
        return replace(gate, limit=limit, direction=direction, tolerance_ratio=0.0 if near else None)

    def _index(self, name: str, subject: str) -> Gate:
        if not name or subject != PENDING_ROUTE:
            fault = "an index has a name and no route"
            raise self._fault(fault, need="'index(idx_deployment_agent_status_created)'")
        return Gate(
            name="",
            metric="index",
            subject=name,
            limit=1.0,
            unit="index",
            direction=Direction.NEAR,
            tolerance_ratio=0.0,
        )

    def _figure(self, text: str, subject: str) -> Gate:
        """Read what is measured; limit and direction are still to come."""
        text = text.strip()
        only = _AGGREGATE.fullmatch(text)
        found = _FIGURE.fullmatch(text)
        if not text or (only is None and found is None):
            baseline = re.search(r"\bvs\b", text) is not None
            remedy = "'… vs baseline < +10%'" if baseline else None
            raise self._fault("no figure before the comparison", got=f"'{text}'", need=_EXAMPLE, remedy=remedy)
        metric = None if only or found is None else found["metric"]
        aggregate = only.group(0) if only else found["aggregate"] if found else None
        kind = None if only or found is None else found["kind"]
        metric = self._metric(metric) if metric else "response_time"
        return Gate(
            name="",
            metric=metric,
            subject=subject,
            limit=0.0,
            unit=METRICS[metric].unit,
            quantile=self._quantile(metric, aggregate),
            kind=self._kind(metric, kind),
        )

    def _metric(self, word: str) -> str:
        if word == "index":
            raise self._fault("an index has no limit", need="'index(idx_deployment_agent_status_created)'")
        if word in METRICS:
            return word
        if _AGGREGATE.match(word.lower()) or word == "P":
            raise self._fault("quantiles are written small", got=f"'{word}'", remedy=f"'{word.lower()}'")
        near = nearest_metric(word)
        need = "one of " + ", ".join(METRICS)
        raise self._fault(
            "unknown metric", got=f"'{word}'", need=None if near else need, remedy=f"'{near}'" if near else None
        )

    def _quantile(self, metric: str, aggregate: str | None) -> float | None:
        if METRICS[metric].kind is not Kind.QUANTILE:
            if aggregate:
                raise self._fault(f"'{metric}' is no distribution", got=f"'{aggregate}'", need="no quantile")
            return None
        found = _AGGREGATE.fullmatch(aggregate or "")
        if found is None:
            raise self._fault(f"'{metric}' is a distribution", need="a quantile", remedy=f"'{metric} p(95) < …'")
        percent, short, word = found.groups()
        if word in {"avg", "mean", "min"}:
            raise self._fault(
                f"'{word}' can't be judged honestly: a failed request has no duration that could enter it, and no "
                "bound for it holds without assuming a distribution",
                remedy="'p(50)'",
            )
        if word:
            return 1.0 if word == "max" else 0.5
        exact = Decimal(percent or short) / 100
        quantile = float(exact)
        if not 0 < quantile <= 1 or (quantile == 1) != (exact == 1):
            raise self._fault("quantile out of range", got=f"p({percent or short})", need="p(N) with 0 < N <= 100")
        return quantile

    def _kind(self, metric: str, kind: str | None) -> str | None:
        if kind is None:
            return None
        if not METRICS[metric].selects:
            raise self._fault(f"'{metric}' takes nothing in brackets", got=f"'({kind})'")
        kind = kind.strip().lower()
        if metric == "answers":
            if re.fullmatch(r"[1-5](?:\d\d|xx)", kind):
                return kind
            raise self._fault("no HTTP status", got=f"'{kind}'", need="such as 200 or 5xx")
        if re.fullmatch(r"[1-5](?:\d\d|xx)", kind):
            return f"http-{kind}"
        if kind in ERROR_KINDS or re.fullmatch(r"http-[1-5](?:\d\d|xx)", kind):
            return kind
        near = difflib.get_close_matches(kind, [*sorted(ERROR_KINDS), "http-5xx"], n=1)
        need = "one of http-5xx, http-503 …, " + ", ".join(sorted(ERROR_KINDS))
        remedy = f"'{near[0]}'" if near else None
        raise self._fault("unknown kind of error", got=f"'{kind}'", need=None if near else need, remedy=remedy)

    def _direction(self, operator: str) -> Direction:
        if operator in _OPERATORS:
            return _OPERATORS[operator]
        remedy = {"<=": "'<'", ">=": "'>'", "=": "'=='", "=<": "'<'", "=>": "'>'"}.get(operator)
        need = "one of <, >, == and 'within N% of'"
        raise self._fault("an operator that gates don't have", got=f"'{operator}'", need=need, remedy=remedy)

    def _change(self, figure: str, rest: str, subject: str) -> Gate:
        gate = self._figure(figure, subject)
        found = _CHANGE.fullmatch(rest)
        larger_is_better = METRICS[gate.metric].better is Direction.NEAR
        example = f"'{figure.strip()} vs baseline {'> -10%' if larger_is_better else '< +10%'}'"
        if found is None:
            raise self._fault("no change after 'vs baseline'", got=f"'{rest}'" if rest else None, need=example)
        if not found["unit"]:
            raise self._fault("a limit without a unit", got=f"'{rest}'", need="a percentage", remedy=example)
        below = found["operator"] == "<" and found["sign"] in {"", "+"} and not larger_is_better
        above = found["operator"] == ">" and found["sign"] in {"-", "−"} and larger_is_better
        if not (below or above):
            raise self._fault("not a bound on a change for the worse", got=f"'{rest}'", need=example)
        limit = float(Decimal(found["number"]) / 100)
        direction = Direction.ABOVE if above else Direction.BELOW
        return replace(gate, limit=limit, unit="ratio", direction=direction, against_baseline=True)

    def _limit(self, text: str, unit: str) -> float:
        text = text.strip()
        if unit == "per_s" and text.replace(" ", "") == "1/interval":
            if self._interval_s is None:
                raise self._fault(
                    "the polling interval is not known here", got="'1/interval'", need=_UNITS[unit][0]
                )
            return 1 / self._interval_s
        value = _read_quantity(text, unit)
        if value is not None:
            return value
        need, form = _UNITS[unit]
        if re.fullmatch(_NUMBER, text):
            fault = "a limit without a unit" if unit != "count" else "no whole number"
            shown = _meant_percent(text) if unit == "ratio" else plain_decimal(Decimal(text))
            remedy = f"'{form.format(shown)}'" if unit != "count" else None
            raise self._fault(fault, got=f"'{text}'", need=need, remedy=remedy)
        remedy = "'1/interval'" if unit == "per_s" and re.match(r"1\s*/\s*i", text) else None
        raise self._fault("not a limit for this metric", got=f"'{text}'", need=need, remedy=remedy)

    def _percent(self, text: str) -> float:
        value = _read_quantity(text, "ratio")
        if value is None:
            remedy = f"'{_meant_percent(text)}%'" if re.fullmatch(_NUMBER, text) else None
            raise self._fault("a limit without a unit", got=f"'{text}'", need=_UNITS["ratio"][0], remedy=remedy)
        return value

    def _option(self, gate: Gate, text: str) -> Gate:
        word, _, value = (part.strip() for part in re.sub(r"\s*=\s*", " ", text).partition(" "))
        if text in {"abort_on_fail", "optional"}:
            return replace(gate, **{text: True})  # type: ignore[arg-type]  # both are bools
        if word == "on_inconclusive" and value in {"fail", "pass"}:
            return replace(gate, on_inconclusive=value)
        if word == "on_inconclusive":
            raise self._fault("unknown value of on_inconclusive", got=f"'{value}'", need="'fail' or 'pass'")
        if word == "confidence":
            return replace(gate, confidence=self._percent(value))
        need = "one of confidence N%, on_inconclusive fail|pass, abort_on_fail, optional"
        near = difflib.get_close_matches(
            word.lower(), ("confidence", "on_inconclusive", "abort_on_fail", "optional"), n=1
        )
        raise self._fault("unknown option", got=f"'{text}'", need=need, remedy=f"'{near[0]}'" if near else None)

    def _fault(
        self, fault: str, *, got: object = None, need: str | None = None, remedy: str | None = None
    ) -> UsageError:
        shown = self._text if len(self._text) <= 200 else self._text[:199] + "…"
        return UsageError(explain("gate", shown, fault=fault, got=got, need=need, remedy=remedy))


def _split(text: str) -> list[str]:
    """Split at commas outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _read_quantity(text: str, unit: str) -> float | None:
    """Read a limit in its unit; None when it is none. In decimals, so that 7 % is 0.07 to the last bit."""
    text = text.strip()
    try:
        if unit == "s":
            parts = _DURATION_PART.findall(text)
            if not parts or _DURATION_PART.sub("", text).strip():
                return None
            return float(sum(Decimal(number) * Decimal(_SECONDS[name]) for number, name in parts))
        if unit == "ratio":
            return float(Decimal(text[:-1].strip()) / 100) if _is_percent(text) else None
        if unit == "per_s":
            found = _RATE.fullmatch(text)
            return None if found is None else float(Decimal(found[1]) / (1 if found[2] == "s" else 60))
        whole = r"\d+" if unit == "count" else _NUMBER
        return float(text) if re.fullmatch(whole, text) else None
    except (InvalidOperation, OverflowError):
        return None


def _meant_percent(text: str) -> str:
    """Return a bare number as the per cent that was meant: a share of 1, as k6 writes it, but 1 itself is none."""
    number = Decimal(text)
    return plain_decimal(number * 100 if number < 1 else number)


def _is_percent(text: str) -> bool:
    return re.fullmatch(rf"{_NUMBER}\s*%", text) is not None
