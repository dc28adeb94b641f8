"""Vectors in a Pinecone index, by its REST interface of 2025-01.

The index must have been made for the metric cosine. Ids go in hexadecimal, for
Pinecone takes ASCII alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from quantum.errors import BadAnswer
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

_ID = "id_"  # the fact under which Pinecone keeps our id
_MOST_UPSERTED, _MOST_DELETED, _MOST_FOUND = 100, 1000, 10_000


class PineconeVectors:
    """One namespace of an index.

    Args:
        host: the index's own address, as its page shows it.
        token: the API key.
        options: of `RestClient`: time-outs and retries.
    """

    def __init__(
        self, host: str, token: str, *, size: int, namespace: str = "", **options: Any
    ) -> None:
        headers = {"Api-Key": token, "X-Pinecone-API-Version": "2025-01"}
        self._client = RestClient(host, headers, "Pinecone", **options)
        self.size, self._namespace = size, namespace

    def upsert(self, items: Sequence[Item]) -> None:
        rows = [
            {
                "id": item.id.encode().hex(),
                "values": np.asarray(item.vector, np.float32).tolist(),
                "metadata": {**item.facts, _ID: item.id},
            }
            for item in check_items(items, self.size)
        ]
        for piece in in_pieces(rows, _MOST_UPSERTED):
            self._call("/vectors/upsert", vectors=piece)

    def query(
        self, vector: Float[np.ndarray, " entry"], *, limit: int = 10, where: Filter | None = None
    ) -> list[Match]:
        found = check_vector(vector, self.size)
        return self._find(found, limit, where)

    def _find(self, vector: np.ndarray, limit: int, where: Filter | None) -> list[Match]:
        asked = conditions(where)
        if limit < 1 or any(not values for values in asked.values()):
            return []
        answer = self._call(
            "/query", vector=vector.tolist(), topK=min(limit, _MOST_FOUND), includeMetadata=True,
            **({"filter": filter_rule(asked)} if asked else {}),
        )  # fmt: skip
        try:
            return [_match(row) for row in answer["matches"]]
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(f"Pinecone's answer has no matches: {error!r}") from error

    def delete(self, ids: Sequence[str]) -> None:
        for piece in in_pieces([name.encode().hex() for name in ids], _MOST_DELETED):
            self._call("/vectors/delete", ids=piece)

    def count(self, where: Filter | None = None) -> int:
        """All, by the index's statistics; with a filter at most 10,000, by a query for them."""
        if where:
            return len(self._find(np.ones(self.size, np.float32), _MOST_FOUND, where))
        answer = self._client.call("/describe_index_stats", {})
        try:
            spaces = answer["namespaces"]
            return int(spaces.get(self._namespace, {}).get("vectorCount", 0))
        except (KeyError, TypeError, AttributeError) as error:
            raise BadAnswer(f"Pinecone's statistics make no sense: {error!r}") from error

    def _call(self, path: str, **body: Any) -> Any:
        return self._client.call(path, {**body, "namespace": self._namespace})


def filter_rule(asked: Mapping[str, Sequence[Fact]]) -> dict[str, Any]:
    """The conditions in Pinecone's filter language."""
    return _joined("$and", [_rule(name, values) for name, values in asked.items()])


def _rule(name: str, values: Sequence[Fact]) -> dict[str, Any]:
    """`$in` takes text or numbers, truth values are for `$eq` alone."""
    texts = [value for value in values if isinstance(value, str)]
    truths = [value for value in values if isinstance(value, bool)]
    numbers = [value for value in values if not isinstance(value, str | bool)]
    lists = [{name: {"$in": alike}} for alike in (texts, numbers) if alike]
    return _joined("$or", [*lists, *({name: {"$eq": truth}} for truth in truths)])


def _joined(word: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return rules[0] if len(rules) == 1 else {word: rules}


def _match(row: dict[str, Any]) -> Match:
    facts = dict(row["metadata"])
    return Match(facts.pop(_ID), float(row["score"]), {k: _number(v) for k, v in facts.items()})


def _number(value: Any) -> Any:
    """Pinecone keeps all numbers as floats: whole ones come back as they were."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
