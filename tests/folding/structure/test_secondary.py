"""Helices and strands where the experiment has them."""

import numpy as np
import pytest
from biotite.structure import annotate_sse

from folding.structure.secondary import (
    hydrogen_bond_energy,
    hydrogen_bonds,
    secondary_structure,
)
from tests.folding.examples import dimer, joined, structure
from tests.folding.structure.test_geometry import atom_array

# HELIX and SHEET records of the entries, 1-based and inclusive.
HELICES = {"1l2y": [(2, 8)], "1pga": [(23, 36)], "1crn": [(7, 19), (23, 30)]}
STRANDS = {"1pga": [(1, 8), (13, 20), (42, 46), (51, 55)]}


@pytest.mark.parametrize("pdb_id", list(HELICES))
def test_helices_are_where_the_entry_has_them(pdb_id):
    found = secondary_structure(structure(pdb_id))
    inside = {i for first, last in HELICES[pdb_id] for i in range(first, last + 1)}
    helix = {i for i, letter in enumerate(found, start=1) if letter == "H"}
    assert helix <= inside
    assert len(helix) >= 0.8 * len(inside)


def test_strands_are_where_the_entry_has_them():
    found = secondary_structure(structure("1pga"))
    inside = {i for first, last in STRANDS["1pga"] for i in range(first, last + 1)}
    strand = {i for i, letter in enumerate(found, start=1) if letter == "E"}
    assert strand <= inside
    assert len(strand) >= 0.8 * len(inside)


@pytest.mark.parametrize("pdb_id", ["1l2y", "1pga", "1crn"])
def test_helices_agree_with_p_sea(pdb_id):
    # A second method (biotite's P-SEA, geometry of CA atoms): at least 80 % of residues alike.
    theirs = annotate_sse(atom_array(structure(pdb_id))) == "a"
    ours = np.array(list(secondary_structure(structure(pdb_id)))) == "H"
    assert np.mean(ours == theirs) >= 0.8


def test_a_straight_chain_has_none():
    one = structure("1l2y")
    stretched = one.coordinates.copy()
    stretched[:, 0] += 6.0 * one.residue_number
    assert secondary_structure(one.with_coordinates(stretched)) == "-" * 20


def test_each_chain_has_its_own():
    alone = secondary_structure(structure("1l2y"))
    assert secondary_structure(dimer()) == alone * 2
    both = secondary_structure(joined(structure("1pga"), structure("1l2y")))
    assert len(both) == 76


def test_a_short_or_bare_chain_has_none():
    one = structure("1l2y")
    assert secondary_structure(one.select(one.residue_number <= 3)) == "---"
    assert secondary_structure(one.select(one.atom_name == "CA")) == "-" * 20


def test_the_energy_of_a_straight_hydrogen_bond():
    # Kabsch & Sander 1983: about -3 kcal/mol where N and O are 2.9 Å apart; helix bonds -2 to -3.
    energy = hydrogen_bond_energy(structure("1pga"))
    bonds = hydrogen_bonds(structure("1pga"))
    assert -4 < energy[bonds].min() < -2.5
    assert bonds.sum() > 30
    assert bonds[25, 29], "helix: C=O of residue 26 to N-H of residue 30"
    assert np.isnan(energy[:, 0]).all(), "the first residue has no amide hydrogen to give"


def test_proline_gives_no_hydrogen_bond():
    energy = hydrogen_bond_energy(structure("1l2y"))
    assert np.isnan(energy[:, 11]).all()
    assert not np.isnan(energy[:10, 12]).any()


def test_atoms_on_top_of_each_other_do_no_harm():
    one = structure("1l2y")
    collapsed = one.with_coordinates(np.zeros_like(one.coordinates))
    assert len(secondary_structure(collapsed)) == 20
