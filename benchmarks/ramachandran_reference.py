"""Counts backbone torsions of experimental chains and writes `folding/structure/ramachandran.npz`.

    python -m benchmarks.ramachandran_reference CHAINS.h5

Of the training split, unmodified X-ray chains to 2.0 Å, one of each 95 % cluster, residues whose
neighbours are observed. Counts in 5° bins are smoothed by a Gaussian of 1.5 bins; each bin is given
the share of residues that lie in rarer bins.
"""

import argparse
from pathlib import Path

import h5py
import numpy as np
from scipy.ndimage import gaussian_filter

from folding.chemistry.residues import LETTERS
from folding.structure.geometry import dihedral
from folding.structure.ramachandran import KINDS, REFERENCE
from folding.training.dataset import Chain, ChainFile

N_BINS = 72
SMOOTHING_BINS = 1.5
BEST_RESOLUTION = 2.0


def chosen_chains(path: Path) -> list[int]:
    """Indices of the chains that count."""
    with h5py.File(path) as file:
        table = {
            key: file["table"][key][:] for key in ("split", "state", "resolution", "cluster95")
        }
    fine = (table["resolution"] > 0) & (table["resolution"] <= BEST_RESOLUTION)
    fine &= (table["split"] == b"train") & (table["state"] != b"modified")
    candidates = np.flatnonzero(fine)
    _, first = np.unique(table["cluster95"][candidates], return_index=True)
    return [int(index) for index in candidates[first]]


def torsions(chain: Chain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """φ, ψ and kind of the residues between observed neighbours."""
    n, ca, c = (chain.coordinates[:, slot] for slot in range(3))
    seen = chain.observed[:, :3].all(axis=1)
    inner = seen[:-2] & seen[1:-1] & seen[2:]
    inner &= np.equal(chain.residue_index[2:] - chain.residue_index[:-2], 2)
    phi = dihedral(c[:-2], n[1:-1], ca[1:-1], c[1:-1])
    psi = dihedral(n[1:-1], ca[1:-1], c[1:-1], n[2:])
    letter = np.array(list(LETTERS))[chain.restype]
    middle, after = letter[1:-1], letter[2:]
    kind = np.select([middle == "G", middle == "P", after == "P"], [1, 2, 3], default=0)
    inner &= middle != "X"
    return phi[inner], psi[inner], kind[inner]


def levels(counts: np.ndarray) -> np.ndarray:
    """For each bin the share of all residues in bins with fewer residues."""
    smooth = gaussian_filter(counts, SMOOTHING_BINS, mode="wrap")
    order = np.argsort(smooth, axis=None)
    below = np.cumsum(smooth.ravel()[order]) / smooth.sum()
    shares = np.empty(counts.size)
    shares[order] = below
    return shares.reshape(counts.shape)


def main() -> None:
    """Writes the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chains", type=Path)
    path = parser.parse_args().chains
    chains = ChainFile(path)
    counts = np.zeros((len(KINDS), N_BINS, N_BINS))
    indices = chosen_chains(path)
    for index in indices:
        phi, psi, kind = torsions(chains[index])
        row, column = (
            np.floor((a + np.pi) / (2 * np.pi) * N_BINS).astype(int) % N_BINS for a in (phi, psi)
        )
        np.add.at(counts, (kind, row, column), 1)
    totals = dict(zip(KINDS, counts.sum(axis=(1, 2)).astype(int).tolist(), strict=True))
    print(f"{len(indices)} chains, residues: {totals}")
    np.savez_compressed(REFERENCE, levels=np.stack([levels(c) for c in counts]).astype(np.float16))


if __name__ == "__main__":
    main()
