"""QAOA on a diagonal cost with the X mixer, without a circuit: phases and turns alone.

RX is RY between quarter turns about Z. These commute with the cost and cancel between layers, so
the state is kept in the turned frame: the start carries the first of them, and the last touches
neither energies nor samples. What remains is one diagonal and one real Kronecker product per layer.
Both are done in blocks that fit the cache, so a layer passes over the memory twice: once for what
stays inside a block, once for the high qubits.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from quantum.simulator.cost import BLOCK, CostTables, block_of
from quantum.simulator.register import Register
from quantum.simulator.turns import (
    SPAN,
    Matrices,
    Span,
    correlate_spans,
    span_generators,
    span_matrices,
    turn_rows,
)


def qaoa_energy(
    cost: CostTables, *, gammas: Float[Tensor, " layer"], betas: Float[Tensor, " layer"]
) -> Float[Tensor, ""]:
    """⟨cost⟩ after the layers e^{-i beta Σ X} e^{-i gamma cost} on the uniform state.

    Differentiable in gammas and betas by the adjoint method: two states in memory.
    """
    return _Energy.apply(gammas, betas, cost)


def qaoa_probabilities(
    cost: CostTables, *, gammas: Float[Tensor, " layer"], betas: Float[Tensor, " layer"]
) -> Float[Tensor, " amplitude"]:
    """The probability of every basis state."""
    with torch.no_grad():
        state = _evolve(cost, gammas.tolist(), betas.tolist())
        return torch.view_as_real(state.flatten()).square().sum(1)


def qaoa_state(
    cost: CostTables, *, gammas: Float[Tensor, " layer"], betas: Float[Tensor, " layer"]
) -> Complex[Tensor, " amplitude"]:
    """The state itself, out of the turned frame."""
    with torch.no_grad():
        state = _evolve(cost, gammas.tolist(), betas.tolist())
        return (state * _frame(cost, 1.0).conj()).flatten()


def _frame(cost: CostTables, scale: float) -> Complex[Tensor, "1 high middle low"]:
    """RZ(π/2) on every qubit, times a scale: a factor of i for every one in the index."""
    dtype = _like(cost).dtype.to_complex()
    quarter = torch.tensor([1, 1j], dtype=dtype, device=_like(cost).device) * (1 - 1j) * 2**-0.5
    sides = []
    for size in (cost.shape[0], cost.shape[1] * cost.shape[2]):
        side = torch.ones(1, dtype=dtype, device=quarter.device)
        for _ in range(size.bit_length() - 1):
            side = (side[:, None] * quarter).flatten()
        sides.append(side)
    return ((scale * sides[0])[:, None] * sides[1]).view(1, *cost.shape)


def _like(cost: CostTables) -> Tensor:
    return cost.tables[0]


def _evolve(
    cost: CostTables, gammas: Sequence[float], betas: Sequence[float]
) -> Complex[Tensor, "1 high middle low"]:
    """The final state in the turned frame."""
    state = _frame(cost, cost.n_amplitudes**-0.5)
    for gamma, beta in zip(gammas, betas, strict=True):
        _layer(state, cost, gamma, beta)
    return state


def _layer(
    states: Complex[Tensor, "copy high middle low"], cost: CostTables, gamma: float, beta: float
) -> None:
    """Phases, then turns, in place."""
    factors = cost.map_tables(lambda table: _unit(-gamma * table))
    turns = _Turns(cost, 2 * beta)
    for copy in states:
        for high, block in enumerate(copy.unbind(0)):
            _multiply(block, block_of(factors, high))
            turns.apply_low(block)
        turns.apply_high(copy)


def _undo_layer(
    states: Complex[Tensor, "copy high middle low"], cost: CostTables, gamma: float, beta: float
) -> None:
    """Turns back, then phases back, in place."""
    factors = cost.map_tables(lambda table: _unit(gamma * table))
    turns = _Turns(cost, -2 * beta)
    for copy in states:
        turns.apply_high(copy)
        for high, block in enumerate(copy.unbind(0)):
            turns.apply_low(block)
            _multiply(block, block_of(factors, high))


def _multiply(block: Complex[Tensor, "middle low"], factors: Iterable[Tensor]) -> None:
    for factor in factors:
        block.mul_(factor)


class _Turns:
    """The turn of every qubit by the same angle, in place, with one spare block for all blocks."""

    def __init__(self, cost: CostTables, angle: float) -> None:
        n_high = cost.shape[0].bit_length() - 1
        n_low = cost.n_amplitudes.bit_length() - 1 - n_high
        self._low, self._high = (self._groups(cost, n, angle) for n in (n_low, n_high))
        self._width = max(1, 2 ** (BLOCK - n_high))  # columns that fill one block
        self._spare = _like(cost).new_empty(2 * max(2**n_low, self._width << n_high))

    @staticmethod
    def _groups(cost: CostTables, n_qubits: int, angle: float) -> list[tuple[Tensor, int]]:
        """(matrix, how many groups of rows it acts on) for each span of the qubits."""
        like = _like(cost)
        return [
            (span_matrices(like.new_full((1, span.size), angle))[0], 1 << span.first)
            for span in _cover(n_qubits)
        ]

    def apply_low(self, block: Complex[Tensor, "middle low"]) -> None:
        """Turns the qubits inside a block."""
        self._apply(self._low, torch.view_as_real(block).view(-1))

    def apply_high(self, state: Complex[Tensor, "high middle low"]) -> None:
        """Turns the qubits that number the blocks: as many columns at a time as fill one block."""
        if not self._high:
            return
        for columns in state.flatten(1).split(self._width, 1):
            copy = columns.clone(memory_format=torch.contiguous_format)
            self._apply(self._high, torch.view_as_real(copy).view(-1))
            columns.copy_(copy)

    def _apply(self, turns: list[tuple[Tensor, int]], block: Float[Tensor, " re_im"]) -> None:
        old, new = block, self._spare[: len(block)]
        for matrix, groups in turns:
            turn_rows(old, new, matrix, groups)
            old, new = new, old
        if len(turns) % 2:
            block.copy_(old)


def _cover(n_qubits: int) -> list[Span]:
    return [Span(q, min(SPAN, n_qubits - q), 0) for q in range(0, n_qubits, SPAN)]


def _unit(angle: Tensor) -> Tensor:
    return torch.complex(torch.cos(angle), torch.sin(angle))


def _energy(state: Complex[Tensor, "high middle low"], cost: CostTables) -> Float[Tensor, ""]:
    """⟨cost⟩, summed in float64 over the blocks."""
    total = torch.zeros((), dtype=torch.float64, device=_like(cost).device)
    for high, block in enumerate(state):
        weighted = block * cost.energies(high)
        total += torch.vdot(block.flatten(), weighted.flatten()).real
    return total


class _Energy(torch.autograd.Function):
    """(gammas, betas) → energy; the final state is kept for the sweep back."""

    @staticmethod
    def forward(ctx: Any, gammas: Tensor, betas: Tensor, cost: CostTables) -> Tensor:
        state = _evolve(cost, gammas.tolist(), betas.tolist())
        ctx.cost, ctx.values = cost, (gammas.tolist(), betas.tolist())
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(state)
        return _energy(state[0], cost).to(gammas)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        (state,) = ctx.saved_tensors
        cost: CostTables = ctx.cost
        pair = torch.cat([state, state])
        for high, block in enumerate(pair[1]):
            block.mul_(cost.energies(high))
        slopes = []
        for gamma, beta in zip(*(values[::-1] for values in ctx.values), strict=True):
            beta_slope = _mixer_slope(pair, cost)
            _undo_layer(pair, cost, gamma, beta)
            slopes.append((_cost_slope(pair, cost), beta_slope))
        columns = [upstream.new_tensor(column[::-1]) for column in zip(*slopes, strict=True)]
        return upstream * columns[0], upstream * columns[1], None


def _mixer_slope(pair: Complex[Tensor, "2 high middle low"], cost: CostTables) -> float:
    """dE/dβ of the layer just reached: every qubit turns by 2β."""
    spans = _cover(cost.n_amplitudes.bit_length() - 1)
    like = _like(cost)
    totals: Matrices = {size: (like.new_zeros(2**size, 2**size),) for size in range(1, SPAN + 1)}
    correlate_spans(Register(pair.view(2, -1, 1)), spans, totals)
    return sum(
        2 * float(span_generators(size, like).sum(0) @ found.flatten())
        for size, (found,) in totals.items()
    )


def _cost_slope(pair: Complex[Tensor, "2 high middle low"], cost: CostTables) -> float:
    """dE/dγ: 2 Σ cost(x) Im(conj(λ) ψ), the same before and after the phases."""
    total = 0.0
    for high, (state, adjoint) in enumerate(zip(*pair, strict=True)):
        weighted = state * cost.energies(high)
        total += 2 * float(torch.vdot(adjoint.flatten(), weighted.flatten()).imag)
    return total
