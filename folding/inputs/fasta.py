"""FASTA text as records; what a record's letters mean is decided elsewhere."""

from typing import NamedTuple

from folding.errors import InvalidInput
from folding.inputs.text import check_characters, check_size, quoted, without_invisible

MAX_FASTA_CHARACTERS = 1_000_000


class FastaRecord(NamedTuple):
    """One header and the text below it, white space at line ends removed."""

    header: str
    sequence: str
    line: int

    @property
    def label(self) -> str:
        """What to call the record in a message."""
        return quoted(self.header) if self.header else f"the record at line {self.line}"


def parse_fasta(text: str, *, field: str = "sequence") -> tuple[FastaRecord, ...]:
    """The records of (multi-)FASTA text, in order.

    Raises:
        InvalidInput: Empty, too long, text before the first header, or a header without sequence.
    """
    check_size(text, limit=MAX_FASTA_CHARACTERS, what="FASTA text", field=field)
    check_characters(text, what="FASTA text", field=field)
    found: list[tuple[int, list[str]]] = []
    for number, raw_line in enumerate(without_invisible(text).splitlines(), start=1):
        line = raw_line.strip()
        if line.startswith(">"):
            found.append((number, [line]))
        elif line and not found:
            raise InvalidInput(
                f"FASTA begins with a header line that starts with “>”, but line {number} is "
                f"{quoted(line)}. Put a line such as “>my protein” above it.",
                field=field,
            )
        elif line:
            found[-1][1].append(line)
    records = tuple(
        FastaRecord(header=header[1:].strip(), sequence="\n".join(lines), line=number)
        for number, (header, *lines) in found
    )
    _check_records(records, field=field)
    return records


def _check_records(records: tuple[FastaRecord, ...], *, field: str) -> None:
    if not records:
        raise InvalidInput("The text is empty. Paste a sequence or FASTA.", field=field)
    for record in records:
        if not record.sequence:
            raise InvalidInput(
                f"Every FASTA header needs a sequence below it, but {record.label} "
                f"(line {record.line}) has none. Add the sequence or delete the header.",
                field=field,
            )
