"""Where the circuits of an application run, and the record of what ran there."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.applications.base import Report
from quantum.backends.base import Backend, Batch, Measured
from quantum.backends.catalog import open_backend
from quantum.backends.choose import BackendManager, Classical, Offer
from quantum.backends.executions import Execution
from quantum.backends.names import CLASSICAL, NAMES, QUANTUM
from quantum.backends.simulated import exact_means
from quantum.circuit import Circuit
from quantum.errors import NotConfigured
from quantum.observable import PauliSum


@runtime_checkable
class Manager(Protocol):
    """What is needed of a `quantum.backends.choose.BackendManager`."""

    def run(
        self, batch: Batch, *, wanted: str, classical: Classical | None, report: Report
    ) -> tuple[tuple[Measured, ...], Any]: ...


@dataclass(frozen=True, eq=False)
class Route:
    """A backend by name, through a manager with its credentials, budget and fallbacks."""

    manager: Manager
    wanted: str


@dataclass(frozen=True)
class Asked:
    """What backends would take for one batch.

    Args:
        tried: those that would be tried, in their order.
        others: the rest.
    """

    batch: Batch
    tried: tuple[Offer, ...]
    others: tuple[Offer, ...]


@dataclass(frozen=True)
class Rehearsal:
    """A manager that hands nothing over: it asks what each backend would take for each batch, and
    answers from the simulator of this process."""

    manager: BackendManager
    asked: list[Asked] = field(default_factory=list)

    def run(
        self, batch: Batch, *, wanted: str, classical: Classical | None, report: Report
    ) -> tuple[tuple[Measured, ...], Execution]:
        tried = self.manager.dry_run(batch, wanted=wanted)
        known = {offer.backend for offer in tried}
        rest = tuple(name for name in NAMES if name not in known)
        others = replace(self.manager, chains={"rest": rest}).dry_run(batch, wanted="rest")
        self.asked.append(Asked(batch, tried, others))
        return _straight_to("simulator").manager.run(
            batch, wanted="simulator", classical=classical, report=report
        )


Where: TypeAlias = str | Backend | Route


class Place:
    """Somewhere to run circuits, with the number of shots; every batch is reported as an execution.

    Where no backend may or can run a batch, the classical method that comes with it answers, and
    `by_classical` says so.

    Args:
        where: a route; a backend, or the name of one that needs no credentials, without another
            backend behind it and without a budget: it must be free.

    Raises:
        NotConfigured: for a name whose credentials are not here.
    """

    def __init__(self, where: Where, *, shots: int, seed: int, report: Report) -> None:
        self._route = where if isinstance(where, Route) else _straight_to(where)
        self.name = self._route.wanted
        self.shots, self.seed, self._report = shots, seed, report
        self.executions: list[dict[str, Any]] = []
        self._reasons: list[str] = []

    @property
    def by_classical(self) -> bool:
        """Whether no circuit ran for the last batch."""
        return self.name == CLASSICAL

    @property
    def apology(self) -> str:
        """A sentence that says who ran no circuits, and why, of all batches where nobody did."""
        return f"No quantum backend ran the circuits ({'; '.join(dict.fromkeys(self._reasons))})."

    @property
    def is_exact(self) -> bool:
        """True where means need no shots."""
        return self._route.wanted in ("simulator", "mock")

    def means(
        self,
        circuit: Circuit,
        values: Float[Tensor, "row parameter"],
        observables: Sequence[PauliSum],
        *,
        classical: Classical,
    ) -> tuple[Float[Tensor, "row mean"], Float[Tensor, "row mean"]]:
        """Means of the observables and standard errors; on the simulator exact ones, without shots,
        where it took over from a device as well.

        Args:
            classical: solves the same problem without circuits; it may mean something else by its
                means than the observables do.
        """
        shots = None if self.is_exact else self.shots
        options = {"shots": shots, "observables": tuple(observables)}
        found = self._run(circuit, values, classical, options)
        if self.name == "simulator" and not self.is_exact:
            exact = exact_means(circuit, tuple(observables), values.detach().double())
            return exact, torch.zeros_like(exact)
        means, errors = ([getattr(m, name) for m in found] for name in ("means", "errors"))
        return torch.tensor(means, dtype=torch.float64), torch.tensor(errors, dtype=torch.float64)

    def read(
        self, circuit: Circuit, values: Float[Tensor, "row parameter"], *, classical: Classical
    ) -> tuple[Measured, ...]:
        """How often each bit string was read, for every row; what `classical` gives where no
        circuit ran."""
        return self._run(circuit, values, classical, {"shots": self.shots})

    def _run(
        self, circuit: Circuit, values: Tensor, classical: Classical, options: dict[str, Any]
    ) -> tuple[Measured, ...]:
        batch = Batch((circuit,), (values.detach().double(),), seed=self.seed, **options)
        measured, execution = self._route.manager.run(
            batch, wanted=self._route.wanted, classical=classical, report=self._report
        )
        self.executions.append(execution.to_json())
        self.name = execution.backend
        if self.by_classical:
            self._reasons.append(execution.reasons)
        return measured


def _straight_to(where: str | Backend) -> Route:
    """A route to one backend, or to none."""
    if where == QUANTUM:
        raise NotConfigured("to choose between machines takes a manager: give a Route")
    backend = open_backend(where, {}) if isinstance(where, str) else where
    manager = BackendManager(lambda name: backend, chains={backend.name: (backend.name,)})
    return Route(manager, backend.name)
