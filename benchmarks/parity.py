"""What every comparison with another program shares: the measure, the table, the stored arrays."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from folding.model.config import ModelConfig
from tests.folding.model.golden import network_fields

TOLERANCE = 1e-4
GOLDEN_TOLERANCE = 2e-5


def difference(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest number."""
    return float((a - b).abs().max() / b.abs().max())


def report(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    """Prints a table; says whether every part agrees."""
    assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
    print(f"{'part':<40} {'largest':>10} {'relative difference':>20}")
    agreed = True
    for name, a in ours.items():
        b = theirs[name]
        assert a.shape == b.shape, (name, a.shape, b.shape)
        relative = difference(a, b)
        agreed &= relative <= TOLERANCE
        mark = "" if relative <= TOLERANCE else "  differs"
        print(f"{name:<40} {float(b.abs().max()):>10.4g} {relative:>20.1e}{mark}")
    return agreed


def write_golden(
    folder: Path,
    theirs: Mapping[str, Tensor],
    *,
    source: str,
    command: str,
    seed: int,
    job: Mapping[str, int],
    config: ModelConfig,
) -> None:
    """The other program's results as a file for the tests, with what they came from beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: tensor.numpy() for name, tensor in theirs.items()}
    np.savez_compressed(folder / "reduced.npz", **arrays)
    origin = {
        "source": source,
        "torch": torch.__version__,
        "command": command,
        "seed": seed,
        "job": dict(job),
        "config": network_fields(config),
        "relative_tolerance": GOLDEN_TOLERANCE,
    }
    (folder / "reduced.json").write_text(json.dumps(origin, indent=2) + "\n")
