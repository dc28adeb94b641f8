"""A server on loopback that speaks the alignment API and can be told to misbehave."""

import io
import json
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

UNIREF, ENV, PAIR = "uniref.a3m", "bfd.mgnify30.metaeuk30.smag30.a3m", "pair.a3m"


def as_tar(files: Mapping[str, str]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return sink.getvalue()


class Loopback:
    """Answers as a healthy server, unless a list of faults has one for this kind of request.

    Faults are taken one for each request: an HTTP status (int), a status word, "stall" (sends half
    an answer and no more), "cut" (closes after half of it), "garbage", "close", the address of a
    server to redirect to, or None for health.
    """

    def __init__(self) -> None:
        self.faults: dict[str, list] = {"submit": [], "status": [], "download": []}
        self.seen: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.retry_after = ""
        self.stall_seconds = 3.0
        self.url = ""
        self._tickets: dict[str, dict[str, str]] = {}

    def answer(self, kind: str, body: bytes) -> tuple[object, bytes]:
        fault = self.faults[kind].pop(0) if self.faults[kind] else None
        return fault, body

    def submit(self, path: str, form: dict[str, str]) -> dict[str, str]:
        self.queries.append({"kind": path.rsplit("/", 1)[1], **form})
        ticket = f"ticket-{len(self.queries)}"
        self._tickets[ticket] = self.queries[-1]
        return {"id": ticket, "status": "PENDING"}

    def result(self, ticket: str) -> bytes:
        query = self._tickets[ticket]
        records = [part.split("\n") for part in query["q"].split(">")[1:]]
        names = [PAIR] if query["kind"] == "pair" else [UNIREF, ENV]
        return as_tar({name: "\0".join(_a3m(r, name) for r in records) for name in names})


def _a3m(record: list[str], name: str) -> str:
    number, sequence = record[:2]
    rows = [f">{number}", sequence, f">{name[:3]}_{number}", f"-{sequence[1:]}"]
    if name == PAIR:
        gaps = "-" * len(sequence)
        second = gaps if number == "102" else f"{sequence[:-1]}-"
        rows += [f">second_{number}", second, f">third_{number}", f"A{sequence[1:]}"]
    return "\n".join(rows) + "\n"


@contextmanager
def running() -> Iterator[Loopback]:
    """A loopback server for as long as the block runs."""
    loopback = Loopback()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(loopback))
    server.daemon_threads = True
    loopback.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(loopback: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
            loopback.headers.append(dict(self.headers))
            self.reply("submit", lambda: json.dumps(loopback.submit(self.path, form)).encode())

        def do_GET(self) -> None:
            ticket = self.path.rsplit("/", 1)[1]
            loopback.headers.append(dict(self.headers))
            if self.path.startswith("/result/"):
                self.reply("download", lambda: loopback.result(ticket))
            else:
                self.reply("status", lambda: b'{"id":"%s","status":"COMPLETE"}' % ticket.encode())

        def reply(self, kind: str, healthy) -> None:
            loopback.seen.append(kind)
            fault = loopback.faults[kind].pop(0) if loopback.faults[kind] else None
            match fault:
                case int():
                    self.send(b"no", status=fault)
                case "close":
                    self.close_connection = True
                case "garbage":
                    self.send(b"\x1f\x8b not what you think")
                case "stall" | "cut":
                    self.half(healthy(), stall=fault == "stall")
                case str() if fault.startswith("http"):
                    self.send(b"", status=302, location=f"{fault}{self.path}")
                case str():
                    self.send(json.dumps({"id": "t", "status": fault}).encode())
                case _:
                    self.send(healthy())

        def send(self, body: bytes, *, status: int = 200, location: str = "") -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            if status in (429, 503) and loopback.retry_after:
                self.send_header("Retry-After", loopback.retry_after)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def half(self, body: bytes, *, stall: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            if stall:
                time.sleep(loopback.stall_seconds)
            self.close_connection = True

    return Handler
