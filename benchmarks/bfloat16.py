"""How far products in bfloat16 move the atoms, on a CPU, beside float32: emulated where it is slow.

    python -m benchmarks.bfloat16

Same weights, same noise. The small network has its trained weights, the others random ones.
"""

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.cost_calibration import NETWORKS, job
from folding.device import CPU, place_on
from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.model.alphafold3 import AlphaFold3
from folding.predict import fold
from folding.progress import silent
from folding.structure.geometry import superposition
from folding.weights import own
from tests.folding.model.cases import REDUCED, random_network

UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"
HALF = place_on(torch.device("cpu"), "bfloat16")


def cases() -> Iterator[tuple[str, AlphaFold3, FoldInput, int]]:
    """Name, network, job and number of steps."""
    ubiquitin = FoldInput("ubiquitin", (ProteinChain(("A",), UBIQUITIN),))
    small = own.load("small")
    yield "small, made-up chain of 64", small, job(64, 1), 20
    yield "small, ubiquitin", small, ubiquitin, 20
    yield "reduced, 64", random_network(REDUCED, 7), job(64, 1), 5
    yield "mini, 64", random_network(NETWORKS["mini"], 7), job(64, 1), 5


def main() -> None:
    """Prints a line for each case."""
    for name, model, fold_input, n_steps in cases():
        options = FoldOptions(n_samples=1, n_recycles=1, n_steps=n_steps)
        exact, half = (
            fold(fold_input, model=model, options=options, report=silent, place=place)[0]
            for place in (CPU, HALF)
        )
        a, b = (p.structure.coordinates - p.structure.coordinates.mean(0) for p in (exact, half))
        laid = superposition(b, a).apply(b)
        size = np.linalg.norm(a)
        print(
            f"{name:28s} relative error {np.linalg.norm(a - b) / size:.2%}, "
            f"superposed {np.linalg.norm(a - laid) / size:.2%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
