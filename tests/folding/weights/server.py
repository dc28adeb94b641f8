"""A file server whose faults a test chooses: one behaviour per request, then the honest one."""

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Shelf:
    """What the server gives out, and how.

    Args:
        faults: What to do with the next requests: a status, `("cut", n)` after n bytes,
            `("stall", n)` after n bytes, `"html"`, `"wrong part"`, or None for an honest answer.
    """

    content: bytes
    etag: str = '"v1"'
    ranges: bool = True
    says_length: bool = True
    faults: list = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    shelf: Shelf

    def do_GET(self) -> None:
        shelf = self.shelf
        shelf.requests.append({"path": self.path, **self.headers})
        fault = shelf.faults.pop(0) if shelf.faults else None
        if callable(fault):
            fault = fault(shelf)
        if isinstance(fault, int):
            return self._refuse(fault)
        if fault == "html":
            return self._send(200, b"<html>Please sign in</html>" * 50, kind="text/html")
        return self._answer(fault)

    def _answer(self, fault) -> None:
        content, start = self.shelf.content, 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range", self.shelf.etag)
        if asked and self.shelf.ranges and condition == self.shelf.etag:
            start = int(asked[1])
            if start >= len(content):
                return self._refuse(416)
            begins = start + 1 if fault == "wrong part" else start
            self.shelf.headers["Content-Range"] = (
                f"bytes {begins}-{len(content) - 1}/{len(content)}"
            )
        status = 206 if start else 200
        limit = fault[1] if isinstance(fault, tuple) else None
        self._send(
            status, content[start:], limit=limit, stalls=limit is not None and fault[0] == "stall"
        )
        return None

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        for name, value in self.shelf.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status, body, *, kind="application/octet-stream", limit=None, stalls=False):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if self.shelf.etag:
            self.send_header("ETag", self.shelf.etag)
        if self.shelf.says_length:
            self.send_header("Content-Length", str(len(body)))
        for name, value in self.shelf.headers.items():
            self.send_header(name, value)
        self.shelf.headers.pop("Content-Range", None)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[:limit])
            self.wfile.flush()
            if stalls:
                time.sleep(1.0)
        self.close_connection = True

    def log_message(self, *args) -> None:
        """Nothing: the test says what it saw."""


@contextlib.contextmanager
def serving(shelf: Shelf) -> Iterator[Shelf]:
    """The shelf behind an address of this machine."""
    handler = type("ShelfHandler", (Handler,), {"shelf": shelf})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    shelf.url = f"http://127.0.0.1:{server.server_address[1]}/weights.pt"
    try:
        yield shelf
    finally:
        server.shutdown()
        server.server_close()
