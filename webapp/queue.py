"""The broker's queues as the rest of the house needs them: put a job in, ask whether it is empty.

A task is a hint as well: it carries the job id alone, twice is as good as once, and the sweeper
sends a lost one again.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from webapp.celery import app
from webapp.live import streams
from webapp.models import Job, LabRun, Status, WeightsDownload

logger = logging.getLogger(__name__)
FOLD_TASK = "webapp.fold"
FETCH_TASK = "webapp.fetch"
LAB_TASK = "webapp.lab_run"
LAB_CHORE_TASK = "webapp.lab_chore"
ANSWER_SECONDS = 3.0


def send(job_id: UUID) -> bool:
    """Sends the task of a queued job; False when the broker does not take it now."""
    if not _send(FOLD_TASK, str(job_id), to=app.conf.task_default_queue):
        return False
    Job.objects.filter(pk=job_id, status=Status.QUEUED).update(enqueued_at=timezone.now())
    return True


def send_fetch(name: str) -> bool:
    """Sends the task of a queued download; False when the broker does not take it now."""
    if not _send(FETCH_TASK, name, to=settings.WEIGHTS_QUEUE):
        return False
    waits = WeightsDownload.objects.filter(pk=name, status=Status.QUEUED)
    waits.update(enqueued_at=timezone.now())
    return True


def send_lab(run_id: UUID) -> bool:
    """Sends the task of a queued run of the Lab; False when the broker does not take it now."""
    if not _send(LAB_TASK, str(run_id), to=settings.LAB_QUEUE):
        return False
    LabRun.objects.filter(pk=run_id, status=Status.QUEUED).update(enqueued_at=timezone.now())
    return True


def send_lab_chore(*words: Any) -> bool:
    """Sends a chore of the Lab: what to do, and with what; False when the broker is away."""
    return _send(LAB_CHORE_TASK, json.dumps(words), to=settings.LAB_QUEUE)


def _send(task: str, argument: str, *, to: str) -> bool:
    # Asked first, because the broker's own client would try for many seconds.
    if waiting(to) is None:
        logger.warning("The broker does not answer, the sweeper will send the task")
        return False
    try:
        with _connection() as connection:
            app.send_task(task, args=[argument], queue=to, connection=connection, retry=False)
    except OperationalError as error:
        logger.warning("The broker takes no task now, the sweeper will send it: %s", error)
        return False
    return True


def waiting(name: str = "") -> int | None:
    """How many tasks wait in a queue, that of folds by default; None without an answer."""
    return streams.length_of_list(name or app.conf.task_default_queue)


def _connection() -> Any:
    """A connection of its own, so that none is reused that died with the last broker."""
    timeouts = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
    return app.connection_for_write(settings.CELERY_BROKER_URL, transport_options=timeouts)
