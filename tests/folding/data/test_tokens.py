"""Tokens and atoms of a job."""

from dataclasses import replace

import numpy as np

from folding.data.style import PUBLISHED
from folding.data.tokens import atom_table, tokenize
from folding.inputs import DnaChain, FoldInput, Modification, ProteinChain, RnaChain
from folding.weights.configs import ALPHAFOLD3, OPENFOLD3, PROTENIX


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


def test_a_nucleotide_inside_a_chain_leaves_a_slot_free_for_the_oxygen_that_it_lacks():
    """As Protenix and AlphaFold 3 choose the weights that judge an atom; OpenFold3 does not."""
    job = FoldInput(name="strand", chains=(DnaChain(("A",), "GACT"),), seeds=(1,))
    style = replace(PUBLISHED, embedded=False)
    found = tokenize(job, style)
    assert found.atom_names[0] == "OP3" and found.atom_names.count("OP3") == 1
    first, second = found.atom_to_token == 0, found.atom_to_token == 1
    assert found.atom_slot[first].tolist() == list(range(23))
    assert found.atom_slot[second].tolist() == list(range(1, 22))
    one_by_one = tokenize(job, replace(style, slots_by_name=False))
    assert one_by_one.atom_slot[second].tolist() == list(range(21))


def test_published_networks_number_atoms_as_they_were_trained():
    by_name = {
        name: config.reference.slots_by_name
        for configs in (PROTENIX, OPENFOLD3, ALPHAFOLD3)
        for name, config in configs.items()
    }
    assert [name for name, there in by_name.items() if not there] == ["of3-ob-2025-06-30-174k"]


def test_selenomethionine_is_read_as_methionine():
    modified = ProteinChain(("A",), "GMGS", modifications=(Modification("MSE", 2),))
    found = tokenize(FoldInput(name="job", chains=(modified,), seeds=(1,)))
    plain = tokenize(FoldInput(name="job", chains=(ProteinChain(("A",), "GMGS"),), seeds=(1,)))
    assert found.atom_names == plain.atom_names and "SD" in found.atom_names
    assert np.array_equal(found.restype, plain.restype)
    assert found.n_tokens == modified.n_tokens == 4
    assert found.notes == ("MSE is read as MET, as AlphaFold 3 reads it.",)
    assert plain.notes == ()


def test_openfold3_knows_no_ends_of_chains_and_has_a_slot_for_every_atom():
    """A guanosine that begins a chain has 24 atoms; OpenFold3 drops one, and has 23 slots."""
    config = OPENFOLD3["of3-ob-2025-06-30-174k"]
    chains = (RnaChain(("A",), "GACU"), ProteinChain(("B",), "GSWK"))
    job = FoldInput(name="job", chains=chains, seeds=(1,))
    found = tokenize(job, replace(config.reference, embedded=False))
    assert not {"OP3", "OXT"} & set(found.atom_names)
    assert found.atom_slot.max() == config.n_atom_slots - 1
    other = tokenize(job, replace(PUBLISHED, embedded=False))
    assert other.atom_names.count("OP3") == other.atom_names.count("OXT") == 1
    assert other.atom_slot.max() == PROTENIX["protenix_base_default_v1.0.0"].n_atom_slots - 1
