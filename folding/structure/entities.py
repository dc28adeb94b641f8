"""What mmCIF says of the molecules of a model: entities, chains, components and bonds.

Tables are given by category, each as columns of equal length (dictionary: https://mmcif.wwpdb.org).
A ligand of several components, such as a glycan, is a branched entity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from folding.chemistry.catalog import component as look_up
from folding.chemistry.components import Component, from_dictionary
from folding.chemistry.residues import CLASSES, CODES
from folding.structure.composition import DNA, LIGAND, PROTEIN, RNA, Composition, proteins_alone
from folding.structure.modelcif import Table, Tables
from folding.structure.structure import Structure, one_letter

NON_POLYMER, BRANCHED, POLYMER = "non-polymer", "branched", "polymer"
_POLYMER_TYPES = {
    PROTEIN: "polypeptide(L)",
    RNA: "polyribonucleotide",
    DNA: "polydeoxyribonucleotide",
}
_NOUNS = {PROTEIN: "Protein", RNA: "RNA", DNA: "DNA", LIGAND: "Ligand"}
_NAMES = {
    "ALA": "ALANINE",
    "ARG": "ARGININE",
    "ASN": "ASPARAGINE",
    "ASP": "ASPARTIC ACID",
    "CYS": "CYSTEINE",
    "GLN": "GLUTAMINE",
    "GLU": "GLUTAMIC ACID",
    "GLY": "GLYCINE",
    "HIS": "HISTIDINE",
    "ILE": "ISOLEUCINE",
    "LEU": "LEUCINE",
    "LYS": "LYSINE",
    "MET": "METHIONINE",
    "PHE": "PHENYLALANINE",
    "PRO": "PROLINE",
    "SER": "SERINE",
    "THR": "THREONINE",
    "TRP": "TRYPTOPHAN",
    "TYR": "TYROSINE",
    "UNK": "UNKNOWN",
    "VAL": "VALINE",
}
_UNKNOWN = frozenset({"UNK", "N", "DN"})
_ORDERS = {"SING": "sing", "DOUB": "doub", "TRIP": "trip", "AROM": "arom"}
_LINE = 80


@dataclass(frozen=True)
class Entity:
    """One molecule and the chains that are its copies."""

    id: int
    kind: str
    copies: tuple[str, ...]
    residues: tuple[str, ...]
    description: str

    @property
    def type(self) -> str:
        """As mmCIF calls it."""
        if self.kind != LIGAND:
            return POLYMER
        return NON_POLYMER if len(self.residues) == 1 else BRANCHED


def molecules(structure: Structure, composition: Composition | None = None) -> Tables:
    """The molecules that were modelled, the chains that are their copies, and their bonds."""
    composition = composition or proteins_alone(structure)
    entities = _entities(structure, composition)
    polymers = [entity for entity in entities if entity.type == POLYMER]
    tables = {
        "chem_comp": _compounds(structure, composition),
        "atom_type": {"symbol": sorted(set(structure.element.tolist()))},
        "entity": {
            "id": [entity.id for entity in entities],
            "type": [entity.type for entity in entities],
            "src_method": ["man" if entity.type == POLYMER else "syn" for entity in entities],
            "pdbx_description": [entity.description for entity in entities],
            "pdbx_number_of_molecules": [len(entity.copies) for entity in entities],
        },
        "entity_poly": _polymers(polymers, composition),
        "entity_poly_seq": _numbered(polymers),
        "pdbx_poly_seq_scheme": _numbered_copies(polymers),
        **_ligands(entities),
        **_branch_links(structure, composition, entities),
        **_instances(entities),
        **_own_components(structure, composition),
        **_connections(structure, composition),
    }
    return {category: table for category, table in tables.items() if _rows(table)}


def _rows(table: Table) -> int:
    return len(next(iter(table.values())))


def _entities(structure: Structure, composition: Composition) -> list[Entity]:
    chains: dict[int, list[str]] = {}
    for chain_id in structure.chain_ids:
        entity = int(structure.entity_id[structure.chain_id == chain_id][0])
        chains.setdefault(entity, []).append(chain_id)
    found = []
    for entity, copies in sorted(chains.items()):
        kind = composition.kind(copies[0])
        residues = tuple(_residue_names(structure, copies[0]))
        description = composition.descriptions.get(copies[0]) or _description(
            entity, kind, residues, composition
        )
        found.append(Entity(entity, kind, tuple(copies), residues, description))
    return found


def _description(entity: int, kind: str, residues: Sequence[str], composition: Composition) -> str:
    if kind == LIGAND and len(residues) == 1 and residues[0] in composition.components:
        return composition.components[residues[0]].name
    return f"{_NOUNS[kind]} {entity}"


def _residue_names(structure: Structure, chain_id: str) -> list[str]:
    starts = structure.residue_starts
    return [str(n) for n in structure.residue_name[starts[structure.chain_id[starts] == chain_id]]]


def _compounds(structure: Structure, composition: Composition) -> Table:
    codes = sorted(set(structure.residue_name.tolist()))
    known = {code: composition.components.get(code) for code in codes}
    return {
        "id": codes,
        "type": [_type(code, known[code]) for code in codes],
        "name": [_NAMES.get(code) or (c.name if (c := known[code]) else None) for code in codes],
        "mon_nstd_flag": [
            "y" if code in CLASSES and code not in _UNKNOWN else "n" for code in codes
        ],
        "ma_provenance": [
            "CCD Core" if code in CODES or look_up(code) else "CCD local" for code in codes
        ],
    }


def _type(code: str, component: Component | None) -> str:
    """The dictionary's type in the spelling of mmCIF's own list."""
    if code in CODES or component is None:
        return "peptide linking" if code == "GLY" else "L-peptide linking"
    words = component.type.lower().split(" ")
    upper = {"dna": "DNA", "rna": "RNA", "l-peptide": "L-peptide", "d-peptide": "D-peptide"}
    upper |= {"l-dna": "L-DNA", "l-rna": "L-RNA", "oh": "OH", "cooh": "COOH", "nh3": "NH3"}
    upper |= {"d-saccharide": "D-saccharide", "l-saccharide": "L-saccharide"}
    upper |= {"d-saccharide,": "D-saccharide,", "l-saccharide,": "L-saccharide,"}
    return " ".join(upper.get(word, word) for word in words)


def _polymers(polymers: Sequence[Entity], composition: Composition) -> Table:
    letters = {entity.id: _letters(entity, composition) for entity in polymers}
    return {
        "entity_id": [entity.id for entity in polymers],
        "type": [_POLYMER_TYPES[entity.kind] for entity in polymers],
        "nstd_linkage": [
            "yes" if entity.copies[0] in composition.rings else "no" for entity in polymers
        ],
        "nstd_monomer": [
            "yes" if any(code not in CLASSES for code in entity.residues) else "no"
            for entity in polymers
        ],
        "pdbx_strand_id": [",".join(entity.copies) for entity in polymers],
        "pdbx_seq_one_letter_code": [_spelled(entity) for entity in polymers],
        "pdbx_seq_one_letter_code_can": [letters[entity.id] for entity in polymers],
    }


def _letters(entity: Entity, composition: Composition) -> str:
    """The sequence with the letter that a modified residue derives from."""
    unknown = "X" if entity.kind == PROTEIN else "N"
    letters = []
    for code in entity.residues:
        component = composition.components.get(code)
        if code in CLASSES:
            letters.append(one_letter(code))
        else:
            letters.append((component.letter if component else "") or unknown)
    return _in_lines("".join(letters))


def _spelled(entity: Entity) -> str:
    """The sequence as mmCIF spells it: what is no amino acid or RNA stands in brackets."""
    plain = {PROTEIN: CODES[:-1], RNA: ("A", "C", "G", "U"), DNA: ()}[entity.kind]
    letters = [one_letter(c) if c in plain else f"({c})" for c in entity.residues]
    return _in_lines("".join(letters))


def _in_lines(letters: str) -> str:
    """Lines of 80: mmCIF allows no line of more than 2048."""
    lines = [letters[i : i + _LINE] for i in range(0, len(letters), _LINE)]
    return "\n".join(lines)


class _Row(NamedTuple):
    chain: str
    entity: int
    number: int
    code: str


def _listed(entities: Sequence[Entity], *, copies: bool) -> list[_Row]:
    """Every residue of every entity, or of each of its copies."""
    return [
        _Row(chain, entity.id, number, code)
        for entity in entities
        for chain in (entity.copies if copies else entity.copies[:1])
        for number, code in enumerate(entity.residues, start=1)
    ]


def _numbered(polymers: Sequence[Entity]) -> Table:
    rows = _listed(polymers, copies=False)
    return {
        "entity_id": [row.entity for row in rows],
        "num": [row.number for row in rows],
        "mon_id": [row.code for row in rows],
        "hetero": ["n"] * len(rows),
    }


def _numbered_copies(polymers: Sequence[Entity]) -> Table:
    rows = _listed(polymers, copies=True)
    numbers = [row.number for row in rows]
    codes = [row.code for row in rows]
    chains = [row.chain for row in rows]
    return {
        "asym_id": chains,
        "entity_id": [row.entity for row in rows],
        "seq_id": numbers,
        "mon_id": codes,
        "ndb_seq_num": numbers,
        "pdb_seq_num": numbers,
        "auth_seq_num": numbers,
        "pdb_mon_id": codes,
        "auth_mon_id": codes,
        "pdb_strand_id": chains,
        "pdb_ins_code": [False] * len(rows),
        "hetero": ["n"] * len(rows),
    }


def _ligands(entities: Sequence[Entity]) -> Tables:
    single = [entity for entity in entities if entity.type == NON_POLYMER]
    branched = [entity for entity in entities if entity.type == BRANCHED]
    rows = _listed(single, copies=True)
    parts, copies = _listed(branched, copies=False), _listed(branched, copies=True)
    return {
        "pdbx_entity_nonpoly": {
            "entity_id": [entity.id for entity in single],
            "name": [entity.description for entity in single],
            "comp_id": [entity.residues[0] for entity in single],
        },
        "pdbx_nonpoly_scheme": {
            "asym_id": [row.chain for row in rows],
            "entity_id": [row.entity for row in rows],
            "mon_id": [row.code for row in rows],
            "ndb_seq_num": [row.number for row in rows],
            "pdb_seq_num": [row.number for row in rows],
            "auth_seq_num": [row.number for row in rows],
            "pdb_mon_id": [row.code for row in rows],
            "auth_mon_id": [row.code for row in rows],
            "pdb_strand_id": [row.chain for row in rows],
            "pdb_ins_code": [False] * len(rows),
        },
        "pdbx_entity_branch": {
            "entity_id": [entity.id for entity in branched],
            "type": ["oligosaccharide"] * len(branched),
        },
        "pdbx_entity_branch_list": {
            "entity_id": [row.entity for row in parts],
            "comp_id": [row.code for row in parts],
            "num": [row.number for row in parts],
            "hetero": ["n"] * len(parts),
        },
        "pdbx_branch_scheme": {
            "asym_id": [row.chain for row in copies],
            "entity_id": [row.entity for row in copies],
            "mon_id": [row.code for row in copies],
            "num": [row.number for row in copies],
            "pdb_asym_id": [row.chain for row in copies],
            "pdb_mon_id": [row.code for row in copies],
            "pdb_seq_num": [row.number for row in copies],
            "auth_asym_id": [row.chain for row in copies],
            "auth_mon_id": [row.code for row in copies],
            "auth_seq_num": [row.number for row in copies],
            "hetero": ["n"] * len(copies),
        },
    }


def _branch_links(
    structure: Structure, composition: Composition, entities: Sequence[Entity]
) -> Tables:
    """The bonds within branched entities, from the carbon that lost an oxygen to its acceptor."""
    rows: list[tuple[object, ...]] = []
    for entity in (entity for entity in entities if entity.type == BRANCHED):
        for pair in composition.joints.tolist():
            if {str(structure.chain_id[atom]) for atom in pair} == {entity.copies[0]}:
                donor, acceptor = sorted(pair, key=lambda atom: structure.element[atom] != "C")
                ends = (_link_end(structure, composition, atom) for atom in (donor, acceptor))
                rows.append((len(rows) + 1, entity.id, *(part for end in ends for part in end)))
    ends = [
        f"{part}_{n}"
        for n in (1, 2)
        for part in ("entity_branch_list_num", "comp_id", "atom_id", "leaving_atom_id")
    ]
    tags = ["link_id", "entity_id", *ends]
    table: dict[str, Sequence[object]] = {
        tag: [row[i] for row in rows] for i, tag in enumerate(tags)
    }
    return {"pdbx_entity_branch_link": {**table, "value_order": ["sing"] * len(rows)}}


def _link_end(
    structure: Structure, composition: Composition, atom: int
) -> tuple[int, str, str, str]:
    """Residue number, component, atom, and what left the atom: a hydrogen if nothing heavier."""
    code, name = str(structure.residue_name[atom]), str(structure.atom_name[atom])
    number = int(structure.residue_number[atom])
    component = composition.components[code]
    here = (structure.chain_id == structure.chain_id[atom]) & (structure.residue_number == number)
    present = set(structure.atom_name[here].tolist())
    beside = component.neighbours(component.atom_names.index(name))
    gone = [n for n in (component.atom_names[i] for i in beside) if n not in present]
    return number, code, name, gone[0] if gone else f"H{name}"


def _instances(entities: Sequence[Entity]) -> Tables:
    pairs = [(chain, entity.id) for entity in entities for chain in entity.copies]
    chains, ids = [chain for chain, _ in pairs], [entity for _, entity in pairs]
    nothing = [None] * len(pairs)
    return {
        "struct_asym": {"id": chains, "entity_id": ids, "details": nothing},
        "ma_target_entity": {
            "entity_id": [entity.id for entity in entities],
            "data_id": [1] * len(entities),
            "origin": [False] * len(entities),
        },
        "ma_target_entity_instance": {"asym_id": chains, "entity_id": ids, "details": nothing},
    }


def _own_components(structure: Structure, composition: Composition) -> Tables:
    """Atoms and bonds of all components, where there is one that no dictionary describes.

    Readers that find such tables look nowhere else, so that either all are written or none.
    """
    present = sorted(set(structure.residue_name.tolist()) & composition.components.keys())
    if all(code in CODES or look_up(code) for code in present):
        return {}
    own = [from_dictionary(c) if c in CODES else composition.components[c] for c in present]
    atoms = [(c, i) for c in own for i in range(len(c.atom_names))]
    bonds = [(c, bond) for c in own for bond in c.bonds]
    smiles = [c for c in own if c.smiles is not None]
    return {
        "chem_comp_atom": {
            "comp_id": [c.code for c, _ in atoms],
            "atom_id": [c.atom_names[i] for c, i in atoms],
            "type_symbol": [c.elements[i] for c, i in atoms],
            "charge": [c.charges[i] for c, i in atoms],
        },
        "chem_comp_bond": {
            "comp_id": [c.code for c, _ in bonds],
            "atom_id_1": [c.atom_names[bond.first] for c, bond in bonds],
            "atom_id_2": [c.atom_names[bond.second] for c, bond in bonds],
            "value_order": [_ORDERS[bond.order] for _, bond in bonds],
            "pdbx_aromatic_flag": ["Y" if bond.aromatic else "N" for _, bond in bonds],
        },
        "pdbx_chem_comp_descriptor": {
            "comp_id": [c.code for c in smiles],
            "type": ["SMILES"] * len(smiles),
            "program": ["RDKit"] * len(smiles),
            "descriptor": [c.smiles for c in smiles],
        },
    }


def _connections(structure: Structure, composition: Composition) -> Tables:
    """Bonds between residues that do not follow from the chains."""
    ends = composition.joints.reshape(-1, 2)
    kinds = [_connection_type(structure, pair) for pair in ends]
    table: dict[str, Sequence[object]] = {
        "id": [f"{kind}{number}" for number, kind in enumerate(kinds, start=1)],
        "conn_type_id": kinds,
    }
    for number, atoms in enumerate(ends.T, start=1):
        prefix = f"ptnr{number}"
        residues = structure.residue_number[atoms].tolist()
        chains = structure.chain_id[atoms].tolist()
        polymer = [composition.kind(chain) != LIGAND for chain in chains]
        names = structure.residue_name[atoms].tolist()
        table |= {
            f"{prefix}_label_asym_id": chains,
            f"{prefix}_label_comp_id": names,
            f"{prefix}_label_seq_id": [
                residue if chained else False
                for residue, chained in zip(residues, polymer, strict=True)
            ],
            f"{prefix}_label_atom_id": structure.atom_name[atoms].tolist(),
            f"{prefix}_auth_asym_id": chains,
            f"{prefix}_auth_comp_id": names,
            f"{prefix}_auth_seq_id": residues,
            f"{prefix}_symmetry": ["1_555"] * len(ends),
        }
    a, b = (structure.coordinates[column] for column in ends.T)
    table["pdbx_dist_value"] = [f"{d:.3f}" for d in np.linalg.norm(a - b, axis=-1)]
    return {
        "struct_conn_type": {"id": sorted(set(kinds))},
        "struct_conn": table,
    }


def _connection_type(structure: Structure, pair: np.ndarray) -> str:
    is_disulfide = all(
        name == "SG" and residue == "CYS"
        for name, residue in zip(
            structure.atom_name[pair], structure.residue_name[pair], strict=True
        )
    )
    return "disulf" if is_disulfide else "covale"
