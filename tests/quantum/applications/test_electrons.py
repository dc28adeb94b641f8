"""Molecules: our Hamiltonians against the reference energies that came with the integrals."""

import numpy as np
import pytest

from quantum.applications.electrons import (
    active_space,
    bond_lengths,
    exact_energy,
    hamiltonian,
    molecule,
)
from quantum.applications.vqe import choose_orbitals, minimise
from quantum.circuit import Circuit
from quantum.errors import InvalidValues
from quantum.simulator import expectation


def hartree_fock(electrons) -> float:
    circuit = Circuit(electrons.n_qubits)
    for orbital in range(electrons.n_electrons):
        circuit = circuit.x(orbital)
    return expectation(circuit, [hamiltonian(electrons)]).double().item()


@pytest.mark.parametrize("length", bond_lengths("H2"))
def test_hydrogen_has_the_energies_of_the_table(length):
    found = molecule("H2", length)
    observable = hamiltonian(found.electrons)
    exact = exact_energy(observable, n_qubits=4, n_electrons=2)
    assert exact == pytest.approx(found.full_ci, abs=1e-9)
    assert hartree_fock(found.electrons) == pytest.approx(found.hartree_fock, abs=1e-5)
    assert observable.is_hermitian


def test_the_published_energy_of_hydrogen():
    """-1.1373 hartree at 0.735 Å in STO-3G, as in every textbook of the field."""
    found = molecule("H2")
    assert found.bond_length == 0.735 and found.full_ci == pytest.approx(-1.1373, abs=5e-5)


@pytest.mark.parametrize("n_orbitals", [2, 3, 5])
def test_active_spaces_keep_the_mean_field_and_bound_the_energy(n_orbitals):
    found = molecule("LiH")
    electrons = choose_orbitals(found, n_orbitals)
    assert (electrons.n_qubits, electrons.n_electrons) == (2 * n_orbitals, 2)
    assert hartree_fock(electrons) == pytest.approx(found.hartree_fock, abs=1e-4)
    if n_orbitals < 5:
        exact = exact_energy(hamiltonian(electrons), n_qubits=electrons.n_qubits, n_electrons=2)
        assert found.full_ci - 1e-9 < exact < found.hartree_fock


def test_more_orbitals_come_nearer_to_the_full_molecule():
    found = molecule("LiH", 2.0)
    gaps = []
    for n_orbitals in (2, 3, 4):
        electrons = choose_orbitals(found, n_orbitals)
        energy = exact_energy(hamiltonian(electrons), n_qubits=2 * n_orbitals, n_electrons=2)
        gaps.append(energy - found.full_ci)
    assert gaps[0] > gaps[1] > gaps[2] - 1e-12 > 0


def test_an_empty_core_and_all_orbitals_change_nothing():
    electrons = molecule("H2").electrons
    same = active_space(electrons, 0, [0, 1])
    assert np.array_equal(same.two_body, electrons.two_body)
    assert np.array_equal(same.one_body, electrons.one_body)
    assert same.constant == electrons.constant


@pytest.mark.parametrize(("name", "n_orbitals"), [("H2", 2), ("LiH", 2)])
def test_the_variational_energy_reaches_the_exact_one(name, n_orbitals):
    from quantum.ansatz import unitary_coupled_cluster

    found = molecule(name)
    electrons = choose_orbitals(found, n_orbitals)
    observable = hamiltonian(electrons)
    circuit = unitary_coupled_cluster(electrons.n_qubits, electrons.n_electrons)
    _, energies = minimise(circuit, observable, steps=30, report=lambda event: None)
    exact = exact_energy(observable, n_qubits=electrons.n_qubits, n_electrons=electrons.n_electrons)
    assert energies[0] == pytest.approx(found.hartree_fock, abs=1e-8)
    assert energies == sorted(energies, reverse=True)
    assert exact - 1e-9 < energies[-1] < exact + 1e-6


def test_the_nearest_bond_length_is_taken():
    assert molecule("H2", 0.74).bond_length == 0.735
    assert molecule("LiH", 9.0).bond_length == 3.0
    for name in ("He", "source"):
        with pytest.raises(InvalidValues, match="H2 and LiH"):
            molecule(name)
