"""Randomness inside the trunk: off unless asked for, and the same for the same seed."""

from functools import cache

import numpy as np
import pytest
import torch

from folding.checkpoint import FolderCheckpoint
from folding.diversity import DROPPED, DROPPING_SEEDS, Diversity
from folding.errors import Paused
from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.predict import fold
from folding.progress import Note, RecycleDone, silent
from folding.weights.own import load
from tests.folding.model.cases import padded, random_features

SEQUENCE = "GSWQLKDE"
MSA = f">a\n{SEQUENCE}\n" + "".join(f">r{i}\nGS{aa}QLK{aa}E\n" for i, aa in enumerate("ACDFHIMN"))
OPTIONS = FoldOptions(n_samples=1, n_recycles=2, n_steps=2)
DIVERSE = FoldOptions(n_samples=1, n_recycles=2, n_steps=2, diversity=True)
DROPPING = next(seed for seed in range(1, 50) if Diversity(seed).drops)
STEADY = next(seed for seed in range(1, 50) if not Diversity(seed).drops)


@cache
def model():
    return load("small")


def run(seed: int = DROPPING, options: FoldOptions = DIVERSE, msa: str | None = MSA, **words):
    job = FoldInput("job", (ProteinChain(("A",), SEQUENCE, msa=msa),), seeds=(seed,))
    words.setdefault("report", silent)
    (prediction,) = fold(job, model=model(), options=options, **words)
    return prediction.structure.coordinates


def test_rows_are_some_of_those_that_are_there_each_once():
    features = random_features(3, n_tokens=12, n_rows=9)
    rows = [tuple(row) for row in features.msa.tolist()]
    counts = set()
    for cycle in range(1, 60):
        few = Diversity(5).rows(features, cycle)
        chosen = [rows.index(tuple(row)) for row in few.msa.tolist()]
        assert len(set(chosen)) == len(chosen)
        assert torch.equal(few.has_deletion, features.has_deletion[chosen])
        assert torch.equal(few.deletion_value, features.deletion_value[chosen])
        assert torch.equal(few.profile, features.profile), "what is known of a token stays"
        counts.add(len(chosen))
    assert counts == set(range(1, 10)), "from one row to all of them"


def test_masks_go_with_their_rows():
    features = padded(random_features(3, n_tokens=12, n_rows=4), n_tokens=16, n_atoms=128, n_rows=6)
    few = Diversity(5).rows(features, 1)
    real = [tuple(row) for row in features.msa[:4].tolist()]
    assert [tuple(row) in real for row in few.msa.tolist()] == few.msa_mask.tolist()


def test_two_of_five_seeds_drop():
    share = np.mean([Diversity(seed).drops for seed in range(1, 1001)])
    assert share == pytest.approx(DROPPING_SEEDS, abs=0.05)


def test_what_is_dropped_is_made_up_for_by_the_rest():
    z = torch.rand(60, 60, 8) + 0.5
    dropped = Diversity(DROPPING).recycled(z, 1)
    assert (dropped == 0).float().mean().item() == pytest.approx(DROPPED, abs=0.02)
    torch.testing.assert_close(dropped[dropped != 0], z[dropped != 0] / (1 - DROPPED))
    assert dropped.mean().item() == pytest.approx(z.mean().item(), rel=0.03)
    assert torch.equal(Diversity(DROPPING).recycled(z, 1), dropped)
    assert not torch.equal(Diversity(DROPPING).recycled(z, 2), dropped)
    assert Diversity(STEADY).recycled(z, 1) is z


def test_it_is_off_by_default():
    assert FoldOptions().diversity is False
    assert np.array_equal(run(options=OPTIONS), run(options=OPTIONS))
    heard = []
    run(options=OPTIONS, report=heard.append)
    assert not [e for e in heard if isinstance(e, Note) and "Diversity" in e.message]


@pytest.mark.parametrize("seed", [DROPPING, STEADY])
def test_the_same_seed_gives_the_same_structure_and_another_than_without(seed):
    once = run(seed)
    assert np.array_equal(once, run(seed))
    assert np.abs(once - run(seed, OPTIONS)).max() > 1e-3


def test_without_an_alignment_only_seeds_that_drop_change():
    assert np.array_equal(run(STEADY, msa=None), run(STEADY, OPTIONS, msa=None))
    assert not np.array_equal(run(DROPPING, msa=None), run(DROPPING, OPTIONS, msa=None))


@pytest.mark.parametrize(("seed", "says"), [(DROPPING, "40% of what"), (STEADY, "alignment.")])
def test_the_log_says_what_a_seed_does(seed, says):
    heard = []
    run(seed, report=heard.append)
    (note,) = [e.message for e in heard if isinstance(e, Note) and "Diversity" in e.message]
    assert f"seed {seed} reads random rows" in note
    assert says in note


def test_a_paused_fold_goes_on_to_the_same_coordinates(tmp_path):
    place, heard = FolderCheckpoint(tmp_path, "key"), []

    def report(event):
        heard.append(event)
        if isinstance(event, RecycleDone) and event.cycle == 2:
            raise Paused

    with pytest.raises(Paused):
        run(checkpoint=place, report=report)
    assert np.array_equal(run(checkpoint=place), run())
