"""The device that is not there, against the one it is a picture of."""

import numpy as np
import pytest
import torch

from quantum.backends.base import Handle, batch_of
from quantum.backends.noisy import DeviceNoise, NoisyBackend, load_calibration, place
from quantum.backends.routing import choose_qubits, route
from quantum.backends.run import expectations, run
from quantum.backends.simulated import mock
from quantum.circuit import Circuit
from quantum.decomposition import to_cnots
from quantum.errors import DoesNotFit, InvalidValues
from quantum.gradients import GradientComputer
from quantum.observable import X, Z
from quantum.simulator import run as state
from quantum.simulator.gate_by_gate import unitary
from tests.quantum.random_circuits import random_circuit, random_numbers, without_phase

LINE = {(0, 1): 0.01, (1, 2): 0.02, (2, 3): 0.01, (3, 4): 0.03}
GHZ = Circuit(4).h(0).cx(0, 1).cx(1, 2).cx(2, 3)
DOUBLE = torch.zeros(0, dtype=torch.float64)
NONE = torch.zeros(1, 0, dtype=torch.float64)


def test_the_calibration_says_where_it_comes_from():
    found = load_calibration("guadalupe")
    assert found.device == "ibmq_guadalupe" and "fake_guadalupe" in found.source
    assert len(found.qubits) == 16 and len(found.pairs) == 16
    assert all(0 < q.gate_error < 0.01 and 0 < q.reads_1_as_0 < 0.2 for q in found.qubits)
    with pytest.raises(InvalidValues, match="guadalupe"):
        load_calibration("atlantis")


@pytest.mark.parametrize("trajectories", [8, None])
def test_errors_are_as_large_as_answers_scatter(trajectories):
    """Shots of one trajectory share its jumps: more of them do not average those out."""
    backend, circuit = NoisyBackend(trajectories=trajectories, scale=3.0), Circuit(2).h(0)
    for _ in range(15):
        circuit = circuit.cx(0, 1)
    words = (Z(0) @ Z(1) + Z(0),)
    batch = batch_of(circuit, torch.zeros(150, 0), observables=words, shots=160, seed=3)
    found = run(backend, batch)
    means = torch.tensor([one.means[0] for one in found])
    errors = torch.tensor([one.errors[0] for one in found])
    assert 0.8 < means.std() / (errors**2).mean().sqrt() < 1.2


@pytest.mark.parametrize("seed", range(4))
def test_every_gate_becomes_cnots(seed):
    circuit = random_circuit(seed, n_qubits=4, n_gates=40)
    lowered = to_cnots(circuit)
    assert all(len(i.qubits) == 1 or i.gate == "cx" for i in lowered.instructions)
    numbers = random_numbers(circuit, seed)
    pair = [without_phase(unitary(c.bind(numbers)).numpy()) for c in (circuit, lowered)]
    assert np.allclose(*pair, atol=1e-9)


@pytest.mark.parametrize(
    "name", ["cy", "cz", "ch", "swap", "crx", "cry", "crz", "cp", "ccx", "cswap"]
)
def test_each_common_gate_becomes_cnots(name):
    n_qubits = 3 if name in ("ccx", "cswap") else 2
    angles = [0.7] if name in ("crx", "cry", "crz", "cp") else []
    circuit = Circuit(n_qubits).gate(name, tuple(range(n_qubits))[::-1], angles)
    pair = [without_phase(unitary(c).numpy()) for c in (circuit, to_cnots(circuit))]
    assert np.allclose(*pair, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_routed_gates_join_neighbours_and_mean_the_same(seed):
    circuit = to_cnots(random_circuit(seed, n_qubits=4, n_gates=20))
    circuit = circuit.bind(random_numbers(circuit, seed))
    routed = route(circuit, LINE)
    near = {tuple(sorted(pair)) for pair in LINE}
    for gate in routed.circuit.instructions:
        if len(gate.qubits) == 2:
            assert tuple(sorted(routed.chosen[q] for q in gate.qubits)) in near
    moved = state(routed.circuit, weights=DOUBLE).view([2] * 4).permute(routed.places).flatten()
    pair = [without_phase(s.numpy()) for s in (moved, state(circuit, weights=DOUBLE)[0])]
    assert np.allclose(*pair, atol=1e-9)


def test_without_noise_the_shots_are_those_of_the_simulator():
    circuit = Circuit(4).ry(0.7, 0).cx(0, 2).cx(2, 3).rx(0.4, 1).cx(1, 3).cx(0, 3)
    assert len(place(circuit, load_calibration()).circuit.instructions) > 6  # it needs swaps
    noiseless = NoisyBackend(scale=0.0, trajectories=1)
    observables = (Z(0) @ Z(2), X(1) + Z(3))
    found = expectations(noiseless, circuit, NONE, observables, shots=8000)
    assert torch.allclose(found, expectations(mock(), circuit, NONE, observables), atol=0.06)


def test_crosstalk_turns_neighbours_the_same_way_every_time():
    pair = Circuit(2).cx(0, 1).cx(0, 1)  # ZZ is a phase between the two, a turn of X(0) behind
    backend = NoisyBackend(scale=0.0, trajectories=1, crosstalk=0.4)
    for n_pairs in (1, 3):
        circuit = Circuit(2, Circuit(2).h(0).instructions + pair.instructions * n_pairs)
        found = expectations(backend, circuit, NONE, (X(0), Z(0)), shots=20_000)
        assert found[0, 0].item() == pytest.approx(np.cos(0.4 * n_pairs), abs=0.03)
        assert found[0, 1].item() == pytest.approx(0.0, abs=0.03)


def test_the_best_connected_qubits_are_chosen():
    assert choose_qubits(2, LINE)[0] in ((0, 1), (2, 3))
    assert choose_qubits(5, LINE)[0] in ((0, 1, 2, 3, 4), (4, 3, 2, 1, 0))
    star = {(0, 1): 0.1, (0, 2): 0.1, (0, 3): 0.1}
    assert sorted(choose_qubits(4, star)[0]) == [0, 1, 2, 3]
    chain = Circuit(4).cx(0, 1).cx(1, 2).cx(2, 3)
    assert route(chain, load_calibration().pair_errors).circuit == chain
    with pytest.raises(DoesNotFit, match="no 6 connected"):
        choose_qubits(6, LINE)


def test_bits_come_back_in_our_order_and_misread_at_the_qubit_s_rate():
    (found,) = run(NoisyBackend(), batch_of(Circuit(3).x(0), shots=4000, seed=1))
    assert max(found.counts, key=found.counts.get) == "100"
    routed = place(Circuit(1).x(0), load_calibration())
    qubit = load_calibration().qubits[routed.chosen[0]]
    (flipped,) = run(NoisyBackend(), batch_of(Circuit(1).x(0), shots=40_000, seed=1))
    expected = qubit.reads_1_as_0 + qubit.gate_error
    assert flipped.counts["0"] / 40_000 == pytest.approx(expected, abs=0.004)


def test_a_seed_gives_the_same_shots_after_a_restart():
    batch = batch_of(GHZ, shots=300, seed=7)
    handle = NoisyBackend().submit(batch)
    again = NoisyBackend().result(Handle.from_json(handle.to_json()))
    assert again == NoisyBackend().result(handle)
    assert again != run(NoisyBackend(), batch_of(GHZ, shots=300, seed=8))


def test_noise_grows_with_the_scale():
    parity = (Z(0) @ Z(1) @ Z(2) @ Z(3),)
    values = [
        float(expectations(NoisyBackend(scale=s), GHZ, NONE, parity, shots=8000))
        for s in (0.0, 1.0, 3.0)
    ]
    assert values[0] == 1.0 and 0.7 < values[1] < 0.97 and values[2] < values[1] - 0.1


def test_it_agrees_with_ibm_s_own_picture_of_the_device():
    """Aer with the noise model of the fake device, on the same qubits, without its optimiser."""
    from qiskit import transpile
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel
    from qiskit_ibm_runtime.fake_provider import FakeGuadalupeV2

    from quantum.backends.ibm_circuits import counts_from_qiskit, to_qiskit

    device = FakeGuadalupeV2()
    routed = place(GHZ, load_calibration())
    program = transpile(
        to_qiskit(GHZ, measure=True),
        device,
        initial_layout=[routed.chosen[p] for p in routed.places],
        optimization_level=0,
    )
    noisy = AerSimulator(noise_model=NoiseModel.from_backend(device), seed_simulator=1)
    shots = 20_000
    theirs = counts_from_qiskit(noisy.run(program, shots=shots).result().get_counts())
    (ours,) = run(NoisyBackend(), batch_of(GHZ, shots=shots, seed=2))
    keys = set(theirs) | set(ours.counts)
    distance = sum(abs(theirs.get(k, 0) - ours.counts.get(k, 0)) for k in keys) / (2 * shots)
    noise = 1 - (theirs["0000"] + theirs["1111"]) / shots
    assert noise > 0.05 and distance < 0.5 * noise


def test_gradients_by_shifts_point_downhill_on_a_noisy_device():
    circuit = Circuit(2).ry("a", 0).cx(0, 1)
    weights = torch.tensor([0.8], dtype=torch.float64)

    def evaluate(circuit, observables, angles):
        return expectations(NoisyBackend(), circuit, angles, observables, shots=8000)

    found = GradientComputer(evaluate=evaluate).jacobian(circuit, (Z(1),), weights=weights)
    assert float(found) == pytest.approx(-np.sin(0.8), abs=0.1)


def test_diagonal_gates_cost_nothing():
    noise = DeviceNoise(calibration=load_calibration(), chosen=(0, 1))
    assert noise.channels("rz", (0,)) == []
    assert noise.channels("cx", (0, 1))[0][0].n_qubits == 2


def test_what_it_takes_is_known_beforehand():
    found = NoisyBackend().capabilities()
    assert found.n_qubits == 16 and 0.005 < found.errors["two_qubit"] < 0.03
    assert NoisyBackend().estimate(batch_of(GHZ, shots=100)).cost == 0
    with pytest.raises(DoesNotFit, match="16 qubits"):
        NoisyBackend().submit(batch_of(Circuit(17).h(0)))
