"""Measures what folds cost here and fits the constants of `folding/cost.json`.

    python -m benchmarks.cost_calibration            measures, fits, checks
    python -m benchmarks.cost_calibration --memory   memory alone, on a busy machine too
    python -m benchmarks.cost_calibration --check    compares estimates with folds of other sizes
    python -m benchmarks.cost_calibration --check --networks small mini    with these alone

Two networks are folded with: the small one, and one that is as wide as Protenix and OpenFold3 but
has few blocks and random weights; the work of any other is counted from its dimensions. Each size
is folded in a process of its own on one thread, its weights mapped from a file; times are its CPU
seconds, so that other work on the machine disturbs little, memory is its peak resident set.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from scipy.optimize import nnls

from folding import cost
from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.model.config import SMALL, ModelConfig
from folding.weights.configs import BASE, PROTENIX
from folding.work import Size

WIDE = replace(
    BASE,
    n_pairformer_blocks=3,
    n_msa_blocks=2,
    n_template_blocks=1,
    n_token_blocks=4,
    n_confidence_blocks=2,
)
NETWORKS: dict[str, ModelConfig] = {
    "small": SMALL,
    "wide": WIDE,
    "mini": PROTENIX["protenix_mini_default_v0.5.0"],
    "base": PROTENIX["protenix_base_default_v1.0.0"],
}
"""What is folded with: the small network, a shallow one of the published width, whole ones."""
CALIBRATED = (
    *(("small", n, rows) for n, rows in ((32, 1), (96, 1), (192, 1), (384, 1), (128, 256))),
    *(("wide", n, rows) for n, rows in ((40, 1), (96, 1), (160, 1), (256, 1), (96, 64))),
)
CHECKED = (
    *(("small", n, rows) for n, rows in ((64, 1), (128, 1), (256, 1), (512, 1), (96, 128))),
    *(("wide", n, rows) for n, rows in ((64, 1), (128, 1), (208, 1), (64, 32))),
    *(("mini", n, 1) for n in (64, 128, 256, 512)),
    *(("base", n, 1) for n in (64, 128, 256, 512)),
)
KNOWN_BYTES = MappingProxyType({3: 1.0, 6: 4.0})
"""Pair biases of the token transformer are there once, and rows of an alignment about four times.

Networks as shallow as these, and alignments as small, would not show it.
"""
EVENTS = ("start", "features", "cycle", "context", "step", "confidence", "saving")
OPTIONS = FoldOptions(n_samples=2, n_recycles=1, n_steps=5)
CHECK_OPTIONS = FoldOptions(n_samples=3, n_recycles=2, n_steps=12)


def job(n_tokens: int, n_rows: int) -> FoldInput:
    """A made-up chain with an alignment of made-up rows."""
    generator = np.random.default_rng(n_tokens)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    rows = ["".join(generator.choice(letters, n_tokens)) for _ in range(n_rows)]
    msa = "".join(f">{i}\n{row}\n" for i, row in enumerate(rows)) if n_rows > 1 else None
    return FoldInput(f"made up {n_tokens}", (ProteinChain(("A",), rows[0], msa),))


def network(name: str, weights: Path) -> Any:
    """The network to fold with, mapped from its file as every fold has it."""
    from folding.weights import own

    return own.load("small") if name == "small" else own.load_file(weights, NETWORKS[name])


def write_weights(name: str, folder: Path) -> Path:
    """A file of random weights, written by a process that then ends; none for the small network."""
    path = folder / f"{name}.safetensors"
    if name != "small" and not path.exists():
        writer = [sys.executable, "-m", "benchmarks.cost_calibration", "--write", name, str(path)]
        subprocess.run(writer, check=True)
    return path


def save_random(name: str, path: Path) -> None:
    """Writes random weights for a network."""
    from safetensors.torch import save_file

    from tests.folding.model.cases import random_network

    save_file(random_network(NETWORKS[name], 0).state_dict(), path)


def measure(
    name: str, n_tokens: int, n_rows: int, options: FoldOptions, *, weights: Path
) -> dict[str, float]:
    """CPU seconds of each stage and peak bytes of one fold, in this process."""
    started = time.process_time()
    import torch

    from folding.outputs import write_outputs
    from folding.predict import fold
    from folding.progress import RecycleDone, SampleDone, StageStarted, StepDone, silent

    torch.set_num_threads(1)
    model = network(name, weights)
    few = FoldOptions(n_samples=1, n_recycles=0, n_steps=1)
    fold(job(4, 1), model=model, options=few, report=silent)
    fold_input = job(n_tokens, n_rows)
    clock = [time.process_time()]
    spent: dict[str, list[float]] = {stage: [] for stage in EVENTS}
    spent["start"].append(clock[0] - started)
    _forget_peak()

    def listen(event: object) -> None:
        now = time.process_time()
        stage = None
        match event:
            case StageStarted(stage="trunk"):
                stage = "features"
            case StageStarted(stage="diffusion") if not spent["context"]:
                stage = "context"
            case RecycleDone():
                stage = "cycle"
            case StepDone():
                stage = "step"
            case SampleDone():
                stage = "confidence"
            case StageStarted(stage="msa"):
                clock[0] = now
        if stage:
            spent[stage].append(now - clock[0])
            clock[0] = now

    predictions = fold(fold_input, model=model, options=options, report=listen)
    clock[0] = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        write_outputs(
            Path(folder), name="x", fold_input=fold_input, predictions=predictions, manifest={}
        )
    spent["saving"].append((time.process_time() - clock[0]) / len(predictions))
    return {
        **{stage: float(np.median(values)) for stage, values in spent.items()},
        "n_atoms": predictions[0].structure.n_atoms,
        "total": time.process_time() - started - spent["start"][0],
        "bytes": _peak_bytes(),
    }


def _forget_peak() -> None:
    """From here on the peak is counted anew, where the system can do that."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure_apart(
    name: str, n_tokens: int, n_rows: int, options: FoldOptions, *, folder: Path
) -> dict[str, float]:
    """The same in a process of its own; the folder keeps weights from one to the next."""
    weights = str(write_weights(name, folder))
    arguments = [name, str(n_tokens), str(n_rows), json.dumps(options.__dict__), weights]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cost_calibration", "--one", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def fit(
    rows: Sequence[Sequence[float]],
    values: Sequence[float],
    known: Mapping[int, float] = MappingProxyType({}),
) -> list[float]:
    """Non-negative constants with the least relative error.

    Args:
        known: Constants that are not fitted, by their place.
    """
    table, measured = np.array(rows, dtype=np.float64), np.array(values)
    constants = np.zeros(table.shape[1])
    constants[list(known)] = list(known.values())
    free = [place for place in range(table.shape[1]) if place not in known]
    scale = np.abs(table[:, free]).max(0)
    scale[scale == 0] = 1
    left = 1 - table @ constants / measured
    found, _ = nnls(table[:, free] / scale / measured[:, None], left)
    constants[free] = found / scale
    return [float(f"{c:.4g}") for c in constants]


def calibrate(folder: Path, *, only_memory: bool) -> None:
    """Folds all sizes, writes the constants and prints them."""
    measured = []
    for name, n_tokens, n_rows in CALIBRATED:
        measured.append(measure_apart(name, n_tokens, n_rows, OPTIONS, folder=folder))
        shown = {key: float(f"{v:.3g}") for key, v in measured[-1].items()}
        print(name, n_tokens, n_rows, shown, flush=True)
    sizes = [
        Size(n, int(m["n_atoms"]), rows)
        for (_, n, rows), m in zip(CALIBRATED, measured, strict=True)
    ]
    configs = [NETWORKS[name] for name, _, _ in CALIBRATED]
    fitted = {
        stage: fit(
            [cost.terms(stage, s, c) for s, c in zip(sizes, configs, strict=True)],
            [m[stage] for m in measured],
        )
        for stage in cost.STAGES
    }
    fitted["bytes"] = fit(
        [cost.terms("bytes", s, c) for s, c in zip(sizes, configs, strict=True)],
        [m["bytes"] - cost.held_bytes(c) for m, c in zip(measured, configs, strict=True)],
        KNOWN_BYTES,
    )
    document = {
        "probe_seconds": float(f"{cost.probe_seconds(rounds=100):.4g}"),
        "constants": fitted,
    }
    if only_memory:
        document = json.loads(cost.COEFFICIENTS.read_text())
        document["constants"]["bytes"] = fitted["bytes"]
    print(json.dumps(document, indent=1))
    cost.COEFFICIENTS.write_text(json.dumps(document, indent=1) + "\n")
    cost.constants.cache_clear()


def check(networks: Sequence[str], folder: Path) -> None:
    """Compares estimate and fold, size by size."""
    machine = cost.Machine(threads=1, speed=1.0, memory_bytes=cost.usable_memory())
    for name, n_tokens, n_rows in CHECKED:
        if name not in networks:
            continue
        found = measure_apart(name, n_tokens, n_rows, CHECK_OPTIONS, folder=folder)
        size = Size(n_tokens, int(cost.ATOMS_PER_TOKEN * n_tokens), n_rows)
        said = cost.estimate_for(NETWORKS[name], size, CHECK_OPTIONS, machine=machine)
        print(
            f"{name:5s} {n_tokens:4d} tokens {n_rows:4d} rows: {found['total']:7.2f} s, estimate "
            f"{said.seconds:7.2f} ({said.seconds / found['total'] - 1:+.0%}); "
            f"{found['bytes'] / 1e6:6.0f} MB, estimate {said.bytes / 1e6:6.0f} "
            f"({said.bytes / found['bytes'] - 1:+.0%})",
            flush=True,
        )


def main() -> None:
    """Calibrates, or checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), help="to check with")
    parser.add_argument("--memory", action="store_true", help="fits what memory takes alone")
    parser.add_argument("--one", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, n_tokens, n_rows, words, weights = arguments.one
        options = FoldOptions(**json.loads(words))
        found = measure(name, int(n_tokens), int(n_rows), options, weights=Path(weights))
        print(json.dumps(found))
        return
    if arguments.write:
        save_random(arguments.write[0], Path(arguments.write[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        if not arguments.check:
            calibrate(Path(name), only_memory=arguments.memory)
        check(arguments.networks, Path(name))


if __name__ == "__main__":
    main()
