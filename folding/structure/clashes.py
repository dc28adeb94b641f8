"""Atoms that are too close to be true, one by one.

A pair clashes below 0.75 of the sum of its van der Waals radii, the limit of PoseBusters
(Buttenschoen et al. 2024, https://doi.org/10.1039/D3SC04185A) between a ligand and what it binds.
Metals are held closer than that by what coordinates them: for them it is half the sum.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from folding.structure.composition import Composition
from folding.structure.structure import Structure

NEAREST, NEAREST_METAL = 0.75, 0.5
MAX_LISTED = 100
# Bondi 1964, Å.
_RADII = {
    "C": 1.70,
    "N": 1.55,
    "O": 1.52,
    "F": 1.47,
    "SI": 2.10,
    "P": 1.80,
    "S": 1.80,
    "CL": 1.75,
    "AS": 1.85,
    "SE": 1.90,
    "BR": 1.85,
    "I": 1.98,
}
_OTHER_RADIUS = 1.70
_FARTHEST = 2 * max(_RADII.values()) * NEAREST


@dataclass(frozen=True)
class Clash:
    """Two atoms as `chain/residue/atom`, their distance and the least that is possible, Å."""

    first: str
    second: str
    distance: float
    limit: float


def clashes(structure: Structure, composition: Composition) -> tuple[Clash, ...]:
    """Every clash between residues that are not bonded to each other, the worst first."""
    pairs = cKDTree(structure.coordinates).query_pairs(_FARTHEST, output_type="ndarray")
    pairs = pairs[_are_strangers(structure, composition, pairs)]
    first, second = pairs.T
    distance = np.linalg.norm(structure.coordinates[first] - structure.coordinates[second], axis=-1)
    elements = structure.element.tolist()
    radius = np.array([_RADII.get(element, _OTHER_RADIUS) for element in elements])
    is_metal = np.array([element not in _RADII for element in elements])
    share = np.where(is_metal[first] | is_metal[second], NEAREST_METAL, NEAREST)
    limit = share * (radius[first] + radius[second])
    order = np.argsort(distance / limit, kind="stable")
    return tuple(
        Clash(
            _name(structure, int(first[i])),
            _name(structure, int(second[i])),
            round(float(distance[i]), 2),
            round(float(limit[i]), 2),
        )
        for i in order.tolist()
        if distance[i] < limit[i]
    )


def _are_strangers(structure: Structure, composition: Composition, pairs: np.ndarray) -> np.ndarray:
    """Pairs of atoms in residues that are neither the same nor bonded."""
    starts = structure.residue_starts
    residue = np.searchsorted(starts, np.arange(structure.n_atoms), side="right") - 1
    chain = structure.chain_id
    a, b = residue[pairs[:, 0]], residue[pairs[:, 1]]
    follows = (np.abs(a - b) == 1) & (chain[pairs[:, 0]] == chain[pairs[:, 1]])
    ligands = [c for c in structure.chain_ids if composition.kind(c) == "ligand"]
    follows &= ~np.isin(chain[pairs[:, 0]], ligands)
    joined = {tuple(sorted(pair)) for pair in residue[composition.joints].tolist()}
    bonded = np.array([(min(p), max(p)) in joined for p in zip(a, b, strict=True)], dtype=bool)
    return (a != b) & ~follows & ~bonded


def _name(structure: Structure, atom: int) -> str:
    chain, number = structure.chain_id[atom], structure.residue_number[atom]
    return f"{chain}/{number}/{structure.atom_name[atom]}"
