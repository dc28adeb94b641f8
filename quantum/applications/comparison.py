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


def compare_pairs(
    quantum: Sequence[float], classical: Sequence[float], *, step: float = 0.0
) -> Comparison:
    """The comparison of scores where higher is better; one pair alone decides nothing.

    Args:
        step: between the values that a score can have. Few differences on such a grid are easily
            equal by chance, so its rounding counts as scatter (Sheppard's step²/12).
    """
    differences = np.subtract(quantum, classical)
    mean, count = float(differences.mean()), len(differences)
    if count < 2:
        return Comparison(mean, -float("inf"), float("inf"))
    from scipy import stats  # takes longer to load than all of this package

    scatter = sqrt(differences.var(ddof=1) + step**2 / 12)
    reach = float(stats.t.ppf(0.975, count - 1) * scatter / sqrt(count))
    return Comparison(mean, mean - reach, mean + reach)


def share_interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson 1927)."""
    from scipy import stats

    found = stats.binomtest(hits, count).proportion_ci(0.95, "wilson")
    return float(found.low), float(found.high)
