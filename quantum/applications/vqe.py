"""The variational eigensolver on molecules (Peruzzo et al. 2014)."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from quantum.ansatz import unitary_coupled_cluster
from quantum.applications.base import ApplicationResult, Report
from quantum.applications.electrons import (
    Electrons,
    Molecule,
    active_space,
    bond_lengths,
    exact_energy,
    hamiltonian,
    molecule,
)
from quantum.applications.place import Place
from quantum.backends.base import Batch, Measured
from quantum.circuit import Circuit
from quantum.observable import PauliSum
from quantum.simulator import expectation

CHEMICAL_ACCURACY = 1.6e-3  # hartree, about 1 kcal/mol
_CONFIDENCE = 1.96  # standard errors that hold 95 % of what chance does
_STILL = 1e-8  # hartree: a step that gains less is the last


@dataclass(frozen=True, eq=False)
class Task:
    """A molecule as a problem for qubits, with its exact answer and the time that took."""

    molecule: Molecule
    electrons: Electrons
    observable: PauliSum
    circuit: Circuit
    exact: float
    exact_seconds: float

    @classmethod
    def of(cls, found: Molecule, n_orbitals: int) -> "Task":
        electrons = choose_orbitals(found, n_orbitals)
        observable = hamiltonian(electrons)
        n_qubits, n_electrons = electrons.n_qubits, electrons.n_electrons
        circuit = unitary_coupled_cluster(n_qubits, n_electrons)
        begin = time.perf_counter()
        exact = exact_energy(observable, n_qubits=n_qubits, n_electrons=n_electrons)
        return cls(found, electrons, observable, circuit, exact, time.perf_counter() - begin)

    def diagonalise(self, batch: Batch) -> tuple[Measured, ...]:
        """The energy without a circuit: where no backend is left, this is the answer."""
        n_electrons = self.electrons.n_electrons
        exact = exact_energy(self.observable, n_qubits=batch.n_qubits, n_electrons=n_electrons)
        return (Measured(means=(exact,), errors=(0.0,)),)


def find_ground_state(chosen: dict[str, Any], report: Report) -> ApplicationResult:
    """Runs the application "molecules"."""
    place = Place(chosen["backend"], shots=chosen["shots"], seed=chosen["seed"], report=report)
    task = Task.of(molecule(chosen["molecule"], chosen["bond_length"]), chosen["orbitals"])
    found = task.molecule
    text = f"{found.name} at {found.bond_length} Å: {task.electrons.n_qubits} qubits"
    report({"kind": "log", "text": text})
    begin = time.perf_counter()
    weights, energies = minimise(
        task.circuit, task.observable, steps=chosen["steps"], report=report
    )
    seconds = time.perf_counter() - begin
    means, errors = place.means(
        task.circuit, weights[None], [task.observable], classical=task.diagonalise
    )
    numbers = _numbers(task, float(means[0, 0]), float(errors[0, 0]), energies[-1], seconds)
    numbers["answered_by"] = place.name
    series: dict[str, list[Any]] = {
        "step": list(range(len(energies))),
        "energy_hartree": energies,
        "exact_hartree": [task.exact] * len(energies),
    }
    if chosen["curve"]:
        series |= energy_curve(
            found.name, n_orbitals=chosen["orbitals"], steps=chosen["steps"], report=report
        )
    is_tie = not place.by_classical and numbers["within_chemical_accuracy"] is not False
    return ApplicationResult(
        _words(found, numbers, place), "tie" if is_tie else "classical", numbers, series,
        place.executions,
    )  # fmt: skip


def _numbers(
    task: Task, energy: float, error: float, optimised: float, seconds: float
) -> dict[str, Any]:
    return {
        "bond_length_angstrom": task.molecule.bond_length,
        "qubits": task.electrons.n_qubits,
        "weights": len(task.circuit.weights),
        "pauli_words": len(task.observable.terms),
        "energy_hartree": energy,
        "standard_error_hartree": error,
        "optimised_energy_hartree": optimised,
        "exact_hartree": task.exact,
        "gap_hartree": energy - task.exact,
        "within_chemical_accuracy": _is_accurate(energy - task.exact, error),
        "hartree_fock_hartree": task.molecule.hartree_fock,
        "full_ci_hartree": task.molecule.full_ci,
        "vqe_seconds": seconds,
        "exact_seconds": task.exact_seconds,
    }


def _is_accurate(gap: float, error: float) -> bool | None:
    """Whether the energy is within chemical accuracy of the exact one with 95 % confidence; None
    where shots cannot tell."""
    reach = _CONFIDENCE * error
    if abs(gap) + reach <= CHEMICAL_ACCURACY:
        return True
    return False if abs(gap) - reach > CHEMICAL_ACCURACY else None


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
    if place.by_classical:
        gap = 1000 * (numbers["optimised_energy_hartree"] - numbers["exact_hartree"])
        return (
            f"{place.apology} The energy of {found.name} at {found.bond_length} Å, "
            f"{numbers['energy_hartree']:.5f} Ha, is that of exact diagonalisation, which took "
            f"{1000 * numbers['exact_seconds']:.1f} ms: the classical method wins. VQE's circuit "
            f"was optimised on the simulator to {gap:+.3f} mHa from it, and not measured."
        )
    gap, error = 1000 * numbers["gap_hartree"], 1000 * numbers["standard_error_hartree"]
    spread = f" ± {_CONFIDENCE * error:.2f}" if error else ""
    confidence = " (95 % interval)" if error else ""
    verdict = {
        True: "within chemical accuracy",
        False: "outside chemical accuracy",
        None: "so shots cannot tell whether it is within chemical accuracy",
    }[numbers["within_chemical_accuracy"]]
    core = 1000 * (numbers["exact_hartree"] - found.full_ci)
    left_out = (
        f" Orbitals left out cost {core:.2f} mHa against the full molecule." if core > 0.01 else ""
    )
    return (
        f"{found.name} at {found.bond_length} Å on {place.name}: VQE gives "
        f"{numbers['energy_hartree']:.5f} Ha, {gap:+.3f}{spread} mHa from the exact energy"
        f"{confidence}, {verdict} (1.6 mHa).{left_out} The exact answer took "
        f"{1000 * numbers['exact_seconds']:.1f} ms, VQE {numbers['vqe_seconds']:.2f} s: at this "
        "size diagonalisation wins in time, and VQE can at best tie in energy."
    )


def energy_curve(
    name: str, *, n_orbitals: int = 3, steps: int = 40, report: Report
) -> dict[str, list[Any]]:
    """VQE (on the simulator), exact and Hartree-Fock energies at every bond length of the table."""
    rows = []
    lengths = bond_lengths(name)
    for done, length in enumerate(lengths):
        task = Task.of(molecule(name, length), n_orbitals)
        _, energies = minimise(
            task.circuit, task.observable, steps=steps, report=lambda event: None
        )
        rows.append((length, energies[-1], task.exact, task.molecule.hartree_fock))
        report({"kind": "progress", "done": done + 1, "total": len(lengths)})
    names = ("bond_length_angstrom", "vqe_hartree", "exact_by_length_hartree",
             "hartree_fock_by_length_hartree")  # fmt: skip
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
