"""What ModelCIF says beside the atoms: where a model comes from, what it is of, how good it is.

Tables are given by category, each as columns of equal length (dictionary: https://mmcif.wwpdb.org).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from folding import __version__
from folding.structure.structure import Structure

Table = Mapping[str, Sequence[object]]
Tables = dict[str, Table]

_DICTIONARY = "https://raw.githubusercontent.com/ihmwg/ModelCIF/master/dist/mmcif_ma.dic"
_DICTIONARY_VERSION = "1.4.5"
_LOCAL_METRIC = 2


def provenance(title: str, *, entry: str, model_name: str) -> Tables:
    """Who made the model, with what, after which paper, by which steps."""
    return {**_authorship(title, entry=entry, model_name=model_name), **_protocol(model_name)}


def _authorship(title: str, *, entry: str, model_name: str) -> Tables:
    return {
        "audit_conform": {
            "dict_name": ["mmcif_ma.dic"],
            "dict_version": [_DICTIONARY_VERSION],
            "dict_location": [_DICTIONARY],
        },
        "struct": {
            "entry_id": [entry],
            "title": [title],
            "pdbx_model_details": [
                f"Computed with a network of the AlphaFold 3 architecture: {model_name}"
            ],
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


def quality(
    structure: Structure, *, plddt: Float[np.ndarray, " atom"], scores: Mapping[str, float]
) -> Tables:
    """The pLDDT of the model and of each residue of a polymer, other scores of the whole model."""
    names = ["pLDDT", "pLDDT", *scores]
    values = [float(np.mean(plddt)), *scores.values()]
    metric_ids = [1, *range(_LOCAL_METRIC + 1, len(names) + 1)]
    starts = structure.residue_starts
    counts = np.diff(np.append(starts, structure.n_atoms))
    residue_plddt = np.add.reduceat(plddt, starts) / counts
    polymers = [chain for chain, kind in structure.chain_kinds.items() if kind != "ligand"]
    shown = np.isin(structure.chain_id[starts], polymers)
    starts, residue_plddt = starts[shown], residue_plddt[shown]
    tables: Tables = {
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
    if not len(starts):
        del tables["ma_qa_metric_local"]
    return tables
