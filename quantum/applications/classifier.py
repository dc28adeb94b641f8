"""Classifying: a network with a circuit inside against the same network without one."""

from collections.abc import Mapping
from typing import Any

from quantum.applications.base import WHERE, Application, ApplicationResult, Parameter, Report


def _run(given: Mapping[str, Any], report: Report) -> ApplicationResult:
    from quantum.applications.classification import classify  # torch comes with it

    return classify(APPLICATION.values(given), report)


APPLICATION = Application(
    name="classifier",
    title="Classifier",
    summary="A quantum layer beside a classical layer of the same size, on small tables.",
    parameters=(
        Parameter(
            "data", "choice", "rings", choices=("rings", "parity", "strokes"),
            help="Rings and parity are tables of 4 numbers; strokes are pictures of 6 x 6.",
        ),
        Parameter("qubits", "int", 4, 2, 8),
        Parameter("depth", "int", 2, 1, 6, help="Layers of the circuit."),
        Parameter("samples", "int", 200, 40, 2000, help="To train on; as many to test on."),
        Parameter("epochs", "int", 25, 1, 200),
        Parameter("repeats", "int", 5, 2, 20, help="Draws of data and of first weights."),
        *WHERE,
    ),
    run=_run,
)  # fmt: skip
