"""A worker's hold on a job: a thread that keeps the lease, and notices when it has to end.

The fold asks `check()` at every step. Losing the database for a moment loses nothing: the thread
tries again until the lease has run out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

from folding.errors import Cancelled, Paused
from webapp import jobs
from webapp.jobs import NotYours
from webapp.live.events import Progress
from webapp.models import Job

logger = logging.getLogger(__name__)
TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 10.0


class Lease:
    """What the thread knows about the job in hand."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.progress: Progress | None = None
        self._reason: type[Exception] | None = None
        self._done = threading.Event()
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS

    def check(self) -> None:
        """Returns while the job is ours and wanted.

        Raises:
            Cancelled: its owner wants it to end.
            Paused: its owner wants it to rest.
            NotYours: it was deleted, or given to another worker.
        """
        if self._reason is not None:
            raise self._reason

    def keep(self) -> None:
        """Runs in the thread until the job is done or lost."""
        try:
            while not self._done.wait(TICK_SECONDS):
                self._tick()
        finally:
            connection.close()

    def let_go(self) -> None:
        self._done.set()

    def _tick(self) -> None:
        try:
            self._record()
            if self._asks_to_end():
                self._reason = Cancelled
            elif jobs.wants_pause(self.job):
                self._reason = Paused
        except NotYours:
            self._reason = NotYours
            self._done.set()
        except DatabaseError as error:
            logger.warning("The database did not take the heartbeat, once more soon: %s", error)

    def _asks_to_end(self) -> bool:
        if time.monotonic() < self._next_heartbeat:
            return jobs.wants_end(self.job)
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        return jobs.heartbeat(self.job)

    def _record(self) -> None:
        latest, self.progress = self.progress, None
        if latest is not None:
            jobs.record(
                self.job,
                stage=latest.stage,
                percent=latest.percent,
                eta_seconds=latest.eta_seconds,
            )


@contextmanager
def hold(job: Job) -> Iterator[Lease]:
    """Keeps the lease of the job for as long as the block runs."""
    lease = Lease(job)
    thread = threading.Thread(target=lease.keep, name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.let_go()
        thread.join(timeout=2 * TICK_SECONDS)
