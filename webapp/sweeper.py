"""Repairs what dead processes left behind. Safe anywhere, any time, twice at once.

The supervisor sweeps every few seconds, and so does every worker.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, TypeVar

import psutil
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from webapp import downloads, jobs, place, queue, storage
from webapp.lab import runs
from webapp.models import DeletedJob, Job, LabRun, Status, WeightsDownload

# Longer than the pause between two heartbeats (webapp/lease.py).
WATCH = timedelta(seconds=15)
PATIENCE = timedelta(seconds=5)
RESEND_AFTER = timedelta(seconds=60)
# By then a worker that still held a deleted job has ended too.
REMEMBER = timedelta(days=1)

Row = TypeVar("Row", Job, WeightsDownload, LabRun)


def sweep() -> None:
    """Requeues jobs of dead workers, sends lost tasks again, removes files of deleted jobs."""
    give_back_lost_jobs()
    give_back_lost_downloads()
    give_back_lost_runs()
    send_lost_tasks()
    remove_orphans()


def give_back_lost_jobs() -> None:
    """Gives back the jobs whose lease has run out, or whose process on this machine is dead."""
    for job in _lost(Job.objects.filter(status=Status.RUNNING), watch=WATCH):
        jobs.give_back(job, crashed=True)


def give_back_lost_downloads() -> None:
    """Does the same for downloads of weights, whose steps may be silent for as long as a lease."""
    for row in _lost(downloads.running(), watch=downloads.LEASE):
        downloads.give_back(row, crashed=True)


def give_back_lost_runs() -> None:
    """Does the same for runs of the Lab."""
    for run in _lost(runs.running(), watch=WATCH):
        runs.give_back(run, crashed=True)


def send_lost_tasks() -> None:
    """Sends the tasks of queued rows again while the broker holds none, once a minute each."""
    waiting = _overdue(Job.objects.all())
    if waiting.exists() and queue.waiting() == 0:
        for job_id in waiting.values_list("pk", flat=True):
            queue.send(job_id)
    fetches = _overdue(WeightsDownload.objects.all())
    if fetches.exists() and queue.waiting(settings.WEIGHTS_QUEUE) == 0:
        for name in fetches.values_list("pk", flat=True):
            queue.send_fetch(name)
    # While one runs, the others wait for its end, and then the worker sends for the next.
    in_lab = _overdue(LabRun.objects.all())
    if in_lab.exists() and not runs.running().exists() and queue.waiting(settings.LAB_QUEUE) == 0:
        runs.send_next()


def remove_orphans() -> None:
    """Removes drafts of attempts that do not run, and all that is left of deleted jobs.

    What belongs to a job that this database never heard of stays as it is.
    """
    running = Job.objects.filter(status=Status.RUNNING).values_list("pk", "attempt")
    drafts = {storage.draft_name(pk, attempt=attempt) for pk, attempt in running}
    unfinished = Job.objects.unfinished().values_list("pk", flat=True)
    # Read in this order: a job that is deleted in between is among both, and known.
    known, deleted = _known(), _deleted()
    storage.sweep(
        keep_drafts=drafts | {storage.state_name(pk) for pk in unfinished},
        known=known,
        deleted=deleted - known,
    )
    long_ago = DeletedJob.objects.filter(deleted_at__lt=timezone.now() - REMEMBER)
    for row in long_ago:
        if not storage.folder(row.pk).exists():
            row.delete()


def n_unknown() -> int:
    """How many jobs have files here that this database knows nothing of."""
    return len(set(storage.job_ids()) - _known() - _deleted())


def _known() -> set[str]:
    return {str(pk) for pk in Job.objects.values_list("pk", flat=True)}


def _deleted() -> set[str]:
    return {str(pk) for pk in DeletedJob.objects.values_list("pk", flat=True)}


def _overdue(rows: QuerySet[Any]) -> QuerySet[Any]:
    now = timezone.now()
    never_sent = Q(enqueued_at=None, created_at__lt=now - PATIENCE)
    sent_long_ago = Q(enqueued_at__lt=now - RESEND_AFTER)
    queued = rows.filter(status=Status.QUEUED)
    return queued.filter(never_sent | sent_long_ago).order_by("created_at")


_expired_since: dict[tuple[object, ...], float] = {}
"""When this process first saw a lease run out, by its own clock, which stands while it sleeps."""


def _lost(rows: QuerySet[Row], *, watch: timedelta) -> list[Row]:
    """The running rows that nobody holds any more.

    A lease that has run out shows only that time has passed: the machine slept, the database was
    away, a clock is wrong. Its holder gets the time `watch` before our eyes to extend it.
    """
    now, clock, lost = timezone.now(), time.monotonic(), []
    expired: dict[tuple[object, ...], float] = {}
    for row in rows:
        key = (rows.model, row.pk, row.attempt, row.lease_until)
        if row.lease_until is not None and row.lease_until < now:
            expired[key] = _expired_since.get(key, clock)
        if clock - expired.get(key, clock) >= watch.total_seconds() or _died_here(row.worker):
            lost.append(row)
    for old in [old for old in _expired_since if old[0] is rows.model]:
        del _expired_since[old]
    _expired_since.update(expired)
    return lost


def _died_here(worker: str) -> bool:
    """Whether the worker ran where this process could see it, and cannot be seen.

    A process id that somebody else has now only means waiting for the lease.
    """
    node, _, pid = worker.rpartition("#")
    return place.is_here(node) and pid.isdecimal() and not psutil.pid_exists(int(pid))
