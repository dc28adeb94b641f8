import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.circuit import Circuit, Parameter
from quantum.simulator.gate_by_gate import unitary
from quantum.simulator.lowering import Line, Phase, Turn
from quantum.simulator.schedule import MoveLayer, PhaseLayer, TurnLayer, fuse
from tests.quantum.random_circuits import random_circuit, random_numbers
from tests.quantum.simulator.dense import step_matrix
from tests.quantum.simulator.test_fused import layered


def kinds(circuit: Circuit) -> list[type]:
    return [type(layer) for layer in fuse(circuit)]


@pytest.mark.parametrize("n_qubits", [2, 4, 9])
def test_a_hardware_efficient_layer_is_three_passes(n_qubits):
    layer = [TurnLayer, PhaseLayer, MoveLayer]
    # The first turns join the encoding: both are RY.
    assert kinds(layered(n_qubits)) == layer * 3


def test_gates_join_across_others_that_do_not_touch_them():
    circuit = Circuit(3).ry(0.1, 0).cx(0, 1).ry(0.2, 2).rz(0.3, 2).rz(0.4, 0)
    assert kinds(circuit) == [TurnLayer, MoveLayer, PhaseLayer]


def test_turns_of_one_qubit_add_up():
    (layer,) = fuse(Circuit(1).ry("a", 0).ry(2 * Parameter("a") + 1, 0))
    assert layer == TurnLayer((Turn(0, Line(1.0, (("a", False, 3.0),))),))


def test_what_cancels_disappears_and_lets_others_meet():
    circuit = Circuit(2).rz("a", 0).ry("b", 0).ry(-Parameter("b"), 0).rz("c", 0)
    (layer,) = fuse(circuit)
    assert isinstance(layer, PhaseLayer)
    total = Line(0.0, (("a", False, 1.0), ("c", False, 1.0)))
    assert layer.steps == (Phase((0,), total, on_ones=False),)


def test_pauli_rotations_share_their_frames():
    circuit = Circuit(3).pauli("a", "XXZ", (0, 1, 2)).pauli("b", "XXI"[:2], (0, 1))
    assert kinds(circuit) == [TurnLayer, PhaseLayer, TurnLayer]


def test_order_on_a_qubit_is_kept():
    circuit = Circuit(1).ry(0.1, 0).rz(0.2, 0).ry(0.3, 0).x(0).ry(0.4, 0)
    assert kinds(circuit) == [TurnLayer, PhaseLayer, TurnLayer, MoveLayer, TurnLayer]


def test_an_empty_circuit_has_no_layers():
    assert fuse(Circuit(3)) == ()
    assert fuse(Circuit(3).gate("id", (1,))) == ()


@given(seed=st.integers(0, 10**6), n_gates=st.integers(0, 20))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_layers_multiply_to_the_circuit(seed, n_gates):
    circuit = random_circuit(seed, n_qubits=3, n_gates=n_gates)
    numbers = random_numbers(circuit, seed)
    product = np.eye(8)
    for layer in fuse(circuit):
        assert layer.steps
        for step in layer.steps:
            product = step_matrix(step, 3, numbers) @ product
    assert np.allclose(product, unitary(circuit.bind(numbers)).numpy(), atol=1e-10)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_steps_of_a_layer_are_different_and_may_change_places(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=25)
    for layer in fuse(circuit):
        if isinstance(layer, TurnLayer):
            qubits = [turn.qubit for turn in layer.steps]
            assert qubits == sorted(set(qubits))
        elif isinstance(layer, PhaseLayer):
            masks = [(phase.qubits, phase.on_ones) for phase in layer.steps]
            assert len(masks) == len(set(masks))
