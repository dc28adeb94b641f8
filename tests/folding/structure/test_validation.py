"""Clashes and distances along the chain."""

import numpy as np
import pytest

from folding.structure.validation import (
    clashing_atoms,
    consecutive_ca_distances,
    fraction_chain_like,
    has_clash,
)
from tests.folding.examples import dimer, joined, moved, structure


@pytest.mark.parametrize("pdb_id", ["1l2y", "1pga", "1crn"])
def test_an_experimental_structure_is_possible(pdb_id):
    found = structure(pdb_id)
    assert not clashing_atoms(found).any()
    assert not has_clash(found)
    assert fraction_chain_like(found) == 1
    np.testing.assert_allclose(consecutive_ca_distances(found), 3.8, atol=0.1)


def test_chains_on_top_of_each_other_clash():
    assert has_clash(dimer(0.5))
    assert not has_clash(dimer(40.0))


def test_a_touch_is_no_clash():
    # One atom of B sits on an atom of A: far below a hundred, and below half of the chain.
    both = dimer(40.0)
    coordinates = both.coordinates.copy()
    coordinates[-1] = coordinates[0] + np.float32(0.5)
    touching = both.with_coordinates(coordinates)
    assert clashing_atoms(touching).sum() == 2
    assert not has_clash(touching)


def test_more_than_a_hundred_atoms_are_a_clash_though_less_than_half():
    long = structure("1pga")
    assert long.n_atoms > 4 * 101
    part = long.select(np.arange(long.n_atoms) < 101)
    assert has_clash(joined(long, moved(part, (0.3, 0, 0))))


def test_more_than_half_of_a_short_chain_is_a_clash():
    long, short = structure("1pga"), structure("1pga").select(np.arange(436) < 30)
    off = short.coordinates + np.float32(0.3)
    off[:14] += 50
    assert clashing_atoms(joined(long, short.with_coordinates(off)))[-30:].sum() == 16
    assert has_clash(joined(long, short.with_coordinates(off)))
    off[:16] += 50
    assert not has_clash(joined(long, short.with_coordinates(off)))


def test_a_chain_can_clash_with_itself_but_not_with_its_neighbours():
    one = structure("1l2y")
    collapsed = one.with_coordinates(one.coordinates * np.float32(0.05))
    assert has_clash(collapsed)
    two = one.select(one.residue_number <= 2)
    assert not has_clash(two.with_coordinates(two.coordinates * np.float32(0.05)))


def test_distances_stop_at_chain_ends_and_gaps():
    assert len(consecutive_ca_distances(dimer())) == 2 * 19
    one = structure("1l2y")
    assert len(consecutive_ca_distances(one.select(one.residue_number != 10))) == 17


def test_a_stretched_chain_is_seen():
    one = structure("1l2y")
    stretched = one.coordinates.copy()
    stretched[one.residue_number > 10] += np.array([4.0, 0, 0], dtype=np.float32)
    assert fraction_chain_like(one.with_coordinates(stretched)) == pytest.approx(18 / 19)
    double = one.with_coordinates(one.coordinates * np.float32(2))
    assert fraction_chain_like(double) == 0


def test_a_single_residue_breaks_nothing():
    one = structure("1l2y")
    assert fraction_chain_like(one.select(one.residue_number == 1)) == 1
