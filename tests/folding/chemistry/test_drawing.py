"""Ligands as pictures."""

import io
import json
import re
import sys
from xml.etree import ElementTree

import pytest
from rdkit import Chem
from rdkit.Chem import rdDepictor, rdDistGeom

from folding.chemistry import drawing
from folding.errors import InvalidInput
from folding.inputs import Ligand
from folding.inputs.components import write_component
from folding.inputs.molecule import read_molecule
from tests.folding.inputs.examples import data, user_component


def atoms_drawn(svg: str) -> set[int]:
    """The atoms that some bond or letter of the picture belongs to, by index."""
    return {int(number) for number in re.findall(r"atom-(\d+)", svg)}


@pytest.mark.parametrize(
    ("ligand", "n_atoms"),
    [
        (Ligand(("A",), ccd=("ATP",)), 31),
        (Ligand(("A",), ccd=("MG",)), 1),
        (Ligand(("A",), ccd=("NAG", "NAG")), 30),
        (Ligand(("A",), smiles="c1ccccc1C(=O)[O-].[Na+]"), 10),
        (Ligand(("A",), file=data("alaninate.sdf")), 6),
        (Ligand(("A",), file=data("alaninate.mol2")), 6),
        (Ligand(("A",), ccd=("HEM",)), 43),
    ],
    ids=["code", "ion", "several", "salt", "sdf", "mol2", "metal"],
)
def test_every_atom_is_in_the_picture(ligand, n_atoms):
    svg = drawing.draw(ligand)
    root = ElementTree.fromstring(svg)
    assert root.get("width") == f"{drawing.WIDTH}px"
    assert root.get("height") == f"{drawing.HEIGHT}px"
    assert atoms_drawn(svg) == set(range(n_atoms))


def test_the_picture_has_no_background_and_runs_nothing():
    svg = drawing.draw(Ligand(("A",), smiles="CCO"))
    assert "<script" not in svg
    assert not re.search(r"<rect[^>]*fill:#FFFFFF", svg)


def test_stereochemistry_is_drawn():
    flat = drawing.draw(Ligand(("A",), smiles="CC(N)C(=O)O"))
    left, right = (
        drawing.draw(Ligand(("A",), smiles=f"C[C{hand}H](N)C(=O)O")) for hand in ("@", "@@")
    )
    assert len({flat, left, right}) == 3


def test_a_flat_file_is_drawn_without_a_place_in_space(monkeypatch):
    """A ring of forty alanines took a minute to embed, for a picture that is flat again."""
    monkeypatch.setattr(rdDistGeom, "EmbedMolecule", lambda *_: pytest.fail("it was embedded"))
    smiles = "N[C@@H](C)C(=O)"
    mol = Chem.MolFromSmiles(f"N1[C@@H](C)C(=O){smiles * 38}N[C@@H](C)C1=O")
    rdDepictor.Compute2DCoords(mol)
    file = Chem.MolToMolBlock(mol)
    own = write_component("RNG", read_molecule(file))
    pictures = [
        drawing.draw(Ligand(("A",), file=file)),
        drawing.draw(Ligand(("A",), ccd=("RNG",)), user_ccd=own),
    ]
    flat = drawing.draw(Ligand(("A",), smiles=Chem.MolToSmiles(mol, isomericSmiles=False)))
    for picture in pictures:
        assert atoms_drawn(picture) == set(range(200))
        assert picture.count("<path") > flat.count("<path") + 100, "wedges are drawn"


def test_a_component_of_the_users_own_is_drawn_instead_of_the_dictionarys():
    own = user_component("ATP", ["C1", "C2", "O1", "N1"])
    ligand = Ligand(("A",), ccd=("ATP", "MG"))
    assert atoms_drawn(drawing.draw(ligand, user_ccd=own)) == set(range(5))
    assert atoms_drawn(drawing.draw(ligand)) == set(range(32))


def test_what_is_in_no_dictionary_cannot_be_drawn():
    with pytest.raises(InvalidInput, match="no component “QQQQQ”"):
        drawing.draw(Ligand(("A",), ccd=("QQQQQ",)))


def test_what_has_no_sensible_bonds_cannot_be_drawn():
    own = user_component("ODD", ["C1", "C2", "C3"], ["C1 C2", "C2 C3"])
    broken = own.replace("C1 C2 SING", "C1 C2 AROM")
    with pytest.raises(InvalidInput, match="ODD cannot be drawn"):
        drawing.draw(Ligand(("A",), ccd=("ODD",)), user_ccd=broken)


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ({"ccd": ["MG"], "smiles": None, "file": None}, 0, "<svg"),
        ({"ccd": [], "smiles": "CCO", "file": None, "user_ccd": None}, 0, "<svg"),
        ({"ccd": [], "smiles": "C1CC", "file": None}, 1, "cannot be read as SMILES"),
        ({"ccd": [], "smiles": None, "file": None}, 1, "exactly one way"),
        ({"ccd": ["NOSUCH"], "smiles": None, "file": None}, 1, "no component"),
        (
            {"ccd": ["X"], "smiles": None, "file": None, "user_ccd": "junk"},
            1,
            "begins with “data_”",
        ),
    ],
    ids=["code", "smiles", "broken", "nothing", "unknown", "dictionary"],
)
def test_the_process_says_its_picture_or_what_speaks_against_it(
    given, code, says, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(given)))
    assert drawing.main() == code
    said = capsys.readouterr().out
    assert says in said
    assert code == 0 or "\n" not in said
