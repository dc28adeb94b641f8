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
    total = sum(counts.values())
    if not total:
        raise InvalidValues("there are no shots to take a mean of")
    odd = sum(
        count for bits, count in counts.items() if sum(bits[qubit] == "1" for qubit, _ in word) % 2
    )
    return 1 - 2 * odd / total


def combine_counts(
    observables: Sequence[PauliSum],
    groups: Sequence[MeasurementGroup],
    counts: Sequence[Mapping[str, int]],
) -> list[tuple[float, float]]:
    """Each observable's mean and standard error from the counts of every group.

    The error takes words as independent; words of one group are not, so it is a guide.

    Raises:
        InvalidObservable: where an observable is not Hermitian.
        InvalidValues: where a group has no shots.
    """
    means: dict[PauliWord, tuple[float, int]] = {}
    for group, found in zip(groups, counts, strict=True):
        shots = sum(found.values())
        means |= {word: (word_mean(word, found), shots) for word in group.words}
    return [_combine(observable, means) for observable in observables]


def _combine(
    observable: PauliSum, means: Mapping[PauliWord, tuple[float, int]]
) -> tuple[float, float]:
    if not observable.is_hermitian:
        raise InvalidObservable(f"only a Hermitian observable has a mean: {observable}")
    value = observable.constant.real
    variance = 0.0
    for word, coefficient in observable.terms:
        if word:
            mean, shots = means[word]
            value += coefficient.real * mean
            variance += coefficient.real**2 * max(0.0, 1 - mean**2) / shots
    return value, sqrt(variance)
