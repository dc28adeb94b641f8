"""Verbs on downloads of weights: ask for one, do it, end it. The web asks, the fetcher does.

As with jobs, each verb moves the row by compare-and-set, and the fetcher's verbs write only while
the row runs the same attempt. What came so far stays on disk: whoever tries next goes on there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from folding.errors import Cancelled, FoldingError
from folding.weights.store import Store
from webapp import local_user, queue
from webapp.jobs import NotYours
from webapp.live import publisher
from webapp.models import FINISHED, Status, WeightsDownload

logger = logging.getLogger(__name__)
# Longer than any step that says nothing: reading gigabytes from a slow disk.
LEASE = timedelta(seconds=120)
RECORD_SECONDS = 0.4
CRASH_LIMIT = 3
GAVE_UP = (
    "The process that fetched these weights stopped {n} times, so it was given up. The usual "
    "reason is too little memory for the conversion."
)
UNEXPECTED = (
    "Something went wrong inside Foldstream ({kind}). Try once more, and if it happens again, tell "
    "whoever runs this server the time."
)


def store() -> Store:
    """The weights of this server."""
    return Store(Path(settings.WEIGHTS_DIR))


def may_ask(user: Any) -> bool:
    """Whether this person may fill the server's disk: staff, or whoever sits at the machine."""
    return bool(user.is_authenticated and (user.is_staff or user.username == local_user.NAME))


# The web's verbs --------------------------------------------------------------------------------


def ask(name: str, *, by: Any) -> bool:
    """Queues the download of a model; False when it is on its way or here already."""
    if store().is_here(name):
        return False
    WeightsDownload.objects.get_or_create(name=name, defaults={"status": Status.CANCELLED})
    queued = WeightsDownload.objects.filter(name=name, status__in=FINISHED).update(
        status=Status.QUEUED,
        requested_by=by,
        stage="",
        crashes=0,
        cancel_requested=False,
        enqueued_at=None,
        created_at=timezone.now(),
        finished_at=None,
        error="",
    )
    if queued:
        publisher.weights_changed(name)
        transaction.on_commit(lambda: queue.send_fetch(name))
    return bool(queued)


def cancel(name: str) -> bool:
    """Ends a queued download at once and asks a running one to end; False when it had ended."""
    row = WeightsDownload.objects.filter(name=name)
    if not row.filter(status=Status.QUEUED).update(status=Status.CANCELLED, **_ended()) and not (
        row.filter(status=Status.RUNNING).update(cancel_requested=True)
    ):
        return False
    publisher.weights_changed(name)
    return True


def remove(name: str) -> None:
    """Removes the weights from this machine, with what an unfinished download left.

    Raises:
        WeightsError: they ship with the code, or somebody is writing them now.
    """
    with store().sole_writer(name):
        store().remove(name)
    WeightsDownload.objects.filter(name=name, status__in=FINISHED).delete()
    publisher.weights_changed(name)


# The fetcher's verbs ----------------------------------------------------------------------------


def start(name: str, *, worker: str) -> WeightsDownload | None:
    """The download, now running its next attempt; None if it does not wait to be started."""
    started = WeightsDownload.objects.filter(name=name, status=Status.QUEUED).update(
        status=Status.RUNNING,
        stage="downloading",
        done_bytes=0,
        total_bytes=0,
        attempt=F("attempt") + 1,
        worker=worker,
        lease_until=timezone.now() + LEASE,
    )
    row = WeightsDownload.objects.filter(name=name, worker=worker, status=Status.RUNNING).first()
    if not started or row is None:
        return None
    publisher.weights_changed(name)
    return row


def work_on(row: WeightsDownload, fetch: Callable[[Callable[[str, int, int], None]], Any]) -> None:
    """Brings a started download to its end, whatever happens; `fetch` gets a `report`."""
    try:
        fetch(Reporter(row))
        _end(row, Status.SUCCEEDED)
    except Cancelled:
        _end(row, Status.CANCELLED)
    except NotYours:
        logger.warning("The download of %s was taken away from this worker", row.name)
    except FoldingError as error:
        _end(row, Status.FAILED, error=str(error))
    except Exception as error:
        _end(row, Status.FAILED, error=UNEXPECTED.format(kind=type(error).__name__))
        raise


class Reporter:
    """Writes progress into the row, a few times a second, and raises when the work has to end."""

    def __init__(self, row: WeightsDownload) -> None:
        self.row = row
        self._next = 0.0
        self._stage = ""

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage == self._stage and now < self._next and done < total:
            return
        self._stage, self._next = stage, now + RECORD_SECONDS
        written = _held(self.row).update(
            stage=stage,
            done_bytes=done,
            total_bytes=total,
            lease_until=timezone.now() + LEASE,
        )
        if not written:
            raise NotYours
        publisher.weights_changed(self.row.name)
        if _held(self.row).filter(cancel_requested=True).exists():
            raise Cancelled


def give_back(row: WeightsDownload, *, crashed: bool) -> bool:
    """Queues a download again whose process is gone; `row` is as it was read."""
    held = _held(row).filter(lease_until=row.lease_until) if crashed else _held(row)
    crashes = row.crashes + int(crashed)
    if not held.update(crashes=crashes):
        return False
    if row.cancel_requested:
        return _end(row, Status.CANCELLED)
    if crashes >= CRASH_LIMIT:
        return _end(row, Status.FAILED, error=GAVE_UP.format(n=crashes))
    _held(row).update(status=Status.QUEUED, stage="", lease_until=None, worker="", enqueued_at=None)
    publisher.weights_changed(row.name)
    queue.send_fetch(row.name)
    return True


def give_back_all(node: str) -> None:
    """What a fetcher stops under goes back into the queue: that is nobody's crash."""
    for row in running().filter(worker__startswith=f"{node}#"):
        give_back(row, crashed=False)


def running() -> QuerySet[WeightsDownload]:
    """The downloads that a process holds."""
    return WeightsDownload.objects.filter(status=Status.RUNNING)


def _held(row: WeightsDownload) -> QuerySet[WeightsDownload]:
    return running().filter(pk=row.pk, attempt=row.attempt)


def _end(row: WeightsDownload, status: Status, *, error: str = "") -> bool:
    ended = _held(row).update(status=status, error=error, **_ended())
    publisher.weights_changed(row.name)
    return bool(ended)


def _ended() -> dict[str, Any]:
    return {"stage": "", "lease_until": None, "finished_at": timezone.now()}
