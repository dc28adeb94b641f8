"""A run in the hands of a worker: the lease is kept, what it says goes into the row and to pages.

The thread that keeps the lease also notices when the run has to end; whatever the science is busy
with, it learns of that when it reports next. A run that does not report in time is ended with its
process: the pool puts a new one in its place.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

from quantum.errors import Cancelled, QuantumError
from webapp.jobs import NotYours
from webapp.lab import runs
from webapp.lab.curves import Curves
from webapp.lease import Keeper, kept
from webapp.models import LabRun

logger = logging.getLogger(__name__)
TICK_SECONDS = 2.0
GRACE_SECONDS = 30.0
# A pause between two questions to a provider, one slow question, and the job's cancellation there:
# whoever is ended before that leaves a job that goes on and costs money.
REMOTE_GRACE_SECONDS = 300.0
RECORD_SECONDS = 0.5
OUT_OF_MEMORY = "This needs more memory than the machine has: try fewer qubits or fewer samples."
UNEXPECTED = (
    "Something went wrong inside Foldstream ({kind}); this is not your settings' fault. Try once "
    "more, and if it happens again, tell whoever runs this server the time and this page's address."
)
Science: TypeAlias = Callable[[Callable[[dict[str, Any]], None]], Mapping[str, Any]]


def work_on(run: LabRun, science: Science) -> bool:
    """Brings a started run to its end, whatever happens; whether it succeeded.

    Args:
        science: gets a `report` and gives back the result as plain data.
    """
    try:
        with hold(run) as held:
            reporter = Reporter(run, held)
            result = science(reporter)
            reporter.flush()
        return runs.succeed(run, result)
    except Cancelled:
        runs.stop(run)
    except NotYours:
        logger.warning("The Lab's run %s was taken away from this worker", run.pk)
    except QuantumError as error:
        runs.fail(run, _sentence(error))
    except MemoryError:
        runs.fail(run, OUT_OF_MEMORY)
    except Exception as error:
        if runs.fail(run, UNEXPECTED.format(kind=type(error).__name__)):
            raise
    return False


def _sentence(error: Exception) -> str:
    words = str(error)
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


class Held(Keeper):
    """A run in hand; one that does not listen ends with its process."""

    def __init__(self, run: LabRun) -> None:
        super().__init__()
        self.run = run
        is_remote = run.values.get("backend") in runs.PAID
        self.grace_seconds = REMOTE_GRACE_SECONDS if is_remote else GRACE_SECONDS
        self._asked_at: float | None = None

    def look(self) -> type[Exception] | None:
        ours, unwanted = runs.keep(self.run)
        if not ours:
            raise NotYours
        if not unwanted:
            return None
        self._asked_at = self._asked_at or time.monotonic()
        if time.monotonic() - self._asked_at >= self.grace_seconds and runs.stop(self.run):
            end_process()
        return Cancelled


def end_process() -> None:
    """Ends this process: what it computes does not listen."""
    os.kill(os.getpid(), signal.SIGKILL)


def hold(run: LabRun) -> AbstractContextManager[Held]:
    """Keeps the lease of the run for as long as the block runs."""
    return kept(Held(run), tick_seconds=TICK_SECONDS, name="lab-lease")


class Reporter:
    """The `report` of a run: collects what it says, writes it down twice a second at most."""

    def __init__(self, run: LabRun, held: Held) -> None:
        self.run, self.held = run, held
        saved = run.series if run.is_training else ()
        self.curves = Curves(goes_on=run.is_training, saved=saved)
        self._fields: dict[str, Any] = {}
        self._next = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        self.held.check()
        self._take(event)
        if time.monotonic() >= self._next:
            self.flush()

    def flush(self) -> None:
        """Writes what came since the last time; raises where the run has to end."""
        self._next = time.monotonic() + RECORD_SECONDS
        fields = {"series": self.curves.to_json(), **self._fields}
        if not runs.record(self.run, change="curves", **fields):
            raise NotYours
        ours, unwanted = runs.keep(self.run)
        if not ours or unwanted:
            raise Cancelled if unwanted else NotYours

    def _take(self, event: dict[str, Any]) -> None:
        match event["kind"]:
            case "metric":
                self.curves.add(event)
            case "progress":
                done, total = int(event["done"]), int(event["total"])
                self._fields |= {"done": done, "total": total, "message": f"{done} of {total}"}
            case "log":
                self._say(str(event["text"]))
            case "waiting" if event["status"] in ("queued", "running"):
                self._say(f"{event['backend']}: {event['status']}")
            case "execution":
                runs.record_execution(self.run, event)
                if event["status"] not in ("succeeded", "failed", "cancelled"):
                    self._say(f"{event['backend']}: {event['status']}")

    def _say(self, words: str) -> None:
        self._fields["message"] = words[:1].upper() + words[1:300]
