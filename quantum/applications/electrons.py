"""Molecules as sums of Pauli words: integrals, active spaces, exact energies. Energies in hartree.

The integrals are computed once by PySCF 2.14.0 (restricted Hartree-Fock, STO-3G: Hehre, Stewart and
Pople 1969) and shipped as a table.
"""

import json
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from quantum.errors import InvalidValues
from quantum.fermions import annihilation, creation
from quantum.observable import PauliSum, identity

_TABLE = Path(__file__).with_name("integrals.json")
EQUILIBRIUM = {"H2": 0.735, "LiH": 1.5957}  # Å


@dataclass(frozen=True, eq=False)
class Electrons:
    """Electrons in spatial orbitals.

    Args:
        constant: energy of the nuclei and of electrons that stay where they are.
        one_body: h_pq; two_body: (pq|rs) in chemists' order.
    """

    n_electrons: int
    constant: float
    one_body: Float[np.ndarray, "orbital orbital"]
    two_body: Float[np.ndarray, "orbital orbital orbital orbital"]

    @property
    def n_qubits(self) -> int:
        """Spin orbitals: two for each orbital, up and down in turns."""
        return 2 * len(self.one_body)


@dataclass(frozen=True, eq=False)
class Molecule:
    """A molecule at one bond length (Å), with reference energies of all its electrons."""

    name: str
    bond_length: float
    electrons: Electrons
    hartree_fock: float
    full_ci: float


def molecule(name: str, bond_length: float = 0.0) -> Molecule:
    """The molecule at the nearest bond length of the table; 0 is the equilibrium.

    Raises:
        InvalidValues: for a molecule that is not in the table.
    """
    table = _table()
    if name not in table or name == "source":
        raise InvalidValues(f"the table has H2 and LiH, not {name!r}")
    wanted = bond_length or EQUILIBRIUM[name]
    entry = min(table[name], key=lambda row: abs(row["bond_length"] - wanted))
    return _as_molecule(name, entry)


def bond_lengths(name: str) -> list[float]:
    """The bond lengths of the table, in Å."""
    return [row["bond_length"] for row in _table()[name]]


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_TABLE.read_text())
    return found


def _as_molecule(name: str, entry: dict[str, Any]) -> Molecule:
    n = entry["n_orbitals"]
    rows, columns = np.tril_indices(n)
    one = np.zeros((n, n))
    one[rows, columns] = one[columns, rows] = entry["one_body"]
    pairs = np.zeros((len(rows), len(rows)))
    first, second = np.tril_indices(len(rows))
    pairs[first, second] = pairs[second, first] = entry["two_body"]
    place = np.zeros((n, n), dtype=int)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    electrons = Electrons(
        entry["n_electrons"], entry["nuclear_repulsion"], one, pairs[place[:, :, None, None], place]
    )
    return Molecule(name, entry["bond_length"], electrons, entry["hartree_fock"], entry["full_ci"])


def active_space(electrons: Electrons, n_core: int, active: list[int]) -> Electrons:
    """The electrons outside the lowest `n_core` orbitals, moving in the active orbitals only.

    The core stays doubly occupied: it adds to the constant and, as a mean field, to the one-body
    part (Helgaker, Jørgensen and Olsen 2000, section 12.5).
    """
    core, keep = np.arange(n_core), np.asarray(active)
    two = electrons.two_body
    direct = np.einsum("pqii->pqi", two[:, :, core][:, :, :, core]).sum(2)
    exchange = np.einsum("piiq->pqi", two[:, core][:, :, core]).sum(2)
    field = electrons.one_body + 2 * direct - exchange
    energy = float((electrons.one_body + field)[core, core].sum())
    return Electrons(
        electrons.n_electrons - 2 * n_core,
        electrons.constant + energy,
        field[np.ix_(keep, keep)],
        two[np.ix_(keep, keep, keep, keep)],
    )


def hamiltonian(electrons: Electrons) -> PauliSum:
    """Σ h_pq E_pq + ½ Σ (pq|rs) (E_pq E_rs - δ_qr E_ps) + constant, with E_pq = Σ_σ a†_pσ a_qσ
    (Helgaker, Jørgensen and Olsen 2000, eq. 2.2.18), by Jordan and Wigner's map."""
    n = len(electrons.one_body)
    moves = {(p, q): _move(p, q) for p, q in product(range(n), repeat=2)}
    terms = list(identity(electrons.constant).terms)
    # E_ps collects its own factor: the one-body part less half of Σ_q (pq|qs).
    single = electrons.one_body - 0.5 * np.einsum("pqqs->ps", electrons.two_body)
    for (p, q), move in moves.items():
        terms += (float(single[p, q]) * move).terms
        rest = PauliSum.of(
            (word, float(electrons.two_body[p, q, r, s]) * value)
            for (r, s), other in moves.items()
            if abs(electrons.two_body[p, q, r, s]) > 1e-12
            for word, value in other.terms
        )
        terms += (0.5 * move @ rest).terms
    return PauliSum.of((word, value.real) for word, value in PauliSum.of(terms).terms)


def _move(p: int, q: int) -> PauliSum:
    """E_pq: an electron goes from orbital q to orbital p and keeps its spin."""
    return sum((creation(2 * p + spin) @ annihilation(2 * q + spin) for spin in (0, 1)), PauliSum())


def exact_energy(observable: PauliSum, *, n_qubits: int, n_electrons: int) -> float:
    """The lowest eigenvalue among states with these electrons, half of them spin up."""
    index = np.arange(2**n_qubits)
    bits = index[:, None] >> np.arange(n_qubits)[::-1] & 1
    fits = (bits.sum(1) == n_electrons) & (bits[:, ::2].sum(1) == n_electrons // 2)
    block = observable.matrix(n_qubits)[np.ix_(index[fits], index[fits])]
    return float(np.linalg.eigvalsh(block)[0])
