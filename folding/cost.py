"""What a fold will cost on this machine: seconds and memory, before anything runs. Needs no torch.

`folding.work` counts what each stage computes from the dimensions of the network; `cost.json` holds
what one core of a reference machine takes for each kind of work, as measured by
`benchmarks/cost_calibration.py`. This machine's cores are compared with that core by a short probe.
"""

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from folding import work
from folding.cores import usable_cores
from folding.errors import FoldingError, InvalidInput
from folding.inputs import Chain, FoldInput, FoldOptions, Ligand, ProteinChain
from folding.inputs.chain import strand
from folding.inputs.components import Components
from folding.model.config import SMALL, ModelConfig
from folding.weights.catalog import CATALOG, unseen
from folding.weights.configs import ALPHAFOLD3, BASE, OPENFOLD3, PROTENIX
from folding.work import Size

COEFFICIENTS = Path(__file__).with_name("cost.json")
# The rest is for the system, the web server and what the estimate cannot foresee.
USABLE_MEMORY = 0.8
MAX_SECONDS = 24 * 3600.0
ATOMS_PER_TOKEN = 7.8
"""Heavy atoms of an amino acid, on average."""
ATOMS_PER_NUCLEOTIDE = 21.0
KNOWN = {"small": SMALL, **PROTENIX, **OPENFOLD3, **ALPHAFOLD3}
SHIPPED = tuple(name for name, model in CATALOG.items() if model.ships)
STAGES = ("features", "cycle", "context", "step", "confidence", "saving")
SHARED = 0.9
"""How much of a long stage threads share; what is left, one does (measured with two)."""
WAKING = {"cycle": 0.2, "context": 0.2, "step": 0.05, "confidence": 0.2}
"""Seconds of the reference core at which half of that is shared: a pass wakes threads that often.

Stages that are not here are one thread's.
"""
GIVES_BACK = sys.platform == "linux"
"""Whether weights that lie in a file can be given back, as far as the system's name tells."""
GPU_CORES = 30.0
"""Reference cores that a GPU is worth, at the least: to say how long, never to refuse."""
GPU_LIBRARIES = 1e9
"""Memory on a GPU that its driver and libraries fill."""
GPU_SAMPLES = 8
"""Samples that `folding.device` draws together on a GPU."""
GPU_HOST_BYTES = 2e9
"""Memory of the process itself beside a GPU: mostly libraries."""
NVIDIA_SMI = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
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
        gpu_bytes: Memory of the GPU that folds here; 0 where there is none.
        gives_back: Weights that have done their work are dropped from memory until the next use.
    """

    threads: int
    speed: float
    memory_bytes: int
    gpu_bytes: int = 0
    gives_back: bool = GIVES_BACK

    @property
    def usable_bytes(self) -> int:
        """Memory that a fold may fill."""
        return int(self.memory_bytes * USABLE_MEMORY)

    @property
    def usable_gpu_bytes(self) -> int:
        """The same of the GPU."""
        return int(self.gpu_bytes * USABLE_MEMORY)

    def holds(self, cost: "Estimate") -> bool:
        """Whether a fold of this cost fits the memory, the GPU's too."""
        return cost.bytes <= self.usable_bytes and cost.gpu_bytes <= self.usable_gpu_bytes


@dataclass(frozen=True)
class Estimate:
    """Cost of a fold: wall-clock seconds, peak memory of the process and of the GPU in bytes."""

    seconds: float
    bytes: int
    gpu_bytes: int = 0


def estimate(
    n_tokens: int,
    options: FoldOptions,
    *,
    n_seeds: int = 1,
    n_rows: int = 1,
    n_atoms: int | None = None,
    machine: Machine | None = None,
) -> Estimate:
    """The cost of folding so many tokens in a worker that has loaded its model.

    Args:
        n_rows: Rows of the deepest alignment.
        n_atoms: Heavy atoms; those of a protein of this size by default.
        machine: This one by default.
    """
    config = configuration(options.model)
    atoms = math.ceil(n_tokens * ATOMS_PER_TOKEN) if n_atoms is None else n_atoms
    size = Size(n_tokens, atoms, min(n_rows, config.n_msa_rows))
    return estimate_for(config, size, options, n_seeds=n_seeds, machine=machine)


def estimate_for(
    config: ModelConfig,
    size: Size,
    options: FoldOptions,
    *,
    n_seeds: int = 1,
    machine: Machine | None = None,
) -> Estimate:
    """The cost of a fold by a network of these dimensions."""
    machine = machine or this_machine()

    def seconds(stage: str) -> float:
        alone = float(np.dot(constants()[stage], terms(stage, size, config)))
        return alone if machine.gpu_bytes else together(stage, alone, machine.threads)

    sample = options.n_steps * seconds("step") + seconds("confidence") + seconds("saving")
    trunk = (options.n_recycles + 1) * seconds("cycle") + seconds("features") + seconds("context")
    kept = n_seeds * options.n_samples * _kept_bytes(size, options)
    core_seconds = n_seeds * (trunk + options.n_samples * sample)
    peak = float(np.dot(constants()["bytes"], terms("bytes", size, config)))
    weights = held_bytes(config, gives_back=machine.gives_back)
    if machine.gpu_bytes:
        return Estimate(
            seconds=core_seconds / GPU_CORES,
            bytes=math.ceil(GPU_HOST_BYTES + 4 * work.parameters(config) + kept),
            gpu_bytes=math.ceil(gpu_bytes(size, config, n_samples=options.n_samples)),
        )
    return Estimate(
        seconds=core_seconds / machine.speed,
        bytes=math.ceil(peak + weights + kept),
    )


def together(stage: str, seconds: float, threads: int) -> float:
    """What a unit of a stage takes so many threads, from what it takes one of the reference's."""
    if stage not in WAKING or seconds <= 0:
        return seconds
    shared = SHARED * seconds / (seconds + WAKING[stage])
    return seconds * (1 - shared * (1 - 1 / threads))


def held_bytes(config: ModelConfig, *, gives_back: bool = GIVES_BACK) -> float:
    """Weights that a fold holds at its peak.

    Those of the token transformer, laid out for its steps, and of the head that is at work. The
    others are read from their mapped file and given back; where that cannot be done, they are all
    there.
    """
    laid_out = 4 * work.token_weights(config) * config.n_token_blocks
    head = work.pairformer_block(1, config).weight_bytes * config.n_confidence_blocks
    return laid_out + (head if gives_back else 4 * work.parameters(config))


def gpu_bytes(size: Size, config: ModelConfig, *, n_samples: int) -> float:
    """Peak memory on a GPU, counted and not yet measured.

    Weights in float32; the trunk's operands in bfloat16; as many samples as are drawn together.
    """
    pairs, operands, biases, logits, atoms, rows = work.arrays(size, config)
    drawn = min(n_samples, GPU_SAMPLES)
    arrays = 5 * pairs + operands + 2 * biases + 2 * logits + 3 * atoms + 4 * rows
    pieces = min(work.GPU_PIECE_BYTES, 4 * pairs)
    return (
        GPU_LIBRARIES
        + 4 * work.parameters(config)
        + arrays
        + pieces
        + drawn * work.step_arrays(size, config)
    )


def configuration(model: str) -> ModelConfig:
    """The dimensions of a model; of one that nobody knows, those of the published ones."""
    return KNOWN.get(model, BASE)


def terms(stage: str, size: Size, config: ModelConfig) -> tuple[float, ...]:
    """What the constants of a stage are multiplied with."""
    n = float(size.n_tokens)
    match stage:
        case "features":
            return (1.0, float(size.n_atoms), size.n_rows * n, n * n)
        case "saving":
            return (1.0, float(size.n_atoms), n * n)
        case "bytes":
            return (1.0, *work.arrays(size, config))
    counted = {
        "cycle": work.cycle,
        "context": work.context,
        "step": work.step,
        "confidence": work.confidence,
    }
    return counted[stage](size, config).terms


def _kept_bytes(size: Size, options: FoldOptions) -> float:
    """What a finished sample holds until the job ends: errors, contacts, path, coordinates."""
    n = size.n_tokens
    return 4.0 * (3 * n * n + 3 * n * options.n_steps) + 400.0 * size.n_atoms


def estimate_job(
    fold_input: FoldInput,
    options: FoldOptions,
    *,
    n_rows: int = 1,
    machine: Machine | None = None,
) -> Estimate:
    """The cost of a job: its seeds, alignments and atoms counted.

    Args:
        n_rows: Rows that an alignment may yet get, where one is looked for.
    """
    rows = max(n_rows, count_rows(fold_input))
    return _with_rows(fold_input, options, rows, machine)


def _with_rows(
    fold_input: FoldInput, options: FoldOptions, n_rows: int, machine: Machine | None
) -> Estimate:
    return estimate(
        fold_input.n_tokens,
        options,
        n_seeds=len(fold_input.seeds),
        n_rows=n_rows,
        n_atoms=count_atoms(fold_input),
        machine=machine,
    )


def count_rows(fold_input: FoldInput) -> int:
    """Rows of the deepest alignment that a job brings, paired ones counted; 1 where it brings none.

    The most that may be read: some rows may stand in both texts of a chain.
    """
    return max(map(_count_rows, fold_input.chains))


def _count_rows(chain: Chain) -> int:
    """Rows of a chain's own alignment and of its paired one, the chain itself once."""
    texts = (getattr(chain, name, None) or "" for name in ("msa", "paired_msa"))
    return 1 + sum(text.count("\n>") for text in texts)


def count_atoms(fold_input: FoldInput) -> int:
    """Heavy atoms of a job, about: a token of a ligand or a modified residue is one atom."""
    return math.ceil(sum(_count_atoms(chain, fold_input.components) for chain in fold_input.chains))


def _count_atoms(chain: Chain, components: Components) -> float:
    n_tokens = chain.count_tokens(components)
    if isinstance(chain, Ligand):
        return float(n_tokens)
    residues = strand(chain, components)
    modified = {modification.position for modification in chain.modifications}
    n_atomic = sum(not residues.residue(position).is_token for position in modified)
    n_whole = (len(chain.sequence) - n_atomic) * len(chain.ids)
    per_residue = ATOMS_PER_TOKEN if isinstance(chain, ProteinChain) else ATOMS_PER_NUCLEOTIDE
    return n_whole * per_residue + n_tokens - n_whole


def largest(
    options: FoldOptions,
    *,
    n_seeds: int = 1,
    n_rows: int = 1,
    atoms_per_token: float = ATOMS_PER_TOKEN,
    machine: Machine | None = None,
) -> int:
    """The most tokens that fit into this machine's memory and a day of its time."""
    here = machine or this_machine()

    def fits(n_tokens: int) -> bool:
        n_atoms = math.ceil(n_tokens * atoms_per_token)
        cost = estimate(
            n_tokens, options, n_seeds=n_seeds, n_rows=n_rows, n_atoms=n_atoms, machine=here
        )
        return _fits(cost, here)

    return _last(fits, _LARGEST_SEARCHED)


def _fits(cost: Estimate, machine: Machine) -> bool:
    return machine.holds(cost) and not _too_slow(cost, machine)


def _too_slow(cost: Estimate, machine: Machine) -> bool:
    """Whether a fold takes too long; how long one takes on a GPU is not known well enough."""
    return not machine.gpu_bytes and cost.seconds > MAX_SECONDS


def _last(fits: Callable[[int], bool], high: int) -> int:
    """The largest number up to `high` that fits, where all smaller ones do; 0 for none."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def check(
    fold_input: FoldInput,
    options: FoldOptions,
    *,
    n_rows: int = 1,
    models: Collection[str] = SHIPPED,
    machine: Machine | None = None,
) -> Estimate:
    """The cost of a job that fits this machine.

    Args:
        n_rows: Rows of its deepest alignment, where the job holds only the beginning of it.
        models: Names of those that are here, to advise another one.

    Raises:
        InvalidInput: It does not fit: says what size would, and what would help.
    """
    machine = machine or this_machine()
    rows = max(n_rows, count_rows(fold_input))
    cost = check_memory(fold_input, options, n_rows=rows, models=models, machine=machine)
    if _too_slow(cost, machine):
        raise InvalidInput(
            f"This job would take about {cost.seconds / 3600:,.0f} hours here, more than the "
            f"{MAX_SECONDS / 3600:.0f} that a job may take. "
            f"{_at_most(fold_input, options, rows, machine)} Choose fewer seeds, samples, recycles "
            f"or steps, or fold fewer {_unit(fold_input)}"
            f"{_ways_out(fold_input, options, rows, models, machine)}.",
            field="chains",
        )
    return cost


def check_memory(
    fold_input: FoldInput,
    options: FoldOptions,
    *,
    n_rows: int = 1,
    models: Collection[str] = SHIPPED,
    machine: Machine | None = None,
) -> Estimate:
    """The cost of a job that fits this machine's memory, however long it takes.

    Args:
        n_rows: As of `check`, and so is `models`.

    Raises:
        InvalidInput: It does not fit.
    """
    machine = machine or this_machine()
    rows = max(n_rows, count_rows(fold_input))
    cost = _with_rows(fold_input, options, rows, machine)
    needs = (
        (cost.bytes, machine.usable_bytes, "this machine can give"),
        (cost.gpu_bytes, machine.usable_gpu_bytes, "the GPU here can give"),
    )
    for needed, usable, giver in needs:
        if needed <= usable:
            continue
        alignment = f" an alignment of {rows:,} rows," if rows > 1 else ""
        raise InvalidInput(
            f"This job has {fold_input.n_tokens:,} {_unit(fold_input)}, copies counted,{alignment} "
            f"and would need {_gigabytes(needed)} of memory; {giver} "
            f"{_gigabytes(usable)}. {_at_most(fold_input, options, rows, machine)} "
            "Fold fewer chains, or one domain at a time"
            f"{_ways_out(fold_input, options, rows, models, machine)}.",
            field="chains",
        )
    return cost


def _unit(fold_input: FoldInput) -> str:
    """What `n_tokens` counts, in the user's words."""
    return "tokens" if fold_input.has_atom_tokens else "residues"


def _at_most(fold_input: FoldInput, options: FoldOptions, rows: int, machine: Machine) -> str:
    """How large a job that is otherwise like this one may be, as a sentence."""
    size = largest(
        options,
        n_seeds=len(fold_input.seeds),
        n_rows=rows,
        atoms_per_token=count_atoms(fold_input) / fold_input.n_tokens,
        machine=machine,
    )
    alike = " with such an alignment" if rows > 1 else ""
    if not size:
        return f"No job{alike} fits here with these settings."
    return f"Up to {size:,} {_unit(fold_input)}{alike} fit here."


def _ways_out(
    fold_input: FoldInput,
    options: FoldOptions,
    n_rows: int,
    models: Collection[str],
    machine: Machine,
) -> str:
    """Fewer rows or another model with which this job would fit, as the end of a sentence."""

    def fits(rows: int, model: str = options.model) -> bool:
        other = replace(options, model=model)
        return _fits(_with_rows(fold_input, other, rows, machine), machine)

    rows = _last(fits, n_rows)
    ways = f"; or give it an alignment of at most {rows:,} rows" if rows > 1 else ""
    fitting = [
        name
        for name, model in CATALOG.items()
        if name in models
        and name != options.model
        and not unseen(model, fold_input)
        and fits(n_rows, name)
    ]
    return f"{ways}; or choose the model {fitting[0]}, with which it fits" if fitting else ways


def check_free_memory(
    fold_input: FoldInput, options: FoldOptions, *, machine: Machine | None = None
) -> None:
    """Passes if this process can grow to what the fold needs, with what is free now.

    Raises:
        InvalidInput: the machine is too small for it.
        FoldingError: it cannot; a fold that begins all the same would be killed.
    """
    needed = check_memory(fold_input, options, machine=machine).bytes
    memory = psutil.Process().memory_info().rss + psutil.virtual_memory().available
    if needed > memory:
        raise FoldingError(
            f"This fold needs about {_gigabytes(needed)} of memory, and other programs on this "
            f"machine leave {_gigabytes(memory)} at the moment. Close some of them and fold again."
        )


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"


@cache
def constants() -> Mapping[str, Sequence[float]]:
    """What the reference machine takes for each kind of work, by stage."""
    fitted: dict[str, Any] = json.loads(COEFFICIENTS.read_text())["constants"]
    return fitted


@cache
def this_machine() -> Machine:
    """This machine, looked at once: its cores, their speed, its memory."""
    reference = json.loads(COEFFICIENTS.read_text())["probe_seconds"]
    return Machine(
        threads=usable_cores(),
        speed=reference / probe_seconds(),
        memory_bytes=usable_memory(),
        gpu_bytes=gpu_memory(),
    )


def gpu_memory(asked: Sequence[str] = NVIDIA_SMI) -> int:
    """Bytes of the smallest NVIDIA GPU here; 0 without one. Its driver brings the command.

    Whether PyTorch can use it is known only to who has loaded it.
    """
    try:
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    found = [int(line) for line in said.split() if line.isdigit()]
    return min(found, default=0) * 2**20


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
