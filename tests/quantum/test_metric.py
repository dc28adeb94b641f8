import pytest
import torch

from quantum.ansatz import hardware_efficient, strongly_entangling
from quantum.circuit import Circuit, parameter_input
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
