"""The flat arrays of a structure and what follows from them."""

import numpy as np
import pytest

from folding.structure.structure import Structure, one_letter
from tests.folding.examples import CRAMBIN, PROTEIN_G, TRP_CAGE, dimer, joined, moved, structure


@pytest.mark.parametrize(
    ("pdb_id", "sequence"), [("1l2y", TRP_CAGE), ("1pga", PROTEIN_G), ("1crn", CRAMBIN)]
)
def test_a_chain_has_its_sequence(pdb_id, sequence):
    found = structure(pdb_id)
    assert found.chain_ids == ("A",)
    assert found.sequence("A") == sequence
    assert found.n_tokens == len(sequence) == len(found.residue_starts)


def test_chains_keep_their_order_and_their_residues():
    both = joined(structure("1pga"), structure("1l2y"))
    assert both.chain_ids == ("A", "B")
    assert both.sequence("A") == PROTEIN_G
    assert both.sequence("B") == TRP_CAGE
    assert both.sequence("C") == ""
    starts = both.residue_starts
    assert both.atom_name[starts].tolist() == ["N"] * 76
    assert both.residue_number[starts].tolist() == [*range(1, 57), *range(1, 21)]


def test_a_residue_starts_where_the_chain_changes_though_the_number_does_not():
    one = structure("1l2y").select(structure("1l2y").residue_number == 1)
    both = joined(one, one)
    assert both.residue_starts.tolist() == [0, one.n_atoms]


def test_the_centre_of_an_amino_acid_is_its_ca():
    both = dimer()
    assert both.atom_name[both.centre_atoms].tolist() == ["CA"] * 40
    assert both.token_index[both.centre_atoms].tolist() == list(range(40))
    assert both.token_residue_number.tolist() == [*range(1, 21), *range(1, 21)]


def test_the_centre_of_a_lone_atom_is_that_atom():
    ca_only = structure("1l2y").select(structure("1l2y").atom_name == "N")
    assert ca_only.centre_atoms.tolist() == list(range(20))


def test_selected_atoms_get_new_tokens():
    both = dimer()
    second = both.select((both.chain_id == "B") & (both.residue_number > 18))
    assert second.sequence("B") == "PS"
    assert second.chain_ids == ("B",)
    assert second.n_tokens == 2
    assert sorted(set(second.token_index.tolist())) == [0, 1]
    np.testing.assert_array_equal(second.coordinates, both.coordinates[-second.n_atoms :])


def test_other_coordinates_leave_the_rest_alone():
    one = structure("1l2y")
    other = moved(one, (1.0, 2.0, 3.0))
    np.testing.assert_allclose(
        other.coordinates - one.coordinates, [[1, 2, 3]] * one.n_atoms, atol=1e-5
    )
    assert other.atom_name is one.atom_name


def test_one_letter_codes():
    assert [one_letter(name) for name in ("ALA", "TRP", "UNK", "ATP")] == ["A", "W", "X", "X"]


def test_arrays_of_unequal_length_are_refused():
    one = structure("1l2y")
    fields = {name: getattr(one, name) for name in one.__dataclass_fields__}
    with pytest.raises(Exception, match="atom_name"):
        Structure(**{**fields, "atom_name": one.atom_name[1:]})
