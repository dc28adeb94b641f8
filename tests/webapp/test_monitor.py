"""Readings of machines: true on this one, carried by Redis, forgotten when old."""

import os
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import psutil
import pynvml
import pytest
from django.utils import timezone

from tests.webapp import making
from webapp import monitor
from webapp.monitor import Gpu

pytestmark = pytest.mark.django_db
GIB = 2**30


class OneGpu:
    """Answers as NVML does on a machine with one GPU."""

    NVMLError = pynvml.NVMLError

    def __getattr__(self, name):
        answers = {
            "nvmlDeviceGetCount": 1,
            "nvmlDeviceGetName": "NVIDIA Example",
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=10 * GIB, total=80 * GIB),
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=75),
        }
        return lambda *_: answers.get(name)


def test_a_reading_is_of_this_machine():
    reading = monitor.read("fold@here")
    assert reading.memory_total == psutil.virtual_memory().total
    assert 0 < reading.memory_used < reading.memory_total
    assert reading.memory_percent == pytest.approx(100 * reading.memory_used / reading.memory_total)
    assert reading.cpu_count == os.cpu_count()
    assert 0 <= reading.cpu_percent <= 100
    assert reading.is_fresh


def test_a_machine_without_a_driver_has_no_gpu(monkeypatch):
    def no_driver():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", no_driver)
    assert monitor.read().gpus == ()


def test_a_gpu_is_read(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pynvml", OneGpu())
    assert monitor.read().gpus == (Gpu("NVIDIA Example", 75.0, 10 * GIB, 80 * GIB),)


def test_readings_travel_through_redis(publishing):
    gpu = Gpu("NVIDIA Example", 50.0, 1, 2)
    mine = replace(monitor.read("fold@b"), gpus=(gpu,))
    other = monitor.read("fold@a")
    assert monitor.publish(mine) and monitor.publish(other)
    assert monitor.snapshot().readings == (other, mine)
    assert monitor.snapshot().n_workers == 2


def test_an_old_reading_means_that_its_worker_is_gone(publishing, redis_server):
    past = timezone.now() - 2 * monitor.STALE
    monitor.publish(replace(monitor.read("fold@gone"), at=past.isoformat()))
    now = monitor.snapshot()
    assert now.n_workers == 0
    assert [reading.worker for reading in now.readings] == [""]
    with redis_server.client() as client:
        assert client.hlen(monitor.READINGS) == 0


def test_a_worker_that_stops_withdraws_its_reading(publishing):
    monitor.publish(monitor.read("fold@a"))
    monitor.withdraw("fold@a")
    assert monitor.snapshot().n_workers == 0


def test_without_redis_this_machine_is_known(publishing, redis_server):
    redis_server.stop()
    assert not monitor.publish(monitor.read("fold@a"))
    monitor.withdraw("fold@a")
    assert [reading.worker for reading in monitor.snapshot().readings] == [""]


def test_the_queue_is_counted(publishing, user):
    for status in ("queued", "queued", "running", "succeeded"):
        making.job(user, status=status)
    assert (monitor.snapshot().queued, monitor.snapshot().running) == (2, 1)


def test_freshness_has_a_limit():
    almost = timezone.now() - monitor.STALE + timedelta(seconds=2)
    assert replace(monitor.read(), at=almost.isoformat()).is_fresh
    assert not replace(monitor.read(), at=(almost - timedelta(seconds=4)).isoformat()).is_fresh
