"""What a backend would take for a batch, in time and money, and why it is passed over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf

from quantum.backends.base import Backend, Batch, Estimate, is_local
from quantum.backends.ledger import Ledger
from quantum.backends.routing import route
from quantum.backends.simulated import check_size
from quantum.circuit import Circuit, Number
from quantum.decomposition import to_cnots
from quantum.errors import BudgetExceeded, DeadlinePassed, DoesNotFit, QuantumError


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
class Scales:
    """Weighs backends: whether they are up to a batch, and within its time and the budget.

    Args:
        open: gives a backend by name.
        ledger: of money; without one, only what is free is offered.
        deadline_seconds: for a batch on all backends together.
        longest_queue_seconds: a backend that says its queue is longer is passed over.
        settle: frees money of jobs that are over, where it is short; how many there were.
    """

    open: Callable[[str], Backend]
    ledger: Ledger | None
    deadline_seconds: Number
    longest_queue_seconds: Number
    settle: Callable[[], int]

    def offer(
        self, name: str, batch: Batch, *, tag: str, seconds: float | None = None
    ) -> tuple[Offer, Backend | None]:
        """The backend's offer, and the backend where it made one.

        Args:
            tag: of the batch there, whose money may be set aside already.
            seconds: that are left for it; None for all of them.
        """
        try:
            backend = self.open(name)
            estimate = backend.estimate(batch)  # first: it finds a machine that is large enough
            check_size(batch, backend.capabilities(), name)
            estimate = self._check_queue(name, estimate)
            self._check_time(backend, name, estimate, seconds)
            self._check_budget(name, estimate, tag)
        except (QuantumError, ImportError) as error:
            return Offer(name, None, str(error)), None
        return Offer(name, estimate), backend

    def weigh(self, name: str, batch: Batch, *, tag: str) -> Offer:
        """The offer, and how many CNOTs the device's connections make of the circuits."""
        offer, backend = self.offer(name, batch, tag=tag)
        coupling = None if backend is None else backend.capabilities().coupling
        if not coupling:
            return offer
        try:
            gates = sum(_routed_size(circuit, coupling) for circuit in batch.circuits)
        except DoesNotFit as error:  # its qubits are not connected
            return Offer(name, None, str(error))
        return replace(offer, two_qubit_gates=gates)

    def burden(self, offer: Offer) -> tuple[float, float, int]:
        """What there is against an offer: seconds, then money, then CNOTs.

        A queue of unknown length counts as the longest that is waited for: unknown is not short.
        """
        assert offer.estimate is not None
        queue = offer.estimate.queue_seconds
        waits = float(self.longest_queue_seconds) if queue is None else queue
        return waits + offer.estimate.run_seconds, offer.estimate.cost or 0.0, offer.two_qubit_gates

    def _check_queue(self, name: str, estimate: Estimate) -> Estimate:
        """The estimate, which says what happens where the queue is not known."""
        queue, longest = estimate.queue_seconds, self.longest_queue_seconds
        if queue is None or not queue >= 0:  # NaN is not
            note = f"{estimate.note}; given up if it has not begun after {longest:.0f} s"
            return replace(estimate, queue_seconds=None, note=note.removeprefix("; "))
        if queue > longest:
            raise DoesNotFit(f"{name}'s queue of {queue:.0f} s is longer than {longest:.0f} s")
        return estimate

    def _check_time(
        self, backend: Backend, name: str, estimate: Estimate, seconds: float | None
    ) -> None:
        """Raises where it would surely not be done in time. What needs nobody may begin late."""
        whole = float(self.deadline_seconds)
        left = whole if seconds is None or is_local(backend) else seconds
        needed = (estimate.queue_seconds or 0.0) + estimate.run_seconds
        if needed > left:
            rest = "" if whole - left < 1 else f", of which {left:.0f} s are left"
            raise DeadlinePassed(
                f"{name} would take about {needed:.3g} s, longer than the {whole:g} s for this "
                f"batch{rest}"
            )

    def _check_budget(self, name: str, estimate: Estimate, tag: str) -> None:
        most = estimate.at_most
        if most == 0:
            return  # not even a damaged ledger is in its way
        if most is None:
            raise BudgetExceeded(f"{name} does not say what the job costs, so it is not sent")
        left = 0.0 if self.ledger is None else self.ledger.left(tag=tag)
        if self.ledger is not None and left < most < inf and self.settle():
            left = self.ledger.left(tag=tag)
        if not 0 <= most <= left:  # NaN is not
            could = "would" if most == estimate.cost else "could"
            raise BudgetExceeded(
                f"{name} {could} cost {most:.2f} {estimate.currency}; {left:.2f} may still be spent"
            )


def _routed_size(circuit: Circuit, coupling: Sequence[tuple[int, int]]) -> int:
    """CNOTs of the circuit on a device with these neighbours."""
    if circuit.n_qubits < 2:
        return 0
    routed = route(to_cnots(circuit), dict.fromkeys(coupling, 1.0))
    return routed.circuit.n_entangling
