"""AlphaFold Server's JSON: counts, glycans, ions, seeds as text, several jobs in one file."""

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
    read_input,
    read_inputs,
)
from tests.folding.inputs.examples import data

SEQUENCE = "MKTNISWLTEAGKS"


def protein(**changes: Any) -> dict[str, Any]:
    return {"proteinChain": {"sequence": SEQUENCE, "count": 1, **changes}}


def job(*entities: dict[str, Any], **changes: Any) -> str:
    base = {"name": "job", "modelSeeds": [], "sequences": list(entities) or [protein()]}
    return json.dumps([{**base, "dialect": "alphafoldserver", "version": 1, **changes}])


def test_a_file_of_the_server_is_a_batch():
    receptor, operator = read_inputs(data("screen_server.json"), seeds=(42,))
    assert receptor.seeds == (1593933729, 4273)
    assert operator.seeds == (42,), "an empty list leaves the seed to us"
    chain, glycan, calcium, nad = receptor.chains
    assert chain == ProteinChain(
        ("A", "B"), SEQUENCE, templates=(), modifications=(Modification("SEP", 6),)
    )
    assert glycan.ids == ("C", "D")
    assert calcium == Ligand(("E", "F", "G"), ccd=("CA",))
    assert nad == Ligand(("H",), ccd=("NAD",))
    assert operator.chains[0] == DnaChain(
        ("A", "B"), "TAGCTAGCTA", modifications=(Modification("5CM", 4),)
    )


def test_a_glycan_is_a_ligand_bonded_to_each_copy_of_its_protein():
    receptor, _ = read_inputs(data("screen_server.json"))
    glycan = receptor.chains[1]
    assert glycan.ccd == ("NAG", "NAG", "BMA", "MAN", "MAN", "FUC")
    assert "NAG(NAG(BMA(MAN)(MAN)))(FUC) on N4" in glycan.description
    for protein_id, glycan_id in (("A", "C"), ("B", "D")):
        anchor = Bond(AtomRef(protein_id, 4, "ND2"), AtomRef(glycan_id, 1, "C1"))
        assert anchor in receptor.bonds
        assert Bond(AtomRef(glycan_id, 1, "O4"), AtomRef(glycan_id, 2, "C1")) in receptor.bonds
        assert Bond(AtomRef(glycan_id, 1, "O6"), AtomRef(glycan_id, 6, "C1")) in receptor.bonds
    assert len(receptor.bonds) == 2 * 6


@pytest.mark.parametrize(("position", "atom"), [(4, "ND2"), (6, "OG"), (9, "OG1")])
def test_glycans_hang_on_nitrogen_or_oxygen(position, atom):
    found = read_input(job(protein(glycans=[{"residues": "NAG", "position": position}])))
    assert found.bonds == (Bond(AtomRef("A", position, atom), AtomRef("B", 1, "C1")),)


def test_what_both_can_say_is_the_same_job_in_alphafold3s_own_dialect():
    for found in read_inputs(data("screen_server.json")):
        assert FoldInput.from_json(found.to_json()) == found


@pytest.mark.parametrize("date", [None, "1976-01-01"])
def test_templates_can_be_ruled_out(date):
    choice = {"useStructureTemplate": False} if date is None else {"maxTemplateDate": date}
    assert read_input(job(protein(**choice))).chains[0].templates == ()
    assert read_input(job(protein(useStructureTemplate=True))).chains[0].templates is None


CASES = {
    "version": (job(version=2), "version", "not “alphafoldserver” and “2”"),
    "other dialect": (job(dialect="server"), "dialect", "not “server”"),
    "unknown key": (job(colour="red"), "", "“colour” is not part of the alphafoldserver dialect"),
    "chain key": (job(protein(id="A")), "chains.0", "“id” is not part of"),
    "kind": (job({"protein": {}}), "chains.0", "which has “proteinChain”, “dnaSequence”"),
    "count": (job(protein(count=0)), "chains.0.copies", "from 1 to 100, not “0”"),
    "count text": (job(protein(count="two")), "chains.0.copies", "“count” must be a whole number"),
    "seeds": (job(modelSeeds=["x"]), "seeds", "must be a list of whole numbers"),
    "date": (job(protein(maxTemplateDate="2020-01-01")), "chains.0.templates", "up to a day"),
    "glycan place": (
        job(protein(glycans=[{"residues": "NAG", "position": 1}])),
        "chains.0.glycans",
        "residue 1 is “M”",
    ),
    "glycan beyond": (
        job(protein(glycans=[{"residues": "NAG", "position": 15}])),
        "chains.0.glycans",
        "residues 1 to 14",
    ),
    "glycan text": (
        job(protein(glycans=[{"residues": "NAG(", "position": 4}])),
        "chains.0.glycans",
        "“NAG(” is not a glycan",
    ),
    "ion": (job(protein(), {"ion": {"ion": "QQQ9", "count": 1}}), "chains.1.ccd", "no component"),
    "ligand": (job(protein(), {"ligand": {"ligand": 5}}), "chains.1.ccd", "must be text"),
    "modification": (
        job(protein(modifications=[{"ptmType": "CCD_SEP", "position": 2}])),
        "chains.0.modifications.ptmPosition",
        "it is missing",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_done_is_refused_by_name(case):
    text, field, said = CASES[case]
    with pytest.raises(InvalidInput) as caught:
        read_inputs(text)
    assert said in str(caught.value)
    assert caught.value.field == field


def test_one_bad_job_of_several_is_named():
    good, bad = (
        json.loads(job(name="good"))[0],
        json.loads(job(protein(sequence="M1"), name="b"))[0],
    )
    with pytest.raises(InvalidInput, match=r"^Job 2 \(“b”\): Position 2") as caught:
        read_inputs(json.dumps([good, bad, good]))
    assert caught.value.field == "jobs.1.chains.0.sequence"


def test_a_list_has_its_limits():
    with pytest.raises(InvalidInput, match="1 to 100 of them, but this has 0"):
        read_inputs("[]")
    with pytest.raises(InvalidInput, match="1 to 100 of them, but this has 101"):
        read_inputs(json.dumps(json.loads(job()) * 101))
    with pytest.raises(InvalidInput, match="holds 2 jobs where one is wanted"):
        read_input(json.dumps(json.loads(job()) * 2))
