"""All angles of a program at once: one linear map from weights and inputs."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.circuit import Circuit
from quantum.simulator.lowering import Line


class AngleTable:
    """Numbered angles in two tables: shared by the batch, and one per element of it.

    Row 0 of either table is the constant 0, so that an index can also say "no turn here".
    """

    def __init__(self, circuit: Circuit, *, batched_weights: bool) -> None:
        self._circuit = circuit
        self._batched_weights = batched_weights
        self._rows: dict[bool, list[Line]] = {False: [Line(0.0)], True: [Line(0.0)]}

    def is_batched(self, line: Line) -> bool:
        return any(is_input or self._batched_weights for _, is_input, _ in line.parts)

    def add(self, line: Line) -> int:
        """The row of a new angle in the table where it belongs."""
        rows = self._rows[self.is_batched(line)]
        rows.append(line)
        return len(rows) - 1

    def compile(self, like: Tensor) -> "CompiledAngles":
        shared, batched = self._rows[False], self._rows[True]
        weights, inputs = self._circuit.weights, self._circuit.inputs
        return CompiledAngles(
            LinearMap(shared, weights, like),
            LinearMap(batched, weights, like),
            LinearMap([Line(0.0, row.parts) for row in batched], inputs, like),
        )


class LinearMap:
    """angles = constant + Σ scale · value over the named parameters, as index arrays."""

    def __init__(self, rows: Sequence[Line], names: Sequence[str], like: Tensor) -> None:
        column = {name: i for i, name in enumerate(names)}
        found = [
            (row, column[name], scale)
            for row, line in enumerate(rows)
            for name, _, scale in line.parts
            if name in column
        ]
        self._constant = like.new_tensor([[row.constant] for row in rows])
        self._rows, self._columns = (
            torch.tensor([f[i] for f in found], dtype=torch.int64, device=like.device)
            for i in (0, 1)
        )
        self._scales = like.new_tensor([f[2] for f in found])[:, None]
        self._n_values = len(names)
        self.n_parts = len(found)

    def __call__(self, values: Float[Tensor, "batch value"]) -> Float[Tensor, "angle batch"]:
        """The angles in radians."""
        angles = self._constant.expand(-1, values.shape[0])
        if not self.n_parts:
            return angles
        return angles.index_add(0, self._rows, values.T[self._columns] * self._scales)

    def gradient(self, upstream: Float[Tensor, "angle batch"]) -> Float[Tensor, "batch value"]:
        """The gradient of the values from that of the angles."""
        total = upstream.new_zeros(self._n_values, upstream.shape[1])
        if self.n_parts:
            total.index_add_(0, self._columns, upstream[self._rows] * self._scales)
        return total.T


class CompiledAngles:
    """Both tables, ready for values."""

    def __init__(self, shared: LinearMap, from_weights: LinearMap, from_inputs: LinearMap) -> None:
        self._shared, self._from_weights, self._from_inputs = shared, from_weights, from_inputs
        self.batch_has_weights = from_weights.n_parts > 0

    def __call__(
        self,
        weights: Float[Tensor, "weight_batch n_weights"],
        inputs: Float[Tensor, "input_batch n_inputs"],
    ) -> tuple[Float[Tensor, " shared"], Float[Tensor, "batched batch"]]:
        """The shared angles and the batched ones."""
        batch = max(weights.shape[0], inputs.shape[0])
        batched = self._from_weights(weights) + self._from_inputs(inputs)
        return self._shared(weights[:1])[:, 0], batched.expand(-1, batch)

    def gradients(
        self,
        shared: Float[Tensor, " shared"],
        batched: Float[Tensor, "batched batch"],
        *,
        weight_batch: int,
        input_batch: int,
    ) -> tuple[Float[Tensor, "weight_batch n_weights"], Float[Tensor, "input_batch n_inputs"]]:
        """The gradients of weights and inputs from those of the angles."""
        weights = self._from_weights.gradient(_fold(batched, weight_batch))
        inputs = self._from_inputs.gradient(_fold(batched, input_batch))
        if weight_batch == 1:  # with weights of their own, columns share constants only
            weights = weights + self._shared.gradient(shared[:, None])
        return weights, inputs


def _fold(gradient: Float[Tensor, "batched batch"], batch: int) -> Tensor:
    """The sum over the columns where one value served them all."""
    return gradient if gradient.shape[1] == batch else gradient.sum(1, keepdim=True)
