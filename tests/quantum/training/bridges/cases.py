"""Layers that the bridges are tried with, and what torch itself says of them."""

import torch

from quantum.ansatz import hardware_efficient
from quantum.backends.run import expectations
from quantum.backends.simulated import SimulatorBackend
from quantum.encoding import iqp_encoding
from quantum.training.layer import QuantumLayer


def layer(*, evaluate=None, dtype=torch.float64) -> QuantumLayer:
    """Three qubits, with an encoding that is not linear in the features."""
    return QuantumLayer(
        iqp_encoding(3), hardware_efficient(3, 1), evaluate=evaluate, dtype=dtype, seed=2
    )


class Device:
    """Evaluates as a backend does, and keeps the number of runs of each call."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def __call__(self, circuit, observables, values):
        self.runs.append(len(values))
        return expectations(SimulatorBackend(), circuit, values, observables)


def features(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def upstream(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 3, generator=torch.Generator().manual_seed(6), dtype=torch.float64)


def by_torch(given: QuantumLayer, rows: torch.Tensor, weight: torch.Tensor):
    """Values, and gradients of Σ values · weight by weights and features, as numpy arrays."""
    rows = rows.clone().requires_grad_()
    values = given(rows)
    found = torch.autograd.grad((values * weight).sum(), (given.weights, rows))
    return [tensor.detach().numpy() for tensor in (values, *found)]
