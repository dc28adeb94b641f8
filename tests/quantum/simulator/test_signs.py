import pytest
import torch

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
