"""Redis Streams: their names, how long they live, and a client that answers or raises quickly."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

MACHINE = "machine"
WEIGHTS = "weights"
LAB = "lab"
TIMEOUT_SECONDS = 2.0
MAX_ENTRIES = 10_000
JOB_LIFETIME_SECONDS = 7 * 24 * 3600
FINISHED_LIFETIME_SECONDS = 24 * 3600
HINT_LIFETIME_SECONDS = 3600
MAX_HINTS = 1000


def of_job(job_id: UUID | str) -> str:
    """The stream of a job. The braces keep its keys on one node where Redis is a cluster."""
    return f"job:{{{job_id}}}"


def of_user(user_id: Any) -> str:
    """The stream of hints "this job of yours changed" of a user."""
    return f"user:{{{user_id}}}"


def of_lab_run(run_id: UUID | str) -> str:
    """The stream of hints "look at this run of the Lab again"."""
    return f"lab-run:{{{run_id}}}"


def of_lab_user(user_id: Any) -> str:
    """The stream of hints about all of a user's runs of the Lab."""
    return f"lab-user:{{{user_id}}}"


def connect(url: str | None = None) -> redis.Redis:
    """A client that never tries twice by itself: a repeated XADD would be a repeated event."""
    return redis.Redis.from_url(
        url or settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def length_of_list(key: str) -> int | None:
    """The length of a Redis list; None when Redis does not answer."""
    try:
        with connect() as client:
            return int(client.llen(key))
    except redis.RedisError:
        return None
