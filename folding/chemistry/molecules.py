"""Components as RDKit molecules, and reference conformers from them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32
from rdkit import Chem, rdBase
from rdkit.Chem import rdDistGeom
from rdkit.Geometry import Point3D

from folding.chemistry.catalog import smiles_atoms
from folding.chemistry.components import Component
from folding.errors import InvalidInput

SEED = 20_210_930
"""Every conformer is made with this seed, so that a component always looks the same."""
TIMEOUT_SECONDS = 10
MAX_EMBEDDED_ATOMS = 300
_BONDS = {
    "SING": Chem.BondType.SINGLE,
    "DOUB": Chem.BondType.DOUBLE,
    "TRIP": Chem.BondType.TRIPLE,
    "AROM": Chem.BondType.AROMATIC,
}
# Valences are the dictionary's business: metals and radicals break the textbook's rules.
_SANITIZE = Chem.SanitizeFlags.SANITIZE_ALL ^ Chem.SanitizeFlags.SANITIZE_PROPERTIES


@dataclass(frozen=True, eq=False)
class Conformer:
    """Where the atoms of a component are in a frame of its own.

    Args:
        positions: Å, centred; zeros where nothing is known.
        note: What a person should know about how it was made, or nothing.
    """

    positions: Float32[np.ndarray, "atom 3"]
    note: str = ""


def mol_from_smiles(smiles: str) -> Chem.Mol:
    """The heavy atoms of the molecule, in the order of the SMILES.

    Raises:
        InvalidInput: As `folding.chemistry.catalog.smiles_atoms`.
    """
    smiles_atoms(smiles)
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles)
        if mol is None:
            raise InvalidInput(f"“{smiles[:60]}” is no possible molecule. Correct its bonds.")
        return Chem.RemoveAllHs(mol)


@lru_cache(maxsize=256)
def mol_of(component: Component) -> Chem.Mol | None:
    """The component with its stereochemistry; None where RDKit can make no sense of it.

    Stereochemistry is that of the SMILES, of the drawing, or of the ideal coordinates.
    """
    if component.smiles is not None:
        return mol_from_smiles(component.smiles)
    if (drawn := _drawn(component)) is not None:
        return drawn
    mol = Chem.RWMol()
    for number, charge in zip(component.numbers, component.charges, strict=True):
        atom = Chem.Atom(number if number <= 118 else 0)
        atom.SetFormalCharge(charge)
        mol.AddAtom(atom)
    for bond in component.bonds:
        mol.AddBond(bond.first, bond.second, _BONDS[bond.order])
        if bond.order == "AROM":
            mol.GetBondBetweenAtoms(bond.first, bond.second).SetIsAromatic(True)
            for end in (bond.first, bond.second):
                mol.GetAtomWithIdx(end).SetIsAromatic(True)
    try:
        with rdBase.BlockLogs():
            mol.UpdatePropertyCache(strict=False)
            Chem.SanitizeMol(mol, _SANITIZE)
    except (Chem.MolSanitizeException, RuntimeError):
        return None
    if component.positions is not None:
        set_positions(mol, np.array(component.positions))
        Chem.AssignStereochemistryFrom3D(mol)
    return mol.GetMol()


def _drawn(component: Component) -> Chem.Mol | None:
    """The heavy atoms as a file draws them in a plane; None without a drawing that makes sense.

    Chirality is that of its wedges, double bonds are as they are drawn. What it says is taken from
    the plane itself: raising it into space takes a minute for a ring of forty residues.
    """
    if component.drawing is None:
        return None
    try:
        with rdBase.BlockLogs():
            mol = Chem.MolFromMolBlock(component.drawing, removeHs=False, strictParsing=False)
            if mol is None:
                return None
            mol = Chem.RemoveAllHs(mol)
    except (Chem.MolSanitizeException, RuntimeError):
        return None
    mol.RemoveAllConformers()
    is_whole = [atom.GetAtomicNum() for atom in mol.GetAtoms()] == list(component.numbers)
    return mol if is_whole else None


def set_positions(mol: Chem.Mol, positions: np.ndarray) -> None:
    """Gives the molecule these coordinates [atom, 3] as its only conformer."""
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.Set3D(True)
    for index, (x, y, z) in enumerate(positions.tolist()):
        conformer.SetAtomPosition(index, Point3D(x, y, z))
    mol.RemoveAllConformers()
    mol.AddConformer(conformer)


@lru_cache(maxsize=512)
def embedded(component: Component) -> Conformer:
    """A conformer by RDKit's ETKDGv3; the ideal coordinates where that fails.

    AF3 SI section 2.8. Two attempts of some 10 seconds at most; RDKit looks at the clock late, and
    large rings take a minute.
    """
    if len(component.atom_names) == 1:
        return Conformer(np.zeros((1, 3), np.float32))
    mol = mol_of(component)
    positions = None if mol is None else _embed(mol)
    return ideal(component, instead=True) if positions is None else Conformer(_centred(positions))


def ideal(component: Component, *, instead: bool = False) -> Conformer:
    """The ideal coordinates of a component; an embedding where there are none.

    Args:
        instead: An embedding was tried before, and failed.
    """
    if component.positions is not None:
        note = (
            f"No conformer of {component.code} could be made with RDKit: its ideal coordinates "
            "stand in."
        )
        return Conformer(_centred(np.array(component.positions)), note if instead else "")
    if not instead:
        return embedded(component)
    note = (
        f"No conformer of {component.code} could be made with RDKit, and there are no coordinates "
        "to stand in: the model sees its atoms and bonds without a shape."
    )
    return Conformer(np.zeros((len(component.atom_names), 3), np.float32), note)


def _embed(mol: Chem.Mol) -> np.ndarray | None:
    """Coordinates of the heavy atoms, or None."""
    n_atoms = mol.GetNumAtoms()
    if n_atoms > MAX_EMBEDDED_ATOMS:
        return None
    try:
        with rdBase.BlockLogs():
            full = Chem.AddHs(mol)
            for random_start in (False, True):
                options = rdDistGeom.ETKDGv3()
                options.randomSeed = SEED
                options.timeout = TIMEOUT_SECONDS
                options.useRandomCoords = random_start
                if rdDistGeom.EmbedMolecule(full, options) == 0:
                    positions = full.GetConformer().GetPositions()[:n_atoms]
                    return positions if np.isfinite(positions).all() else None
    except (RuntimeError, ValueError):
        return None
    return None


def _centred(positions: np.ndarray) -> Float32[np.ndarray, "atom 3"]:
    return (positions - positions.mean(axis=0)).astype(np.float32)
