"""500 open pages of one job, ten events a second each: how late they come, and whether all come.

    python -m benchmarks.sockets [--sockets 500] [--hertz 10] [--seconds 20]

The web process of `make run` has one core for itself; the pages, the publisher and Redis share
another one. Every event is a log line, of which each must arrive. The delay is counted from the
call that publishes to the parsed frame in the page.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
import psutil
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

ROOT = Path(__file__).resolve().parent.parent
LIMIT_MILLISECONDS = 150.0
WARM_UP_SECONDS = 3.0
LAST_SECONDS = 5.0
CONNECTING_AT_ONCE = 25


@dataclass
class Page:
    """One browser's page: the delay of each event, by the event's number."""

    delays: dict[int, float] = field(default_factory=dict)
    connected: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, address: str, *, cookie: str, turn: asyncio.Semaphore) -> None:
        async with turn:
            socket = await page_of(address, cookie)
            self.connected.set()
        await self._listen(socket)

    async def _listen(self, socket: ClientConnection) -> None:
        async for frame in socket:
            now = time.time()
            for event in json.loads(frame).get("data", {}).get("events", []):
                if event["kind"] == "log":
                    number, sent = event["message"].split(" ")[:2]
                    self.delays[int(number)] = now - float(sent)


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="foldstream-bench-") as folder:
        with product(Path(folder), "web") as running:
            share_out_cores(running["web"], others=[running["supervisor"], running["broker"]])
            owner, cookie = signed_in()
            job_id = running_job(owner)
            address = socket_address(running["url"], job_id)
            pages, sent, busy = uvloop.run(load(address, cookie, options, job_id, running["web"]))
        report(pages, sent, busy, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Many pages of one job")
    parser.add_argument("--sockets", type=int, default=500)
    parser.add_argument("--hertz", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    return parser.parse_args()


@contextmanager
def product(folder: Path, *roles: str) -> Iterator[dict[str, Any]]:
    """The running product: its URL, and process ids by role, its own as `supervisor`."""
    os.environ.update(FOLDSTREAM_DATA=str(folder), DJANGO_SETTINGS_MODULE="webapp.settings")
    command = [sys.executable, "-m", "webapp.serve", *roles, "--port", "0", "--no-example"]
    supervisor = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert supervisor.stdout is not None
        while b"Foldstream is at" not in supervisor.stdout.readline():
            assert supervisor.poll() is None, "the product did not start"
        state = json.loads((folder / "serve.json").read_text())
        yield {"url": state["url"], **state["pids"], "supervisor": supervisor.pid}
    finally:
        supervisor.send_signal(signal.SIGINT)
        supervisor.wait(30)


def share_out_cores(web: int, *, others: list[int]) -> None:
    """The web process gets the first core; this process and the others all the rest."""
    first, *rest = sorted(os.sched_getaffinity(0))
    _pin(web, {first})
    for pid in (os.getpid(), *others):
        _pin(pid, set(rest or [first]))


def _pin(pid: int, cores: set[int]) -> None:
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, cores)


def signed_in() -> tuple[Any, str]:
    """(a new user, the Cookie header of their session)."""
    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    user, client = User.objects.create_user("bench"), Client()
    client.force_login(user, backend="webapp.local_user.PasswordBackend")
    name = settings.SESSION_COOKIE_NAME
    return user, f"{name}={client.cookies[name].value}"


def running_job(owner: Any) -> str:
    """The id of a job that seems to run and never ends."""
    from django.utils import timezone

    from folding.inputs import FoldInput, ProteinChain
    from webapp.models import Job

    given = FoldInput(name="Bench", chains=(ProteinChain(ids=("A",), sequence="GAGAG"),))
    job = Job.objects.create(
        owner=owner,
        name=given.name,
        fold_input=given.to_json(),
        n_tokens=given.n_tokens,
        status="running",
        attempt=1,
        lease_until=timezone.now() + timedelta(days=1),
    )
    return str(job.pk)


def socket_address(url: str, job_id: str) -> str:
    """Where the page of the job connects."""
    return f"{url.replace('http', 'ws')}/ws/jobs/{job_id}/?since=0"


def page_of(address: str, cookie: str) -> connect:
    """A connection like a browser's, which knows the site and the session."""
    site = address.replace("ws://", "http://").partition("/ws/")[0]
    return connect(
        address, origin=Origin(site), additional_headers={"Cookie": cookie}, open_timeout=60
    )


async def load(
    address: str, cookie: str, options: argparse.Namespace, job_id: str, pid: int
) -> tuple[list[Page], int, float]:
    """The pages, the number of events that each should have, and the web process's core in use."""
    turn = asyncio.Semaphore(CONNECTING_AT_ONCE)
    pages = [Page() for _ in range(options.sockets)]
    talks = [asyncio.create_task(p.follow(address, cookie=cookie, turn=turn)) for p in pages]
    await asyncio.gather(*(page.connected.wait() for page in pages))
    await asyncio.sleep(WARM_UP_SECONDS)
    web = psutil.Process(pid)
    web.cpu_percent()
    sent = await publish(job_id, options)
    busy = web.cpu_percent()
    await _until_complete(pages, sent)
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)
    return pages, sent, busy


async def publish(job_id: str, options: argparse.Namespace) -> int:
    """Publishes as a worker does; the number of events."""
    from webapp.live import publisher
    from webapp.live.events import LogLine

    n_events = int(options.seconds * options.hertz)
    started = time.time()
    for number in range(n_events):
        await asyncio.sleep(max(0.0, started + number / options.hertz - time.time()))
        words = f"{number} {time.time():.6f} Sample {number} is ready: ranking score 0.50."
        line = LogLine(level="info", message=words, at="2026-01-01T00:00:00+00:00")
        publisher.publish(job_id, attempt=1, event=line)
    return n_events


async def _until_complete(pages: list[Page], sent: int) -> None:
    deadline = time.monotonic() + LAST_SECONDS
    while any(len(page.delays) < sent for page in pages) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)


def report(pages: list[Page], sent: int, busy: float, options: argparse.Namespace) -> None:
    """The lines of the measurements."""
    delays = sorted(1000 * delay for page in pages for delay in page.delays.values())
    lost = sent * len(pages) - len(delays)
    p50, p99 = (delays[int(share * (len(delays) - 1))] for share in (0.5, 0.99))
    verdict = "ok" if p99 <= LIMIT_MILLISECONDS and lost == 0 else "TOO MUCH"
    print(
        f"{len(pages)} sockets x {options.hertz:g} events/s on one core: p50 {p50:.0f} ms, "
        f"p99 {p99:.0f} ms (at most {LIMIT_MILLISECONDS:g} ms), slowest {delays[-1]:.0f} ms, "
        f"{lost} of {sent * len(pages)} lost, core {busy:.0f} % busy: {verdict}"
    )


if __name__ == "__main__":
    main()
