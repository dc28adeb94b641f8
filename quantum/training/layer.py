"""A circuit as a layer of a network: features in, expectation values out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.circuit import Circuit, Parameter
from quantum.encoding import DataEncoder
from quantum.errors import InvalidCircuit
from quantum.gradients import (
    Evaluate,
    GradientRecipe,
    finite_difference,
    parameter_shift,
    spsa,
)
from quantum.observable import PauliSum, Z
from quantum.simulator import expectation
from quantum.simulator.adjoint import first_only

if TYPE_CHECKING:
    from quantum.backends.base import Backend

GradientName = Literal["parameter_shift", "spsa", "finite_difference"]
_SMALL_ANGLE = 0.3  # radians: close to the identity, away from barren plateaus


class QuantumLayer(torch.nn.Module):
    """Expectation values of an encoding followed by an ansatz, with gradients for autograd.

    Without a backend the circuit runs on the simulator of this process and gradients come from the
    adjoint method. On a backend they come from a recipe of shifted runs, which are evaluated when
    the backward pass asks for them, in one batch, and only for what needs a gradient.

    Args:
        observables: one output each; Z on every qubit where absent.
        uploads: how often the data enter, each time followed by an ansatz with weights of its own
            (Pérez-Salinas et al. 2020, section 2).
        backend: where circuits run; None is the simulator of this process.
        evaluate: in place of a backend, any function from circuits to expectation values.
        gradient: the recipe on a backend.
        shots: per circuit on a backend; None asks for exact values.
        seed: of the first weights, of shots and of SPSA's directions.

    Raises:
        InvalidCircuit: where encoding and ansatz differ in size or the ansatz has inputs.
    """

    n_calls: Tensor

    def __init__(
        self,
        encoder: DataEncoder,
        ansatz: Circuit,
        observables: Sequence[PauliSum] = (),
        *,
        uploads: int = 1,
        backend: "Backend | None" = None,
        evaluate: Evaluate | None = None,
        gradient: GradientName = "parameter_shift",
        shots: int | None = None,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.circuit = interleave(encoder.circuit, ansatz, uploads)
        self.observables = tuple(observables) or tuple(map(Z, range(ansatz.n_qubits)))
        self.gradient = gradient
        self.backend, self.shots, self.seed = backend, shots, seed
        self._given = evaluate
        generator = torch.Generator().manual_seed(seed)
        start = torch.rand(len(self.circuit.weights), generator=generator, dtype=torch.float64)
        self.weights = torch.nn.Parameter(((2 * start - 1) * _SMALL_ANGLE).to(dtype))
        # Saved with the weights: a resumed training continues with the same random numbers.
        self.register_buffer("n_calls", torch.zeros((), dtype=torch.int64))

    @property
    def n_outputs(self) -> int:
        return len(self.observables)

    @property
    def runs_on_simulator(self) -> bool:
        """True where gradients come from the adjoint method."""
        return self.backend is None and self._given is None

    def forward(
        self, features: Float[Tensor, "*batch n_features"]
    ) -> Float[Tensor, "*batch n_outputs"]:
        """Expectation values in the precision of the weights; raises `InvalidValues`."""
        rows = features.reshape(-1, features.shape[-1]).to(self.weights)
        inputs = self.encoder.angles(rows)
        if not len(rows):
            return rows.new_zeros(*features.shape[:-1], self.n_outputs)
        values = self._simulate(inputs) if self.runs_on_simulator else self._measure(inputs)
        return values.reshape(*features.shape[:-1], self.n_outputs)

    def _simulate(self, inputs: Tensor) -> Tensor:
        values = expectation(self.circuit, self.observables, weights=self.weights, inputs=inputs)
        return values.expand(inputs.shape[0], -1)  # without inputs all rows are one

    def _measure(self, inputs: Tensor) -> Tensor:
        shared = self.weights.expand(inputs.shape[0], -1)
        found: Tensor = _Measured.apply(shared, inputs, self)
        return found.to(self.weights)

    def recipe(self) -> GradientRecipe:
        """The recipe of the next gradient: SPSA draws new directions with every call."""
        if self.gradient == "spsa":
            return spsa(self.circuit, seed=self._next_seed())
        if self.gradient == "finite_difference":
            return finite_difference(self.circuit)
        return parameter_shift(self.circuit)

    def evaluate(
        self, circuit: Circuit, observables: Sequence[PauliSum], values: Tensor
    ) -> Float[Tensor, "run observable"]:
        """Expectation values on the backend, a row per run."""
        if self._given is not None:
            return self._given(circuit, observables, values)
        from quantum.backends.run import expectations  # only where a backend is used

        assert self.backend is not None
        return expectations(
            self.backend, circuit, values, observables, shots=self.shots, seed=self._next_seed()
        )

    def _next_seed(self) -> int:
        self.n_calls += 1
        return (self.seed * 1_000_003 + int(self.n_calls)) % 2**31

    def extra_repr(self) -> str:
        where = "simulator" if self.runs_on_simulator else getattr(self.backend, "name", "given")
        return (
            f"{self.encoder.n_features} features, {self.circuit.n_qubits} qubits, "
            f"{len(self.circuit.weights)} weights, {self.n_outputs} outputs, on {where}"
        )


class _Measured(torch.autograd.Function):
    """(weights, inputs) of every row → expectation values from a backend."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, inputs: Tensor, layer: QuantumLayer) -> Tensor:
        parameters = torch.cat([weights, inputs], 1).detach()
        spread = parameter_shift(layer.circuit)
        angles = parameters.to(spread.slopes) @ spread.slopes.T + spread.offsets
        values = layer.evaluate(spread.circuit, layer.observables, angles)
        ctx.layer, ctx.n_weights = layer, weights.shape[1]
        ctx.save_for_backward(weights, inputs, parameters)
        return values

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        *origin, parameters = ctx.saved_tensors
        wants_weights, wants_inputs, _ = ctx.needs_input_grad
        first = 0 if wants_weights else ctx.n_weights
        last = parameters.shape[1] if wants_inputs else ctx.n_weights
        with torch.no_grad():
            found = pull_back(ctx.layer, parameters, upstream, wanted=range(first, last))
        found = first_only(found, *origin, upstream)
        own = found[:, : ctx.n_weights - first] if wants_weights else None
        return own, found[:, max(ctx.n_weights - first, 0) :] if wants_inputs else None, None


def pull_back(
    layer: QuantumLayer,
    parameters: Float[Tensor, "row parameter"],
    upstream: Float[Tensor, "row observable"],
    *,
    wanted: range,
) -> Float[Tensor, "row _wanted"]:
    """The gradient by the wanted parameters of every row, measured in one batch on the backend."""
    recipe = layer.recipe().only(wanted)
    circuit, angles = recipe.construct_circuits(parameters)
    slopes = recipe.combine_results(layer.evaluate(circuit, layer.observables, angles))
    return torch.einsum("spo,so->sp", slopes, upstream.to(slopes)).to(parameters)


def interleave(encoding: Circuit, ansatz: Circuit, uploads: int = 1) -> Circuit:
    """Encoding and ansatz in turns; from the second on, weights are named after their turn."""
    if encoding.n_qubits != ansatz.n_qubits:
        raise InvalidCircuit(
            f"the encoding has {encoding.n_qubits} qubits, the ansatz {ansatz.n_qubits}"
        )
    if ansatz.inputs or encoding.weights:
        raise InvalidCircuit("inputs belong into the encoding, weights into the ansatz")
    circuit = encoding + ansatz
    for turn in range(1, uploads):
        circuit = circuit + encoding + _renamed(ansatz, f"u{turn}_")
    return circuit


def _renamed(circuit: Circuit, prefix: str) -> Circuit:
    def rename(angle: float | Parameter) -> float | Parameter:
        if isinstance(angle, Parameter):
            return replace(angle, name=prefix + angle.name)
        return angle

    return Circuit(
        circuit.n_qubits,
        tuple(replace(i, angles=tuple(map(rename, i.angles))) for i in circuit.instructions),
    )
