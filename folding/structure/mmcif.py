"""Structures as mmCIF: ModelCIF of a prediction out, any mmCIF in."""

import unicodedata
from collections.abc import Mapping

import gemmi
import numpy as np
from jaxtyping import Float

from folding.chemistry.residues import CLASSES
from folding.structure.composition import LIGAND, Composition, proteins_alone
from folding.structure.entities import molecules
from folding.structure.modelcif import provenance, quality
from folding.structure.reading import read_mmcif
from folding.structure.structure import Structure

__all__ = ["read_mmcif", "write_mmcif"]


def write_mmcif(
    structure: Structure,
    *,
    name: str,
    plddt: Float[np.ndarray, " atom"],
    scores: Mapping[str, float] | None = None,
    model_name: str = "",
    composition: Composition | None = None,
) -> str:
    """ModelCIF text of a predicted structure; B-factors are pLDDT.

    The same structure gives the same text: there is no date in it.

    Args:
        name: Name of the job: data block and title.
        plddt: 0 to 100.
        scores: Scores of the whole model by ModelCIF's names: `pTM`, `ipTM`, 0 to 1.
        model_name: What made the model: weights, seed and sample.
        composition: What the chains are made of; None for proteins alone.
    """
    title = _ascii(name)
    composition = composition or proteins_alone(structure)
    document = gemmi.cif.Document()
    block = document.add_new_block("".join(c if c.isalnum() else "_" for c in title))
    tables = {
        "entry": {"id": [block.name]},
        **provenance(title, entry=block.name, model_name=_ascii(model_name) or title),
        **molecules(structure, composition),
        **quality(structure, plddt=plddt, scores=scores or {}),
    }
    for category, table in tables.items():
        columns = {tag: [_value(v) for v in values] for tag, values in table.items()}
        block.set_mmcif_category(f"_{category}.", columns)
    block.set_mmcif_category(
        "_atom_site.", _atom_site(structure, composition, plddt=plddt), raw=True
    )
    return document.as_string(gemmi.cif.WriteOptions(gemmi.cif.Style.Pdbx))


def _ascii(text: str) -> str:
    """The text in the only characters that mmCIF knows, accents dropped."""
    letters = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in letters if not unicodedata.combining(c))
    return plain.encode("ascii", "replace").decode()


def _value(value: object) -> object:
    """What gemmi writes for a value: None and False are its ? and its full stop."""
    return value if value is None or value is False else _ascii(str(value))


def _atom_site(
    structure: Structure, composition: Composition, *, plddt: Float[np.ndarray, " atom"]
) -> dict[str, list[str]]:
    n_atoms = structure.n_atoms
    chain_id = structure.chain_id.tolist()
    atom_name = [gemmi.cif.quote(name) for name in structure.atom_name.tolist()]
    number = structure.residue_number.astype(str).tolist()
    ligands = [chain for chain in structure.chain_ids if composition.kind(chain) == LIGAND]
    in_ligand = np.isin(structure.chain_id, ligands)
    standard = np.isin(structure.residue_name, list(CLASSES)) & ~in_ligand
    x, y, z = (np.char.mod("%.3f", axis).tolist() for axis in structure.coordinates.T)
    return {
        "group_PDB": np.where(standard, "ATOM", "HETATM").tolist(),
        "id": np.arange(1, n_atoms + 1).astype(str).tolist(),
        "type_symbol": structure.element.tolist(),
        "label_atom_id": atom_name,
        "label_alt_id": ["."] * n_atoms,
        "label_comp_id": structure.residue_name.tolist(),
        "label_asym_id": chain_id,
        "label_entity_id": structure.entity_id.astype(str).tolist(),
        "label_seq_id": np.where(in_ligand, ".", number).tolist(),
        "pdbx_PDB_ins_code": ["?"] * n_atoms,
        "Cartn_x": x,
        "Cartn_y": y,
        "Cartn_z": z,
        "occupancy": ["1.00"] * n_atoms,
        "B_iso_or_equiv": np.char.mod("%.2f", plddt).tolist(),
        "auth_seq_id": number,
        "auth_comp_id": structure.residue_name.tolist(),
        "auth_asym_id": chain_id,
        "auth_atom_id": atom_name,
        "pdbx_PDB_model_num": ["1"] * n_atoms,
    }
