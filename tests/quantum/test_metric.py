import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.ansatz import hardware_efficient, strongly_entangling
from quantum.circuit import Circuit, Parameter, parameter_input
from quantum.gates import GATES
from quantum.metric import block_diagonal_metric, fubini_study
from quantum.simulator import run
from tests.quantum.random_circuits import random_circuit, random_values


@pytest.mark.parametrize("seed", range(4))
def test_the_metric_is_how_far_states_move(seed):
    """1 - |⟨ψ(w)|ψ(w + d)⟩|² = dᵀ g d to second order."""
    circuit = random_circuit(seed, n_qubits=3, n_gates=15)
    weights, inputs = (v.detach() for v in random_values(circuit, seed, batch=1))
    metric = fubini_study(circuit, weights=weights, inputs=inputs)
    step = 1e-3 * torch.randn(weights.shape, dtype=torch.float64)
    here, there = (run(circuit, weights=w, inputs=inputs)[0] for w in (weights, weights + step))
    moved = 1 - torch.vdot(here, there).abs() ** 2
    assert moved.item() == pytest.approx((step @ metric @ step).item(), rel=1e-2, abs=1e-11)


def test_a_single_turn_has_a_quarter():
    metric = fubini_study(Circuit(1).ry("a", 0), weights=torch.tensor([0.7], dtype=torch.float64))
    assert metric.item() == pytest.approx(0.25)


@pytest.mark.parametrize("ansatz", [hardware_efficient, strongly_entangling])
def test_blocks_are_those_of_the_full_metric(ansatz):
    circuit = ansatz(3, 2)
    weights = torch.rand(len(circuit.weights), dtype=torch.float64)
    full = fubini_study(circuit, weights=weights)
    block = block_diagonal_metric(circuit, weights=weights)
    kept = block.abs() > 1e-12
    assert torch.allclose(block[kept], full[kept], atol=1e-12)
    assert torch.allclose(block.diagonal(), full.diagonal(), atol=1e-12)
    # Weights of one layer are coupled, those of different layers are not.
    names = circuit.weights
    for i, a in enumerate(names):
        for j, b in enumerate(names):
            if a.rsplit("_", 1)[0] != b.rsplit("_", 1)[0] and a.split("_")[1] != b.split("_")[1]:
                assert not kept[i, j]


def test_it_averages_over_the_batch():
    circuit = Circuit(2).ry(parameter_input("x"), 0).cx(0, 1).rz("a", 1).ry("b", 0)
    weights = torch.tensor([0.1, 0.2], dtype=torch.float64)
    inputs = torch.tensor([[0.3], [1.2]], dtype=torch.float64)
    both = block_diagonal_metric(circuit, weights=weights, inputs=inputs)
    each = [block_diagonal_metric(circuit, weights=weights, inputs=x[None]) for x in inputs]
    assert torch.allclose(both, sum(each) / 2)
    full = fubini_study(circuit, weights=weights, inputs=inputs)
    assert torch.allclose(both.diagonal(), full.diagonal())


@given(seed=st.integers(0, 10**6))
@settings(max_examples=3, deadline=None, derandomize=True)
def test_a_metric_is_symmetric_and_nowhere_negative(seed):
    circuit = random_circuit(seed, n_qubits=3, n_gates=15)
    weights, inputs = (v.detach() for v in random_values(circuit, seed, batch=2))
    for metric in (fubini_study, block_diagonal_metric):
        found = metric(circuit, weights=weights, inputs=inputs)
        assert torch.allclose(found, found.T, atol=1e-12)
        if len(found):
            assert torch.linalg.eigvalsh(found)[0] > -1e-10


@pytest.mark.parametrize("name", ["h", "cx", "x", "s", "ccx"])
def test_a_fixed_gate_at_the_end_changes_no_distance(name):
    circuit = hardware_efficient(3, 2)
    weights = torch.rand(len(circuit.weights), dtype=torch.float64)
    longer = circuit.gate(name, range(GATES[name].n_qubits))
    found, expected = (fubini_study(c, weights=weights) for c in (longer, circuit))
    assert torch.allclose(found, expected, atol=1e-12)


def test_twice_the_scale_is_four_times_the_distance():
    weights = torch.tensor([0.3], dtype=torch.float64)
    for scale in (1.0, 2.0, -0.5):
        circuit = Circuit(2).h(0).ry(scale * Parameter("a"), 0).cx(0, 1).rz("a", 1)
        single = Circuit(1).ry(scale * Parameter("a"), 0)
        for metric in (fubini_study, block_diagonal_metric):
            assert metric(single, weights=weights).item() == pytest.approx(scale**2 / 4)
        assert fubini_study(circuit, weights=weights).item() > 0


def test_a_phase_that_nobody_can_see_has_no_length():
    """RZ on |0⟩ and a global phase move the state along its ray only."""
    weights = torch.tensor([0.4], dtype=torch.float64)
    for circuit in (Circuit(1).rz("a", 0), Circuit(2).x(0).crz("a", 1, 0), Circuit(1).p("a", 0)):
        for metric in (fubini_study, block_diagonal_metric):
            assert metric(circuit, weights=weights).item() == pytest.approx(0, abs=1e-14)


def test_a_weight_of_several_layers_gets_the_sum_of_theirs():
    circuit = Circuit(1).ry("a", 0).rz("b", 0).ry("a", 0)
    weights = torch.tensor([0.4, 0.9], dtype=torch.float64)
    found = block_diagonal_metric(circuit, weights=weights)
    # The second turn moves a state with <Y> = sin a sin b, by (1 - <Y>²) / 4.
    y = math.sin(0.4) * math.sin(0.9)
    assert found[0, 0].item() == pytest.approx(0.25 + (1 - y**2) / 4)
    assert found[1, 1].item() == pytest.approx(math.sin(0.4) ** 2 / 4)


def test_without_weights_there_is_nothing_to_measure():
    none = torch.zeros(0, dtype=torch.float64)
    circuit = Circuit(2).h(0).ry(parameter_input("x"), 1)
    for metric in (fubini_study, block_diagonal_metric):
        found = metric(circuit, weights=none, inputs=torch.zeros(3, 1, dtype=torch.float64))
        assert found.shape == (0, 0)


def test_the_metric_of_one_qubit_is_that_of_the_sphere():
    """ds² = (dθ² + sin² θ dφ²) / 4."""
    circuit = Circuit(1).ry("theta", 0).rz("phi", 0)
    for theta in (0.3, 1.2, 2.5):
        weights = torch.tensor([theta, 0.7], dtype=torch.float64)
        expected = torch.diag(torch.tensor([0.25, math.sin(theta) ** 2 / 4], dtype=torch.float64))
        assert torch.allclose(fubini_study(circuit, weights=weights), expected, atol=1e-12)
