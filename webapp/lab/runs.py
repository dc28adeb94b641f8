"""Verbs on the Lab's runs: their owner's, and those of the worker that has one in hand.

As with jobs, each verb moves the row by compare-and-set, and a worker's verbs write only while the
row runs the same attempt. A run that lost its worker is queued again: an application begins anew,
and what it had handed to a device is found by its tag; a training goes on from its checkpoint.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, QuerySet
from django.utils import timezone

from quantum.backends.names import DEVICES, QUANTUM
from webapp import downloads, queue, storage
from webapp.env import environment
from webapp.lab.folder import LabFolder
from webapp.live import publisher
from webapp.models import FINISHED, Execution, LabRun, Status

LEASE = timedelta(seconds=60)
CRASH_LIMIT = 3
GAVE_UP = (
    "The worker stopped {n} times while it had this run, so it was given up. The usual reason is "
    "too little memory: try fewer qubits or samples."
)
PAID = frozenset({*DEVICES, QUANTUM})
UNFINISHED = (Status.QUEUED, Status.RUNNING)
Change = str  # "status", "curves" or "execution": what a page has to look at again


def folder() -> LabFolder:
    """The engine's folder in the data folder."""
    return LabFolder(Path(settings.DATA_DIR) / "lab")


def may_manage(user: Any) -> bool:
    """Whether this person may spend money, test connections and promote models."""
    return downloads.may_ask(user)


def of_user(user: Any) -> QuerySet[LabRun]:
    """The runs that this user may see: their own."""
    mine = LabRun.objects.filter(owner=user.pk)
    return mine if user.is_authenticated else mine.none()


# Its owner's verbs ------------------------------------------------------------------------------


def submit(owner: Any, kind: str, name: str, values: Mapping[str, Any]) -> LabRun:
    """The new queued run; its task is sent when the row is safe. `values` were checked before."""
    run = LabRun.objects.create(owner=owner, kind=kind, name=name, values=dict(values))
    _tell(run, "status")
    transaction.on_commit(lambda: queue.send_lab(run.pk))
    return run


def cancel(run: LabRun) -> bool:
    """Ends a queued run at once and asks a running one to end; False when it had ended."""
    row = LabRun.objects.filter(pk=run.pk)
    if row.filter(status=Status.QUEUED).update(status=Status.CANCELLED, **_ended()):
        _close(run)
    elif not row.filter(status=Status.RUNNING).update(cancel_requested=True):
        return False
    _tell(run, "status")
    return True


def resume(run: LabRun) -> bool:
    """Queues a training again that was stopped or failed; it goes on from its checkpoint."""
    queued = LabRun.objects.filter(
        pk=run.pk, kind=LabRun.Kind.TRAINING, status__in=(Status.CANCELLED, Status.FAILED)
    ).update(
        status=Status.QUEUED,
        crashes=0,
        cancel_requested=False,
        enqueued_at=None,
        finished_at=None,
        error="",
        message="",
    )
    if queued:
        _tell(run, "status")
        transaction.on_commit(lambda: queue.send_lab(run.pk))
    return bool(queued)


def delete(run: LabRun) -> bool:
    """Removes a run that has ended, with its files; what it spent and registered stays."""
    deleted, _ = LabRun.objects.filter(pk=run.pk, status__in=FINISHED).delete()
    if not deleted:
        return False
    for path in (folder().checkpoints(run.pk.hex), folder().results(run.pk.hex)):
        shutil.rmtree(path, ignore_errors=True)
    _tell(run, "deleted")
    return True


# The worker's verbs -----------------------------------------------------------------------------


def start(run_id: UUID | str, *, worker: str) -> LabRun | None:
    """The run, now running its next attempt; None if it does not wait, or the worker is busy.

    A worker has one run in hand at a time; the next one is sent for when that has ended.
    """
    node = worker.rpartition("#")[0]
    in_hand = LabRun.objects.filter(status=Status.RUNNING, worker__startswith=f"{node}#")
    started = (
        LabRun.objects.filter(pk=run_id, status=Status.QUEUED)
        .filter(~Exists(in_hand))
        .update(
            status=Status.RUNNING,
            attempt=F("attempt") + 1,
            worker=worker,
            lease_until=timezone.now() + LEASE,
            started_at=timezone.now(),
            message="Starting",
            error="",
        )
    )
    run = LabRun.objects.filter(pk=run_id, worker=worker, status=Status.RUNNING).first()
    if not started or run is None:
        return None
    _close_executions(run, "Its worker was lost; the next attempt goes on.")
    _tell(run, "status")
    return run


def keep(run: LabRun) -> tuple[bool, bool]:
    """Extends the lease; whether the run is still ours, and whether its owner wants it to end."""
    ours = _held(run).update(lease_until=timezone.now() + LEASE)
    return bool(ours), bool(ours) and _held(run).filter(cancel_requested=True).exists()


def record(run: LabRun, *, change: Change, **fields: Any) -> bool:
    """Writes how far the run is; False when it is not ours any more."""
    written = _held(run).update(lease_until=timezone.now() + LEASE, **fields)
    if written:
        _tell(run, change)
    return bool(written)


def record_execution(run: LabRun, event: Mapping[str, Any]) -> None:
    """Writes down what the engine says of a submission."""
    if not _held(run).exists():
        return
    status = str(event["status"])
    Execution.objects.update_or_create(
        pk=event["id"],
        defaults={
            "run_id": run.pk,
            "wanted": event["wanted"],
            "backend": event["backend"],
            "handle_id": str(event.get("handle_id") or "")[:120],
            "n_qubits": event["n_qubits"],
            "n_runs": event["n_runs"],
            "shots": event["shots"],
            "seconds": event["seconds"],
            "cost": event["cost"],
            "currency": event["currency"],
            "status": status if status in Status.values else Status.RUNNING,
            "fallback_reason": event.get("fallback_reason", ""),
            "hops": [dict(hop) for hop in event.get("hops", ())],
        },
    )
    _tell(run, "execution")


def succeed(run: LabRun, result: Mapping[str, Any]) -> bool:
    """Ends the run with its result; False when it is not ours any more."""
    extra = {"result": dict(result), "message": ""}
    if "resumed_from" in result:
        extra["resumed_from"] = result["resumed_from"]
    return _end(run, Status.SUCCEEDED, **extra)


def fail(run: LabRun, error: str) -> bool:
    """Ends the run without a result, with the reason in its owner's words."""
    return _end(run, Status.FAILED, error=error)


def stop(run: LabRun) -> bool:
    """Ends the run as its owner asked."""
    return _end(run, Status.CANCELLED)


def give_back(run: LabRun, *, crashed: bool) -> bool:
    """Queues a run again whose process is gone; `run` is as it was read."""
    held = _held(run).filter(lease_until=run.lease_until) if crashed else _held(run)
    came_further = storage.has_news(folder().checkpoints(run.pk.hex), since=run.started_at)
    crashes = (0 if came_further else run.crashes) + int(crashed)
    if not held.update(crashes=crashes):
        return False
    if run.cancel_requested:
        return stop(run)
    if crashes >= CRASH_LIMIT:
        return fail(run, GAVE_UP.format(n=crashes))
    if not _held(run).update(
        status=Status.QUEUED, lease_until=None, worker="", enqueued_at=None, message=""
    ):
        return False
    _tell(run, "status")
    queue.send_lab(run.pk)
    return True


def give_back_all(node: str) -> None:
    """What a worker stops under goes back into the queue: that is nobody's crash."""
    for run in running().filter(worker__startswith=f"{node}#"):
        give_back(run, crashed=False)


def send_next() -> None:
    """Sends the task of the run that has waited longest."""
    waiting = LabRun.objects.filter(status=Status.QUEUED).order_by("created_at").first()
    if waiting is not None:
        queue.send_lab(waiting.pk)


def ended(names: Iterable[str]) -> set[str]:
    """Those of these runs, by the hexadecimal of their id, that have ended or are gone."""
    known = LabRun.objects.filter(pk__in=names).exclude(status__in=FINISHED)
    return set(names) - {pk.hex for pk in known.values_list("pk", flat=True)}


def running() -> QuerySet[LabRun]:
    """The runs that a process holds."""
    return LabRun.objects.filter(status=Status.RUNNING)


def site_words() -> dict[str, Any]:
    """What the engine has to know of this installation, as arguments of `engine.Site`."""
    return {
        "folder": folder(),
        "environment": environment(),
        "cap": settings.QUANTUM_BUDGET,
        "wait_seconds": settings.QUANTUM_WAIT_SECONDS,
        "targets": settings.QUANTUM_TARGETS,
        "ibm_usd_per_second": settings.IBM_USD_PER_SECOND,
    }


def _held(run: LabRun) -> QuerySet[LabRun]:
    return running().filter(pk=run.pk, attempt=run.attempt)


def _end(run: LabRun, status: Status, **fields: Any) -> bool:
    if not _held(run).update(status=status, **fields, **_ended()):
        return False
    _close(run)
    _tell(run, "status")
    return True


def _close(run: LabRun) -> None:
    """Nothing of a run that has ended is under way any more; a job that a provider may still have
    is stopped and settled."""
    _close_executions(run, "")
    if run.values.get("backend") in PAID:
        transaction.on_commit(lambda: queue.send_lab_chore("settle"))


def _ended() -> dict[str, Any]:
    return {"lease_until": None, "finished_at": timezone.now()}


def _close_executions(run: LabRun, reason: str) -> None:
    """Submissions that were under way when the run ended are under way no more."""
    left = run.executions.filter(status__in=UNFINISHED)
    left.update(status=Status.CANCELLED, **({"fallback_reason": reason} if reason else {}))


def _tell(run: LabRun, change: Change) -> None:
    publisher.lab_run_changed(run.pk, owner=run.owner_id, change=change)
