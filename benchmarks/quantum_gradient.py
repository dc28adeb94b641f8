"""Times one gradient step of a layered circuit: ours, and every peer that is installed.

    make bench-quantum
    python -m benchmarks.quantum_gradient --qubits 4 8 12 --peers

RY encodes a batch of 32 inputs; six layers of RY, RZ and a ring of CNOTs follow; Z is read on every
qubit, and one backward pass gives the gradients of all weights. Each measurement is a process of
its own with one thread: median and lowest CPU seconds of a step, largest memory. Values and
gradients are compared with ours.

Peers live in an environment beside the repository, with this repository as working directory:

    python -m venv ../peers && ../peers/bin/pip install torch==2.13.0 jaxtyping numpy \\
        pennylane==0.45.1 pennylane-lightning==0.45.0 pyqtorch==1.7.8 deepquantum==4.5.0
    make bench-quantum PEERS=../peers/bin/python
"""

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

DEPTH, BATCH = 6, 32
QUBITS = (4, 8, 12, 16)
SECONDS = {"ours": 60, "peer": 120}  # no more repetitions after this long
Step = Callable[[], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Problem:
    """Inputs [batch, qubit], weights [layer, qubit, (RY, RZ)], upstream [batch, qubit]."""

    n_qubits: int
    inputs: np.ndarray
    weights: np.ndarray
    upstream: np.ndarray

    @classmethod
    def of(cls, n_qubits: int) -> "Problem":
        rng = np.random.default_rng(n_qubits)
        return cls(
            n_qubits,
            rng.uniform(-1, 1, (BATCH, n_qubits)),
            rng.uniform(-np.pi, np.pi, (DEPTH, n_qubits, 2)),
            rng.normal(size=(BATCH, n_qubits)),
        )

    def tensors(self, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inputs, weights that want a gradient, upstream."""
        inputs, weights, upstream = (
            torch.tensor(v, dtype=dtype) for v in (self.inputs, self.weights, self.upstream)
        )
        return inputs, weights.requires_grad_(), upstream


def backward_step(
    values: Callable[[], torch.Tensor], weights: torch.Tensor, upstream: torch.Tensor
) -> Step:
    """A step that runs forward, then backward from the upstream gradients."""

    def step() -> tuple[np.ndarray, np.ndarray]:
        weights.grad = None
        found = values()
        (found * upstream).sum().backward()
        return found.detach().numpy(), weights.grad.numpy()

    return step


def ours(problem: Problem) -> Step:
    from quantum.circuit import Circuit, parameter_input
    from quantum.observable import Z
    from quantum.simulator import expectation

    n = problem.n_qubits
    circuit = Circuit(n)
    for q in range(n):
        circuit = circuit.ry(parameter_input(f"x_{q}"), q)
    for layer in range(DEPTH):
        for q in range(n):
            circuit = circuit.ry(f"y_{layer}_{q}", q).rz(f"z_{layer}_{q}", q)
        for q in range(n):
            circuit = circuit.cx(q, (q + 1) % n)
    inputs, weights, upstream = problem.tensors(torch.float32)
    observables = [Z(q) for q in range(n)]

    def values() -> torch.Tensor:
        return expectation(circuit, observables, weights=weights.flatten(), inputs=inputs)

    return backward_step(values, weights, upstream)


def pennylane(problem: Problem, device: str, **settings: object) -> Step:
    import pennylane as qml

    n = problem.n_qubits
    inputs, weights, upstream = problem.tensors(torch.float64)

    @qml.qnode(qml.device(device, wires=n), interface="torch", **settings)
    def circuit(features: torch.Tensor, angles: torch.Tensor) -> list[object]:
        for q in range(n):
            qml.RY(features[..., q], wires=q)
        for layer in range(DEPTH):
            for q in range(n):
                qml.RY(angles[layer, q, 0], wires=q)
                qml.RZ(angles[layer, q, 1], wires=q)
            for q in range(n):
                qml.CNOT(wires=[q, (q + 1) % n])
        return [qml.expval(qml.PauliZ(q)) for q in range(n)]

    return backward_step(lambda: torch.stack(circuit(inputs, weights), -1), weights, upstream)


def pyqtorch(problem: Problem) -> Step:
    import pyqtorch as pyq

    n = problem.n_qubits
    inputs, weights, upstream = problem.tensors(torch.float64)
    operations = [pyq.RY(q, f"x_{q}") for q in range(n)]
    for layer in range(DEPTH):
        for q in range(n):
            operations += [pyq.RY(q, f"y_{layer}_{q}"), pyq.RZ(q, f"z_{layer}_{q}")]
        operations += [pyq.CNOT(q, (q + 1) % n) for q in range(n)]
    circuit = pyq.QuantumCircuit(n, operations)
    index = torch.arange(2**n)
    signs = torch.stack([1.0 - 2 * (index >> (n - 1 - q) & 1) for q in range(n)]).double()

    def values() -> torch.Tensor:
        named = {f"x_{q}": inputs[:, q] for q in range(n)}
        for layer in range(DEPTH):
            for q in range(n):
                named[f"y_{layer}_{q}"] = weights[layer, q, :1]
                named[f"z_{layer}_{q}"] = weights[layer, q, 1:]
        state = circuit.run(pyq.zero_state(n), named).reshape(2**n, -1)
        return (signs @ state.abs().square()).T

    return backward_step(values, weights, upstream)


def deepquantum(problem: Problem) -> Step:
    import deepquantum as dq

    n = problem.n_qubits
    inputs, _, upstream = problem.tensors(torch.float32)
    circuit = dq.QubitCircuit(n)
    for q in range(n):
        circuit.ry(q, encode=True)
    for layer in range(DEPTH):
        for q in range(n):
            circuit.ry(q, float(problem.weights[layer, q, 0]))
            circuit.rz(q, float(problem.weights[layer, q, 1]))
        for q in range(n):
            circuit.cnot(q, (q + 1) % n)
    for q in range(n):
        circuit.observable(q)
    turns = [o for o in circuit.operators if type(o).__name__ in ("Ry", "Rz")][n:]
    for turn in turns:  # constants become parameters
        value = turn.theta.detach().clone()
        turn._buffers.pop("theta", None)
        turn.register_parameter("theta", torch.nn.Parameter(value))

    def step() -> tuple[np.ndarray, np.ndarray]:
        for turn in turns:
            turn.theta.grad = None
        circuit(data=inputs)
        found = circuit.expectation()
        (found * upstream).sum().backward()
        return found.detach().numpy(), np.array([float(turn.theta.grad) for turn in turns])

    return step


PROGRAMS: dict[str, tuple[str, int, Callable[[Problem], Step]]] = {
    # name: (module, largest n it can do in memory and minutes, function)
    "ours": ("quantum", 99, ours),
    "DeepQuantum": ("deepquantum", 12, deepquantum),
    "pyqtorch": ("pyqtorch", 12, pyqtorch),
    "PennyLane default.qubit, backprop": (
        "pennylane", 12, lambda p: pennylane(p, "default.qubit", diff_method="backprop")
    ),
    "PennyLane lightning.qubit, adjoint": (
        "pennylane_lightning", 12,
        lambda p: pennylane(p, "lightning.qubit", diff_method="adjoint"),
    ),
    "PennyLane lightning.qubit, device vjp": (
        "pennylane_lightning", 16,
        lambda p: pennylane(p, "lightning.qubit", diff_method="adjoint", device_vjp=True),
    ),
}  # fmt: skip


def measure(name: str, n_qubits: int) -> dict[str, object]:
    """Times of one program at one size, in this process."""
    torch.set_num_threads(1)
    step = PROGRAMS[name][2](Problem.of(n_qubits))
    begin = time.perf_counter()
    values, gradient = step()
    first = time.perf_counter() - begin
    cpu: list[float] = []
    limit = SECONDS["ours" if name == "ours" else "peer"]
    while len(cpu) < 3 or (sum(cpu) < 2 and len(cpu) < 300):
        begin = time.process_time()
        step()
        cpu.append(time.process_time() - begin)
        if sum(cpu) > limit / 2:
            break
    return {
        "first": first,
        "median": statistics.median(cpu),
        "lowest": min(cpu),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "values": np.asarray(values, dtype=float).reshape(BATCH, n_qubits)[0].tolist(),
        "gradient": np.asarray(gradient, dtype=float).ravel().tolist(),
    }


def measure_apart(name: str, n_qubits: int) -> dict[str, object]:
    """The same in a fresh process, so that memory is its own."""
    command = [sys.executable, "-m", "benchmarks.quantum_gradient", "--only", name, str(n_qubits)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True)
    if answer.returncode:
        return {"error": answer.stderr.strip().splitlines()[-1][:80]}
    return json.loads(answer.stdout.splitlines()[-1])


def difference(found: dict[str, object], reference: dict[str, object]) -> float:
    """Largest difference of values and gradients from ours."""
    return max(
        float(np.abs(np.subtract(found[key], reference[key])).max())
        for key in ("values", "gradient")
    )


def report(n_qubits: int, names: list[str]) -> None:
    """Prints one row per program; ours comes first."""
    reference: dict[str, object] = {}
    for name in names:
        module, largest, _ = PROGRAMS[name]
        if n_qubits > largest or importlib.util.find_spec(module) is None:
            continue
        found = measure_apart(name, n_qubits)
        if "error" in found:
            print(f"| {n_qubits} | {name} | {found['error']} | | | | |", flush=True)
            continue
        reference = reference or found
        cells = (
            f"{found['median']:.5f}", f"{found['lowest']:.5f}", f"{found['first']:.2f}",
            f"{found['memory']:.0f}", f"{difference(found, reference):.0e}",
        )  # fmt: skip
        print(f"| {n_qubits} | {name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--qubits", type=int, nargs="+", default=QUBITS)
    parser.add_argument("--peers", action="store_true", help="time what else is installed, too")
    parser.add_argument("--only", nargs=2, metavar=("PROGRAM", "QUBITS"), help=argparse.SUPPRESS)
    choice = parser.parse_args()
    if choice.only:
        print(json.dumps(measure(choice.only[0], int(choice.only[1]))))
        return
    print("| qubits | program | CPU s, median | lowest | first step s | MB | differs by |")
    print("|---|---|---|---|---|---|---|")
    for n_qubits in choice.qubits:
        report(n_qubits, list(PROGRAMS) if choice.peers else ["ours"])


if __name__ == "__main__":
    main()
