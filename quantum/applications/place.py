"""Where the circuits of an application run, and the record of what ran there."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable
from uuid import uuid4

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.applications.base import Report
from quantum.backends.base import Backend, Batch, Measured
from quantum.backends.catalog import open_backend
from quantum.backends.run import run
from quantum.backends.simulated import SimulatorBackend
from quantum.circuit import Circuit
from quantum.observable import PauliSum


@runtime_checkable
class Manager(Protocol):
    """What is needed of a `quantum.backends.choose.BackendManager`."""

    def run(
        self, batch: Batch, *, wanted: str, report: Report
    ) -> tuple[tuple[Measured, ...], Any]: ...


@dataclass(frozen=True, eq=False)
class Route:
    """A backend by name, through a manager with its credentials, budget and fallbacks."""

    manager: Manager
    wanted: str


Where: TypeAlias = str | Backend | Route


class Place:
    """Somewhere to run circuits, with the number of shots; every batch is reported as an execution.

    Args:
        where: a backend, the name of one that needs no credentials, or a route.

    Raises:
        NotConfigured: for a name whose credentials are not here.
    """

    def __init__(self, where: Where, *, shots: int, seed: int, report: Report) -> None:
        self._where = open_backend(where, {}) if isinstance(where, str) else where
        self.name = where.wanted if isinstance(where, Route) else self._backend.name
        self.shots, self.seed, self._report = shots, seed, report
        self.executions: list[dict[str, Any]] = []

    @property
    def _backend(self) -> Backend:
        assert not isinstance(self._where, Route)
        return self._where

    @property
    def is_exact(self) -> bool:
        """True where means need no shots."""
        if isinstance(self._where, Route):
            return self._where.wanted in ("simulator", "mock")
        return isinstance(self._where, SimulatorBackend)

    def means(
        self,
        circuit: Circuit,
        values: Float[Tensor, "row parameter"],
        observables: Sequence[PauliSum],
    ) -> tuple[Float[Tensor, "row observable"], Float[Tensor, "row observable"]]:
        """Means and standard errors; on the simulator exact ones, without shots."""
        shots = None if self.is_exact else self.shots
        found = self._run(circuit, values, shots=shots, observables=tuple(observables))
        means, errors = ([getattr(m, name) for m in found] for name in ("means", "errors"))
        return torch.tensor(means, dtype=torch.float64), torch.tensor(errors, dtype=torch.float64)

    def counts(
        self, circuit: Circuit, values: Float[Tensor, "row parameter"]
    ) -> list[dict[str, int]]:
        """How often each bit string was read, for every row."""
        return [measured.counts for measured in self._run(circuit, values, shots=self.shots)]

    def _run(self, circuit: Circuit, values: Tensor, **options: Any) -> tuple[Measured, ...]:
        batch = Batch((circuit,), (values.detach().double(),), seed=self.seed, **options)
        if isinstance(self._where, Route):
            measured, execution = self._where.manager.run(
                batch, wanted=self._where.wanted, report=self._report
            )
            self.executions.append(execution.to_json())
            self.name = execution.backend
            return measured
        return self._run_directly(batch)

    def _run_directly(self, batch: Batch) -> tuple[Measured, ...]:
        begin = time.monotonic()
        estimate = self._backend.estimate(batch)
        record: dict[str, Any] = {
            "id": uuid4().hex,
            "tag": batch.tag,
            "wanted": self.name,
            "backend": self.name,
            "handle_id": "",
            "n_qubits": batch.n_qubits,
            "n_runs": batch.n_runs,
            "shots": batch.shots,
            "cost": estimate.cost or 0.0,
            "currency": estimate.currency,
            "fallback_reason": "",
        }
        try:
            measured = run(self._backend, batch, report=self._watch(record, begin))
        except Exception:
            self._tell(record, begin, status="failed")
            raise
        self._tell(record, begin, status="succeeded")
        return measured

    def _watch(self, record: dict[str, Any], begin: float) -> Callable[[Any, Any], None]:
        def watch(handle: Any, status: Any) -> None:
            record["handle_id"] = handle.job_id
            if not status.is_final:
                self._tell(record, begin, status=str(status))

        return watch

    def _tell(self, record: dict[str, Any], begin: float, *, status: str) -> None:
        event = {**record, "status": status, "seconds": time.monotonic() - begin}
        if status in ("failed", "succeeded"):
            self.executions.append(event)
        self._report({"kind": "execution", **event})
