from itertools import product

import numpy as np
import pytest
from scipy.linalg import expm

from quantum.fermions import annihilation, creation, excitation, number
from quantum.observable import PauliSum, identity

N = 4


@pytest.mark.parametrize(("p", "q"), list(product(range(N), repeat=2)))
def test_canonical_anticommutation(p, q):
    mixed = annihilation(p) @ creation(q) + creation(q) @ annihilation(p)
    assert mixed == (identity() if p == q else PauliSum())
    equal = annihilation(p) @ annihilation(q) + annihilation(q) @ annihilation(p)
    assert equal == PauliSum()


@pytest.mark.parametrize("p", range(N))
def test_number_counts_ones(p):
    assert creation(p) @ annihilation(p) == number(p)
    index = np.arange(2**N)
    assert np.allclose(np.diag(number(p).matrix(N)), (index >> (N - 1 - p)) & 1)


def test_a_double_excitation_moves_the_electrons():
    generator = excitation((0, 1), (2, 3))
    assert generator.is_hermitian
    state = expm(1j * np.pi / 2 * generator.matrix(N))[:, 0b1100]
    assert abs(state[0b0011]) == pytest.approx(1)
    assert np.allclose(state.imag, 0)


def test_excitations_keep_the_number_of_electrons():
    total = sum((number(p) for p in range(N)), PauliSum())
    assert excitation((0,), (2,)).commutes_with(total)
    assert excitation((0, 1), (2, 3)).commutes_with(total)
