"""Percent and time left, on a clock that the test turns."""

import pytest

from webapp.meter import Meter


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_nothing_done_is_zero_percent_of_the_guess(clock):
    meter = Meter({"trunk": (4, 2.0), "diffusion": (10, 0.5)}, clock=clock)
    assert meter.percent == 0.0
    assert meter.eta_seconds == pytest.approx(4 * 2.0 + 10 * 0.5)


def test_percent_weighs_units_by_their_cost(clock):
    meter = Meter({"trunk": (1, 3.0), "diffusion": (10, 0.1)}, clock=clock)
    clock.now += 3.0
    meter.done("trunk")
    assert meter.percent == pytest.approx(75.0)


def test_observed_times_replace_the_guess(clock):
    meter = Meter({"diffusion": (10, 100.0)}, clock=clock)
    for seconds in (1.0, 3.0):
        clock.now += seconds
        meter.done("diffusion")
    assert meter.eta_seconds == pytest.approx(8 * 2.0)
    assert meter.percent == pytest.approx(20.0)


def test_percent_never_goes_back(clock):
    meter = Meter({"trunk": (1, 1.0), "diffusion": (10, 0.01)}, clock=clock)
    clock.now += 1.0
    meter.done("trunk")
    high = meter.percent
    clock.now += 5.0
    meter.done("diffusion")
    assert meter.percent == high > 90
    for _ in range(9):
        clock.now += 5.0
        meter.done("diffusion")
    assert meter.percent == pytest.approx(100.0)


def test_a_mark_leaves_a_pause_out(clock):
    meter = Meter({"trunk": (2, 1.0)}, clock=clock)
    clock.now += 60.0
    meter.mark()
    clock.now += 2.0
    meter.done("trunk")
    assert meter.stage_seconds == {"trunk": 2.0}
    assert meter.eta_seconds == pytest.approx(2.0)


def test_more_units_than_planned_leave_nothing(clock):
    meter = Meter({"trunk": (1, 1.0)}, clock=clock)
    for _ in range(3):
        clock.now += 1.0
        meter.done("trunk")
    assert meter.eta_seconds == 0.0
    assert meter.percent == pytest.approx(100.0)


def test_what_an_attempt_before_did_counts_and_takes_no_time(clock):
    meter = Meter({"trunk": (4, 2.0), "diffusion": (10, 0.2)}, clock=clock)
    meter.given("trunk", 3)
    meter.mark()
    assert meter.eta_seconds == pytest.approx(2.0 + 2.0)
    assert meter.percent == pytest.approx(60.0)
    clock.now += 4.0
    meter.done("trunk")
    assert meter.eta_seconds == pytest.approx(2.0)
    assert meter.stage_seconds["trunk"] == pytest.approx(4.0)


def test_units_that_were_seen_are_not_given_once_more(clock):
    meter = Meter({"diffusion": (4, 1.0)}, clock=clock)
    for step in range(4):
        meter.given("diffusion", step)
        clock.now += 1.0
        meter.done("diffusion")
    assert meter.eta_seconds == 0
    assert meter.percent == pytest.approx(100.0)
