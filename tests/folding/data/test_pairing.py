"""Alignments of several chains together: what pairs, what stands below, and what is cut off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from folding.chemistry.residues import GAP_CLASS, LETTERS
from folding.data.msa import MAX_DELETIONS, MAX_ROWS, chain_rows, msa_features
from folding.data.style import ReferenceStyle
from folding.data.tokens import tokenize
from folding.inputs import (
    DnaChain,
    FoldInput,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
    read_alignment,
)
from folding.model.config import SMALL
from folding.weights.configs import ALPHAFOLD3, OPENFOLD3, PROTENIX

ONE, TWO = "ACDEF", "GHIKLM"
SPECIES = ["", "HUMAN", "MOUSE", "YEAST"]
AS_OWN = ReferenceStyle(paired_as_own=True)


def a3m(query: str, rows: list[tuple[str, str]]) -> str:
    """An alignment of rows with the species of each."""
    lines = [">query", query]
    for number, (species, row) in enumerate(rows):
        name = (
            f"tr|A0A{number:03d}AAA0|A0A{number:03d}AAA0_{species}/1-9" if species else f"r{number}"
        )
        lines += [f">{name}", row]
    return "\n".join(lines) + "\n"


def letters(found: dict, *, columns: slice = slice(None)) -> list[str]:
    return [
        "".join("-" if c == GAP_CLASS else LETTERS[c] for c in row)
        for row in found["msa"][:, columns].tolist()
    ]


def dimer(first: dict, second: dict, *, ids=(("A",), ("B",))) -> FoldInput:
    """Two proteins; values are rows with their species, under `msa` and `paired_msa`."""
    chains = [
        ProteinChain(i, query, **{name: a3m(query, rows) for name, rows in given.items()})
        for i, query, given in zip(ids, (ONE, TWO), (first, second), strict=True)
    ]
    return FoldInput("dimer", tuple(chains))


def test_rows_of_one_species_stand_in_one_row():
    job = dimer(
        {"paired_msa": [("HUMAN", "ACDEY"), ("MOUSE", "ACDYY"), ("YEAST", "AYYYY")]},
        {"paired_msa": [("MOUSE", "GHIKLY"), ("HUMAN", "GHIKYY")]},
    )
    assert letters(msa_features(job)) == [
        ONE + TWO,
        "ACDEY" + "GHIKYY",
        "ACDYY" + "GHIKLY",
    ]


def test_rows_of_their_own_stand_below_side_by_side():
    job = dimer(
        {"paired_msa": [("HUMAN", "ACDEY")], "msa": [("", "ADDDD"), ("", "AEEEE")]},
        {"paired_msa": [("HUMAN", "GHIKLY")], "msa": [("", "GGGGGG")]},
    )
    assert letters(msa_features(job)) == [
        ONE + TWO,
        "ACDEYGHIKLY",
        "ADDDDGGGGGG",
        "AEEEE------",
    ]


def test_a_row_that_pairs_is_not_shown_again():
    job = dimer(
        {"paired_msa": [("HUMAN", "ACDEY")], "msa": [("HUMAN", "ACDEY"), ("", "ADDDD")]},
        {"paired_msa": [("HUMAN", "GHIKLY")], "msa": [("HUMAN", "GHIKLY")]},
    )
    assert letters(msa_features(job)) == [ONE + TWO, "ACDEYGHIKLY", "ADDDD------"]


def test_a_row_that_could_not_pair_is_shown_on_its_own():
    job = dimer(
        {"paired_msa": [("HUMAN", "ACDEY"), ("YEAST", "AYYYY")], "msa": [("YEAST", "AYYYY")]},
        {"paired_msa": [("HUMAN", "GHIKLY")]},
    )
    assert letters(msa_features(job)) == [ONE + TWO, "ACDEYGHIKLY", "AYYYY------"]


def test_rows_that_find_no_partner_are_a_chains_own_where_the_model_was_trained_so():
    """As Protenix 2.0.0 has it: paired rows first, then the others, none of them twice."""
    job = dimer(
        {
            "paired_msa": [("HUMAN", "ACDEY"), ("YEAST", "AYaYYY")],
            "msa": [("", "ADDDD"), ("YEAST", "AYYYY")],
        },
        {"paired_msa": [("HUMAN", "GHIKLY"), ("", "GGGGGG")]},
    )
    assert letters(msa_features(job, style=AS_OWN)) == [
        ONE + TWO,
        "ACDEYGHIKLY",
        "AYYYYGGGGGG",
        "ADDDD------",
    ]
    profile = msa_features(job, style=AS_OWN)["profile"]
    assert profile[1, LETTERS.index("C")] == 0.5, "of the chain, ACDEY, AYYYY and ADDDD"
    plain = msa_features(job)
    assert letters(plain) == [ONE + TWO, "ACDEYGHIKLY", "ADDDD------", "AYYYY------"]


def test_paired_rows_of_a_single_protein_are_its_own_where_the_model_was_trained_so():
    paired = a3m(ONE, [("HUMAN", "ACDEY"), ("", "ADDDD")])
    job = FoldInput("job", (ProteinChain(("A",), ONE, paired_msa=paired),))
    assert letters(msa_features(job, style=AS_OWN)) == [ONE, "ACDEY", "ADDDD"]


def test_models_of_protenix_alone_read_paired_rows_as_a_chains_own():
    kinds = (PROTENIX, OPENFOLD3, ALPHAFOLD3, {"small": SMALL})
    found = [{config.reference.paired_as_own for config in kind.values()} for kind in kinds]
    assert found == [{True}, {False}, {False}, {False}]


def test_rows_of_a_table_whose_key_no_other_chain_has_are_not_lost():
    """Whatever the model: the table says that they are the chain's relatives."""
    table = "key,sequence\n,ACDEF\n9606,ACDEY\n7,AYYYY\n,ADDDD\n"
    found = read_alignment(table, sequence=ONE)
    first = ProteinChain(("A",), ONE, msa=found.msa, paired_msa=found.paired_msa)
    second = ProteinChain(("B",), TWO, paired_msa=f">q\n{TWO}\n>r key=9606\nGHIKLY\n")
    expected = [ONE + TWO, "ACDEYGHIKLY", "AYYYY------", "ADDDD------"]
    for style in (ReferenceStyle(), AS_OWN):
        assert letters(msa_features(FoldInput("job", (first, second)), style=style)) == expected


def test_copies_of_one_protein_pair_with_themselves_row_by_row():
    chain = ProteinChain(("A", "B"), ONE, msa=a3m(ONE, [("HUMAN", "ACDEY")]))
    assert letters(msa_features(FoldInput("job", (chain,)))) == [ONE * 2, "ACDEY" * 2]


def test_paired_rows_of_a_single_protein_are_not_shown():
    """There is nothing to pair with; AF3 shows the rows of its own alone."""
    chain = ProteinChain(("A",), ONE, paired_msa=a3m(ONE, [("HUMAN", "ACDEY")]))
    assert letters(msa_features(FoldInput("job", (chain,)))) == [ONE]


def test_the_same_protein_entered_twice_is_one_that_does_not_pair():
    paired = a3m(ONE, [("HUMAN", "ACDEY")])
    chains = tuple(ProteinChain((i,), ONE, paired_msa=paired) for i in "AB")
    assert letters(msa_features(FoldInput("job", chains))) == [ONE * 2]


def test_copies_in_a_complex_repeat_what_their_protein_pairs():
    job = dimer(
        {"paired_msa": [("HUMAN", "ACDEY")]},
        {"paired_msa": [("HUMAN", "GHIKLY")]},
        ids=(("A", "C"), ("B",)),
    )
    assert letters(msa_features(job)) == [ONE * 2 + TWO, "ACDEY" * 2 + "GHIKLY"]


def test_half_of_the_rows_at_most_are_paired():
    n = 20
    rows = [(f"S{k:04d}", f"{LETTERS[k]}CDEF") for k in range(n)]
    others = [(species, f"{row[0]}HIKLM") for species, row in rows]
    own = [("", f"{letter}YYYY") for letter in LETTERS[:n]]
    job = dimer({"paired_msa": rows, "msa": own}, {"paired_msa": others})
    found = letters(msa_features(job, max_rows=10))
    assert len(found) == 10
    paired = [row for row in found if "-" not in row]
    assert len(paired) == 5
    assert all(row[0] == row[5] for row in paired[1:])
    assert [row[1:5] for row in found[5:]] == ["YYYY"] * 5


def test_the_published_depth_is_never_exceeded():
    assert MAX_ROWS == 16_384
    rows = [("", f"{a}{b}{c}EF") for a in LETTERS[:20] for b in LETTERS[:20] for c in LETTERS[:5]]
    chain = ProteinChain(("A",), ONE, msa=a3m(ONE, rows))
    job = FoldInput("job", (chain,))
    assert len(msa_features(job, max_rows=100)["msa"]) == 100
    deep = msa_features(job)
    assert len(deep["msa"]) == len({row for _, row in rows} | {ONE})
    cut = msa_features(job, max_rows=100)
    np.testing.assert_array_equal(cut["profile"], deep["profile"])


def test_deletions_travel_with_their_rows():
    job = dimer(
        {"paired_msa": [("HUMAN", "ACaaaDEY")]},
        {"paired_msa": [("HUMAN", "kGHIKLY")], "msa": [("", "GggHIKLL")]},
    )
    found = msa_features(job)
    deletions = np.tan(found["deletion_value"].numpy() * np.pi / 2) * 3
    assert deletions.round().astype(int).tolist() == [
        [0] * 11,
        [0, 0, 3, 0, 0, 1, 0, 0, 0, 0, 0],
        [0] * 5 + [0, 2, 0, 0, 0, 0],
    ]
    assert found["has_deletion"].sum() == 3
    assert found["deletion_mean"].tolist() == [0] * 6 + [1.0] + [0] * 4


def test_long_insertions_count_as_the_most_that_is_counted():
    chain = ProteinChain(("A",), ONE, msa=a3m(ONE, [("", "A" + "k" * 500 + "CDEY")]))
    rows = chain_rows(chain).unpaired
    assert rows.deletions.tolist() == [[0] * 5, [0, MAX_DELETIONS, 0, 0, 0]]


def test_what_is_no_protein_repeats_itself_beside_paired_rows():
    """So that the network is never shown a strand or a ligand as missing."""
    first = ProteinChain(("A",), ONE, paired_msa=a3m(ONE, [("HUMAN", "ACDEY")]))
    second = ProteinChain(("B",), TWO, paired_msa=a3m(TWO, [("HUMAN", "GHIKLY")]))
    strand, ligand = DnaChain(("C",), "ACGTA"), Ligand(("D",), ccd=("MG",))
    job = FoldInput("job", (first, second, strand, ligand))
    found = msa_features(job, tokenize(job))["msa"].tolist()
    dna = [26, 28, 27, 29, 26]
    assert [row[11:16] for row in found] == [dna] * len(found)
    assert [row[16] for row in found] == [20] * len(found)
    assert len(found) == 2


def test_rna_has_an_alignment_of_its_own():
    msa = ">q\nACGUN\n>a\nACaGU-\n>b\nNNXUA\n"
    chains = (RnaChain(("R",), "ACGUN", msa=msa), ProteinChain(("A",), ONE))
    found = msa_features(FoldInput("job", chains))
    a, g, c, u, unknown = range(21, 26)
    assert found["msa"][:, :5].tolist() == [
        [a, c, g, u, unknown],
        [a, c, g, u, GAP_CLASS],
        [unknown, unknown, unknown, u, a],
    ]
    assert found["has_deletion"][1].tolist() == [0, 0, 1, 0, 0] + [0] * 5
    assert letters(found, columns=slice(5, None))[0] == ONE
    np.testing.assert_allclose(found["profile"].sum(-1), 1, atol=1e-6)


def test_atoms_of_a_modified_residue_share_its_column():
    chain = ProteinChain(
        ("A",),
        "GASGK",
        msa=a3m("GASGK", [("", "GATaaGK"), ("", "--T--")]),
        modifications=(Modification("SEP", 3),),
    )
    job = FoldInput("job", (chain,))
    tokens = tokenize(job)
    found = msa_features(job, tokens)
    assert found["msa"].shape == (3, 4 + 10)
    modified = (tokens.residue_index == 3).nonzero()[0]
    threonine = LETTERS.index("T")
    assert found["msa"][1][modified].tolist() == [threonine] * 10
    assert found["msa"][0][modified].tolist() == [LETTERS.index("S")] * 10
    after = modified[-1] + 1
    assert found["has_deletion"][1].nonzero().flatten().tolist() == [after]
    for column in modified[1:]:
        np.testing.assert_array_equal(found["profile"][column], found["profile"][modified[0]])


@pytest.mark.parametrize("length", [4, 5])
def test_chains_shorter_than_five_residues_show_no_alignment(length):
    query = "ACDEF"[:length]
    job = FoldInput("job", (ProteinChain(("A",), query, msa=a3m(query, [("", "Y" * length)])),))
    assert len(msa_features(job)["msa"]) == (1 if length < 5 else 2)


def test_an_alignment_that_is_declined_is_none():
    for msa in ("", None):
        found = msa_features(FoldInput("job", (ProteinChain(("A",), ONE, msa=msa),)))
        assert letters(found) == [ONE]


ROWS = st.lists(
    st.tuples(st.sampled_from(SPECIES), st.text("ACDEFGHIKLMY-", min_size=5, max_size=5)),
    max_size=5,
)


@settings(max_examples=40)
@given(ROWS, ROWS, ROWS, ROWS)
def test_any_two_alignments_are_put_together_without_loss_or_invention(one, two, own_one, own_two):
    pad = [(species, row + "M") for species, row in two]
    own_pad = [(species, row + "M") for species, row in own_two]
    job = dimer({"paired_msa": one, "msa": own_one}, {"paired_msa": pad, "msa": own_pad})
    found = letters(msa_features(job))
    assert found[0] == ONE + TWO
    sides = [[row[:5] for row in found], [row[5:] for row in found]]
    known = [
        [(s, r) for s, r in (*one, *own_one)],
        [(s, r) for s, r in (*pad, *own_pad)],
    ]
    for side, rows, query in zip(sides, known, (ONE, TWO), strict=True):
        gap = "-" * len(query)
        real = {query, gap, *(row for _, row in rows)}
        assert set(side) <= real, "nothing is invented"
        own = own_one if query == ONE else own_pad
        assert {row for _, row in own} - {gap} <= set(side), "nothing of its own is lost"


@settings(max_examples=30)
@given(ROWS, ROWS)
def test_whatever_pairs_is_of_one_species(one, two):
    pad = [(species, row + "M") for species, row in two]
    job = dimer({"paired_msa": one}, {"paired_msa": pad})
    found = letters(msa_features(job))
    for row in found[1:]:
        left = {species for species, text in one if text == row[:5]}
        right = {species for species, text in pad if text == row[5:]}
        if set(row[:5]) != {"-"} and set(row[5:]) != {"-"}:
            assert (left & right) - {""}
