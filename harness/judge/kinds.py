"""Kinds of error and of answer as gates name them. The words are those of `harness.load.answers`."""

import re

import numpy as np

from harness.columns import Bools, Columns, Ints

GENERATOR_LIMIT = "generator-limit"
"""The generator's own machine had no socket, port or memory left: it says nothing about the target."""

INTERRUPTED = "interrupted"
"""The poll was in flight when the run was ended: nor does this."""


def is_named(kind: str, name: str) -> bool:
    """Tell whether a gate's name of a kind of error is this kind's, ``http-5xx`` that of its whole class."""
    return re.fullmatch(re.escape(name).replace("xx", r"\d\d"), kind) is not None


def of_kind(columns: Columns, kind: str) -> Bools:
    """Return which samples failed with an error of this kind, shape (n,)."""
    if kind not in columns.error_kinds:
        return np.zeros(len(columns), dtype=np.bool_)
    return np.asarray(columns.error == columns.error_kinds.index(kind), dtype=np.bool_)


def answered_with(name: str | None, status: Ints) -> Bools:
    """Return which samples were answered with a status such as ``404``, or one of ``5xx``; None stands for any."""
    if name is None:
        return np.asarray(status > 0)
    if name.endswith("xx"):
        return np.asarray(status // 100 == int(name[0]))
    return np.asarray(status == int(name))
