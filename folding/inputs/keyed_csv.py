"""Alignments as CSV with the columns `key` and `sequence`: rows of one key pair across chains.

ColabFold's helpers, Boltz and Protenix's converters read and write it. Rows whose key is empty or
-1 are not paired; the first row is the chain itself. Rows with a key are the chain's own too: they
would be lost where no other chain has that key.
"""

import csv

from folding.errors import InvalidInput
from folding.inputs.a3m import MAX_A3M_CHARACTERS
from folding.inputs.text import check_characters, check_size, quoted

KEY_PREFIX = "key="
_UNPAIRED = frozenset({"", "-1", "nan"})


def is_keyed_csv(text: str) -> bool:
    """True if the first line names a column `sequence` and is no FASTA header."""
    first = "".join(text.lstrip("\ufeff \t\r\n")[:200].splitlines()[:1]).strip().lower()
    names = [name.strip().strip('"') for name in first.split(",")]
    return not first.startswith(">") and "sequence" in names


def csv_to_a3m(text: str, *, sequence: str, field: str = "msa") -> tuple[str, str | None]:
    """The A3M of all rows of the table, and that of those with a key; None where none has one.

    Headers of rows with a key carry `key=…`, by which `folding.data.msa` pairs them.

    Raises:
        InvalidInput: Too long, not CSV, no rows, or a row without a sequence.
    """
    check_size(text, limit=MAX_A3M_CHARACTERS, what="A CSV alignment", field=field)
    check_characters(text, what="A CSV alignment", field=field)
    rows = _rows(text, field=field)
    if not rows[0][1].replace("-", ""):
        raise InvalidInput("The first row of the CSV must be the sequence itself.", field=field)
    own: list[str] = []
    paired: list[str] = []
    for number, (key, row) in enumerate(rows[1:], start=1):
        if key in _UNPAIRED:
            own += [f">row_{number}", row]
        else:
            keyed = [f">row_{number} {KEY_PREFIX}{key}", row]
            own += keyed
            paired += keyed
    query = [">query", rows[0][1]]
    return (
        "\n".join([*query, *own, ""]),
        "\n".join([*query, *paired, ""]) if paired else None,
    )


def _rows(text: str, *, field: str) -> list[tuple[str, str]]:
    """Key and sequence of each line after the first."""
    reader = csv.reader(text.lstrip("\ufeff \t\r\n").splitlines())
    try:
        names = [name.strip().lower() for name in next(reader)]
        lines = [line for line in reader if any(cell.strip() for cell in line)]
    except (csv.Error, StopIteration) as error:
        raise InvalidInput(
            f"This is not a CSV table: {error or 'it is empty'}. Write a line “key,sequence” and "
            "then a row for each sequence.",
            field=field,
        ) from error
    if "sequence" not in names:
        raise InvalidInput(
            "The first line of the CSV must name a column “sequence”. Check its quotation marks.",
            field=field,
        )
    where = names.index("sequence")
    key = names.index("key") if "key" in names else None
    found = []
    for number, line in enumerate(lines, start=2):
        if len(line) <= max(where, key or 0):
            raise InvalidInput(
                f"Row {number} of the CSV has {len(line)} columns, but the first line names "
                f"{len(names)}: {quoted(','.join(line))}.",
                field=field,
            )
        word = "" if key is None else "_".join(line[key].split())
        found.append((word.removesuffix(".0"), line[where].strip()))
    if not found:
        raise InvalidInput("The CSV has no rows below its first line.", field=field)
    return found
