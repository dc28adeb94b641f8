"""One run of a batch through the backends, while it lasts: who listens, its time, its record."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from quantum.backends.executions import Execution, Hop

Report: TypeAlias = Callable[[dict[str, Any]], None]


def silent(event: dict[str, Any]) -> None:
    """Nobody listens."""


@dataclass
class Watch:
    """A run: who listens, when it began and has to be over, and its record as it is by now.

    Args:
        cost: of the backend in hand; the record's is that of those before it, too.
    """

    report: Report
    start: float
    end: float
    record: Execution
    cost: float = 0.0

    @property
    def left(self) -> float:
        """Seconds that are left; none of them is negative."""
        return max(0.0, self.end - time.monotonic())

    def note(self, *, cost: float | None = None, **changes: Any) -> None:
        """Changes the record; `cost` is that of the backend in hand."""
        self.cost = self.cost if cost is None else cost
        total = self.cost + sum(hop.cost for hop in self.record.hops)
        self.record = replace(self.record, cost=total, **changes)

    def hop(self, error: Exception, *, since: float) -> None:
        """Notes why the backend in hand did not do it, and what it may charge all the same."""
        seconds = round(time.monotonic() - since, 3)
        hop = Hop(self.record.backend, str(error), seconds, self.cost)
        self.cost = 0.0
        self.note(hops=(*self.record.hops, hop), fallback_reason=hop.reason)
