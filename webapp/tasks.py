"""The task: load the row, call the science, save, publish. Runs in a worker's child process.

torch is imported there and only there; the model stays in memory between jobs.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from typing import TYPE_CHECKING, Any

from celery import Task
from celery.signals import worker_process_init, worker_ready, worker_shutdown, worker_shutting_down

from folding.errors import Cancelled, FoldingError
from folding.inputs import FoldInput, FoldOptions
from webapp import jobs, lease, storage
from webapp.caretaker import Caretaker
from webapp.celery import app
from webapp.jobs import NotYours
from webapp.live import publisher
from webapp.live.events import Event, Progress
from webapp.models import Job, Prediction
from webapp.queue import FOLD_TASK

if TYPE_CHECKING:
    from folding.model.alphafold3 import AlphaFold3
    from webapp.pipeline import Outcome

logger = logging.getLogger(__name__)
LAST_WORDS_SECONDS = 3.0
OUT_OF_MEMORY = (
    "The fold needs more memory than this machine has: try fewer residues or fewer samples."
)
UNEXPECTED = (
    "Something went wrong inside Foldstream ({kind}); this is not your input's fault. Try once "
    "more, and if it happens again, tell whoever runs this server the time and the job's address."
)


@app.task(name=FOLD_TASK, bind=True)
def fold(task: Task[Any, Any], job_id: str) -> None:
    """Folds the job, if it still waits to be started."""
    job = jobs.start(job_id, worker=worker_name(task.request.hostname or "worker"))
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
    from webapp import pipeline

    fold_input, options = FoldInput.from_json(job.fold_input), FoldOptions(**job.options)
    if _model.cache_info().currsize == 0:
        jobs.say(job, "info", "Loading the model into memory.")
    folder = storage.draft(job.pk, attempt=job.attempt)
    return pipeline.run(
        fold_input,
        options,
        fold=pipeline.fold_with(model(options.model), fold_input, options),
        save=pipeline.saver(folder, fold_input, options),
        report=functools.partial(tell, job, held),
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


# The model in memory ----------------------------------------------------------------------------

_loading = threading.Lock()


def model(name: str) -> AlphaFold3:
    """The model with its trained weights, loaded once per process."""
    with _loading:
        return _model(name)


@functools.lru_cache(maxsize=1)
def _model(name: str) -> AlphaFold3:
    from webapp import pipeline

    loaded = pipeline.load_model(name)
    pipeline.rehearse(loaded)
    return loaded


@worker_process_init.connect
def warm_up(**signal: Any) -> None:
    """Loads torch and the model while the child waits for its first job."""
    threading.Thread(target=_warm_up, name="warm-up", daemon=True).start()


def _warm_up() -> None:
    model(FoldOptions().model)
