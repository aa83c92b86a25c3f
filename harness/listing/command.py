"""`harness scenarios`: which scenarios there are and what each takes; and what `harness run --dry-run` prints."""

import argparse
import json
from typing import TYPE_CHECKING

from harness.errors import ExitCode
from harness.scenarios import SCENARIOS, ScenarioKind, scenario_kind

if TYPE_CHECKING:
    from harness.options import RunOptions

EPILOG = """\
examples:
  harness scenarios
  harness scenarios restart-storm
  harness scenarios --json
  harness run --scenario restart-storm --back-off none

Each is a file in locustfiles/ too, for plain Locust; docs/scenarios.md tells what each shows.
"""

_EMBEDDED = "http://127.0.0.1:PORT"


def add_scenarios_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `harness scenarios`, which `run_scenarios` reads."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="one scenario (default: all)")
    parser.add_argument("--json", action="store_true", help="print them as JSON")


def run_scenarios(parsed: argparse.Namespace) -> int:
    """
    List the scenarios.

    Raises:
        UsageError: there is none of this name.
    """
    kinds = list(SCENARIOS.values()) if parsed.name is None else [scenario_kind(parsed.name)]
    if parsed.json:
        print(json.dumps([_as_json(kind) for kind in kinds], indent=1))
    elif parsed.name is None:
        print("\n".join(_short(kind) for kind in kinds))
    else:
        print(_long(kinds[0]))
    return ExitCode.PASS


def show_dry_run(options: "RunOptions", *, as_json: bool) -> int:
    """Print what a run would send, and send nothing."""
    from harness.load.dry_run import as_text, dry_run
    from harness.options import check_options, load_options

    scenario = check_options(options)
    load = load_options(options, scenario, host=options.host or _EMBEDDED.replace("PORT", "1"), folder=None)
    sections = dict(dry_run(load, options.access, attached=options.host is not None))
    if options.host is None:
        # The port is not known before it is taken.
        sections = {
            title: tuple(line.replace("127.0.0.1:1", "127.0.0.1:PORT") for line in lines)
            for title, lines in sections.items()
        }
        sections["target"] = (f"the reference master, started on a free port: {_EMBEDDED}",)
    if as_json:
        print(json.dumps({"sent": False, **sections}, indent=1, ensure_ascii=False))
    else:
        print(as_text(sections))
        print("\nnothing was sent")
    return ExitCode.PASS


def _short(kind: ScenarioKind) -> str:
    writes = "  (writes)" if kind.writes else ""
    return f"{kind.name:<16}  {kind.summary}{writes}"


def _long(kind: ScenarioKind) -> str:
    lines = [f"{kind.name}: {kind.summary}", f"shows {kind.shows}", f"runs for {kind.run_time} by default"]
    if kind.writes:
        lines.append("writes: needs --allow-writes against a running target")
    lines += [f"  {p.flag + ' ' + p.metavar:<30} {p.help} (default: {p.default})" for p in kind.parameters]
    lines.append(f"locust -f locustfiles/{kind.file.name}")
    return "\n".join(lines)


def _as_json(kind: ScenarioKind) -> dict[str, object]:
    return {
        "name": kind.name,
        "summary": kind.summary,
        "shows": kind.shows,
        "writes": kind.writes,
        "run_time": kind.run_time,
        "locustfile": f"locustfiles/{kind.file.name}",
        "parameters": [
            {"name": p.name, "flag": p.flag, "default": p.default, "help": p.help, "choices": list(p.choices)}
            for p in kind.parameters
        ],
    }
