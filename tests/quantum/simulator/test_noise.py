"""Trajectories against Aer's density matrices, and against what can be said by hand."""

import numpy as np
import pytest
import torch
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel as AerNoise
from qiskit_aer.noise import amplitude_damping_error, depolarizing_error, phase_damping_error

from quantum.backends.ibm_circuits import to_qiskit
from quantum.circuit import Circuit, parameter_input
from quantum.errors import InvalidValues
from quantum.observable import PauliSum, X, Y, Z
from quantum.simulator import expectation, run, sample
from quantum.simulator.gate_by_gate import instruction_matrix
from quantum.simulator.noise import (
    Channel,
    NoiseModel,
    amplitude_damping,
    depolarizing,
    noisy_expectation,
    noisy_sample,
    pauli_channel,
    phase_damping,
    run_trajectories,
    uniform_noise,
)
from tests.quantum.random_circuits import random_circuit
from tests.quantum.simulator.dense import on_register

CIRCUIT = Circuit(3).h(0).cx(0, 1).ry(0.7, 2).cx(1, 2).rx(0.3, 0).sx(1).cx(2, 0)
MODEL = NoiseModel(
    after={"ry": amplitude_damping(0.3), "sx": phase_damping(0.4)},
    default={1: depolarizing(0.05), 2: depolarizing(0.1, n_qubits=2)},
)
DOUBLE = torch.zeros(0, dtype=torch.float64)


def aer_density() -> np.ndarray:
    noise = AerNoise()
    # Qiskit's depolarizing parameter counts the identity among the words.
    noise.add_all_qubit_quantum_error(depolarizing_error(0.05 * 4 / 3, 1), ["h", "rx"])
    noise.add_all_qubit_quantum_error(depolarizing_error(0.1 * 16 / 15, 2), ["cx"])
    noise.add_all_qubit_quantum_error(amplitude_damping_error(0.3), ["ry"])
    noise.add_all_qubit_quantum_error(phase_damping_error(0.64), ["sx"])
    program = to_qiskit(CIRCUIT).reverse_bits()
    program.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", noise_model=noise, max_parallel_threads=1)
    return np.asarray(simulator.run(program).result().data(0)["density_matrix"])


def test_expectations_agree_with_density_matrices():
    observables = [Z(0), X(0) @ X(1), Y(1) @ Z(2), Z(0) @ Z(1) @ Z(2)]
    found, errors = noisy_expectation(
        CIRCUIT, observables, MODEL, trajectories=4000, seed=1, weights=DOUBLE
    )
    density = aer_density()
    expected = [np.trace(density @ o.matrix(3)).real for o in observables]
    assert errors.max() < 0.02
    assert ((found - torch.tensor(expected)).abs() < 5 * errors + 1e-9).all()


def test_samples_agree_with_density_matrices_and_misread_bits():
    readout = torch.tensor([[0.95, 0.05], [0.1, 0.9]], dtype=torch.float64)
    model = NoiseModel(MODEL.after, MODEL.default, readout)
    shots = 20_000
    drawn = noisy_sample(CIRCUIT, model, shots=shots, trajectories=4000, seed=2)
    found = np.bincount(drawn.numpy(), minlength=8) / shots
    one = readout.numpy().T
    expected = np.kron(np.kron(one, one), one) @ np.diag(aer_density()).real
    assert np.abs(found - expected).max() < 0.02


def test_a_seed_gives_the_same_trajectories():
    states = [run_trajectories(CIRCUIT, MODEL, trajectories=5, seed=s) for s in (1, 1, 2)]
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])
    shots = [noisy_sample(CIRCUIT, MODEL, shots=50, seed=s) for s in (1, 1, 2)]
    assert torch.equal(shots[0], shots[1]) and not torch.equal(shots[0], shots[2])


def test_trajectories_stay_normalised():
    states = run_trajectories(CIRCUIT, MODEL, trajectories=50, seed=0, weights=DOUBLE)
    assert torch.allclose(states.abs().square().sum(1), torch.ones(50, dtype=torch.float64))


def test_without_noise_nothing_changes():
    silent = uniform_noise()
    circuit = Circuit(2).ry("a", 0).cx(0, 1).rx(parameter_input("x"), 1)
    values = {"weights": torch.tensor([0.4]), "inputs": torch.tensor([0.2])}
    states = run_trajectories(circuit, silent, trajectories=3, seed=0, **values)
    assert torch.allclose(states, run(circuit, **values).expand(3, -1), atol=1e-6)


def test_full_damping_empties_and_full_flips_invert():
    down = NoiseModel(after={"x": amplitude_damping(1.0)})
    assert noisy_sample(Circuit(1).x(0), down, shots=20, seed=0).sum() == 0
    flip = NoiseModel(after={"id": pauli_channel(1.0, 0.0, 0.0)})
    assert noisy_sample(Circuit(1).gate("id", (0,)), flip, shots=20, seed=0).sum() == 20


def test_a_channel_on_one_qubit_follows_each_qubit_of_a_gate():
    model = NoiseModel(after={"cx": pauli_channel(1.0, 0.0, 0.0)})
    drawn = noisy_sample(Circuit(2).cx(0, 1), model, shots=10, seed=0)
    assert set(drawn.tolist()) == {0b11}


def test_depolarizing_shrinks_every_word():
    model = uniform_noise(one_qubit=0.3)
    found, error = noisy_expectation(Circuit(1).x(0), [Z(0)], model, trajectories=20_000, seed=4)
    assert found.item() == pytest.approx(-(1 - 0.3 * 4 / 3), abs=5 * error.item())


def test_constants_have_no_error():
    _, error = noisy_expectation(CIRCUIT, [PauliSum() + 2], MODEL, trajectories=10, seed=0)
    assert error.item() < 1e-6


def test_uniform_readout_errors_flip_at_their_rate():
    drawn = noisy_sample(
        Circuit(1), uniform_noise(readout=0.2), shots=50_000, trajectories=1, seed=1
    )
    assert drawn.float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert sample(Circuit(1), shots=10, seed=0).sum() == 0


@pytest.mark.parametrize("make", [depolarizing, amplitude_damping, phase_damping])
def test_probabilities_are_checked(make):
    with pytest.raises(InvalidValues, match="between 0 and 1"):
        make(1.5)


def test_channels_must_fit_their_gate():
    model = NoiseModel(after={"x": depolarizing(0.1, n_qubits=2)})
    with pytest.raises(InvalidValues, match="2 qubits cannot follow x"):
        run_trajectories(Circuit(1).x(0), model, trajectories=1, seed=0)


ONE_QUBIT = [
    depolarizing(0.3), pauli_channel(0.1, 0.2, 0.05), amplitude_damping(0.4), phase_damping(0.6)
]  # fmt: skip


@pytest.mark.parametrize("channel", [*ONE_QUBIT, depolarizing(0.2, n_qubits=2)])
def test_channels_keep_the_trace(channel):
    """Σ K† K = 1, with K = sqrt(p) U where the odds are fixed."""
    odds = (
        torch.ones(len(channel.kraus)) if channel.probabilities is None else channel.probabilities
    )
    total = sum(p * k.mH @ k for p, k in zip(odds, channel.kraus, strict=True))
    assert torch.allclose(total, torch.eye(2**channel.n_qubits, dtype=total.dtype))


def through(channel, density: np.ndarray, qubit: int, n_qubits: int) -> np.ndarray:
    odds = np.ones(len(channel.kraus)) if channel.probabilities is None else channel.probabilities
    total = np.zeros_like(density)
    for p, kraus in zip(odds, channel.kraus.numpy(), strict=True):
        full = on_register(kraus, (qubit,), n_qubits)
        total = total + float(p) * full @ density @ full.conj().T
    return total


@pytest.mark.parametrize("channel", ONE_QUBIT)
@pytest.mark.parametrize("seed", [0, 1])
def test_trajectories_tend_to_the_density_matrix_of_any_circuit(channel, seed):
    circuit = random_circuit(seed, n_qubits=2, n_gates=6, free=False)
    noise = NoiseModel(default={1: channel, 2: channel})
    density = np.zeros((4, 4), dtype=complex)
    density[0, 0] = 1
    for gate in circuit.instructions:
        matrix = instruction_matrix(gate, circuit, DOUBLE[None], DOUBLE[None])[0].numpy()
        full = on_register(matrix, gate.qubits, 2)
        density = full @ density @ full.conj().T
        for qubit in gate.qubits:
            density = through(channel, density, qubit, 2)
    states = run_trajectories(circuit, noise, trajectories=6000, seed=seed, weights=DOUBLE)
    found = torch.einsum("ti,tj->ij", states, states.conj()).numpy() / 6000
    assert np.abs(found - density).max() < 0.035


@pytest.mark.parametrize(
    ("channel", "word", "factor"),
    [
        (pauli_channel(0.0, 0.0, 0.1), X(0), 0.8),
        (pauli_channel(0.0, 0.0, 0.1), Z(0), 1.0),
        (pauli_channel(0.1, 0.0, 0.0), Z(0), 0.8),
        (pauli_channel(0.1, 0.2, 0.0), Y(0), 0.8),
        (phase_damping(0.5), X(0), 0.5),
        (amplitude_damping(0.36), X(0), 0.8),
    ],
)
def test_channels_shrink_each_axis_as_they_should(channel, word, factor):
    prepare = {"X": "h", "Y": "sxdg", "Z": "id"}[word.terms[0][0][0][1]]
    circuit = Circuit(1).gate(prepare, (0,))
    start = expectation(circuit, [word])[0, 0].item()
    noise = NoiseModel(after={prepare: channel})
    found, error = noisy_expectation(circuit, [word], noise, trajectories=4000, seed=3)
    assert abs(start) == pytest.approx(1, abs=1e-6)
    assert found.item() == pytest.approx(factor * start, abs=5 * error.item() + 1e-6)


def test_the_standard_error_falls_with_the_root_of_the_trajectories():
    few, many = (
        noisy_expectation(CIRCUIT, [Z(0)], MODEL, trajectories=n, seed=1)[1].item()
        for n in (400, 6400)
    )
    assert few / many == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize("trajectories", [0, -1])
def test_noise_takes_trajectories(trajectories):
    with pytest.raises(InvalidValues, match="one trajectory or more"):
        run_trajectories(CIRCUIT, MODEL, trajectories=trajectories, seed=0)
    with pytest.raises(InvalidValues, match="two trajectories"):
        noisy_expectation(CIRCUIT, [Z(0)], MODEL, trajectories=1, seed=0)


@pytest.mark.parametrize("wrong", [(0.5, 0.4, 0.2), (-0.1, 0.0, 0.0), (float("nan"), 0.0, 0.0)])
def test_odds_of_paulis_are_chances(wrong):
    with pytest.raises(InvalidValues, match="between 0 and 1"):
        pauli_channel(*wrong)


def test_shots_may_be_spread_over_fewer_trajectories():
    for shots, trajectories in ((7, 3), (3, 7), (10, None), (1, 1)):
        drawn = noisy_sample(CIRCUIT, MODEL, shots=shots, trajectories=trajectories, seed=0)
        assert drawn.shape == (shots,)
        assert ((drawn >= 0) & (drawn < 8)).all()


def test_an_entry_of_its_own_goes_before_the_one_for_its_size():
    flip = NoiseModel(
        after={"x": pauli_channel(1.0, 0.0, 0.0)}, default={1: pauli_channel(0.0, 0.0, 0.0)}
    )
    found = [noisy_sample(Circuit(1).gate(g, (0,)), flip, shots=5, seed=0) for g in ("x", "y")]
    assert [drawn.tolist() for drawn in found] == [[0] * 5, [1] * 5]
    assert flip.channels("ccx", (0, 1, 2)) == []


def test_every_operator_of_a_channel_counts_the_first_one_too():
    """X at every gate, in whatever place and however it is given."""
    one = torch.eye(2, dtype=torch.complex128)
    flip = one.flip(0)
    for channel in (
        Channel(flip[None], torch.ones(1, dtype=torch.float64)),
        Channel(torch.stack([flip, one]), torch.tensor([1.0, 0.0], dtype=torch.float64)),
        Channel(flip[None]),
    ):
        model = NoiseModel(default={1: channel})
        assert noisy_sample(Circuit(1).z(0), model, shots=5, seed=0).tolist() == [1] * 5
    often = Channel(torch.stack([flip, one]), torch.tensor([0.25, 0.75], dtype=torch.float64))
    read = noisy_sample(Circuit(1).z(0), NoiseModel(default={1: often}), shots=4000, seed=0)
    assert read.double().mean().item() == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    ("kraus", "odds", "told"),
    [
        ([[[1, 0], [0, 0.5]]], None, "K†K is 1"),
        ([[[1, 0], [0, 0.5]]], [1.0], "unitary"),
        ([[[1, 0], [0, 1]]], [0.5], "sum to 1"),
        ([[[1, 0], [0, 1]]] * 2, [1.5, -0.5], "at least 0"),
    ],
)
def test_what_is_no_channel_is_refused(kraus, odds, told):
    given = None if odds is None else torch.tensor(odds, dtype=torch.float64)
    with pytest.raises(InvalidValues, match=told):
        Channel(torch.tensor(kraus, dtype=torch.complex128), given)
