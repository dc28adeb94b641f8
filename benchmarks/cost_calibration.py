"""Measures what folds cost and fits the coefficients of `folding/cost.json`.

    python -m benchmarks.cost_calibration [--model small] [--check]

Each size is folded in a process of its own on one thread; times are its CPU seconds, so that other
work on the machine disturbs little, memory is its peak resident set. `--check` fits nothing: it
compares the estimate with folds of sizes that the fit has not seen.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from folding import cost
from folding.inputs import FoldInput, FoldOptions, ProteinChain

CALIBRATED = (
    (24, 1),
    (48, 1),
    (96, 1),
    (160, 1),
    (256, 1),
    (384, 1),
    (512, 1),
    (64, 256),
    (192, 512),
)
CHECKED = ((76, 1), (128, 1), (200, 1), (320, 1), (450, 1), (128, 300))
STAGES = ("start", "features", "cycle", "step", "confidence", "saving")
OPTIONS = FoldOptions(n_samples=2, n_recycles=1, n_steps=6)
CHECK_OPTIONS = FoldOptions(n_samples=3, n_recycles=3, n_steps=20)


def job(n_tokens: int, n_rows: int) -> FoldInput:
    """A made-up chain with an alignment of made-up rows."""
    generator = np.random.default_rng(n_tokens)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    rows = ["".join(generator.choice(letters, n_tokens)) for _ in range(n_rows)]
    msa = "".join(f">{i}\n{row}\n" for i, row in enumerate(rows)) if n_rows > 1 else None
    return FoldInput(f"made up {n_tokens}", (ProteinChain(("A",), rows[0], msa),))


def measure(n_tokens: int, n_rows: int, options: FoldOptions) -> dict[str, float]:
    """CPU seconds of each stage and peak bytes of one fold, in this process."""
    started = time.process_time()
    import torch

    from folding.chemistry.residues import standard_residues
    from folding.outputs import write_outputs
    from folding.predict import fold
    from folding.progress import RecycleDone, SampleDone, StageStarted, StepDone
    from folding.weights import own

    torch.set_num_threads(1)
    model = own.load(options.model)
    standard_residues()
    fold_input = job(n_tokens, n_rows)
    clock = [time.process_time()]
    spent: dict[str, list[float]] = {stage: [] for stage in STAGES}
    spent["start"].append(clock[0] - started)

    def listen(event: object) -> None:
        seconds, now = time.process_time() - clock[0], time.process_time()
        match event:
            case StageStarted(stage="trunk"):
                spent["features"].append(seconds)
            case RecycleDone():
                spent["cycle"].append(seconds)
            case StepDone():
                spent["step"].append(seconds)
            case SampleDone():
                spent["confidence"].append(seconds)
            case StageStarted(stage="msa"):
                pass
            case _:
                return
        clock[0] = now

    predictions = fold(fold_input, model=model, options=options, report=listen)
    peak_before_saving = _peak_bytes()
    clock[0] = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        write_outputs(
            Path(folder), name="x", fold_input=fold_input, predictions=predictions, manifest={}
        )
    spent["saving"].append((time.process_time() - clock[0]) / len(predictions))
    return {
        **{stage: float(np.median(values)) for stage, values in spent.items()},
        "total": time.process_time() - started - spent["start"][0],
        "bytes": max(_peak_bytes(), peak_before_saving),
        "kept_bytes": _kept_bytes(predictions[0]),
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _kept_bytes(prediction: Any) -> float:
    """Bytes of the arrays that a prediction keeps until the job ends."""
    confidence = prediction.confidence
    arrays = (confidence.pae, confidence.pde, prediction.trajectory, prediction.structure.atom_name)
    return float(sum(array.nbytes for array in arrays))


def measure_apart(n_tokens: int, n_rows: int, options: FoldOptions) -> dict[str, float]:
    """The same in a process of its own."""
    arguments = [str(n_tokens), str(n_rows), json.dumps(options.__dict__)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cost_calibration", "--one", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
        capture_output=True,
        text=True,
        check=True,
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def fit(sizes: Sequence[tuple[int, int]], values: Sequence[float], terms: str) -> list[float]:
    """Non-negative coefficients with the least relative error; only the terms marked `x` count."""
    powers = np.array([cost._powers(*size) for size in sizes])
    chosen = np.array([mark == "x" for mark in terms])
    found, _ = nnls(powers[:, chosen] / np.array(values)[:, None], np.ones(len(values)))
    coefficients = np.zeros(powers.shape[1])
    coefficients[chosen] = found
    return [float(f"{c:.4g}") for c in coefficients]


# Which of 1, N, N², N³, rows N, rows N² each cost can depend on.
TERMS = {
    "features": "xx--x-",
    "cycle": "xxxxxx",
    "step": "xxx---",
    "confidence": "xxxx--",
    "saving": "xxx---",
    "bytes": "xxx-xx",
    "kept_bytes": "xxx---",
}


def calibrate(model: str) -> None:
    """Folds all sizes and writes the coefficients."""
    measured = []
    for n_tokens, n_rows in CALIBRATED:
        measured.append(measure_apart(n_tokens, n_rows, OPTIONS))
        print(n_tokens, n_rows, {key: float(f"{v:.3g}") for key, v in measured[-1].items()})
    fitted = {
        name: fit(CALIBRATED, [m[name] for m in measured], terms) for name, terms in TERMS.items()
    }
    document = json.loads(cost.COEFFICIENTS.read_text()) if cost.COEFFICIENTS.exists() else {}
    document["probe_seconds"] = float(f"{cost.probe_seconds(rounds=100):.4g}")
    document["models"] = {**document.get("models", {}), model: fitted}
    cost.COEFFICIENTS.write_text(json.dumps(document, indent=1) + "\n")


def check() -> None:
    """Compares estimate and fold, size by size."""
    machine = cost.Machine(threads=1, speed=1.0, memory_bytes=cost.usable_memory())
    for n_tokens, n_rows in CHECKED:
        found = measure_apart(n_tokens, n_rows, CHECK_OPTIONS)
        said = cost.estimate(n_tokens, CHECK_OPTIONS, n_rows=n_rows, machine=machine)
        print(
            f"{n_tokens:4d} tokens {n_rows:4d} rows: {found['total']:7.1f} s, estimate "
            f"{said.seconds:7.1f} ({said.seconds / found['total'] - 1:+.0%}); "
            f"{found['bytes'] / 1e6:6.0f} MB, estimate {said.bytes / 1e6:6.0f} "
            f"({said.bytes / found['bytes'] - 1:+.0%})"
        )


def main() -> None:
    """Calibrates, or checks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="small")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        n_tokens, n_rows, options = arguments.one
        found = measure(int(n_tokens), int(n_rows), FoldOptions(**json.loads(options)))
        print(json.dumps(found))
        return
    if not arguments.check:
        calibrate(arguments.model)
    check()


if __name__ == "__main__":
    main()
