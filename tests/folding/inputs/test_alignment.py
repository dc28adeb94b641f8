"""Alignments in three dialects become the same A3M."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs.a3m import aligned_columns, read_a3m
from folding.inputs.alignment import read_alignment

QUERY = "ACDEFG"
STOCKHOLM = """# STOCKHOLM 1.0
#=GF ID test
#=GS tr|Q1|Q1_HUMAN/1-6 DE Some protein OS=Homo sapiens OX=9606 GN=X

query             AC-DEFG
tr|Q1|Q1_HUMAN/1-6 ACkD.FG
#=GR query        PP 9999999
#=GC RF           xx.xxxx
third             --.DEf~
//
"""
A3M = ">query\nACDEFG\n>tr|Q1|Q1_HUMAN/1-6 Some protein OS=Homo sapiens OX=9606 GN=X\nACkD-FG\n"
A3M += ">third\n--DEF-\n"


def test_stockholm_becomes_a3m():
    assert read_alignment(STOCKHOLM, sequence=QUERY) == (A3M, None)


def test_a3m_stays_as_it_is():
    assert read_alignment(A3M, sequence=QUERY) == (A3M, None)


def test_blocks_of_stockholm_are_joined():
    text = "# STOCKHOLM 1.0\nb  AC\na  AC\n\nb  DEFG\na  DE-G\n//\nrubbish after the end\n"
    assert read_alignment(text, sequence="ACDEFG").msa == ">b\nACDEFG\n>a\nACDE-G\n"


def test_the_sequence_is_found_wherever_it_stands():
    text = "# STOCKHOLM 1.0\nother  AC-EFG\nmine   ACDEFG\n//\n"
    assert read_alignment(text, sequence="ACDEFG").msa == ">mine\nACDEFG\n>other\nAC-EFG\n"


def test_csv_is_split_by_its_keys():
    text = "key,sequence\n0,ACDEFG\n9606,ACDEF-\n-1,A-DEFG\n10090.0,ACaaDEFG\n,--DEFG\n"
    found = read_alignment(text, sequence=QUERY)
    assert found.msa == (
        ">query\nACDEFG\n>row_1 key=9606\nACDEF-\n>row_2\nA-DEFG\n"
        ">row_3 key=10090\nACaaDEFG\n>row_4\n--DEFG\n"
    )
    assert found.paired_msa == (
        ">query\nACDEFG\n>row_1 key=9606\nACDEF-\n>row_3 key=10090\nACaaDEFG\n"
    )


def test_csv_columns_may_stand_in_any_order():
    found = read_alignment("sequence,key\nACDEFG,\nACDEF-,7\n", sequence=QUERY)
    assert found == (">query\nACDEFG\n>row_1 key=7\nACDEF-\n",) * 2


def test_csv_without_keys_is_not_paired():
    assert read_alignment("sequence\nACDEFG\nACDEF-\n", sequence=QUERY).paired_msa is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# STOCKHOLM 1.0\nquery ACDEF\n//\n", "none of its 1 rows"),
        ("# STOCKHOLM 1.0\n//\n", "holds no rows"),
        ("# STOCKHOLM 1.0\nquery ACDEFG\nx ACD\n//\n", "same length"),
        ("# STOCKHOLM 1.0\nquery ACDEFG more\n//\n", "Line 2"),
        ("# STOCKHOLM 1.0\nquery AC1EFG\n//\n", "Line 2"),
        ("key,sequence\n", "no rows"),
        ("key,sequence\n1\n", "Row 2"),
        ('"key,sequence\n1,ACDEFG\n', "must name a column “sequence”"),
        ("key,sequence\n1,ACDEFK\n", "residue 6"),
        ("key,sequence\n1,ACDEFG\n2,ACD\n", "has 3 columns"),
        ("key,sequence\n1,---\n", "first row"),
        (f'key,sequence\n1,"{"A" * 200_000}"\n', "not a CSV table"),
        (">q\nACDEFG\n>x\nAC\n", "has 2 columns"),
        ("", "empty"),
        ("# STOCKHOLM 1.0\nquery \x00ACDEFG\n", "control character"),
    ],
)
def test_what_is_wrong_is_said(text, words):
    with pytest.raises(InvalidInput, match=words) as error:
        read_alignment(text, sequence=QUERY, field="chains.0.msa")
    assert error.value.field == "chains.0.msa"


@given(st.text(st.sampled_from("ACDx-.,#\n >/=G key1sequenc"), max_size=200))
def test_other_text_is_refused_in_words(text):
    for beginning in ("", "# STOCKHOLM 1.0\n", "key,sequence\n"):
        try:
            found = read_alignment(beginning + text, sequence="ACDE")
        except InvalidInput as error:
            assert str(error)
        else:
            rows = read_a3m(found.msa or "", sequence="ACDE")
            assert aligned_columns(rows[0].row) == "ACDE"


def test_a_deep_alignment_is_read_in_time():
    row = "AC-DEFGHIK" * 30
    query = row.replace("-", "")
    lines = [f"s{i} {row.replace('-', 'k' if i % 3 == 0 else '-')}" for i in range(10_000)]
    text = "\n".join(["# STOCKHOLM 1.0", f"query {row}", *lines, "//"])
    start = time.process_time()
    found = read_alignment(text, sequence=query)
    assert time.process_time() - start < 2.0
    assert found.msa.count(">") == 10_001
