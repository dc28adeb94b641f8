"""Many words at once: the same values as word by word, and the adjoint state they start."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.errors import InvalidObservable
from quantum.observable import PauliSum, X, Y, Z, identity
from quantum.simulator.pauli import state_expectation
from quantum.simulator.readout import DiagonalWords, FlippingWords, compile_readout
from tests.quantum.random_circuits import random_observables

CPU = torch.device("cpu")
FEW = settings(max_examples=12, deadline=None, derandomize=True)


def readout(observables, n_qubits=3, dtype=torch.float64):
    return compile_readout(tuple(observables), n_qubits, dtype, CPU)


def columns(count: int = 4, n_qubits: int = 3) -> torch.Tensor:
    """States [amplitude, column]."""
    drawn = torch.randn(
        2**n_qubits, count, dtype=torch.complex128, generator=torch.Generator().manual_seed(7)
    )
    return torch.nn.functional.normalize(drawn, dim=0)


@given(seed=st.integers(0, 10**6), count=st.integers(1, 5))
@FEW
def test_values_are_those_of_word_by_word(seed, count):
    observables = random_observables(seed, n_qubits=3, count=count)
    found = readout(observables).values(columns())
    expected = state_expectation(columns().T, observables).T
    assert torch.allclose(found, expected, atol=1e-12)


@given(seed=st.integers(0, 10**6))
@FEW
def test_the_adjoint_state_is_the_weighted_sum_of_the_observables(seed):
    observables = random_observables(seed, n_qubits=3, count=3)
    upstream = torch.randn(3, 4, dtype=torch.float64)
    out = torch.full_like(columns(), torch.nan)  # what was there before must not matter
    readout(observables).adjoint(columns(), upstream, out=out)
    dense = torch.stack([torch.tensor(o.matrix(3)) for o in observables])
    expected = torch.einsum("oc,oij,jc->ic", upstream.to(dense.dtype), dense, columns())
    assert torch.allclose(out, expected, atol=1e-12)


@given(seed=st.integers(0, 10**6))
@FEW
def test_the_adjoint_state_is_half_the_slope_of_the_values(seed):
    observables = random_observables(seed, n_qubits=3, count=2)
    upstream = torch.randn(2, 4, dtype=torch.float64)
    state = columns().requires_grad_()
    (slope,) = torch.autograd.grad((readout(observables).values(state) * upstream).sum(), state)
    out = torch.empty_like(state)
    readout(observables).adjoint(state.detach(), upstream, out=out)
    assert torch.allclose(slope, 2 * out, atol=1e-12)


def test_words_that_flip_the_same_bits_share_a_pass():
    found = readout([Z(0) + Z(1) @ Z(2), X(0) @ Z(1), Y(0) - 2 * X(0), identity()])
    assert [type(group) for group in found.groups] == [DiagonalWords, FlippingWords]
    assert len(readout([X(0), X(1), X(0) @ X(1)]).groups) == 3


def test_no_observables_and_empty_sums_have_no_passes():
    assert readout([]).values(columns()).shape == (0, 4)
    assert readout([PauliSum()]).values(columns()).tolist() == [[0.0] * 4]


def test_readouts_are_kept_apart_by_register_and_precision():
    assert readout([Z(0)]) is readout([Z(0)])
    assert readout([Z(0)]) is not readout([Z(0)], n_qubits=4)
    single = readout([Z(0)], dtype=torch.float32)
    assert single.values(columns().to(torch.complex64)).dtype == torch.float32


@pytest.mark.parametrize(
    ("observable", "message"), [(Z(3), "qubit 3"), (1j * X(0), "real coefficients")]
)
def test_what_cannot_be_read_out_is_refused(observable, message):
    with pytest.raises(InvalidObservable, match=message):
        readout([Z(0), observable])
