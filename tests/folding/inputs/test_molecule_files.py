"""SDF, V3000 and MOL2 files as programs write them, against RDKit's own reading."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem import rdDistGeom

from folding.errors import InvalidInput
from folding.inputs import AtomRef, Bond, FoldInput, Ligand, ProteinChain
from folding.inputs.molecule import Molecule, read_molecule
from tests.folding.inputs.examples import data

SDF, V3000, MOL2 = map(data, ("alaninate.sdf", "alaninate_v3000.mol", "alaninate.mol2"))
ORDERS = {"SING": 1.0, "DOUB": 2.0, "TRIP": 3.0, "AROM": 1.5}
DRUGS = {
    "imatinib": "Cc1ccc(NC(=O)c2ccc(CN3CCN(C)CC3)cc2)cc1Nc1nccc(-c2cccnc2)n1",
    "penicillin": "CC1(C)S[C@@H]2[C@H](NC(=O)Cc3ccccc3)C(=O)N2[C@H]1C(=O)[O-]",
    "choline": "C[N+](C)(C)CCO",
    "nitro": "C[N+](=O)[O-]",
    "cyanide": "[C-]#N",
    "zwitterion": "[NH3+]CC(=O)[O-]",
    "sulfone": "CS(=O)(=O)C",
    "borate": "OB(O)c1ccccc1",
    "selenium": "C[Se]CC[C@H](N)C(=O)O",
    "halogens": "FC(Cl)(Br)I",
    "phosphate": "COP(=O)([O-])[O-]",
    "deuterated": "[2H]C([2H])([2H])O",
    "azide": "CN=[N+]=[N-]",
}


def same_as_rdkit(found: Molecule, mol: Chem.Mol) -> None:
    """Elements, charges and bonds are those of RDKit, atom by atom."""
    elements = ["H" if atom.element == "D" else atom.element for atom in found.atoms]
    assert elements == [atom.GetSymbol() for atom in mol.GetAtoms()]
    assert [a.charge for a in found.atoms] == [a.GetFormalCharge() for a in mol.GetAtoms()]
    expected = {
        (frozenset((b.GetBeginAtomIdx(), b.GetEndAtomIdx())), b.GetBondTypeAsDouble())
        for b in mol.GetBonds()
    }
    assert {(frozenset((b.first, b.second)), ORDERS[b.order]) for b in found.bonds} == expected


@pytest.mark.parametrize("name", DRUGS)
@pytest.mark.parametrize("form", ["V2000", "V3000"])
@pytest.mark.parametrize("kekulized", [True, False], ids=["kekule", "aromatic"])
def test_what_rdkit_writes_is_the_same_molecule(name, form, kekulized):
    mol = Chem.MolFromSmiles(DRUGS[name])
    text = Chem.MolToMolBlock(mol, forceV3000=form == "V3000", kekulize=kekulized)
    if kekulized:
        Chem.Kekulize(mol, clearAromaticFlags=True)
    same_as_rdkit(read_molecule(text), mol)


@pytest.mark.parametrize("name", ["imatinib", "penicillin", "choline"])
def test_coordinates_and_hydrogens_of_a_conformer_are_read(name):
    mol = Chem.AddHs(Chem.MolFromSmiles(DRUGS[name]))
    assert rdDistGeom.EmbedMolecule(mol, randomSeed=7) == 0
    found = read_molecule(Chem.MolToMolBlock(mol))
    place = mol.GetConformer().GetPositions()
    for atom, expected in zip(found.atoms, place, strict=True):
        assert atom.position == pytest.approx(tuple(expected), abs=1e-4)
    heavy = [a for a in mol.GetAtoms() if a.GetAtomicNum() > 1]
    assert len(found.heavy_names) == len(heavy)
    ligand = Ligand(("A", "B"), file=Chem.MolToMolBlock(mol))
    assert ligand.n_tokens == 2 * len(heavy)


@pytest.mark.parametrize("name", DRUGS)
def test_a_file_and_its_smiles_have_as_many_tokens(name):
    block = Chem.MolToMolBlock(Chem.MolFromSmiles(DRUGS[name]))
    assert Ligand(("A",), file=block).n_tokens == Ligand(("A",), smiles=DRUGS[name]).n_tokens


def test_fields_behind_the_molecule_of_an_sdf_do_not_matter():
    fields = "> <NAME>\nalanine M  CHG  1   1   5\n\n> <IC50>\n5 nM\n\n$$$$\n"
    assert read_molecule(SDF.rstrip().removesuffix("$$$$") + "\n" + fields) == read_molecule(SDF)


def test_charges_may_stand_on_several_lines():
    atoms = "".join(f"{3 * n:10.4f}    0.0000    0.0000 N   0  0\n" for n in range(10))
    lines = ["M  CHG  8   1   1   2   1   3   1   4   1   5   1   6   1   7   1   8   1"]
    lines += ["M  CHG  2   9   1  10  -1", "M  ISO  1   1  15", "M  END"]
    text = "\n\n\n 10  0  0  0  0  0            999 V2000\n" + atoms + "\n".join(lines) + "\n"
    assert [atom.charge for atom in read_molecule(text).atoms] == [1] * 9 + [-1]


def test_charge_lines_take_the_place_of_old_ones():
    """As the format has it: with any M  CHG line, what atom lines say of charges is void."""
    lines = SDF.splitlines()
    lines[4] = lines[4][:36] + "  3" + lines[4][39:]
    assert [atom.charge for atom in read_molecule("\n".join(lines)).atoms[:6]] == [0] * 5 + [-1]


def test_deuterium_is_a_hydrogen():
    text = SDF.replace(" H   0", " D   0", 1)
    assert read_molecule(text).heavy_names == read_molecule(SDF).heavy_names
    assert "D1" in read_molecule(text).names


CUT = {
    "v3000 in its atoms": (V3000, "M  V30 4 "),
    "v3000 in its bonds": (V3000, "M  V30 END BOND"),
    "mol2 in its atoms": (MOL2, "      5 "),
    "mol2 before its bonds": (MOL2, "@<TRIPOS>BOND"),
}


@pytest.mark.parametrize("case", CUT)
def test_a_file_that_was_cut_short_is_refused(case):
    text, where = CUT[case]
    short = text[: text.index(where)]
    if where.endswith("END BOND"):
        short = short.rstrip().rpartition("\n")[0] + "\n"
    with pytest.raises(InvalidInput, match="announces 12 atoms and 11 bonds, but it ends before"):
        read_molecule(short)


@pytest.mark.parametrize("n_lines", range(4, 30, 3))
def test_wherever_an_sdf_is_cut_nothing_is_lost_unsaid(n_lines):
    lines = SDF.splitlines()
    try:
        found = read_molecule("\n".join(lines[:n_lines]))
    except InvalidInput as error:
        assert "SDF" in str(error) or "ends before" in str(error)
    else:
        assert (len(found.atoms), len(found.bonds)) == (12, 11)


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        ("C.ar", "C"),
        ("N.pl3", "N"),
        ("Cl", "Cl"),
        ("CL", "Cl"),
        ("S.O2", "S"),
        ("Zn", "Zn"),
        ("P.3", "P"),
    ],
)
def test_types_of_mol2_say_the_element(kind, element):
    text = (
        "@<TRIPOS>MOLECULE\nx\n 2 1\nSMALL\nNO_CHARGES\n@<TRIPOS>ATOM\n"
        f"1 X1 0 0 0 {kind}\n2 X2 1.5 0 0 C.3 1 LIG 0.0\n@<TRIPOS>BOND\n1 1 2 1\n"
    )
    assert read_molecule(text).atoms[0].element == element


@pytest.mark.parametrize(
    ("word", "order"), [("1", "SING"), ("2", "DOUB"), ("ar", "AROM"), ("am", "SING")]
)
def test_bonds_of_mol2_have_their_orders(word, order):
    text = (
        "# made by hand\n@<TRIPOS>MOLECULE\n\n2 1 0 0 0\nSMALL\nUSER_CHARGES\n@<TRIPOS>ATOM\n"
        f"7 C1 0 0 0 C.2\n9 C2 1.4 0 0 C.2\n@<TRIPOS>BOND\n"
        f"1 9 7 {word}\n@<TRIPOS>SUBSTRUCTURE\n1 LIG 1\n"
    )
    (bond,) = read_molecule(text).bonds
    assert (bond.first, bond.second, bond.order) == (1, 0, order)


@pytest.mark.parametrize("word", ["un", "nc", "du", "5", ""])
def test_bonds_that_are_no_bonds_are_refused(word):
    text = MOL2.replace("     1     1     2 1", f"     1     1     2 {word}")
    with pytest.raises(InvalidInput, match=r"not the type of a bond|is not a bond"):
        read_molecule(text)


def test_a_table_of_several_molecules_is_no_ligand():
    alone = SDF.rstrip().removesuffix("$$$$").rstrip()
    with pytest.raises(InvalidInput, match="more than one molecule"):
        read_molecule(f"{alone}\n$$$$\n{alone}\n$$$$\n")
    assert read_molecule(f"{alone}\n$$$$\n\n") == read_molecule(SDF)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["C", "N", "O", "S", "Cl"]), min_size=1, max_size=12))
def test_names_are_those_that_bonds_use(elements):
    rows = "".join(
        f"{2 * i:10.4f}    0.0000{i:10.4f} {e:<3} 0  0\n" for i, e in enumerate(elements)
    )
    text = f"\n\n\n{len(elements):3}  0  0  0  0  0            999 V2000\n{rows}M  END\n"
    chains = (ProteinChain(("A",), "GCSSCG"), Ligand(("B",), file=text))
    for name in read_molecule(text).heavy_names:
        bond = Bond(AtomRef("A", 2, "SG"), AtomRef("B", 1, name))
        assert FoldInput("job", chains, bonds=(bond,)).n_tokens == 6 + len(elements)
    count = elements.count(elements[0])
    wrong = AtomRef("B", 1, f"{elements[0].upper()}{count + 1}")
    with pytest.raises(InvalidInput, match="which has the atoms"):
        FoldInput("job", chains, bonds=(Bond(AtomRef("A", 2, "SG"), wrong),))
