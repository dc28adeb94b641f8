"""Waiting for what a thread does."""

import time
from collections.abc import Callable
from typing import Protocol


class Held(Protocol):
    def check(self) -> None: ...


def until(condition: Callable[[], object], *, seconds: float = 5.0) -> None:
    """Waits for the thread; fails after the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ends_with(held: Held, reason: type[BaseException]) -> Callable[[], bool]:
    """Whether what is held has ended, for this reason."""

    def has_ended() -> bool:
        try:
            held.check()
        except reason:
            return True
        return False

    return has_ended
