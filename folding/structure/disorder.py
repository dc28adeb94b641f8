"""How much of a structure lies open to the solvent, as a sign of disorder."""

import numpy as np
from jaxtyping import Float

from folding.structure.structure import Structure

# AlphaFold-RSA (Piovesan et al. 2022, https://doi.org/10.1002/pro.4466): window and threshold.
WINDOW = 25
DISORDERED_ABOVE = 0.581
# Sander & Rost 1994 (https://doi.org/10.1002/prot.340200303): largest accessible area, Å².
MAX_ACCESSIBLE_AREA = {
    "ALA": 106.0,
    "ARG": 248.0,
    "ASN": 157.0,
    "ASP": 163.0,
    "CYS": 135.0,
    "GLN": 198.0,
    "GLU": 194.0,
    "GLY": 84.0,
    "HIS": 184.0,
    "ILE": 169.0,
    "LEU": 164.0,
    "LYS": 205.0,
    "MET": 188.0,
    "PHE": 197.0,
    "PRO": 136.0,
    "SER": 130.0,
    "THR": 142.0,
    "TRP": 227.0,
    "TYR": 222.0,
    "VAL": 142.0,
}
# Kabsch & Sander 1983: radii in Å; the areas above were measured with them.
_BACKBONE_RADII = {"N": 1.65, "CA": 1.87, "C": 1.76, "O": 1.40}
_SIDE_CHAIN_RADIUS = 1.80
_WATER_RADIUS = 1.40
_SPHERE_POINTS = 200
# Å³. Folded or stretched, no chain fills such a box: its atoms have flown apart, as networks with
# poor weights let them, and the grid for the surface would fill the memory.
_LARGEST_BOX = 3e9


def fraction_disordered(structure: Structure) -> float:
    """The fraction of residues whose window is more exposed than folded proteins are, 0 to 1.

    AF3 SI 5.9.1: relative accessible area of each chain alone, averaged over 25 residues, against
    0.581. Departure: the area comes from biotite's Shrake-Rupley sum with DSSP's radii instead of
    the DSSP program. Only proteins count; a job without any has none.
    """
    kinds = structure.chain_kinds
    exposed: list[np.ndarray] = []
    areas: dict[str, np.ndarray] = {}
    for chain_id in (chain_id for chain_id, kind in kinds.items() if kind == "protein"):
        sequence = structure.sequence(chain_id)
        if sequence not in areas:  # copies of a chain are folded alike, as AF3's own code assumes
            chain = structure.select(structure.chain_id == chain_id)
            areas[sequence] = windowed(relative_area(chain))
        exposed.append(areas[sequence] > DISORDERED_ABOVE)
    return float(np.mean(np.concatenate(exposed))) if exposed else 0.0


def relative_area(structure: Structure) -> Float[np.ndarray, " residue"]:
    """Accessible surface of each residue as a fraction of the largest it can have, 0 to 1."""
    # Imported here because it brings matplotlib along, which not every process has use for.
    from biotite.structure import AtomArray, sasa

    starts = structure.residue_starts
    if float(np.prod(np.ptp(structure.coordinates, axis=0), dtype=np.float64)) > _LARGEST_BOX:
        return np.ones(len(starts))
    atoms = AtomArray(structure.n_atoms)
    atoms.coord = structure.coordinates
    atoms.element = structure.element
    radii = [_BACKBONE_RADII.get(name, _SIDE_CHAIN_RADIUS) for name in structure.atom_name.tolist()]
    area = sasa(
        atoms,
        probe_radius=_WATER_RADIUS,
        point_number=_SPHERE_POINTS,
        vdw_radii=np.array(radii),
        ignore_ions=False,
    )
    names = structure.residue_name[starts].tolist()
    largest = [MAX_ACCESSIBLE_AREA.get(name, MAX_ACCESSIBLE_AREA["ALA"]) for name in names]
    return np.minimum(np.add.reduceat(area, starts) / np.array(largest), 1.0)


def windowed(values: Float[np.ndarray, " residue"]) -> Float[np.ndarray, " residue"]:
    """The mean over the window around each residue; the ends are mirrored."""
    padded = np.pad(values, WINDOW // 2, mode="reflect")
    return np.convolve(padded, np.full(WINDOW, 1 / WINDOW), mode="valid")
