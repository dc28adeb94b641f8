"""Where the engine's files lie, and the mirror: what pages may read of them without torch."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

NOTHING: dict[str, Any] = {"models": [], "spent": 0.0, "currency": "USD", "notice": "", "at": ""}


@dataclass(frozen=True)
class LabFolder:
    """The folder of the engine; the command line and the workers share it."""

    root: Path

    @property
    def handles(self) -> Path:
        """Submissions that are under way, one file each."""
        return self.root / "handles"

    @property
    def ledger(self) -> Path:
        """Money that is set aside and spent."""
        return self.root / "ledger.jsonl"

    @property
    def executions(self) -> Path:
        """What ran where, a line for each change."""
        return self.root / "executions.jsonl"

    @property
    def cache(self) -> Path:
        """Compiled circuits."""
        return self.root / "cache"

    @property
    def registry(self) -> Path:
        """Trained models, with versions and stages."""
        return self.root / "registry"

    @property
    def metrics(self) -> Path:
        """The numbers of all trainings, appended."""
        return self.root / "metrics.sqlite3"

    def checkpoints(self, run: str) -> Path:
        """Where a training goes on from."""
        return self.root / "checkpoints" / run

    def results(self, run: str) -> Path:
        """What devices answered to a run that has not ended: nothing is bought twice."""
        return self.root / "results" / run

    def begin(self, work: str) -> str:
        """The name of a run in a terminal: the same until `end`, so that it goes on if cut off."""
        path = self.root / "begun" / sha256(work.encode()).hexdigest()[:24]
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(f"cli-{uuid4().hex}", encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def end(self, work: str) -> None:
        """What begins next is another run."""
        (self.root / "begun" / sha256(work.encode()).hexdigest()[:24]).unlink(missing_ok=True)

    @property
    def places(self) -> dict[str, Path]:
        """Everything by what it is, for people."""
        return {
            "Models": self.registry,
            "Checkpoints": self.root / "checkpoints",
            "Metrics": self.metrics,
            "Executions": self.executions,
            "Spending": self.ledger,
            "Submissions under way": self.handles,
            "Compiled circuits": self.cache,
        }

    def mirror(self) -> dict[str, Any]:
        """The registry and the money as they were when a worker last wrote them down."""
        try:
            found = json.loads(self._mirror.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}
        return {**NOTHING, **found}

    def write_mirror(self, content: dict[str, Any]) -> None:
        """Replaces the mirror in one move."""
        self.root.mkdir(parents=True, exist_ok=True)
        draft = self._mirror.with_name(f".{self._mirror.name}.{uuid4().hex}")
        draft.write_text(json.dumps(content), encoding="utf-8")
        os.replace(draft, self._mirror)

    @property
    def _mirror(self) -> Path:
        return self.root / "mirror.json"
