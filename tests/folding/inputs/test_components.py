"""CIF tables and the components that users define in them."""

import gemmi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs.cif import read_cif
from folding.inputs.components import Components, read_user_ccd, write_component
from folding.inputs.molecule import read_molecule
from tests.folding.inputs.examples import data

CIF = """# a remark
data_ONE
_a.id 'it''s # no remark'
_a.text
;first
second;
;
loop_
_t.x _t.y # columns
1 "a b"
? .
data_TWO
_A.Id x
"""


def test_values_are_read_in_all_their_forms():
    one, two = read_cif(CIF, field="f")
    assert (one.name, two.name) == ("ONE", "TWO")
    assert one.column("_a.id") == ("it''s # no remark",)
    assert one.column("_a.text") == ("first\nsecond;",)
    assert one.column("_T.X") == ("1", "?")
    assert one.column("_t.y") == ("a b", ".")
    assert one.column("_t.z") == ()
    assert two.column("_a.id") == ("x",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "begins with “data_”"),
        ("data_x\nvalue", "“value” where the name of an item"),
        ("data_x\n_a.b", "“_a.b” has no value"),
        ("data_x\n_a.b _a.c 1", "“_a.b” has no value"),
        ("data_x\n_a.b 1 _a.b 2", "“_a.b” is given twice"),
        ("data_x\nloop_\n_a.b _a.c 1 2 3", "2 columns and 3 values"),
        ("data_x\nloop_\n_a.b _a.c", "2 columns and 0 values"),
        ("data_x\nloop_\n1 2", "without items"),
    ],
)
def test_what_is_no_cif_is_refused(text, said):
    with pytest.raises(InvalidInput, match=said) as caught:
        read_cif(text, field="f")
    assert caught.value.field == "f"


@given(st.text("data_x loop_\n'\";#_a.b 12", max_size=80))
def test_any_text_is_cif_or_an_invalid_input(text):
    try:
        blocks = read_cif(text, field="f")
    except InvalidInput as error:
        assert error.field == "f"
    else:
        assert all(values for block in blocks for values in block.items.values())


def component(code: str = "LIG", *, atoms: str = "C1 C\nH1 H\nO1 O", bonds: str = "C1 O1") -> str:
    return (
        f"data_{code}\nloop_\n_chem_comp_atom.atom_id\n_chem_comp_atom.type_symbol\n{atoms}\n"
        f"loop_\n_chem_comp_bond.atom_id_1\n_chem_comp_bond.atom_id_2\n{bonds}\n"
    )


def test_components_of_the_user_come_before_the_dictionarys():
    components = Components(component() + component("ATP"))
    assert components.own == ("LIG", "ATP")
    assert components.find("LIG", field="").atom_names == ("C1", "O1")
    assert components.find("ATP", field="").atom_names == ("C1", "O1")
    assert len(Components().find("ATP", field="").atom_names) == 31


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no component"),
        ("data_LIG\n", "needs a table of its atoms"),
        (component() * 2, "LIG is defined twice"),
        (component("lig"), "must be in capitals: write LIG in place of “lig”"),
        (component("LIG_1"), "“LIG_1” is not the code"),
        (component(atoms="C1 C\nC1 C\nO1 O"), "LIG has “C1” twice"),
        (component(atoms="H1 H\nH2 D", bonds="H1 H2"), "no atom but hydrogen"),
        (component(bonds="C1 C9"), "names the atom “C9”"),
        (component(atoms="\n".join(f"C{n} C" for n in range(1001))), "at most 1000"),
        ("x" * 2_000_001, "at most 2,000,000 characters"),
        (component() + "\0", "control character"),
    ],
    ids=range(11),
)
def test_what_is_no_dictionary_is_refused(text, said):
    with pytest.raises(InvalidInput, match=said) as caught:
        read_user_ccd(text)
    assert caught.value.field == "user_ccd"


@pytest.mark.parametrize("name", ["alaninate.sdf", "alaninate.mol2"])
def test_a_component_that_is_written_is_one_for_us_and_for_others(name):
    molecule = read_molecule(data(name))
    text = write_component("LIG-1", molecule)
    assert read_user_ccd(text)["LIG-1"].atom_names == molecule.heavy_names
    theirs = gemmi.make_chemcomp_from_block(gemmi.cif.read_string(text).sole_block())
    assert [atom.id for atom in theirs.atoms] == list(molecule.names)
    assert [round(atom.charge) for atom in theirs.atoms] == [a.charge for a in molecule.atoms]
    assert len(theirs.rt.bonds) == len(molecule.bonds)
    assert theirs.rt.bonds[3].type == gemmi.BondType.Double


def test_a_lone_atom_has_no_table_of_bonds():
    text = "\n\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n" + "    0.0000" * 3 + " Zn  0  0\n"
    written = write_component("ION", read_molecule(text))
    assert "_chem_comp_bond" not in written
    assert read_user_ccd(written)["ION"].atom_names == ("ZN1",)
