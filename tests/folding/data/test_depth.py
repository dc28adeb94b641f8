"""Depth, coverage and effective number of sequences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.data.depth import BANDS, alignment_depth, effective_sequences
from folding.inputs import DnaChain, FoldInput, Ligand, ProteinChain, RnaChain

QUERY = "ACDEFGHIKL"


def depth(*rows: str, paired: str | None = None):
    msa = "".join(f">{i}\n{row}\n" for i, row in enumerate([QUERY, *rows])) if rows else None
    chain = ProteinChain(("A", "B"), QUERY, msa=msa, paired_msa=paired)
    return alignment_depth(FoldInput("job", (chain,)))[0]


def test_without_an_alignment_the_depth_is_one():
    found = depth()
    assert (found.ids, found.n_residues, found.n_rows, found.n_paired) == (("A", "B"), 10, 1, 0)
    assert found.n_effective == 1.0
    assert found.coverage.tolist() == [[1] * 10, *[[0] * 10] * 4]


def test_coverage_counts_rows_by_identity():
    found = depth("ACDEF-----", "ACDEFGHIVV", "VVVVVVVVKL", "ACDEFYYYYY")
    assert len(BANDS) == 5
    expected = [
        [2] * 5 + [1] * 5,  # the chain itself, and five of five
        [1] * 10,  # eight of ten
        [1] * 10,  # five of ten
        [0] * 10,
        [1] * 10,  # two of ten
    ]
    assert found.coverage.tolist() == expected
    assert found.coverage.sum(axis=0).tolist() == [5] * 5 + [4] * 5


def test_rows_alike_count_once():
    near = ["ACDEFGHIKV", "ACDEFGHIVL"]
    far = ["VVVVVVVVVV", "WWWWWWWWWW"]
    assert depth(*near).n_effective == pytest.approx(1.0)
    assert depth(*far).n_effective == pytest.approx(3.0)
    assert depth(*near, *far).n_effective == pytest.approx(3.0)


def pair(first: list[str], second: list[str], **words) -> list[tuple[int, int]]:
    """Rows and paired rows of two proteins whose texts hold the same rows, with these headers."""
    chains = []
    for chain_id, query, headers in zip("AB", (QUERY, "MNPQRST"), (first, second), strict=True):
        letters = "ACDEFGHIKLMNPQRSTVWY"
        rows = [f">{name}\n{letters[i]}{query[1:-1]}-\n" for i, name in enumerate(headers)]
        text = f">q\n{query}\n" + "".join(rows)
        chains.append(ProteinChain((chain_id,), query, msa=text, paired_msa=text))
    found = alignment_depth(FoldInput("job", tuple(chains)), **words)
    return [(chain.n_rows, chain.n_paired) for chain in found]


def test_rows_in_both_texts_count_once_and_pair_where_the_other_chain_has_their_species():
    here = [f"a key={number}" for number in range(10)]
    assert pair(here, here) == [(11, 10), (11, 10)]
    assert pair(here, here[5:]) == [(11, 5), (6, 5)]
    assert pair(here, ["b", "c"]) == [(11, 0), (3, 0)]
    assert pair(["x key=1"] * 6, ["y key=1"] * 2) == [(7, 2), (3, 2)], "as many as both have"


def test_paired_rows_alone_count_where_they_pair_or_the_model_reads_them_anyway():
    paired = f">q\n{QUERY}\n>a key=1\nVVVVVVVVVV\n>b\nWWWWWWWWWW\n"
    other = ProteinChain(("B",), "MNPQRST", paired_msa=">q\nMNPQRST\n>c key=1\nMNPQRSA\n")
    alone = FoldInput("job", (ProteinChain(("A", "C"), QUERY, paired_msa=paired),))
    both = FoldInput("job", (*alone.chains, other))
    for job, as_own, expected in (
        (alone, False, (1, 0)),
        (alone, True, (3, 0)),
        (both, False, (2, 1)),
        (both, True, (3, 1)),
    ):
        found = alignment_depth(job, paired_as_own=as_own)[0]
        assert (found.n_rows, found.n_paired) == expected
        assert found.coverage.sum(axis=0).tolist() == [expected[0]] * 10


def test_a_sample_estimates_what_all_rows_give():
    generator = np.random.default_rng(1)
    families = generator.integers(0, 20, (40, 60))
    rows = families[generator.integers(0, 40, 900)].astype(np.uint8)
    exact = effective_sequences(rows, most=900)
    assert exact == pytest.approx(40, rel=1e-6)
    assert effective_sequences(rows, most=300) == pytest.approx(exact, rel=0.15)


@given(st.integers(1, 12), st.integers(0, 5))
def test_it_lies_between_one_and_the_number_of_rows(n_rows, seed):
    rows = np.random.default_rng(seed).integers(0, 3, (n_rows, 8)).astype(np.uint8)
    assert 1.0 - 1e-9 <= effective_sequences(rows) <= n_rows + 1e-9


def test_identity_counts_the_columns_that_a_row_fills():
    """Half a row that agrees everywhere is as alike as a whole one."""
    msa = ">q\nACDEFGHIKL\n>half\nACDEF-----\n>far\nAYYYYYYYYY\n"
    (depth,) = alignment_depth(FoldInput("job", (ProteinChain(("A",), "ACDEFGHIKL", msa=msa),)))
    assert depth.n_rows == 3
    assert depth.coverage[0].tolist() == [2] * 5 + [1] * 5
    assert depth.coverage[-1].tolist() == [1] * 10
    assert depth.coverage.sum(axis=0).tolist() == [3] * 5 + [2] * 5


def test_every_alignable_chain_is_counted_once_whatever_its_copies():
    chains = (
        ProteinChain(("A", "B"), "ACDEF", msa=">q\nACDEF\n>r\nACDEY\n"),
        RnaChain(("R",), "ACGUA", msa=">q\nACGUA\n>r\nACGUU\n>s\nACG--\n"),
        DnaChain(("D",), "ACGTA"),
        Ligand(("L",), ccd=("MG",)),
    )
    found = alignment_depth(FoldInput("job", chains))
    assert [(depth.ids, depth.n_rows, depth.n_residues) for depth in found] == [
        (("A", "B"), 2, 5),
        (("R",), 3, 5),
    ]


def test_a_row_of_gaps_alone_divides_by_nothing():
    msa = ">q\nACDEF\n>gaps\n-----\n"
    (depth,) = alignment_depth(FoldInput("job", (ProteinChain(("A",), "ACDEF", msa=msa),)))
    assert depth.coverage.sum() == 5
    assert 1 <= depth.n_effective <= 2


@pytest.mark.parametrize(("most", "n_bins"), [(3, 3), (10, 10), (240, 10)])
def test_few_columns_are_means_of_their_neighbours(most, n_bins):
    msa = ">q\nACDEFGHIKL\n>r\nACDEF-----\n"
    (depth,) = alignment_depth(FoldInput("job", (ProteinChain(("A",), "ACDEFGHIKL", msa=msa),)))
    binned = depth.binned(most=most)
    assert {len(band) for band in binned} == {n_bins}
    parts = np.array_split(depth.coverage.sum(axis=0), n_bins)
    total = np.sum(binned, axis=0)
    np.testing.assert_allclose(total, [part.mean() for part in parts], atol=0.11)
