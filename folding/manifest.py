"""What it takes to fold a job again to the same coordinates, and whether it did.

A manifest is plain JSON. The same machine, code, weights, options and threads give the same bits;
where something differs, `differences` says what in words.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from folding import __version__
from folding.device import CPU, Place
from folding.inputs import FoldInput, FoldOptions
from folding.prediction import Prediction

LIBRARIES = ("torch", "numpy", "biotite", "rdkit")
WORDS = {
    "foldstream": "version of Foldstream",
    "code_sha256": "code of the network",
    "weights_sha256": "weights",
    "input_sha256": "input",
    "msa_sha256": "alignments",
    "templates_sha256": "templates",
    "threads": "number of threads",
    "dtype": "number format",
    "device": "device",
    "processor": "processor",
    "python": "version of Python",
    **{f"versions.{name}": f"version of {name}" for name in LIBRARIES},
}
"""What decides about coordinates, by its place in a manifest."""


def describe(
    fold_input: FoldInput,
    options: FoldOptions,
    *,
    weights_sha256: str,
    place: Place = CPU,
) -> dict[str, Any]:
    """The manifest of a fold in this process, before its results are known.

    Args:
        place: Where it runs, and in which numbers.
    """
    return {
        "foldstream": __version__,
        "code_sha256": code_sha256(),
        "options": asdict(options),
        "seeds": list(fold_input.seeds),
        "weights_sha256": weights_sha256,
        "input_sha256": input_sha256(fold_input),
        "msa_sha256": alignments_sha256(fold_input),
        "templates_sha256": templates_sha256(fold_input),
        "threads": torch.get_num_threads(),
        "dtype": place.numbers,
        "device": place.name,
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "python": platform.python_version(),
        "versions": {name: found for name in LIBRARIES if (found := _version(name))},
    }


@cache
def code_sha256() -> str:
    """SHA-256 over the sources of `folding`."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def input_sha256(fold_input: FoldInput) -> str:
    """SHA-256 over all that is folded: every chain, ligand and bond, what was found for them too.

    The job's name and remarks change no coordinates, but they are part of it.
    """
    text = json.dumps(fold_input.to_json(strict=True), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def templates_sha256(fold_input: FoldInput) -> str:
    """SHA-256 over the templates of all chains: structures and what corresponds."""
    digest = hashlib.sha256()
    for chain in fold_input.chains:
        templates = getattr(chain, "templates", None) or ()
        digest.update(f"{len(templates)}\0".encode())
        for template in templates:
            places = [list(template.query_indices), list(template.template_indices)]
            digest.update(f"{template.cif}\0{json.dumps(places)}\0".encode())
    return digest.hexdigest()


def alignments_sha256(fold_input: FoldInput) -> str:
    """SHA-256 over the alignments of all chains, the empty ones included."""
    digest = hashlib.sha256()
    for chain in fold_input.chains:
        for name in ("msa", "paired_msa"):
            digest.update(f"{getattr(chain, name, None) or ''}\0".encode())
    return digest.hexdigest()


def coordinates_sha256(predictions: Iterable[Prediction]) -> dict[str, str]:
    """SHA-256 over the coordinates of each prediction, little-endian float32."""
    return {
        f"seed-{p.seed}_sample-{p.sample}": hashlib.sha256(
            np.ascontiguousarray(p.structure.coordinates, dtype="<f4").tobytes()
        ).hexdigest()
        for p in predictions
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What is not as it was and can change coordinates, one sentence each."""
    found = []
    for place, noun in WORDS.items():
        before, after = _at(then, place), _at(now, place)
        if before is not None and before != after:
            found.append(
                f"The {noun} differs: it was {_short(before)}, here it is {_short(after)}."
            )
    return found


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The names of predictions whose coordinates are not the same bits."""
    return [name for name, digest in then.items() if now.get(name) != digest]


def _at(manifest: Mapping[str, Any], place: str) -> Any:
    value: Any = manifest
    for key in place.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _short(value: object) -> str:
    """A checksum by its first letters, anything else as it is."""
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
