"""`python -m benchmarks.helix_probe --data chains.h5`: what the training chains say of helices.

A window of 21 residues, read by a small network, says whether the one in the middle is helical.
It knows nothing but local propensities, as they are in the very chains that the shipped network was
trained on. What it calls a coil, the shipped network cannot be expected to make a helix of, unless
it has learned the whole fold.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional

from folding.chemistry.residues import LETTERS
from folding.training.dataset import Chain, ChainFile
from folding.training.evaluate import HELICAL

REACH = 10
"""Residues that a window holds on either side."""

BEYOND = len(LETTERS)
"""Class of what lies behind the ends."""

TURN = (4.5, 6.0)
"""Å between Cα atoms three residues apart in a helix."""

PROTEINS = HELICAL | {"Trp-cage 2JOF": "DAYAQWLKDGGPSSGRPPPS"}


def helical(chain: Chain) -> Bool[np.ndarray, " residue"]:
    """Residues in stretches of at least five whose Cα trace winds as a helix does."""
    alpha, seen = chain.coordinates[:, 1], chain.observed[:, 1]
    turn = np.linalg.norm(alpha[3:] - alpha[:-3], axis=1)
    winds = (turn > TURN[0]) & (turn < TURN[1]) & seen[3:] & seen[:-3]
    found = np.zeros(len(chain), bool)
    for start in np.flatnonzero(winds[:-1] & winds[1:]):
        found[start : start + 5] = True
    return found


def windows(restype: Int64[np.ndarray, " residue"]) -> Int64[np.ndarray, "residue place"]:
    """What surrounds every residue."""
    padded = np.pad(restype, REACH, constant_values=BEYOND)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * REACH + 1)


def examples(chains: ChainFile, split: str, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Windows and labels of one chain of each cluster."""
    places, labels = [], []
    for group in chains.clusters(split):
        chain = chains[int(rng.choice(group))]
        seen = chain.observed[:, 1]
        places.append(windows(chain.restype)[seen])
        labels.append(helical(chain)[seen])
    return torch.from_numpy(np.concatenate(places)), torch.from_numpy(np.concatenate(labels))


class Probe(nn.Module):
    """Logit of a helix in the middle of a window."""

    def __init__(self, width: int = 16, hidden: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(BEYOND + 1, width)
        self.layers = nn.Sequential(
            nn.Linear((2 * REACH + 1) * width, hidden),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(hidden, 1),
        )

    def forward(self, places: Int64[Tensor, "batch place"]) -> Float[Tensor, " batch"]:
        logits: Tensor = self.layers(self.embedding(places).flatten(1))
        return logits.squeeze(1)


def trained(places: Tensor, labels: Tensor, *, epochs: int) -> Probe:
    """A probe after some passes over the examples."""
    probe = Probe()
    optimizer = torch.optim.Adam(probe.parameters(), 1e-3)
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(places)), 512):
            target = labels[batch].float()
            loss = functional.binary_cross_entropy_with_logits(probe(places[batch]), target)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return probe.eval()


def main() -> None:
    """Trains the probe and prints what it says of the helical mini-proteins."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.helix_probe", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="HDF5 file of chains")
    parser.add_argument("--epochs", type=int, default=4)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    chains, rng = ChainFile(arguments.data), np.random.default_rng(0)
    probe = trained(*examples(chains, "train", rng), epochs=arguments.epochs)
    with torch.inference_mode():
        places, labels = examples(chains, "val", rng)
        right = ((probe(places) > 0) == labels).float().mean().item()
        print(f"right for {right:.1%} of {len(labels)} residues of validation proteins")
        for name, sequence in PROTEINS.items():
            restype = np.array([LETTERS.index(letter) for letter in sequence])
            share = probe(torch.from_numpy(windows(restype).copy())).sigmoid()
            print(name)
            print(" ".join(f"{letter:>2}" for letter in sequence))
            print(" ".join(f"{100 * value:2.0f}" for value in share.tolist()))


if __name__ == "__main__":
    main()
