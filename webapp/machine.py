"""This machine as its settings let a fold use it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webapp.env import env_as_it_is, env_choice, env_folder, env_text

if TYPE_CHECKING:
    from folding import cost
    from folding.device import Numbers

NUMBERS: tuple[Numbers, ...] = ("auto", "float32", "bfloat16")
"""What products may be computed in; as `folding.device` has it, which needs torch."""


def numbers() -> Numbers:
    """What this site wants products to be computed in.

    Raises:
        BadSetting: `FOLDSTREAM_NUMBERS` is none of these words.
    """
    return env_choice("FOLDSTREAM_NUMBERS", "auto", of=NUMBERS)


WORD = f"machine-{socket.gethostname()}.json"
"""Of each host its own: several may share the data folder."""
TOLD = ("gpu_bytes", "gives_back")
"""What only a worker knows, which has loaded torch and a model."""


def machine() -> cost.Machine:
    """This machine, with the threads that `OMP_NUM_THREADS` leaves to one fold.

    Whether a GPU folds is what the last worker said of it; before the first, what the driver says.
    """
    # Not at the top: the settings read the numbers, and need none of the science for it.
    from folding import cost

    here = cost.this_machine()
    here = replace(here, gpu_bytes=0 if _hides_gpus() else here.gpu_bytes)
    here = replace(here, **_told())
    word = env_text("OMP_NUM_THREADS").partition(",")[0].strip()
    limit = int(word) if word.isdigit() else 0
    return replace(here, threads=min(limit, here.threads)) if limit else here


def _hides_gpus() -> bool:
    """Whether `CUDA_VISIBLE_DEVICES` is set and begins with no device, which hides them all."""
    devices = env_as_it_is("CUDA_VISIBLE_DEVICES")
    first = None if devices is None else devices.partition(",")[0].strip()
    return first == "" or (first is not None and first.startswith("-"))


def tell(found: cost.Machine) -> None:
    """Leaves word, for processes without torch, of what a worker found; nothing if it cannot."""
    path = _word()
    part = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        part.write_text(json.dumps({name: getattr(found, name) for name in TOLD}))
        part.replace(path)


def _told() -> dict[str, Any]:
    """What a worker left word of, as parts of a `Machine`."""
    try:
        word = json.loads(_word().read_text())
        return {"gpu_bytes": int(word["gpu_bytes"]), "gives_back": bool(word["gives_back"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _word() -> Path:
    return env_folder("FOLDSTREAM_DATA", Path(__file__).resolve().parent.parent / "var") / WORD
