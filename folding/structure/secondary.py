"""Secondary structure from backbone hydrogen bonds."""

import numpy as np
from jaxtyping import Bool, Float, Integer

from folding.structure.geometry import distances, residue_atom
from folding.structure.structure import Structure

HELIX, STRAND, COIL = "H", "E", "-"
# Kabsch & Sander 1983: partial charges 0.42 e and 0.20 e times 332 kcal Å / mol.
_COUPLING = 0.42 * 0.20 * 332.0
_BOND_BELOW = -0.5
_NH_LENGTH = 1.0
_HELIX_TURN = 4
_BRIDGE_SEPARATION = 3
# Keeps the energy finite where atoms lie on each other, as in early denoising steps.
_CLOSEST = 0.5


def secondary_structure(structure: Structure) -> str:
    """One letter for each residue: H in an α-helix, E in a β-strand, - elsewhere.

    Kabsch & Sander 1983: a helix is two consecutive 4-turns, a strand a run of bridges. Departures:
    3-10 and π helices, single bridges and bends count as coil.
    """
    bonds = hydrogen_bonds(structure)
    stretch = _stretches(structure)
    helix = _helix(bonds, stretch=stretch)
    strand = _strand(bonds, stretch=stretch) & ~helix
    return "".join(np.where(helix, HELIX, np.where(strand, STRAND, COIL)).tolist())


def hydrogen_bonds(structure: Structure) -> Bool[np.ndarray, "acceptor donor"]:
    """True where the C=O of one residue accepts the N-H of another (below -0.5 kcal/mol)."""
    energy = hydrogen_bond_energy(structure)
    with np.errstate(invalid="ignore"):
        bonded = energy < _BOND_BELOW
    # Neighbours in the chain cannot bond, whatever the formula gives for them.
    stretch, position = _stretches(structure), np.arange(len(energy))
    near = np.abs(position[:, None] - position) <= 1
    return bonded & ~(near & (stretch[:, None] == stretch))


def _stretches(structure: Structure) -> Integer[np.ndarray, " residue"]:
    """The number of the unbroken stretch that each residue is in: chains end, or have gaps."""
    starts = structure.residue_starts
    chain, number = structure.chain_id[starts], structure.residue_number[starts]
    follows = (chain[1:] == chain[:-1]) & (np.diff(number) == 1)
    return np.concatenate([[0], np.cumsum(~follows)])


def hydrogen_bond_energy(structure: Structure) -> Float[np.ndarray, "acceptor donor"]:
    """Electrostatic energy of each C=O with each N-H, kcal/mol; NaN where atoms are missing.

    The hydrogen is placed on the line of the C=O of the residue before; proline and the first
    residue of a chain have none.
    """
    n, c, o = (residue_atom(structure, name) for name in ("N", "C", "O"))
    h = _amide_hydrogen(structure, n=n, c=c, o=o)
    inverse = [
        1 / np.maximum(distances(a, b), _CLOSEST) for a, b in ((o, n), (c, h), (o, h), (c, n))
    ]
    return _COUPLING * (inverse[0] + inverse[1] - inverse[2] - inverse[3])


def _amide_hydrogen(
    structure: Structure, *, n: np.ndarray, c: np.ndarray, o: np.ndarray
) -> Float[np.ndarray, "residue 3"]:
    starts = structure.residue_starts
    chain, number = structure.chain_id[starts], structure.residue_number[starts]
    bonded = (chain[1:] == chain[:-1]) & (np.diff(number) == 1)
    has_hydrogen = bonded & (structure.residue_name[starts][1:] != "PRO")
    carbonyl = c[:-1] - o[:-1]
    with np.errstate(invalid="ignore"):
        direction = carbonyl / np.linalg.norm(carbonyl, axis=-1, keepdims=True)
    h = np.full(n.shape, np.nan)
    h[1:][has_hydrogen] = (n[1:] + _NH_LENGTH * direction)[has_hydrogen]
    return h


def _helix(
    bonds: Bool[np.ndarray, "residue residue"], *, stretch: np.ndarray
) -> Bool[np.ndarray, " residue"]:
    helix = np.zeros(len(stretch), dtype=bool)
    if len(stretch) <= _HELIX_TURN:
        return helix
    turn = np.diagonal(bonds, _HELIX_TURN) & (stretch[_HELIX_TURN:] == stretch[:-_HELIX_TURN])
    whole = stretch[_HELIX_TURN + 1 :] == stretch[: -_HELIX_TURN - 1]
    for start in np.flatnonzero(turn[1:] & turn[:-1] & whole) + 1:
        helix[start : start + _HELIX_TURN] = True
    return helix


def _strand(
    bonds: Bool[np.ndarray, "residue residue"], *, stretch: np.ndarray
) -> Bool[np.ndarray, " residue"]:
    """Residues of ladders: two bridges or more that follow each other."""
    parallel, antiparallel = _bridges(bonds, stretch=stretch)
    strand = np.zeros(len(stretch), dtype=bool)
    for bridge, step in ((parallel, 1), (antiparallel, -1)):
        i, j = np.nonzero(bridge)
        inside = (i + 1 < len(stretch)) & (j + step >= 0) & (j + step < len(stretch))
        i, j = i[inside], j[inside]
        ladder = bridge[i + 1, j + step]
        ladder &= (stretch[i + 1] == stretch[i]) & (stretch[j + step] == stretch[j])
        strand[np.concatenate([i[ladder], i[ladder] + 1, j[ladder], j[ladder] + step])] = True
    return strand


def _bridges(
    bonds: Bool[np.ndarray, "residue residue"], *, stretch: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Parallel and antiparallel bridges between residues i and j at least three apart."""
    n_residues = len(bonds)
    padded = np.pad(bonds, 1)

    def shifted(rows: int, columns: int) -> np.ndarray:
        """bonds[i + rows, j + columns], False outside."""
        return padded[1 + rows : 1 + rows + n_residues, 1 + columns : 1 + columns + n_residues]

    inner = np.zeros(n_residues, dtype=bool)  # with a neighbour on both sides
    inner[1:-1] = (stretch[2:] == stretch[1:-1]) & (stretch[:-2] == stretch[1:-1])
    one_side = shifted(-1, 0) & shifted(0, 1).T & inner[:, None]
    parallel = one_side | one_side.T
    wide = shifted(-1, 1) & inner[:, None] & inner
    antiparallel = (bonds & bonds.T) | (wide & wide.T)
    position = np.arange(n_residues)
    apart = np.abs(position[:, None] - position) >= _BRIDGE_SEPARATION
    apart |= stretch[:, None] != stretch
    return parallel & apart, antiparallel & apart
