"""Times the network beside Protenix 2.0.0: one cycle of the trunk and one denoising step.

    make bench-peer
    python -m benchmarks.peer_speed --models mini base --sizes 64 128 256 --threads 1

Runs where `protenix==2.0.0` is installed (without its dependencies) beside what `folding` needs.
Each program has a process of its own that keeps its model; both carry the same random weights, get
the same tensors (no alignment, no templates) and take turns. Protenix goes its default way for
inference: conditioning kept between steps, efficient fusion, its own piece sizes. "samples" are
five steps: ours one sample after the other, as on a processor, theirs in one batch. A line gives
medians of CPU and wall seconds, and the largest resident memory while the part ran once more in a
process that had only run the parts before it, as in a fold. With several threads ours sleep while
they wait, as in the product, theirs wait as PyTorch's do by default. Where the processor has
bfloat16, `--dtype bfloat16` computes our products in it, as the product does; Protenix stays in
float32, which is its default there.

    python3 -m venv VENV && VENV/bin/pip install -r requirements.txt
    VENV/bin/pip install --no-deps protenix==2.0.0
    VENV/bin/pip install ml_collections optree pandas pydantic scikit-learn
    make bench-peer PEER=VENV/bin/python
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

MODELS = {
    "tiny": "protenix_tiny_default_v0.5.0",
    "mini": "protenix_mini_default_v0.5.0",
    "base": "protenix_base_default_v1.0.0",
}
PARTS = ("trunk", "context", "step", "samples")
N_SAMPLES = 5
SIDES = ("ours", "theirs")
SEED = 7


def configuration(model: str, n_blocks: int | None) -> Any:
    """The dimensions, with fewer Pairformer blocks where asked for."""
    from folding.weights.protenix import CONFIGS

    config = CONFIGS[MODELS[model]]
    return config if n_blocks is None else replace(config, n_pairformer_blocks=n_blocks)


def inputs(n_tokens: int) -> Any:
    """Made-up features of so many tokens, about eight atoms each, the query as its alignment."""
    from tests.folding.model.cases import random_features, without_templates

    return without_templates(random_features(SEED, n_tokens=n_tokens, n_rows=1))


def write_weights(path: Path, config: Any) -> None:
    """Random weights as the file that both programs read."""
    from safetensors.torch import save_file

    from tests.folding.model.cases import random_network

    save_file(random_network(config, SEED).state_dict(), path)


class Ours:
    """Our network, built without storage over the mapped file, as the product does."""

    def __init__(self, config: Any, weights: Path) -> None:
        from folding.weights.mapped import Mapped
        from folding.weights.own import load_file

        self.model = load_file(weights, config)
        self.mapped = Mapped(self.model)

    def parts(self, n_tokens: int) -> dict[str, Callable[[], Any]]:
        """What is timed, by name: as a fold drives it, memory given back after every part."""
        import torch

        features = inputs(n_tokens)
        kept: dict[str, Any] = {}
        x = torch.randn(1, len(features.ref_pos), 3)
        t_hat = torch.tensor([4.0])

        def trunk() -> None:
            initial, trunk = self.model.start(features)
            kept["trunk"] = self.model.cycle(features, initial, trunk, self.mapped.let_go)
            self.mapped.part_done(self.model)

        def context() -> None:
            kept.pop("context", None)
            kept["context"] = self.model.diffusion.context(
                features, kept["trunk"], self.mapped.let_go
            )
            self.mapped.part_done(self.model)

        def step() -> None:
            self.model.diffusion(x, t_hat, kept["context"])

        def samples() -> None:
            for _ in range(N_SAMPLES):
                step()

        return {"trunk": trunk, "context": context, "step": step, "samples": samples}


class Theirs:
    """Protenix, on its default way."""

    def __init__(self, config: Any, weights: Path) -> None:
        from safetensors.torch import load_file

        from benchmarks.peer_protenix import peer_model
        from folding.weights.protenix import from_own

        self.model: Any = peer_model(config)
        self.model.load_state_dict(from_own(load_file(weights), config), strict=True)

    def parts(self, n_tokens: int) -> dict[str, Callable[[], Any]]:
        """What is timed, by name."""
        import torch

        from benchmarks.peer_protenix import peer_input, peer_module
        from folding.data.templates import no_templates

        features = inputs(n_tokens)
        shown = replace(features, templates=no_templates((n_tokens,), torch.device("cpu")))
        given = self.model.relative_position_encoding.generate_relp(peer_input(shown))
        given = peer_module("protenix").update_input_feature_dict(given)
        kept: dict[str, Any] = {}
        x = torch.randn(N_SAMPLES, len(given["ref_pos"]), 3)
        module = self.model.diffusion_module

        def trunk() -> None:
            size = self.model._get_dynamic_chunk_size(n_tokens)
            kept["trunk"] = self.model.get_pairformer_output(
                given, N_cycle=1, inplace_safe=True, chunk_size=size
            )

        def context() -> None:
            kept["conditioning"] = peer_conditioning(module, given, kept["trunk"])

        def step(n_samples: int = 1) -> None:
            module(
                x_noisy=x[:n_samples],
                t_hat_noise_level=torch.full((n_samples,), 4.0),
                input_feature_dict=given,
                **kept["conditioning"],
            )

        return {
            "trunk": trunk,
            "context": context,
            "step": step,
            "samples": lambda: step(N_SAMPLES),
        }


def peer_conditioning(module: Any, given: dict[str, Any], trunk: Any) -> dict[str, Any]:
    """What Protenix's diffusion module keeps between steps by default, and how it then runs."""
    names = ("ref_pos", "ref_charge", "ref_mask", "ref_element", "ref_atom_name_chars")
    more = ("atom_to_token_idx", "d_lm", "v_lm", "pad_info")
    z = module.diffusion_conditioning.prepare_cache(given["relp"], trunk[2], False)
    p_lm, c_l = module.atom_attention_encoder.prepare_cache(
        **{name: given[name] for name in (*names, *more)}, r_l=True, z=z, inplace_safe=False
    )
    return {
        "s_inputs": trunk[0],
        "s_trunk": trunk[1],
        "z_trunk": None,
        "pair_z": z,
        "p_lm": p_lm,
        "c_l": c_l,
        "inplace_safe": True,
        "enable_efficient_fusion": True,
    }


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself; only Linux says so."""
    try:
        flags = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def serve(side: str, model: str, n_blocks: int | None, weights: Path, dtype: str) -> None:
    """One program's process: answers `<part> <tokens>` with seconds and bytes."""
    import torch

    from folding.model import team

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    config = configuration(model, n_blocks)
    program: Any = {"ours": Ours, "theirs": Theirs}[side](config, weights)
    parts: dict[int, dict[str, Callable[[], Any]]] = {}
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print("{}", file=answers, flush=True)
    is_half = dtype == "bfloat16" and side == "ours"
    half = torch.autocast("cpu", dtype=torch.bfloat16, enabled=is_half)
    n_threads = torch.get_num_threads() if side == "ours" else 1
    with torch.inference_mode(), half, team.leading(n_threads):
        for line in sys.stdin:
            part, size = line.split()
            if int(size) not in parts:
                parts = {int(size): program.parts(int(size))}
            print(json.dumps(measured(parts[int(size)][part])), file=answers, flush=True)


def measured(work: Callable[[], Any]) -> dict[str, float]:
    """CPU and wall seconds of the work, and the largest resident memory meanwhile."""
    Path("/proc/self/clear_refs").write_text("5")
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return {"cpu": cpu, "wall": wall, "bytes": 1024 * int(found[1])}


class Program:
    """A process that times one program on request."""

    def __init__(self, side: str, arguments: argparse.Namespace, model: str, weights: Path) -> None:
        words = [side, model, str(arguments.blocks or 0), str(weights), arguments.dtype]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peer_speed", "--serve", *words],
            env={
                **os.environ,
                "LAYERNORM_TYPE": "torch",
                "OMP_NUM_THREADS": str(arguments.threads),
                **({"OMP_WAIT_POLICY": "passive"} if side == "ours" else {}),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def measure(self, part: str, n_tokens: int) -> dict[str, float]:
        """What one run of the part takes."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{part} {n_tokens}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self.process.stdout is not None
        answer: dict[str, float] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def peak_bytes(side: str, part: str, n_tokens: int, *given: Any) -> float:
    """The largest resident memory in a part, in a new process that has run those before it."""
    program = Program(side, *given)
    found = [program.measure(one, n_tokens) for one in PARTS[: PARTS.index(part) + 1]]
    program.close()
    return found[-1]["bytes"]


def compare(model: str, arguments: argparse.Namespace, folder: Path) -> None:
    """Prints one line for every size and part of a model."""
    weights = folder / f"{model}.safetensors"
    writer = [sys.executable, "-m", "benchmarks.peer_speed", "--write", model]
    subprocess.run([*writer, str(arguments.blocks or 0), str(weights)], check=True)
    programs = [Program(side, arguments, model, weights) for side in SIDES]
    for n_tokens in arguments.sizes:
        for part in PARTS:
            runs: list[list[dict[str, float]]] = [[], []]
            for _ in range(arguments.repeats + (part != "trunk")):
                for program, found in zip(programs, runs, strict=True):
                    found.append(program.measure(part, n_tokens))
            peaks = [peak_bytes(side, part, n_tokens, arguments, model, weights) for side in SIDES]
            print(line(f"{model} {n_tokens} {part}", runs, peaks), flush=True)
    for program in programs:
        program.close()
    weights.unlink()


def line(name: str, runs: list[list[dict[str, float]]], peaks: list[float]) -> str:
    """Medians of both programs, their largest memory, and the ratios."""
    (ours, theirs) = (
        {key: statistics.median(run[key] for run in some) for key in some[0]} for some in runs
    )
    return (
        f"{name:<18} CPU s {ours['cpu']:8.3f} {theirs['cpu']:8.3f} "
        f"{theirs['cpu'] / ours['cpu']:5.2f}x  wall s {ours['wall']:8.3f} {theirs['wall']:8.3f} "
        f"{theirs['wall'] / ours['wall']:5.2f}x  MiB {peaks[0] / 2**20:6.0f} "
        f"{peaks[1] / 2**20:6.0f} {peaks[0] / peaks[1]:5.2f}"
    )


def main() -> None:
    """Compares the models one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["mini", "base"], choices=list(MODELS))
    parser.add_argument("--sizes", nargs="+", type=int, default=[64, 128, 256])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--blocks", type=int, help="Pairformer blocks, where all take too long")
    parser.add_argument("--serve", nargs=5, help=argparse.SUPPRESS)
    parser.add_argument("--write", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        side, model, n_blocks, weights, dtype = arguments.serve
        serve(side, model, int(n_blocks) or None, Path(weights), dtype)
    elif arguments.write:
        model, n_blocks, weights = arguments.write
        write_weights(Path(weights), configuration(model, int(n_blocks) or None))
    else:
        if arguments.dtype == "bfloat16" and not has_bfloat16():
            parser.exit(0, "bfloat16: not applicable, this processor does not have it\n")
        print("part: ours, Protenix, ratio; medians, taken in turns", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            for model in arguments.models:
                compare(model, arguments, Path(folder))


if __name__ == "__main__":
    main()
