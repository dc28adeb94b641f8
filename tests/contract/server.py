"""A REST service on loopback that misbehaves on request: what providers' servers do on bad days."""

import json
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse


@dataclass(frozen=True)
class Fault:
    """What the next request that matches gets instead of an answer.

    Args:
        kind: an HTTP status; or `stall` (no answer), `cut` (half an answer, then the connection is
            closed), `garbage` (no JSON), `empty` (JSON without what belongs into it), `lost` (the
            request is carried out, its answer never arrives).
        path: a pattern that the path must match.
    """

    kind: int | str
    path: str = ".*"
    method: str = ".*"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text) if self.text else None


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    text: str | None = None


class ContractServer(ABC):
    """Answers with `reply`, unless a fault is due. `log` holds every request."""

    def __init__(self) -> None:
        self.log: list[Request] = []
        self.faults: list[Fault] = []
        self.released = threading.Event()
        self.lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @abstractmethod
    def reply(self, request: Request) -> Answer:
        """What the provider would say."""

    def reset(self) -> None:
        """Forgets requests and faults, and lets stalled ones go."""
        self.released.set()
        self.log.clear()
        self.faults.clear()

    def requests(self, method: str, path: str) -> list[Request]:
        """Those that came so far, by method and pattern of the path."""
        return [r for r in self.log if r.method == method and re.fullmatch(path, r.path)]

    @contextmanager
    def running(self) -> Iterator["ContractServer"]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        yield self
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def _take_fault(self, request: Request) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if re.search(fault.path, request.path) and re.fullmatch(
                    fault.method, request.method
                ):
                    self.faults.remove(fault)
                    return fault
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, ValueError):
                    self.close_connection = True

            def _go(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                address = urlparse(self.path)
                query = {k: v[0] for k, v in parse_qs(address.query).items()}
                text = self.rfile.read(length).decode()
                request = Request(
                    self.command, address.path, query, dict(self.headers.items()), text
                )
                server.log.append(request)
                fault = server._take_fault(request)
                if fault is None:
                    with server.lock:
                        answer = server.reply(request)
                    return self._send(answer)
                return self._misbehave(fault, request)

            def _misbehave(self, fault: Fault, request: Request) -> None:
                if isinstance(fault.kind, int):
                    body = {"message": "injected", "error": {"message": "injected", "code": 1}}
                    return self._send(Answer(fault.kind, body), fault.headers)
                if fault.kind == "stall":
                    server.released.clear()
                    server.released.wait(30)
                    self.close_connection = True
                elif fault.kind == "cut":
                    self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"id": "x')
                    self.close_connection = True
                elif fault.kind == "garbage":
                    return self._send(Answer(200, text="<html>maintenance</html>"))
                elif fault.kind == "empty":
                    return self._send(Answer(200, {}))
                elif fault.kind == "lost":
                    with server.lock:
                        server.reply(request)
                    self.close_connection = True
                return None

            def _send(self, answer: Answer, headers: dict[str, str] | None = None) -> None:
                text = json.dumps(answer.body) if answer.text is None else answer.text
                data = b"" if answer.status == 204 else text.encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _go

        return Handler
