"""Chains, their copies and ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from folding.errors import InvalidInput
from folding.inputs import ProteinChain, assign_chain_ids, parse_sequences
from tests.folding.examples import CRAMBIN, TRP_CAGE


def test_a_chain_cleans_its_sequence_and_counts_copies():
    chain = ProteinChain(("A", "B"), "nlyiqwlkdg gpssgrppps")
    assert chain.sequence == TRP_CAGE
    assert chain.n_tokens == 40


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ((), "needs an id"),
        (("a",), "one to four capital letters"),
        (("A1",), "not “A1”"),
        (("",), "not “”"),
        (("ABCDE",), "not “ABCDE”"),
        (("Ä",), "not “Ä”"),
        (("A", "B", "A"), "A is used twice"),
    ],
)
def test_ids_follow_the_rule(ids, said):
    with pytest.raises(InvalidInput, match=said) as caught:
        ProteinChain(ids, TRP_CAGE)
    assert caught.value.field == "ids"


def test_each_part_of_a_chain_names_its_field():
    with pytest.raises(InvalidInput) as caught:
        ProteinChain(("A",), "AC1DEF")
    assert caught.value.field == "sequence"
    with pytest.raises(InvalidInput) as caught:
        ProteinChain(("A",), TRP_CAGE, msa=f">q\n{CRAMBIN}")
    assert caught.value.field == "msa"
    with pytest.raises(InvalidInput) as caught:
        ProteinChain(("A",), TRP_CAGE, description="x" * 501)
    assert caught.value.field == "description"
    with pytest.raises(InvalidInput) as caught:
        ProteinChain(("A",), TRP_CAGE, description="\0")
    assert caught.value.field == "description"


def test_ids_go_on_after_z_as_in_alphafold3():
    ((*ids,),) = assign_chain_ids([79])
    assert ids[:3] == ["A", "B", "C"]
    assert ids[25:29] == ["Z", "AA", "BA", "CA"]
    assert ids[51:53] == ["ZA", "AB"]
    assert len(set(ids)) == 79


def test_ids_that_are_taken_are_skipped():
    assert assign_chain_ids([2, 1], taken={"A", "C"}) == (("B", "D"), ("E",))


@pytest.mark.parametrize("number", [0, -1, 101])
def test_copies_have_a_range(number):
    with pytest.raises(InvalidInput) as caught:
        assign_chain_ids([1, number])
    assert caught.value.field == "chains.1.copies"


def test_a_bare_paste_is_one_chain():
    assert parse_sequences(f" {TRP_CAGE.lower()}\n") == (ProteinChain(("A",), TRP_CAGE),)


def test_fasta_records_of_one_sequence_are_copies():
    text = f">first chain\n{TRP_CAGE}\n>second\n{CRAMBIN}\n>third\n{TRP_CAGE}\n"
    assert parse_sequences(text) == (
        ProteinChain(("A", "C"), TRP_CAGE, description="first chain"),
        ProteinChain(("B",), CRAMBIN, description="second"),
    )


def test_a_colon_separates_chains():
    chains = parse_sequences(f">dimer\n{TRP_CAGE}:{CRAMBIN}:{TRP_CAGE}")
    assert [chain.ids for chain in chains] == [("A", "C"), ("B",)]


def test_a_mistake_names_its_record():
    with pytest.raises(InvalidInput, match=r"In “second one”: Position 3 .* “1”"):
        parse_sequences(f">first\n{TRP_CAGE}\n>second one\nAC1DEF")
    with pytest.raises(InvalidInput, match=r"^The sequence is empty"):
        parse_sequences(f"{TRP_CAGE}:")


def test_more_chains_than_a_job_can_have():
    with pytest.raises(InvalidInput, match="at most 100 chains, but this has 101"):
        parse_sequences(":".join(["ACDEF"] * 101))


@given(st.text(max_size=300))
def test_any_paste_is_chains_or_an_invalid_input(text):
    try:
        chains = parse_sequences(text)
    except InvalidInput as error:
        assert error.field == "sequence"
    else:
        assert all(chain.ids and chain.sequence for chain in chains)
