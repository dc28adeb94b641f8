import json
import random

import pytest

from quantum.circuit import Circuit, Instruction, Parameter, parameter_input
from quantum.errors import InvalidCircuit, InvalidValues
from quantum.gates import GATES
from quantum.simulator.gate_by_gate import unitary
from tests.quantum.random_circuits import append_random, random_circuit, random_numbers


def test_a_circuit_never_changes():
    empty = Circuit(2)
    assert empty.h(0).instructions == (Instruction("h", (0,)),)
    assert empty.instructions == ()


def test_names_of_weights_and_inputs_keep_the_order_of_appearance():
    circuit = Circuit(2).ry("b", 0).ry(parameter_input("x"), 1).rz("a", 0).rz("b", 1)
    assert circuit.weights == ("b", "a")
    assert circuit.inputs == ("x",)


def test_a_name_cannot_be_weight_and_input():
    circuit = Circuit(1).ry("x", 0).rz(parameter_input("x"), 0)
    with pytest.raises(InvalidCircuit, match="x"):
        _ = circuit.inputs


def test_parameter_arithmetic_is_linear():
    angle = 2 * Parameter("a") - 1
    assert ((-angle) / 2 + 3).at(5.0) == pytest.approx(-(2 * 5 - 1) / 2 + 3)


@pytest.mark.parametrize("name", ["", "1a", "a-b", "θ", "a b"])
def test_parameter_names_are_identifiers(name):
    with pytest.raises(InvalidCircuit, match="letters"):
        Parameter(name)


@pytest.mark.parametrize(
    ("gate", "qubits", "angles", "word", "message"),
    [
        ("hadamard", (0,), (), "", "no gate 'hadamard'"),
        ("cx", (0,), (), "", "2 qubits"),
        ("cx", (1, 1), (), "", "different"),
        ("x", (-1,), (), "", "different"),
        ("rx", (0,), (), "", "1 angles"),
        ("mcp", (), (0.1,), "", "one or more"),
        ("pauli", (0,), (0.1,), "", "word"),
        ("pauli", (0, 1), (0.1,), "XI", "word"),
        ("pauli", (0, 1), (0.1,), "X", "one letter"),
        ("x", (0,), (), "X", "only pauli"),
    ],
)
def test_malformed_instructions_are_refused(gate, qubits, angles, word, message):
    with pytest.raises(InvalidCircuit, match=message):
        Instruction(gate, qubits, angles, word)


def test_qubits_outside_the_register_are_refused():
    with pytest.raises(InvalidCircuit, match="0 to 1"):
        Circuit(2).cx(0, 2)
    with pytest.raises(InvalidCircuit, match="at least one"):
        Circuit(0)
    with pytest.raises(InvalidCircuit, match="2 and 3"):
        Circuit(2) + Circuit(3)


@pytest.mark.parametrize("name", GATES)
def test_inverse_undoes_every_gate(name):
    rng = random.Random(name)
    circuit = append_random(Circuit(4), GATES[name], rng, free=False)
    product = unitary(circuit + circuit.inverse())
    assert (product - unitary(Circuit(4).gate("id", (0,)))).abs().max() < 1e-12


def test_inverse_reverses_the_order():
    circuit = random_circuit(3, n_qubits=4, n_gates=30, free=False)
    assert (unitary(circuit.inverse()) - unitary(circuit).mH).abs().max() < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_json_keeps_everything(seed):
    circuit = random_circuit(seed, n_qubits=5, n_gates=40)
    again = Circuit.from_json(json.loads(json.dumps(circuit.to_json())))
    assert again == circuit
    assert hash(again) == hash(circuit)
    assert again.structure_hash == circuit.structure_hash


def test_hashes_tell_structure_from_values():
    circuit = Circuit(1).ry("a", 0)
    assert circuit.structure_hash != Circuit(1).rx("a", 0).structure_hash
    assert circuit.structure_hash != Circuit(1).ry("b", 0).structure_hash
    assert circuit.bound_hash({"a": 1}) == circuit.bound_hash({"a": 1.0})
    assert circuit.bound_hash({"a": 1}) != circuit.bound_hash({"a": 2})


def test_binding_replaces_the_names_by_numbers():
    circuit = Circuit(1).ry(2 * Parameter("a") + 1, 0).rz("b", 0)
    bound = circuit.bind({"a": 3})
    assert bound.instructions[0].angles == (7.0,)
    assert bound.weights == ("b",)
    with pytest.raises(InvalidValues, match="c"):
        circuit.bind({"c": 1})


def test_binding_everything_leaves_nothing_free():
    circuit = random_circuit(1, n_qubits=4, n_gates=40)
    bound = circuit.bind(random_numbers(circuit, 0))
    assert bound.weights == () and bound.inputs == ()


def test_depth_counts_parallel_gates_once():
    assert Circuit(3).depth == 0
    assert Circuit(3).h(0).h(1).cx(0, 1).h(2).depth == 2
    assert Circuit(3).cx(0, 1).cx(1, 2).cx(0, 1).depth == 3


def test_counts():
    circuit = Circuit(3).h(0).cx(0, 1).cx(1, 2).ccx(0, 1, 2)
    assert circuit.count_gates() == {"h": 1, "cx": 2, "ccx": 1}
    assert circuit.n_entangling == 3


def test_moving_to_other_qubits():
    moved = Circuit(2).cx(0, 1).h(1).on(4, (3, 1))
    assert moved == Circuit(4).cx(3, 1).h(1)


def test_every_gate_has_a_method_or_goes_by_name():
    circuit = (
        Circuit(3)
        .x(0).y(0).z(0).h(0).s(0).sdg(0).t(0).tdg(0).sx(0)
        .rx(0.1, 0).ry(0.2, 0).rz(0.3, 0).p(0.4, 0).u(0.5, 0.6, 0.7, 0)
        .cx(0, 1).cy(0, 1).cz(0, 1).ch(0, 1).swap(0, 1).iswap(0, 1)
        .crx(0.1, 0, 1).cry(0.2, 0, 1).crz(0.3, 0, 1).cp(0.4, 0, 1)
        .rxx(0.5, 0, 1).ryy(0.6, 0, 1).rzz(0.7, 0, 1).xy(0.8, 0, 1)
        .ccx(0, 1, 2).ccz(0, 1, 2).cswap(0, 1, 2).mcp(0.9, (0, 1, 2)).pauli(1.0, "XYZ", (0, 1, 2))
    )  # fmt: skip
    by_name = {"id", "sxdg", "gpi", "gpi2", "ms"}
    assert set(circuit.count_gates()) == set(GATES) - by_name
