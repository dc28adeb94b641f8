"""How much an alignment says: its depth along the chain and its effective number of sequences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64, UInt8

from folding.chemistry.residues import GAP_CLASS
from folding.data.msa import MAX_ROWS, ChainRows, chain_rows
from folding.data.species import NO_ROW, pair_rows
from folding.inputs import FoldInput, ProteinChain, RnaChain

BANDS = (0.9, 0.7, 0.5, 0.3, 0.0)
"""Lower ends of the bands of identity to the chain, over the columns that a row fills."""
CLUSTER_IDENTITY = 0.8
"""Rows at least as alike as this count as one sequence (AlphaFold 2, Jumper et al. 2021)."""
SAMPLED_ROWS = 600


@dataclass(frozen=True)
class ChainDepth:
    """The alignment of one chain in numbers.

    ``n_rows`` are distinct ones, ``n_paired`` of them stand beside a row of another protein, and
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


def alignment_depth(
    fold_input: FoldInput, *, paired_as_own: bool = False
) -> tuple[ChainDepth, ...]:
    """The depth of every protein and RNA chain's alignment; 1 where it has none.

    Args:
        paired_as_own: As of `ReferenceStyle`; else paired rows without a partner do not count.

    Raises:
        InvalidInput: An alignment does not belong to its chain.
    """
    chains = [chain for chain in fold_input.chains if isinstance(chain, ProteinChain | RnaChain)]
    rows = [chain_rows(chain, paired_as_own=paired_as_own) for chain in chains]
    paired = _paired(rows)
    return tuple(
        depth_of(chain.ids, own, beside)
        for chain, own, beside in zip(chains, rows, paired, strict=True)
    )


def _paired(chains: Sequence[ChainRows]) -> list[UInt8[np.ndarray, "_ _"]]:
    """For each chain, those of its paired rows that stand beside a row of another protein."""
    pairs = pair_rows([chain.species for chain in chains], max_rows=MAX_ROWS // 2)[1:]
    entities = np.array([chain.entity for chain in chains])
    found = []
    for index, chain in enumerate(chains):
        others = pairs[:, entities != chain.entity]
        taken = pairs[(others != NO_ROW).any(axis=1), index]
        found.append(chain.paired.residue_class[taken[taken != NO_ROW]])
    return found


def depth_of(
    ids: tuple[str, ...], rows: ChainRows, paired: UInt8[np.ndarray, "row column"]
) -> ChainDepth:
    """The depth of one chain's rows and of those that pair, each counted once."""
    classes = _distinct(np.concatenate([rows.unpaired.residue_class, paired]))
    filled = classes != GAP_CLASS
    same = ((classes == classes[0]) & filled).sum(axis=1)
    identity = same / np.maximum(filled.sum(axis=1), 1)
    band = np.searchsorted(-np.array(BANDS), -identity)
    coverage = np.stack([filled[band == number].sum(axis=0) for number in range(len(BANDS))])
    return ChainDepth(
        ids=ids,
        n_residues=classes.shape[1],
        n_rows=len(classes),
        n_paired=len(_distinct(paired)),
        n_effective=effective_sequences(classes),
        coverage=coverage,
    )


def _distinct(rows: UInt8[np.ndarray, "row column"]) -> UInt8[np.ndarray, "kept column"]:
    """The rows that repeat none before them."""
    first: dict[bytes, int] = {}
    for index, row in enumerate(rows):
        first.setdefault(row.tobytes(), index)
    return rows[list(first.values())]


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
