"""A3M alignments, checked at the door: capitals are aligned, lower case letters are insertions."""

import re
from typing import NamedTuple

from folding.errors import InvalidInput
from folding.inputs.text import check_characters, check_size, quoted

# The deepest alignments in use (16,384 rows) of a 1,000-residue protein come to about 17 MB.
MAX_A3M_CHARACTERS = 20_000_000
_INSERTIONS = re.compile("[a-z.]")
_NOT_A_ROW = re.compile("[^A-Za-z.-]")


class A3mRow(NamedTuple):
    """One aligned sequence as written: capitals and “-” fill the columns, the rest is inserted."""

    header: str
    row: str
    line: int


def read_a3m(text: str, *, sequence: str, field: str = "msa") -> tuple[A3mRow, ...]:
    """The rows of an alignment to `sequence`, the sequence itself first.

    Comment lines (“#”) are skipped, a row may run over several lines, rows of the same letters are
    kept: what to do about them is up to the features.

    Raises:
        InvalidInput: Too long, not A3M, a row whose number of columns is not the sequence's, or a
            first row that is not the sequence.
    """
    check_size(text, limit=MAX_A3M_CHARACTERS, what="An A3M alignment", field=field)
    check_characters(text, what="An A3M alignment", field=field)
    rows = _split(text, field=field)
    if not rows:
        raise InvalidInput("The alignment is empty. Upload A3M, or leave it out.", field=field)
    _check_first(rows[0], sequence, field=field)
    for number, row in enumerate(rows, start=1):
        _check_row(row, number=number, n_columns=len(sequence), field=field)
    return rows


def aligned_columns(row: str) -> str:
    """The row without its insertions: one letter or “-” for each column."""
    return _INSERTIONS.sub("", row)


def _split(text: str, *, field: str) -> tuple[A3mRow, ...]:
    found: list[tuple[int, list[str]]] = []
    for number, raw_line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = raw_line.strip()
        if line.startswith(">"):
            found.append((number, [line]))
        elif not line or line.startswith("#"):
            continue
        elif not found:
            raise InvalidInput(
                f"An A3M alignment begins with a header line that starts with “>”, but line "
                f"{number} is {quoted(line)}. Is the file A3M, not Stockholm or Clustal?",
                field=field,
            )
        else:
            found[-1][1].append(line)
    return tuple(
        A3mRow(header=header[1:].strip(), row="".join(lines), line=number)
        for number, (header, *lines) in found
    )


def _check_first(first: A3mRow, sequence: str, *, field: str) -> None:
    query = aligned_columns(first.row)
    if query == sequence:
        return
    advice = "Build the alignment for this very sequence, or paste the sequence it was built for."
    if len(query) != len(sequence):
        difference = f"it has {len(query)} residues and the sequence has {len(sequence)}"
    else:
        position = next(i for i in range(len(query)) if query[i] != sequence[i])
        difference = (
            f"residue {position + 1} is {quoted(query[position])} there and "
            f"{quoted(sequence[position])} in the sequence"
        )
    raise InvalidInput(
        f"The first row of the alignment must be the sequence itself, but {difference}. {advice}",
        field=field,
    )


def _check_row(row: A3mRow, *, number: int, n_columns: int, field: str) -> None:
    where = f"Row {number} of the alignment (line {row.line})"
    if wrong := _NOT_A_ROW.search(row.row):
        raise InvalidInput(
            f"{where} holds {quoted(wrong.group())}; A3M rows hold letters and “-” only. "
            "Check that the file is A3M.",
            field=field,
        )
    if (columns := len(aligned_columns(row.row))) != n_columns:
        raise InvalidInput(
            f"{where} has {columns} columns, but the sequence has {n_columns}: capitals and “-” "
            "must fill each column once. Was the file cut short, or is it aligned FASTA?",
            field=field,
        )
