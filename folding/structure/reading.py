"""Structures from files: the first model, heavy atoms, no water, one conformation of each atom."""

import gemmi
import numpy as np

from folding.errors import InvalidInput
from folding.inputs.text import check_characters, check_size, quoted
from folding.structure.structure import Structure

MAX_FILE_CHARACTERS = 100_000_000
# The columns of the PDB format end at 9999.999 Å.
_FARTHEST = 1e5


def read_mmcif(text: str) -> Structure:
    """The structure in mmCIF text.

    Raises:
        InvalidInput: Too long, not mmCIF, or without atoms.
    """
    text = _plain(text, what="An mmCIF file")
    try:
        block = gemmi.cif.read_string(text).sole_block()
        found = gemmi.make_structure_from_block(block)
    except (ValueError, RuntimeError, IndexError) as error:
        raise InvalidInput(
            f"This is not an mmCIF file: {str(error)[:200]}. Choose a .cif file of a structure.",
            field="structure",
        ) from error
    return from_gemmi(found)


def read_pdb(text: str) -> Structure:
    """The structure in PDB text.

    Raises:
        InvalidInput: Too long, not PDB, or without atoms.
    """
    text = _plain(text, what="A PDB file")
    try:
        found = gemmi.read_pdb_string(text)
    except (ValueError, RuntimeError, IndexError) as error:
        raise InvalidInput(
            f"This is not a PDB file: {str(error)[:200]}. Choose a .pdb file of a structure.",
            field="structure",
        ) from error
    return from_gemmi(found)


def _plain(text: str, *, what: str) -> str:
    """The text in ASCII, as both formats are defined; other letters can stand in remarks only."""
    check_size(text, limit=MAX_FILE_CHARACTERS, what=what, field="structure")
    check_characters(text, what=what, field="structure")
    return text.encode("ascii", "replace").decode()


def from_gemmi(source: gemmi.Structure) -> Structure:
    """The polymers, ligands and ions of gemmi's structure.

    Residues keep the numbers of the sequence (`label_seq_id`) where the file has them, those of the
    author otherwise. A polymer residue is one token, of any other residue each atom is one.

    Raises:
        InvalidInput: There is no atom, or one without a number or a place.
    """
    clean = source.clone()
    clean.setup_entities()
    clean.remove_waters()
    clean.remove_hydrogens()
    clean.remove_alternative_conformations()
    clean.remove_empty_chains()
    if not len(clean) or not clean[0].count_atom_sites():
        raise InvalidInput("The file holds no atoms. Choose another.", field="structure")
    return _flatten(clean)


def _flatten(source: gemmi.Structure) -> Structure:
    entities = _entity_numbers(source)
    coordinates, names, numbers, token_chain_id = [], [], [], []
    for chain in source[0]:
        for residue in chain:
            is_polymer = residue.entity_type == gemmi.EntityType.Polymer
            number = _number(residue)
            for atom in residue:
                if atom is residue[0] or not is_polymer:
                    token_chain_id.append(chain.name)
                token = len(token_chain_id) - 1
                coordinates.append(atom.pos.tolist())
                names.append((atom.element.name.upper(), atom.name, residue.name, chain.name))
                numbers.append((number, entities.get(residue.subchain, 1), token))
    positions = np.array(coordinates)
    if not (np.abs(positions) < _FARTHEST).all():
        raise InvalidInput(
            "The file has an atom without a sensible place. Repair it or choose another.",
            field="structure",
        )
    element, atom_name, residue_name, chain_id = np.array(names).T
    residue_number, entity_id, token_index = np.array(numbers).T
    return Structure(
        coordinates=positions.astype(np.float32),
        element=element,
        atom_name=atom_name,
        residue_name=residue_name,
        residue_number=residue_number,
        chain_id=chain_id,
        entity_id=entity_id,
        token_index=token_index,
        token_chain_id=np.array(token_chain_id),
    )


def _number(residue: gemmi.Residue) -> int:
    number = residue.label_seq or residue.seqid.num
    if number is None:
        raise InvalidInput(
            f"A residue {quoted(residue.name)} has no number. Repair the file or choose another.",
            field="structure",
        )
    return int(number)


def _entity_numbers(source: gemmi.Structure) -> dict[str, int]:
    """The number of the entity of each subchain, from 1 in the order of the file."""
    return {
        subchain: number
        for number, entity in enumerate(source.entities, start=1)
        for subchain in entity.subchains
    }
