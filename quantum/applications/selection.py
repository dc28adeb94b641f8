"""Portfolios by QAOA with the XY mixer, which keeps the number of chosen assets.

x_i = 1 where asset i is chosen; the cost is risk_aversion · xᵀΣx - μᵀx with Σ x_i = k (Hodson et
al. 2019). The start is the k assets of highest return, one basis state; mixing along all pairs
reaches every portfolio of k.
"""

import time
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from quantum.ansatz import qaoa
from quantum.applications.base import ApplicationResult, Report
from quantum.applications.comparison import share_interval
from quantum.applications.place import Place
from quantum.backends.base import Batch, Measured
from quantum.backends.choose import Classical
from quantum.backends.names import CLASSICAL
from quantum.circuit import Circuit
from quantum.errors import InvalidValues
from quantum.observable import PauliSum, Z, identity
from quantum.simulator import expectation, probabilities


@dataclass(frozen=True, eq=False)
class Market:
    """Yearly returns (mean and covariance) of assets, and how many to choose."""

    mean: Float[np.ndarray, " asset"]
    covariance: Float[np.ndarray, "asset asset"]
    picks: int
    risk_aversion: float

    def costs(self, chosen: Int[np.ndarray, "portfolio asset"]) -> Float[np.ndarray, " portfolio"]:
        """The cost of each row of zeros and ones."""
        risk = np.einsum("pi,ij,pj->p", chosen, self.covariance, chosen)
        return self.risk_aversion * risk - chosen @ self.mean

    def portfolios(self) -> Int[np.ndarray, "portfolio asset"]:
        """Every choice of `picks` assets, as rows of zeros and ones."""
        n = len(self.mean)
        rows = np.zeros((comb(n, self.picks), n), dtype=int)
        for row, members in zip(rows, combinations(range(n), self.picks), strict=True):
            row[list(members)] = 1
        return rows


def random_market(n_assets: int, picks: int, *, risk_aversion: float, seed: int) -> Market:
    """Returns driven by three factors and noise of each asset's own; higher risk pays more."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(n_assets, 3)) * [0.2, 0.1, 0.1]
    covariance = loadings @ loadings.T + np.diag(rng.uniform(0.01, 0.06, n_assets))
    mean = 0.03 + 0.6 * np.diag(covariance) + rng.normal(0, 0.05, n_assets)
    return Market(mean, covariance, picks, float(risk_aversion))


def cost_observable(market: Market) -> PauliSum:
    """The cost as words of Z, with x = (1 - Z)/2."""
    n = len(market.mean)
    bits = [0.5 * (identity() - Z(q)) for q in range(n)]
    matrix = market.risk_aversion * market.covariance
    linear = np.diag(matrix) - market.mean  # x² = x
    total = sum((float(linear[i]) * bits[i] for i in range(n)), PauliSum())
    for i, j in combinations(range(n), 2):
        total = total + 2 * float(matrix[i, j]) * (bits[i] @ bits[j])
    return total


def greedy(market: Market) -> Int[np.ndarray, " asset"]:
    """Adds the asset that lowers the cost most, until enough are chosen."""
    chosen = np.zeros(len(market.mean), dtype=int)
    for _ in range(market.picks):
        free = np.flatnonzero(chosen == 0)
        options = np.repeat(chosen[None], len(free), 0)
        options[np.arange(len(free)), free] = 1
        chosen = options[market.costs(options).argmin()]
    return chosen


def start_state(market: Market) -> Circuit:
    """The assets of highest return, chosen."""
    circuit = Circuit(len(market.mean))
    for q in sorted(np.argsort(-market.mean)[: market.picks].tolist()):
        circuit = circuit.x(q)
    return circuit


def optimise(
    circuit: Circuit, cost: PauliSum, *, steps: int, seed: int, report: Report
) -> tuple[Tensor, list[float]]:
    """The best angles seen by Adam from a random start, and the mean cost by step."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(len(circuit.weights), generator=generator, dtype=torch.float64)
    weights = (0.2 + 0.6 * start).requires_grad_()
    optimizer = torch.optim.Adam([weights], lr=0.1)
    best, history = weights.detach().clone(), []
    for step in range(steps):
        optimizer.zero_grad()
        energy = expectation(circuit, [cost], weights=weights)[0, 0]
        energy.backward()
        history.append(energy.item())
        if history[-1] == min(history):
            best = weights.detach().clone()
        norm = float(weights.grad.norm()) if weights.grad is not None else 0.0
        optimizer.step()
        report(
            {"kind": "metric", "step": step, "epoch": 0, "loss": history[-1], "gradient_norm": norm}
        )
    return best, history


@dataclass(frozen=True)
class _Outcome:
    """One market: costs scaled so that the optimum is 0 and the mean portfolio is 1."""

    qaoa: float  # the best that the shots held
    qaoa_mean: float
    greedy: float
    chance: float  # the best of as many portfolios drawn at random
    p_optimum: float | None  # of an ideal shot; None where there was none
    invalid_share: float  # of shots that broke the number of picks: noise alone does that
    history: list[float]
    backend: str

    @property
    def by_classical(self) -> bool:
        """Whether no circuit ran: then `qaoa` is the proven optimum, and not QAOA's."""
        return self.backend == CLASSICAL


def select_portfolios(chosen: dict[str, Any], report: Report) -> ApplicationResult:
    """Runs the application "portfolio"."""
    if chosen["picks"] >= chosen["assets"]:
        raise InvalidValues(
            f"picks must be fewer than assets: {chosen['picks']} of {chosen['assets']}"
        )
    place = Place(chosen["backend"], shots=chosen["shots"], seed=chosen["seed"], report=report)
    begin = time.perf_counter()
    outcomes = []
    for number in range(chosen["markets"]):
        outcomes.append(_solve(chosen, chosen["seed"] + number, place, report))
        report({"kind": "progress", "done": number + 1, "total": chosen["markets"]})
    numbers = _numbers(chosen, outcomes, time.perf_counter() - begin)
    found_all = numbers["qaoa_found_optimum"] == numbers["markets"]  # not where it did not run
    series: dict[str, list[Any]] = {
        "market": list(range(len(outcomes))),
        "qaoa": [None if o.by_classical else o.qaoa for o in outcomes],
        "greedy": [o.greedy for o in outcomes],
        "chance": [o.chance for o in outcomes],
        "p_optimum": [o.p_optimum for o in outcomes],
        "step": list(range(chosen["steps"])),
        "mean_cost": outcomes[0].history,
    }
    return ApplicationResult(
        _words(numbers, place), "tie" if found_all else "classical", numbers, series,
        place.executions,
    )  # fmt: skip


def _proven_best(market: Market, shots: int) -> Classical:
    """Enumeration in place of shots: all of them are the optimum."""

    def solve(batch: Batch) -> tuple[Measured, ...]:
        everything = market.portfolios()
        best = everything[market.costs(everything).argmin()]
        return (Measured({"".join(map(str, best)): shots}),)

    return solve


def _solve(chosen: dict[str, Any], seed: int, place: Place, report: Report) -> _Outcome:
    market = random_market(
        chosen["assets"], chosen["picks"], risk_aversion=chosen["risk_aversion"], seed=seed
    )
    everything = market.portfolios()
    costs = market.costs(everything)
    scale = max(float(costs.mean() - costs.min()), 1e-12)
    cost = cost_observable(market)
    blocks = [list(range(chosen["assets"]))]
    circuit = qaoa(
        (1 / scale) * cost, initial=start_state(market), depth=chosen["depth"], mixer="xy",
        blocks=blocks,
    )  # fmt: skip
    weights, history = optimise(
        circuit, (1 / scale) * cost, steps=chosen["steps"], seed=seed, report=report
    )
    solve = _proven_best(market, chosen["shots"])
    counts = place.read(circuit, weights[None], classical=solve)[0].counts
    rows = np.array([list(map(int, bits)) for bits in counts])
    shots = np.array(list(counts.values()))
    valid = rows.sum(1) == market.picks
    rng = np.random.default_rng(seed)
    drawn = costs[rng.integers(len(costs), size=chosen["shots"])]

    def scaled(value: float) -> float:
        return (value - float(costs.min())) / scale

    own = market.costs(rows[valid]) if valid.any() else np.array([costs.max()])
    best = everything[costs.argmin()]
    return _Outcome(
        qaoa=scaled(float(own.min())),
        qaoa_mean=scaled(float(np.average(own, weights=shots[valid])) if valid.any() else own[0]),
        greedy=scaled(float(market.costs(greedy(market)[None])[0])),
        chance=scaled(float(drawn.min())),
        p_optimum=None if place.by_classical else _chance_of(best, circuit, weights),
        invalid_share=float(shots[~valid].sum() / shots.sum()),
        history=[value - float(costs.min()) / scale for value in history],
        backend=place.name,
    )


def _chance_of(
    portfolio: Int[np.ndarray, " asset"], circuit: Circuit, weights: Float[Tensor, " weight"]
) -> float:
    """With which a shot without any noise would be the portfolio."""
    index = int("".join(map(str, portfolio)), 2)
    return float(probabilities(circuit, weights=weights)[0, index])


def _numbers(chosen: dict[str, Any], outcomes: list[_Outcome], seconds: float) -> dict[str, Any]:
    ran = [o for o in outcomes if not o.by_classical]
    hits = {
        name: sum(getattr(o, name) < 1e-9 for o in among)
        for name, among in (("qaoa", ran), ("greedy", outcomes), ("chance", outcomes))
    }
    low, high = share_interval(hits["qaoa"], len(ran)) if ran else (None, None)
    size = comb(chosen["assets"], chosen["picks"])
    return {
        "markets": len(outcomes),
        "markets_by_qaoa": len(ran),
        "answered_by": ", ".join(dict.fromkeys(o.backend for o in outcomes)),
        "portfolios": size,
        "qaoa_found_optimum": hits["qaoa"],
        "greedy_found_optimum": hits["greedy"],
        "chance_found_optimum": hits["chance"],
        "found_low": low,
        "found_high": high,
        "p_optimum_qaoa": float(np.mean([o.p_optimum for o in ran])) if ran else None,
        "p_optimum_chance": 1 / size,
        "mean_cost_qaoa": float(np.mean([o.qaoa_mean for o in ran])) if ran else None,
        "invalid_share": float(np.mean([o.invalid_share for o in ran])) if ran else None,
        "shots": chosen["shots"],
        "seconds": seconds,
    }


def _words(n: dict[str, Any], place: Place) -> str:
    ran, markets = n["markets_by_qaoa"], n["markets"]
    instead = "" if ran == markets else (
        f"{place.apology} The best of {n['portfolios']} portfolios was found by enumeration in "
        f"{markets - ran} of {markets} markets, and proven: the classical method wins. "
    )  # fmt: skip
    if not ran:
        return (
            f"{instead}Greedy choice found it in {n['greedy_found_optimum']}, {n['shots']} random "
            f"draws in {n['chance_found_optimum']}."
        )
    gain = n["p_optimum_qaoa"] / n["p_optimum_chance"]
    backends = ", ".join(name for name in n["answered_by"].split(", ") if name != CLASSICAL)
    return (
        f"{instead}QAOA on {backends} found the best of {n['portfolios']} portfolios in "
        f"{n['qaoa_found_optimum']} of {ran} markets (95 % interval of the share "
        f"{n['found_low']:.0%} to {n['found_high']:.0%}), greedy choice in "
        f"{n['greedy_found_optimum']}, {n['shots']} random draws in {n['chance_found_optimum']}. "
        f"Ideally, without noise, a shot is the optimum with {n['p_optimum_qaoa']:.1%}, "
        f"{gain:.1f} times chance. "
        "Enumeration proves the optimum of every market in milliseconds: QAOA can tie, not win."
    )
