"""The same job in every dialect, written here by each dialect's own rules, is the same job."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from folding.inputs import (
    AtomRef,
    Bond,
    DnaChain,
    FoldInput,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
    assign_chain_ids,
    read_input,
    read_inputs,
)

RESIDUES = {ProteinChain: ["SEP", "TPO", "MSE", "HYP"], DnaChain: ["5CM", "8OG"], RnaChain: ["PSU"]}
LETTERS = {ProteinChain: "ACDEFGHIKLMNPQRSTVWY", DnaChain: "ACGT", RnaChain: "ACGU"}
NAMES = {ProteinChain: "protein", DnaChain: "dna", RnaChain: "rna"}


# Recipes are plain: what checks types draws random numbers, which strategies must not.
MAKES = st.sampled_from(list(LETTERS))
SMILES = st.sampled_from(["CCO", "C[C@H](N)C(=O)[O-]", "F/C=C\\F", "[Na+].[Cl-]"])
CODES = st.sampled_from(["ATP", "MG", "NAG", "HEM", "SO4"])


@st.composite
def polymers(draw) -> tuple[Any, ...]:
    make = draw(MAKES)
    sequence = draw(st.text(LETTERS[make], min_size=5, max_size=12))
    positions = draw(st.sets(st.integers(1, len(sequence)), max_size=2))
    code = st.sampled_from(RESIDUES[make])
    return make, sequence, [(draw(code), position) for position in sorted(positions)]


@st.composite
def recipes(draw, *, single: bool = False, copies: int = 3) -> tuple[Any, ...]:
    """Counts, polymers and ligands, and seeds.

    Args:
        single: Ligands have one code each, as AlphaFold Server knows them.
    """
    ligands = st.tuples(st.just(Ligand), st.lists(CODES, min_size=1, max_size=1 if single else 3))
    drawn = st.tuples(st.just(Ligand), SMILES)
    kinds = [polymers(), ligands] if single else [polymers(), ligands, drawn]
    entities = [draw(polymers()), *draw(st.lists(st.one_of(*kinds), max_size=3))]
    counts = [draw(st.integers(1, copies)) for _ in entities]
    seeds = draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=3, unique=True))
    return counts, entities, tuple(seeds)


def made(recipe: tuple[Any, ...]) -> FoldInput:
    counts, entities, seeds = recipe
    chains = []
    for ids, (make, what, *more) in zip(assign_chain_ids(counts), entities, strict=True):
        if make is Ligand:
            given = {"smiles": what} if isinstance(what, str) else {"ccd": tuple(what)}
            chains.append(Ligand(ids, **given))
        else:
            modifications = tuple(Modification(code, place) for code, place in more[0])
            chains.append(make(ids, what, modifications=modifications))
    return FoldInput("job", tuple(chains), seeds)


def entity(chain: Any, codes: tuple[str, str], **more: Any) -> dict[str, Any]:
    """A polymer; `codes` are the keys of a modification's code and position."""
    found: dict[str, Any] = {"sequence": chain.sequence, **more}
    if chain.modifications:
        found["modifications"] = [
            {codes[0]: m.ccd, codes[1]: m.position} for m in chain.modifications
        ]
    return found


def keys_of(chain: Any) -> tuple[str, str]:
    protein = isinstance(chain, ProteinChain)
    return ("ptmType", "ptmPosition") if protein else ("modificationType", "basePosition")


def as_alphafold3(job: FoldInput) -> str:
    sequences = []
    for chain in job.chains:
        ids = list(chain.ids)
        if isinstance(chain, Ligand):
            said = {"smiles": chain.smiles} if chain.smiles else {"ccdCodes": list(chain.ccd)}
            sequences.append({"ligand": {"id": ids, **said}})
        else:
            sequences.append({NAMES[type(chain)]: entity(chain, keys_of(chain), id=ids)})
    document = {
        **{"name": job.name, "modelSeeds": list(job.seeds), "sequences": sequences},
        **{"dialect": "alphafold3", "version": 3},
    }
    return json.dumps(document)


SERVER_NAMES = {ProteinChain: "proteinChain", DnaChain: "dnaSequence", RnaChain: "rnaSequence"}


def as_server(job: FoldInput) -> str:
    sequences = []
    for chain in job.chains:
        count = {"count": len(chain.ids)}
        if isinstance(chain, Ligand):
            ion = len(chain.ccd[0]) == 2
            said = {"ion": chain.ccd[0]} if ion else {"ligand": f"CCD_{chain.ccd[0]}"}
            sequences.append({"ion" if ion else "ligand": {**said, **count}})
            continue
        bare = replace(chain, modifications=())
        found = entity(bare, keys_of(chain), **count)
        code, position = keys_of(chain)
        found["modifications"] = [
            {code: f"CCD_{m.ccd}", position: m.position} for m in chain.modifications
        ]
        sequences.append({SERVER_NAMES[type(chain)]: found})
    seeds = [str(seed) for seed in job.seeds]
    document = {"name": job.name, "modelSeeds": seeds, "sequences": sequences}
    return json.dumps([{**document, "dialect": "alphafoldserver", "version": 1}])


def as_protenix(job: FoldInput) -> str:
    sequences = []
    for chain in job.chains:
        count = {"count": len(chain.ids)}
        if isinstance(chain, Ligand):
            text = chain.smiles or "CCD_" + "_".join(chain.ccd)
            sequences.append({"ligand": {"ligand": text, **count}})
        else:
            sequences.append({SERVER_NAMES[type(chain)]: entity(chain, keys_of(chain), **count)})
    document = {"name": job.name, "modelSeeds": list(job.seeds), "sequences": sequences}
    return json.dumps([{**document, "covalent_bonds": []}])


def as_boltz(job: FoldInput) -> str:
    sequences = []
    for chain in job.chains:
        ids = list(chain.ids) if len(chain.ids) > 1 else chain.ids[0]
        if isinstance(chain, Ligand):
            several = list(chain.ccd) if len(chain.ccd) > 1 else "".join(chain.ccd)
            said = {"smiles": chain.smiles} if chain.smiles else {"ccd": several}
            sequences.append({"ligand": {"id": ids, **said}})
        else:
            found = entity(chain, ("ccd", "position"), id=ids)
            sequences.append({NAMES[type(chain)]: found})
    return yaml.safe_dump({"version": 1, "sequences": sequences}, sort_keys=False)


def as_boltz_fasta(job: FoldInput) -> str:
    records = []
    for chain in job.chains:
        for chain_id in chain.ids:
            if isinstance(chain, Ligand):
                kind = "smiles" if chain.smiles else "ccd"
                records.append(f">{chain_id}|{kind}\n{chain.smiles or chain.ccd[0]}\n")
            else:
                records.append(f">{chain_id}|{NAMES[type(chain)]}\n{chain.sequence}\n")
    return "".join(records)


def as_chai_fasta(job: FoldInput) -> str:
    records = []
    for chain in job.chains:
        codes = {m.position: f"({m.ccd})" for m in chain.modifications}
        letters = enumerate(chain.sequence, start=1)
        text = "".join(codes.get(place, letter) for place, letter in letters)
        records += [f">{NAMES[type(chain)]}|name=x\n{text}\n"] * len(chain.ids)
    return "".join(records)


@settings(max_examples=30)
@given(recipes())
def test_alphafold3_and_protenix_say_the_same(recipe):
    job = made(recipe)
    assert read_input(as_alphafold3(job)) == job
    assert read_input(as_protenix(job)) == job


@settings(max_examples=30)
@given(recipes(single=True))
def test_the_server_says_the_same(recipe):
    job = made(recipe)
    assert read_input(as_server(job)) == job


@settings(max_examples=30)
@given(recipes())
def test_boltz_says_the_same(recipe):
    job = made(recipe)
    assert read_input(as_boltz(job), name="job", seeds=job.seeds) == job


@settings(max_examples=20)
@given(recipes(single=True, copies=1))
def test_headers_of_boltz_say_the_same(recipe):
    job = made(recipe)
    plain = tuple(
        chain if isinstance(chain, Ligand) else replace(chain, modifications=())
        for chain in job.chains
    )
    job = replace(job, chains=plain)
    assert read_input(as_boltz_fasta(job), name="job", seeds=job.seeds) == job


@settings(max_examples=20)
@given(recipes(copies=1))
def test_headers_of_chai_say_the_same_residues(recipe):
    job = made(recipe)
    chains = tuple(chain for chain in job.chains if not isinstance(chain, Ligand))
    ids = assign_chain_ids([1] * len(chains))
    named = [replace(c, ids=i, description="x") for c, i in zip(chains, ids, strict=True)]
    job = replace(job, chains=tuple(named))
    found = read_input(as_chai_fasta(job), name="job", seeds=job.seeds)
    assert [c.residue_names for c in found.chains] == [c.residue_names for c in job.chains]
    assert [c.modifications for c in found.chains] == [c.modifications for c in job.chains]
    assert found.n_tokens == job.n_tokens


@settings(max_examples=20)
@given(recipes())
def test_what_was_read_from_one_dialect_is_written_in_alphafold3s(recipe):
    job = made(recipe)
    read = read_input(as_boltz(job), name="job", seeds=job.seeds)
    assert FoldInput.from_json(json.loads(json.dumps(read.to_json()))) == job


def test_several_jobs_in_a_file_come_in_their_order():
    texts = [
        json.loads(as_server(FoldInput(f"job {n}", (ProteinChain(("A",), "GAGAG"),))))[0]
        for n in range(3)
    ]
    found = read_inputs(json.dumps(texts))
    assert [job.name for job in found] == ["job 0", "job 1", "job 2"]


def test_jobs_of_different_dialects_may_share_a_list():
    job = FoldInput("job", (ProteinChain(("A",), "GAGAG"), Ligand(("B",), smiles="CCO")))
    mixed = [json.loads(as_alphafold3(job)), *json.loads(as_protenix(job))]
    assert read_inputs(json.dumps(mixed)) == (job, job)


BOND = Bond(AtomRef("A", 2, "SG"), AtomRef("B", 1, "C1"))
RING = ProteinChain(("A",), "GCAKG", cyclic=True)


def test_bonds_and_rings_are_the_same_in_every_dialect_that_has_them():
    job = FoldInput("job", (RING, Ligand(("B",), ccd=("NAG",))), bonds=(BOND,))
    tail = {"entity1": 1, "position1": 5, "atom1": "C", "entity2": 1, "position2": 1, "atom2": "N"}
    link = {"entity1": 1, "position1": 2, "atom1": "SG", "entity2": 2, "position2": 1}
    protenix = json.loads(as_protenix(job))
    protenix[0]["covalent_bonds"] = [tail, {**link, "atom2": "C1"}]
    assert read_input(json.dumps(protenix)) == job
    alphafold3 = json.loads(as_alphafold3(job))
    alphafold3["bondedAtomPairs"] = [
        [["B", 1, "C1"], ["A", 2, "SG"]],
        [["A", 1, "N"], ["A", 5, "C"]],
    ]
    found = read_input(json.dumps(alphafold3))
    assert found.chains == job.chains
    assert found.bonds[0].ends == BOND.ends
    boltz = yaml.safe_load(as_boltz(job))
    boltz["sequences"][0]["protein"]["cyclic"] = True
    boltz["constraints"] = [{"bond": {"atom1": ["A", 2, "SG"], "atom2": ["B", 1, "C1"]}}]
    assert read_input(yaml.safe_dump(boltz), name="job") == job


@pytest.mark.parametrize("write", [as_alphafold3, as_protenix, as_server])
def test_json_may_begin_with_a_mark_and_white_space(write):
    job = FoldInput("job", (ProteinChain(("A",), "GAGAG"),))
    assert read_input("\ufeff" + write(job)) == job
    assert read_input(" \n\t" + write(job)) == job


def test_white_space_in_sequences_does_not_matter():
    job = FoldInput("job", (ProteinChain(("A",), "GAGAG"),))
    for write in (as_alphafold3, as_protenix, as_server):
        assert read_input(write(job).replace("GAGAG", "ga g\\nAG")) == job
    assert read_input(as_boltz(job).replace("GAGAG", '"ga gA G"'), name="job") == job
