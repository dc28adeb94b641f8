"""IonQ's own gates: the circuit's probabilities for any values, within the machine's angles."""

from math import pi

import cirq
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.ansatz import hardware_efficient
from quantum.backends.ionq_circuits import to_cirq
from quantum.backends.ionq_cirq import _native
from quantum.backends.ionq_native import NativeProgram, compile_native
from quantum.circuit import Circuit
from quantum.simulator import probabilities
from tests.quantum.random_circuits import random_circuit

PAIRS = ["ms", "zz"]
ANGLES = st.floats(-20, 20)


def odds(program: NativeProgram, values: dict[str, float]) -> np.ndarray:
    """Probabilities of the pulses, by Cirq's own matrices of these gates."""
    qubits = cirq.LineQubit.range(program.n_qubits)
    simulator = cirq.Simulator(dtype=np.complex128)
    found = simulator.simulate(_native(program.bind(values)), qubit_order=qubits)
    return np.abs(found.final_state_vector) ** 2


def exact(circuit: Circuit, values: dict[str, float]) -> np.ndarray:
    return probabilities(circuit.bind(values))[0].double().numpy()


def values_of(circuit: Circuit, seed: int) -> dict[str, float]:
    names = (*circuit.weights, *circuit.inputs)
    generator = torch.Generator().manual_seed(seed)
    drawn = 30 * torch.rand(len(names), generator=generator, dtype=torch.float64) - 15
    return dict(zip(names, drawn.tolist(), strict=True))


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("seed", range(8))
def test_every_gate_keeps_its_meaning_for_values_of_any_size(pair, seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=30)
    program = compile_native(circuit, pair=pair)
    for turn in (1, 2):
        values = values_of(circuit, 10 * seed + turn)
        assert np.allclose(odds(program, values), exact(circuit, values), atol=2e-6)


@pytest.mark.parametrize("pair", PAIRS)
@settings(deadline=None, max_examples=25)
@given(angle=ANGLES, before=ANGLES, after=ANGLES)
def test_an_angle_between_two_qubits_stays_within_what_machines_take(pair, angle, before, after):
    circuit = Circuit(2).ry("before", 0).h(1).rzz("angle", 0, 1).rx("after", 0).h(1)
    values = {"angle": angle, "before": before, "after": after}
    program = compile_native(circuit, pair=pair)
    for pulse in program.bind(values):
        assert 0 <= pulse.angle <= 0.25 + 1e-9 and all(0 <= phase <= 1 for phase in pulse.phases)
    assert np.allclose(odds(program, values), exact(circuit, values), atol=2e-6)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("half_turns", [-3, -2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 4.5])
def test_angles_at_the_edges_of_the_range(pair, half_turns):
    circuit = Circuit(2).h(0).rx(0.7, 1).rzz("angle", 0, 1).ry(0.4, 0).ry(1.1, 1)
    values = {"angle": half_turns * pi}
    program = compile_native(circuit, pair=pair)
    assert np.allclose(odds(program, values), exact(circuit, values), atol=2e-6)


def test_turns_about_z_cost_no_pulse():
    circuit = Circuit(1).h(0).rz("a", 0).s(0).t(0).p(0.3, 0).z(0).h(0).rz("b", 0)
    pulses = compile_native(circuit, pair="zz").bind({"a": 0.5, "b": 2.0})
    assert [pulse.gate for pulse in pulses] == ["gpi2", "gpi2"]


@pytest.mark.parametrize(
    ("pair", "gateset"), [("ms", "AriaNativeGateset"), ("zz", "ForteNativeGateset")]
)
def test_fewer_pulses_than_the_vendor_s_compiler_needs(pair, gateset):
    import cirq_ionq

    circuit = hardware_efficient(4, 3)
    values = values_of(circuit, 0)
    theirs = cirq.optimize_for_target_gateset(
        to_cirq(circuit.bind(values)), gateset=getattr(cirq_ionq, gateset)()
    )
    ours = _native(compile_native(circuit, pair=pair).bind(values))
    assert len(list(ours.all_operations())) < 0.8 * len(list(theirs.all_operations()))


@pytest.mark.parametrize("pair", PAIRS)
def test_a_program_survives_its_way_through_bytes(pair):
    circuit = random_circuit(3, n_qubits=3, n_gates=20)
    program = compile_native(circuit, pair=pair)
    values = values_of(circuit, 3)
    assert NativeProgram.from_bytes(program.to_bytes()).bind(values) == program.bind(values)


def test_two_parameters_in_one_phase_both_count():
    """Turns about Z add up: the phase of the last pulse holds both, and neither is lost."""
    circuit = Circuit(1).h(0).rz("a", 0).rz("b", 0).h(0)
    program = compile_native(circuit, pair="zz")
    for a, b in ((0.3, 0.4), (0.7, 0.0), (0.0, 0.7)):
        found = odds(program, {"a": a, "b": b})
        assert found[1] == pytest.approx(np.sin(0.35) ** 2)


def test_a_circuit_without_a_pulse_is_empty():
    assert compile_native(Circuit(3).z(0).rz("a", 1), pair="ms").bind({"a": 1.0}) == []
