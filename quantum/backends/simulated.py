"""The simulator in this process as a backend: exact means, or shots drawn with a seed.

`mock` is the same simulator under a name and with a seed of its own, for whoever needs a stand-in
for a device: it computes, it never invents.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from quantum.backends.base import (
    Backend,
    Batch,
    Capabilities,
    Estimate,
    Handle,
    Measured,
    Status,
    seed_of,
)
from quantum.circuit import Circuit
from quantum.errors import DoesNotFit, InvalidValues
from quantum.measurement import group_words, shared_coefficients
from quantum.observable import PauliSum, masks
from quantum.simulator import expectation, probabilities
from quantum.simulator.samples import count_bits, sample_probabilities

_AMPLITUDES_AT_ONCE = 2**22  # rows are run in slices of this many amplitudes
_SECONDS_PER_AMPLITUDE = 4e-9  # per gate and row; measured on one core, for estimates only

Draw = Callable[[Circuit, Float[Tensor, "row parameter"], int, int], Int64[Tensor, "row shots"]]


@dataclass(frozen=True)
class SimulatorBackend:
    """Runs batches here, when their results are asked for: a handle is enough to run one again.

    Args:
        seed: of shots, where the batch has none.
        max_qubits: 2^n complex numbers of 16 bytes must fit into memory.
    """

    name: str = "simulator"
    seed: int = 0
    max_qubits: int = 26

    @property
    def is_local(self) -> bool:
        return True

    def capabilities(self) -> Capabilities:
        return Capabilities(self.max_qubits, exact=True)

    def estimate(self, batch: Batch) -> Estimate:
        gates = sum(
            len(circuit.instructions) * len(rows) * 2**circuit.n_qubits
            for circuit, rows in zip(batch.circuits, batch.values, strict=True)
        )
        return Estimate(0.0, gates * _SECONDS_PER_AMPLITUDE, 0.0, note="runs on this machine")

    def submit(self, batch: Batch) -> Handle:
        check_size(batch, self.capabilities(), self.name)
        return Handle(self.name, batch, job_id=batch.tag)

    def status(self, handle: Handle) -> Status:
        return Status.SUCCEEDED

    def result(self, handle: Handle) -> tuple[Measured, ...]:
        batch = handle.batch
        with in_memory(self.name, batch):
            if batch.observables and batch.shots is None:
                return _exact(batch)
            return measure(batch, _draw, default_seed=self.seed)

    def cancel(self, handle: Handle) -> None:
        """Nothing runs before the result is asked for."""


def mock(*, name: str = "mock", seed: int = 0) -> Backend:
    """The simulator under another name, with a seed of its own."""
    return SimulatorBackend(name=name, seed=seed)


@contextmanager
def in_memory(name: str, batch: Batch) -> Iterator[None]:
    """Raises `DoesNotFit` where the work needs more memory than there is."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "allocate memory" not in str(error):
            raise
        raise DoesNotFit(
            f"{name} has too little memory for circuits of {batch.n_qubits} qubits here"
        ) from None


def check_size(batch: Batch, limits: Capabilities, name: str) -> None:
    """Raises `DoesNotFit` where the batch asks for more than the backend has."""
    if batch.n_qubits > limits.n_qubits:
        raise DoesNotFit(f"{name} has {limits.n_qubits} qubits, the circuit needs {batch.n_qubits}")
    if limits.max_shots is not None and (batch.shots or 0) > limits.max_shots:
        raise DoesNotFit(f"{name} takes at most {limits.max_shots} shots, not {batch.shots}")


def exact_means(
    circuit: Circuit,
    observables: tuple[PauliSum, ...],
    values: Float[Tensor, "row parameter"],
) -> Float[Tensor, "row observable"]:
    """The exact means of each row, without gradients."""
    n_weights = len(circuit.weights)
    parts = []
    with torch.no_grad():
        for rows in slices(circuit.n_qubits, values):
            found = expectation(
                circuit, observables, weights=rows[:, :n_weights], inputs=rows[:, n_weights:]
            )
            parts.append(found.expand(len(rows), -1))
    return torch.cat(parts) if parts else values.new_zeros(0, len(observables))


def slices(n_qubits: int, values: Float[Tensor, "row parameter"]) -> tuple[Tensor, ...]:
    """The rows in parts that fit into memory at once."""
    return values.split(max(1, _AMPLITUDES_AT_ONCE >> n_qubits))


def measure(
    batch: Batch,
    draw: Draw,
    *,
    default_seed: int,
    default_shots: int = 1024,
    trajectories: int | None = None,
) -> tuple[Measured, ...]:
    """Counts, or means from counts, by drawing the shots of every row.

    Args:
        draw: (circuit, values, shots, seed) → basis states read.
        trajectories: shots whose number differs by a multiple of it share their errors; None
            where every shot is on its own.
    """
    shots = batch.shots or default_shots
    seed = default_seed if batch.seed is None else batch.seed
    found: list[Measured] = []
    for index, (circuit, values) in enumerate(zip(batch.circuits, batch.values, strict=True)):
        key = seed_of(seed, index)
        if batch.observables:
            each = min(trajectories or shots, shots)
            found += _drawn_means(circuit, values, batch.observables, shots, draw, key, each)
        else:
            read = draw(circuit, values, shots, key)
            found += [Measured(count_bits(row, circuit.n_qubits)) for row in read]
    return tuple(found)


def _exact(batch: Batch) -> tuple[Measured, ...]:
    zeros = (0.0,) * len(batch.observables)
    return tuple(
        Measured(means=tuple(row), errors=zeros)
        for circuit, values in zip(batch.circuits, batch.values, strict=True)
        for row in exact_means(circuit, batch.observables, values).tolist()
    )


def _draw(circuit: Circuit, values: Tensor, shots: int, seed: int) -> Tensor:
    n_weights = len(circuit.weights)
    generator = torch.Generator().manual_seed(seed)
    parts = []
    with torch.no_grad():
        for rows in slices(circuit.n_qubits, values):
            chances = probabilities(
                circuit, weights=rows[:, :n_weights], inputs=rows[:, n_weights:]
            ).expand(len(rows), -1)
            parts.append(sample_probabilities(chances, shots=shots, generator=generator))
    return torch.cat(parts)


def _drawn_means(
    circuit: Circuit,
    values: Tensor,
    observables: tuple[PauliSum, ...],
    shots: int,
    draw: Draw,
    seed: int,
    trajectories: int,
) -> list[Measured]:
    """Means and standard errors of each row: `readings` for all rows of a circuit at once."""
    if not all(observable.is_hermitian for observable in observables):
        raise InvalidValues("only Hermitian observables have means")
    constants = [observable.constant.real for observable in observables]
    total = torch.tensor(constants, dtype=torch.float64)[:, None].repeat(1, len(values))
    variance = torch.zeros_like(total)
    for index, group in enumerate(group_words(observables)):
        turned = circuit + group.change_of_basis(circuit.n_qubits)
        read = draw(turned, values, shots, seed_of(seed, index))
        for o, observable in enumerate(observables):
            seen = torch.zeros(read.shape, dtype=torch.float64)
            for word, coefficient in shared_coefficients(observable, group).items():
                x_mask, z_mask = masks(word, circuit.n_qubits)
                seen += coefficient * (1 - 2 * _parity(read & (x_mask | z_mask)))
            total[o] += seen.mean(1)
            variance[o] += _variance_of_mean(seen, trajectories)
    pairs = zip(total.T.tolist(), variance.sqrt().T.tolist(), strict=True)
    return [Measured(means=tuple(mean), errors=tuple(error)) for mean, error in pairs]


def _variance_of_mean(seen: Float[Tensor, "row shots"], trajectories: int) -> Float[Tensor, " row"]:
    """From the spread of the trajectories' sums: their shots share errors, so that more shots of
    the same trajectories do not average those out. One trajectory alone shows no spread."""
    shots = seen.shape[1]
    apart = seen - seen.mean(1, keepdim=True)
    if trajectories in (1, shots):
        return (apart**2).mean(1) / shots
    sums = apart.new_zeros(len(seen), trajectories)
    sums.index_add_(1, torch.arange(shots) % trajectories, apart)
    return (sums**2).sum(1) / shots**2 * trajectories / (trajectories - 1)


def _parity(states: Int64[Tensor, "row shots"]) -> Int64[Tensor, "row shots"]:
    """1 where an odd number of bits is set."""
    for shift in (32, 16, 8, 4, 2, 1):
        states = states ^ (states >> shift)
    return states & 1
