"""
The fleet's place in Locust's course of events.

::

    init_command_line_parser   our options appear in Locust's help
    init                       headless: everything that can fail, before Locust says a word about users
    test_start                 web UI: the same, for each test that is started there
    spawning_complete          the origin: the schedule starts, whatever the spawning took
    test_stopping              at the run time's end: polls meant for before it are let finish
    test_stop                  the files are closed
    quitting, quit             Ctrl-C and SIGTERM; our last words and exit code
"""

import inspect
import logging
import signal
import sys
import time
from argparse import ArgumentParser
from typing import Any

import gevent
from locust import events
from locust.main import main

from harness.errors import ExitCode, HarnessError, UsageError, explain
from harness.load.agents import PollingAgent
from harness.load.fleet import Fleet, prepare_fleet
from harness.load.options import STOP_TIMEOUT_UNSET_S, add_options, read_options
from harness.scenarios import DEFAULT_SCENARIO

INTERRUPTED_CODE = 130
"""What a shell calls a process that SIGINT ended."""

INTERRUPT_GRACE_S = 2.0
"""How long polls in flight may take to finish when a user or a signal ends the run [s]."""

_STOP_SLACK_S = 1.0
_HOLD_STEP_S = 0.02
_CLOCK_SLACK_S = 0.5
_SETTLE_S = 0.05
_log = logging.getLogger("pollgauge")


class Conductor:
    """
    Prepares, begins and ends one fleet after another, as Locust's events say.

    Args:
        scenario: name of what the agents do, one of `harness.scenarios`.
    """

    def __init__(self, scenario: str = DEFAULT_SCENARIO) -> None:
        self._scenario = scenario
        self._fleet: Fleet | None = None
        self._environment: Any = None
        self._prepared_before = False
        self._test_started_s = 0.0
        self._stop_at_once = False
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
        events.quitting.add_listener(self.quitting)
        events.quit.add_listener(self.quit)

    def add_options(self, parser: ArgumentParser, **_: object) -> None:
        """Put our options into Locust's help."""
        add_options(parser, self._scenario)

    def init(self, environment: Any, **_: object) -> None:
        """Check what can be checked; headless, get ready for the run."""
        self._environment = environment
        options = environment.parsed_options
        try:
            _refuse_distribution(options)
            if environment.stop_timeout == STOP_TIMEOUT_UNSET_S:
                environment.stop_timeout = options.request_timeout_s + _STOP_SLACK_S
            gevent.signal_handler(signal.SIGINT, self._on_sigint)
            # The loop still has the time from before the imports, and Locust's timer for the run time, which it
            # starts next, would count them in: a run 1.5 s too short.
            gevent.get_hub().loop.update_now()
            # Locust asks for its own call stack when it stops, while our last polls are still to be sent. Its
            # first look resolves the path of every module: 40 ms in which nothing else runs. Later ones don't.
            inspect.stack()
            if options.headless:
                self._prepare(agents=1 if options.num_users is None else options.num_users)
        except HarnessError as fault:
            _say(str(fault))
            sys.exit(fault.exit_code)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED_CODE)

    def test_start(self, environment: Any, **_: object) -> None:
        """Note the time; in the web UI, get ready for the run."""
        self._test_started_s = time.perf_counter()
        self._stop_at_once = False
        if self._fleet is None:
            try:
                self._prepare(agents=environment.runner.target_user_count)
            except HarnessError as fault:
                _log.error("%s", fault)
                environment.process_exit_code = int(fault.exit_code)
                # Ends the greenlet that was about to spawn users. Locust's own StopTest would show a traceback.
                raise gevent.GreenletExit from fault

    def spawning_complete(self, **_: object) -> None:
        """Set the origin, the first time that everyone is there."""
        if self._fleet is not None:
            self._fleet.begin()

    def test_stopping(self, **_: object) -> None:
        """
        Hold Locust's stop back until the run is over, when it is the run time's end that stops it.

        Locust counts the run time from its own start, the schedule counts from the origin, which is later by what
        spawning took. And the last polls are given their time to finish, those owed by busy agents included.
        """
        fleet = self._fleet
        if fleet is None:
            return
        end_s = fleet.end_s
        if end_s is None or not fleet.running or self._stop_at_once or not self._is_time_up(end_s):
            fleet.end_sending()
            # Agents that wake just now get to send their poll, before Locust takes them for idle and kills them.
            gevent.sleep(_SETTLE_S)
            return
        self._stop_at_once = True
        give_up_s = end_s + fleet.options.request_timeout_s + _STOP_SLACK_S
        while not (fleet.all_left and fleet.now_s() >= end_s) and fleet.now_s() < give_up_s:
            gevent.sleep(_HOLD_STEP_S)
            if self._signals or self._fleet is not fleet:
                # Interrupted while it waited: somebody else ends the run.
                return

    def test_stop(self, environment: Any, **_: object) -> None:
        """Close the files; in the web UI, show the summary."""
        fleet, self._fleet, PollingAgent.fleet = self._fleet, None, None
        if fleet is None:
            return
        self._last_words = fleet.finish()
        if not environment.parsed_options.headless:
            self._show_last_words()

    def quitting(self, **_: object) -> None:
        """Cut a run short that still goes on: this is Ctrl-C or SIGTERM."""
        if self._fleet is None:
            return
        self._stop_at_once = True
        self._fleet.end_sending()
        self._fleet.flush()
        self._environment.stop_timeout = min(self._environment.stop_timeout, INTERRUPT_GRACE_S)

    def quit(self, exit_code: int, **_: object) -> None:
        """Say our last words below Locust's tables; a fault of ours decides the exit code."""
        self._show_last_words()
        if self._fault is not None:
            _say(str(self._fault))
            if exit_code != self._fault.exit_code:
                # The last samples could not be written, after Locust had settled on its code.
                sys.exit(self._fault.exit_code)

    def _prepare(self, *, agents: int) -> None:
        parsed = self._environment.parsed_options
        # A run time given in the web UI's form stays among the options for later runs that were given none: there,
        # the run has no end until Locust stops it.
        planned = parsed.headless or (parsed.autostart and not self._prepared_before)
        self._prepared_before = True
        options = read_options(
            parsed,
            host=self._environment.host,
            agents=agents,
            run_time_s=float(parsed.run_time) if planned and parsed.run_time else None,
            scenario=self._scenario,
        )
        self._fleet = PollingAgent.fleet = prepare_fleet(options, on_fault=self._on_fault)
        for warning in self._fleet.warnings:
            _log.warning(warning)

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

        Python would raise it in whichever greenlet runs just then: in the middle of a poll, or of a write.
        """
        self._signals += 1
        if self._fleet is not None:
            self._fleet.flush()
        main = gevent.get_hub().parent
        gevent.kill(main, KeyboardInterrupt() if self._signals == 1 else SystemExit(INTERRUPTED_CODE))

    def _show_last_words(self) -> None:
        words, self._last_words = self._last_words, None
        if words is not None:
            sys.stderr.write(f"\n{words}\n")
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


def _refuse_distribution(options: Any) -> None:
    if options.worker and options.processes:
        # A child of the process that says why.
        sys.exit(ExitCode.USAGE)
    if options.master or options.worker or options.processes:
        raise UsageError(
            explain(
                "option",
                "--processes" if options.processes else "--master" if options.master else "--worker",
                fault="the schedule and the samples belong to one process",
                remedy="a single process, which drives thousands of agents",
            )
        )


def _say(text: str) -> None:
    sys.stderr.write(f"agent-polling: {text}\n")
    sys.stderr.flush()
