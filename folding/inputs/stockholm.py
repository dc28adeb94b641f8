"""Stockholm alignments, as HMMER and Pfam write them, turned into A3M."""

import re
from collections.abc import Sequence
from itertools import compress, groupby

from folding.errors import InvalidInput
from folding.inputs.a3m import MAX_A3M_CHARACTERS
from folding.inputs.text import check_characters, check_size, quoted

_GAPS = "-._~"
_GAP_TABLE = str.maketrans(_GAPS, "-" * len(_GAPS))
_NO_GAPS = str.maketrans("", "", _GAPS)
_NOT_A_ROW = re.compile(r"[^A-Za-z*._~-]")


def is_stockholm(text: str) -> bool:
    """True if the text says of itself that it is Stockholm."""
    return text.lstrip("\ufeff \t\r\n")[:11].upper() == "# STOCKHOLM"


def stockholm_to_a3m(text: str, *, sequence: str, field: str = "msa") -> str:
    """The alignment as A3M whose columns are those of `sequence`, which comes first.

    The row of the sequence may stand anywhere; columns where it has a gap become insertions.
    Descriptions (`#=GS name DE …`) follow the names in the headers, since species stand in them.

    Raises:
        InvalidInput: Too long, not Stockholm, rows of different lengths, or no row of the sequence.
    """
    check_size(text, limit=MAX_A3M_CHARACTERS, what="A Stockholm alignment", field=field)
    check_characters(text, what="A Stockholm alignment", field=field)
    rows, described = _read(text, field=field)
    query = _find(rows, sequence, field=field)
    others = {name: row for name, row in rows.items() if name != query}
    columns = [letter not in _GAPS for letter in rows[query]]
    inserted = [not kept for kept in columns]
    runs = _runs(columns)
    lines = [f">{query}", sequence]
    for name, row in others.items():
        lines.append(f">{name} {described[name]}" if name in described else f">{name}")
        lines.append(_a3m_row(row, columns, inserted, runs))
    return "\n".join(lines) + "\n"


def _read(text: str, *, field: str) -> tuple[dict[str, str], dict[str, str]]:
    """Rows by name, the blocks of each joined, and descriptions by name."""
    parts: dict[str, list[str]] = {}
    described: dict[str, str] = {}
    for number, raw_line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        line = raw_line.strip()
        if line == "//":
            break
        if line.startswith("#"):
            words = line.split(None, 3)
            if len(words) == 4 and words[0] == "#=GS" and words[2] == "DE":
                described[words[1]] = words[3]
        elif line:
            words = line.split()
            if len(words) != 2 or _NOT_A_ROW.search(words[1]):
                raise InvalidInput(
                    f"Line {number} of the Stockholm alignment must be a name and a row of letters "
                    f"and gaps, but it is {quoted(line)}.",
                    field=field,
                )
            parts.setdefault(words[0], []).append(words[1])
    rows = {name: "".join(pieces) for name, pieces in parts.items()}
    _check_lengths(rows, field=field)
    return rows, described


def _check_lengths(rows: dict[str, str], *, field: str) -> None:
    if not rows:
        raise InvalidInput("The Stockholm alignment holds no rows. Check the file.", field=field)
    length = len(next(iter(rows.values())))
    for name, row in rows.items():
        if len(row) != length:
            raise InvalidInput(
                f"All rows of a Stockholm alignment have the same length, but {quoted(name)} has "
                f"{len(row)} columns and the first row {length}. Was the file cut short?",
                field=field,
            )


def _find(rows: dict[str, str], sequence: str, *, field: str) -> str:
    """The name of the row that is the sequence."""
    for name, row in rows.items():
        if len(row) >= len(sequence) and row.translate(_NO_GAPS).upper() == sequence:
            return name
    first = next(iter(rows))
    raise InvalidInput(
        f"One row of the alignment must be the sequence itself, but none of its {len(rows):,} rows "
        f"is; the first is {quoted(first)}. Build the alignment for this very sequence.",
        field=field,
    )


def _runs(columns: Sequence[bool]) -> list[tuple[slice, bool]]:
    """Neighbouring columns that are kept, or not, as slices of a row."""
    runs, start = [], 0
    for kept, group in groupby(columns):
        end = start + sum(1 for _ in group)
        runs.append((slice(start, end), kept))
        start = end
    return runs


def _a3m_row(
    row: str,
    columns: Sequence[bool],
    inserted: Sequence[bool],
    runs: Sequence[tuple[slice, bool]],
) -> str:
    row = row.translate(_GAP_TABLE).replace("*", "X")
    upper = row.upper()
    if not "".join(compress(row, inserted)).strip("-"):
        return "".join(compress(upper, columns))
    lower = row.lower()
    return "".join(upper[run] if kept else lower[run].replace("-", "") for run, kept in runs)
