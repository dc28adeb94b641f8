"""Both halves of each method, and that they gain on a noisy device."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.backends.base import Batch, Measured, batch_of
from quantum.backends.cache import FileCache
from quantum.backends.ibm import IBMBackend, IBMOptions
from quantum.backends.noisy import NoisyBackend, load_calibration, place
from quantum.backends.run import expectations, run
from quantum.backends.simulated import mock
from quantum.circuit import Circuit
from quantum.errors import InvalidValues
from quantum.mitigation import (
    PauliTwirling,
    ReadoutMitigation,
    ZeroNoise,
    exponential,
    fold_gates,
    linear,
    richardson,
    twirl,
)
from quantum.observable import X, Z
from quantum.simulator.gate_by_gate import unitary
from tests.quantum.random_circuits import random_circuit, random_numbers, without_phase

CIRCUIT = Circuit(3).ry("a", 0).cx(0, 1).rx("b", 2).rzz(0.4, 1, 2).cx(1, 2)
VALUES = torch.tensor([[0.3, 0.5], [1.0, 2.0]], dtype=torch.float64)
OBSERVABLES = (Z(0) @ Z(1), X(2) + 0.5 * Z(0))


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0, 3.0, 4.4])
def test_folding_keeps_the_unitary_and_scales_the_gates(scale):
    circuit = random_circuit(3, n_qubits=3, n_gates=20)
    circuit = circuit.bind(random_numbers(circuit, 3))
    folded = fold_gates(circuit, scale)
    assert len(folded.instructions) == pytest.approx(scale * 20, abs=1)
    pair = [without_phase(unitary(c).numpy()) for c in (circuit, folded)]
    assert np.allclose(*pair, atol=1e-9)


def test_noise_cannot_be_folded_away():
    with pytest.raises(InvalidValues, match="by 1 or more"):
        fold_gates(CIRCUIT, 0.5)
    with pytest.raises(InvalidValues, match="observables"):
        ZeroNoise().construct_circuits(batch_of(CIRCUIT, VALUES, shots=3))


def test_each_extrapolation_is_exact_for_its_own_kind():
    scales = (1.0, 2.0, 3.0)
    assert linear(scales, [0.9 - 0.1 * s for s in scales]) == pytest.approx(0.9)
    assert richardson(scales, [0.9 - 0.2 * s + 0.03 * s**2 for s in scales]) == pytest.approx(0.9)
    for sign in (1, -1):
        decay = [sign * 0.9 * np.exp(-0.3 * s) for s in scales]
        assert exponential(scales, decay) == pytest.approx(sign * 0.9)
    assert exponential(scales, [0.1, -0.1, -0.3]) == pytest.approx(0.3)  # no decay: the line


@pytest.mark.parametrize("extrapolate", [linear, richardson, exponential])
def test_without_noise_nothing_is_changed(extrapolate):
    batch = batch_of([CIRCUIT, CIRCUIT.x(0)], [VALUES, VALUES], observables=OBSERVABLES)
    method = ZeroNoise(extrapolate=extrapolate)
    found = method.combine_results(batch, run(mock(), method.construct_circuits(batch)))
    plain = run(mock(), batch)
    assert np.allclose([m.means for m in found], [m.means for m in plain], atol=1e-6)


def test_the_statistical_error_grows_as_it_must():
    method = ZeroNoise(scales=(1.0, 3.0), extrapolate=linear)
    runs = [Measured(means=(0.8,), errors=(0.01,)), Measured(means=(0.6,), errors=(0.02,))]
    batch = batch_of(Circuit(1), observables=(Z(0),), shots=10)
    (found,) = method.combine_results(batch, runs)
    assert found.means[0] == pytest.approx(0.9)
    assert found.errors[0] == pytest.approx(
        ((1.5 * 0.01) ** 2 + (0.5 * 0.02) ** 2) ** 0.5, rel=1e-3
    )


def confused(counts, rates, seed=0):
    """The counts with each bit misread: (0 as 1, 1 as 0) per qubit."""
    chance = Random(seed)
    found: dict[str, int] = {}
    for bits, count in counts.items():
        for _ in range(count):
            read = "".join(
                str(int(b) ^ (chance.random() < rates[q][int(b)])) for q, b in enumerate(bits)
            )
            found[read] = found.get(read, 0) + 1
    return found


def test_readout_errors_are_divided_out():
    rates = [(0.02, 0.1), (0.05, 0.08), (0.01, 0.03)]
    both = ReadoutMitigation.construct_circuits(batch_of(Circuit(3).h(0), shots=5))
    assert [one.counts for one in run(mock(), both)] == [{"000": 5}, {"111": 5}]
    calibration = [Measured(confused({bits: 20_000}, rates)) for bits in ("000", "111")]
    method = ReadoutMitigation.calibrate(calibration)
    assert np.allclose(method.confusion[0], [[0.98, 0.1], [0.02, 0.9]], atol=0.01)
    read = confused({"000": 10_000, "111": 10_000}, rates, seed=1)
    mended = method.combine_results(read)
    assert sum(mended.values()) == pytest.approx(1)
    assert mended["000"] == pytest.approx(0.5, abs=0.02)
    assert method.mean([0, 2], read) == pytest.approx(1.0, abs=0.02)
    assert method.mean([0], read) == pytest.approx(0.0, abs=0.02)


def test_a_calibration_that_says_nothing_is_refused():
    with pytest.raises(InvalidValues, match="random"):
        ReadoutMitigation.calibrate([Measured({"0": 50, "1": 50})] * 2)
    with pytest.raises(InvalidValues, match="shots"):
        ReadoutMitigation.calibrate([Measured({}), Measured({"1": 4})])


@pytest.mark.parametrize("seed", range(8))
def test_twirled_circuits_are_the_same_unitary(seed):
    circuit = Circuit(3).h(0).cx(0, 1).t(1).cx(2, 1).ry(0.3, 2).cx(1, 0)
    pair = [without_phase(unitary(c).numpy()) for c in (circuit, twirl(circuit, Random(seed)))]
    assert np.allclose(*pair, atol=1e-9)


def test_twirled_copies_differ_and_are_put_together():
    batch = batch_of(CIRCUIT, VALUES, observables=OBSERVABLES)
    method = PauliTwirling(copies=4, seed=1)
    constructed = method.construct_circuits(batch)
    assert len(set(constructed.circuits)) > 1 and len(constructed.circuits) == 4
    found = method.combine_results(batch, run(mock(), constructed))
    assert np.allclose([m.means for m in found], [m.means for m in run(mock(), batch)])
    counted = batch_of(Circuit(2).x(0).cx(0, 1), shots=40)
    (together,) = method.combine_results(counted, run(mock(), method.construct_circuits(counted)))
    assert together.counts == {"11": 40}


def test_zero_noise_gains_on_the_noisy_device():
    circuit = Circuit(4).ry("a", 0)
    for _ in range(3):
        circuit = circuit.cx(0, 1).cx(1, 2).cx(2, 3).ry(0.2, 2)
    values = torch.linspace(0.1, 0.9, 4, dtype=torch.float64)[:, None]
    observables = (Z(0) @ Z(1), Z(2), Z(0) @ Z(3))
    exact = expectations(mock(), circuit, values, observables).numpy()
    batch = batch_of(circuit, values, observables=observables, shots=20_000, seed=3)
    method = ZeroNoise(extrapolate=exponential)
    plain = np.array([m.means for m in run(NoisyBackend(), batch)])
    mended = method.combine_results(batch, run(NoisyBackend(), method.construct_circuits(batch)))
    before = np.abs(plain - exact).mean()
    after = np.abs(np.array([m.means for m in mended]) - exact).mean()
    assert after < 0.7 * before


def test_twirling_gains_where_errors_are_the_same_every_time():
    """Eight pairs of CNOTs on |+⟩, each turning it by the same angle: apart they nearly cancel."""
    pair = Circuit(2).cx(0, 1).cx(0, 1).instructions
    batch = batch_of(
        Circuit(2, Circuit(2).h(0).instructions + pair * 8),
        observables=(X(0),), shots=16_000, seed=5,
    )  # fmt: skip
    backend = NoisyBackend(crosstalk=0.1, trajectories=200)
    (plain,) = run(backend, batch)
    method = PauliTwirling(copies=16)
    (mended,) = method.combine_results(batch, run(backend, method.construct_circuits(batch)))
    assert 1 - mended.means[0] < 0.7 * (1 - plain.means[0])


def test_readout_mitigation_gains_on_the_noisy_device():
    backend = NoisyBackend()
    batch = batch_of(Circuit(4).x(0).x(1).x(2).x(3), shots=20_000, seed=9)
    both = ReadoutMitigation.construct_circuits(replace(batch, seed=None))
    method = ReadoutMitigation.calibrate(run(backend, both))
    (found,) = run(backend, batch)
    plain = ReadoutMitigation(np.stack([np.eye(2)] * 4)).mean([0, 1, 2], found.counts)
    assert abs(method.mean([0, 1, 2], found.counts) + 1) < 0.2 * abs(plain + 1)


STAR = Circuit(4).ry("a", 2).cx(2, 0).cx(2, 1).cx(2, 3).cx(0, 3)


def test_readout_is_calibrated_on_the_qubits_that_the_circuit_is_read_on():
    calibration, values = load_calibration(), torch.ones(1, 1, dtype=torch.float64)
    routed = place(STAR, calibration)
    read_on = [routed.chosen[place] for place in routed.places]
    assert read_on != [place(Circuit(4), calibration).chosen[q] for q in range(4)]
    both = ReadoutMitigation.construct_circuits(batch_of(STAR, values, shots=40_000, seed=1))
    again = Batch.from_json(both.to_json())  # as after a restart
    method = ReadoutMitigation.calibrate(run(NoisyBackend(), again))
    qubits = [calibration.qubits[number] for number in read_on]
    assert np.allclose(method.confusion[:, 1, 0], [q.reads_0_as_1 for q in qubits], atol=0.004)
    assert np.allclose(method.confusion[:, 0, 1], [q.reads_1_as_0 for q in qubits], atol=0.006)


@pytest.mark.parametrize("level", [0, 2, 3])
def test_ibm_reads_a_calibration_on_the_circuits_qubits(level, tmp_path):
    options = IBMOptions(device="fake_guadalupe", optimization_level=level)
    backend = IBMBackend(options=options, cache=FileCache(tmp_path))
    batch = batch_of(STAR, torch.ones(1, 1, dtype=torch.float64), shots=50)
    both = ReadoutMitigation.construct_circuits(batch)

    def read_on(circuit, batch):
        return backend.compile(circuit, backend._device(), batch).layout.final_index_layout()

    places = read_on(STAR, batch)
    assert [read_on(circuit, both) for circuit in both.circuits] == [places] * 2
    assert any(read_on(circuit, replace(both, placed_as=None)) != places
               for circuit in both.circuits)  # fmt: skip


def test_readout_is_calibrated_for_the_counts_of_one_circuit():
    wrong = batch_of([STAR.bind({"a": 1.0})] * 2), batch_of(Circuit(1), observables=(Z(0),))
    for batch in wrong:
        with pytest.raises(InvalidValues, match="one circuit at a time"):
            ReadoutMitigation.construct_circuits(batch)
    for circuit in (Circuit(3), Circuit(4).cx(0, 1)):
        with pytest.raises(InvalidValues, match="has as many, and no gate on two"):
            batch_of(circuit, placed_as=STAR)


@given(seed=st.integers(0, 10**6), scale=st.floats(1, 6))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_any_circuit_folds_into_itself(seed, scale):
    circuit = random_circuit(seed, n_qubits=3, n_gates=9, free=False)
    folded = fold_gates(circuit, scale)
    assert np.allclose(unitary(folded).numpy(), unitary(circuit).numpy(), atol=1e-9)
    assert abs(len(folded.instructions) - 9 * scale) <= 1.0001
    assert fold_gates(circuit, 1.0) == circuit


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 1.0), (1.0, 2.0, 2.0), (0.5, 1.0), ()])
def test_scales_are_different_and_from_one_upwards(scales):
    with pytest.raises(InvalidValues, match="different scales from 1 upwards"):
        ZeroNoise(scales)


@given(
    true=st.floats(-1, 1),
    slope=st.floats(-0.3, 0.3),
    bend=st.floats(-0.05, 0.05),
    factor=st.floats(0.1, 5),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_extrapolations_are_linear_in_the_values_and_exact_for_their_curves(
    true, slope, bend, factor
):
    scales = (1.0, 2.0, 3.0)
    line = [true + slope * s for s in scales]
    curve = [v + bend * s**2 for v, s in zip(line, scales, strict=True)]
    assert linear(scales, line) == pytest.approx(true, abs=1e-9)
    assert richardson(scales, curve) == pytest.approx(true, abs=1e-9)
    for method in (linear, richardson):
        scaled = method(scales, [factor * v for v in curve])
        assert scaled == pytest.approx(factor * method(scales, curve), abs=1e-9)


@pytest.mark.parametrize("method", [linear, richardson, exponential])
def test_what_noise_does_not_touch_stays(method):
    for value in (0.7, -0.4, 1.0):
        assert method((1.0, 2.0, 3.0), [value] * 3) == pytest.approx(value)


@pytest.mark.parametrize("copies", [0, -2])
def test_twirling_takes_copies(copies):
    with pytest.raises(InvalidValues, match="one copy or more"):
        PauliTwirling(copies=copies)


def test_a_seed_gives_the_same_twirls():
    batch = batch_of(CIRCUIT, VALUES, observables=OBSERVABLES)
    first, again, other = (
        PauliTwirling(copies=3, seed=s).construct_circuits(batch) for s in (1, 1, 2)
    )
    assert first.circuits == again.circuits != other.circuits


def calibrated(rates: list[tuple[float, float]]) -> ReadoutMitigation:
    """(0 read as 1, 1 read as 0) of every qubit, known exactly."""
    return ReadoutMitigation(np.array([[[1 - a, b], [a, 1 - b]] for a, b in rates]))


@given(
    rates=st.lists(st.tuples(st.floats(0, 0.3), st.floats(0, 0.3)), min_size=2, max_size=2),
    chances=st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_exact_misreadings_are_undone_exactly(rates, chances):
    method = calibrated(rates)
    true = np.array(chances) / sum(chances)
    read = np.kron(*method.confusion) @ true
    counts = {f"{i:02b}": round(p * 10**9) for i, p in enumerate(read)}
    found = method.combine_results(counts)
    assert [found.get(f"{i:02b}", 0.0) for i in range(4)] == pytest.approx(true, abs=1e-6)
    signs = np.array([1, -1, -1, 1])
    assert method.mean([0, 1], counts) == pytest.approx(signs @ true, abs=1e-6)
    assert method.mean([], counts) == pytest.approx(1)


@pytest.mark.parametrize(
    ("counts", "message"), [({}, "no shots"), ({"0": 4}, "2 qubits are calibrated, but '0'")]
)
def test_counts_must_be_of_the_calibrated_qubits(counts, message):
    method = calibrated([(0.1, 0.1), (0.0, 0.2)])
    for attempt in (lambda: method.combine_results(counts), lambda: method.mean([0], counts)):
        with pytest.raises(InvalidValues, match=message):
            attempt()


def test_folds_reach_a_device_where_its_compiler_is_told_to_leave_them(tmp_path):
    """As the docstring says: at IBM's level 0 and in IonQ's own gates, and not at IBM's level 2."""
    from quantum.backends.ibm import IBMBackend, IBMOptions
    from quantum.backends.ionq_native import compile_native

    bell = Circuit(2).h(0).cx(0, 1)
    batch = batch_of(bell, observables=(Z(0) @ Z(1),))
    folded = fold_gates(bell, 3.0)

    def pairs(circuit: Circuit, level: int) -> int:
        options = IBMOptions(device="fake_sherbrooke", optimization_level=level)
        backend = IBMBackend(options=options)
        program = backend.compile(circuit, backend._fake, batch)
        return sum(count for gate, count in program.count_ops().items() if gate in ("ecr", "cx"))

    assert (pairs(bell, 0), pairs(folded, 0)) == (1, 3)
    assert pairs(folded, 2) < 3
    native = [compile_native(circuit, pair="zz").bind({}) for circuit in (bell, folded)]
    assert [sum(pulse.gate == "zz" for pulse in pulses) for pulses in native] == [1, 3]
