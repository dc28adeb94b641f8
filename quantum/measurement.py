"""Expectation values from bit strings: what devices that only measure are asked for.

Words that differ on no shared qubit are measured together: one change of basis serves them all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from quantum.circuit import Circuit
from quantum.errors import InvalidObservable, InvalidValues
from quantum.observable import PauliSum, PauliWord


@dataclass(frozen=True)
class MeasurementGroup:
    """Words that one setting of the device measures.

    Args:
        basis: the letter measured on each qubit that any of the words touches.
    """

    basis: PauliWord
    words: tuple[PauliWord, ...]

    def change_of_basis(self, n_qubits: int) -> Circuit:
        """Gates that turn each letter of the basis into Z: append them, then measure all qubits."""
        circuit = Circuit(n_qubits)
        for qubit, letter in self.basis:
            if letter == "X":
                circuit = circuit.h(qubit)
            elif letter == "Y":
                circuit = circuit.sdg(qubit).h(qubit)
        return circuit


def group_words(observables: Iterable[PauliSum]) -> tuple[MeasurementGroup, ...]:
    """As few groups as the first fit finds, the longest words first; the identity needs none.

    Words join where they have the same letter on every qubit that both touch (qubit-wise
    commuting; Verteletskyi, Yen and Izmaylov 2020, section II).
    """
    words = {word for observable in observables for word, _ in observable.terms if word}
    groups: list[tuple[dict[int, str], list[PauliWord]]] = []
    for word in sorted(words, key=lambda word: (-len(word), word)):
        for basis, members in groups:
            if all(basis.get(qubit, letter) == letter for qubit, letter in word):
                basis.update(word)
                members.append(word)
                break
        else:
            groups.append((dict(word), [word]))
    return tuple(
        MeasurementGroup(tuple(sorted(basis.items())), tuple(members)) for basis, members in groups
    )


def word_mean(word: PauliWord, counts: Mapping[str, int]) -> float:
    """The mean of the word over bit strings measured in its basis, qubit 0 first."""
    return _moments({word: 1.0}, counts)[0]


def combine_counts(
    observables: Sequence[PauliSum],
    groups: Sequence[MeasurementGroup],
    counts: Sequence[Mapping[str, int]],
) -> list[tuple[float, float]]:
    """Each observable's mean and standard error from the counts of every group.

    Words of one group are read from the same shots, so the error is that of their sum.

    Raises:
        InvalidObservable: where an observable is not Hermitian.
        InvalidValues: where a group has no shots.
    """
    return [_combine(observable, groups, counts) for observable in observables]


def shared_coefficients(observable: PauliSum, group: MeasurementGroup) -> dict[PauliWord, float]:
    """The group's words that are in the observable, with their coefficients."""
    coefficients = dict(observable.terms)
    return {word: coefficients[word].real for word in group.words if word in coefficients}


def _combine(
    observable: PauliSum,
    groups: Sequence[MeasurementGroup],
    counts: Sequence[Mapping[str, int]],
) -> tuple[float, float]:
    if not observable.is_hermitian:
        raise InvalidObservable(f"only a Hermitian observable has a mean: {observable}")
    value, variance = observable.constant.real, 0.0
    for group, found in zip(groups, counts, strict=True):
        mean, spread = _moments(shared_coefficients(observable, group), found)
        value += mean
        variance += spread / sum(found.values())
    return value, sqrt(variance)


def _moments(
    coefficients: Mapping[PauliWord, float], counts: Mapping[str, int]
) -> tuple[float, float]:
    """Mean and variance, over the shots, of the sum of the words as one shot reads it."""
    total = sum(counts.values())
    if not total:
        raise InvalidValues("there are no shots to take a mean of")
    last = len(next(iter(counts))) - 1
    masks = [(sum(1 << (last - q) for q, _ in word), c) for word, c in coefficients.items()]
    read = [(_value(int(bits, 2), masks), count) for bits, count in counts.items()]
    mean = sum(value * count for value, count in read) / total
    return mean, sum(count * (value - mean) ** 2 for value, count in read) / total


def _value(state: int, masks: Sequence[tuple[int, float]]) -> float:
    """The sum of the words where the shot read this basis state."""
    return sum((-c if (state & mask).bit_count() % 2 else c for mask, c in masks), 0.0)
