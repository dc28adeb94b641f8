"""The classifier: data that mean what they say, networks that are built alike, honest numbers."""

import numpy as np
import pytest
import torch

from quantum.applications import find_application
from quantum.applications.classification import N_CLASSES, control, draw, hybrid, wide
from quantum.backends.noisy import NoisyBackend

CHOSEN = {"qubits": 3, "depth": 2}
BASE = {"samples": 60, "epochs": 3, "repeats": 2, "qubits": 2, "depth": 1}


def run(**values):
    return find_application("classifier").run({**BASE, **values}, lambda event: None)


def test_rings_lie_at_three_distances():
    samples = draw("rings", 600, seed=0)
    radius = samples.features.norm(dim=1)
    means = [radius[samples.targets == label].mean().item() for label in range(3)]
    assert means == pytest.approx([0.5, 1.25, 2.0], abs=0.06)
    spread = [radius[samples.targets == label].std().item() for label in range(3)]
    assert spread == pytest.approx([0.15] * 3, abs=0.04)


def test_parity_is_the_sign_of_a_product():
    samples = draw("parity", 200, seed=1)
    product = samples.features[:, 0] * samples.features[:, 1]
    assert torch.equal(samples.targets == 1, product > 0)
    assert samples.features.abs().max() <= 2


def test_strokes_are_three_pixels_in_a_line_of_their_direction():
    samples = draw("strokes", 200, seed=2)
    steps = {0: (1, 0), 1: (0, 1), 2: (1, 1), 3: (-1, 1)}
    straight = 0
    for picture, label in zip(samples.features.view(-1, 6, 6), samples.targets, strict=True):
        brightest = picture.flatten().topk(3).indices
        pixels = sorted((int(i) // 6, int(i) % 6) for i in brightest)
        down, right = steps[int(label)]
        ends = np.subtract(pixels[-1], pixels[0])
        rising = np.sign(ends[0] * ends[1]) == np.sign(down * right)
        straight += bool((abs(ends) == 2 * np.abs((down, right))).all() and rising)
    assert straight > 0.95 * len(samples)  # noise outshines a pixel now and then


@pytest.mark.parametrize("build", [hybrid, control, wide])
@pytest.mark.parametrize("data", N_CLASSES)
def test_networks_take_every_data_set_and_are_drawn_by_their_seed(build, data):
    samples = draw(data, 8, seed=0)
    width, n_classes = samples.features.shape[1], N_CLASSES[data]
    first, again, other = (build(width, n_classes, CHOSEN, seed) for seed in (1, 1, 2))
    scores = first(samples.features)
    assert scores.shape == (8, n_classes) and torch.isfinite(scores).all()
    assert torch.equal(scores, again(samples.features))
    assert not torch.equal(scores, other(samples.features))


@pytest.mark.parametrize("build", [hybrid, control, wide])
def test_every_weight_of_a_network_learns(build):
    samples = draw("rings", 32, seed=0)
    network = build(4, 3, CHOSEN, 0)
    torch.nn.functional.cross_entropy(network(samples.features), samples.targets).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_both_ends_of_the_two_networks_are_the_same_size():
    quantum, classical = hybrid(4, 3, CHOSEN, 0), control(4, 3, CHOSEN, 0)
    for end in (0, -1):
        assert quantum[end].weight.shape == classical[end].weight.shape


def test_exact_values_from_the_backend_give_every_sample_its_class():
    assert run().numbers["measured_agreement"] == 1.0


def test_what_a_noisy_device_measures_may_differ_and_is_said():
    result = run(backend=NoisyBackend(scale=30.0, trajectories=16), shots=32)
    agreement = result.numbers["measured_agreement"]
    assert 0 <= agreement < 1 and f"Measured on noisy, {agreement:.0%} of 16" in result.summary


def test_numbers_are_the_means_of_their_series_and_decide_who_wins():
    result = run()
    numbers, series = result.numbers, result.series
    for name in ("quantum", "classical", "wide"):
        assert numbers[f"{name}_accuracy"] == pytest.approx(np.mean(series[f"{name}_accuracy"]))
        assert len(series[f"{name}_loss"]) == 3
    differences = np.subtract(series["quantum_accuracy"], series["classical_accuracy"])
    assert numbers["gain"] == pytest.approx(differences.mean())
    wins = {"quantum": numbers["gain_low"] > 0, "classical": numbers["gain_high"] < 0}
    assert wins.get(result.winner, not any(wins.values()))
    assert numbers["answered_by"] == "simulator"


def test_it_learns_what_chance_does_not_know():
    result = run(data="rings", samples=150, epochs=12, qubits=3, depth=2)
    for name in ("quantum", "classical", "wide"):
        assert result.numbers[f"{name}_accuracy"] > result.numbers["chance"] + 0.1
    assert result.series["quantum_loss"][-1] < result.series["quantum_loss"][0]
