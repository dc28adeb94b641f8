"""Species from headers, and which rows they pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.data.species import NO_ROW, pair_rows
from folding.inputs.species import species_of


@pytest.mark.parametrize(
    ("header", "species"),
    [
        ("tr|A0A146SKV9|A0A146SKV9_FUNHE/1-100", "FUNHE"),
        ("sp|P0C2L1|A3X1_LOXLA/1-25 Dermonecrotic toxin", "LOXLA"),
        ("sp|P69905|HBA_HUMAN Hemoglobin subunit alpha OS=Homo sapiens OX=9606 GN=HBA1", "9606"),
        ("UniRef90_A0A5A9P0L4 peptidylprolyl isomerase Tax=Danio TaxID=2811709 RepID=X", "2811709"),
        ("UniRef100_A0A009_9606/12-40", "9606"),
        ("UniRef100_A0A009\t120\t0.5", ""),
        ("row_7 key=abc:1", "abc:1"),
        ("sp|P69905|HBA_HUMAN OX=9606 key=3", "3"),
        ("monkey=3", ""),
        ("query", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_species_are_read_from_headers(header, species):
    assert species_of(header) == species


def test_rows_of_a_species_pair_in_their_order():
    pairs = pair_rows([["", "x", "y", "x"], ["", "y", "x", "x", "x"]], max_rows=10)
    assert pairs.tolist() == [[0, 0], [1, 2], [2, 1], [3, 3]]


def test_species_of_more_chains_come_first():
    pairs = pair_rows([["", "two", "all"], ["", "two", "all"], ["", "all"]], max_rows=10)
    assert pairs.tolist() == [[0, 0, 0], [2, 2, 1], [1, 1, NO_ROW]]


def test_a_species_of_one_chain_pairs_with_nothing():
    assert pair_rows([["", "x"], ["", "y"]], max_rows=10).tolist() == [[0, 0]]


def test_both_limits_hold():
    many = ["", *["x"] * 700]
    assert len(pair_rows([many, many], max_rows=10_000)) == 601
    assert len(pair_rows([many, many], max_rows=10_000, max_per_species=5)) == 6
    assert len(pair_rows([many, many], max_rows=3)) == 3


@given(st.lists(st.lists(st.sampled_from(["", "a", "b", "c"]), max_size=8), min_size=2, max_size=4))
def test_pairs_are_of_one_species_and_use_each_row_once(names):
    chains = [["", *chain] for chain in names]
    pairs = pair_rows(chains, max_rows=1000)
    assert pairs[0].tolist() == [0] * len(chains)
    for row in pairs[1:]:
        kinds = {chains[c][r] for c, r in enumerate(row) if r != NO_ROW}
        assert len(kinds) == 1
        assert kinds != {""}
        assert (row != NO_ROW).sum() >= 2
    for column in pairs[1:].T:
        used = column[column != NO_ROW]
        assert len(np.unique(used)) == len(used)


def test_species_pair_by_the_places_of_their_rows():
    """Of species that equally many chains have, those nearest to the top come first."""
    first = ["", "far", "near", "far2"]
    second = ["", "x", "near", "far2", "y", "far"]
    pairs = pair_rows([first, second], max_rows=10)
    assert pairs.tolist() == [[0, 0], [2, 2], [1, 5], [3, 3]]


def test_the_poorest_chain_of_a_species_says_how_many_rows_pair():
    pairs = pair_rows([["", *["a"] * 5], ["", *["a"] * 2], ["", *["a"] * 3]], max_rows=10)
    assert pairs.tolist() == [[0, 0, 0], [1, 1, 1], [2, 2, 2]]


def test_without_chains_that_share_a_species_there_is_the_query_alone():
    assert pair_rows([["", "", ""], [""]], max_rows=5).tolist() == [[0, 0]]
    assert pair_rows([["", "a"]], max_rows=5).tolist() == [[0]]


@given(st.integers(1, 30), st.integers(1, 8))
def test_limits_cut_from_below(n_rows, most):
    chains = [["", *["a"] * n_rows], ["", *["a"] * n_rows]]
    whole = pair_rows(chains, max_rows=1000)
    np.testing.assert_array_equal(pair_rows(chains, max_rows=most), whole[:most])
