"""What every backend understands: a batch goes in, a handle comes out, results are fetched by it.

Seconds are wall-clock seconds, costs are in the named currency, and times of day are ISO 8601 in
UTC. A handle is plain data: it crosses processes and restarts; objects of a provider never do.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from typing import Any, Protocol, runtime_checkable
from uuid import uuid4

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.backends.clock import now
from quantum.circuit import Circuit
from quantum.errors import InvalidValues
from quantum.observable import PauliSum


@dataclass(frozen=True, eq=False)
class Batch:
    """Circuits, each with rows of parameter values, to be run as one submission.

    Args:
        values: per circuit its rows; the values of the weights followed by those of the inputs.
        shots: None asks for exact values, or for as many shots as the backend thinks fit.
        observables: what to average; none means that bit strings are counted.
        seed: of everything that is drawn here; a device ignores it.
        tag: names this submission for ever: two submissions with one tag are one.
        placed_as: the circuits, of gates on one qubit each, run on the device's qubits on which
            this one is read, where the backend chooses them; IonQ chooses its own.
    """

    circuits: tuple[Circuit, ...]
    values: tuple[Float[Tensor, "_row _parameter"], ...]
    shots: int | None = None
    observables: tuple[PauliSum, ...] = ()
    seed: int | None = None
    tag: str = field(default_factory=lambda: f"fs-{uuid4().hex}")
    placed_as: Circuit | None = None

    def __post_init__(self) -> None:
        if not self.circuits or len(self.circuits) != len(self.values):
            raise InvalidValues(
                f"{len(self.circuits)} circuits need as many tables of values, "
                f"not {len(self.values)}"
            )
        for circuit, rows in zip(self.circuits, self.values, strict=True):
            wanted = len(circuit.weights) + len(circuit.inputs)
            if rows.dim() != 2 or rows.shape[1] != wanted:
                raise InvalidValues(f"give [row, {wanted}] values, not {list(rows.shape)}")
        if self.shots is not None and self.shots < 1:
            raise InvalidValues(f"shots are at least 1, not {self.shots}")
        for observable in self.observables:
            observable.check_fits(min(circuit.n_qubits for circuit in self.circuits))
        if self.placed_as is not None:
            self._check_places(self.placed_as.n_qubits)

    def _check_places(self, n_qubits: int) -> None:
        for circuit in self.circuits:
            if circuit.n_qubits != n_qubits or circuit.n_entangling:
                raise InvalidValues(
                    f"what is placed as a circuit of {n_qubits} qubits has as many, and no gate on "
                    "two of them"
                )

    @property
    def n_qubits(self) -> int:
        """Qubits of the widest circuit."""
        return max(circuit.n_qubits for circuit in self.circuits)

    @property
    def n_runs(self) -> int:
        """Circuits to run: rows of all circuits."""
        return sum(len(rows) for rows in self.values)

    def runs(self) -> Iterable[tuple[Circuit, dict[str, float]]]:
        """Each circuit with the values of one row by name, in the order of the results."""
        for circuit, rows in zip(self.circuits, self.values, strict=True):
            names = (*circuit.weights, *circuit.inputs)
            for row in rows.tolist():
                yield circuit, dict(zip(names, row, strict=True))

    def bound(self) -> list[Circuit]:
        """One circuit without parameters for every run."""
        return [circuit.bind(values) for circuit, values in self.runs()]

    def to_json(self) -> dict[str, Any]:
        """A JSON object from which `from_json` makes the same batch."""
        return {
            "circuits": [circuit.to_json() for circuit in self.circuits],
            "values": [rows.tolist() for rows in self.values],
            "shots": self.shots,
            "observables": [observable.to_json() for observable in self.observables],
            "seed": self.seed,
            "tag": self.tag,
            "placed_as": None if self.placed_as is None else self.placed_as.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Batch":
        circuits = tuple(map(Circuit.from_json, data["circuits"]))
        values = tuple(
            torch.tensor(rows, dtype=torch.float64).reshape(
                len(rows), len(circuit.weights) + len(circuit.inputs)
            )
            for circuit, rows in zip(circuits, data["values"], strict=True)
        )
        observables = tuple(map(PauliSum.from_json, data["observables"]))
        found = cls(circuits, values, data["shots"], observables, data["seed"], data["tag"])
        like = data.get("placed_as")
        return found if like is None else replace(found, placed_as=Circuit.from_json(like))


def batch_of(
    circuits: Circuit | Sequence[Circuit],
    values: Tensor | Sequence[Tensor] | None = None,
    **options: Any,
) -> Batch:
    """A batch from one circuit or several, and their rows; a circuit without parameters needs none.

    Args:
        options: as `Batch` takes them.
    """
    chosen = (circuits,) if isinstance(circuits, Circuit) else tuple(circuits)
    if values is None:
        rows = tuple(torch.zeros(1, 0, dtype=torch.float64) for _ in chosen)
    else:
        rows = (values,) if isinstance(values, Tensor) else tuple(values)
    return Batch(chosen, tuple(row[None] if row.dim() == 1 else row for row in rows), **options)


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out of one run.

    Args:
        counts: how often each bit string was read, qubit 0 first; empty where means were asked for.
        means: of each observable, and `errors` their standard errors (0 where exact).
    """

    counts: dict[str, int] = field(default_factory=dict)
    means: tuple[float, ...] = ()
    errors: tuple[float, ...] = ()


class Status(StrEnum):
    """Where a submission stands."""

    QUEUED = "queued"  # the provider has it
    RUNNING = "running"  # its shots are taken
    SUCCEEDED = "succeeded"  # results can be fetched
    FAILED = "failed"  # the provider gave up on it
    CANCELLED = "cancelled"  # somebody stopped it

    @property
    def is_final(self) -> bool:
        return self in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a batch will take.

    Args:
        cost: in `currency`; None where the provider does not say.
        note: where the numbers come from.
        ceiling: what it may cost before the provider ends it; None where that is `cost`.
    """

    queue_seconds: float | None
    run_seconds: float
    cost: float | None
    currency: str = "USD"
    note: str = ""
    ceiling: float | None = None

    @property
    def at_most(self) -> float | None:
        """What has to be set aside before it is sent; None where the provider does not say."""
        return self.cost if self.ceiling is None else self.ceiling


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can do.

    Args:
        coupling: pairs of qubits that one gate can join; None where all can.
        exact: whether a batch without shots gives exact means.
        max_runs: runs that one submission holds; None where any number do.
        pays: whether a submission costs money.
    """

    n_qubits: int
    exact: bool = False
    is_device: bool = False
    coupling: tuple[tuple[int, int], ...] | None = None
    max_runs: int | None = None
    max_shots: int | None = None
    default_shots: int = 1024
    pays: bool = False
    queue_jobs: int | None = None
    errors: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Handle:
    """One submission, as data. Without `job_id` it is about to be submitted, or may have been.

    Args:
        job_id: the provider's own name for it.
        extra: what the backend needs to find it again, such as its target.
    """

    backend: str
    batch: Batch
    job_id: str = ""
    created: str = field(default_factory=now)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        return self.batch.tag

    def submitted(self, job_id: str, **extra: Any) -> "Handle":
        """This handle with the provider's name for the job."""
        return replace(self, job_id=job_id, extra={**self.extra, **extra})

    def to_json(self) -> dict[str, Any]:
        return {
            "backend": self.backend,
            "batch": self.batch.to_json(),
            "job_id": self.job_id,
            "created": self.created,
            "extra": self.extra,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Handle":
        batch = Batch.from_json(data["batch"])
        return cls(data["backend"], batch, data["job_id"], data["created"], dict(data["extra"]))


@runtime_checkable
class Backend(Protocol):
    """A place that runs circuits. None of its methods waits longer than a request may take."""

    @property
    def name(self) -> str:
        """What it is called in records and handles."""

    def capabilities(self) -> Capabilities:
        """What it can do; raises `NotConfigured` or `Unavailable`."""

    def estimate(self, batch: Batch) -> Estimate:
        """What the batch will take, without submitting it."""

    def submit(self, batch: Batch) -> Handle:
        """The handle of the batch, handed over. A job with the batch's tag is not sent twice."""

    def status(self, handle: Handle) -> Status:
        """Where the submission stands."""

    def result(self, handle: Handle) -> tuple[Measured, ...]:
        """What came out, circuit by circuit and row by row; raises unless it has succeeded."""

    def cancel(self, handle: Handle) -> None:
        """Asks the provider to stop it; a finished one stays as it is."""


@runtime_checkable
class Priced(Protocol):
    """A backend that knows afterwards what a submission cost."""

    def price(self, handle: Handle) -> float | None:
        """What it cost, in the currency of its estimate; None where the provider does not say."""


@runtime_checkable
class Findable(Protocol):
    """A backend that finds jobs by their tag."""

    def find(self, handle: Handle) -> Handle | None:
        """The handle with the job that its provider has of it; None where it has none, or one
        that came to nothing."""


@runtime_checkable
class Closable(Protocol):
    """A backend that may hold a machine between submissions, which costs."""

    def close(self) -> None:
        """Lets it go; the next submission takes one again."""


@runtime_checkable
class Local(Protocol):
    """A backend that computes in this process when it is asked for results: it has no queue, and
    needs nobody else."""

    @property
    def is_local(self) -> bool: ...


def is_local(backend: Backend) -> bool:
    """Whether the backend needs nobody but this process."""
    return isinstance(backend, Local) and backend.is_local


def seed_of(*parts: Any) -> int:
    """A seed that depends on all parts and on nothing else."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return int.from_bytes(sha256(text.encode()).digest()[:7], "big")
