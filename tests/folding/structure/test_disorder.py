"""Exposure to the solvent, and how much of a chain looks disordered."""

import numpy as np
import pytest
from biotite.structure import sasa
from hypothesis import given
from hypothesis import strategies as st

from folding.structure.disorder import (
    MAX_ACCESSIBLE_AREA,
    WINDOW,
    fraction_disordered,
    relative_area,
    windowed,
)
from folding.structure.structure import Structure
from tests.folding.examples import dimer, joined, structure
from tests.folding.structure.test_geometry import atom_array


def extended(structure_: Structure) -> Structure:
    """Every residue far from its neighbours: as open to the solvent as it can be."""
    coordinates = structure_.coordinates.copy()
    coordinates[:, 0] += 30.0 * structure_.residue_number
    return structure_.with_coordinates(coordinates)


def test_folded_proteins_are_hardly_disordered():
    assert fraction_disordered(structure("1pga")) == 0
    assert fraction_disordered(structure("1crn")) < 0.1


def test_residues_that_touch_nothing_are_disordered():
    assert fraction_disordered(extended(structure("1pga"))) == 1
    assert relative_area(extended(structure("1pga"))).min() > 0.9


def test_atoms_that_flew_apart_are_all_exposed():
    # Without a limit the grid for this surface would take 100 GB.
    flown = structure("1crn")
    flown = flown.with_coordinates(flown.coordinates * 1e4)
    assert relative_area(flown).tolist() == [1.0] * 46
    assert fraction_disordered(flown) == 1


def test_the_core_is_buried():
    # Protein G: Tyr 3, Leu 5, Phe 30 and Trp 43 make its core; Lys 10 and Asp 22 stick out.
    area = relative_area(structure("1pga"))
    assert area[[4, 25, 29]].max() < 0.1
    assert area[[9, 21]].min() > 0.4


@pytest.mark.parametrize("pdb_id", ["1pga", "1crn"])
def test_areas_follow_biotites_own_radii(pdb_id):
    # A second set of radii (ProtOr, Tsai 1999): not the same, but within 10 % of the maximum on
    # average.
    found = structure(pdb_id)
    area = np.add.reduceat(sasa(atom_array(found), vdw_radii="ProtOr"), found.residue_starts)
    largest = [MAX_ACCESSIBLE_AREA[n] for n in found.residue_name[found.residue_starts].tolist()]
    theirs = np.minimum(area / np.array(largest), 1)
    assert np.mean(np.abs(relative_area(found) - theirs)) < 0.1


def test_chains_are_judged_alone():
    # As DSSP is run on each chain in AF3's code: a partner buries nothing.
    alone = fraction_disordered(structure("1l2y"))
    assert fraction_disordered(dimer(8.0)) == pytest.approx(alone)


def test_every_chain_counts_by_its_length():
    mixed = joined(structure("1pga"), extended(structure("1crn")))
    assert fraction_disordered(mixed) == pytest.approx(46 / 102)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_a_window_averages(values):
    smooth = windowed(np.array(values))
    assert len(smooth) == len(values)
    assert min(values) - 1e-9 <= smooth.min()
    assert smooth.max() <= max(values) + 1e-9


def test_a_window_is_centred():
    values = np.zeros(101)
    values[50] = 1
    smooth = windowed(values)
    assert np.flatnonzero(smooth > 1e-12).tolist() == list(range(50 - 12, 50 + 13))
    assert smooth[50] == pytest.approx(1 / WINDOW)


def test_unknown_residues_are_measured_as_alanine():
    one = structure("1l2y")
    unknown = Structure(
        **{
            **{name: getattr(one, name) for name in one.__dataclass_fields__},
            "residue_name": np.full(one.n_atoms, "UNK"),
        }
    )
    assert relative_area(unknown).max() == 1
    assert len(relative_area(unknown)) == 20
