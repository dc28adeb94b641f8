"""Tokens and atoms of a job."""

import numpy as np

from folding.data.tokens import atom_table, tokenize
from folding.inputs import FoldInput, ProteinChain


def tokens():
    chains = (ProteinChain(("A", "C"), "MGWK"), ProteinChain(("B",), "ACDEF"))
    return tokenize(FoldInput(name="two", chains=chains, seeds=(1,)))


def test_copies_share_an_entity_and_count_up():
    found = tokens()
    assert found.chain_ids == ("A", "C", "B")
    assert found.asym_id.tolist() == [1] * 4 + [2] * 4 + [3] * 5
    assert found.entity_id.tolist() == [1] * 8 + [2] * 5
    assert found.sym_id.tolist() == [1] * 4 + [2] * 4 + [1] * 5
    assert found.residue_index.tolist() == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4, 5]


def test_atoms_follow_their_token_in_the_order_of_the_dictionary():
    found = tokens()
    counts = np.bincount(found.atom_to_token)
    assert counts.tolist() == [8, 4, 14, 9, 8, 4, 14, 9, 5, 6, 8, 9, 11]
    assert (np.diff(found.atom_to_token) >= 0).all()
    assert found.atom_names[:8] == ["N", "CA", "C", "O", "CB", "CG", "SD", "CE"]
    assert found.atom_names[8:12] == ["N", "CA", "C", "O"]


def test_the_table_spells_atom_names_as_the_network_reads_them():
    table = atom_table()
    chars = table.name_chars[18, 1]  # tyrosine, CA
    assert "".join(chr(char + 32) for char in chars) == "CA  "
    assert table.element[18, :5].tolist() == [7, 6, 6, 8, 6]
    assert table.n_atoms.max() == table.position.shape[1] == 14


def test_chains_of_the_same_sequence_are_copies_however_they_were_entered():
    chains = tuple(ProteinChain((i,), s) for i, s in [("A", "MGWK"), ("B", "ACDE"), ("C", "MGWK")])
    found = tokenize(FoldInput(name="three", chains=chains, seeds=(1,)))
    assert found.entity_id[::4].tolist() == [1, 2, 1]
    assert found.sym_id[::4].tolist() == [1, 1, 2]
