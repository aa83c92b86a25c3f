"""
The mergeable quantile histogram: every duration that the project aggregates goes through it.

Log-linear buckets: each octave (factor of two) is cut into 64 equal parts, so a bucket is at most 1/64 of its
lower edge wide. A quantile is answered with the harmonic middle ``2ab / (a + b)`` of its bucket, whose largest
relative error is ``(b - a) / (b + a) ≤ 1/129 < 0.78 %``, at every quantile and for every distribution. Merging
adds counts and loses nothing.

Source for the layout: G. Tene's HdrHistogram; for the middle that minimises the relative error: C. Masson,
J. Rim, H. Lee, "DDSketch", VLDB 2019.
"""

import math
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SUB_BUCKETS = 64
"""Buckets an octave. Part of the stored form: histograms with another value don't merge."""

MIN_S = 2.0**-20
"""Just below a microsecond; anything shorter is counted there."""

MAX_S = 2.0**20
"""About twelve days; anything longer is counted there."""

_frexp = math.frexp

_FEW = 4
"""Fewer durations than this are counted one by one: a loop is cheaper than setting out."""

# IEEE 754: 52 bits of fraction below 11 of exponent, which is 1022 for a mantissa in [0.5, 1) as frexp has it.
_BUCKET_BITS = 52 - 32 - SUB_BUCKETS.bit_length() + 1
_BUCKET_ZERO = 1022 * SUB_BUCKETS
_UPPER = 1 if sys.byteorder == "little" else 0


class Histogram:
    """
    Counts of durations in log-linear buckets, with exact count, sum, minimum and maximum.

    Memory is bounded: at most 2,561 buckets, of which only those hit take any.
    """

    __slots__ = ("_counts", "max_s", "min_s", "n", "sum_s")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.n = 0
        self.sum_s = 0.0
        self.min_s: float | None = None
        self.max_s: float | None = None

    @classmethod
    def of(cls, durations_s: Iterable[float]) -> "Histogram":
        """Return a histogram of the given durations [s]."""
        histogram = cls()
        for duration_s in durations_s:
            histogram.record(duration_s)
        return histogram

    def record(self, duration_s: float) -> None:
        """
        Count one duration.

        Args:
            duration_s: finite; below zero counts as zero (a clock may have stepped) [s].

        Raises:
            ValueError: not finite; nothing is counted.
        """
        if MIN_S < duration_s < MAX_S:
            # What `_index` does, without the call: several histograms take part in every request.
            mantissa, exponent = _frexp(duration_s)
            index = exponent * SUB_BUCKETS + int(mantissa * 128) - SUB_BUCKETS
        else:
            index = _index(duration_s)
            duration_s = max(duration_s, 0.0)
        counts = self._counts
        if index in counts:
            counts[index] += 1
        else:
            counts[index] = 1
        self.n += 1
        self.sum_s += duration_s
        if self.max_s is None or duration_s > self.max_s:
            self.max_s = duration_s
        if self.min_s is None or duration_s < self.min_s:
            self.min_s = duration_s

    def record_many(self, durations_s: Sequence[float]) -> None:
        """
        Count several durations, each as `record` would.

        Args:
            durations_s: finite [s].

        Raises:
            ValueError: one that is not finite; nothing is counted.
        """
        if len(durations_s) < _FEW:
            if not all(map(math.isfinite, durations_s)):
                raise ValueError(f"duration: not finite, got {list(durations_s)}")
            for duration_s in durations_s:
                self.record(duration_s)
            return
        first = 0
        low_s, high_s, sum_s = min(durations_s), max(durations_s), sum(durations_s)
        if not -math.inf < sum_s < math.inf:  # so it is when one of them is not finite
            raise ValueError("duration: not finite, got one among many")
        if not (low_s > MIN_S and high_s < MAX_S):
            durations_s = [max(duration_s, 0.0) for duration_s in durations_s]
            low_s, sum_s = max(low_s, 0.0), sum(durations_s)
            indexes = [_index(duration_s) for duration_s in durations_s]
        else:
            # The upper half of a double's bits, read as a whole number: exponent and the first 6 digits of the
            # fraction are its bucket. This is what `_index` works out.
            halves = memoryview(array("d", durations_s)).cast("B").cast("I").tolist()
            indexes = [half >> _BUCKET_BITS for half in halves[_UPPER::2]]
            first = _BUCKET_ZERO
        counts = self._counts
        for index, count in Counter(indexes).items():
            index -= first  # noqa: PLW2901  # from bits to bucket
            counts[index] = counts.get(index, 0) + count
        self.n += len(durations_s)
        self.sum_s += sum_s
        if self.max_s is None or high_s > self.max_s:
            self.max_s = max(high_s, 0.0)
        if self.min_s is None or low_s < self.min_s:
            self.min_s = low_s

    def merge(self, other: "Histogram") -> None:
        """Add every count of `other`, exactly. Associative and commutative (the sum up to rounding)."""
        counts = self._counts
        for index, count in other._counts.items():
            counts[index] = counts.get(index, 0) + count
        self.n += other.n
        self.sum_s += other.sum_s
        if other.max_s is not None and (self.max_s is None or other.max_s > self.max_s):
            self.max_s = other.max_s
        if other.min_s is not None and (self.min_s is None or other.min_s < self.min_s):
            self.min_s = other.min_s

    def merge_counts(
        self,
        *,
        indexes: Iterable[int],
        counts: Iterable[int],
        sum_s: float,
        min_s: float | None,
        max_s: float | None,
    ) -> None:
        """
        Add the counts of a packed histogram, exactly: `merge` for what `packed` gave.

        Args:
            indexes: bucket indexes of this layout.
            counts: how many durations each of these buckets holds, in the same order.
            sum_s: sum of the durations [s].
            min_s: smallest of them; None when there are none.
            max_s: largest of them; None when there are none.
        """
        mine = self._counts
        n = 0
        for index, count in zip(indexes, counts, strict=True):
            mine[index] = mine.get(index, 0) + count
            n += count
        self.n += n
        self.sum_s += sum_s
        if max_s is not None and (self.max_s is None or max_s > self.max_s):
            self.max_s = max_s
        if min_s is not None and (self.min_s is None or min_s < self.min_s):
            self.min_s = min_s

    def packed(self) -> tuple[list[int], list[int]]:
        """Return ``(bucket indexes, counts)``, in no order: what a store keeps beside sum, minimum and maximum."""
        return list(self._counts), list(self._counts.values())

    def copy(self) -> "Histogram":
        """Return an independent copy."""
        twin = Histogram()
        twin.merge(self)
        return twin

    @property
    def mean_s(self) -> float | None:
        """Arithmetic mean [s], exact; None when empty."""
        return self.sum_s / self.n if self.n else None

    def quantile(self, q: float) -> float | None:
        """
        Return the nearest-rank quantile.

        Args:
            q: in (0, 1].

        Returns:
            Seconds, within 0.78 % of the true nearest-rank value (and never outside the observed range);
            None when empty.

        Raises:
            ValueError: `q` outside (0, 1].
        """
        if not 0.0 < q <= 1.0:
            raise ValueError(f"quantile: out of range, got {q}, need 0 < q <= 1")
        if self.n == 0 or self.min_s is None or self.max_s is None:
            return None
        rank = nearest_rank(q, self.n)
        if rank == self.n:
            return self.max_s
        seen = 0
        for index in sorted(self._counts):
            seen += self._counts[index]
            if seen >= rank:
                return min(max(_middle(index), self.min_s), self.max_s)
        return self.max_s

    def quantiles(self, qs: Iterable[float]) -> list[float | None]:
        """
        Return several quantiles [s] in one pass over the buckets; each as `quantile` would.

        Args:
            qs: each in (0, 1], in ascending order.

        Raises:
            ValueError: one of them outside (0, 1], or not in order.
        """
        answers: list[float | None] = []
        ordered = iter(sorted(self._counts.items()))
        seen, index, before = 0, 0, 0.0
        for q in qs:
            if not before <= q <= 1.0 or q <= 0.0:
                raise ValueError(f"quantile: out of range or order, got {q}, need 0 < q <= 1, ascending")
            before = q
            if self.min_s is None or self.max_s is None:
                answers.append(None)
                continue
            rank = nearest_rank(q, self.n)
            while seen < rank:
                index, count = next(ordered)
                seen += count
            answers.append(self.max_s if rank == self.n else min(max(_middle(index), self.min_s), self.max_s))
        return answers

    def count_at_least(self, limit_s: float) -> int:
        """
        Count durations of `limit_s` or more.

        The bucket that holds the limit counts as reaching it unless the largest value shows otherwise, so the
        answer is never too small, and too large only by values within 1.6 % below the limit.
        """
        if self.max_s is None or self.max_s < limit_s:
            return 0
        edge = _index(limit_s)
        return sum(count for index, count in self._counts.items() if index >= edge)

    def buckets(self) -> list[tuple[float, float, int]]:
        """Return ``(lower edge [s], upper edge [s], count)`` of each occupied bucket, ascending."""
        return [(_edge(index), _edge(index + 1), self._counts[index]) for index in sorted(self._counts)]

    def to_json(self) -> dict[str, Any]:
        """Return the stored form: plain numbers and a mapping from bucket index (as text) to count."""
        return {
            "sub_buckets": SUB_BUCKETS,
            "n": self.n,
            "sum_s": self.sum_s,
            "min_s": self.min_s,
            "max_s": self.max_s,
            "counts": {str(index): self._counts[index] for index in sorted(self._counts)},
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Histogram":
        """
        Read the stored form back, exactly.

        Raises:
            ValueError: another bucket layout, or counts that don't add up.
        """
        if stored.get("sub_buckets") != SUB_BUCKETS:
            raise ValueError(
                f"histogram: other layout, got {stored.get('sub_buckets')}, need {SUB_BUCKETS} sub-buckets"
            )
        histogram = cls()
        histogram._counts = {int(index): int(count) for index, count in stored["counts"].items()}
        histogram.n = int(stored["n"])
        if histogram.n != sum(histogram._counts.values()):
            raise ValueError(
                f"histogram: torn, counts add up to {sum(histogram._counts.values())}, not {histogram.n}"
            )
        histogram.sum_s = float(stored["sum_s"])
        histogram.min_s = stored["min_s"]
        histogram.max_s = stored["max_s"]
        return histogram

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return (
            self._counts == other._counts
            and self.min_s == other.min_s
            and self.max_s == other.max_s
            and math.isclose(self.sum_s, other.sum_s, rel_tol=1e-9)
        )

    __hash__ = None  # type: ignore[assignment]  # mutable: not a key

    def __repr__(self) -> str:
        return f"<Histogram n={self.n} p50={self.quantile(0.5)} max={self.max_s}>"


def nearest_rank(q: float, n: int) -> int:
    """
    Return the 1-based rank of the nearest-rank quantile: the least r with r / n ≥ q.

    The tiny slack undoes binary rounding: 0.95 × 20 is 19.000000000000004 as floats go, and its rank is 19.
    """
    return min(n, max(1, math.ceil(q * n - 1e-9)))


def _index(duration_s: float) -> int:
    if not MIN_S < duration_s < MAX_S:
        if not math.isfinite(duration_s):
            raise ValueError(f"duration: not finite, got {duration_s}")
        duration_s = MIN_S if duration_s <= MIN_S else MAX_S
    mantissa, exponent = math.frexp(duration_s)
    # mantissa is in [0.5, 1): times 128 it is in [64, 128).
    return exponent * SUB_BUCKETS + int(mantissa * 128) - SUB_BUCKETS


def _edge(index: int) -> float:
    exponent, part = divmod(index, SUB_BUCKETS)
    return math.ldexp(0.5 + part / 128, exponent)


def _middle(index: int) -> float:
    low, high = _edge(index), _edge(index + 1)
    return 2 * low * high / (low + high)
