"""The fused simulator with its gradient by the adjoint method: O(1) states in memory.

Forward keeps the final state only. Backward undoes the layers one by one for the state and for the
adjoint λ = Σ w O|ψ⟩, and reads each layer's gradient off the two (Jones and Gacon 2020, algorithm
1). Columns of the batch are taken in chunks that fit the cache.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from quantum.simulator.program import Gradients, Program, Values
from quantum.simulator.readout import Readout
from quantum.simulator.register import Register

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
    return register.data[0]


def backward_sweep(
    program: Program,
    values: Values,
    angles: Float[Tensor, "batched column"],
    pair: Complex[Tensor, "2 amplitude column"],
    gradients: Gradients,
) -> None:
    """Adds to the gradients what the columns say; `pair` is (state, adjoint) and is used up."""
    register = Register(pair)
    for step in reversed(program.steps):
        step.backward(register, values, angles, gradients)
    program.start.gradient(register.data[1], values, angles, gradients)


class FusedState(torch.autograd.Function):
    """angles → final state [amplitude, batch]."""

    @staticmethod
    def forward(ctx: Any, shared: Tensor, batched: Tensor, program: Program) -> Tensor:
        values = program.values(shared)
        parts = [
            forward_sweep(program, values, batched[:, columns])
            for columns in chunks(program.n_qubits, batched.shape[1])
        ]
        state = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        ctx.program = program
        ctx.save_for_backward(shared, batched, state)
        return state

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        shared, batched, state = ctx.saved_tensors
        pairs = (
            torch.stack([state[:, columns], upstream[:, columns] / 2])
            for columns in chunks(ctx.program.n_qubits, batched.shape[1])
        )
        return *_angle_gradients(ctx, shared, batched, pairs), None


class FusedExpectation(torch.autograd.Function):
    """angles → expectation values [observable, batch], a chunk of columns at a time."""

    @staticmethod
    def forward(
        ctx: Any, shared: Tensor, batched: Tensor, program: Program, readout: Readout
    ) -> Tensor:
        values = program.values(shared)
        found, states = [], []
        for columns in chunks(program.n_qubits, batched.shape[1]):
            state = forward_sweep(program, values, batched[:, columns])
            found.append(readout.values(state))
            if any(ctx.needs_input_grad):
                states.append(state)
        ctx.program, ctx.readout = program, readout
        ctx.save_for_backward(shared, batched, *states)
        return found[0] if len(found) == 1 else torch.cat(found, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        shared, batched, *states = ctx.saved_tensors
        adjoints = (
            ctx.readout.adjoint(state, upstream[:, columns])
            for state, columns in zip(
                states, chunks(ctx.program.n_qubits, batched.shape[1]), strict=True
            )
        )
        pairs = (torch.stack(pair) for pair in zip(states, adjoints, strict=True))
        return *_angle_gradients(ctx, shared, batched, pairs), None, None


def _angle_gradients(
    ctx: Any, shared: Tensor, batched: Tensor, pairs: Iterator[Tensor]
) -> tuple[Tensor, Tensor]:
    """The gradients of both angle tables from the pairs (state, adjoint) of each chunk."""
    program: Program = ctx.program
    values = program.values(shared)
    gradients = program.no_gradients(values, batched, wants_batched=ctx.needs_input_grad[1])
    for columns, pair in zip(chunks(program.n_qubits, batched.shape[1]), pairs, strict=True):
        view = replace(gradients, batched=gradients.batched[:, columns])
        backward_sweep(program, values, batched[:, columns], pair, view)
    return program.collect(gradients), gradients.batched
