"""High error rate: which errors, from which endpoints, statements and agents."""

from collections.abc import Iterable

from monitoring.reports.document import counts, percent
from monitoring.reports.limits import CheckLimits, needed
from monitoring.reports.problems import ERRORS, MOST, Problem
from monitoring.reports.records import Figures, Report

_DATABASE_ERRORS = ("OperationalError", "InterfaceError", "DatabaseError", "DisconnectionError", "InternalError")


def look_for_errors(report: Report, limits: CheckLimits) -> Problem:
    """Tell whether too many requests fail or are refused, and which."""
    now, one = report.now, report.pending_now
    if now is None or now.totals.error_rate is None:
        return ERRORS.unknown("no request is held")
    totals = now.totals
    errors = one.error_rate if one is not None else None
    refused = one.client_error_rate if one is not None else None
    looked_at = (
        f"{totals.total_requests:,} requests, error rate {percent(totals.error_rate)}; "
        f"the pending endpoint {percent(errors)}, refused there (4xx) {percent(refused)}"
    )
    failing = max(totals.error_rate or 0.0, errors or 0.0) >= limits.error_ratio
    refusing = (refused or 0.0) >= limits.error_ratio
    if not failing and not refusing:
        return ERRORS.absent(looked_at, n=totals.total_requests, needed=needed(1 - limits.error_ratio))
    remedies = ['Read the errors in the log: grep \'"level":"ERROR"\' logs/*.log.'] if failing else []
    remedies += _remedies(_names(report, now))
    if refusing:
        remedies.append("Verify the agent ids: these agents ask for what the service does not know.")
    return ERRORS.found(looked_at, [*_of_figures(now), *_of_logs(report), *_of_agents(report, now)], remedies)


def _names(report: Report, now: Figures) -> str:
    logged = [error.text for error in report.logs.top_errors] if report.logs is not None else []
    return " ".join([*now.totals.errors.by_exception, *logged])


def _remedies(names: str) -> Iterable[str]:
    if any(name in names for name in _DATABASE_ERRORS):
        yield "Check the database: it refuses or loses connections, or its statements fail."
    if "IntegrityError" in names:
        yield "Constraints are violated: two writers race, or an agent sends the same thing twice."
    if "TimeoutError" in names:
        yield "Requests gave up waiting, most likely for a connection: see the pool."


def _of_figures(now: Figures) -> list[str]:
    errors = now.totals.errors
    evidence = [f"By status: {counts(list(errors.by_status.items()))}."] if errors.by_status else []
    if errors.by_exception:
        by_count = sorted(errors.by_exception.items(), key=lambda item: -item[1])
        evidence.append(f"By exception: {counts(by_count)}.")
    failed = [one for one in now.endpoints if one.error_rate]
    failed.sort(key=lambda one: -(one.error_rate or 0.0) * one.total_requests)
    evidence += [
        f"{one.method} {one.route}: {percent(one.error_rate)} of {one.total_requests:,} requests failed."
        for one in failed[:MOST]
    ]
    broken = [one for one in now.statements or () if one.errors]
    evidence += [f"A statement failed {one.errors:,} times: {one.statement[:200]}" for one in broken[:MOST]]
    return evidence


def _of_logs(report: Report) -> list[str]:
    if report.logs is None:
        return []
    return [
        f"Logged {one.count:,} times, last {one.last:%Y-%m-%d %H:%M:%S}: {one.text[:200]} ({one.where})."
        for one in report.logs.top_errors[:MOST]
    ]


def _of_agents(report: Report, now: Figures) -> list[str]:
    if report.logs is not None and report.logs.errors_by_agent:
        return [
            f"Agent {one.agent}: {counts([(str(status), n) for status, n in one.by_status.items()])}, "
            f"of {one.count:,} requests logged."
            for one in report.logs.errors_by_agent[:MOST]
        ]
    met = [one for one in now.agents.listed if one.errors] if now.agents is not None else []
    met.sort(key=lambda one: (-one.errors, one.agent))
    return [f"Agent {one.agent}: {one.errors:,} of {one.requests:,} requests." for one in met[:MOST]]
