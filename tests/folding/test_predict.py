"""A fold from its input to its predictions."""

import threading
from functools import cache

import numpy as np
import pytest
import torch

from folding.errors import Cancelled
from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.predict import fold
from folding.progress import RecycleDone, SampleDone, StageStarted, StepDone, silent
from folding.structure.secondary import secondary_structure
from folding.training.evaluate import alpha_carbons, chain_like
from folding.weights.own import load

TRP_CAGE = "NLYIQWLKDGGPSSGRPPPS"
UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"
QUICK = FoldOptions(n_samples=2, n_recycles=1, n_steps=3)


@cache
def model():
    return load("small")


def job(*chains: tuple[tuple[str, ...], str], seeds: tuple[int, ...] = (1,)) -> FoldInput:
    parts = tuple(ProteinChain(ids, sequence) for ids, sequence in chains)
    return FoldInput(name="job", chains=parts, seeds=seeds)


def run(fold_input: FoldInput, options: FoldOptions = QUICK, report=silent):
    return fold(fold_input, model=model(), options=options, report=report)


def coordinates(prediction) -> np.ndarray:
    return prediction.structure.coordinates


def test_everything_is_reported_in_order():
    events = []
    run(job((("A",), "GSWQLKDE")), report=events.append)
    stages = [event.stage for event in events if isinstance(event, StageStarted)]
    assert stages == ["msa", "features", "trunk", *["diffusion", "confidence"] * 2]
    cycles = [(e.cycle, e.n_cycles) for e in events if isinstance(e, RecycleDone)]
    assert cycles == [(1, 2), (2, 2)]
    steps = [(e.sample, e.step, e.n_steps) for e in events if isinstance(e, StepDone)]
    assert steps == [(sample, step, 3) for sample in (0, 1) for step in (1, 2, 3)]
    samples = [e.prediction.sample for e in events if isinstance(e, SampleDone)]
    assert samples == [0, 1]


def test_contacts_are_probabilities_and_symmetric():
    events = []
    run(job((("A",), "GSWQLKDE")), report=events.append)
    contacts = next(e.contact_probs for e in events if isinstance(e, RecycleDone))
    assert contacts.shape == (8, 8)
    assert contacts.min() >= 0
    assert contacts.max() <= 1 + 1e-6
    assert np.allclose(contacts, contacts.T, atol=1e-6)


def test_predictions_are_sorted_and_hold_every_heavy_atom():
    predictions = run(job((("A",), "GSWQLKDE")), FoldOptions(n_samples=3, n_recycles=0, n_steps=2))
    scores = [p.ranking_score for p in predictions]
    assert scores == sorted(scores, reverse=True)
    structure = predictions[0].structure
    assert structure.sequence("A") == "GSWQLKDE"
    assert structure.n_atoms == 4 + 6 + 14 + 9 + 8 + 9 + 8 + 9
    assert predictions[0].trajectory.shape == (2, 8, 3)
    assert predictions[0].distogram.sum(-1) == pytest.approx(np.ones((8, 8)), abs=0.02)


def test_the_same_seed_gives_the_same_coordinates_whatever_else_is_drawn():
    chain = (("A",), "GSWQLKDE")
    alone = run(job(chain), FoldOptions(n_samples=1, n_recycles=1, n_steps=3))[0]
    together = run(job(chain, seeds=(7, 1)), QUICK)
    twin = next(p for p in together if (p.seed, p.sample) == (1, 0))
    assert np.array_equal(coordinates(alone), coordinates(twin))
    others = [p for p in together if p is not twin]
    assert all(not np.allclose(coordinates(p), coordinates(twin), atol=0.1) for p in others)


@pytest.fixture
def threads():
    """Sets how many threads PyTorch has, for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_several_threads_fold_what_one_folds(threads):
    fold_input, options = job((("A",), TRP_CAGE)), FoldOptions(n_samples=1, n_recycles=1, n_steps=3)
    found = {}
    for n_threads in (1, 3):
        threads(n_threads)
        found[n_threads] = coordinates(run(fold_input, options)[0])
        assert torch.get_num_threads() == n_threads
    np.testing.assert_allclose(found[3], found[1], atol=2e-3)


def test_a_fold_that_is_ended_leaves_no_threads(threads):
    threads(3)

    def cancel(event):
        if isinstance(event, StepDone):
            raise Cancelled

    with pytest.raises(Cancelled):
        run(job((("A",), "GSWQLKDE")), report=cancel)
    assert torch.get_num_threads() == 3
    assert not [t for t in threading.enumerate() if t.name.startswith("team-")]


def test_frames_are_laid_on_each_other():
    steps = []
    options = FoldOptions(n_samples=1, n_recycles=0, n_steps=12)
    prediction = run(job((("A",), TRP_CAGE)), options, steps.append)[0]
    frames = prediction.trajectory
    assert np.allclose(frames.mean(1), 0, atol=1e-3)
    last_moves = np.linalg.norm(np.diff(frames[-3:], axis=0), axis=-1)
    assert last_moves.mean() < 1.0
    reported = [e.coordinates for e in steps if isinstance(e, StepDone)]
    assert np.array_equal(np.stack(reported), frames)


def test_chains_and_copies_are_named():
    structure = run(job((("A", "B"), "GSWQ"), (("C",), "LKDE")))[0].structure
    assert structure.chain_ids == ("A", "B", "C")
    assert [structure.sequence(c) for c in "ABC"] == ["GSWQ", "GSWQ", "LKDE"]
    assert np.unique(structure.entity_id).tolist() == [1, 2]
    assert structure.residue_number.max() == 4


def test_an_alignment_changes_what_is_folded():
    sequence = "GSWQLKDE"
    a3m = f">query\n{sequence}\n>hit\nGAWELRDE\n"
    plain = job((("A",), sequence))
    aligned = FoldInput(name="job", chains=(ProteinChain(("A",), sequence, a3m),), seeds=(1,))
    first, second = (run(one)[0] for one in (plain, aligned))
    assert not np.allclose(coordinates(first), coordinates(second))


@pytest.mark.parametrize("kind", [RecycleDone, StepDone, SampleDone])
def test_a_report_that_raises_ends_the_fold_there(kind):
    seen = []

    def report(event):
        seen.append(event)
        if isinstance(event, kind):
            raise Cancelled

    with pytest.raises(Cancelled):
        run(job((("A",), "GSWQLKDE")), report=report)
    assert isinstance(seen[-1], kind)
    assert sum(isinstance(event, kind) for event in seen) == 1


def test_nothing_keeps_gradients():
    run(job((("A",), "GSWQLKDE")))
    assert not torch.is_inference_mode_enabled()
    assert all(p.grad is None for p in model().parameters())


def test_the_shipped_weights_give_chains():
    best = run(job((("A",), UBIQUITIN)), FoldOptions())[0]
    assert chain_like(alpha_carbons(best.structure)) >= 0.97


def test_the_shipped_weights_know_the_helices_of_villin():
    sequence = "LSDEDFKAVFGMTRSAFANLPLWKQQNLKKEKGLF"
    predictions = run(job((("A",), sequence)), FoldOptions())
    helical = np.array([list(secondary_structure(p.structure)) for p in predictions]) == "H"
    assert helical[:, 4:16].mean() > 0.8
    assert helical[:, 24:29].mean() > 0.8
    assert helical[:, [0, 1, 19, 20, 34]].mean() < 0.2
    assert np.mean([chain_like(alpha_carbons(p.structure)) for p in predictions]) >= 0.98


def test_the_shipped_weights_are_surer_of_helices_than_of_nonsense():
    helix = run(job((("A",), "DAYAQWLKDGGPSSGRPPPS")), FoldOptions())[0]
    nonsense = run(job((("A",), "GNGDTGSPGNTDGSNGPTGD")), FoldOptions())[0]
    assert secondary_structure(helix.structure)[2:7] == "HHHHH"
    assert helix.confidence.mean_plddt > nonsense.confidence.mean_plddt + 8
