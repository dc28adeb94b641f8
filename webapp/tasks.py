"""The task: load the row, call the science, save, publish. Runs in a worker's child process.

torch is imported there and only there; the model stays in memory between jobs.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID

from celery import Task
from celery.signals import (
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)
from django.conf import settings

from folding import cost
from folding.errors import Cancelled, FoldingError, Paused
from folding.inputs import FoldInput, FoldOptions
from webapp import downloads, fleet, jobs, lease, machine, queue, storage
from webapp.caretaker import Caretaker
from webapp.celery import app
from webapp.jobs import NotYours
from webapp.live import publisher
from webapp.live.events import Event, Progress
from webapp.models import Job, Prediction
from webapp.queue import FETCH_TASK, FOLD_TASK

if TYPE_CHECKING:
    from webapp.pipeline import Loaded, Models, Outcome

logger = logging.getLogger(__name__)
LAST_WORDS_SECONDS = 3.0
PASS_ON_SECONDS = 2.0
FETCHER = "weights-"
LAB = "lab-"
OUT_OF_MEMORY = (
    "The fold needs more memory than this machine has: try fewer residues or fewer samples."
)
UNEXPECTED = (
    "Something went wrong inside Foldstream ({kind}); this is not your input's fault. Try once "
    "more, and if it happens again, tell whoever runs this server the time and the job's address."
)


@app.task(name=FOLD_TASK, bind=True)
def fold(task: Task[Any, Any], job_id: str) -> None:
    """Folds the job, if it still waits to be started, or leaves it to a larger machine."""
    node = task.request.hostname or "worker"
    if fleet.is_for_another(job_id, worker=node):
        time.sleep(PASS_ON_SECONDS)  # that one may be busy for long, and nobody else wants it
        queue.send(UUID(job_id))
        return
    job = jobs.start(job_id, worker=worker_name(node))
    if job is not None:
        work_on(job)


def worker_name(node: str) -> str:
    """`<node name>#<process id>`: the node's main process can see whether it still lives."""
    return f"{node}#{os.getpid()}"


def work_on(job: Job) -> None:
    """Brings a started job to its end, whatever happens."""
    try:
        with lease.hold(job) as held:
            outcome = compute(job, held)
            _save_rows(job, outcome)
    except Cancelled:
        jobs.stop(job)
    except Paused:
        jobs.park(job)
    except NotYours:
        logger.warning("Job %s was taken away from this worker", job.pk)
    except FoldingError as error:
        jobs.fail(job, str(error))
    except MemoryError:
        jobs.fail(job, OUT_OF_MEMORY)
    except Exception as error:
        if jobs.fail(job, explain(error)):
            raise
        logger.warning("Job %s was taken away from this worker, then: %r", job.pk, error)
    finally:
        storage.discard(job.pk, attempt=job.attempt)
        publisher.flush(timeout_seconds=LAST_WORDS_SECONDS)


def compute(job: Job, held: lease.Lease) -> Outcome:
    """The predictions of the job, with its artifacts in the draft folder of this attempt."""
    from webapp import pipeline, preparation

    fold_input, options = FoldInput.from_json(job.fold_input), FoldOptions(**job.options)
    if options.model not in models().names:
        jobs.say(job, "info", f"Loading the model {options.model} into memory.")
    loaded = model(options.model)
    folder = storage.draft(job.pk, attempt=job.attempt)
    report = functools.partial(tell, job, held)
    fold_input = preparation.prepare(
        job,
        fold_input,
        reads_templates=loaded.network.reads_templates,
        paired_as_own=loaded.network.config.reference.paired_as_own,
        folder=folder,
        report=report,
    )
    here = pipeline.machine_of(loaded.network)
    cost.check_free_memory(fold_input, options, machine=here)
    return pipeline.run(
        fold_input,
        options,
        fold=pipeline.fold_with(
            loaded.network,
            fold_input,
            options,
            state=storage.state(job.pk),
            weights_sha256=loaded.sha256,
        ),
        save=pipeline.saver(folder, fold_input, options, weights_sha256=loaded.sha256),
        report=report,
        first_percent=preparation.first_percent(job),
    )


def tell(job: Job, held: lease.Lease, event: Event) -> None:
    """Publishes the event, unless the job has to end."""
    held.check()
    if isinstance(event, Progress):
        held.progress = event
    publisher.publish(job.pk, attempt=job.attempt, event=event)


def explain(error: Exception) -> str:
    """The error in the words of the person who waits for the result."""
    if type(error).__name__ == "OutOfMemoryError":
        return OUT_OF_MEMORY
    return UNEXPECTED.format(kind=type(error).__name__)


def _save_rows(job: Job, outcome: Outcome) -> None:
    rows = [
        _row(job, prediction, rank=rank) for rank, prediction in enumerate(outcome.predictions, 1)
    ]
    install = functools.partial(storage.install, job.pk, attempt=job.attempt)
    if not jobs.finish(job, predictions=rows, install=install):
        raise NotYours


def _row(job: Job, prediction: Any, *, rank: int) -> Prediction:
    confidence = prediction.confidence
    return Prediction(
        job=job,
        seed=prediction.seed,
        sample=prediction.sample,
        rank=rank,
        ranking_score=confidence.ranking_score,
        mean_plddt=confidence.mean_plddt,
        ptm=confidence.ptm,
        iptm=confidence.iptm,
        has_clash=confidence.has_clash,
        fraction_disordered=confidence.fraction_disordered,
    )


# The worker's main process ----------------------------------------------------------------------

_caretakers: list[Caretaker] = []


@worker_ready.connect
def begin_to_care(sender: Any, **signal: Any) -> None:
    """The worker has started: looks after its child, the queue and the machine panel."""
    if not folds(sender.hostname):
        return
    _caretakers.append(Caretaker(sender.hostname))
    _caretakers[-1].begin()


@worker_shutting_down.connect
def give_up_folds(**signal: Any) -> None:
    """The worker has been asked to stop: another one, or the next start, folds what it holds."""
    for caretaker in _caretakers:
        caretaker.leave()


@worker_shutdown.connect
def leave_in_order(**signal: Any) -> None:
    """The worker's child has stopped: whatever it was folding goes back into the queue."""
    while _caretakers:
        _caretakers.pop().end()
    if is_fetcher(_node[-1] if _node else ""):
        downloads.give_back_all(_node[-1])
        publisher.flush(timeout_seconds=LAST_WORDS_SECONDS)


# The models in memory ---------------------------------------------------------------------------

_loading = threading.Lock()


def model(name: str) -> Loaded:
    """The model with its trained weights, kept in memory for the next job.

    Raises:
        FoldingError: its weights are not here, or damaged.
    """
    with _loading:
        return models().get(name)


@functools.cache
def models() -> Models:
    """The models of this process."""
    from webapp import pipeline

    return pipeline.Models(downloads.store())


@worker_init.connect
def remember_node(sender: Any, **signal: Any) -> None:
    """What kind of worker this is, for the children that it will fork."""
    _node.append(sender.hostname)


_node: list[str] = []


@worker_process_init.connect
def warm_up(**signal: Any) -> None:
    """Loads torch and the model while the child of a worker that folds waits for its first job."""
    if folds(_node[-1] if _node else ""):
        threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()


def _warm_up() -> None:
    from webapp import pipeline

    machine.tell(pipeline.machine_of(model(FoldOptions().model).network))


# Weights ----------------------------------------------------------------------------------------


def folds(node: str) -> bool:
    """Whether a worker of this name folds: it looks after itself and keeps a model in memory."""
    return not node.startswith((FETCHER, LAB))


def is_fetcher(node: str) -> bool:
    """Whether a worker of this name fetches weights instead of folding."""
    return node.startswith(FETCHER)


@app.task(name=FETCH_TASK, bind=True)
def fetch(task: Task[Any, Any], name: str) -> None:
    """Downloads and converts the weights of this name, if that still waits to be started."""
    from webapp import pipeline

    row = downloads.start(name, worker=worker_name(task.request.hostname or FETCHER))
    if row is not None:
        mirrors = settings.WEIGHTS_MIRRORS
        downloads.work_on(
            row,
            lambda report: pipeline.fetch_weights(
                name, downloads.store(), mirrors=mirrors, report=report
            ),
        )
        publisher.flush(timeout_seconds=LAST_WORDS_SECONDS)
