"""Less error from the same device: more circuits beforehand, arithmetic afterwards.

Each method is a pair of pure halves with any backend between: `construct_circuits` gives a batch,
`combine_results` turns what came out of it into the better answer. None of them is free: the
statistical error grows while the systematic one shrinks, and both are in the result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, log
from random import Random

import numpy as np
from jaxtyping import Float

from quantum.backends.base import Batch, Measured
from quantum.circuit import Circuit, Instruction
from quantum.errors import InvalidValues

Extrapolate = Callable[[Sequence[float], Sequence[float]], float]

# Zero-noise extrapolation


def fold_gates(circuit: Circuit, scale: float) -> Circuit:
    """The same unitary with about `scale` times as many gates: G becomes G G⁻¹ G (Giurgica-Tiron
    et al. 2020, section III). Odd scales are exact; between them, gates at the end are folded more.

    Raises:
        InvalidValues: the scale is below 1.
    """
    if scale < 1:
        raise InvalidValues(f"noise can only be scaled up: by 1 or more, not by {scale}")
    count = len(circuit.instructions)
    whole, rest = divmod(round((scale - 1) * count / 2), max(count, 1))
    folded: list[Instruction] = []
    for position, gate in enumerate(circuit.instructions):
        times = whole + (position >= count - rest)
        folded += [gate, *(one for _ in range(times) for one in (gate.inverse(), gate))]
    return Circuit(circuit.n_qubits, tuple(folded))


def linear(scales: Sequence[float], values: Sequence[float]) -> float:
    """The value at scale 0 of the straight line through the points, by least squares."""
    return float(np.polynomial.Polynomial.fit(scales, values, 1)(0.0))


def richardson(scales: Sequence[float], values: Sequence[float]) -> float:
    """The value at scale 0 of the polynomial through all points (Temme et al. 2017, eq. 3)."""
    x = np.asarray(scales, dtype=float)
    weights = [np.prod(np.delete(x, i) / (np.delete(x, i) - x[i])) for i in range(len(x))]
    return float(np.dot(weights, values))


def exponential(scales: Sequence[float], values: Sequence[float]) -> float:
    """The value at scale 0 of a decay to 0 fitted to the points: errors that multiply.

    Points whose sign differs from the first one's hold no decay: then the line is taken.
    """
    sign = 1.0 if values[0] >= 0 else -1.0
    sizes = [sign * value for value in values]
    if min(sizes) <= 0:
        return linear(scales, values)
    start = linear(scales, [log(size) for size in sizes])
    return sign * min(exp(start), 2.0 * max(sizes))


@dataclass(frozen=True)
class ZeroNoise:
    """Means at several strengths of the noise, and what they would be without any.

    A compiler that simplifies circuits takes the folds out again, and nothing is gained: on IBM set
    `optimization_level=0` (or leave it to IBM by `resilience_level=2`), on IonQ `native=True`.

    Args:
        scales: at least two, from 1 upwards.
        extrapolate: `linear`, `richardson` or `exponential`.
    """

    scales: tuple[float, ...] = (1.0, 2.0, 3.0)
    extrapolate: Extrapolate = linear

    def __post_init__(self) -> None:
        if len(set(self.scales)) < max(2, len(self.scales)) or not min(self.scales) >= 1:
            raise InvalidValues(
                f"zero noise needs two or more different scales from 1 upwards, not {self.scales}"
            )

    def construct_circuits(self, batch: Batch) -> Batch:
        """The batch with every circuit once per scale, scales side by side."""
        if not batch.observables:
            raise InvalidValues("zero-noise extrapolation is of means: give observables")
        pairs = [
            (fold_gates(circuit, scale), rows)
            for circuit, rows in zip(batch.circuits, batch.values, strict=True)
            for scale in self.scales
        ]
        circuits, values = zip(*pairs, strict=True)
        return replace(batch, circuits=circuits, values=values, tag=f"{batch.tag}-zne")

    def combine_results(self, batch: Batch, measured: Sequence[Measured]) -> tuple[Measured, ...]:
        """The extrapolated means of the batch; errors by linear propagation."""
        found: list[Measured] = []
        start = 0
        for rows in batch.values:
            n_rows = len(rows)
            for row in range(n_rows):
                runs = [measured[start + s * n_rows + row] for s in range(len(self.scales))]
                found.append(self._extrapolated(runs))
            start += n_rows * len(self.scales)
        return tuple(found)

    def _extrapolated(self, runs: Sequence[Measured]) -> Measured:
        points = list(zip(*(run.means for run in runs), strict=True))
        spread = list(zip(*(run.errors for run in runs), strict=True))
        means = tuple(self.extrapolate(self.scales, list(values)) for values in points)
        errors = tuple(
            self._error(values, error) for values, error in zip(points, spread, strict=True)
        )
        return Measured(means=means, errors=errors)

    def _error(self, values: Sequence[float], errors: Sequence[float]) -> float:
        """Σ (∂result/∂value · error)², square root, with derivatives by small steps."""
        total = 0.0
        for i, error in enumerate(errors):
            moved = [v + (1e-4 if j == i else 0.0) for j, v in enumerate(values)]
            slope = self.extrapolate(self.scales, moved) - self.extrapolate(self.scales, values)
            total += (slope / 1e-4 * error) ** 2
        return total**0.5


# Readout


@dataclass(frozen=True)
class ReadoutMitigation:
    """Each qubit's chance of being misread, measured, and divided out of counts.

    Qubits are taken to be misread independently (tensored; Bravyi et al. 2021, section II), so two
    circuits calibrate any number of them. They run on the device's qubits on which the circuit is
    read, except on IonQ, which places circuits itself.

    Args:
        confusion: [qubit, what is read, what it was].
    """

    confusion: Float[np.ndarray, "qubit 2 2"] = field(default_factory=lambda: np.zeros((0, 2, 2)))

    @staticmethod
    def construct_circuits(batch: Batch) -> Batch:
        """All qubits 0, and all qubits 1, on the qubits of the batch's one circuit: the counts of
        its rows are what the calibration is for. Many shots make it good."""
        if len(batch.circuits) != 1 or batch.observables:
            raise InvalidValues("readout is calibrated for the counts of one circuit at a time")
        (circuit,) = batch.circuits
        ones = zeros = Circuit(circuit.n_qubits)
        for qubit in range(circuit.n_qubits):
            ones = ones.x(qubit)
        return replace(
            batch,
            circuits=(zeros, ones),
            values=(batch.values[0].new_zeros(1, 0),) * 2,
            tag=f"{batch.tag}-readout",
            placed_as=circuit,
        )

    @classmethod
    def calibrate(cls, measured: Sequence[Measured]) -> "ReadoutMitigation":
        """From what the two circuits gave.

        Raises:
            InvalidValues: a qubit is read at random, so nothing can be divided out.
        """
        zeros, ones = (_chances_of_one(run.counts) for run in measured)
        table = np.stack([np.stack([1 - zeros, 1 - ones], -1), np.stack([zeros, ones], -1)], 1)
        if np.any(np.abs(np.linalg.det(table)) < 0.05):
            raise InvalidValues("a qubit is read as good as at random: calibrate again")
        return cls(table)

    def combine_results(self, counts: Mapping[str, int]) -> dict[str, float]:
        """Quasi-probabilities of bit strings: they sum to 1, and some may be a little negative."""
        n_qubits = len(self.confusion)
        if n_qubits > 20:
            raise InvalidValues(f"readout of {n_qubits} qubits at once is too large: at most 20")
        chances = np.zeros(2**n_qubits)
        _check_counts(counts, n_qubits)
        for bits, count in counts.items():
            chances[int(bits, 2)] = count
        chances = (chances / chances.sum()).reshape((2,) * n_qubits)
        for qubit, inverse in enumerate(np.linalg.inv(self.confusion)):
            chances = np.moveaxis(np.tensordot(inverse, chances, (1, qubit)), 0, qubit)
        flat = chances.reshape(-1)
        return {
            f"{index:0{n_qubits}b}": float(flat[index])
            for index in np.flatnonzero(np.abs(flat) > 1e-12)
        }

    def mean(self, qubits: Sequence[int], counts: Mapping[str, int]) -> float:
        """The mean of Z on all the qubits, readout errors divided out; any number of qubits."""
        _check_counts(counts, len(self.confusion))
        inverses = np.linalg.inv(self.confusion)
        signs = np.array([1.0, -1.0])
        weights = {qubit: signs @ inverses[qubit] for qubit in qubits}  # [what is read]
        total = sum(counts.values())
        return (
            sum(
                count * float(np.prod([weights[q][int(bits[q])] for q in qubits]))
                for bits, count in counts.items()
            )
            / total
        )


def _check_counts(counts: Mapping[str, int], n_qubits: int) -> None:
    if not sum(counts.values()):
        raise InvalidValues("there are no shots whose readout could be corrected")
    if wrong := [bits for bits in counts if len(bits) != n_qubits]:
        raise InvalidValues(f"{n_qubits} qubits are calibrated, but {wrong[0]!r} was read")


def _chances_of_one(counts: Mapping[str, int]) -> Float[np.ndarray, " qubit"]:
    total = sum(counts.values())
    if not total:
        raise InvalidValues("the calibration has no shots")
    bits = np.array([[int(bit) for bit in text] for text in counts])
    return np.array(list(counts.values())) @ bits / total


# Pauli twirling

# P⊗Q before a CNOT is P'⊗Q' after it (up to a sign).
_THROUGH_X = {"I": ("I", "I"), "X": ("X", "X"), "Y": ("Y", "X"), "Z": ("Z", "I")}  # control
_THROUGH_Z = {"I": ("I", "I"), "X": ("I", "X"), "Y": ("Z", "Y"), "Z": ("Z", "Z")}  # target


def _product(first: str, second: str) -> str:
    """The product of two Pauli letters, its phase dropped."""
    if first == "I" or second == "I":
        return first if second == "I" else second
    return "I" if first == second else ({"X", "Y", "Z"} - {first, second}).pop()


@dataclass(frozen=True)
class PauliTwirling:
    """Random Paulis around every CNOT that cancel each other: coherent errors become random ones,
    which average out (Wallman and Emerson 2016).

    Args:
        copies: of each circuit, with Paulis of their own.
    """

    copies: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise InvalidValues(f"twirling takes one copy or more, not {self.copies}")

    def construct_circuits(self, batch: Batch) -> Batch:
        """The batch with every circuit in several copies; shots are shared among them."""
        chance = Random(self.seed)
        pairs = [
            (twirl(circuit, chance), rows)
            for circuit, rows in zip(batch.circuits, batch.values, strict=True)
            for _ in range(self.copies)
        ]
        circuits, values = zip(*pairs, strict=True)
        shots = None if batch.shots is None else max(1, batch.shots // self.copies)
        return replace(
            batch, circuits=circuits, values=values, shots=shots, tag=f"{batch.tag}-twirled"
        )

    def combine_results(self, batch: Batch, measured: Sequence[Measured]) -> tuple[Measured, ...]:
        """The copies of each circuit and row as one: counts added, means averaged."""
        found: list[Measured] = []
        start = 0
        for rows in batch.values:
            n_rows = len(rows)
            for row in range(n_rows):
                found.append(
                    _together([measured[start + c * n_rows + row] for c in range(self.copies)])
                )
            start += n_rows * self.copies
        return tuple(found)


def twirl(circuit: Circuit, chance: Random) -> Circuit:
    """The same unitary, up to its sign, with random Paulis around every CNOT."""
    gates: list[Instruction] = []
    for gate in circuit.instructions:
        if gate.gate != "cx":
            gates.append(gate)
            continue
        letters = chance.choice("IXYZ"), chance.choice("IXYZ")
        control, target = _THROUGH_X[letters[0]], _THROUGH_Z[letters[1]]
        after = _product(control[0], target[0]), _product(control[1], target[1])
        gates += [*_letters(letters, gate.qubits), gate, *_letters(after, gate.qubits)]
    return Circuit(circuit.n_qubits, tuple(gates))


def _letters(letters: Sequence[str], qubits: Sequence[int]) -> list[Instruction]:
    pairs = zip(letters, qubits, strict=True)
    return [Instruction(letter.lower(), (qubit,)) for letter, qubit in pairs if letter != "I"]


def _together(copies: Sequence[Measured]) -> Measured:
    counts: dict[str, int] = {}
    for copy in copies:
        for bits, count in copy.counts.items():
            counts[bits] = counts.get(bits, 0) + count
    n = len(copies)
    means = tuple(sum(values) / n for values in zip(*(c.means for c in copies), strict=True))
    errors = tuple(
        sum(e**2 for e in values) ** 0.5 / n
        for values in zip(*(c.errors for c in copies), strict=True)
    )
    return Measured(counts, means, errors)
