"""Portfolios: the cost by hand, QAOA in its subspace, and an optimum that is one."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.ansatz import qaoa
from quantum.applications import find_application
from quantum.applications.selection import (
    Market,
    cost_observable,
    greedy,
    optimise,
    random_market,
    start_state,
)
from quantum.simulator import expectation, probabilities

SIZES = st.integers(4, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1)))
BASE = {"assets": 5, "picks": 2, "markets": 2, "steps": 12, "depth": 2, "shots": 300}


def run(**values):
    return find_application("portfolio").run({**BASE, **values}, lambda event: None)


def brute_cost(market: Market, members: tuple[int, ...]) -> float:
    """Risk and return of the members, term by term."""
    risk = sum(market.covariance[i, j] for i in members for j in members)
    return market.risk_aversion * risk - sum(market.mean[i] for i in members)


@settings(deadline=None, max_examples=20)
@given(size=SIZES, seed=st.integers(0, 999), aversion=st.floats(0, 10))
def test_costs_are_those_of_the_sums_over_members(size, seed, aversion):
    n, k = size
    market = random_market(n, k, risk_aversion=aversion, seed=seed)
    costs = market.costs(market.portfolios())
    wanted = [brute_cost(market, members) for members in combinations(range(n), k)]
    assert costs == pytest.approx(wanted)


@settings(deadline=None, max_examples=15)
@given(size=SIZES, seed=st.integers(0, 999))
def test_the_order_of_assets_does_not_matter(size, seed):
    n, k = size
    market = random_market(n, k, risk_aversion=1.0, seed=seed)
    order = np.random.default_rng(seed).permutation(n)
    moved = Market(market.mean[order], market.covariance[np.ix_(order, order)], k, 1.0)
    assert sorted(moved.costs(moved.portfolios())) == pytest.approx(
        sorted(market.costs(market.portfolios()))
    )
    chosen = greedy(market)
    assert np.array_equal(greedy(moved), chosen[order])


@settings(deadline=None, max_examples=20)
@given(size=SIZES, seed=st.integers(0, 999), aversion=st.floats(0, 10))
def test_greed_keeps_the_rules_and_never_beats_the_optimum(size, seed, aversion):
    n, k = size
    market = random_market(n, k, risk_aversion=aversion, seed=seed)
    chosen = greedy(market)
    assert chosen.sum() == k and set(chosen.tolist()) <= {0, 1}
    best = market.costs(market.portfolios()).min()
    assert market.costs(chosen[None])[0] >= best - 1e-12
    if k == 1:
        assert market.costs(chosen[None])[0] == pytest.approx(best)


def test_markets_are_drawn_by_their_seed_and_risk_can_be_measured():
    first, again, other = (random_market(6, 2, risk_aversion=1.0, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first.covariance, again.covariance)
    assert not np.array_equal(first.mean, other.mean)
    assert (np.linalg.eigvalsh(first.covariance) > 0).all()
    assert np.allclose(first.covariance, first.covariance.T)


@pytest.mark.parametrize("depth", [1, 3])
@settings(deadline=None, max_examples=6)
@given(seed=st.integers(0, 99))
def test_the_mixer_keeps_the_number_of_picks_for_any_angles(depth, seed):
    market = random_market(6, 3, risk_aversion=1.0, seed=seed)
    circuit = qaoa(
        cost_observable(market), initial=start_state(market), depth=depth, mixer="xy",
        blocks=[list(range(6))],
    )  # fmt: skip
    generator = torch.Generator().manual_seed(seed)
    weights = 6 * torch.rand(len(circuit.weights), generator=generator, dtype=torch.float64)
    chances = probabilities(circuit, weights=weights)[0].double()
    inside = torch.tensor([index.bit_count() == 3 for index in range(64)])
    assert chances[inside].sum().item() == pytest.approx(1, abs=1e-5)
    assert chances[~inside].sum().item() == pytest.approx(0, abs=1e-6)


def test_the_start_is_the_portfolio_of_highest_return():
    market = random_market(6, 2, risk_aversion=1.0, seed=4)
    state = probabilities(start_state(market))[0]
    best = np.argsort(-market.mean)[:2]
    index = sum(1 << (5 - int(q)) for q in best)
    assert state[index].item() == pytest.approx(1)
    energy = expectation(start_state(market), [cost_observable(market)])[0, 0].item()
    assert energy == pytest.approx(brute_cost(market, tuple(best)), abs=1e-5)


def test_optimising_lowers_the_mean_cost_and_keeps_the_best_angles_seen():
    market = random_market(5, 2, risk_aversion=1.0, seed=0)
    cost = cost_observable(market)
    circuit = qaoa(cost, initial=start_state(market), depth=2, mixer="xy", blocks=[list(range(5))])
    events: list[dict] = []
    weights, history = optimise(circuit, cost, steps=15, seed=3, report=events.append)
    found = expectation(circuit, [cost], weights=weights)[0, 0].item()
    assert found == pytest.approx(min(history)) and min(history) < history[0]
    assert [event["loss"] for event in events] == history
    assert all(event["gradient_norm"] >= 0 for event in events)


def test_the_result_says_what_its_series_show():
    result = run(markets=3)
    numbers, series = result.numbers, result.series
    for name in ("qaoa", "greedy", "chance"):
        hits = sum(value < 1e-9 for value in series[name])
        assert numbers[f"{name}_found_optimum"] == hits
    assert numbers["p_optimum_qaoa"] == pytest.approx(np.mean(series["p_optimum"]))
    assert numbers["found_low"] <= numbers["qaoa_found_optimum"] / 3 <= numbers["found_high"]
    assert (result.winner == "tie") == (numbers["qaoa_found_optimum"] == 3)
    assert len(series["mean_cost"]) == len(series["step"]) == 12
    assert numbers["markets_by_qaoa"] == numbers["markets"] == 3
    assert f"{numbers['qaoa_found_optimum']} of 3 markets" in result.summary
    assert numbers["answered_by"] == "simulator"


def test_costs_are_measured_from_the_optimum_in_units_of_the_mean_portfolio():
    series = run(markets=4, shots=2, steps=2, depth=1).series
    for name in ("qaoa", "greedy", "chance"):
        assert all(value >= -1e-9 for value in series[name])
    assert np.mean(series["chance"]) < 1.5


def test_noise_breaks_the_number_of_picks_and_that_is_counted():
    noisy = run(backend="noisy", markets=1, assets=4, picks=2, depth=1, shots=400)
    assert 0 < noisy.numbers["invalid_share"] < 0.9
    assert "noisy" in noisy.summary and noisy.numbers["qaoa_found_optimum"] in (0, 1)


def test_a_seed_draws_other_markets():
    few = {"markets": 1, "steps": 2, "depth": 1}
    assert run(seed=1, **few).series["mean_cost"] != run(seed=2, **few).series["mean_cost"]


def test_without_risk_greedy_choice_is_optimal_in_every_market():
    numbers = run(risk_aversion=0.0, markets=4, steps=1, depth=1).numbers
    assert numbers["greedy_found_optimum"] == 4
