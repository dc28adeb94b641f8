"""How far a fold is: percent weighted by work, and the seconds that are left.

A stage is a number of equal units (cycles, steps, samples). Each unit starts with a guess of its
seconds; the mean of the units that were seen replaces the guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass
class StageWork:
    """The units of one stage, how many are done, and how long these took."""

    n_units: int
    guess_seconds: float
    n_done: int = 0
    seconds: float = 0.0
    part: float = 0.0
    """How much of the next unit is done, 0 to 1."""
    n_given: int = 0
    """Units that an attempt before this one did."""

    @property
    def unit_seconds(self) -> float:
        return self.seconds / self.n_done if self.n_done else self.guess_seconds

    @property
    def done_seconds(self) -> float:
        return (self.seconds if self.n_done else 0.0) + self._uncounted * self.unit_seconds

    @property
    def left_seconds(self) -> float:
        return max(self.n_units - self.n_done - self._uncounted, 0) * self.unit_seconds

    @property
    def _uncounted(self) -> float:
        return self.n_given + self.part


class Meter:
    """Percent and time left of a plan of stages.

    Args:
        plan: Units of each stage and the guessed seconds of one unit.
        clock: Seconds, growing.
    """

    def __init__(
        self, plan: Mapping[str, tuple[int, float]], *, clock: Callable[[], float]
    ) -> None:
        self._stages = {name: StageWork(n, guess) for name, (n, guess) in plan.items()}
        self._clock = clock
        self._mark = clock()
        self._percent = 0.0

    def mark(self) -> None:
        """The work of the next unit begins now."""
        self._mark = self._clock()

    def done(self, stage: str) -> None:
        """One unit of the stage is done: it took the time since the last unit or mark."""
        work = self._stages[stage]
        work.n_done += 1
        work.part = 0.0
        work.seconds += self._clock() - self._mark
        self.mark()

    def given(self, stage: str, n_units: int) -> None:
        """So many units of the stage are done at least; those not seen here were done before."""
        work = self._stages[stage]
        work.n_given = max(work.n_given, n_units - work.n_done)

    def partly(self, stage: str, part: float) -> None:
        """So much of the next unit of the stage is done, 0 to 1."""
        work = self._stages[stage]
        work.part = part
        if not work.n_done and part:
            # The first unit knows best how long it takes, once enough of it is done.
            elapsed = self._clock() - self._mark
            work.guess_seconds += part * (elapsed / part - work.guess_seconds)

    @property
    def percent(self) -> float:
        """0 to 100, never less than before."""
        done = sum(work.done_seconds for work in self._stages.values())
        total = done + self.eta_seconds
        self._percent = max(self._percent, 100.0 * done / total if total else 0.0)
        return self._percent

    @property
    def eta_seconds(self) -> float:
        """Seconds until every unit is done, if each takes as long as those seen."""
        return sum(work.left_seconds for work in self._stages.values())

    @property
    def stage_seconds(self) -> dict[str, float]:
        """The seconds that each stage has taken so far."""
        return {name: work.seconds for name, work in self._stages.items()}
