"""The same alignment, written by HMMER's own library and by hand, in every form that is read."""

import csv
import io

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyhmmer.easel import TextMSA, TextSequence

from folding.data.msa import Alignment, chain_rows
from folding.errors import InvalidInput
from folding.inputs import ProteinChain, RnaChain, read_alignment
from folding.inputs.a3m import aligned_columns, read_a3m

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
COLUMNS = st.text(LETTERS + "---", min_size=8, max_size=8)


@st.composite
def alignments(draw) -> list[str]:
    """Rows of equal width, the query first; where it has gaps the others are inserted."""
    query = draw(COLUMNS)
    others = draw(st.lists(COLUMNS, min_size=1, max_size=5))
    return [query, *others]


def residues(row: str) -> str:
    return row.replace("-", "")


def as_a3m_row(query: str, row: str) -> str:
    pairs = zip(query, row, strict=True)
    letters = [b if a != "-" else b.lower() for a, b in pairs if a != "-" or b != "-"]
    return "".join(letters)


def as_a3m(rows: list[str]) -> str:
    return "".join(f">s{i}\n{as_a3m_row(rows[0], row)}\n" for i, row in enumerate(rows))


def as_stockholm(rows: list[str], *, form: str = "stockholm") -> str:
    sequences = [TextSequence(name=f"s{i}".encode(), sequence=r) for i, r in enumerate(rows)]
    file = io.BytesIO()
    TextMSA(name=b"job", sequences=sequences).write(file, form)
    return file.getvalue().decode()


def as_csv(rows: list[str], *, keys: list[str]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["key", "sequence"])
    writer.writerows([key, as_a3m_row(rows[0], row)] for key, row in zip(keys, rows, strict=True))
    return file.getvalue()


def encoded(text: str, sequence: str) -> Alignment:
    return chain_rows(ProteinChain(("A",), sequence, msa=text)).unpaired


@settings(max_examples=40)
@given(alignments(), st.sampled_from(["stockholm", "pfam"]))
def test_stockholm_csv_and_a3m_are_the_same_alignment(rows, form):
    sequence = residues(rows[0])
    assume(len(sequence) >= 5)
    a3m = as_a3m(rows)
    from_stockholm = read_alignment(as_stockholm(rows, form=form), sequence=sequence).msa
    from_csv = read_alignment(as_csv(rows, keys=["-1"] * len(rows)), sequence=sequence).msa
    wanted = encoded(a3m, sequence)
    for text in (from_stockholm, from_csv):
        found = encoded(text, sequence)
        np.testing.assert_array_equal(found.residue_class, wanted.residue_class)
        np.testing.assert_array_equal(found.deletions, wanted.deletions)


@settings(max_examples=40)
@given(alignments())
def test_deletions_are_what_stands_between_columns(rows):
    sequence = residues(rows[0])
    assume(len(sequence) >= 5)
    kept = [i for i, letter in enumerate(rows[0]) if letter != "-"]
    expected, seen = [], set()
    for row in rows:
        columns = "".join(row[i] for i in kept)
        if columns in seen:
            continue
        seen.add(columns)
        before = [-1, *kept[:-1]]
        expected.append([len(residues(row[a + 1 : b])) for a, b in zip(before, kept, strict=True)])
    found = encoded(as_a3m(rows), sequence)
    assert found.deletions.tolist() == expected
    assert found.n_rows == len(seen)


@settings(max_examples=30)
@given(alignments(), st.randoms())
def test_the_order_of_stockholms_rows_does_not_matter_to_the_query(rows, random):
    sequence = residues(rows[0])
    assume(len(sequence) >= 5 and all(residues(row) != sequence for row in rows[1:]))
    lines = as_stockholm(rows, form="pfam").splitlines()
    body = [line for line in lines if line.startswith("s")]
    random.shuffle(body)
    text = "\n".join(["# STOCKHOLM 1.0", *body, "//"])
    found = read_a3m(read_alignment(text, sequence=sequence).msa, sequence=sequence)
    assert found[0].row == sequence
    assert sorted(row.header for row in found) == [f"s{i}" for i in range(len(rows))]


@settings(max_examples=30)
@given(alignments())
def test_rows_keep_every_residue(rows):
    sequence = residues(rows[0])
    assume(len(sequence) >= 5)
    text = read_alignment(as_stockholm(rows), sequence=sequence).msa
    found = {row.header.split()[0]: row.row for row in read_a3m(text, sequence=sequence)}
    for index, row in enumerate(rows):
        if index:
            assert residues(found[f"s{index}"]).upper() == residues(row)
            assert len(aligned_columns(found[f"s{index}"])) == len(sequence)


@given(st.lists(st.sampled_from(["-1", "", "nan", "0", "9606", "10090.0", "a b"]), min_size=1))
def test_rows_with_a_key_pair_and_the_others_do_not(keys):
    rows = ["ACDEF", *["ACDE-", "A-DEF"] * len(keys)][: len(keys) + 1]
    text = as_csv(rows, keys=["-1", *keys])
    found = read_alignment(text, sequence="ACDEF")
    paired = [key for key in keys if key not in ("-1", "", "nan")]
    n_paired = found.paired_msa.count(">") - 1 if found.paired_msa else 0
    assert (found.msa.count(">") - 1, n_paired) == (len(keys), len(paired))
    if found.paired_msa:
        species = chain_rows(ProteinChain(("A",), "ACDEF", paired_msa=found.paired_msa)).species
        expected = [key.removesuffix(".0").replace(" ", "_") for key in paired]
        assert list(species) == ["", *expected]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "mac"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "marked"])
def test_files_of_any_system_are_read(end, mark):
    rows = ["AC-DEF", "AYKDEF", "-C-DE-"]
    sequence = "ACDEF"
    keys = ["-1"] * 3
    for text in (as_a3m(rows), as_stockholm(rows), as_csv(rows, keys=keys).replace("\r\n", "\n")):
        found = read_alignment(mark + text.replace("\n", end), sequence=sequence)
        assert encoded(found.msa, sequence).deletions.sum() == 1
        assert encoded(found.msa, sequence).n_rows == 3


def test_a_description_of_stockholm_becomes_a_header():
    text = (
        "# STOCKHOLM 1.0\n#=GS s1 AC Q1\n#=GS s1 DE Kinase OS=Mus musculus OX=10090\n"
        "s0 ACDEF\ns1 ACDE-\n//\n"
    )
    (_, second) = read_a3m(read_alignment(text, sequence="ACDEF").msa, sequence="ACDEF")
    assert second.header == "s1 Kinase OS=Mus musculus OX=10090"


def test_stop_codons_of_stockholm_are_unknown_residues():
    text = "# STOCKHOLM 1.0\ns0 ACDEF\ns1 AC*EF\n//\n"
    assert read_alignment(text, sequence="ACDEF").msa.endswith("ACXEF\n")


def test_rna_is_found_in_rows_of_dna():
    sequence = "GGAUCGUA"
    text = f">q\n{sequence}\n>dna\nGGATCGTA\n>rna\nGGAUCGU-\n"
    rows = chain_rows(RnaChain(("A",), sequence, msa=text)).unpaired.residue_class
    np.testing.assert_array_equal(rows[1], rows[0])
    np.testing.assert_array_equal(rows[2, :-1], rows[0, :-1])


@pytest.mark.parametrize(
    ("sequence", "text", "says"),
    [
        ("ACDEF", "# STOCKHOLM 1.0\ns0 ACDEY\n//\n", "none of its 1 rows is; the first is “s0”"),
        ("ACDEF", "key,sequence\n-1,ACDEY\n", "residue 5 is “Y” there and “F” in the sequence"),
        ("ACDEF", ">q\nACDEY\n", "residue 5 is “Y” there and “F” in the sequence"),
    ],
)
def test_every_form_says_that_an_alignment_belongs_to_another_chain(sequence, text, says):
    with pytest.raises(InvalidInput, match="sequence itself") as caught:
        read_alignment(text, sequence=sequence)
    assert says in str(caught.value)
