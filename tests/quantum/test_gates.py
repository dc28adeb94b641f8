"""The gate set as a whole: what must hold for every row, told by the matrices."""

import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit, Instruction
from quantum.errors import InvalidCircuit
from quantum.gates import GATES, find_gate
from quantum.simulator.gate_by_gate import run_gate_by_gate, unitary
from tests.quantum.random_circuits import append_random, random_circuit

ANGLE = st.floats(-10, 10)
WITH_ANGLES = sorted(name for name, gate in GATES.items() if gate.n_angles)


def instruction(name: str, angles: list[float], qubits: range | None = None) -> Instruction:
    n_qubits = GATES[name].n_qubits or 3
    word = "XYZ" if name == "pauli" else ""
    return Instruction(name, tuple(qubits or range(n_qubits)), tuple(angles), word)


def matrix(name: str, angles: list[float]) -> np.ndarray:
    one = instruction(name, angles)
    return unitary(Circuit(len(one.qubits), (one,))).numpy()


@given(name=st.sampled_from(sorted(GATES)), angles=st.lists(ANGLE, min_size=3, max_size=3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_every_gate_is_unitary_at_every_angle(name, angles):
    found = matrix(name, angles[: GATES[name].n_angles])
    assert np.abs(found @ found.conj().T - np.eye(len(found))).max() < 1e-12


@given(name=st.sampled_from(sorted(GATES)), angles=st.lists(ANGLE, min_size=3, max_size=3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_an_inverse_undoes_the_gate_and_is_undone_by_it(name, angles):
    there = instruction(name, angles[: GATES[name].n_angles])
    back = there.inverse()
    n_qubits = len(there.qubits)
    for pair in ((there, back), (back, there)):
        found = unitary(Circuit(n_qubits, pair)).numpy()
        assert np.abs(found - np.eye(2**n_qubits)).max() < 1e-12


@pytest.mark.parametrize("name", sorted(GATES))
def test_diagonal_gates_commute_with_every_phase_and_the_others_do_not(name):
    angles = [0.7, -0.4, 1.1][: GATES[name].n_angles]
    found = matrix(name, angles)
    phases = np.diag(np.exp(1j * np.arange(len(found)) ** 2))
    commutes = np.abs(found @ phases - phases @ found).max() < 1e-12
    assert commutes == GATES[name].diagonal


@pytest.mark.parametrize("name", sorted({*WITH_ANGLES} - {"gpi", "gpi2", "u", "ms"}))
def test_rotations_add_up_and_are_nothing_at_zero(name):
    """So do all gates e^{-i angle G}; the four left out turn an axis instead."""
    assert np.abs(matrix(name, [0.3]) @ matrix(name, [0.5]) - matrix(name, [0.8])).max() < 1e-12
    nothing = matrix(name, [0.0])
    assert np.array_equal(nothing, np.eye(len(nothing)))


@pytest.mark.parametrize(
    ("controlled", "plain"),
    [("cx", "x"), ("cy", "y"), ("cz", "z"), ("ch", "h"), ("crx", "rx"), ("cry", "ry"),
     ("crz", "rz"), ("cp", "p"), ("ccx", "cx"), ("ccz", "cz"), ("cswap", "swap")],
)  # fmt: skip
def test_a_controlled_gate_acts_where_its_first_qubit_is_one(controlled, plain):
    angles = [0.9] * GATES[plain].n_angles
    inner, whole = matrix(plain, angles), matrix(controlled, angles)
    size = len(inner)
    assert np.allclose(whole[:size, :size], np.eye(size))
    assert np.allclose(whole[size:, size:], inner)
    assert np.count_nonzero(whole[:size, size:]) == np.count_nonzero(whole[size:, :size]) == 0


@pytest.mark.parametrize(("root", "whole"), [("s", "z"), ("t", "s"), ("sx", "x"), ("sdg", "z")])
def test_roots_squared(root, whole):
    assert np.allclose(matrix(root, []) @ matrix(root, []), matrix(whole, []))


def test_paulis_anticommute_and_clifford_gates_permute_them():
    x, y, z, h, s = (matrix(name, []) for name in "xyzhs")
    for a, b in pairwise((x, y, z, x)):
        assert np.allclose(a @ b, -b @ a)
    assert np.allclose(1j * z, x @ y)
    assert np.allclose(h @ x @ h, z) and np.allclose(h @ y @ h, -y)
    assert np.allclose(s @ x @ s.conj().T, y)


def test_the_order_of_symmetric_gates_does_not_matter_and_that_of_others_does():
    symmetric = {"cz", "swap", "iswap", "cp", "rxx", "ryy", "rzz", "xy"}
    for name in (n for n, gate in GATES.items() if gate.n_qubits == 2):
        angles = [0.3, 0.9, 0.5][: GATES[name].n_angles]
        there, back = (
            unitary(Circuit(2).gate(name, qubits, angles)) for qubits in ((0, 1), (1, 0))
        )
        assert torch.allclose(there, back) == (name in symmetric)


@given(seed=st.integers(0, 10**6), name=st.sampled_from(sorted(GATES)))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_a_gate_leaves_the_other_qubits_alone(seed, name):
    """The reduced state of an untouched qubit is the one before."""
    rng = random.Random(seed)
    before = random_circuit(seed, n_qubits=5, n_gates=12, free=False)
    after = append_random(before, GATES[name], rng, free=False)
    touched = after.instructions[-1].qubits
    values = torch.zeros(0, dtype=torch.float64)
    states = [run_gate_by_gate(c, weights=values)[0].view([2] * 5) for c in (before, after)]
    for qubit in set(range(5)) - set(touched):
        rows = [state.movedim(qubit, 0).reshape(2, -1) for state in states]
        assert torch.allclose(rows[0] @ rows[0].mH, rows[1] @ rows[1].mH, atol=1e-12)


def test_an_unknown_gate_is_named_and_the_known_ones_listed():
    with pytest.raises(InvalidCircuit, match=r"no gate 'toffoli'.*ccx.*pauli"):
        find_gate("toffoli")
    with pytest.raises(InvalidCircuit, match="no gate 'RX'"):
        Circuit(1).gate("RX", (0,), (0.1,))
