"""Whether backbone torsions are ones that proteins have.

The reference is how often φ and ψ occur in well resolved experimental structures, for four kinds of
residue as in Lovell et al. 2003 (https://doi.org/10.1002/prot.10286). Departure: regions are drawn
from our own counts (`benchmarks/ramachandran_reference.py`), not from theirs.
"""

from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Integer, Shaped

from folding.structure.geometry import backbone_torsions
from folding.structure.structure import Structure

REFERENCE = Path(__file__).with_name("ramachandran.npz")
KINDS = ("general", "glycine", "proline", "before proline")
FAVOURED, ALLOWED, OUTLIER, UNKNOWN = "favoured", "allowed", "outlier", ""
# Of the residues of the reference, 2 % lie outside the favoured regions, 0.2 % outside the allowed.
FAVOURED_ABOVE = 0.02
ALLOWED_ABOVE = 0.002


def ramachandran_regions(structure: Structure) -> Shaped[np.ndarray, " residue"]:
    """`favoured`, `allowed` or `outlier` for each residue; empty where φ or ψ is not defined."""
    torsions = backbone_torsions(structure)
    known = ~(np.isnan(torsions.phi) | np.isnan(torsions.psi))
    kind = residue_kinds(structure)
    regions = np.full(len(kind), UNKNOWN, dtype="<U8")
    share = rarity(torsions.phi[known], torsions.psi[known], kind[known])
    regions[known] = np.where(
        share >= FAVOURED_ABOVE, FAVOURED, np.where(share >= ALLOWED_ABOVE, ALLOWED, OUTLIER)
    )
    return regions


def fraction_favoured(structure: Structure) -> float:
    """The fraction of residues in favoured regions, of those with φ and ψ; 1 where none has."""
    regions = ramachandran_regions(structure)
    known = regions != UNKNOWN
    return float(np.mean(regions[known] == FAVOURED)) if known.any() else 1.0


def residue_kinds(structure: Structure) -> Integer[np.ndarray, " residue"]:
    """Which of `KINDS` each residue is; glycine and proline come before their place."""
    starts = structure.residue_starts
    name, chain = structure.residue_name[starts], structure.chain_id[starts]
    before = np.zeros(len(starts), dtype=bool)
    before[:-1] = (name[1:] == "PRO") & (chain[1:] == chain[:-1])
    return np.select([name == "GLY", name == "PRO", before], [1, 2, 3], default=0)


def rarity(
    phi: Float[np.ndarray, " residue"],
    psi: Float[np.ndarray, " residue"],
    kind: Integer[np.ndarray, " residue"],
) -> Float[np.ndarray, " residue"]:
    """The share of reference residues whose torsions are rarer than these, 0 to 1."""
    levels = _levels()
    n_bins = levels.shape[-1]
    row, column = (
        np.floor((angle + np.pi) / (2 * np.pi) * n_bins).astype(int) % n_bins
        for angle in (phi, psi)
    )
    return levels[kind, row, column]


@cache
def _levels() -> Float[np.ndarray, "kind phi psi"]:
    with np.load(REFERENCE) as file:
        return file["levels"].astype(np.float64)
