"""Backbone torsions against those of experimental structures."""

import numpy as np
import pytest

from folding.structure.ramachandran import (
    ALLOWED,
    FAVOURED,
    KINDS,
    OUTLIER,
    UNKNOWN,
    fraction_favoured,
    ramachandran_regions,
    rarity,
    residue_kinds,
)
from tests.folding.examples import TRP_CAGE, dimer, joined, structure


def share(phi: float, psi: float, kind: str = "general") -> float:
    angles = np.radians([[phi], [psi]])
    return float(rarity(*angles, np.array([KINDS.index(kind)]))[0])


@pytest.mark.parametrize("pdb_id", ["1l2y", "1pga", "1crn"])
def test_experimental_structures_are_favoured(pdb_id):
    assert fraction_favoured(structure(pdb_id)) > 0.95
    assert (ramachandran_regions(structure(pdb_id)) != OUTLIER).all()


def test_a_mirror_image_is_not():
    one = structure("1pga")
    mirrored = one.with_coordinates(one.coordinates * np.array([1, 1, -1], dtype=np.float32))
    assert fraction_favoured(mirrored) < 0.5
    assert (ramachandran_regions(mirrored) == OUTLIER).sum() > 10


@pytest.mark.parametrize(("phi", "psi"), [(-60, -45), (-120, 130), (-70, 145)])
def test_helix_sheet_and_polyproline_are_common(phi, psi):
    assert share(phi, psi) > 0.3


def test_the_left_handed_helix_is_rare_but_favoured_and_common_for_glycine():
    assert 0.02 < share(60, 40) < 0.3
    assert share(85, 10, "glycine") > 0.3


@pytest.mark.parametrize(("phi", "psi"), [(0, 0), (75, -100), (0, 120)])
def test_what_no_residue_does(phi, psi):
    assert share(phi, psi) < 0.002


def test_proline_cannot_turn_its_phi():
    assert share(-65, 145, "proline") > 0.3
    assert share(-130, 145, "proline") < 0.002
    assert share(-130, 145) > 0.3


def test_angles_go_round():
    assert share(-180, 180) == share(180, -180) == share(-180, -180)


def test_kinds_of_residues():
    kinds = residue_kinds(structure("1l2y"))
    expected = ["general"] * 20
    for i, letter in enumerate(TRP_CAGE):
        if i + 1 < 20 and TRP_CAGE[i + 1] == "P":
            expected[i] = "before proline"
        if letter in "GP":
            expected[i] = {"G": "glycine", "P": "proline"}[letter]
    assert [KINDS[kind] for kind in kinds] == expected


def test_the_next_chain_is_not_the_next_residue():
    ends = structure("1l2y")
    starts_with_proline = ends.select(ends.residue_number >= 12)
    assert starts_with_proline.sequence("A").startswith("P")
    first = ends.select(ends.residue_number <= 8)
    assert KINDS[residue_kinds(joined(first, starts_with_proline))[7]] == "general"


def test_chain_ends_have_no_region():
    regions = ramachandran_regions(dimer())
    assert np.flatnonzero(regions == UNKNOWN).tolist() == [0, 19, 20, 39]
    assert set(regions.tolist()) <= {UNKNOWN, FAVOURED, ALLOWED, OUTLIER}
    one = structure("1l2y")
    assert fraction_favoured(one.select(one.residue_number == 1)) == 1
