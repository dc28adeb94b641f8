"""Gradients of expectation values, for simulators and for devices.

Every method but the adjoint one is a *recipe*: pure halves with any backend between them.
`construct_circuits` gives one circuit structure and a batch of angles, so that a device compiles
once and runs one batch; `combine_results` turns the expectation values of that batch into
derivatives, which are linear in them for every method here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.circuit import Circuit, Parameter
from quantum.errors import InvalidValues
from quantum.gates import find_gate
from quantum.observable import PauliSum
from quantum.simulator import expectation
from quantum.simulator.values import check_values

Jacobian: TypeAlias = Float[Tensor, "sample parameter observable"]
Evaluate: TypeAlias = Callable[[Circuit, Sequence[PauliSum], Tensor], Tensor]


@dataclass(frozen=True)
class GradientRecipe:
    """Which angles to run, and how to add up what comes out.

    Parameters are the circuit's weights followed by its inputs.

    Args:
        circuit: the circuit with a weight of its own for every angle that is not a number.
        slopes: how fast each angle moves with each parameter; `offsets` is the angle at zero.
        shifts: what each run adds to the angles.
        coefficients: derivative of a parameter = Σ over runs of coefficient · expectation value.
    """

    circuit: Circuit
    slopes: Float[Tensor, "angle parameter"]
    offsets: Float[Tensor, " angle"]
    shifts: Float[Tensor, "run angle"]
    coefficients: Float[Tensor, "derivative run"]

    @property
    def n_runs(self) -> int:
        """Runs per sample: what a device charges for."""
        return self.shifts.shape[0]

    def only(self, parameters: Sequence[int]) -> "GradientRecipe":
        """The same recipe for some of the parameters: runs that serve only the others are left out.

        Its Jacobian has a column per parameter asked for, in this order.
        """
        coefficients = self.coefficients[list(parameters)]
        used = (coefficients != 0).any(0)
        return replace(self, shifts=self.shifts[used], coefficients=coefficients[:, used])

    def construct_circuits(
        self, parameters: Float[Tensor, "sample parameter"]
    ) -> tuple[Circuit, Float[Tensor, "sample_and_run angle"]]:
        """One circuit and the weights of every run, the runs of a sample side by side."""
        angles = parameters.to(self.slopes) @ self.slopes.T + self.offsets
        return self.circuit, (angles[:, None] + self.shifts).flatten(0, 1)

    def combine_results(self, values: Float[Tensor, "sample_and_run observable"]) -> Jacobian:
        """Derivatives in the parameters, from the expectation values of the runs."""
        per_sample = values.to(self.slopes).unflatten(0, (-1, self.n_runs))
        return torch.einsum("pr,sro->spo", self.coefficients, per_sample)


def parameter_shift(circuit: Circuit) -> GradientRecipe:
    """The exact derivatives from shifted angles: two runs per angle of a Pauli rotation, 2R for a
    gate with R frequencies (Schuld et al. 2019; Wierichs et al. 2022, section 3)."""
    spread, slopes, offsets = _spread(circuit)
    shifts, weights, rows = [], [], []
    for row, frequencies in enumerate(_angle_frequencies(circuit)):
        for shift, weight in shift_rule(frequencies):
            for sign in (1.0, -1.0):
                rows.append(row)
                shifts.append(sign * shift)
                weights.append(sign * weight)
    runs = torch.arange(len(rows))
    moved = torch.zeros(len(rows), len(offsets), dtype=torch.float64)
    moved[runs, rows] = torch.tensor(shifts, dtype=torch.float64)
    coefficients = slopes[rows].T * torch.tensor(weights, dtype=torch.float64)
    return GradientRecipe(spread, slopes, offsets, moved, coefficients)


def shift_rule(frequencies: Sequence[float]) -> list[tuple[float, float]]:
    """Pairs (s, c) such that f'(0) = Σ c (f(s) - f(-s)) for every f with these frequencies.

    The shifts are those of the equidistant rule (Wierichs et al. 2022, eq. 13), scaled by the
    lowest frequency; c solves Σ_s 2 c_s sin(ω s) = ω.
    """
    order = len(frequencies)
    omega = torch.tensor(frequencies, dtype=torch.float64)
    steps = torch.arange(1, order + 1, dtype=torch.float64)
    # An only frequency is shifted by a quarter turn; more of them by odd parts of one.
    shifts = (2 * steps - 1) * torch.pi / (2 * order * omega.min())
    solved = torch.linalg.solve(2 * torch.sin(omega[:, None] * shifts), omega)
    return list(zip(shifts.tolist(), solved.tolist(), strict=True))


def finite_difference(circuit: Circuit, *, step: float = 1e-4) -> GradientRecipe:
    """Central differences: for tests, and where shots are cheap and a rule is not known."""
    _check_step(step)
    spread, slopes, offsets = _spread(circuit)
    moved = torch.cat([slopes.T, -slopes.T]) * step
    one = torch.eye(slopes.shape[1], dtype=torch.float64) / (2 * step)
    return GradientRecipe(spread, slopes, offsets, moved, torch.cat([one, -one], 1))


def spsa(circuit: Circuit, *, seed: int, step: float = 0.1, repeats: int = 1) -> GradientRecipe:
    """An unbiased guess at all derivatives from two runs per repeat, however many parameters
    (Spall 1992, eq. 2.2): all are moved at once by random signs."""
    _check_step(step)
    if repeats < 1:
        raise InvalidValues(f"a guess takes one repeat or more, not {repeats}")
    spread, slopes, offsets = _spread(circuit)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(0, 2, (repeats, slopes.shape[1]), generator=generator)
    signs = (2 * drawn - 1).double()
    moved = torch.cat([signs @ slopes.T, -signs @ slopes.T]) * step
    weights = signs.T / (2 * step * repeats)  # 1/sign = sign
    return GradientRecipe(spread, slopes, offsets, moved, torch.cat([weights, -weights], 1))


def _check_step(step: float) -> None:
    if not 0 < step < inf:
        raise InvalidValues(f"a step is a number above 0, not {step}")


def adjoint_jacobian(
    circuit: Circuit,
    observables: Sequence[PauliSum],
    *,
    parameters: Float[Tensor, "sample parameter"],
) -> Jacobian:
    """The exact derivatives on the simulator by the adjoint method: one sweep per observable."""
    leaf = parameters.detach().requires_grad_()
    n_weights = len(circuit.weights)
    with torch.enable_grad():
        values = expectation(
            circuit, observables, weights=leaf[:, :n_weights], inputs=leaf[:, n_weights:]
        )
        sums = values.sum(0)
    columns = [
        torch.autograd.grad(total, leaf, retain_graph=True, materialize_grads=True)[0]
        for total in sums
    ]
    return torch.stack(columns, 2)


def _simulate(
    circuit: Circuit,
    observables: Sequence[PauliSum],
    weights: Float[Tensor, "run angle"],
) -> Float[Tensor, "run observable"]:
    with torch.no_grad():
        return expectation(circuit, observables, weights=weights)


@dataclass(frozen=True)
class GradientComputer:
    """Derivatives of a circuit's expectation values by a recipe, on any backend.

    Args:
        evaluate: (circuit, observables, weights [run, angle]) → values [run, observable].
    """

    recipe: Callable[[Circuit], GradientRecipe] = parameter_shift
    evaluate: Evaluate = _simulate

    def jacobian(
        self,
        circuit: Circuit,
        observables: Sequence[PauliSum],
        *,
        weights: Float[Tensor, "*weight_batch n_weights"] | None = None,
        inputs: Float[Tensor, "*input_batch n_inputs"] | None = None,
    ) -> Jacobian:
        """Derivatives in weights and inputs (in this order), for each sample of the batch."""
        recipe = self.recipe(circuit)
        parameters = join_parameters(circuit, weights, inputs)
        if not recipe.n_runs:
            return parameters.new_zeros(*parameters.shape, len(observables))
        run, angles = recipe.construct_circuits(parameters)
        values = self.evaluate(run, observables, angles)
        if values.shape[0] != angles.shape[0]:
            raise InvalidValues(f"{angles.shape[0]} runs gave {values.shape[0]} results")
        return recipe.combine_results(values)


def join_parameters(
    circuit: Circuit,
    weights: Float[Tensor, "*weight_batch n_weights"] | None,
    inputs: Float[Tensor, "*input_batch n_inputs"] | None,
) -> Float[Tensor, "sample parameter"]:
    """Weights and inputs side by side, one row per element of the batch."""
    weights, inputs = check_values(circuit, weights, inputs)
    batch = max(weights.shape[0], inputs.shape[0])
    return torch.cat([weights.expand(batch, -1), inputs.expand(batch, -1)], 1)


def _spread(circuit: Circuit) -> tuple[Circuit, Tensor, Tensor]:
    """The circuit with one weight per free angle, and the angles as slopes and offsets."""
    column = {name: i for i, name in enumerate((*circuit.weights, *circuit.inputs))}
    found: list[Parameter] = []

    def rename(angle: float | Parameter) -> float | Parameter:
        if not isinstance(angle, Parameter):
            return angle
        found.append(angle)
        return Parameter(f"angle_{len(found) - 1}")

    spread = Circuit(
        circuit.n_qubits,
        tuple(replace(i, angles=tuple(map(rename, i.angles))) for i in circuit.instructions),
    )
    slopes = torch.zeros(len(found), len(column), dtype=torch.float64)
    for row, angle in enumerate(found):
        slopes[row, column[angle.name]] = angle.scale
    offsets = torch.tensor([angle.offset for angle in found], dtype=torch.float64)
    return spread, slopes, offsets


def _angle_frequencies(circuit: Circuit) -> list[tuple[float, ...]]:
    """For every free angle the frequencies of an expectation value in it."""
    return [
        frequencies
        for instruction in circuit.instructions
        for angle, frequencies in zip(
            instruction.angles, find_gate(instruction.gate).frequencies, strict=True
        )
        if isinstance(angle, Parameter)
    ]


def parameter_frequencies(circuit: Circuit) -> list[tuple[float, ...]]:
    """For every weight the frequencies of an expectation value in it, ascending.

    A weight that stands at several gates has all sums and differences of theirs.
    """
    reach: dict[str, set[float]] = {name: {0.0} for name in circuit.weights}
    owners = [angle for i in circuit.instructions for angle in i.parameters]
    for angle, frequencies in zip(owners, _angle_frequencies(circuit), strict=True):
        if angle.is_input:
            continue
        steps = [sign * f * abs(angle.scale) for f in (0.0, *frequencies) for sign in (1, -1)]
        known = reach[angle.name]
        reach[angle.name] = {round(abs(a + b), 9) for a in known for b in steps}
    return [tuple(sorted(found - {0.0})) for found in reach.values()]
