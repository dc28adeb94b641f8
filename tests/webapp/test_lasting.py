"""The whole product, hurt in the middle of a fold: nothing is lost and nothing comes twice."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress

import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.stack import ROOT
from webapp.live import events, streams

pytestmark = pytest.mark.timeout(300)
PATIENCE_SECONDS = 120
OUTAGE_SECONDS = 10
N_SAMPLES = 2

SUBMIT = """
import json, django
django.setup()
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from folding.inputs import FoldInput, FoldOptions, ProteinChain
from webapp import jobs, local_user
owner = local_user.get_or_create()
session = SessionStore()
session["_auth_user_id"] = str(owner.pk)
session["_auth_user_backend"] = local_user.BACKEND
session["_auth_user_hash"] = owner.get_session_auth_hash()
session.save()
chain = ProteinChain(ids=("A",), sequence="GA" * 20)
given = FoldInput(name="Lasting", chains=(chain,))
job = jobs.submit(owner, given, FoldOptions(n_samples={n_samples}, n_recycles=0, n_steps={n_steps}))
print(json.dumps([str(job.pk), settings.SESSION_COOKIE_NAME, session.session_key]))
"""


class Submitted:
    """A job of the running product, seen from outside: its row, its stream, its files, its page."""

    def __init__(self, stack, *, n_steps):
        self.stack = stack
        code = SUBMIT.format(n_samples=N_SAMPLES, n_steps=n_steps)
        environment = {
            **os.environ,
            "FOLDSTREAM_DATA": str(stack.data_dir),
            "FOLDSTREAM_HOST": "127.0.0.1",
            "DJANGO_SETTINGS_MODULE": "webapp.settings",
        }
        command = [sys.executable, "-c", code]
        said = subprocess.check_output(command, cwd=ROOT, env=environment, text=True)
        self.id, *self.cookie = json.loads(said)

    def row(self):
        return self._sql("SELECT * FROM webapp_job WHERE id = ?")[0]

    def predictions(self):
        return self._sql("SELECT seed, sample FROM webapp_prediction WHERE job_id = ?")

    def _sql(self, question):
        file = f"file:{self.stack.data_dir / 'db.sqlite3'}?mode=ro"
        with closing(sqlite3.connect(file, uri=True)) as database:
            database.row_factory = sqlite3.Row
            return database.execute(question, [self.id.replace("-", "")]).fetchall()

    def records(self):
        with redis.Redis.from_url(self.stack.broker_url) as client:
            entries = client.xrange(streams.of_job(self.id))
        return [events.from_fields(entry_id, fields) for entry_id, fields in entries]

    def said(self, kind, *, attempt):
        return [r.event for r in self.records() if r.event.kind == kind and r.attempt == attempt]

    def wait_for(self, condition):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, dict(self.row())
            assert self.row()["status"] != "failed", self.row()["error"]
            time.sleep(0.1)

    def wait_until_folding(self):
        """Until the first picture of the diffusion is on its way."""
        self.wait_for(lambda: self.row()["stage"] == "diffusion")

    def wait_until_done(self):
        """Until the row says so and the worker has tidied up."""
        self.wait_for(lambda: self.row()["status"] == "succeeded" and not self.folders()[1])

    def folders(self):
        jobs = self.stack.data_dir / "jobs"
        return sorted(p.name for p in jobs.iterdir() if self.id in p.name), sorted(
            p.name for p in (jobs / ".drafts").iterdir() if self.id in p.name
        )


class Page(threading.Thread):
    """A browser's page: it reconnects with the last id it has seen, until it is told the end."""

    def __init__(self, job):
        super().__init__(daemon=True)
        self.job, self.seen, self.last = job, [], "0"
        self.start()

    def run(self):
        while not self.has_ended:
            with suppress(OSError, ConnectionClosed):
                self.listen()
            time.sleep(0.2)

    @property
    def has_ended(self):
        return any(e["kind"] == "status" and e["status"] == "succeeded" for e in self.seen)

    def listen(self):
        origin = self.job.stack.url
        url = f"{origin.replace('http', 'ws')}/ws/jobs/{self.job.id}/?since={self.last}"
        cookie = {"Cookie": "=".join(self.job.cookie)}
        with connect(url, origin=origin, additional_headers=cookie) as socket:
            for frame in socket:
                if isinstance(frame, str):
                    self.take(json.loads(frame))

    def take(self, frame):
        self.last = frame.get("id") or self.last
        self.seen += frame.get("data", {}).get("events", [])

    def lines(self):
        return [event["message"] for event in self.seen if event["kind"] == "log"]


def assert_one_result(job, *, attempt):
    """The job ended once, with one set of everything."""
    row = job.row()
    assert (row["status"], row["attempt"], row["percent"]) == ("succeeded", attempt, 100.0)
    assert sorted(map(tuple, job.predictions())) == [(1, n) for n in range(N_SAMPLES)]
    assert job.folders() == ([job.id], [])
    files = {path.name for path in (job.stack.data_dir / "jobs" / job.id).iterdir()}
    assert len([name for name in files if name.endswith("_model.cif")]) == N_SAMPLES
    assert {"manifest.json", "Lasting.h5", "ranking_scores.csv"} <= files
    ends = [r.event.status for r in job.records() if r.event.kind == "status"]
    assert ends.count("succeeded") == 1
    assert ends[-1] == "succeeded"


def kill_child(job):
    """The process that folds, alone."""
    os.kill(int(job.row()["worker"].rpartition("#")[2]), signal.SIGKILL)


def kill_worker(job):
    """The worker with all its processes."""
    job.stack.kill("worker")


@pytest.mark.parametrize("kill", [kill_child, kill_worker])
def test_a_killed_worker_costs_an_attempt_and_nothing_else(live_stack, kill):
    job = Submitted(live_stack, n_steps=100)
    page = Page(job)
    job.wait_until_folding()
    kill(job)
    job.wait_until_done()
    page.join(PATIENCE_SECONDS)
    assert_one_result(job, attempt=2)
    assert job.row()["crashes"] == 1
    assert [e.sample for e in job.said("sample", attempt=2)] == list(range(N_SAMPLES))
    assert any("The worker stopped" in line for line in page.lines())
    assert page.lines()[-1].startswith("Done in")


def test_ten_seconds_without_redis_lose_nothing(live_stack):
    job = Submitted(live_stack, n_steps=100)
    page = Page(job)
    job.wait_until_folding()
    broker = live_stack.pid("broker")
    os.kill(broker, signal.SIGSTOP)
    try:
        time.sleep(OUTAGE_SECONDS)
    finally:
        os.kill(broker, signal.SIGCONT)
    job.wait_until_done()
    page.join(PATIENCE_SECONDS)
    job.wait_for(lambda: job.said("status", attempt=1)[-1].status == "succeeded")
    assert_one_result(job, attempt=1)
    assert [e.sample for e in job.said("sample", attempt=1)] == list(range(N_SAMPLES))
    lines = [event.message for event in job.said("log", attempt=1)]
    assert [line for line in lines if "is ready" in line] == [
        next(line for line in lines if line.startswith(f"Sample {n} is ready"))
        for n in range(1, N_SAMPLES + 1)
    ]
    assert len([line for line in lines if line.startswith("Done in")]) == 1
    assert page.has_ended
    assert len(page.lines()) == len(set(page.lines()))
