"""How alike two structures of the same atoms are: RMSD, TM-score, GDT-TS, lDDT."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, Integer
from scipy.spatial import cKDTree

from folding.structure.geometry import superposition
from folding.structure.structure import Structure

GDT_CUTOFFS = (1.0, 2.0, 4.0, 8.0)
LDDT_CUTOFFS = (0.5, 1.0, 2.0, 4.0)
LDDT_RADIUS = 15.0


def _both_ways(*pairs: tuple[str, str]) -> dict[str, str]:
    return {a: b for pair in pairs for a, b in (pair, pair[::-1])}


_RING = _both_ways(("CD1", "CD2"), ("CE1", "CE2"))
SYMMETRIC_ATOMS = {
    "ARG": _both_ways(("NH1", "NH2")),
    "ASP": _both_ways(("OD1", "OD2")),
    "GLU": _both_ways(("OE1", "OE2")),
    "PHE": _RING,
    "TYR": _RING,
}
# TM-score searches from fragments of the length L, L/2, L/4 … down to 4, sliding along the chain.
_SHORTEST_FRAGMENT = 4
_MAX_FRAGMENTS = 256
_SEARCH_ROUNDS = 20

Points = Float[np.ndarray, "point 3"]


def rmsd(model: Points, native: Points, *, superpose: bool = True) -> float:
    """The root mean square distance of equivalent points, Å, by default after superposition."""
    moved = superposition(model, native).apply(model) if superpose else model
    return float(np.sqrt(np.mean(np.sum((moved - native) ** 2, axis=-1))))


def tm_d0(length: int) -> float:
    """The length scale of the TM-score, Å (Zhang & Skolnick 2004 eq. 5), at least 0.5 Å."""
    return max(1.24 * np.cbrt(length - 15) - 1.8, 0.5)


def tm_score(model: Points, native: Points, *, length: int | None = None) -> float:
    """The TM-score of residue i on residue i at the best superposition found, 0 to 1.

    The search is TM-score's own (Zhang & Skolnick 2004): from every fragment, superpose, keep the
    residues that are close, superpose these, until nothing changes. Departure: at most 256
    fragments of each length are tried, evenly spread.

    Args:
        model: CA coordinates.
        native: CA coordinates of the same residues.
        length: Residues of the whole target, which the score is normalised by; by default the
            number of points.
    """
    length = length or len(model)
    model, native = model - model.mean(axis=0), native - native.mean(axis=0)
    d0 = tm_d0(length)
    best = 0.0
    for fragments in _fragment_masks(len(model)):
        best = max(best, _search(model, native, fragments, d0=d0))
    return best / length


def _fragment_masks(n_points: int) -> list[Bool[np.ndarray, "_ point"]]:
    lengths = [n_points]
    while lengths[-1] > _SHORTEST_FRAGMENT:
        lengths.append(max(lengths[-1] // 2, _SHORTEST_FRAGMENT))
    position = np.arange(n_points)
    masks = []
    for length in lengths:
        n_starts = n_points - length + 1
        starts = np.unique(np.linspace(0, n_starts - 1, min(n_starts, _MAX_FRAGMENTS)).astype(int))
        masks.append((position >= starts[:, None]) & (position < starts[:, None] + length))
    return masks


def _search(
    model: Points, native: Points, chosen: Bool[np.ndarray, "fragment point"], *, d0: float
) -> float:
    """The best sum of TM terms, from all fragments at once."""
    reach = np.clip(d0, 4.5, 8.0)
    best = 0.0
    for round_number in range(_SEARCH_ROUNDS + 1):
        motion = superposition(model, native, weights=chosen.astype(np.float64))
        squared = np.sum((motion.apply(model[None]) - native) ** 2, axis=-1)
        best = max(best, float((1 / (1 + squared / d0**2)).sum(axis=-1).max()))
        closer = _close_points(squared, reach - 1 if round_number == 0 else reach + 1)
        moving = (closer != chosen).any(axis=-1) | (round_number == 0)
        if not moving.any():
            break
        chosen = np.unique(closer[moving], axis=0)
    return best


def _close_points(
    squared: Float[np.ndarray, "fragment point"], cutoff: float
) -> Bool[np.ndarray, "fragment point"]:
    """Points within the cutoff, which widens by half an Å until three are (as TM-score does)."""
    third = np.sqrt(np.sort(squared, axis=-1)[:, min(2, squared.shape[-1] - 1)])
    widened = cutoff + 0.5 * np.ceil(np.maximum(third - cutoff, 0) / 0.5)
    return squared <= (widened**2)[:, None] + 1e-9


def gdt_ts(model: Points, native: Points) -> float:
    """The mean fraction of residues that can be brought within 1, 2, 4 and 8 Å, 0 to 1.

    Zemla 2003. Each cutoff is searched from the same fragments as the TM-score; like every program
    for it, this finds a lower bound of the true optimum.
    """
    model, native = model - model.mean(axis=0), native - native.mean(axis=0)
    fragments = _fragment_masks(len(model))
    return float(np.mean([_largest_set(model, native, fragments, cutoff=c) for c in GDT_CUTOFFS]))


def _largest_set(
    model: Points,
    native: Points,
    fragments: list[Bool[np.ndarray, "_ point"]],
    *,
    cutoff: float,
) -> float:
    best = 0.0
    for chosen in fragments:
        for _ in range(_SEARCH_ROUNDS):
            motion = superposition(model, native, weights=chosen.astype(np.float64))
            squared = np.sum((motion.apply(model[None]) - native) ** 2, axis=-1)
            best = max(best, float((squared <= cutoff**2).mean(axis=-1).max()))
            closer = np.unique(_close_points(squared, cutoff), axis=0)
            if closer.shape == chosen.shape and (closer == chosen).all():
                break
            chosen = closer
    return best


def lddt_per_point(
    model: Points,
    native: Points,
    *,
    group: Integer[np.ndarray, " point"] | None = None,
    present: Bool[np.ndarray, " point"] | None = None,
) -> Float[np.ndarray, " point"]:
    """The local distance difference test of each point, 0 to 1; NaN where it has no neighbour.

    Mariani et al. 2013: over the native neighbours within 15 Å, the fraction of distances kept to
    within 0.5, 1, 2 and 4 Å, averaged. No superposition is involved.

    Args:
        group: Residue of each point; distances within a group do not count. By default every
            point is a group of its own (lDDT-Cα).
        present: Points known in the native structure, all by default; others count nowhere.
    """
    group = np.arange(len(native)) if group is None else group
    first, second = _neighbours(native, group=group, present=present)
    kept = _kept(model, native, first, second)
    n_neighbours = _per_point(first, second, np.ones(len(first)), n_points=len(native))
    total = _per_point(first, second, kept, n_points=len(native))
    return np.divide(total, n_neighbours, out=np.full(len(native), np.nan), where=n_neighbours > 0)


def _neighbours(
    native: Points, *, group: np.ndarray, present: np.ndarray | None
) -> tuple[Integer[np.ndarray, " pair"], Integer[np.ndarray, " pair"]]:
    known = np.arange(len(native)) if present is None else np.flatnonzero(present)
    pairs = known[cKDTree(native[known]).query_pairs(LDDT_RADIUS, output_type="ndarray")]
    apart = group[pairs[:, 0]] != group[pairs[:, 1]]
    return pairs[apart, 0], pairs[apart, 1]


def _kept(
    model: Points, native: Points, first: np.ndarray, second: np.ndarray
) -> Float[np.ndarray, " pair"]:
    """The fraction of the four cutoffs that the distance of each pair keeps to."""
    true = np.linalg.norm(native[first] - native[second], axis=-1)
    error = np.abs(np.linalg.norm(model[first] - model[second], axis=-1) - true)
    return np.mean([error < cutoff for cutoff in LDDT_CUTOFFS], axis=0)


def _per_point(
    first: np.ndarray, second: np.ndarray, values: np.ndarray, *, n_points: int
) -> Float[np.ndarray, " point"]:
    total = np.bincount(first, values, n_points) + np.bincount(second, values, n_points)
    return total.astype(np.float64)  # bincount of nothing counts in integers


def lddt_ca(model: Points, native: Points) -> float:
    """The mean lDDT of CA atoms, 0 to 1; NaN where no two of them are within 15 Å."""
    return _mean_known(lddt_per_point(model, native))


def lddt_all_atom(model: Structure, native: Structure, *, symmetric: bool = True) -> float:
    """The mean lDDT of all atoms that both structures have, 0 to 1.

    Atoms are matched by chain, residue number and name. Each residue's score is the mean of its
    atoms', the result is the mean over residues.

    Args:
        symmetric: Lets atoms that only their names tell apart (OD1 and OD2 of Asp, the rings of Phe
            and Tyr …) swap names in the model where that fits better. CG1 and CG2 of Val or CD1
            and CD2 of Leu never swap: they differ in chirality.
    """
    rows, columns = matched_atoms(model, native)
    known = native.select(np.isin(np.arange(native.n_atoms), columns))
    points = model.coordinates[rows[np.argsort(columns)]].astype(np.float64)
    true = known.coordinates.astype(np.float64)
    residue = np.searchsorted(known.residue_starts, np.arange(known.n_atoms), side="right") - 1
    if symmetric:
        points = best_naming(points, known, residue=residue)
    scores = lddt_per_point(points, true, group=residue)
    means = [_mean_known(scores[residue == i]) for i in range(residue[-1] + 1)]
    return _mean_known(np.array(means))


def matched_atoms(
    a: Structure, b: Structure
) -> tuple[Integer[np.ndarray, " pair"], Integer[np.ndarray, " pair"]]:
    """Indices, into each structure, of the atoms that both have."""
    in_b = {key: index for index, key in enumerate(_atom_keys(b))}
    pairs = [(i, in_b[key]) for i, key in enumerate(_atom_keys(a)) if key in in_b]
    rows, columns = np.array(pairs, dtype=int).reshape(-1, 2).T
    return rows, columns


def _atom_keys(structure: Structure) -> Iterable[tuple[str, int, str]]:
    return zip(
        structure.chain_id.tolist(),
        structure.residue_number.tolist(),
        structure.atom_name.tolist(),
        strict=True,
    )


def best_naming(points: Points, native: Structure, *, residue: np.ndarray) -> Points:
    """The model's points with symmetric atoms of a residue swapped where lDDT is better for it.

    Judged, as in Mariani et al. 2013, on distances to atoms whose names are certain.
    """
    partner = _symmetric_partners(native, residue=residue)
    ambiguous = partner != np.arange(len(partner))
    true = native.coordinates.astype(np.float64)
    first, second = _neighbours(true, group=residue, present=None)
    mixed = ambiguous[first] != ambiguous[second]
    first, second = first[mixed], second[mixed]
    owner = residue[np.where(ambiguous[first], first, second)]
    swapped = points[partner]
    gain = np.bincount(
        owner,
        _kept(swapped, true, first, second) - _kept(points, true, first, second),
        residue[-1] + 1,
    )
    return np.where((gain > 0)[residue][:, None], swapped, points)


def _symmetric_partners(native: Structure, *, residue: np.ndarray) -> Integer[np.ndarray, " atom"]:
    index = {
        (r, name): i for i, (r, name) in enumerate(zip(residue, native.atom_name, strict=True))
    }
    partner = np.arange(native.n_atoms)
    for i, (r, residue_name, atom_name) in enumerate(
        zip(residue, native.residue_name.tolist(), native.atom_name.tolist(), strict=True)
    ):
        other = SYMMETRIC_ATOMS.get(residue_name, {}).get(atom_name)
        partner[i] = index.get((r, other), i)
    return partner


def _mean_known(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
