"""Two methods on the same draws: is the difference more than chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from quantum.applications.base import Winner


@dataclass(frozen=True)
class Comparison:
    """Quantum minus classical, over paired draws.

    Args:
        low, high: the 95 % confidence interval of the mean difference (Student's t).
    """

    mean: float
    low: float
    high: float

    @property
    def winner(self) -> Winner:
        """Who is higher; a tie where the interval holds 0."""
        if self.low > 0:
            return "quantum"
        return "classical" if self.high < 0 else "tie"


def compare_pairs(quantum: Sequence[float], classical: Sequence[float]) -> Comparison:
    """The comparison of scores where higher is better; one pair alone decides nothing."""
    differences = np.subtract(quantum, classical)
    mean, count = float(differences.mean()), len(differences)
    if count < 2:
        return Comparison(mean, -float("inf"), float("inf"))
    from scipy import stats  # takes longer to load than all of this package

    reach = float(stats.t.ppf(0.975, count - 1) * differences.std(ddof=1) / sqrt(count))
    return Comparison(mean, mean - reach, mean + reach)


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson 1927)."""
    from scipy import stats

    found = stats.binomtest(hits, count).proportion_ci(0.95, "wilson")
    return float(found.low), float(found.high)
