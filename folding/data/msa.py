"""Alignments as features (AF3 SI table 5).

Chains stand side by side as in AF3's code: row r of the job holds row r of every chain, gaps where
a chain has fewer rows; copies of a chain repeat its rows. Rows of different chains are not paired.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from folding.chemistry.residues import GAP_CLASS, LETTERS
from folding.inputs import FoldInput, ProteinChain
from folding.inputs.a3m import A3mRow, aligned_columns, read_a3m

N_CLASSES = 32
MAX_ROWS = 1024
# What is not one of the twenty letters: the closest of them, as AF3's code has it, or unknown.
_SYNONYMS = {"B": "D", "Z": "E", "U": "C", "J": "X", "O": "X"}


class Alignment(NamedTuple):
    """Aligned rows of one chain, the chain itself first."""

    residue_class: Int64[np.ndarray, "row column"]
    deletions: Int64[np.ndarray, "row column"]
    """Residues inserted before the column."""


def msa_features(fold_input: FoldInput, *, max_rows: int = MAX_ROWS) -> dict[str, Tensor]:
    """The features of all alignments of a job, by the names of `folding.data.features`.

    `msa` int64, `has_deletion` and `deletion_value` float32 [row, token]; `profile` float32
    [token, 32] and `deletion_mean` float32 [token], which count all rows. A job without alignments
    gets one row: its sequences.

    Args:
        max_rows: Rows kept, from the top.
    """
    chains = [
        (alignment, len(chain.ids))
        for chain in fold_input.chains
        for alignment in [read_alignment(chain)]
    ]
    stacked = _side_by_side([a for a, copies in chains for _ in range(copies)], max_rows=max_rows)
    profile = np.concatenate([np.tile(_profile(a), (copies, 1)) for a, copies in chains])
    mean = np.concatenate([np.tile(a.deletions.mean(axis=0), copies) for a, copies in chains])
    return {
        "msa": torch.from_numpy(stacked.residue_class),
        "has_deletion": torch.from_numpy((stacked.deletions > 0).astype(np.float32)),
        "deletion_value": torch.from_numpy(deletion_value(stacked.deletions)),
        "profile": torch.from_numpy(profile),
        "deletion_mean": torch.from_numpy(mean.astype(np.float32)),
    }


def deletion_value(deletions: np.ndarray) -> Float32[np.ndarray, "row column"]:
    """Deletion counts squeezed into 0 to 1: 2/π arctan(d/3) (AF3 SI table 5)."""
    return (np.arctan(deletions / 3) * (2 / np.pi)).astype(np.float32)


def read_alignment(chain: ProteinChain) -> Alignment:
    """The chain's alignment without rows that repeat an earlier one; the bare chain without one.

    Raises:
        InvalidInput: As `folding.inputs.a3m.read_a3m`.
    """
    text = chain.msa if chain.msa is not None else f">query\n{chain.sequence}"
    rows = read_a3m(text, sequence=chain.sequence, field="msa")
    return _encode(_unique(rows), n_columns=len(chain.sequence))


def _unique(rows: Sequence[A3mRow]) -> list[str]:
    """The rows whose aligned columns differ from all before."""
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(aligned_columns(row.row), row.row)
    return list(first.values())


def _encode(rows: Sequence[str], *, n_columns: int) -> Alignment:
    """Classes and deletion counts of all rows at once, as one run of letters."""
    rows = [row.replace(".", "") for row in rows]
    letters = np.frombuffer("".join(rows).encode("ascii"), dtype=np.uint8)
    aligned = _CLASS_OF[letters] >= 0
    position = np.flatnonzero(aligned).reshape(len(rows), n_columns)
    starts = np.cumsum([0, *map(len, rows[:-1])])[:, None]
    before = np.concatenate([starts - 1, position[:, :-1]], axis=1)
    return Alignment(_CLASS_OF[letters[position]], position - before - 1)


def _class_table() -> Int64[np.ndarray, " byte"]:
    """The class of each aligned ASCII letter, -1 for insertions."""
    table = np.full(128, -1)
    for letter in map(chr, range(ord("A"), ord("Z") + 1)):
        table[ord(letter)] = LETTERS.index(_SYNONYMS.get(letter, letter))
    table[ord("-")] = GAP_CLASS
    return table


_CLASS_OF = _class_table()


def _profile(alignment: Alignment) -> Float32[np.ndarray, "column 32"]:
    """How often each class stands in each column."""
    rows = alignment.residue_class
    counts = [(rows == residue_class).mean(axis=0) for residue_class in range(N_CLASSES)]
    return np.stack(counts, axis=-1).astype(np.float32)


def _side_by_side(alignments: Sequence[Alignment], *, max_rows: int) -> Alignment:
    depth = min(max_rows, max(len(a.residue_class) for a in alignments))
    classes, deletions = [], []
    for residue_class, counts in alignments:
        missing = [(0, max(depth - len(residue_class), 0)), (0, 0)]
        classes.append(np.pad(residue_class[:depth], missing, constant_values=GAP_CLASS))
        deletions.append(np.pad(counts[:depth], missing))
    return Alignment(np.concatenate(classes, axis=1), np.concatenate(deletions, axis=1))
