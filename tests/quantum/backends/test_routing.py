"""Circuits on few connections: the same meaning on any connected graph, neighbours only."""

import random
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.backends.base import Capabilities, Estimate
from quantum.backends.choose import BackendManager
from quantum.backends.routing import choose_qubits, route
from quantum.backends.simulated import SimulatorBackend
from quantum.circuit import Circuit
from quantum.decomposition import to_cnots
from quantum.errors import DoesNotFit
from quantum.simulator import probabilities
from tests.quantum.random_circuits import random_circuit, random_numbers


def connected_graph(n_nodes: int, seed: int) -> dict[tuple[int, int], float]:
    """A random tree and a few more edges, with errors; nodes have numbers with gaps."""
    chance = random.Random(seed)
    nodes = chance.sample(range(3 * n_nodes), n_nodes)
    pairs = {(nodes[i], nodes[chance.randrange(i)]) for i in range(1, n_nodes)}
    pairs |= set(chance.sample(list(combinations(nodes, 2)), n_nodes // 2))
    kept = {tuple(sorted(pair)) for pair in pairs}
    return {pair: chance.uniform(0.001, 0.1) for pair in sorted(kept)}


def odds(circuit: Circuit) -> np.ndarray:
    return probabilities(circuit)[0].double().numpy().reshape([2] * circuit.n_qubits)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 10_000), extra=st.integers(0, 3))
def test_a_routed_circuit_means_the_same_on_any_connected_device(seed, extra):
    circuit = to_cnots(random_circuit(seed, n_qubits=4, n_gates=15))
    circuit = circuit.bind(random_numbers(circuit, seed))
    errors = connected_graph(4 + extra, seed)
    routed = route(circuit, errors)
    joined = {frozenset(pair) for pair in errors}
    for instruction in routed.circuit.instructions:
        if len(instruction.qubits) == 2:
            assert frozenset(routed.chosen[q] for q in instruction.qubits) in joined
    assert sorted(routed.places) == list(range(4))
    assert len(set(routed.chosen)) == 4
    assert np.allclose(odds(routed.circuit).transpose(routed.places), odds(circuit), atol=1e-6)


def test_a_circuit_that_fits_as_it_is_gets_no_swap():
    chain = Circuit(4).cx(0, 1).cx(1, 2).cx(2, 3)
    line = {(5, 6): 0.1, (6, 7): 0.1, (7, 8): 0.1, (1, 2): 0.01}
    routed = route(chain, line)
    assert routed.circuit.n_entangling == 3
    assert set(routed.chosen) == {5, 6, 7, 8}


def test_pairs_that_are_apart_are_brought_together_by_the_fewest_swaps():
    line = {(0, 1): 0.1, (1, 2): 0.1}
    triangle = Circuit(3).cx(0, 1).cx(1, 2).cx(0, 2)
    assert route(triangle, line).circuit.n_entangling == 3 + 3  # one swap


def test_routing_draws_the_same_way_each_time():
    circuit = to_cnots(random_circuit(5, n_qubits=5, n_gates=25))
    errors = connected_graph(7, 5)
    assert route(circuit, errors) == route(circuit, errors)


@pytest.mark.parametrize("n_qubits", [1, 2, 3])
def test_the_best_pairs_are_taken_first(n_qubits):
    errors = {(0, 1): 0.5, (1, 2): 0.4, (2, 3): 0.01, (3, 4): 0.02}
    assert set(choose_qubits(n_qubits, errors)[0]) <= {2, 3, 4}


def test_chosen_sets_are_connected_and_of_the_right_size():
    errors = connected_graph(8, 3)
    for chosen in choose_qubits(5, errors):
        assert len(set(chosen)) == 5
        reached, waiting = {chosen[0]}, [chosen[0]]
        while waiting:
            here = waiting.pop()
            for pair in errors:
                if here in pair and set(pair) <= set(chosen):
                    other = pair[0] if pair[1] == here else pair[1]
                    if other not in reached:
                        reached.add(other)
                        waiting.append(other)
        assert reached == set(chosen)


def test_a_device_in_two_pieces_has_no_more_connected_qubits_than_one_of_them():
    islands = {(0, 1): 0.1, (2, 3): 0.1}
    assert choose_qubits(2, islands)
    with pytest.raises(DoesNotFit, match="no 3 connected qubits"):
        route(Circuit(3).cx(0, 1).cx(1, 2), islands)


class Islands(SimulatorBackend):
    """A device whose qubits are connected in pairs."""

    def capabilities(self):
        return Capabilities(4, is_device=True, coupling=((0, 1), (2, 3)))

    def estimate(self, batch):
        return Estimate(0.0, 0.01, 0.0)


def test_a_device_in_pieces_is_passed_over_when_the_best_is_looked_for():
    from quantum.backends.base import batch_of

    known = {"ibm": Islands(name="ibm"), "ionq": SimulatorBackend(name="ionq")}
    manager = BackendManager(lambda name: known.get(name) or SimulatorBackend())
    batch = batch_of(Circuit(3).cx(0, 1).cx(1, 2), shots=5)
    offers = {offer.backend: offer for offer in manager.dry_run(batch, wanted="ibm")}
    assert not offers["ibm"].can_run and "no 3 connected qubits" in offers["ibm"].reason
    _, record = manager.run(batch, wanted="quantum")
    assert record.backend == "ionq"
    assert manager.pick(batch).backend == "ionq"


def test_one_qubit_needs_no_neighbour():
    routed = route(Circuit(1).x(0), {(3, 4): 0.1})
    assert len(routed.chosen) == 1 and torch.equal(
        probabilities(routed.circuit)[0], probabilities(Circuit(1).x(0))[0]
    )
