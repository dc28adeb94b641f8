"""AlphaFold 3's JSON: what it says is read, what is not supported is refused by name."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs import FoldInput, ProteinChain
from folding.inputs.sequence import AMINO_ACIDS
from tests.folding.examples import GOLDEN, TRP_CAGE


def document(**changes: Any) -> dict[str, Any]:
    base = {
        "name": "job",
        "modelSeeds": [1],
        "sequences": [{"protein": {"id": "A", "sequence": TRP_CAGE}}],
        "dialect": "alphafold3",
        "version": 4,
    }
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def protein(**changes: Any) -> dict[str, Any]:
    return document(sequences=[{"protein": {"id": "A", "sequence": TRP_CAGE, **changes}}])


def test_copies_alignments_and_remarks_are_read():
    msa = f">query\n{TRP_CAGE}\n"
    found = FoldInput.from_json(
        protein(id=["A", "B"], unpairedMsa=msa, description="a mini-protein", pairedMsa="")
    )
    assert found.chains == (ProteinChain(("A", "B"), TRP_CAGE, msa, description="a mini-protein"),)
    assert found.seeds == (1,)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_every_version_is_read(version):
    assert FoldInput.from_json(document(version=version)).name == "job"


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_alignment_is_none(empty):
    assert FoldInput.from_json(protein(unpairedMsa=empty)).chains[0].msa is None


def test_what_is_unset_may_stand_there():
    unset = {"modifications": [], "templates": None, "pairedMsa": None, "unpairedMsaPath": None}
    found = FoldInput.from_json({**protein(**unset), "bondedAtomPairs": None, "userCCD": ""})
    assert found == FoldInput.from_json(document())


CASES = {
    "rna": (document(sequences=[{"rna": {"id": "A"}}]), "chains.0", "RNA chains (“rna”)"),
    "dna": (document(sequences=[{"dna": {"id": "A"}}]), "chains.0", "DNA chains (“dna”)"),
    "ligand": (document(sequences=[{"ligand": {}}]), "chains.0", "Ligands and ions (“ligand”)"),
    "server": (document(sequences=[{"proteinChain": {}}]), "chains.0", "AlphaFold Server"),
    "unknown entity": (document(sequences=[{"sugar": {}}]), "chains.0", "“sugar” is not a kind"),
    "entity of two": (document(sequences=[{"protein": {}, "rna": {}}]), "chains.0", "one key"),
    "entity text": (document(sequences=["protein"]), "chains.0", "not “protein”"),
    "protein text": (document(sequences=[{"protein": "A"}]), "chains.0", "not a kind of chain"),
    "bonds": (document(bondedAtomPairs=[[]]), "", "“bondedAtomPairs” asks for covalent bonds"),
    "user CCD": (document(userCCD="data_X"), "", "“userCCD” asks for user-defined"),
    "user CCD path": (document(userCCDPath="x"), "", "“userCCDPath” asks for user-defined"),
    "templates": (protein(templates=[{}]), "chains.0", "“templates” asks for structural"),
    "modifications": (protein(modifications=[{}]), "chains.0", "“modifications” asks for modified"),
    "paired": (protein(pairedMsa=">q\nA"), "chains.0", "“pairedMsa” asks for paired"),
    "path": (protein(unpairedMsaPath="/x"), "chains.0.msa", "names a file that cannot be read"),
    "unknown key": (document(seeds=[1]), "", "“seeds” is not part of the alphafold3 dialect"),
    "misplaced key": (document(templates=[{}]), "", "“templates” is not part of"),
    "unknown protein key": (protein(count=2), "chains.0", "“count” is not part of"),
    "no name": (document(name=...), "name", "“name” must be text, but it is missing"),
    "name is a number": (document(name=3), "name", "“name” must be text, but this has “3”"),
    "no seeds": (document(modelSeeds=...), "seeds", "it is missing"),
    "empty seeds": (document(modelSeeds=[]), "seeds", "but this has 0"),
    "seed text": (document(modelSeeds=["1"]), "seeds", "list of whole numbers"),
    "seed fraction": (document(modelSeeds=[1.5]), "seeds", "list of whole numbers"),
    "seed true": (document(modelSeeds=[True]), "seeds", "list of whole numbers"),
    "seed too large": (document(modelSeeds=[2**32]), "seeds", "4294967296"),
    "no sequences": (document(sequences=...), "", "not a folding job"),
    "sequences object": (document(sequences={}), "chains", "a list of chains"),
    "sequences empty": (document(sequences=[]), "chains", "nothing to fold"),
    "no dialect": (document(dialect=...), "dialect", "must be “alphafold3”, not “None”"),
    "other dialect": (document(dialect="boltz"), "dialect", "not “boltz”"),
    "version 5": (document(version=5), "version", "one of 1, 2, 3 and 4, not “5”"),
    "version true": (document(version=True), "version", "not “True”"),
    "version list": (document(version=[1]), "version", "not “[1]”"),
    "id missing": (protein(id=None), "chains.0.ids", "not “None”"),
    "id number": (protein(id=1), "chains.0.ids", "not “1”"),
    "id list of numbers": (protein(id=[1]), "chains.0.ids", "not “[1]”"),
    "id lower case": (protein(id="a"), "chains.0.ids", "capital letters"),
    "ids twice": (protein(id=["A", "A"]), "chains.0.ids", "A is used twice"),
    "sequence missing": (protein(sequence=None), "chains.0.sequence", "“sequence” must be text"),
    "sequence wrong": (protein(sequence="A1CD"), "chains.0.sequence", "Position 2"),
    "alignment of another": (protein(unpairedMsa=">q\nACDE"), "chains.0.msa", "first row"),
    "alignment number": (protein(unpairedMsa=3), "chains.0.msa", "must be text"),
    "description number": (protein(description=3), "chains.0.description", "must be text"),
    "a list": ([document()], "", "AlphaFold Server"),
    "a number": (3, "", "not a folding job"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_done_is_refused_by_name(case):
    job, field, said = CASES[case]
    with pytest.raises(InvalidInput) as caught:
        FoldInput.from_json(job)
    assert said in str(caught.value)
    assert caught.value.field == field


def test_two_chains_with_one_id():
    sequences = [{"protein": {"id": "A", "sequence": TRP_CAGE}}] * 2
    with pytest.raises(InvalidInput, match="A is used twice") as caught:
        FoldInput.from_json(document(sequences=sequences))
    assert caught.value.field == "chains.1.ids"


def test_deep_values_are_quoted_in_short():
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    with pytest.raises(InvalidInput) as caught:
        FoldInput.from_json(document(name=deep))
    assert len(str(caught.value)) < 200


NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=40)
SEQUENCES = st.text(AMINO_ACIDS + "X", min_size=4, max_size=30)


IDS = st.lists(st.text("ABC", min_size=1, max_size=3), min_size=1, max_size=6, unique=True)
SEEDS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True)
CHAINS = st.tuples(SEQUENCES, NAMES | st.just(""), st.integers(0, 2))


@given(NAMES, IDS, st.lists(CHAINS, min_size=6, max_size=6), SEEDS, st.integers(1, 6))
def test_what_is_written_is_read(name, ids, chains, seeds, copies):
    parts = [tuple(ids[i : i + copies]) for i in range(0, len(ids), copies)]
    job = FoldInput(
        name,
        tuple(
            ProteinChain(part, sequence, f">q\n{sequence}\n" * depth or None, description=description)
            for part, (sequence, description, depth) in zip(parts, chains, strict=False)
        ),
        tuple(seeds),
    )
    assert FoldInput.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_only_a_remark_needs_version_4():
    assert FoldInput.from_json(document()).to_json()["version"] == 1
    assert FoldInput.from_json(protein(description="x")).to_json()["version"] == 4


def test_what_is_written_says_to_fold_without_alignment():
    written = FoldInput.from_json(document()).to_json()
    assert written["sequences"][0]["protein"] == {
        "id": "A",
        "sequence": TRP_CAGE,
        "modifications": [],
        "unpairedMsa": "",
        "pairedMsa": "",
        "templates": [],
    }


@pytest.mark.parametrize("path", sorted((GOLDEN / "inputs").glob("*.json")), ids=lambda p: p.stem)
def test_published_examples_fold_or_say_why_not(path):
    job = json.loads(path.read_text())
    asked = {key for entity in job["sequences"] for key in entity} - {"protein"}
    if any(entity.get("protein", {}).get("modifications") for entity in job["sequences"]):
        asked.add("modifications")
    if not asked:
        found = FoldInput.from_json(job)
        assert found.name == job["name"]
        assert FoldInput.from_json(found.to_json()) == found
        return
    with pytest.raises(InvalidInput) as caught:
        FoldInput.from_json(job)
    assert any(f"“{key}”" in str(caught.value) for key in asked | {"bondedAtomPairs"})
