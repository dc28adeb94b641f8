"""The ground state of a small molecule: VQE against exact diagonalisation."""

from collections.abc import Mapping
from typing import Any

from quantum.applications.base import WHERE, Application, ApplicationResult, Parameter, Report


def _run(given: Mapping[str, Any], report: Report) -> ApplicationResult:
    from quantum.applications.vqe import find_ground_state  # torch comes with it

    return find_ground_state(APPLICATION.values(given), report)


APPLICATION = Application(
    name="molecules",
    title="Ground state of a molecule",
    summary="The energy of H2 or LiH by a variational circuit, beside the exact answer.",
    parameters=(
        Parameter("molecule", "choice", "H2", choices=("H2", "LiH")),
        Parameter(
            "bond_length", "float", 0.0, 0, 3,
            help="Å; the nearest of those in the table is taken. 0: the molecule's equilibrium.",
        ),
        Parameter(
            "orbitals", "int", 3, 2, 5,
            help="Of LiH: how many the two outer electrons may use; two qubits each.",
        ),
        Parameter("steps", "int", 40, 1, 500, help="Of the optimizer, at most."),
        Parameter(
            "curve", "bool", False,
            help="Also the energies at every bond length of the table, on the simulator.",
        ),
        *WHERE,
    ),
    run=_run,
)  # fmt: skip
