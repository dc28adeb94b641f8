"""The measures beside their definitions and beside other programs, where data is awkward."""

import gemmi
import numpy as np
import pytest
from biotite.structure import rmsd as biotite_rmsd
from biotite.structure import superimpose
from biotite.structure import tm_score as biotite_tm_score
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from scipy.spatial.transform import Rotation

from folding.structure.clashes import _RADII, clashes
from folding.structure.composition import proteins_alone
from folding.structure.geometry import (
    dihedral,
    side_chain_torsions,
    superposition,
)
from folding.structure.metrics import (
    gdt_ts,
    lddt_all_atom,
    lddt_ca,
    lddt_per_point,
    rmsd,
    tm_score,
)
from folding.structure.secondary import hydrogen_bonds, secondary_structure
from folding.structure.validation import (
    CLASH_DISTANCE,
    clashing_atoms,
    consecutive_ca_distances,
    fraction_chain_like,
    has_clash,
)
from tests.folding.examples import ca, joined, moved, structure
from tests.folding.structure.by_definition import (
    clashing_pairs,
    hydrogen_bonded,
    kabsch_sander,
    largest_set,
    residues_of,
)
from tests.folding.structure.test_geometry import atom_array, random_motion

SEEDS = st.integers(0, 2**32 - 1)


def without(structure_, *numbers):
    """The structure with residues left out, as an experiment leaves loops out."""
    return structure_.select(~np.isin(structure_.residue_number, numbers))


def without_atom(structure_, number, name):
    gone = (structure_.residue_number == number) & (structure_.atom_name == name)
    return structure_.select(~gone)


def shaken(structure_, scale, *, seed=0):
    noise = np.random.default_rng(seed).normal(scale=scale, size=structure_.coordinates.shape)
    return structure_.with_coordinates((structure_.coordinates + noise).astype(np.float32))


# Superposition ----------------------------------------------------------------------------------


@given(SEEDS, st.integers(4, 20))
@settings(max_examples=20)
def test_superposition_is_gemmis(seed, n):
    generator = np.random.default_rng(seed)
    mobile, target = generator.normal(scale=10, size=(2, n, 3))
    theirs = gemmi.superpose_positions(
        [gemmi.Position(*p) for p in target], [gemmi.Position(*p) for p in mobile]
    )
    ours = superposition(mobile, target)
    expected = [theirs.transform.apply(gemmi.Position(*p)).tolist() for p in mobile]
    np.testing.assert_allclose(ours.apply(mobile), expected, atol=1e-5)
    assert rmsd(mobile, target) == pytest.approx(theirs.rmsd, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_points_have_a_superposition(n):
    generator = np.random.default_rng(0)
    mobile = generator.normal(size=(n, 3))
    target = random_motion(generator).apply(mobile)
    found = superposition(mobile, target)
    np.testing.assert_allclose(found.apply(mobile), target, atol=1e-6)
    assert np.linalg.det(found.rotation) == pytest.approx(1)


@pytest.mark.parametrize("line", [True, False], ids=["line", "plane"])
def test_points_on_a_line_or_plane_are_turned_not_mirrored(line):
    generator = np.random.default_rng(1)
    mobile = generator.normal(size=(6, 3)) * [1, 0 if line else 1, 0]
    motion = random_motion(generator)
    found = superposition(mobile, motion.apply(mobile))
    np.testing.assert_allclose(found.apply(mobile), motion.apply(mobile), atol=1e-6)
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_far_from_the_origin_nothing_is_lost():
    native = ca("1pga")
    far = native + 1e5
    assert rmsd(far + 0.0, native) == pytest.approx(0, abs=1e-4)
    assert tm_score(far, native) == pytest.approx(1, abs=1e-6)


def test_rmsd_is_biotites():
    native = structure("1crn")
    model = shaken(native, 1.5)
    fitted, _ = superimpose(atom_array(native), atom_array(model))
    expected = biotite_rmsd(atom_array(native), fitted)
    found = rmsd(model.coordinates.astype(float), native.coordinates.astype(float))
    assert found == pytest.approx(expected, abs=1e-4)
    unmoved = rmsd(
        model.coordinates.astype(float), native.coordinates.astype(float), superpose=False
    )
    assert unmoved == pytest.approx(biotite_rmsd(atom_array(native), atom_array(model)), abs=1e-4)


# Scores -----------------------------------------------------------------------------------------


@given(SEEDS)
@settings(max_examples=10)
def test_scores_of_points_do_not_depend_on_their_order(seed):
    native = ca("1l2y")
    generator = np.random.default_rng(seed)
    model = native + generator.normal(scale=1.5, size=native.shape)
    order = generator.permutation(len(native))
    for score in (rmsd, lddt_ca):
        assert score(model[order], native[order]) == pytest.approx(score(model, native))
    each = lddt_per_point(model, native)
    np.testing.assert_allclose(lddt_per_point(model[order], native[order]), each[order])


@pytest.mark.parametrize("seed", range(4))
def test_gdt_finds_nearly_all_that_an_exhaustive_search_finds(seed):
    generator = np.random.default_rng(seed)
    native = np.cumsum(generator.normal(scale=2.2, size=(7, 3)), axis=0)
    model = native + generator.normal(scale=1.5, size=native.shape)
    model[5:] += [6.0, 0.0, 0.0]
    best = np.mean([largest_set(model, native, cutoff) for cutoff in (1.0, 2.0, 4.0, 8.0)])
    found = gdt_ts(model, native)
    assert found <= best + 1e-9
    assert found >= best - 2 / 28, "two residues less in one of four cutoffs at most"


@pytest.mark.parametrize("seed", range(3))
def test_the_tm_score_is_at_least_that_of_the_superposition_of_all(seed):
    # biotite scores a given place; ours must find one that is no worse than the best RMSD's.
    native = structure("1pga")
    ca_native = native.select(native.atom_name == "CA")
    model = shaken(ca_native, 2.0, seed=seed)
    reference, subject = atom_array(ca_native), atom_array(model)
    fitted, _ = superimpose(reference, subject)
    index = np.arange(len(reference))
    theirs = biotite_tm_score(reference, fitted, index, index, reference_length=len(reference))
    ours = tm_score(model.coordinates.astype(float), ca_native.coordinates.astype(float))
    assert theirs <= ours + 1e-6
    assert ours == pytest.approx(theirs, abs=0.1)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_shortest_chains_have_scores(n):
    native = ca("1l2y")[:n]
    assert tm_score(native + 3.0, native) == pytest.approx(1)
    assert gdt_ts(native + 3.0, native) == 1
    assert rmsd(native + 3.0, native) == pytest.approx(0, abs=1e-9)


def test_a_domain_that_moved_keeps_its_lddt_and_loses_its_rmsd():
    native = ca("1pga")
    model = native.copy()
    model[28:] += [40.0, 0.0, 0.0]
    assert rmsd(model, native) > 10
    assert tm_score(model, native) >= 0.45
    inside = lddt_per_point(model, native)
    kept = [
        np.mean([(np.linalg.norm(native[k] - native[same], axis=1) < 15).sum() - 1])
        / ((np.linalg.norm(native[k] - native, axis=1) < 15).sum() - 1)
        for k, same in enumerate([range(28)] * 28 + [range(28, 56)] * 28)
    ]
    np.testing.assert_allclose(inside, kept, atol=1e-9)


def test_the_score_of_all_atoms_leaves_out_what_either_lacks():
    native = structure("1crn")
    holey = without_atom(without(native, 5, 6), 20, "CA")
    assert lddt_all_atom(holey, native) == pytest.approx(1)
    assert lddt_all_atom(native, holey) == pytest.approx(1)
    worse = shaken(native, 1.0)
    both = (worse.select(np.isin(worse.residue_number, [5, 6], invert=True)), holey)
    assert lddt_all_atom(*both) == pytest.approx(lddt_all_atom(worse, holey), abs=1e-9)


def test_the_score_of_all_atoms_counts_residues_alike():
    # Tryptophan with one atom per cent wrong weighs no more than alanine: here one of two residues
    # of a pair is right in no distance at all, whatever its size.
    native = structure("1l2y")
    broken = native.coordinates.copy()
    trp = (native.residue_name == "TRP") & ~np.isin(native.atom_name, ["N", "CA", "C", "O"])
    broken[trp] += 100.0
    side = lddt_all_atom(native.with_coordinates(broken), native)
    gly = native.coordinates.copy()
    chosen = native.residue_number == 10  # glycine
    gly[chosen] += 100.0
    whole = lddt_all_atom(native.with_coordinates(gly), native)
    assert side < 0.97
    assert whole < 0.97
    assert side < whole, "the indole touches more neighbours than the glycine"


# Secondary structure ----------------------------------------------------------------------------


def two_strands():
    """Protein G cut into its first hairpin and the rest, as two chains."""
    one = structure("1pga")
    left, right = (one.select(mask) for mask in (one.residue_number <= 20, one.residue_number > 20))
    return joined(left, right)


AWKWARD = {
    "1crn": lambda: structure("1crn"),
    "1l2y": lambda: structure("1l2y"),
    "1pga": lambda: structure("1pga"),
    "two chains": two_strands,
    "a gap in the helix": lambda: without(structure("1pga"), 29, 30),
    "a gap in a strand": lambda: without(structure("1pga"), 4),
    "no oxygen": lambda: without_atom(structure("1pga"), 26, "O"),
    "no nitrogen": lambda: without_atom(structure("1pga"), 30, "N"),
    "shaken": lambda: shaken(structure("1pga"), 0.35),
    "a mirror image": lambda: structure("1pga").with_coordinates(-structure("1pga").coordinates),
    "two chains that overlap": lambda: joined(
        structure("1l2y"), moved(structure("1l2y"), (1.5, 0.0, 4.7))
    ),
}


@pytest.mark.parametrize("name", AWKWARD)
def test_secondary_structure_is_that_of_the_definition(name):
    given_ = AWKWARD[name]()
    assert secondary_structure(given_) == kabsch_sander(given_)


def test_hydrogen_bonds_are_those_of_the_definition():
    given_ = joined(structure("1l2y"), moved(structure("1l2y"), (1.5, 0.0, 4.7)))
    residues = residues_of(given_)
    n = len(residues)
    expected = [[hydrogen_bonded(residues, i, j) for j in range(n)] for i in range(n)]
    assert hydrogen_bonds(given_).tolist() == expected


def test_the_end_of_a_chain_can_bond_the_beginning_of_the_next():
    # The last residue of chain A and the first of chain B are neighbours in the file, not in space.
    one = structure("1l2y")
    a, b = one.select(one.residue_number <= 10), one.select(one.residue_number > 10)
    together = joined(b, a)  # B first: residue 20 stands before residue 1 of the other chain
    residues = residues_of(together)
    place = together.coordinates.copy()
    acceptor, donor = residues[9], residues[11]
    before = residues[10]
    direction = before["C"] - before["O"]
    direction /= np.linalg.norm(direction)
    wanted = donor["N"] + 2.9 * direction
    chain = together.chain_id == "A"
    place[chain] += (wanted - acceptor["O"]).astype(np.float32)
    found = together.with_coordinates(place)
    expected = hydrogen_bonded(residues_of(found), 9, 11)
    assert hydrogen_bonds(found)[9, 11] == expected


def test_a_turn_does_not_span_a_gap():
    # Residues 28 and 32 of the helix of protein G are bonded; renumbered, they are not neighbours.
    one = structure("1pga")
    number = one.residue_number.copy()
    number[number > 29] += 50
    broken = type(one)(**{**vars(one), "residue_number": number})
    whole = secondary_structure(one)
    found = secondary_structure(broken)
    assert whole[24:36] == "H" * 12
    assert found == kabsch_sander(broken)
    assert found[24:36].count("H") < 12


@given(SEEDS)
@settings(max_examples=5)
def test_secondary_structure_does_not_depend_on_where_it_lies(seed):
    one = structure("1pga")
    turned = random_motion(np.random.default_rng(seed)).apply(one.coordinates)
    assert secondary_structure(one.with_coordinates(turned.astype(np.float32))) == (
        secondary_structure(one)
    )


# Clashes ----------------------------------------------------------------------------------------


def test_radii_are_bondis_as_rdkit_or_gemmi_have_them():
    table = Chem.GetPeriodicTable()
    for symbol, radius in _RADII.items():
        others = (gemmi.Element(symbol).vdw_r, table.GetRvdw(symbol.title()))
        assert any(radius == pytest.approx(other, abs=0.051) for other in others), symbol


@pytest.mark.parametrize("shift", [1.0, 2.5, 4.0])
def test_clashes_are_those_of_the_definition(shift):
    one = structure("1l2y")
    both = joined(one, moved(one, (shift, 0.5, 0.0)))
    found = clashes(both, proteins_alone(both))
    expected = clashing_pairs(both, lambda element: _RADII[element], share=0.75)
    names = [
        f"{c}/{n}/{a}"
        for c, n, a in zip(both.chain_id, both.residue_number, both.atom_name, strict=True)
    ]
    assert {frozenset((clash.first, clash.second)) for clash in found} == {
        frozenset(names[i] for i in pair) for pair in expected
    }
    assert found


@given(SEEDS)
@settings(max_examples=5)
def test_clashes_do_not_depend_on_where_the_structure_lies(seed):
    one = structure("1l2y")
    both = joined(one, moved(one, (3.0, 0.0, 0.0)))
    turned = both.with_coordinates(
        random_motion(np.random.default_rng(seed)).apply(both.coordinates).astype(np.float32)
    )
    here, there = (clashes(given_, proteins_alone(both)) for given_ in (both, turned))
    pairs = [
        {(c.first, c.second) for c in found if c.distance < c.limit - 0.01}
        for found in (here, there)
    ]
    assert pairs[0] == pairs[1]


@pytest.mark.parametrize("seed", range(3))
def test_atoms_that_clash_are_those_of_the_definition(seed):
    crowded = shaken(structure("1l2y"), 2.5, seed=seed)
    pairs = clashing_pairs(crowded, lambda element: CLASH_DISTANCE / 2, share=1.0)
    expected = np.isin(np.arange(crowded.n_atoms), [atom for pair in pairs for atom in pair])
    assert (clashing_atoms(crowded) == expected).all()
    assert expected.any()


def test_a_ligand_inside_a_protein_is_no_clash_of_chains():
    # One token for each atom: what AF3 calls a ligand never makes a ranking fall.
    one = structure("1l2y")
    both = joined(one, one)
    assert has_clash(both)
    atoms = np.arange(both.n_atoms)
    second = both.chain_id == "B"
    n_first = int(both.token_index[~second].max()) + 1
    as_ligand = type(both)(
        **{
            **vars(both),
            "token_index": np.where(second, n_first + atoms - atoms[second][0], both.token_index),
            "token_chain_id": np.array(["A"] * n_first + ["B"] * int(second.sum())),
        }
    )
    assert as_ligand.chain_kinds == {"A": "protein", "B": "ligand"}
    assert not has_clash(as_ligand)


def test_distances_along_a_chain_do_not_cross_gaps_or_chains():
    broken = joined(without(structure("1l2y"), 7), structure("1l2y"))
    found = consecutive_ca_distances(broken)
    assert len(found) == 17 + 19
    assert fraction_chain_like(broken) == 1.0
    far = shaken(broken, 2.0)
    assert fraction_chain_like(far) == pytest.approx(
        np.mean(np.abs(consecutive_ca_distances(far) - 3.8) <= 0.3)
    )


# Torsions ---------------------------------------------------------------------------------------


@given(SEEDS)
@settings(max_examples=25)
def test_dihedrals_are_gemmis(seed):
    points = np.random.default_rng(seed).normal(size=(4, 3))
    theirs = gemmi.calculate_dihedral(*(gemmi.Position(*p) for p in points))
    assert float(dihedral(*points)) == pytest.approx(theirs, abs=1e-9)


def test_turning_a_side_chain_turns_its_first_torsion_alone():
    one = structure("1crn")
    before = side_chain_torsions(one)
    residue = 12  # phenylalanine 13
    inside = one.residue_number == residue + 1
    names = one.atom_name[inside]
    place = one.coordinates[inside].astype(float)
    at = dict(zip(names, place, strict=True))
    axis = at["CB"] - at["CA"]
    turn = Rotation.from_rotvec(np.radians(40) * axis / np.linalg.norm(axis))
    beyond = ~np.isin(names, ["N", "CA", "C", "O", "CB"])
    place[beyond] = turn.apply(place[beyond] - at["CB"]) + at["CB"]
    coordinates = one.coordinates.copy()
    coordinates[inside] = place
    change = side_chain_torsions(one.with_coordinates(coordinates)) - before
    change = np.degrees((change + np.pi) % (2 * np.pi) - np.pi)
    assert one.residue_name[inside][0] == "PHE"
    assert change[residue, 0] == pytest.approx(40, abs=0.01)
    others = np.delete(change.ravel(), residue * 4)
    assert np.nanmax(np.abs(others)) < 0.01
