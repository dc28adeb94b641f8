"""Turns: RY layers as Kronecker products of a few qubits, one real matrix product per product.

RY is real, so real and imaginary parts are columns of the same product; and a product of real
matrices runs at several times the speed of a complex one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from quantum.simulator.register import Register

Matrices: TypeAlias = dict[int, tuple[Float[Tensor, "dim dim"], ...]]

SPAN = 4  # qubits per product: 16 x 16 is where matrix products get fast and waste little
_NARROW = 8  # fewer columns than this are widened into the matrix
_SCATTERED = 64  # fewer columns than this are gathered before they are correlated
_BLOCK = 2**17  # amplitudes of a block: 1 MiB in single precision
_WIDE = 64  # … unless all of them fit into a matrix of this size


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


def turn_spans(
    register: Register, spans: Sequence[Span], matrices: Matrices, *, undo: bool = False
) -> None:
    """Applies each span's matrix, or its transpose, to the span's qubits.

    In a large register, spans of low qubits are taken together: block by block, while the block is
    in the cache.
    """
    first_inside = _first_inside(register)
    for span in spans:
        if span.first < first_inside:
            matrix, groups = _pick(matrices, span, undo), register.n_copies << span.first
            turn_rows(register.now.real, register.spare.real, matrix, groups)
            register.flip()
    inside = [span for span in spans if span.first >= first_inside]
    if not inside:
        return
    size = register.n_columns << 1 + register.n_qubits - first_inside
    blocks = (buffer.real.view(-1, size).unbind(0) for buffer in (register.now, register.spare))
    for old, new in zip(*blocks, strict=True):
        for span in inside:
            turn_rows(old, new, _pick(matrices, span, undo), 1 << span.first - first_inside)
            old, new = new, old
    if len(inside) % 2:
        register.flip()


def _first_inside(register: Register) -> int:
    """The first of the qubits that number the rows of a block; none where one block is all."""
    rows = max(1, _BLOCK // register.n_columns)
    return max(0, register.n_qubits - rows.bit_length() + 1) or register.n_qubits


def _pick(matrices: Matrices, span: Span, undo: bool) -> Tensor:
    matrix = matrices[span.size][span.row]
    return matrix.T if undo else matrix


def turn_rows(
    old: Float[Tensor, " everything"],
    new: Float[Tensor, " everything"],
    matrix: Float[Tensor, "dim dim"],
    groups: int,
) -> None:
    """The matrix times each group of rows of `old`, into `new`."""
    dim = matrix.shape[0]
    columns = old.shape[0] // (groups * dim)
    if columns >= _NARROW or groups == 1:
        torch.bmm(
            matrix.expand(groups, dim, dim),
            old.view(groups, dim, columns),
            out=new.view(groups, dim, columns),
        )
    else:
        wide = _widened(matrix, columns)
        torch.mm(old.view(groups, -1), wide.T, out=new.view(groups, -1))


def _widened(matrix: Float[Tensor, "dim dim"], columns: int) -> Float[Tensor, "wide wide"]:
    """The matrix acting on [dim, columns] as one axis."""
    one = torch.eye(columns, dtype=matrix.dtype, device=matrix.device)
    return torch.kron(matrix.contiguous(), one)


def correlate_spans(register: Register, spans: Sequence[Span], totals: Matrices) -> None:
    """Adds Re Σ conj(adjoint_a) state_b over everything but the span's qubits, for all a and b.

    The register holds (state, adjoint). Low qubits are again taken block by block.
    """
    first_inside = _first_inside(register)
    state, adjoint = register.now.real.view(2, -1).unbind(0)
    for span in spans:
        if span.first < first_inside:
            correlate_rows(totals[span.size][span.row], adjoint, state, span.first)
    inside = [span for span in spans if span.first >= first_inside]
    if not inside:
        return
    size = register.n_columns << 1 + register.n_qubits - first_inside
    blocks = (half.view(-1, size).unbind(0) for half in (state, adjoint))
    for right, left in zip(*blocks, strict=True):
        for span in inside:
            correlate_rows(totals[span.size][span.row], left, right, span.first - first_inside)


def correlate_rows(
    total: Float[Tensor, "dim dim"],
    adjoint: Float[Tensor, " everything"],
    state: Float[Tensor, " everything"],
    first: int,
) -> None:
    """Adds the correlation of the qubits from `first` on."""
    dim = total.shape[0]
    left, right = adjoint.view(1 << first, dim, -1), state.view(1 << first, dim, -1)
    columns = left.shape[2]
    if left.shape[0] == 1:
        total.addmm_(left[0], right[0].T)
    elif columns >= _SCATTERED:
        total.add_(torch.bmm(left, right.transpose(1, 2)).sum(0))
    elif dim * columns <= _WIDE:
        full = left.flatten(1).T @ right.flatten(1)
        total.add_(full.view(dim, columns, dim, columns).diagonal(dim1=1, dim2=3).sum(-1))
    else:
        gathered = [v.transpose(0, 1).reshape(dim, -1) for v in (left, right)]
        total.addmm_(gathered[0], gathered[1].T)


def turn_columns(
    register: Register, qubit: int, angles: Float[Tensor, " column"], *, undo: bool = False
) -> None:
    """Turns one qubit by another angle in each column."""
    old, new = (_halves(buffer.data, qubit) for buffer in (register.now, register.spare))
    half = (-angles if undo else angles) / 2
    cos, sin = (f(half)[:, None].expand(-1, 2).contiguous() for f in (torch.cos, torch.sin))
    torch.mul(old[:, 0], cos, out=new[:, 0])
    new[:, 0].addcmul_(old[:, 1], sin, value=-1)
    torch.mul(old[:, 1], cos, out=new[:, 1])
    new[:, 1].addcmul_(old[:, 0], sin)
    register.flip()


def correlate_columns(register: Register, qubit: int) -> Float[Tensor, " column"]:
    """The gradient of a turn of the qubit, for each column by itself."""
    right, left = _halves(register.now.data, qubit).unflatten(0, (2, -1))
    product = left[:, 1] * right[:, 0]
    product.addcmul_(left[:, 0], right[:, 1], value=-1)
    return product.sum((0, 1, 3))


def _halves(data: Complex[Tensor, "copy amplitude column"], qubit: int) -> Tensor:
    """[copy and block, bit of the qubit, rest, column, re/im]."""
    copies, _, columns = data.shape
    return torch.view_as_real(data).view(copies << qubit, 2, -1, columns, 2)


def product_state(
    angles: Float[Tensor, "qubit column"],
) -> Complex[Tensor, "amplitude column"]:
    """RY(angle) on every qubit of |0…0⟩."""
    high, low = _halves_of_product(angles)
    return (high.to(angles.dtype.to_complex())[:, None] * low).flatten(0, 1)


def _halves_of_product(
    angles: Float[Tensor, "qubit column"],
) -> tuple[Float[Tensor, "high column"], Float[Tensor, "low column"]]:
    """The real product states of the first and of the last qubits; one more qubit in front, which
    stays 0, makes both halves equally long while they are built side by side."""
    n_qubits = len(angles)
    n_low = n_qubits - n_qubits // 2
    padded = angles if n_qubits % 2 == 0 else torch.nn.functional.pad(angles, (0, 0, 1, 0))
    half = padded / 2
    vectors = torch.stack([half.cos(), half.sin()], 1).view(2, n_low, 2, -1)
    state = vectors[:, 0]
    for q in range(1, n_low):
        state = (state[:, :, None] * vectors[:, q, None]).flatten(1, 2)
    return state[0, : 1 << n_qubits // 2], state[1]


def gradient_of_product(
    angles: Float[Tensor, "qubit start_column"], adjoint: Complex[Tensor, "amplitude column"]
) -> Float[Tensor, "qubit start_column"]:
    """The gradient that the adjoint state gives the angles of `product_state`.

    Contracted with one half of the product, the adjoint leaves what the other half has to meet.
    """
    high, low = _halves_of_product(angles)
    left = 2 * adjoint.real
    if angles.shape[1] == 1:
        left = left.sum(1, keepdim=True)
    square = left.view(len(high), len(low), -1)
    meets_high, meets_low = (square * low).sum(1), (square * high[:, None]).sum(0)
    return torch.cat([_slopes_of_turns(high, meets_high), _slopes_of_turns(low, meets_low)])


def _slopes_of_turns(
    state: Float[Tensor, "amplitude column"], adjoint: Float[Tensor, "amplitude column"]
) -> Float[Tensor, "_qubit column"]:
    """⟨adjoint| derivative of a turn |state⟩ for every qubit: its bit flipped, with a sign."""
    partner, signs = _flips(len(state).bit_length() - 1, state.dtype, state.device)
    return (state[partner] * adjoint * signs).sum(1)


@lru_cache(maxsize=64)
def _flips(
    n_qubits: int, dtype: torch.dtype, device: torch.device
) -> tuple[Int64[Tensor, "qubit amplitude"], Float[Tensor, "qubit amplitude 1"]]:
    """For every qubit each basis state with its bit flipped, and -1/2 where it was 0, else 1/2."""
    bits = 1 << torch.arange(n_qubits - 1, -1, -1, device=device)[:, None]
    index = torch.arange(2**n_qubits, device=device)
    signs = ((index & bits) > 0).to(dtype) - 0.5
    return index ^ bits, signs[:, :, None]
