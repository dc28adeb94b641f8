"""Expectation values of many Pauli words at once, and the adjoint state they start.

Words that flip the same bits share one pass over the state: with r(x) = conj(ψ(x ^ flips)) ψ(x),
the word's value is Re(i^{number of Y} Σ_x (-1)^{parity} r(x)), a contraction with a sign table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Complex, Float, Int64
from torch import Tensor

from quantum.errors import InvalidObservable
from quantum.observable import PauliSum, PauliWord, masks
from quantum.simulator.signs import SignTable, parity_patterns

Amplitudes = Complex[Tensor, "amplitude column"]


@dataclass(frozen=True, slots=True)
class DiagonalWords:
    """Words of Z only.

    Args:
        coefficients: of each word in each observable.
    """

    signs: SignTable
    coefficients: Float[Tensor, "observable word"]

    def values(self, state: Amplitudes) -> Float[Tensor, "observable column"]:
        squares = torch.view_as_real(state).square().flatten(1)
        found = self.signs.contract(squares).unflatten(1, (-1, 2)).sum(2)
        return self.coefficients @ found

    def add_adjoint(
        self, state: Amplitudes, upstream: Float[Tensor, "observable column"], out: Amplitudes
    ) -> None:
        factor = self.signs.expand(self.coefficients.T @ upstream)
        parts = (torch.view_as_real(v).unbind(-1) for v in (state, out))
        for source, target in zip(*parts, strict=True):  # no complex copy of the real factor
            target.addcmul_(source, factor)


@dataclass(frozen=True, slots=True)
class FlippingWords:
    """Words that flip the same bits.

    Args:
        partner: for each basis state the one it is flipped to.
        real, imag: of i^{number of Y}, times the coefficient of each word in each observable.
    """

    signs: SignTable
    partner: Int64[Tensor, " amplitude"]
    real: Float[Tensor, "observable word"]
    imag: Float[Tensor, "observable word"]

    def values(self, state: Amplitudes) -> Float[Tensor, "observable column"]:
        product = torch.view_as_real(state[self.partner].conj() * state)
        found = self.signs.contract(product.flatten(1)).unflatten(1, (-1, 2))
        return self.real @ found[..., 0] - self.imag @ found[..., 1]

    def add_adjoint(
        self, state: Amplitudes, upstream: Float[Tensor, "observable column"], out: Amplitudes
    ) -> None:
        factor = torch.complex(
            self.signs.expand(self.real.T @ upstream), self.signs.expand(self.imag.T @ upstream)
        )
        out.add_((state * factor)[self.partner])


@dataclass(frozen=True, slots=True)
class Readout:
    """Observables compiled for one register."""

    groups: tuple[DiagonalWords | FlippingWords, ...]
    n_observables: int

    def values(self, state: Amplitudes) -> Float[Tensor, "observable column"]:
        """⟨state| observable |state⟩."""
        total = state.real.new_zeros(self.n_observables, state.shape[1])
        for group in self.groups:
            total = total + group.values(state)
        return total

    def adjoint(
        self, state: Amplitudes, upstream: Float[Tensor, "observable column"], *, out: Amplitudes
    ) -> None:
        """Writes Σ upstream_o O|state⟩ to `out`."""
        out.zero_()
        for group in self.groups:
            group.add_adjoint(state, upstream, out)


@lru_cache(maxsize=64)
def compile_readout(
    observables: tuple[PauliSum, ...], n_qubits: int, dtype: torch.dtype, device: torch.device
) -> Readout:
    """The readout of the observables; raises `InvalidObservable` where one does not fit."""
    check_observables(observables, n_qubits)
    words: dict[int, dict[PauliWord, int]] = {}  # flipped bits → word → its number
    for observable in observables:
        for word, _ in observable.terms:
            group = words.setdefault(masks(word, n_qubits)[0], {})
            group.setdefault(word, len(group))
    like = torch.zeros(0, dtype=dtype, device=device)
    groups = (_group(flips, known, observables, n_qubits, like) for flips, known in words.items())
    return Readout(tuple(groups), len(observables))


def check_observables(observables: Sequence[PauliSum], n_qubits: int) -> None:
    """Raises `InvalidObservable` unless each is Hermitian and fits the register."""
    for observable in observables:
        observable.check_fits(n_qubits)
        if not observable.is_hermitian:
            raise InvalidObservable(f"an observable needs real coefficients: {observable}")


def _group(
    flips: int,
    known: dict[PauliWord, int],
    observables: tuple[PauliSum, ...],
    n_qubits: int,
    like: Tensor,
) -> DiagonalWords | FlippingWords:
    signs = parity_patterns([masks(word, n_qubits)[1] for word in known], n_qubits, like=like)
    real, imag = like.new_zeros(2, len(observables), len(known))
    for row, observable in enumerate(observables):
        for word, coefficient in observable.terms:
            if word in known:
                n_y = sum(letter == "Y" for _, letter in word)
                real[row, known[word]] = coefficient.real * (1, 0, -1, 0)[n_y % 4]
                imag[row, known[word]] = coefficient.real * (0, 1, 0, -1)[n_y % 4]
    if not flips:
        return DiagonalWords(signs, real)
    partner = torch.arange(2**n_qubits, device=like.device) ^ flips
    return FlippingWords(signs, partner, real, imag)
