"""What jobs cost in the end, also of those that nobody waits for any more.

A job that was given up or called off may go on at its provider. Until it is over its money stays
set aside and its handle is kept, marked: whoever comes by later asks again. A process that dies
leaves no mark: after a day its job is settled too once it is over, but never stopped, since who
runs the same tag again wants its answer.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf

from quantum.backends.base import Backend, Findable, Handle, Priced, is_local
from quantum.backends.handles import HandleStore
from quantum.backends.ledger import Ledger
from quantum.errors import BackendError, QuantumError

_MARK = "given_up"
_ALONE = timedelta(days=1)  # whoever waited for it, a job of this age has lost its process
_ARRIVED = timedelta(minutes=10)  # after so long a job that was sent is in its provider's lists


def given_up(handle: Handle) -> Handle:
    """The handle of a job that nobody waits for any more."""
    return replace(handle, extra={**handle.extra, _MARK: True})


def taken_up(handle: Handle) -> Handle:
    """The handle of a job that somebody waits for again."""
    return replace(handle, extra={k: v for k, v in handle.extra.items() if k != _MARK})


def is_given_up(handle: Handle) -> bool:
    return bool(handle.extra.get(_MARK))


def price(backend: Backend, handle: Handle, estimate: float) -> float:
    """What the job cost in the end where the provider says so, else what was expected."""
    with suppress(BackendError):
        return _told(backend, handle, estimate)
    return estimate


def settle_left_over(
    store: HandleStore, ledger: Ledger | None, open: Callable[[str], Backend]
) -> int:
    """How many jobs that nobody waits for turned out to be over: what each cost stands in place of
    what was set aside, and its handle is gone. Those given up that go on are asked to stop once
    more."""
    n_settled = 0
    for tag in [handle.tag for handle in store if _is_alone(handle)]:
        with suppress(QuantumError, ImportError):  # it is asked again next time
            handle = store.find(tag)  # somebody may have taken it up meanwhile
            if handle is not None and _is_alone(handle):
                n_settled += _settled(handle, store, ledger, open(handle.backend))
    return n_settled


def _is_alone(handle: Handle) -> bool:
    """Whether nobody waits for the job."""
    return is_given_up(handle) or _age(handle) > _ALONE


def _age(handle: Handle) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(handle.created)


def _settled(handle: Handle, store: HandleStore, ledger: Ledger | None, backend: Backend) -> bool:
    """Whether the job is over and settled; its price has to be known for that."""
    if not handle.job_id:  # whoever sent it, or was about to, died before the answer came
        found = backend.find(handle) if isinstance(backend, Findable) else None
        if found is None:
            return _forgotten(handle, store, ledger, backend)
        store.save(handle := found)
    if not backend.status(handle).is_final:
        if not is_given_up(handle):
            return False
        backend.cancel(handle)
        if not backend.status(handle).is_final:
            return False
    if ledger is not None and (aside := ledger.cost(handle.tag)):
        ledger.settle(handle.tag, _told(backend, handle, aside))
    store.remove(handle.tag)
    return True


def _forgotten(handle: Handle, store: HandleStore, ledger: Ledger | None, backend: Backend) -> bool:
    """Whether the job that its provider does not have was surely never sent; its money is free."""
    if not (is_local(backend) or isinstance(backend, Findable)) or _age(handle) < _ARRIVED:
        return False
    if ledger is not None:
        ledger.release(handle.tag)
    store.remove(handle.tag)
    return True


def _told(backend: Backend, handle: Handle, estimate: float) -> float:
    told = backend.price(handle) if isinstance(backend, Priced) else None
    return told if told is not None and 0 <= told < inf else estimate
