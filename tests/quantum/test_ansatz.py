import numpy as np
import pytest
import torch
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
from quantum.simulator import expectation, run
from quantum.simulator.gate_by_gate import unitary


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
