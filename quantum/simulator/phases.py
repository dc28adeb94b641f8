"""Phases: diagonal layers. One complex multiplication per amplitude, whatever the number of gates.

The exponent Σ_t angle_t d_t(x) is split into masks inside the high half of the qubits, inside the
low half, and across. The first two give e^{i..} on 2^(n/2) states each and an outer product; only
the third needs an exponential per basis state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from quantum.simulator.lowering import Phase
from quantum.simulator.register import Register
from quantum.simulator.signs import SignTable, ones_patterns, parity_patterns, split

_KEPT = 2**20  # phase factors of all layers are kept where they are fewer than this


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
    kinds = []
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

    def factors(self, angles: Float[Tensor, " shared"]) -> "PhaseFactors":
        high = _unit(angles[self.high_slots] @ self.high_patterns)
        low = _unit(angles[self.low_slots] @ self.low_patterns)
        return PhaseFactors(high, low, [angles[a.slots] for a in self.across], self.across)

    def gradient(
        self,
        high: Float[Tensor, "layer high"],
        low: Float[Tensor, "layer low"],
        into: Float[Tensor, " shared"],
    ) -> None:
        """Adds to the angles' gradient what the marginals of all layers say."""
        for marginal, patterns, slots in (
            (high, self.high_patterns, self.high_slots),
            (low, self.low_patterns, self.low_slots),
        ):
            into.index_add_(0, slots.flatten(), (marginal @ patterns.T).flatten())


class PhaseFactors:
    """e^{i..} of every shared phase layer, made when asked for, kept where all fit in the cache."""

    def __init__(
        self,
        high: Complex[Tensor, "layer high"],
        low: Complex[Tensor, "layer low"],
        across_angles: list[Tensor],
        across: list[AcrossPhases],
    ) -> None:
        self._high, self._low = high, low
        self._across_angles, self.across = across_angles, across
        self._kept: Tensor | None = None
        if high.shape[0] * high.shape[1] * low.shape[1] <= _KEPT and not any(
            map(len, across_angles)
        ):
            self._kept = (high[:, :, None] * low[:, None, :]).flatten(1)

    def of_layer(self, layer: int) -> Complex[Tensor, "amplitude 1"]:
        if self._kept is not None:
            return self._kept[layer, :, None]
        factors = (self._high[layer, :, None] * self._low[layer]).view(-1, 1)
        across = self.across[layer]
        if across.slots.numel():
            factors *= _unit(across.patterns.expand(self._across_angles[layer][:, None]))
        return factors


def _unit(angle: Tensor) -> Tensor:
    """e^{i angle}; three times as fast as `torch.polar`."""
    return torch.complex(torch.cos(angle), torch.sin(angle))


def multiply(register: Register, factors: Complex[Tensor, "amplitude column"]) -> None:
    register.data.mul_(factors)


def column_factors(
    patterns: SignTable, angles: Float[Tensor, "mask column"]
) -> Complex[Tensor, "amplitude column"]:
    """The factors of a phase layer whose angles differ between columns."""
    return _unit(patterns.expand(angles))


def twist(
    adjoint: Complex[Tensor, "amplitude column"],
    state: Complex[Tensor, "amplitude column"],
    spare: Complex[Tensor, "amplitude column"],
) -> Complex[Tensor, "amplitude column"]:
    """conj(adjoint) * state in the spare: its imaginary part is what a phase's gradient sums."""
    torch.conj_physical(adjoint, out=spare)
    return spare.mul_(state)


def sum_columns_imag(values: Complex[Tensor, "amplitude column"]) -> Float[Tensor, " amplitude"]:
    """Σ over the columns of the imaginary part, as one matrix-vector product."""
    flat = torch.view_as_real(values).flatten(1)
    pick = flat.new_tensor([0.0, 1.0]).repeat(values.shape[1])
    return flat @ pick
