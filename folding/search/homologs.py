"""Relatives of a sequence in FASTA files, as an A3M alignment (HMMER 3, Eddy 2011).

Proteins are searched as phmmer and jackhmmer do, RNA as nhmmer does. A database is read in blocks
and never held in memory; of the hits the best are kept.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyhmmer.easel import Alphabet, DigitalSequenceBlock, SequenceFile, TextMSA, TextSequence
from pyhmmer.plan7 import HMM, Background, Builder, LongTargetsPipeline, Pipeline

from folding.errors import FoldingError

BLOCK_RESIDUES = 3_000_000
"""Residues between two looks at whether the search is still wanted: about a second of work."""
# HMMER's own limit for one protein.
MAX_TARGET_RESIDUES = 100_000
_COUNTED_BYTES = 1 << 22

Kind = Literal["protein", "rna"]


class DatabaseMissing(FoldingError):
    """A sequence database cannot be read."""


@dataclass(frozen=True)
class Database:
    """A FASTA file to search, and what people call it."""

    name: str
    path: Path
    kind: Kind = "protein"


@dataclass(frozen=True)
class SearchOptions:
    """What counts as a relative.

    Args:
        e_value: Expected number of chance hits up to which a hit is taken.
        max_rows: Hits kept of each database, the best ones.
        iterations: 1 searches with the sequence itself; more search again with what was found.
    """

    e_value: float = 1e-4
    max_rows: int = 10_000
    iterations: int = 1


@dataclass(frozen=True)
class SearchProgress:
    """How far a search is: sequences of the database read so far, and rows found."""

    database: str
    iteration: int
    n_iterations: int
    n_done: int
    n_targets: int
    n_found: int


Report = Callable[[SearchProgress], None]


@dataclass(frozen=True, order=True)
class Row:
    """One hit, aligned to the query; rows sort from the best to the worst."""

    e_value: float
    header: str
    row: str


def search(
    sequence: str, database: Database, options: SearchOptions, *, report: Report
) -> tuple[Row, ...]:
    """The relatives of a sequence in one database, the best first.

    Args:
        report: Hears of every block that was read; what it raises ends the search.

    Raises:
        DatabaseMissing: The file is not there or is no FASTA.
    """
    n_targets = count_targets(database)
    rows: tuple[Row, ...] = ()
    query = _Query(sequence, database.kind, size=_size(database, n_targets))
    for iteration in range(1, options.iterations + 1):
        found: list[Row] = []
        n_done = 0
        for block in _blocks(database, query.alphabet):
            found += query.hits(block, e_value=options.e_value)
            found = _best(found, options.max_rows)
            n_done += len(block)
            progress = SearchProgress(
                database=database.name,
                iteration=iteration,
                n_iterations=options.iterations,
                n_done=n_done,
                n_targets=n_targets,
                n_found=len(found),
            )
            report(progress)
        known = {row.header for row in rows}
        rows = tuple(sorted(found))
        if {row.header for row in rows} <= known:
            break
        if iteration < options.iterations:
            query.learn(rows)
    return rows


def to_a3m(sequence: str, rows: Sequence[Row]) -> str:
    """The rows as an A3M alignment below the sequence."""
    lines = [">query", sequence]
    for row in rows:
        lines += [f">{row.header}", row.row]
    return "\n".join(lines) + "\n"


def count_targets(database: Database) -> int:
    """Sequences in the FASTA file, by a pass over its bytes.

    Raises:
        DatabaseMissing: The file is not there or holds none.
    """
    count, before = 0, b"\n"
    try:
        with database.path.open("rb") as file:
            while piece := file.read(_COUNTED_BYTES):
                count += (before + piece).count(b"\n>")
                before = piece[-1:]
    except OSError as error:
        raise DatabaseMissing(
            f"The sequence database {database.name} cannot be read: {error.strerror}. Ask whoever "
            "runs this server."
        ) from error
    if not count:
        raise DatabaseMissing(
            f"The sequence database {database.name} holds no FASTA records. Ask whoever runs this "
            "server."
        )
    return count


class _Query:
    """What is searched for: a profile of the sequence, or of what an iteration found."""

    def __init__(self, sequence: str, kind: Kind, *, size: float) -> None:
        self.sequence, self.kind, self.size = sequence, kind, size
        self.alphabet = Alphabet.amino() if kind == "protein" else Alphabet.rna()
        self.background = Background(self.alphabet)
        digital = TextSequence(name=b"query", sequence=sequence).digitize(self.alphabet)
        self.profile: HMM = self._builder().build(digital, self.background)[0]

    def learn(self, rows: Sequence[Row]) -> None:
        """Searches with what was found from now on; its columns stay those of the sequence."""
        texts = [self.sequence, *(_aligned(row.row) for row in rows)]
        named = [
            TextSequence(name=f"row{number}".encode(), sequence=text)
            for number, text in enumerate(texts)
        ]
        msa = TextMSA(name=b"query", sequences=named).digitize(self.alphabet)
        self.profile = self._builder(symfrac=0.0).build_msa(msa, self.background)[0]

    def hits(self, block: DigitalSequenceBlock, *, e_value: float) -> list[Row]:
        """The hits among these targets, one row for each domain."""
        pipeline = self._pipeline(e_value)
        return [
            row
            for hit in pipeline.search_hmm(self.profile, block)
            if hit.included
            for row in self._rows(hit)
        ]

    def _rows(self, hit: Any) -> Iterator[Row]:
        name, description = _text(hit.name), _text(hit.description)
        for domain in hit.domains:
            if domain.included:
                found = domain.alignment
                header = f"{name}/{found.target_from}-{found.target_to} {description}".strip()
                yield Row(hit.evalue, header, self._a3m_row(found))

    def _a3m_row(self, found: Any) -> str:
        """The aligned part of a target in the columns of the query, gaps around it.

        What is no residue, such as “*” for a stop, is unknown in a column and nothing between two.
        """
        pairs = zip(found.hmm_sequence, found.target_sequence, strict=True)
        letters = [_letter(target, inserted=model == ".") for model, target in pairs]
        left = "-" * (found.hmm_from - 1)
        right = "-" * (len(self.sequence) - found.hmm_to)
        return left + "".join(letters) + right

    def _builder(self, **changes: float) -> Builder:
        return Builder(self.alphabet, **changes)

    def _pipeline(self, e_value: float) -> Pipeline:
        limits = {"E": e_value, "incE": e_value, "Z": self.size}
        if self.kind == "rna":
            return LongTargetsPipeline(self.alphabet, self.background, strand="watson", **limits)
        return Pipeline(
            self.alphabet,
            self.background,
            domZ=self.size,
            domE=e_value,
            incdomE=e_value,
            **limits,
        )


def _size(database: Database, n_targets: int) -> float:
    """What E-values grow with: sequences of proteins, as HMMER has it, megabases of RNA."""
    return float(n_targets) if database.kind == "protein" else database.path.stat().st_size / 1e6


def _blocks(database: Database, alphabet: Alphabet) -> Iterator[DigitalSequenceBlock]:
    """The database piece by piece, without proteins that are longer than HMMER takes."""
    try:
        with SequenceFile(
            str(database.path), format="fasta", digital=True, alphabet=alphabet
        ) as file:
            while block := file.read_block(residues=BLOCK_RESIDUES):
                if any(len(target) > MAX_TARGET_RESIDUES for target in block):
                    kept = [target for target in block if len(target) <= MAX_TARGET_RESIDUES]
                    block = DigitalSequenceBlock(alphabet, kept)
                yield block
    except (OSError, ValueError) as error:
        raise DatabaseMissing(
            f"The sequence database {database.name} is not FASTA of this kind: {error}. Ask "
            "whoever runs this server."
        ) from error


def _best(rows: list[Row], most: int) -> list[Row]:
    """The best rows, once there are far too many."""
    return heapq.nsmallest(most, rows) if len(rows) > most else rows


def _letter(target: str, *, inserted: bool) -> str:
    """A letter of a target as A3M has it."""
    if inserted:
        return target.lower() if target.isalpha() else ""
    return target.upper() if target.isalpha() or target == "-" else "X"


def _aligned(row: str) -> str:
    return "".join(letter for letter in row if not letter.islower())


def _text(value: bytes | str | None) -> str:
    """Words of a header, without what would end a line or is no text."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value or ""
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
