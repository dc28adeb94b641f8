"""The same circuits in three simulators: ours, Qiskit Aer's and Cirq's."""

import random

import cirq
import numpy as np
import pytest
import torch
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator

from quantum.backends.ibm_circuits import to_qiskit
from quantum.backends.ionq_circuits import to_cirq
from quantum.circuit import Circuit
from quantum.gates import GATES
from quantum.simulator import run
from quantum.simulator.gate_by_gate import run_gate_by_gate
from tests.quantum.random_circuits import append_random, random_circuit, without_phase

TOLERANCE = 1e-6
N_CIRCUITS = 204
AER = AerSimulator(method="statevector", max_parallel_threads=1)
TO_AER = generate_preset_pass_manager(optimization_level=0, backend=AER)
DOUBLE = torch.zeros(0, dtype=torch.float64)


def drawn(seed: int) -> Circuit:
    """Circuit number `seed`: up to 10 qubits, and among all of them every gate."""
    rng = random.Random(seed)
    n_qubits = 4 + seed % 7 if seed % 3 == 0 else 1 + seed % 10
    circuit = random_circuit(seed, n_qubits=n_qubits, n_gates=rng.randint(5, 30), free=False)
    gate = list(GATES.values())[seed % len(GATES)]
    if gate.n_qubits <= n_qubits:
        circuit = append_random(circuit, gate, rng, free=False)
    return circuit + random_circuit(-seed, n_qubits=n_qubits, n_gates=5, free=False)


def aer_state(circuit: Circuit) -> np.ndarray:
    program = TO_AER.run(to_qiskit(circuit).reverse_bits())
    program.save_statevector()
    return np.asarray(AER.run(program).result().get_statevector())


def cirq_state(circuit: Circuit) -> np.ndarray:
    simulator = cirq.Simulator(dtype=np.complex128, split_untangled_states=False)
    return simulator.simulate(to_cirq(circuit)).final_state_vector


@pytest.mark.parametrize("seed", range(N_CIRCUITS))
def test_aer_and_cirq_agree(seed):
    circuit = drawn(seed)
    ours = without_phase(run(circuit, weights=DOUBLE)[0].numpy())
    assert np.abs(ours - without_phase(aer_state(circuit))).max() < TOLERANCE
    assert np.abs(ours - without_phase(cirq_state(circuit))).max() < TOLERANCE


def test_every_gate_is_among_them():
    used = set()
    for seed in range(N_CIRCUITS):
        used |= set(drawn(seed).count_gates())
    assert used == set(GATES)


@pytest.mark.parametrize("seed", range(0, N_CIRCUITS, 12))
def test_single_precision_agrees_to_its_own_rounding(seed):
    circuit = drawn(seed)
    single = run(circuit)[0]
    assert single.dtype == torch.complex64
    assert (single - run_gate_by_gate(circuit, weights=DOUBLE)[0]).abs().max() < 2e-5


def test_qubit_zero_is_the_most_significant_bit():
    amplitudes = run(Circuit(3).x(0))[0]
    assert amplitudes.abs().argmax() == 0b100
