"""The second hallway: from the Lab to the quantum engine and back as plain data. No Django in it.

Importing this brings torch, so only workers and the command line do. What people chose comes in as
plain values, `report` is the only voice while it runs (and raises to end it), and results go out
ready for JSON.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, TypeAlias

from quantum.applications import find_application
from quantum.applications.place import Route
from quantum.backends.base import Backend, Batch, Capabilities, Measured, batch_of
from quantum.backends.cache import FileCache
from quantum.backends.catalog import open_backend
from quantum.backends.choose import BackendManager, Classical
from quantum.backends.clock import now
from quantum.backends.executions import Execution, ExecutionLog
from quantum.backends.handles import HandleStore
from quantum.backends.ledger import Ledger
from quantum.backends.names import DEVICES, NAMES
from quantum.backends.result_cache import ResultCache
from quantum.backends.run import Patience, run
from quantum.backends.settling import given_up
from quantum.backends.tags import RunTags
from quantum.circuit import Circuit
from quantum.errors import Cancelled, InvalidValues, NotConfigured, QuantumError
from quantum.store.registry import ModelRegistry, Stage
from webapp.lab.folder import LabFolder

logger = logging.getLogger(__name__)
Report: TypeAlias = Callable[[dict[str, Any]], None]
TEST_SHOTS = 200
_LAB = "lab-"
_TAG = re.compile(f"{_LAB}([0-9a-f]{{32}})-")  # of a run that has a row
_SURPRISE = "It answered in a way that is not understood here; the worker's log says more."


@dataclass(frozen=True)
class Site:
    """This installation: where files lie, who it is to providers, what it may spend.

    Args:
        environment: variables that hold credentials.
        cap: of all money together.
        wait_seconds: for a batch on all devices together; half of it may pass in one queue.
        targets: the machine of `ibm` and of `ionq`; empty for the default.
        ibm_usd_per_second: what IBM's plan charges for a machine's time; 0 on a free one.
    """

    folder: LabFolder
    environment: Mapping[str, str] = field(repr=False, default_factory=dict)
    cap: float = 0.0
    wait_seconds: float = 3600.0
    targets: Mapping[str, str] = field(default_factory=dict)
    ibm_usd_per_second: float = 1.6

    def open(self, name: str) -> Backend:
        """The backend of that name; raises `NotConfigured`."""
        options: dict[str, Any] = {}
        if name == "ibm":
            options["usd_per_second"] = self.ibm_usd_per_second
        if target := self.targets.get(name):
            options["device" if name == "ibm" else "target"] = target
        return open_backend(name, self.environment, cache_folder=self.folder.cache, **options)

    def manager(self, *, results: ResultCache | None = None) -> BackendManager:
        """Chooses backends with this site's credentials and budget, and writes down what ran."""
        return BackendManager(
            self.open,
            results=results,
            store=HandleStore(self.folder.handles),
            ledger=self.ledger,
            patience=Patience(deadline_seconds=self.wait_seconds),
            longest_queue_seconds=self.wait_seconds / 2,
            log=ExecutionLog(self.folder.executions),
        )

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.folder.ledger, self.cap)


class OnceManager:
    """A manager for one run, whose submissions have the same tags when the run is done again.

    So a job that was handed to a device before the worker was lost is found by its tag, and what a
    device had answered already is read from the run's folder: nothing is bought twice. A job that
    was cancelled with its run has no answer: a run that is resumed asks under another tag.
    """

    def __init__(self, site: Site, run: str) -> None:
        self._folder = site.folder.results(run)
        self._manager = site.manager(results=ResultCache(FileCache(self._folder / "answers")))
        self._tags = RunTags(f"{_LAB}{run}")

    def run(
        self, batch: Batch, *, wanted: str, report: Report, classical: Classical | None = None
    ) -> tuple[tuple[Measured, ...], Execution]:
        tagged = self._tagged(batch)
        try:
            return self._manager.run(tagged, wanted=wanted, classical=classical, report=report)
        except Cancelled:
            self._stop(tagged.tag)
            raise

    def _tagged(self, batch: Batch) -> Batch:
        tagged = self._tags.tagged(batch)
        while (self._folder / f"{tagged.tag}.stopped").exists():
            tagged = replace(tagged, tag=f"{tagged.tag}s")
        return tagged

    def _stop(self, tag: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{tag}.stopped").touch()


# Applications -----------------------------------------------------------------------------------


def run_application(
    site: Site, name: str, values: Mapping[str, Any], *, run: str, report: Report
) -> dict[str, Any]:
    """What the application found, as plain data.

    Args:
        run: names this run for ever: done again under this name, it buys nothing twice.

    Raises:
        QuantumError: it cannot be done; `Cancelled` where `report` said so.
    """
    application = find_application(name)
    wanted = application.values(values)["backend"]
    begin = time.monotonic()
    found = application.run({**values, "backend": Route(OnceManager(site, run), wanted)}, report)
    result = {
        "summary": found.summary,
        "winner": found.winner,
        "numbers": found.numbers,
        "series": found.series,
        "seconds": time.monotonic() - begin,
    }
    write_mirror(site)
    answer: dict[str, Any] = plain(result)
    return answer


# Money ------------------------------------------------------------------------------------------


def settle_left_over(site: Site, ended: Callable[[set[str]], set[str]]) -> int:
    """How many jobs that nobody waits for turned out to be over, and are settled: those that were
    given up, and those of runs that ended, or are gone, while no worker held them.

    Args:
        ended: those of these runs that have.
    """
    store = HandleStore(site.folder.handles)
    runs = {handle.tag: found[1] for handle in store if (found := _TAG.match(handle.tag))}
    over = ended(set(runs.values()))
    for tag in (tag for tag in runs if runs[tag] in over):
        # Read anew: the job of a run that ended in order has no handle any more.
        if (handle := store.find(tag)) is not None:
            store.save(given_up(handle))
    return site.manager().settle_left_over()


# Backends ---------------------------------------------------------------------------------------


def read_backends(site: Site) -> list[dict[str, Any]]:
    """Every backend: whether it is configured, and what it says of itself now."""
    return [read_backend(site, name) for name in NAMES]


def read_backend(site: Site, name: str) -> dict[str, Any]:
    """One backend, as the fields of a `BackendReading`."""
    found: dict[str, Any] = {"configured": True, "reason": "", "online": False, "error": ""}
    try:
        return {"name": name, **found, **_read(site, name)}
    except (QuantumError, ImportError) as error:
        return {"name": name, **found, "error": sentence(error)}
    except Exception:  # one backend that surprises us does not hide the others
        logger.exception("Reading the backend %s failed", name)
        return {"name": name, **found, "error": _SURPRISE}


def _read(site: Site, name: str) -> dict[str, Any]:
    try:
        backend = site.open(name)
    except (NotConfigured, InvalidValues) as error:
        return {"configured": False, "reason": sentence(error)}
    limits = backend.capabilities()
    state = backend.state() if hasattr(backend, "state") else {}
    queue = state.get("queue_seconds")
    online = state.get("status") in (None, "available", "running")
    return {
        "online": online,
        "error": "" if online else f"The provider says: {state['status']}.",
        "n_qubits": limits.n_qubits,
        "queue_jobs": limits.queue_jobs,
        "queue_seconds": None if queue is None else float(queue),
        "errors": {k: v for k, v in limits.errors.items() if isfinite(v)},
        "pays": limits.pays,
        "note": _cost_note(name, limits, site),
    }


def _cost_note(name: str, limits: Capabilities, site: Site) -> str:
    if name not in DEVICES:
        return "Free: runs on this machine."
    if not limits.pays:
        return "Free: the provider's simulator." if name == "ionq" else "Free on this plan."
    if name == "ibm":
        return "By the second of machine time; what a job may take at most is set aside first."
    return "By gates and shots; IonQ's own estimate is set aside before a job is sent."


def test_backend(site: Site, name: str) -> tuple[bool, str]:
    """Whether the backend answers, and what it said, in a sentence. Spends nothing.

    A backend here runs a pair of entangled qubits; a provider is asked what it has.
    """
    begin = time.monotonic()
    try:
        backend = site.open(name)
        limits = backend.capabilities()
        if name in DEVICES:
            seconds = time.monotonic() - begin
            queue = "" if limits.queue_jobs is None else f", {limits.queue_jobs} jobs wait"
            return True, f"Answers in {seconds:.1f} s: {limits.n_qubits} qubits{queue}."
        pair = batch_of(Circuit(2).h(0).cx(0, 1), shots=TEST_SHOTS, seed=1)
        counts = run(backend, pair)[0].counts
    except (QuantumError, ImportError) as error:
        return False, sentence(error)
    except Exception:
        logger.exception("Testing the backend %s failed", name)
        return False, _SURPRISE
    alike = counts.get("00", 0) + counts.get("11", 0)
    return True, (
        f"Two entangled qubits read alike in {alike} of {TEST_SHOTS} shots, after "
        f"{time.monotonic() - begin:.2f} s."
    )


def executions(site: Site) -> list[Execution]:
    """Everything that ran from this folder, the oldest first."""
    return list(ExecutionLog(site.folder.executions))


def answers(site: Site, run: str) -> list[Execution]:
    """What answered each batch of the run in the end, those of its earlier attempts among them."""
    mine = (one for one in executions(site) if one.tag.startswith(f"{_LAB}{run}-"))
    return list({one.tag: one for one in mine if one.status == "succeeded"}.values())


# The registry -----------------------------------------------------------------------------------


def promote(site: Site, name: str, version: int, stage: str, *, reason: str) -> None:
    """Moves a version to a stage; raises `QuantumError`."""
    try:
        ModelRegistry(site.folder.registry).promote(name, version, Stage(stage), reason=reason)
    except ValueError:
        known = ", ".join(each.value for each in Stage)
        raise InvalidValues(f"The stages are {known}; there is no {stage!r}.") from None


def roll_back(site: Site, name: str, *, reason: str) -> None:
    """Puts the version into production again that was there before; raises `QuantumError`."""
    ModelRegistry(site.folder.registry).rollback(name, reason=reason)


def write_mirror(site: Site, *, notice: str = "") -> None:
    """Writes down for the pages what the registry holds and what was spent."""
    registry = ModelRegistry(site.folder.registry)
    content = {
        "models": [_mirrored(registry, name) for name in registry.names()],
        "spent": site.ledger.spent(),
        "currency": site.ledger.currency,
        "notice": notice,
        "at": now(),
    }
    site.folder.write_mirror(plain(content))


def _mirrored(registry: ModelRegistry, name: str) -> dict[str, Any]:
    versions = [
        {
            "version": v.version,
            "stage": v.stage.value,
            "metrics": v.metrics,
            "parents": list(v.parents),
            "lineage": [each.label for each in registry.lineage(name, v.version)][1:],
            "details": v.details,
            "at": v.at,
        }
        for v in reversed(registry.versions(name))
    ]
    moves = [
        {"version": m.version, "was": m.was.value, "stage": m.stage.value, "reason": m.reason,
         "at": m.at}
        for m in reversed(registry.history(name))
    ]  # fmt: skip
    return {"name": name, "versions": versions, "history": moves}


def forget(site: Site, run: str) -> None:
    """Removes what only a run that goes on needs."""
    shutil.rmtree(site.folder.results(run), ignore_errors=True)
    shutil.rmtree(site.folder.checkpoints(run), ignore_errors=True)


def has_checkpoint(site: Site, run: str) -> bool:
    """Whether a training of this name would go on instead of beginning."""
    return any(site.folder.checkpoints(run).glob("step-*"))


# Words and numbers ------------------------------------------------------------------------------


def sentence(error: BaseException) -> str:
    """The error as a sentence: the engine's own begin in lower case."""
    words = str(error).strip() or type(error).__name__
    words = words[:1].upper() + words[1:]
    return words if words.endswith((".", "!", "?")) else f"{words}."


def plain(value: Any) -> Any:
    """The value for JSON: no tensors, no numpy, nothing that is not a number in place of one."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value
