import cirq
import numpy as np
import pytest
import sympy

from quantum.backends.ionq_circuits import from_cirq, to_cirq, to_pauli_sum
from quantum.circuit import Circuit, Parameter
from quantum.errors import ConversionError
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
    theirs = to_cirq(circuit)
    bound = cirq.resolve_parameters(theirs, numbers)
    assert np.allclose(without_phase(cirq.unitary(bound)), expected, atol=1e-6)
    again = from_cirq(theirs, inputs=circuit.inputs)
    assert set(again.inputs) == set(circuit.inputs)
    assert np.allclose(without_phase(unitary(again.bind(numbers)).numpy()), expected, atol=1e-9)


def test_idle_qubits_stay_in_the_register():
    assert len(to_cirq(Circuit(4).h(2)).all_qubits()) == 4


def test_measurements_are_made_on_request_and_dropped_on_return():
    program = to_cirq(Circuit(2).h(0), measure_key="m")
    assert program.all_measurement_key_names() == {"m"}
    assert from_cirq(program).count_gates() == {"h": 1}
    q = cirq.LineQubit(0)
    with pytest.raises(ConversionError, match="measure at the end"):
        from_cirq(cirq.Circuit(cirq.measure(q), cirq.X(q)))


def test_gates_of_their_own_are_opened():
    a, b, c = cirq.LineQubit.range(3)
    program = cirq.Circuit(
        cirq.FSimGate(0.3, 0.5)(a, b),
        cirq.PhasedXPowGate(phase_exponent=0.2, exponent=0.7)(c),
        cirq.CCX(c, a, b) ** 0.5,
        cirq.X(a).controlled_by(c) ** 0.3,
        cirq.ZPowGate(exponent=0.4, global_shift=0.1)(a).controlled_by(b),
        cirq.SWAP(b, c) ** 0.25,
    )
    found = unitary(from_cirq(program)).numpy()
    assert np.allclose(without_phase(found), without_phase(cirq.unitary(program)), atol=1e-7)


def test_symbols_become_parameters():
    program = cirq.Circuit(cirq.rx(2 * sympy.Symbol("a") + 1)(cirq.LineQubit(0)))
    (angle,) = from_cirq(program).instructions[0].angles
    assert isinstance(angle, Parameter) and angle.name == "a"
    assert (angle.scale, angle.offset) == pytest.approx((2, 1))


@pytest.mark.parametrize("kind", ["square", "sum", "channel"])
def test_what_has_no_counterpart_is_refused(kind):
    a, b = sympy.symbols("a b")
    gate = {"square": cirq.rx(a * a), "sum": cirq.rx(a + b), "channel": cirq.depolarize(0.1)}[kind]
    with pytest.raises(ConversionError):
        from_cirq(cirq.Circuit(gate(cirq.LineQubit(0))))


@pytest.mark.parametrize("seed", range(3))
def test_observables_have_the_same_matrix(seed):
    (observable,) = random_observables(seed, n_qubits=3, count=1)
    theirs = to_pauli_sum(observable).matrix(cirq.LineQubit.range(3))
    assert np.allclose(theirs, observable.matrix(3))
