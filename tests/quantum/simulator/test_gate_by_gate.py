"""The plain simulator, which defines what the fast one has to give, against dense matrices."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit, Instruction, Parameter, parameter_input
from quantum.errors import InvalidValues
from quantum.gates import GATES
from quantum.simulator.gate_by_gate import (
    apply_matrix,
    instruction_matrix,
    run_gate_by_gate,
    unitary,
    zero_state,
)
from tests.quantum.random_circuits import random_circuit, random_values
from tests.quantum.simulator.dense import on_register

NONE = torch.zeros(0, dtype=torch.float64)
FEW = settings(max_examples=5, deadline=None, derandomize=True)


def random_matrix(n_qubits: int, seed: int, batch: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 2**n_qubits, 2**n_qubits, dtype=torch.complex128, generator=generator)


@given(seed=st.integers(0, 10**6), qubits=st.permutations(range(4)), size=st.integers(1, 3))
@FEW
def test_a_matrix_acts_on_the_qubits_it_is_given_in_their_order(seed, qubits, size):
    places = tuple(qubits[:size])
    matrix, state = random_matrix(size, seed), random_matrix(4, seed + 1)[0, :3]
    full = torch.tensor(on_register(matrix[0].numpy(), places, 4))
    assert torch.allclose(apply_matrix(state, matrix, places), state @ full.T)


def test_a_batch_on_either_side_is_spread_over_the_other():
    one, many = random_matrix(1, 0), random_matrix(1, 1, batch=3)
    states = random_matrix(2, 2)[0, :3]
    together = apply_matrix(states, one, (1,))
    assert torch.allclose(together, apply_matrix(states, one.expand(3, 2, 2), (1,)))
    spread = apply_matrix(states[:1], many, (0,))
    for row in range(3):
        alone = apply_matrix(states[:1], many[row : row + 1], (0,))
        assert torch.allclose(spread[row], alone[0])


@given(seed=st.integers(0, 10**6))
@FEW
def test_a_circuit_is_the_product_of_its_gates_on_the_register(seed):
    circuit = random_circuit(seed, n_qubits=3, n_gates=10, free=False)
    product = np.eye(8)
    for gate in circuit.instructions:
        matrix = instruction_matrix(gate, circuit, NONE[None], NONE[None])[0].numpy()
        product = on_register(matrix, gate.qubits, 3) @ product
    assert np.allclose(unitary(circuit).numpy(), product)


@given(seed=st.integers(0, 10**6))
@FEW
def test_columns_of_the_unitary_are_what_becomes_of_each_basis_state(seed):
    circuit = random_circuit(seed, n_qubits=3, n_gates=10, free=False)
    whole = unitary(circuit)
    for index in (0, 3, 7):
        prepared = Circuit(3)
        for qubit in range(3):
            prepared = prepared.x(qubit) if index >> (2 - qubit) & 1 else prepared
        state = run_gate_by_gate(prepared + circuit, weights=NONE)[0]
        assert torch.allclose(state, whole[:, index])
    initial = torch.eye(8, dtype=torch.complex128)[3:4]
    assert torch.allclose(run_gate_by_gate(circuit, weights=NONE, initial=initial)[0], whole[:, 3])


@pytest.mark.parametrize("name", sorted(n for n, g in GATES.items() if g.n_angles))
def test_angles_of_a_batch_give_a_matrix_each(name):
    gate = GATES[name]
    word = "XZ" if name == "pauli" else ""
    size = gate.n_qubits or 2
    angles = (parameter_input("x"), 2 * Parameter("w") - 0.3, 0.4)[: gate.n_angles]
    instruction = Instruction(name, tuple(range(size)), angles, word)
    circuit = Circuit(size, (instruction,))
    inputs = torch.tensor([[0.1], [0.9], [-2.0]], dtype=torch.float64)
    weights = torch.full((1, len(circuit.weights)), 0.6, dtype=torch.float64)
    found = instruction_matrix(instruction, circuit, weights, inputs)
    for row, x in enumerate(inputs[:, 0].tolist()):
        bound = circuit.bind({"x": x} | dict.fromkeys(circuit.weights, 0.6))
        assert torch.allclose(found[row], unitary(bound), atol=1e-12)


def test_the_start_is_all_zeros_in_the_precision_asked_for():
    state = zero_state(3, batch=2, dtype=torch.complex128)
    assert state.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0]] * 2
    assert zero_state(1).dtype == torch.complex64


def test_a_unitary_needs_every_number():
    with pytest.raises(InvalidValues, match=r"1 weights \(a\)"):
        unitary(Circuit(1).ry("a", 0))


@given(seed=st.integers(0, 10**6))
@FEW
def test_slopes_of_the_plain_simulator_are_those_of_small_steps(seed):
    circuit = random_circuit(seed, n_qubits=2, n_gates=8)
    weights, inputs = random_values(circuit, seed, batch=1)
    if not circuit.weights:
        return

    def chance(values):
        return run_gate_by_gate(circuit, weights=values, inputs=inputs)[0, 1].abs().square()

    (slope,) = torch.autograd.grad(chance(weights), weights, materialize_grads=True)
    for place in range(len(weights)):
        step = torch.zeros_like(weights)
        step[place] = 1e-5
        with torch.no_grad():
            found = (chance(weights + step) - chance(weights - step)) / 2e-5
        assert found.item() == pytest.approx(slope[place].item(), abs=1e-8)
