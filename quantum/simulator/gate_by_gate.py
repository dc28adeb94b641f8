"""The plain simulator: one gate after the other, differentiable by autograd.

It is the definition that the fused paths are tested against, and the engine of whatever needs
every gate by itself (noise).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from quantum.circuit import Circuit, Instruction
from quantum.simulator.matrices import gate_matrix
from quantum.simulator.values import angle_values, check_values


def zero_state(
    n_qubits: int,
    *,
    batch: int = 1,
    dtype: torch.dtype = torch.complex64,
    device: torch.device | str = "cpu",
) -> Complex[Tensor, "batch amplitude"]:
    """|0…0⟩, `batch` times."""
    state = torch.zeros(batch, 2**n_qubits, dtype=dtype, device=device)
    state[:, 0] = 1
    return state


def apply_matrix(
    state: Complex[Tensor, "batch amplitude"],
    matrix: Complex[Tensor, "matrix_batch dim dim"],
    qubits: Sequence[int],
) -> Complex[Tensor, "new_batch amplitude"]:
    """The state after the matrix acts on `qubits` (first qubit most significant in the matrix).

    A batch of 1 on either side is broadcast.
    """
    n_qubits = state.shape[1].bit_length() - 1
    batch = state.shape[0] if matrix.shape[0] == 1 else matrix.shape[0]
    axes = [1 + q for q in qubits]
    front = list(range(1, 1 + len(axes)))
    dim, rest = matrix.shape[-1], state.shape[1] // matrix.shape[-1]
    tensor = state.reshape(state.shape[0], *[2] * n_qubits).movedim(axes, front)
    moved = matrix @ tensor.reshape(state.shape[0], dim, rest)
    whole = moved.reshape(batch, *[2] * n_qubits).movedim(front, axes)
    return whole.reshape(batch, state.shape[1])


def instruction_matrix(
    instruction: Instruction,
    circuit: Circuit,
    weights: Float[Tensor, "weight_batch n_weights"],
    inputs: Float[Tensor, "input_batch n_inputs"],
) -> Complex[Tensor, "_batch _dim _dim"]:
    """The matrix of an instruction, where the values are those of the circuit's parameters."""
    angles = angle_values(instruction.angles, circuit, weights, inputs)
    return gate_matrix(
        instruction.gate, angles, word=instruction.word, n_qubits=len(instruction.qubits)
    )


def run_gate_by_gate(
    circuit: Circuit,
    *,
    weights: Float[Tensor, "*weight_batch n_weights"] | None = None,
    inputs: Float[Tensor, "*input_batch n_inputs"] | None = None,
    initial: Complex[Tensor, "state_batch amplitude"] | None = None,
) -> Complex[Tensor, "batch amplitude"]:
    """The state at the end, in the precision of the values (float64 gives complex128).

    Args:
        initial: the state at the start; |0…0⟩ where absent.
    """
    weights, inputs = check_values(circuit, weights, inputs)
    batch = max(weights.shape[0], inputs.shape[0])
    state = initial
    if state is None:
        dtype = weights.dtype.to_complex()
        state = zero_state(circuit.n_qubits, batch=batch, dtype=dtype, device=weights.device)
    for instruction in circuit.instructions:
        matrix = instruction_matrix(instruction, circuit, weights, inputs)
        state = apply_matrix(state, matrix.to(state.dtype), instruction.qubits)
    return state


def unitary(circuit: Circuit) -> Complex[Tensor, "amplitude amplitude"]:
    """The complex128 matrix of a circuit without free parameters."""
    basis = torch.eye(2**circuit.n_qubits, dtype=torch.complex128)
    return run_gate_by_gate(circuit, weights=torch.zeros(0, dtype=torch.float64), initial=basis).T
