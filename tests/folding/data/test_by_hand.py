"""AF3 SI table 5 and sections 2.6 and 2.8, worked out by hand on molecules that fit on a page."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from folding.data.features import atom_features, featurize
from folding.data.msa import msa_features
from folding.data.style import PUBLISHED, ReferenceStyle
from folding.data.tokens import IDEAL, nearest_frames, tokenize
from folding.inputs import (
    AtomRef,
    Bond,
    DnaChain,
    FoldInput,
    Ligand,
    Modification,
    ProteinChain,
    RnaChain,
)
from tests.folding.complexes import everything

# A dipeptide's worth of everything: 4 residues of which one is modified, an ion, ethanol.
SMALL = FoldInput(
    "small",
    (
        ProteinChain(("A",), "GCSK", modifications=(Modification("SEP", 3),)),
        Ligand(("B", "C"), ccd=("MG",)),
        Ligand(("D",), smiles="CC[O-]"),
    ),
    bonds=(Bond(AtomRef("A", 2, "SG"), AtomRef("A", 3, "P")),),
)
SEP = ["N", "CA", "CB", "OG", "C", "O", "P", "O1P", "O2P", "O3P"]


@pytest.fixture(scope="module")
def tokens():
    return tokenize(SMALL)


@pytest.fixture(scope="module")
def features(tokens):
    return featurize(tokens, msa_features(SMALL, tokens), np.random.default_rng(0))


def test_each_residue_is_a_token_and_each_other_atom_one(tokens):
    assert tokens.n_tokens == 3 + 10 + 2 + 3
    counts = np.bincount(tokens.atom_to_token).tolist()
    assert counts == [4, 6, *[1] * 10, 9, 1, 1, 1, 1, 1]


def test_identities_count_from_one(features):
    assert features.asym_id.tolist() == [1] * 13 + [2, 3] + [4] * 3
    assert features.entity_id.tolist() == [1] * 13 + [2, 2] + [3] * 3
    assert features.sym_id.tolist() == [1] * 13 + [1, 2] + [1] * 3
    assert features.residue_index.tolist() == [1, 2, *[3] * 10, 4, 1, 1, 1, 1, 1]
    assert features.token_index.tolist() == list(range(18))


def test_classes_are_those_of_the_table(features):
    glycine, cysteine, serine, lysine, unknown = 7, 4, 15, 11, 20
    expected = [glycine, cysteine, *[serine] * 10, lysine, *[unknown] * 5]
    assert features.restype.tolist() == expected


def test_atoms_are_spelled_charged_and_numbered(tokens, features):
    assert tokens.atom_names[:10] == ["N", "CA", "C", "O", "N", "CA", "C", "O", "CB", "SG"]
    assert sorted(tokens.atom_names[10:20]) == sorted(SEP)
    n = tokens.n_atoms
    elements = dict(zip(tokens.atom_names, features.ref_element[:n].tolist(), strict=True))
    assert (elements["N"], elements["SG"], elements["P"], elements["MG"]) == (7, 16, 15, 12)
    charges = features.ref_charge[:n]
    assert charges[-3:].tolist() == [0, 0, -1]
    assert charges[-5:-3].tolist() == [2, 2]
    lysine = [i for i in range(n) if tokens.name[i] == "NZ"]
    assert charges[lysine].tolist() == [1]


def test_names_are_four_letters_in_a_code_of_sixty_four(tokens, features):
    spelled = [
        "".join(chr(code + 32) for code in row).strip()
        for row in features.ref_atom_name_chars[: tokens.n_atoms].tolist()
    ]
    assert spelled == tokens.atom_names
    assert features.ref_atom_name_chars.max() < 64


def test_conformers_are_apart_by_residue(tokens, features):
    uid = features.ref_space_uid[: tokens.n_atoms].tolist()
    assert uid == [0] * 4 + [1] * 6 + [2] * 10 + [3] * 9 + [4] + [5] + [6] * 3
    for residue in range(7):
        here = tokens.position[np.array(uid) == residue]
        np.testing.assert_allclose(here.mean(axis=0), 0, atol=1e-4)


def test_bonds_are_those_of_atoms_alone_and_those_that_the_job_names(tokens, features):
    """Neither bonds within standard residues nor those along the chain."""
    bonds = features.token_bonds
    assert torch.equal(bonds, bonds.T)
    assert bonds.diagonal().sum() == 0
    name = {t: tokens.name[np.flatnonzero(tokens.atom_to_token == t)[0]] for t in range(2, 12)}
    place = {atom: t for t, atom in name.items()}
    pairs = {frozenset(p) for p in itertools.combinations(range(18), 2) if bonds[p]}
    inside = ["N-CA", "CA-CB", "CA-C", "C-O", "CB-OG", "OG-P", "P-O1P", "P-O2P", "P-O3P"]
    expected = {frozenset(place[end] for end in bond.split("-")) for bond in inside}
    expected |= {frozenset({1, place["P"]})}
    expected |= {frozenset({15, 16}), frozenset({16, 17})}
    assert pairs == expected


def test_frames_of_residues_are_their_backbones_and_of_atoms_their_nearest(tokens):
    names = np.array(tokens.atom_names)
    assert names[tokens.frame_atoms[0]].tolist() == ["N", "CA", "C"]
    assert names[tokens.frame_atoms[12]].tolist() == ["N", "CA", "C"]
    assert tokens.has_frame.tolist() == [True] * 13 + [False] * 2 + [True] * 3
    phosphorus = next(t for t in range(2, 12) if names[tokens.centre_atom[t]] == "P")
    frame = names[tokens.frame_atoms[phosphorus]].tolist()
    assert frame[1] == "P"
    assert set(frame) - {"P"} <= {"O1P", "O2P", "O3P", "OG"}
    assert names[tokens.frame_atoms[16]].tolist()[1] == "C2"


def test_special_atoms(tokens):
    names = np.array(tokens.atom_names)
    assert names[tokens.representative_atom[[0, 1, 12]]].tolist() == ["CA", "CB", "CB"]
    assert names[tokens.centre_atom[[0, 1, 12]]].tolist() == ["CA"] * 3
    own = np.arange(2, 12)
    np.testing.assert_array_equal(tokens.representative_atom[own], tokens.centre_atom[own])


def test_nucleotides_stand_in_the_order_of_the_table():
    job = FoldInput("acids", (RnaChain(("A",), "AGCUN"), DnaChain(("B",), "AGCTN")))
    found = tokenize(job)
    assert found.restype.tolist() == list(range(21, 31))
    names = np.array(found.atom_names)
    representative = names[found.representative_atom].tolist()
    assert representative == ["C4", "C4", "C2", "C2", "C1'"] * 2
    assert names[found.centre_atom].tolist() == ["C1'"] * 10
    assert {tuple(names[frame]) for frame in found.frame_atoms} == {("C1'", "C3'", "C4'")}


def test_amino_acids_stand_in_the_order_of_the_table():
    job = FoldInput("all", (ProteinChain(("A",), "ARNDCQEGHILKMFPSTWYVX"),))
    assert tokenize(job).restype.tolist() == list(range(21))


@pytest.mark.parametrize(
    ("chain", "code", "parent"),
    [
        (ProteinChain(("A",), "GGGG", modifications=(Modification("TPO", 2),)), "TPO", 16),
        (ProteinChain(("A",), "GGGG", modifications=(Modification("AIB", 2),)), "AIB", 0),
        (DnaChain(("A",), "GGGG", modifications=(Modification("5CM", 2),)), "5CM", 28),
        (RnaChain(("A",), "GGGG", modifications=(Modification("PSU", 2),)), "PSU", 24),
    ],
)
def test_a_modified_residue_shows_the_class_that_it_derives_from(chain, code, parent):
    found = tokenize(FoldInput("job", (chain,)))
    here = found.residue_index == 2
    assert set(found.residue_name[here[found.atom_to_token]]) == {code}
    assert set(found.restype[here].tolist()) == {parent}


@pytest.mark.parametrize(
    ("positions", "valid"),
    [
        ([[0, 0, 0], [1.5, 0, 0], [0, 1.5, 0]], True),
        ([[0, 0, 0], [1.5, 0, 0], [-1.5, 0, 0]], False),
        ([[0, 0, 0], [1.5, 0, 0], [-1.5, 0.5, 0]], False),
        ([[0, 0, 0], [1.5, 0, 0], [-1.5, 0.9, 0]], True),
        ([[0, 0, 0], [1.5, 0, 0], [1.6, 0.3, 0]], False),
        ([[0, 0, 0], [0, 0, 0], [1, 1, 1]], False),
    ],
    ids=["right angle", "line", "18 degrees", "31 degrees", "beside", "on top"],
)
def test_a_frame_is_off_a_line_by_twenty_five_degrees(positions, valid):
    (frame, found), *_ = nearest_frames(np.array(positions, np.float32))
    assert frame[1] == 0
    assert set(frame) == {0, 1, 2}
    assert found is valid


@given(st.integers(0, 1000), st.integers(3, 9))
def test_frames_turn_with_the_molecule(seed, n_atoms):
    generator = np.random.default_rng(seed)
    positions = generator.normal(size=(n_atoms, 3)).astype(np.float32) * 3
    axes, _ = np.linalg.qr(generator.normal(size=(3, 3)))
    moved = (positions @ axes + generator.normal(size=3)).astype(np.float32)
    one, two = nearest_frames(positions), nearest_frames(moved)
    assert [frame for frame, _ in one] == [frame for frame, _ in two]
    for atom, ((a, b, c), _) in enumerate(one):
        assert b == atom
        distance = np.linalg.norm(positions - positions[atom], axis=1)
        others = np.delete(np.arange(n_atoms), [atom, a, c])
        assert distance[a] <= distance[c]
        assert not len(others) or distance[c] <= distance[others].min()


STYLES = {"ours": IDEAL, "published": PUBLISHED, "bare": ReferenceStyle(bare_ends=True)}


@pytest.mark.parametrize("style", STYLES)
def test_indices_of_any_job_fit_together(style):
    found = tokenize(everything(), STYLES[style])
    n_tokens, n_atoms = found.n_tokens, found.n_atoms
    assert (np.diff(found.atom_to_token) >= 0).all()
    np.testing.assert_array_equal(np.unique(found.atom_to_token), np.arange(n_tokens))
    for special in (found.representative_atom, found.centre_atom):
        np.testing.assert_array_equal(found.atom_to_token[special], np.arange(n_tokens))
    own = found.residue[found.centre_atom]
    np.testing.assert_array_equal(found.residue[found.frame_atoms], np.stack([own] * 3, axis=1))
    np.testing.assert_array_equal(found.frame_atoms[:, 1][own >= 0] >= 0, True)
    assert (np.diff(found.residue) >= 0).all()
    assert found.residue[-1] + 1 == len(found.assembly.sites)
    inside = found.atom_slot[np.bincount(found.atom_to_token)[found.atom_to_token] == 1]
    assert set(inside.tolist()) == {0}
    assert found.covalent.max(initial=0) < n_atoms
    assert {tuple(p) for p in found.joints.tolist()} <= {tuple(p) for p in found.covalent.tolist()}


def test_names_within_a_residue_are_each_there_once():
    found = tokenize(everything())
    seen = list(zip(found.residue.tolist(), found.atom_names, strict=True))
    assert len(set(seen)) == len(seen)


def test_copies_are_the_same_molecule():
    found = tokenize(everything())
    first, second = (found.asym_id == n for n in (1, 2))
    for name in ("restype", "residue_index", "entity_id", "has_frame", "ring_length"):
        np.testing.assert_array_equal(getattr(found, name)[first], getattr(found, name)[second])
    atoms = [np.flatnonzero(mask[found.atom_to_token]) for mask in (first, second)]
    for name in ("name", "element", "charge", "position", "residue_name"):
        values = getattr(found, name)
        np.testing.assert_array_equal(values[atoms[0]], values[atoms[1]])


def test_rings_say_how_long_they_are():
    found = tokenize(everything())
    of_chain = {
        chain: set(found.ring_length[found.asym_id == number].tolist())
        for number, chain in enumerate(found.chain_ids, start=1)
    }
    assert of_chain.pop("C") == {6}
    assert all(lengths == {0} for lengths in of_chain.values())


@settings(max_examples=10)
@given(st.integers(0, 2**31))
def test_turning_keeps_shapes_and_published_models_see_them_moved(seed):
    job = FoldInput("job", (ProteinChain(("A",), "GAWK"),))
    for style, reach in ((IDEAL, 0.0), (replace(PUBLISHED, embedded=False), 1.0)):
        tokens = tokenize(job, style)
        position = atom_features(tokens, np.random.default_rng(seed))["ref_pos"]
        for residue in range(4):
            here = tokens.residue == residue
            was, now = tokens.position[here], position[here]
            apart = [np.linalg.norm(x[:, None] - x, axis=-1) for x in (was, now)]
            np.testing.assert_allclose(*apart, atol=1e-4)
            # Each axis within an ångström, before it is turned.
            assert np.linalg.norm(now.mean(axis=0)) <= reach * np.sqrt(3) + 1e-4


def test_padding_says_nothing(features, tokens):
    n = tokens.n_atoms
    assert len(features.atom_mask) % 32 == 0
    for name in ("ref_pos", "ref_charge", "ref_element", "ref_atom_name_chars"):
        assert not getattr(features, name)[n:].any(), name
    assert features.atom_mask.tolist() == [True] * n + [False] * (len(features.atom_mask) - n)
    assert features.atoms_per_token(1).sum() == n


def test_features_move_as_a_whole(features):
    moved = features.to("cpu")
    assert torch.equal(moved.ref_pos, features.ref_pos)
    assert moved.msa_mask is None
    assert moved.ring_length is None
