"""What was spent, and the cap: no job is sent that could pass it, nor two by two processes at once.

Money is set aside before a job is sent and settled when its price is known; both happen under a
lock on a file beside the ledger, so that whoever comes second sees what the first has set aside.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from quantum.backends.clock import now
from quantum.circuit import Number
from quantum.errors import BudgetExceeded, Damaged, InvalidValues


class _Entry(NamedTuple):
    """The newest line of a tag: money that is spent, or set aside."""

    cost: float
    is_spent: bool


@dataclass(frozen=True)
class Ledger:
    """Money by submission tag, in an append-only file of JSON lines.

    Args:
        cap: never more than this is set aside and spent together; in `currency`.
    """

    file: Path
    cap: Number
    currency: str = "USD"

    def reserve(self, tag: str, cost: Number) -> None:
        """Sets the money aside. Asking again for the same tag replaces what it had set aside; what
        it spent stays, under a name of its own.

        Raises:
            BudgetExceeded: it would pass the cap; nothing is set aside.
        """
        if not cost >= 0:  # NaN is not
            raise InvalidValues(f"a cost is 0 or more, not {cost}")
        with self._locked():
            entries = self._read()
            taken = _taken(entries, tag)
            if taken + cost > self.cap:
                raise BudgetExceeded(
                    f"the job would cost {cost:.2f} {self.currency}; of the cap of "
                    f"{self.cap:.2f}, {max(0.0, self.cap - taken):.2f} is left"
                )
            earlier = entries.get(tag)
            if earlier is not None and earlier.is_spent:
                self._append(_free_name(tag, entries), earlier.cost, "settled")
            self._append(tag, cost, "reserved")

    def settle(self, tag: str, cost: Number) -> None:
        """Replaces what was set aside by what it cost in the end; more than the cap is possible
        here, since it is spent already, and stops everything after it."""
        if not cost >= 0:
            raise InvalidValues(f"a cost is 0 or more, not {cost}")
        with self._locked():
            self._append(tag, cost, "settled")

    def release(self, tag: str) -> None:
        """Gives back what was set aside for a job that never ran."""
        with self._locked():
            self._append(tag, 0.0, "released")

    def spent(self) -> float:
        """What is spent and set aside by now."""
        with self._locked():
            return _taken(self._read())

    def cost(self, tag: str) -> float:
        """What the submission has set aside or spent."""
        with self._locked():
            found = self._read().get(tag)
        return 0.0 if found is None else found.cost

    def left(self, *, tag: str = "") -> float:
        """What may still be spent, by the submission `tag` with what it has set aside already."""
        with self._locked():
            taken = _taken(self._read(), tag)
        return max(0.0, self.cap - taken)

    def _read(self) -> dict[str, _Entry]:
        if not self.file.exists():
            return {}
        entries: dict[str, _Entry] = {}
        for number, line in enumerate(self._lines(), 1):
            try:
                entry = json.loads(line)
                is_spent = entry.get("what") == "settled"
                entries[entry["tag"]] = _Entry(float(entry["cost"]), is_spent)
            except (ValueError, KeyError, TypeError, AttributeError):
                raise Damaged(
                    f"line {number} of the ledger {self.file} cannot be read, so nothing more is "
                    "spent: restore it"
                ) from None
        return entries

    def _lines(self) -> list[str]:
        """The whole lines. What follows the last was never confirmed: its writer died."""
        whole, _, torn = self.file.read_bytes().rpartition(b"\n")
        if torn:
            os.truncate(self.file, len(whole) + bool(whole))
        return whole.decode("utf-8", "replace").splitlines()

    def _append(self, tag: str, cost: Number, what: str) -> None:
        entry: dict[str, Any] = {"tag": tag, "cost": cost, "what": what, "time": now()}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)


def _taken(entries: Mapping[str, _Entry], tag: str = "") -> float:
    """What is spent, and set aside by others than the tag."""
    return sum((e.cost for name, e in entries.items() if e.is_spent or name != tag), 0.0)


def _free_name(tag: str, entries: Mapping[str, _Entry]) -> str:
    """A name for what the tag spent before, that no entry has."""
    return next(name for n in count(1) if (name := f"{tag} before {n}") not in entries)
