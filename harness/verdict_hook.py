"""
A verdict for runs of plain Locust: what `harness run` does after the load, done where no harness is around it.

It stands outside the load room, which measures and does not judge; the scenarios bring both together.
"""

from harness.errors import ExitCode, HarnessError
from harness.rundir import RunDirectory


def judge_run(directory: RunDirectory) -> tuple[int, str]:
    """
    Judge what a run has left in its folder, and write ``result.json``.

    Args:
        directory: the folder; its files are closed.

    Returns:
        Exit code and a few lines for people: the verdict, and of the gates those that did not pass.
    """
    # Numbers take a tenth of a second to import: after the load, and in no worker.
    from harness.conclude import conclude_again  # noqa: PLC0415

    try:
        verdict = conclude_again(directory.path).result.verdict
    except HarnessError as fault:
        return int(fault.exit_code), f"verdict        none: {fault}"
    lines = [f"verdict        {verdict.status}, exit code {ExitCode[verdict.status.name]:d}"]
    lines += [
        f"               {finding.status} {finding.gate.name}: {finding.reason}"
        for finding in verdict.findings
        if finding.status.name != ExitCode.PASS.name
    ]
    return int(ExitCode[verdict.status.name]), "\n".join(lines)
