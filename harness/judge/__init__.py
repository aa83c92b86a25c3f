"""
Judging: pure functions from numbers to typed verdicts. Nothing here prints, waits, reads a file or a clock.

::

    Columns ─▶ summary.summarise ─▶ Summary
    gates + Evidence ─▶ gates.judge ─▶ Verdict
"""
