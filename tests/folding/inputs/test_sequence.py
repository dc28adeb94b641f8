"""A pasted sequence is cleaned, or refused in words that say where and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs import MAX_SEQUENCE_CHARACTERS, MIN_RESIDUES, clean_sequence
from folding.inputs.sequence import AMINO_ACIDS, sequence_notes

LETTERS = st.text(alphabet=AMINO_ACIDS + "X", min_size=MIN_RESIDUES, max_size=60)
GAPS = st.sampled_from(["", " ", "\n", "\t", "\r\n", "\u00a0", "\u200b", "\ufeff", "\u2028"])


@given(LETTERS)
def test_a_clean_sequence_stays(sequence):
    assert clean_sequence(sequence) == sequence


@given(st.data(), LETTERS)
def test_case_and_white_space_do_not_matter(data, sequence):
    pasted = "".join(
        letter + data.draw(GAPS)
        for letter in (c.lower() if data.draw(st.booleans()) else c for c in sequence)
    )
    assert clean_sequence(pasted) == sequence


@given(st.text(max_size=200))
def test_any_text_is_a_sequence_or_an_invalid_input(text):
    try:
        sequence = clean_sequence(text)
    except InvalidInput as error:
        assert error.field == "sequence"
        assert len(str(error)) > 20
    else:
        assert len(sequence) >= MIN_RESIDUES
        assert set(sequence) <= set(AMINO_ACIDS + "X")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (" \n\t ", "is empty"),
        ("A", "at least 4 residues"),
        ("ACD", "3 residues"),
        ("        1 mqifvktltg", "Position 1 of the sequence is “1”"),
        ("ACDEF1GH", "letters only"),
        ("ACDEFGH*", "stop codon"),
        ("ACDE*FGH", "Position 5 of the sequence is “*”"),
        ("ACD-EF", "upload the alignment as A3M"),
        ("ACDEFU", "selenocysteine"),
        ("ACDEFO", "K (lysine)"),
        ("ACDBEF", "D (aspartate) or N (asparagine)"),
        ("ACDZEF", "E (glutamate) or Q (glutamine)"),
        ("ACDJEF", "I (isoleucine) or L (leucine)"),
        ("ACDEF?", "write X"),
        ("ACD>EF", "FASTA header"),
        ("ACDЖEF", "Position 4 of the sequence is “Ж”"),
        ("ACDE\0FG", "U+0000"),
        ("AC\nDE\x1bFG", "line 2"),
        ("ACGUACGUACGUACGU", "RNA"),
        ("ACD\ud800EFG", "U+D800"),
    ],
)
def test_what_is_no_sequence_gets_a_sentence(text, said):
    with pytest.raises(InvalidInput) as caught:
        clean_sequence(text)
    assert said in str(caught.value)
    assert str(caught.value).endswith(".")
    assert caught.value.field == "sequence"


def test_the_field_is_the_callers():
    with pytest.raises(InvalidInput) as caught:
        clean_sequence("", field="chains.2.sequence")
    assert caught.value.field == "chains.2.sequence"


def test_a_huge_paste_is_refused_unread():
    with pytest.raises(InvalidInput, match="at most 1,000,000 characters, but this has 30,000,000"):
        clean_sequence("A" * 30_000_000)


def test_the_largest_paste_is_read():
    assert len(clean_sequence("A" * MAX_SEQUENCE_CHARACTERS)) == MAX_SEQUENCE_CHARACTERS


def test_notes_point_at_dna_and_at_unknown_residues():
    assert "DNA" in sequence_notes("ACGTACGTACGTACGT")[0]
    assert sequence_notes("ACGT") == []
    assert sequence_notes("MKLVXXW")[0].startswith("2 unknown residues")
    assert sequence_notes("MKLVXW")[0].startswith("1 unknown residue ")
    assert sequence_notes("MKLVW") == []
