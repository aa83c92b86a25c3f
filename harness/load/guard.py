"""
Doing no harm: a ceiling on what is sent besides the schedule, and an end to the run when the target goes down.

The evidence for "going down" is an e-detector: of a list of failure rates above the tolerated one, each bets on
every poll, and its winnings are never let fall below the stake. The mean of the winnings passes a bound B by
chance, at a failure rate at or below the tolerated one, at most once in B polls on average, however long one
looks.

Source: Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", 2024, of
CUSUM type; the bets are likelihood ratios of a coin, for which any rate below the tolerated one only loses faster.
"""

import math
from collections import Counter

from harness.errors import ExitCode, HarnessError
from harness.load.behaviour import Behaviour, RunningFleet
from harness.load.endpoint import Endpoint
from harness.model import Sample
from harness.units import format_duration

EVIDENCE = 1e6
"""Bound on the winnings: polls between two false alarms, at least, on a target that is just tolerable."""

_STEPS = (0.2, 0.4, 0.6, 0.8, 0.95)
"""Where between the tolerated rate and 1 the bets stand."""

_BURST_S = 1.0


class CalledOffError(HarnessError):
    """The run was ended to spare a target that goes down: that is a failed run, and no fault of ours."""

    exit_code = ExitCode.FAIL


class Downfall:
    """
    Watches the outcome of poll after poll.

    Args:
        tolerated: share of failed polls that is still borne, 0 < share < 1.
        patience_s: how long it has to have lasted before it counts [s]: a restart is no downfall.
        from_s: polls that ended earlier count, but do not end the run before this [s since the run's origin].
    """

    def __init__(self, *, tolerated: float, patience_s: float, from_s: float = 0.0) -> None:
        rates = [tolerated + (1.0 - tolerated) * step for step in _STEPS]
        self._gains = [math.log(rate / tolerated) for rate in rates]
        self._losses = [math.log((1.0 - rate) / (1.0 - tolerated)) for rate in rates]
        self._winnings = [0.0] * len(rates)
        self._patience_s = patience_s
        self._from_s = from_s
        self._since_s: float | None = None
        self.polls = 0
        """Polls since it began."""
        self.kinds: Counter[str] = Counter()
        """Failed ones among them, by kind."""

    def add(self, error: str | None, at_s: float) -> bool:
        """
        Take in one poll.

        Args:
            error: its kind of error; None for a success.
            at_s: when it ended [s since the run's origin].

        Returns:
            Whether the target is going down.
        """
        if self._since_s is None:
            # All is well, and stays so: nearly every poll of every run.
            if error is None:
                return False
            self._since_s = at_s
        steps = self._losses if error is None else self._gains
        self._winnings = [max(0.0, won) + step for won, step in zip(self._winnings, steps, strict=True)]
        self.polls += 1
        if error is not None:
            self.kinds[error] += 1
        elif max(self._winnings) <= 0.0:
            self._forget()
            return False
        return (
            # The end of a blip is no sign of a downfall, however much evidence the blip has left.
            error is not None
            and at_s - self._since_s >= self._patience_s
            and at_s >= self._from_s
            and self._evidence() >= EVIDENCE
        )

    def describe(self, at_s: float) -> str:
        """Say what was seen, in words that follow "the target is going down:"."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in self.kinds.most_common(3))
        lasted = format_duration(at_s - (self._since_s or 0.0))
        return f"{self.kinds.total()} of the last {self.polls} polls failed, within {lasted} ({kinds})"

    def _evidence(self) -> float:
        # Winnings beyond a float's range are beyond the bound as well.
        return sum(math.exp(min(700.0, won)) for won in self._winnings) / len(self._winnings)

    def _forget(self) -> None:
        self._winnings = [0.0] * len(self._winnings)
        self._since_s = None
        self.polls = 0
        self.kinds.clear()


class Ceiling:
    """
    A ceiling on the rate: puts off what is asked for besides the schedule.

    The schedule itself keeps to the ceiling by its plan. What it sends is counted here, and leaves the less for
    the others; a second's worth may come at once.

    Args:
        most_per_s: requests a second.
    """

    def __init__(self, most_per_s: float) -> None:
        self._most_per_s = most_per_s
        self._free_s = -math.inf

    def sent(self, at_s: float) -> None:
        """Count one that the schedule sent at this instant [s since the run's origin]."""
        self._free_s = max(self._free_s, at_s - _BURST_S) + 1.0 / self._most_per_s

    def admit(self, wanted_s: float) -> float:
        """Return when one that is wanted at an instant may be sent, and count it."""
        at_s = max(wanted_s, self._free_s)
        self._free_s = max(self._free_s, at_s - _BURST_S) + 1.0 / self._most_per_s
        return at_s


class Guarded(Behaviour):
    """
    Another behaviour, kept from doing harm.

    Args:
        inner: what the scenario does.
        most_per_s: see `Ceiling`.
        downfall: ends the run; None for never.
    """

    def __init__(self, inner: Behaviour, *, most_per_s: float, downfall: Downfall | None) -> None:
        self._inner = inner
        self._ceiling = Ceiling(most_per_s)
        self._downfall = downfall
        self._fleet: RunningFleet | None = None

    @property
    def wants_extra_polls(self) -> bool:
        """See `Behaviour`: a guard itself wants none."""
        return self._inner.wants_extra_polls

    def connects_to(self, endpoint: Endpoint) -> Endpoint:
        """See `Behaviour`."""
        return self._inner.connects_to(endpoint)

    def started(self, fleet: RunningFleet) -> None:
        """See `Behaviour`."""
        self._fleet = fleet
        self._inner.started(fleet)

    def answered(self, agent_index: int, sample: Sample, body: bytes) -> float | None:
        """Look at the poll for signs of a downfall, and put an extra one off where there would be too many."""
        if not sample.extra:
            self._ceiling.sent(sample.start_s)
        downfall = self._downfall
        if downfall is not None and downfall.add(sample.error, sample.end_s):
            self._downfall = None
            if self._fleet is not None:
                seen = downfall.describe(sample.end_s)
                self._fleet.call_off(
                    CalledOffError(f"the run was called off, because the target is going down: {seen}")
                )
            return None
        wanted_s = self._inner.answered(agent_index, sample, body)
        return None if wanted_s is None else self._ceiling.admit(wanted_s)

    def stopped(self) -> None:
        """See `Behaviour`."""
        self._inner.stopped()
