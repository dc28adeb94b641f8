"""Observables: sums of Pauli words with real coefficients (complex ones inside a calculation).

`0.5 * Z(0) @ Z(1) - X(2)` reads as on paper; a word names the qubits that it touches, so the same
observable fits any register that holds them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Complex

from quantum.errors import InvalidObservable

Scalar: TypeAlias = complex | float | int
PauliWord: TypeAlias = tuple[tuple[int, str], ...]  # ((qubit, letter), …), qubits ascending

# Letter times letter: the phase and the letter that comes out.
_PRODUCTS: dict[tuple[str, str], tuple[complex, str]] = {
    ("X", "Y"): (1j, "Z"),
    ("Y", "Z"): (1j, "X"),
    ("Z", "X"): (1j, "Y"),
    ("Y", "X"): (-1j, "Z"),
    ("Z", "Y"): (-1j, "X"),
    ("X", "Z"): (-1j, "Y"),
}
_NEGLIGIBLE = 1e-14  # a coefficient below this is rounding


@dataclass(frozen=True)
class PauliSum:
    """Σ coefficient · word, like words added up, in a fixed order.

    The empty word is the identity. Sums add, subtract, scale, and multiply with `@`.
    """

    terms: tuple[tuple[PauliWord, complex], ...] = ()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.terms)

    @classmethod
    def of(cls, terms: Iterable[tuple[PauliWord, Scalar]]) -> "PauliSum":
        """The sum of the terms, like words added up and rounding dropped; raises
        `InvalidObservable` for a word that is none."""
        total: dict[PauliWord, complex] = {}
        for word, coefficient in terms:
            total[word] = total.get(word, 0.0) + complex(coefficient)
        kept = {word: value for word, value in total.items() if abs(value) > _NEGLIGIBLE}
        for word in kept:
            _check_word(word)
        return cls(tuple(sorted(kept.items(), key=lambda term: term[0])))

    @classmethod
    def from_words(cls, words: Mapping[str, Scalar]) -> "PauliSum":
        """The sum of words such as {"ZIX": 0.5}; the first letter acts on qubit 0."""
        return cls.of((_parse(word), coefficient) for word, coefficient in words.items())

    def to_words(self, n_qubits: int) -> dict[str, complex]:
        """The same sum as words of `n_qubits` letters, qubit 0 first."""
        self.check_fits(n_qubits)
        return {_spell(word, n_qubits): coefficient for word, coefficient in self.terms}

    @cached_property
    def n_qubits(self) -> int:
        """The smallest register that holds every word."""
        return 1 + max((word[-1][0] for word, _ in self.terms if word), default=0)

    def check_fits(self, n_qubits: int) -> None:
        if self.n_qubits > n_qubits:
            raise InvalidObservable(
                f"the observable touches qubit {self.n_qubits - 1}; the register ends at qubit "
                f"{n_qubits - 1}"
            )

    @property
    def is_hermitian(self) -> bool:
        return all(abs(coefficient.imag) < 1e-10 for _, coefficient in self.terms)

    @property
    def is_diagonal(self) -> bool:
        return all(letter == "Z" for word, _ in self.terms for _, letter in word)

    @property
    def constant(self) -> complex:
        """The coefficient of the identity."""
        return dict(self.terms).get((), 0.0 + 0.0j)

    def __add__(self, other: "PauliSum | Scalar") -> "PauliSum":
        return PauliSum.of((*self.terms, *_as_sum(other).terms))

    __radd__ = __add__

    def __mul__(self, factor: Scalar) -> "PauliSum":
        return PauliSum.of((word, factor * value) for word, value in self.terms)

    __rmul__ = __mul__

    def __neg__(self) -> "PauliSum":
        return self * -1.0

    def __sub__(self, other: "PauliSum | Scalar") -> "PauliSum":
        return self + -_as_sum(other)

    def __rsub__(self, other: Scalar) -> "PauliSum":
        return _as_sum(other) - self

    def __matmul__(self, other: "PauliSum") -> "PauliSum":
        """The operator product: `other` acts first."""
        products = []
        for left, a in self.terms:
            for right, b in other.terms:
                phase, word = _multiply(left, right)
                products.append((word, phase * a * b))
        return PauliSum.of(products)

    def adjoint(self) -> "PauliSum":
        return PauliSum.of((word, value.conjugate()) for word, value in self.terms)

    def commutes_with(self, other: "PauliSum") -> bool:
        return not (self @ other - other @ self).terms

    def matrix(self, n_qubits: int) -> Complex[np.ndarray, "amplitude amplitude"]:
        """The dense matrix on `n_qubits`: for exact answers on small registers."""
        self.check_fits(n_qubits)
        index = np.arange(2**n_qubits)
        total = np.zeros((index.size, index.size), dtype=np.complex128)
        for word, coefficient in self.terms:
            x_mask, z_mask = masks(word, n_qubits)
            signs = 1.0 - 2.0 * (np.bitwise_count(index & z_mask) % 2)
            n_y = sum(letter == "Y" for _, letter in word)
            total[index ^ x_mask, index] += coefficient * 1j**n_y * signs
        return total

    def to_json(self) -> list[Any]:
        """A JSON list from which `from_json` makes an equal sum."""
        return [
            [[[q, letter] for q, letter in word], value.real, value.imag]
            for word, value in self.terms
        ]

    @classmethod
    def from_json(cls, data: Iterable[Any]) -> "PauliSum":
        return cls.of(
            (tuple((q, letter) for q, letter in word), complex(real, imag))
            for word, real, imag in data
        )

    def __str__(self) -> str:
        words = (
            (" ".join(f"{letter}{q}" for q, letter in word) or "1", value)
            for word, value in self.terms
        )
        return " + ".join(f"{_number(value)} {word}" for word, value in words) or "0"


def X(qubit: int) -> PauliSum:
    """Pauli X on one qubit."""
    return PauliSum.of([(((qubit, "X"),), 1.0)])


def Y(qubit: int) -> PauliSum:
    """Pauli Y on one qubit."""
    return PauliSum.of([(((qubit, "Y"),), 1.0)])


def Z(qubit: int) -> PauliSum:
    """Pauli Z on one qubit."""
    return PauliSum.of([(((qubit, "Z"),), 1.0)])


def identity(coefficient: Scalar = 1.0) -> PauliSum:
    """The identity, times a number."""
    return PauliSum.of([((), coefficient)])


def masks(word: PauliWord, n_qubits: int) -> tuple[int, int]:
    """The bits that the word flips (X, Y), and those whose parity gives its sign (Y, Z).

    With them, word |k⟩ = i^{number of Y} (-1)^{parity(k & z_mask)} |k ^ x_mask⟩.
    """
    x_mask = sum(1 << (n_qubits - 1 - q) for q, letter in word if letter in "XY")
    z_mask = sum(1 << (n_qubits - 1 - q) for q, letter in word if letter in "YZ")
    return x_mask, z_mask


def _as_sum(value: PauliSum | Scalar) -> PauliSum:
    return value if isinstance(value, PauliSum) else identity(value)


def _parse(word: str) -> PauliWord:
    if set(word) - set("IXYZ"):
        raise InvalidObservable(f"a Pauli word is made of I, X, Y and Z, not {word!r}")
    return tuple((q, letter) for q, letter in enumerate(word) if letter != "I")


def _check_word(word: PauliWord) -> None:
    qubits = [q for q, _ in word]
    ascending = all(a < b for a, b in pairwise([-1, *qubits]))
    if not ascending or any(letter not in ("X", "Y", "Z") for _, letter in word):
        raise InvalidObservable(
            f"a Pauli word is X, Y or Z on qubits from 0 upwards, each once, not {word}"
        )


def _spell(word: PauliWord, n_qubits: int) -> str:
    letters = dict(word)
    return "".join(letters.get(q, "I") for q in range(n_qubits))


def _multiply(left: PauliWord, right: PauliWord) -> tuple[complex, PauliWord]:
    phase = 1.0 + 0.0j
    letters = dict(left)
    for qubit, letter in right:
        before = letters.pop(qubit, "")
        if not before:
            letters[qubit] = letter
        elif before != letter:
            factor, letters[qubit] = _PRODUCTS[before, letter]
            phase *= factor
    return phase, tuple(sorted(letters.items()))


def _number(value: complex) -> str:
    return f"{value.real:g}" if abs(value.imag) < _NEGLIGIBLE else f"({value:g})"
