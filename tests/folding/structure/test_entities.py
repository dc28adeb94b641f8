"""Molecules of every kind as mmCIF, read back by gemmi."""

import gemmi
import numpy as np
import pytest

from folding.inputs import DnaChain, Ligand, Modification, ProteinChain, RnaChain
from folding.structure.entities import molecules
from folding.structure.mmcif import write_mmcif
from tests.folding.complexes import build, glycoprotein


def written(built) -> gemmi.cif.Block:
    plddt = np.full(built.structure.n_atoms, 80.0, np.float32)
    text = write_mmcif(built.structure, name="x", plddt=plddt, composition=built.composition)
    return gemmi.cif.read_string(text).sole_block()


def test_gemmi_reads_the_kinds_and_the_bonds():
    block = written(glycoprotein())
    structure = gemmi.make_structure_from_block(block)
    assert [entity.entity_type.name for entity in structure.entities] == [
        "Polymer",
        "Branched",
        "NonPolymer",
    ]
    bonds = [(c.type.name, str(c.partner1), str(c.partner2)) for c in structure.connections]
    assert sorted(bonds) == [
        ("Covale", "A/ASN 3/ND2", "G/NAG 1/C1"),
        ("Covale", "G/NAG 1/O4", "G/NAG 2/C1"),
        ("Disulf", "A/CYS 4/SG", "A/CYS 7/SG"),
    ]
    assert [chain.name for chain in structure[0]] == ["A", "G", "M"]
    assert structure[0]["M"][0].het_flag == "H"
    assert structure[0]["A"][0].het_flag == "A"


def test_links_of_a_glycan_name_what_left():
    links = molecules(*_parts(glycoprotein()))["pdbx_entity_branch_link"]
    assert {tag: values[0] for tag, values in links.items()} == {
        "link_id": 1,
        "entity_id": 2,
        "entity_branch_list_num_1": 2,
        "comp_id_1": "NAG",
        "atom_id_1": "C1",
        "leaving_atom_id_1": "O1",
        "entity_branch_list_num_2": 1,
        "comp_id_2": "NAG",
        "atom_id_2": "O4",
        "leaving_atom_id_2": "HO4",
        "value_order": "sing",
    }
    assert len(links["link_id"]) == 1


def _parts(built):
    return built.structure, built.composition


def test_sequences_spell_modified_residues_and_nucleotides():
    chains = (
        ProteinChain(("A", "B"), "GASG", modifications=(Modification("SEP", 3),)),
        DnaChain(("C",), "ACGT"),
        RnaChain(("D",), "ACGU"),
    )
    polymers = molecules(*_parts(build(*chains)))["entity_poly"]
    assert polymers["pdbx_seq_one_letter_code"] == ["GA(SEP)G", "(DA)(DC)(DG)(DT)", "ACGU"]
    assert polymers["pdbx_seq_one_letter_code_can"] == ["GASG", "ACGT", "ACGU"]
    assert polymers["type"] == ["polypeptide(L)", "polydeoxyribonucleotide", "polyribonucleotide"]
    assert polymers["pdbx_strand_id"] == ["A,B", "C", "D"]


@pytest.mark.parametrize("smiles", ["CCO", "c1ccccc1O"])
def test_what_no_dictionary_has_is_described_in_full(smiles):
    ligand = Ligand(("B",), smiles=smiles)
    block = written(build(ProteinChain(("A",), "GAGA"), ligand))
    assert set(block.find_values("_chem_comp_bond.comp_id")) >= {"LIG1", "ALA", "GLY"}
    atoms = [
        row for row in block.find("_chem_comp_atom.", ["comp_id", "atom_id"]) if row[0] == "LIG1"
    ]
    assert len(atoms) == ligand.n_tokens
    assert smiles in block.find_value("_pdbx_chem_comp_descriptor.descriptor")


def test_names_of_ligands_are_the_dictionarys_or_the_persons():
    chains = (
        ProteinChain(("A",), "GAGA", description="Spacer"),
        Ligand(("B",), ccd=("ATP",)),
        Ligand(("C",), smiles="CCO", description="Ethanol"),
    )
    entity = molecules(*_parts(build(*chains)))["entity"]
    assert entity["pdbx_description"] == ["Spacer", "ADENOSINE-5'-TRIPHOSPHATE", "Ethanol"]
    assert entity["type"] == ["polymer", "non-polymer", "non-polymer"]
