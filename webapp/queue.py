"""The broker's queue as the rest of the house needs it: put a job in, ask whether it is empty.

A task is a hint as well: it carries the job id alone, twice is as good as once, and the sweeper
sends a lost one again.
"""

from __future__ import annotations

import logging
from uuid import UUID

from django.utils import timezone
from kombu.exceptions import OperationalError

from webapp.celery import app
from webapp.models import Job, Status

logger = logging.getLogger(__name__)
FOLD_TASK = "webapp.fold"


def send(job_id: UUID) -> bool:
    """Sends the task of a queued job; False when the broker does not take it now."""
    try:
        app.send_task(FOLD_TASK, args=[str(job_id)], retry=False)
    except OperationalError as error:
        logger.warning("The broker takes no task now, the sweeper will send it: %s", error)
        return False
    Job.objects.filter(pk=job_id, status=Status.QUEUED).update(enqueued_at=timezone.now())
    return True


def is_empty() -> bool:
    """Whether no task waits in the broker; False as well when the broker does not answer."""
    try:
        with app.connection_for_write() as connection:
            return bool(_waiting(connection) == 0)
    except OperationalError:
        return False


def _waiting(connection: object) -> int:
    name = app.conf.task_default_queue
    with connection.channel() as channel:  # type: ignore[attr-defined]
        return int(channel.queue_declare(queue=name, passive=False).message_count)
