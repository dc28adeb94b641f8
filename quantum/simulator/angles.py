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

    @property
    def has_batched(self) -> bool:
        return len(self._rows[True]) > 1

    def compile(self, dtype: torch.dtype, device: torch.device) -> "CompiledAngles":
        return CompiledAngles(
            *(LinearMap(self._circuit, self._rows[b], dtype, device) for b in (False, True))
        )


class LinearMap:
    """angles = constant + Σ scale · value, as index arrays."""

    def __init__(
        self, circuit: Circuit, rows: Sequence[Line], dtype: torch.dtype, device: torch.device
    ) -> None:
        self.constant = torch.tensor([row.constant for row in rows], dtype=dtype, device=device)
        self._parts = []
        for is_input, names in ((False, circuit.weights), (True, circuit.inputs)):
            column = {name: i for i, name in enumerate(names)}
            found = [
                (row, column[name], scale)
                for row, line in enumerate(rows)
                for name, flag, scale in line.parts
                if flag == is_input
            ]
            self._parts.append(
                (
                    torch.tensor([f[0] for f in found], dtype=torch.int64, device=device),
                    torch.tensor([f[1] for f in found], dtype=torch.int64, device=device),
                    torch.tensor([f[2] for f in found], dtype=dtype, device=device),
                )
            )

    def __call__(
        self,
        weights: Float[Tensor, "weight_batch n_weights"],
        inputs: Float[Tensor, "input_batch n_inputs"],
    ) -> Float[Tensor, "angle batch"]:
        """The angles in radians, with a batch axis as long as the values that enter them."""
        angles = self.constant[:, None]
        for values, (rows, columns, scales) in zip((weights, inputs), self._parts, strict=True):
            if rows.numel():
                added = values.T[columns] * scales[:, None]
                angles = angles.expand(-1, max(angles.shape[1], added.shape[1]))
                angles = angles.index_add(0, rows, added.expand(-1, angles.shape[1]))
        return angles


class CompiledAngles:
    """Both tables, ready for values."""

    def __init__(self, shared: LinearMap, batched: LinearMap) -> None:
        self._shared = shared
        self._batched = batched

    def __call__(
        self,
        weights: Float[Tensor, "weight_batch n_weights"],
        inputs: Float[Tensor, "input_batch n_inputs"],
    ) -> tuple[Float[Tensor, " shared"], Float[Tensor, "batched batch"]]:
        """Shared and batched angles, differentiable in weights and inputs."""
        batch = max(weights.shape[0], inputs.shape[0])
        batched = self._batched(weights, inputs)
        shared_inputs, shared_weights = inputs[:1], weights[:1]
        return (
            self._shared(shared_weights, shared_inputs)[:, 0],
            batched.expand(-1, batch),
        )
