"""Scores of likeness: their properties, and parity with second programs."""

import numpy as np
import pytest
import tmtools
from biotite.structure import lddt as biotite_lddt
from hypothesis import given, settings
from hypothesis import strategies as st

from folding.structure.metrics import (
    best_naming,
    gdt_ts,
    lddt_all_atom,
    lddt_ca,
    lddt_per_point,
    matched_atoms,
    rmsd,
    tm_d0,
    tm_score,
)
from folding.structure.structure import Structure
from tests.folding.examples import PROTEIN_G, ca, dimer, structure
from tests.folding.structure.test_geometry import atom_array, random_motion

SEEDS = st.integers(0, 2**32 - 1)


def noisy(points: np.ndarray, scale: float, *, seed: int = 0) -> np.ndarray:
    return points + np.random.default_rng(seed).normal(scale=scale, size=points.shape)


def bent(points: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """The chain turned rigidly at its middle."""
    half = len(points) // 2
    rotation = random_motion(np.random.default_rng(seed)).rotation
    turned = (points[half:] - points[half]) @ rotation.T + points[half]
    return np.concatenate([points[:half], turned])


def drifted(points: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Errors that add up along the chain."""
    steps = np.random.default_rng(seed).normal(scale=0.4, size=points.shape)
    return points + np.cumsum(steps, axis=0)


@given(SEEDS)
@settings(max_examples=15)
def test_scores_do_not_change_with_a_rigid_motion(seed):
    generator = np.random.default_rng(seed)
    native = ca("1l2y")
    model = noisy(native, 1.0, seed=seed)
    moved = random_motion(generator).apply(model)
    for score in (rmsd, tm_score, gdt_ts, lddt_ca):
        assert score(moved, native) == pytest.approx(score(model, native), abs=1e-6)


def test_a_structure_is_like_itself():
    native = ca("1pga")
    assert rmsd(native, native) == pytest.approx(0, abs=1e-6)
    assert tm_score(native, native) == pytest.approx(1)
    assert gdt_ts(native, native) == 1
    assert lddt_ca(native, native) == 1


def test_a_mirror_image_is_seen_by_all_but_lddt():
    native = ca("1pga")
    mirrored = native * [1, 1, -1]
    assert rmsd(mirrored, native) > 5
    assert tm_score(mirrored, native) < 0.5
    assert gdt_ts(mirrored, native) < 0.6
    assert lddt_ca(mirrored, native) == pytest.approx(1)


def test_more_noise_is_less_alike():
    native = ca("1pga")
    models = [noisy(native, scale) for scale in (0.2, 0.5, 1.0, 2.0, 4.0)]
    for score in (tm_score, gdt_ts, lddt_ca):
        values = [score(model, native) for model in models]
        assert values == sorted(values, reverse=True)
        assert 0 < values[-1] < 0.6
        assert values[0] > 0.95


def test_rmsd_of_a_known_shift():
    native = ca("1l2y")
    assert rmsd(native + np.array([3.0, 4.0, 0.0]), native, superpose=False) == pytest.approx(5)
    assert rmsd(native + np.array([3.0, 4.0, 0.0]), native) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("length", "d0"), [(10, 0.5), (20, 0.5), (50, 2.2561), (100, 3.6521), (200, 5.2655)]
)
def test_the_scale_of_the_tm_score(length, d0):
    # 1.24 (L - 15)^(1/3) - 1.8, as published, and never below 0.5 Å.
    assert tm_d0(length) == pytest.approx(d0, abs=1e-3)


def test_the_tm_score_is_at_least_that_of_the_given_place():
    # Every other residue is d0 off where it stands, and counts 1 / (1 + 1) there.
    native = ca("1pga")
    d0 = tm_d0(len(native))
    direction = np.array([1.0, 0.0, 0.0])
    model = native.copy()
    model[::2] += direction * d0
    assert tm_score(model, native) >= 0.5 + 0.5 * 0.5 - 1e-9


def test_a_part_is_scored_against_the_whole():
    native = ca("1pga")
    assert tm_score(native[:28], native[:28], length=56) == pytest.approx(0.5)


@pytest.mark.parametrize("disturb", [bent, drifted, lambda p: noisy(p, 1.5)])
@pytest.mark.parametrize("pdb_id", ["1pga", "1crn"])
def test_the_tm_score_is_tm_aligns(pdb_id, disturb):
    # Parity with TM-align (tmtools 0.3.0). It may choose another alignment than residue i on i, so
    # what is compared is the score of i on i under its superposition: ours is the best of all
    # superpositions, hence no lower (0.002 for the search), and no higher than its own score
    # where its alignment is the better one (0.03, as it searches less).
    native = ca(pdb_id)
    model = disturb(native)
    sequence = "A" * len(native)
    theirs = tmtools.tm_align(model, native, sequence, sequence)
    off = model @ theirs.u.T + theirs.t - native
    at_their_place = np.mean(1 / (1 + np.sum(off**2, axis=-1) / tm_d0(len(native)) ** 2))
    ours = tm_score(model, native)
    assert at_their_place - 0.002 <= ours <= theirs.tm_norm_chain2 + 0.03


def test_the_tm_score_of_a_near_native_model_is_tm_aligns():
    # Where both align i on i, the scores agree to 1e-3.
    native = ca("1pga")
    model = drifted(native, seed=2)
    theirs = tmtools.tm_align(model, native, PROTEIN_G, PROTEIN_G)
    assert theirs.tm_norm_chain2 > 0.6
    assert tm_score(model, native) == pytest.approx(theirs.tm_norm_chain2, abs=1e-3)


def test_a_bent_chain_keeps_half():
    native = ca("1pga")
    assert 0.45 < gdt_ts(bent(native), native) < 0.75
    assert 0.45 < tm_score(bent(native), native) < 0.75
    assert rmsd(bent(native), native) > 5
    assert 0.5 < lddt_ca(bent(native), native) < 0.75


def test_gdt_counts_what_fits_exactly():
    native = ca("1pga")
    model = native.copy()
    model[:14] += [[100.0 * i, 0, 0] for i in range(1, 15)]
    assert gdt_ts(model, native) == pytest.approx(42 / 56, abs=0.02)


@pytest.mark.parametrize("pdb_id", ["1l2y", "1pga", "1crn"])
@pytest.mark.parametrize("scale", [0.3, 1.0, 3.0])
def test_lddt_is_biotites(pdb_id, scale):
    # Parity with biotite 1.6.0, all atoms and CA alone: 1e-6.
    native = structure(pdb_id)
    model = native.with_coordinates(noisy(native.coordinates, scale).astype(np.float32))
    residue = np.repeat(
        np.arange(native.n_tokens), np.diff(np.append(native.residue_starts, native.n_atoms))
    )
    ours = lddt_per_point(
        model.coordinates.astype(float), native.coordinates.astype(float), group=residue
    )
    theirs = biotite_lddt(atom_array(native), atom_array(model), aggregation="atom")
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    is_ca = native.atom_name == "CA"
    theirs = biotite_lddt(atom_array(native)[is_ca], atom_array(model)[is_ca])
    ours = lddt_per_point(model.coordinates[is_ca].astype(float), ca(pdb_id))
    # biotite's total weighs every pair alike, ours every residue.
    pairs = (np.linalg.norm(ca(pdb_id)[:, None] - ca(pdb_id), axis=-1) < 15).sum(axis=1) - 1
    assert np.average(ours, weights=pairs) == pytest.approx(theirs, abs=1e-6)


def test_lddt_without_neighbours_is_unknown():
    far = np.arange(3)[:, None] * np.array([100.0, 0, 0])
    assert np.isnan(lddt_per_point(far, far)).all()
    assert np.isnan(lddt_ca(far, far))


def test_points_that_are_not_known_count_nowhere():
    native = ca("1pga")
    model = native.copy()
    model[10:20] += 50.0
    present = np.ones(len(native), dtype=bool)
    present[10:20] = False
    scores = lddt_per_point(model, native, present=present)
    assert np.isnan(scores[10:20]).all()
    assert (scores[present] == 1).all()


def swapped(native: Structure, residue_name: str, *pairs: tuple[str, str]) -> Structure:
    """The coordinates of atoms exchanged in every residue of that name."""
    coordinates = native.coordinates.copy()
    for first, second in pairs:
        a = np.flatnonzero((native.residue_name == residue_name) & (native.atom_name == first))
        b = np.flatnonzero((native.residue_name == residue_name) & (native.atom_name == second))
        coordinates[a], coordinates[b] = native.coordinates[b], native.coordinates[a]
    return native.with_coordinates(coordinates)


@pytest.mark.parametrize(
    ("residue_name", "pairs"),
    [
        ("ASP", [("OD1", "OD2")]),
        ("GLU", [("OE1", "OE2")]),
        ("TYR", [("CD1", "CD2"), ("CE1", "CE2")]),
        ("PHE", [("CD1", "CD2"), ("CE1", "CE2")]),
    ],
)
def test_names_of_symmetric_atoms_do_not_matter(residue_name, pairs):
    native = structure("1pga")
    model = swapped(native, residue_name, *pairs)
    assert lddt_all_atom(model, native, symmetric=False) < 0.999
    assert lddt_all_atom(model, native) == pytest.approx(1)


def test_chirality_does_matter():
    native = structure("1pga")
    model = swapped(native, "VAL", ("CG1", "CG2"))
    assert lddt_all_atom(model, native) < 0.999
    assert lddt_all_atom(model, native) == lddt_all_atom(model, native, symmetric=False)


def test_naming_leaves_the_rest_alone():
    native = structure("1pga")
    model = swapped(native, "ASP", ("OD1", "OD2"))
    residue = native.residue_number - 1
    points = best_naming(model.coordinates.astype(float), native, residue=residue)
    np.testing.assert_allclose(points, native.coordinates, atol=1e-6)


def test_atoms_that_one_structure_lacks_are_left_out():
    native = structure("1pga")
    model = native.select(~np.isin(native.atom_name, ["CB", "O"]))
    rows, columns = matched_atoms(model, native)
    assert model.atom_name[rows].tolist() == native.atom_name[columns].tolist()
    assert len(rows) == model.n_atoms
    assert lddt_all_atom(model, native) == pytest.approx(1)
    assert lddt_all_atom(native, model) == pytest.approx(1)


def test_the_place_of_chains_counts():
    assert lddt_all_atom(dimer(10.0), dimer(10.0)) == 1
    assert lddt_all_atom(dimer(20.0), dimer(10.0)) < 0.95
