"""Boltz's YAML: what it says is read, bounded before it is built, refused by name."""

import time

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
from folding.inputs.dialects import boltz
from tests.folding.inputs.examples import data

SEQUENCE = "GCAKFNGLCY"


def chain(**keys: str) -> str:
    parts = {"id": "A", "sequence": SEQUENCE, **keys}
    lines = "".join(f"      {key}: {value}\n" for key, value in parts.items())
    return f"version: 1\nsequences:\n  - protein:\n{lines}"


def constrained(constraint: str) -> str:
    return chain() + f"constraints:\n  - {constraint}\n"


def test_chains_modifications_rings_and_bonds_are_read():
    found = read_input(data("macrocycle_boltz.yaml"), name="macrocycle", seeds=(3,))
    assert found.name == "macrocycle"
    assert found.seeds == (3,)
    assert found.chains == (
        ProteinChain(
            ("A", "B"), SEQUENCE, "", modifications=(Modification("PTR", 5),), cyclic=True
        ),
        DnaChain(("NO",), "ACGTACGT"),
        Ligand(("H",), ccd=("HEM",)),
        Ligand(("S",), smiles="N[C@@H](Cc1ccc(O)cc1)C(=O)O"),
    )
    assert found.bonds == (Bond(AtomRef("A", 2, "SG"), AtomRef("H", 1, "CAB")),)
    assert FoldInput.from_json(found.to_json()) == found


def test_an_alignment_beside_the_job_is_read():
    a3m = f">q\n{SEQUENCE}\n>h\n{SEQUENCE}\n"
    found = read_input(chain(msa="./a.a3m"), files={"./a.a3m": a3m}.__getitem__)
    assert found.chains[0].msa == a3m


def test_keyed_rows_of_a_csv_are_paired():
    csv = f"key,sequence\n1,{SEQUENCE}\n7,{SEQUENCE[:-1]}-\n"
    found = read_input(chain(msa="a.csv"), files={"a.csv": csv}.__getitem__)
    assert found.chains[0].paired_msa.count(">") == 2


@pytest.mark.parametrize(("word", "msa"), [("empty", ""), ("null", None), ("~", None), ("", None)])
def test_an_alignment_can_be_declined(word, msa):
    found = read_input(chain(msa=word))
    assert found.chains[0].msa == msa
    assert FoldInput.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("word", "cyclic"), [("true", True), ("True", True), ("no", False), ("", False)]
)
def test_truth_has_yamls_words(word, cyclic):
    text = chain(cyclic=word) if word else chain()
    assert read_input(text).chains[0].cyclic is cyclic


CASES = {
    "pocket": (constrained("pocket: {binder: A}"), "bonds.0", "“pocket” asks for a pocket"),
    "contact": (constrained("contact: {token1: [A, 1]}"), "bonds.0", "“contact” asks for a"),
    "other": (constrained("spring: {k: 1}"), "bonds.0.bond", "must be an object"),
    "templates": (chain() + "templates:\n  - cif: a.cif\n", "", "“templates” asks for structural"),
    "affinity": (chain() + "properties:\n  - affinity: {}\n", "", "“properties” asks for an"),
    "version": (chain().replace("1", "2", 1), "version", "“version” must be 1, not “2”"),
    "unknown key": (chain() + "seeds: 3\n", "", "“seeds” is not part of the Boltz dialect"),
    "chain key": (chain(count="2"), "chains.0", "“count” is not part of"),
    "kind": (chain().replace("protein", "peptide"), "chains.0", "“peptide” is not a kind"),
    "id": (chain(id="A1"), "chains.0.ids", "not “A1”"),
    "path": (chain(msa="a.a3m"), "chains.0.msa", "cannot be read from here"),
    "cyclic": (chain(cyclic="maybe"), "chains.0.cyclic", "must be true or false"),
    "position": (
        chain(modifications="[{ccd: SEP, position: x}]"),
        "chains.0.modifications.position",
        "must be a whole number, but this has “x”",
    ),
    "bond": (constrained("bond: {atom1: [A, 2, SG], atom2: [A, x, SG]}"), "bonds.0", "[A, 5, SG]"),
    "bond short": (constrained("bond: {atom1: [A, 2]}"), "bonds.0", "[A, 5, SG]"),
    "bond atom": (
        constrained("bond: {atom1: [A, 2, SG], atom2: [A, 1, SG]}"),
        "bonds.0",
        "“SG” of A/1",
    ),
    "no sequences": ("version: 1\n", "chains", "“sequences” must be a list"),
    "a list": ("- version: 1\nsequences:\n", "", "not YAML"),
    "not a mapping": ("sequences: x\n", "chains", "must be a list of chains"),
    "ring of a ligand": (
        "sequences:\n  - ligand: {id: L, ccd: ATP, cyclic: true}\n",
        "chains.0.cyclic",
        "A ligand cannot be cyclic",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_done_is_refused_by_name(case):
    text, place, said = CASES[case]
    with pytest.raises(InvalidInput) as caught:
        read_inputs(text)
    assert said in str(caught.value)
    assert caught.value.field == place


LAUGHS = "\n".join(
    ["sequences:", "a0: &a0 [x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "uses anchors"),
        ("sequences: *a\n", "uses anchors|not YAML"),
        ("sequences: " + "[" * 1000, "nested too deeply"),
        ("sequences:\n" + "- a\n" * 30_000, "too many parts"),
        ("sequences: 1\nsequences: 2\n", "“sequences” is given twice"),
        ("sequences:\n  ? [a]\n  : b\n", "keys of a job are words"),
        ("sequences: [\n", "This is not YAML: .* at line 2"),
        ("sequences: \x01\n", "control character"),
        ("sequences:\n---\nsequences:\n", "not YAML"),
        ("sequences: " + "x" * 1_000_001, "at most 1,000,000 characters"),
    ],
    ids=range(10),
)
def test_hostile_yaml_is_refused_at_once(text, said):
    started = time.perf_counter()
    with pytest.raises(InvalidInput, match=said):
        read_inputs(text)
    assert time.perf_counter() - started < 1


def test_tags_build_nothing(tmp_path):
    made = tmp_path / "made"
    text = f"sequences: !!python/object/apply:os.mkdir ['{made}']\n"
    with pytest.raises(InvalidInput):
        read_inputs(text)
    assert not made.exists()


def test_only_its_own_keys_make_text_a_boltz_job():
    assert boltz.is_boltz("# remark\nversion: 1\n")
    assert not boltz.is_boltz(">sequences: \nACDEF")
    assert not boltz.is_boltz("GAGAG:ACDEF")
    assert not boltz.is_boltz("name: x\n  sequences:\n")
