"""The amino acids as the network sees them."""

import json

import numpy as np
import pytest

from folding.chemistry.residues import (
    CODES,
    LETTERS,
    TABLE,
    derived_class,
    read_dictionary,
    standard_residues,
)

HEAVY_ATOMS = dict(
    zip(
        "ARNDCQEGHILKMFPSTWYV",
        [5, 11, 8, 8, 6, 9, 9, 4, 10, 8, 8, 9, 8, 11, 7, 6, 7, 14, 12, 7],
        strict=True,
    )
)


@pytest.mark.parametrize(("letter", "count"), HEAVY_ATOMS.items())
def test_a_residue_has_its_heavy_atoms(letter: str, count: int):
    residue = standard_residues()[LETTERS.index(letter)]
    assert len(residue.atom_names) == count
    assert residue.atom_names[:4] == ("N", "CA", "C", "O")
    assert "OXT" not in residue.atom_names


def test_classes_follow_the_table_of_the_paper():
    assert [residue.restype for residue in standard_residues()] == list(range(21))
    assert [derived_class("protein", a) for a in "ARNDCQEGHILKMFPSTWYV"] == list(range(20))
    assert [derived_class("protein", a) for a in ("X", "U", "*", "")] == [20, 20, 20, 20]
    assert CODES[LETTERS.index("W")] == "TRP"


def test_the_representative_atom_is_beta_or_alpha_for_glycine():
    names = {r.letter: r.atom_names[r.representative] for r in standard_residues()}
    assert names["G"] == "CA"
    assert set(names.values()) == {"CA", "CB"}
    assert [letter for letter, name in names.items() if name == "CA"] == ["G"]


def test_charges_are_those_of_the_dictionary():
    charged = {
        (r.letter, name)
        for r in standard_residues()
        for name, charge in zip(r.atom_names, r.charges, strict=True)
        if charge
    }
    assert charged == {("R", "NH2"), ("K", "NZ"), ("H", "ND1")}


def test_reference_conformers_have_bonds_of_the_right_length_and_left_handed_centres():
    for residue in standard_residues():
        at = dict(zip(residue.atom_names, residue.positions.astype(float), strict=True))
        assert np.linalg.norm(at["N"] - at["CA"]) == pytest.approx(1.46, abs=0.05)
        assert np.linalg.norm(at["CA"] - at["C"]) == pytest.approx(1.52, abs=0.05)
        assert residue.positions.mean(0) == pytest.approx(np.zeros(3), abs=1e-4)
        if "CB" in at:
            n, c, cb = (at[name] - at["CA"] for name in ("N", "C", "CB"))
            assert np.dot(np.cross(n, c), cb) > 0, f"{residue.code} is not an L-amino acid"


def test_the_table_is_what_the_dictionary_says():
    rows = json.loads(TABLE.read_text())
    assert list(rows) == list(CODES)
    assert {code: read_dictionary(code) for code in CODES} == rows
