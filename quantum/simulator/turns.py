"""Turns: RY layers as Kronecker products of a few qubits, one real matrix product per product.

RY is real, so real and imaginary parts are columns of the same product; and a product of real
matrices runs at several times the speed of a complex one.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from quantum.simulator.register import Register

SPAN = 4  # qubits per product: 16 x 16 is where matrix products get fast and waste little
_NARROW = 8  # fewer columns than this are widened into the matrix
_SCATTERED = 128  # fewer columns than this are gathered before they are correlated


@dataclass(frozen=True, slots=True)
class Span:
    """Neighbouring qubits turned by one matrix.

    Args:
        row: which matrix, in the stack of all spans of this size.
    """

    first: int
    size: int
    row: int


class SpanTable:
    """The spans of all turn layers of a program, grouped by size."""

    def __init__(self) -> None:
        self._slots: dict[int, list[list[int]]] = {}

    def add_layer(self, slot_of_qubit: dict[int, int]) -> tuple[Span, ...]:
        """The spans that cover the qubits; `slot_of_qubit` gives the rows of their angles."""
        spans = []
        waiting = sorted(slot_of_qubit)
        while waiting:
            inside = [q for q in waiting if q < waiting[0] + SPAN]
            first, size = inside[0], inside[-1] - inside[0] + 1
            rows = self._slots.setdefault(size, [])
            rows.append([slot_of_qubit.get(q, 0) for q in range(first, first + size)])
            spans.append(Span(first, size, len(rows) - 1))
            waiting = waiting[len(inside) :]
        return tuple(spans)

    def compile(self, device: torch.device) -> dict[int, Int64[Tensor, "span qubit"]]:
        return {size: torch.tensor(rows, device=device) for size, rows in self._slots.items()}


def span_matrices(
    angles: Float[Tensor, "span qubit"],
) -> Float[Tensor, "span dim dim"]:
    """RY ⊗ RY ⊗ … for every row of angles."""
    cos, sin = torch.cos(angles / 2), torch.sin(angles / 2)
    single = torch.stack([cos, -sin, sin, cos], -1).unflatten(-1, (2, 2))
    product = single[:, 0]
    for q in range(1, angles.shape[1]):
        dim = 2 * product.shape[1]
        product = (product[:, :, None, :, None] * single[:, q, None, :, None, :]).reshape(
            -1, dim, dim
        )
    return product


def span_generators(size: int, like: Tensor) -> Float[Tensor, "qubit entry"]:
    """For each qubit the matrix that reads its gradient off a correlation: <., [[0,-1],[1,0]]>."""
    rows = []
    for q in range(size):
        half = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        left, right = torch.eye(2**q), torch.eye(2 ** (size - 1 - q))
        rows.append(torch.kron(torch.kron(left, half), right).flatten())
    return torch.stack(rows).to(like)


def turn_span(register: Register, matrix: Float[Tensor, "dim dim"], span: Span) -> None:
    """Applies the matrix to the span's qubits."""
    dim = matrix.shape[0]
    old, new = (torch.view_as_real(d) for d in (register.data, register.spare))
    blocks = register.n_copies << span.first
    columns = old.numel() // (blocks * dim)
    if blocks == 1:
        torch.mm(matrix, old.view(dim, columns), out=new.view(dim, columns))
    elif columns >= _NARROW:
        torch.bmm(
            matrix.expand(blocks, dim, dim),
            old.view(blocks, dim, columns),
            out=new.view(blocks, dim, columns),
        )
    else:
        one = torch.eye(columns, dtype=matrix.dtype, device=matrix.device)
        wide = torch.kron(matrix.contiguous(), one)
        torch.mm(old.view(blocks, -1), wide.T, out=new.view(blocks, -1))
    register.flip()


def correlate(
    adjoint: Complex[Tensor, "amplitude column"],
    state: Complex[Tensor, "amplitude column"],
    span: Span,
) -> Float[Tensor, "dim dim"]:
    """Re Σ conj(adjoint_a) state_b over everything but the span's qubits, for all a and b."""
    dim = 2**span.size
    left, right = (torch.view_as_real(v).view(1 << span.first, dim, -1) for v in (adjoint, state))
    columns = left.shape[2]
    if left.shape[0] == 1:
        return left[0] @ right[0].T
    if columns >= _SCATTERED:
        return torch.bmm(left, right.transpose(1, 2)).sum(0)
    if dim * columns <= 64:
        full = left.flatten(1).T @ right.flatten(1)
        return full.view(dim, columns, dim, columns).diagonal(dim1=1, dim2=3).sum(-1)
    gathered = (v.transpose(0, 1).reshape(dim, -1) for v in (left, right))
    return next(gathered) @ next(gathered).T


def turn_columns(
    register: Register, qubit: int, angles: Float[Tensor, " column"], *, undo: bool = False
) -> None:
    """Turns one qubit by another angle in each column."""
    old, new = (_halves(d, qubit) for d in (register.data, register.spare))
    half = (-angles if undo else angles) / 2
    cos, sin = (f(half)[:, None].expand(-1, 2).contiguous() for f in (torch.cos, torch.sin))
    torch.mul(old[:, 0], cos, out=new[:, 0])
    new[:, 0].addcmul_(old[:, 1], sin, value=-1)
    torch.mul(old[:, 1], cos, out=new[:, 1])
    new[:, 1].addcmul_(old[:, 0], sin)
    register.flip()


def correlate_columns(
    adjoint: Complex[Tensor, "amplitude column"],
    state: Complex[Tensor, "amplitude column"],
    qubit: int,
) -> Float[Tensor, " column"]:
    """The gradient of a turn of the qubit, for each column by itself."""
    left, right = _halves(adjoint[None], qubit), _halves(state[None], qubit)
    product = left[:, 1] * right[:, 0]
    product.addcmul_(left[:, 0], right[:, 1], value=-1)
    return product.sum((0, 1, 3))


def _halves(data: Complex[Tensor, "copy amplitude column"], qubit: int) -> Tensor:
    """[block, bit of the qubit, rest, column, re/im]."""
    copies, _, columns = data.shape
    return torch.view_as_real(data).view(copies << qubit, 2, -1, columns, 2)


def product_state(
    angles: Float[Tensor, "qubit column"],
) -> Float[Tensor, "amplitude column"]:
    """RY(angle) on every qubit of |0…0⟩: real amplitudes."""
    vectors = torch.stack([torch.cos(angles / 2), torch.sin(angles / 2)], 1)
    state = vectors[0]
    for vector in vectors[1:]:
        state = (state[:, None] * vector).flatten(0, 1)
    return state


def gradient_of_product(
    angles: Float[Tensor, "qubit start_column"], adjoint: Complex[Tensor, "amplitude column"]
) -> Float[Tensor, "qubit start_column"]:
    """The gradient that the adjoint state gives the angles of `product_state`."""
    with torch.enable_grad():
        leaf = angles.detach().requires_grad_()
        state = product_state(leaf)
    upstream = 2 * adjoint.real
    if state.shape[1] == 1:
        upstream = upstream.sum(1, keepdim=True)
    return torch.autograd.grad(state, leaf, upstream)[0]
