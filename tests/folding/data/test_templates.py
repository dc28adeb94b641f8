"""Templates as features: distances, directions, masks, and what is shown where there are none."""

import re
from dataclasses import fields

import numpy as np
import pytest
import torch

from folding.chemistry.residues import GAP_CLASS, LETTERS
from folding.data.templates import N_TEMPLATES, NO_BIN, no_templates, template_features
from folding.data.tokens import tokenize
from folding.errors import InvalidInput
from folding.inputs import FoldInput, Ligand, ProteinChain, Template
from folding.templates.mapping import make_template
from tests.folding.search.relatives import letters
from tests.folding.templates.structures import helix, mmcif

SEQUENCE = "MKGAYIAKQRWL"
POSITIONS = helix(12, seed=1)  # N, CA, C, CB of the template's chain A


def features(*templates, ids=("A",), others=()):
    chain = ProteinChain(ids, SEQUENCE, templates=tuple(templates))
    return template_features(FoldInput("job", (chain, *others)))


@pytest.fixture(scope="module")
def whole():
    return make_template(mmcif({"A": SEQUENCE}), sequence=SEQUENCE)


def beta(place: int) -> np.ndarray:
    return POSITIONS[place, 1 if SEQUENCE[place] == "G" else 3]


def test_a_job_without_templates_shows_none():
    assert template_features(FoldInput("job", (ProteinChain(("A",), SEQUENCE),))) is None


def test_distances_are_binned_between_beta_carbons(whole):
    found = features(whole)
    edges = 3.25 + 1.25 * np.arange(39)
    for i in range(12):
        for j in range(12):
            distance = np.linalg.norm(beta(i) - beta(j))
            expected = NO_BIN if distance <= 3.25 else int(np.searchsorted(edges, distance) - 1)
            assert found.distance_bin[0, i, j] == expected
    assert found.distance_mask[0].all()
    assert found.restype[0].tolist() == [LETTERS.index(letter) for letter in SEQUENCE]


def test_directions_are_seen_from_the_backbone(whole):
    found = features(whole).unit_vector[0].numpy()
    n, ca, c = POSITIONS[4, 0], POSITIONS[4, 1], POSITIONS[4, 2]
    x = (c - ca) / np.linalg.norm(c - ca)
    y = (n - ca) - np.dot(n - ca, x) * x
    y /= np.linalg.norm(y)
    to = POSITIONS[9, 1] - ca
    expected = np.array([to @ x, to @ y, to @ np.cross(x, y)]) / np.linalg.norm(to)
    np.testing.assert_allclose(found[4, 9], expected, atol=1e-4)
    lengths = np.linalg.norm(found, axis=-1)
    np.testing.assert_allclose(lengths, 1 - np.eye(12), atol=1e-4)


def test_a_turned_template_says_the_same(whole):
    turned = whole.cif.splitlines()
    for number, line in enumerate(turned):
        if line.startswith("ATOM"):
            words = line.split()
            x, y, z = map(float, words[9:12])
            words[9:12] = [f"{value:.3f}" for value in (-y + 7, x - 3, z + 50)]
            turned[number] = " ".join(words)
    moved = Template("\n".join(turned), whole.query_indices, whole.template_indices)
    first, second = features(whole), features(moved)
    assert torch.equal(first.distance_bin, second.distance_bin)
    torch.testing.assert_close(first.unit_vector, second.unit_vector, atol=2e-3, rtol=0)


def test_residues_that_are_not_mapped_are_gaps():
    part = make_template(mmcif({"A": SEQUENCE}), sequence=SEQUENCE, mapping="1-6=1-6")
    found = features(part)
    assert found.restype[0, 6:].tolist() == [GAP_CLASS] * 6
    known = torch.arange(12) < 6
    assert torch.equal(found.distance_mask[0], known[:, None] & known)
    assert torch.equal(found.frame_mask[0], known[:, None] & known)
    assert (found.distance_bin[0][~found.distance_mask[0]] == NO_BIN).all()
    assert (found.unit_vector[0][~found.frame_mask[0]] == 0).all()


def test_slots_without_a_template_are_padded_as_protenix_does(whole):
    other = ProteinChain(("B",), "GGAGG")
    found = features(whole, others=(other,))
    assert found.restype.shape == (N_TEMPLATES, 17)
    assert found.restype[0, 12:].tolist() == [GAP_CLASS] * 5
    assert (found.restype[1:] == 0).all()
    assert not found.distance_mask[1:].any()
    assert not found.distance_mask[0, 12:].any()


def test_other_programs_pad_otherwise(whole):
    job = FoldInput(
        "job", (ProteinChain(("A",), SEQUENCE, templates=(whole,)), ProteinChain(("B",), "GGAGG"))
    )
    found = template_features(job, empty=(0, 7, GAP_CLASS, 0))
    assert found.restype[:, 12:].tolist() == [[shown] * 5 for shown in (0, 7, GAP_CLASS, 0)]
    assert found.restype[1, :12].tolist() == [7] * 12
    assert found.restype[0, :12].tolist() == [LETTERS.index(letter) for letter in SEQUENCE]


def test_an_empty_slot_is_what_a_job_without_templates_shows(whole):
    found = features(whole)
    alone = no_templates((12,), torch.device("cpu"))
    for field in fields(alone):
        assert torch.equal(getattr(found, field.name)[1:], getattr(alone, field.name)[1:])


def test_copies_are_alike_and_four_are_read(whole):
    found = features(*[whole] * 5, ids=("A", "B"))
    assert found.restype.shape == (4, 24)
    assert torch.equal(found.restype[:, :12], found.restype[:, 12:])
    assert found.frame_mask[3, :12, :12].all()


def test_tokens_decide_where_columns_go(whole):
    chain = ProteinChain(("A",), SEQUENCE, templates=(whole,))
    job = FoldInput("job", (chain, Ligand(("L",), ccd=("GOL",))))
    tokens = tokenize(job)
    found = template_features(job, tokens)
    assert found.restype.shape == (4, tokens.n_tokens)
    assert found.restype[0, 12:].tolist() == [GAP_CLASS] * (tokens.n_tokens - 12)
    assert torch.equal(found.unit_vector[0, :12, :12], features(whole).unit_vector[0])


def test_what_was_not_resolved_is_masked():
    text = mmcif({"A": SEQUENCE}, missing=(5,))
    found = features(make_template(text, sequence=SEQUENCE))
    assert not found.distance_mask[0, 4].any()
    assert found.distance_mask[0].sum() == 11 * 11
    assert found.restype[0, 4] == GAP_CLASS


def test_short_chains_show_no_template():
    short = letters(4, seed=1)
    chain = ProteinChain(
        ("A",), short, templates=(make_template(mmcif({"A": short}), sequence=short),)
    )
    found = template_features(FoldInput("job", (chain,)))
    assert not found.distance_mask.any()


def test_a_template_of_several_chains_is_refused_by_their_names():
    text = mmcif({"A": SEQUENCE, "B": SEQUENCE})
    with pytest.raises(InvalidInput, match="this mmCIF has 2: A, B") as caught:
        features(Template(text, (0, 1), (0, 1)))
    assert caught.value.field == "templates"


def test_a_mapping_beyond_the_template_is_refused():
    whole = mmcif({"A": SEQUENCE})
    with pytest.raises(InvalidInput, match=r"reach residue 12 .* its chain has 12 residues"):
        features(Template(whole, (0, 1), (0, 12)))
    assert features(Template(whole, (0, 1), (0, 11))).restype[0, 1] == LETTERS.index("L")


def without_sequence(text: str) -> str:
    """The file as programs write it that know of atoms only."""
    head, tail = text.split("loop_\n_entity_poly_seq.entity_id\n")
    return head + tail[tail.index("loop_\n_atom_site.") :]


@pytest.mark.parametrize("ending", ["unresolved", "a trace"])
def test_a_bare_table_of_atoms_may_be_shorter_than_its_mapping(ending):
    """Where the file says no sequence, its chain may go on: what is not there is passed over."""
    everywhere = tuple(range(12))
    text = mmcif({"A": SEQUENCE}, missing=(11, 12) if ending == "unresolved" else ())
    if ending == "a trace":
        lines = text.splitlines()
        text = "\n".join(
            line for line in lines if not re.match(r"ATOM \d+ . (N|C|CB) .* (11|12) \?", line)
        )
    found = features(Template(without_sequence(text), everywhere, everywhere))
    classes = [LETTERS.index(letter) for letter in SEQUENCE[:10]]
    assert found.restype[0].tolist() == [*classes, GAP_CLASS, GAP_CLASS]
    assert found.frame_mask[0].sum() == 10 * 10


def test_a_template_may_stand_for_residues_in_any_order():
    whole = mmcif({"A": SEQUENCE})
    found = features(Template(whole, (5, 0, 3), (2, 7, 11)))
    classes = [LETTERS.index(SEQUENCE[place]) for place in (2, 7, 11)]
    assert [int(found.restype[0, query]) for query in (5, 0, 3)] == classes
    distance = np.linalg.norm(beta(2) - beta(7))
    assert found.distance_bin[0, 5, 0] == found.distance_bin[0, 0, 5]
    edges = 3.25 + 1.25 * np.arange(39)
    assert int(found.distance_bin[0, 5, 0]) == int(np.searchsorted(edges, distance) - 1)


def test_chains_of_different_proteins_have_templates_of_their_own(whole):
    second = ProteinChain(
        ("B",),
        SEQUENCE[::-1],
        templates=(make_template(mmcif({"A": SEQUENCE[::-1]}), sequence=SEQUENCE[::-1]),),
    )
    found = features(whole, others=(second,))
    alone = features(whole)
    assert torch.equal(found.distance_bin[0, :12, :12], alone.distance_bin[0])
    assert found.restype[0, 12:].tolist() == [LETTERS.index(x) for x in SEQUENCE[::-1]]
