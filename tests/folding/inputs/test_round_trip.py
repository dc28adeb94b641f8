"""A job is the same after it was written and read, whatever it says, and whoever reads it."""

import json
import pickle
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Template,
    files_beside,
    read_input,
)
from folding.inputs.chain import head_to_tail
from tests.folding.complexes import everything
from tests.folding.inputs.examples import data, user_component

QUERY = "ACDEFGHIK"
CIF = "data_T\nloop_\n_atom_site.id\n1\n"


def again(job: FoldInput) -> FoldInput:
    return FoldInput.from_json(json.loads(json.dumps(job.to_json())))


# What a protein may say besides its sequence, each on its own.
SAYINGS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "no alignment": {"msa": ""},
    "an alignment": {"msa": f">q\n{QUERY}\n>a\nACDkEFGHI-\n"},
    "paired rows": {"paired_msa": f">q\n{QUERY}\n>a key=1\n{QUERY}\n"},
    "both": {"msa": f">q\n{QUERY}\n", "paired_msa": f">q\n{QUERY}\n"},
    "no rows of its own": {"msa": "", "paired_msa": f">q\n{QUERY}\n>a\n{QUERY}\n"},
    "no templates": {"templates": ()},
    "a template": {"templates": (Template(CIF, (0, 2), (5, 3)),)},
    "two templates": {"templates": (Template(CIF, (0,), (0,)), Template(CIF, (8,), (900,)))},
    "modifications": {"modifications": (Modification("SEP", 9), Modification("MSE", 1))},
    "a ring": {"cyclic": True},
    "a remark": {"description": "“quoted” — λ phage, 5'→3' \\ / \t tab"},
    "copies": {"ids": ("B", "A", "ZZ")},
}


@pytest.mark.parametrize("saying", SAYINGS)
def test_whatever_a_protein_says_is_kept(saying):
    chain = ProteinChain(**{"ids": ("A",), "sequence": QUERY, **SAYINGS[saying]})
    job = FoldInput("job", (chain,))
    assert again(job) == job
    assert again(job).chains[0] == chain


PARTS = st.sampled_from([name for name in SAYINGS if name != "copies"])


@settings(max_examples=30)
@given(st.sets(PARTS, max_size=5), st.sets(PARTS, max_size=3))
def test_whatever_is_said_together_is_kept(first, second):
    chains = []
    for ids, said in ((("A", "C"), first), (("B",), second)):
        given_: dict[str, Any] = {}
        for name in sorted(said):
            given_ |= SAYINGS[name]
        chains.append(ProteinChain(**{"ids": ids, "sequence": QUERY, **given_}))
    job = FoldInput("job", tuple(chains))
    assert again(job) == job
    assert again(job).to_json() == job.to_json()


def test_everything_at_once_is_kept_but_for_files_that_become_components():
    job = everything()
    kept = again(job)
    assert again(kept) == kept
    assert kept.chain_ids == job.chain_ids
    assert kept.bonds == job.bonds
    assert kept.n_tokens == job.n_tokens
    same = [one == other for one, other in zip(job.chains, kept.chains, strict=True)]
    assert same.count(False) == 1
    changed = kept.chains[same.index(False)]
    assert changed.ccd == ("LIG-1",)
    assert kept.components.find("LIG-1", field="ccd").atom_names == (
        "C1",
        "C2",
        "N1",
        "C3",
        "O1",
        "O2",
    )
    assert kept.user_ccd.startswith(job.user_ccd.rstrip())


def test_bonds_to_atoms_of_a_file_mean_the_same_atoms_once_it_is_a_component():
    bond = Bond(AtomRef("A", 2, "SG"), AtomRef("B", 1, "N1"))
    chains = (ProteinChain(("A",), "GCSSCG"), Ligand(("B",), file=data("alaninate.mol2")))
    job = FoldInput("job", chains, bonds=(bond,))
    assert again(job).bonds == (bond,)
    assert again(job).n_tokens == job.n_tokens == 12


def test_one_file_used_twice_is_one_component():
    sdf = data("alaninate.sdf")
    chains = (Ligand(("A", "B"), file=sdf), Ligand(("C",), file=sdf, description="again"))
    kept = again(FoldInput("job", chains))
    assert [chain.ccd for chain in kept.chains] == [("LIG-1",), ("LIG-1",)]
    assert kept.components.own == ("LIG-1",)
    assert kept.chains[1].description == "again"


def test_components_of_the_users_own_keep_their_names_beside_those_of_files():
    own = user_component("LIG-1", ["C1", "C2", "C3", "C4"])
    chains = (Ligand(("A",), ccd=("LIG-1",)), Ligand(("B",), file=data("alaninate.sdf")))
    kept = again(FoldInput("job", chains, user_ccd=own))
    assert [chain.ccd for chain in kept.chains] == [("LIG-1",), ("LIG-2",)]
    assert kept.n_tokens == 4 + 6


RINGS = {
    "protein": ProteinChain(("A", "B"), "GAKG", cyclic=True),
    "rna": RnaChain(("A",), "ACGU", cyclic=True),
    "dna": DnaChain(("A",), "ACG", cyclic=True),
}


@pytest.mark.parametrize("kind", RINGS)
def test_rings_are_bonds_that_close_them(kind):
    job = FoldInput("job", (RINGS[kind], Ligand(("L",), ccd=("ATP",))))
    written = job.to_json()["bondedAtomPairs"]
    n = len(RINGS[kind].sequence)
    atoms = ("C", "N") if kind == "protein" else ("O3'", "P")
    assert written == [[[i, n, atoms[0]], [i, 1, atoms[1]]] for i in RINGS[kind].ids]
    assert again(job) == job
    flat = replace(RINGS[kind], cyclic=False)
    closed = FoldInput("job", (flat, job.chains[1]), bonds=tuple(head_to_tail(RINGS[kind])))
    assert closed == job
    backwards = tuple(Bond(b.second, b.first) for b in head_to_tail(RINGS[kind]))
    assert FoldInput("job", (flat, job.chains[1]), bonds=backwards) == job


def test_a_bond_beside_a_ring_stays():
    bond = Bond(AtomRef("A", 1, "NZ"), AtomRef("A", 3, "NZ"))
    chain = ProteinChain(("A",), "KGKG", cyclic=True)
    job = FoldInput("job", (chain,), bonds=(bond,))
    assert again(job) == job
    assert len(job.to_json()["bondedAtomPairs"]) == 2


@pytest.mark.parametrize("make", [pickle.loads, lambda b: replace(pickle.loads(b))])
def test_a_job_crosses_to_another_process_whole(make):
    job = everything()
    found = make(pickle.dumps(job))
    assert found == job
    assert found.n_tokens == job.n_tokens


def test_jobs_that_say_the_same_are_equal_however_they_are_written():
    one = ProteinChain(
        ("A",), "acd efg", modifications=(Modification("sep", 2), Modification("CCD_TPO", 1))
    )
    other = ProteinChain(
        ("A",), "ACDEFG", modifications=(Modification("TPO", 1), Modification("SEP", 2))
    )
    assert one == other
    assert hash(one) == hash(other)
    assert Ligand(("B",), ccd=("atp ",)) == Ligand(("B",), ccd=("CCD_ATP",))
    assert Ligand(("B",), smiles=" CCO\n") == Ligand(("B",), smiles="CCO")
    assert FoldInput("a  b\n", (one,)) == FoldInput("a b", (other,))


def test_no_part_of_a_job_can_be_changed_behind_its_back():
    job = everything()
    for thing in (job, *job.chains, *job.bonds):
        for part in fields(thing):
            with pytest.raises(AttributeError):
                setattr(thing, part.name, None)


# Files that a job names --------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.a3m").write_text(f">q\n{QUERY}\n>a\n{QUERY}\n")
    (tmp_path / "sub" / "t.cif").write_text(CIF)
    (tmp_path / "own.cif").write_text(user_component("OWN", ["C1", "C2"]))
    return tmp_path


def test_a_job_and_the_files_that_it_names_are_one_job(folder):
    protein = {
        "id": "A",
        "sequence": QUERY,
        "unpairedMsaPath": "a.a3m",
        "pairedMsaPath": str(folder / "a.a3m"),
        "templates": [{"mmcifPath": "sub/t.cif", "queryIndices": [0], "templateIndices": [4]}],
    }
    document = {
        "dialect": "alphafold3",
        "version": 3,
        "name": "job",
        "modelSeeds": [1],
        "sequences": [{"protein": protein}, {"ligand": {"id": "L", "ccdCodes": ["OWN"]}}],
        "userCCDPath": "own.cif",
    }
    found = read_input(json.dumps(document), files=files_beside(folder))
    alignment = f">q\n{QUERY}\n>a\n{QUERY}\n"
    assert found.chains[0] == ProteinChain(
        ("A",), QUERY, msa=alignment, paired_msa=alignment, templates=(Template(CIF, (0,), (4,)),)
    )
    assert found.n_tokens == 9 + 2
    assert again(found) == found
    with pytest.raises(InvalidInput, match="cannot be read from here"):
        read_input(json.dumps(document))


@pytest.mark.parametrize(
    ("path", "says"),
    [("nowhere.a3m", "No such file"), ("sub", "Is a directory"), ("a.a3m.zst", "packed in a way")],
)
def test_a_file_that_is_not_there_is_named_with_its_key(folder, path, says):
    protein = {"id": "A", "sequence": QUERY, "unpairedMsaPath": path}
    document = {
        **{"dialect": "alphafold3", "version": 2, "name": "job", "modelSeeds": [1]},
        "sequences": [{"protein": protein}],
    }
    with pytest.raises(InvalidInput, match=says) as caught:
        read_input(json.dumps(document), files=files_beside(folder))
    assert "“unpairedMsaPath”" in str(caught.value)
    assert caught.value.field == "chains.0.msa"
