"""What each gate is: its unitary matrix as a function of its angles.

These are the definitions; every faster path is tested against them.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from quantum.gates import find_gate

Angles: TypeAlias = Float[Tensor, "*batch n_angles"]
Matrix: TypeAlias = Complex[Tensor, "*batch dim dim"]

_R = 1 / math.sqrt(2)
_W = (1 + 1j) * _R  # a quarter of a half turn, e^{iπ/4}
_PAULIS: dict[str, list[list[complex]]] = {
    "X": [[0, 1], [1, 0]],
    "Y": [[0, -1j], [1j, 0]],
    "Z": [[1, 0], [0, -1]],
}
_ONE_QUBIT: dict[str, list[list[complex]]] = {
    "id": [[1, 0], [0, 1]],
    "x": _PAULIS["X"],
    "y": _PAULIS["Y"],
    "z": _PAULIS["Z"],
    "h": [[_R, _R], [_R, -_R]],
    "s": [[1, 0], [0, 1j]],
    "sdg": [[1, 0], [0, -1j]],
    "t": [[1, 0], [0, _W]],
    "tdg": [[1, 0], [0, _W.conjugate()]],
    "sx": [[(1 + 1j) / 2, (1 - 1j) / 2], [(1 - 1j) / 2, (1 + 1j) / 2]],
    "sxdg": [[(1 - 1j) / 2, (1 + 1j) / 2], [(1 + 1j) / 2, (1 - 1j) / 2]],
}
_PERMUTED: dict[str, list[int]] = {  # column k has its 1 in row p[k]
    "cx": [0, 1, 3, 2],
    "swap": [0, 2, 1, 3],
    "ccx": [0, 1, 2, 3, 4, 5, 7, 6],
    "cswap": [0, 1, 2, 3, 4, 6, 5, 7],
}


def gate_matrix(name: str, angles: Angles, *, word: str = "", n_qubits: int = 1) -> Matrix:
    """The gate's unitary, complex64 for float32 angles and complex128 for float64.

    Args:
        angles: radians, in the order of the instruction; pass an empty last axis for a fixed gate.
        word: the letters of the gate `pauli`.
        n_qubits: size of the gate `mcp`.
    """
    if name == "pauli":
        return _pauli_rotation(angles[..., 0], word)
    if name == "mcp":
        return _phase_on_ones(angles[..., 0], n_qubits)
    if find_gate(name).n_angles:
        return _PARAMETRIC[name](*angles.unbind(-1))
    fixed = fixed_matrix(name).to(angles.device, angles.dtype.to_complex())
    return fixed.expand(*angles.shape[:-1], *fixed.shape)


def fixed_matrix(name: str) -> Complex[Tensor, "dim dim"]:
    """The complex128 matrix of a gate without angles."""
    if name in _ONE_QUBIT:
        return torch.tensor(_ONE_QUBIT[name], dtype=torch.complex128)
    if name in _PERMUTED:
        return torch.eye(len(_PERMUTED[name]), dtype=torch.complex128)[_PERMUTED[name]]
    if name in ("cz", "ccz"):
        signs = torch.ones(2 ** find_gate(name).n_qubits, dtype=torch.complex128)
        signs[-1] = -1
        return torch.diag(signs)
    if name in ("cy", "ch"):
        return _controlled(fixed_matrix(name[1]))
    assert name == "iswap"
    return torch.diag(torch.tensor([1, 1j, 1j, 1]))[[0, 2, 1, 3]].to(torch.complex128)


def _stack(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _rotation(angle: Tensor, generator: Tensor) -> Tensor:
    """exp(-i angle/2 G) for a G that squares to one."""
    generator = generator.to(angle.device, angle.dtype.to_complex())
    half = angle[..., None, None] / 2
    one = torch.eye(generator.shape[-1], dtype=generator.dtype, device=angle.device)
    return torch.cos(half) * one - 1j * torch.sin(half) * generator


def _pauli_rotation(angle: Tensor, word: str) -> Tensor:
    return _rotation(angle, _pauli_matrix(word))


def _pauli_matrix(word: str) -> Tensor:
    product = torch.ones(1, 1, dtype=torch.complex128)
    for letter in word:
        product = torch.kron(product, torch.tensor(_PAULIS[letter], dtype=torch.complex128))
    return product


def _diagonal(phases: list[Tensor]) -> Tensor:
    angles = torch.stack(phases, -1)
    return torch.diag_embed(torch.polar(torch.ones_like(angles), angles))


def _phase_on_ones(angle: Tensor, n_qubits: int) -> Tensor:
    zero = torch.zeros_like(angle)
    return _diagonal([zero] * (2**n_qubits - 1) + [angle])


def _controlled(matrix: Tensor) -> Tensor:
    dim = matrix.shape[-1]
    one = torch.eye(dim, dtype=matrix.dtype, device=matrix.device).expand(matrix.shape)
    off = torch.zeros_like(one)
    return torch.cat([torch.cat([one, off], -1), torch.cat([off, matrix], -1)], -2)


def _u(theta: Tensor, phi: Tensor, lam: Tensor) -> Tensor:
    return _phase_on_ones(phi, 1) @ _pauli_rotation(theta, "Y") @ _phase_on_ones(lam, 1)


def _turned(matrix: Tensor, phi: Tensor) -> Tensor:
    """The one-qubit matrix seen in a frame turned by phi about Z."""
    return _pauli_rotation(phi, "Z") @ matrix @ _pauli_rotation(-phi, "Z")


def _gpi(phi: Tensor) -> Tensor:
    """IonQ's GPi, here in radians: a half turn about an axis in the XY plane."""
    return _turned(_pauli_matrix("X").to(phi.device, phi.dtype.to_complex()), phi)


def _gpi2(phi: Tensor) -> Tensor:
    """IonQ's GPi2, here in radians: a quarter turn about an axis in the XY plane."""
    return _turned(_pauli_rotation(torch.full_like(phi, math.pi / 2), "X"), phi)


def _ms(phi0: Tensor, phi1: Tensor, theta: Tensor) -> Tensor:
    """IonQ's Mølmer–Sørensen gate exp(-i theta/2 GPi(phi0) ⊗ GPi(phi1)), in radians."""
    pair = torch.einsum("...ij,...kl->...ikjl", _gpi(phi0), _gpi(phi1))
    return _rotation(theta, pair.reshape(*theta.shape, 4, 4))


def _xy(angle: Tensor) -> Tensor:
    cos, sin = torch.cos(angle / 2) + 0j, -1j * torch.sin(angle / 2)
    one, off = torch.ones_like(cos), torch.zeros_like(cos)
    return _stack(
        [[one, off, off, off], [off, cos, sin, off], [off, sin, cos, off], [off, off, off, one]]
    )


_PARAMETRIC: dict[str, Callable[..., Tensor]] = {
    "rx": lambda a: _pauli_rotation(a, "X"),
    "ry": lambda a: _pauli_rotation(a, "Y"),
    "rz": lambda a: _diagonal([-a / 2, a / 2]),
    "p": lambda a: _phase_on_ones(a, 1),
    "u": _u,
    "gpi": _gpi,
    "gpi2": _gpi2,
    "crx": lambda a: _controlled(_pauli_rotation(a, "X")),
    "cry": lambda a: _controlled(_pauli_rotation(a, "Y")),
    "crz": lambda a: _controlled(_diagonal([-a / 2, a / 2])),
    "cp": lambda a: _phase_on_ones(a, 2),
    "rxx": lambda a: _pauli_rotation(a, "XX"),
    "ryy": lambda a: _pauli_rotation(a, "YY"),
    "rzz": lambda a: _diagonal([-a / 2, a / 2, a / 2, -a / 2]),
    "xy": _xy,
    "ms": _ms,
}
