"""Which atoms are too close: strangers alone, by what they are, the worst first."""

import numpy as np
import pytest

from folding.inputs import Ligand, ProteinChain
from folding.structure.clashes import clashes
from tests.folding.complexes import build, glycoprotein


def with_ions(distance: float, *codes: str):
    """Two ligands of one atom each, so far apart, far from a peptide."""
    ligands = [Ligand((chain,), ccd=(code,)) for chain, code in zip("BC", codes, strict=True)]
    built = build(ProteinChain(("A",), "GAGA"), *ligands)
    coordinates = built.structure.coordinates.copy()
    coordinates[-2] = (100.0, 0.0, 0.0)
    coordinates[-1] = (100.0 + distance, 0.0, 0.0)
    return clashes(built.structure.with_coordinates(coordinates), built.composition)


def test_conformers_side_by_side_do_not_clash():
    built = glycoprotein()
    assert clashes(built.structure, built.composition) == ()


@pytest.mark.parametrize(
    ("codes", "limit"),
    [(("CL", "CL"), 0.75 * 3.5), (("MG", "CL"), 0.5 * (1.7 + 1.75))],
    ids=["chlorides", "a metal may be nearer"],
)
def test_the_limit_goes_by_the_elements(codes, limit):
    assert with_ions(limit + 0.01, *codes) == ()
    (clash,) = with_ions(limit - 0.01, *codes)
    assert (clash.first, clash.second) == (f"B/1/{codes[0]}", f"C/1/{codes[1]}")
    assert clash.distance == pytest.approx(limit - 0.01, abs=0.01)
    assert clash.limit == pytest.approx(limit, abs=0.01)


def test_the_worst_comes_first():
    built = glycoprotein()
    coordinates = built.structure.coordinates.copy()
    names = built.structure.atom_name
    chain_a = np.flatnonzero(built.structure.chain_id == "A")
    calpha = [atom for atom in chain_a if names[atom] == "CA"]
    coordinates[calpha[5]] = coordinates[calpha[0]] + [1.0, 0.0, 0.0]
    coordinates[-1] = coordinates[calpha[2]] + [0.2, 0.0, 0.0]
    found = clashes(built.structure.with_coordinates(coordinates), built.composition)
    assert {found[0].first, found[0].second} == {"A/3/CA", "M/1/MG"}
    shares = [clash.distance / clash.limit for clash in found]
    assert shares == pytest.approx(sorted(shares), abs=0.02)


def test_bonded_residues_may_touch():
    built = glycoprotein()
    coordinates = built.structure.coordinates.copy()
    sulfurs = np.flatnonzero(built.structure.atom_name == "SG")
    coordinates[sulfurs[1]] = coordinates[sulfurs[0]] + [2.05, 0.0, 0.0]
    found = clashes(built.structure.with_coordinates(coordinates), built.composition)
    pairs = {frozenset((clash.first, clash.second)) for clash in found}
    assert frozenset(("A/4/SG", "A/7/SG")) not in pairs
