"""The gates against a baseline of a judged run: what `conclude` left open is settled with the history."""

from dataclasses import replace

from harness.comparison.gates import compare_gates
from harness.conclude import Conclusion
from harness.judge.against import against_baseline
from harness.judge.gates import status_of
from harness.recording import record_of
from harness.rundir import RunDirectory, encode, write_atomically


def with_baseline(
    conclusion: Conclusion, directory: RunDirectory, history: str | None, *, written: bool = True
) -> Conclusion:
    """
    Settle the gates of the form ``p95 vs baseline < +10%``.

    Args:
        conclusion: a judged run, in which these gates are inconclusive.
        directory: its folder.
        history: folder or URL of the history; None where none is kept.
        written: whether ``result.json`` is written anew.

    Returns:
        The same run with these findings and the verdict over all; unchanged where it has no such gate.

    Raises:
        HarnessError: the folder can't be written. A history that can't be read makes the gates inconclusive.
    """
    verdict = conclusion.result.verdict
    gates = [finding.gate for finding in verdict.findings if finding.gate.against_baseline]
    if not gates:
        return conclusion
    comparisons, told = compare_gates(gates, record_of(conclusion), history)
    findings = tuple(
        against_baseline(finding.gate, comparisons) if finding.gate.against_baseline else finding
        for finding in verdict.findings
    )
    result = replace(
        conclusion.result,
        verdict=replace(verdict, status=status_of(findings), findings=findings),
        warnings=tuple(dict.fromkeys((*conclusion.result.warnings, *told))),
    )
    if written:
        write_atomically(directory.result, encode(result))
    return replace(conclusion, result=result)
