"""SDF and MOL2: the same molecule however it is written, and what is broken is said."""

import pytest

from folding.errors import InvalidInput
from folding.inputs.molecule import MoleculeBond, read_molecule
from tests.folding.inputs.examples import data

SDF, V3000, MOL2 = map(data, ("alaninate.sdf", "alaninate_v3000.mol", "alaninate.mol2"))


@pytest.mark.parametrize("text", [SDF, V3000, MOL2, SDF.replace("\n", "\r\n")])
def test_all_formats_say_the_same(text):
    molecule = read_molecule(text)
    assert molecule.heavy_names == ("C1", "C2", "N1", "C3", "O1", "O2")
    assert len(molecule.atoms) == 12
    assert molecule.names[-1] == "H6"
    assert [atom.charge for atom in molecule.atoms[:6]] == [0, 0, 0, 0, 0, -1]
    assert molecule.bonds[:4] == (
        MoleculeBond(0, 1, "SING"),
        MoleculeBond(1, 2, "SING"),
        MoleculeBond(1, 3, "SING"),
        MoleculeBond(3, 4, "DOUB"),
    )
    assert molecule.atoms[0].position == pytest.approx((-0.8914, -0.9150, -0.3431), abs=1e-3)


def test_a_charge_stands_in_the_atom_line_where_there_is_no_other():
    lines = SDF.replace("M  CHG  1   6  -1\n", "").splitlines()
    lines[4] = lines[4][:36] + "  3" + lines[4][39:]
    assert read_molecule("\n".join(lines)).atoms[0].charge == 1


def test_rows_of_v3000_go_on_after_a_hyphen():
    atom = next(line for line in V3000.splitlines() if " C " in line)
    broken = atom[:20] + "-\nM  V30 " + atom[20:]
    assert read_molecule(V3000.replace(atom, broken)) == read_molecule(V3000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not an SDF or MOL2 file"),
        ("\n\n\n", "not an SDF or MOL2 file"),
        (SDF + SDF, "more than one molecule"),
        (MOL2 + MOL2, "more than one molecule"),
        (SDF.replace(" 12 11", " 99 11"), "announces 99 atoms and 11 bonds"),
        (SDF.replace(" 12 11", " -1 11"), "announces -1 atoms"),
        (SDF.replace(" 12 11", " xx 11"), "“ xx” in the ligand file is not a number of atoms"),
        (SDF.replace(" N  ", " Qq "), "“Qq” in the ligand file is not an element"),
        (SDF.replace("   -0.8914", "   abc8914"), "are not three coordinates"),
        (SDF.replace("   -0.8914", "       nan"), "is too far"),
        (SDF.replace("   -0.8914", "      1e99"), "is too far"),
        (SDF.replace("  1  2  1", "  1 99  1"), "between atoms 1 and 99, but its atoms are 1"),
        (SDF.replace("  1  2  1", "  1  1  1"), "between atoms 1 and 1"),
        (SDF.replace("  2  3  1", "  1  2  1"), "two bonds between atoms 1 and 2"),
        (SDF.replace("  1  2  1", "  1  2  9"), "“9” in the ligand file is not the order"),
        ("\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n", "no atom but hydrogen"),
        (
            MOL2.replace("@<TRIPOS>ATOM", "@<TRIPOS>ATOMS"),
            "announces 12 atoms and 11 bonds, but it ends before",
        ),
        (MOL2.replace(" C.3 ", " Qq "), "not an element"),
        (MOL2.replace("     1     1     2 1", "     1     1"), "“1 1” .* is not a bond"),
        ("x" * 1_000_001, "at most 1,000,000 characters"),
        (SDF.replace("alan", "al\0an"), "control character"),
    ],
    ids=range(21),
)
def test_what_is_broken_is_said_with_a_way_out(text, said):
    with pytest.raises(InvalidInput, match=said) as caught:
        read_molecule(text)
    assert caught.value.field == "file"


def test_a_protein_is_no_ligand():
    atom = "    1.0000    0.0000    0.0000 C   0  0\n"
    head = "\n\n\n999  0  0  0  0  0  0  0  0  0999 V2000\n"
    assert len(read_molecule(head + atom * 999).atoms) == 999
    rows = "".join(f"M  V30 {n} C 0 0 0 0\n" for n in range(1, 1002))
    text = f"\n\n\n  0  0  0 0 0 999 V3000\nM  V30 BEGIN ATOM\n{rows}M  V30 END ATOM\n"
    with pytest.raises(InvalidInput, match="at most 1000 atoms, but the file has 1001"):
        read_molecule(text)
