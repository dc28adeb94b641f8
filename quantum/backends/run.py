"""Runs a batch on a backend from beginning to end: submit, wait, fetch.

The handle is saved before anything is waited for, and before anything is sent at all: whoever runs
the same tag again, in this process or after a restart, picks the job up where it stands.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import ceil, inf
from time import monotonic

import torch
from jaxtyping import Float
from torch import Tensor

from quantum.backends.base import Backend, Batch, Handle, Measured, Status, batch_of
from quantum.backends.handles import HandleStore
from quantum.backends.simulated import SimulatorBackend, exact_means
from quantum.backends.tags import RunTags
from quantum.circuit import Circuit, Number
from quantum.errors import BackendError, Cancelled, DeadlinePassed, InvalidValues, JobFailed
from quantum.observable import PauliSum

_LISTEN_SECONDS = 2.0  # of a pause before a submission, between two looks whether it is wanted


@dataclass(frozen=True)
class Patience:
    """How long to wait for a submission, and how often to ask.

    Args:
        deadline_seconds: from the call to the result, whatever happens between, over all backends
            that are tried in turn.
        queue_seconds: a job that has not begun by then is given up; None waits till the deadline.
        first_seconds, longest_seconds: pause between two questions; it doubles from one to the
            other.
        trouble: transient failures in a row that are taken for hiccups.
    """

    deadline_seconds: Number = 600.0
    queue_seconds: Number | None = None
    first_seconds: Number = 0.5
    longest_seconds: Number = 20.0
    trouble: int = 5


def expectations(
    backend: Backend,
    circuit: Circuit,
    values: Float[Tensor, "row parameter"],
    observables: Sequence[PauliSum],
    *,
    shots: int | None = None,
    seed: int | None = None,
    store: HandleStore | None = None,
    run_name: str = "",
    patience: Patience | None = None,
) -> Float[Tensor, "row observable"]:
    """The mean of every observable for each row of values, in the type of the values.

    Args:
        values: the circuit's weights followed by its inputs, in their order.
        shots: None asks for exact values where the backend has them.
        store: where the job's handle is kept; it needs a `run_name`.
        run_name: after a restart the same call under the same name finds its job there, and what
            a provider answered under it is the answer to every such call.

    Raises:
        InvalidValues: where the numbers do not fit the circuit, or a store has no name.
        BackendError: where the backend cannot do it; its subclasses say why.
    """
    if not observables:
        raise InvalidValues("give at least one observable")
    rows = values.detach()
    if isinstance(backend, SimulatorBackend) and shots is None:
        return exact_means(circuit, tuple(observables), rows)
    batch = batch_of(circuit, rows, observables=tuple(observables), shots=shots, seed=seed)
    if store is not None or run_name:
        batch = RunTags(run_name).tagged(batch)
    measured = run(backend, batch, store=store, patience=patience or Patience())
    return torch.tensor([found.means for found in measured], dtype=torch.float64).to(rows)


def run(
    backend: Backend,
    batch: Batch,
    *,
    store: HandleStore | None = None,
    patience: Patience = Patience(),
    report: Callable[[Handle, Status], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Measured, ...]:
    """What came out of the batch, circuit by circuit and row by row.

    Args:
        store: where handles are kept; without one, a restart forgets the job.
        report: hears where the submission stands; it may raise `Cancelled`, which cancels it.
        sleep: waits so many seconds.

    Raises:
        DeadlinePassed: the job goes on at the provider; its handle stays in the store.
        BackendError: the provider's refusal or failure, by class.
    """
    end = monotonic() + patience.deadline_seconds

    def listen() -> None:
        if report is not None:
            report(Handle(backend.name, batch), Status.QUEUED)

    handle = hand_over(
        backend, batch, store=store, end=end, patience=patience, listen=listen, sleep=sleep
    )
    try:
        measured = wait(backend, handle, end=end, patience=patience, report=report, sleep=sleep)
    except JobFailed:  # it will never have a result: the tag is free for another try
        if store is not None:
            store.remove(handle.tag)
        raise
    if store is not None:
        store.remove(handle.tag)
    return measured


def hand_over(
    backend: Backend,
    batch: Batch,
    *,
    store: HandleStore | None = None,
    end: float | None = None,
    patience: Patience = Patience(),
    listen: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Handle:
    """The handle of the batch's one submission: the one that is known, or a new one.

    Args:
        end: on `time.monotonic`'s clock; until then a provider that says that it takes nothing now
            is asked again. An answer that got lost is never asked for again here.
        listen: is called every few seconds of a pause; it may raise `Cancelled`: nothing is sent
            then.
    """

    def pause(seconds: float) -> None:
        for _ in range(ceil(seconds / _LISTEN_SECONDS)):
            listen()
            sleep(min(seconds, _LISTEN_SECONDS))
            seconds -= _LISTEN_SECONDS

    if store is None:
        return _submit(backend, batch, end, patience, pause)
    known = store.find(batch.tag)
    if known is not None and known.backend == backend.name and known.job_id:
        return known
    store.save(Handle(backend.name, batch))  # before sending: the tag is what finds it again
    handle = _submit(backend, batch, end, patience, pause)
    store.save(handle)
    return handle


def _submit(
    backend: Backend,
    batch: Batch,
    end: float | None,
    patience: Patience,
    pause: Callable[[float], None],
) -> Handle:
    seconds = patience.first_seconds
    if end is not None and patience.queue_seconds is not None:
        end = min(end, monotonic() + patience.queue_seconds)  # to be put off is to queue
    for left in reversed(range(patience.trouble)):
        try:
            return backend.submit(batch)
        except BackendError as error:
            wanted = max(seconds, error.retry_after_seconds or 0.0)
            too_late = end is None or monotonic() + wanted >= end
            if not error.was_refused or not left or too_late:
                raise
        pause(wanted)
        seconds = min(2 * seconds, patience.longest_seconds)
    raise AssertionError("the last try returns or raises")


def wait(
    backend: Backend,
    handle: Handle,
    *,
    end: float,
    patience: Patience = Patience(),
    report: Callable[[Handle, Status], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Measured, ...]:
    """The results of a submission that is under way.

    Args:
        end: the deadline on `time.monotonic`'s clock.
    """
    pause = patience.first_seconds
    trouble = 0
    queue_end = inf if patience.queue_seconds is None else monotonic() + patience.queue_seconds
    status = None
    while True:
        try:
            status = backend.status(handle)
            if report is not None:
                report(handle, status)
            if status.is_final:
                return _fetch(backend, handle, status)
            trouble = 0
        except Cancelled:
            with suppress(BackendError):  # it may be gone already
                backend.cancel(handle)
            raise
        except BackendError as error:
            trouble += 1
            if not error.transient or trouble > patience.trouble:
                raise
        waits = status is Status.QUEUED
        left = (min(end, queue_end) if waits else end) - monotonic()
        if left <= 0:
            told = "begin" if waits and queue_end < end else "finish"
            seconds = patience.queue_seconds if told == "begin" else patience.deadline_seconds
            raise DeadlinePassed(
                f"{handle.backend} did not {told} {handle.job_id} within {seconds:g} s; "
                f"the job is kept under the tag {handle.tag}"
            )
        sleep(min(pause, left))
        pause = min(2 * pause, patience.longest_seconds)


def _fetch(backend: Backend, handle: Handle, status: Status) -> tuple[Measured, ...]:
    if status is Status.SUCCEEDED:
        return backend.result(handle)
    if status is Status.CANCELLED:
        raise JobFailed(f"{handle.backend}'s job {handle.job_id} was cancelled")
    backend.result(handle)  # says why it failed
    raise JobFailed(f"{handle.backend}'s job {handle.job_id} failed")
