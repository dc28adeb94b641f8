"""Alignments are checked at the door."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs import MAX_A3M_CHARACTERS
from folding.inputs.a3m import aligned_columns, read_a3m

QUERY = "ACDEF"


def test_rows_come_back_as_written():
    text = "#5\t1\n>query\nACDEF\n\n>hit one\nA-DaaE\nF\n>hit one\nACDEF\n"
    rows = read_a3m(text, sequence=QUERY)
    assert [row.header for row in rows] == ["query", "hit one", "hit one"]
    assert [row.row for row in rows] == ["ACDEF", "A-DaaEF", "ACDEF"]
    assert [row.line for row in rows] == [2, 5, 8]


@given(
    st.lists(
        st.lists(
            st.tuples(st.text("acd.", max_size=3), st.sampled_from("ACDEF-")),
            min_size=5,
            max_size=5,
        ),
        max_size=6,
    )
)
def test_insertions_do_not_count_as_columns(rows):
    texts = ["".join(gap + letter for gap, letter in row) for row in rows]
    text = "\n".join([">q", QUERY, *(f">r\n{row}" for row in texts)])
    found = read_a3m(text, sequence=QUERY)
    assert [aligned_columns(r.row) for r in found[1:]] == ["".join(c for _, c in r) for r in rows]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The alignment is empty"),
        ("# comment only", "The alignment is empty"),
        ("ACDEF\n", "line 1 is “ACDEF”. Is the file A3M"),
        ("# STOCKHOLM 1.0\nq ACDEF\n", "line 2 is “q ACDEF”"),
        (">q\nACDEFG\n", "it has 6 residues and the sequence has 5"),
        (">q\nACDEY\n", "residue 5 is “Y” there and “F” in the sequence"),
        (">q\nA-DEF\n", "residue 2 is “-” there"),
        (">q\n>r\nACDEF", "it has 0 residues"),
        (">q\nACDEF\n>r\nACDE\n", "Row 2 of the alignment (line 3) has 4 columns"),
        (">q\nACDEF\n>r\nACDEFG\n", "has 6 columns, but the sequence has 5"),
        (">q\nACDEF\n>r\nAC1EF\n", "holds “1”"),
        (">q\nACDEF\n>r\nACDE*\n", "holds “*”"),
        (">q\nACDEF\n>r\nAC\0DEF\n", "U+0000"),
    ],
)
def test_what_is_no_alignment_of_the_sequence_is_refused(text, said):
    with pytest.raises(InvalidInput) as caught:
        read_a3m(text, sequence=QUERY, field="chains.0.msa")
    assert said in str(caught.value)
    assert caught.value.field == "chains.0.msa"


def test_a_huge_alignment_is_refused_unread():
    with pytest.raises(InvalidInput, match="at most 20,000,000 characters"):
        read_a3m(">" * (MAX_A3M_CHARACTERS + 1), sequence=QUERY)
