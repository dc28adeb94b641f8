"""mmCIF files are read as they are, or refused in words."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.templates import structure_file
from folding.templates.structure_file import read_structure
from tests.folding.templates.structures import helix, mmcif

SEQUENCE = "MKTAYIAKQR"


def test_chains_sequences_and_atoms_are_read():
    found = read_structure(mmcif({"A": SEQUENCE, "B": "GGWGG"}, missing=(3,)))
    assert (found.name, found.released) == ("1ABC", date(2019, 5, 1))
    first, second = found.chains
    assert (first.chain_id, first.author_id, first.sequence) == ("A", "a", SEQUENCE)
    assert second.sequence == "GGWGG"
    assert sorted(first.residues) == [0, 1, 3, 4, 5, 6, 7, 8, 9], "unresolved ones keep their place"
    assert first.residues[3].code == "ALA"
    assert first.residues[3].atoms["CA"] == pytest.approx(helix(10, seed=1)[3, 1])
    assert list(second.residues[0].atoms) == ["N", "CA", "C"]


def test_chains_are_chosen_by_either_name():
    found = read_structure(mmcif({"A": SEQUENCE, "B": "GGWGG"}))
    assert found.chain("B").sequence == found.chain("b").sequence == "GGWGG"
    with pytest.raises(InvalidInput, match="2 protein chains: A, B"):
        found.chain("")
    with pytest.raises(InvalidInput, match="no protein chain “Z”"):
        found.chain("Z")
    assert read_structure(mmcif({"C": SEQUENCE})).chain("").chain_id == "C"


def test_only_the_first_model_and_place_of_an_atom_count():
    text = mmcif({"A": SEQUENCE})
    atom = next(line for line in text.splitlines() if " CA . MET A 1 1 " in line)
    words = atom.split()
    other_place = " ".join([*words[:4], "B", *words[5:10], "9.0", "9.0", "9.0", *words[13:]])
    other_model = " ".join([*words[:10], "8.0", "8.0", "8.0", "a", "2"])
    text = text.replace(atom, "\n".join([atom, other_place, other_model]))
    atoms = read_structure(text).chains[0].residues[0].atoms
    assert atoms["CA"] == pytest.approx([float(word) for word in words[10:13]])


def test_modified_residues_count_as_their_parents():
    text = mmcif({"A": SEQUENCE}).replace("MET", "MSE").replace("THR", "XYZ")
    assert read_structure(text).chains[0].sequence == "MKXAYIAKQR"


def test_without_a_table_of_the_sequence_the_atoms_tell_it():
    text = mmcif({"A": SEQUENCE}, missing=(2,))
    start, end = text.index("loop_\n_entity_poly_seq"), text.index("loop_\n_atom_site")
    assert read_structure(text[:start] + text[end:]).chains[0].sequence == "MXTAYIAKQR"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins with “data_”"),
        ("HEADER    HYDROLASE\nATOM      1  N   MET A   1\n", "begins with “data_”"),
        ("data_x\n_cell.length_a 1\n", "“_atom_site”"),
        (mmcif({}), "no protein chain"),
        (
            mmcif({"A": "MKTA"}).replace(" . MET A 1 1 ? ", " . MET A 1 1 ? nan ", 1),
            "no coordinates",
        ),
        ("data_x\nloop_\n_atom_site.id\n1\n", "not complete"),
        ("data_x\x00\n_atom_site.id", "control character"),
    ],
)
def test_what_is_no_structure_is_said(text, words):
    with pytest.raises(InvalidInput, match=words) as error:
        read_structure(text, field="template")
    assert error.value.field == "template"


def test_sizes_are_capped(monkeypatch):
    monkeypatch.setattr(structure_file, "MAX_ATOMS", 10)
    with pytest.raises(InvalidInput, match="at most 10 atoms"):
        read_structure(mmcif({"A": SEQUENCE}))
    monkeypatch.setattr(structure_file, "MAX_CIF_CHARACTERS", 100)
    with pytest.raises(InvalidInput, match="at most 100 characters"):
        read_structure(mmcif({"A": SEQUENCE}))


@given(st.data())
def test_mutated_files_are_read_or_refused(data):
    text = mmcif({"A": "MKTG"})
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 60)))
        put = data.draw(
            st.sampled_from(["", "\n", "loop_\n", "9" * 30, "'", '"', " ", "nan", "-1"])
        )
        text = text[:start] + put + text[end:]
    try:
        assert read_structure(text).chains
    except InvalidInput as error:
        assert str(error)
