import numpy as np
import pytest
import qiskit.qasm3
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import Operator

from quantum.backends.ibm_circuits import to_qiskit
from quantum.circuit import Circuit, Parameter, parameter_input
from quantum.errors import ConversionError
from quantum.gates import GATES
from quantum.openqasm import from_openqasm, to_openqasm
from quantum.simulator.gate_by_gate import unitary
from tests.quantum.random_circuits import random_circuit, random_numbers, without_phase


def same(found: np.ndarray, expected: np.ndarray) -> bool:
    return bool(np.abs(without_phase(found) - without_phase(expected)).max() < 1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_written_reads_back_as_it_was(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=30)
    again = from_openqasm(to_openqasm(circuit), inputs=circuit.inputs)
    assert (again.weights, again.inputs) == (circuit.weights, circuit.inputs)
    numbers = random_numbers(circuit, seed)
    assert same(unitary(again.bind(numbers)).numpy(), unitary(circuit.bind(numbers)).numpy())


def test_gates_with_a_name_come_back_under_it():
    circuit = (
        Circuit(3).h(0).rxx("a", 0, 1).u(0.1, 0.2, 0.3, 2).pauli("a", "XZ", (2, 0)).ccz(0, 1, 2)
    )
    assert from_openqasm(to_openqasm(circuit)) == circuit


@pytest.mark.parametrize("seed", range(4))
def test_another_reader_understands_what_is_written(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=30, free=False)
    theirs = qiskit.qasm3.loads(to_openqasm(circuit))
    assert same(Operator(theirs.reverse_bits()).data, unitary(circuit).numpy())


@pytest.mark.parametrize("seed", range(4))
def test_what_another_writer_wrote_is_understood(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=30, free=False)
    ours = from_openqasm(qiskit.qasm3.dumps(to_qiskit(circuit, measure=True)))
    assert same(unitary(ours).numpy(), unitary(circuit).numpy())


def test_parameters_are_linear_expressions():
    text = """
    OPENQASM 3; include "stdgates.inc";
    input float a; input float[64] x; qubit[2] q;
    rx(2*a - pi/4) q[0]; ry(1 - x) q[1]; rz(-(a + 1)/2) q[0]; p(sqrt(4)*sin(pi/2)) q[1];
    """
    circuit = from_openqasm(text, inputs=["x"])
    x = parameter_input("x")
    assert circuit.instructions[0].angles == (2 * Parameter("a") - np.pi / 4,)
    assert circuit.instructions[1].angles == (-x + 1,)
    assert circuit.instructions[2].angles == ((Parameter("a") + 1) / -2,)
    assert circuit.instructions[3].angles == (2.0,)


def test_modifiers_definitions_and_broadcasting():
    text = """
    OPENQASM 3.0;
    gate twist(t) a, b { rz(t/2) a; cx a, b; inv @ s b; }
    qubit[2] q; qubit r;
    h q;
    cx q, r;              // once per element
    twist(0.5) q[0], r;
    inv @ twist(0.5) q[1], r;
    ctrl @ z q[0], q[1];
    ctrl(2) @ p(0.3) q[0], q[1], r;
    ctrl @ inv @ rx(0.2) q[0], q[1];
    """
    twist = Circuit(3).rz(0.25, 0).cx(0, 2).sdg(2)
    expected = Circuit(3).h(0).h(1).cx(0, 2).cx(1, 2) + twist
    expected += Circuit(3).s(2).cx(1, 2).rz(-0.25, 1)
    expected = expected.cz(0, 1).mcp(0.3, (0, 1, 2)).crx(-0.2, 0, 1)
    assert from_openqasm(text) == expected


def test_the_older_language_is_read_too():
    text = """
    OPENQASM 2.0; include "qelib1.inc"; qreg a[1]; qreg b[2]; creg c[3];
    u3(pi/2, 0, pi) a[0]; cu1(pi/4) a[0], b[1]; barrier a, b; u2(0, pi) b[0];
    measure a[0] -> c[0]; measure b -> c;
    """
    half = np.pi / 2
    expected = Circuit(3).u(half, 0, np.pi, 0).cp(half / 2, 0, 2).u(half, 0, np.pi, 1)
    assert from_openqasm(text) == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("qubit q; reset q;", "reset"),
        ("qubit q; frobnicate q;", "no gate 'frobnicate'"),
        ("qubit q; x r;", "no qubit 'r'"),
        ("qubit[2] q; x q[2];", "outside"),
        ("qubit q; input float a; rx(sin(a)) q;", "linear"),
        ("qubit q; input float a; rx(a*a) q;", "linear"),
        ("qubit q; rx(1/0) q;", "linear"),
        ("qubit q; bit c; c = measure q; x q;", "measurement"),
        ("qubit[2] q; qubit[3] r; cx q, r;", "different sizes"),
        ("qubit q; qubit r; ctrl @ t q, r;", "no controlled t"),
        ("qubit q; for uint i in [0:3] { x q; }", "cannot read"),
        ("", "no qubits"),
    ],
)
def test_what_has_no_counterpart_is_named(body, message):
    with pytest.raises(ConversionError, match=message):
        from_openqasm(f"OPENQASM 3.0; {body}")


def test_a_parameter_named_like_a_gate_cannot_be_written():
    with pytest.raises(ConversionError, match=r"\['x'\]"):
        to_openqasm(Circuit(1).ry("x", 0))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("gate two a, b { cx a, b; } qubit q; two q;", "0 angles and 2 qubits, not 0 and 1"),
        ("gate turn(t) a { rx(t) a; } qubit q; turn q;", "turn takes 1 angles and 1 qubits"),
        ("gate loop a { loop a; } qubit q; loop q;", "loop is defined by itself"),
        ("gate one a { two a; } gate two a { one a; } qubit q; two q;", "defined by itself"),
        ("qubit q; qubit[2] q; x q;", "two registers 'q'"),
        ("qubit q; rx(log(0)) q;", "log"),
        ("qubit q; rx(sqrt(-1)) q;", "sqrt"),
        ("qubit q; rx(exp(1000)) q;", "exp"),
        ("qubit q; rx((-8)^(1/3)) q;", "-8"),
        ("qubit q; rx(1e999) q;", "finite"),
        ("qubit q; rx('a') q;", "no number"),
        ("qubit q; rx(1, 2) q;", "1 angles"),
        ("qubit q; rx q;", "1 angles"),
        ("qubit[2] q; cx q[0], q[0];", "different qubits"),
        ("qubit[2] q; ctrl @ x q[0], q[0];", "different qubits"),
        ("qubit[2] q; ctrl(3) @ x q[0], q[1];", "acts on 1 qubits"),
        ("qubit q; pow(2) @ x q;", "modifier 'pow' is not known"),
        ("qubit q; negctrl @ x q;", "modifier 'negctrl'"),
        ("qubit q; rx(sin(1) q;", "stays open"),
        ("qubit q; x q", "cannot read"),
        ("qubit q; rx(nothing(1)) q;", "nothing"),
        ("qubit q; rx(" + "(" * 300 + "1" + ")" * 300 + ") q;", "no number|cannot read|no qubit"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_program_is_said(body, message):
    with pytest.raises(ConversionError, match=message):
        from_openqasm(f"OPENQASM 3.0; {body}")


@given(st.text(alphabet="qxhrzcu(){}[];,@ 0123./*-+^\npi gate qubit ctrl inv measure", max_size=80))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_no_text_does_worse_than_being_refused(text):
    try:
        circuit = from_openqasm("qubit[3] q; " + text)
    except ConversionError as error:
        assert str(error)
    else:
        assert circuit.n_qubits >= 3


@pytest.mark.parametrize("name", ["lambda", "None", "if_", "class", "a0", "q0", "theta_1"])
def test_parameters_may_be_called_like_words_of_python(name):
    circuit = Circuit(1).rx(2 * Parameter(name) - 1, 0)
    text = to_openqasm(circuit)
    assert from_openqasm(text) == circuit
    assert [p.name for p in qiskit.qasm3.loads(text).parameters] == [name]


@pytest.mark.parametrize("name", ["reset", "measure", "float", "qubit", "if", "for", "ctrl", "x"])
def test_parameters_may_not_be_called_like_words_of_the_language(name):
    with pytest.raises(ConversionError, match="rename"):
        to_openqasm(Circuit(1).rx(name, 0))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1e-3", 1e-3), ("-2.5E+1", -25.0), ("pi/2 + tau", 2.5 * np.pi), ("2^3^0", 2.0),
        ("-(1 - 2)*3", 3.0), ("cos(pi)", -1.0), ("arccos(-1) - π", 0.0), ("ln(euler)", 1.0),
        ("sqrt(2) * sqrt(2)", 2.0), ("sin(cos(0) - 1)", 0.0), (".5", 0.5), ("+1", 1.0),
    ],
)  # fmt: skip
def test_numbers_are_calculated(expression, value):
    circuit = from_openqasm(f"qubit q; rx({expression}) q;")
    assert circuit.instructions[0].angles[0] == pytest.approx(value, abs=1e-12)


@given(scale=st.floats(-1e3, 1e3).filter(lambda s: abs(s) > 1e-6), offset=st.floats(-1e3, 1e3))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_every_digit_of_an_angle_survives(scale, offset):
    circuit = Circuit(1).rx(Parameter("a", scale, offset), 0).rz(offset, 0)
    assert from_openqasm(to_openqasm(circuit)) == circuit


@pytest.mark.parametrize("name", sorted(GATES))
def test_every_gate_alone_reaches_another_reader(name):
    gate = GATES[name]
    size = gate.n_qubits or 3
    word = "XYZ" if name == "pauli" else ""
    angles = [0.4, -1.2, 2.2][: gate.n_angles]
    circuit = Circuit(3).gate(name, range(size), angles, word)
    theirs = Operator(qiskit.qasm3.loads(to_openqasm(circuit)).reverse_bits()).data
    assert same(theirs, unitary(circuit).numpy())


def test_a_program_may_be_written_on_one_line_and_with_comments():
    text = "/* two\nlines */OPENQASM 3.0;qubit[2] q;h q[0];// the rest\ncx q[0],q[1];"
    assert from_openqasm(text) == Circuit(2).h(0).cx(0, 1)


def test_registers_follow_each_other_in_the_order_they_are_declared():
    text = "qubit[2] b; qubit a; x a; y b[1]; measure b;"
    assert from_openqasm(text) == Circuit(3).x(2).y(1)


# What a program says itself

TWO = Circuit(2).cx(0, 1).rz(1.0, 1)


@pytest.mark.parametrize(
    ("definition", "call", "expected"),
    [
        ("gate h a { x a; }", "h q[0]", Circuit(2).x(0)),
        ("gate xy(t) a, b { h a; cx a, b; }", "xy(1.0) q[0], q[1]", Circuit(2).h(0).cx(0, 1)),
        (
            "gate ms(t) a, b { cx a, b; rz(t) b; }",
            "ms(1) q[0], q[1]",
            Circuit(2).cx(0, 1).rz(1.0, 1),
        ),
        ("gate pauli_x(t) a { rz(t) a; }", "pauli_x(1) q[1]", Circuit(2).rz(1.0, 1)),
        ("gate pauli_fly a { y a; }", "pauli_fly q[1]", Circuit(2).y(1)),
        ("gate cx a, b { CX a, b; }", "cx q[1], q[0]", Circuit(2).cx(1, 0)),
    ],
)
def test_a_gate_means_what_the_program_says(definition, call, expected):
    assert from_openqasm(f"{definition} qubit[2] q; {call};") == expected


def test_another_definition_of_our_gate_is_the_same_unitary():
    text = "gate rzz(t) a, b { cx b, a; rz(t) a; cx b, a; } qubit[2] q; rzz(0.7) q[0], q[1];"
    circuit = from_openqasm(text)
    assert circuit == Circuit(2).cx(1, 0).rz(0.7, 0).cx(1, 0)
    assert same(unitary(circuit).numpy(), unitary(Circuit(2).rzz(0.7, 0, 1)).numpy())


def test_our_definition_in_terms_of_gates_that_mean_something_else_is_theirs():
    ccz = next(line for line in to_openqasm(Circuit(3).ccz(0, 1, 2)).splitlines() if "ccz" in line)
    circuit = from_openqasm(f"gate h a {{ y a; }} {ccz} qubit[3] q; ccz q[0], q[1], q[2];")
    assert circuit == Circuit(3).y(2).ccx(0, 1, 2).y(2)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('include "stdgates.inc"; gate h a { x a; } qubit q; h q;', "defines h, which stdgates"),
        ('gate u2(a, b) r { x r; } include "stdgates.inc"; qubit q; x q;', "defines u2, which"),
        ("gate two a { x a; } gate two a { y a; } qubit q; two q;", "two is defined twice"),
        ("gate g a { gphase(1); x a; } qubit[2] q; ctrl @ g q[0], q[1];", "phase of its own"),
        ("qubit q; bit c = measure q; x q;", "follows a measurement"),
        ("qubit[2] q; bit[2] c = measure q; x q[1];", "follows a measurement"),
        ("gate g(t) a { rx(t) a; } qubit q; g(2) q; rx(t) q;", "nothing declares 't'"),
        ("gate g a { rx(s) a; } qubit q; g q;", "nothing declares 's'"),
        ("input float a; input float a; qubit q; rx(a) q;", "two values 'a'"),
        ("const int n = 3; qubit q; rx(n) q;", "const int n = 3"),
    ],
)
def test_what_would_read_as_another_circuit_is_refused(body, message):
    with pytest.raises(ConversionError, match=message):
        from_openqasm(f"OPENQASM 3.0; {body}")


def test_constants_are_numbers_and_asides_are_skipped():
    text = """OPENQASM 3.0;
    pragma of somebody else's
    #pragma and another
    const float[64] third = pi / 3;
    input float a;
    qubit[2] q;
    @hint of no account
    rx(2 * third) q[0];
    rz(a - third) q[1];
    bit[2] c = measure q;
    """
    third = np.pi / 3
    assert from_openqasm(text) == Circuit(2).rx(2 * third, 0).rz(Parameter("a") - third, 1)
