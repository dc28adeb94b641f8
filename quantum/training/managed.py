"""A quantum layer on machines that cost money: through a manager, within its budget."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from quantum.backends.base import Batch, seed_of
from quantum.backends.tags import RunTags
from quantum.circuit import Circuit
from quantum.gradients import Evaluate
from quantum.observable import PauliSum

if TYPE_CHECKING:
    from quantum.backends.choose import BackendManager


def _silent(event: dict[str, Any]) -> None:
    """Nobody listens."""


def through(
    manager: "BackendManager",
    wanted: str,
    *,
    shots: int | None = None,
    seed: int = 0,
    run_name: str = "",
    report: Callable[[dict[str, Any]], None] = _silent,
) -> Evaluate:
    """What `QuantumLayer` takes as `evaluate`: each call is one batch, on the backend that is
    wanted or, where it cannot, on the next one that can.

    Args:
        seed: with the circuit's values it decides what a simulator draws.
        run_name: a training that goes on under this name after a restart finds the job that was
            under way; without one it is sent, and paid for, again.
        report: hears of every execution; may raise `Cancelled`, which stops the job and the
            training.
    """

    tags = RunTags(run_name) if run_name else None

    def evaluate(circuit: Circuit, observables: Sequence[PauliSum], values: Tensor) -> Tensor:
        rows = values.detach().double().cpu()
        drawn = seed_of(seed, rows.tolist()) % 2**31
        batch = Batch((circuit,), (rows,), shots, tuple(observables), drawn)
        if tags is not None:
            batch = tags.tagged(batch)
        measured, _ = manager.run(batch, wanted=wanted, report=report)
        return torch.tensor([one.means for one in measured], dtype=torch.float64).to(values)

    return evaluate
