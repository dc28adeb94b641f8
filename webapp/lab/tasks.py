"""The Lab's tasks, and its worker: one run at a time, and chores beside it.

The worker's main process holds no torch; each task runs in a child that ends after it and gives its
memory back. The whole program steps back behind everything else on the machine.
"""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

from celery import Task
from celery.signals import worker_init, worker_shutdown

from quantum.errors import QuantumError
from webapp import tasks
from webapp.celery import app
from webapp.lab import chores, runs, work
from webapp.live import publisher
from webapp.models import LabRun
from webapp.queue import LAB_CHORE_TASK, LAB_TASK

if TYPE_CHECKING:
    from webapp.lab.engine import Site

logger = logging.getLogger(__name__)
NICENESS = 10
LAST_WORDS_SECONDS = 3.0


def is_lab(node: str) -> bool:
    """Whether a worker of this name is the Lab's."""
    return node.startswith(tasks.LAB)


@app.task(name=LAB_TASK, bind=True)
def run(task: Task[Any, Any], run_id: str) -> None:
    """Does the run, if it still waits and this worker has none in hand; then sends the next one."""
    started = runs.start(run_id, worker=tasks.worker_name(task.request.hostname or tasks.LAB))
    if started is not None:
        try:
            bring_to_end(started)
        finally:
            runs.send_next()
            publisher.flush(timeout_seconds=LAST_WORDS_SECONDS)


def bring_to_end(started: LabRun) -> None:
    """Computes a started run; what only a run that goes on needs is removed at its end."""
    if work.work_on(started, lambda report: compute(started, report)):
        from webapp.lab import engine

        engine.forget(site(), started.pk.hex)
        publisher.lab_changed("registry")


def compute(started: LabRun, report: Any) -> dict[str, Any]:
    """The result of the run, as plain data."""
    from webapp.lab import engine, trainings

    name, given = started.pk.hex, started.values
    if started.is_training:
        return trainings.run_training(site(), given, run=name, report=report)
    return engine.run_application(site(), started.name, given, run=name, report=report)


def site() -> Site:
    """This installation, for the engine."""
    from webapp.lab import engine

    return engine.Site(**runs.site_words())


# Chores -----------------------------------------------------------------------------------------


@app.task(name=LAB_CHORE_TASK)
def chore(words: str) -> None:
    """Does what a page asked for: `["read"]`, `["test", name]` and so on, as JSON."""
    verb, *given = json.loads(words)
    try:
        CHORES[verb](*given)
    finally:
        publisher.flush(timeout_seconds=LAST_WORDS_SECONDS)


def read_backends() -> None:
    from webapp.lab import engine

    chores.note_readings(engine.read_backends(site()))
    settle()


def settle() -> None:
    """Stops jobs that nobody waits for, and writes down what those that are over cost."""
    from webapp.lab import engine

    engine.settle_left_over(site(), runs.ended)
    engine.write_mirror(site())


def test_backend(name: str) -> None:
    from webapp.lab import engine

    passed, message = engine.test_backend(site(), name)
    chores.note_readings([engine.read_backend(site(), name)])
    chores.note_test(name, passed=passed, message=message)


def promote(name: str, version: int, stage: str, by: str) -> None:
    from webapp.lab import engine

    _registry(lambda: engine.promote(site(), name, version, stage, reason=f"by {by}"))


def roll_back(name: str, by: str) -> None:
    from webapp.lab import engine

    _registry(lambda: engine.roll_back(site(), name, reason=f"by {by}"))


def _registry(verb: Any) -> None:
    """Does it, and shows the registry afterwards, with what went wrong if something did."""
    from webapp.lab import engine

    notice = ""
    try:
        verb()
    except QuantumError as error:
        notice = engine.sentence(error)
    engine.write_mirror(site(), notice=notice)
    publisher.lab_changed("registry")


CHORES: dict[str, Any] = {
    "read": read_backends,
    "settle": settle,
    "test": test_backend,
    "promote": promote,
    "roll_back": roll_back,
}


# The worker -------------------------------------------------------------------------------------

_node: list[str] = []


@worker_init.connect
def step_back(sender: Any, **signal: Any) -> None:
    """The Lab's worker lets folds and pages go first, and so do its children."""
    if is_lab(sender.hostname):
        _node.append(sender.hostname)
        os.nice(NICENESS)


@worker_shutdown.connect
def leave_in_order(**signal: Any) -> None:
    """What it had in hand goes back into the queue."""
    while _node:
        runs.give_back_all(_node.pop())
        publisher.flush(timeout_seconds=LAST_WORDS_SECONDS)
