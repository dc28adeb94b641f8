"""What is drawn from the file of chains: gaps, missing atoms, bounds, and what cannot be drawn."""

import json
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from folding.chemistry.residues import LETTERS, standard_residues
from folding.data.tokens import atom_table
from folding.training.dataset import (
    Chain,
    ChainFile,
    CropSampler,
    CropSize,
    collate,
    slot_permutation,
    unbatched,
)
from tests.folding.examples import structure
from tests.folding.training.chain_file import ATOM14, write_chains


def rows_of(structure_, keep):
    """The structure with the atoms that `keep` leaves."""
    return type(structure_)(
        **{
            name: value[keep] if len(value) == structure_.n_atoms else value
            for name, value in vars(structure_).items()
        }
    )


@pytest.fixture
def written(tmp_path):
    """Writes structures as one training split and reads them back."""

    def write(*structures, split="train"):
        path = tmp_path / "chains.h5"
        write_chains(path, [(split, k, given) for k, given in enumerate(structures)])
        return ChainFile(path)

    return write


# Reading ----------------------------------------------------------------------------------------


def test_atoms_that_were_not_resolved_are_nought_and_not_observed(written):
    given = structure("1crn")
    keep = ~((given.residue_number == 7) & np.isin(given.atom_name, ["CG1", "CG2", "CD1", "O"]))
    chain, whole = written(rows_of(given, keep))[0], written(given)[0]
    gone = whole.observed & ~chain.observed
    assert gone.any(1).nonzero()[0].tolist() == [6]
    names = standard_residues()[chain.restype[6]].atom_names
    assert {names[slot] for slot in np.flatnonzero(gone[6])} == {"CG1", "CG2", "CD1", "O"}
    assert not chain.coordinates[gone].any()
    assert np.array_equal(chain.coordinates[~gone], whole.coordinates[~gone])


def test_residues_that_were_not_resolved_leave_a_gap_in_the_numbers(written):
    given = structure("1crn")
    chain = written(rows_of(given, ~np.isin(given.residue_number, [10, 11, 12])))[0]
    assert len(chain) == 43
    assert chain.residue_index.tolist() == [*range(1, 10), *range(13, 47)]


def test_chains_of_one_file_do_not_run_into_each_other(written):
    several = written(structure("1l2y"), structure("1crn"), structure("1l2y"))
    alone = written(structure("1l2y"))[0]
    for index in (0, 2):
        again = several[index]
        assert again.sequence == alone.sequence
        assert np.array_equal(again.coordinates, alone.coordinates)
        assert np.array_equal(again.residue_index, alone.residue_index)


def test_every_order_of_side_chain_atoms_gives_the_dictionarys(chain_path, tmp_path):
    # The same atoms, stored in another order with the order written beside them.
    given, path = structure("1crn"), tmp_path / "other.h5"
    write_chains(path, [("train", 0, given)])
    chain = ChainFile(path)[0]
    numbers = np.unique(given.residue_number)
    for place, number in enumerate(numbers):
        here = given.residue_number == number
        at = dict(zip(given.atom_name[here], given.coordinates[here], strict=True))
        names = standard_residues()[chain.restype[place]].atom_names
        for slot, name in enumerate(names):
            if chain.observed[place, slot]:
                assert np.abs(chain.coordinates[place, slot] - at[name]).max() < 0.02, name


def test_a_slot_that_the_file_does_not_know_is_never_observed():
    order = slot_permutation({"ALA": ["N", "CA", "C", "O"]})  # no Cβ
    alanine = next(r for r in standard_residues() if r.code == "ALA")
    slots = dict(zip(alanine.atom_names, order[alanine.restype], strict=False))
    assert slots["CB"] == -1
    assert [slots[name] for name in ("N", "CA", "C", "O")] == [0, 1, 2, 3]
    assert (order[LETTERS.index("W")] == -1).all()


@given(st.data())
def test_a_cut_is_the_stretch_of_every_array(data):
    n = data.draw(st.integers(1, 30))
    start = data.draw(st.integers(0, n - 1))
    stop = data.draw(st.integers(start + 1, n))
    rng = np.random.default_rng(n)
    chain = Chain(
        name="x",
        restype=rng.integers(0, 20, n),
        residue_index=np.arange(5, n + 5),
        coordinates=rng.normal(size=(n, 14, 3)).astype(np.float32),
        observed=rng.random((n, 14)) < 0.8,
    )
    part = chain.cut(start, stop)
    assert len(part) == stop - start
    assert part.sequence == chain.sequence[start:stop]
    assert part.residue_index[0] == start + 5
    assert np.array_equal(part.coordinates, chain.coordinates[start:stop])
    assert np.array_equal(part.observed, chain.observed[start:stop])


# Drawing ----------------------------------------------------------------------------------------


def test_a_split_that_is_not_there_is_named_with_those_that_are(chains):
    with pytest.raises(ValueError, match=r"“test”.*Its splits are: train, val"):
        CropSampler(chains, "test", np.random.default_rng(0))


def test_chains_too_short_to_draw_are_refused_at_once(written):
    given = structure("1l2y")
    short = written(rows_of(given, given.residue_number <= 15))
    with pytest.raises(ValueError, match="no chain of 16 residues or more"):
        CropSampler(short, "train", np.random.default_rng(0))


class FirstHidden(ChainFile):
    """A file whose first chain shows only 14 Cα atoms."""

    def __getitem__(self, index):
        chain = super().__getitem__(index)
        if index:
            return chain
        observed = chain.observed.copy()
        observed[14:, 1] = False
        return replace(chain, observed=observed)


def test_a_chain_that_shows_too_little_is_never_drawn(chain_path):
    chains = FirstHidden(chain_path)
    assert len(chains[0]) == 56
    sampler = CropSampler(chains, "train", np.random.default_rng(0))
    assert {sampler.chain().name for _ in range(40)} == {"chain1", "chain2"}


@pytest.mark.parametrize("n_tokens", [12, 30, 80])
def test_crops_start_everywhere_and_never_leave_their_chain(chains, n_tokens):
    sampler = CropSampler(chains, "train", np.random.default_rng(0))
    size, by_name = (
        CropSize.of(n_tokens),
        {chain.name: chain for chain in map(chains.__getitem__, range(3))},
    )
    starts = set()
    for _ in range(60):
        crop = sampler.crop(size)
        whole = by_name[crop.name]
        start = int(np.flatnonzero(whole.residue_index == crop.residue_index[0])[0])
        starts.add((crop.name, start))
        assert crop.sequence == whole.sequence[start : start + len(crop)]
        assert len(crop) <= n_tokens
    assert {name for name, start in starts if start == 0} if n_tokens == 80 else len(starts) > 20


def test_bulky_residues_are_cut_to_the_room_for_atoms(chains):
    sampler = CropSampler(chains, "train", np.random.default_rng(0))
    tight = CropSize(n_tokens=40, n_atoms=128)
    for _ in range(20):
        crop = sampler.crop(tight)
        assert atom_table().n_atoms[crop.restype].sum() <= 128
        assert len(crop) < 20


def test_the_same_seed_draws_the_same_crops(chains):
    first, second, other = (
        CropSampler(chains, "train", np.random.default_rng(seed)).batch(2, CropSize.of(24))
        for seed in (5, 5, 6)
    )
    assert torch.equal(first.coordinates, second.coordinates)
    assert torch.equal(first.features.ref_pos, second.features.ref_pos)
    assert not torch.equal(first.coordinates, other.coordinates)


# Batches ----------------------------------------------------------------------------------------


def test_what_the_network_reads_does_not_tell_where_atoms_are(chains):
    # The same sequence with other coordinates: nothing but the truth may differ.
    chain = chains[2]
    rng = np.random.default_rng(0)
    elsewhere = replace(
        chain, coordinates=rng.normal(size=chain.coordinates.shape).astype(np.float32)
    )
    one, other = (
        collate([given], CropSize.of(24), np.random.default_rng(0)) for given in (chain, elsewhere)
    )
    assert not torch.equal(one.coordinates, other.coordinates)
    for name, value in vars(one.features).items():
        if value is not None:
            assert torch.equal(value, getattr(other.features, name)), name


def test_atoms_of_a_batch_stand_where_their_names_say(chains):
    crop = collate([chains[1]], CropSize.of(48), np.random.default_rng(0))
    features, coordinates, observed = unbatched(crop)
    native = structure("1crn")
    at = {
        (number - 1, name): place
        for number, name, place in zip(
            native.residue_number, native.atom_name, native.coordinates, strict=True
        )
    }
    seen = 0
    for atom in observed.nonzero()[:, 0].tolist():
        token = int(features.atom_to_token[atom])
        residue = standard_residues()[int(features.restype[token])]
        name = residue.atom_names[int(features.atom_slot[atom])]
        assert np.abs(coordinates[atom].numpy() - at[token, name]).max() < 0.02
        seen += 1
    assert seen == sum(native.atom_name != "OXT")


def test_frames_and_representatives_are_backbones_and_beta_carbons(chains):
    crop = collate([chains[1]], CropSize.of(48), np.random.default_rng(0))
    features, coordinates, _ = unbatched(crop)
    n, alpha, c = (coordinates[index] for index in features.frame_atoms[:46].unbind(-1))
    assert (n - alpha).norm(dim=-1).numpy() == pytest.approx(1.46, abs=0.06)
    assert (c - alpha).norm(dim=-1).numpy() == pytest.approx(1.52, abs=0.06)
    places = coordinates[features.representative_atom[:46]]
    is_glycine = torch.tensor([letter == "G" for letter in chains[1].sequence])
    assert (places - alpha)[is_glycine].norm(dim=-1).max() == 0
    assert (places - alpha)[~is_glycine].norm(dim=-1).numpy() == pytest.approx(1.54, abs=0.07)


def test_a_gap_reaches_the_network_as_numbers(chains):
    index = chains[2].residue_index.copy()
    index[9:] += 40
    crop = collate(
        [replace(chains[2], residue_index=index)], CropSize.of(24), np.random.default_rng(0)
    )
    assert crop.features.residue_index[0, 8:11].tolist() == [9, 50, 51]
    assert crop.features.token_index[0, 8:11].tolist() == [8, 9, 10]


def test_a_file_without_names_numbers_its_chains(chain_path, tmp_path):
    path = tmp_path / "nameless.h5"
    path.write_bytes(chain_path.read_bytes())
    with h5py.File(path, "a") as file:
        del file["table"]["id"]
        assert json.loads(file.attrs["atom14"]) == ATOM14
    assert [ChainFile(path)[k].name for k in range(4)] == ["0", "1", "2", "3"]
