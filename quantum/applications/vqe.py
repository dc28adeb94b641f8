"""The variational eigensolver on molecules (Peruzzo et al. 2014)."""

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quantum.ansatz import unitary_coupled_cluster
from quantum.applications.base import ApplicationResult, Report, Winner
from quantum.applications.electrons import (
    Electrons,
    Molecule,
    active_space,
    exact_energy,
    hamiltonian,
    molecule,
)
from quantum.applications.place import Place
from quantum.circuit import Circuit
from quantum.observable import PauliSum
from quantum.simulator import expectation

CHEMICAL_ACCURACY = 1.6e-3  # hartree, about 1 kcal/mol
_STILL = 1e-8  # hartree: a step that gains less is the last


def find_ground_state(chosen: dict[str, Any], report: Report) -> ApplicationResult:
    """Runs the application "molecules"."""
    found = molecule(chosen["molecule"], chosen["bond_length"])
    electrons = choose_orbitals(found, chosen["orbitals"])
    report(
        {
            "kind": "log",
            "text": f"{found.name} at {found.bond_length} Å: {electrons.n_qubits} qubits",
        }
    )
    observable = hamiltonian(electrons)
    begin = time.perf_counter()
    exact = exact_energy(observable, n_qubits=electrons.n_qubits, n_electrons=electrons.n_electrons)
    exact_seconds = time.perf_counter() - begin
    circuit = unitary_coupled_cluster(electrons.n_qubits, electrons.n_electrons)
    begin = time.perf_counter()
    weights, energies = minimise(circuit, observable, steps=chosen["steps"], report=report)
    seconds = time.perf_counter() - begin
    place = Place(chosen["backend"], shots=chosen["shots"], seed=chosen["seed"], report=report)
    means, errors = place.means(circuit, weights[None], [observable])
    energy, error = float(means[0, 0]), float(errors[0, 0])
    gap = energy - exact
    winner: Winner = "tie" if abs(gap) <= CHEMICAL_ACCURACY else "classical"
    numbers = {
        "bond_length_angstrom": found.bond_length,
        "qubits": electrons.n_qubits,
        "weights": len(circuit.weights),
        "pauli_words": len(observable.terms),
        "energy_hartree": energy,
        "standard_error_hartree": error,
        "optimised_energy_hartree": energies[-1],
        "exact_hartree": exact,
        "gap_hartree": gap,
        "hartree_fock_hartree": found.hartree_fock,
        "full_ci_hartree": found.full_ci,
        "vqe_seconds": seconds,
        "exact_seconds": exact_seconds,
    }
    series: dict[str, list[Any]] = {
        "step": list(range(len(energies))),
        "energy_hartree": energies,
        "exact_hartree": [exact] * len(energies),
    }
    return ApplicationResult(
        _words(found, numbers, place), winner, numbers, series, place.executions
    )


def choose_orbitals(found: Molecule, n_orbitals: int) -> Electrons:
    """All electrons of H2; of LiH the two outer ones in the `n_orbitals` that matter most.

    The orbitals along the bond come first; the two across it mix with none of them.
    """
    if found.name == "H2":
        return found.electrons
    along, across = [1, 2, 5], [3, 4]
    return active_space(found.electrons, 1, sorted((along + across)[:n_orbitals]))


def minimise(
    circuit: Circuit, observable: PauliSum, *, steps: int, report: Report
) -> tuple[Tensor, list[float]]:
    """The weights of lowest energy from the Hartree-Fock state on, and the energy by step.

    Quasi-Newton steps (L-BFGS) with exact gradients.
    """
    weights = torch.zeros(len(circuit.weights), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=2, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        energy = expectation(circuit, [observable], weights=weights)[0, 0]
        energy.backward()
        return energy

    energies = [closure().item()]
    for step in range(steps):
        optimizer.step(closure)
        energies.append(closure().item())
        norm = 0.0 if weights.grad is None else float(weights.grad.norm())
        event = {"kind": "metric", "step": step, "epoch": 0, "loss": energies[-1]}
        report({**event, "gradient_norm": norm})
        report({"kind": "progress", "done": step + 1, "total": steps})
        if energies[-2] - energies[-1] < _STILL:
            break
    return weights.detach(), energies


def _words(found: Molecule, numbers: dict[str, Any], place: Place) -> str:
    gap, error = 1000 * numbers["gap_hartree"], 1000 * numbers["standard_error_hartree"]
    spread = f" ± {error:.2f}" if error else ""
    verdict = "within" if abs(numbers["gap_hartree"]) <= CHEMICAL_ACCURACY else "outside"
    core = 1000 * (numbers["exact_hartree"] - found.full_ci)
    left_out = (
        f" Orbitals left out cost {core:.2f} mHa against the full molecule." if core > 0.01 else ""
    )
    return (
        f"{found.name} at {found.bond_length} Å on {place.name}: VQE gives "
        f"{numbers['energy_hartree']:.5f} Ha, {gap:+.3f}{spread} mHa from the exact energy, "
        f"{verdict} chemical accuracy (1.6 mHa).{left_out} The exact answer took "
        f"{1000 * numbers['exact_seconds']:.1f} ms, VQE {numbers['vqe_seconds']:.2f} s: at this "
        "size diagonalisation wins in time, and VQE can at best tie in energy."
    )


def energy_curve(name: str, *, n_orbitals: int = 3) -> dict[str, list[float]]:
    """VQE, exact and Hartree-Fock energies at every bond length of the table."""
    from quantum.applications.electrons import bond_lengths

    curve: dict[str, list[float]] = {"bond_length": [], "vqe": [], "exact": [], "hartree_fock": []}
    for length in bond_lengths(name):
        found = molecule(name, length)
        electrons = choose_orbitals(found, n_orbitals)
        observable = hamiltonian(electrons)
        circuit = unitary_coupled_cluster(electrons.n_qubits, electrons.n_electrons)
        _, energies = minimise(circuit, observable, steps=40, report=lambda event: None)
        exact = exact_energy(
            observable, n_qubits=electrons.n_qubits, n_electrons=electrons.n_electrons
        )
        row = (length, min(energies), exact, found.hartree_fock)
        for values, value in zip(curve.values(), row, strict=True):
            values.append(float(np.round(value, 10)))
    return curve
