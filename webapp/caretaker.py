"""What a worker's main process does while its child folds: reads the machine, ends what must end.

Runs in one thread. Between two chores it holds nothing that a fork could copy half-way: the pool
waits for the chore's end before it forks a new child.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil
from django.db import Error, connection

from webapp import jobs, monitor, sweeper
from webapp.live import publisher
from webapp.models import Job, JobQuerySet, Status

logger = logging.getLogger(__name__)
TICK_SECONDS = 2.0
SWEEP_SECONDS = 10.0
GRACE_SECONDS = 20.0
LAST_WORDS_SECONDS = 2.0


class Caretaker:
    """The chores of one worker; `node` is its Celery name."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._asked_since: dict[tuple[Any, int], float] = {}
        self._next_sweep = 0.0
        self._chore = threading.Lock()
        self._done = threading.Event()

    def begin(self) -> None:
        """Starts the thread."""
        chore = self._chore
        os.register_at_fork(
            before=chore.acquire, after_in_parent=chore.release, after_in_child=chore.release
        )
        threading.Thread(target=self._run, name="caretaker", daemon=True).start()

    def leave(self) -> None:
        """The worker has been asked to stop: its thread gives back what the child folds.

        The child notices at its next step, so that nobody waits for the end of a fold. Safe in a
        signal handler.
        """
        self._done.set()

    def end(self) -> None:
        """The worker stops now: says goodbye, and gives back what may be left."""
        self._done.set()
        monitor.withdraw(self.node)
        self._give_back()
        publisher.flush(timeout_seconds=LAST_WORDS_SECONDS)

    def tick(self) -> None:
        """One round of chores; what fails of one does not keep the others from being done."""
        for chore in (self.end_stubborn_folds, self.sweep, self.read):
            self._guarded(chore)

    def sweep(self) -> None:
        """Looks for jobs of lost workers, and now and then for all else that is left behind."""
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_SECONDS
            sweeper.sweep()
        else:
            sweeper.give_back_lost_jobs()

    def read(self) -> None:
        """Tells the pages how busy this machine is."""
        monitor.publish(monitor.read(self.node))

    def end_stubborn_folds(self) -> None:
        """Kills the child whose fold was asked to end and did not reach its next step in time."""
        asked = {(job.pk, job.attempt): job for job in self._mine().filter(cancel_requested=True)}
        now = time.monotonic()
        self._asked_since = {key: self._asked_since.get(key, now) for key in asked}
        for key, job in asked.items():
            if now - self._asked_since[key] >= GRACE_SECONDS and jobs.stop(job):
                kill_child(int(job.worker.rpartition("#")[2]))

    def _mine(self) -> JobQuerySet:
        return Job.objects.filter(status=Status.RUNNING, worker__startswith=f"{self.node}#")

    def _give_back(self) -> None:
        """What a worker stops under goes back into the queue: that is nobody's crash."""
        for job in self._mine():
            jobs.give_back(job, crashed=False)

    def _run(self) -> None:
        while not self._done.wait(TICK_SECONDS):
            self.tick()
        self._guarded(self._give_back)
        connection.close()

    def _guarded(self, chore: Callable[[], None]) -> None:
        try:
            with self._chore:
                chore()
        except Error as error:
            logger.warning("The caretaker tries again soon: %s", error)
            with suppress(Error):  # a dead one is not replaced by itself in a thread
                connection.close()
        except Exception:  # nobody would start this thread again, and nobody else does its chores
            logger.exception("The caretaker tries again soon")


def kill_child(pid: int) -> bool:
    """Kills the process if it is a child of this one; the pool puts a new one in its place."""
    try:
        child = psutil.Process(pid)
        if child.ppid() != os.getpid():
            return False
        child.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True
