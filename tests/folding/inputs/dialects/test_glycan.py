"""Glycans: trees of sugars, and the atoms between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.chemistry.catalog import component
from folding.errors import InvalidInput
from folding.inputs.dialects.glycan import _ANOMERIC, _LINKAGES, protein_atom, read_glycan


def test_branches_take_the_places_that_nature_gives_them():
    glycan = read_glycan("NAG(NAG(BMA(MAN(NAG))(MAN)))(FUC)")
    assert glycan.codes == ("NAG", "NAG", "BMA", "MAN", "NAG", "MAN", "FUC")
    assert glycan.links == (
        (1, "O4", 2, "C1"),
        (2, "O4", 3, "C1"),
        (3, "O6", 4, "C1"),
        (4, "O2", 5, "C1"),
        (3, "O3", 6, "C1"),
        (1, "O6", 7, "C1"),
    )
    assert glycan.reach == "C1"


def drawn(text: str) -> dict[str, str]:
    """Each sugar of a glycan by the way to it from the protein, as `4-4-6-3`."""
    glycan = read_glycan(text)
    ways = {1: ""}
    for parent, oxygen, branch, _ in glycan.links:
        ways[branch] = f"{ways[parent]}-{oxygen[1:]}".strip("-")
    return {ways[position]: code for position, code in enumerate(glycan.codes, start=1)}


CORE = {"": "NAG", "4": "NAG", "4-4": "BMA", "4-4-3": "MAN", "4-4-6": "MAN"}
MAN5 = CORE | {"4-4-6-3": "MAN", "4-4-6-6": "MAN"}
MAN8 = MAN5 | {"4-4-3-2": "MAN", "4-4-3-2-2": "MAN", "4-4-6-6-2": "MAN"}
MAN9 = MAN8 | {"4-4-6-3-2": "MAN"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NAG(NAG(BMA(MAN(MAN)(MAN))(MAN)))", MAN5),
        ("NAG(NAG(BMA(MAN)(MAN(MAN)(MAN))))", MAN5),
        ("NAG(NAG(BMA(MAN(MAN)(6-1 MAN))(MAN)))", MAN5),
        ("NAG(NAG(MAN(MAN)(MAN(MAN)(MAN))))", MAN5 | {"4-4": "MAN"}),
        ("NAG(NAG(BMA(MAN(MAN(MAN))(MAN))(MAN(MAN(MAN)))))", MAN8),
        ("NAG(NAG(BMA(MAN(MAN(MAN)))(MAN(MAN)(MAN(MAN)))))", MAN8),
        ("NAG(NAG(BMA(MAN(MAN(MAN))(MAN(MAN)))(MAN(MAN(MAN)))))", MAN9),
    ],
)
def test_glycans_of_many_mannoses_are_those_of_nature(text, expected):
    assert drawn(text) == expected


def test_a_mannose_of_three_takes_every_place():
    assert set(drawn("MAN(MAN)(MAN)(MAN)")) == {"", "2", "3", "6"}
    assert set(drawn("MAN(2-1 NAG)(MAN)")) == {"", "2", "6"}


def test_linkages_that_are_written_are_taken():
    glycan = read_glycan("MAN(6-1 FUC)(4-1 MAN(6-1 MAN(6-1 MAN)))")
    assert glycan.codes == ("MAN", "FUC", "MAN", "MAN", "MAN")
    assert glycan.links[:2] == ((1, "O6", 2, "C1"), (1, "O4", 3, "C1"))


def test_sialic_acid_reaches_out_with_its_second_carbon():
    assert read_glycan("GAL(SIA)").links == ((1, "O6", 2, "C2"),)
    assert read_glycan("SIA").reach == "C2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a glycan"),
        ("(NAG)", "is not a glycan"),
        ("NAG(NAG", "is not a glycan"),
        ("NAG)", "is not a glycan"),
        ("NAG()", "is not a glycan"),
        ("NAG NAG", "is not a glycan"),
        ("NAG(4-1 )", "is not a glycan"),
        ("NAG((NAG))", "is not a glycan"),
        ("NAG-NAG", "is not a glycan"),
        ("NAG(ATP)", "does not say which atoms bond NAG to ATP"),
        ("NAG(NAG)(NAG)(NAG)", "there is no usual place left"),
        ("NAG(4-1 NAG)(4-1 NAG)", "Two branches of the glycan hang on O4"),
        ("NAG" + "(4-1 NAG" * 60 + ")" * 60, "at most 500 characters"),
        ("MAN" + "(MAN" * 50 + ")" * 50, "at most 50 sugars, but this has 51"),
    ],
)
def test_what_is_no_glycan_is_refused(text, said):
    with pytest.raises(InvalidInput) as caught:
        read_glycan(text)
    assert said in str(caught.value)
    assert caught.value.field == "glycans"


def test_only_three_residues_carry_glycans():
    assert [protein_atom(letter, position=1) for letter in "NST"] == ["ND2", "OG", "OG1"]
    with pytest.raises(InvalidInput, match="residue 7 is “K”"):
        protein_atom("K", position=7)


def test_every_linkage_joins_atoms_that_the_dictionary_has():
    for (parent, branch), oxygens in _LINKAGES.items():
        assert set(oxygens) <= set(component(parent).atom_names), parent
        assert _ANOMERIC.get(branch, "C1") in component(branch).atom_names, branch


@given(st.text("NAGMFUC()12-46 ", max_size=40))
def test_any_text_is_a_glycan_or_an_invalid_input(text):
    try:
        glycan = read_glycan(text)
    except InvalidInput as error:
        assert error.field == "glycans"
    else:
        assert len(glycan.links) == len(glycan.codes) - 1
        assert all(parent < branch for parent, _, branch, _ in glycan.links)
