"""Chains come back as they were written, and crops keep to their bounds."""

import numpy as np
import torch

from folding.data.tokens import atom_table
from folding.training import dataset
from folding.training.dataset import CropSampler, CropSize, collate, unbatched
from tests.folding.examples import CRAMBIN, structure


def test_a_chain_has_its_sequence_and_coordinates(chains):
    crambin, native = chains[1], structure("1crn")
    assert crambin.sequence == CRAMBIN
    assert len(chains) == 4
    n_atoms = atom_table().n_atoms[crambin.restype]
    where = np.repeat(np.arange(len(crambin)), n_atoms)
    slots = np.concatenate([np.arange(n) for n in n_atoms])
    names = native.atom_name != "OXT"
    found = crambin.coordinates[where, slots]
    assert crambin.observed[where, slots].all()
    assert np.abs(found - native.coordinates[names]).max() <= 0.011


def test_clusters_hold_the_chains_of_their_split(chains):
    assert sorted(chains.clusters("train")) == [[0], [1, 2]]
    assert chains.clusters("val") == [[3]]


def test_clusters_are_drawn_alike_whatever_their_size(sampler):
    names = [sampler.chain().name for _ in range(300)]
    assert 110 <= names.count("chain0") <= 190


def test_short_chains_are_drawn_more_often_than_their_clusters_are_many(chains, monkeypatch):
    assert chains.lengths.tolist() == [56, 46, 20, 20]
    monkeypatch.setattr(dataset, "PEPTIDE_LENGTH", 50)
    monkeypatch.setattr(dataset, "PEPTIDE_SHARE", 0.6)
    sampler = CropSampler(chains, "train", np.random.default_rng(0))
    assert sampler.peptides == [[1, 2]]
    names = [sampler.chain().name for _ in range(300)]
    assert 40 <= names.count("chain0") <= 85, "a fifth: half of what is not drawn among peptides"


def test_without_short_chains_all_are_drawn_alike(chains, monkeypatch):
    monkeypatch.setattr(dataset, "PEPTIDE_LENGTH", 10)
    sampler = CropSampler(chains, "train", np.random.default_rng(0))
    assert sampler.peptides == []
    assert {sampler.chain().name for _ in range(60)} == {"chain0", "chain1", "chain2"}


def test_prepared_chains_are_left_out(chains, monkeypatch):
    state = np.array(["modified", "original", "original", "original"], dtype=object)
    monkeypatch.setitem(chains.table, "state", state)
    found = CropSampler(chains, "train", np.random.default_rng(0)).groups
    assert found == [[1, 2]]


def test_crops_are_contiguous_and_fit(sampler):
    size = CropSize.of(24)
    for _ in range(20):
        crop = sampler.crop(size)
        assert 12 <= len(crop) <= 24
        assert atom_table().n_atoms[crop.restype].sum() <= size.n_atoms
        assert (np.diff(crop.residue_index) == 1).all()


def test_some_crops_are_cut_short(sampler):
    lengths = [len(sampler.crop(CropSize.of(24))) for _ in range(60)]
    short = sum(length < min(24, max(lengths)) for length in lengths)
    assert 5 <= short <= 45
    assert len(set(lengths)) >= 4


def test_a_batch_is_padded_to_its_size_and_masked(sampler):
    size = CropSize.of(40)
    batch = sampler.batch(3, size)
    features = batch.features
    assert size.n_atoms % 32 == 0
    assert batch.coordinates.shape == (3, size.n_atoms, 3)
    assert features.restype.shape == (3, 40)
    assert (features.atom_mask.sum(-1) <= size.n_atoms).all()
    assert not (batch.observed & ~features.atom_mask).any()
    assert (batch.coordinates[~batch.observed] == 0).all()
    real = features.atom_mask[0]
    assert features.atom_to_token[0][real].max() < features.token_mask[0].sum()


def test_crops_of_a_batch_do_not_mix(chains):
    rng = np.random.default_rng(0)
    size = CropSize.of(60)
    pair = collate([chains[0], chains[1]], size, rng)
    features, coordinates, observed = unbatched(pair)
    alone = collate([chains[0]], size, np.random.default_rng(0))
    assert torch.equal(features.restype, alone.features.restype[0])
    assert torch.equal(coordinates, alone.coordinates[0])
    assert torch.equal(observed, alone.observed[0])
