"""The hold on a run of the Lab: kept by the same keeper as a job's, and given up as politely."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from quantum.errors import Cancelled
from tests.webapp.waiting import ends_with, until
from webapp.jobs import NotYours
from webapp.lab import runs, work
from webapp.lease import Keeper
from webapp.models import LabRun

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(work, "TICK_SECONDS", 0.02)


@pytest.fixture
def run(make_run):
    return runs.start(make_run().pk, worker="lab@here#1")


def test_the_lease_is_extended_while_the_block_runs(run):
    LabRun.objects.update(lease_until=timezone.now())
    with work.hold(run) as held:
        until(lambda: LabRun.objects.get().lease_until > timezone.now() + timedelta(seconds=30))
        held.check()
    assert not [t for t in threading.enumerate() if t.name == "lab-lease"]


def test_its_owner_s_wish_to_end_is_heard_without_a_word_of_the_science(run):
    with work.hold(run) as held:
        held.check()
        runs.cancel(run)
        until(ends_with(held, Cancelled))


def test_a_run_that_was_taken_away_is_noticed_and_not_looked_at_again(run, monkeypatch):
    looks = []
    keep = runs.keep
    monkeypatch.setattr(runs, "keep", lambda run: looks.append(1) or keep(run))
    with work.hold(run) as held:
        assert runs.give_back(run, crashed=False)
        until(ends_with(held, NotYours))
        seen = len(looks)
        time.sleep(0.1)
        assert len(looks) == seen
    assert LabRun.objects.get().status == "queued"


def test_a_database_that_is_busy_for_a_moment_loses_nothing(run, monkeypatch, caplog):
    keep = runs.keep

    def busy_once(run):
        monkeypatch.setattr(runs, "keep", keep)
        raise OperationalError("database is locked")

    monkeypatch.setattr(runs, "keep", busy_once)
    with work.hold(run) as held:
        until(lambda: "database is locked" in caplog.text)
        held.check()
        runs.cancel(run)
        until(ends_with(held, Cancelled))


def test_a_reason_once_found_is_not_forgotten():
    """A wish to end that is taken back comes too late: the science may be on its way out."""

    class Wavering(Keeper):
        answers = [Cancelled, None, None]

        def look(self):
            return self.answers.pop(0)

    keeper = Wavering()
    for _ in range(3):
        keeper.tick()
        with pytest.raises(Cancelled):
            keeper.check()
