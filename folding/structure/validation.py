"""Whether a structure is physically possible: clashes and distances along the chain."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from folding.structure.structure import Structure

# AF3 SI 5.9.2
CLASH_DISTANCE = 1.1
MAX_CLASHING_ATOMS = 100
MAX_CLASHING_FRACTION = 0.5

# A trans peptide bond holds neighbouring CA atoms at 3.80 Å.
CA_DISTANCE = 3.8
CA_TOLERANCE = 0.3


def clashing_atoms(
    structure: Structure, *, distance: float = CLASH_DISTANCE
) -> Bool[np.ndarray, " atom"]:
    """Atoms that are too close to an atom of another chain or of a residue further along."""
    pairs = cKDTree(structure.coordinates).query_pairs(distance, output_type="ndarray")
    first, second = pairs[:, 0], pairs[:, 1]
    apart = np.abs(structure.residue_number[first] - structure.residue_number[second]) > 1
    apart |= structure.chain_id[first] != structure.chain_id[second]
    clashing = np.zeros(structure.n_atoms, dtype=bool)
    clashing[pairs[apart].ravel()] = True
    return clashing


def has_clash(structure: Structure) -> bool:
    """True where a polymer has over 100 clashing atoms, or more than half of its atoms clash.

    AF3 SI 5.9.2, with the counting of DeepMind's code: clashes of a chain with itself count too.
    Ligands and ions do not.
    """
    polymers = [chain for chain, kind in structure.chain_kinds.items() if kind != "ligand"]
    polymer = structure.select(np.isin(structure.chain_id, polymers))
    clashing = clashing_atoms(polymer)
    for chain_id in polymer.chain_ids:
        chain = clashing[polymer.chain_id == chain_id]
        if chain.sum() > MAX_CLASHING_ATOMS or chain.mean() > MAX_CLASHING_FRACTION:
            return True
    return False


def consecutive_ca_distances(structure: Structure) -> Float[np.ndarray, " bond"]:
    """Distances of the CA atoms of residues that follow each other in a chain, Å."""
    ca = structure.select(structure.atom_name == "CA")
    follows = (np.diff(ca.residue_number) == 1) & (ca.chain_id[1:] == ca.chain_id[:-1])
    return np.linalg.norm(np.diff(ca.coordinates, axis=0), axis=-1)[follows]


def fraction_chain_like(structure: Structure) -> float:
    """The fraction of neighbouring CA pairs within 3.8 ± 0.3 Å; 1 where there is no pair."""
    off = np.abs(consecutive_ca_distances(structure) - CA_DISTANCE)
    return float(np.mean(off <= CA_TOLERANCE)) if len(off) else 1.0
