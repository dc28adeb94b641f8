import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from quantum.ansatz import (
    excitations,
    grover_mixer,
    hardware_efficient,
    links,
    one_hot_state,
    pauli_evolution,
    qaoa,
    strongly_entangling,
    uniform_state,
    unitary_coupled_cluster,
    x_mixer,
    xy_mixer,
)
from quantum.circuit import Circuit
from quantum.errors import InvalidCircuit, InvalidObservable
from quantum.fermions import excitation, number
from quantum.observable import PauliSum, X, Y, Z
from quantum.simulator import expectation, probabilities, run
from quantum.simulator.gate_by_gate import unitary
from tests.quantum.random_circuits import random_circuit


def bound(n_qubits, instructions, value):
    circuit = Circuit(n_qubits, tuple(instructions))
    return unitary(circuit.bind(dict.fromkeys(circuit.weights, value))).numpy()


@pytest.mark.parametrize(("n_qubits", "depth"), [(1, 2), (2, 1), (4, 3)])
def test_sizes_of_the_layered_circuits(n_qubits, depth):
    assert len(hardware_efficient(n_qubits, depth).weights) == 2 * n_qubits * depth
    assert len(strongly_entangling(n_qubits, depth).weights) == 3 * n_qubits * depth
    cnots = hardware_efficient(n_qubits, depth).count_gates()["cx"]
    assert cnots == depth * len(links(n_qubits, "ring"))


def test_topologies():
    assert links(3, "line") == [(0, 1), (1, 2)]
    assert links(3, "ring") == [(0, 1), (1, 2), (2, 0)]
    assert links(2, "ring") == [(0, 1)]
    assert len(links(5, "full")) == 10


def test_reach_grows_from_layer_to_layer():
    pairs = [i.qubits for i in strongly_entangling(4, 3).instructions if i.gate == "cx"]
    assert pairs[::4] == [(0, 1), (0, 2), (0, 3)]


def test_coupled_cluster_starts_from_the_filled_orbitals_and_keeps_electrons_and_spin():
    circuit = unitary_coupled_cluster(6, 2)
    weights = torch.randn(3, len(circuit.weights), dtype=torch.float64)
    up = sum((number(p) for p in (0, 2, 4)), PauliSum())
    down = sum((number(p) for p in (1, 3, 5)), PauliSum())
    values = expectation(circuit, [up, down], weights=weights)
    assert torch.allclose(values, torch.ones(3, 2, dtype=torch.float64))
    start = run(circuit, weights=torch.zeros(1, len(circuit.weights)))[0]
    assert start.abs().argmax() == 0b110000


def test_coupled_cluster_is_the_product_of_its_excitations():
    circuit = unitary_coupled_cluster(4, 2)
    weights = torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64)
    state = np.zeros(16)
    state[0b1100] = 1
    for value, (occupied, virtual) in zip(weights.tolist(), excitations(4, 2), strict=True):
        state = expm(1j * value * excitation(occupied, virtual).matrix(4)) @ state
    assert np.allclose(run(circuit, weights=weights)[0], state)


def test_excitations_keep_the_spin():
    assert excitations(4, 2) == [((0,), (2,)), ((1,), (3,)), ((0, 1), (2, 3))]


def test_evolution_is_exact_where_words_commute():
    generator = 0.3 * Z(0) @ Z(1) - 0.7 * Z(2) + 0.2 * X(0) @ X(1)
    found = bound(3, pauli_evolution(generator, "t"), 1.3)
    assert np.allclose(found, expm(-1.3j * generator.matrix(3)))
    with pytest.raises(InvalidObservable, match="Hermitian"):
        pauli_evolution(1j * Z(0), "t")


def test_mixers_are_what_they_say():
    beta = 0.37
    all_x = sum((X(q) for q in range(3)), PauliSum())
    assert np.allclose(bound(3, x_mixer(3, "b"), beta), expm(-1j * beta * all_x.matrix(3)))
    hop = 0.5 * (X(0) @ X(1) + Y(0) @ Y(1))
    assert np.allclose(bound(2, xy_mixer([(0, 1)], "b"), beta), expm(-1j * beta * hop.matrix(2)))
    initial = one_hot_state(3, [(0, 1, 2)])
    s = run(initial, weights=torch.zeros(0, dtype=torch.float64))[0].numpy()
    projector = np.outer(s, s.conj())
    assert np.allclose(bound(3, grover_mixer(initial, "b"), beta), expm(-1j * beta * projector))


@pytest.mark.parametrize("blocks", [[(0, 1, 2, 3)], [(0, 1), (2, 3)], [(2,), (0, 3, 1)]])
def test_one_hot_states_are_uniform(blocks):
    state = run(one_hot_state(4, blocks), weights=torch.zeros(0, dtype=torch.float64))[0]
    chances = state.abs().square()
    size = np.prod([len(block) for block in blocks])
    found = chances[chances > 1e-12]
    assert len(found) == size and torch.allclose(found, torch.full_like(found, 1 / size))
    for index in (chances > 1e-12).nonzero()[:, 0].tolist():
        bits = f"{index:04b}"
        assert all(sum(bits[q] == "1" for q in block) == 1 for block in blocks)


@pytest.mark.parametrize("mixer", ["xy", "grover"])
def test_constrained_mixers_never_leave_the_one_hot_states(mixer):
    blocks = [(0, 1, 2), (3, 4)]
    cost = 0.4 * Z(0) @ Z(3) - Z(1) + 0.3 * Z(2) @ Z(4) + 2
    initial = one_hot_state(5, blocks)
    circuit = qaoa(cost, initial=initial, depth=2, mixer=mixer, blocks=blocks)
    assert circuit.weights == ("gamma_0", "beta_0", "gamma_1", "beta_1")
    weights = torch.tensor([0.3, 0.8, 0.5, 0.2], dtype=torch.float64)
    before, after = (run(c, weights=w)[0].abs() for c, w in
                     ((initial, weights[:0]), (circuit, weights)))  # fmt: skip
    assert after[before < 1e-9].max() < 1e-12
    assert (after - before).abs().max() > 0.01


def test_a_cost_must_be_diagonal_and_xy_needs_blocks():
    with pytest.raises(InvalidObservable, match="words of Z"):
        qaoa(X(0), initial=uniform_state(1), depth=1)
    with pytest.raises(InvalidCircuit, match="blocks"):
        qaoa(Z(0), initial=uniform_state(1), depth=1, mixer="xy")


@pytest.mark.parametrize(("n_orbitals", "n_electrons"), [(4, 1), (4, 2), (4, 3), (6, 4)])
def test_coupled_cluster_holds_exactly_its_electrons(n_orbitals, n_electrons):
    """Not on average: every basis state in it has that many ones."""
    circuit = unitary_coupled_cluster(n_orbitals, n_electrons)
    weights = torch.randn(
        len(circuit.weights), dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    chances = probabilities(circuit, weights=weights)[0]
    present = (chances > 1e-14).nonzero()[:, 0].tolist()
    assert {index.bit_count() for index in present} == {n_electrons}
    assert len(present) > 1


@pytest.mark.parametrize(("n_orbitals", "n_electrons"), [(2, 3), (4, -1)])
def test_electrons_must_fit_their_orbitals(n_orbitals, n_electrons):
    with pytest.raises(InvalidCircuit, match="electrons do not fit"):
        unitary_coupled_cluster(n_orbitals, n_electrons)


@given(
    seed=st.integers(0, 10**6), beta=st.floats(-3, 3), first=st.sampled_from([(0, 1, 2), (0, 3)])
)
@settings(max_examples=12, deadline=None, derandomize=True)
def test_the_xy_mixer_keeps_the_weight_of_every_block_for_any_state(seed, beta, first):
    start = random_circuit(seed, n_qubits=4, n_gates=20, free=False)
    mixed = start.append(*xy_mixer([first], "b"))
    inside = sum((number(q) for q in first), PauliSum())
    observables = [inside, inside @ inside, *(Z(q) for q in set(range(4)) - set(first))]
    weights = torch.tensor([beta], dtype=torch.float64)
    before = expectation(start, observables, weights=weights[:0])
    assert torch.allclose(expectation(mixed, observables, weights=weights), before, atol=1e-10)


def test_mixers_undo_themselves_backwards():
    initial = one_hot_state(3, [(0, 1, 2)])
    for instructions in (x_mixer(3, "b"), xy_mixer([(0, 1, 2)], "b"), grover_mixer(initial, "b")):
        there, back = bound(3, instructions, 0.7), bound(3, instructions, -0.7)
        reverse = bound(3, [i.inverse() for i in reversed(instructions)], 0.7)
        assert np.allclose(reverse @ there, np.eye(8), atol=1e-12)
        if instructions[0].gate != "xy":  # pairs of a block do not commute
            assert np.allclose(back @ there, np.eye(8), atol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 4, 8])
def test_trotter_steps_come_closer_with_the_square_of_their_number(steps):
    """The error of a first-order product is about t² / steps for the whole time."""
    generator = Z(0) @ Z(1) + 0.7 * X(0) + 0.4 * Y(1)
    exact = expm(-0.5j * generator.matrix(2))
    once = bound(2, pauli_evolution(generator, "t"), 0.5 / steps)
    error = np.linalg.norm(np.linalg.matrix_power(once, steps) - exact, 2)
    assert error < 0.3 / steps
    finer = bound(2, pauli_evolution(generator, "t"), 0.25 / steps)
    halved = np.linalg.norm(np.linalg.matrix_power(finer, 2 * steps) - exact, 2)
    assert 0.4 < halved / error < 0.6


def test_evolution_backwards_is_the_inverse():
    generator = 0.3 * X(0) @ Y(1) - 0.8 * Z(1)
    there = pauli_evolution(generator, "t")
    back = pauli_evolution(generator, "t", sign=1)
    assert [i.angles[0].scale for i in back] == [-i.angles[0].scale for i in there]
    with pytest.raises(InvalidObservable, match="Hermitian"):
        pauli_evolution(1j * X(0), "t")


def test_qaoa_at_zero_angles_is_its_start():
    blocks = [(0, 1), (2, 3)]
    cost = Z(0) @ Z(2) - 0.3 * Z(1)
    initial = one_hot_state(4, blocks)
    for mixer in ("x", "xy", "grover"):
        circuit = qaoa(cost, initial=initial, depth=2, mixer=mixer, blocks=blocks)
        none = torch.zeros(len(circuit.weights), dtype=torch.float64)
        found, start = run(circuit, weights=none), run(initial, weights=none[:0])
        assert torch.allclose(found, start, atol=1e-12)


def test_deeper_qaoa_contains_the_shallower_one():
    """Layers of angle 0 change nothing, so depth can only help an optimiser."""
    cost = Z(0) @ Z(1) + Z(1) @ Z(2) + 0.5 * Z(0)
    shallow = qaoa(cost, initial=uniform_state(3), depth=1)
    deep = qaoa(cost, initial=uniform_state(3), depth=3)
    angles = torch.tensor([0.4, 0.9], dtype=torch.float64)
    padded = torch.cat([angles, torch.zeros(4, dtype=torch.float64)])
    values = (expectation(c, [cost], weights=w) for c, w in ((shallow, angles), (deep, padded)))
    assert torch.allclose(*values)


def test_one_layer_of_qaoa_on_a_ring_reaches_three_quarters():
    """The best cut of a large ring at p = 1 is 3/4 of the edges (Farhi et al. 2014, section IV)."""
    ring = [(q, (q + 1) % 6) for q in range(6)]
    cut = sum((0.5 - 0.5 * Z(a) @ Z(b) for a, b in ring), PauliSum())
    circuit = qaoa(cut, initial=uniform_state(6), depth=1)
    angles = torch.cartesian_prod(*[torch.linspace(0, np.pi, 41, dtype=torch.float64)] * 2)
    best = expectation(circuit, [cut], weights=angles).max().item()
    assert best == pytest.approx(6 * 3 / 4, abs=0.02)


def test_wrong_choices_are_refused_in_words():
    """Outside the tests, where no type is checked: nothing may be taken for something else."""
    program = """
from quantum.ansatz import hardware_efficient, qaoa, uniform_state
from quantum.encoding import angle_encoding
from quantum.observable import Z
for attempt in (
    lambda: hardware_efficient(3, 1, topology="star"),
    lambda: qaoa(Z(0), initial=uniform_state(1), depth=1, mixer="y"),
    lambda: angle_encoding(2, axis="q"),
):
    try:
        attempt()
    except ValueError as error:
        print(error)
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    lines = answer.stdout.splitlines()
    assert lines[0].endswith("not as 'star'") and "ring" in lines[0]
    assert lines[1].endswith("not 'y'") and "grover" in lines[1]
    assert "no gate 'rq'" in lines[2]


def test_a_block_of_no_qubits_is_refused():
    with pytest.raises(InvalidCircuit, match="without qubits"):
        one_hot_state(3, [(0, 1), ()])
