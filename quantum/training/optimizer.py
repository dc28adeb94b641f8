"""Optimizers of circuit weights: torch's own, and those made for quantum circuits.

All are `torch.optim.Optimizer`s: `step(closure)`, parameter groups, `state_dict`. So a trainer
needs no case for any of them, and checkpoints resume each exactly, with its random numbers.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from quantum.circuit import Circuit
from quantum.errors import InvalidValues
from quantum.gradients import parameter_frequencies
from quantum.metric import block_diagonal_metric

QuantumOptimizer: TypeAlias = Optimizer
Closure: TypeAlias = Callable[[], Tensor]
Name = Literal["adam", "adamw", "sgd", "rmsprop", "adagrad", "lbfgs", "spsa", "qng", "rotosolve"]

_TORCH: dict[str, type[Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adagrad": torch.optim.Adagrad,
    "lbfgs": torch.optim.LBFGS,
}


def make_optimizer(
    name: str,
    parameters: Iterable[Tensor],
    *,
    learning_rate: float = 0.01,
    circuit: Circuit | None = None,
    inputs: Float[Tensor, "batch n_inputs"] | None = None,
    seed: int = 0,
) -> QuantumOptimizer:
    """The optimizer called `name` on the parameters.

    Args:
        circuit: what the first parameter are the weights of; "qng" and "rotosolve" need it.
        inputs: of the circuit, what "qng" averages its metric over; zeros where absent.
        seed: of the random directions of "spsa".

    Raises:
        InvalidValues: for an unknown name, or where the circuit is missing.
    """
    if name in _TORCH:
        return _TORCH[name](parameters, lr=learning_rate)  # type: ignore[call-arg]
    if name == "spsa":
        return Spsa(parameters, learning_rate=learning_rate, seed=seed)
    if name not in ("qng", "rotosolve"):
        known = ", ".join((*_TORCH, "spsa", "qng", "rotosolve"))
        raise InvalidValues(f"there is no optimizer {name!r}; choose one of {known}")
    if circuit is None:
        raise InvalidValues(f"{name} needs the circuit whose weights it moves")
    (weights,) = parameters
    if name == "qng":
        return NaturalGradient(weights, circuit=circuit, learning_rate=learning_rate, inputs=inputs)
    return Rotosolve(weights, circuit=circuit)


class Spsa(Optimizer):
    """Simultaneous perturbation: two losses per step, however many parameters (Spall 1998, III).

    The closure's backward pass is not needed; it runs without gradients.

    Args:
        learning_rate, perturbation: of the first step; they fall as (k + 1 + stability)^-0.602 and
            (k + 1)^-0.101.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        learning_rate: float = 0.1,
        perturbation: float = 0.1,
        stability: float = 10.0,
        seed: int = 0,
    ) -> None:
        settings = {"lr": learning_rate, "perturbation": perturbation, "stability": stability}
        super().__init__(parameters, settings)
        self._generator = torch.Generator().manual_seed(seed)
        self._n_steps = 0

    @torch.no_grad()
    def step(self, closure: Closure) -> Tensor:  # type: ignore[override]
        """Moves against the estimated gradient; gives back the mean of the two losses."""
        moves = [(p, group, self._signs(p)) for group in self.param_groups for p in group["params"]]
        decay = (self._n_steps + 1) ** -0.101
        losses = []
        for sign in (1.0, -2.0):  # from the point to one side, then across to the other
            for p, group, direction in moves:
                p.add_(direction, alpha=sign * group["perturbation"] * decay)
            losses.append(closure().detach())
        for p, group, direction in moves:
            width = group["perturbation"] * decay
            slope = (losses[0] - losses[1]) / (2 * width)
            start = (1 + group["stability"]) ** 0.602
            rate = group["lr"] * start / (self._n_steps + 1 + group["stability"]) ** 0.602
            p.add_(direction * (width - rate * slope))
        self._n_steps += 1
        return (losses[0] + losses[1]) / 2

    def _signs(self, parameter: Tensor) -> Tensor:
        drawn = torch.randint(0, 2, parameter.shape, generator=self._generator)
        return (2 * drawn - 1).to(parameter)

    def state_dict(self) -> dict[str, Any]:
        saved = super().state_dict()
        return {**saved, "random": self._generator.get_state(), "n_steps": self._n_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        rest = dict(state_dict)
        self._generator.set_state(rest.pop("random"))
        self._n_steps = rest.pop("n_steps")
        super().load_state_dict(rest)


class NaturalGradient(Optimizer):
    """Gradient descent in the geometry of the states, by a block-diagonal metric.

    The step does not depend on how a layer is parametrised (Stokes et al. 2020, eq. 3).
    The closure must run the backward pass, as with torch's optimizers.

    Args:
        damping: added to the metric's diagonal, so that flat directions do not blow up.
        inputs: what the metric is averaged over, [batch, n_inputs]; zeros where absent.
    """

    def __init__(
        self,
        weights: Tensor,
        *,
        circuit: Circuit,
        learning_rate: float = 0.05,
        damping: float = 1e-2,
        inputs: Float[Tensor, "batch n_inputs"] | None = None,
    ) -> None:
        super().__init__([weights], {"lr": learning_rate, "damping": damping})
        self._circuit = circuit
        self._inputs = weights.new_zeros(1, len(circuit.inputs)) if inputs is None else inputs

    def step(self, closure: Closure) -> Tensor:  # type: ignore[override]
        """Moves along the natural gradient; gives back the loss before the move."""
        with torch.enable_grad():
            loss = closure()
        (group,) = self.param_groups
        (weights,) = group["params"]
        metric = block_diagonal_metric(self._circuit, weights=weights, inputs=self._inputs)
        metric.diagonal().add_(group["damping"])
        with torch.no_grad():
            weights.sub_(group["lr"] * torch.linalg.solve(metric, weights.grad))
        return loss.detach()


class Rotosolve(Optimizer):
    """Moves one weight after the other to its exact minimum, without gradients (Ostaszewski et al.
    2021, algorithm 1; for several frequencies Wierichs et al. 2022, section 5.2).

    As a function of one weight the loss must be an expectation value: a trigonometric polynomial.
    It is rebuilt from 2R + 1 losses and minimised; one step visits every weight.
    """

    def __init__(self, weights: Tensor, *, circuit: Circuit) -> None:
        super().__init__([weights], {})
        self._frequencies = [
            torch.tensor(f, dtype=torch.float64) for f in parameter_frequencies(circuit)
        ]

    @torch.no_grad()
    def step(self, closure: Closure) -> Tensor:  # type: ignore[override]
        """Visits every weight; gives back the loss that the last visit predicts."""
        (weights,) = self.param_groups[0]["params"]
        loss = torch.tensor(torch.nan)
        for i, frequencies in enumerate(self._frequencies):
            if not len(frequencies):  # the weight changes nothing
                continue
            points = _sample_points(frequencies)
            start = weights[i].clone()
            values = []
            for point in points:
                weights[i] = start + point
                values.append(closure().detach().double())
            move, loss = _minimum(frequencies, points, torch.stack(values))
            weights[i] = start + move
        return closure().detach() if loss.isnan() else loss


def _sample_points(frequencies: Float[Tensor, " frequency"]) -> Float[Tensor, " point"]:
    """2R + 1 shifts, spread over a period of the lowest frequency."""
    count = 2 * len(frequencies) + 1
    period = 2 * torch.pi / frequencies.min()
    return torch.arange(count, dtype=torch.float64) * (period / count)


def _basis(
    frequencies: Float[Tensor, " frequency"], at: Float[Tensor, " point"]
) -> Float[Tensor, "point term"]:
    phases = at[:, None] * frequencies
    return torch.cat([torch.ones_like(at)[:, None], phases.cos(), phases.sin()], 1)


def _minimum(
    frequencies: Float[Tensor, " frequency"],
    points: Float[Tensor, " point"],
    values: Float[Tensor, " point"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Where the trigonometric polynomial through the values is lowest, and how low."""
    terms = torch.linalg.lstsq(_basis(frequencies, points), values[:, None]).solution[:, 0]
    period = 2 * torch.pi / frequencies.min()
    grid = torch.linspace(0, 1, 64 * len(frequencies) + 1, dtype=torch.float64) * period
    best = grid[(_basis(frequencies, grid) @ terms).argmin()]
    for _ in range(4):  # Newton's method from the best point of the grid
        phases = best * frequencies
        cos, sin = terms[1:].chunk(2)
        slope = (frequencies * (sin * phases.cos() - cos * phases.sin())).sum()
        bend = -(frequencies**2 * (cos * phases.cos() + sin * phases.sin())).sum()
        best = best - slope / bend if bend > 1e-9 else best
    return best, (_basis(frequencies, best[None]) @ terms)[0]
