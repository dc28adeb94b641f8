"""What the network reads of a job."""

import numpy as np
import torch

from folding.data.features import featurize, random_rotations
from folding.data.msa import msa_features
from folding.data.tokens import atom_table, tokenize
from folding.inputs import FoldInput, ProteinChain

JOB = FoldInput(name="job", chains=(ProteinChain(("A", "B"), "MGWKAC"),), seeds=(1,))


def features(seed: int = 1):
    return featurize(tokenize(JOB), msa_features(JOB), np.random.default_rng(seed))


def test_atoms_are_padded_to_whole_windows_and_masked():
    found = features()
    n_atoms = 2 * (8 + 4 + 14 + 9 + 5 + 6)
    assert found.atom_mask.shape == (96,)
    assert found.atom_mask.sum() == n_atoms
    assert not found.atom_mask[n_atoms:].any()
    assert found.n_tokens == 12


def test_special_atoms_point_where_they_should():
    found = features()
    names = tokenize(JOB).atom_names
    assert [names[i] for i in found.frame_atoms[2]] == ["N", "CA", "C"]
    assert names[found.representative_atom[1]] == "CA"  # glycine
    assert names[found.representative_atom[0]] == "CB"
    assert (found.atom_to_token[found.representative_atom] == torch.arange(12)).all()


def test_conformers_are_turned_but_keep_their_shape():
    first, second = features(1), features(2)
    assert not torch.allclose(first.ref_pos, second.ref_pos)
    inside = (found.ref_pos[12:26] for found in (first, second))  # tryptophan
    distances = [torch.cdist(x, x) for x in inside]
    assert torch.allclose(*distances, atol=1e-4)
    ideal = torch.from_numpy(atom_table().position[17, :14])
    assert torch.allclose(distances[0], torch.cdist(ideal, ideal), atol=1e-4)


def test_the_same_seed_turns_them_alike():
    assert torch.equal(features(3).ref_pos, features(3).ref_pos)


def test_atoms_per_token_counts_real_atoms_only():
    counts = features().atoms_per_token(n_axes=1)
    assert counts.tolist() == [8, 4, 14, 9, 5, 6] * 2
    assert features().atoms_per_token(n_axes=3).shape == (1, 1, 12)


def test_random_rotations_are_proper_and_uniform():
    rotations = random_rotations(4000, np.random.default_rng(0))
    identity = rotations @ rotations.transpose(0, 2, 1)
    assert np.allclose(identity, np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(rotations), 1)
    assert np.abs(rotations.mean(0)).max() < 0.05
