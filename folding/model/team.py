"""Threads that share the pieces of a pass.

PyTorch splits each operation between its threads, and they wait for each other after each. The
pieces of `folding.model.inplace` take a tenth of a millisecond per operation: to wait asleep would
cost as much as is gained, to wait awake takes the cores from everybody else. Within `leading`, each
operation is one thread's, and every member of the team takes whole pieces from a common list: the
team waits once, at its end, and who is interrupted by the system takes fewer. What a piece gives
does not depend on who takes it, nor on how many they are.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

MAX_THREADS = 16
"""More would wait for Python's lock, which is held for about a twentieth of an operation."""

WORTH_SHARING = 2**24
"""Products that take as long as waking the others a few times: 0.2 ms."""

Piece = TypeVar("Piece")
_of_this_thread = threading.local()


@contextmanager
def leading(n_threads: int) -> Iterator[None]:
    """Within it, this thread and others share what is given to `share`.

    PyTorch's own threads are off meanwhile. A team within a team is the team.

    Args:
        n_threads: As many as there are cores to use.
    """
    if n_threads < 2 or _members():
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    members = [_Member(number) for number in range(1, min(n_threads, MAX_THREADS))]
    _of_this_thread.members = members
    try:
        yield
    finally:
        _of_this_thread.members = []
        for member in members:
            member.leave()
        torch.set_num_threads(before)


def share(
    pieces: Iterable[Piece],
    start: Callable[[], Callable[[Piece], Any]],
    *,
    n_products: int = WORTH_SHARING,
) -> None:
    """Does every piece, in whatever order, by whoever of the team is free; returns when all are.

    Without a team, one after the other. No gradients.

    Args:
        start: Called by each who takes part, for a function that does one piece: what it needs to
            write on is its own.
        n_products: Multiplications in all pieces together, where they may be too few to share.
    """
    given = list(pieces)
    n_helpers = max(0, len(given) - 1) if n_products >= WORTH_SHARING else 0
    members = _members()[:n_helpers]
    if not members:
        do = start()
        for piece in given:
            do(piece)
        return
    shared = _Shared(given, start)
    everybody, _of_this_thread.members = _members(), []
    for member in members:
        member.join_in(shared)
    try:
        shared.work()
    finally:
        for member in members:
            member.wait()
        _of_this_thread.members = everybody
    if shared.error is not None:
        raise shared.error


def size() -> int:
    """Threads that share what this one gives to `share`, itself included."""
    return 1 + len(_members())


def slices(length: int, step: int) -> Iterator[slice]:
    """A range in pieces of ``step``; the last may be shorter."""
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def _members() -> list["_Member"]:
    return getattr(_of_this_thread, "members", [])


class _Shared:
    """A list of pieces that several threads take from."""

    def __init__(self, pieces: list[Any], start: Callable[[], Callable[[Any], Any]]) -> None:
        self._pieces, self._start = iter(pieces), start
        self._is_over = False
        self._autocast = torch.get_autocast_dtype("cpu"), torch.is_autocast_enabled("cpu")
        self.error: BaseException | None = None

    def work(self) -> None:
        """Takes pieces until none is left, or one has failed."""
        try:
            do = self._start()
            for piece in self._pieces:
                if self._is_over:
                    return
                do(piece)
        except BaseException:
            self._is_over = True
            raise

    def help(self) -> None:
        """The same in another thread: what PyTorch knows of each thread is as the leader's."""
        dtype, is_enabled = self._autocast
        try:
            with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=is_enabled):
                self.work()
        except BaseException as error:
            self.error = error


class _Member:
    """A thread that waits for lists to share."""

    def __init__(self, number: int) -> None:
        self._wake, self._done = threading.Lock(), threading.Lock()
        self._wake.acquire()
        self._done.acquire()
        self._shared: _Shared | None = None
        self._thread = threading.Thread(target=self._run, name=f"team-{number}", daemon=True)
        self._thread.start()

    def join_in(self, shared: _Shared) -> None:
        """Begins to take pieces."""
        self._shared = shared
        self._wake.release()

    def wait(self) -> None:
        """Returns when its last piece is done."""
        self._done.acquire()

    def leave(self) -> None:
        """Ends the thread."""
        self._shared = None
        self._wake.release()
        self._thread.join()

    def _run(self) -> None:
        torch.set_num_threads(1)
        while self._wake.acquire() and self._shared is not None:
            self._shared.help()
            self._shared = None
            self._done.release()
