"""Expectation values of Pauli sums in state vectors, one word at a time."""

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from quantum.observable import PauliSum, PauliWord, masks
from quantum.simulator.readout import check_observables


def parity_signs(mask: int, n_qubits: int, *, like: Tensor) -> Float[Tensor, " amplitude"]:
    """(-1)^(number of ones of the basis index under the mask), in the real precision of `like`."""
    signs = torch.ones(1, dtype=like.dtype.to_real(), device=like.device)
    for qubit in range(n_qubits):
        flips = mask >> qubit & 1
        signs = torch.cat([signs, -signs if flips else signs])
    return signs


def apply_word(
    state: Complex[Tensor, "batch amplitude"], word: PauliWord
) -> Complex[Tensor, "batch amplitude"]:
    """The Pauli word times the state."""
    n_qubits = state.shape[1].bit_length() - 1
    x_mask, z_mask = masks(word, n_qubits)
    n_y = sum(letter == "Y" for _, letter in word)
    signed = state * (parity_signs(z_mask, n_qubits, like=state) * 1j**n_y)
    return signed[:, torch.arange(state.shape[1], device=state.device) ^ x_mask]


def apply_sum(
    state: Complex[Tensor, "batch amplitude"], observable: PauliSum
) -> Complex[Tensor, "batch amplitude"]:
    """The observable times the state (not normalised)."""
    total = torch.zeros_like(state)
    for word, coefficient in observable.terms:
        total = total + coefficient * apply_word(state, word)
    return total


def state_expectation(
    state: Complex[Tensor, "batch amplitude"], observables: Sequence[PauliSum]
) -> Float[Tensor, "batch observable"]:
    """⟨state| observable |state⟩ for each pair."""
    check_observables(observables, state.shape[1].bit_length() - 1)
    columns = [(state.conj() * apply_sum(state, o)).sum(1).real for o in observables]
    return torch.stack(columns, 1)
