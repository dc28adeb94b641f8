import json
import math
import os
import random
import subprocess
import sys
from dataclasses import FrozenInstanceError

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Gate

from quantum.circuit import Circuit, Instruction, Parameter, parameter_input
from quantum.errors import InvalidCircuit, InvalidValues
from quantum.gates import GATES
from quantum.simulator import run
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


@given(
    scale=st.floats(-5, 5), offset=st.floats(-5, 5), value=st.floats(-5, 5), by=st.floats(0.1, 4)
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_parameter_calculates_like_the_number_it_stands_for(scale, offset, value, by):
    angle = Parameter("a", scale, offset)
    number = angle.at(value)
    for found, expected in (
        (angle * by, number * by),
        (by * angle, by * number),
        (angle / by, number / by),
        (angle + by, number + by),
        (by + angle, by + number),
        (angle - by, number - by),
        (by - angle, by - number),
        (-angle, -number),
    ):
        assert found.at(value) == pytest.approx(expected, abs=1e-9)
        assert found.name == "a"


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_an_angle_is_a_finite_number(wrong):
    with pytest.raises(InvalidCircuit, match="rx is no finite number"):
        Circuit(1).rx(wrong, 0)
    with pytest.raises(InvalidCircuit, match="finite"):
        Parameter("a") * wrong
    with pytest.raises(InvalidCircuit, match="finite"):
        Parameter("a") + wrong
    with pytest.raises(InvalidCircuit, match="no finite number"):
        Circuit(1).rx("a", 0).bind({"a": wrong})


@given(seed=st.integers(0, 10**6), split=st.integers(0, 20))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_joining_circuits_multiplies_their_unitaries(seed, split):
    whole = random_circuit(seed, n_qubits=3, n_gates=20, free=False)
    first = Circuit(3, whole.instructions[:split])
    second = Circuit(3, whole.instructions[split:])
    assert first + second == whole
    assert hash(first + second) == hash(whole)
    assert torch.allclose(unitary(second) @ unitary(first), unitary(whole), atol=1e-12)


@given(seed=st.integers(0, 10**6), order=st.permutations(range(5)))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_moved_qubits_carry_their_amplitudes_along(seed, order):
    circuit = random_circuit(seed, n_qubits=5, n_gates=20, free=False)
    here, there = (
        run(c, weights=torch.zeros(0, dtype=torch.float64))[0].view([2] * 5)
        for c in (circuit, circuit.on(5, order))
    )
    assert torch.allclose(there.permute(*order), here, atol=1e-12)


@pytest.mark.parametrize("places", [(0, 1), (0, 1, 2, 3), ()])
def test_moving_takes_a_place_for_every_qubit(places):
    with pytest.raises(InvalidCircuit, match="3 qubits need as many places"):
        Circuit(3).x(0).on(4, places)


def test_two_qubits_cannot_move_to_the_same_place():
    with pytest.raises(InvalidCircuit, match="different qubits"):
        Circuit(2).cx(0, 1).on(4, (1, 1))


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_running_with_values_is_running_what_is_bound_to_them(seed):
    circuit = random_circuit(seed, n_qubits=3, n_gates=15)
    numbers = random_numbers(circuit, seed)
    weights, inputs = (
        torch.tensor([numbers[name] for name in names], dtype=torch.float64)
        for names in (circuit.weights, circuit.inputs)
    )
    bound = circuit.bind(numbers)
    assert torch.allclose(
        run(circuit, weights=weights, inputs=inputs),
        run(bound, weights=torch.zeros(0, dtype=torch.float64)),
        atol=1e-12,
    )


def test_binding_in_two_steps_is_binding_at_once():
    circuit = random_circuit(7, n_qubits=4, n_gates=30)
    numbers = random_numbers(circuit, 7)
    names = list(numbers)
    first = {name: numbers[name] for name in names[::2]}
    second = {name: numbers[name] for name in names[1::2]}
    assert circuit.bind(first).bind(second) == circuit.bind(numbers)
    assert circuit.bind({}) == circuit


def test_the_depth_is_that_of_qiskit():
    for seed in range(5):
        circuit = random_circuit(seed, n_qubits=5, n_gates=40, free=False)
        theirs = QuantumCircuit(5)
        for gate in circuit.instructions:
            theirs.append(Gate(gate.gate, len(gate.qubits), []), gate.qubits)
        assert circuit.depth == theirs.depth()


def test_hashes_survive_the_process_and_the_text(tmp_path):
    """Other processes find what this one cached."""
    circuit = random_circuit(3, n_qubits=4, n_gates=20)
    path = tmp_path / "circuit.json"
    path.write_text(json.dumps(circuit.to_json()))
    program = (
        "import json, sys; from quantum.circuit import Circuit; "
        f"c = Circuit.from_json(json.load(open({str(path)!r}))); print(c.structure_hash)"
    )
    environment = os.environ | {"PYTHONHASHSEED": "17"}
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == circuit.structure_hash


def test_hashes_tell_apart_what_differs_in_one_place():
    base = Circuit(2).rx("a", 0).cx(0, 1)
    others = [
        Circuit(3).rx("a", 0).cx(0, 1),
        Circuit(2).rx("a", 1).cx(0, 1),
        Circuit(2).rx("a", 0).cx(1, 0),
        Circuit(2).rx(2 * Parameter("a"), 0).cx(0, 1),
        Circuit(2).rx(Parameter("a") + 1, 0).cx(0, 1),
        Circuit(2).rx(parameter_input("a"), 0).cx(0, 1),
        Circuit(2).cx(0, 1).rx("a", 0),
    ]
    assert len({base.structure_hash, *(c.structure_hash for c in others)}) == 1 + len(others)
    assert base not in others


def test_a_circuit_cannot_be_changed_by_hand():
    circuit = Circuit(1).h(0)
    with pytest.raises(FrozenInstanceError):
        circuit.n_qubits = 2
    with pytest.raises(FrozenInstanceError):
        circuit.instructions[0].gate = "x"


def test_reading_json_checks_it_again():
    data = Circuit(2).cx(0, 1).to_json()
    data["instructions"][0][1] = [0, 2]
    with pytest.raises(InvalidCircuit, match="does not fit 2 qubits"):
        Circuit.from_json(data)
    data["instructions"][0][0] = "cnot"
    with pytest.raises(InvalidCircuit, match="no gate 'cnot'"):
        Circuit.from_json(data)
