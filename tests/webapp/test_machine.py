"""The machine that estimates are for."""

import pytest

from folding import cost
from tests.webapp import making
from webapp import jobs, pipeline
from webapp.machine import machine

FOUR = cost.Machine(threads=4, speed=1.0, memory_bytes=16 * 10**9)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(cost, "this_machine", lambda: FOUR)


@pytest.mark.parametrize(
    ("setting", "threads"),
    [("", 4), ("2", 2), (" 3 ", 3), ("2,1", 2), ("64", 4), ("0", 4), ("many", 4)],
)
def test_a_fold_has_the_threads_that_the_setting_says(monkeypatch, setting, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert machine().threads == threads
    assert (machine().speed, machine().memory_bytes) == (FOUR.speed, FOUR.memory_bytes)


@pytest.mark.django_db
def test_estimates_and_plans_follow_the_setting(monkeypatch, user, data_dir):
    given, options = making.fold_input("GA" * 50), making.FoldOptions()

    def seconds() -> tuple[float, float]:
        planned = sum(n * each for n, each in pipeline.plan(given, options).values())
        return jobs.submit(user, given, options).estimate_seconds, planned

    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    wide = seconds()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert seconds() == pytest.approx([(1 + 3 * cost.PARALLEL_GAIN) * second for second in wide])
