"""What mitigation gains on the noisy backend: mean absolute errors of means, with and without it.

Three layers of turns and CNOT chains on 4 qubits, 8 rows of random weights, 20,000 shots per
circuit; all words Z_i and Z_i Z_j against their exact means. Then X on |+⟩ behind eight pairs of
CNOTs that undo each other: what crosstalk adds up to, and what twirling leaves of it. Errors, not
seconds: a busy machine changes nothing in them.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import torch

from quantum.backends.base import Batch, Measured, batch_of
from quantum.backends.noisy import NoisyBackend
from quantum.backends.run import expectations, run
from quantum.backends.simulated import mock
from quantum.circuit import Circuit
from quantum.mitigation import (
    PauliTwirling,
    ReadoutMitigation,
    ZeroNoise,
    exponential,
    linear,
    richardson,
)
from quantum.observable import X, Z

N_QUBITS, N_ROWS, SHOTS = 4, 8, 20_000
PAIRS = tuple(combinations(range(N_QUBITS), 2))
WORDS = (*PAIRS, *((q,) for q in range(N_QUBITS)))
OBSERVABLES = (*(Z(a) @ Z(b) for a, b in PAIRS), *(Z(q) for q in range(N_QUBITS)))


def make_circuit() -> Circuit:
    circuit = Circuit(N_QUBITS)
    for layer in range(3):
        for qubit in range(N_QUBITS):
            circuit = circuit.ry(f"w_{layer}_{qubit}", qubit)
        for qubit in range(N_QUBITS - 1):
            circuit = circuit.cx(qubit, qubit + 1)
    return circuit


def tell(name: str, measured: Sequence[Measured], exact: np.ndarray, n_circuits: int) -> None:
    error = np.abs(np.array([one.means for one in measured]) - exact)
    print(f"| {name} | {error.mean():.4f} | {error.max():.3f} | {n_circuits} |")


def counted(batch: Batch) -> Batch:
    """The batch with bit strings in place of means: all the words are read in one basis."""
    return Batch(batch.circuits, batch.values, batch.shots, seed=batch.seed)


def main() -> None:
    for crosstalk in (0.0, 0.1):
        print(f"\nCrosstalk of {crosstalk:g} rad with each CNOT:\n")
        measure(NoisyBackend(crosstalk=crosstalk, trajectories=2000), make_circuit())
    print("\nX behind eight pairs of CNOTs, which is 1 without noise:\n")
    print("| crosstalk, rad | no mitigation | twirling, 16 copies |\n|---|---|---|")
    for crosstalk in (0.0, 0.05, 0.1):
        echo(NoisyBackend(crosstalk=crosstalk, trajectories=500))


def echo(backend: NoisyBackend) -> None:
    start, pair = Circuit(2).h(0).instructions, Circuit(2).cx(0, 1).cx(0, 1).instructions
    batch = batch_of(Circuit(2, start + pair * 8), observables=(X(0),), shots=16_000, seed=1)
    (plain,) = run(backend, batch)
    method = PauliTwirling(copies=16)
    (twirled,) = method.combine_results(batch, run(backend, method.construct_circuits(batch)))
    print(f"| {backend.crosstalk:g} | {plain.means[0]:.3f} | {twirled.means[0]:.3f} |")


def measure(backend: NoisyBackend, circuit: Circuit) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(N_ROWS, len(circuit.weights), dtype=torch.float64, generator=generator)
    exact = expectations(mock(), circuit, values, OBSERVABLES).numpy()
    batch = batch_of(circuit, values, observables=OBSERVABLES, shots=SHOTS, seed=1)
    print("| | mean error | largest | circuits |\n|---|---|---|---|")
    tell("no mitigation", run(backend, batch), exact, N_ROWS)

    twirling = PauliTwirling(copies=8)
    twirled = run(backend, twirling.construct_circuits(batch))
    tell("twirling", twirling.combine_results(batch, twirled), exact, 8 * N_ROWS)

    both = replace(ReadoutMitigation.construct_circuits(counted(batch)), seed=2)
    readout = ReadoutMitigation.calibrate(run(backend, both))

    def mended(found: Sequence[Measured]) -> list[Measured]:
        nothing = (0.0,) * len(WORDS)
        return [
            Measured(means=tuple(readout.mean(word, one.counts) for word in WORDS), errors=nothing)
            for one in found
        ]

    tell("readout", mended(run(backend, counted(batch))), exact, N_ROWS + 2)
    for extrapolate in (linear, exponential, richardson):
        method = ZeroNoise(extrapolate=extrapolate)
        folded = method.construct_circuits(batch)
        name = f"zero noise, {extrapolate.__name__}"
        found = method.combine_results(batch, run(backend, folded))
        tell(name, found, exact, 3 * N_ROWS)
        found = method.combine_results(batch, mended(run(backend, counted(folded))))
        tell(f"readout and {name}", found, exact, 3 * N_ROWS + 2)

    method = ZeroNoise(extrapolate=linear)
    folded = counted(method.construct_circuits(batch))
    copies = run(backend, twirling.construct_circuits(folded))
    averaged = twirling.combine_results(folded, copies)
    found = method.combine_results(batch, mended(averaged))
    tell("twirling, readout and zero noise, linear", found, exact, 8 * 3 * N_ROWS + 2)


if __name__ == "__main__":
    main()
