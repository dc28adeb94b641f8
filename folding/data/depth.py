"""How much an alignment says: its depth along the chain and its effective number of sequences."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from folding.chemistry.residues import GAP_CLASS
from folding.data.msa import ChainRows, chain_rows
from folding.inputs import FoldInput

BANDS = (0.9, 0.7, 0.5, 0.3, 0.0)
"""Lower ends of the bands of identity to the chain, over the columns that a row fills."""
CLUSTER_IDENTITY = 0.8
"""Rows at least as alike as this count as one sequence (AlphaFold 2, Jumper et al. 2021)."""
SAMPLED_ROWS = 600


@dataclass(frozen=True)
class ChainDepth:
    """The alignment of one chain in numbers.

    ``coverage`` counts, for each band of identity and column, the rows that fill it.
    """

    ids: tuple[str, ...]
    n_residues: int
    n_rows: int
    n_paired: int
    n_effective: float
    coverage: Int64[np.ndarray, "band column"]

    def binned(self, *, most: int = 240) -> list[list[float]]:
        """The coverage in at most so many columns, each the mean of its neighbours."""
        parts = np.array_split(self.coverage, min(most, self.n_residues), axis=1)
        bands = range(len(BANDS))
        return [[round(float(part[band].mean()), 1) for part in parts] for band in bands]


def alignment_depth(fold_input: FoldInput) -> tuple[ChainDepth, ...]:
    """The depth of every protein and RNA chain's alignment; 1 where it has none.

    Raises:
        InvalidInput: An alignment does not belong to its chain.
    """
    return tuple(
        depth_of(chain.ids, chain_rows(chain))
        for chain in fold_input.chains
        if hasattr(chain, "msa")
    )


def depth_of(ids: tuple[str, ...], rows: ChainRows) -> ChainDepth:
    """The depth of one chain's rows, those that may pair included."""
    classes = rows.unpaired.residue_class
    if rows.paired.n_rows > 1:
        classes = np.concatenate([classes, rows.paired.residue_class[1:]])
    filled = classes != GAP_CLASS
    same = ((classes == classes[0]) & filled).sum(axis=1)
    identity = same / np.maximum(filled.sum(axis=1), 1)
    band = np.searchsorted(-np.array(BANDS), -identity)
    coverage = np.stack([filled[band == number].sum(axis=0) for number in range(len(BANDS))])
    return ChainDepth(
        ids=ids,
        n_residues=classes.shape[1],
        n_rows=len(classes),
        n_paired=rows.paired.n_rows - 1,
        n_effective=effective_sequences(classes),
        coverage=coverage,
    )


def effective_sequences(
    classes: UInt8[np.ndarray, "row column"], *, most: int = SAMPLED_ROWS
) -> float:
    """Sum over rows of one over the number of rows that are like it, itself counted.

    Rows are alike if at least `CLUSTER_IDENTITY` of the columns that the first one fills agree. Of
    deep alignments an evenly spaced sample of `most` rows is compared, which is an estimate.
    """
    n_rows = len(classes)
    chosen = np.unique(np.linspace(0, n_rows - 1, min(n_rows, most)).round().astype(int))
    alike = _alike(classes[chosen])
    neighbours = alike.sum(axis=1) - 1
    scale = (n_rows - 1) / max(len(chosen) - 1, 1)
    return float(n_rows * np.mean(1.0 / (1.0 + neighbours * scale)))


def _alike(rows: UInt8[np.ndarray, "row column"]) -> Float32[np.ndarray, "row row"]:
    """1 where the second row agrees with enough of what the first one fills."""
    alike = np.zeros((len(rows), len(rows)), np.float32)
    filled = rows != GAP_CLASS
    for index, row in enumerate(rows):
        agree = ((rows == row) & filled[index]).sum(axis=1)
        alike[index] = agree >= CLUSTER_IDENTITY * max(filled[index].sum(), 1)
        alike[index, index] = 1.0
    return alike
