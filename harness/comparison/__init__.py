"""
Runs against a baseline: which runs, which figures, what differs besides, and the outcome for people and machines.

::

    run folders, a history ─▶ sources ─▶ HistoryRecord … ─▶ comparing ─▶ Compared ─▶ render
    gates vs baseline, a history ─▶ gates ─▶ gate name → Comparison
"""
