"""A whole job: names, chains, seeds, and text of any dialect."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import FoldingError, InvalidInput
from folding.inputs import FoldInput, ProteinChain, parse_json, read_input
from folding.inputs.job import MAX_SEED
from tests.folding.examples import CRAMBIN, TRP_CAGE

CHAIN = ProteinChain(("A",), TRP_CAGE)


def job(**changes) -> FoldInput:
    return FoldInput(**{"name": "job", "chains": (CHAIN,), "seeds": (1,), **changes})


def test_tokens_and_chains_count_copies():
    chains = (ProteinChain(("A", "C"), TRP_CAGE), ProteinChain(("B",), CRAMBIN))
    found = job(chains=chains)
    assert found.n_tokens == 2 * 20 + 46
    assert found.n_chains == 3
    assert found.chain_ids == ("A", "C", "B")


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"name": ""}, "name", "needs a name"),
        ({"name": " \t"}, "name", "needs a name"),
        ({"name": "x" * 101}, "name", "at most 100 characters, but this has 101"),
        ({"name": "a\0b"}, "name", "U+0000"),
        ({"chains": ()}, "chains", "nothing to fold"),
        ({"chains": (CHAIN, CHAIN)}, "chains.1.ids", "A is used twice"),
        ({"seeds": ()}, "seeds", "1 to 100 seeds, but this has 0"),
        ({"seeds": tuple(range(101))}, "seeds", "but this has 101"),
        ({"seeds": (-1,)}, "seeds", "not “-1”"),
        ({"seeds": (MAX_SEED + 1,)}, "seeds", "from 0 to 4294967295"),
        ({"seeds": (True,)}, "seeds", "not “True”"),
        ({"seeds": (3, 4, 3)}, "seeds", "3 is given twice"),
    ],
)
def test_what_breaks_a_rule_is_refused_at_its_field(changes, field, said):
    with pytest.raises(InvalidInput) as caught:
        job(**changes)
    assert caught.value.field == field
    assert said in str(caught.value)


def test_a_job_has_at_most_a_hundred_chains():
    ids = tuple(f"{a}{b}" for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJ")
    assert job(chains=(ProteinChain(ids, TRP_CAGE),)).n_chains == 100
    with pytest.raises(InvalidInput, match="at most 100 chains"):
        job(chains=(ProteinChain(ids, TRP_CAGE), ProteinChain(("ZZ",), TRP_CAGE)))


def test_the_ends_of_the_seed_range_are_allowed():
    assert job(seeds=(0, MAX_SEED)).seeds == (0, MAX_SEED)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Trp-cage", "Trp-cage"),
        ("  my   first fold (TEST) ", "my_first_fold_TEST"),
        ("../../etc/passwd", "etc_passwd"),
        ("Protéine à façon", "Proteine_a_facon"),
        ("белок", "job"),
        ("🧬", "job"),
        ("a/b\\c:d", "a_b_c_d"),
        ("x" * 100, "x" * 60),
    ],
)
def test_file_names_are_plain(name, slug):
    assert job(name=name).slug == slug


@given(st.text(min_size=1, max_size=100))
def test_any_name_makes_a_safe_file_name(name):
    try:
        slug = job(name=name).slug
    except InvalidInput as error:
        assert error.field == "name"
    else:
        assert slug
        assert not slug.startswith((".", "-"))
        assert all(c.isascii() and (c.isalnum() or c in "._-") for c in slug)


def test_notes_say_what_to_expect():
    assert "No alignment" in job().notes[0]
    aligned = ProteinChain(("B",), "XCGTACGTACGTA", msa=">q\nXCGTACGTACGTA")
    assert job(chains=(CHAIN, aligned)).notes == (
        "Chain B: 1 unknown residue (X): folded as a backbone without a side chain.",
    )


def test_a_paired_alignment_without_a_partner_is_told_to_be_idle():
    paired = f">q\n{CRAMBIN}\n>r key=1\n{CRAMBIN[:-1]}A\n"
    alone = job(chains=(ProteinChain(("A", "B"), CRAMBIN, paired_msa=paired),))
    idle, none = alone.notes
    assert idle.startswith("Chain A, B: the paired alignment has nothing to pair with")
    assert "No alignment is given" in none
    both = ProteinChain(("A",), CRAMBIN, msa=paired, paired_msa=paired)
    assert [note.partition(":")[0] for note in job(chains=(both,)).notes] == ["Chain A"]


@pytest.mark.parametrize(
    ("header", "lonely"),
    [("r key=1", []), ("tr|A0A0A1|A0A0A1_1/1-9", []), ("r key=2", ["A", "B"]), ("r", ["A", "B"])],
    ids=["the same key", "the same species", "another key", "by place alone"],
)
def test_paired_rows_that_find_no_partner_are_told(header, lonely):
    one = ProteinChain(("A",), CRAMBIN, paired_msa=f">q\n{CRAMBIN}\n>r key=1\n{CRAMBIN[:-1]}A\n")
    two = ProteinChain(("B",), "ACDEFGHIKL", paired_msa=f">q\nACDEFGHIKL\n>{header}\nACDEFGHIKY\n")
    notes = job(chains=(one, two)).notes
    assert [note.partition(":")[0][-1] for note in notes] == lonely
    assert all("no row of the paired alignment has a partner" in note for note in notes)
    alone = job(chains=(one, replace(two, paired_msa=None)))
    assert [note.partition(":")[0] for note in alone.notes] == ["Chain A"]
    copies = (replace(one, ids=("B",)), ProteinChain(("C",), "ACDEFGHIKL"))
    assert len(job(chains=(one, *copies)).notes) == 2, "copies are no partners"


def test_fasta_names_the_job_after_its_first_header():
    assert FoldInput.from_fasta(f">sp|P01542|CRAM_CRAAB Crambin\n{CRAMBIN}").name == "P01542"
    assert FoldInput.from_fasta(f">pdb|1CRN|A\n{CRAMBIN}").name == "1CRN"
    assert FoldInput.from_fasta(f">tr\n{CRAMBIN}").name == "tr"
    assert FoldInput.from_fasta(f">\n{CRAMBIN}").name == "Untitled"
    assert FoldInput.from_fasta(CRAMBIN).name == "Untitled"
    assert FoldInput.from_fasta(CRAMBIN, name="mine", seeds=(7,)).seeds == (7,)
    assert FoldInput.from_fasta(f">x\n{CRAMBIN}", name="mine").name == "mine"


def test_any_dialect_is_recognised():
    assert read_input(CRAMBIN).chains[0].sequence == CRAMBIN
    assert read_input(f">a\n{CRAMBIN}").name == "a"
    text = json.dumps(job(name="from JSON").to_json())
    assert read_input("\ufeff \n" + text) == parse_json(text) == job(name="from JSON")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "This is not JSON"),
        ('{"a": 1, "a": 2}', "“a” is given twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": ' + "9" * 5000 + "}", "too long to be one"),
        ("[" * 100_000, "nested too deeply"),
        ("null", "not a folding job"),
        ("[]", "not a folding job"),
    ],
)
def test_broken_json_is_refused(text, said):
    with pytest.raises(InvalidInput, match=said):
        parse_json(text)


def test_reading_input_needs_neither_torch_nor_numpy():
    code = (
        "import sys, folding.inputs; "
        "sys.exit(','.join({'torch', 'numpy', 'biotite', 'gemmi'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_errors_say_what_they_are():
    assert str(InvalidInput()) == InvalidInput.__doc__
    error = InvalidInput("No.", field="sequence").inside("chains.1")
    assert (str(error), error.field) == ("No.", "chains.1.sequence")
    assert InvalidInput("No.").inside("chains.1").field == "chains.1"
    assert isinstance(error, ValueError)
    assert isinstance(error, FoldingError)
    assert not error.transient
