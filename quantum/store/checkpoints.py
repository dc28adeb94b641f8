"""Checkpoints of a training: written whole, checked when read, the old ones thinned out."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from quantum.errors import Damaged, NotFound
from quantum.store.files import drop, write_folder
from quantum.store.tree import Tree, read_tree, write_tree

_NAME = re.compile(r"step-(\d{10})")


@dataclass(frozen=True)
class Checkpoint:
    """A saved state of a training.

    Args:
        metrics: numbers that it had then.
    """

    folder: Path
    step: int
    metrics: dict[str, float] = field(default_factory=dict)

    def read(self) -> Tree:
        """What was saved; raises `Damaged`."""
        return read_tree(self.folder)


class CheckpointManager:
    """The checkpoints in one folder.

    Args:
        keep_last: how many of the newest are kept.
        keep_best: how many of those with the best `metric` are kept beside them.
        metric: by name; lower is better unless `higher_is_better`.
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        keep_last: int = 3,
        keep_best: int = 1,
        metric: str = "loss",
        higher_is_better: bool = False,
    ) -> None:
        if keep_last < 1 or keep_best < 0:
            raise ValueError(f"keep_last ≥ 1 and keep_best ≥ 0, not {keep_last} and {keep_best}")
        self.folder = Path(folder)
        self._keep_last, self._keep_best = keep_last, keep_best
        self._metric, self._sign = metric, -1.0 if higher_is_better else 1.0

    def save(
        self, step: int, tree: Tree, metrics: dict[str, float | int] | None = None
    ) -> Checkpoint:
        """Saves a step, in place of an earlier checkpoint of it, and deletes what is not kept.

        This one stays, even where later ones are left from before.
        """
        numbers = {name: float(value) for name, value in (metrics or {}).items()}
        target = self.folder / f"step-{step:010d}"

        def fill(draft: Path) -> None:
            write_tree(draft, tree)
            (draft / "metrics.json").write_text(json.dumps({"step": step, "metrics": numbers}))

        write_folder(target, fill, replace=True)
        self._thin_out(step)
        return Checkpoint(target, step, numbers)

    def all(self) -> list[Checkpoint]:
        """Every checkpoint that is listed whole, oldest first."""
        folders = self.folder.iterdir() if self.folder.is_dir() else iter(())
        found = (self._describe(path) for path in folders if _NAME.fullmatch(path.name))
        return sorted((c for c in found if c is not None), key=lambda c: c.step)

    def steps(self) -> list[int]:
        """The steps that have a checkpoint here, damaged ones among them, in their order."""
        folders = self.folder.iterdir() if self.folder.is_dir() else iter(())
        return sorted(int(found[1]) for path in folders if (found := _NAME.fullmatch(path.name)))

    @staticmethod
    def _describe(folder: Path) -> Checkpoint | None:
        try:
            data = json.loads((folder / "metrics.json").read_text())
            return Checkpoint(folder, data["step"], data["metrics"])
        except (OSError, ValueError, KeyError):
            return None  # another process deletes it, or its description is damaged

    def latest(self) -> Checkpoint | None:
        """The newest, None where there is none."""
        return next(reversed(self.all()), None)

    def best(self) -> Checkpoint | None:
        """The one with the best metric, None where none has it."""
        return next(iter(self._by_metric()), None)

    def load(self, step: int) -> Tree:
        """What was saved at the step; raises `NotFound` or `Damaged`."""
        for checkpoint in self.all():
            if checkpoint.step == step:
                return checkpoint.read()
        raise NotFound(f"there is no checkpoint of step {step} in {self.folder}")

    def newest_readable(self) -> tuple[Checkpoint, Tree] | None:
        """The newest checkpoint that is not damaged, with its content; None where there is none."""
        for checkpoint in reversed(self.all()):
            try:
                return checkpoint, checkpoint.read()
            except Damaged:
                continue
        return None

    def _by_metric(self) -> list[Checkpoint]:
        rated = [c for c in self.all() if c.metrics.get(self._metric, None) is not None]
        return sorted(rated, key=lambda c: (self._sign * c.metrics[self._metric], c.step))

    def _thin_out(self, saved: int) -> None:
        everything = self.all()
        kept = {saved} | {c.step for c in everything[-self._keep_last :]}
        kept |= {c.step for c in self._by_metric()[: self._keep_best]}
        for checkpoint in everything:
            if checkpoint.step not in kept:
                drop(checkpoint.folder)
