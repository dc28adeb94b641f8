"""What to measure when a GPU is at hand: parity with the CPU, speed, the largest job that fits.

    python -m benchmarks.gpu --out results [--sizes 256 512 1024 2048] [--models mini base]

Installs nothing. It first runs a tiny network everywhere, which takes some seconds, then writes
`results/gpu.json` after every number and prints a table last. Beside Protenix 2.0.0 where that can
be imported, else alone. Weights are random and the same in both; without an alignment.
Times are medians of device events, memory is the largest that was allocated.
"""

import argparse
import importlib.util
import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.peer_speed import SEED, configuration, inputs
from folding.device import Place, place_on
from folding.model.alphafold3 import AlphaFold3
from folding.model.diffusion import Trunk
from tests.folding.model.cases import REDUCED, random_network

N_SAMPLES = 5
LARGEST = 8192


def relative(found: Tensor, expected: Tensor) -> float:
    """The largest difference over the largest value."""
    found, expected = found.float().cpu(), expected.float().cpu()
    return float((found - expected).abs().max() / expected.abs().max())


class Ours:
    """Our network on a device, used as the product uses it there."""

    name = "ours"

    def __init__(self, model: AlphaFold3, place: Place, n_tokens: int) -> None:
        self.model, self.place = model.to(place.device), place
        self.features = inputs(n_tokens).to(place.device)
        self.generator = torch.Generator().manual_seed(SEED)

    def trunk(self) -> Trunk:
        """One cycle."""
        initial, trunk = self.model.start(self.features)
        with self.place.trunk():
            return self.model.cycle(self.features, initial, trunk)

    def step(self, trunk: Trunk, n_samples: int) -> Callable[[], Tensor]:
        """A denoising step of some samples, ready to run."""
        context = self.model.diffusion.context(self.features, trunk)
        shape = (n_samples, len(self.features.ref_pos), 3)
        x = torch.randn(shape, generator=self.generator).to(self.place.device)
        t_hat = torch.full((n_samples,), 4.0, device=self.place.device)
        denoise = self.place.prepared(lambda x, t: self.model.diffusion(x, t, context))
        return lambda: denoise(x, t_hat)


class Theirs:
    """Protenix on a device, on its default way with PyTorch's kernels."""

    name = "Protenix"

    def __init__(self, model: AlphaFold3, place: Place, n_tokens: int) -> None:
        from benchmarks.peer_protenix import Peer
        from folding.data.templates import no_templates

        features = inputs(n_tokens)
        shown = replace(features, templates=no_templates((n_tokens,), torch.device("cpu")))
        self.place, device = place, place.device
        self.peer = Peer(model.cpu(), shown)
        self.model: Any = self.peer.model.to(device)
        self.input = _moved(self.peer.input, device)
        self.n_atoms = self.peer.n_atoms

    def trunk(self) -> tuple[Tensor, ...]:
        """One cycle, under autocast as Protenix does it."""
        n_tokens = len(self.input["token_index"])
        size = self.model._get_dynamic_chunk_size(n_tokens)
        with self.place.trunk():
            found: tuple[Tensor, ...] = self.model.get_pairformer_output(
                self.input, N_cycle=1, inplace_safe=True, chunk_size=size
            )
        return found

    def step(self, trunk: tuple[Tensor, ...], n_samples: int) -> Callable[[], Tensor]:
        """A denoising step of some samples, its conditioning kept from the step before."""
        from benchmarks.peer_speed import peer_conditioning

        x = torch.randn(n_samples, self.n_atoms, 3, device=self.place.device)
        t_hat = torch.full((n_samples,), 4.0, device=self.place.device)
        kept = peer_conditioning(self.model.diffusion_module, self.input, trunk)
        return lambda: self.model.diffusion_module(
            x_noisy=x, t_hat_noise_level=t_hat, input_feature_dict=self.input, **kept
        )


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _moved(one, device) for key, one in value.items()}
    return type(value)(_moved(one, device) for one in value) if isinstance(value, list) else value


def timed(work: Callable[[], Any], place: Place, repeats: int) -> dict[str, float]:
    """Milliseconds by device events (the median), and the largest memory meanwhile."""
    for _ in range(2):
        work()
    torch.cuda.reset_peak_memory_stats(place.device)
    found = []
    for _ in range(repeats):
        begin, end = _event(), _event()
        begin.record()
        work()
        end.record()
        end.synchronize()
        found.append(begin.elapsed_time(end))
    peak = torch.cuda.max_memory_allocated(place.device)
    return {"milliseconds": statistics.median(found), "bytes": peak}


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]


def parity(place: Place, n_tokens: int = 48) -> dict[str, float]:
    """How far the device's trunk, step and recorded step are from the CPU's."""
    model = random_network(REDUCED, SEED)
    cpu = Ours(model, Place(torch.device("cpu")), n_tokens)
    trunk = cpu.trunk()
    exact = trunk, cpu.step(trunk, 1)()
    found = {}
    modes = {"float32": replace(place, trunk_type=torch.float32), "own type": place}
    for name, mode in modes.items():
        ours = Ours(model, mode, n_tokens)
        found[f"trunk, {name}"] = relative(ours.trunk().z, exact[0].z)
    with allow_tf32():
        ours = Ours(model, modes["float32"], n_tokens)
        found["trunk, tf32"] = relative(ours.trunk().z, exact[0].z)
    same = Trunk(*(x.to(place.device) for x in exact[0]))
    for name, replays in (("step", False), ("step as a graph", place.replays)):
        ours = Ours(model, replace(place, replays=replays), n_tokens)
        found[name] = relative(ours.step(same, 1)(), exact[1])
    return found


class allow_tf32:
    """Within it, float32 products may use the tensor cores' shorter numbers."""

    def __enter__(self) -> None:
        self.before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")

    def __exit__(self, *error: object) -> None:
        torch.set_float32_matmul_precision(self.before)


def speed(model: str, sizes: list[int], place: Place, repeats: int) -> Iterator[dict[str, Any]]:
    """Trunk, step of one sample and of five, for each program and size."""
    network = random_network(configuration(model, None), SEED)
    programs: list[Any] = [Ours, Theirs] if importlib.util.find_spec("protenix") else [Ours]
    for n_tokens in sizes:
        for kind in programs:
            row: dict[str, Any] = {"model": model, "tokens": n_tokens, "program": kind.name}
            try:
                program = kind(network, place, n_tokens)
                row["trunk"] = timed(program.trunk, place, repeats)
                trunk = program.trunk()
                for n_samples in (1, N_SAMPLES):
                    step = program.step(trunk, n_samples)
                    row[f"step x {n_samples}"] = timed(step, place, repeats)
            except torch.OutOfMemoryError:
                row["out_of_memory"] = True
            torch.cuda.empty_cache()
            yield row


def largest(model: str, place: Place) -> int:
    """The most tokens, to 256, whose trunk and step fit."""
    network = random_network(configuration(model, None), SEED)

    def fits(n_tokens: int) -> bool:
        try:
            ours = Ours(network, place, n_tokens)
            ours.step(ours.trunk(), 1)()
        except torch.OutOfMemoryError:
            return False
        finally:
            torch.cuda.empty_cache()
        return True

    low, high = 0, LARGEST // 256
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(256 * middle) else (low, middle - 1)
    return 256 * low


def table(results: dict[str, Any]) -> str:
    """The results as lines of text."""
    lines = [results["device"]]
    lines += [f"parity: {name} {value:.1e}" for name, value in results["parity"].items()]
    for row in results["speed"]:
        cells = [f"{row['model']} {row['tokens']} {row['program']}"]
        cells += [
            f"{part} {found['milliseconds']:.1f} ms {found['bytes'] / 2**30:.2f} GiB"
            for part, found in row.items()
            if isinstance(found, dict)
        ]
        lines.append("; ".join(cells + ["out of memory"] * ("out_of_memory" in row)))
    lines += [f"largest, {name}: {n} tokens" for name, n in results["largest"].items()]
    return "\n".join(lines)


def main() -> None:
    """Parity, speed, the largest size; written as it goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["mini", "base"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024, 2048])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(1, "There is no GPU that PyTorch sees.\n")
    place = place_on(torch.device("cuda"))
    arguments.out.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {"device": place.name, "parity": {}, "speed": [], "largest": {}}

    def write() -> None:
        (arguments.out / "gpu.json").write_text(json.dumps(results, indent=1) + "\n")

    with torch.inference_mode():
        results["parity"] = parity(place)
        write()
        for model in arguments.models:
            for row in speed(model, arguments.sizes, place, arguments.repeats):
                results["speed"].append(row)
                print(json.dumps(row), flush=True)
                write()
            results["largest"][model] = largest(model, place)
            write()
    print(table(results))


if __name__ == "__main__":
    main()
