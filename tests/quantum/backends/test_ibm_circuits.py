import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter as QiskitParameter
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Operator, SparsePauliOp

from quantum.backends.ibm_circuits import (
    counts_from_qiskit,
    from_qiskit,
    from_sparse_pauli,
    to_qiskit,
    to_sparse_pauli,
)
from quantum.circuit import Circuit, Parameter
from quantum.errors import ConversionError
from quantum.observable import PauliSum, X, Z
from quantum.simulator.gate_by_gate import unitary
from tests.quantum.random_circuits import (
    random_circuit,
    random_numbers,
    random_observables,
    without_phase,
)


@pytest.mark.parametrize("seed", range(6))
def test_there_and_back(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=30)
    numbers = random_numbers(circuit, seed)
    expected = without_phase(unitary(circuit.bind(numbers)).numpy())
    theirs = to_qiskit(circuit)
    bound = theirs.assign_parameters({p: numbers[p.name] for p in theirs.parameters})
    assert np.allclose(without_phase(Operator(bound.reverse_bits()).data), expected, atol=1e-9)
    again = from_qiskit(theirs, inputs=circuit.inputs)
    assert set(again.inputs) == set(circuit.inputs)
    assert np.allclose(without_phase(unitary(again.bind(numbers)).numpy()), expected, atol=1e-9)


def test_measurements_are_dropped_at_the_end_and_refused_before():
    assert from_qiskit(to_qiskit(Circuit(2).h(0), measure=True)) == Circuit(2).h(0)
    early = QuantumCircuit(1, 1)
    early.measure(0, 0)
    early.x(0)
    with pytest.raises(ConversionError, match="measure at the end"):
        from_qiskit(early)


def test_a_vector_of_parameters_gets_plain_names():
    theta = ParameterVector("theta", 2)
    program = QuantumCircuit(1)
    program.ry(theta[0] * 2 + 1, 0)
    program.rz(theta[1], 0)
    circuit = from_qiskit(program, inputs=["theta_1"])
    assert circuit.weights == ("theta_0",) and circuit.inputs == ("theta_1",)
    assert circuit.instructions[0].angles == (2 * Parameter("theta_0") + 1,)


def test_composite_gates_are_opened():
    inner = QuantumCircuit(2, name="block")
    inner.h(0)
    inner.cx(0, 1)
    program = QuantumCircuit(3)
    program.append(inner.to_gate(), [2, 0])
    program.barrier()
    assert from_qiskit(program) == Circuit(3).h(2).cx(2, 0)


@pytest.mark.parametrize("kind", ["product", "sum", "reset"])
def test_what_has_no_counterpart_is_refused(kind):
    a, b = QiskitParameter("a"), QiskitParameter("b")
    program = QuantumCircuit(1)
    if kind == "reset":
        program.reset(0)
    else:
        program.rx(a * a if kind == "product" else a + b, 0)
    with pytest.raises(ConversionError):
        from_qiskit(program)


@pytest.mark.parametrize("seed", range(3))
def test_observables_there_and_back(seed):
    (observable,) = random_observables(seed, n_qubits=4, count=1)
    theirs = to_sparse_pauli(observable, 4)
    assert from_sparse_pauli(theirs) == observable
    # Qiskit's matrix has qubit 0 least significant: compare after reversing the qubits.
    order = [int(f"{i:04b}"[::-1], 2) for i in range(16)]
    assert np.allclose(theirs.to_matrix()[np.ix_(order, order)], observable.matrix(4))


def test_words_and_counts_are_reversed():
    assert to_sparse_pauli(Z(0) + 2 * X(2), 3) == SparsePauliOp.from_list([("IIZ", 1), ("XII", 2)])
    assert to_sparse_pauli(PauliSum(), 2) == SparsePauliOp.from_list([("II", 0)])
    assert counts_from_qiskit({"011": 5}) == {"110": 5}
