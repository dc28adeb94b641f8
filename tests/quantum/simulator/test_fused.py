"""The fused simulator against the plain one: states, expectation values and all gradients."""

import pytest
import torch

from quantum.circuit import Circuit, parameter_input
from quantum.errors import InvalidObservable, InvalidValues
from quantum.gates import GATES
from quantum.observable import PauliSum, X, Z
from quantum.simulator import adjoint, expectation, probabilities, run, turns
from quantum.simulator.gate_by_gate import run_gate_by_gate
from quantum.simulator.pauli import state_expectation
from tests.quantum.random_circuits import random_circuit, random_observables, random_values

SETTINGS = [
    (seed, 1 + seed % 6, (1, 3, 12)[seed % 3], seed % 4 == 3) for seed in range(16)
]  # seed, qubits, batch, batched weights


@pytest.fixture
def small_chunks(monkeypatch):
    """So few columns at once that a small batch takes several chunks, and blocks of few rows."""
    monkeypatch.setattr(adjoint, "CHUNK", 2**4)
    monkeypatch.setattr(turns, "_BLOCK", 2**5)


def gradients(loss: torch.Tensor, values: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """Zeros where the loss depends on no parameter at all."""
    if not loss.requires_grad:
        return [torch.zeros_like(value) for value in values]
    return list(torch.autograd.grad(loss, values, allow_unused=True, materialize_grads=True))


def assert_same(found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    for ours, plain in zip(found, expected, strict=True):
        assert torch.allclose(ours, plain, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("seed", "n_qubits", "batch", "batched"), SETTINGS)
def test_states_and_their_gradients(small_chunks, seed, n_qubits, batch, batched):
    circuit = random_circuit(seed, n_qubits=n_qubits, n_gates=25)
    values = random_values(circuit, seed, batch=batch, batched_weights=batched)
    weights, inputs = values
    fused = run(circuit, weights=weights, inputs=inputs)
    plain = run_gate_by_gate(circuit, weights=weights, inputs=inputs)
    assert torch.allclose(fused, plain, atol=1e-11, rtol=0)
    upstream = torch.randn(fused.shape, dtype=fused.dtype)
    losses = [(s * upstream).real.sum() + s.abs().pow(4).sum() for s in (fused, plain)]
    assert_same(gradients(losses[0], values), gradients(losses[1], values))


@pytest.mark.parametrize(("seed", "n_qubits", "batch", "batched"), SETTINGS)
def test_expectations_and_their_gradients(small_chunks, seed, n_qubits, batch, batched):
    circuit = random_circuit(100 + seed, n_qubits=n_qubits, n_gates=25)
    values = random_values(circuit, seed, batch=batch, batched_weights=batched)
    weights, inputs = values
    observables = [*random_observables(seed, n_qubits=n_qubits, count=2), Z(0), PauliSum()]
    fused = expectation(circuit, observables, weights=weights, inputs=inputs)
    state = run_gate_by_gate(circuit, weights=weights, inputs=inputs)
    plain = state_expectation(state, observables)
    assert torch.allclose(fused, plain, atol=1e-11, rtol=0)
    upstream = torch.randn_like(fused)
    losses = [(e * upstream).sum() for e in (fused, plain)]
    assert_same(gradients(losses[0], values), gradients(losses[1], values))


@pytest.mark.parametrize("name", GATES)
def test_every_gate_alone(name):
    gate = GATES[name]
    n_qubits = gate.n_qubits or 3
    around = Circuit(n_qubits)
    for q in range(n_qubits):
        around = around.u(0.3 + q, 0.5 * q, 0.7, q)
    for word in ("XYZ", "YYX") if name == "pauli" else ("",):
        angles = [0.4 + 0.3 * i for i in range(gate.n_angles)]
        circuit = around.gate(name, range(n_qubits), angles, word) + around
        weights = torch.zeros(0, dtype=torch.float64)
        difference = run(circuit, weights=weights) - run_gate_by_gate(circuit, weights=weights)
        assert difference.abs().max() < 1e-13


def layered(n_qubits: int) -> Circuit:
    """Inputs, then three layers of RY, RZ and a ring of CNOTs."""
    circuit = Circuit(n_qubits)
    for q in range(n_qubits):
        circuit = circuit.ry(parameter_input(f"x_{q}"), q)
    for layer in range(3):
        for q in range(n_qubits):
            circuit = circuit.ry(f"y_{layer}_{q}", q).rz(f"z_{layer}_{q}", q)
        for q in range(n_qubits):
            circuit = circuit.cx(q, (q + 1) % n_qubits)
    return circuit


@pytest.mark.parametrize(("n_qubits", "batch"), [(2, 1), (5, 7), (9, 3), (11, 33), (12, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_width_of_matrix_product(n_qubits, batch, dtype):
    circuit = layered(n_qubits)
    values = tuple(v.detach().to(dtype) for v in random_values(circuit, 1, batch=batch))
    weights, inputs = (v.requires_grad_() for v in values)
    observables = [Z(q) for q in range(n_qubits)] + [X(0) @ X(1)]
    fused = expectation(circuit, observables, weights=weights, inputs=inputs)
    assert fused.dtype == dtype
    state = run_gate_by_gate(circuit, weights=weights, inputs=inputs)
    plain = state_expectation(state, observables)
    tolerance = 1e-11 if dtype == torch.float64 else 2e-5
    assert (fused - plain).abs().max() < tolerance
    upstream = torch.linspace(-1, 1, fused.numel(), dtype=dtype).view_as(fused)
    found, expected = (gradients((e * upstream).sum(), (weights, inputs)) for e in (fused, plain))
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).abs().max() < tolerance * 10 * batch**0.5


def test_norms_are_kept():
    circuit = random_circuit(5, n_qubits=6, n_gates=200)
    weights, inputs = random_values(circuit, 0, batch=5)
    chances = probabilities(circuit, weights=weights, inputs=inputs)
    assert torch.allclose(chances.sum(1), torch.ones(5, dtype=torch.float64), atol=1e-12)
    assert (chances >= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_pauli_words_stay_between_minus_one_and_one(seed):
    circuit = random_circuit(seed, n_qubits=5, n_gates=60)
    weights, inputs = random_values(circuit, seed, batch=8)
    words = [PauliSum.of([(word, 1.0)]) for o in random_observables(seed, n_qubits=5, count=4)
             for word, _ in o.terms]  # fmt: skip
    values = expectation(circuit, words, weights=weights, inputs=inputs)
    assert values.abs().max() <= 1 + 1e-12


def test_gradients_flow_only_where_they_are_wanted():
    circuit = layered(3)
    weights, inputs = random_values(circuit, 0, batch=2)
    values = expectation(circuit, [Z(0)], weights=weights, inputs=inputs.detach())
    values.sum().backward()
    assert weights.grad.abs().sum() > 0 and inputs.grad is None
    with torch.no_grad():
        silent = expectation(circuit, [Z(0)], weights=weights, inputs=inputs)
    assert not silent.requires_grad and torch.equal(silent, values)


def test_a_circuit_without_gates_or_values():
    assert run(Circuit(2)).tolist() == [[1, 0, 0, 0]]
    assert expectation(Circuit(2), [Z(1), Z(0) @ X(1)]).tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("weights", "inputs", "message"),
    [
        (torch.zeros(2), None, r"3 weights"),
        (torch.zeros(2, 2, 3), None, r"3 weights"),
        (torch.zeros(3), torch.zeros(5, 2), r"1 inputs"),
        (torch.zeros(4, 3), torch.zeros(5, 1), r"different batch sizes \[4, 5\]"),
    ],
)
def test_numbers_must_fit_the_circuit(weights, inputs, message):
    circuit = Circuit(1).ry("a", 0).rz("b", 0).ry("c", 0).rx(parameter_input("x"), 0)
    with pytest.raises(InvalidValues, match=message):
        run(circuit, weights=weights, inputs=inputs)


def test_observables_must_fit_the_register():
    with pytest.raises(InvalidObservable, match="qubit 2"):
        expectation(Circuit(2), [Z(2)])
    with pytest.raises(InvalidObservable, match="real"):
        expectation(Circuit(2), [1j * Z(1)])
