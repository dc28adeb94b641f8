"""Every gate equals its turns, phases and moves: checked on dense matrices, phase included."""

import random

import numpy as np
import pytest
import torch

from quantum.circuit import Circuit, Instruction, Parameter
from quantum.gates import GATES
from quantum.simulator.gate_by_gate import unitary
from quantum.simulator.lowering import Line, Move, Phase, Turn, lower
from quantum.simulator.matrices import gate_matrix
from tests.quantum.simulator.dense import on_register, step_matrix


def steps_matrix(instruction: Instruction, n_qubits: int, values: dict[str, float]) -> np.ndarray:
    product = np.eye(2**n_qubits)
    for step in lower(instruction):
        product = step_matrix(step, n_qubits, values) @ product
    return product


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("seed", range(2))
def test_steps_multiply_to_the_gate(name, seed):
    rng = random.Random(f"{name}{seed}")
    gate = GATES[name]
    size = gate.n_qubits or 3
    qubits = tuple(rng.sample(range(4), size))
    word = "".join(rng.choices("XYZ", k=size)) if name == "pauli" else ""
    numbers = [rng.uniform(-4, 4) for _ in range(gate.n_angles)]
    instruction = Instruction(name, qubits, tuple(numbers), word)
    matrix = gate_matrix(
        name, torch.tensor(numbers, dtype=torch.float64), word=word, n_qubits=size
    ).numpy()
    expected = on_register(matrix, qubits, 4)
    assert np.allclose(steps_matrix(instruction, 4, {}), expected, atol=1e-14)


@pytest.mark.parametrize("name", [name for name, gate in GATES.items() if gate.n_angles])
def test_parameters_stay_linear(name):
    gate = GATES[name]
    size = gate.n_qubits or 2
    word = "XY" if name == "pauli" else ""
    angles = tuple(
        Parameter(f"p_{i}", scale=1.5 - i, offset=0.25 * i, is_input=i == 1)
        for i in range(gate.n_angles)
    )
    instruction = Instruction(name, tuple(range(size)), angles, word)
    values = {f"p_{i}": 0.7 + i for i in range(gate.n_angles)}
    bound = Circuit(size, (instruction,)).bind(values)
    found = steps_matrix(instruction, size, values)
    assert np.allclose(found, unitary(bound).numpy(), atol=1e-13)
    roles = {
        (part, flag)
        for step in lower(instruction)
        if not isinstance(step, Move)
        for part, flag, _ in step.angle.parts
    }
    assert roles == {(angle.name, angle.is_input) for angle in angles}


def test_lines_add_like_parameters_and_drop_what_cancels():
    a, b = Line(1.0, (("a", False, 2.0),)), Line(0.5, (("a", False, -2.0), ("x", True, 1.0)))
    assert a + b == Line(1.5, (("x", True, 1.0),))
    assert a * -0.5 == Line(-0.5, (("a", False, -1.0),))
    assert (a + a * -1.0).is_zero
    assert not Line(1e-3).is_zero


def test_a_weight_and_an_input_of_one_name_are_different():
    total = Line(0.0, (("a", False, 1.0),)) + Line(0.0, (("a", True, -1.0),))
    assert len(total.parts) == 2


def test_kinds_of_steps():
    assert lower(Instruction("ry", (2,), (0.3,))) == [Turn(2, Line(0.3))]
    assert lower(Instruction("cx", (1, 0))) == [Move("cx", (1, 0))]
    assert lower(Instruction("rz", (1,), (0.3,))) == [Phase((1,), Line(0.3), on_ones=False)]
    assert lower(Instruction("p", (1,), (0.3,))) == [Phase((1,), Line(0.3), on_ones=True)]
    assert lower(Instruction("id", (0,))) == []


def test_masks_are_sorted_so_that_equal_phases_meet():
    (first,) = lower(Instruction("rzz", (2, 0), (0.1,)))
    (second,) = lower(Instruction("rzz", (0, 2), (0.1,)))
    assert first == second


@pytest.mark.parametrize("name", [name for name, gate in GATES.items() if gate.diagonal])
def test_diagonal_gates_are_phases_alone(name):
    gate = GATES[name]
    size = gate.n_qubits or 2
    steps = lower(Instruction(name, tuple(range(size)), (0.3,) * gate.n_angles))
    assert all(isinstance(step, Phase) for step in steps)
