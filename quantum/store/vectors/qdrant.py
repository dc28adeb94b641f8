"""Vectors in a Qdrant collection, by its own client (an extra: requirements-vectors.txt)."""

from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from jaxtyping import Float

from quantum.errors import BadAnswer, InvalidValues, NotConfigured, Unavailable
from quantum.store.vectors.base import (
    Fact,
    Filter,
    Item,
    Match,
    check_items,
    check_vector,
    conditions,
)
from quantum.store.vectors.rest import Retries, check_address, in_pieces, refusal

_ID, _FACTS = "id", "facts"
_MOST_UPSERTED = 500
_RETRIES = Retries()
_NONSENSE = "Qdrant answered something that makes no sense"


class QdrantVectors:
    """One collection, made where it is missing.

    Args:
        url: of the server, or ":memory:" or a folder for the client's own local mode.
        token: None for a server without one.
        timeout_seconds: of one try, in whole seconds.

    Raises:
        NotConfigured: where the client is not installed.
        InvalidValues: where the collection holds vectors of another size, or a token would travel
            without encryption.
    """

    def __init__(
        self, url: str, *, collection: str, size: int, token: str | None = None,
        timeout_seconds: int = 20, retries: Retries = _RETRIES,
    ) -> None:  # fmt: skip
        try:
            from qdrant_client import QdrantClient, models
        except ImportError as error:
            raise NotConfigured("Qdrant needs the package qdrant-client") from error
        self._models: Any = models
        self.size, self._collection = size, collection
        self._retries = retries
        if url.startswith(("http://", "https://")):
            if token is not None:
                check_address(url, "Qdrant with a token")
            headers = None if token is None else {"api-key": token}
            self._client = QdrantClient(
                url=url, headers=headers, timeout=timeout_seconds, check_compatibility=False
            )
        elif url == ":memory:":
            self._client = QdrantClient(location=url)
        else:
            self._client = QdrantClient(path=url)
        self._prepare()

    def _prepare(self) -> None:
        if not self._do(self._client.collection_exists, self._collection):
            vectors = self._models.VectorParams(
                size=self.size, distance=self._models.Distance.COSINE
            )
            self._do(self._client.create_collection, self._collection, vectors_config=vectors)
        found = self._do(self._client.get_collection, self._collection).config.params.vectors
        known = getattr(found, "size", None)
        if known != self.size:
            raise InvalidValues(f"{self._collection} holds vectors of {known}, not {self.size}")

    def close(self) -> None:
        self._client.close()

    def upsert(self, items: Sequence[Item]) -> None:
        points = [
            self._models.PointStruct(
                id=_point(item.id),
                vector=np.asarray(item.vector, np.float32).tolist(),
                payload={_ID: item.id, _FACTS: dict(item.facts)},
            )
            for item in check_items(items, self.size)
        ]
        for piece in in_pieces(points, _MOST_UPSERTED):
            self._do(self._client.upsert, self._collection, points=piece, wait=True)

    def query(
        self, vector: Float[np.ndarray, " entry"], *, limit: int = 10, where: Filter | None = None
    ) -> list[Match]:
        found = check_vector(vector, self.size)
        asked = conditions(where)
        if limit < 1 or any(not values for values in asked.values()):
            return []
        answer = self._do(
            self._client.query_points, self._collection, query=found.tolist(), limit=limit,
            query_filter=self._filter(asked), with_payload=True,
        )  # fmt: skip
        try:
            return [Match(p.payload[_ID], float(p.score), p.payload[_FACTS]) for p in answer.points]
        except (KeyError, TypeError) as error:
            raise BadAnswer(f"{self._collection} holds points of somebody else") from error

    def delete(self, ids: Sequence[str]) -> None:
        if ids:
            points = self._models.PointIdsList(points=[_point(name) for name in ids])
            self._do(self._client.delete, self._collection, points_selector=points, wait=True)

    def count(self, where: Filter | None = None) -> int:
        asked = conditions(where)
        if any(not values for values in asked.values()):
            return 0
        found = self._do(
            self._client.count, self._collection, count_filter=self._filter(asked), exact=True
        )
        return int(found.count)

    def _filter(self, asked: dict[str, list[Fact]]) -> Any:
        must = [
            self._models.Filter(should=[self._equals(f"{_FACTS}.{name}", v) for v in values])
            for name, values in asked.items()
        ]
        return self._models.Filter(must=must) if must else None

    def _equals(self, key: str, value: Fact) -> Any:
        if isinstance(value, float):  # Qdrant matches whole numbers, text and truth values only
            return self._models.FieldCondition(
                key=key, range=self._models.Range(gte=value, lte=value)
            )
        return self._models.FieldCondition(key=key, match=self._models.MatchValue(value=value))

    def _do(self, action: Any, *args: Any, **named: Any) -> Any:
        return self._retries.call(lambda: _in_our_words(action, *args, **named))


def _in_our_words(action: Any, *args: Any, **named: Any) -> Any:
    """What the client's function gives; its errors become ours."""
    from qdrant_client.common.client_exceptions import QdrantException
    from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

    try:
        return action(*args, **named)
    except UnexpectedResponse as error:
        detail = error.content.decode(errors="replace").strip()
        after = error.headers.get("Retry-After")
        raise refusal("Qdrant", error.status_code or 500, detail, after) from None
    except QdrantException as error:  # 429, with a pause in seconds or a date
        raise refusal("Qdrant", 429, "", str(getattr(error, "retry_after_s", ""))) from None
    except ResponseHandlingException as error:
        if isinstance(error.source, ValueError):
            raise BadAnswer(_NONSENSE) from error
        raise Unavailable(f"Qdrant does not answer: {error.source}") from error
    except (ValueError, AssertionError, LookupError, AttributeError, TypeError) as error:
        # The client looks into answers without care.
        raise BadAnswer(_NONSENSE) from error


def _point(name: str) -> str:
    """Qdrant's ids are UUIDs: the same one for the same id of ours."""
    return str(uuid5(NAMESPACE_URL, name))
