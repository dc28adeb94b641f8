"""The simulator as a backend: it computes, it never invents, and it says when it cannot."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quantum.backends import simulated
from quantum.backends.base import batch_of
from quantum.backends.readings import combine_results, construct_circuits
from quantum.backends.run import run
from quantum.backends.simulated import SimulatorBackend, exact_means, in_memory, mock
from quantum.circuit import Circuit
from quantum.errors import DoesNotFit, InvalidValues
from quantum.observable import X, Y, Z
from quantum.simulator import probabilities
from tests.quantum.random_circuits import random_circuit, random_numbers, random_observables


def bound(seed: int, *, n_qubits: int = 3) -> Circuit:
    circuit = random_circuit(seed, n_qubits=n_qubits, n_gates=20)
    return circuit.bind(random_numbers(circuit, seed))


@pytest.mark.parametrize("seed", range(5))
def test_shots_follow_the_state_s_probabilities(seed):
    """A chi-squared test that a right simulator fails once in ten thousand seeds."""
    circuit, shots = bound(seed), 20_000
    (found,) = run(mock(), batch_of(circuit, shots=shots, seed=seed))
    chances = probabilities(circuit)[0].double().numpy()
    counts = np.array([found.counts.get(f"{i:03b}", 0) for i in range(8)])
    assert counts.sum() == shots and counts[chances < 1e-9].sum() == 0
    likely = chances * shots > 5
    if likely.sum() > 1:
        wanted = chances[likely] / chances[likely].sum() * counts[likely].sum()
        assert stats.chisquare(counts[likely], wanted).pvalue > 1e-4


def test_rows_and_circuits_are_drawn_independently():
    coin = Circuit(1).h(0)
    batch = batch_of([coin, coin], [torch.zeros(2, 0), torch.zeros(2, 0)], shots=64, seed=3)
    counts = [one.counts["0"] for one in run(mock(), batch)]
    assert len(set(counts)) > 1


def test_slices_change_no_exact_mean(monkeypatch):
    circuit = Circuit(3).ry("a", 0).cx(0, 1).rx("b", 2)
    values = torch.rand(9, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = exact_means(circuit, (Z(0) @ Z(1), X(2)), values)
    monkeypatch.setattr(simulated, "_AMPLITUDES_AT_ONCE", 16)  # two rows at a time
    assert len(simulated.slices(3, values)) == 5
    assert torch.allclose(exact_means(circuit, (Z(0) @ Z(1), X(2)), values), whole)
    (counts, *_) = run(mock(), batch_of(circuit, values, shots=50, seed=1))
    assert sum(counts.counts.values()) == 50


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 999))
def test_means_from_bits_are_those_of_the_state(seed):
    """Readings: group, turn, count, combine; the error says how far off it may be."""
    circuit = bound(seed)
    observables = tuple(random_observables(seed, n_qubits=3, count=2))
    batch = batch_of(circuit, observables=observables, shots=20_000, seed=seed)
    (found,) = combine_results(batch, run(mock(), construct_circuits(batch)))
    exact = exact_means(circuit, observables, torch.zeros(1, 0, dtype=torch.float64))[0]
    for mean, error, wanted in zip(found.means, found.errors, exact.tolist(), strict=True):
        assert abs(mean - wanted) < 6 * error + 0.02


def test_both_ways_of_drawing_means_agree():
    """The simulator draws all rows at once; a backend that reads bits goes word by word."""
    circuit = Circuit(2).ry("a", 0).cx(0, 1)
    values = torch.linspace(0, 3, 5, dtype=torch.float64)[:, None]
    batch = batch_of(circuit, values, observables=(Z(0), X(0) @ X(1), Y(1)), shots=30_000, seed=2)
    at_once = np.array([one.means for one in run(mock(), batch)])
    counted = np.array(
        [one.means for one in combine_results(batch, run(mock(), construct_circuits(batch)))]
    )
    assert np.allclose(at_once, counted, atol=0.04)


def test_observables_without_a_mean_are_refused():
    skew = 1j * Z(0)
    with pytest.raises((InvalidValues, ValueError)):
        run(mock(), batch_of(Circuit(1).h(0), observables=(skew,), shots=10))


def test_a_handle_alone_is_enough_to_compute_again():
    batch = batch_of(Circuit(2).h(0).cx(0, 1), shots=100, seed=5)
    handle = mock().submit(batch)
    assert SimulatorBackend(name="mock").result(handle) == mock().result(handle)
    assert handle.job_id == batch.tag
    mock().cancel(handle)
    assert mock().status(handle).value == "succeeded"


def test_errors_of_sums_are_as_large_as_they_scatter():
    """All words of this sum are read from the same shots, and all alike."""
    circuit, total = Circuit(3).h(0).cx(0, 1).cx(1, 2), Z(0) + Z(1) + Z(2) + 0.5 * X(0)
    batch = batch_of(circuit, torch.zeros(400, 0), observables=(total,), shots=100, seed=2)
    found = run(mock(), batch)
    means = torch.tensor([one.means[0] for one in found])
    errors = torch.tensor([one.errors[0] for one in found])
    assert 0.9 < means.std() / errors.mean() < 1.1


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_too_little_memory_is_said_in_words(error):
    batch = batch_of(Circuit(3).h(0))
    words = "too little memory for circuits of 3 qubits"
    with pytest.raises(DoesNotFit, match=words), in_memory("simulator", batch):
        raise error
    with pytest.raises(RuntimeError, match="something else"), in_memory("simulator", batch):
        raise RuntimeError("something else")


def test_a_state_that_does_not_fit_into_memory_is_left_to_the_next_backend():
    """In a process that may hold little more than torch itself."""
    code = """
import resource, torch
from quantum.backends.base import Measured, batch_of
from quantum.backends.choose import BackendManager
from quantum.backends.simulated import SimulatorBackend
from quantum.circuit import Circuit
from quantum.observable import Z
warm = batch_of(Circuit(2).h(0), observables=(Z(0),))
BackendManager(lambda name: SimulatorBackend()).run(warm)
with open("/proc/self/statm") as file:
    pages = int(file.read().split()[0])
limit = pages * resource.getpagesize() + 2**28
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
circuit = Circuit(26)
for qubit in range(26):
    circuit = circuit.h(qubit)
batch = batch_of(circuit, observables=(Z(0),))
exact = (Measured(means=(0.0,), errors=(0.0,)),)
measured, record = BackendManager(lambda name: SimulatorBackend()).run(
    batch, classical=lambda batch: exact)
print(record.backend, "|", record.fallback_reason)
"""
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout
    backend, reason = told.strip().split(" | ")
    assert backend == "classical" and "too little memory for circuits of 26 qubits" in reason
