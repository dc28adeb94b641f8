"""Data as circuits: a circuit of inputs, and the map from features to their values."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import pi
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.circuit import Circuit, Instruction, parameter_input
from quantum.errors import InvalidValues

Features: TypeAlias = Float[Tensor, "batch n_features"]
Angles: TypeAlias = Float[Tensor, "batch n_inputs"]


@dataclass(frozen=True)
class DataEncoder:
    """How features enter a circuit.

    Args:
        circuit: prepares the state; all its parameters are inputs.
        to_angles: features to the values of `circuit.inputs`, differentiable; for a training with
            several workers, a function that can be pickled.
    """

    n_features: int
    circuit: Circuit
    to_angles: Callable[[Tensor], Tensor]

    def angles(self, features: Features) -> Angles:
        """The values of `circuit.inputs` in radians; raises `InvalidValues` for a wrong width."""
        if features.shape[1] != self.n_features:
            raise InvalidValues(
                f"this encoding takes {self.n_features} features, not {features.shape[1]}"
            )
        return self.to_angles(features)


def angle_encoding(n_features: int, *, axis: Literal["x", "y", "z"] = "y") -> DataEncoder:
    """One qubit per feature, turned by it about an axis (Schuld and Petruccione 2018, section 5.3).

    Args:
        axis: about Z a Hadamard comes first, or the turn would have no effect.
    """
    circuit = Circuit(n_features)
    for q in range(n_features):
        if axis == "z":
            circuit = circuit.h(q)
        circuit = circuit.gate(f"r{axis}", (q,), (parameter_input(f"x_{q}"),))
    return DataEncoder(n_features, circuit, _as_they_are)


def _as_they_are(features: Features) -> Angles:
    return features


def basis_encoding(n_features: int) -> DataEncoder:
    """One qubit per bit: the basis state that spells the features, each of which is 0 or 1."""
    circuit = Circuit(n_features)
    for q in range(n_features):
        circuit = circuit.ry(pi * parameter_input(f"x_{q}"), q)
    return DataEncoder(n_features, circuit, _check_bits)


def _check_bits(features: Features) -> Angles:
    if not ((features == 0) | (features == 1)).all():
        raise InvalidValues("basis encoding takes bits: every feature must be 0 or 1")
    return features


def iqp_encoding(n_features: int, *, repetitions: int = 2) -> DataEncoder:
    """Hadamards, then phases of every feature and every product of two, repeated (Havlíček et al.
    2019, eq. 2, with φ_ij = x_i x_j): believed hard to simulate at scale."""
    pairs = list(combinations(range(n_features), 2))
    block = Circuit(n_features)
    for q in range(n_features):
        block = block.h(q)
    for q in range(n_features):
        block = block.rz(2 * parameter_input(f"x_{q}"), q)
    for a, b in pairs:
        block = block.rzz(2 * parameter_input(f"x_{a}_{b}"), a, b)
    circuit = Circuit(n_features, block.instructions * repetitions)
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    return DataEncoder(n_features, circuit, partial(_with_products, first=first, second=second))


def _with_products(features: Features, *, first: list[int], second: list[int]) -> Angles:
    """The features and their products of two."""
    return torch.cat([features, features[:, first] * features[:, second]], 1)


def amplitude_encoding(n_features: int) -> DataEncoder:
    """log2 as many qubits as features: the features, normalised and padded with zeros, become the
    amplitudes (real, signs kept). Prepared by uniformly controlled RY gates (Möttönen et al. 2004,
    section III), so it runs on hardware: 2^n - 1 turns and as many CNOTs less one per level."""
    n_qubits = max(1, (n_features - 1).bit_length())
    instructions: list[Instruction] = []
    for level in range(n_qubits):
        instructions += _uniform_turns(level)
    circuit = Circuit(n_qubits, tuple(instructions))
    return DataEncoder(n_features, circuit, partial(_padded_angles, n_qubits=n_qubits))


def _padded_angles(features: Features, *, n_qubits: int) -> Angles:
    padded = torch.nn.functional.pad(features, (0, 2**n_qubits - features.shape[1]))
    return _tree_angles(padded, n_qubits)


def _uniform_turns(level: int) -> list[Instruction]:
    """RY on qubit `level`, by another angle for each state of the qubits before it."""
    count = 2**level
    instructions = []
    for step in range(count):
        name = parameter_input(f"a_{level}_{step}")
        instructions.append(Instruction("ry", (level,), (name,)))
        if level:
            control = level - 1 - _trailing_zeros(step + 1, level - 1)
            instructions.append(Instruction("cx", (control, level)))
    return instructions


def _trailing_zeros(number: int, limit: int) -> int:
    """The bit that changes from Gray code `number - 1` to `number`; past the last, the top bit."""
    return min((number & -number).bit_length() - 1, limit)


def _tree_angles(vector: Tensor, n_qubits: int) -> Tensor:
    """The angles of all levels, in the order of the circuit's inputs."""
    largest = vector.detach().abs().amax(1, keepdim=True)
    if not bool(((largest > 0) & largest.isfinite()).all()):
        raise InvalidValues("amplitude encoding cannot normalise a row of zeros, inf or nan")
    vector = vector / largest  # or squares of large and small features leave the range of floats
    levels = []
    for level in reversed(range(n_qubits)):
        pairs = vector.unflatten(1, (2**level, 2))
        levels.append(_gray_angles(2 * _safe_angle(pairs), level))
        vector = (pairs.square().sum(2) + torch.finfo(vector.dtype).tiny).sqrt()
    return torch.cat(levels[::-1], 1)


def _safe_angle(pairs: Float[Tensor, "batch node 2"]) -> Float[Tensor, "batch node"]:
    """The angle of each pair, 0 with gradient 0 where both are 0."""
    empty = (pairs == 0).all(2)
    first = torch.where(empty, torch.ones_like(pairs[..., 0]), pairs[..., 0])
    return torch.atan2(pairs[..., 1], first)


def _gray_angles(angles: Float[Tensor, "batch node"], level: int) -> Float[Tensor, "batch node"]:
    """Angles between CNOTs that add up to the wanted angle for each state of the controls
    (Möttönen et al. 2004, eq. 3)."""
    count = 2**level
    index = torch.arange(count, device=angles.device)
    gray = index ^ (index >> 1)
    overlap = index[None, :] & gray[:, None]
    bits = (overlap[..., None] >> torch.arange(max(level, 1), device=angles.device)) & 1
    signs = 1 - 2 * (bits.sum(2) % 2)
    return angles @ signs.to(angles.dtype).T / count
