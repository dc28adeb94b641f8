"""A device that is not there: our simulator with the errors that a real one was measured to have.

Every gate is followed by a random Pauli at the gate's own error rate, drawn anew in every
trajectory; each bit is misread at its qubit's own rates. Decay while waiting is left out: the
gates' errors hold the decay during gates. What a calibration does not tell, errors that are the
same every time, can be added: neighbours that turn each other a little with every CNOT. No vendor's
library is needed: the calibration is a small table that says where it comes from.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.resources import files
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from quantum.backends.base import Batch, Capabilities, Estimate, Handle, Measured, Status
from quantum.backends.routing import Pair, Routed, place_as, route
from quantum.backends.simulated import check_size, in_memory, measure
from quantum.circuit import Circuit
from quantum.decomposition import to_cnots
from quantum.errors import InvalidValues
from quantum.gates import GATES
from quantum.simulator.noise import Channel, NoiseModel, depolarizing, noisy_sample

_FREE = frozenset(g.name for g in GATES.values() if g.diagonal)  # a change of frame, no pulse
_SECONDS_PER_AMPLITUDE = 2e-8  # per gate and trajectory; measured on one core, for estimates only


@dataclass(frozen=True)
class QubitCalibration:
    t1_seconds: float
    t2_seconds: float
    reads_1_as_0: float
    reads_0_as_1: float
    gate_error: float
    gate_seconds: float


@dataclass(frozen=True)
class Calibration:
    """What a device was measured to do.

    Args:
        pairs: error and seconds of the CNOT of each pair of neighbours.
    """

    device: str
    source: str
    qubits: tuple[QubitCalibration, ...]
    pairs: Mapping[Pair, tuple[float, float]]

    @property
    def pair_errors(self) -> dict[Pair, float]:
        return {pair: error for pair, (error, _) in self.pairs.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Calibration":
        qubits = tuple(QubitCalibration(**one) for one in data["qubits"])
        pairs = {tuple(one["qubits"]): (one["error"], one["seconds"]) for one in data["pairs"]}
        return cls(data["device"], data["source"], qubits, pairs)


@lru_cache
def load_calibration(name: str = "guadalupe") -> Calibration:
    """A calibration that ships with the package; raises `InvalidValues` for others."""
    file = files("quantum.backends").joinpath(f"{name}.json")
    if not name.isidentifier() or not file.is_file():
        raise InvalidValues(f"the calibration that ships is 'guadalupe'; there is no {name!r}")
    return Calibration.from_json(json.loads(file.read_text(encoding="utf-8")))


@dataclass(frozen=True, eq=False)
class DeviceNoise(NoiseModel):
    """The noise of chosen qubits of a device, behind each gate.

    Args:
        chosen: the device's number of each qubit of the circuit.
        scale: multiplies every error rate.
        turn: radians of ZZ that each CNOT turns its qubits beside its own doing.
    """

    calibration: Calibration | None = None
    chosen: tuple[int, ...] = ()
    scale: float = 1.0
    turn: float = 0.0

    def channels(self, gate: str, qubits: tuple[int, ...]) -> list[tuple[Channel, tuple[int, ...]]]:
        if gate in _FREE:
            return []
        found = [(self._gate_error(gate, qubits), qubits)]
        if self.turn and len(qubits) == 2:
            found.insert(0, (_always(self.turn), qubits))
        return found

    def _gate_error(self, gate: str, qubits: tuple[int, ...]) -> Channel:
        assert self.calibration is not None
        pulses = 2 if gate in ("rx", "ry", "u") else 1
        return _pauli_errors(self.calibration, tuple(self.chosen[q] for q in qubits), pulses,
                             self.scale)  # fmt: skip


@lru_cache(maxsize=4096)
def _pauli_errors_of(error: float, n_qubits: int) -> Channel:
    return depolarizing(error, n_qubits=n_qubits)


@lru_cache(maxsize=64)
def _always(turn: float) -> Channel:
    """e^{-i turn/2 ZZ}, every time."""
    signs = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
    matrix = torch.diag(torch.polar(torch.ones_like(signs), -turn / 2 * signs))
    return Channel(matrix[None], torch.ones(1, dtype=torch.float64))


def _pauli_errors(
    calibration: Calibration, qubits: tuple[int, ...], pulses: int, scale: float
) -> Channel:
    """The Pauli channel with the measured error: infidelity e = p d / (d + 1), so p follows."""
    if len(qubits) == 1:
        error = 1.5 * calibration.qubits[qubits[0]].gate_error * pulses
    else:
        pair = qubits if qubits in calibration.pairs else qubits[::-1]
        error = 1.25 * calibration.pairs[pair][0]  # type: ignore[index]
    return _pauli_errors_of(min(1.0, error * scale), len(qubits))


@dataclass(frozen=True)
class NoisyBackend:
    """Runs batches here with a device's errors, on its best connected qubits.

    Args:
        trajectories: shots share so many, and no standard error falls below that of so many; None
            gives each shot its own.
        scale: multiplies every error rate: 0 is no noise.
        crosstalk: radians of ZZ that neighbours turn with each CNOT, the same every time; 0.1 is
            what 50 kHz between neighbours do during a CNOT of 0.35 µs.
    """

    calibration: Calibration = field(default_factory=load_calibration)
    seed: int = 0
    trajectories: int | None = 512
    scale: float = 1.0
    crosstalk: float = 0.0
    name: str = "noisy"

    @property
    def is_local(self) -> bool:
        return True

    def capabilities(self) -> Capabilities:
        errors = sorted(self.calibration.pair_errors.values())
        reads = sorted((q.reads_1_as_0 + q.reads_0_as_1) / 2 for q in self.calibration.qubits)
        return Capabilities(
            len(self.calibration.qubits),
            coupling=tuple(self.calibration.pairs),
            default_shots=4096,
            errors={"two_qubit": errors[len(errors) // 2], "readout": reads[len(reads) // 2]},
        )

    def estimate(self, batch: Batch) -> Estimate:
        work = sum(
            len(circuit.instructions) * len(rows) * 2**circuit.n_qubits
            for circuit, rows in zip(batch.circuits, batch.values, strict=True)
        )
        trajectories = min(self.trajectories or 4096, batch.shots or 4096)
        seconds = 3 * work * trajectories * _SECONDS_PER_AMPLITUDE
        return Estimate(0.0, seconds, 0.0, note="runs on this machine")

    def submit(self, batch: Batch) -> Handle:
        check_size(batch, self.capabilities(), self.name)
        return Handle(self.name, batch, job_id=batch.tag)

    def status(self, handle: Handle) -> Status:
        return Status.SUCCEEDED

    def result(self, handle: Handle) -> tuple[Measured, ...]:
        batch = handle.batch
        like = None if batch.placed_as is None else place(batch.placed_as, self.calibration)
        with in_memory(self.name, batch):
            return measure(
                batch,
                partial(self._draw, like),
                default_seed=self.seed,
                default_shots=4096,
                trajectories=self.trajectories,
            )

    def cancel(self, handle: Handle) -> None:
        """Nothing runs before the result is asked for."""

    def _draw(
        self, like: Routed | None, circuit: Circuit, values: Tensor, shots: int, seed: int
    ) -> Tensor:
        routed = place(circuit, self.calibration) if like is None else place_as(circuit, like)
        noise = DeviceNoise(
            calibration=self.calibration,
            chosen=routed.chosen,
            scale=self.scale,
            turn=self.crosstalk,
        )
        n_weights = len(routed.circuit.weights)
        order = [(*circuit.weights, *circuit.inputs).index(name)
                 for name in (*routed.circuit.weights, *routed.circuit.inputs)]  # fmt: skip
        drawn = []
        for number, row in enumerate(values[:, order]):
            found = noisy_sample(
                routed.circuit,
                noise,
                shots=shots,
                seed=seed + 2 * number,
                trajectories=self.trajectories,
                weights=row[:n_weights],
                inputs=row[n_weights:],
            )
            drawn.append(self._read(found, circuit.n_qubits, routed, seed + 2 * number + 1))
        return torch.stack(drawn)

    def _read(
        self, found: Int64[Tensor, " shots"], n_qubits: int, routed: Routed, seed: int
    ) -> Int64[Tensor, " shots"]:
        """What the device reads: bits in the circuit's order, each misread at its own rates."""
        places = torch.tensor(routed.places)
        bits = found[:, None] >> (n_qubits - 1 - places) & 1
        qubits = [self.calibration.qubits[routed.chosen[p]] for p in routed.places]
        rates = torch.tensor([[q.reads_0_as_1, q.reads_1_as_0] for q in qubits]) * self.scale
        odds = torch.where(bits == 0, rates[:, 0], rates[:, 1])
        generator = torch.Generator().manual_seed(seed)
        flipped = torch.rand(odds.shape, generator=generator) < odds
        return ((bits ^ flipped.long()) << torch.arange(n_qubits - 1, -1, -1)).sum(1)


@lru_cache(maxsize=256)
def _place(circuit: Circuit, name: str, pairs: tuple[tuple[Pair, float], ...]) -> Routed:
    return route(to_cnots(circuit), dict(pairs))


def place(circuit: Circuit, calibration: Calibration) -> Routed:
    """The circuit in the device's gates, on its qubits; worked out once per structure."""
    return _place(circuit, calibration.device, tuple(calibration.pair_errors.items()))
