"""The geometry of a circuit's states: how far they move when the weights do."""

from collections.abc import Iterator

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from quantum.circuit import Circuit, Instruction, Parameter
from quantum.observable import PauliSum, Y, Z, identity
from quantum.simulator import run
from quantum.simulator.gate_by_gate import (
    apply_matrix,
    instruction_matrix,
    zero_state,
)
from quantum.simulator.lowering import Line, Move, Phase, Step, Turn
from quantum.simulator.readout import compile_readout
from quantum.simulator.schedule import Layer, MoveLayer, fuse
from quantum.simulator.values import check_values


def fubini_study(
    circuit: Circuit,
    *,
    weights: Float[Tensor, " n_weights"],
    inputs: Float[Tensor, "*input_batch n_inputs"] | None = None,
) -> Float[Tensor, "n_weights n_weights"]:
    """The metric Re(⟨∂_i ψ|∂_j ψ⟩ - ⟨∂_i ψ|ψ⟩⟨ψ|∂_j ψ⟩), averaged over the batch.

    A quarter of the quantum Fisher information (Stokes et al. 2020, eq. 10). It takes a sweep per
    amplitude: for small circuits and for tests.
    """
    pair = check_values(circuit, weights.detach(), inputs)
    own, features = pair[0][0], pair[1].detach()
    if not len(own):
        return own.new_zeros(0, 0)

    def state(values: Tensor) -> Tensor:
        return torch.view_as_real(run(circuit, weights=values, inputs=features))

    jacobian = torch.autograd.functional.jacobian(state, own)
    slopes = torch.view_as_complex(jacobian.movedim(-1, -2).contiguous())
    psi = run(circuit, weights=own, inputs=features)
    overlap = torch.einsum("ban,ba->bn", slopes.conj(), psi)
    products = torch.einsum("ban,bam->bnm", slopes.conj(), slopes)
    return (products - overlap[:, :, None] * overlap[:, None, :].conj()).real.mean(0)


def block_diagonal_metric(
    circuit: Circuit,
    *,
    weights: Float[Tensor, " n_weights"],
    inputs: Float[Tensor, "*input_batch n_inputs"] | None = None,
) -> Float[Tensor, "n_weights n_weights"]:
    """The metric without what couples different layers, averaged over the batch.

    Within a layer the generators commute and the metric is their covariance in the layer's state
    (Stokes et al. 2020, section 3). A weight that stands in several layers gets the sum of theirs.
    """
    own, features = check_values(circuit, weights.detach(), inputs)
    column = {name: i for i, name in enumerate(circuit.weights)}
    total = own.new_zeros(len(column), len(column))
    for layer, state in _layer_states(circuit, own, features.detach()):
        generators = _generators(layer)
        if generators:
            places = torch.tensor([column[name] for name in generators], device=own.device)
            total[places[:, None], places] += _covariance(list(generators.values()), state)
    return total


def _layer_states(
    circuit: Circuit, weights: Tensor, inputs: Tensor
) -> Iterator[tuple[Layer, Complex[Tensor, "batch amplitude"]]]:
    """Every fused layer with the state behind it."""
    dtype = weights.dtype.to_complex()
    state = zero_state(circuit.n_qubits, dtype=dtype, device=weights.device)
    for layer in fuse(circuit):
        for step in layer.steps:
            for instruction in _as_instructions(step):
                matrix = instruction_matrix(instruction, circuit, weights, inputs)
                state = apply_matrix(state, matrix, instruction.qubits)
        yield layer, state


def _as_instructions(step: Step) -> Iterator[Instruction]:
    """A step as gates again: angles that are sums become gates in a row."""
    if isinstance(step, Move):
        yield Instruction(step.gate, step.qubits)
        return
    if not step.qubits:
        return  # a global phase
    for angle in _terms(step.angle):
        if isinstance(step, Turn):
            yield Instruction("ry", step.qubits, (angle,))
        elif step.on_ones:
            yield Instruction("mcp", step.qubits, (angle,))
        else:
            yield Instruction("pauli", step.qubits, (angle,), "Z" * len(step.qubits))


def _terms(line: Line) -> Iterator[float | Parameter]:
    yield line.constant
    for name, is_input, scale in line.parts:
        yield Parameter(name, scale, 0.0, is_input)


def _generators(layer: Layer) -> dict[str, PauliSum]:
    """For each weight of the layer the Hermitian G of its e^{i value G}."""
    found: dict[str, PauliSum] = {}
    if isinstance(layer, MoveLayer):
        return found
    for step in layer.steps:
        for name, is_input, scale in step.angle.parts:
            if not is_input:
                found[name] = found.get(name, PauliSum()) + scale * _generator(step)
    return found


def _generator(step: Turn | Phase) -> PauliSum:
    if isinstance(step, Turn):
        return -0.5 * Y(step.qubit)
    product = identity()
    for q in step.qubits:
        product = product @ (0.5 * (identity() - Z(q)) if step.on_ones else Z(q))
    return product if step.on_ones else -0.5 * product


def _covariance(
    generators: list[PauliSum], state: Complex[Tensor, "batch amplitude"]
) -> Float[Tensor, "weight weight"]:
    """⟨G_i G_j⟩ - ⟨G_i⟩⟨G_j⟩ of commuting generators, averaged over the batch."""
    count = len(generators)
    rows, columns = torch.triu_indices(count, count)
    products = [
        generators[i] @ generators[j] for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    n_qubits = state.shape[1].bit_length() - 1
    wanted = (*generators, *products)
    readout = compile_readout(wanted, n_qubits, state.dtype.to_real(), state.device)
    values = readout.values(state.T.contiguous())
    means = values[:count]
    second = means.new_empty(count, count, means.shape[1])
    second[rows, columns] = values[count:]
    second[columns, rows] = values[count:]
    return (second - means[:, None] * means).mean(2)
