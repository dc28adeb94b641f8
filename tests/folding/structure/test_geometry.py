"""Rigid motions and torsion angles: properties, and parity with biotite."""

import numpy as np
import pytest
from biotite.structure import AtomArray, dihedral_backbone, dihedral_side_chain, superimpose
from hypothesis import given
from hypothesis import strategies as st

from folding.structure.geometry import (
    RigidMotion,
    backbone_torsions,
    dihedral,
    distances,
    residue_atom,
    side_chain_torsions,
    superposition,
)
from folding.structure.structure import Structure
from tests.folding.examples import ca, dimer, structure

SEEDS = st.integers(0, 2**32 - 1)


def random_motion(generator: np.random.Generator) -> RigidMotion:
    q, r = np.linalg.qr(generator.normal(size=(3, 3)))
    q = q * np.sign(np.diagonal(r))
    if np.linalg.det(q) < 0:
        q[:, 0] = -q[:, 0]
    return RigidMotion(q, generator.normal(scale=50, size=3))


def atom_array(structure_: Structure) -> AtomArray:
    """The same atoms as biotite has them."""
    atoms = AtomArray(structure_.n_atoms)
    atoms.coord = structure_.coordinates
    atoms.chain_id = structure_.chain_id
    atoms.res_id = structure_.residue_number
    atoms.res_name = structure_.residue_name
    atoms.atom_name = structure_.atom_name
    atoms.element = structure_.element
    return atoms


@given(SEEDS, st.integers(3, 30))
def test_superposition_undoes_a_rigid_motion(seed, n_points):
    generator = np.random.default_rng(seed)
    points = generator.normal(scale=10, size=(n_points, 3))
    motion = random_motion(generator)
    found = superposition(motion.apply(points), points)
    np.testing.assert_allclose(found.apply(motion.apply(points)), points, atol=1e-6)
    np.testing.assert_allclose(found.rotation @ motion.rotation, np.eye(3), atol=1e-6)


@given(SEEDS)
def test_a_superposition_is_a_proper_rotation(seed):
    generator = np.random.default_rng(seed)
    found = superposition(generator.normal(size=(6, 3)), generator.normal(size=(6, 3)))
    np.testing.assert_allclose(found.rotation @ found.rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_a_mirror_image_does_not_fit():
    points = ca("1l2y")
    mirrored = points * [1, 1, -1]
    off = superposition(mirrored, points).apply(mirrored) - points
    assert np.sqrt(np.mean(np.sum(off**2, axis=-1))) > 3


def test_superposition_is_biotites():
    # Parity with biotite 1.6.0 (float32 coordinates there): 1e-4 Å.
    target = ca("1pga")
    mobile = random_motion(np.random.default_rng(0)).apply(target)
    mobile += np.random.default_rng(1).normal(scale=1.5, size=mobile.shape)
    fitted, _ = superimpose(target, mobile)
    np.testing.assert_allclose(superposition(mobile, target).apply(mobile), fitted, atol=1e-4)


def test_no_rotation_fits_better():
    generator = np.random.default_rng(3)
    target = generator.normal(size=(10, 3))
    mobile = generator.normal(size=(10, 3))
    best = np.sum((superposition(mobile, target).apply(mobile) - target) ** 2)
    centred, aim = mobile - mobile.mean(axis=0), target - target.mean(axis=0)
    for _ in range(200):
        moved = centred @ random_motion(generator).rotation.T
        assert np.sum((moved - aim) ** 2) >= best - 1e-9


def test_a_batch_of_weights_gives_a_batch_of_motions():
    generator = np.random.default_rng(4)
    mobile, target = generator.normal(size=(2, 8, 3))
    weights = generator.random((5, 8))
    batch = superposition(mobile, target, weights=weights)
    assert batch.rotation.shape == (5, 3, 3)
    for row in range(5):
        single = superposition(mobile, target, weights=weights[row])
        np.testing.assert_allclose(batch.rotation[row], single.rotation, atol=1e-9)
        np.testing.assert_allclose(batch.apply(mobile[None])[row], single.apply(mobile), atol=1e-9)


def test_points_without_weight_do_not_matter():
    generator = np.random.default_rng(5)
    target = generator.normal(size=(8, 3))
    mobile = random_motion(generator).apply(target)
    mobile[6:] += 100
    weights = np.array([1.0] * 6 + [0.0] * 2)
    fitted = superposition(mobile, target, weights=weights).apply(mobile)
    np.testing.assert_allclose(fitted[:6], target[:6], atol=1e-6)


def test_distances():
    a = np.array([[0.0, 0, 0], [3, 4, 0]])
    np.testing.assert_allclose(distances(a, a), [[0, 5], [5, 0]])


@pytest.mark.parametrize("degrees", [-179.0, -60.0, 0.0, 45.0, 90.0, 120.0, 180.0])
def test_a_dihedral_has_the_iupac_sign(degrees):
    # Looking along b-c, the far bond is turned clockwise by a positive angle.
    angle = np.radians(degrees)
    a, b, c = np.array([[1.0, 0, 0], [0, 0, 0], [0, 0, 1]])
    d = np.array([np.cos(angle), np.sin(angle), 1.0])
    assert np.degrees(dihedral(a, b, c, d)) == pytest.approx(degrees)


@given(SEEDS)
def test_dihedrals_do_not_change_with_a_rigid_motion_and_flip_with_a_mirror(seed):
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(4, 3))
    angle = dihedral(*points)
    assert dihedral(*random_motion(generator).apply(points)) == pytest.approx(angle, abs=1e-6)
    assert dihedral(*(points * [1, 1, -1])) == pytest.approx(-angle, abs=1e-6)


@pytest.mark.parametrize("pdb_id", ["1l2y", "1pga", "1crn"])
def test_backbone_torsions_are_biotites(pdb_id):
    # Parity with biotite 1.6.0, whose omega is about the bond to the residue after: 1e-5 rad.
    phi, psi, omega = dihedral_backbone(atom_array(structure(pdb_id)))
    found = backbone_torsions(structure(pdb_id))
    np.testing.assert_allclose(found.phi, phi, atol=1e-5)
    np.testing.assert_allclose(found.psi, psi, atol=1e-5)
    turn = found.omega[1:] - omega[:-1]
    np.testing.assert_allclose(np.cos(turn), 1, atol=1e-5)


@pytest.mark.parametrize("pdb_id", ["1l2y", "1pga", "1crn"])
def test_side_chain_torsions_are_biotites(pdb_id):
    # Parity with biotite 1.6.0: 1e-5 rad.
    theirs = dihedral_side_chain(atom_array(structure(pdb_id)))
    ours = side_chain_torsions(structure(pdb_id))
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    turn = (ours - theirs)[~np.isnan(ours)]
    np.testing.assert_allclose(np.cos(turn), 1, atol=1e-5)


def test_torsions_end_where_a_chain_ends_or_breaks():
    torsions = backbone_torsions(dimer())
    assert np.flatnonzero(np.isnan(torsions.phi)).tolist() == [0, 20]
    assert np.flatnonzero(np.isnan(torsions.psi)).tolist() == [19, 39]
    gapped = structure("1l2y").select(structure("1l2y").residue_number != 10)
    assert np.flatnonzero(np.isnan(backbone_torsions(gapped).phi)).tolist() == [0, 9]


def test_an_atom_that_a_residue_lacks_is_nan():
    cb = residue_atom(structure("1l2y"), "CB")
    missing = [i for i, letter in enumerate("NLYIQWLKDGGPSSGRPPPS") if letter == "G"]
    assert np.flatnonzero(np.isnan(cb[:, 0])).tolist() == missing
