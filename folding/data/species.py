"""Which rows of different chains belong together: pairing by species (AF3 SI section 2.2).

Rows of one species pair in the order in which each alignment lists them; species that more chains
have come first, and within those the rows that stand nearest to the top of their alignments.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int64

MAX_ROWS_PER_SPECIES = 600
NO_ROW = -1
"""Stands where a chain has no row of the species: gaps."""


def pair_rows(
    species: Sequence[Sequence[str]], *, max_rows: int, max_per_species: int = MAX_ROWS_PER_SPECIES
) -> Int64[np.ndarray, "row chain"]:
    """Which row of each chain's alignment stands in each row of the pairing; the queries first.

    `NO_ROW` stands where a chain has no row of that species. Species that a single chain has
    pair with nothing and are left out.

    Args:
        species: For each chain, the species of each row; "" for rows that do not pair.
    """
    rows_of = [_grouped(names) for names in species]
    n_chains_of: dict[str, int] = {}
    for groups in rows_of:
        for name in groups:
            n_chains_of[name] = n_chains_of.get(name, 0) + 1
    parts = [np.zeros((1, len(species)), np.int64)]
    for n_chains in sorted({n for n in n_chains_of.values() if n > 1}, reverse=True):
        blocks = [
            _block(name, rows_of, max_per_species)
            for name, n in n_chains_of.items()
            if n == n_chains
        ]
        parts.append(_by_rank(np.concatenate(blocks)))
    return np.concatenate(parts)[:max_rows]


def _grouped(names: Sequence[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name:
            rows.setdefault(name, []).append(row)
    return rows


def _block(
    name: str, rows_of: Sequence[Mapping[str, Sequence[int]]], most: int
) -> Int64[np.ndarray, "row chain"]:
    """The rows of one species side by side, as many as its poorest chain has."""
    depth = min(most, *(len(rows[name]) for rows in rows_of if name in rows))
    columns = [rows.get(name, [NO_ROW] * depth)[:depth] for rows in rows_of]
    return np.array(columns, dtype=np.int64).T


def _by_rank(rows: Int64[np.ndarray, "row chain"]) -> Int64[np.ndarray, "row chain"]:
    """The rows with the smallest product of places first."""
    with np.errstate(divide="ignore"):
        rank = np.log(np.abs(rows).astype(np.float64)).sum(axis=1)
    return rows[np.argsort(rank, kind="stable")]
