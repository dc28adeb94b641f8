"""Reference conformers: the same each time, of the right hand, and honest where there is none."""

from dataclasses import replace

import numpy as np
import pytest
from rdkit import Chem

from folding.chemistry.components import from_dictionary, from_file, from_smiles
from folding.chemistry.molecules import embedded, ideal, mol_of, set_positions
from folding.data.tokens import tokenize
from folding.errors import InvalidInput
from folding.inputs import FoldInput, Ligand, ProteinChain

ALANINE = "C[C@H](N)C(=O)O"
TOO_LONG = "C" * 301
SDF = """ethanol
  test

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.0000 C   0  0
    1.5000    0.0000    0.0000 C   0  0
    2.0000    1.3000    0.5000 O   0  0
  1  2  1  0
  2  3  1  0
M  END
"""


def chirality(mol: Chem.Mol, positions: np.ndarray) -> list[tuple[int, str]]:
    """The labels that RDKit reads from coordinates alone."""
    bare = Chem.RWMol(mol)
    for atom in bare.GetAtoms():
        atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
    conformer = Chem.Conformer(mol.GetNumAtoms())
    conformer.SetPositions(positions.astype(float))
    bare.RemoveAllConformers()
    bare.AddConformer(conformer)
    Chem.AssignStereochemistryFrom3D(bare)
    return Chem.FindMolChiralCenters(bare, useLegacyImplementation=False)


def test_a_conformer_is_the_same_each_time():
    component = from_smiles(ALANINE, code="LIG1")
    again = from_smiles(ALANINE, code="LIG2")
    assert embedded(component) is not embedded(again)
    np.testing.assert_array_equal(embedded(component).positions, embedded(again).positions)


@pytest.mark.parametrize("smiles", [ALANINE, ALANINE.replace("@", "@@")])
def test_a_conformer_has_the_hand_of_its_smiles(smiles):
    component = from_smiles(smiles, code="LIG1")
    mol = Chem.MolFromSmiles(smiles)
    found = chirality(mol_of(component), embedded(component).positions)
    assert found == Chem.FindMolChiralCenters(mol, useLegacyImplementation=False)
    assert embedded(component).note == ""


def test_bonds_of_a_conformer_are_as_long_as_bonds():
    component = from_dictionary("ATP")
    positions = embedded(component).positions
    lengths = [np.linalg.norm(positions[b.first] - positions[b.second]) for b in component.bonds]
    assert 1.1 < min(lengths) <= max(lengths) < 1.8
    assert positions.mean(axis=0) == pytest.approx([0, 0, 0], abs=1e-4)


def test_ideal_coordinates_stand_in_and_say_so():
    line = tuple((1.5 * i, 0.0, 0.0) for i in range(301))
    component = replace(from_smiles(TOO_LONG, code="LIG1"), smiles=None, positions=line)
    conformer = embedded(component)
    assert "No conformer of LIG1 could be made" in conformer.note
    assert "ideal coordinates stand in" in conformer.note
    np.testing.assert_array_equal(conformer.positions, ideal(component).positions)
    assert ideal(component).note == ""


def test_without_any_coordinates_there_is_no_shape_and_a_note():
    conformer = embedded(from_smiles(TOO_LONG, code="LIG1"))
    assert "without a shape" in conformer.note
    assert not conformer.positions.any()


def test_the_note_reaches_whoever_folds():
    chains = (ProteinChain(("A",), "GAGA"), Ligand(("B",), smiles=TOO_LONG))
    (note,) = tokenize(FoldInput("job", chains)).notes
    assert "No conformer of LIG1 could be made" in note


def test_the_coordinates_of_a_file_are_kept():
    component = from_file(SDF, code="LIG1")
    assert component.atom_names == ("C1", "C2", "O1")
    assert component.is_placed
    positions = ideal(component).positions
    assert positions[1] - positions[0] == pytest.approx([1.5, 0, 0], abs=1e-5)


@pytest.mark.parametrize("code", ["HEM", "SF4", "MG", "NAG"])
def test_metals_and_clusters_have_a_shape(code):
    component = from_dictionary(code)
    positions = embedded(component).positions
    assert np.isfinite(positions).all()
    assert len(np.unique(positions.round(2), axis=0)) == len(component.atom_names)


def test_what_leaves_a_component_is_known():
    alanine, sugar = from_dictionary("ALA"), from_dictionary("NAG")
    names = [
        name for name, leaves in zip(alanine.atom_names, alanine.leaving, strict=True) if leaves
    ]
    assert names == ["OXT"]
    (group,) = sugar.leaving_groups(sugar.atom_names.index("C1"))
    assert [sugar.atom_names[atom] for atom in group] == ["O1"]


def test_a_code_that_is_nowhere_is_named():
    with pytest.raises(InvalidInput, match="QQQQQ"):
        from_dictionary("QQQQQ")


@pytest.mark.parametrize("smiles", ["F/C=C/F", "F/C=C\\F", "C/C(=C\\C(=O)O)/C(=O)O"])
def test_double_bonds_of_a_conformer_are_as_the_smiles_says(smiles):
    component = from_smiles(smiles, code="LIG1")
    bare = Chem.MolFromSmiles(Chem.MolToSmiles(Chem.MolFromSmiles(smiles), isomericSmiles=False))
    bare = Chem.RenumberAtoms(bare, list(bare.GetSubstructMatch(mol_of(component))))
    set_positions(bare, embedded(component).positions.astype(float))
    Chem.AssignStereochemistryFrom3D(bare)
    assert Chem.MolToSmiles(bare) == Chem.MolToSmiles(Chem.MolFromSmiles(smiles))


@pytest.mark.parametrize("code", ["ALA", "NAG", "BGC", "THR", "CLR", "A"])
def test_a_conformer_has_the_hands_of_the_dictionary(code):
    component = from_dictionary(code)
    found = chirality(mol_of(component), embedded(component).positions)
    expected = chirality(mol_of(component), np.array(component.positions))
    assert found == expected
    assert found


def test_no_two_atoms_of_a_conformer_touch():
    for code in ("ATP", "CLR", "HEM", "FAD"):
        positions = embedded(from_dictionary(code)).positions
        apart = np.linalg.norm(positions[:, None] - positions, axis=-1)
        assert apart[~np.eye(len(positions), dtype=bool)].min() > 1.0, code


def test_charges_and_isotopes_do_not_change_where_atoms_are_counted():
    component = from_smiles("[NH3+][C@@H]([2H])C(=O)[O-]", code="LIG1")
    mol = mol_of(component)
    assert mol.GetNumAtoms() == len(component.atom_names) == 5
    assert [atom.GetFormalCharge() for atom in mol.GetAtoms()] == list(component.charges)
    assert embedded(component).positions.shape == (5, 3)


def test_what_cannot_be_sanitized_has_no_molecule_but_keeps_its_coordinates():
    component = from_dictionary("ALA")
    broken = replace(component, bonds=tuple(b._replace(order="AROM") for b in component.bonds))
    assert mol_of(broken) is None
    conformer = embedded(broken)
    assert "ideal coordinates stand in" in conformer.note
    expected = np.array(component.positions) - np.mean(component.positions, axis=0)
    np.testing.assert_allclose(conformer.positions, expected, atol=1e-5)


@pytest.mark.parametrize(
    "drawing", ["", "no molecule", "\n\n\n  1  0  0 V2000\n", Chem.MolToMolBlock(Chem.Mol())]
)
def test_a_drawing_that_makes_no_sense_leaves_the_bonds(drawing):
    component = replace(from_dictionary("GOL"), positions=None)
    mol = mol_of(replace(component, drawing=drawing))
    assert Chem.MolToSmiles(mol) == Chem.MolToSmiles(mol_of(component)) == "OCC(O)CO"
