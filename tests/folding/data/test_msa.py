"""Alignments as features."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from folding.chemistry.residues import GAP_CLASS, LETTERS
from folding.data.msa import N_CLASSES, deletion_value, msa_features, read_alignment
from folding.data.style import ReferenceStyle
from folding.errors import InvalidInput
from folding.inputs import FoldInput, ProteinChain
from tests.folding.examples import CRAMBIN, TRP_CAGE

QUERY = "ACDEF"
STYLES = (ReferenceStyle(), TWICE := ReferenceStyle(query_twice=True))


def chain(*rows: str, ids: tuple[str, ...] = ("A",), sequence: str = QUERY) -> ProteinChain:
    msa = "".join(f">{i}\n{row}\n" for i, row in enumerate([sequence, *rows])) if rows else None
    return ProteinChain(ids, sequence, msa)


def job(*chains: ProteinChain) -> FoldInput:
    return FoldInput("job", chains)


def letters(classes: np.ndarray) -> str:
    return "".join("-" if c == GAP_CLASS else LETTERS[c] for c in classes.tolist())


def test_without_an_alignment_there_is_the_sequence():
    found = msa_features(job(chain()))
    assert letters(found["msa"][0].numpy()) == QUERY
    assert found["msa"].shape == (1, 5)
    assert found["has_deletion"].sum() == found["deletion_value"].sum() == 0
    assert torch.equal(found["profile"].argmax(-1), found["msa"][0])
    assert torch.equal(found["profile"].sum(-1), torch.ones(5))
    assert found["deletion_mean"].tolist() == [0.0] * 5


def test_published_models_see_the_sequence_twice_where_nothing_pairs():
    alone = msa_features(job(chain()), style=TWICE)
    assert [letters(row.numpy()) for row in alone["msa"]] == [QUERY, QUERY]
    rows = ("ACaDEY", "A---F")
    once, twice = (msa_features(job(chain(*rows)), style=style) for style in STYLES)
    for name in ("msa", "has_deletion", "deletion_value"):
        assert torch.equal(twice[name][1:], once[name])
        assert torch.equal(twice[name][0], once[name][0])
    assert torch.equal(twice["profile"], once["profile"])
    few = msa_features(job(chain(*rows)), style=TWICE, max_rows=2)["msa"]
    assert [letters(row.numpy()) for row in few] == [QUERY, QUERY]


def test_where_chains_may_pair_the_sequences_are_the_paired_rows_already():
    chains = (chain("ACDEY", "A----"), chain(ids=("B",), sequence=CRAMBIN))
    once, twice = (msa_features(job(*chains), style=style) for style in STYLES)
    assert torch.equal(once["msa"], twice["msa"])


def test_rows_and_deletions():
    # The example of AF3's own code: Ai-CiDiiiEFa has letters A-CDEF and deletions 0 1 0 1 3 0.
    found = read_alignment(chain("Ai-CiDiiiEFa", "aaA..CDEFG", sequence="AGCDEF"))
    assert [letters(row) for row in found.residue_class] == ["AGCDEF", "A-CDEF", "ACDEFG"]
    assert found.deletions.tolist() == [[0] * 6, [0, 1, 0, 1, 3, 0], [2, 0, 0, 0, 0, 0]]


def test_letters_beyond_the_twenty():
    found = read_alignment(chain("BZUJO", "X----"))
    assert [letters(row) for row in found.residue_class] == ["ACDEF", "DECXX", "X----"]


def test_rows_that_repeat_are_left_out():
    found = read_alignment(chain("ACDEY", "ACDEF", "ACDaaEY", "ACDE-"))
    assert [letters(row) for row in found.residue_class] == ["ACDEF", "ACDEY", "ACDE-"]
    assert found.deletions.sum() == 0, "the first of two equal rows stays"


def test_the_profile_counts_all_rows_and_the_msa_the_first():
    rows = ["ACDEY", "ACDE-", "A---F"]
    found = msa_features(job(chain(*rows)), max_rows=2)
    assert found["msa"].shape == (2, 5)
    expected = np.zeros((5, N_CLASSES))
    for row in [QUERY, *rows]:
        for column, letter in enumerate(row):
            expected[column, GAP_CLASS if letter == "-" else LETTERS.index(letter)] += 0.25
    np.testing.assert_allclose(found["profile"].numpy(), expected, atol=1e-6)


def test_deletions_are_squeezed():
    # AF3 SI table 5: 2/pi arctan(d/3); three deletions are half way.
    assert deletion_value(np.array([[0, 3, 10**8]])).tolist() == [[0.0, 0.5, pytest.approx(1.0)]]
    found = msa_features(job(chain("AaaaCDEY", "A--EFx")))
    assert found["has_deletion"].tolist() == [[0] * 5, [0, 1, 0, 0, 0], [0] * 5]
    assert found["deletion_value"][1].tolist() == [0, 0.5, 0, 0, 0]
    assert found["deletion_mean"].tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]


def test_chains_stand_side_by_side_with_gaps_below_the_shorter():
    found = msa_features(job(chain("ACDEY", "A----"), chain(ids=("B",), sequence=CRAMBIN)))
    rows = [letters(row) for row in found["msa"].numpy()]
    assert rows == [QUERY + CRAMBIN, "ACDEY" + "-" * 46, "A----" + "-" * 46]
    assert torch.equal(found["profile"][5:].argmax(-1), found["msa"][0, 5:])
    np.testing.assert_allclose(found["profile"].sum(-1).numpy(), 1, atol=1e-6)


def test_copies_repeat_their_rows():
    found = msa_features(job(chain("ACaDEY", ids=("A", "B"))))
    rows = [letters(row) for row in found["msa"].numpy()]
    assert rows == [QUERY * 2, "ACDEY" * 2]
    assert torch.equal(found["profile"][:5], found["profile"][5:])
    assert torch.equal(found["deletion_value"][:, :5], found["deletion_value"][:, 5:])
    assert found["deletion_mean"].tolist() == [0, 0, 0.5, 0, 0] * 2


def test_types_are_the_networks():
    found = msa_features(job(chain("ACaDEY")))
    assert found["msa"].dtype == torch.int64
    assert {found[name].dtype for name in found if name != "msa"} == {torch.float32}


@given(
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 4), st.sampled_from("ACDEFGHIKLMNPQRSTVWY-")),
            min_size=20,
            max_size=20,
        ),
        max_size=8,
    )
)
def test_any_alignment_is_encoded_as_it_was_made(rows):
    texts = ["".join("a" * n + letter for n, letter in row) for row in rows]
    found = read_alignment(chain(*texts, sequence=TRP_CAGE))
    first = {TRP_CAGE: [0] * 20}
    for row in rows:
        first.setdefault("".join(letter for _, letter in row), [n for n, _ in row])
    assert [letters(row) for row in found.residue_class] == list(first)
    assert found.deletions.tolist() == list(first.values())


def test_an_alignment_of_another_sequence_is_refused():
    with pytest.raises(InvalidInput, match="first row"):
        ProteinChain(("A",), TRP_CAGE, f">q\n{CRAMBIN}\n")
