"""Numbers of trainings as they come: appended, never changed; searched and exported."""

import csv
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from math import nan
from pathlib import Path

from quantum.store.database import connect, writing

_TABLES = """
CREATE TABLE IF NOT EXISTS readings (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, name TEXT NOT NULL, step INTEGER NOT NULL,
    epoch INTEGER, value REAL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS readings_of_a_run ON readings (run, name, step);
CREATE TRIGGER IF NOT EXISTS never_changed BEFORE UPDATE ON readings
    BEGIN SELECT RAISE(ABORT, 'readings are appended, never changed'); END;
CREATE TRIGGER IF NOT EXISTS never_deleted BEFORE DELETE ON readings
    BEGIN SELECT RAISE(ABORT, 'readings are appended, never deleted'); END;
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of one run.

    Args:
        at: seconds since 1970.
        value: NaN where the number was none.
    """

    run: str
    name: str
    step: int
    epoch: int | None
    value: float
    at: float


class Metrics:
    """The numbers of many runs in one file, which several processes may write at once."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as connection:
            connection.executescript(_TABLES)

    def _connect(self) -> sqlite3.Connection:
        return connect(self._path)

    def append(
        self,
        run: str,
        values: Mapping[str, float | int],
        *,
        step: int,
        epoch: int | None = None,
        at: float | None = None,
    ) -> None:
        """Adds the values of one step, all or none."""
        now = time.time() if at is None else at
        rows = [(run, name, step, epoch, float(value), now) for name, value in values.items()]
        with writing(self._path) as connection:
            connection.executemany(
                "INSERT INTO readings (run, name, step, epoch, value, at) VALUES (?,?,?,?,?,?)",
                rows,
            )

    def query(
        self,
        *,
        run: str | None = None,
        name: str | None = None,
        first_step: int | None = None,
        last_step: int | None = None,
        limit: int | None = None,
    ) -> list[Reading]:
        """The readings that fit, in the order in which they came."""
        return list(self._select(run, name, first_step, last_step, limit))

    def _select(
        self,
        run: str | None,
        name: str | None,
        first_step: int | None = None,
        last_step: int | None = None,
        limit: int | None = None,
    ) -> Iterator[Reading]:
        conditions = {
            "run = ?": run, "name = ?": name, "step >= ?": first_step, "step <= ?": last_step
        }  # fmt: skip
        asked = {text: value for text, value in conditions.items() if value is not None}
        where = " AND ".join(asked) or "1"
        command = (
            f"SELECT run, name, step, epoch, value, at FROM readings WHERE {where} ORDER BY id"
        )
        values = [*asked.values(), -1 if limit is None else limit]
        with closing(self._connect()) as connection:
            for who, what, step, epoch, value, at in connection.execute(
                f"{command} LIMIT ?", values
            ):
                yield Reading(who, what, step, epoch, nan if value is None else value, at)

    def curve(self, run: str, name: str) -> list[tuple[int, float]]:
        """(step, value) by step; of several readings of a step the last."""
        found = {reading.step: reading.value for reading in self._select(run, name)}
        return sorted(found.items())

    def latest(self, run: str) -> dict[str, float]:
        """The newest value under every name."""
        return {reading.name: reading.value for reading in self._select(run, None)}

    def runs(self) -> list[str]:
        """Every run, in the order of first appearance."""
        command = "SELECT run FROM readings GROUP BY run ORDER BY MIN(id)"
        with closing(self._connect()) as connection:
            return [run for (run,) in connection.execute(command)]

    def export_csv(self, path: Path | str, *, run: str | None = None) -> int:
        """Writes the readings as a table with a header line; gives back how many."""
        count = 0
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["run", "name", "step", "epoch", "value", "at"])
            for r in self._select(run, None):
                epoch = "" if r.epoch is None else r.epoch
                writer.writerow([r.run, r.name, r.step, epoch, repr(r.value), repr(r.at)])
                count += 1
        return count
