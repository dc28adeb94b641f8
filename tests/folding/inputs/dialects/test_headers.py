"""FASTA whose headers say what each record is."""

import pytest

from folding.errors import InvalidInput
from folding.inputs import (
    AtomRef,
    Bond,
    FoldInput,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
    read_input,
)
from tests.folding.inputs.examples import data

SEQUENCE = "GCAKFNGLCY"


def test_boltz_headers():
    found = read_input(data("complex_boltz.fasta"), name="four", seeds=(2,))
    assert found == FoldInput(
        "four",
        (
            ProteinChain(("A",), SEQUENCE * 2, msa=""),
            RnaChain(("B",), "GGAGUCC"),
            Ligand(("C",), ccd=("ATP",)),
            Ligand(("D",), smiles="CC(=O)Nc1ccc(O)cc1"),
        ),
        seeds=(2,),
    )


def test_chai_headers():
    found = read_input(data("complex_chai.fasta"))
    assert found.name == "Untitled"
    peptide, drug, glycan = found.chains
    assert peptide == ProteinChain(
        ("A",),
        "GCAKXNGLCY",
        modifications=(Modification("SEP", 5),),
        description="peptide with phosphoserine",
    )
    assert drug == Ligand(("B",), smiles="CC(=O)Nc1ccc(O)cc1", description="paracetamol")
    assert glycan.ccd == ("NAG", "NAG")
    assert found.bonds == (Bond(AtomRef("C", 1, "O4"), AtomRef("C", 2, "C1")),)


def test_an_alignment_that_a_header_names_is_read():
    text = f">A|protein|a.a3m\n{SEQUENCE}\n"
    a3m = f">q\n{SEQUENCE}\n"
    assert read_input(text, files={"a.a3m": a3m}.__getitem__).chains[0].msa == a3m
    with pytest.raises(InvalidInput, match="names an alignment that cannot be read from here"):
        read_input(text)


def test_a_header_says_whether_an_alignment_is_declined():
    text = f">A|protein|empty\n{SEQUENCE}\n>B|protein\n{SEQUENCE}\n>C|rna|empty\nGGAUC\n"
    assert [chain.msa for chain in read_input(text).chains] == ["", None, None]


@pytest.mark.parametrize("header", ["sp|P01542|CRAM_CRAAB", "tr|A0A|protein", "1abc|Chain A", "A"])
def test_headers_of_databases_are_proteins(header):
    found = read_input(f">{header}\n{SEQUENCE}\n")
    assert found.chains == (ProteinChain(("A",), SEQUENCE, description=header),)


def test_one_plain_header_makes_all_of_them_plain():
    found = read_input(f">A|protein\n{SEQUENCE}\n>second\nACDEF\n")
    assert [chain.description for chain in found.chains] == ["A|protein", "second"]


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        (">A|rna\nGGATC\n", "chains.0.sequence", "T is thymine"),
        (">A|dna\nGGAUC\n", "chains.0.sequence", "U is uracil"),
        (">A|ccd\nQQQQQ\n", "chains.0.ccd", "no component"),
        (">A|rna|x.a3m\nGGAUC\n", "chains.0.msa", "only a protein can name an alignment"),
        (">a|protein\nACDEF\n", "chains.0.ids", "capital letters"),
        (f">protein|x\n{SEQUENCE}(SEP\n", "chains.0.sequence", "parenthesis that is not closed"),
        (">glycan|x\nNAG(\n", "chains.0.glycans", "is not a glycan"),
    ],
)
def test_what_a_header_promises_must_be_there(text, field, said):
    with pytest.raises(InvalidInput) as caught:
        read_input(text)
    assert said in str(caught.value)
    assert caught.value.field == field
