"""Rigid motions, distances and torsion angles of points in space."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from folding.structure.structure import Structure

BACKBONE_ATOMS = ("N", "CA", "C")
# IUPAC-IUB 1970: four atoms for each side-chain torsion, here by the atoms beyond N and CA.
_CHI_ATOMS = {
    "ARG": ("CB", "CG", "CD", "NE", "CZ"),
    "ASN": ("CB", "CG", "OD1"),
    "ASP": ("CB", "CG", "OD1"),
    "CYS": ("CB", "SG"),
    "GLN": ("CB", "CG", "CD", "OE1"),
    "GLU": ("CB", "CG", "CD", "OE1"),
    "HIS": ("CB", "CG", "ND1"),
    "ILE": ("CB", "CG1", "CD1"),
    "LEU": ("CB", "CG", "CD1"),
    "LYS": ("CB", "CG", "CD", "CE", "NZ"),
    "MET": ("CB", "CG", "SD", "CE"),
    "PHE": ("CB", "CG", "CD1"),
    "PRO": ("CB", "CG", "CD"),
    "SER": ("CB", "OG"),
    "THR": ("CB", "OG1"),
    "TRP": ("CB", "CG", "CD1"),
    "TYR": ("CB", "CG", "CD1"),
    "VAL": ("CB", "CG1"),
}
N_CHI = 4


class RigidMotion(NamedTuple):
    """A rotation about the origin, then a translation; leading axes are a batch of them."""

    rotation: Float[np.ndarray, "*batch 3 3"]
    translation: Float[np.ndarray, "*batch 3"]

    def apply(self, points: Float[np.ndarray, "*batch point 3"]) -> np.ndarray:
        """The moved points, Å."""
        return points @ np.swapaxes(self.rotation, -1, -2) + self.translation[..., None, :]


def superposition(
    mobile: Float[np.ndarray, "point 3"],
    target: Float[np.ndarray, "point 3"],
    *,
    weights: Float[np.ndarray, "*batch point"] | None = None,
) -> RigidMotion:
    """The proper rotation and translation that bring `mobile` closest to `target`.

    Least squares as Kabsch 1976; a batch of weights gives a batch of motions. Mirror images are not
    superposed.
    """
    share = np.ones(len(mobile)) if weights is None else weights
    share = share / share.sum(axis=-1, keepdims=True)
    mobile, target = mobile.astype(np.float64), target.astype(np.float64)
    mobile_centre, target_centre = share @ mobile, share @ target
    correlation = np.swapaxes(mobile * share[..., None], -1, -2) @ target
    correlation -= mobile_centre[..., :, None] * target_centre[..., None, :]
    u, _, vt = np.linalg.svd(correlation)
    mirrored = np.linalg.det(u @ vt) < 0
    vt = np.where(mirrored[..., None, None] & (np.arange(3) == 2)[:, None], -vt, vt)
    rotation = np.swapaxes(u @ vt, -1, -2)
    moved_centre = (rotation @ mobile_centre[..., None])[..., 0]
    return RigidMotion(rotation, target_centre - moved_centre)


def distances(
    a: Float[np.ndarray, "*batch a 3"], b: Float[np.ndarray, "*batch b 3"]
) -> Float[np.ndarray, "*batch a b"]:
    """The distance of every point of `a` to every point of `b`, Å."""
    return np.linalg.norm(a[..., :, None, :] - b[..., None, :, :], axis=-1)


def dihedral(
    a: Float[np.ndarray, "*batch 3"],
    b: Float[np.ndarray, "*batch 3"],
    c: Float[np.ndarray, "*batch 3"],
    d: Float[np.ndarray, "*batch 3"],
) -> Float[np.ndarray, "*batch"]:
    """The torsion angle about b-c, -π to π, IUPAC sign; NaN where a point is NaN or b is c."""
    axis = c - b
    with np.errstate(invalid="ignore"):
        axis = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    left = (a - b) - np.sum((a - b) * axis, axis=-1, keepdims=True) * axis
    right = (d - c) - np.sum((d - c) * axis, axis=-1, keepdims=True) * axis
    cosine = np.sum(left * right, axis=-1)
    sine = np.sum(np.cross(axis, left) * right, axis=-1)
    return np.asarray(np.arctan2(sine, cosine))


class BackboneTorsions(NamedTuple):
    """φ, ψ and ω of each residue, radians; NaN at chain ends and where atoms are missing."""

    phi: Float[np.ndarray, " residue"]
    psi: Float[np.ndarray, " residue"]
    omega: Float[np.ndarray, " residue"]
    """About the bond to the residue before."""


def backbone_torsions(structure: Structure) -> BackboneTorsions:
    """The backbone torsion angles of every residue."""
    n, ca, c = (residue_atom(structure, name) for name in BACKBONE_ATOMS)
    starts = structure.residue_starts
    chain, number = structure.chain_id[starts], structure.residue_number[starts]
    bonded = (chain[1:] == chain[:-1]) & (np.diff(number) == 1)
    phi, psi, omega = (np.full(len(starts), np.nan) for _ in range(3))
    phi[1:] = np.where(bonded, dihedral(c[:-1], n[1:], ca[1:], c[1:]), np.nan)
    psi[:-1] = np.where(bonded, dihedral(n[:-1], ca[:-1], c[:-1], n[1:]), np.nan)
    omega[1:] = np.where(bonded, dihedral(ca[:-1], c[:-1], n[1:], ca[1:]), np.nan)
    return BackboneTorsions(phi, psi, omega)


def side_chain_torsions(structure: Structure) -> Float[np.ndarray, "residue 4"]:
    """χ1 to χ4 of every residue, radians; NaN where the residue has none or lacks an atom."""
    starts = structure.residue_starts
    chi = np.full((len(starts), N_CHI), np.nan)
    names = structure.residue_name[starts]
    for residue_name, beyond in _CHI_ATOMS.items():
        chosen = np.flatnonzero(names == residue_name)
        if not len(chosen):
            continue
        points = [residue_atom(structure, name)[chosen] for name in ("N", "CA", *beyond)]
        for k in range(len(beyond) - 1):
            chi[chosen, k] = dihedral(*points[k : k + 4])
    return chi


def residue_atom(structure: Structure, atom_name: str) -> Float[np.ndarray, "residue 3"]:
    """The coordinates of the atom of that name in every residue, NaN where there is none, Å."""
    starts = structure.residue_starts
    found = np.full((len(starts), 3), np.nan)
    atoms = np.flatnonzero(structure.atom_name == atom_name)
    found[np.searchsorted(starts, atoms, side="right") - 1] = structure.coordinates[atoms]
    return found
