"""The recommender: likenesses by their formulas, fair controls, honest numbers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.applications import find_application
from quantum.applications.embeddings import (
    Recommender,
    _item_mean_rmse,
    _split,
    all_zero,
    embed,
    overlap_circuit,
    ratings,
)
from quantum.simulator import expectation, run
from quantum.store.datasets import TensorSamples

BASE = {"users": 12, "items": 10, "qubits": 2, "epochs": 2, "repeats": 2}


def model(kind, *, n_qubits=2, seed=0) -> Recommender:
    return Recommender(6, 5, kind=kind, n_qubits=n_qubits, seed=seed)


def test_classical_likenesses_are_their_formulas():
    dot, gauss = model("dot"), model("gauss")
    for each, formula in (
        (dot, lambda u, v: float(np.dot(u, v))),
        (gauss, lambda u, v: math.exp(-sum((u - v) ** 2) / 2)),
    ):
        users, items = each.users.detach().double(), each.items.detach().double()
        found = each.likeness(users[:5], items)
        wanted = [formula(u, v) for u, v in zip(users.numpy(), items.numpy(), strict=False)]
        assert found.tolist() == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("n_qubits", [1, 2, 3])
def test_an_overlap_lies_between_0_and_1_and_is_symmetric(n_qubits):
    each = model("quantum", n_qubits=n_qubits)
    users, items = each.users.detach()[:5], each.items.detach()
    there, back = each.likeness(users, items), each.likeness(items, users)
    assert ((there >= -1e-6) & (there <= 1 + 1e-6)).all()
    assert torch.allclose(there, back, atol=1e-5)
    assert torch.allclose(each.likeness(items, items), torch.ones(5), atol=1e-5)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 999), n_qubits=st.integers(1, 4))
def test_linear_algebra_gives_the_simulator_s_states(seed, n_qubits):
    generator = torch.Generator().manual_seed(seed)
    numbers = 8 * torch.rand(3, 2 * n_qubits, generator=generator, dtype=torch.float64) - 4
    states = embed(numbers.numpy())
    circuit = overlap_circuit(n_qubits)
    half = circuit.__class__(n_qubits, circuit.instructions[: len(circuit.instructions) // 2])
    order = [f"user_{axis}_{q}" for axis in "yx" for q in range(n_qubits)]
    columns = [order.index(name) for name in half.inputs]
    wanted = run(half, inputs=numbers[:, columns]).numpy()
    assert np.allclose(states, wanted, atol=1e-6)


@pytest.mark.parametrize("n_qubits", [1, 2, 4])
def test_the_projector_finds_the_share_of_zeros(n_qubits):
    each = model("quantum", n_qubits=n_qubits)
    angles = each.angles(each.users.detach()[:3], each.items.detach()[:3])
    circuit = overlap_circuit(n_qubits)
    chances = run(circuit, inputs=angles)[:, 0].abs().square()
    found = expectation(circuit, [all_zero(n_qubits)], inputs=angles)[:, 0]
    assert torch.allclose(found, chances.to(found), atol=1e-5)


@pytest.mark.parametrize("kind", ["quantum", "dot", "gauss"])
def test_a_rating_is_likeness_times_scale_and_both_biases(kind):
    each = model(kind)
    with torch.no_grad():
        each.scale.fill_(2.0)
        each.user_bias.fill_(0.25)
        each.item_bias.copy_(torch.arange(5.0))
    pairs = torch.tensor([[0, 1], [5, 4], [2, 2]])
    likeness = each.likeness(each.users[pairs[:, 0]], each.items[pairs[:, 1]])
    wanted = 2 * likeness + 0.25 + pairs[:, 1]
    assert torch.allclose(each(pairs), wanted)


@pytest.mark.parametrize("kind", ["quantum", "dot", "gauss"])
def test_every_number_of_a_pair_is_learnt_and_no_other_s(kind):
    each = model(kind)
    each(torch.tensor([[1, 2]])).sum().backward()
    assert each.users.grad[1].abs().min() > 0
    assert each.users.grad[[0, 2, 3, 4, 5]].abs().max() == 0
    assert each.items.grad[2].abs().min() > 0 and each.items.grad[3].abs().max() == 0


def test_tables_are_drawn_by_their_seed():
    first, again, other = (ratings(20, 15, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.targets, again.targets)
    assert len(other) != len(first) or not torch.equal(first.features, other.features)
    assert first.features[:, 0].max() < 20 and first.features[:, 1].max() < 15


@settings(deadline=None, max_examples=20)
@given(count=st.integers(10, 200), seed=st.integers(0, 99))
def test_no_sample_is_in_two_parts(count, seed):
    samples = TensorSamples(torch.arange(count)[:, None].expand(-1, 2), torch.arange(count))
    parts = _split(samples, seed)
    members = torch.cat([part.targets for part in parts])
    assert sorted(members.tolist()) == list(range(count))
    assert len(parts[0]) == count * 7 // 10 and abs(len(parts[2]) - count / 5) <= 1


def test_the_floor_is_the_shrunk_mean_of_each_item():
    train = TensorSamples(torch.tensor([[0, 0], [1, 0], [2, 1]]), torch.tensor([1.0, 2.0, 4.0]))
    test = TensorSamples(torch.tensor([[3, 0], [3, 1], [3, 2]]), torch.tensor([1.0, 2.0, 1.0]))
    # (1 + 2)/3 = 1, 4/2 = 2, and 0 for the item that nobody rated
    assert _item_mean_rmse(train, test, {"items": 3}) == pytest.approx(math.sqrt(1 / 3))


def test_numbers_are_the_means_of_their_series_and_decide_who_wins():
    result = find_application("recommender").run(BASE, lambda event: None)
    numbers, series = result.numbers, result.series
    for kind in ("quantum", "dot", "gauss", "item_mean"):
        assert numbers[f"{kind}_rmse"] == pytest.approx(np.mean(series[f"{kind}_rmse"]))
    best = min(("dot", "gauss"), key=lambda kind: numbers[f"{kind}_rmse"])
    assert numbers["control"] == best
    gain = numbers[f"{best}_rmse"] - numbers["quantum_rmse"]
    assert numbers["gain"] == pytest.approx(gain)
    wins = {"quantum": numbers["gain_low"] > 0, "classical": numbers["gain_high"] < 0}
    assert wins.get(result.winner, not any(wins.values()))
    assert 0 <= numbers["recommended_item"] < 8
    assert f"item {numbers['recommended_item']} of eight" in result.summary


def test_learning_beats_guessing_zero():
    """Ratings have deviation 1: whoever learnt anything is nearer than that."""
    result = find_application("recommender").run(
        {"users": 30, "items": 20, "qubits": 2, "epochs": 8, "repeats": 2}, lambda event: None
    )
    assert all(result.numbers[f"{kind}_rmse"] < 1.0 for kind in ("quantum", "dot", "gauss"))
    losses = result.series["quantum_loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_more_shots_measure_overlaps_better():
    few = {"users": 10, "items": 10, "qubits": 1, "epochs": 1, "repeats": 2}
    errors = [
        find_application("recommender")
        .run({**few, "shots": shots}, lambda event: None)
        .numbers["largest_overlap_error_measured"]
        for shots in (10, 100_000)
    ]
    assert errors[1] < 0.01 < errors[0]


def test_where_shots_recommend_another_item_than_exact_overlaps_that_is_said():
    misled = 0
    for shots in (1, 2, 3, 100_000):
        result = find_application("recommender").run({**BASE, "shots": shots}, lambda event: None)
        item, exact = (result.numbers[f"recommended_item{end}"] for end in ("", "_exact"))
        words = f"item {item} of eight, and item {exact} if the overlaps were exact."
        assert result.summary.endswith(words if item != exact else f"item {item} of eight.")
        misled += item != exact
    assert misled and item == exact
