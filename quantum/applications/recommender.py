"""Recommending items: embeddings on qubits against embeddings of the same size without them."""

from collections.abc import Mapping
from typing import Any

from quantum.applications.base import WHERE, Application, ApplicationResult, Parameter, Report


def _run(given: Mapping[str, Any], report: Report) -> ApplicationResult:
    from quantum.applications.embeddings import recommend  # torch comes with it

    return recommend(APPLICATION.values(given), report)


APPLICATION = Application(
    name="recommender",
    title="Recommender",
    summary="Users and items as quantum states: their overlap predicts ratings.",
    parameters=(
        Parameter("users", "int", 40, 10, 200),
        Parameter("items", "int", 30, 10, 200),
        Parameter("qubits", "int", 3, 1, 6, help="Two numbers per user and item on each."),
        Parameter("epochs", "int", 15, 1, 100),
        Parameter("repeats", "int", 8, 2, 20, help="Tables, each with a split of its own."),
        *WHERE,
    ),
    run=_run,
)
