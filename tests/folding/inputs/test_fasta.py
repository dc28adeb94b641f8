"""FASTA text as records."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs import parse_fasta

HEADER = st.text(
    alphabet=st.characters(codec="ascii", min_codepoint=32, max_codepoint=126), max_size=30
)
SEQUENCE = st.text(alphabet="ACDEFGHIKLMNPQRSTVWY", min_size=1, max_size=200)


@given(st.lists(st.tuples(HEADER, SEQUENCE), min_size=1, max_size=5), st.integers(1, 80))
def test_what_is_written_is_read(records, width):
    lines = []
    for header, sequence in records:
        lines.append(f">{header}")
        lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
    found = parse_fasta("\n".join(lines))
    assert [record.header for record in found] == [header.strip() for header, _ in records]
    assert [record.sequence.replace("\n", "") for record in found] == [s for _, s in records]


def test_lines_and_line_ends():
    first, second = parse_fasta("\ufeff\r\n>one\r\nAC DE\r\n\r\nFG\r\n> two \r\nHI")
    assert first == ("one", "AC DE\nFG", 2)
    assert second == ("two", "HI", 6)
    assert first.label == "“one”"
    assert parse_fasta(">\nACDE")[0].label == "the record at line 1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The text is empty"),
        ("\n \n", "The text is empty"),
        (">only a header", "“only a header” (line 1) has none"),
        (">a\n>b\nACDE", "“a” (line 1) has none"),
        (">a\nACDE\n>\n", "the record at line 3 (line 3) has none"),
        ("ACDE\n>a\nACDE", "line 1 is “ACDE”"),
        (">a\nAC\0DE", "line 2 holds the invisible control character U+0000"),
        (">" + "a" * 1_000_000, "at most 1,000,000 characters"),
    ],
)
def test_broken_fasta_is_refused(text, said):
    with pytest.raises(InvalidInput) as caught:
        parse_fasta(text, field="chains")
    assert said in str(caught.value)
    assert caught.value.field == "chains"


def test_many_short_lines_are_read_quickly():
    text = ">a\n" + "A\n" * 499_000
    assert len(parse_fasta(text)[0].sequence) == 2 * 499_000 - 1
