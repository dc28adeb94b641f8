"""CIF text against gemmi: what it writes is read, and what it reads is the same."""

import gemmi
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs import FoldInput, Ligand, Modification, ProteinChain
from folding.inputs.cif import read_cif
from folding.inputs.components import Components, read_user_ccd, write_component
from folding.inputs.molecule import read_molecule
from tests.folding.inputs.examples import data, user_component

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=20)


@settings(max_examples=60)
@given(TEXT, st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4))
def test_values_that_gemmi_quotes_are_read(single, rows):
    document = gemmi.cif.Document()
    block = document.add_new_block("X")
    block.set_pair("_a.single", gemmi.cif.quote(single))
    loop = block.init_loop("_b.", ["one", "two"])
    for row in rows:
        loop.add_row([gemmi.cif.quote(value) for value in row])
    (found,) = read_cif(document.as_string(), field="x")
    assert found.name == "X"
    assert found.column("_a.single") == (single,)
    assert found.column("_b.one") == tuple(one for one, _ in rows)
    assert found.column("_b.two") == tuple(two for _, two in rows)


@given(st.lists(TEXT, min_size=1, max_size=3))
def test_text_between_semicolons_keeps_its_lines(lines):
    assume(not any(line.startswith(";") for line in lines))
    text = "\n".join(lines)
    (found,) = read_cif(f"data_X\n_a.text\n;{text}\n;\n_a.next 1\n", field="x")
    assert found.column("_a.text") == (text,)
    assert found.column("_a.next") == ("1",)


@pytest.mark.parametrize(
    "text",
    [
        "data_X _a.b 'it''s' _a.c x",
        "data_X\n_a.b 'a'b'\n_a.c \"d\"e\"\n",
        "data_X # a remark\n_a.b 1 # another\n# a line\n_a.c 2",
        "DATA_X LOOP_ _a.b _a.c 1 2 3 4",
        "data_X loop_\n_a.b\n_a.c\n'x y' .\n? \"\"\n",
        "data_X _a.b a#b _a.c 'data_Y'",
    ],
)
def test_gemmi_reads_the_same(text):
    (ours,) = read_cif(text, field="x")
    theirs = gemmi.cif.read_string(text).sole_block()
    for tag in ("_a.b", "_a.c"):
        values = [str(value) for value in theirs.find_values(tag)]
        plain = [gemmi.cif.as_string(v) if v[0] in "'\";" else v for v in values]
        assert ours.column(tag) == tuple(plain)


def test_tags_know_no_case():
    (found,) = read_cif("data_X _Chem_Comp.ID abc", field="x")
    assert found.column("_chem_comp.id") == ("abc",)
    assert found.column("_chem_comp.other") == ()


def test_gemmi_reads_the_components_that_we_write():
    for name in ("alaninate.sdf", "alaninate_v3000.mol", "alaninate.mol2"):
        molecule = read_molecule(data(name))
        block = gemmi.cif.read_string(write_component("LIG-7", molecule)).sole_block()
        component = gemmi.make_chemcomp_from_block(block)
        assert component.name == "LIG-7"
        assert tuple(atom.id for atom in component.atoms) == molecule.names
        assert [atom.el.name for atom in component.atoms] == [a.element for a in molecule.atoms]
        assert len(component.rt.bonds) == len(molecule.bonds)
        charges = [atom.charge for atom in component.atoms]
        assert charges == [atom.charge for atom in molecule.atoms]


def test_a_block_of_the_pdbs_dictionary_can_be_given_as_ones_own():
    """Items that are not needed, quoted names, tables in another order."""
    text = """data_ABC
#
_chem_comp.id                                    ABC
_chem_comp.name                                  "2'-something, long"
_chem_comp.type                                  NON-POLYMER
_chem_comp.pdbx_type                             HETAIN
_chem_comp.formula                               "C2 O1"
_chem_comp.pdbx_release_status                   REL
#
loop_
_chem_comp_bond.comp_id
_chem_comp_bond.atom_id_1
_chem_comp_bond.atom_id_2
_chem_comp_bond.value_order
_chem_comp_bond.pdbx_ordinal
ABC "C1'" C2 SING 1
ABC C2 O1 DOUB 2
ABC C2 HA SING 3
#
loop_
_chem_comp_atom.comp_id
_chem_comp_atom.atom_id
_chem_comp_atom.alt_atom_id
_chem_comp_atom.type_symbol
_chem_comp_atom.charge
ABC "C1'" C1* C 0
ABC C2 C2 C 0
ABC O1 O1 O 0
ABC HA HA H 0
#
loop_
_pdbx_chem_comp_descriptor.comp_id
_pdbx_chem_comp_descriptor.type
_pdbx_chem_comp_descriptor.descriptor
ABC SMILES "CC=O"
ABC InChI
;InChI=1S/C2H4O/c1-2-3/h2H,1H3
;
"""
    (found,) = read_user_ccd(text).values()
    assert found.atom_names == ("C1'", "C2", "O1")
    assert found.type == "NON-POLYMER"
    job = FoldInput("job", (Ligand(("A", "B"), ccd=("ABC",)),), user_ccd=text)
    assert job.n_tokens == 6
    assert FoldInput.from_json(job.to_json()) == job


def test_ones_own_component_is_found_before_the_dictionarys_and_others_stay():
    own = Components(user_component("ATP", ["C1", "C2"]))
    assert own.own == ("ATP",)
    assert own.find("ATP", field="ccd").atom_names == ("C1", "C2")
    assert len(own.find("ADP", field="ccd").atom_names) == 27
    assert len(Components().find("ATP", field="ccd").atom_names) == 31


def test_a_component_of_ones_own_can_be_a_residue():
    own = user_component("NEW-1", ["N", "CA", "C", "O", "CB"], kind="L-PEPTIDE LINKING")
    chain = ProteinChain(("A",), "GASG", modifications=(Modification("NEW-1", 3),))
    assert FoldInput("job", (chain,), user_ccd=own).n_tokens == 3 + 5
    strange = user_component("NEW-1", ["P", "O5'"], kind="DNA LINKING")
    with pytest.raises(InvalidInput, match="calls it “dna linking”") as caught:
        FoldInput("job", (chain,), user_ccd=strange)
    assert caught.value.field == "chains.0.modifications"
    with pytest.raises(InvalidInput, match="no component “NEW-1”"):
        FoldInput("job", (chain,))


@pytest.mark.parametrize("code", ["LIGAND-1", "A", "MY-LONG-NAME-OF-31-CHARACTERS-X"])
def test_codes_of_ones_own_may_be_long(code):
    job = FoldInput(
        "job", (Ligand(("A",), ccd=(code,)),), user_ccd=user_component(code, list_of(4))
    )
    assert job.n_tokens == 4
    assert FoldInput.from_json(job.to_json()) == job


def list_of(n: int) -> list[str]:
    return [f"C{i}" for i in range(1, n + 1)]
