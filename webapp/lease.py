"""A worker's hold on what it has in hand: a thread that keeps the lease, and notices the end.

The work asks `check()` at every step. Losing the database for a moment loses nothing: the thread
tries again until the lease has run out, over a new connection each time.
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from django.db import Error, connection

from folding.errors import Cancelled, Paused
from webapp import jobs
from webapp.jobs import NotYours
from webapp.live.events import Progress
from webapp.models import Job

logger = logging.getLogger(__name__)
TICK_SECONDS = 1.0
HEARTBEAT_SECONDS = 10.0


class Keeper(ABC):
    """What the thread knows about the row in hand."""

    def __init__(self) -> None:
        self.reason: type[Exception] | None = None
        self._done = threading.Event()

    @abstractmethod
    def look(self) -> type[Exception] | None:
        """Extends the lease; why the work has to end, if it has to. Raises `NotYours`."""

    def check(self) -> None:
        """Returns while the row is ours and wanted; raises the reason why it is not.

        Raises:
            Cancelled: its owner wants it to end.
            Paused: its owner wants it to rest.
            NotYours: it was deleted, or given to another worker.
        """
        if self.reason is not None:
            raise self.reason

    def tick(self) -> None:
        """Looks once; a row that is lost is not looked at again."""
        try:
            self.reason = self.look() or self.reason
        except NotYours:
            self.reason = NotYours
            self._done.set()
        except Error as error:
            logger.warning("The database did not take the heartbeat, once more soon: %s", error)
            # Nobody else would: a thread has no requests, between which Django looks for dead ones.
            with suppress(Error):
                connection.close()

    def keep(self, tick_seconds: float) -> None:
        """Runs in the thread until the work is done or lost."""
        try:
            while not self._done.wait(tick_seconds):
                self.tick()
        finally:
            connection.close()

    def let_go(self) -> None:
        self._done.set()


Kept = TypeVar("Kept", bound=Keeper)


@contextmanager
def kept(keeper: Kept, *, tick_seconds: float, name: str) -> Iterator[Kept]:
    """Keeps the lease for as long as the block runs, in a thread of that name."""
    thread = threading.Thread(target=keeper.keep, args=(tick_seconds,), name=name, daemon=True)
    thread.start()
    try:
        yield keeper
    finally:
        keeper.let_go()
        thread.join(timeout=2 * tick_seconds)


class Lease(Keeper):
    """A job in hand, and how far it is."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job
        self.progress: Progress | None = None
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS

    def look(self) -> type[Exception] | None:
        self._record()
        if self._asks_to_end():
            return Cancelled
        return Paused if jobs.wants_pause(self.job) else None

    def _asks_to_end(self) -> bool:
        if time.monotonic() < self._next_heartbeat:
            return jobs.wants_end(self.job)
        asked = jobs.heartbeat(self.job)
        # After it went through: one that did not is tried again at once, not ten seconds later.
        self._next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        return asked

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
    with kept(Lease(job), tick_seconds=TICK_SECONDS, name="lease") as lease:
        yield lease
