"""What jobs cost in the end, also of those that nobody waits for any more.

A job that was given up or called off may go on at its provider. Until it is over its money stays
set aside and its handle is kept, marked: whoever comes by later asks again.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from math import inf

from quantum.backends.base import Backend, Handle, Priced
from quantum.backends.handles import HandleStore
from quantum.backends.ledger import Ledger
from quantum.errors import BackendError, QuantumError

_MARK = "given_up"


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
    what was set aside, and its handle is gone. Those that go on are asked to stop once more."""
    n_settled = 0
    for tag in [handle.tag for handle in store if is_given_up(handle)]:
        with suppress(QuantumError, ImportError):  # it is asked again next time
            handle = store.find(tag)  # somebody may have taken it up meanwhile
            if handle is not None and is_given_up(handle):
                n_settled += _settled(handle, store, ledger, open(handle.backend))
    return n_settled


def _settled(handle: Handle, store: HandleStore, ledger: Ledger | None, backend: Backend) -> bool:
    """Whether the job is over and settled; its price has to be known for that."""
    if not backend.status(handle).is_final:
        backend.cancel(handle)
        return False
    if ledger is not None and (aside := ledger.cost(handle.tag)):
        ledger.settle(handle.tag, _told(backend, handle, aside))
    store.remove(handle.tag)
    return True


def _told(backend: Backend, handle: Handle, estimate: float) -> float:
    told = backend.price(handle) if isinstance(backend, Priced) else None
    return told if told is not None and 0 <= told < inf else estimate
