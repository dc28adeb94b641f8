"""A batched state-vector simulator in torch: what a circuit does, exactly.

States are [batch, 2^n], probabilities and expectation values are real and batched alike. Values
in float32 are simulated in complex64, values in float64 in complex128; CPU or GPU follows the
device of the values.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from quantum.circuit import Circuit
from quantum.observable import PauliSum
from quantum.simulator.adjoint import FusedExpectation, FusedState
from quantum.simulator.program import Program, compile_program
from quantum.simulator.readout import compile_readout
from quantum.simulator.samples import count_bits, sample_probabilities, state_probabilities
from quantum.simulator.values import check_values

__all__ = ["count_bits", "expectation", "probabilities", "run", "sample"]


def run(
    circuit: Circuit,
    *,
    weights: Float[Tensor, "*weight_batch n_weights"] | None = None,
    inputs: Float[Tensor, "*input_batch n_inputs"] | None = None,
) -> Complex[Tensor, "batch amplitude"]:
    """The state vectors at the end of the circuit, differentiable in weights and inputs.

    Args:
        weights: one value per name in `circuit.weights`, or a batch of them.
        inputs: one value per name in `circuit.inputs`, or a batch of them.

    Raises:
        InvalidValues: where the numbers do not fit the circuit.
    """
    weights, inputs = check_values(circuit, weights, inputs)
    program = _program(circuit, weights)
    return FusedState.apply(weights, inputs, program).T


def probabilities(
    circuit: Circuit,
    *,
    weights: Float[Tensor, "*weight_batch n_weights"] | None = None,
    inputs: Float[Tensor, "*input_batch n_inputs"] | None = None,
) -> Float[Tensor, "batch amplitude"]:
    """The probability of every basis state, differentiable."""
    return state_probabilities(run(circuit, weights=weights, inputs=inputs))


def expectation(
    circuit: Circuit,
    observables: Sequence[PauliSum],
    *,
    weights: Float[Tensor, "*weight_batch n_weights"] | None = None,
    inputs: Float[Tensor, "*input_batch n_inputs"] | None = None,
) -> Float[Tensor, "batch observable"]:
    """The exact expectation values, differentiable in weights and inputs.

    Raises:
        InvalidObservable: where one is not Hermitian or does not fit the register.
        InvalidValues: where the numbers do not fit the circuit.
    """
    weights, inputs = check_values(circuit, weights, inputs)
    program = _program(circuit, weights)
    readout = compile_readout(tuple(observables), circuit.n_qubits, weights.dtype, weights.device)
    return FusedExpectation.apply(weights, inputs, program, readout).T


def _program(circuit: Circuit, weights: Tensor) -> Program:
    return compile_program(
        circuit, batched_weights=weights.shape[0] > 1, dtype=weights.dtype, device=weights.device
    )


def sample(
    circuit: Circuit,
    *,
    shots: int,
    seed: int,
    weights: Float[Tensor, "*weight_batch n_weights"] | None = None,
    inputs: Float[Tensor, "*input_batch n_inputs"] | None = None,
) -> Int64[Tensor, "batch shots"]:
    """Outcomes of measuring every qubit, as basis-state indices; a seed gives the same shots."""
    with torch.no_grad():
        chances = probabilities(circuit, weights=weights, inputs=inputs)
    generator = torch.Generator(chances.device).manual_seed(seed)
    return sample_probabilities(chances, shots=shots, generator=generator)
