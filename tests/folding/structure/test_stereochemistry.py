"""Chirality: ideal conformers keep theirs, mirror images lose it, whatever hangs on the ligand."""

import pytest

from folding.inputs import Ligand, Modification, ProteinChain
from folding.structure.stereochemistry import stereochemistry
from tests.folding.complexes import build, glycoprotein

PROTEIN = ProteinChain(("A",), "GAGA")
TYROSINE = "N[C@@H](Cc1ccc(O)cc1)C(=O)O"


def reports(*chains, mirrored: bool = False):
    built = build(*chains, mirrored=mirrored)
    return stereochemistry(built.structure, built.composition)


@pytest.mark.parametrize(
    ("ligand", "n_elements"),
    [
        (Ligand(("B",), ccd=("ATP",)), 4),
        (Ligand(("B",), ccd=("GLC",)), 5),
        (Ligand(("B",), smiles=TYROSINE), 1),
        (Ligand(("B",), smiles="F/C=C/Cl"), 1),
    ],
    ids=["ATP", "glucose", "tyrosine", "double bond"],
)
def test_a_reference_conformer_keeps_all(ligand, n_elements):
    (report,) = reports(PROTEIN, ligand)
    assert (report.n_kept, len(report.elements)) == (n_elements, n_elements)


def test_the_mirror_image_keeps_double_bonds_alone():
    (report,) = reports(PROTEIN, Ligand(("B",), smiles="F/C=C/[C@H](Cl)Br"), mirrored=True)
    kept = {element.kind: element.kept for element in report.elements}
    assert kept == {"centre": False, "double bond": True}


def test_labels_are_those_of_cahn_ingold_and_prelog():
    (report,) = reports(PROTEIN, Ligand(("B",), smiles=TYROSINE))
    (centre,) = report.elements
    assert (centre.kind, centre.expected) == ("centre", "S")
    (other,) = reports(PROTEIN, Ligand(("B",), smiles=TYROSINE.replace("@@", "@")))
    assert other.elements[0].expected == "R"
    assert other.n_kept == 1


def test_what_has_no_stereochemistry_has_no_report():
    assert reports(PROTEIN, Ligand(("B",), smiles="CCO"), Ligand(("C",), ccd=("MG",))) == ()


def test_phosphates_are_not_chiral_for_where_their_charge_is_drawn():
    (report,) = reports(PROTEIN, Ligand(("B",), ccd=("ATP",)))
    assert {element.atoms[0] for element in report.elements} == {"C1'", "C2'", "C3'", "C4'"}


def test_modified_residues_are_judged_where_they_stand():
    chain = ProteinChain(("A",), "GASG", modifications=(Modification("SEP", 3),))
    (report,) = reports(chain)
    assert (report.chain_id, report.residue_number, report.code) == ("A", 3, "SEP")
    assert [element.atoms for element in report.elements] == [("CA",)]


def test_a_sugar_is_judged_without_the_oxygen_that_its_bond_replaced():
    built = glycoprotein()
    first, second = stereochemistry(built.structure, built.composition)
    assert (first.code, first.chain_id, first.residue_number) == ("NAG", "G", 1)
    assert {element.atoms[0] for element in second.elements} == {"C1", "C2", "C3", "C4", "C5"}
    ring = [element for element in first.elements if element.atoms[0] != "C1"]
    assert all(element.kept for element in ring)
