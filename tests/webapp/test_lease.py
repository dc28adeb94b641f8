"""A worker's hold on a job: kept, recorded, and given up when the row says so."""

import sqlite3
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from folding.errors import Cancelled
from tests.webapp import making
from tests.webapp.waiting import ends_with, until
from webapp import jobs, lease
from webapp.jobs import NotYours
from webapp.live.events import Progress
from webapp.models import Job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 0.04)


@pytest.fixture
def job(user):
    return jobs.start(making.job(user).pk, worker="w@elsewhere#1")


def test_the_lease_is_extended_while_the_block_runs(job):
    Job.objects.update(lease_until=timezone.now())
    with lease.hold(job) as held:
        until(lambda: Job.objects.get().lease_until > timezone.now() + timedelta(seconds=20))
        held.check()


def test_the_newest_progress_reaches_the_row(job):
    with lease.hold(job) as held:
        for percent in (1.0, 2.0):
            held.progress = Progress(stage="trunk", percent=percent, eta_seconds=9.0)
        until(lambda: Job.objects.get().percent == 2.0)
    now = Job.objects.get()
    assert (now.stage, now.eta_seconds) == ("trunk", 9.0)


def test_the_owners_wish_to_end_is_heard(job):
    with lease.hold(job) as held:
        held.check()
        jobs.cancel(job)
        until(ends_with(held, Cancelled))


@pytest.mark.parametrize("lose", [jobs.delete, lambda job: jobs.give_back(job, crashed=False)])
def test_a_lost_job_is_noticed(job, lose):
    with lease.hold(job) as held:
        lose(job)
        until(ends_with(held, NotYours))


def test_a_database_that_is_busy_for_a_moment_loses_nothing(job, monkeypatch, caplog):
    original = jobs.wants_end

    def busy_once(job):
        monkeypatch.setattr(jobs, "wants_end", original)
        raise OperationalError("database is locked")

    monkeypatch.setattr(jobs, "wants_end", busy_once)
    with lease.hold(job) as held:
        until(lambda: "database is locked" in caplog.text)
        held.check()
        jobs.cancel(job)
        until(ends_with(held, Cancelled))


def test_a_heartbeat_that_did_not_go_through_is_tried_at_once(job, monkeypatch):
    """The next one would come too late: the lease has run out while the database was away."""
    heartbeat = jobs.heartbeat

    def away(job):
        monkeypatch.setattr(jobs, "heartbeat", heartbeat)
        raise OperationalError("server closed the connection")

    held = lease.Lease(job)
    monkeypatch.setattr(lease, "HEARTBEAT_SECONDS", 60)
    monkeypatch.setattr(jobs, "heartbeat", away)
    time.sleep(0.05)
    held.tick()
    Job.objects.update(lease_until=timezone.now())
    held.tick()
    assert Job.objects.get().lease_until > timezone.now() + timedelta(seconds=20)


class Dead:
    """A connection whose server was started again."""

    def cursor(self, *_, **__):
        raise sqlite3.InterfaceError("connection already closed")

    close = cursor


def test_a_connection_that_died_is_replaced(job, caplog):
    held = lease.Lease(job)
    held.tick()
    connection.close()
    connection.connection = Dead()
    held.tick()
    assert "connection already closed" in caplog.text
    held.check()
    Job.objects.update(lease_until=timezone.now())
    time.sleep(0.05)
    held.tick()
    assert Job.objects.get().lease_until > timezone.now() + timedelta(seconds=20)
    jobs.cancel(job)
    held.tick()
    with pytest.raises(Cancelled):
        held.check()


def test_after_the_block_nothing_is_written(job):
    with lease.hold(job) as held:
        pass
    held.progress = Progress(stage="trunk", percent=50.0)
    time.sleep(0.1)
    assert Job.objects.get().percent == 0.0
