"""What a fold will cost on this machine: seconds and memory, before anything runs. Needs no torch.

Each stage costs a polynomial in the number of tokens, c0 + c1 N + c2 N² + c3 N³, whose
coefficients `benchmarks/cost_calibration.py` measured as seconds of one core of a reference
machine; `cost.json` holds them beside the memory's. This machine's cores are compared with that
core by a short probe.
"""

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from folding.errors import InvalidInput
from folding.inputs import FoldInput, FoldOptions

COEFFICIENTS = Path(__file__).with_name("cost.json")
# The rest is for the system, the web server and what the estimate cannot foresee.
USABLE_MEMORY = 0.8
MAX_SECONDS = 24 * 3600.0
MAX_ROWS = 1024
# How much of each further core a fold gains (measured with two threads).
PARALLEL_GAIN = 0.8
_LARGEST_SEARCHED = 20_000
_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True)
class Machine:
    """What a fold can use.

    Args:
        threads: Cores that work on one fold.
        speed: Of one core, in units of the reference machine's.
        memory_bytes: Memory of the machine or of its container.
    """

    threads: int
    speed: float
    memory_bytes: int

    @property
    def usable_bytes(self) -> int:
        """Memory that a fold may fill."""
        return int(self.memory_bytes * USABLE_MEMORY)


@dataclass(frozen=True)
class Estimate:
    """Cost of a fold: wall-clock seconds, and peak memory of the process in bytes."""

    seconds: float
    bytes: int


def estimate(
    n_tokens: int,
    options: FoldOptions,
    *,
    n_seeds: int = 1,
    n_rows: int = 1,
    machine: Machine | None = None,
) -> Estimate:
    """The cost of folding so many tokens in a worker that has loaded its model.

    Args:
        n_rows: Rows of the deepest alignment.
        machine: This one by default.
    """
    machine = machine or this_machine()
    fitted = _coefficients()[options.model if options.model in _coefficients() else "small"]
    size = _powers(n_tokens, min(n_rows, MAX_ROWS))

    def cost(stage: str) -> float:
        return float(np.dot(fitted[stage], size))

    sample = options.n_steps * cost("step") + cost("confidence") + cost("saving")
    trunk = (options.n_recycles + 1) * cost("cycle") + cost("features")
    core_seconds = n_seeds * (trunk + options.n_samples * sample)
    kept = n_seeds * options.n_samples * cost("kept_bytes")
    return Estimate(
        seconds=core_seconds / machine.speed / _gain(machine.threads),
        bytes=math.ceil(cost("bytes") + kept),
    )


def estimate_job(
    fold_input: FoldInput, options: FoldOptions, *, machine: Machine | None = None
) -> Estimate:
    """The cost of a job, its seeds and alignments counted."""
    depths = [alignment.count(">") for alignment in fold_input.alignments]
    return estimate(
        fold_input.n_tokens,
        options,
        n_seeds=len(fold_input.seeds),
        n_rows=max(depths, default=1),
        machine=machine,
    )


def largest(options: FoldOptions, *, n_rows: int = 1, machine: Machine | None = None) -> int:
    """The most tokens that fit into this machine's memory and a day of its time, one seed."""
    low, high = 0, _LARGEST_SEARCHED
    while low < high:
        middle = (low + high + 1) // 2
        cost = estimate(middle, options, n_rows=n_rows, machine=machine)
        fits = cost.bytes <= (machine or this_machine()).usable_bytes
        if fits and cost.seconds <= MAX_SECONDS:
            low = middle
        else:
            high = middle - 1
    return low


def check(
    fold_input: FoldInput, options: FoldOptions, *, machine: Machine | None = None
) -> Estimate:
    """The cost of a job that fits this machine.

    Raises:
        InvalidInput: It does not fit: says how many residues do, and what would help.
    """
    machine = machine or this_machine()
    cost = estimate_job(fold_input, options, machine=machine)
    if cost.bytes > machine.usable_bytes:
        raise InvalidInput(
            f"This job has {fold_input.n_tokens:,} residues, copies counted, and would need "
            f"{_gigabytes(cost.bytes)} of memory; this machine can give "
            f"{_gigabytes(machine.usable_bytes)}, which is enough for "
            f"{largest(options, machine=machine):,}. Fold fewer chains, or one domain at a time.",
            field="chains",
        )
    if cost.seconds > MAX_SECONDS:
        raise InvalidInput(
            f"This job would take about {cost.seconds / 3600:,.0f} hours here, more than the "
            f"{MAX_SECONDS / 3600:.0f} that a job may take. Choose fewer seeds, samples, recycles "
            "or steps, or fold fewer residues.",
            field="chains",
        )
    return cost


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"


def _gain(threads: int) -> float:
    """How many times faster that many threads are than one."""
    return 1 + PARALLEL_GAIN * (threads - 1)


def _powers(n_tokens: int, n_rows: int) -> Sequence[float]:
    """What the coefficients of a stage stand for."""
    n = float(n_tokens)
    return (1.0, n, n**2, n**3, n_rows * n, n_rows * n**2)


@cache
def _coefficients() -> Mapping[str, Mapping[str, Sequence[float]]]:
    fitted: dict[str, Any] = json.loads(COEFFICIENTS.read_text())["models"]
    return fitted


@cache
def this_machine() -> Machine:
    """This machine, looked at once: its cores, their speed, its memory."""
    reference = json.loads(COEFFICIENTS.read_text())["probe_seconds"]
    return Machine(
        threads=usable_threads(),
        speed=reference / probe_seconds(),
        memory_bytes=usable_memory(),
    )


def usable_threads() -> int:
    """Real cores that this process may use; two threads of one core count once."""
    # Only Linux says which cores a process may use.
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed or 1))


def usable_memory() -> int:
    """Bytes of memory: the machine's, or its container's limit where that is lower."""
    limits = [int(text) for path in _CGROUP_LIMITS if (text := _read(path)).isdigit()]
    return min([psutil.virtual_memory().total, *limits])


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def probe_seconds(*, rounds: int = 12) -> float:
    """Seconds of one core for a fixed piece of arithmetic within its cache, the best of some."""
    x = np.linspace(0.0, 0.5, 4096, dtype=np.float32)
    best = math.inf
    for _ in range(rounds):
        y = np.zeros_like(x)
        started = time.perf_counter()
        for _ in range(200):
            np.multiply(y, x, out=y)
            np.add(y, x, out=y)
        np.exp(y, out=y)
        best = min(best, time.perf_counter() - started)
    return best
