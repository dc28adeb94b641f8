from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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


def by_hand(orbital: int, n_orbitals: int) -> np.ndarray:
    """a_p entry by entry: empties the orbital, with a sign per electron before it."""
    size = 2**n_orbitals
    matrix = np.zeros((size, size))
    for column in range(size):
        bits = [column >> (n_orbitals - 1 - p) & 1 for p in range(n_orbitals)]
        if bits[orbital]:
            row = column ^ 1 << (n_orbitals - 1 - orbital)
            matrix[row, column] = (-1) ** sum(bits[:orbital])
    return matrix


@pytest.mark.parametrize("p", range(N))
def test_ladder_operators_are_those_of_the_occupation_basis(p):
    assert np.allclose(annihilation(p).matrix(N), by_hand(p, N))
    assert np.allclose(creation(p).matrix(N), by_hand(p, N).T)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_hopping_electrons_have_the_levels_of_one_electron_added_up(seed):
    """Without interactions every level of the whole is a sum of single ones (Slater)."""
    rng = np.random.default_rng(seed)
    hopping = rng.normal(size=(N, N))
    hopping = hopping + hopping.T
    hamiltonian = sum(
        (hopping[p, q] * creation(p) @ annihilation(q) for p, q in product(range(N), repeat=2)),
        PauliSum(),
    )
    assert hamiltonian.is_hermitian
    single = np.linalg.eigvalsh(hopping)
    expected = sorted(
        sum(single[list(some)]) for k in range(N + 1) for some in combinations(range(N), k)
    )
    assert np.allclose(np.linalg.eigvalsh(hamiltonian.matrix(N)), expected)


def test_repulsion_on_two_sites_is_the_textbook_one():
    """Hubbard's dimer, half filled: (U - sqrt(U² + 16 t²)) / 2 (Ashcroft, Mermin, problem 32.5)."""
    t, u = 1.0, 3.0  # orbitals: site 0 up and down, site 1 up and down
    hop = sum((creation(p) @ annihilation(p + 2) for p in (0, 1)), PauliSum())
    hamiltonian = -t * (hop + hop.adjoint())
    hamiltonian += u * (number(0) @ number(1) + number(2) @ number(3))
    two = [i for i in range(16) if i.bit_count() == 2]
    levels = np.linalg.eigvalsh(hamiltonian.matrix(4)[np.ix_(two, two)])
    assert levels[0] == pytest.approx((u - np.sqrt(u**2 + 16 * t**2)) / 2)


@pytest.mark.parametrize(("occupied", "virtual"), [((0,), (2,)), ((1,), (3,)), ((0, 1), (2, 3))])
def test_an_excitation_turns_two_states_into_each_other_and_leaves_all_others(occupied, virtual):
    generator = excitation(occupied, virtual).matrix(N)
    before = sum(1 << (N - 1 - p) for p in occupied)
    after = sum(1 << (N - 1 - p) for p in virtual)
    turned = expm(0.4j * generator)[:, before]
    assert abs(turned[before]) == pytest.approx(np.cos(0.4))
    assert abs(turned[after]) == pytest.approx(np.sin(0.4))
    assert np.allclose(np.linalg.eigvalsh(generator)[[0, -1]], [-1, 1])
    empty_space = expm(0.4j * generator)[:, 0]
    assert empty_space[0] == pytest.approx(1)


def test_no_two_electrons_share_an_orbital():
    assert creation(1) @ creation(1) == PauliSum()
    assert number(1) @ number(1) == number(1)
    assert excitation((0, 0), (1, 2)) == PauliSum()
