"""Nucleic acids, ligands, modifications, templates, bonds: the rules of each part."""

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
    Template,
)
from tests.folding.examples import TRP_CAGE
from tests.folding.inputs.examples import data

CIF = "data_x\n_atom_site.id 1\n"
A3M = f">q\n{TRP_CAGE}\n"


def refusal(make) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        make()
    return caught.value


def test_nucleic_acids_clean_their_sequences():
    assert RnaChain(("A",), "acg\nu n").sequence == "ACGUN"
    assert DnaChain(("A",), " acgtn ").sequence == "ACGTN"
    assert RnaChain(("A",), "ACGU").residue_names == ("A", "C", "G", "U")
    assert DnaChain(("A",), "ACGT").residue_names == ("DA", "DC", "DG", "DT")


@pytest.mark.parametrize(
    ("make", "field", "said"),
    [
        (lambda: RnaChain(("A",), "ACGT"), "sequence", "Position 4 .* T is thymine"),
        (lambda: DnaChain(("A",), "ACGU"), "sequence", "Position 4 .* U is uracil"),
        (lambda: DnaChain(("A",), "ACGX"), "sequence", "“X”, which is not a base of DNA"),
        (lambda: RnaChain(("A",), " "), "sequence", "sequence is empty"),
        (lambda: RnaChain(("A",), "ACGU", msa=">q\nACGA\n"), "msa", "residue 4"),
        (lambda: RnaChain((), "ACGU"), "ids", "needs an id"),
        (lambda: DnaChain(("A",), "ACGT", description="x" * 501), "description", "at most 500"),
        (lambda: DnaChain(("A",), "AC", cyclic=True), "cyclic", "at least 3 residues"),
        (lambda: ProteinChain(("A",), TRP_CAGE, paired_msa=">q\nA\n"), "paired_msa", "first row"),
        (lambda: Ligand(("A",)), "ccd", "this has none of them"),
        (lambda: Ligand(("A",), ccd=("ATP",), smiles="C"), "smiles", "this has ccd and smiles"),
        (lambda: Ligand(("A",), ccd=("A TP",)), "ccd", "“A TP” is not the code"),
        (lambda: Ligand(("A",), ccd=("NAG",) * 51), "ccd", "at most 50 components"),
        (lambda: Ligand(("A",), smiles="C C"), "smiles", "holds no spaces"),
        (lambda: Ligand(("A",), smiles="C" * 2001), "smiles", "at most 2,000 characters"),
        (lambda: Ligand(("A",), smiles="c1ccc1("), "smiles", "cannot be read as SMILES"),
        (lambda: Ligand(("A",), smiles="\0"), "smiles", "control character"),
        (lambda: Ligand(("A",), file="hello"), "file", "not an SDF or MOL2 file"),
        (lambda: Ligand(("a",), ccd=("ATP",)), "ids", "capital letters"),
        (lambda: Modification("S P", 1), "ccd", "not the code of a component"),
        (lambda: Template(CIF, (), ()), "mapping", "maps no residue"),
        (lambda: Template(CIF, (-1,), (0,)), "mapping", "whole number from 0"),
        (lambda: Template("x" * 10_000_001, (0,), (0,)), "cif", "at most 10,000,000"),
    ],
)
def test_what_breaks_a_rule_is_refused_at_its_field(make, field, said):
    error = refusal(make)
    assert error.field == field
    with pytest.raises(InvalidInput, match=said):
        raise error


def test_codes_are_put_into_capitals_without_their_prefix():
    assert Modification("ccd_sep", 3) == Modification("SEP", 3)
    assert Ligand(("A",), ccd=(" atp ",)).ccd == ("ATP",)


def test_modifications_have_an_order_of_their_own():
    one, two = Modification("SEP", 2), Modification("TPO", 5)
    assert ProteinChain(("A",), TRP_CAGE, modifications=(two, one)) == ProteinChain(
        ("A",), TRP_CAGE, modifications=(one, two)
    )


def test_what_is_not_given_looks_the_same_however_it_is_left_out():
    assert Ligand(("A",), (), "CCO ", "") == Ligand(("A",), smiles="CCO")


@pytest.mark.parametrize(
    ("chain", "n_tokens"),
    [
        (ProteinChain(("A", "B"), TRP_CAGE), 40),
        (ProteinChain(("A",), "GSGG", modifications=(Modification("SEP", 2),)), 3 + 10),
        (ProteinChain(("A",), "GGGS", modifications=(Modification("SEP", 4),)), 3 + 11),
        (ProteinChain(("A",), "GGGS", cyclic=True, modifications=(Modification("SEP", 4),)), 13),
        (RnaChain(("A",), "ACGU", modifications=(Modification("PSU", 2),)), 3 + 20),
        (RnaChain(("A",), "UCGU", modifications=(Modification("PSU", 1),)), 3 + 21),
        (DnaChain(("A", "B"), "ACGT"), 8),
        (Ligand(("A", "B"), ccd=("ATP",)), 62),
        (Ligand(("A",), ccd=("MG",)), 1),
        (Ligand(("A",), ccd=("NAG", "NAG")), 30),
        (Ligand(("A",), smiles="CC(=O)O"), 4),
        (Ligand(("A", "B"), file=data("alaninate.sdf")), 12),
    ],
)
def test_tokens_are_residues_and_atoms(chain, n_tokens):
    assert chain.n_tokens == n_tokens


@pytest.mark.parametrize("code", ["6OG", "PSU", "NAG"])
def test_a_residue_of_another_kind_is_no_residue_of_a_protein(code):
    chain = ProteinChain(("A",), TRP_CAGE, modifications=(Modification(code, 2),))
    error = refusal(lambda: FoldInput("job", (chain,)))
    assert f"{code} cannot be a residue of this chain" in str(error)
    assert error.field == "chains.0.modifications"


def test_nucleic_acids_take_each_others_residues_but_no_amino_acids():
    FoldInput("job", (DnaChain(("A",), "ACGT", modifications=(Modification("PSU", 2),)),))
    chain = RnaChain(("A",), "ACGU", modifications=(Modification("SEP", 2),))
    assert "peptide" in str(refusal(lambda: FoldInput("job", (chain,))))


def test_there_must_be_something_to_fold():
    error = refusal(lambda: FoldInput("job", (Ligand(("A", "B"), ccd=("MG",)),)))
    assert "at least 4 residues or ligand atoms, but this has 2" in str(error)


PROTEIN = ProteinChain(("A",), TRP_CAGE)


def bonded(first: AtomRef, second: AtomRef, *more: Bond, ligand: Ligand) -> FoldInput:
    return FoldInput("job", (PROTEIN, ligand), bonds=(Bond(first, second), *more))


@pytest.mark.parametrize(
    ("ligand", "atom"),
    [
        (Ligand(("L",), ccd=("NAG", "FUC")), AtomRef("L", 2, "C1")),
        (Ligand(("L",), ccd=("HEM",)), AtomRef("L", 1, "FE")),
        (Ligand(("L",), file=data("alaninate.mol2")), AtomRef("L", 1, "N1")),
    ],
)
def test_bonds_reach_every_kind_of_ligand(ligand, atom):
    job = bonded(AtomRef("A", 1, "ND2"), atom, ligand=ligand)
    assert job.bonds[0].second == atom


@pytest.mark.parametrize(
    ("atom", "said"),
    [
        (AtomRef("L", 3, "C1"), "residue 3 of chain L, which has residues 1 to 2"),
        (AtomRef("L", 1, "H1"), "the atom “H1” of L/1"),
        (AtomRef("A", 0, "N"), "residue 0 of chain A"),
    ],
)
def test_bonds_reach_no_further(atom, said):
    ligand = Ligand(("L",), ccd=("NAG", "FUC"))
    error = refusal(lambda: bonded(AtomRef("A", 1, "ND2"), atom, ligand=ligand))
    assert said in str(error)
    assert error.field == "bonds.0"


def test_a_bond_is_given_once():
    first, second = AtomRef("A", 1, "ND2"), AtomRef("L", 1, "C1")
    ligand = Ligand(("L",), ccd=("NAG",))
    error = refusal(lambda: bonded(first, second, Bond(second, first), ligand=ligand))
    assert "is given twice" in str(error)
    assert error.field == "bonds.1"


def test_more_bonds_than_a_job_can_have():
    bonds = (Bond(AtomRef("A", 1, "N"), AtomRef("A", 2, "N")),) * 1001
    assert "at most 1000 bonds" in str(refusal(lambda: FoldInput("j", (PROTEIN,), bonds=bonds)))


def test_tail_to_head_makes_a_chain_cyclic():
    bond = Bond(AtomRef("A", 1, "N"), AtomRef("A", 20, "C"))
    job = FoldInput("job", (PROTEIN,), bonds=(bond,))
    assert job.chains == (ProteinChain(("A",), TRP_CAGE, cyclic=True),)
    assert job.bonds == ()


def test_ligands_and_modified_residues_are_counted_by_their_atoms():
    modified = ProteinChain(("A",), TRP_CAGE, modifications=(Modification("SEP", 2),))
    plain, ligand = (RnaChain(("B",), "ACGU"), Ligand(("C",), ccd=("MG",)))
    assert FoldInput("job", (modified,)).has_atom_tokens
    assert FoldInput("job", (plain, ligand)).has_atom_tokens
    assert not FoldInput("job", (plain,)).has_atom_tokens


def test_alignments_are_those_of_all_chains():
    chains = (
        ProteinChain(("A",), TRP_CAGE, A3M, paired_msa=A3M),
        RnaChain(("B",), "ACGU", msa=">q\nACGU\n"),
        DnaChain(("C",), "ACGT"),
    )
    assert FoldInput("job", chains).alignments == (A3M, A3M, ">q\nACGU\n")
