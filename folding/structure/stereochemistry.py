"""Whether ligands and modified residues came out with the stereochemistry that was asked for.

RDKit says which atoms and bonds of a component are stereogenic; geometry says what became of them.
Where a leaving atom was replaced by a bond to another residue, that residue's atom takes its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float
from rdkit import Chem
from rdkit.Chem import rdCIPLabeler

from folding.chemistry.components import Component
from folding.chemistry.molecules import embedded, ideal, mol_of
from folding.structure.composition import Composition
from folding.structure.structure import Structure

FLATTEST = 0.15
"""Least triple product of the unit vectors to three neighbours; a tetrahedron has 0.77."""


@dataclass(frozen=True)
class StereoElement:
    """One chiral centre or double bond.

    Args:
        kind: `centre` or `double bond`.
        atoms: The centre, or both ends of the bond.
        expected: `R` or `S`, `E` or `Z`, by Cahn, Ingold and Prelog.
        kept: Whether the model has it so; a flat centre has not.
    """

    kind: Literal["centre", "double bond"]
    atoms: tuple[str, ...]
    expected: str
    kept: bool


@dataclass(frozen=True)
class StereoReport:
    """The stereochemistry of one ligand component or modified residue."""

    chain_id: str
    residue_number: int
    code: str
    elements: tuple[StereoElement, ...]

    @property
    def n_kept(self) -> int:
        """How many centres and double bonds are as they should be."""
        return sum(element.kept for element in self.elements)


@dataclass(frozen=True)
class _Centre:
    atom: int
    neighbours: tuple[int, int, int]
    label: str
    volume: float


@dataclass(frozen=True)
class _DoubleBond:
    atoms: tuple[int, int, int, int]
    label: str
    is_cis: bool


def stereochemistry(structure: Structure, composition: Composition) -> tuple[StereoReport, ...]:
    """A report for every component with stereogenic atoms or bonds, standard residues left out."""
    starts = structure.residue_starts
    stops = np.append(starts[1:], structure.n_atoms)
    reports = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        component = composition.components.get(str(structure.residue_name[start]))
        is_whole = (
            stop - start > 1 and structure.token_index[start] == structure.token_index[stop - 1]
        )
        if component is None or is_whole:
            continue
        elements = tuple(_judged(component, _positions(structure, composition, start, stop)))
        if elements:
            chain, number = structure.chain_id[start], structure.residue_number[start]
            reports.append(StereoReport(str(chain), int(number), component.code, elements))
    return tuple(reports)


def _positions(
    structure: Structure, composition: Composition, start: int, stop: int
) -> dict[str, Float[np.ndarray, "3"]]:
    """Where the atoms of a residue are, by name; atoms that left are where their substitute is."""
    names = structure.atom_name[start:stop].tolist()
    found = dict(zip(names, structure.coordinates[start:stop].astype(float), strict=True))
    component = composition.components[str(structure.residue_name[start])]
    for pair in composition.covalent:
        for inside, outside in (pair, pair[::-1]):
            if start <= inside < stop and not start <= outside < stop:
                bonded = component.atom_names.index(str(structure.atom_name[inside]))
                left = (component.atom_names[n] for n in component.neighbours(bonded))
                gone = next((name for name in left if name not in found), None)
                if gone:
                    found[gone] = structure.coordinates[outside].astype(float)
    return found


def _judged(
    component: Component, positions: dict[str, Float[np.ndarray, "3"]]
) -> Iterator[StereoElement]:
    names = component.atom_names
    centres, bonds = _stereogenic(component)
    for centre in centres:
        atoms = [names[i] for i in (centre.atom, *centre.neighbours)]
        if all(atom in positions for atom in atoms):
            volume = _volume(*(positions[atom] for atom in atoms))
            kept = volume * centre.volume > 0 and abs(volume) > FLATTEST
            yield StereoElement("centre", (atoms[0],), centre.label, bool(kept))
    for bond in bonds:
        atoms = [names[i] for i in bond.atoms]
        if all(atom in positions for atom in atoms):
            kept = _is_cis(*(positions[atom] for atom in atoms)) == bond.is_cis
            yield StereoElement("double bond", tuple(atoms[1:3]), bond.label, kept)


@lru_cache(maxsize=256)
def _stereogenic(component: Component) -> tuple[tuple[_Centre, ...], tuple[_DoubleBond, ...]]:
    """Centres and double bonds whose stereochemistry is known, with what is right for each."""
    mol = mol_of(component)
    if mol is None:
        return (), ()
    conformer = ideal(component) if component.positions is not None else embedded(component)
    points = conformer.positions.astype(float)
    rdCIPLabeler.AssignCIPLabels(mol)
    centres = []
    for index, label in Chem.FindMolChiralCenters(mol, useLegacyImplementation=False):
        neighbours = [n.GetIdx() for n in mol.GetAtomWithIdx(index).GetNeighbors()][:3]
        if len(neighbours) == 3 and not _has_twins(mol.GetAtomWithIdx(index)):
            volume = _volume(points[index], *(points[n] for n in neighbours))
            a, b, c = neighbours
            if abs(volume) > FLATTEST:
                centres.append(_Centre(index, (a, b, c), label, volume))
    return tuple(centres), tuple(_double_bonds(mol))


def _has_twins(atom: Chem.Atom) -> bool:
    """Whether two ends of the same element hang on the atom, as the oxygens of a phosphate do.

    The dictionary tells them apart by where the charge is drawn, which means nothing.
    """
    ends = [n.GetAtomicNum() for n in atom.GetNeighbors() if n.GetDegree() == 1]
    return len(set(ends)) < len(ends)


def _double_bonds(mol: Chem.Mol) -> Iterator[_DoubleBond]:
    cis = {Chem.BondStereo.STEREOZ: True, Chem.BondStereo.STEREOCIS: True}
    cis |= {Chem.BondStereo.STEREOE: False, Chem.BondStereo.STEREOTRANS: False}
    for bond in mol.GetBonds():
        if bond.GetStereo() in cis and len(bond.GetStereoAtoms()) == 2:
            before, behind = bond.GetStereoAtoms()
            is_cis = cis[bond.GetStereo()]
            label = bond.GetProp("_CIPCode") if bond.HasProp("_CIPCode") else "EZ"[is_cis]
            atoms = (before, bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), behind)
            yield _DoubleBond(atoms, label, is_cis)


def _volume(centre: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """The triple product of the unit vectors to three neighbours: its sign is the chirality."""
    vectors = np.stack([a - centre, b - centre, c - centre])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return float(np.linalg.det(vectors / np.maximum(lengths, 1e-6)))


def _is_cis(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> bool:
    """Whether the outer atoms lie on the same side of the bond between the inner ones."""
    axis = c - b
    return bool(np.dot(np.cross(a - b, axis), np.cross(d - c, axis)) > 0)
