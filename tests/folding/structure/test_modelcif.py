"""The tables that stand beside the atoms."""

import numpy as np
import pytest

import folding
from folding.structure.entities import molecules
from folding.structure.modelcif import provenance, quality
from folding.structure.structure import Structure
from tests.folding.examples import PROTEIN_G, TRP_CAGE, joined, structure


def trimer() -> Structure:
    return joined(structure("1l2y"), structure("1pga"), structure("1l2y"), entities=(1, 2, 1))


def all_tables() -> dict[str, dict]:
    one = trimer()
    plddt = np.linspace(0, 100, one.n_atoms, dtype=np.float32)
    return {
        **provenance("title", entry="title", model_name="seed 1"),
        **molecules(one),
        **quality(one, plddt=plddt, scores={"pTM": 0.5}),
    }


@pytest.mark.parametrize("category", list(all_tables()))
def test_columns_of_a_table_have_one_length(category):
    lengths = {tag: len(values) for tag, values in all_tables()[category].items()}
    assert len(set(lengths.values())) == 1, lengths
    assert min(lengths.values()) >= 1


@pytest.mark.parametrize(
    ("category", "key"),
    [
        ("entity", "id"),
        ("struct_asym", "id"),
        ("chem_comp", "id"),
        ("atom_type", "symbol"),
        ("ma_data", "id"),
        ("ma_qa_metric", "id"),
        ("ma_qa_metric_local", "ordinal_id"),
        ("ma_qa_metric_global", "ordinal_id"),
    ],
)
def test_keys_are_unique(category, key):
    values = list(all_tables()[category][key])
    assert len(set(values)) == len(values)


def test_copies_are_one_entity():
    tables = molecules(trimer())
    assert tables["entity"]["id"] == [1, 2]
    assert tables["entity"]["pdbx_number_of_molecules"] == [2, 1]
    assert tables["entity_poly"]["pdbx_strand_id"] == ["A,C", "B"]
    assert tables["entity_poly"]["pdbx_seq_one_letter_code_can"] == [TRP_CAGE, PROTEIN_G]
    asym = tables["struct_asym"]
    assert dict(zip(asym["id"], asym["entity_id"], strict=True)) == {"A": 1, "C": 1, "B": 2}


def test_every_residue_of_an_entity_and_of_a_copy_has_a_row():
    tables = molecules(trimer())
    assert len(tables["entity_poly_seq"]["num"]) == 20 + 56
    assert len(tables["pdbx_poly_seq_scheme"]["seq_id"]) == 20 + 56 + 20
    chains = np.array(tables["pdbx_poly_seq_scheme"]["asym_id"])
    numbers = np.array(tables["pdbx_poly_seq_scheme"]["seq_id"])
    for chain, length in (("A", 20), ("B", 56), ("C", 20)):
        assert numbers[chains == chain].tolist() == list(range(1, length + 1))


def test_glycine_has_no_chirality_and_unknown_is_no_standard():
    compounds = molecules(trimer())["chem_comp"]
    kinds = dict(zip(compounds["id"], compounds["type"], strict=True))
    assert kinds["GLY"] == "peptide linking"
    assert kinds["ALA"] == "L-peptide linking"
    assert set(compounds["mon_nstd_flag"]) == {"y"}
    assert None not in compounds["name"]
    one = structure("1l2y")
    fields = {name: getattr(one, name) for name in one.__dataclass_fields__}
    unknown = Structure(**{**fields, "residue_name": np.full(one.n_atoms, "UNK")})
    compounds = molecules(unknown)["chem_comp"]
    assert (compounds["id"], compounds["mon_nstd_flag"]) == (["UNK"], ["n"])
    poly = molecules(unknown)["entity_poly"]
    assert poly["pdbx_seq_one_letter_code"][0].replace("\n", "") == "(UNK)" * 20
    assert poly["pdbx_seq_one_letter_code_can"] == ["X" * 20]


def test_quality_is_given_for_the_model_and_for_each_residue():
    one = structure("1l2y")
    plddt = np.where(one.residue_number <= 10, 90.0, 30.0).astype(np.float32)
    tables = quality(one, plddt=plddt, scores={"pTM": 0.123456, "ipTM": 0.5})
    assert tables["ma_qa_metric"]["type"] == ["pLDDT", "pLDDT", "pTM", "ipTM"]
    assert tables["ma_qa_metric"]["mode"] == ["global", "local", "global", "global"]
    assert tables["ma_qa_metric_global"]["metric_id"] == [1, 3, 4]
    assert tables["ma_qa_metric_global"]["metric_value"][1:] == ["0.123", "0.500"]
    assert tables["ma_qa_metric_local"]["metric_value"] == ["90.00"] * 10 + ["30.00"] * 10
    assert tables["ma_qa_metric_local"]["label_seq_id"] == list(range(1, 21))
    assert set(tables["ma_qa_metric_local"]["metric_id"]) == {2}


def test_the_program_signs_with_its_version():
    software = provenance("t", entry="t", model_name="m")["software"]
    assert software["name"] == ["Foldstream"]
    assert software["version"] == [folding.__version__]
