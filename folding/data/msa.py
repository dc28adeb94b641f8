"""Alignments as features (AF3 SI section 2.3 and table 5).

The alignment of a job holds, from the top, the rows that pair across chains, then each chain's own
rows side by side, gaps where a chain has fewer; copies of a chain repeat its rows.
Departure from Protenix 2.0.0, whose rows are otherwise the same: where nothing pairs, the chain
itself stands at the top once, not twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from folding.chemistry.residues import GAP_CLASS, LETTERS
from folding.data.species import NO_ROW, pair_rows
from folding.data.style import ReferenceStyle
from folding.data.tokens import IDEAL, Tokens
from folding.inputs import FoldInput
from folding.inputs.a3m import A3mRow, aligned_columns, read_a3m
from folding.inputs.species import species_of

N_CLASSES = 32
MAX_ROWS = 16_384
"""Rows that the published models read at most (AF3 SI section 2.2)."""
MAX_DELETIONS = 127
# Shorter chains show no alignment, as in AF3's code and in Protenix.
MIN_RESIDUES = 5

UNKNOWN_CLASS = LETTERS.index("X")
_RNA, _DNA = "AGCU", "AGCT"
_RNA_CLASS, _DNA_CLASS = 21, 26
# What is not one of the twenty letters: the closest of them, as AF3's code has it, or unknown.
_SYNONYMS = {"B": "D", "Z": "E", "U": "C", "J": "X", "O": "X"}


FIRST = np.zeros(1, np.int64)
"""The row of the sequence itself."""


class Alignment(NamedTuple):
    """Aligned rows of one chain, the chain itself first."""

    residue_class: UInt8[np.ndarray, "row column"]
    deletions: UInt8[np.ndarray, "row column"]
    """Residues inserted before the column, at most `MAX_DELETIONS`."""

    @property
    def n_rows(self) -> int:
        """How deep the alignment is, the chain itself counted."""
        return len(self.residue_class)

    def take(self, rows: Int64[np.ndarray, " row"]) -> "Alignment":
        """These rows; a row of gaps for each `NO_ROW`."""
        missing = (rows == NO_ROW)[:, None]
        classes = np.where(missing, np.uint8(GAP_CLASS), self.residue_class[rows])
        return Alignment(classes, np.where(missing, np.uint8(0), self.deletions[rows]))


@dataclass(frozen=True)
class ChainRows:
    """What one chain brings to the job's alignment."""

    unpaired: Alignment
    paired: Alignment
    species: tuple[str, ...]
    is_protein: bool
    entity: str

    @property
    def profile(self) -> Float32[np.ndarray, "column 32"]:
        """How often each class stands in each column of the chain's own rows."""
        rows = self.unpaired.residue_class
        counts = [(rows == residue_class).mean(axis=0) for residue_class in range(N_CLASSES)]
        return np.stack(counts, axis=-1).astype(np.float32)

    @property
    def deletion_mean(self) -> Float32[np.ndarray, " column"]:
        """Mean number of residues inserted before each column."""
        return self.unpaired.deletions.mean(axis=0).astype(np.float32)


def msa_features(
    fold_input: FoldInput,
    tokens: Tokens | None = None,
    *,
    max_rows: int = MAX_ROWS,
    style: ReferenceStyle = IDEAL,
) -> dict[str, Tensor]:
    """The features of all alignments of a job, by the names of `folding.data.features`.

    `msa` int64, `has_deletion` and `deletion_value` float32 [row, token]; `profile` float32
    [token, 32] and `deletion_mean` float32 [token], which count all rows of a chain's own
    alignment. A job without alignments gets one row: its sequences.

    Args:
        tokens: Tokens of the job; None where each residue is one. All atoms of a modified residue
            show its column, all atoms of a ligand the unknown residue.
        max_rows: Rows kept, from the top; half of them at most are paired.
        style: With `query_twice` a job without alignments gets two rows.

    Raises:
        InvalidInput: As `folding.inputs.a3m.read_a3m`.
    """
    chains = [
        rows
        for chain in fold_input.chains
        for rows in [chain_rows(chain, paired_as_own=style.paired_as_own)] * len(chain.ids)
    ]
    rows = assemble(chains, max_rows=max_rows, query_twice=style.query_twice)
    profile = np.concatenate([chain.profile for chain in chains])
    mean = np.concatenate([chain.deletion_mean for chain in chains])
    if tokens is not None:
        columns = _columns(chains, tokens)
        rows = Alignment(rows.residue_class[:, columns], rows.deletions[:, columns])
        profile, mean = profile[columns], mean[columns]
    return {
        "msa": torch.from_numpy(rows.residue_class.astype(np.int64)),
        "has_deletion": torch.from_numpy((rows.deletions > 0).astype(np.float32)),
        "deletion_value": torch.from_numpy(deletion_value(rows.deletions)),
        "profile": torch.from_numpy(profile),
        "deletion_mean": torch.from_numpy(mean),
    }


def deletion_value(deletions: np.ndarray) -> Float32[np.ndarray, "row column"]:
    """Deletion counts squeezed into 0 to 1: 2/π arctan(d/3) (AF3 SI table 5)."""
    return (np.arctan(deletions.astype(np.float32) / 3) * np.float32(2 / np.pi)).astype(np.float32)


def assemble(
    chains: Sequence[ChainRows], *, max_rows: int = MAX_ROWS, query_twice: bool = False
) -> Alignment:
    """The rows of a job: the paired ones, then each chain's own, side by side.

    Chains pair only where at least two different proteins are in the job. Rows of a chain that
    stand among the paired ones are not shown again.

    Args:
        query_twice: Where chains do not pair, the sequences stand for the paired rows.
    """
    if len({chain.entity for chain in chains if chain.is_protein}) < 2:
        own = [chain.unpaired for chain in chains]
        query = [_beside([rows.take(FIRST) for rows in own], depth=1)] * query_twice
        blocks = [*query, _beside(own, depth=max_rows - len(query))]
    else:
        paired = _paired(chains, max_rows=max_rows // 2)
        own = [
            chain.unpaired.take(_not_among(chain.unpaired, rows))
            for chain, rows in zip(chains, paired, strict=True)
        ]
        blocks = [
            _beside(paired, depth=max_rows // 2),
            _beside(own, depth=max_rows - paired[0].n_rows),
        ]
    rows = Alignment(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))
    return _filled(rows, chains)


def _paired(chains: Sequence[ChainRows], *, max_rows: int) -> list[Alignment]:
    """The paired rows of each chain, equally many."""
    pairs = pair_rows([chain.species for chain in chains], max_rows=max_rows)
    taken = [chain.paired.take(pairs[:, index]) for index, chain in enumerate(chains)]
    seen = np.any([(rows.residue_class != GAP_CLASS).any(axis=1) for rows in taken], axis=0)
    return [rows.take(np.flatnonzero(seen)) for rows in taken]


def _not_among(own: Alignment, paired: Alignment) -> Int64[np.ndarray, " row"]:
    """Those rows of a chain that are not among its paired ones."""
    known = {row.tobytes() for row in paired.residue_class}
    kept = [i for i, row in enumerate(own.residue_class) if row.tobytes() not in known]
    return np.array(kept, dtype=np.int64)


def _beside(alignments: Sequence[Alignment], *, depth: int) -> Alignment:
    """Chains side by side, gaps below those that are not as deep as the deepest."""
    depth = min(depth, max(a.n_rows for a in alignments))
    classes, deletions = [], []
    for residue_class, counts in alignments:
        missing = [(0, max(depth - len(residue_class), 0)), (0, 0)]
        classes.append(np.pad(residue_class[:depth], missing, constant_values=GAP_CLASS))
        deletions.append(np.pad(counts[:depth], missing))
    return Alignment(np.concatenate(classes, axis=1), np.concatenate(deletions, axis=1))


def _filled(rows: Alignment, chains: Sequence[ChainRows]) -> Alignment:
    """The rows, with what is no protein repeated where it has nothing but gaps."""
    classes, start = rows.residue_class, 0
    for chain in chains:
        columns = slice(start, start + chain.unpaired.residue_class.shape[1])
        start = columns.stop
        if not chain.is_protein:
            empty = (classes[:, columns] == GAP_CLASS).all(axis=1)
            classes[empty, columns] = classes[0, columns]
    return rows._replace(residue_class=classes)


def _columns(chains: Sequence[ChainRows], tokens: Tokens) -> Int64[np.ndarray, " token"]:
    """The column of each token; of a ligand there is one."""
    widths = np.array([chain.unpaired.residue_class.shape[1] for chain in chains])
    chain_index = tokens.asym_id - 1
    within = np.minimum(tokens.residue_index, widths[chain_index]) - 1
    return (np.cumsum(widths) - widths)[chain_index] + within


# One chain -------------------------------------------------------------------------------------


def chain_rows(chain: object, *, paired_as_own: bool = False) -> ChainRows:
    """The rows that a chain of any kind brings; one row of itself where it has no alignment.

    Args:
        paired_as_own: As of `ReferenceStyle`.

    Raises:
        InvalidInput: As `folding.inputs.a3m.read_a3m`.
    """
    sequence = str(getattr(chain, "sequence", ""))
    is_protein = type(chain).__name__ == "ProteinChain"
    table = _TABLES[type(chain).__name__ if sequence else "Ligand"]
    short = len(sequence) < MIN_RESIDUES
    msa = None if short else getattr(chain, "msa", None)
    paired_msa = None if short else getattr(chain, "paired_msa", None)
    sequence = sequence or "X"
    unpaired = _rows(msa, sequence, field="msa")
    paired = _rows(paired_msa, sequence, field="paired_msa")
    own = [*paired, *unpaired] if paired_as_own and paired_msa else unpaired
    return ChainRows(
        unpaired=_encode(_unique(own), n_columns=len(sequence), table=table),
        paired=_encode([row.row for row in paired], n_columns=len(sequence), table=table),
        species=("", *(species_of(row.header) for row in paired[1:])),
        is_protein=is_protein,
        entity=sequence,
    )


def read_alignment(chain: object) -> Alignment:
    """The chain's own rows without those that repeat an earlier one; the bare chain without any.

    Raises:
        InvalidInput: As `folding.inputs.a3m.read_a3m`.
    """
    return chain_rows(chain).unpaired


def _rows(text: str | None, sequence: str, *, field: str) -> Sequence[A3mRow]:
    if not text:
        return [A3mRow("query", sequence, 1)]
    return read_a3m(text, sequence=sequence, field=field)


def _unique(rows: Sequence[A3mRow]) -> list[str]:
    """The rows whose aligned columns differ from all before."""
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(aligned_columns(row.row), row.row)
    return list(first.values())


def _encode(rows: Sequence[str], *, n_columns: int, table: Int64[np.ndarray, " byte"]) -> Alignment:
    """Classes and deletion counts of all rows at once, as one run of letters."""
    rows = [row.replace(".", "") for row in rows]
    letters = np.frombuffer("".join(rows).encode("ascii"), dtype=np.uint8)
    classes = table[letters]
    position = np.flatnonzero(classes >= 0).reshape(len(rows), n_columns)
    starts = np.cumsum([0, *map(len, rows[:-1])])[:, None]
    before = np.concatenate([starts - 1, position[:, :-1]], axis=1)
    deletions = np.minimum(position - before - 1, MAX_DELETIONS)
    return Alignment(classes[position].astype(np.uint8), deletions.astype(np.uint8))


def _table(letters: str, *, first: int, unknown: int) -> Int64[np.ndarray, " byte"]:
    """The class of each aligned ASCII letter, -1 for insertions."""
    table = np.full(128, -1)
    table[ord("A") : ord("Z") + 1] = unknown
    for number, letter in enumerate(letters):
        table[ord(letter)] = first + number
    table[ord("-")] = GAP_CLASS
    return table


def _nucleic_table(letters: str, *, first: int) -> Int64[np.ndarray, " byte"]:
    """As `_table`; thymine and uracil are the same in rows that databases of the other hold."""
    table = _table(letters, first=first, unknown=first + len(letters))
    base = table[ord(letters[-1])]
    table[ord("T")] = table[ord("U")] = base
    return table


def _protein_table() -> Int64[np.ndarray, " byte"]:
    table = _table(LETTERS, first=0, unknown=UNKNOWN_CLASS)
    for letter, meant in _SYNONYMS.items():
        table[ord(letter)] = LETTERS.index(meant)
    return table


_TABLES = {
    "ProteinChain": _protein_table(),
    "RnaChain": _nucleic_table(_RNA, first=_RNA_CLASS),
    "DnaChain": _nucleic_table(_DNA, first=_DNA_CLASS),
    "Ligand": _protein_table(),
}
