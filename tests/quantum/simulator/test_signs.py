import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quantum.simulator.signs import ones_patterns, parity_patterns, split

LIKE = torch.zeros(0, dtype=torch.float64)


@pytest.mark.parametrize("n_qubits", [1, 2, 5, 6])
@pytest.mark.parametrize("kind", ["parity", "ones"])
def test_sums_over_patterns_and_over_states(n_qubits, kind):
    masks = [0, 1, 2**n_qubits - 1, 1 << (n_qubits - 1)]
    make = parity_patterns if kind == "parity" else ones_patterns
    table = make(masks, n_qubits, like=LIKE)
    dense = torch.tensor(
        [
            [
                (-1.0) ** (x & mask).bit_count() if kind == "parity" else float(x & mask == mask)
                for x in range(2**n_qubits)
            ]
            for mask in masks
        ],
        dtype=torch.float64,
    )
    coefficients = torch.randn(len(masks), 3, dtype=torch.float64)
    values = torch.randn(2**n_qubits, 3, dtype=torch.float64)
    assert torch.allclose(table.expand(coefficients), dense.T @ coefficients)
    assert torch.allclose(table.contract(values), dense @ values)


def test_halves_cover_all_qubits():
    assert [split(n) for n in (1, 2, 7)] == [(0, 1), (1, 1), (3, 4)]


@given(
    masks=st.lists(st.integers(0, 63), min_size=1, max_size=5),
    columns=st.integers(1, 3),
    make=st.sampled_from([parity_patterns, ones_patterns]),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_expanding_and_contracting_are_adjoint(masks, columns, make):
    """⟨v, expand(c)⟩ = ⟨contract(v), c⟩: what the gradient of a sum rests on."""
    table = make(masks, 6, like=LIKE)
    coefficients = torch.randn(len(masks), columns, dtype=torch.float64)
    values = torch.randn(64, columns, dtype=torch.float64)
    left = (values * table.expand(coefficients)).sum()
    right = (table.contract(values) * coefficients).sum()
    assert torch.allclose(left, right)


def test_parities_are_orthogonal_to_each_other():
    table = parity_patterns(range(16), 4, like=LIKE)
    every = table.expand(torch.eye(16, dtype=torch.float64))
    assert torch.equal(every.T @ every, 16 * torch.eye(16, dtype=torch.float64))
