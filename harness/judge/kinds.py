"""The two kinds of error that say nothing about the target. The words are those of `harness.load.answers`."""

import numpy as np

from harness.columns import Bools, Columns

GENERATOR_LIMIT = "generator-limit"
"""The generator's own machine had no socket, port or memory left."""

INTERRUPTED = "interrupted"
"""The poll was in flight when the run was ended."""


def of_kind(columns: Columns, kind: str) -> Bools:
    """Return which samples failed with an error of this kind, shape (n,)."""
    if kind not in columns.error_kinds:
        return np.zeros(len(columns), dtype=np.bool_)
    return np.asarray(columns.error == columns.error_kinds.index(kind), dtype=np.bool_)
