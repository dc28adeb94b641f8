"""What an application would take on each backend, before anything is sent. The hallway as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quantum.applications import find_application
from quantum.applications.place import Rehearsal, Route
from quantum.backends.choose import Offer
from webapp.lab.engine import Report, Site, plain


def rehearse(
    site: Site, name: str, values: Mapping[str, Any], *, report: Report
) -> list[dict[str, Any]]:
    """For each batch of the application what every backend would take for it, as plain data.

    The application runs to its end on the simulator: what it hands over late may depend on what it
    found early. Providers are asked questions only.

    Raises:
        QuantumError: it cannot be done; `Cancelled` where `report` said so.
    """
    application = find_application(name)
    rehearsal = Rehearsal(site.manager())
    wanted = application.values(values)["backend"]
    application.run({**values, "backend": Route(rehearsal, wanted)}, report)
    return [
        {
            "n_qubits": one.batch.n_qubits,
            "n_runs": one.batch.n_runs,
            "shots": one.batch.shots,
            "tried": [_offer(offer) for offer in one.tried],
            "others": [_offer(offer) for offer in one.others],
        }
        for one in rehearsal.asked
    ]


def _offer(offer: Offer) -> dict[str, Any]:
    found: dict[str, Any] = {"backend": offer.backend, "reason": offer.reason}
    estimate = offer.estimate
    if estimate is not None:
        found |= {
            "queue_seconds": estimate.queue_seconds,
            "run_seconds": estimate.run_seconds,
            "cost": estimate.cost,
            "at_most": estimate.at_most,
            "currency": estimate.currency,
            "two_qubit_gates": offer.two_qubit_gates,
            "note": estimate.note,
        }
    answer: dict[str, Any] = plain(found)
    return answer
