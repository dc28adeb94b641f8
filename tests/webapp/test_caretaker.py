"""What a worker's main process looks after."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import psutil
import pytest
from django.db import OperationalError, connection

from tests.webapp import making
from webapp import caretaker, jobs, monitor, queue, sweeper
from webapp.caretaker import Caretaker, kill_child
from webapp.models import Job

pytestmark = pytest.mark.django_db(transaction=True)
NODE = "fold@elsewhere"


@pytest.fixture
def child():
    """A child process that would live on."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def sent(monkeypatch):
    ids = []
    monkeypatch.setattr(queue, "send", ids.append)
    return ids


def start(user, *, pid=1, node=NODE):
    return jobs.start(making.job(user).pk, worker=f"{node}#{pid}")


def row(job):
    return Job.objects.get(pk=job.pk)


def test_a_stubborn_fold_is_ended_with_its_process(user, child, monkeypatch):
    monkeypatch.setattr(caretaker, "GRACE_SECONDS", 0.05)
    job = start(user, pid=child.pid)
    care = Caretaker(NODE)
    jobs.cancel(job)
    care.end_stubborn_folds()
    assert row(job).status == "running"
    time.sleep(0.1)
    care.end_stubborn_folds()
    assert row(job).status == "cancelled"
    assert child.wait(5) == -signal.SIGKILL


def test_grace_begins_with_the_wish(user, child, monkeypatch):
    monkeypatch.setattr(caretaker, "GRACE_SECONDS", 60)
    job = start(user, pid=child.pid)
    care = Caretaker(NODE)
    jobs.cancel(job)
    for _ in range(3):
        care.end_stubborn_folds()
    assert row(job).status == "running"
    assert child.poll() is None


def test_jobs_of_other_workers_are_left_to_them(user, child, monkeypatch):
    monkeypatch.setattr(caretaker, "GRACE_SECONDS", 0)
    job = start(user, pid=child.pid, node="fold@elsewhere2")
    jobs.cancel(job)
    Caretaker(NODE).end_stubborn_folds()
    assert row(job).status == "running"
    assert child.poll() is None


def test_only_children_are_killed():
    parent = psutil.Process(os.getpid()).ppid()
    assert not kill_child(parent)
    assert not kill_child(os.getpid())
    assert not kill_child(2**22 + 1)


def test_a_worker_that_stops_gives_its_job_back(user, sent, monkeypatch):
    withdrawn = []
    monkeypatch.setattr(monitor, "withdraw", withdrawn.append)
    mine, other = start(user), start(user, node="fold@elsewhere2")
    Caretaker(NODE).end()
    assert (row(mine).status, row(mine).crashes) == ("queued", 0)
    assert row(other).status == "running"
    assert sent == [mine.pk]
    assert withdrawn == [NODE]


def test_a_worker_that_is_asked_to_stop_lets_go_at_once(user, sent, monkeypatch):
    monkeypatch.setattr(caretaker, "TICK_SECONDS", 60)
    job = start(user)
    care = Caretaker(NODE)
    thread = threading.Thread(target=care._run)
    thread.start()
    care.leave()
    thread.join(5)
    assert not thread.is_alive()
    assert (row(job).status, row(job).crashes) == ("queued", 0)


def test_a_round_reads_the_machine_and_sweeps_now_and_then(user, monkeypatch):
    done = []
    monkeypatch.setattr(monitor, "publish", lambda reading: done.append(reading.worker))
    monkeypatch.setattr(sweeper, "sweep", lambda: done.append("sweep"))
    monkeypatch.setattr(sweeper, "give_back_lost_jobs", lambda: done.append("lost"))
    care = Caretaker(NODE)
    care.tick()
    care.tick()
    assert done == ["sweep", NODE, "lost", NODE]


def test_a_database_that_is_busy_ends_nothing(caplog):
    def busy():
        raise OperationalError("database is locked")

    Caretaker(NODE)._guarded(busy)
    assert "database is locked" in caplog.text


@pytest.mark.parametrize("error", [OSError("Stale file handle"), RuntimeError("not thought of")])
def test_a_chore_that_fails_stops_neither_the_others_nor_the_next_round(monkeypatch, caplog, error):
    done = []

    def fails():
        done.append("sweep")
        raise error

    monkeypatch.setattr(monitor, "publish", lambda reading: done.append(reading.worker))
    monkeypatch.setattr(sweeper, "sweep", fails)
    monkeypatch.setattr(caretaker, "SWEEP_SECONDS", 0)
    care = Caretaker(NODE)
    care.tick()
    care.tick()
    assert done == ["sweep", NODE] * 2
    assert str(error) in caplog.text


class Dead:
    """A connection whose server was started again."""

    def cursor(self, *_, **__):
        raise sqlite3.InterfaceError("connection already closed")

    close = cursor


def test_a_dead_connection_is_replaced_before_the_next_chore(caplog):
    care, found = Caretaker(NODE), []
    connection.close()
    connection.connection = Dead()
    care._guarded(lambda: found.append(Job.objects.count()))
    assert not found and "connection already closed" in caplog.text
    care._guarded(lambda: found.append(Job.objects.count()))
    assert found == [0]
