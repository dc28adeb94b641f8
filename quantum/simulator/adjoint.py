"""The fused simulator with its gradient by the adjoint method: O(1) states in memory.

Forward keeps the final state only. Backward undoes the layers one by one for the state and for the
adjoint λ = Σ w O|ψ⟩, and reads each layer's gradient off the two (Jones and Gacon 2020, algorithm
1). Columns of the batch are taken in chunks that fit the cache.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from quantum.errors import InvalidValues
from quantum.simulator.program import Program
from quantum.simulator.readout import Readout
from quantum.simulator.register import Register
from quantum.simulator.steps import Gradients, Values

# (where to put it, state of a chunk, its columns): writes the adjoint state to start from.
StartAdjoint: TypeAlias = Callable[[Tensor, Tensor, slice], None]

CHUNK = 2**19  # amplitudes at work at once, per copy


def chunks(n_qubits: int, batch: int) -> Iterator[slice]:
    """The columns that are worked on together."""
    width = max(8, CHUNK >> n_qubits)
    for first in range(0, batch, width):
        yield slice(first, min(first + width, batch))


def forward_sweep(
    program: Program, values: Values, angles: Float[Tensor, "batched column"]
) -> Complex[Tensor, "amplitude column"]:
    """The final state of some columns."""
    register = Register(program.start.state(values, angles))
    for step in program.steps:
        step.forward(register, values, angles)
    return register.now.copies[0]


def backward_sweep(
    program: Program,
    values: Values,
    angles: Float[Tensor, "batched column"],
    register: Register,
    gradients: Gradients,
) -> None:
    """Adds to the gradients what some columns say; the register holds their (state, adjoint)."""
    for step in reversed(program.steps):
        step.backward(register, values, angles, gradients)
    program.start.gradient(register.now.copies[1], values, angles, gradients)


def differentiate(
    program: Program,
    values: Values,
    batched: Float[Tensor, "batched batch"],
    states: Iterable[Tensor],
    start_adjoint: StartAdjoint,
    *,
    wants_batched: bool,
) -> tuple[Float[Tensor, " shared"], Float[Tensor, "batched batch"]]:
    """The gradients of both angle tables, from the final states of all chunks."""
    gradients = program.no_gradients(values, batched, wants_batched=wants_batched)
    register: Register | None = None
    for columns, state in zip(chunks(program.n_qubits, batched.shape[1]), states, strict=True):
        if register is None or register.n_columns != state.shape[1]:
            register = Register(state.new_empty(2, *state.shape))
        register.now.copies[0].copy_(state)
        start_adjoint(register.now.copies[1], state, columns)
        view = replace(gradients, batched=gradients.batched[:, columns])
        backward_sweep(program, values, batched[:, columns], register, view)
    return program.collect(gradients), gradients.batched


class _Fused(torch.autograd.Function):
    """What states and expectation values share: angles in, gradients out."""

    @staticmethod
    def prepare(ctx: Any, weights: Tensor, inputs: Tensor, program: Program) -> Tensor:
        """Keeps in `ctx` what the way back needs; gives back the batched angles."""
        shared, batched = program.angles(weights, inputs)
        ctx.program, ctx.values = program, program.values(shared)
        ctx.batched = batched
        ctx.batches = {"weight_batch": weights.shape[0], "input_batch": inputs.shape[0]}
        return batched

    @staticmethod
    def finish(
        ctx: Any, states: Iterable[Tensor], start_adjoint: StartAdjoint, upstream: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The gradients of weights and inputs."""
        wants_weights, wants_inputs, *_ = ctx.needs_input_grad
        wants_batched = wants_inputs or (wants_weights and ctx.program.angles.batch_has_weights)
        with torch.no_grad():
            shared, batched = differentiate(
                ctx.program,
                ctx.values,
                ctx.batched,
                states,
                start_adjoint,
                wants_batched=wants_batched,
            )
            found = ctx.program.angles.gradients(shared, batched, **ctx.batches)
        origin = (*ctx.saved_tensors[:2], upstream)
        return first_only(found[0], *origin), first_only(found[1], *origin)


def first_only(gradient: Tensor, *origin: Tensor) -> Tensor:
    """The gradient as a `backward` hands it on: differentiating it again raises `InvalidValues`.

    Args:
        origin: every tensor that it was worked out from.
    """
    if not torch.is_grad_enabled():
        return gradient
    found: Tensor = _First.apply(gradient, *origin)
    return found


class _First(torch.autograd.Function):
    """First derivatives handed on: they depend on their origin in a way that nobody computes, and
    without a word a second derivative would lack that part."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, *origin: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, ...]:
        raise InvalidValues(
            "circuits give first derivatives only here: for second ones run the shifted circuits "
            "of quantum.gradients.parameter_shift"
        )


class FusedState(_Fused):
    """(weights, inputs) → final state [amplitude, batch]."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, inputs: Tensor, program: Program) -> Tensor:
        batched = _Fused.prepare(ctx, weights, inputs, program)
        parts = [
            forward_sweep(program, ctx.values, batched[:, columns])
            for columns in chunks(program.n_qubits, batched.shape[1])
        ]
        state = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        ctx.save_for_backward(weights, inputs, state)
        return state

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        _, _, state = ctx.saved_tensors
        parts = (state[:, columns] for columns in chunks(ctx.program.n_qubits, state.shape[1]))

        def start_adjoint(out: Tensor, _: Tensor, columns: slice) -> None:
            torch.mul(upstream[:, columns], 0.5, out=out)

        return *_Fused.finish(ctx, parts, start_adjoint, upstream), None


class FusedExpectation(_Fused):
    """(weights, inputs) → expectation values [observable, batch], a chunk of columns at a time."""

    @staticmethod
    def forward(
        ctx: Any, weights: Tensor, inputs: Tensor, program: Program, readout: Readout
    ) -> Tensor:
        batched = _Fused.prepare(ctx, weights, inputs, program)
        found, states = [], []
        for columns in chunks(program.n_qubits, batched.shape[1]):
            state = forward_sweep(program, ctx.values, batched[:, columns])
            found.append(readout.values(state))
            if any(ctx.needs_input_grad):
                states.append(state)
        ctx.readout = readout
        ctx.save_for_backward(weights, inputs, *states)
        return found[0] if len(found) == 1 else torch.cat(found, 1)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        _, _, *states = ctx.saved_tensors

        def start_adjoint(out: Tensor, state: Tensor, columns: slice) -> None:
            ctx.readout.adjoint(state, upstream[:, columns], out=out)

        return *_Fused.finish(ctx, states, start_adjoint, upstream), None, None
