"""What ModelCIF says beside the atoms: where a model comes from, what it is of, how good it is.

Tables are given by category, each as columns of equal length (dictionary: https://mmcif.wwpdb.org).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from folding import __version__
from folding.structure.structure import Structure, one_letter

Table = Mapping[str, Sequence[object]]
Tables = dict[str, Table]

_DICTIONARY = "https://raw.githubusercontent.com/ihmwg/ModelCIF/master/dist/mmcif_ma.dic"
_DICTIONARY_VERSION = "1.4.5"
_COMPOUND_NAMES = {
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
_UNKNOWN = "UNK"
_LOCAL_METRIC = 2
_LINE = 80


def provenance(title: str, *, entry: str, model_name: str) -> Tables:
    """Who made the model, with what, after which paper, by which steps."""
    return {**_authorship(title, entry=entry), **_protocol(model_name)}


def _authorship(title: str, *, entry: str) -> Tables:
    return {
        "audit_conform": {
            "dict_name": ["mmcif_ma.dic"],
            "dict_version": [_DICTIONARY_VERSION],
            "dict_location": [_DICTIONARY],
        },
        "struct": {
            "entry_id": [entry],
            "title": [title],
            "pdbx_model_details": ["Computed with a network of the AlphaFold 3 architecture"],
        },
        "audit_author": {"name": ["Foldstream"], "pdbx_ordinal": [1]},
        "citation": {
            "id": ["primary"],
            "title": [
                "Accurate structure prediction of biomolecular interactions with AlphaFold 3"
            ],
            "journal_abbrev": ["Nature"],
            "journal_volume": [630],
            "page_first": [493],
            "page_last": [500],
            "year": [2024],
            "pdbx_database_id_DOI": ["10.1038/s41586-024-07487-w"],
        },
        "citation_author": {
            "citation_id": ["primary"],
            "name": ["Abramson, J."],
            "ordinal": [1],
        },
        "software": {
            "pdbx_ordinal": [1],
            "name": ["Foldstream"],
            "classification": ["model building"],
            "description": ["Structure prediction"],
            "version": [__version__],
            "type": ["package"],
        },
    }


def _protocol(model_name: str) -> Tables:
    return {
        "ma_software_group": {"ordinal_id": [1], "group_id": [1], "software_id": [1]},
        "ma_data": {
            "id": [1, 2],
            "name": ["Sequences", "Model"],
            "content_type": ["target", "model coordinates"],
        },
        "ma_data_group": {"ordinal_id": [1, 2], "group_id": [1, 2], "data_id": [1, 2]},
        "ma_model_list": {
            "ordinal_id": [1],
            "model_id": [1],
            "model_name": [model_name],
            "data_id": [2],
            "model_type": ["Ab initio model"],
        },
        "ma_protocol_step": {
            "ordinal_id": [1],
            "protocol_id": [1],
            "step_id": [1],
            "method_type": ["modeling"],
            "step_name": ["Structure prediction"],
            "software_group_id": [1],
            "input_data_group_id": [1],
            "output_data_group_id": [2],
        },
    }


def molecules(structure: Structure) -> Tables:
    """The sequences that were modelled, and the chains that are their copies."""
    chains = _chains_by_entity(structure)
    residues = {entity: _residue_names(structure, copies[0]) for entity, copies in chains.items()}
    instances = [(chain_id, entity) for entity, copies in chains.items() for chain_id in copies]
    return {
        "chem_comp": _compounds(structure),
        "atom_type": {"symbol": sorted(set(structure.element.tolist()))},
        "entity": {
            "id": list(chains),
            "type": ["polymer"] * len(chains),
            "src_method": ["man"] * len(chains),
            "pdbx_description": [f"Protein {entity}" for entity in chains],
            "pdbx_number_of_molecules": [len(copies) for copies in chains.values()],
        },
        "entity_poly": {
            "entity_id": list(chains),
            "type": ["polypeptide(L)"] * len(chains),
            "nstd_linkage": ["no"] * len(chains),
            "nstd_monomer": ["no"] * len(chains),
            "pdbx_strand_id": [",".join(copies) for copies in chains.values()],
            "pdbx_seq_one_letter_code": [_letters(names) for names in residues.values()],
            "pdbx_seq_one_letter_code_can": [
                _in_lines("".join(map(one_letter, names))) for names in residues.values()
            ],
        },
        "entity_poly_seq": _numbered(residues),
        "struct_asym": {
            "id": [chain_id for chain_id, _ in instances],
            "entity_id": [entity for _, entity in instances],
            "details": [None] * len(instances),
        },
        "pdbx_poly_seq_scheme": _numbered_copies(chains, residues),
        "ma_target_entity": {
            "entity_id": list(chains),
            "data_id": [1] * len(chains),
            "origin": [False] * len(chains),
        },
        "ma_target_entity_instance": {
            "asym_id": [chain_id for chain_id, _ in instances],
            "entity_id": [entity for _, entity in instances],
            "details": [None] * len(instances),
        },
    }


def _compounds(structure: Structure) -> Table:
    codes = sorted(set(structure.residue_name.tolist()))
    return {
        "id": codes,
        "type": ["peptide linking" if c == "GLY" else "L-peptide linking" for c in codes],
        "name": [_COMPOUND_NAMES.get(code) for code in codes],
        "mon_nstd_flag": ["n" if code == _UNKNOWN else "y" for code in codes],
    }


def _chains_by_entity(structure: Structure) -> dict[int, list[str]]:
    chains: dict[int, list[str]] = {}
    for chain_id in structure.chain_ids:
        entity = int(structure.entity_id[structure.chain_id == chain_id][0])
        chains.setdefault(entity, []).append(chain_id)
    return dict(sorted(chains.items()))


def _residue_names(structure: Structure, chain_id: str) -> list[str]:
    starts = structure.residue_starts
    return [str(n) for n in structure.residue_name[starts[structure.chain_id[starts] == chain_id]]]


def _letters(names: Sequence[str]) -> str:
    """The sequence as mmCIF spells it: what has no letter stands in brackets."""
    letters = [f"({name})" if one_letter(name) == "X" else one_letter(name) for name in names]
    return _in_lines("".join(letters))


def _in_lines(letters: str) -> str:
    """Lines of 80: mmCIF allows no line of more than 2048."""
    lines = [letters[i : i + _LINE] for i in range(0, len(letters), _LINE)]
    return "\n".join(lines)


def _numbered(residues: Mapping[int, Sequence[str]]) -> Table:
    rows = [
        (entity, number, code)
        for entity, names in residues.items()
        for number, code in enumerate(names, start=1)
    ]
    entities, numbers, codes = zip(*rows, strict=True)
    return {
        "entity_id": entities,
        "num": numbers,
        "mon_id": codes,
        "hetero": ["n"] * len(rows),
    }


def _numbered_copies(
    chains: Mapping[int, Sequence[str]], residues: Mapping[int, Sequence[str]]
) -> Table:
    rows = [
        (chain_id, entity, number, code)
        for entity, copies in chains.items()
        for chain_id in copies
        for number, code in enumerate(residues[entity], start=1)
    ]
    chain_ids, entities, numbers, codes = zip(*rows, strict=True)
    return {
        "asym_id": chain_ids,
        "entity_id": entities,
        "seq_id": numbers,
        "mon_id": codes,
        "ndb_seq_num": numbers,
        "pdb_seq_num": numbers,
        "auth_seq_num": numbers,
        "pdb_mon_id": codes,
        "auth_mon_id": codes,
        "pdb_strand_id": chain_ids,
        "pdb_ins_code": [False] * len(rows),
        "hetero": ["n"] * len(rows),
    }


def quality(
    structure: Structure, *, plddt: Float[np.ndarray, " atom"], scores: Mapping[str, float]
) -> Tables:
    """The pLDDT of the model and of each residue, and other scores of the whole model."""
    names = ["pLDDT", "pLDDT", *scores]
    values = [float(np.mean(plddt)), *scores.values()]
    metric_ids = [1, *range(_LOCAL_METRIC + 1, len(names) + 1)]
    starts = structure.residue_starts
    counts = np.diff(np.append(starts, structure.n_atoms))
    residue_plddt = np.add.reduceat(plddt, starts) / counts
    return {
        "ma_qa_metric": {
            "id": range(1, len(names) + 1),
            "name": names,
            "type": names,
            "mode": ["global", "local", *["global"] * len(scores)],
            "software_group_id": [1] * len(names),
        },
        "ma_qa_metric_global": {
            "ordinal_id": range(1, len(values) + 1),
            "model_id": [1] * len(values),
            "metric_id": metric_ids,
            "metric_value": [f"{value:.3f}" for value in values],
        },
        "ma_qa_metric_local": {
            "ordinal_id": range(1, len(starts) + 1),
            "model_id": [1] * len(starts),
            "label_asym_id": structure.chain_id[starts].tolist(),
            "label_seq_id": structure.residue_number[starts].tolist(),
            "label_comp_id": structure.residue_name[starts].tolist(),
            "metric_id": [_LOCAL_METRIC] * len(starts),
            "metric_value": [f"{value:.2f}" for value in residue_plddt],
        },
    }
