"""An alignment in any dialect, as the A3M texts that a chain holds."""

from typing import NamedTuple

from folding.inputs.a3m import read_a3m
from folding.inputs.keyed_csv import csv_to_a3m, is_keyed_csv
from folding.inputs.stockholm import is_stockholm, stockholm_to_a3m


class AlignmentTexts(NamedTuple):
    """A3M of the chain's own rows, and of those that may pair with other chains' rows."""

    msa: str | None
    paired_msa: str | None


def read_alignment(text: str, *, sequence: str, field: str = "msa") -> AlignmentTexts:
    """The rows of an alignment to `sequence` in A3M, Stockholm or CSV (`key,sequence`).

    A3M comes back as it is; what the text says of itself decides the dialect.

    Raises:
        InvalidInput: As the reader of that dialect, and where a row does not fit the sequence.
    """
    if is_stockholm(text):
        found = AlignmentTexts(stockholm_to_a3m(text, sequence=sequence, field=field), None)
    elif is_keyed_csv(text):
        found = AlignmentTexts(*csv_to_a3m(text, sequence=sequence, field=field))
    else:
        found = AlignmentTexts(text, None)
    for a3m in found:
        if a3m is not None:
            read_a3m(a3m, sequence=sequence, field=field)
    return found
