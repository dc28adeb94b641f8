"""Verbs on jobs. Each moves the row by compare-and-set and then tells the pages.

A worker's verbs (heartbeat, record, finish, fail, stop) are fenced: they write only while the row
is running the same attempt, so that a worker that was given up changes nothing any more.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from folding import cost
from folding.inputs import FoldInput, FoldOptions
from webapp import fleet, queue, storage
from webapp.live import publisher
from webapp.live.events import Level, LogLine, StatusChanged
from webapp.models import Job, JobQuerySet, Prediction, Stage, Status
from webapp.search_request import NOTHING, SearchRequest, most_rows

logger = logging.getLogger(__name__)
LEASE = timedelta(seconds=30)
CRASH_LIMIT = 3
GAVE_UP = (
    "The worker stopped {n} times while it folded this job, so it was given up. The usual reason "
    "is too little memory: try fewer residues or fewer samples, or ask whoever runs this server."
)


class NotYours(Exception):
    """This attempt of the job no longer belongs to this worker."""


# Its owner's verbs ------------------------------------------------------------------------------


def submit(
    owner: Any,
    fold_input: FoldInput,
    options: FoldOptions,
    *,
    search: SearchRequest = NOTHING,
    retry_of: Job | None = None,
) -> Job:
    """The new queued job; its task is sent when the row is safe."""
    rows = most_rows(search, fold_input)
    estimate = cost.estimate_job(fold_input, options, n_rows=rows, machine=fleet.strongest())
    job = Job.objects.create(
        owner=owner,
        name=fold_input.name,
        fold_input=fold_input.to_json(),
        options=asdict(options),
        search=search.to_json(),
        model=options.model,
        n_tokens=fold_input.n_tokens,
        estimate_seconds=estimate.seconds,
        estimate_bytes=estimate.bytes,
        retry_of=retry_of,
    )
    transaction.on_commit(lambda: _announce_new(job))
    return job


def submit_all(
    owner: Any,
    fold_inputs: Iterable[FoldInput],
    options: FoldOptions,
    *,
    search: SearchRequest = NOTHING,
) -> list[Job]:
    """The new queued jobs of a batch: all of them, or none."""
    with transaction.atomic():
        return [submit(owner, fold_input, options, search=search) for fold_input in fold_inputs]


def retry(job: Job) -> Job:
    """A new job with the same input and options.

    Raises:
        InvalidInput: The input was stored before rules that refuse it.
    """
    fold_input = FoldInput.from_json(job.fold_input)
    search = SearchRequest.from_json(job.search)
    return submit(job.owner, fold_input, FoldOptions(**job.options), search=search, retry_of=job)


def cancel(job: Job) -> bool:
    """Ends a waiting job at once and asks a running one to end; False when it had already ended."""
    waiting = Job.objects.filter(pk=job.pk, status__in=(Status.QUEUED, Status.PAUSED))
    if waiting.update(status=Status.CANCELLED, **_ended()):
        storage.forget(job.pk)
        publisher.queue_moved()
        _last_words(job, "info", "Cancelled while it waited.", ends=True)
        return True
    asked = Job.objects.filter(pk=job.pk, status=Status.RUNNING).update(cancel_requested=True)
    if not asked:
        return False
    say(job, "info", "Cancelling at the next step.")
    announce(job)
    return True


def pause(job: Job) -> bool:
    """Lets a queued job rest at once and asks a running one to; False when it does neither."""
    queued = Job.objects.filter(pk=job.pk, status=Status.QUEUED)
    if queued.update(status=Status.PAUSED, eta_seconds=None):
        publisher.queue_moved()
        _last_words(job, "info", "Paused before it started.")
        return True
    asked = Job.objects.filter(pk=job.pk, status=Status.RUNNING, cancel_requested=False)
    if not asked.update(pause_requested=True):
        return False
    say(job, "info", "Pausing at the next step.")
    announce(job)
    return True


def resume(job: Job) -> bool:
    """Puts a paused job back into the queue, to go on where it was; False when none was paused."""
    resumed = Job.objects.filter(pk=job.pk, status=Status.PAUSED).update(
        status=Status.QUEUED, stage=Stage.QUEUED, pause_requested=False, enqueued_at=None
    )
    if not resumed:
        return False
    _last_words(job, "info", "Waits for a worker, to go on.")
    publisher.queue_moved()
    queue.send(job.pk)
    return True


def delete(job: Job) -> None:
    """Removes the job in any status: the row first, so that a worker that holds it stops."""
    job_id, owner_id = job.pk, job.owner_id
    Job.objects.filter(pk=job_id).delete()
    storage.remove(job_id)
    publisher.publish(job_id, attempt=0, event=StatusChanged(status="deleted"), last=True)
    publisher.hint(owner_id, job_id=job_id, change="deleted")
    publisher.queue_moved()


# Its worker's verbs -----------------------------------------------------------------------------


def start(job_id: UUID | str, *, worker: str) -> Job | None:
    """The job, now running its next attempt with this worker; None if it cannot start."""
    now = timezone.now()
    started = Job.objects.filter(pk=job_id, status=Status.QUEUED).update(
        status=Status.RUNNING,
        stage=Stage.FEATURES,
        percent=0.0,
        eta_seconds=F("estimate_seconds"),
        attempt=F("attempt") + 1,
        worker=worker,
        lease_until=now + LEASE,
        started_at=now,
    )
    job = Job.objects.filter(pk=job_id, worker=worker, status=Status.RUNNING).first()
    if not started or job is None:
        return None
    announce(job)
    publisher.queue_moved()
    return job


def heartbeat(job: Job) -> bool:
    """Extends the lease; whether the owner wants the job to end.

    Raises:
        NotYours: the row is gone, or no longer runs this attempt.
    """
    if not _held(job).update(lease_until=timezone.now() + LEASE):
        raise NotYours
    return wants_end(job)


def wants_end(job: Job) -> bool:
    """Whether the owner wants the job to end.

    Raises:
        NotYours: the row is gone, or no longer runs this attempt.
    """
    asked = _held(job).values_list("cancel_requested", flat=True).first()
    if asked is None:
        raise NotYours
    return asked


def wants_pause(job: Job) -> bool:
    """Whether the owner wants the attempt to rest."""
    return _held(job).filter(pause_requested=True).exists()


def record(job: Job, *, stage: str, percent: float, eta_seconds: float | None) -> None:
    """Writes the progress of the attempt into the row, for pages that open later."""
    _held(job).update(
        stage=stage,
        percent=percent,
        eta_seconds=eta_seconds,
        last_event=publisher.last_event(job.pk),
    )
    publisher.hint(job.owner_id, job_id=job.pk, change="changed")


def finish(job: Job, *, predictions: Iterable[Prediction], install: Callable[[], None]) -> bool:
    """Ends the job well, once: moves its files into place, then the rows, then the event.

    `install` runs inside the transaction, after the fence: a worker that lost the job never touches
    the files, and nobody reads "succeeded" before they are there. False when the job was lost.
    """
    with transaction.atomic():
        if not _held(job).update(status=Status.SUCCEEDED, percent=100.0, **_ended()):
            return False
        install()
        job.predictions.all().delete()
        Prediction.objects.bulk_create(predictions)
    storage.forget(job.pk)
    announce(job, ends=True)
    return True


def fail(job: Job, message: str) -> bool:
    """Ends the job without a result; `message` tells its owner why and what to do."""
    if not _held(job).update(status=Status.FAILED, error=message, **_ended()):
        return False
    storage.forget(job.pk)
    _last_words(job, "error", message, ends=True)
    return True


def stop(job: Job) -> bool:
    """Ends a running job as its owner asked."""
    if not _held(job).update(status=Status.CANCELLED, **_ended()):
        return False
    storage.forget(job.pk)
    _last_words(job, "info", "Cancelled.", ends=True)
    return True


def park(job: Job) -> bool:
    """Lets a running job rest as its owner asked; what is done is on disk."""
    parked = _held(job).update(
        status=Status.PAUSED,
        eta_seconds=None,
        lease_until=None,
        worker="",
        pause_requested=False,
        earlier_seconds=F("earlier_seconds") + _seconds(job),
    )
    if not parked:
        return False
    _last_words(job, "info", "Paused. It goes on from here when you resume it.")
    return True


def give_back(job: Job, *, crashed: bool) -> bool:
    """Puts a job whose worker is gone back into the queue; False when it was not gone after all.

    A job that its owner wanted to end is cancelled instead, one that was to rest rests, and one
    that took its worker with it `CRASH_LIMIT` times fails, unless it came further in between.
    `job` is as it was read: a heartbeat since then keeps the worker alive.
    """
    held = _held(job).filter(lease_until=job.lease_until) if crashed else _held(job)
    came_further = storage.has_news(storage.state(job.pk), since=job.started_at)
    crashes = (0 if came_further else job.crashes) + int(crashed)
    if not held.update(crashes=crashes):
        return False
    if job.cancel_requested:
        return stop(job)
    if crashes >= CRASH_LIMIT:
        return fail(job, GAVE_UP.format(n=crashes))
    if wants_pause(job):
        return park(job)
    return _requeue(job)


# What the pages hear ----------------------------------------------------------------------------


def say(job: Job, level: Level, message: str) -> None:
    """Adds a line to the job's log."""
    line = LogLine(level=level, message=message, at=timezone.now().isoformat())
    publisher.publish(job.pk, attempt=job.attempt, event=line)


def announce(job: Job, *, change: str = "changed", ends: bool = False) -> None:
    """Tells the pages where the row stands now.

    The end is told by whoever brought it about (`ends`), after the last line of the log, so that a
    page which hears it has heard everything.
    """
    now = Job.objects.filter(pk=job.pk).first()
    if now is None:
        return
    if ends or not now.is_finished:
        event = StatusChanged(status=now.status, stage=now.stage, percent=now.percent)
        publisher.publish(now.pk, attempt=now.attempt, event=event, last=ends)
    publisher.hint(now.owner_id, job_id=now.pk, change=change)


def _last_words(job: Job, level: Level, message: str, *, ends: bool = False) -> None:
    say(job, level, message)
    announce(job, ends=ends)


# The moves --------------------------------------------------------------------------------------


def _held(job: Job) -> JobQuerySet:
    """The row while it runs this attempt, else nothing."""
    return Job.objects.filter(pk=job.pk, attempt=job.attempt, status=Status.RUNNING)


def _ended() -> dict[str, Any]:
    return {
        "stage": Stage.NONE,
        "eta_seconds": None,
        "lease_until": None,
        "finished_at": timezone.now(),
    }


def _seconds(job: Job) -> float:
    """How long this attempt has computed: until now, or the last sign of life of a lost worker."""
    held = _held(job).only("started_at", "lease_until").first()
    if held is None or held.started_at is None or held.lease_until is None:
        return 0.0
    now = timezone.now()
    heard = now if held.lease_until > now else held.lease_until - LEASE
    return max(0.0, (heard - held.started_at).total_seconds())


def _requeue(job: Job) -> bool:
    queued = _held(job).update(
        status=Status.QUEUED,
        stage=Stage.QUEUED,
        percent=0.0,
        eta_seconds=None,
        lease_until=None,
        worker="",
        enqueued_at=None,
        earlier_seconds=F("earlier_seconds") + _seconds(job),
    )
    if not queued:
        return False
    _last_words(job, "warning", "The worker stopped; the job waits for the next one.")
    queue.send(job.pk)
    return True


def _announce_new(job: Job) -> None:
    announce(job, change="created")
    queue.send(job.pk)
