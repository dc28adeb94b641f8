"""Vectors in a folder, without a server: exact search over a memory-mapped table.

Vectors lie in one file of float32 rows, ids and facts in SQLite beside it, which also says which
rows count. Rows are written before their entries and never overwritten, so readers need no lock,
and a crash leaves at most rows that nobody points to.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from jaxtyping import Float

from quantum.errors import Damaged, InvalidValues
from quantum.store.database import connect, writing
from quantum.store.vectors.base import (
    Fact,
    Filter,
    Item,
    Match,
    check_items,
    check_vector,
    conditions,
    fits,
)

_TABLES = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS items (
    id TEXT PRIMARY KEY, row INTEGER NOT NULL UNIQUE, facts TEXT NOT NULL);
"""
_BLOCK = 65_536  # rows that are compared at once


class LocalVectors:
    """The vectors in one folder; several processes may read and write at once.

    Args:
        size: entries of every vector; the first to open the folder decides.

    Raises:
        InvalidValues: where the folder holds vectors of another size.
    """

    def __init__(self, folder: Path | str, *, size: int) -> None:
        if size < 1:
            raise InvalidValues(f"vectors have at least one entry, not {size}")
        self.size, self.folder = size, Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._database = self.folder / "items.sqlite3"
        with closing(connect(self._database)) as connection:
            connection.executescript(_TABLES)
        with writing(self._database) as connection:
            for name, value in (("size", size), ("file", 0), ("next", 0)):
                connection.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", [name, value])
            known = _setting(connection, "size")
            self._file(connection).touch()
        if known != size:
            raise InvalidValues(f"{self.folder} holds vectors of {known} entries, not {size}")

    def _file(self, connection: sqlite3.Connection) -> Path:
        return self.folder / f"vectors-{_setting(connection, 'file')}.f32"

    def upsert(self, items: Sequence[Item]) -> None:
        """Adds the items, all or none; raises `InvalidValues`."""
        wanted = check_items(items, self.size)
        units = [item.vector / np.linalg.norm(item.vector.astype(np.float64)) for item in wanted]
        with writing(self._database) as connection:
            first = _setting(connection, "next")
            with self._file(connection).open("r+b") as file:
                file.seek(first * self.size * 4)
                file.write(b"".join(unit.astype("<f4").tobytes() for unit in units))
            _set(connection, "next", first + len(wanted))
            connection.executemany(
                "INSERT OR REPLACE INTO items VALUES (?, ?, ?)",
                [
                    (item.id, row, json.dumps(dict(item.facts)))
                    for row, item in enumerate(wanted, first)
                ],
            )

    def query(
        self, vector: Float[np.ndarray, " entry"], *, limit: int = 10, where: Filter | None = None
    ) -> list[Match]:
        """The nearest by cosine, exactly, best first; ties by id."""
        direction = check_vector(vector, self.size)
        direction = direction / np.linalg.norm(direction)
        entries, scores = self._compare(direction, where)
        if limit < 1 or not entries:
            return []
        worst = np.partition(scores, -min(limit, len(scores)))[-min(limit, len(scores))]
        nearest = sorted(np.flatnonzero(scores >= worst), key=lambda i: (-scores[i], entries[i][0]))
        return [
            Match(entries[i][0], float(np.clip(scores[i], -1, 1)), entries[i][2])
            for i in nearest[:limit]
        ]

    def _compare(
        self, direction: np.ndarray, where: Filter | None
    ) -> tuple[list[tuple[str, int, dict[str, Fact]]], np.ndarray]:
        """(id, row, facts) of what fits, and the cosines; again where a compaction came between."""
        for _ in range(3):
            file, entries = self._entries(where)
            try:
                return entries, self._scores(file, [row for _, row, _ in entries], direction)
            except FileNotFoundError:
                continue
        raise Damaged(f"{self.folder} has lost its vectors: restore it or delete it")

    def _entries(self, where: Filter | None) -> tuple[Path, list[tuple[str, int, dict[str, Fact]]]]:
        asked = conditions(where)
        with closing(connect(self._database)) as connection:
            connection.execute("BEGIN")  # file and entries as of one moment
            file = self._file(connection)
            found = connection.execute("SELECT id, row, facts FROM items ORDER BY row").fetchall()
        entries = ((name, row, json.loads(facts)) for name, row, facts in found)
        return file, [entry for entry in entries if fits(entry[2], asked)]

    def _scores(self, file: Path, rows: list[int], direction: np.ndarray) -> np.ndarray:
        """The cosines of the rows, a block at a time."""
        if not rows:
            return np.zeros(0, np.float32)
        n_rows = file.stat().st_size // (4 * self.size)
        if n_rows <= rows[-1]:
            raise Damaged(f"{file} is shorter than its index says: restore it or delete it")
        table = np.memmap(file, dtype="<f4", mode="r", shape=(n_rows, self.size))
        blocks = (rows[at : at + _BLOCK] for at in range(0, len(rows), _BLOCK))
        return np.concatenate([table[block] @ direction for block in blocks])

    def delete(self, ids: Sequence[str]) -> None:
        with writing(self._database) as connection:
            connection.executemany("DELETE FROM items WHERE id = ?", [(name,) for name in ids])

    def count(self, where: Filter | None = None) -> int:
        if not where:
            with closing(connect(self._database)) as connection:
                return int(connection.execute("SELECT COUNT(*) FROM items").fetchone()[0])
        return len(self._entries(where)[1])

    def compact(self) -> None:
        """Moves the rows that count to a new file and deletes the old one."""
        with writing(self._database) as connection:
            rows = connection.execute("SELECT row, id FROM items ORDER BY row").fetchall()
            old = self._file(connection)
            table = np.fromfile(old, dtype="<f4").reshape(-1, self.size)
            _set(connection, "file", _setting(connection, "file") + 1)
            table[[row for row, _ in rows]].tofile(self._file(connection))
            for place, (_, name) in enumerate(rows):  # ascending: the place is free by then
                connection.execute("UPDATE items SET row = ? WHERE id = ?", [place, name])
            _set(connection, "next", len(rows))
        old.unlink()


def _setting(connection: sqlite3.Connection, name: str) -> int:
    command = "SELECT value FROM settings WHERE name = ?"
    return int(connection.execute(command, [name]).fetchone()[0])


def _set(connection: sqlite3.Connection, name: str, value: int) -> None:
    connection.execute("UPDATE settings SET value = ? WHERE name = ?", [value, name])
