"""Components in full: the dictionary's, the user's, and molecules that have no code."""

from collections import Counter

import gemmi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDepictor

from folding.chemistry.catalog import component
from folding.chemistry.components import (
    from_class,
    from_dictionary,
    from_file,
    from_smiles,
    from_user,
    numbered,
)
from folding.chemistry.elements import ATOMIC_NUMBERS, SYMBOLS
from folding.chemistry.leaving import LeavingGroups, dropped, leaving_flags
from folding.chemistry.molecules import embedded, mol_of
from folding.chemistry.residues import CODES
from folding.data.tokens import tokenize
from folding.errors import InvalidInput
from folding.inputs import FoldInput, Ligand, ProteinChain
from folding.inputs.components import write_component
from folding.inputs.molecule import read_molecule, write_sdf
from tests.folding.inputs.examples import data, user_component

SDF, V3000, MOL2 = map(data, ("alaninate.sdf", "alaninate_v3000.mol", "alaninate.mol2"))


def centres(component) -> dict[str, str]:
    """The chiral centres by the names of their atoms."""
    mol = mol_of(component)
    found = Chem.FindMolChiralCenters(mol, useLegacyImplementation=True)
    return {component.atom_names[index]: label for index, label in found}


@pytest.mark.parametrize(
    ("code", "formula"),
    [
        ("ATP", {"C": 10, "N": 5, "O": 13, "P": 3}),
        ("HEM", {"C": 34, "N": 4, "O": 4, "FE": 1}),
        ("CLR", {"C": 27, "O": 1}),
        ("NAG", {"C": 8, "N": 1, "O": 6}),
        ("FAD", {"C": 27, "N": 9, "O": 15, "P": 2}),
        ("STI", {"C": 29, "N": 7, "O": 1}),
        ("BIO", {"C": 9, "N": 5, "O": 3}),
        ("SF4", {"FE": 4, "S": 4}),
        ("ZN", {"ZN": 1}),
    ],
)
def test_formulas_are_those_of_textbooks(code, formula):
    component = from_dictionary(code)
    assert Counter(component.elements) == formula
    assert component.numbers == tuple(ATOMIC_NUMBERS[e] for e in component.elements)


@pytest.mark.parametrize(
    ("code", "labels"),
    [
        # IUPAC: (2S,3R,4S,5S,6R)-6-(hydroxymethyl)oxane-2,3,4,5-tetrol, and so on.
        ("GLC", {"C1": "S", "C2": "R", "C3": "S", "C4": "S", "C5": "R"}),
        ("BGC", {"C1": "R", "C2": "R", "C3": "S", "C4": "S", "C5": "R"}),
        ("GAL", {"C1": "R", "C2": "R", "C3": "S", "C4": "R", "C5": "R"}),
        ("MAN", {"C1": "S", "C2": "S", "C3": "S", "C4": "S", "C5": "R"}),
        ("ALA", {"CA": "S"}),
        ("DAL", {"CA": "R"}),
        ("CYS", {"CA": "R"}),
        ("THR", {"CA": "S", "CB": "R"}),
        ("ILE", {"CA": "S", "CB": "S"}),
        (
            "CLR",
            {
                **{"C3": "S", "C8": "S", "C9": "S", "C10": "R"},
                **{"C13": "R", "C14": "S", "C17": "R", "C20": "R"},
            },
        ),
    ],
)
def test_centres_have_the_hand_that_their_names_say(code, labels):
    assert centres(from_dictionary(code)) == labels


@pytest.mark.parametrize(
    ("code", "charges"),
    [
        ("MG", 2),
        ("ZN", 2),
        ("CL", -1),
        ("FE", 3),
        ("FE2", 2),
        ("PO4", -3),
        ("SO4", -2),
        ("ARG", 1),
        ("ALA", 0),
    ],
)
def test_formal_charges_are_the_dictionarys(code, charges):
    assert sum(from_dictionary(code).charges) == charges


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ALA", "protein"),
        ("GLY", "protein"),
        ("DAL", "protein"),
        ("SEP", "protein"),
        ("DA", "dna"),
        ("5CM", "dna"),
        ("PSU", "rna"),
        ("A", "rna"),
        ("NAG", "ligand"),
        ("ATP", "ligand"),
        ("HOH", "ligand"),
    ],
)
def test_the_type_says_what_a_component_is_part_of(code, kind):
    assert from_dictionary(code).kind == kind


def test_a_letter_tells_what_a_modified_residue_derives_from():
    found = {code: from_dictionary(code).letter for code in ("SEP", "MSE", "HYP", "5CM", "ATP")}
    assert found == {"SEP": "S", "MSE": "M", "HYP": "P", "5CM": "C", "ATP": ""}


def test_bonds_join_atoms_that_are_as_near_as_bonds():
    for code in ("ATP", "FAD", "NAG", "TRP", "DG", "CLR"):
        component = from_dictionary(code)
        place = np.array(component.positions)
        lengths = [np.linalg.norm(place[b.first] - place[b.second]) for b in component.bonds]
        assert min(lengths) > 1.1, code
        assert max(lengths) < 1.9, code


def test_every_bond_is_in_the_lists_of_both_its_atoms():
    component = from_dictionary("ATP")
    for atom in range(len(component.atom_names)):
        for other in component.neighbours(atom):
            assert atom in component.neighbours(other)
    n_ends = sum(len(component.neighbours(a)) for a in range(len(component.atom_names)))
    assert n_ends == 2 * len(component.bonds)


def test_a_class_is_its_residue_without_the_oxygen_that_ends_a_chain():
    for number, code in enumerate(CODES[:-1]):
        whole, short = from_dictionary(code), from_class(number)
        assert short.code == code
        assert short.atom_names == tuple(n for n in whole.atom_names if n != "OXT")
        assert short.letter == whole.letter
        kept = [whole.atom_names.index(name) for name in short.atom_names]
        moved = np.array(whole.positions)[kept]
        np.testing.assert_allclose(np.array(short.positions), moved - moved.mean(axis=0), atol=2e-3)


# SMILES ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("smiles", "names", "charges"),
    [
        ("CCO", ("C1", "C2", "O1"), (0, 0, 0)),
        ("C[N+](C)(C)C", ("C1", "N1", "C2", "C3", "C4"), (0, 1, 0, 0, 0)),
        ("[O-]C(=O)C", ("O1", "C1", "O2", "C2"), (-1, 0, 0, 0)),
        ("[Mg+2]", ("MG1",), (2,)),
        ("ClCBr", ("CL1", "C1", "BR1"), (0, 0, 0)),
        ("[2H]OC([2H])([2H])[13CH3]", ("O1", "C1", "C2"), (0, 0, 0)),
        ("[Na+].[Cl-]", ("NA1", "CL1"), (1, -1)),
        ("[nH]1cccc1", ("N1", "C1", "C2", "C3", "C4"), (0,) * 5),
        ("C[Se]C", ("C1", "SE1", "C2"), (0, 0, 0)),
    ],
)
def test_atoms_of_smiles_are_named_by_element_and_order(smiles, names, charges):
    component = from_smiles(smiles, code="LIG1")
    assert component.atom_names == names
    assert component.charges == charges
    assert component.kind == "ligand"


def test_bonds_of_smiles_keep_their_orders():
    component = from_smiles("C=CC#N", code="LIG1")
    assert [bond.order for bond in component.bonds] == ["DOUB", "SING", "TRIP"]
    ring = from_smiles("c1ccccc1", code="LIG1")
    assert {(bond.order, bond.aromatic) for bond in ring.bonds} == {("AROM", True)}
    kekule = from_smiles("C1=CC=CC=C1", code="LIG1")
    assert kekule.bonds == ring.bonds


def test_a_bond_from_a_ligand_to_its_metal_counts_as_single():
    component = from_smiles("[NH3]->[Pt](Cl)(Cl)<-[NH3]", code="LIG1")
    assert Counter(component.elements) == {"N": 2, "PT": 1, "CL": 2}
    assert {bond.order for bond in component.bonds} == {"SING"}
    assert len(component.bonds) == 4


def test_stereochemistry_of_smiles_is_kept():
    for hand, label in (("@", "S"), ("@@", "R")):
        component = from_smiles(f"C[C{hand}H](N)C(=O)O", code="LIG1")
        assert centres(component) == {"C2": label}
    cis, trans = (from_smiles(f"F/C=C{side}F", code="LIG1") for side in "\\/")
    assert Chem.MolToSmiles(mol_of(cis)) != Chem.MolToSmiles(mol_of(trans))


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["C", "CC", "C(=O)", "c1ccccc1", "C(N)", "O", "S"]), min_size=1))
def test_smiles_become_the_molecule_that_rdkit_reads(parts):
    smiles = "C".join(parts)
    mol = Chem.MolFromSmiles(smiles)
    component = from_smiles(smiles, code="LIG1")
    assert len(component.atom_names) == len(set(component.atom_names)) == mol.GetNumAtoms()
    assert component.numbers == tuple(atom.GetAtomicNum() for atom in mol.GetAtoms())
    ends = {frozenset((b.GetBeginAtomIdx(), b.GetEndAtomIdx())) for b in mol.GetBonds()}
    assert {frozenset((b.first, b.second)) for b in component.bonds} == ends


# Files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [SDF, V3000, MOL2], ids=["v2000", "v3000", "mol2"])
def test_a_file_is_the_molecule_without_its_hydrogens(text):
    component = from_file(text, code="LIG1")
    assert component.atom_names == ("C1", "C2", "N1", "C3", "O1", "O2")
    assert component.charges == (0, 0, 0, 0, 0, -1)
    pairs = {
        frozenset((component.atom_names[b.first], component.atom_names[b.second]))
        for b in component.bonds
    }
    assert pairs == {
        frozenset(pair.split()) for pair in ("C1 C2", "C2 N1", "C2 C3", "C3 O1", "C3 O2")
    }
    assert component.is_placed
    whole = read_molecule(text)
    assert component.positions == tuple(atom.position for atom in whole.atoms[:6])


@pytest.mark.parametrize(
    "smiles",
    ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "F/C=C/F", "F/C=C\\F", "C[C@H](O)[C@@H](N)C(=O)[O-]"],
)
@pytest.mark.parametrize("form", ["V2000", "V3000"])
def test_a_drawing_keeps_the_hand_of_its_wedges(smiles, form):
    mol = Chem.MolFromSmiles(smiles)
    rdDepictor.Compute2DCoords(mol)
    component = from_file(Chem.MolToMolBlock(mol, forceV3000=form == "V3000"), code="LIG1")
    assert Chem.MolToSmiles(mol_of(component)) == Chem.MolToSmiles(mol)
    assert not component.is_placed, "what is drawn is no conformer"


def test_a_drawing_without_wedges_promises_no_hand():
    mol = Chem.MolFromSmiles("CC(N)C(=O)O")
    rdDepictor.Compute2DCoords(mol)
    component = from_file(Chem.MolToMolBlock(mol), code="LIG1")
    assert component.positions is None
    assert centres(component) == {}


def test_a_drawing_with_lines_of_windows_is_read():
    mol = Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    rdDepictor.Compute2DCoords(mol)
    text = Chem.MolToMolBlock(mol).replace("\n", "\r\n")
    assert centres(from_file(text, code="LIG1")) == {"C2": "S"}


def test_atoms_on_top_of_each_other_are_no_conformer():
    lines = SDF.splitlines()
    lines[5] = lines[4][:30] + lines[5][30:]
    component = from_file("\n".join(lines), code="LIG1")
    assert component.positions is None
    assert not component.is_placed


def test_a_planar_molecule_of_three_atoms_has_a_place():
    atoms = [("O", 0.0, 0.0), ("C", 1.2, 0.0), ("O", 2.4, 0.0)]
    rows = "".join(f"{x:10.4f}{y:10.4f}{0:10.4f} {e:<3} 0  0\n" for e, x, y in atoms)
    text = (
        f"\n\n\n  3  2  0  0  0  0            999 V2000\n{rows}  1  2  2  0\n  2  3  2  0\nM  END\n"
    )
    component = from_file(text, code="LIG1")
    assert component.is_placed
    assert component.positions[2] == (2.4, 0.0, 0.0)


# The user's own --------------------------------------------------------------------------------


def test_a_component_that_was_written_from_a_file_is_the_same_molecule():
    finer = V3000.replace("-0.914957", "-1e-07").replace("0.238265", "0.23826512345678901")
    for text in (SDF, V3000, MOL2, finer):
        one = from_file(text, code="LIG-1")
        other = from_user(write_component("LIG-1", read_molecule(text)))["LIG-1"]
        assert other.atom_names == one.atom_names
        assert other.elements == one.elements
        assert other.charges == one.charges
        assert [b[:3] for b in other.bonds] == [b[:3] for b in one.bonds]
        assert other.positions == one.positions
        assert centres(other) == centres(one)


def test_columns_that_are_missing_have_their_defaults():
    found = from_user(user_component("XYZ", ["C1", "O1", "H1"]))["XYZ"]
    assert found.atom_names == ("C1", "O1")
    assert found.charges == (0, 0)
    assert found.leaving == (False, False)
    assert found.positions is None
    assert found.letter == ""
    assert [(b.first, b.second, b.order) for b in found.bonds] == [(0, 1, "SING")]


def test_all_that_a_dictionary_can_say_is_read():
    text = """data_XYZ
_chem_comp.id XYZ
_chem_comp.name 'a long name'
_chem_comp.type 'L-peptide linking'
_chem_comp.one_letter_code S
loop_
_chem_comp_atom.atom_id
_chem_comp_atom.type_symbol
_chem_comp_atom.charge
_chem_comp_atom.pdbx_leaving_atom_flag
_chem_comp_atom.pdbx_model_Cartn_x_ideal
_chem_comp_atom.pdbx_model_Cartn_y_ideal
_chem_comp_atom.pdbx_model_Cartn_z_ideal
N N 1 N 0 0 0
"C'" C ? N 1.5 0 0
O1 O -1.0 Y 2 1 0
D1 D 0 N 3 1 0
loop_
_chem_comp_bond.atom_id_1
_chem_comp_bond.atom_id_2
_chem_comp_bond.value_order
_chem_comp_bond.pdbx_aromatic_flag
N "C'" doub N
"C'" O1 delo Y
"C'" D1 sing N
"""
    found = from_user(text)["XYZ"]
    assert (found.name, found.type, found.letter) == ("a long name", "L-PEPTIDE LINKING", "S")
    assert found.atom_names == ("N", "C'", "O1")
    assert found.charges == (1, 0, -1)
    assert found.leaving == (False, False, True)
    assert found.positions == ((0, 0, 0), (1.5, 0, 0), (2, 1, 0))
    assert [bond[:4] for bond in found.bonds] == [(0, 1, "DOUB", False), (1, 2, "AROM", True)]


@pytest.mark.parametrize(
    ("ideal", "model", "expected"),
    [
        ("0 0 0|1 0 0", "5 5 5|6 5 5", (1.0, 0.0, 0.0)),
        ("? ? ?|? ? ?", "5 5 5|6 5 5", (6.0, 5.0, 5.0)),
        ("0 0 0|0 0 0", "5 5 5|6 5 5", (6.0, 5.0, 5.0)),
        ("0 0 0|1e9 0 0", "5 5 5|6 5 5", (6.0, 5.0, 5.0)),
        ("? ? ?|1 0 0", "nan 5 5|6 5 5", None),
    ],
    ids=["ideal", "model", "on-top", "far", "none"],
)
def test_coordinates_are_ideal_ones_or_those_of_an_experiment(ideal, model, expected):
    tags = [f"pdbx_model_Cartn_{a}_ideal" for a in "xyz"] + [f"model_Cartn_{a}" for a in "xyz"]
    rows = zip(("C1 C", "O1 O"), ideal.split("|"), model.split("|"), strict=True)
    text = "data_XYZ\nloop_\n_chem_comp_atom.atom_id\n_chem_comp_atom.type_symbol\n"
    text += "".join(f"_chem_comp_atom.{tag}\n" for tag in tags)
    text += "".join(" ".join(row) + "\n" for row in rows)
    positions = from_user(text)["XYZ"].positions
    assert (positions and positions[1]) == expected


def test_an_element_that_is_none_is_named():
    text = user_component("XYZ", ["C1", "O1"]).replace("XYZ C1 C", "XYZ C1 Qq")
    with pytest.raises(InvalidInput, match="“QQ” of the component XYZ is not an element") as caught:
        from_user(text)
    assert caught.value.field == "user_ccd"


def test_a_dictionary_may_hold_several():
    text = user_component("ONE", ["C1"]) + user_component("TWO", ["N1", "N2"])
    found = from_user(text)
    assert list(found) == ["ONE", "TWO"]
    assert [len(component.atom_names) for component in found.values()] == [1, 2]


# Small things ----------------------------------------------------------------------------------


def test_elements_are_those_of_rdkits_periodic_table():
    table = Chem.GetPeriodicTable()
    for number, symbol in SYMBOLS.items():
        assert table.GetElementSymbol(number).upper() == symbol
        assert ATOMIC_NUMBERS[symbol] == number
    assert len(SYMBOLS) == 118
    assert ATOMIC_NUMBERS["X"] == 119


@given(st.lists(st.sampled_from(["C", "N", "CL", "O"]), max_size=30))
def test_numbers_behind_elements_make_names_unique_and_keep_order(elements):
    names = numbered(elements)
    assert len(set(names)) == len(elements)
    assert [name.rstrip("0123456789") for name in names] == elements
    for element in set(elements):
        own = [int(n[len(element) :]) for n, e in zip(names, elements, strict=True) if e == element]
        assert own == list(range(1, len(own) + 1))


@pytest.mark.parametrize(
    ("kind", "names", "flags"),
    [
        ("L-PEPTIDE LINKING", ("C", "O", "OXT"), (False, False, True)),
        ("peptide linking", ("C", "O", "OXT"), (False, False, True)),
        ("DNA LINKING", ("P", "OP1", "OP3"), (False, False, True)),
        ("NON-POLYMER", ("C", "O", "OXT"), (False, False, False)),
    ],
)
def test_oxygens_that_end_a_polymer_leave_though_nobody_says_so(kind, names, flags):
    assert leaving_flags(kind, names, (False,) * 3) == flags
    assert leaving_flags(kind, names, (True,) * 3) == (True,) * 3


def test_a_group_leaves_as_far_as_its_atoms_do():
    bonds = [("C", "O1"), ("O1", "X"), ("X", "Y"), ("C", "O2"), ("C", "R")]
    groups = LeavingGroups(bonds, leaving={"O1", "X", "O2"})
    assert groups.at("C") == [frozenset({"O1", "X"}), frozenset({"O2"})]
    assert groups.at("R") == []
    assert groups.at("nowhere") == []
    assert groups.at("Y") == [frozenset({"O1", "X"})]


def test_a_leaving_ring_ends_the_walk():
    bonds = [("C", "A"), ("A", "B"), ("B", "D"), ("D", "A")]
    assert LeavingGroups(bonds, leaving={"A", "B", "D"}).at("C") == [frozenset("ABD")]


def test_each_bond_takes_a_group_while_there_are_some():
    one, two = frozenset({"O1"}), frozenset({"O2"})
    at_atom = [one, two]
    for n_bonds, expected in enumerate([frozenset(), one, one | two, one | two]):
        assert dropped([at_atom] * n_bonds) == expected
    assert dropped([[one], [frozenset({"O1", "X"})]]) == one, "what is gone takes nobody along"


def test_what_leaves_at_a_sugar_is_known_by_name_and_by_index_alike():
    for code in ("NAG", "SIA", "SEP", "LLP", "5CM", "ATP"):
        light, whole = component(code), from_dictionary(code)
        for index, name in enumerate(whole.atom_names):
            named = [frozenset(whole.atom_names[i] for i in g) for g in whole.leaving_groups(index)]
            assert light.leaving_groups(name) == named, (code, name)


@pytest.mark.parametrize(
    "smiles",
    [
        *("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "F/C=C/F", "F/C=C\\F", "CC(N)C(=O)[O-]"),
        "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)[O-]",
        "C[N+](C)(C)C[C@H](O)CC(=O)[O-]",
    ],
)
@pytest.mark.parametrize("form", ["V2000", "V3000"])
def test_a_drawing_keeps_its_hand_on_its_way_through_a_job(smiles, form):
    """Jobs carry files as components: what the worker reads is what the person drew."""
    mol = Chem.MolFromSmiles(smiles)
    rdDepictor.Compute2DCoords(mol)
    text = Chem.MolToMolBlock(mol, forceV3000=form == "V3000")
    job = FoldInput("job", (ProteinChain(("A",), "GAGA"), Ligand(("B",), file=text)))
    carried = FoldInput.from_json(job.to_json())
    component = from_user(carried.user_ccd)[carried.chains[1].ccd[0]]
    assert Chem.MolToSmiles(mol_of(component)) == Chem.MolToSmiles(mol)
    assert not component.is_placed


@pytest.mark.parametrize("text", [SDF, V3000, MOL2], ids=["v2000", "v3000", "mol2"])
def test_a_conformer_that_was_chosen_stays_chosen_on_its_way_through_a_job(text):
    job = FoldInput("job", (ProteinChain(("A",), "GAGA"), Ligand(("B",), file=text)))
    carried = FoldInput.from_json(job.to_json())
    one, other = tokenize(job), tokenize(carried)
    np.testing.assert_allclose(one.position, other.position, atol=2e-4)
    np.testing.assert_array_equal(one.charge, other.charge)
    np.testing.assert_array_equal(one.bonds, other.bonds)
    assert from_user(carried.user_ccd)["LIG-1"].is_placed


def test_ideal_coordinates_of_ones_own_component_are_no_chosen_conformer():
    text = write_component("LIG-1", read_molecule(SDF)).replace("conformer of a file", "Corina")
    assert not from_user(text)["LIG-1"].is_placed


def test_others_read_a_drawn_component_without_its_wedges():
    mol = Chem.MolFromSmiles("C[C@H](N)C(=O)O")
    rdDepictor.Compute2DCoords(mol)
    text = write_component("LIG-1", read_molecule(Chem.MolToMolBlock(mol)))
    block = gemmi.cif.read_string(text).sole_block()
    component = gemmi.make_chemcomp_from_block(block)
    assert [atom.id for atom in component.atoms] == ["C1", "C2", "N1", "C3", "O1", "O2"]
    assert len(component.rt.bonds) == 5


def test_what_is_written_as_sdf_is_the_same_molecule():
    for text in (SDF, V3000, MOL2):
        molecule = read_molecule(text)
        found = read_molecule(write_sdf(molecule))
        assert found.bonds == molecule.bonds
        assert [a.charge for a in found.atoms] == [a.charge for a in molecule.atoms]
        assert Chem.MolFromMolBlock(write_sdf(molecule)).GetNumAtoms() == 6


def wedged_to_hydrogen(smiles: str) -> str:
    """A drawing whose every wedge lies at a hydrogen; these are the first atoms of the file."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    order = sorted(range(mol.GetNumAtoms()), key=lambda i: mol.GetAtomWithIdx(i).GetAtomicNum())
    mol = Chem.RenumberAtoms(mol, order)
    rdDepictor.Compute2DCoords(mol)
    text = Chem.MolToMolBlock(mol)
    molecule = read_molecule(text)
    wedged = [{b.first, b.second} for b in molecule.bonds if b.wedge]
    hydrogens = {i for i, atom in enumerate(molecule.atoms) if atom.element == "H"}
    assert wedged
    assert all(ends & hydrogens for ends in wedged)
    return text


@pytest.mark.parametrize("smiles", ["CC[C@@H](C)CO", "CC[C@H](C)CO", "C[C@H](O)[C@@H](N)CF"])
def test_wedges_at_hydrogens_keep_their_hand_on_their_way_through_a_job(smiles):
    text = wedged_to_hydrogen(smiles)
    job = FoldInput("job", (ProteinChain(("A",), "GAGA"), Ligand(("B",), file=text)))
    carried = from_user(FoldInput.from_json(job.to_json()).user_ccd)["LIG-1"]
    right = Chem.CanonSmiles(smiles)
    assert Chem.MolToSmiles(mol_of(from_file(text, code="LIG-1"))) == right
    assert Chem.MolToSmiles(mol_of(carried)) == right
    np.testing.assert_array_equal(
        embedded(carried).positions, embedded(from_file(text, code="LIG-1")).positions
    )


def test_a_drawing_of_more_atoms_than_its_format_counts_keeps_its_bonds():
    mol = Chem.MolFromSmiles("C" * 1000)
    rdDepictor.Compute2DCoords(mol)
    component = from_file(Chem.MolToMolBlock(mol, forceV3000=True), code="LIG-1")
    assert Chem.MolToSmiles(mol_of(component)) == "C" * 1000
