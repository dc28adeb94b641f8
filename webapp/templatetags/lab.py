"""Small words of the Lab's templates."""

from __future__ import annotations

from django import template

from webapp.lab import pages, runs
from webapp.models import BackendReading, LabRun

register = template.Library()


@register.filter
def run_title(run: LabRun) -> str:
    """`Ground state of a molecule`, `Training rings-4q`."""
    return pages.title(run)


@register.filter
def run_summary(run: LabRun) -> str:
    """The settings that tell runs apart: `LiH, simulator`, `rings, 4 qubits, simulator`."""
    words = []
    for name in ("molecule", "data", "assets", "qubits", "backend"):
        if name in run.values:
            value = str(run.values[name])
            counted = name in ("assets", "qubits")
            words.append(f"{value} {name}" if counted else value)
    return ", ".join(words)


@register.filter
def winner_words(winner: str) -> str:
    """`Quantum wins`, `Classical wins`, `A tie`."""
    return pages.WINNERS.get(winner, winner)


@register.filter
def backend_title(name: str) -> str:
    """`IBM Quantum` for `ibm`."""
    return pages.BACKEND_TITLES.get(name, name)


@register.filter
def percent_words(share: float | None) -> str:
    """`87.5 %`; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f} %"


@register.filter
def queue_state(reading: BackendReading) -> str:
    """`none`, `3 jobs wait`, `about 12 min`, `not told`."""
    if reading.queue_jobs:
        return f"{reading.queue_jobs} job{'' if reading.queue_jobs == 1 else 's'} wait"
    if reading.queue_seconds:
        minutes = reading.queue_seconds / 60
        return f"about {minutes:.0f} min" if minutes >= 1 else f"{reading.queue_seconds:.0f} s"
    is_told = reading.queue_jobs is not None or reading.queue_seconds is not None
    return "none" if is_told or reading.name not in runs.PAID else "not told"
