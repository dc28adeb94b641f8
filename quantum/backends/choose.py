"""Which backend runs a batch: the one that is wanted, or the next one that can, with the reason.

The usual chain is IBM or IonQ, the other one, the simulator, and an exact classical method where
the caller has one; `quantum` asks the better of the two first. Every hop is recorded: a fallback is
a result, not a secret.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import Any, TypeAlias

from quantum.backends.base import (
    Backend,
    Batch,
    Closable,
    Estimate,
    Handle,
    Measured,
    Status,
    is_local,
)
from quantum.backends.executions import Execution, ExecutionLog
from quantum.backends.handles import HandleStore
from quantum.backends.ledger import Ledger
from quantum.backends.line import until
from quantum.backends.names import CLASSICAL, DEVICES, QUANTUM
from quantum.backends.offers import Offer as Offer
from quantum.backends.offers import Scales
from quantum.backends.result_cache import ResultCache, fingerprint
from quantum.backends.run import Patience, hand_over, wait
from quantum.backends.settling import (
    given_up,
    is_given_up,
    price,
    settle_left_over,
    taken_up,
)
from quantum.backends.watch import Report, Watch, silent
from quantum.circuit import Number
from quantum.errors import (
    BackendError,
    BudgetExceeded,
    Cancelled,
    Damaged,
    DeadlinePassed,
    DoesNotFit,
    JobFailed,
    NotConfigured,
    QuantumError,
)

Open: TypeAlias = Callable[[str], Backend]
Classical: TypeAlias = Callable[[Batch], tuple[Measured, ...]]

CHAINS: dict[str, tuple[str, ...]] = {
    "ibm": ("ibm", "ionq", "simulator"),
    "ionq": ("ionq", "ibm", "simulator"),
    "noisy": ("noisy", "simulator"),
    "mock": ("mock",),
    "simulator": ("simulator",),
}


@dataclass(frozen=True)
class BackendManager:
    """Chooses, waits, falls back, keeps to the budget, and writes down what happened.

    Args:
        open: gives a backend by name; raises `NotConfigured`.
        store: of handles, so that a restart picks jobs up.
        ledger: of money; without one, only what is free runs.
        patience: with all backends together: each gets the time that those before it left. What
            needs no provider may begin when the time is over, as the last resort.
        longest_queue_seconds: a backend that says its queue is longer is passed over; a job that
            has not begun after so long is given up, whatever was said.
        log: of executions.
        results: answers given before, for whoever accepts the same shots twice.
    """

    open: Open
    store: HandleStore | None = None
    ledger: Ledger | None = None
    patience: Patience = field(default_factory=Patience)
    longest_queue_seconds: Number = 3600.0
    log: ExecutionLog | None = None
    sleep: Callable[[float], None] = time.sleep
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CHAINS)
    results: ResultCache | None = None
    _opened: dict[str, Backend] = field(default_factory=dict, repr=False, compare=False)

    def dry_run(self, batch: Batch, *, wanted: str) -> tuple[Offer, ...]:
        """What each backend of the chain would take, in the order in which they would be asked.

        Nothing is sent but questions. Each is weighed as if it had all the time.
        """
        return tuple(self._weigh(name, batch) for name in self._chain(wanted, batch))

    def pick(self, batch: Batch, *, candidates: Sequence[str] = DEVICES) -> Offer:
        """The best of the candidates for this batch: of those that can take it and are within
        budget the quickest; where that is equal the cheapest, then the one with fewest CNOTs.

        Raises:
            NotConfigured: none can; the message says why for each.
        """
        offers = [self._weigh(name, batch) for name in candidates]
        able = [offer for offer in offers if offer.can_run]
        if not able:
            reasons = "; ".join(f"{offer.backend}: {offer.reason}" for offer in offers)
            raise NotConfigured(f"no backend can take the batch. {reasons}")
        return min(able, key=self._scales.burden)

    def run(
        self,
        batch: Batch,
        *,
        wanted: str = "simulator",
        classical: Classical | None = None,
        report: Report = silent,
    ) -> tuple[tuple[Measured, ...], Execution]:
        """What came out, and the record of how.

        Args:
            wanted: asked first; the others of its chain follow. A backend where this batch's tag is
                under way since before comes before all.
            classical: asked last, where every backend fails.
            report: hears `{"kind": "execution", …}` at every change; may raise `Cancelled`.

        Raises:
            Cancelled: somebody stopped it; the job is cancelled where it runs.
            BackendError: nobody could do it; the message holds each reason.
        """
        begin = time.monotonic()
        record = Execution(
            tag=batch.tag,
            wanted=wanted,
            n_qubits=batch.n_qubits,
            n_runs=batch.n_runs,
            shots=batch.shots,
        )
        watch = Watch(report, begin, begin + self.patience.deadline_seconds, record)
        try:
            return self._run(batch, wanted, classical, watch), watch.record
        except BaseException as error:  # whatever it is, no record stays under way for ever
            self._end(watch, error)
            raise

    def _run(
        self, batch: Batch, wanted: str, classical: Classical | None, watch: Watch
    ) -> tuple[Measured, ...]:
        with until(watch.end):
            names = self._order(wanted, batch, watch)
        attempts = [(name, partial(self._try, name)) for name in names]
        if classical is not None:
            attempts.append((CLASSICAL, partial(self._solve, classical)))
        for name, attempt in attempts:
            begun = time.monotonic()
            watch.note(backend=name, handle_id="", status="queued")
            try:
                with until(watch.end):
                    return attempt(batch, watch)
            except Cancelled:
                raise
            except (QuantumError, ImportError) as error:
                watch.hop(error, since=begun)
        self._tell(watch, status="failed")
        raise BackendError(f"no backend could run the batch. {watch.record.reasons}")

    def _end(self, watch: Watch, error: BaseException) -> None:
        """Closes the record of a run that raises."""
        if isinstance(error, Cancelled):
            self._tell(watch, status="cancelled", quiet=True)
        elif watch.record.status in ("queued", "running"):
            self._tell(watch, status="failed", quiet=True)

    def _solve(self, classical: Classical, batch: Batch, watch: Watch) -> tuple[Measured, ...]:
        self._tell(watch, status="running")
        measured = classical(batch)
        self._tell(watch, status="succeeded")
        return measured

    def _order(self, wanted: str, batch: Batch, watch: Watch) -> tuple[str, ...]:
        """The backends in the order in which they are tried."""
        names = self._chain(wanted, batch)
        under_way = self._under_way(names, batch)
        if under_way in ("", *names[:1]):
            return names
        reason = f"an earlier attempt had moved on to {under_way} and is under way there"
        watch.note(fallback_reason=reason)
        return (under_way, *(name for name in names if name != under_way))

    def settle_left_over(self) -> int:
        """How many jobs that were given up or cancelled, and went on, are over and settled by now,
        or lost their process a day ago.

        To be called now and then: until it is, their money counts as spent. Where money is short
        they are asked about anyhow.
        """
        return 0 if self.store is None else settle_left_over(self.store, self.ledger, self._open)

    def close(self) -> None:
        """Ends the batches and sessions that were opened at providers, so that they cost no more;
        to be called when the last batch is done. What runs after all opens new ones."""
        for backend in self._opened.values():
            if isinstance(backend, Closable):
                with suppress(QuantumError):  # the provider ends it when its time is over
                    backend.close()

    def _chain(self, wanted: str, batch: Batch) -> tuple[str, ...]:
        if wanted != QUANTUM:
            return self.chains.get(wanted, (wanted, "simulator"))
        offers = [self._weigh(name, batch) for name in DEVICES]
        burden = self._scales.burden
        offers.sort(key=lambda offer: burden(offer) if offer.can_run else (inf, inf, 0))
        return (*(offer.backend for offer in offers), "simulator")

    def _under_way(self, names: Sequence[str], batch: Batch) -> str:
        """The backend that was handed this batch before and was not given up; empty for none."""
        for name in names:
            with suppress(Damaged):  # that backend will say so when it is its turn
                if self._known(name, batch) is not None:
                    return name
        return ""

    def _known(self, name: str, batch: Batch) -> Handle | None:
        found = None if self.store is None else self.store.find(self._tag(name, batch))
        if found is None or not found.job_id or is_given_up(found):
            return None
        return found

    def _try(self, name: str, batch: Batch, watch: Watch) -> tuple[Measured, ...]:
        """The batch on one backend: estimate, set money aside, submit, wait, settle."""
        if (kept := self._kept(name, batch)) is not None:
            self._tell(watch, handle_id="kept from before", status="succeeded")
            return kept
        tagged = replace(batch, tag=self._tag(name, batch))
        backend, handle = self._submit(name, batch, tagged, watch)
        patience = replace(self.patience, queue_seconds=self.longest_queue_seconds)

        def hear(handle: Handle, status: Status) -> None:
            if status.value != watch.record.status and not status.is_final:
                self._tell(watch, status=status.value)
            else:
                watch.report({"kind": "waiting", "backend": name, "status": status.value})

        try:
            measured = wait(
                backend, handle, end=watch.end, patience=patience, report=hear, sleep=self.sleep
            )
        except DeadlinePassed:
            watch.note(cost=self._call_off(backend, handle, watch.cost))
            raise
        except JobFailed:
            watch.note(cost=self._settle_failed(backend, handle, watch.cost))
            raise
        except Cancelled:
            watch.note(cost=self._leave(backend, handle, watch.cost))
            raise
        watch.note(cost=self._settle(backend, handle, watch.cost))
        if self.results is not None:
            self.results.store(fingerprint(backend), batch, measured)
        if self.store is not None:  # last: whoever dies before finds the job and its answer
            self.store.remove(tagged.tag)
        self._tell(watch, status="succeeded")
        return measured

    def _submit(
        self, name: str, batch: Batch, tagged: Batch, watch: Watch
    ) -> tuple[Backend, Handle]:
        """The job at the backend: one that it has already, or a new one with its money."""
        held = self._holds(tagged.tag)
        handle = self._known(name, batch)
        backend = self._prepare(name, batch, watch)
        patience = replace(self.patience, queue_seconds=self.longest_queue_seconds)
        sending = False

        def listen() -> None:
            watch.report({"kind": "waiting", "backend": name, "status": "queued"})

        try:
            self._tell(watch)
            sending = True
            handle = hand_over(
                backend, tagged, store=self.store, end=watch.end, patience=patience,
                listen=listen, sleep=self.sleep,
            )  # fmt: skip
            if is_given_up(handle) and self.store is not None:
                self.store.save(handle := taken_up(handle))
            self._tell(watch, handle_id=handle.job_id)
        except Exception as error:
            if handle is not None and isinstance(error, Cancelled):
                watch.note(cost=self._call_off(backend, handle, watch.cost))
            elif handle is None and not held and (not sending or _was_refused(error)):
                self._release(tagged.tag)  # else this job, or one of an earlier try, may be taken
                watch.note(cost=0.0)
            raise
        return backend, handle

    def _prepare(self, name: str, batch: Batch, watch: Watch) -> Backend:
        """The backend, with money set aside. A job that it has already is weighed no more."""
        if self._known(name, batch) is not None:
            watch.note(cost=self._cost(name, batch))
            return self._open(name)
        if not watch.left:
            over = f"the {self.patience.deadline_seconds:g} s for this batch were over"
            if not is_local(self._open(name)):
                raise DeadlinePassed(f"{over} before it was sent to {name}")
            before = watch.record.fallback_reason
            late = f"{over}, but {name} needs nobody and answers late"
            watch.note(fallback_reason=f"{before}; {late}" if before else late)
        waits = self._make_way(name, batch)
        tag = self._tag(name, batch)
        offer, backend = self._scales.offer(name, batch, tag=tag, seconds=watch.left)
        if offer.estimate is None or backend is None:
            raise DoesNotFit(offer.reason)
        estimate = offer.estimate
        # The money of a job that waits was set aside, or spent, before.
        cost = self._cost(name, batch) if waits else self._set_aside(name, batch, estimate)
        watch.note(cost=cost, currency=estimate.currency)
        return backend

    def _cost(self, name: str, batch: Batch) -> float:
        """What the ledger has set aside, or spent, for the batch there."""
        return 0.0 if self.ledger is None else self.ledger.cost(self._tag(name, batch))

    def _settle_failed(self, backend: Backend, handle: Handle, cost: float) -> float:
        """What the job cost. Most providers take no money for a failed one, and say so. Where one
        does, it stands under the job's own name from now on: its tag is free for another try."""
        with suppress(BackendError):
            backend.cancel(handle)  # parts of it may still run, for nothing
        cost = self._settle(backend, handle, cost, under=f"{handle.tag} {handle.job_id}")
        self._release(handle.tag)
        if self.store is not None:
            self.store.remove(handle.tag)
        return cost

    def _call_off(self, backend: Backend, handle: Handle, cost: float) -> float:
        """Cancels a job that nobody wants, or that took too long, so that it does not cost money
        beside its successor; gives what it cost, or may cost."""
        if self.store is not None:
            self.store.save(given_up(handle))
        with suppress(BackendError):
            backend.cancel(handle)
        return self._leave(backend, handle, cost)

    def _leave(self, backend: Backend, handle: Handle, cost: float) -> float:
        """Settles a cancelled job, unless it may go on: then its money stays set aside.

        Its handle stays in the store, marked, so that somebody comes back to settle it, or to fetch
        a result that came all the same.
        """
        if self.store is not None:
            self.store.save(given_up(handle))
        with suppress(BackendError):
            if backend.status(handle).is_final:
                return self._settle(backend, handle, cost)
        return cost

    def _holds(self, tag: str) -> bool:
        """Whether money is set aside for the tag; a ledger that cannot be read may hold some."""
        try:
            return self.ledger is not None and self.ledger.cost(tag) > 0
        except Damaged:
            return True

    def _release(self, tag: str) -> None:
        if self.ledger is not None:
            self.ledger.release(tag)

    def _settle(self, backend: Backend, handle: Handle, cost: float, *, under: str = "") -> float:
        """What the job cost in the end: what the provider says, else what was set aside."""
        if self.ledger is None or not cost:
            return cost
        cost = price(backend, handle, cost)
        self.ledger.settle(under or handle.tag, cost)
        return cost

    def _kept(self, name: str, batch: Batch) -> tuple[Measured, ...] | None:
        if self.results is None:
            return None
        return self.results.find(fingerprint(self._open(name)), batch)

    def _open(self, name: str) -> Backend:
        """The backend, opened once: what it learnt of its provider is kept."""
        if name not in self._opened:
            self._opened[name] = self.open(name)
        return self._opened[name]

    def _make_way(self, name: str, batch: Batch) -> bool:
        """Whether a job of the batch that was given up may still answer. One that came to nothing
        is forgotten: the next is new, and what it cost stands under its own name from now on."""
        found = None if self.store is None else self.store.find(self._tag(name, batch))
        if found is None or not found.job_id or self.store is None:
            return False
        if self._open(name).status(found) in (Status.CANCELLED, Status.FAILED):
            if self.ledger is not None and (cost := self.ledger.cost(found.tag)):
                cost = price(self._open(name), found, cost)
                self.ledger.settle(f"{found.tag} {found.job_id}", cost)
                self.ledger.release(found.tag)
            self.store.remove(found.tag)
            return False
        return True

    def _weigh(self, name: str, batch: Batch) -> Offer:
        return self._scales.weigh(name, batch, tag=self._tag(name, batch))

    @property
    def _scales(self) -> Scales:
        return Scales(
            self._open,
            self.ledger,
            self.patience.deadline_seconds,
            self.longest_queue_seconds,
            self.settle_left_over,
        )

    def _set_aside(self, name: str, batch: Batch, estimate: Estimate) -> float:
        """The most it can cost, set aside under the lock: here two processes cannot both pass."""
        cost = float(estimate.at_most or 0.0)
        if cost and self.ledger is not None:
            if estimate.currency != self.ledger.currency:
                raise BudgetExceeded(
                    f"{name} counts in {estimate.currency}, the budget in {self.ledger.currency}"
                )
            self.ledger.reserve(self._tag(name, batch), cost)
        return cost

    def _tag(self, name: str, batch: Batch) -> str:
        return f"{batch.tag}-{name}"

    def _tell(self, watch: Watch, *, quiet: bool = False, **changes: Any) -> None:
        watch.note(**changes, seconds=round(time.monotonic() - watch.start, 3))
        if self.log is not None:
            self.log.append(watch.record)
        if not quiet:
            watch.report({"kind": "execution", **watch.record.to_json()})


def _was_refused(error: Exception) -> bool:
    """Whether the submission surely did not reach a queue."""
    if isinstance(error, BackendError) and error.was_refused:
        return True
    return isinstance(error, (QuantumError, ImportError)) and not getattr(error, "transient", False)
