"""
The fleet's place in Locust's course of events.

::

    init_command_line_parser   our options appear in Locust's help
    init                       headless: everything that can fail, before Locust says a word about users
    test_start                 web UI: the same, for each test that is started there
    spawning_complete          the origin: the schedule starts, whatever the spawning took
    test_stopping              at the run time's end: polls meant for before it are let finish
    test_stop                  the files are closed, and the run is judged where somebody does
    quitting, quit             Ctrl-C and SIGTERM; our last words and exit code

A worker has no files and prepares nothing: the master tells it what to do (`harness.load.distribution`).
"""

import atexit
import inspect
import logging
import signal
import sys
import time
from argparse import ArgumentParser
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event
from locust import events
from locust.main import main
from locust.runners import STATE_SPAWNING, MasterRunner, WorkerRunner

from harness.errors import HarnessError, explain
from harness.load import distribution_channel as channel
from harness.load import tables
from harness.load.agents import FleetDispatcher, PollingAgent, RunnerPost, adopt
from harness.load.distribution import MasterRun
from harness.load.distribution_worker import WorkerPart
from harness.load.making import make_part, make_run, would_be_sent
from harness.load.options import STOP_TIMEOUT_UNSET_S, add_options
from harness.load.run import LocalRun, Run
from harness.model import Sample
from harness.processes import die_with_parent
from harness.rundir import RunDirectory
from harness.scenarios import DEFAULT_SCENARIO

INTERRUPTED_CODE = 130
"""What a shell calls a process that SIGINT ended."""

INTERRUPT_GRACE_S = 2.0
"""How long polls in flight may take to finish when a user or a signal ends the run [s]."""

_STOP_SLACK_S = 1.0
_WORKER_SLACK_S = 3.0
_HOLD_STEP_S = 0.02
_CLOCK_SLACK_S = 0.5
_log = logging.getLogger("pollgauge")

Judge = Callable[[RunDirectory], tuple[int, str]]
"""Judges a finished run: its folder → exit code, and words for people."""


class Conductor:
    """
    Prepares, begins and ends one run after another, as Locust's events say.

    Args:
        scenario: name of what the agents do, one of `harness.scenarios`.
        judge: gives a run without a harness around it its exit code; None leaves that to Locust's own rule, which
            is 1 for any failed request.
    """

    def __init__(self, scenario: str = DEFAULT_SCENARIO, *, judge: Judge | None = None) -> None:
        self._scenario = scenario
        self._judge = judge
        self._run: Run | None = None
        self._environment: Any = None
        self._ready = gevent.event.Event()
        self._began = gevent.event.Event()
        self._prepared_before = False
        self._test_started_s = 0.0
        self._stop_at_once = False
        self._holding = False
        self._signals = 0
        self._fault: HarnessError | None = None
        self._last_words: str | None = None

    def register(self, events: Any) -> None:
        """Listen to Locust's events; once, by the scenario."""
        events.init_command_line_parser.add_listener(self.add_options)
        events.init.add_listener(self.init)
        events.test_start.add_listener(self.test_start)
        events.spawning_complete.add_listener(self.spawning_complete)
        events.test_stopping.add_listener(self.test_stopping)
        events.test_stop.add_listener(self.test_stop)
        events.quit.add_listener(self.quit)

    def add_options(self, parser: ArgumentParser, **_: object) -> None:
        """Put our options into Locust's help."""
        add_options(parser, self._scenario)

    def init(self, environment: Any, **_: object) -> None:
        """Check what can be checked; headless, get ready for the run."""
        self._environment = environment
        options = environment.parsed_options
        # After the runner's own listener, and the last is asked first: a run is brought to its end before the
        # runner says goodbye to the others.
        environment.events.quitting.add_listener(self.quitting)
        adopt(environment)
        PollingAgent.station = self
        try:
            self._join_the_others()
            channel.spell_paths(options)
            if options.dry_run:
                sys.stdout.write(would_be_sent(environment, self._scenario))
                sys.exit(0)
            if environment.stop_timeout == STOP_TIMEOUT_UNSET_S:
                environment.stop_timeout = options.request_timeout_s + _STOP_SLACK_S
            gevent.signal_handler(signal.SIGINT, self._on_sigint)
            # The loop still has the time from before the imports, and Locust's timer for the run time, which it
            # starts next, would count them in: a run 1.5 s too short.
            gevent.get_hub().loop.update_now()
            # Locust asks for its own call stack when it stops, while our last polls are still to be sent. Its
            # first look resolves the path of every module: 40 ms in which nothing else runs. Later ones don't.
            inspect.stack()
            if options.headless and not self._is_worker:
                self._prepare(agents=1 if options.num_users is None else options.num_users)
                atexit.register(self._leave_nothing)
            self._ready.set()
        except HarnessError as fault:
            self._say(str(fault))
            sys.exit(fault.exit_code)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED_CODE)

    def test_start(self, environment: Any, **_: object) -> None:
        """Note the time; in the web UI, get ready for the run."""
        # A worker listens to its master before Locust has asked for `init`: a start that comes at once waits for
        # it, or Locust would start as many users as there are agents, none of which knew where to go.
        self._ready.wait()
        self._test_started_s = time.perf_counter()
        self._stop_at_once = False
        if self._run is None and not self._is_worker:
            try:
                self._prepare(agents=environment.runner.target_user_count)
            except HarnessError as fault:
                _log.error("%s", fault)
                environment.process_exit_code = int(fault.exit_code)
                # Ends the greenlet that was about to spawn users. Locust's own StopTest would show a traceback.
                raise gevent.GreenletExit from fault

    def spawning_complete(self, **_: object) -> None:
        """Set the origin, the first time that everyone is there."""
        run = self._run
        if run is not None and not self._is_worker:
            run.begin()
            if run.running:
                self._began.set()

    def drive(self, until: gevent.event.Event) -> None:
        """
        Be Locust's one user of this process; see `harness.load.agents.Station`.

        Args:
            until: set when Locust wants the user to stop.
        """
        while not self._began.wait(_HOLD_STEP_S):
            if until.is_set():
                return
        run = self._run
        if not isinstance(run, LocalRun | WorkerPart):
            return
        try:
            run.fleet.wait_until_done()
            until.wait()
        finally:
            # Also when Locust's patience is over and it kills this greenlet: what is in flight leaves its samples.
            run.fleet.finish()

    def test_stopping(self, **_: object) -> None:
        """
        Hold Locust's stop back until the run is over, when it is the run time's end that stops it.

        Locust counts the run time from its own start, the schedule counts from the origin, which is later by what
        spawning took. And the last polls are given their time to finish, those owed by busy agents included.
        """
        run = self._run
        if run is None or self._holding:
            return
        self._holding = True
        try:
            self._bring_to_its_end(run)
        finally:
            self._holding = False

    def test_stop(self, environment: Any, **_: object) -> None:
        """Close the files and judge; in the web UI, show the summary."""
        if self._holding:
            # The last worker said goodbye while its lines were waited for: whoever waits closes the files.
            return
        self._close()
        if not environment.parsed_options.headless:
            self._show_last_words()

    def quitting(self, environment: Any, **_: object) -> None:
        """Cut a run short that still goes on: this is Ctrl-C or SIGTERM."""
        while self._holding:
            # Somebody else sees to it: workers that were signalled as well have made Locust shut down twice.
            gevent.sleep(_HOLD_STEP_S)
        if self._run is None:
            return
        self._stop_at_once = True
        self._run.flush()
        _log.info("Ending the run: polls in flight have %g s to finish", INTERRUPT_GRACE_S)
        environment.stop_timeout = min(environment.stop_timeout, INTERRUPT_GRACE_S)
        # Now, so that the verdict is there when Locust settles on its exit code.
        self.test_stopping()
        if not isinstance(environment.runner, MasterRunner):
            environment.runner.stop()
        else:
            environment.runner.quit()
        self._close()

    def quit(self, exit_code: int, **_: object) -> None:
        """Say our last words below Locust's tables; a fault of ours decides the exit code."""
        self._show_last_words()
        if self._fault is not None and not self._is_worker:
            self._say(str(self._fault))
            if exit_code != self._fault.exit_code:
                # The last samples could not be written, after Locust had settled on its code.
                sys.exit(self._fault.exit_code)

    @property
    def _is_worker(self) -> bool:
        return isinstance(self._environment.runner, WorkerRunner)

    def _close(self) -> None:
        """Close the files of the run that was on, if any, and judge it."""
        run, self._run = self._run, None
        self._began.clear()
        FleetDispatcher.fleet_size = None
        if run is None:
            return
        self._last_words = run.finish()
        if self._fault is not None or self._is_worker:
            return
        if self._last_words is not None:
            self._give_verdict(run)
        elif self._environment.parsed_options.headless:
            # Locust calls a run without a request a success.
            self._fault = HarnessError(explain("run", fault="ended before its first poll: nothing was measured"))
            self._environment.process_exit_code = int(self._fault.exit_code)

    def _leave_nothing(self) -> None:
        """Remove the empty files of a run that Locust gave up without a word to us: no worker came in time."""
        if self._run is not None and not self._run.running:
            self._run.finish()

    def _bring_to_its_end(self, run: Run) -> None:
        slack_s = _STOP_SLACK_S
        patience_s = run.plan.options.request_timeout_s
        if isinstance(run, MasterRun):
            slack_s += _WORKER_SLACK_S
        end_s = run.end_s
        if end_s is not None and self._is_time_up(end_s):
            self._wait_until_begun(run)
        if end_s is None or not run.running or self._stop_at_once or not self._is_time_up(end_s):
            if self._stop_at_once:
                patience_s = min(patience_s, INTERRUPT_GRACE_S)
            run.end_sending(patience_s)
            if not isinstance(run, MasterRun) or not run.running:
                # Locust waits for its user, which waits for the polls in flight.
                return
            end_s = run.now_s()
        self._stop_at_once = True
        give_up_s = end_s + patience_s + slack_s
        signals = self._signals
        while not run.is_done and run.now_s() < give_up_s:
            gevent.sleep(_HOLD_STEP_S)
            if self._signals > signals or self._run is not run:
                # Interrupted while it waited: somebody else ends the run.
                return

    def _wait_until_begun(self, run: Run) -> None:
        """Wait for the origin: Locust's clock for the run time runs also while workers are asked for the time."""
        while not (run.running or self._stop_at_once) and (
            self._environment.runner.state == STATE_SPAWNING or (isinstance(run, MasterRun) and run.is_beginning)
        ):
            gevent.sleep(_HOLD_STEP_S)

    def _join_the_others(self) -> None:
        """Learn what master and workers have to say to each other."""
        runner, options = self._environment.runner, self._environment.parsed_options
        if self._is_worker:
            if options.processes:
                # Forked by a master that may be killed outright.
                die_with_parent()
            runner.register_message(channel.CLOCK, lambda msg, **_: channel.tell_time(msg, RunnerPost(runner)))
            # One after another, and before Locust's next word: no end may overtake the plan that it ends.
            runner.register_message(channel.PLAN, self._take_part)
            runner.register_message(channel.END, self._take_end)
        elif isinstance(runner, MasterRunner):
            for kind, take in (
                (channel.CLOCK, MasterRun.take_clock),
                (channel.LINES, MasterRun.take_lines),
                (channel.LEFT, MasterRun.take_left),
                (channel.FAULT, MasterRun.take_fault),
            ):
                runner.register_message(kind, self._for_master(take))

    def _for_master(self, take: Callable[[MasterRun, Any], None]) -> Callable[..., None]:
        def listener(msg: Any, **_: object) -> None:
            if isinstance(self._run, MasterRun):
                take(self._run, msg)

        return listener

    def _prepare(self, *, agents: int) -> None:
        parsed = self._environment.parsed_options
        # A run time given in the web UI's form stays among the options for later runs that were given none: there,
        # the run has no end until Locust stops it.
        planned = parsed.headless or (parsed.autostart and not self._prepared_before)
        self._prepared_before = True
        run = self._run = make_run(
            self._environment,
            self._scenario,
            agents=agents,
            run_time_s=float(parsed.run_time) if planned and parsed.run_time else None,
            report=self._report,
            on_fault=self._on_fault,
        )
        FleetDispatcher.fleet_size = agents
        for warning in run.plan.warnings:
            _log.warning("%s", warning)

    def _take_part(self, msg: Any, **_: object) -> None:
        """Begin a worker's part of a run, as the master has planned it."""
        try:
            self._run = make_part(self._environment, self._scenario, msg.data, report=self._report)
        except HarnessError as fault:
            channel.send_fault(RunnerPost(self._environment.runner), fault, run=msg.data["run"])
            return
        self._run.begin()
        self._began.set()

    def _take_end(self, msg: Any, **_: object) -> None:
        if self._run is not None:
            self._run.end_sending(msg.data["grace_s"], at_s=msg.data["at_s"])

    def _report(self, samples: deque[Sample]) -> None:
        tables.show(self._environment, samples)

    def _give_verdict(self, run: Run) -> None:
        options = self._environment.parsed_options
        if self._judge is None or options.no_verdict:
            return
        code, words = self._judge(run.directory)
        self._environment.process_exit_code = code
        self._last_words = f"{self._last_words}\n{words}"

    def _is_time_up(self, run_time_s: float) -> bool:
        """Tell the run time's end from a stop by hand: it is when Locust's clock has run out."""
        # Which it starts a moment before it fires `test_start`.
        return time.perf_counter() - self._test_started_s >= run_time_s - _CLOCK_SLACK_S

    def _on_fault(self, fault: HarnessError) -> None:
        self._fault = fault
        self._stop_at_once = True
        self._environment.process_exit_code = int(fault.exit_code)
        gevent.spawn(self._environment.runner.quit)

    def _on_sigint(self) -> None:
        """
        Hand Ctrl-C to Locust's main greenlet.

        Python would raise it in whichever greenlet runs just then: in the middle of a write.
        """
        self._signals += 1
        if self._run is not None:
            self._run.flush()
        main = gevent.get_hub().parent
        gevent.kill(main, KeyboardInterrupt() if self._signals == 1 else SystemExit(INTERRUPTED_CODE))

    def _show_last_words(self) -> None:
        words, self._last_words = self._last_words, None
        if words is not None:
            sys.stderr.write(f"\n{words}\n")
            sys.stderr.flush()

    def _say(self, text: str) -> None:
        sys.stderr.write(f"{self._scenario}: {text}\n")
        sys.stderr.flush()


def run_directly(path: str, scenario: str = DEFAULT_SCENARIO) -> None:
    """
    Run Locust with a scenario that was itself started as a program, as in ``python locustfiles/x.py --help``.

    Locust answers ``--help`` before it has read the scenario that ``-f`` names, so that options of a scenario are
    never in it (its issue 2917). Here they are.

    Args:
        path: of the file.
        scenario: name of what its agents do.
    """
    if {"-h", "--help"} & set(sys.argv):
        parser_made: Any = events.init_command_line_parser
        parser_made.add_listener(Conductor(scenario).add_options)
    sys.argv[1:1] = ["-f", path]
    main()  # type: ignore[no-untyped-call]  # Locust types some of its functions
