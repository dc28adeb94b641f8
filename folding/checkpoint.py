"""What a fold keeps on disk, so that it can go on after a pause or a lost process.

The trunk after every cycle and each sample as it is drawn are written as safetensors beside their
place and renamed. Every file carries the fingerprint of the job, so that nothing of another input,
option, model, device or code is ever taken up. Taken up, a fold gives the same bits as one that was
never interrupted.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from folding import __version__
from folding.device import CPU, Place
from folding.inputs import FoldInput, FoldOptions
from folding.manifest import code_sha256
from folding.model.diffusion import Trunk

KEEP_SECONDS = 20.0
"""How often the state of a trunk or of a sample that is under way is written."""


@dataclass(frozen=True)
class TrunkState:
    """The trunk after some cycles."""

    n_cycles: int
    trunk: Trunk


@dataclass(frozen=True)
class SampleState:
    """A sample after some steps.

    Args:
        x: Coordinates that the next step starts from, [1, atom, 3].
        generator: State of its random generator.
        trajectory: Centre atoms after each step so far, [step, token, 3].
    """

    n_steps: int
    x: Tensor
    generator: Tensor
    trajectory: Tensor


@runtime_checkable
class Checkpoint(Protocol):
    """Where a fold keeps its state and finds it again."""

    def find(self, name: str) -> tuple[dict[str, Tensor], int] | None:
        """The tensors kept under a name and how many units they are the result of."""

    def keep(self, name: str, tensors: Mapping[str, Tensor], *, units: int, now: bool) -> None:
        """Keeps tensors: at once, or if some time has passed since the last were kept."""


class NoCheckpoint:
    """Keeps nothing."""

    def find(self, name: str) -> tuple[dict[str, Tensor], int] | None:
        """Nothing."""
        return None

    def keep(self, name: str, tensors: Mapping[str, Tensor], *, units: int, now: bool) -> None:
        """Forgets them."""


class FolderCheckpoint:
    """Keeps the state of one job in a folder.

    Args:
        key: Fingerprint of the job: files that carry another one are left alone.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key
        self._next = time.monotonic() + KEEP_SECONDS

    def find(self, name: str) -> tuple[dict[str, Tensor], int] | None:
        """The tensors kept under a name and their units; None if there are none of this job."""
        path = self._path(name)
        try:
            with safe_open(path, framework="pt") as file:
                facts = file.metadata() or {}
                if facts.get("key") != self.key:
                    return None
                # Copies: a file that is mapped could not be replaced under every system.
                tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            return None
        return tensors, int(facts["units"])

    def keep(self, name: str, tensors: Mapping[str, Tensor], *, units: int, now: bool) -> None:
        """Writes the tensors: at once, or if it is some time since the last were written."""
        if not now and time.monotonic() < self._next:
            return
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        partial = self._path(name).with_suffix(".partial")
        facts = {"key": self.key, "units": str(units)}
        with torch.inference_mode(mode=False):
            plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        save_file(plain, partial, metadata=facts)
        os.replace(partial, self._path(name))
        self._next = time.monotonic() + KEEP_SECONDS

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"


def fingerprint(
    fold_input: FoldInput, options: FoldOptions, *, weights_sha256: str, place: Place = CPU
) -> str:
    """What all that decides about coordinates hashes to.

    The number of samples and the other seeds do not: each sample has a generator of its own.

    Args:
        place: Where it is folded, and in which numbers.
    """
    decisive = {
        "input": replace(fold_input, name="job", seeds=(1,)).to_json(),
        "options": {**asdict(options), "n_samples": 0},
        "weights": weights_sha256,
        "foldstream": __version__,
        "code": code_sha256(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "device": place.name,
        "dtype": place.numbers,
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def find_trunk(checkpoint: Checkpoint, seed: int) -> TrunkState | None:
    """The trunk of a seed as far as it came."""
    found = checkpoint.find(f"trunk-{seed}")
    if found is None:
        return None
    tensors, n_cycles = found
    return TrunkState(n_cycles, Trunk(tensors["s_inputs"], tensors["s"], tensors["z"]))


def keep_trunk(checkpoint: Checkpoint, seed: int, state: TrunkState, *, now: bool) -> None:
    """Keeps the trunk of a seed."""
    tensors = state.trunk._asdict()
    checkpoint.keep(f"trunk-{seed}", tensors, units=state.n_cycles, now=now)


def find_sample(checkpoint: Checkpoint, seed: int, sample: int) -> SampleState | None:
    """A sample as far as it came."""
    found = checkpoint.find(f"sample-{seed}-{sample}")
    if found is None:
        return None
    tensors, n_steps = found
    return SampleState(n_steps, tensors["x"], tensors["generator"], tensors["trajectory"])


def keep_sample(
    checkpoint: Checkpoint, seed: int, sample: int, state: SampleState, *, now: bool
) -> None:
    """Keeps a sample."""
    tensors = {"x": state.x, "generator": state.generator, "trajectory": state.trajectory}
    checkpoint.keep(f"sample-{seed}-{sample}", tensors, units=state.n_steps, now=now)
