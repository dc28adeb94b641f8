"""A fold that its owner pauses, or that loses its worker, goes on where it was."""

import json
import time

import pytest
from django.urls import reverse

from tests.webapp import making
from webapp import jobs, lease, queue, storage, sweeper, tasks
from webapp.live.events import ContactMap, Event, LogLine, SampleReady
from webapp.models import Job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_dir")]
OPTIONS = {"n_samples": 2, "n_recycles": 1, "n_steps": 3, "model": "small"}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(queue, "send", lambda job_id: None)


@pytest.fixture
def running(user):
    return jobs.start(making.job(user, options=OPTIONS).pk, worker="w@elsewhere#1")


def interrupted_at(monkeypatch, kind: type[Event], act):
    """Does something when the fold first tells of this, and remembers all that it tells."""
    heard: list[Event] = []
    tell = tasks.tell

    def listen(job, held, event):
        first = not any(isinstance(e, kind) for e in heard)
        heard.append(event)
        tell(job, held, event)
        if first and isinstance(event, kind):
            act(job, held)

    monkeypatch.setattr(tasks, "tell", listen)
    return heard


def pause_and_wait(job, held):
    assert jobs.pause(job)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        held.check()
        time.sleep(0.01)


def fold_again() -> Job:
    job = jobs.start(Job.objects.get().pk, worker="w@elsewhere#2")
    tasks.work_on(job)
    return Job.objects.get()


def coordinates(job: Job) -> dict[str, str]:
    manifest = json.loads(storage.find(job.pk, "manifest.json").read_text())
    return manifest["coordinates_sha256"]


def uninterrupted(user) -> dict[str, str]:
    Job.objects.all().delete()
    job = making.job(user, options=OPTIONS)
    tasks.work_on(jobs.start(job.pk, worker="w@elsewhere#3"))
    return coordinates(Job.objects.get())


@pytest.mark.parametrize("kind", [ContactMap, SampleReady])
def test_a_paused_fold_goes_on_to_the_same_coordinates(user, running, monkeypatch, kind):
    interrupted_at(monkeypatch, kind, pause_and_wait)
    tasks.work_on(running)
    paused = Job.objects.get()
    assert (paused.status, paused.pause_requested, paused.worker) == ("paused", False, "")
    assert storage.state(paused.pk).is_dir()
    monkeypatch.undo()
    monkeypatch.setattr(queue, "send", lambda job_id: None)
    assert jobs.resume(paused)
    heard = interrupted_at(monkeypatch, SampleReady, lambda job, held: None)
    done = fold_again()
    assert done.status == "succeeded"
    said = [event.message for event in heard if isinstance(event, LogLine)]
    assert any(message.startswith("Going on after cycle") for message in said)
    assert not storage.state(done.pk).exists()
    found = coordinates(done)
    assert len(found) == 2
    assert found == uninterrupted(user)


def test_a_lost_worker_leaves_its_trunk_to_the_next(user, running, monkeypatch):
    class Killed(BaseException):
        pass

    def die(job, held):
        raise Killed

    interrupted_at(monkeypatch, SampleReady, die)
    with pytest.raises(Killed):
        tasks.work_on(running)
    monkeypatch.undo()
    monkeypatch.setattr(queue, "send", lambda job_id: None)
    assert storage.state(running.pk).is_dir()
    assert jobs.give_back(Job.objects.get(), crashed=True)
    heard = interrupted_at(monkeypatch, SampleReady, lambda job, held: None)
    done = fold_again()
    assert (done.status, done.attempt) == ("succeeded", 2)
    maps = [event for event in heard if isinstance(event, ContactMap)]
    assert [event.cycle for event in maps] == [2]
    assert coordinates(done) == uninterrupted(user)


def test_a_queued_job_rests_at_once_and_does_not_start(user):
    waiting = making.job(user, options=OPTIONS)
    assert jobs.pause(waiting)
    assert jobs.start(waiting.pk, worker="w@elsewhere#1") is None
    assert jobs.resume(waiting)
    assert not jobs.resume(waiting)
    assert jobs.start(waiting.pk, worker="w@elsewhere#1") is not None


def test_a_paused_job_can_be_cancelled_and_leaves_nothing(user):
    waiting = making.job(user, options=OPTIONS)
    jobs.pause(waiting)
    storage.state(waiting.pk).mkdir()
    assert jobs.cancel(waiting)
    assert Job.objects.get().status == "cancelled"
    assert not storage.state(waiting.pk).exists()
    assert not jobs.pause(waiting)


def test_the_sweeper_keeps_what_unfinished_jobs_have_done(user, monkeypatch):
    monkeypatch.setattr(storage, "GRACE_SECONDS", -1)
    kept = making.job(user, options=OPTIONS)
    gone = making.job(user, options=OPTIONS, status="cancelled")
    for job in (kept, gone):
        storage.state(job.pk).mkdir()
    sweeper.remove_orphans()
    assert storage.state(kept.pk).exists()
    assert not storage.state(gone.pk).exists()


def test_the_page_offers_to_pause_and_to_resume(client, user):
    client.force_login(user)
    job = making.job(user, options=OPTIONS)
    page = reverse("job", args=[job.pk])
    assert reverse("job_pause", args=[job.pk]) in client.get(page).content.decode()
    assert client.post(reverse("job_pause", args=[job.pk])).status_code == 302
    text = client.get(page).content.decode()
    assert reverse("job_resume", args=[job.pk]) in text
    assert reverse("job_pause", args=[job.pk]) not in text
    assert 'class="status paused">Paused' in text
    client.post(reverse("job_resume", args=[job.pk]))
    assert Job.objects.get().status == "queued"


def test_other_peoples_jobs_cannot_be_paused(client, user, django_user_model):
    client.force_login(django_user_model.objects.create_user("other", password="x"))
    job = making.job(user, options=OPTIONS)
    assert client.post(reverse("job_pause", args=[job.pk])).status_code == 404
    assert Job.objects.get().status == "queued"
