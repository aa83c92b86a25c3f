"""The system under test: the embedded deployment master as a process of its own, or a running one by URL."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import msgspec

from harness.backend.config import DESIGNS
from harness.credentials import NO_ACCESS, TOKEN_VARIABLE, Access
from harness.errors import HarnessError, explain
from harness.http import Answer, get_json, redirect_text, refusal_text
from harness.load.identities import ids_in
from harness.model import PENDING_ROUTE, Target, TargetKind
from harness.outage import TargetProcess
from harness.processes import Child, start_child
from harness.staging import DEFAULT_AGENTS_PATH

_READY_TIMEOUT_S = 30.0
_STOP_GRACE_S = 5.0
_REQUEST_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedOptions:
    """
    How to start the embedded target.

    Args:
        database_url: SQLAlchemy URL of a database that holds the schema and its rows.
        delay_s: artificial delay in the polled handler [s].
        error_ratio: artificial share of polls answered with a 500, 0..1.
        pool_size: connections that its pool may open, none beyond; None for its default.
        hold_s: how long each poll keeps its connection after its query [s].
        drop_index: name of an index that is dropped before it serves; None for none.
        design: how its polled endpoint is built; see `harness.backend.config.DESIGNS`.
        logs: folder for the monitoring layer's log files.
        log: file for what the process itself says.
    """

    database_url: str
    delay_s: float
    error_ratio: float
    logs: Path
    log: Path
    pool_size: int | None = None
    hold_s: float = 0.0
    drop_index: str | None = None
    design: str = "reference"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTarget:
    """
    A target that answers.

    Args:
        record: what a run's record says of it.
        child: its first process; None when somebody else runs it.
        process: whatever process it has just now, to be stopped and started; None when somebody else runs it.
    """

    record: Target
    child: Child | None = None
    process: TargetProcess | None = None

    def death(self) -> str | None:
        """
        Say with which code or signal the target's process ended.

        Returns:
            A clause; None while it runs. An attached target's end shows in its answers only, so None as well.
        """
        code = self.process.exit_code() if self.process else self.child.exit_code() if self.child else None
        if code is None:
            return None
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"the target's process ended with {how}"


@contextmanager
def embedded_target(options: EmbeddedOptions) -> Iterator[RunningTarget]:
    """
    Start the embedded target on a free loopback port, wait until it answers, and stop it at the end.

    Raises:
        HarnessError: it ended before it was ready, or was not ready within 30 s; with its own last words.
    """
    ready = options.log.with_suffix(".ready")
    command = [sys.executable, "-m", "harness.backend", "--host", "127.0.0.1", "--design", options.design]
    command += ["--delay", f"{options.delay_s}s", "--error-ratio", str(options.error_ratio)]
    command += ["--hold", f"{options.hold_s}s"]
    command += [] if options.pool_size is None else ["--pool-size", str(options.pool_size)]
    command += [] if options.drop_index is None else ["--drop-index", options.drop_index]
    command += ["--log-dir", str(options.logs), "--ready-file", str(ready)]
    # The URL may hold a password, and a command line is public on the machine: it goes through the environment.
    # The secrets of other targets are none of this one's business.
    environment = {"HARNESS_DATABASE_URL": options.database_url, TOKEN_VARIABLE: ""}

    def start(port: int) -> Child:
        on_port = [*command, "--port", str(port)]
        return start_child("embedded target", on_port, log=options.log, environment=environment)

    process = TargetProcess(start, ready)
    try:
        url = _wait_until_ready(process.child, ready)
        record = Target(
            kind=TargetKind.EMBEDDED,
            url=url,
            delay_s=options.delay_s,
            error_ratio=options.error_ratio,
            pool_size=options.pool_size,
            hold_s=options.hold_s,
            dropped_index=options.drop_index,
            design=None if options.design == DESIGNS[0] else options.design,
        )
        yield RunningTarget(record=_with_version(record, NO_ACCESS), child=process.child, process=process)
    finally:
        process.child.stop(grace_s=_STOP_GRACE_S)
        ready.unlink(missing_ok=True)


def attach(
    url: str,
    *,
    access: Access = NO_ACCESS,
    agents_path: str = DEFAULT_AGENTS_PATH,
    pending_route: str = PENDING_ROUTE,
    timeout_s: float = _REQUEST_TIMEOUT_S,
) -> RunningTarget:
    """
    Check that a running target can be polled, with one poll.

    Args:
        url: base URL, checked.
        access: what lets us in.
        agents_path: where it lists its agents.
        pending_route: path that is polled, with ``{agent_id}`` in it.
        timeout_s: for each request [s].

    Returns:
        The target, with its version when it has a health endpoint.

    Raises:
        HarnessError: no answer, an answer that is no JSON, one that refuses the poll, or that sends elsewhere.
    """
    agent = _first_agent(url + agents_path, access, timeout_s)
    path = pending_route.replace("{agent_id}", quote(agent or "agent-0001", safe=""))
    poll = url + path
    answer = get_json(poll, timeout_s=timeout_s, access=access)
    if 300 <= answer.status < 400:
        raise HarnessError(redirect_text(url, path, answer.location))
    if answer.status in {401, 403}:
        raise HarnessError(refusal_text(url, answer.status, shown=bool(access.headers)))
    if 400 <= answer.status < 500:
        remedy = "registering agents on the target (POST /api/agents)" if agent is None else "another --host"
        raise HarnessError(
            explain("target", poll, fault="refuses the poll", got=answer.status, need="200", remedy=remedy)
        )
    if answer.status < 500 and not isinstance(answer.body, dict | list):
        got = f"{answer.status} {answer.content_type or 'without a content type'}"
        if answer.is_empty:
            got += ", empty"
        elif answer.encoding is not None:
            got += f" compressed as {answer.encoding}, which was not asked for"
        remedy = "the API's own base URL as --host"
        raise HarnessError(
            explain(
                "target",
                poll,
                fault="the answer to a poll is no JSON",
                got=got,
                need="a JSON object",
                remedy=remedy,
            )
        )
    return RunningTarget(record=_with_version(Target(kind=TargetKind.ATTACHED, url=url), access, timeout_s))


def _first_agent(agents_url: str, access: Access, timeout_s: float) -> str | None:
    answer = get_json(f"{agents_url}?limit=1", timeout_s=timeout_s, access=access)
    ids = ids_in(answer.body) if answer.status == 200 else None
    return ids[0] if ids else None


def _with_version(record: Target, access: Access, timeout_s: float = _REQUEST_TIMEOUT_S) -> Target:
    try:
        answer: Answer = get_json(f"{record.url}/api/health", timeout_s=timeout_s, access=access)
    except HarnessError:
        # Health is asked for the record's sake; a target whose polls are answered is good enough to be measured.
        return record
    version = answer.body.get("version") if isinstance(answer.body, dict) else None
    return replace(record, version=str(version) if version is not None else None)


def _wait_until_ready(child: Child, ready: Path) -> str:
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        code = child.exit_code()
        if code is not None:
            raise HarnessError(child.last_words() or f"embedded target: ended at once with exit code {code}")
        if ready.exists():
            url = str(msgspec.json.decode(ready.read_bytes())["url"])
            if get_json(f"{url}/api/health", timeout_s=_REQUEST_TIMEOUT_S).status < 500:
                return url
        time.sleep(0.02)
    words = child.last_words() or "it said nothing"
    raise HarnessError(explain("embedded target", fault=f"not ready after {_READY_TIMEOUT_S:.0f} s: {words}"))
