"""
The records that travel from the agents to the report. Frozen; `None` is unknown and never 0.

Client side, in the order they come to be::

    Scenario, Target ─▶ Sample … ─▶ Run ─▶ Summary ─▶ Verdict(Finding …) ─▶ Result

All times named ``*_s`` inside a run are seconds since the run's origin, the instant the schedule starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from monitoring.histogram import Histogram

SCHEMA_VERSION = 1
"""Version of every file in a run directory. A reader refuses a newer one by name."""

PENDING_ROUTE = "/api/deployments/pending/{agent_id}"
"""The endpoint that the agents poll, as a route template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTiming:
    """
    What the target said of one answer in its ``Server-Timing`` header.

    Args:
        handler_s: from the request's arrival at the monitoring layer to the end of the answer [s].
        database_s: time in database calls within it [s]; None when not told.
        pool_wait_s: time spent waiting for a pooled connection within it [s]; None when not told.
    """

    handler_s: float
    database_s: float | None = None
    pool_wait_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """
    One poll, as the agent saw it. Everything else about it is derived.

    Args:
        agent: id of the agent that polled.
        name: route template of the request, such as `PENDING_ROUTE`.
        method: HTTP method.
        intended_start_s: when the schedule wanted it sent [s since the run's origin].
        start_s: when it was sent [s since the run's origin].
        end_s: when its last byte was read, or it failed [s since the run's origin].
        status: HTTP status; None when no answer came.
        error: what went wrong in a short, closed form (``http-500``, ``timeout``, ``connection-refused``,
            ``connection-reset``, ``bad-json`` …); None for a success.
        bytes_in: bytes of the answer's body.
        new_connection: whether a TCP connection was opened for it; None when unknown.
        request_id: the ``X-Request-ID`` it carried, to be found again in the target's logs.
        server: the target's own timing of it; None when it gave none.
        extra: whether it was sent besides the schedule: a retry, or a burst that a behaviour asked for. Its
            intended start is the instant that was asked for.
        connect_s: what opening its connection took, the TLS handshake included [s]; None where none was opened,
            or nobody measured it.
        missed_s: intended starts of the polls that its agent missed before it, being busy, and that it was sent in
            the stead of, oldest first [s since the run's origin].
    """

    agent: str
    name: str
    method: str
    intended_start_s: float
    start_s: float
    end_s: float
    status: int | None
    error: str | None
    bytes_in: int
    new_connection: bool | None
    request_id: str | None
    server: ServerTiming | None = None
    extra: bool = False
    connect_s: float | None = None
    missed_s: tuple[float, ...] = ()

    @property
    def response_time_s(self) -> float:
        """End − intended start [s]: what the agent's owner waits, the time in the queue included."""
        return self.end_s - self.intended_start_s

    @property
    def service_time_s(self) -> float:
        """End − start [s]: what the target and the network took once the poll was sent."""
        return self.end_s - self.start_s

    @property
    def start_lag_s(self) -> float:
        """Start − intended start [s]."""
        return self.start_s - self.intended_start_s


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleHeader:
    """
    First line of a samples file: what is needed to make sense of the rest.

    Args:
        schema_version: see `SCHEMA_VERSION`.
        origin_utc: wall clock at the run's origin, ISO 8601 in UTC.
        host: base URL of the target, without credentials.
        scenario: name of the scenario.
        agents: number of agents in the schedule.
        interval_s: polling interval of each agent [s].
        seed: what phases and jitter were derived from.
        phase_model: ``uniform``, ``random`` or ``sync``.
        jitter_ratio: longest delay of a single poll by chance, as a share of the interval.
        warnings: what a person should know of the fleet, one sentence each.
        shape: name of the `harness.shape.Shape` that says when each agent takes part.
        shape_parameters: its numbers.
        keep_alive: whether a connection was kept between polls for as long as the target kept it; without, each
            poll asked for its close.
        warmup_s: the first part, sent but not judged [s].
        run_time_s: for how long polls were to be sent [s]; None for until somebody ends it, and in files of before
            this was written down.
    """

    schema_version: int
    origin_utc: str
    host: str
    scenario: str
    agents: int
    interval_s: float
    seed: int
    phase_model: str
    jitter_ratio: float = 0.0
    warnings: tuple[str, ...] = ()
    shape: str = "steady"
    shape_parameters: Mapping[str, float] = field(default_factory=dict)
    keep_alive: bool = True
    warmup_s: float = 0.0
    run_time_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTick:
    """
    How an embedded target fares, taken every few seconds while it is polled; all its processes together.

    Args:
        t_s: seconds since the run's origin.
        rss_bytes: resident memory.
        connections: established TCP connections.
        cpu_s: CPU time used so far [s]; begins anew with a restarted target.
        open_files: file descriptors in use.
    """

    t_s: float
    rss_bytes: int
    connections: int
    cpu_s: float
    open_files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pickup:
    """
    One deployment's way from the operator who ordered it to the agent that is to carry it out.

    Args:
        deployment: its number on the target, as text.
        agent: id of the agent that it is for.
        created_s: when the target had answered that it is created [s since the run's origin].
        fetched_s: when the answer to the agent's poll that first held it was read [s since the run's origin];
            None when no poll had held it by the end of the run.
    """

    deployment: str
    agent: str
    created_s: float
    fetched_s: float | None

    @property
    def time_to_pickup_s(self) -> float | None:
        """From created to fetched [s]; None for one that was not fetched."""
        return None if self.fetched_s is None else self.fetched_s - self.created_s


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorTick:
    """
    The generator's own health, taken about once a second while it runs.

    Args:
        t_s: seconds since the run's origin.
        cpu_ratio: CPU use of the generator process since the last tick, in cores.
        loop_lag_s: how late the event loop woke a timer, the worst of some twenty since the last tick [s].
        rss_bytes: resident memory.
        start_lag_s: the longest that a poll whose agent was free waited to be sent since the last tick [s]; None
            when unknown.
        gc_pause_s: the longest collection of garbage since the last tick, in which nothing else ran [s]; None
            when unknown.
        missed: polls that were skipped since the last tick; None when unknown.
        connections: connections open to the target; None when unknown.
        worker: which of several processes this is; None for a load of one process.
    """

    t_s: float
    cpu_ratio: float
    loop_lag_s: float
    rss_bytes: int
    start_lag_s: float | None = None
    gc_pause_s: float | None = None
    missed: int | None = None
    connections: int | None = None
    worker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadNote:
    """
    Something that happened to the load itself while it ran, such as a worker that died.

    Args:
        t_s: seconds since the run's origin.
        text: a sentence, for the report's warnings.
    """

    t_s: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    Named, seeded description of the work.

    Args:
        name: name of the file in ``locustfiles/`` without its suffix, dashes for underscores.
        agents: fleet size, ≥ 1.
        interval_s: seconds between two polls of one agent, > 0.
        run_time_s: how long the agents poll, the warm-up included [s].
        warmup_s: the first part, sent but not judged [s].
        phase_model: how the agents' phases lie in the interval.
        seed: source of every random choice.
        digest: short hash over all of the above but the seed, and the parameters; two runs compare only when it is
            equal.
        parameters: the scenario's own, with their units in their names; empty where it has none.
    """

    name: str
    agents: int
    interval_s: float
    run_time_s: float
    warmup_s: float
    phase_model: str
    seed: int
    digest: str
    parameters: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def measured_s(self) -> float:
        """Length of the part that is judged [s]."""
        return self.run_time_s - self.warmup_s


class TargetKind(StrEnum):
    """Where the target comes from."""

    EMBEDDED = "embedded"
    ATTACHED = "attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    The system under test.

    Args:
        kind: started by us, or found running.
        url: base URL without credentials.
        version: what it says of its own version; None when it doesn't.
        database: backend and server version such as ``sqlite 3.45.1``; None when unknown. Never a URL.
        deployments: rows in its deployments table when the run began; None when unknown.
        delay_s: artificial delay in the handler [s], embedded targets only.
        error_ratio: artificial share of 500 answers, embedded targets only.
        pool_size: connections that its pool may open, where that was changed on purpose; None where it was not.
        hold_s: how long each poll kept its connection after its query on purpose [s], embedded targets only.
        dropped_index: an index that was dropped on purpose; None for none.
        design: how its polled endpoint was built, where that is not the reference; None where it is, and for
            targets of others.
    """

    kind: TargetKind
    url: str
    version: str | None = None
    database: str | None = None
    deployments: int | None = None
    delay_s: float = 0.0
    error_ratio: float = 0.0
    pool_size: int | None = None
    hold_s: float = 0.0
    dropped_index: str | None = None
    design: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """
    The machine and the software a run was made with.

    Args:
        key: short hash of the fields that make timings comparable: cpu, cores, python, platform.
        cpu: model name of the processor.
        cores: logical processors this process may use.
        memory_bytes: physical memory.
        platform: operating system, its release and the machine architecture.
        python: implementation and version.
        packages: versions of the libraries that shape the figures.
    """

    key: str
    cpu: str | None
    cores: int | None
    memory_bytes: int | None
    platform: str
    python: str
    packages: Mapping[str, str]


class RunState(StrEnum):
    """How far a run came."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """
    One execution of a scenario: the head of every run directory.

    Args:
        id: UTC start and a random suffix, such as ``20261123T083000Z-3f9a``; sorts by time.
        schema_version: see `SCHEMA_VERSION`.
        started_utc: ISO 8601 in UTC.
        state: `RunState`; a killed run stays ``running`` on disk.
        scenario: the work.
        target: the system under test.
        environment: of the generator, and of an embedded target.
        commit: git commit of the working directory; None outside a repository.
        dirty: whether tracked files differed from it; None outside a repository.
        harness_version: version of this package.
        ended_s: when the load ended [s since the run's origin]; None for a run that was killed, or still runs.
        back_s: when the target answered again after an outage on purpose [s since the run's origin]: what was
            meant for earlier is not judged. None where there was none.
        stop: why the gates ended it before its time; None when they did not.
        settling: whether it was to end as soon as every gate is settled: its gates are then judged by bounds that
            hold however often one looks.
        keep_alive: as in `SampleHeader`.
        processes: how many shared the agents; None when not told, as by plain Locust.
        called_off: that and why the load ended itself to spare a target that went down, as a clause; None when it
            did not.
    """

    id: str
    schema_version: int
    started_utc: str
    state: RunState
    scenario: Scenario
    target: Target
    environment: Environment
    commit: str | None
    dirty: bool | None
    harness_version: str
    ended_s: float | None = None
    stop: "EarlyStop | None" = None
    settling: bool = False
    back_s: float | None = None
    keep_alive: bool = True
    processes: int | None = None
    called_off: str | None = None

    @property
    def judged_from_s(self) -> float:
        """First instant that is judged [s since the run's origin]: after the warm-up, and after an outage."""
        return max(self.scenario.warmup_s, self.back_s or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStop:
    """
    The gates' word that a run need not go on.

    Args:
        status: FAIL when a gate with ``abort_on_fail`` has surely failed, PASS when every gate is settled.
        gates: names of those that decided it.
        judged_until_s: end of what the decision rests on, and so of the judged window [s since the run's origin].
        reason: one sentence.
    """

    status: "Status"
    gates: tuple[str, ...]
    judged_until_s: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantiles:
    """
    A distribution in a few numbers [s]. Failed polls count as infinitely slow in `Summary.response_time`.

    Args:
        n: how many values.
        mean: arithmetic mean over the finite values; None when there are none.
        p50: nearest-rank median; None when n is 0.
        p95: nearest rank.
        p99: nearest rank.
        max: largest.
    """

    n: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """
    A run's measured part in figures, before any judgement.

    Args:
        window_start_s: first instant that counts [s since the run's origin].
        window_end_s: last one.
        intended: polls that the schedule wanted in the window.
        sent: of these, how many were sent.
        completed: of these, how many were answered without error.
        failed: sent − completed.
        missed: intended − sent.
        offered_per_s: sent / window length.
        achieved_per_s: completed / window length.
        response_time: end − intended start, of the polls sent and of those missed that another was sent in the
            stead of; failures infinite.
        service_time: end − start of answered polls.
        start_lag: start − intended start.
        errors_by_kind: count of each `Sample.error`.
        new_connections_per_poll: None when unknown.
        lock_step_index: 0 for phases spread evenly, 1 for all at one instant; None below two agents.
    """

    window_start_s: float
    window_end_s: float
    intended: int
    sent: int
    completed: int
    failed: int
    missed: int
    offered_per_s: float
    achieved_per_s: float
    response_time: Quantiles
    service_time: Quantiles
    start_lag: Quantiles
    errors_by_kind: Mapping[str, int]
    new_connections_per_poll: float | None
    lock_step_index: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFigures:
    """
    What the target's monitoring layer says about the measured window and the polled route.

    Args:
        window_s: length of the window that the figures really cover [s].
        requests: polls that the target handled.
        errors: of these, answered with a status of 500 or more, or not at all.
        handler: handler times [s].
        query: durations of single statements [s].
        pool_wait: waits for a pooled connection [s].
        pool_size: connections that the pool may open, overflow included; None for an unbounded pool.
        pool_peak: most connections checked out at once.
    """

    window_s: float
    requests: int
    errors: int
    handler: Histogram | None
    query: Histogram | None
    pool_wait: Histogram | None
    pool_size: int | None
    pool_peak: int | None

    @property
    def pool_use_ratio(self) -> float | None:
        """Peak use of the pool, 0..1; None when either part is unknown."""
        if self.pool_peak is None or not self.pool_size:
            return None
        return self.pool_peak / self.pool_size


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEvidence:
    """
    How the database would serve one statement of the service.

    Args:
        statement: parameterised SQL, as the service sends it.
        expected_index: name that the specification gives.
        served: whether the plan searches that index without an extra sort of its rows; None when
            the table is too small for the planner to care, or the plan could not be read.
        plan: the plan in one line, for people.
        note: why `served` is None, or what else a person should know.
    """

    statement: str
    expected_index: str
    served: bool | None
    plan: str
    note: str | None = None


class Status(StrEnum):
    """Outcome of a gate, and of a whole verdict."""

    PASS = "PASS"  # noqa: S105  # an outcome, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    INVALID = "INVALID"


class Direction(StrEnum):
    """On which side of its limit a metric has to stay."""

    BELOW = "below"
    ABOVE = "above"
    NEAR = "near"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """
    A rule that can change the exit code.

    Args:
        name: short and unique, such as ``p95`` or ``error-ratio``.
        metric: what is measured, such as ``response_time``; see `harness.judge.catalogue`.
        subject: what it is measured on: a route template, with or without a method before it
            (``GET /api/agents``), or an index name.
        limit: the number compared with, in `unit`.
        unit: ``s``, ``ratio``, ``per_s``, ``count``, ``number`` (without a unit) or ``index``.
        direction: side on which the metric has to stay.
        quantile: q in (0, 1]; None for metrics that are no distribution.
        tolerance_ratio: how far ``near`` may lie from the limit, relative to it.
        confidence: of the interval that decides, 0.5..1.
        against_baseline: whether `limit` is the largest allowed change for the worse against the baseline, as a
            ratio (0.10 for +10 %); `unit` is then ``ratio``.
        on_inconclusive: ``fail`` lets an inconclusive finding decide the verdict, ``pass`` lets it pass.
        abort_on_fail: whether a run may be ended early once this gate has surely failed.
        kind: the kind of error or the HTTP status that is counted, such as ``timeout`` or ``5xx``; None for all.
        optional: whether it may be left out where the target can't give its figures. Otherwise that is an
            inconclusive finding.
    """

    name: str
    metric: str
    subject: str
    limit: float
    unit: str
    direction: Direction = Direction.BELOW
    quantile: float | None = None
    tolerance_ratio: float | None = None
    confidence: float = 0.95
    against_baseline: bool = False
    on_inconclusive: str = "fail"
    abort_on_fail: bool = False
    kind: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A confidence interval. An end that the data can't bound is None (upwards: there is no upper bound)."""

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One gate's outcome.

    Args:
        gate: the rule.
        status: its outcome.
        measured: the point estimate in the gate's unit; None when nothing was measured.
        interval: confidence interval of `measured`, same unit; None where there is none.
        n: observations behind it; None where counting makes no sense.
        effective_n: what they are worth as independent ones.
        exceedances: observations beyond the limit; None where the gate is no quantile or ratio.
        reason: one sentence that says why the status is what it is.
        remedy: what would settle or cure it; None for a plain PASS.
    """

    gate: Gate
    status: Status
    measured: float | None
    interval: Interval | None
    n: int | None
    effective_n: float | None
    exceedances: int | None
    reason: str
    remedy: str | None

    @property
    def is_waived(self) -> bool:
        """Whether it does not count for the verdict: inconclusive where its gate lets that pass."""
        # No observations at all is a gate that matches nothing, not one that needs more of them.
        return self.status is Status.INCONCLUSIVE and self.gate.on_inconclusive == "pass" and self.n != 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """
    What a verdict rests on.

    Args:
        judged: names of the gates that got an outcome.
        not_judged: name of a gate left out → why.
        ungated: routes that were requested and that no gate was about, such as ``POST /api/agents``.
    """

    judged: tuple[str, ...]
    not_judged: Mapping[str, str]
    ungated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """
    All findings together.

    `FAIL` beats `INVALID` beats `INCONCLUSIVE` beats `PASS`; nothing judged is `INCONCLUSIVE`. An inconclusive
    finding of a gate with ``on_inconclusive = "pass"`` stays what it is and does not count.
    """

    status: Status
    findings: tuple[Finding, ...]
    coverage: Coverage


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """
    What was asked of the target and its database when the load was over: the content of ``evidence.json``.

    Args:
        schema_version: see `SCHEMA_VERSION`.
        server: the target's own figures; None when it gave none.
        indexes: how the database serves the hot queries; empty when it could not be asked.
        target_death: how the target ended during the run; None when it lived, or when that can't be known.
        notes: why something is missing, one sentence each.
    """

    schema_version: int
    server: ServerFigures | None
    indexes: tuple[IndexEvidence, ...]
    target_death: str | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    Everything known about a finished run: the content of ``result.json``.

    Args:
        schema_version: see `SCHEMA_VERSION`.
        run: what was done.
        summary: the figures.
        server: the target's own figures; None when it gave none.
        indexes: how the database serves the hot queries; empty when it could not be asked.
        verdict: the judgement.
        warnings: what a person should know besides, one sentence each.
        routes: the figures of the other routes that were requested, by method and template. What the schedule
            wanted is not known of them: their ``intended`` is what was sent.
        gates_from: where the gates came from, as text for people; None in results of before that was said.
    """

    schema_version: int
    run: Run
    summary: Summary
    server: ServerFigures | None
    indexes: tuple[IndexEvidence, ...]
    verdict: Verdict
    warnings: tuple[str, ...]
    routes: Mapping[str, Summary] = field(default_factory=dict)
    gates_from: str | None = None
