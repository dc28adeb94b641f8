"""Vectors in an Upstash Vector index, by its REST interface.

The index must have been made for cosine similarity. Upstash scores (1 + cosine)/2.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from quantum.errors import BadAnswer, InvalidValues
from quantum.store.vectors.base import (
    Fact,
    Filter,
    Item,
    Match,
    check_items,
    check_vector,
    conditions,
)
from quantum.store.vectors.rest import RestClient, in_pieces

_MOST_UPSERTED, _MOST_DELETED, _MOST_FOUND = 500, 1000, 1000


class UpstashVectors:
    """One namespace of an index; options are those of `RestClient`."""

    def __init__(
        self, url: str, token: str, *, size: int, namespace: str = "", **options: Any
    ) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._client = RestClient(url, headers, "Upstash Vector", **options)
        self.size, self._namespace = size, namespace

    def upsert(self, items: Sequence[Item]) -> None:
        rows = [
            {
                "id": item.id,
                "vector": np.asarray(item.vector, np.float32).tolist(),
                "metadata": dict(item.facts),
            }
            for item in check_items(items, self.size)
        ]
        for piece in in_pieces(rows, _MOST_UPSERTED):
            self._call("upsert", piece)

    def query(
        self, vector: Float[np.ndarray, " entry"], *, limit: int = 10, where: Filter | None = None
    ) -> list[Match]:
        return self._find(check_vector(vector, self.size), limit, where)

    def _find(self, vector: np.ndarray, limit: int, where: Filter | None) -> list[Match]:
        asked = conditions(where)
        if limit < 1 or any(not values for values in asked.values()):
            return []
        body = {"vector": vector.tolist(), "topK": min(limit, _MOST_FOUND), "includeMetadata": True}
        if asked:
            body["filter"] = filter_text(asked)
        rows = self._call("query", body)
        try:
            return [
                Match(row["id"], 2 * float(row["score"]) - 1, row.get("metadata") or {})
                for row in rows
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(f"Upstash's answer has no matches: {error!r}") from error

    def delete(self, ids: Sequence[str]) -> None:
        for piece in in_pieces(list(ids), _MOST_DELETED):
            self._call("delete", {"ids": piece})

    def count(self, where: Filter | None = None) -> int:
        """All, by the index's statistics; with a filter at most 1,000, by a query for them."""
        if where:
            return len(self._find(np.ones(self.size, np.float32), _MOST_FOUND, where))
        answer = _result(self._client.call("/info"))
        try:
            return int(answer["namespaces"].get(self._namespace, {}).get("vectorCount", 0))
        except (KeyError, TypeError, AttributeError) as error:
            raise BadAnswer(f"Upstash's statistics make no sense: {error!r}") from error

    def _call(self, verb: str, body: Any) -> Any:
        space = f"/{self._namespace}" if self._namespace else ""
        return _result(self._client.call(f"/{verb}{space}", body))


def _result(answer: Any) -> Any:
    if not isinstance(answer, dict) or "result" not in answer:
        raise BadAnswer("Upstash's answer has no result")
    return answer["result"]


def filter_text(asked: dict[str, list[Fact]]) -> str:
    """The conditions in Upstash's filter language."""
    return " AND ".join(
        "(" + " OR ".join(f"{name} = {_literal(value)}" for value in values) + ")"
        for name, values in asked.items()
    )


def _literal(value: Fact) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return json.dumps(value)
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    raise InvalidValues(f"Upstash cannot filter by text with both kinds of quotes: {value!r}")
