"""Every verb: who may move the row, and what the pages hear."""

import json
import os
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from tests.webapp import making
from webapp import jobs, queue, storage
from webapp.jobs import NotYours
from webapp.models import Job, Prediction
from webapp.search_request import SearchRequest

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]
commits = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch):
    """The ids of the jobs whose tasks were sent."""
    ids = []
    monkeypatch.setattr(queue, "send", ids.append)
    return ids


@pytest.fixture
def running(user):
    return jobs.start(making.job(user).pk, worker="fold@here#1")


def nothing():
    pass


def row(job):
    return Job.objects.get(pk=job.pk)


def rows_of(job, *samples):
    return [
        Prediction(
            job=job,
            seed=1,
            sample=sample,
            rank=rank,
            ranking_score=0.5,
            mean_plddt=70.0,
            ptm=0.6,
            has_clash=False,
            fraction_disordered=0.0,
        )
        for rank, sample in enumerate(samples, 1)
    ]


# submit, retry ----------------------------------------------------------------------------------


@commits
def test_a_jobs_estimate_counts_what_its_search_may_find(user, sent, settings):
    settings.MSA_DATABASES = ["one=/x/one.fasta"]
    given, options = making.fold_input(), making.FoldOptions()
    alone = jobs.submit(user, given, options)
    searched = jobs.submit(user, given, options, search=SearchRequest(msa="local"))
    assert searched.estimate_bytes > alone.estimate_bytes
    assert jobs.retry(searched).estimate_bytes == searched.estimate_bytes


@commits
def test_a_submitted_job_is_queued_and_its_task_is_sent_once(user, sent, published):
    given, options = making.fold_input(name="Ubi"), making.FoldOptions(n_samples=2)
    job = jobs.submit(user, given, options)
    assert (job.status, job.stage, job.attempt, job.name) == ("queued", "queued", 0, "Ubi")
    assert job.fold_input == given.to_json()
    assert making.FoldOptions(**job.options) == options
    assert job.n_tokens == 5
    assert sent == [job.pk]
    assert published.kinds(job) == ["status"]
    assert json.loads(published.hints(user.pk)[0]) == {"job": str(job.pk), "change": "created"}


@commits
def test_the_task_waits_for_the_commit(user, sent):
    with transaction.atomic():
        jobs.submit(user, making.fold_input(), making.FoldOptions())
        assert sent == []
    assert len(sent) == 1


@commits
def test_a_rolled_back_job_is_never_sent(user, sent, published):
    with pytest.raises(RuntimeError), transaction.atomic():
        jobs.submit(user, making.fold_input(), making.FoldOptions())
        raise RuntimeError
    assert sent == published.items == []


def test_a_submitted_job_says_what_it_will_cost(user, sent):
    small = jobs.submit(user, making.fold_input("GA" * 20), making.FoldOptions())
    large = jobs.submit(user, making.fold_input("GA" * 100), making.FoldOptions())
    assert 0 < small.estimate_seconds < large.estimate_seconds
    assert 0 < small.estimate_bytes < large.estimate_bytes


def test_a_retry_is_a_new_job_with_the_same_input(user, sent):
    old = making.job(user, status="failed", error="no")
    new = jobs.retry(old)
    assert new.pk != old.pk
    assert (new.status, new.error, new.retry_of) == ("queued", "", old)
    assert (new.fold_input, new.options) == (old.fold_input, old.options)
    assert row(old).status == "failed"


def test_places_in_the_queue_count_everybody(user, other_user):
    first, second = making.job(user), making.job(other_user)
    third = making.job(user)
    assert [job.queue_position for job in (first, second, third)] == [1, 2, 3]
    jobs.start(first.pk, worker="w#1")
    assert [row(job).queue_position for job in (first, second, third)] == [None, 1, 2]


def test_a_job_that_goes_on_waits_behind_what_was_sent_before(user, monkeypatch):
    """The broker's queue knows no age: it hands out what it was sent first."""
    monkeypatch.setattr(queue, "_send", lambda task, job_id, *, to: broker.append(job_id) or True)
    broker: list[str] = []
    old, middle, new = (making.job(user) for _ in range(3))
    for job in (old, middle):
        queue.send(job.pk)
    jobs.pause(old)
    lost = jobs.start(middle.pk, worker="a@b#1")
    queue.send(new.pk)
    jobs.resume(old)
    jobs.give_back(lost, crashed=False)
    never_sent = making.job(user)
    assert broker[2:] == [str(job.pk) for job in (new, old, middle)]
    order = [row(job).queue_position for job in (new, old, middle, never_sent)]
    assert order == [1, 2, 3, 4]


def test_people_see_their_own_jobs(user, other_user):
    mine, _ = making.job(user), making.job(other_user)
    assert list(Job.objects.for_user(user)) == [mine]


# start ------------------------------------------------------------------------------------------


def test_only_one_worker_can_start_a_job(user, published):
    job = making.job(user)
    first = jobs.start(job.pk, worker="a@here#1")
    assert jobs.start(job.pk, worker="b@here#2") is None
    assert (first.status, first.attempt, first.worker) == ("running", 1, "a@here#1")
    assert first.lease_until - timezone.now() > jobs.LEASE - timedelta(seconds=5)
    assert published.of(job)[-1].status == "running"


@pytest.mark.parametrize("status", ["running", "succeeded", "failed", "cancelled"])
def test_only_queued_jobs_can_be_started(user, status):
    job = making.job(user, status=status)
    assert jobs.start(job.pk, worker="a#1") is None
    assert row(job).attempt == 0


def test_a_deleted_job_cannot_be_started(user):
    job = making.job(user)
    jobs.delete(job)
    assert jobs.start(job.pk, worker="a#1") is None


# heartbeat, record ------------------------------------------------------------------------------


def test_a_heartbeat_extends_the_lease(running):
    Job.objects.update(lease_until=timezone.now())
    assert jobs.heartbeat(running) is False
    assert row(running).lease_until > timezone.now() + jobs.LEASE - timedelta(seconds=5)


def test_a_heartbeat_hears_the_owner(running):
    jobs.cancel(running)
    assert jobs.heartbeat(running) is True
    assert jobs.wants_end(running) is True


def take_away(job):
    Job.objects.filter(pk=job.pk).update(attempt=job.attempt + 1)


@pytest.mark.parametrize("lose", [take_away, jobs.delete, jobs.stop])
def test_a_lost_job_has_no_heartbeat(running, lose):
    lose(running)
    with pytest.raises(NotYours):
        jobs.heartbeat(running)
    with pytest.raises(NotYours):
        jobs.wants_end(running)


def test_progress_is_kept_in_the_row(running, published):
    jobs.record(running, stage="trunk", percent=12.0, eta_seconds=3.0)
    now = row(running)
    assert (now.stage, now.percent, now.eta_seconds, now.last_event) == ("trunk", 12.0, 3.0, "7-0")
    assert json.loads(published.hints(running.owner_id)[-1])["change"] == "changed"


# the ends ---------------------------------------------------------------------------------------


def test_a_finished_job_has_files_then_rows_then_the_event(running, published):
    (storage.draft(running.pk, attempt=1) / "a.cif").write_text("x")
    seen = []

    def install():
        seen.append((row(running).predictions.count(), published.kinds(running)[-1:]))
        storage.install(running.pk, attempt=1)

    assert jobs.finish(running, predictions=rows_of(running, 1, 0), install=install)
    now = row(running)
    assert (now.status, now.percent, now.stage, now.lease_until) == ("succeeded", 100.0, "", None)
    assert now.finished_at is not None
    assert [p.sample for p in now.predictions.all()] == [1, 0]
    assert storage.names(running.pk) == ["a.cif"]
    assert seen == [(0, ["status"])]
    assert published.of(running)[-1].status == "succeeded"


def test_finishing_twice_changes_nothing(running, published):
    assert jobs.finish(running, predictions=rows_of(running, 0), install=nothing)
    before, said = row(running).finished_at, len(published.items)
    assert not jobs.finish(running, predictions=rows_of(running, 0, 1), install=nothing)
    assert row(running).finished_at == before
    assert row(running).predictions.count() == 1
    assert len(published.items) == said


def test_files_that_cannot_be_moved_leave_the_job_running(running):
    def broken():
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        jobs.finish(running, predictions=rows_of(running, 0), install=broken)
    assert row(running).status == "running"
    assert not Prediction.objects.exists()


def test_a_given_up_worker_touches_neither_rows_nor_files(running):
    take_away(running)
    touched = []
    assert not jobs.finish(
        running, predictions=rows_of(running, 0), install=lambda: touched.append(1)
    )
    assert not jobs.fail(running, "too late")
    assert not jobs.stop(running)
    jobs.record(running, stage="trunk", percent=99.0, eta_seconds=None)
    now = row(running)
    assert (now.status, now.percent, now.error, touched) == ("running", 0.0, "", [])


def test_a_failed_job_says_why_before_it_says_that(running, published):
    assert jobs.fail(running, "Too little memory.")
    now = row(running)
    assert (now.status, now.error, now.lease_until) == ("failed", "Too little memory.", None)
    log, status = published.of(running)[-2:]
    assert (log.level, log.message, status.status) == ("error", "Too little memory.", "failed")


# cancel, delete ---------------------------------------------------------------------------------


def test_a_queued_job_is_cancelled_at_once(user, published):
    job = making.job(user)
    assert jobs.cancel(job)
    assert row(job).status == "cancelled"
    assert published.kinds(job) == ["log", "status"]
    assert jobs.start(job.pk, worker="a#1") is None


def test_a_running_job_is_asked_to_end(running):
    assert jobs.cancel(running)
    now = row(running)
    assert (now.status, now.cancel_requested) == ("running", True)
    assert jobs.stop(running)
    assert row(running).status == "cancelled"


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_an_ended_job_cannot_be_cancelled(user, published, status):
    job = making.job(user, status=status)
    assert not jobs.cancel(job)
    assert row(job).status == status
    assert published.items == []


def test_deleting_removes_row_files_and_tells_the_pages(running, published):
    storage.draft(running.pk, attempt=1)
    jobs.finish(
        running,
        predictions=rows_of(running, 0),
        install=lambda: storage.install(running.pk, attempt=1),
    )
    jobs.delete(running)
    assert not Job.objects.exists()
    assert not Prediction.objects.exists()
    assert not storage.folder(running.pk).exists()
    assert published.of(running)[-1].status == "deleted"
    assert json.loads(published.hints(running.owner_id)[-1])["change"] == "deleted"


# give back --------------------------------------------------------------------------------------


def test_a_job_whose_worker_crashed_is_queued_again(running, sent, published):
    assert jobs.give_back(running, crashed=True)
    now = row(running)
    assert (now.status, now.crashes, now.worker, now.percent) == ("queued", 1, "", 0.0)
    assert sent == [running.pk]
    again = jobs.start(running.pk, worker="b#2")
    assert again.attempt == 2
    assert "The worker stopped" in published.of(running)[-3].message


def test_a_heartbeat_since_the_reading_keeps_the_worker(running, sent):
    jobs.heartbeat(running)
    assert not jobs.give_back(running, crashed=True)
    assert row(running).status == "running"
    assert sent == []


def test_the_third_crash_is_the_last(user, sent):
    job = making.job(user)
    for attempt in (1, 2, 3):
        started = jobs.start(job.pk, worker="a#1")
        assert started.attempt == attempt
        jobs.give_back(started, crashed=True)
    now = row(job)
    assert (now.status, now.crashes) == ("failed", 3)
    assert "stopped 3 times" in now.error
    assert "memory" in now.error
    assert len(sent) == 2


def keep_state(job, name, *, hours=0.0):
    folder = storage.state(job.pk)
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("cycle 3")
    then = job.started_at.timestamp() + 3600 * hours
    os.utime(folder / name, (then, then))


def test_crashes_of_a_job_that_comes_further_do_not_add_up(user, sent, data_dir):
    """A fold of days may meet many bad evenings, each of them with some of it done."""
    job = making.job(user)
    for hour in range(5):
        started = jobs.start(job.pk, worker="a#1")
        keep_state(started, "trunk-1.safetensors", hours=hour + 1)
        jobs.give_back(started, crashed=True)
        assert (row(job).status, row(job).crashes) == ("queued", 1)


@pytest.mark.parametrize(
    ("name", "hours"), [("trunk-1.safetensors", -1), ("trunk-1.partial", 1)], ids=["old", "half"]
)
def test_what_an_attempt_did_not_finish_is_no_progress(user, sent, data_dir, name, hours):
    job = making.job(user)
    for _ in range(3):
        started = jobs.start(job.pk, worker="a#1")
        keep_state(started, name, hours=hours)
        jobs.give_back(started, crashed=True)
    assert row(job).status == "failed"


def test_a_worker_that_stops_politely_costs_nothing(user, sent):
    job = making.job(user)
    for _ in range(5):
        jobs.give_back(jobs.start(job.pk, worker="a#1"), crashed=False)
    assert (row(job).status, row(job).crashes, row(job).attempt) == ("queued", 0, 5)


def test_the_time_of_attempts_that_were_paused_or_lost_counts(running, sent):
    now = timezone.now()
    begun, alive = now - timedelta(hours=2), now + timedelta(seconds=20)
    Job.objects.update(started_at=now - timedelta(seconds=60), lease_until=alive)
    assert jobs.park(row(running))
    assert row(running).earlier_seconds == pytest.approx(60, abs=2)
    assert jobs.resume(row(running))
    jobs.start(running.pk, worker="w#2")
    # Its machine was switched off half an hour after it had begun.
    silent = begun + timedelta(minutes=30) + jobs.LEASE
    Job.objects.update(started_at=begun, lease_until=silent)
    assert jobs.give_back(row(running), crashed=True)
    assert row(running).earlier_seconds == pytest.approx(60 + 1800, abs=2)


def test_a_lost_job_that_was_to_end_is_cancelled(running, sent):
    jobs.cancel(running)
    assert jobs.give_back(row(running), crashed=True)
    assert row(running).status == "cancelled"
    assert sent == []
