"""The numbers that a circuit is run with: weights, and inputs that differ within a batch."""

from collections.abc import Mapping
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.circuit import Angle, Circuit, Number, Parameter
from quantum.errors import InvalidValues


def check_values(
    circuit: Circuit,
    weights: Float[Tensor, "*weight_batch n_weights"] | None,
    inputs: Float[Tensor, "*input_batch n_inputs"] | None,
) -> tuple[Float[Tensor, "weight_batch n_weights"], Float[Tensor, "input_batch n_inputs"]]:
    """Both tensors with a batch axis (of length 1 where none was given), in float64 if one of them
    is and else in float32; one may be absent where the circuit has no such parameters.

    Raises:
        InvalidValues: where widths, batches or types do not fit.
    """
    like = inputs if weights is None else weights
    empty = torch.zeros(0) if like is None else like.new_zeros(0)
    pair = [empty if values is None else values for values in (weights, inputs)]
    pair = [values[None] if values.dim() == 1 else values for values in pair]
    for what, names, values in zip(
        ("weights", "inputs"), (circuit.weights, circuit.inputs), pair, strict=True
    ):
        if values.dim() != 2 or values.shape[1] != len(names):
            shown = ", ".join(names[:8])
            raise InvalidValues(
                f"the circuit has {len(names)} {what} ({shown}); "
                f"give [{len(names)}] or [batch, {len(names)}], not {list(values.shape)}"
            )
    sizes = {values.shape[0] for values in pair} - {1}
    if len(sizes) > 1:
        raise InvalidValues(f"weights and inputs have different batch sizes {sorted(sizes)}")
    if 0 in sizes:
        raise InvalidValues("a batch needs one row or more")
    dtype = reduce(torch.promote_types, (values.dtype for values in pair), torch.float32)
    if dtype.is_complex:
        raise InvalidValues("weights and inputs are real numbers, not complex ones")
    return pair[0].to(dtype), pair[1].to(dtype)


def weights_from(circuit: Circuit, values: Mapping[str, Number]) -> Float[Tensor, " n_weights"]:
    """The named values as the circuit's weight tensor (float64); raises `InvalidValues`."""
    if missing := [name for name in circuit.weights if name not in values]:
        raise InvalidValues(f"no value for the parameters {missing}")
    return torch.tensor([float(values[name]) for name in circuit.weights], dtype=torch.float64)


def angle_values(
    angles: tuple[Angle, ...],
    circuit: Circuit,
    weights: Float[Tensor, "weight_batch n_weights"],
    inputs: Float[Tensor, "input_batch n_inputs"],
) -> Float[Tensor, "batch n_angles"]:
    """The angles of one instruction in radians, batched only where a value is."""

    def value(angle: Angle) -> Tensor:
        if not isinstance(angle, Parameter):
            return weights.new_full((1,), angle)
        values, names = (inputs, circuit.inputs) if angle.is_input else (weights, circuit.weights)
        return angle.scale * values[:, names.index(angle.name)] + angle.offset

    if not angles:
        return weights.new_zeros(1, 0)
    return torch.stack(torch.broadcast_tensors(*map(value, angles)), -1)
