"""The record of what ran where: one execution per submission, and per submission that failed."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from quantum.backends.clock import now


@dataclass(frozen=True, slots=True)
class Hop:
    """A backend that was asked and did not do it, and why the next one was.

    Args:
        cost: what it charges, or may charge, all the same.
    """

    backend: str
    reason: str
    seconds: float = 0.0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Execution:
    """One batch on its way through the backends.

    Args:
        id: stays the same while it goes on.
        backend: where it is now, or ended; `classical` where no circuit ran.
        handle_id: the provider's name for the job.
        tag: ours.
        seconds: since it began, of which `queue_seconds` were spent waiting for a machine.
        cost: in `currency`, those of its hops included; estimated while it runs.
        status: `queued`, `running`, `succeeded`, `failed` or `cancelled`.
        fallback_reason: why it is not on the backend that was wanted; empty where it is.
    """

    id: str = field(default_factory=lambda: uuid4().hex)
    tag: str = ""
    wanted: str = ""
    backend: str = ""
    handle_id: str = ""
    n_qubits: int = 0
    n_runs: int = 0
    shots: int | None = None
    seconds: float = 0.0
    cost: float = 0.0
    currency: str = "USD"
    status: str = "queued"
    fallback_reason: str = ""
    hops: tuple[Hop, ...] = ()
    created: str = field(default_factory=now)

    @property
    def reasons(self) -> str:
        """Who did not do it, each with its reason."""
        return "; ".join(f"{hop.backend}: {hop.reason}" for hop in self.hops)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Execution":
        hops = tuple(Hop(**hop) for hop in data["hops"])
        return cls(**{**data, "hops": hops})


@dataclass(frozen=True)
class ExecutionLog:
    """Executions as JSON lines: appended whole, the last line of an id counts."""

    file: Path

    def append(self, execution: Execution) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("ab+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.tell() and not _ends_whole(file):
                file.write(b"\n")  # a writer died in the middle of a line
            file.write(json.dumps(execution.to_json()).encode() + b"\n")

    def __iter__(self) -> Iterator[Execution]:
        """Every execution as it is by now, the oldest first; lines that were never finished are
        left out."""
        latest: dict[str, Execution] = {}
        if self.file.exists():
            for line in self.file.read_text(encoding="utf-8", errors="replace").splitlines():
                with suppress(ValueError, KeyError, TypeError):
                    execution = Execution.from_json(json.loads(line))
                    latest[execution.id] = execution
        yield from latest.values()

    def cost(self) -> float:
        """What all of them cost together, the estimates of running ones included."""
        return sum((execution.cost for execution in self), 0.0)


def _ends_whole(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"
