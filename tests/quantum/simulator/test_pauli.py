"""Pauli words on state vectors against their matrices."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.errors import InvalidObservable
from quantum.observable import PauliSum, X, Y, Z
from quantum.simulator.pauli import apply_sum, apply_word, parity_signs, state_expectation

WORD = st.text("IXYZ", min_size=4, max_size=4)
FEW = settings(max_examples=20, deadline=None, derandomize=True)


def states(count: int = 3, n_qubits: int = 4, dtype=torch.complex128) -> torch.Tensor:
    drawn = torch.randn(
        count, 2**n_qubits, dtype=dtype, generator=torch.Generator().manual_seed(n_qubits)
    )
    return torch.nn.functional.normalize(drawn)


@given(word=WORD)
@FEW
def test_a_word_acts_as_its_matrix(word):
    observable = PauliSum.from_words({word: 1.0})
    ((letters, _),) = observable.terms
    found = apply_word(states(), letters)
    assert torch.allclose(found, states() @ torch.tensor(observable.matrix(4)).T)


@given(word=WORD)
@FEW
def test_a_word_twice_is_nothing_and_keeps_the_length(word):
    ((letters, _),) = PauliSum.from_words({word: 1.0}).terms
    once = apply_word(states(), letters)
    assert torch.allclose(once.norm(dim=1), torch.ones(3, dtype=torch.float64))
    assert torch.allclose(apply_word(once, letters), states())


@given(words=st.dictionaries(WORD, st.floats(-2, 2), max_size=4))
@FEW
def test_sums_act_and_are_measured_as_their_matrices(words):
    observable = PauliSum.from_words(words)
    dense = torch.tensor(observable.matrix(4))
    assert torch.allclose(apply_sum(states(), observable), states() @ dense.T)
    found = state_expectation(states(), [observable])[:, 0]
    expected = torch.einsum("bi,ij,bj->b", states().conj(), dense, states()).real
    assert torch.allclose(found, expected)


@pytest.mark.parametrize("mask", [0, 1, 0b1000, 0b1010, 0b1111])
def test_signs_count_the_ones_under_the_mask(mask):
    found = parity_signs(mask, 4, like=states())
    assert found.tolist() == [(-1.0) ** (k & mask).bit_count() for k in range(16)]
    assert found.dtype == torch.float64


def test_precision_follows_the_state():
    single = states(dtype=torch.complex64)
    assert apply_sum(single, X(0) + Z(1)).dtype == torch.complex64
    assert state_expectation(single, [Y(3)]).dtype == torch.float32


def test_observables_must_fit_the_states():
    with pytest.raises(InvalidObservable, match="qubit 4"):
        state_expectation(states(), [Z(4)])
    with pytest.raises(InvalidObservable, match="real coefficients"):
        state_expectation(states(), [1j * Z(0)])
