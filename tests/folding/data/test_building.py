"""What a page draws of tokens: chains as tubes, everything else atom by atom."""

from folding.data.building import build_outline
from folding.data.tokens import tokenize
from folding.inputs import DnaChain, FoldInput, Ligand, Modification, ProteinChain


def outline(*chains):
    tokens = tokenize(FoldInput("job", chains))
    return tokens, build_outline(tokens)


def test_polymers_are_tubes_through_one_token_of_each_residue():
    _, found = outline(ProteinChain(("A", "B"), "GASG"), DnaChain(("C",), "ACG"))
    assert found.tubes == ((0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10))
    assert found.beads == found.bonds == ()


def test_the_tube_passes_a_modified_residue_at_its_ca():
    modification = Modification("SEP", 3)
    tokens, found = outline(ProteinChain(("A",), "GASG", modifications=(modification,)))
    (tube,) = found.tubes
    assert [tokens.name[tokens.centre_atom[token]] for token in tube] == ["CA"] * 4
    assert (tube[0], tube[1], tube[3]) == (0, 1, 12)
    assert found.beads == tuple(range(2, 12))
    assert len(found.bonds) == 9


def test_a_calcium_ion_is_no_residue_of_a_chain():
    chains = (
        ProteinChain(("A",), "GAGA"),
        Ligand(("B",), ccd=("CA",)),
        Ligand(("C",), ccd=("ATP",)),
    )
    _, found = outline(*chains)
    assert found.tubes == ((0, 1, 2, 3),)
    assert found.beads == tuple(range(4, 4 + 1 + 31))
    assert len(found.bonds) == 33
    assert min(min(pair) for pair in found.bonds) > 4
