"""Electrons on qubits (Jordan and Wigner 1928): qubit p is spin orbital p, |1⟩ is occupied."""

from quantum.observable import PauliSum, X, Y, Z, identity


def annihilation(orbital: int) -> PauliSum:
    """a_p = Z_0 … Z_{p-1} (X_p + iY_p) / 2 (Jordan and Wigner 1928)."""
    operator = 0.5 * X(orbital) + 0.5j * Y(orbital)
    for below in reversed(range(orbital)):
        operator = Z(below) @ operator
    return operator


def creation(orbital: int) -> PauliSum:
    """a†_p."""
    return annihilation(orbital).adjoint()


def number(orbital: int) -> PauliSum:
    """How many electrons the orbital holds: (1 - Z_p) / 2."""
    return 0.5 * (identity() - Z(orbital))


def excitation(occupied: tuple[int, ...], virtual: tuple[int, ...]) -> PauliSum:
    """The Hermitian generator H of e^{iθH} = e^{θ(T - T†)}, where T moves the electrons from the
    occupied to the virtual orbitals."""
    moved = identity()
    for orbital in virtual:
        moved = moved @ creation(orbital)
    for orbital in reversed(occupied):
        moved = moved @ annihilation(orbital)
    return -1j * (moved - moved.adjoint())
