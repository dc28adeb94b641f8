"""Chemical components in full: atoms, bonds and what leaves when they are joined.

A component comes from the dictionary, from the user's own dictionary (mmCIF), from SMILES, or from
an SDF or MOL2 file. Hydrogens are left out everywhere: the network does not see them.
"""

import json
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import NamedTuple

from folding.chemistry.elements import ATOMIC_NUMBERS, HYDROGEN
from folding.chemistry.leaving import LeavingGroups, leaving_flags
from folding.chemistry.library import look_up
from folding.chemistry.residues import standard_residues
from folding.errors import InvalidInput
from folding.inputs.cif import Block, read_cif
from folding.inputs.components import AS_GIVEN, WEDGE
from folding.inputs.molecule import Atom, Molecule, MoleculeBond, read_molecule, write_sdf
from folding.inputs.text import quoted

Position = tuple[float, float, float]
_ORDERS = {"SING": "SING", "DOUB": "DOUB", "TRIP": "TRIP", "AROM": "AROM", "DELO": "AROM"}
_UNKNOWN = frozenset({"?", ".", ""})


class ComponentBond(NamedTuple):
    """Two atoms by index; order `SING`, `DOUB`, `TRIP` or `AROM`; stereo `N`, `E` or `Z`."""

    first: int
    second: int
    order: str
    aromatic: bool = False
    stereo: str = "N"


@dataclass(frozen=True)
class Component:
    """A molecule, or one residue of a chain, without its hydrogens.

    Args:
        code: What mmCIF calls it: its code in the dictionary, or a name like `LIG1`.
        name: In words.
        type: As the dictionary has it, such as `L-PEPTIDE LINKING` or `NON-POLYMER`.
        letter: The letter of the standard residue that it derives from, or nothing.
        atom_names: Each once.
        elements: Symbols in capitals.
        charges: Formal.
        leaving: Whether the atom leaves where its neighbour is joined to another component.
        bonds: Between its atoms.
        positions: Ideal coordinates, Å, or None where none are known.
        smiles: What it was made from, where that is SMILES; its atoms are in the same order.
        is_placed: The positions are a conformer that the user chose.
        drawing: SDF of a molecule that is drawn in a plane, hydrogens included, whose wedges and
            double bonds say how it is in space; its heavy atoms are in the same order.
    """

    code: str
    name: str
    type: str
    letter: str
    atom_names: tuple[str, ...]
    elements: tuple[str, ...]
    charges: tuple[int, ...]
    leaving: tuple[bool, ...]
    bonds: tuple[ComponentBond, ...]
    positions: tuple[Position, ...] | None
    smiles: str | None = None
    is_placed: bool = False
    drawing: str | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Atomic numbers."""
        return tuple(ATOMIC_NUMBERS[element] for element in self.elements)

    @property
    def kind(self) -> str:
        """`protein`, `dna`, `rna` or `ligand`, by the dictionary's type."""
        if "PEPTIDE" in self.type and self.type != "PEPTIDE-LIKE":
            return "protein"
        return next((kind for kind in ("dna", "rna") if kind.upper() in self.type), "ligand")

    def neighbours(self, atom: int) -> list[int]:
        """Atoms that are bonded to the one at that index."""
        pairs = ((bond.first, bond.second) for bond in self.bonds)
        return [b if a == atom else a for a, b in pairs if atom in (a, b)]

    def leaving_groups(self, atom: int) -> list[frozenset[int]]:
        """The groups of leaving atoms that hang on an atom, one for each bond it can make."""
        return self._leaving.at(atom)

    @cached_property
    def _leaving(self) -> LeavingGroups[int]:
        bonds = ((bond.first, bond.second) for bond in self.bonds)
        leaving = {index for index, leaves in enumerate(self.leaving) if leaves}
        return LeavingGroups(bonds, leaving=leaving)


@lru_cache(maxsize=512)
def from_dictionary(code: str) -> Component:
    """The dictionary's component of that code.

    Raises:
        InvalidInput: There is none with a heavy atom.
    """
    row = look_up(code)
    if row is None:
        raise InvalidInput(
            f"There is no component {quoted(code)} in the chemical component dictionary. Check its "
            "code at the PDB, or give the molecule as SMILES or as a file."
        )
    name, kind, _, packed = row
    chemistry = json.loads(zlib.decompress(packed))
    positions = chemistry["positions"]
    return Component(
        code=code,
        name=name,
        type=kind,
        letter=chemistry["letter"],
        atom_names=tuple(chemistry["names"]),
        elements=tuple(chemistry["elements"]),
        charges=tuple(chemistry["charges"]),
        leaving=leaving_flags(kind, chemistry["names"], chemistry["leaving"]),
        bonds=tuple(ComponentBond(*bond) for bond in chemistry["bonds"]),
        positions=tuple(map(tuple, positions)) if positions else None,
    )


@cache
def from_class(restype: int) -> Component:
    """A standard amino acid without the oxygen that ends a chain, as the small model knows it."""
    residue = standard_residues()[restype]
    n_atoms = len(residue.atom_names)
    symbols = {number: symbol for symbol, number in ATOMIC_NUMBERS.items()}
    return Component(
        code=residue.code,
        name=residue.code,
        type="PEPTIDE LINKING" if residue.code == "GLY" else "L-PEPTIDE LINKING",
        letter=residue.letter,
        atom_names=residue.atom_names,
        elements=tuple(symbols[int(number)] for number in residue.elements),
        charges=tuple(int(charge) for charge in residue.charges),
        leaving=(False,) * n_atoms,
        bonds=(),
        positions=tuple(map(tuple, residue.positions.tolist())),
    )


@lru_cache(maxsize=64)
def from_smiles(smiles: str, *, code: str) -> Component:
    """The molecule; atoms are named by element and order: `C1`, `C2`, `O1`.

    Raises:
        InvalidInput: As `folding.chemistry.catalog.smiles_atoms`.
    """
    from folding.chemistry.molecules import mol_from_smiles

    mol = mol_from_smiles(smiles)
    atoms = list(mol.GetAtoms())
    elements = tuple(atom.GetSymbol().upper() for atom in atoms)
    return Component(
        code=code,
        name=smiles,
        type="NON-POLYMER",
        letter="",
        atom_names=numbered(elements),
        elements=elements,
        charges=tuple(atom.GetFormalCharge() for atom in atoms),
        leaving=(False,) * len(atoms),
        bonds=tuple(
            ComponentBond(
                bond.GetBeginAtomIdx(),
                bond.GetEndAtomIdx(),
                {1.0: "SING", 1.5: "AROM", 2.0: "DOUB", 3.0: "TRIP"}.get(
                    bond.GetBondTypeAsDouble(), "SING"
                ),
                bond.GetIsAromatic(),
            )
            for bond in mol.GetBonds()
        ),
        positions=None,
        smiles=smiles,
    )


@lru_cache(maxsize=64)
def from_file(text: str, *, code: str) -> Component:
    """The molecule of an SDF or MOL2 file; its coordinates count as ideal where they are in 3D.

    Of a drawing in a plane (SDF) the wedges and double bonds say how the molecule is in space.

    Raises:
        InvalidInput: As `folding.inputs.molecule.read_molecule`.
    """
    molecule = read_molecule(text)
    heavy = [i for i, atom in enumerate(molecule.atoms) if atom.element.upper() not in HYDROGEN]
    index = {old: new for new, old in enumerate(heavy)}
    positions = tuple(molecule.atoms[i].position for i in heavy)
    usable = not molecule.is_drawn and len(set(positions)) == len(positions)
    return Component(
        code=code,
        name="Ligand from a file",
        type="NON-POLYMER",
        letter="",
        atom_names=molecule.heavy_names,
        elements=tuple(molecule.atoms[i].element.upper() for i in heavy),
        charges=tuple(molecule.atoms[i].charge for i in heavy),
        leaving=(False,) * len(heavy),
        bonds=tuple(
            ComponentBond(index[b.first], index[b.second], b.order, b.order == "AROM")
            for b in molecule.bonds
            if b.first in index and b.second in index
        ),
        positions=positions if usable else None,
        is_placed=usable,
        drawing=write_sdf(molecule) if molecule.is_drawn else None,
    )


@lru_cache(maxsize=16)
def from_user(text: str) -> dict[str, Component]:
    """The components of a user's own dictionary, by code.

    Raises:
        InvalidInput: `field` is `"user_ccd"`.
    """
    blocks = read_cif(text, field="user_ccd")
    return {component.code: component for component in map(_from_block, blocks)}


def _from_block(block: Block) -> Component:
    names = block.column("_chem_comp_atom.atom_id")
    elements = [e.upper() for e in block.column("_chem_comp_atom.type_symbol")]
    code = (block.column("_chem_comp.id") or (block.name,))[0].upper()
    if unknown := sorted(set(elements) - ATOMIC_NUMBERS.keys() - HYDROGEN):
        raise InvalidInput(
            f"{quoted(unknown[0])} of the component {code} is not an element.", field="user_ccd"
        )
    heavy = [i for i, element in enumerate(elements) if element not in HYDROGEN]
    letter = (block.column("_chem_comp.one_letter_code") or ("",))[0]
    flags = _column(block, "_chem_comp_atom.pdbx_leaving_atom_flag", n=len(names), default="N")
    charges = _column(block, "_chem_comp_atom.charge", n=len(names), default="0")
    kind = (block.column("_chem_comp.type") or ("NON-POLYMER",))[0].upper()
    heavy_names = tuple(names[i] for i in heavy)
    bonds = _block_bonds(block, heavy_names)
    positions = _block_positions(block, heavy)
    details = block.column("_chem_comp.pdbx_ideal_coordinates_details")
    drawing = _block_drawing(block, elements, [_whole(charge) for charge in charges])
    if block.column(WEDGE):
        positions = None
    return Component(
        code=code,
        name=(block.column("_chem_comp.name") or (code,))[0],
        type=kind,
        letter=letter if len(letter) == 1 and letter.isalpha() else "",
        atom_names=heavy_names,
        elements=tuple(elements[i] for i in heavy),
        charges=tuple(_whole(charges[i]) for i in heavy),
        leaving=leaving_flags(kind, heavy_names, [flags[i].upper() == "Y" for i in heavy]),
        bonds=bonds,
        positions=positions,
        is_placed=positions is not None and details == (AS_GIVEN,),
        drawing=drawing,
    )


def _block_drawing(block: Block, elements: Sequence[str], charges: Sequence[int]) -> str | None:
    """The SDF that a component with wedges was drawn in: wedges may lie at its hydrogens."""
    names = block.column("_chem_comp_atom.atom_id")
    places = _block_places(block, range(len(names))) if block.column(WEDGE) else None
    if places is None:
        return None
    atoms = tuple(map(Atom, elements, places, charges))
    return write_sdf(Molecule(atoms, _wedged(block, names, _block_bonds(block, names))))


def _wedged(
    block: Block, names: Sequence[str], bonds: Sequence[ComponentBond]
) -> tuple[MoleculeBond, ...]:
    """The bonds with what the block says of their wedges."""
    ends = zip(
        block.column("_chem_comp_bond.atom_id_1"),
        block.column("_chem_comp_bond.atom_id_2"),
        strict=False,
    )
    said = dict(zip(ends, block.column(WEDGE), strict=False))
    return tuple(
        MoleculeBond(b.first, b.second, b.order, said.get((names[b.first], names[b.second]), ""))
        for b in bonds
    )


def _column(block: Block, tag: str, *, n: int, default: str) -> Sequence[str]:
    found = block.column(tag)
    return found if len(found) == n else (default,) * n


def _whole(text: str) -> int:
    try:
        return int(float(text)) if text not in _UNKNOWN else 0
    except (ValueError, OverflowError):
        return 0


def _block_bonds(block: Block, names: Sequence[str]) -> tuple[ComponentBond, ...]:
    index = {name: i for i, name in enumerate(names)}
    firsts = block.column("_chem_comp_bond.atom_id_1")
    seconds = block.column("_chem_comp_bond.atom_id_2")
    n = min(len(firsts), len(seconds))
    orders = _column(block, "_chem_comp_bond.value_order", n=n, default="SING")
    aromatic = _column(block, "_chem_comp_bond.pdbx_aromatic_flag", n=n, default="N")
    rows = zip(firsts[:n], seconds[:n], orders, aromatic, strict=True)
    return tuple(
        ComponentBond(index[a], index[b], _ORDERS.get(o.upper(), "SING"), flag.upper() == "Y")
        for a, b, o, flag in rows
        if a in index and b in index and a != b
    )


def _block_positions(block: Block, heavy: Sequence[int]) -> tuple[Position, ...] | None:
    """Ideal coordinates, those of an experiment where there are none, or nothing."""
    return _block_places(block, heavy, apart=True)


def _block_places(
    block: Block, atoms: Sequence[int], *, apart: bool = False
) -> tuple[Position, ...] | None:
    """The first coordinates that the block has for all of these atoms.

    Args:
        apart: No two atoms may be at one place, as they may in a drawing.
    """
    for prefix in ("pdbx_model_Cartn_{}_ideal", "model_Cartn_{}"):
        axes = [block.column(f"_chem_comp_atom.{prefix.format(axis)}") for axis in "xyz"]
        try:
            found = tuple((float(axes[0][i]), float(axes[1][i]), float(axes[2][i])) for i in atoms)
        except (ValueError, IndexError):
            continue
        near = all(abs(axis) < 1e5 for position in found for axis in position)
        if near and not (apart and len(set(found)) < len(found)):
            return found
    return None


def numbered(elements: Sequence[str]) -> tuple[str, ...]:
    """Names for atoms: the element, and which of these it is."""
    counts: Counter[str] = Counter()
    names = []
    for element in elements:
        counts[element] += 1
        names.append(f"{element}{counts[element]}")
    return tuple(names)
