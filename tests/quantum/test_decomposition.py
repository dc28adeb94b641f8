import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit
from quantum.decomposition import COMMON, decompose, to_cnots
from quantum.gates import GATES
from quantum.simulator.gate_by_gate import unitary
from tests.quantum.random_circuits import random_circuit, random_numbers, without_phase


@pytest.mark.parametrize("seed", range(6))
def test_common_gates_spell_every_circuit(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=25)
    numbers = random_numbers(circuit, seed)
    spelled = decompose(circuit)
    assert set(spelled.count_gates()) <= COMMON
    found, expected = (unitary(c.bind(numbers)).numpy() for c in (spelled, circuit))
    assert np.abs(without_phase(found) - without_phase(expected)).max() < 1e-9


def test_gates_that_are_wanted_whole_stay():
    circuit = Circuit(3).iswap(0, 1).mcp(0.3, (0, 1, 2)).rxx("a", 0, 1)
    assert decompose(circuit, GATES) == circuit
    assert decompose(circuit, ["rxx"]).count_gates()["rxx"] == 1


def test_a_phase_on_few_qubits_goes_by_its_short_name():
    circuit = Circuit(2).mcp("a", (1,)).mcp("a", (0, 1))
    assert decompose(circuit, ["mcp"]) == Circuit(2).p("a", 1).cp("a", 0, 1)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=6, deadline=None, derandomize=True)
def test_cnots_and_gates_on_one_qubit_spell_every_circuit(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=12)
    numbers = random_numbers(circuit, seed)
    spelled = to_cnots(circuit)
    assert all(len(i.qubits) == 1 or i.gate == "cx" for i in spelled.instructions)
    found, expected = (unitary(c.bind(numbers)).numpy() for c in (spelled, circuit))
    assert np.abs(without_phase(found) - without_phase(expected)).max() < 1e-9


@pytest.mark.parametrize("name", sorted(GATES))
def test_every_gate_alone_in_cnots(name):
    """What the circuit computes on part of a register stays relative: a control sees the phase."""
    gate = GATES[name]
    n_qubits = gate.n_qubits or 4
    word = "XYZX" if name == "pauli" else ""
    circuit = Circuit(n_qubits).gate(name, range(n_qubits), [0.7, -1.3, 2.1][: gate.n_angles], word)
    found, expected = (unitary(c).numpy() for c in (to_cnots(circuit), circuit))
    assert np.abs(without_phase(found) - without_phase(expected)).max() < 1e-12


@pytest.mark.parametrize(
    ("name", "count"),
    [("cz", 1), ("cy", 1), ("ch", 1), ("crx", 2), ("cp", 2), ("swap", 3), ("rzz", 2), ("rxx", 2),
     ("ms", 2), ("ccx", 6), ("ccz", 6), ("cswap", 8), ("iswap", 4)],
)  # fmt: skip
def test_cnots_are_not_wasted(name, count):
    """The best known numbers for gates in CNOTs, iswap aside (2 are enough for it)."""
    gate = GATES[name]
    circuit = Circuit(gate.n_qubits).gate(name, range(gate.n_qubits), [0.3] * gate.n_angles)
    assert to_cnots(circuit).count_gates()["cx"] == count


@pytest.mark.parametrize("n_qubits", [3, 4, 5])
def test_a_phase_on_many_ones_is_exact_even_in_its_global_phase(n_qubits):
    circuit = Circuit(n_qubits).mcp(0.9, range(n_qubits))
    found = unitary(to_cnots(circuit))
    relative = found.diagonal() / found[0, 0]
    expected = torch.ones(2**n_qubits, dtype=torch.complex128)
    expected[-1] = np.exp(0.9j)
    assert torch.allclose(relative, expected, atol=1e-12)
    assert (found - torch.diag(found.diagonal())).abs().max() < 1e-12


def test_parameters_stay_free_and_keep_their_order():
    circuit = random_circuit(11, n_qubits=4, n_gates=40)
    for spelled in (decompose(circuit), to_cnots(circuit)):
        assert set(spelled.weights) == set(circuit.weights)
        assert set(spelled.inputs) == set(circuit.inputs)


def test_what_is_already_spelled_is_left_as_it_is():
    circuit = Circuit(2).h(0).cx(0, 1).rz("a", 1).sx(0)
    assert decompose(circuit) == circuit
    assert to_cnots(circuit) == circuit
    assert decompose(decompose(random_circuit(1, n_qubits=4, n_gates=30))) == decompose(
        random_circuit(1, n_qubits=4, n_gates=30)
    )
