"""What the machines are doing: processor, memory, GPUs, workers, queue.

Each worker writes a reading into Redis every few seconds; the queue is counted in the database. A
reading that is old means that its worker is gone. Without Redis, only this machine is known.
"""

from __future__ import annotations

import contextlib
import functools
import json
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import psutil
import redis
from django.utils import timezone

from folding.cost import Machine
from webapp.live import publisher, streams
from webapp.machine import machine
from webapp.models import Job, Status

READINGS = "machine:readings"
STALE = timedelta(seconds=15)


@dataclass(frozen=True)
class Gpu:
    """One GPU: its name, how busy it is (0 to 100), and its memory in bytes."""

    name: str
    percent: float
    memory_used: int
    memory_total: int


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One machine at one moment. Percent from 0 to 100, memory in bytes.

    Args:
        worker: Name of the worker that read it; empty when no worker runs here.
        at: ISO 8601 with its offset.
        folds: What the worker's folds can use; None where none runs here.
    """

    worker: str
    host: str
    at: str
    cpu_percent: float
    cpu_count: int
    memory_used: int
    memory_total: int
    gpus: tuple[Gpu, ...] = ()
    folds: Machine | None = None

    @property
    def memory_percent(self) -> float:
        return 100.0 * self.memory_used / self.memory_total

    @property
    def is_fresh(self) -> bool:
        return timezone.now() - datetime.fromisoformat(self.at) < STALE


@dataclass(frozen=True)
class Snapshot:
    """All machines and the queue.

    Args:
        readings: One for each live worker; without any, one of the web server's own machine.
        running: Jobs that a worker holds.
        queued: Jobs that wait.
    """

    readings: tuple[Reading, ...]
    running: int
    queued: int

    @property
    def n_workers(self) -> int:
        return sum(1 for reading in self.readings if reading.worker)


def snapshot() -> Snapshot:
    """What is known now."""
    return Snapshot(
        readings=tuple(of_workers()) or (read(),),
        running=Job.objects.filter(status=Status.RUNNING).count(),
        queued=Job.objects.filter(status=Status.QUEUED).count(),
    )


def read(worker: str = "") -> Reading:
    """This machine now. The processor is measured since the last call in this process."""
    memory = psutil.virtual_memory()
    return Reading(
        worker=worker,
        host=socket.gethostname(),
        at=timezone.now().isoformat(),
        cpu_percent=psutil.cpu_percent(),
        cpu_count=psutil.cpu_count() or 1,
        memory_used=memory.total - memory.available,
        memory_total=memory.total,
        gpus=tuple(_gpus()),
        folds=machine() if worker else None,
    )


def publish(reading: Reading) -> bool:
    """Writes the reading for `snapshot` and tells the dashboards; False without Redis."""
    try:
        _client().hset(READINGS, reading.worker, json.dumps(asdict(reading)))
    except redis.RedisError:
        return False
    publisher.reading_taken()
    return True


def withdraw(worker: str) -> None:
    """Removes the reading of a worker that stops; without Redis it grows old by itself."""
    with contextlib.suppress(redis.RedisError):
        _client().hdel(READINGS, worker)


@functools.cache
def _client() -> redis.Redis:
    return streams.connect()


def of_workers() -> list[Reading]:
    """The newest reading of each live worker; none without Redis."""
    try:
        stored: Any = _client().hgetall(READINGS)
        readings = [_parsed(text) for text in stored.values()]
        gone = [reading.worker for reading in readings if not reading.is_fresh]
        if gone:
            _client().hdel(READINGS, *gone)
    except redis.RedisError:
        return []
    return sorted((r for r in readings if r.is_fresh), key=lambda reading: reading.worker)


def _parsed(text: bytes) -> Reading:
    values: dict[str, Any] = json.loads(text)
    gpus = tuple(Gpu(**gpu) for gpu in values.pop("gpus"))
    folds = values.pop("folds", None)
    return Reading(**values, gpus=gpus, folds=Machine(**folds) if folds else None)


def _gpus() -> Iterator[Gpu]:
    """The NVIDIA GPUs of this machine; none where there is no driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            with contextlib.suppress(pynvml.NVMLError):
                yield _gpu(pynvml, index)
    finally:
        pynvml.nvmlShutdown()


def _gpu(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    return Gpu(
        name=str(nvml.nvmlDeviceGetName(handle)),
        percent=float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        memory_used=int(memory.used),
        memory_total=int(memory.total),
    )
