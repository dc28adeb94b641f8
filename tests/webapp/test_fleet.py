"""Several machines that fold: the form judges by what they can, and jobs find one for them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from folding import cost
from tests.webapp import making
from tests.webapp.test_views import form_data
from webapp import fleet, jobs, monitor, queue, tasks
from webapp.models import Job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_dir")]
TINY = cost.Machine(threads=1, speed=1.0, memory_bytes=2 * 10**8)
LARGE = cost.Machine(threads=32, speed=1.0, memory_bytes=256 * 10**9)
GPU = replace(LARGE, memory_bytes=64 * 10**9, gpu_bytes=80 * 10**9)


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    """This machine is too small for any fold."""
    monkeypatch.setenv("FOLDSTREAM_DATA", str(tmp_path))
    monkeypatch.setattr(cost, "this_machine", lambda: TINY)
    fleet._told.cache_clear()


def tell(worker, machine, **facts):
    assert monitor.publish(replace(monitor.read(worker), folds=machine, **facts))
    fleet._told.cache_clear()


def test_without_workers_this_machine_counts():
    assert fleet.machines() == {}
    assert fleet.strongest() == fleet.machine()


def test_the_most_capable_of_those_that_live_counts(publishing):
    tell("fold-1@a", LARGE)
    assert fleet.strongest() == LARGE
    tell("fold-2@b", GPU)
    tell("fold-3@c", TINY)
    assert fleet.strongest() == GPU
    tell("fold-2@b", GPU, at=(timezone.now() - timedelta(minutes=1)).isoformat())
    assert fleet.strongest() == LARGE
    monitor.withdraw("fold-1@a")
    fleet._told.cache_clear()
    assert fleet.strongest() == TINY


def test_a_worker_tells_what_its_folds_can_use(publishing):
    monitor.publish(monitor.read("fold-1@a"))
    assert fleet.machines() == {"fold-1@a": fleet.machine()}


def test_a_small_web_server_takes_what_a_large_worker_can_fold(publishing, client, user):
    client.force_login(user)
    refused = client.post(reverse("submit"), form_data())
    assert refused.status_code == 422
    assert "this machine can give" in refused.content.decode()
    tell("fold-1@a", LARGE)
    assert client.post(reverse("submit"), form_data()).status_code == 302
    assert Job.objects.get().estimate_seconds > 0


@pytest.fixture
def sent(monkeypatch):
    ids = []
    monkeypatch.setattr(queue, "send", ids.append)
    monkeypatch.setattr(tasks, "PASS_ON_SECONDS", 0)
    return ids


@pytest.fixture
def begun(monkeypatch):
    """Jobs that this machine began to fold."""
    found = []
    monkeypatch.setattr(tasks, "work_on", lambda job: found.append(job.pk))
    return found


def test_a_job_that_is_too_large_here_is_left_to_one_that_can(publishing, user, sent, begun):
    job = making.job(user)
    tell("fold-1@a", LARGE)
    tasks.fold.apply(args=[str(job.pk)], throw=True)
    assert (begun, sent) == ([], [job.pk])
    assert Job.objects.get().status == "queued"


@pytest.mark.parametrize("others", [{}, {"fold-1@a": TINY}], ids=["no other", "none that could"])
def test_one_that_nobody_else_could_fold_begins_here(publishing, user, sent, begun, others):
    """Where its owner is told why it cannot end well."""
    job = making.job(user)
    for worker, machine in others.items():
        tell(worker, machine)
    tasks.fold.apply(args=[str(job.pk)], throw=True)
    assert (begun, sent) == ([job.pk], [])


@pytest.fixture
def enough(monkeypatch):
    """This machine holds small folds."""
    monkeypatch.setattr(cost, "this_machine", lambda: replace(TINY, memory_bytes=16 * 10**9))


@pytest.mark.usefixtures("enough")
def test_one_that_fits_begins_here_whatever_others_could(publishing, user, sent, begun):
    job = making.job(user)
    tell("fold-1@a", LARGE)
    tasks.fold.apply(args=[str(job.pk)], throw=True)
    assert (begun, sent) == ([job.pk], [])


def test_one_that_was_cancelled_meanwhile_goes_nowhere(publishing, user, sent, begun):
    job = making.job(user)
    tell("fold-1@a", LARGE)
    jobs.cancel(job)
    tasks.fold.apply(args=[str(job.pk)], throw=True)
    assert (begun, sent) == ([], [])
