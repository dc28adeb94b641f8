"""What is written as ModelCIF is read by gemmi, by biotite and by us."""

import io

import gemmi
import numpy as np
import pytest
from biotite.structure.io.pdbx import CIFFile, get_sequence, get_structure

from folding.structure.mmcif import read_mmcif, write_mmcif
from folding.structure.structure import Structure
from tests.folding.examples import CRAMBIN, PROTEIN_G, TRP_CAGE, dimer, joined, structure


def written(structure_: Structure, **options) -> str:
    plddt = np.linspace(0, 100, structure_.n_atoms, dtype=np.float32)
    return write_mmcif(structure_, **{"name": "job", "plddt": plddt, **options})


def hetero_trimer() -> Structure:
    return joined(structure("1l2y"), structure("1pga"), structure("1l2y"), entities=(1, 2, 1))


@pytest.mark.parametrize("make", [dimer, hetero_trimer, lambda: structure("1crn")])
def test_what_is_written_is_read(make):
    one = make()
    again = read_mmcif(written(one))
    np.testing.assert_allclose(again.coordinates, one.coordinates, atol=5e-4)
    for name in one.__dataclass_fields__:
        if name != "coordinates":
            np.testing.assert_array_equal(getattr(again, name), getattr(one, name), err_msg=name)


def test_gemmi_reads_chains_entities_and_sequences():
    found = gemmi.make_structure_from_block(gemmi.cif.read_string(written(hetero_trimer()))[0])
    assert [chain.name for chain in found[0]] == ["A", "B", "C"]
    assert [entity.subchains for entity in found.entities] == [["A", "C"], ["B"]]
    assert all(entity.polymer_type == gemmi.PolymerType.PeptideL for entity in found.entities)
    sequences = [gemmi.one_letter_code(entity.full_sequence) for entity in found.entities]
    assert sequences == [TRP_CAGE, PROTEIN_G]


def test_biotite_reads_atoms_and_sequences():
    one = hetero_trimer()
    file = CIFFile.read(io.StringIO(written(one)))
    atoms = get_structure(file, model=1, extra_fields=["b_factor"])
    np.testing.assert_allclose(atoms.coord, one.coordinates, atol=1e-3)
    np.testing.assert_array_equal(atoms.atom_name, one.atom_name)
    np.testing.assert_allclose(atoms.b_factor, np.linspace(0, 100, one.n_atoms), atol=0.01)
    sequences = {chain: str(sequence) for chain, sequence in get_sequence(file).items()}
    assert sequences == {"A": TRP_CAGE, "B": PROTEIN_G, "C": TRP_CAGE}


def test_b_factors_and_metrics_are_plddt():
    one = structure("1l2y")
    plddt = one.residue_number.astype(np.float32)
    block = gemmi.cif.read_string(
        written(one, plddt=plddt, scores={"pTM": 0.5, "ipTM": 0.25}, model_name="seed 1")
    )[0]
    assert [float(b) for b in block.find_values("_atom_site.B_iso_or_equiv")] == plddt.tolist()
    local = [float(v) for v in block.find_values("_ma_qa_metric_local.metric_value")]
    assert local == list(range(1, 21))
    metrics = dict(
        zip(
            block.find_values("_ma_qa_metric.id"),
            block.find_values("_ma_qa_metric.name"),
            strict=True,
        )
    )
    globals_ = {
        metrics[row[0]]: float(row[1])
        for row in block.find("_ma_qa_metric_global.", ["metric_id", "metric_value"])
    }
    assert globals_ == {
        "pLDDT": pytest.approx(plddt.mean(), abs=1e-3),
        "pTM": 0.5,
        "ipTM": 0.25,
    }
    assert block.find_value("_ma_model_list.model_name") == "'seed 1'"


# Categories that ModelCIF 1.4.5 makes mandatory for a model, and what they must hold.
MANDATORY = {
    "_audit_conform": ["dict_name", "dict_version"],
    "_ma_data": ["id", "content_type"],
    "_ma_model_list": ["ordinal_id", "model_id", "data_id", "model_type"],
    "_ma_target_entity": ["entity_id", "data_id", "origin"],
    "_ma_target_entity_instance": ["asym_id", "entity_id"],
    "_ma_protocol_step": ["ordinal_id", "protocol_id", "step_id", "method_type"],
    "_ma_qa_metric": ["id", "name", "type", "mode"],
    "_ma_software_group": ["ordinal_id", "group_id", "software_id"],
    "_software": ["name", "version", "classification"],
    "_entity": ["id", "type"],
    "_entity_poly": ["entity_id", "type", "pdbx_seq_one_letter_code"],
    "_entity_poly_seq": ["entity_id", "num", "mon_id"],
    "_struct_asym": ["id", "entity_id"],
    "_chem_comp": ["id", "type"],
    "_atom_type": ["symbol"],
}


@pytest.mark.parametrize("category", list(MANDATORY))
def test_modelcif_has_its_mandatory_items(category):
    block = gemmi.cif.read_string(written(hetero_trimer()))[0]
    for item in MANDATORY[category]:
        values = list(block.find_values(f"{category}.{item}"))
        assert values, f"{category}.{item}"
        assert "?" not in values


def test_ids_point_at_rows_that_exist():
    block = gemmi.cif.read_string(written(hetero_trimer()))[0]

    def values(tag: str) -> set[str]:
        return set(block.find_values(tag))

    assert values("_atom_site.label_entity_id") == values("_entity.id") == {"1", "2"}
    assert values("_atom_site.label_asym_id") == values("_struct_asym.id") == {"A", "B", "C"}
    assert values("_atom_site.label_comp_id") == values("_chem_comp.id")
    assert values("_atom_site.type_symbol") == values("_atom_type.symbol")
    assert values("_ma_model_list.data_id") <= values("_ma_data.id")
    assert values("_ma_protocol_step.input_data_group_id") <= values("_ma_data_group.group_id")
    assert values("_ma_qa_metric_local.metric_id") <= values("_ma_qa_metric.id")


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Trp-cage", "Trp-cage"),
        ('it\'s "quoted"', 'it\'s "quoted"'),
        ("Protéine", "Proteine"),
        ("белок", "?????"),
        ("data_ loop_ #; _x", "data_ loop_ #; _x"),
        ("x" * 100, "x" * 100),
    ],
)
def test_any_name_is_a_title(name, title):
    text = written(structure("1l2y"), name=name)
    block = gemmi.cif.read_string(text)[0]
    assert gemmi.cif.as_string(block.find_value("_struct.title")) == title
    assert gemmi.cif.as_string(block.find_value("_entry.id")) == block.name
    assert text.isascii()


def test_long_sequences_stand_in_short_lines():
    text = written(joined(*[structure("1crn")] * 3, entities=(1, 1, 1)))
    assert max(map(len, text.splitlines())) < 200
    long = structure("1crn")
    for _ in range(2):
        long = joined(long, long)
    merged = long.select(np.ones(long.n_atoms, dtype=bool))
    one_chain = Structure(
        **{
            **{name: getattr(merged, name) for name in merged.__dataclass_fields__},
            "chain_id": np.full(merged.n_atoms, "A"),
            "entity_id": np.ones(merged.n_atoms, dtype=int),
            "residue_number": merged.token_index + 1,
            "token_chain_id": np.full(merged.n_tokens, "A"),
        }
    )
    text = written(one_chain)
    assert max(map(len, text.splitlines())) < 200
    assert read_mmcif(text).sequence("A") == CRAMBIN * 4
    file = CIFFile.read(io.StringIO(text))
    assert str(get_sequence(file)["A"]) == CRAMBIN * 4


def test_unknown_residues_are_written_as_unk():
    one = structure("1l2y")
    unknown = Structure(
        **{
            **{name: getattr(one, name) for name in one.__dataclass_fields__},
            "residue_name": np.where(one.residue_number == 3, "UNK", one.residue_name),
        }
    )
    text = written(unknown)
    assert "NL(UNK)IQWLKDGGPSSGRPPPS" in text
    assert read_mmcif(text).sequence("A") == "NLX" + TRP_CAGE[3:]


def test_the_same_structure_gives_the_same_text():
    assert written(dimer()) == written(dimer())
