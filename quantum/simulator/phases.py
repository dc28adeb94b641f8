"""Phases: diagonal layers. One complex multiplication per amplitude, whatever the number of gates.

The exponent Σ_t angle_t d_t(x) is split into masks inside the high half of the qubits, inside the
low half, and across. The first two give e^{i..} on 2^(n/2) states each and an outer product; only
the third needs an exponential per basis state.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from quantum.simulator.lowering import Phase
from quantum.simulator.register import Register
from quantum.simulator.signs import SignTable, ones_patterns, parity_patterns, split

_KEPT = 2**20  # fewer phase factors than this, of all layers together, are kept


def phase_patterns(phases: Sequence[Phase], n_qubits: int, like: Tensor) -> SignTable:
    """d(x) of each phase: -1/2 (-1)^{parity}, or 1 where all its qubits are one."""
    masks = [sum(1 << (n_qubits - 1 - q) for q in phase.qubits) for phase in phases]
    parity = parity_patterns(masks, n_qubits, like=like)
    ones = ones_patterns(masks, n_qubits, like=like)
    on_ones = torch.tensor([p.on_ones for p in phases], dtype=torch.bool, device=like.device)
    return SignTable(
        torch.where(on_ones[:, None], ones.high, -0.5 * parity.high),
        torch.where(on_ones[:, None], ones.low, parity.low),
    )


class PhaseTable:
    """The phase layers of a program whose angles are shared by the batch."""

    def __init__(self, n_qubits: int) -> None:
        self._n_high = split(n_qubits)[0]
        self._n_qubits = n_qubits
        self._layers: list[list[tuple[Phase, int]]] = []

    def add_layer(self, phases: Sequence[tuple[Phase, int]]) -> int:
        """The number of a new layer; each phase comes with the row of its angle."""
        self._layers.append(list(phases))
        return len(self._layers) - 1

    def compile(self, like: Tensor) -> "CompiledPhases":
        high, low, across = (self._part(where) for where in ("high", "low", "across"))
        device = like.device
        high_kinds, high_slots = _columns(high, device)
        low_kinds, low_slots = _columns(low, device)
        return CompiledPhases(
            high_slots,
            phase_patterns(high_kinds, self._n_qubits, like).high,
            low_slots,
            _low_only(phase_patterns(low_kinds, self._n_qubits, like)),
            [
                AcrossPhases(
                    torch.tensor([slot for _, slot in layer], dtype=torch.int64, device=device),
                    phase_patterns([phase for phase, _ in layer], self._n_qubits, like),
                )
                for layer in across
            ],
        )

    def _part(self, where: str) -> list[list[tuple[Phase, int]]]:
        return [[p for p in layer if self._where(p[0]) == where] for layer in self._layers]

    def _where(self, phase: Phase) -> str:
        sides = {q < self._n_high for q in phase.qubits}
        if len(sides) == 2:
            return "across"
        return "low" if sides == {False} else "high"


def _low_only(patterns: SignTable) -> Float[Tensor, "mask low"]:
    """The low table with the constant of the high one, where no mask reaches the high half."""
    return patterns.low * patterns.high[:, -1:]


def _columns(
    layers: list[list[tuple[Phase, int]]], device: torch.device
) -> tuple[list[Phase], Int64[Tensor, "layer mask"]]:
    """The different masks of all layers, and for each layer and mask the row of its angle or 0."""
    column: dict[tuple[tuple[int, ...], bool], int] = {}
    kinds: list[Phase] = []
    for layer in layers:
        for phase, _ in layer:
            if (phase.qubits, phase.on_ones) not in column:
                column[phase.qubits, phase.on_ones] = len(kinds)
                kinds.append(phase)
    slots = torch.zeros(len(layers), len(kinds), dtype=torch.int64)
    for row, layer in enumerate(layers):
        for phase, slot in layer:
            slots[row, column[phase.qubits, phase.on_ones]] = slot
    return kinds, slots.to(device)


@dataclass(frozen=True, slots=True)
class AcrossPhases:
    """The phases of one layer whose masks reach into both halves."""

    slots: Int64[Tensor, " mask"]
    patterns: SignTable


@dataclass(frozen=True, slots=True)
class CompiledPhases:
    """Index and pattern arrays of all shared phase layers."""

    high_slots: Int64[Tensor, "layer high_mask"]
    high_patterns: Float[Tensor, "high_mask high"]
    low_slots: Int64[Tensor, "layer low_mask"]
    low_patterns: Float[Tensor, "low_mask low"]
    across: list[AcrossPhases]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, and basis states of the high and the low half."""
        return len(self.across), self.high_patterns.shape[1], self.low_patterns.shape[1]

    @property
    def are_small(self) -> bool:
        return math.prod(self.shape) <= _KEPT


class PhaseFactors:
    """e^{i..} of every shared phase layer; kept where they are small, else made when asked for."""

    def __init__(self, compiled: CompiledPhases, angles: Float[Tensor, " shared"]) -> None:
        self._across = compiled.across
        self._angles = angles
        self._high = _unit(angles[compiled.high_slots] @ compiled.high_patterns)
        self._low = _unit(angles[compiled.low_slots] @ compiled.low_patterns)
        self._kept: tuple[tuple[Tensor, ...], ...] = ()
        if compiled.are_small:
            whole = self._make(slice(None))
            self._kept = whole.unbind(), whole.conj_physical().unbind()

    def of_layer(self, layer: int, *, undo: bool = False) -> Complex[Tensor, "amplitude 1"]:
        if self._kept:
            return self._kept[undo][layer]
        factors = self._make(slice(layer, layer + 1))[0]
        return factors.conj_physical_() if undo else factors

    def _make(self, layers: slice) -> Complex[Tensor, "layer amplitude 1"]:
        square = self._high[layers, :, None] * self._low[layers, None]
        factors = square.flatten(1)[..., None]
        for own, across in zip(factors, self._across[layers], strict=True):
            if across.slots.shape[0]:
                angles = self._angles[across.slots]
                own *= _unit(across.patterns.expand(angles[:, None]))
        return factors


class PhaseGradients:
    """Σ over columns of Im(conj(adjoint) state) for every layer, reduced to its marginals.

    Where the layers are small they are reduced all at once, at the end.
    """

    def __init__(self, compiled: CompiledPhases) -> None:
        n_layers, n_high, n_low = compiled.shape
        like = compiled.high_patterns
        self._compiled = compiled
        self._whole: tuple[Tensor, ...] = ()
        if compiled.are_small:
            self._whole = like.new_zeros(n_layers, n_high * n_low).unbind(0)
        self._high = like.new_zeros(n_layers, n_high)
        self._low = like.new_zeros(n_layers, n_low)
        self._across = [like.new_zeros(len(across.slots)) for across in compiled.across]

    def add(self, layer: int, products: Complex[Tensor, "amplitude column"]) -> None:
        """Takes conj(adjoint) * state of some columns, after or before the layer's phases."""
        flat = torch.view_as_real(products).flatten(1)
        pick = _imaginary(products.shape[1], flat.dtype, flat.device)
        if self._whole:
            self._whole[layer].addmv_(flat, pick)
        else:
            self._reduce(slice(layer, layer + 1), (flat @ pick)[None])

    def _reduce(self, layers: slice, overlaps: Float[Tensor, "layer amplitude"]) -> None:
        square = overlaps.view(-1, *self._compiled.shape[1:])
        self._high[layers] += square.sum(2)
        self._low[layers] += square.sum(1)
        for total, across, overlap in zip(
            self._across[layers], self._compiled.across[layers], overlaps, strict=True
        ):
            if across.slots.shape[0]:
                total += across.patterns.contract(overlap[:, None])[:, 0]

    def add_to(self, gradient: Float[Tensor, " shared"]) -> None:
        """Adds the derivatives in the angles."""
        compiled = self._compiled
        if self._whole:
            self._reduce(slice(None), torch.stack(self._whole))
        for marginal, patterns, slots in (
            (self._high, compiled.high_patterns, compiled.high_slots),
            (self._low, compiled.low_patterns, compiled.low_slots),
        ):
            gradient.index_add_(0, slots.flatten(), (marginal @ patterns.T).flatten(), alpha=-2)
        for found, across in zip(self._across, compiled.across, strict=True):
            if across.slots.shape[0]:
                gradient.index_add_(0, across.slots, found, alpha=-2)


@lru_cache(maxsize=16)
def _imaginary(n_columns: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, " re_im"]:
    """What sums the imaginary parts of a row of complex numbers, as a product with their reals."""
    return torch.tensor([0.0, 1.0] * n_columns, dtype=dtype, device=device)


def _unit(angle: Tensor) -> Tensor:
    """e^{i angle}; three times as fast as `torch.polar`."""
    return torch.complex(torch.cos(angle), torch.sin(angle))


def multiply(register: Register, factors: Complex[Tensor, "amplitude column"]) -> None:
    register.now.data.mul_(factors)


def column_factors(
    patterns: SignTable, angles: Float[Tensor, "mask column"]
) -> Complex[Tensor, "amplitude column"]:
    """The factors of a phase layer whose angles differ between columns."""
    return _unit(patterns.expand(angles))


def overlap(register: Register) -> Complex[Tensor, "amplitude column"]:
    """conj(adjoint) * state of a register (state, adjoint), in the spare."""
    state, adjoint = register.now.copies
    torch.conj_physical(adjoint, out=register.spare.copies[0])
    return register.spare.copies[0].mul_(state)
