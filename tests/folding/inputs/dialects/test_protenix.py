"""Protenix's JSON: any ligand, and bonds that count entities and copies."""

import json
from typing import Any

import pytest

from folding.errors import InvalidInput
from folding.inputs import (
    AtomRef,
    Bond,
    DnaChain,
    FoldInput,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
    read_input,
)
from folding.inputs.files import files_beside
from folding.inputs.reading import dialect_of
from tests.folding.inputs.examples import data

SEQUENCE = "GCAKFNGLCY"


def protein(**changes: Any) -> dict[str, Any]:
    return {"proteinChain": {"sequence": SEQUENCE, "count": 1, **changes}}


def ligand(name: str, count: int = 1) -> dict[str, Any]:
    return {"ligand": {"ligand": name, "count": count}}


def job(*entities: dict[str, Any], **changes: Any) -> str:
    base = {"name": "job", "sequences": list(entities), "covalent_bonds": []}
    return json.dumps([{**base, **changes}])


def bond(one: tuple[Any, ...], other: tuple[Any, ...]) -> dict[str, Any]:
    keys = ("entity", "position", "atom", "copy")
    return {
        **{f"{key}1": value for key, value in zip(keys, one, strict=False)},
        **{f"{key}2": value for key, value in zip(keys, other, strict=False)},
    }


def test_entities_copies_and_bonds_are_read():
    found = read_input(data("covalent_protenix.json"))
    assert found.chains == (
        ProteinChain(("A", "B"), SEQUENCE, cyclic=True),
        Ligand(("C", "D"), ccd=("NAG", "NAG")),
        Ligand(("E",), smiles="CC(C)Cc1ccc(cc1)C(C)C(=O)O"),
        Ligand(("F",), ccd=("ZN",)),
    )
    assert found.seeds == (101,)
    # Without copies, each copy of the one is bonded to that of the other; the ring became cyclic.
    assert found.bonds == (
        Bond(AtomRef("A", 6, "ND2"), AtomRef("C", 1, "C1")),
        Bond(AtomRef("B", 6, "ND2"), AtomRef("D", 1, "C1")),
        Bond(AtomRef("C", 1, "O4"), AtomRef("C", 2, "C1")),
        Bond(AtomRef("D", 1, "O4"), AtomRef("D", 2, "C1")),
    )
    assert FoldInput.from_json(found.to_json()) == found


def test_a_job_that_is_not_in_a_list_is_read_too():
    (document,) = json.loads(data("covalent_protenix.json"))
    assert read_input(json.dumps(document)) == read_input(data("covalent_protenix.json"))


FILES = {
    "x/atp.sdf": data("alaninate.sdf"),
    "msas/non_pairing.a3m": f">q\n{SEQUENCE}\n>n\n{SEQUENCE}\n",
    "msas/pairing.a3m": f">q\n{SEQUENCE}\n",
}


@pytest.mark.parametrize("database", ["uniref100", "", None])
def test_rows_of_the_database_whose_headers_name_species_pair(database):
    alignment = {"precomputed_msa_dir": "msas", "pairing_db": database}
    (chain,) = read_input(job(protein(msa=alignment)), files=FILES.__getitem__).chains
    assert chain.paired_msa == FILES["msas/pairing.a3m"]


@pytest.mark.parametrize("missing", ["pairing.a3m", "non_pairing.a3m"])
def test_a_folder_of_alignments_need_not_hold_both(tmp_path, missing):
    for name in {"pairing.a3m", "non_pairing.a3m"} - {missing}:
        (tmp_path / name).write_text(f">q\n{SEQUENCE}\n>{name}\n{SEQUENCE}\n")
    text = job(protein(msa={"precomputed_msa_dir": str(tmp_path)}))
    (chain,) = read_input(text, files=files_beside(tmp_path)).chains
    is_there = (chain.msa is not None, chain.paired_msa is not None)
    assert is_there == (missing == "pairing.a3m", missing == "non_pairing.a3m")


def test_a_folder_without_alignments_or_with_broken_ones_is_refused(tmp_path):
    text = job(protein(msa={"precomputed_msa_dir": str(tmp_path)}))
    with pytest.raises(InvalidInput, match=r"“precomputed_msa_dir”: The file .*: No such file"):
        read_input(text, files=files_beside(tmp_path))
    (tmp_path / "pairing.a3m").write_text(f">q\n{SEQUENCE}\n")
    (tmp_path / "non_pairing.a3m").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInput, match=r"“precomputed_msa_dir”: The file .*decode"):
        read_input(text, files=files_beside(tmp_path))


ROWS = f">q\n{SEQUENCE}\n>h\n{SEQUENCE}\n"


def test_alignments_may_stand_in_the_job_and_come_before_files():
    alignments = {"unpairedMsa": ROWS, "pairedMsa": ROWS.replace("h", "p")}
    files = {"unpairedMsaPath": "gone", "msa": {"precomputed_msa_dir": "gone"}}
    first, second, third, fourth = read_input(
        job(
            protein(**alignments, **files),
            protein(unpairedMsa="", unpairedMsaPath="gone"),
            protein(pairedMsa="", unpairedMsaPath="msas/non_pairing.a3m"),
            {"rnaSequence": {"sequence": "ACGU", "unpairedMsa": ">q\nACGU\n"}},
        ),
        files=FILES.__getitem__,
    ).chains
    assert (first.msa, first.paired_msa) == tuple(alignments.values())
    assert (second.msa, second.paired_msa) == ("", None)
    assert (third.msa, third.paired_msa) == (FILES["msas/non_pairing.a3m"], None)
    assert fourth == RnaChain(("D",), "ACGU", msa=">q\nACGU\n")
    with pytest.raises(InvalidInput, match="“unpairedMsa” must be text"):
        read_input(job(protein(unpairedMsa=3)))


def test_what_protenix_notes_of_a_structure_changes_nothing():
    noted = {"label_entity_id": "1", "label_asym_id": ["A"]}
    plain = json.dumps({"name": "job", "sequences": [protein(), ligand("CCD_NAG")]})
    made = [{"proteinChain": protein()["proteinChain"] | noted}]
    made.append({"ligand": ligand("CCD_NAG")["ligand"] | noted})
    text = json.dumps([{"sequences": made, "assembly_id": "1", "name": "job"}])
    assert read_input(text) == read_input(plain)


@pytest.mark.parametrize("old", [False, True], ids=["numbers", "sides"])
def test_bonds_are_written_by_numbers_or_by_sides(old):
    keys = ("entity", "copy", "position", "atom")
    ends = ((1, 2, 2, "SG"), (2, 1, 1, "C1"))
    names = ("left", "right")
    said = {
        (f"{names[n]}_{key}" if old else f"{key}{n + 1}"): value
        for n, end in enumerate(ends)
        for key, value in zip(keys, end, strict=True)
    }
    found = read_input(job(protein(count=2), ligand("CCD_NAG"), covalent_bonds=[said]))
    assert found.bonds == (Bond(AtomRef("B", 2, "SG"), AtomRef("C", 1, "C1")),)


def test_nucleotides_and_ions_are_read():
    modified = {"modificationType": "CCD_5CM", "basePosition": 2}
    found = read_input(
        job(
            {"dnaSequence": {"sequence": "ACGT", "count": 2, "modifications": [modified]}},
            {"rnaSequence": {"sequence": "ACGU", "count": 1, "unpairedMsaPath": "r.a3m"}},
            {"ion": {"ion": "MG", "count": 2}},
        ),
        files={"r.a3m": ">q\nACGU\n>h\nACGG\n"}.__getitem__,
    )
    assert found.chains == (
        DnaChain(("A", "B"), "ACGT", modifications=(Modification("5CM", 2),)),
        RnaChain(("C",), "ACGU", msa=">q\nACGU\n>h\nACGG\n"),
        Ligand(("D", "E"), ccd=("MG",)),
    )


@pytest.mark.parametrize("seeds", [[7, 8], ["7", "8"], ["7", 8]])
def test_seeds_are_numbers_or_text(seeds):
    assert read_input(job(protein(), modelSeeds=seeds)).seeds == (7, 8)


@pytest.mark.parametrize("seeds", [[], None])
def test_without_seeds_those_of_the_caller_count(seeds):
    assert read_input(job(protein(), modelSeeds=seeds), seeds=(5,)).seeds == (5,)


def test_an_alignment_file_that_is_empty_says_nothing():
    (chain,) = read_input(job(protein(unpairedMsaPath="e")), files={"e": ""}.__getitem__).chains
    assert chain.msa is None


def test_hydrogens_of_a_file_have_indices_but_cannot_be_bonded():
    hydrogen = bond((1, 2, "SG"), (2, 1, 6))
    text = job(protein(), ligand("FILE_x/atp.sdf"), covalent_bonds=[hydrogen])
    with pytest.raises(InvalidInput, match="“H1” of B/1, which has the atoms C1, C2, N1"):
        read_input(text, files=FILES.__getitem__)


def test_ligands_and_alignments_come_from_files():
    text = job(
        protein(msa={"precomputed_msa_dir": "msas/", "pairing_db": ""}),
        protein(pairedMsaPath="msas/pairing.a3m", id=["Q"]),
        ligand("FILE_x/atp.sdf"),
        covalent_bonds=[bond((1, 2, "SG"), (3, 1, 0)), bond((1, 9, "SG"), ("3", "1", "C3"))],
    )
    found = read_input(text, files=FILES.__getitem__)
    first, second, molecule = found.chains
    assert (first.msa, first.paired_msa) == tuple(list(FILES.values())[1:])
    assert second == ProteinChain(("Q",), SEQUENCE, paired_msa=FILES["msas/pairing.a3m"])
    assert molecule == Ligand(("B",), file=FILES["x/atp.sdf"])
    assert found.bonds == (
        Bond(AtomRef("A", 2, "SG"), AtomRef("B", 1, "C1")),
        Bond(AtomRef("A", 9, "SG"), AtomRef("B", 1, "C3")),
    )


@pytest.mark.parametrize(
    ("document", "dialect"),
    [
        ({"name": "n", "sequences": [protein()], "covalent_bonds": []}, "protenix"),
        ({"name": "n", "sequences": [ligand("CCO")]}, "protenix"),
        ({"name": "n", "sequences": [ligand("CCD_NAG_BMA")]}, "protenix"),
        ({"name": "n", "sequences": [protein(id=["A"])]}, "protenix"),
        ({"name": "n", "sequences": [protein(pairedMsa="")]}, "protenix"),
        ({"name": "n", "sequences": [protein()], "assembly_id": "1"}, "protenix"),
        ({"name": "n", "sequences": [protein()]}, "alphafoldserver"),
        ({"name": "n", "sequences": [ligand("CCD_NAG")]}, "alphafoldserver"),
        ({"dialect": "alphafoldserver", "sequences": [protein(id="A")]}, "alphafoldserver"),
        ({"name": "n", "sequences": [{"ligand": {"ccdCodes": ["ATP"]}}]}, "alphafold3"),
        ({"dialect": "alphafold3", "sequences": [protein()]}, "alphafold3"),
        ({"sequences": "x"}, "alphafold3"),
        (None, "alphafold3"),
    ],
)
def test_the_dialects_are_told_apart(document, dialect):
    assert dialect_of(document) == dialect


def bonded(*bonds: dict[str, Any]) -> str:
    return job(protein(count=2), ligand("CCD_NAG", 3), ligand("CCO"), covalent_bonds=list(bonds))


CASES = {
    "constraint": (job(protein(), constraint={"pocket": {}}), "", "“constraint” asks for contacts"),
    "epitopes": (job(protein(), epitopes=[1]), "", "“epitopes” asks for an epitope"),
    "templates": (job(protein(templatesPath="x")), "", "“templatesPath” asks for templates"),
    "glycans": (job(protein(glycans=[{}])), "", "“glycans” asks for glycans by name"),
    "unknown key": (job(protein(), name2=1), "", "“name2” is not part of the protenix dialect"),
    "no name": (job(protein(), name=None), "name", "“name” must be text"),
    "PDB": (job(ligand("FILE_a.pdb")), "chains.0.file", "PDB files hold no bond orders"),
    "file": (job(ligand("FILE_a.sdf")), "chains.0.file", "cannot be read from here"),
    "MSA": (job(protein(unpairedMsaPath="x")), "chains.0.msa", "cannot be read from here"),
    "MSA folder": (
        job(protein(msa={"precomputed_msa_dir": "x"})),
        "chains.0.msa",
        "cannot be read from here",
    ),
    "MSA key": (job(protein(msa={"dir": "x"})), "chains.0.msa", "“dir” is not part of"),
    "MSA pairing": (
        job(protein(msa={"precomputed_msa_dir": "x", "pairing_db": "colabfold"})),
        "chains.0.msa",
        "“pairing_db” asks for rows to be paired",
    ),
    "SMILES": (job(protein(), ligand("C1CC")), "chains.1.smiles", "cannot be read as SMILES"),
    "ids": (job(protein(id=["A", "B"])), "chains.0.ids", "there are 2 ids for 1 copies"),
    "bond entity": (bonded(bond((4, 1, "N"), (2, 1, "C1"))), "bonds.0", "from 1 to 3, not “4”"),
    "bond copy": (bonded(bond((1, 1, "N", 3), (2, 1, "C1", 1))), "bonds.0", "from 1 to 2, not “3”"),
    "bond copies": (bonded(bond((1, 1, "N"), (2, 1, "C1"))), "bonds.0", "there are 2 and 3 copies"),
    "bond index": (bonded(bond((1, 1, 0, 1), (2, 1, "C1", 1))), "bonds.0", "ligands from files"),
    "bond SMILES": (bonded(bond((1, 1, "N", 1), (3, 1, "C1", 1))), "bonds.0", "have no names"),
    "bond key": (bonded({"entity1": 1}), "bonds.0", "“position” of a bond must be"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_done_is_refused_by_name(case):
    text, place, said = CASES[case]
    with pytest.raises(InvalidInput) as caught:
        read_input(text)
    assert said in str(caught.value)
    assert caught.value.field.startswith(place)
