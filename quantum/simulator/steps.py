"""The kinds of layer at work: apply to a register, or take the gradient and undo."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Complex, Float, Int32, Int64
from torch import Tensor

from quantum.simulator.moves import move_amplitudes
from quantum.simulator.phases import (
    PhaseFactors,
    PhaseGradients,
    column_factors,
    multiply,
    overlap,
)
from quantum.simulator.register import Register
from quantum.simulator.signs import SignTable
from quantum.simulator.turns import (
    Matrices,
    Span,
    correlate_columns,
    correlate_spans,
    gradient_of_product,
    product_state,
    turn_columns,
    turn_spans,
)


@dataclass(slots=True)
class Values:
    """The numbers of one run, made once from its angles."""

    shared: Float[Tensor, " shared"]
    matrices: Matrices
    phases: PhaseFactors


@dataclass(slots=True)
class Gradients:
    """What the adjoint sweep gathers, before it becomes the gradient of the angles."""

    shared: Float[Tensor, " shared"]
    batched: Float[Tensor, "batched column"]
    correlations: Matrices
    phases: PhaseGradients
    wants_batched: bool


@runtime_checkable
class Step(Protocol):
    """One layer at work; `angles` are the batched ones of the columns in the register."""

    def forward(
        self, register: Register, values: Values, angles: Float[Tensor, "batched column"]
    ) -> None:
        """Applies the layer."""

    def backward(
        self,
        register: Register,
        values: Values,
        angles: Float[Tensor, "batched column"],
        gradients: Gradients,
    ) -> None:
        """Adds the layer's gradient for the register (state, adjoint), then undoes the layer."""


@dataclass(frozen=True, slots=True)
class TurnStep:
    spans: tuple[Span, ...]

    def forward(self, register: Register, values: Values, angles: Tensor) -> None:
        turn_spans(register, self.spans, values.matrices)

    def backward(
        self, register: Register, values: Values, angles: Tensor, gradients: Gradients
    ) -> None:
        correlate_spans(register, self.spans, gradients.correlations)
        turn_spans(register, self.spans, values.matrices, undo=True)


@dataclass(frozen=True, slots=True)
class ColumnTurnStep:
    """Turns whose angles differ between columns: (qubit, row of the batched angle)."""

    turns: tuple[tuple[int, int], ...]

    def forward(self, register: Register, values: Values, angles: Tensor) -> None:
        for qubit, row in self.turns:
            turn_columns(register, qubit, angles[row])

    def backward(
        self, register: Register, values: Values, angles: Tensor, gradients: Gradients
    ) -> None:
        if gradients.wants_batched:
            for qubit, row in self.turns:
                gradients.batched[row] += correlate_columns(register, qubit)
        for qubit, row in self.turns:
            turn_columns(register, qubit, angles[row], undo=True)


@dataclass(frozen=True, slots=True)
class PhaseStep:
    layer: int

    def forward(self, register: Register, values: Values, angles: Tensor) -> None:
        multiply(register, values.phases.of_layer(self.layer))

    def backward(
        self, register: Register, values: Values, angles: Tensor, gradients: Gradients
    ) -> None:
        gradients.phases.add(self.layer, overlap(register))
        multiply(register, values.phases.of_layer(self.layer, undo=True))


@dataclass(frozen=True, slots=True)
class ColumnPhaseStep:
    """Phases whose angles differ between columns."""

    rows: Int64[Tensor, " mask"]
    patterns: SignTable

    def forward(self, register: Register, values: Values, angles: Tensor) -> None:
        multiply(register, column_factors(self.patterns, angles[self.rows]))

    def backward(
        self, register: Register, values: Values, angles: Tensor, gradients: Gradients
    ) -> None:
        if gradients.wants_batched:
            found = self.patterns.contract(-2 * overlap(register).imag)
            gradients.batched.index_add_(0, self.rows, found)
        multiply(register, column_factors(self.patterns, -angles[self.rows]))


@dataclass(frozen=True, slots=True)
class MoveStep:
    origin: Int32[Tensor, " amplitude"]
    image: Int32[Tensor, " amplitude"]

    def forward(self, register: Register, values: Values, angles: Tensor) -> None:
        move_amplitudes(register, self.origin)

    def backward(
        self, register: Register, values: Values, angles: Tensor, gradients: Gradients
    ) -> None:
        move_amplitudes(register, self.image)


@dataclass(frozen=True, slots=True)
class Start:
    """The first layer, where it turns |0…0⟩: a product state, made without a pass per qubit.

    Args:
        shared, batched: for each qubit the row of its angle in either table, 0 for none.
        is_batched: whether any column differs from another.
    """

    shared: Int64[Tensor, " qubit"]
    batched: Int64[Tensor, " qubit"]
    is_batched: bool

    def angles(
        self, values: Values, angles: Float[Tensor, "batched column"]
    ) -> Float[Tensor, "qubit _column"]:
        shared = values.shared[self.shared][:, None]
        return shared + angles[self.batched] if self.is_batched else shared

    def state(
        self, values: Values, angles: Float[Tensor, "batched column"]
    ) -> Complex[Tensor, "1 amplitude column"]:
        state = product_state(self.angles(values, angles))
        return state.expand(-1, angles.shape[1]).contiguous()[None]

    def gradient(
        self,
        adjoint: Complex[Tensor, "amplitude column"],
        values: Values,
        angles: Float[Tensor, "batched column"],
        gradients: Gradients,
    ) -> None:
        found = gradient_of_product(self.angles(values, angles), adjoint)
        gradients.shared.index_add_(0, self.shared, found.sum(1))
        if gradients.wants_batched and self.is_batched:
            gradients.batched.index_add_(0, self.batched, found)
