"""How long a model takes to load, and a checkpoint to convert, in time and memory.

    python -m benchmarks.weights_start_up [--model protenix_base_default_v1.0.0]

Writes random numbers in Protenix's format, converts them as a download would be, and loads them in
fresh processes with the file in the disk cache.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

STARTS = 5
LIMIT_SECONDS = 3.0
BASE = "protenix_base_default_v1.0.0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=BASE)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.folder, options.model)))
        return
    with tempfile.TemporaryDirectory(prefix="foldstream-weights-") as folder:
        measure(Path(folder), options.model)


def measure(folder: Path, name: str) -> None:
    """Runs every step in a process of its own and prints what it took."""
    run("write", folder, name)
    converted = run("convert", folder, name)
    print(f"{name}: {converted['gigabytes']:.2f} GB")
    print(
        f"convert: {converted['seconds']:.1f} s, {converted['anonymous']:.2f} GB of memory of its "
        f"own, {converted['resident']:.2f} GB with mapped files"
    )
    starts = [run("load", folder, name) for _ in range(STARTS)]
    for what in ("load", "cpu", "process", "touched"):
        seconds = [start[what] for start in starts]
        print(
            f"{WORDS[what]}: median {statistics.median(seconds):.2f} s, slowest {max(seconds):.2f}"
        )
    print(f"memory of its own after loading: {starts[-1]['anonymous']:.2f} GB")
    slowest = max(start["load"] for start in starts)
    print(f"at most {LIMIT_SECONDS:g} s: {'ok' if slowest <= LIMIT_SECONDS else 'TOO MUCH'}")


WORDS = {
    "load": "loading the network",
    "cpu": "of that, on the processor",
    "process": "from the start of the process, imports included",
    "touched": "reading every number once more",
}


def run(step: str, folder: Path, name: str) -> dict[str, float]:
    words = ["--step", step, "--folder", str(folder), "--model", name]
    command = [sys.executable, "-m", "benchmarks.weights_start_up", *words]
    started = time.perf_counter()
    answer = json.loads(subprocess.check_output(command, text=True))
    return {"process": time.perf_counter() - started - answer.get("touched", 0.0), **answer}


def write(folder: Path, name: str) -> dict[str, float]:
    """Random numbers in Protenix's format."""
    import torch

    from folding.weights.own import skeleton
    from folding.weights.protenix import CONFIGS, from_own

    torch.manual_seed(1)
    shapes = skeleton(CONFIGS[name]).state_dict()
    own = {key: 0.02 * torch.randn(tensor.shape) for key, tensor in shapes.items()}
    torch.save({"model": from_own(own, CONFIGS[name])}, folder / f"{name}.pt")
    return {}


def convert(folder: Path, name: str) -> dict[str, float]:
    """What an import of the file takes."""
    from folding.weights.fetch import import_file
    from folding.weights.store import Store

    with Watch() as watch:
        facts = import_file(folder / f"{name}.pt", Store(folder / "weights"), name=name)
    (folder / f"{name}.pt").unlink()
    return {"gigabytes": facts.bytes / 1e9, **watch.readings}


def load(folder: Path, name: str) -> dict[str, float]:
    """What a worker's start takes."""
    from folding.weights.own import load_file
    from folding.weights.store import Store

    store = Store(folder / "weights")
    started, began = time.perf_counter(), time.process_time()
    model = load_file(store.path(name), store.model(name).config)
    loaded, cpu = time.perf_counter(), time.process_time() - began
    anonymous = status("RssAnon")
    sum(float(tensor.sum()) for tensor in model.state_dict().values())
    touched = time.perf_counter() - loaded
    return {"load": loaded - started, "cpu": cpu, "touched": touched, "anonymous": anonymous}


def status(what: str) -> float:
    """A line of this process's status, in GB."""
    text = Path("/proc/self/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+)", text)[1]) * 1024 / 1e9


class Watch:
    """Time, and the most memory, of a block."""

    def __enter__(self) -> "Watch":
        self.started, self.most, self.done = time.perf_counter(), 0.0, threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = time.perf_counter() - self.started
        self.done.set()
        self.thread.join()
        self.readings = {
            "seconds": self.seconds,
            "anonymous": self.most,
            "resident": status("VmHWM"),
        }

    def _look(self) -> None:
        while not self.done.wait(0.02):
            self.most = max(self.most, status("RssAnon"))


STEPS = {"write": write, "convert": convert, "load": load}

if __name__ == "__main__":
    main()
