"""Times the energy of QAOA with p = 3 on a dense random Ising cost: ours, and Qiskit Aer's.

    make bench-quantum
    python -m benchmarks.quantum_qaoa --qubits 20 24 --aer 20

One thread, CPU seconds, complex64 on both sides; medians. Ours is timed with and without all 2p
gradients. The last line is the XY mixer among one-hot states: 33 qubits as 2^16 amplitudes.
"""

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from itertools import combinations

os.environ["OMP_NUM_THREADS"] = "1"  # before torch counts its threads
os.environ["OMP_WAIT_POLICY"] = "passive"

import numpy as np
import torch

from quantum.observable import PauliSum
from quantum.simulator.cost import compile_cost
from quantum.simulator.one_hot import mean_energy, one_hot_cost, one_hot_qaoa
from quantum.simulator.qaoa import qaoa_energy

GAMMAS, BETAS = np.linspace(0.2, 0.6, 3), np.linspace(0.6, 0.2, 3)


def ising(n_qubits: int) -> tuple[np.ndarray, np.ndarray]:
    """Random couplings between all pairs, and fields."""
    rng = np.random.default_rng(1)
    couplings = np.triu(rng.normal(size=(n_qubits, n_qubits)) / n_qubits**0.5, 1)
    return couplings, rng.normal(size=n_qubits) * 0.3


def as_observable(couplings: np.ndarray, fields: np.ndarray) -> PauliSum:
    pairs = combinations(range(len(fields)), 2)
    terms = [(((a, "Z"), (b, "Z")), couplings[a, b]) for a, b in pairs]
    return PauliSum.of(terms + [(((q, "Z"),), field) for q, field in enumerate(fields)])


def median_cpu(run: Callable[[], float], repeats: int) -> tuple[float, float]:
    """CPU seconds, and what the run gave."""
    seconds = []
    for _ in range(repeats):
        begin = time.process_time()
        value = run()
        seconds.append(time.process_time() - begin)
    return statistics.median(seconds), value


def ours(n_qubits: int, *, with_gradient: bool) -> Callable[[], float]:
    cost = compile_cost(as_observable(*ising(n_qubits)), n_qubits)
    gammas, betas = (torch.tensor(v, dtype=torch.float32) for v in (GAMMAS, BETAS))

    def run() -> float:
        gammas.requires_grad_(with_gradient)
        betas.requires_grad_(with_gradient)
        energy = qaoa_energy(cost, gammas=gammas, betas=betas)
        if with_gradient:
            energy.backward()
        return energy.item()

    return run


def aer(n_qubits: int) -> Callable[[], float]:
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator

    from quantum.backends.ibm_circuits import to_sparse_pauli

    couplings, fields = ising(n_qubits)
    program = QuantumCircuit(n_qubits)
    program.h(range(n_qubits))
    for gamma, beta in zip(GAMMAS, BETAS, strict=True):
        for q in range(n_qubits):
            program.rz(2 * gamma * fields[q], q)
        for a, b in combinations(range(n_qubits), 2):
            program.rzz(2 * gamma * couplings[a, b], a, b)
        program.rx(2 * beta, range(n_qubits))
    operator = to_sparse_pauli(as_observable(couplings, fields), n_qubits)
    program.save_expectation_value(operator, range(n_qubits))
    simulator = AerSimulator(method="statevector", precision="single", max_parallel_threads=1)
    return lambda: float(simulator.run(program).result().data(0)["expectation_value"])


def one_hot() -> Callable[[], float]:
    options = (4,) * 7 + (2,) * 2 + (1,)
    generator = torch.Generator().manual_seed(0)
    own = [torch.randn(d, generator=generator) for d in options]
    pairs = {
        (a, b): torch.randn(options[a], options[b], generator=generator)
        for a, b in combinations(range(len(options)), 2)
    }
    cost = one_hot_cost(own, pairs)
    gammas, betas = (torch.tensor(v, dtype=torch.float32) for v in (GAMMAS, -BETAS))
    return lambda: mean_energy(cost, one_hot_qaoa(cost, gammas=gammas, betas=betas)).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--qubits", type=int, nargs="+", default=[20, 24])
    parser.add_argument("--aer", type=int, nargs="*", default=[20], help="sizes to time Aer at")
    choice = parser.parse_args()
    torch.set_num_threads(1)
    print("| what | qubits | CPU s, median | energy | MB so far |")
    print("|---|---|---|---|---|")

    def row(what: str, n_qubits: int, run: Callable[[], float], repeats: int) -> None:
        seconds, energy = median_cpu(run, repeats)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"| {what} | {n_qubits} | {seconds:.4f} | {energy:.5f} | {memory:.0f} |", flush=True)

    row("one-hot, XY mixer, p = 3", 33, one_hot(), 9)
    for n_qubits in choice.qubits:
        row("energy", n_qubits, ours(n_qubits, with_gradient=False), 5)
        row("energy and 6 gradients", n_qubits, ours(n_qubits, with_gradient=True), 3)
    for n_qubits in choice.aer:
        row("Aer, energy", n_qubits, aer(n_qubits), 3)


if __name__ == "__main__":
    main()
