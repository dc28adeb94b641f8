"""Vectors in a PostgreSQL table with the extension pgvector (an extra: requirements-postgresql.txt
brings the client)."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float

from quantum.errors import InvalidValues, NotConfigured, Unavailable
from quantum.store.vectors.base import (
    Fact,
    Filter,
    Item,
    Match,
    check_items,
    check_vector,
    conditions,
)


class PgVectors:
    """One table, made where it is missing; search is exact.

    Args:
        url: postgresql://user:password@host:port/name.

    Raises:
        NotConfigured: without the client, or without pgvector on the server.
        InvalidValues: for a table name that is no plain word, or vectors of another size.
    """

    def __init__(self, url: str, *, table: str, size: int, timeout_seconds: int = 20) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise NotConfigured("pgvector needs the package psycopg") from error
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", table):
            raise InvalidValues(f"a table's name is small letters, digits and _, not {table!r}")
        self._psycopg, self._url, self._table, self.size = psycopg, url, table, size
        self._timeout = timeout_seconds
        with self._connection() as connection:
            self._prepare(connection)

    def _prepare(self, connection: Any) -> None:
        # Two that begin at once would both try to create: one after the other.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [self._table])
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except self._psycopg.Error as error:
            raise NotConfigured(f"the server has no pgvector: {error}") from error
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {self._table} (id TEXT PRIMARY KEY, "
            f"vector vector({self.size}) NOT NULL, facts JSONB NOT NULL)"
        )
        known = connection.execute(
            "SELECT atttypmod FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
            [self._table, "vector"],
        ).fetchone()[0]
        if known != self.size:
            raise InvalidValues(f"{self._table} holds vectors of {known}, not {self.size}")

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection for one transaction."""
        options = f"-c statement_timeout={1000 * self._timeout}"
        try:
            with self._psycopg.connect(
                self._url, connect_timeout=self._timeout, options=options, client_encoding="UTF8"
            ) as connection:
                yield connection
        except self._psycopg.DataError as error:  # the character 0, say
            raise InvalidValues(f"PostgreSQL cannot keep this: {error}") from error
        except self._psycopg.OperationalError as error:
            raise Unavailable(f"PostgreSQL does not answer: {error}") from error

    def upsert(self, items: Sequence[Item]) -> None:
        rows = [
            (item.id, _text(item.vector), _json(dict(item.facts)))
            for item in check_items(items, self.size)
        ]
        rows.sort()  # two that write the same ids take their locks in the same order
        with self._connection() as connection, connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {self._table} VALUES (%s, %s, %s) ON CONFLICT (id) DO UPDATE "
                "SET vector = EXCLUDED.vector, facts = EXCLUDED.facts",
                rows,
            )

    def query(
        self, vector: Float[np.ndarray, " entry"], *, limit: int = 10, where: Filter | None = None
    ) -> list[Match]:
        direction = _text(check_vector(vector, self.size))
        condition, values = _where(conditions(where))
        command = (
            f"SELECT id, 1 - (vector <=> %s) AS score, facts FROM {self._table} "
            f"WHERE {condition} ORDER BY score DESC, id LIMIT %s"
        )
        with self._connection() as connection:
            found = connection.execute(command, [direction, *values, max(limit, 0)]).fetchall()
        return [Match(name, float(score), facts) for name, score, facts in found]

    def delete(self, ids: Sequence[str]) -> None:
        with self._connection() as connection:
            connection.execute(f"DELETE FROM {self._table} WHERE id = ANY(%s)", [list(ids)])

    def count(self, where: Filter | None = None) -> int:
        condition, values = _where(conditions(where))
        command = f"SELECT COUNT(*) FROM {self._table} WHERE {condition}"
        with self._connection() as connection:
            return int(connection.execute(command, values).fetchone()[0])


def _text(vector: np.ndarray) -> str:
    """The vector in pgvector's notation."""
    return json.dumps(np.asarray(vector, np.float32).tolist())


def _json(value: Any) -> str:
    """As it is, without escapes: a server may keep text in an encoding that has no \\u…."""
    return json.dumps(value, ensure_ascii=False)


def _where(asked: dict[str, list[Fact]]) -> tuple[str, list[Any]]:
    """An SQL condition and its values."""
    parts = ["facts -> %s = ANY(%s::jsonb[])" for _ in asked]
    values = [v for name, facts in asked.items() for v in (name, [_json(f) for f in facts])]
    return " AND ".join(parts) or "TRUE", values
