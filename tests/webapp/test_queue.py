"""The broker's queue: what goes in, and a broker that is down or frozen."""

import base64
import json
import os
import signal
import time

import pytest

from tests.webapp import making
from webapp import queue
from webapp.models import Job

pytestmark = pytest.mark.django_db


def tasks(redis_server):
    with redis_server.client() as client:
        return [json.loads(text) for text in client.lrange("fold", 0, -1)]


def test_a_task_carries_the_job_id_alone(user, redis_server):
    job = making.job(user)
    assert queue.send(job.pk)
    (task,) = tasks(redis_server)
    assert task["headers"]["task"] == queue.FOLD_TASK
    args, words, _ = json.loads(base64.b64decode(task["body"]))
    assert (args, words) == ([str(job.pk)], {})
    assert Job.objects.get().enqueued_at is not None


def test_waiting_tasks_are_counted(user, redis_server):
    assert queue.waiting() == 0
    for _ in range(3):
        queue.send(making.job(user).pk)
    assert queue.waiting() == 3


def test_a_broker_that_is_down_takes_nothing_and_costs_no_time(user, redis_server):
    job = making.job(user)
    redis_server.stop()
    started = time.monotonic()
    assert not queue.send(job.pk)
    assert queue.waiting() is None
    assert time.monotonic() - started < 1.0
    assert Job.objects.get().enqueued_at is None
    redis_server.start()
    assert queue.send(job.pk)


def test_a_frozen_broker_costs_seconds_and_not_the_page(user, redis_server):
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    started = time.monotonic()
    try:
        assert not queue.send(making.job(user).pk)
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    assert time.monotonic() - started < 4.0


def test_only_a_queued_job_notes_when_it_was_sent(user, redis_server):
    job = making.job(user, status="running")
    queue.send(job.pk)
    assert Job.objects.get().enqueued_at is None
