"""QAOA on a diagonal cost with the X mixer, without a circuit: phases and turns alone.

RX is RY between quarter turns about Z. These commute with the cost and cancel between layers, so
the state is kept in the turned frame: the start carries the first of them, and the last touches
neither energies nor samples. What remains is one diagonal and one real Kronecker product per layer.

Memory is swept in parts that fit the cache, in turn such that hold all values of the low qubits and
such that hold all of the high ones. Turns of different qubits commute, so a sweep finishes the
turns of one layer on its qubits, does the phases of the next and begins its turns: p layers take
p + 1 sweeps, and start, energy and slopes none of their own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from quantum.errors import InvalidValues
from quantum.simulator.adjoint import first_only
from quantum.simulator.cost import BLOCK, CostTables, part_of
from quantum.simulator.turns import (
    SPAN,
    Span,
    span_generators,
    span_matrices,
    turn_rows,
)

Turn: TypeAlias = tuple[Tensor, int]  # a matrix, and how many groups of rows it acts on


def qaoa_energy(
    cost: CostTables, *, gammas: Float[Tensor, " layer"], betas: Float[Tensor, " layer"]
) -> Float[Tensor, ""]:
    """⟨cost⟩ after the layers e^{-i beta Σ X} e^{-i gamma cost} on the uniform state.

    Differentiable in gammas and betas by the adjoint method: two states in memory beside the kept
    one.
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
        high, low = _frame(cost)
        return (state * (high * low).conj()).flatten()


def _frame(cost: CostTables) -> tuple[Tensor, Tensor]:
    """RZ(π/2) on every qubit, a factor of i for every one in the index: [high, 1, 1] and
    [1, middle, low] to be multiplied."""
    dtype = _like(cost).dtype.to_complex()
    quarter = torch.tensor([1, 1j], dtype=dtype, device=_like(cost).device) * (1 - 1j) * 2**-0.5
    sides = []
    for size in (cost.shape[0], cost.shape[1] * cost.shape[2]):
        side = torch.ones(1, dtype=dtype, device=quarter.device)
        for _ in range(size.bit_length() - 1):
            side = (side[:, None] * quarter).flatten()
        sides.append(side)
    return sides[0].view(-1, 1, 1), sides[1].view(1, *cost.shape[1:])


def _like(cost: CostTables) -> Tensor:
    return cost.tables[0]


@dataclass(frozen=True, slots=True)
class _Sweep:
    """How memory is cut so that each part holds all values of some of the qubits.

    Args:
        axis: of [high, middle, low] that is cut.
        spans: the qubits held, by their place within a part.
    """

    axis: int
    cuts: tuple[slice, ...]
    spans: tuple[Span, ...]

    def turns(self, cost: CostTables, angle: float) -> list[Turn]:
        """The turn of every qubit held by the same angle."""
        like = _like(cost)
        return [
            (span_matrices(like.new_full((1, span.size), angle))[0], 1 << span.first)
            for span in self.spans
        ]

    def generators(self, cost: CostTables) -> list[Turn]:
        """Twice the derivative of the turns at angle 0."""
        return [
            (span_generators(span.size, _like(cost)).sum(0).view(2**span.size, -1), 1 << span.first)
            for span in self.spans
        ]

    def part(
        self, state: Complex[Tensor, "high middle low"], cut: slice
    ) -> Complex[Tensor, "_high _middle _low"]:
        return state[(slice(None),) * self.axis + (cut,)]


def _sweeps(cost: CostTables) -> tuple[_Sweep, _Sweep]:
    """Over blocks of all low qubits, and over columns of all high ones."""
    high, middle, low = cost.shape
    width = max(1, 2**BLOCK // (high * low))
    columns = (slice(first, first + width) for first in range(0, middle, width))
    return (
        _Sweep(0, tuple(slice(i, i + 1) for i in range(high)), _cover(middle * low)),
        _Sweep(1, tuple(columns), _cover(high)),
    )


def _cover(n_states: int) -> tuple[Span, ...]:
    n_qubits = n_states.bit_length() - 1
    return tuple(Span(q, min(SPAN, n_qubits - q), 0) for q in range(0, n_qubits, SPAN))


class _Part:
    """A part of a state at work, in one piece, and a spare of its size; `put` ends the work."""

    def __init__(self, like: Complex[Tensor, "high middle low"]) -> None:
        self.values = self._spare = like.new_empty(0)

    def take(self, place: Complex[Tensor, "_high _middle _low"]) -> None:
        self.values = place.contiguous()
        if self._spare.shape != place.shape:
            self._spare = torch.empty_like(self.values)

    def turn(self, turns: list[Turn]) -> None:
        for matrix, groups in turns:
            turn_rows(_flat(self.values), _flat(self._spare), matrix, groups)
            self.values, self._spare = self._spare, self.values

    def multiply(self, factors: Iterator[Tensor]) -> None:
        for factor in factors:
            self.values.mul_(factor)

    def put(self, place: Complex[Tensor, "_high _middle _low"]) -> None:
        if self.values.data_ptr() != place.data_ptr():
            place.copy_(self.values)
            self._spare = self.values

    def overlap(self, other: "_Part", turned: Turn) -> Float[Tensor, ""]:
        """Re ⟨this| matrix |other⟩."""
        matrix, groups = turned
        turn_rows(_flat(other.values), _flat(self._spare), matrix, groups)
        return torch.dot(_flat(self.values), _flat(self._spare))


def _flat(values: Complex[Tensor, "_high _middle _low"]) -> Float[Tensor, " re_im"]:
    return torch.view_as_real(values).view(-1)


def _evolve(
    cost: CostTables,
    gammas: Sequence[float],
    betas: Sequence[float],
    *,
    at_end: Callable[[Tensor, Tensor], None] | None = None,
) -> Complex[Tensor, "high middle low"]:
    """The final state in the turned frame.

    Args:
        at_end: is shown each part of it with the energies there, while it is at hand.
    """
    if len(gammas) != len(betas):
        raise InvalidValues(f"{len(gammas)} gammas need as many betas, not {len(betas)}")
    high, low = _frame(cost)
    state = low.new_empty(cost.shape)
    part = _Part(state)
    for number in range(len(gammas) + 1):
        sweep = _sweeps(cost)[number % 2]
        if number:
            finish = sweep.turns(cost, 2 * betas[number - 1])
        if number < len(gammas):
            factors = _phases(cost, -gammas[number])
            begin = sweep.turns(cost, 2 * betas[number])
        for cut in sweep.cuts:
            place = sweep.part(state, cut)
            part.take(place)
            if number:
                part.turn(finish)
            else:
                torch.mul(high[cut] * cost.n_amplitudes**-0.5, low, out=part.values)
            if number < len(gammas):
                part.multiply(part_of(factors, sweep.axis, cut))
                part.turn(begin)
            elif at_end is not None:
                at_end(part.values, cost.energies(sweep.axis, cut))
            part.put(place)
    return state


def _phases(cost: CostTables, angle: float) -> tuple[Tensor, ...]:
    """e^{i angle · table} for every table."""
    angles = cost.map_tables(lambda table: angle * table)
    return tuple(torch.complex(torch.cos(part), torch.sin(part)) for part in angles)


class _Energy(torch.autograd.Function):
    """(gammas, betas) → energy; the final state is kept for the sweeps back."""

    @staticmethod
    def forward(ctx: Any, gammas: Tensor, betas: Tensor, cost: CostTables) -> Tensor:
        total = torch.zeros((), dtype=torch.float64, device=_like(cost).device)

        def add(state: Tensor, energies: Tensor) -> None:
            total.add_(_product(state, state, energies).real)

        ctx.cost, ctx.gammas, ctx.betas = cost, gammas.tolist(), betas.tolist()
        state = _evolve(cost, ctx.gammas, ctx.betas, at_end=add)
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(gammas, betas, state)
        return total.to(gammas)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        gammas, betas, state = ctx.saved_tensors
        with torch.no_grad():
            slopes = _slopes(state, ctx.cost, ctx.gammas, ctx.betas)
            found = [upstream * slope.to(upstream) for slope in slopes]
        origin = gammas, betas, upstream
        return first_only(found[0], *origin), first_only(found[1], *origin), None


def _product(left: Tensor, right: Tensor, energies: Tensor) -> Complex[Tensor, ""]:
    """⟨left| energies |right⟩ of a part."""
    return torch.vdot(left.flatten(), (right * energies).flatten())


def _slopes(
    final: Complex[Tensor, "high middle low"],
    cost: CostTables,
    gammas: Sequence[float],
    betas: Sequence[float],
) -> tuple[Float[Tensor, " layer"], Float[Tensor, " layer"]]:
    """dE/dγ and dE/dβ of every layer: the sweeps in reverse, for the state and its adjoint.

    dE/dγ is 2 Σ cost(x) Im(conj(λ) ψ), the same before and after the phases; dE/dβ is the
    overlap of λ with ψ under the generator, the same before and after the turns.
    """
    depth = len(gammas)
    pair = final.clone(), torch.empty_like(final)
    state, adjoint = parts = _Part(final), _Part(final)
    slopes = torch.zeros(2, depth, dtype=torch.float64, device=final.device)
    for number in reversed(range(depth + 1)):
        sweep = _sweeps(cost)[number % 2]
        undo = {
            layer: _Undo(sweep, cost, betas[layer])
            for layer in (number, number - 1)
            if 0 <= layer < depth
        }
        back = _phases(cost, gammas[number]) if number < depth else ()
        for cut in sweep.cuts:
            places = [sweep.part(whole, cut) for whole in pair]
            for part, place in zip(parts, places, strict=True):
                part.take(place)
            energies = cost.energies(sweep.axis, cut)
            if number == depth:
                torch.mul(state.values, energies, out=adjoint.values)
            else:
                undo[number](state, adjoint)
                product = _product(adjoint.values, state.values, energies)
                slopes[0, number] += 2 * product.imag
                for part in parts:
                    part.multiply(part_of(back, sweep.axis, cut))
            if number:
                undo[number - 1](state, adjoint)
            for part, place in zip(parts, places, strict=True):
                part.put(place)
        for layer, turns in undo.items():
            slopes[1, layer] += turns.slope
    return slopes[0], slopes[1]


class _Undo:
    """Turns of one layer and sweep undone; their slope is gathered on the way."""

    def __init__(self, sweep: _Sweep, cost: CostTables, beta: float) -> None:
        self._turns = sweep.turns(cost, -2 * beta)
        self._generators = sweep.generators(cost)
        self.slope = torch.zeros((), dtype=torch.float64, device=_like(cost).device)

    def __call__(self, state: _Part, adjoint: _Part) -> None:
        for generator in self._generators:
            self.slope += 2 * adjoint.overlap(state, generator)
        state.turn(self._turns)
        adjoint.turn(self._turns)
