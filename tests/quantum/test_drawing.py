import xml.etree.ElementTree as ElementTree

import pytest

from quantum.circuit import Circuit, Parameter
from quantum.drawing import draw_svg, draw_text, layout
from quantum.gates import GATES
from tests.quantum.random_circuits import random_circuit

SVG = "{http://www.w3.org/2000/svg}"


def test_text_shows_gates_in_time_order():
    circuit = Circuit(3).h(0).cx(0, 2).ry(2 * Parameter("theta") + 0.5, 1)
    assert draw_text(circuit).splitlines() == [
        "q0: ──H──●──────────────────",
        "         │",
        "q1: ─────┼──RY(2·theta+0.5)─",
        "         │",
        "q2: ─────X──────────────────",
    ]


def test_gates_never_overlap():
    circuit = random_circuit(2, n_qubits=6, n_gates=60)
    seen = set()
    for mark in layout(circuit):
        top, bottom = mark.span
        cells = {(mark.column, q) for q in range(top, bottom + 1)}
        assert not cells & seen
        seen |= cells


@pytest.mark.parametrize("seed", range(3))
def test_svg_has_a_shape_for_every_qubit_of_every_gate(seed):
    circuit = random_circuit(seed, n_qubits=5, n_gates=40)
    root = ElementTree.fromstring(draw_svg(circuit))
    shapes = [*root.iter(f"{SVG}rect"), *root.iter(f"{SVG}circle")]
    crosses = [p for p in root.iter(f"{SVG}path") if "l12 12" in p.get("d")]
    touched = sum(len(i.qubits) for i in circuit.instructions)
    assert len(shapes) + len(crosses) == touched
    assert root.find(f"{SVG}title").text == "Quantum circuit: 5 qubits, 40 gates"
    width = float(root.get("viewBox").split()[2])
    assert all(float(r.get("x")) + float(r.get("width")) <= width for r in root.iter(f"{SVG}rect"))


def test_svg_has_no_style_of_its_own():
    picture = draw_svg(Circuit(2).h(0).cx(0, 1))
    assert "style=" not in picture and "<script" not in picture


@pytest.mark.parametrize("name", GATES)
def test_every_gate_can_be_drawn(name):
    gate = GATES[name]
    n_qubits = gate.n_qubits or 3
    word = "XYZ" if name == "pauli" else ""
    angles = [0.25] * gate.n_angles
    text = draw_text(Circuit(3).gate(name, range(n_qubits), angles, word))
    assert ("0.25" in text) == bool(angles)


def test_an_empty_circuit_is_bare_wires():
    assert draw_text(Circuit(2)).splitlines() == ["q0: ─", "", "q1: ─"]
