import numpy as np
import pytest

from quantum.circuit import Circuit
from quantum.decomposition import COMMON, decompose
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
