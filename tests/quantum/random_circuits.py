"""Circuits drawn at random from the whole gate set, and numbers to run them with."""

import random

import numpy as np
import torch
from torch import Tensor

from quantum.circuit import Angle, Circuit, Parameter
from quantum.gates import GATES, Gate
from quantum.observable import PauliSum


def random_circuit(seed: int, *, n_qubits: int, n_gates: int, free: bool = True) -> Circuit:
    """Gates on random qubits; with `free`, two thirds of the angles are weights or inputs."""
    rng = random.Random(seed)
    fitting = [gate for gate in GATES.values() if gate.n_qubits <= n_qubits]
    circuit = Circuit(n_qubits)
    for gate in rng.choices(fitting, k=n_gates):
        circuit = append_random(circuit, gate, rng, free=free)
    return circuit


def append_random(circuit: Circuit, gate: Gate, rng: random.Random, *, free: bool) -> Circuit:
    """The circuit with one more gate, on random qubits at random angles."""
    size = gate.n_qubits or rng.randint(1, min(4, circuit.n_qubits))
    qubits = rng.sample(range(circuit.n_qubits), size)
    word = "".join(rng.choices("XYZ", k=size)) if gate.name == "pauli" else ""
    angles = [random_angle(rng, free=free) for _ in range(gate.n_angles)]
    return circuit.gate(gate.name, qubits, angles, word)


def random_angle(rng: random.Random, *, free: bool) -> Angle:
    kind = rng.choice(("number", "weight", "input")) if free else "number"
    if kind == "number":
        return rng.uniform(-4, 4)
    name = f"{kind}_{rng.randint(0, 4)}"
    return Parameter(name, rng.uniform(-2, 2), rng.uniform(-1, 1), kind == "input")


def random_numbers(circuit: Circuit, seed: int) -> dict[str, float]:
    """A value for every parameter."""
    rng = random.Random(seed)
    return {name: rng.uniform(-3, 3) for name in (*circuit.weights, *circuit.inputs)}


def random_values(
    circuit: Circuit, seed: int, *, batch: int, batched_weights: bool = False
) -> tuple[Tensor, Tensor]:
    """Weights and a batch of inputs in float64, ready for gradients."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, len(circuit.weights)) if batched_weights else (len(circuit.weights),)
    weights = torch.randn(shape, generator=generator, dtype=torch.float64)
    inputs = torch.randn(batch, len(circuit.inputs), generator=generator, dtype=torch.float64)
    return weights.requires_grad_(), inputs.requires_grad_()


def random_observables(seed: int, *, n_qubits: int, count: int) -> list[PauliSum]:
    """Sums of a few random words."""
    rng = random.Random(seed)
    return [
        PauliSum.from_words(
            {"".join(rng.choices("IXYZ", k=n_qubits)): rng.uniform(-2, 2) for _ in range(4)}
        )
        for _ in range(count)
    ]


def without_phase(state: np.ndarray) -> np.ndarray:
    """The state or unitary with its largest entry made real and positive."""
    flat = state.ravel()
    # Rounding must not choose between entries of equal size: the first of the large ones decides.
    largest = flat[np.argmax(np.abs(flat) > np.abs(flat).max() * 0.99)]
    return state * (abs(largest) / largest)
