"""What the sweeper repairs, and what it leaves alone."""

import os
import socket
import subprocess
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.webapp import making
from webapp import jobs, queue, storage, sweeper
from webapp.models import Job

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]


@pytest.fixture
def sent(monkeypatch):
    """The ids of the jobs whose tasks were sent; the broker's queue is empty."""
    ids = []
    monkeypatch.setattr(queue, "send", ids.append)
    monkeypatch.setattr(queue, "waiting", lambda: 0)
    return ids


def start(user, *, worker="fold@elsewhere#1", **fields):
    job = jobs.start(making.job(user).pk, worker=worker)
    Job.objects.filter(pk=job.pk).update(**fields)
    return job


def status(job):
    return Job.objects.get(pk=job.pk).status


def ago(**words):
    return timezone.now() - timedelta(**words)


def test_an_expired_lease_gives_the_job_back(user, sent):
    expired = start(user, lease_until=ago(seconds=1))
    healthy = start(user)
    sweeper.sweep()
    assert (status(expired), status(healthy)) == ("queued", "running")
    assert sent == [expired.pk]


def test_two_sweeps_at_once_count_one_crash(user, sent):
    start(user, lease_until=ago(seconds=1))
    seen_by_both = Job.objects.get()
    assert jobs.give_back(seen_by_both, crashed=True)
    assert not jobs.give_back(seen_by_both, crashed=True)
    assert Job.objects.get().crashes == 1


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_dead_process_of_this_machine_is_seen_before_its_lease_ends(user, sent):
    here = f"fold@{socket.gethostname()}"
    dead = start(user, worker=f"{here}#{dead_pid()}")
    alive = start(user, worker=f"{here}#{os.getpid()}")
    far_away = start(user, worker=f"fold@not-{socket.gethostname()}#{dead_pid()}")
    sweeper.sweep()
    assert [status(job) for job in (dead, alive, far_away)] == ["queued", "running", "running"]


@pytest.mark.parametrize("worker", ["", "somebody", "fold@#", f"@{socket.gethostname()}#x"])
def test_an_odd_worker_name_is_no_proof_of_death(user, sent, worker):
    job = start(user, worker=worker)
    sweeper.sweep()
    assert status(job) == "running"


def test_a_queued_job_whose_task_was_never_sent_is_sent(user, sent):
    lost, fresh = making.job(user), making.job(user)
    Job.objects.filter(pk=lost.pk).update(created_at=ago(seconds=30))
    sweeper.sweep()
    assert sent == [lost.pk]
    assert fresh.pk not in sent


def test_a_task_lost_by_the_broker_is_sent_again_in_order(user, sent):
    old, older = making.job(user), making.job(user)
    Job.objects.filter(pk=old.pk).update(created_at=ago(minutes=5), enqueued_at=ago(minutes=4))
    Job.objects.filter(pk=older.pk).update(created_at=ago(minutes=9), enqueued_at=ago(minutes=8))
    recent = making.job(user, enqueued_at=ago(seconds=20))
    sweeper.sweep()
    assert sent == [older.pk, old.pk]
    assert recent.pk not in sent


@pytest.mark.parametrize("waiting", [1, None], ids=["tasks wait", "no broker"])
def test_nothing_is_sent_while_the_broker_has_work_or_is_away(user, sent, monkeypatch, waiting):
    monkeypatch.setattr(queue, "waiting", lambda: waiting)
    making.job(user)
    Job.objects.update(created_at=ago(minutes=5))
    sweeper.sweep()
    assert sent == []


def test_files_of_nobody_are_removed(user, sent):
    running = start(user)
    mine = storage.draft(running.pk, attempt=1)
    given_up = storage.draft(running.pk, attempt=7)
    for folder in (mine, given_up):
        past = time.time() - 2 * storage.GRACE_SECONDS
        os.utime(folder, (past, past))
    sweeper.sweep()
    assert mine.exists()
    assert not given_up.exists()
