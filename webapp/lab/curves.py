"""Numbers as they come: lines that stay short however long a run is.

A line belongs to a metric ("loss"), to what it is of ("quantum"), and to a turn: an application
that trains several times starts again at step 0, and that is the next turn. A training has one
turn; where it goes on from a checkpoint, what came after that checkpoint is written anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeAlias

Key: TypeAlias = tuple[str, str, int]

MOST_POINTS = 500
MOST_POINTS_OF_MANY = 200
MOST_TURNS = 6
NOT_DRAWN = frozenset({"kind", "step", "epoch", "model", "repeat"})


@dataclass
class Line:
    """Points by growing x. Beyond `most` every second one goes, and so from then on."""

    most: int
    x: list[int] = field(default_factory=list)
    y: list[float] = field(default_factory=list)
    stride: int = 1
    count: int = 0
    last: tuple[int, float] | None = None

    def add(self, x: int, y: float) -> None:
        self.last = (x, y)
        if self.count % self.stride == 0:
            self.x.append(x)
            self.y.append(y)
        self.count += 1
        if len(self.x) > self.most:
            self.x, self.y, self.stride = self.x[::2], self.y[::2], 2 * self.stride

    def cut(self, x: int) -> None:
        """Forgets the points from x on."""
        keep = bisect_left(self.x, x)
        self.x, self.y, self.last = self.x[:keep], self.y[:keep], None

    @property
    def end(self) -> int | None:
        """The x of the newest point."""
        if self.last is not None:
            return self.last[0]
        return self.x[-1] if self.x else None

    def points(self) -> tuple[list[int], list[float]]:
        """All that is kept, and the newest point in any case."""
        if self.last is None or (self.x and self.x[-1] == self.last[0]):
            return self.x, self.y
        return [*self.x, self.last[0]], [*self.y, self.last[1]]


class Curves:
    """The lines of one run.

    Args:
        goes_on: one turn only: a step that goes back replaces what came after it.
        saved: what `to_json` gave before.
    """

    def __init__(self, *, goes_on: bool, saved: Iterable[Mapping[str, Any]] = ()) -> None:
        self._goes_on = goes_on
        self._lines: dict[Key, Line] = {}
        for one in saved:
            line = Line(self._most, list(one["x"]), list(one["y"]))
            line.count = len(line.x)
            self._lines[one["metric"], one["of"], one["turn"]] = line

    @property
    def _most(self) -> int:
        return MOST_POINTS if self._goes_on else MOST_POINTS_OF_MANY

    def add(self, event: Mapping[str, Any]) -> None:
        """Takes the numbers of a `metric` event."""
        step, of = int(event["step"]), str(event.get("model", ""))
        for metric, value in event.items():
            if metric in NOT_DRAWN or not isinstance(value, int | float) or not isfinite(value):
                continue
            self._line(metric, of, event.get("repeat"), step).add(step, _short(value))

    def _line(self, metric: str, of: str, repeat: int | None, step: int) -> Line:
        turns = [turn for (name, whose, turn) in self._lines if (name, whose) == (metric, of)]
        turn = repeat + 1 if repeat is not None else max(turns, default=1)
        line = self._lines.get((metric, of, turn))
        if line is not None and line.end is not None and step <= line.end:
            if self._goes_on or repeat is not None:
                line.cut(step)
            else:
                turn, line = turn + 1, None
        if line is None:
            line = self._lines[metric, of, turn] = Line(self._most)
            for old in sorted(turns)[: max(0, len(turns) + 1 - MOST_TURNS)]:
                del self._lines[metric, of, old]
        return line

    def to_json(self) -> list[dict[str, Any]]:
        """The lines as plain data: metric, of, turn, x and y."""
        found = []
        for (metric, of, turn), line in self._lines.items():
            x, y = line.points()
            found.append({"metric": metric, "of": of, "turn": turn, "x": list(x), "y": list(y)})
        return found


def _short(value: float) -> float:
    """Six digits are more than a figure can show."""
    return float(f"{value:.6g}")
