import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def one_gate(name: str, qubits: list[int], angle: float | str = 0.25) -> Circuit:
    word = "XYZ"[: len(qubits)] if name == "pauli" else ""
    return Circuit(5).gate(name, qubits, [angle] * GATES[name].n_angles, word)


@pytest.mark.parametrize("name", sorted(GATES))
@pytest.mark.parametrize("angle", [0.25, "a_long_name_of_a_weight", 1e-12])
def test_columns_stay_aligned_for_every_gate(name, angle):
    """All lines of qubits are equally long, and a link stands under the middle of its marks."""
    places = [3, 0, 4][: GATES[name].n_qubits or 3]
    lines = draw_text(one_gate(name, places, angle).h(1).cx(1, 2)).splitlines()
    wires, gaps = lines[::2], lines[1::2]
    assert len({len(wire) for wire in wires}) == 1
    assert all(wire.startswith(f"q{q}: ─") and wire.endswith("─") for q, wire in enumerate(wires))
    if len(places) > 1:
        spots = {gap.index("│") for gap in gaps[min(places) : max(places)]}
        assert len(spots) == 1
    assert all(set(gap) <= {" ", "│"} for gap in gaps)


@pytest.mark.parametrize("name", sorted(GATES))
@pytest.mark.parametrize("angle", [0.25, "theta"])
def test_every_gate_is_proper_svg_with_its_labels_inside_the_picture(name, angle):
    places = [3, 0, 4][: GATES[name].n_qubits or 3]
    root = ElementTree.fromstring(draw_svg(one_gate(name, places, angle)))
    _, _, width, height = map(float, root.get("viewBox").split())
    for box in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width and y >= 0 and y + h <= height
    for text in root.iter(f"{SVG}text"):
        room = float(root.find(f"{SVG}rect").get("width")) if text.get("text-anchor") else 44
        assert 8.5 * len(text.text) <= room + 8
    shown = "".join(root.itertext())
    assert (str(angle) in shown) == bool(GATES[name].n_angles)


@given(seed=st.integers(0, 10**6), n_gates=st.integers(0, 25))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_any_circuit_can_be_drawn_both_ways(seed, n_gates):
    circuit = random_circuit(seed, n_qubits=4, n_gates=n_gates)
    lines = draw_text(circuit).splitlines()
    assert len(lines) == 7
    assert len({len(line) for line in lines[::2]}) == 1
    ElementTree.fromstring(draw_svg(circuit))


def test_order_on_every_qubit_is_that_of_the_circuit():
    circuit = random_circuit(8, n_qubits=5, n_gates=50)
    last = [-1] * 5
    for mark, gate in zip(layout(circuit), circuit.instructions, strict=True):
        assert set(mark.labels) == set(gate.qubits)
        for qubit in gate.qubits:
            assert mark.column > last[qubit]
            last[qubit] = mark.column


def test_gates_stand_as_far_left_as_they_can():
    assert [m.column for m in layout(Circuit(3).h(0).h(1).h(2).cx(0, 1).h(2))] == [0, 0, 0, 1, 1]
    assert [m.column for m in layout(Circuit(3).cx(0, 2).h(1))] == [0, 1]


def test_more_than_ten_qubits_keep_their_wires_aligned():
    lines = draw_text(Circuit(12).h(3).cx(2, 11)).splitlines()[::2]
    assert lines[3].startswith(" q3: ─") and lines[11].startswith("q11: ─")
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("angle", "shown"),
    [
        (Parameter("a"), "RX(a)"), (-Parameter("a"), "RX(-a)"), (Parameter("a") - 1, "RX(a-1)"),
        (0.5 * Parameter("a"), "RX(0.5·a)"), (3.14159265, "RX(3.14)"), (-1e-9, "RX(-1e-09)"),
    ],
)  # fmt: skip
def test_angles_are_short_and_say_what_they_are(angle, shown):
    assert shown in draw_text(Circuit(1).rx(angle, 0))
