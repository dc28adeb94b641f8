"""The task from row to result, with the model that ships; then everything that can go wrong."""

import os
import threading
import time
from dataclasses import replace

import pytest
from torch import nn

from folding import cost
from folding.errors import FoldingError, InvalidInput
from folding.model.config import SMALL
from tests.webapp import making
from webapp import jobs, lease, pipeline, storage, tasks
from webapp.jobs import NotYours
from webapp.models import Job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_dir")]


@pytest.fixture
def job(user):
    return jobs.start(making.job(user).pk, worker="w@elsewhere#1")


@pytest.fixture
def folds(monkeypatch):
    """Replaces the fold by a function of `hear`; the rest of the way is the product's."""

    def use(fold):
        network = nn.Linear(1, 1)
        network.reads_templates, network.config = False, SMALL
        loaded = pipeline.Loaded(network=network, sha256="0" * 64, bytes=0)
        monkeypatch.setattr(tasks, "model", lambda name: loaded)
        monkeypatch.setattr(pipeline, "fold_with", lambda *_, **__: fold)

    return use


def row():
    return Job.objects.get()


def drafts(job):
    return [path.name for path in storage.folder(job.pk).parent.glob(".drafts/*")]


def test_a_job_is_folded_from_row_to_result(user, published):
    waiting = making.job(user)
    tasks.fold.apply(args=[str(waiting.pk)], throw=True)
    done = row()
    assert (done.status, done.attempt, done.percent) == ("succeeded", 1, 100.0)
    assert done.worker.endswith(f"#{os.getpid()}")
    (prediction,) = done.predictions.all()
    assert (prediction.seed, prediction.sample, prediction.rank) == (1, 0, 1)
    assert 0 <= prediction.mean_plddt <= 100
    names = storage.names(done.pk)
    assert "Five_seed-1_sample-0_model.cif" in names
    assert "Five.h5" in names
    assert drafts(done) == []
    kinds = published.kinds(done)
    assert {"log", "progress", "recycle", "frame", "sample"} <= set(kinds)
    assert kinds[-1] == "status"
    assert kinds.count("status") == 2


def test_samples_are_ranked_from_the_best(user):
    options = {"n_samples": 3, "n_recycles": 0, "n_steps": 2, "model": "small"}
    tasks.fold.apply(args=[str(making.job(user, options=options).pk)], throw=True)
    scores = [p.ranking_score for p in row().predictions.order_by("rank")]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 3


def test_a_task_that_comes_twice_folds_once(user, folds):
    runs = []
    folds(lambda hear: runs.append(1) or (making.prediction(),))
    waiting = making.job(user)
    for _ in range(2):
        tasks.fold.apply(args=[str(waiting.pk)], throw=True)
    assert runs == [1]
    assert row().attempt == 1


@pytest.mark.parametrize("status", ["cancelled", "running"])
def test_a_job_that_does_not_wait_is_left_alone(user, folds, status):
    folds(lambda hear: pytest.fail("folded"))
    tasks.fold.apply(args=[str(making.job(user, status=status).pk)], throw=True)
    assert row().status == status


def test_a_deleted_job_is_no_error(user, folds):
    waiting = making.job(user)
    jobs.delete(waiting)
    tasks.fold.apply(args=[str(waiting.pk)], throw=True)
    assert not Job.objects.exists()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidInput("Too short.", field="sequence"), "Too short."),
        (FoldingError("No weights."), "No weights."),
        (MemoryError(), "more memory than this machine has"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_told_in_the_users_words(job, folds, error, words):
    def fails(hear):
        raise error

    folds(fails)
    tasks.work_on(job)
    assert row().status == "failed"
    assert words in row().error
    assert drafts(job) == []


def test_a_fold_without_free_memory_does_not_begin(job, folds, monkeypatch):
    folds(lambda hear: pytest.fail("folded"))
    memory = cost.psutil.virtual_memory()
    monkeypatch.setattr(cost.psutil, "virtual_memory", lambda: memory._replace(available=-(2**40)))
    tasks.work_on(job)
    assert (row().status, row().attempt) == ("failed", 1)
    assert "other programs on this machine" in row().error
    assert drafts(job) == []


def test_the_alignment_that_was_found_counts(job, folds, monkeypatch):
    folds(lambda hear: pytest.fail("folded"))
    counted = []

    def deepen(job, fold_input, **rest):
        (chain,) = fold_input.chains
        return replace(fold_input, chains=(replace(chain, msa=">q\nGAGAG\n" * 9000),))

    def refuse(fold_input, options, **rest):
        counted.append(fold_input.chains[0].msa.count(">"))
        raise FoldingError("Too deep.")

    monkeypatch.setattr("webapp.preparation.prepare", deepen)
    monkeypatch.setattr(cost, "check_free_memory", refuse)
    tasks.work_on(job)
    assert counted == [9000]
    assert row().error == "Too deep."


def test_a_gpu_that_the_model_is_not_on_gives_a_fold_no_memory(job, folds, monkeypatch):
    folds(lambda hear: pytest.fail("folded"))
    beside = cost.Machine(threads=1, speed=1.0, memory_bytes=10**10, gpu_bytes=10**11)
    monkeypatch.setattr(cost, "this_machine", lambda: beside)
    chain = {"protein": {"id": "A", "sequence": "GA" * 2000}}
    job.fold_input = {**job.fold_input, "sequences": [chain]}
    tasks.work_on(job)
    assert row().status == "failed"
    assert "this machine can give 8.0 GB" in row().error


def test_a_job_that_is_tried_again_is_measured_again(job, folds, monkeypatch):
    folds(lambda hear: pytest.fail("folded"))
    small = cost.Machine(threads=1, speed=1.0, memory_bytes=10**6)
    monkeypatch.setattr(cost, "this_machine", lambda: small)
    again = jobs.start(jobs.retry(job).pk, worker="w@elsewhere#1")
    tasks.work_on(again)
    again.refresh_from_db()
    assert again.status == "failed"
    assert "this machine can give" in again.error


def test_a_bug_marks_the_job_failed_and_is_raised(job, folds):
    def buggy(hear):
        raise KeyError("secret detail")

    folds(buggy)
    with pytest.raises(KeyError):
        tasks.work_on(job)
    assert row().status == "failed"
    assert "KeyError" in row().error
    assert "secret detail" not in row().error


def test_a_gpu_without_memory_is_told_like_any_memory():
    error = type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory")
    assert tasks.explain(error) == tasks.OUT_OF_MEMORY


def test_a_disk_without_room_fails_the_job(job, folds, monkeypatch):
    folds(lambda hear: (making.prediction(),))

    def full(*args, **words):
        raise OSError("No space left on device")

    monkeypatch.setattr(storage, "install", full)
    with pytest.raises(OSError, match="No space"):
        tasks.work_on(job)
    assert row().status == "failed"
    assert storage.names(job.pk) == []
    assert not row().predictions.exists()


def steps_until_stopped(hear, *, seconds=10.0):
    """A fold that takes steps until `hear` ends it."""
    from folding import progress

    deadline = time.monotonic() + seconds
    hear(progress.StageStarted("msa"))
    while time.monotonic() < deadline:
        hear(progress.Note("info", "one more step"))
        time.sleep(0.01)
    pytest.fail("nobody stopped the fold")


def test_a_cancelled_job_ends_between_two_steps(job, folds, monkeypatch):
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.02)
    folds(steps_until_stopped)
    threading.Timer(0.1, lambda: Job.objects.update(cancel_requested=True)).start()
    tasks.work_on(job)
    assert row().status == "cancelled"
    assert storage.names(job.pk) == drafts(job) == []


def test_a_job_taken_away_ends_without_a_trace(job, folds, monkeypatch, published):
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.02)

    def fold(hear):
        threading.Timer(0.1, lambda: Job.objects.update(attempt=2, worker="w#2")).start()
        steps_until_stopped(hear)

    folds(fold)
    tasks.work_on(job)
    now = row()
    assert (now.status, now.attempt, now.worker) == ("running", 2, "w#2")
    assert published.of(job)[-1].kind == "log"
    assert drafts(job) == []


def test_a_worker_that_comes_too_late_saves_nothing(job, folds):
    def slow(hear):
        Job.objects.update(attempt=2)
        return (making.prediction(),)

    folds(slow)
    tasks.work_on(job)
    assert row().status == "running"
    assert storage.names(job.pk) == []
    assert not row().predictions.exists()


def test_what_is_published_is_also_kept_for_the_row(job, published):
    from webapp.live.events import Progress

    held = lease.Lease(job)
    tasks.tell(job, held, Progress(stage="trunk", percent=3.0))
    assert held.progress.percent == 3.0
    assert published.kinds(job)[-1] == "progress"
    held.reason = NotYours
    with pytest.raises(NotYours):
        tasks.tell(job, held, Progress(stage="trunk", percent=4.0))
    assert published.of(job)[-1].percent == 3.0


def test_the_model_is_loaded_once():
    assert tasks.model("small") is tasks.model("small")


def test_unknown_weights_fail_in_words(user):
    options = {**vars(making.FoldOptions(n_samples=1)), "model": "huge"}
    tasks.fold.apply(args=[str(making.job(user, options=options).pk)], throw=True)
    assert row().status == "failed"
    assert "no model called huge here" in row().error
