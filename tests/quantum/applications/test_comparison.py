"""Who wins is decided by intervals that hold as often as they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quantum.applications.comparison import compare_pairs, share_interval

SCORES = st.lists(
    st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=3, max_size=20
).filter(lambda pairs: np.std([a - b for a, b in pairs]) > 1e-3)


@settings(deadline=None, max_examples=40)
@given(pairs=SCORES)
def test_the_interval_is_that_of_a_paired_t_test(pairs):
    quantum, classical = zip(*pairs, strict=True)
    found = compare_pairs(quantum, classical)
    wanted = stats.ttest_rel(quantum, classical).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=1e-6, abs=1e-9)
    assert found.low <= found.mean <= found.high


@settings(deadline=None, max_examples=40)
@given(pairs=SCORES)
def test_swapping_the_two_turns_the_verdict_round(pairs):
    quantum, classical = zip(*pairs, strict=True)
    there, back = compare_pairs(quantum, classical), compare_pairs(classical, quantum)
    other = {"quantum": "classical", "classical": "quantum", "tie": "tie"}
    assert back.winner == other[there.winner]
    assert back.mean == pytest.approx(-there.mean)


@settings(deadline=None, max_examples=40)
@given(pairs=SCORES, shift=st.floats(-50, 50))
def test_a_shift_of_both_changes_nothing(pairs, shift):
    quantum, classical = np.array(pairs).T
    there = compare_pairs(quantum.tolist(), classical.tolist())
    moved = compare_pairs((quantum + shift).tolist(), (classical + shift).tolist())
    assert (moved.low, moved.high) == pytest.approx((there.low, there.high), abs=1e-6)


def test_among_equals_a_winner_is_named_one_time_in_twenty():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(1000, 2, 6)).tolist()
    named = sum(compare_pairs(first, second).winner != "tie" for first, second in draws)
    assert 0.03 < named / 1000 < 0.07


@pytest.mark.parametrize("count", [2, 3, 5])
def test_among_equals_on_a_coarse_grid_a_winner_is_no_more_often_named(count):
    """Shares of 40 samples right: two draws of two equals differ by the same quite often."""
    rng = np.random.default_rng(0)
    draws = (rng.binomial(40, 0.95, size=(1000, 2, count)) / 40).tolist()
    named = sum(compare_pairs(*pair, step=1 / 40).winner != "tie" for pair in draws)
    assert named / 1000 < 0.07


def test_differences_that_are_all_the_same_decide():
    assert compare_pairs([1.0, 2.0, 3.0], [0.5, 1.5, 2.5]).winner == "quantum"
    assert compare_pairs([1.0, 2.0], [1.0, 2.0]).winner == "tie"


@settings(deadline=None, max_examples=40)
@given(count=st.integers(1, 200), share=st.floats(0, 1))
def test_a_share_lies_in_wilsons_interval(count, share):
    """Wilson 1927: the shares from which the found one is 1.96 deviations away."""
    hits = round(share * count)
    low, high = share_interval(hits, count)
    assert 0 <= low <= hits / count <= high <= 1
    z = stats.norm.ppf(0.975)
    centre = (hits + z**2 / 2) / (count + z**2)
    reach = z / (count + z**2) * np.sqrt(hits * (count - hits) / count + z**2 / 4)
    assert (low, high) == pytest.approx((centre - reach, centre + reach), abs=1e-9)


def test_more_draws_narrow_the_interval():
    widths = [np.diff(share_interval(n // 2, n))[0] for n in (4, 16, 64, 256)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] / widths[-1] == pytest.approx(8, rel=0.4)
