"""Loopback servers that speak the REST interfaces of the hosted stores, with faults."""

import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

TOKEN = "a-token-for-tests"
Fault = Callable[["Handler"], None]


class Refused(Exception):
    """The service answers 400, with these words."""


class Service(ABC):
    """What all have in common: rows by namespace, a list of faults for the next requests."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.rows: dict[str, dict[str, tuple[np.ndarray, dict]]] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.url = ""

    def space(self, name: str) -> dict[str, tuple[np.ndarray, dict]]:
        return self.rows.setdefault(name, {})

    def cosines(self, space: str, vector: list[float], fits: Callable[[dict], bool]) -> list[tuple]:
        query = np.asarray(vector)
        assert query.shape == (self.size,)
        found = [
            (float(own @ query / np.linalg.norm(own) / np.linalg.norm(query)), name, own, facts)
            for name, (own, facts) in self.space(space).items()
            if fits(facts)
        ]
        return sorted(found, key=lambda row: -row[0])

    @abstractmethod
    def is_authorised(self, headers: Any) -> bool:
        """Whether a request with these headers may ask."""

    @abstractmethod
    def answer(self, method: str, path: str, body: Any) -> Any:
        """The JSON that the service answers with."""


class Pinecone(Service):
    """The data plane of an index, as its reference of 2025-01 describes it."""

    def is_authorised(self, headers):
        return headers["Api-Key"] == TOKEN and headers["X-Pinecone-API-Version"] == "2025-01"

    def answer(self, method, path, body):
        assert method == "POST"
        if path == "/describe_index_stats":
            spaces = {name: {"vectorCount": len(rows)} for name, rows in self.rows.items() if rows}
            return {"namespaces": spaces, "dimension": self.size}
        space = body["namespace"]
        if path == "/vectors/upsert":
            assert 0 < len(body["vectors"]) <= 100
            for row in body["vectors"]:
                assert row["id"].isascii() and len(row["id"]) <= 1600
                facts = {k: float(v) if type(v) is int else v for k, v in row["metadata"].items()}
                self.space(space)[row["id"]] = (np.asarray(row["values"]), facts)
            return {"upsertedCount": len(body["vectors"])}
        if path == "/vectors/delete":
            assert 0 < len(body["ids"]) <= 1000
            for name in body["ids"]:
                self.space(space).pop(name, None)
            return {}
        assert path == "/query" and 1 <= body["topK"] <= 10_000
        found = self.cosines(space, body["vector"], lambda facts: self._fits(facts, body))
        return {
            "matches": [
                {"id": name, "score": score, "metadata": facts}
                for score, name, _, facts in found[: body["topK"]]
            ],
            "namespace": space,
        }

    @staticmethod
    def _fits(facts, body):
        return not body.get("filter") or pinecone_fits(facts, body["filter"])


def pinecone_fits(facts: dict, rule: dict) -> bool:
    """Reads {"$and": [{"a": {"$in": [1, 2]}}, {"b": {"$eq": True}}]}, with the types of the
    documentation: `$in` takes a list of text or of numbers."""
    ((word, asked),) = rule.items()
    if word in ("$and", "$or"):
        return {"$and": all, "$or": any}[word]([pinecone_fits(facts, one) for one in asked])
    ((operator, value),) = asked.items()
    if operator == "$eq":
        values = [value]
    elif operator == "$in" and len({str if type(v) is str else float for v in value}) == 1:
        values = value
        if any(isinstance(v, bool) for v in value):
            raise Refused("the $in operator must be followed by a list of strings or numbers")
    else:
        raise Refused(f"{operator} does not take {value}")
    return any(type(facts.get(word)) is type(_float(v)) and facts[word] == v for v in values)


def _float(value):
    return float(value) if type(value) is int else value


class Upstash(Service):
    """The endpoints of an index; the filter language as far as equality and AND, OR go."""

    def is_authorised(self, headers):
        return headers["Authorization"] == f"Bearer {TOKEN}"

    def answer(self, method, path, body):
        verb, _, space = path.strip("/").partition("/")
        if verb == "info":
            assert method == "GET"
            spaces = {name: {"vectorCount": len(rows)} for name, rows in self.rows.items()}
            return {"result": {"namespaces": spaces, "dimension": self.size}}
        assert method == "POST"
        if verb == "upsert":
            assert 0 < len(body) <= 1000
            for row in body:
                self.space(space)[row["id"]] = (np.asarray(row["vector"]), row["metadata"])
            return {"result": "Success"}
        if verb == "delete":
            gone = [self.space(space).pop(name, None) for name in body["ids"]]
            return {"result": {"deleted": sum(row is not None for row in gone)}}
        assert verb == "query" and 1 <= body["topK"] <= 1000
        rule = body.get("filter", "")
        found = self.cosines(space, body["vector"], lambda facts: upstash_fits(facts, rule))
        return {
            "result": [
                {"id": name, "score": (1 + score) / 2, "metadata": facts}
                for score, name, _, facts in found[: body["topK"]]
            ]
        }


_CONDITION = re.compile(r"(\w+) = ('[^']*'|\"[^\"]*\"|true|false|-?[\d.eE+-]+)")


def upstash_fits(facts: dict, rule: str) -> bool:
    """Reads "(a = 1 OR a = 2) AND (b = 'x')"."""
    position, all_fit = 0, True
    while position < len(rule):
        assert rule[position] == "("
        position += 1
        any_fits = False
        while True:
            found = _CONDITION.match(rule, position)
            assert found, rule[position:]
            name, text = found.groups()
            value = text[1:-1] if text[0] in "'\"" else json.loads(text)
            same_kind = isinstance(facts.get(name), bool) == isinstance(value, bool)
            any_fits |= same_kind and facts.get(name) == value
            position = found.end()
            if rule.startswith(" OR ", position):
                position += 4
                continue
            assert rule[position] == ")"
            position += 1
            break
        all_fit &= any_fits
        if rule.startswith(" AND ", position):
            position += 5
    return all_fit


class Qdrant(Service):
    """The endpoints that the client uses, with the client's own local mode behind them."""

    def __init__(self, size: int) -> None:
        from qdrant_client import QdrantClient

        super().__init__(size)
        self.engine = QdrantClient(location=":memory:")

    def is_authorised(self, headers):
        return headers["api-key"] == TOKEN

    def answer(self, method, path, body):
        return {"result": self._result(method, path, body), "status": "ok", "time": 0.0}

    def _result(self, method, path, body):
        from qdrant_client import models

        name, _, rest = path.split("?")[0].removeprefix("/collections/").partition("/")
        if (method, rest) == ("GET", "exists"):
            return {"exists": self.engine.collection_exists(name)}
        if (method, rest) == ("PUT", ""):
            vectors = models.VectorParams(**body["vectors"])
            return self.engine.create_collection(name, vectors_config=vectors)
        if (method, rest) == ("GET", ""):
            return self.engine.get_collection(name).model_dump(mode="json")
        if (method, rest) == ("PUT", "points"):
            assert "wait=true" in path and 0 < len(body["points"]) <= 500
            points = models.PointsList(**body).points
            return self.engine.upsert(name, points=points).model_dump(mode="json")
        assert method == "POST"
        if rest == "points/query":
            asked = models.QueryRequest(**body)
            found = self.engine.query_points(
                name, query=asked.query.nearest, query_filter=asked.filter, limit=asked.limit,
                with_payload=asked.with_payload,
            )  # fmt: skip
            return {"points": [{**p.model_dump(mode="json"), "version": 0} for p in found.points]}
        if rest == "points/delete":
            selector = models.PointIdsList(**body)
            return self.engine.delete(name, points_selector=selector).model_dump(mode="json")
        assert rest == "points/count"
        counted = models.CountRequest(**body)
        return self.engine.count(name, count_filter=counted.filter, exact=True).model_dump()


class Handler(BaseHTTPRequestHandler):
    service: Service

    def do_GET(self):
        self._handle("GET")

    def do_POST(self):
        self._handle("POST")

    def do_PUT(self):
        self._handle("PUT")

    def _handle(self, method):
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.service.requests.append((method, self.path))
        if self.service.faults:
            self.service.faults.pop(0)(self)
            return
        if not self.service.is_authorised(self.headers):
            self.send(401, {"error": "unauthorised"})
            return
        body = json.loads(content) if content else None
        try:
            self.send(200, self.service.answer(method, self.path, body))
        except Refused as error:
            self.send(400, {"message": str(error)})

    def send(self, status, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Nothing to say."""


def refuse(status: int, **headers: str) -> Fault:
    return lambda handler: handler.send(status, {"error": "a fault"}, **headers)


def cut(handler: Handler) -> None:
    """The connection ends in the middle of the answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"matches": [')
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """The connection ends without an answer."""
    handler.close_connection = True


def garbage(handler: Handler) -> None:
    handler.send(200, b"<html>maintenance</html>")


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    handler = type("OwnHandler", (Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
