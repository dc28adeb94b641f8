"""Choosing a few of many assets: QAOA against enumeration, greed and chance."""

from collections.abc import Mapping
from typing import Any

from quantum.applications.base import WHERE, Application, ApplicationResult, Parameter, Report


def _run(given: Mapping[str, Any], report: Report) -> ApplicationResult:
    from quantum.applications.selection import select_portfolios  # torch comes with it

    return select_portfolios(APPLICATION.values(given), report)


APPLICATION = Application(
    name="portfolio",
    title="Portfolio selection",
    summary="Picks k of n assets by return and risk with QAOA, beside the proven optimum.",
    parameters=(
        Parameter("assets", "int", 8, 4, 14, help="To choose from; a qubit each."),
        Parameter("picks", "int", 3, 1, 13, help="To be chosen, fewer than there are."),
        Parameter("risk_aversion", "float", 1.0, 0, 10, help="How much variance counts."),
        Parameter("depth", "int", 3, 1, 8, help="Layers of QAOA."),
        Parameter("markets", "int", 5, 1, 30, help="Random markets to repeat it on."),
        Parameter("steps", "int", 40, 1, 500, help="Of the optimizer, per market."),
        *WHERE,
    ),
    run=_run,
)
