"""The machines that fold, as their workers tell with each reading, and what they can hold.

One Redis list feeds them all, so a job may reach a machine that is too small for it: that one
leaves it to the others.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping

from folding import cost
from folding.inputs import FoldInput, FoldOptions
from webapp import monitor
from webapp.machine import machine
from webapp.models import Job, Status
from webapp.search_request import SearchRequest, most_rows

KEPT_SECONDS = 5.0


def machines() -> Mapping[str, cost.Machine]:
    """The machine of each worker that folds now, by the worker's name; none without Redis."""
    return _told(int(time.monotonic() / KEPT_SECONDS))


def strongest() -> cost.Machine:
    """The most capable of the machines that fold now; this one where no worker tells."""
    return max(machines().values(), key=_capability, default=None) or machine()


def is_for_another(job_id: str, *, worker: str) -> bool:
    """Whether this machine cannot hold a queued job, and another one that folds now could."""
    others = [other for name, other in machines().items() if name != worker]
    job = Job.objects.filter(pk=job_id, status=Status.QUEUED).first() if others else None
    if job is None:
        return False
    fold_input, options = FoldInput.from_json(job.fold_input), FoldOptions(**job.options)

    def holds(one: cost.Machine, n_rows: int) -> bool:
        return one.holds(cost.estimate_job(fold_input, options, n_rows=n_rows, machine=one))

    # With the most that a search may find; where no machine holds that, with what the job brings.
    for n_rows in (most_rows(SearchRequest.from_json(job.search), fold_input), 1):
        if holds(machine(), n_rows):
            return False
        if any(holds(other, n_rows) for other in others):
            return True
    return False


def _capability(one: cost.Machine) -> tuple[float, ...]:
    return (one.gpu_bytes, one.memory_bytes, one.threads * one.speed)


@functools.lru_cache(maxsize=1)
def _told(tick: int) -> Mapping[str, cost.Machine]:
    """What the workers told; asked anew with every `tick`, for a form asks several times."""
    readings = monitor.of_workers()
    return {reading.worker: reading.folds for reading in readings if reading.folds}
