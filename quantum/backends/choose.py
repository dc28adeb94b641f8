"""Which backend runs a batch: the one that is wanted, or the next one that can, with the reason.

The usual chain is IBM or IonQ, the other one, the simulator, and an exact classical method where
the caller has one. Every hop is recorded: a fallback is a result, not a secret.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from quantum.backends.base import Backend, Batch, Estimate, Handle, Measured, Status
from quantum.backends.executions import Execution, ExecutionLog, Hop
from quantum.backends.handles import HandleStore
from quantum.backends.ledger import Ledger
from quantum.backends.routing import route
from quantum.backends.run import Patience, hand_over, wait
from quantum.backends.simulated import check_size
from quantum.circuit import Circuit, Number
from quantum.decomposition import to_cnots
from quantum.errors import (
    BackendError,
    BudgetExceeded,
    Cancelled,
    DeadlinePassed,
    DoesNotFit,
    NotConfigured,
    QuantumError,
)

Report: TypeAlias = Callable[[dict[str, Any]], None]
Open: TypeAlias = Callable[[str], Backend]
Classical: TypeAlias = Callable[[Batch], tuple[Measured, ...]]

CHAINS: dict[str, tuple[str, ...]] = {
    "ibm": ("ibm", "ionq", "simulator"),
    "ionq": ("ionq", "ibm", "simulator"),
    "noisy": ("noisy", "simulator"),
    "mock": ("mock",),
    "simulator": ("simulator",),
}


def _silent(event: dict[str, Any]) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A backend in the light of one batch.

    Args:
        estimate: None where the backend cannot take it; `reason` says why not.
        two_qubit_gates: CNOTs after routing to its neighbours; 0 where that is not known.
    """

    backend: str
    estimate: Estimate | None
    reason: str = ""
    two_qubit_gates: int = 0

    @property
    def can_run(self) -> bool:
        return self.estimate is not None


@dataclass(frozen=True)
class BackendManager:
    """Chooses, waits, falls back, keeps to the budget, and writes down what happened.

    Args:
        open: gives a backend by name; raises `NotConfigured`.
        store: of handles, so that a restart picks jobs up.
        ledger: of money; without one, only what is free runs.
        patience: for each paid or remote backend in turn.
        longest_queue_seconds: a backend that says its queue is longer is passed over.
        log: of executions.
        classical: the exact answer without a circuit, where there is one.
    """

    open: Open
    store: HandleStore | None = None
    ledger: Ledger | None = None
    patience: Patience = field(default_factory=Patience)
    longest_queue_seconds: Number = 3600.0
    log: ExecutionLog | None = None
    sleep: Callable[[float], None] = time.sleep
    chains: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: CHAINS)

    def dry_run(self, batch: Batch, *, wanted: str) -> tuple[Offer, ...]:
        """What each backend of the chain would take, in the order in which they would be asked.

        Nothing is sent but questions.
        """
        return tuple(self._weigh(name, batch) for name in self._chain(wanted))

    def pick(self, batch: Batch, *, candidates: Sequence[str] = ("ibm", "ionq")) -> Offer:
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
        return min(able, key=_burden)

    def run(
        self,
        batch: Batch,
        *,
        wanted: str = "simulator",
        classical: Classical | None = None,
        report: Report = _silent,
    ) -> tuple[tuple[Measured, ...], Execution]:
        """What came out, and the record of how.

        Args:
            wanted: asked first; the others of its chain follow.
            classical: asked last, where every backend fails.
            report: hears `{"kind": "execution", …}` at every change; may raise `Cancelled`.

        Raises:
            Cancelled: somebody stopped it; the job is cancelled where it runs.
            BackendError: nobody could do it; the message holds each reason.
        """
        start = time.monotonic()
        record = Execution(
            tag=batch.tag,
            wanted=wanted,
            n_qubits=batch.n_qubits,
            n_runs=batch.n_runs,
            shots=batch.shots,
        )
        for name in self._chain(wanted):
            begun = time.monotonic()
            record = replace(record, backend=name, handle_id="", cost=0.0, status="queued")
            try:
                measured, record = self._try(name, batch, record, report, start)
                return measured, record
            except Cancelled:
                self._tell(replace(record, status="cancelled"), report, start, quiet=True)
                raise
            except (QuantumError, ImportError) as error:
                reason = str(error)
                hop = Hop(name, reason, round(time.monotonic() - begun, 3))
                record = replace(record, hops=(*record.hops, hop), fallback_reason=reason)
        if classical is not None:
            measured = classical(batch)
            record = replace(record, backend="classical", handle_id="", status="succeeded")
            return measured, self._tell(record, report, start)
        self._tell(replace(record, status="failed"), report, start)
        reasons = "; ".join(f"{hop.backend}: {hop.reason}" for hop in record.hops)
        raise BackendError(f"no backend could run the batch. {reasons}")

    def _chain(self, wanted: str) -> tuple[str, ...]:
        return self.chains.get(wanted, (wanted, "simulator"))

    def _try(
        self, name: str, batch: Batch, record: Execution, report: Report, start: float
    ) -> tuple[tuple[Measured, ...], Execution]:
        """The batch on one backend: estimate, set money aside, submit, wait, settle."""
        end = time.monotonic() + self.patience.deadline_seconds
        offer, backend = self._offer(name, batch)
        if offer.estimate is None or backend is None:
            raise DoesNotFit(offer.reason)
        cost = self._set_aside(name, batch, offer.estimate)
        record = replace(record, cost=cost, currency=offer.estimate.currency)
        record = self._tell(record, report, start)
        tagged = replace(batch, tag=self._tag(name, batch))
        try:
            handle = hand_over(backend, tagged, store=self.store)
        except BackendError as error:
            if not error.transient and self.ledger is not None:
                self.ledger.release(self._tag(name, batch))  # else it may have been accepted
            raise
        record = self._tell(replace(record, handle_id=handle.job_id), report, start)

        def hear(handle: Handle, status: Status) -> None:
            nonlocal record
            if status.value != record.status and not status.is_final:
                record = self._tell(replace(record, status=status.value), report, start)
            else:
                report({"kind": "waiting", "backend": name, "status": status.value})

        try:
            measured = wait(
                backend, handle, end=end, patience=self.patience, report=hear, sleep=self.sleep
            )
        except DeadlinePassed:
            self._give_up(backend, handle)
            raise
        if self.store is not None:
            self.store.remove(tagged.tag)
        if self.ledger is not None and cost:
            self.ledger.settle(tagged.tag, cost)
        return measured, self._tell(replace(record, status="succeeded"), report, start)

    def _give_up(self, backend: Backend, handle: Handle) -> None:
        """Cancels a job that took too long, so that it does not cost money beside its successor.

        Its money stays set aside: the provider may have run it all the same.
        """
        try:
            backend.cancel(handle)
        except BackendError:
            return  # its handle stays in the store, under its tag

    def _offer(self, name: str, batch: Batch) -> tuple[Offer, Backend | None]:
        try:
            backend = self.open(name)
            limits = backend.capabilities()
            check_size(batch, limits, name)
            estimate = backend.estimate(batch)
            queue = estimate.queue_seconds
            if queue is not None and queue > self.longest_queue_seconds:
                raise DoesNotFit(
                    f"{name}'s queue of {queue:.0f} s is longer than "
                    f"{self.longest_queue_seconds:.0f} s"
                )
            self._check_budget(name, estimate, self._tag(name, batch))
        except (QuantumError, ImportError) as error:
            return Offer(name, None, str(error)), None
        return Offer(name, estimate), backend

    def _weigh(self, name: str, batch: Batch) -> Offer:
        """The offer, and how many CNOTs the device's connections make of the circuits."""
        offer, backend = self._offer(name, batch)
        coupling = None if backend is None else backend.capabilities().coupling
        if not coupling:
            return offer
        gates = sum(_routed_size(circuit, coupling) for circuit in batch.circuits)
        return replace(offer, two_qubit_gates=gates)

    def _check_budget(self, name: str, estimate: Estimate, tag: str) -> None:
        if estimate.cost is None:
            raise BudgetExceeded(f"{name} does not say what the job costs, so it is not sent")
        left = 0.0 if self.ledger is None else self.ledger.left(tag=tag)
        if estimate.cost > left:
            raise BudgetExceeded(
                f"{name} would cost {estimate.cost:.2f} {estimate.currency}; "
                f"{left:.2f} may still be spent"
            )

    def _set_aside(self, name: str, batch: Batch, estimate: Estimate) -> float:
        """The cost, set aside under the lock: here two processes cannot both pass."""
        cost = float(estimate.cost or 0.0)
        if cost and self.ledger is not None:
            if estimate.currency != self.ledger.currency:
                raise BudgetExceeded(
                    f"{name} counts in {estimate.currency}, the budget in {self.ledger.currency}"
                )
            self.ledger.reserve(self._tag(name, batch), cost)
        return cost

    def _tag(self, name: str, batch: Batch) -> str:
        return f"{batch.tag}-{name}"

    def _tell(
        self, record: Execution, report: Report, start: float, *, quiet: bool = False
    ) -> Execution:
        record = replace(record, seconds=round(time.monotonic() - start, 3))
        if self.log is not None:
            self.log.append(record)
        if not quiet:
            report({"kind": "execution", **record.to_json()})
        return record


def _burden(offer: Offer) -> tuple[float, float, int]:
    assert offer.estimate is not None
    queue = offer.estimate.queue_seconds or 0.0
    return queue + offer.estimate.run_seconds, offer.estimate.cost or 0.0, offer.two_qubit_gates


def _routed_size(circuit: Circuit, coupling: Sequence[tuple[int, int]]) -> int:
    """CNOTs of the circuit on a device with these neighbours."""
    if circuit.n_qubits < 2:
        return 0
    routed = route(to_cnots(circuit), dict.fromkeys(coupling, 1.0))
    return routed.circuit.n_entangling
