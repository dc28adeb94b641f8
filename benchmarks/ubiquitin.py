"""From the press of the button to the first streamed frame, and to the finished result.

The product runs as `make run` starts it; the page is an HTTP client with a cookie and a WebSocket,
on the same machine. The worker has been up long enough to hold the model, as on a server in use.
"""

import http.cookiejar
import json
import re
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from websockets.sync.client import connect

from benchmarks.start_up import report
from tests.stack import LiveStack

UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"
FORM = {
    "name": "Ubiquitin",
    "seeds": "1",
    "n_samples": "5",
    "n_recycles": "3",
    "n_steps": "20",
    "chains-TOTAL_FORMS": "1",
    "chains-INITIAL_FORMS": "0",
    "chains-0-sequence": UBIQUITIN,
    "chains-0-copies": "1",
}
FIRST_FRAME_SECONDS = 3.0
RESULT_SECONDS = 25.0
PATIENCE_SECONDS = 300
COORDINATES = 1


class Visitor:
    """A browser's part of the protocol: cookies, forms, a socket."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.cookies = http.cookiejar.CookieJar()
        processor = urllib.request.HTTPCookieProcessor(self.cookies)
        self.opener = urllib.request.build_opener(processor)

    def post(self, path: str, fields: dict[str, str], *, form: str) -> str:
        """The address that the answer leads to; `form` is the page that holds the form."""
        page = self.opener.open(f"{self.url}{form}").read().decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token is not None
        body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token[1]}).encode()
        return str(self.opener.open(f"{self.url}{path}", body).geturl())

    def socket(self, path: str):
        cookie = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)
        address = f"{self.url.replace('http', 'ws', 1)}{path}"
        headers = {"Cookie": cookie}
        return connect(address, origin=self.url, additional_headers=headers, max_size=None)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="foldstream-bench-") as data:
        stack = LiveStack(Path(data), OMP_NUM_THREADS="")
        stack.start()
        try:
            visitor = Visitor(stack.url)
            visitor.post("/start/", {}, form="/")
            fold(visitor)  # the first one waits for the worker to load the model
            frame, result = fold(visitor)
        finally:
            stack.stop()
    report("submit of ubiquitin to the first streamed frame", frame, FIRST_FRAME_SECONDS, "s")
    report("submit of ubiquitin to the result of 5 samples", result, RESULT_SECONDS, "s")


def fold(visitor: Visitor) -> tuple[float, float]:
    """Seconds from the submit to the first coordinates, and to the end of the job."""
    started = time.perf_counter()
    job = visitor.post("/jobs/new/", FORM, form="/jobs/new/").rstrip("/").rpartition("/")[2]
    first_frame = None
    with visitor.socket(f"/ws/jobs/{job}/?since=0") as socket:
        while True:
            frame = socket.recv(timeout=PATIENCE_SECONDS)
            if isinstance(frame, bytes):
                if frame[0] == COORDINATES and first_frame is None:
                    first_frame = time.perf_counter() - started
            elif status := ended(frame):
                assert status == "succeeded" and first_frame is not None, (status, first_frame)
                return first_frame, time.perf_counter() - started


def ended(frame: str) -> str | None:
    """The status that ends the job, if this frame tells it."""
    for event in json.loads(frame).get("data", {}).get("events", []):
        if event["kind"] == "status" and event["status"] not in {"queued", "running"}:
            return str(event["status"])
    return None


if __name__ == "__main__":
    main()
