"""A fold that was interrupted goes on where it was, to the same coordinates."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from folding import checkpoint
from folding.checkpoint import FolderCheckpoint, fingerprint
from folding.device import CPU, Place
from folding.errors import Cancelled, Paused
from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.predict import fold
from folding.progress import BlockDone, RecycleDone, SampleDone, StepDone, silent
from folding.weights.own import load

JOB = FoldInput("job", (ProteinChain(("A",), "GSWQLKDE"),), seeds=(3,))
OPTIONS = FoldOptions(n_samples=2, n_recycles=1, n_steps=4)


@pytest.fixture(scope="module")
def model():
    return load("small")


@pytest.fixture(scope="module")
def whole(model):
    return by_sample(fold(JOB, model=model, options=OPTIONS, report=silent))


def by_sample(predictions):
    return {p.sample: p for p in predictions}


def raising_at(kind, number: int, error=Paused):
    """A report that raises at the n-th event of a kind, and what it heard."""
    heard = []

    def report(event):
        heard.append(event)
        if sum(isinstance(e, kind) for e in heard) == number and isinstance(event, kind):
            raise error

    return report, heard


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for sample, prediction in found.items():
        other = expected[sample]
        assert np.array_equal(prediction.structure.coordinates, other.structure.coordinates)
        assert np.array_equal(prediction.trajectory, other.trajectory)
        assert prediction.ranking_score == other.ranking_score


@pytest.mark.parametrize(
    ("kind", "number", "cycles_again", "steps_again"),
    [(RecycleDone, 1, 1, 8), (RecycleDone, 2, 0, 8), (StepDone, 3, 0, 5), (SampleDone, 1, 0, 4)],
)
def test_a_paused_fold_goes_on_where_it_was(
    model, whole, tmp_path, kind, number, cycles_again, steps_again
):
    place = FolderCheckpoint(tmp_path, "key")
    report, _ = raising_at(kind, number)
    with pytest.raises(Paused):
        fold(JOB, model=model, options=OPTIONS, report=report, checkpoint=place)
    heard = []
    resumed = fold(JOB, model=model, options=OPTIONS, report=heard.append, checkpoint=place)
    assert_same(by_sample(resumed), whole)
    blocks = [e for e in heard if isinstance(e, BlockDone)]
    assert len(blocks) == cycles_again * model.n_trunk_blocks
    assert sum(isinstance(e, StepDone) for e in heard) == steps_again


def test_a_fold_can_stop_between_two_blocks(model, tmp_path):
    report, heard = raising_at(BlockDone, 2, Cancelled)
    with pytest.raises(Cancelled):
        fold(JOB, model=model, options=OPTIONS, report=report)
    assert [e.block for e in heard if isinstance(e, BlockDone)] == [1, 2]
    assert not any(isinstance(e, RecycleDone) for e in heard)
    assert heard[-1].n_blocks == model.n_trunk_blocks == 5


def test_a_killed_fold_goes_on_after_its_trunk(model, whole, tmp_path):
    """SIGKILL leaves no time to write anything: the trunk is on disk by then."""
    code = f"""
import os, signal, torch
torch.set_num_threads({torch.get_num_threads()})
from pathlib import Path
from folding.checkpoint import FolderCheckpoint
from folding.predict import fold
from folding.progress import StepDone
from folding.weights.own import load
from tests.folding.test_checkpoint import JOB, OPTIONS

def report(event):
    if isinstance(event, StepDone) and event.sample == 1 and event.step == 2:
        os.kill(os.getpid(), signal.SIGKILL)

place = FolderCheckpoint(Path({str(tmp_path)!r}), "key")
fold(JOB, model=load("small"), options=OPTIONS, report=report, checkpoint=place)
"""
    killed = subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False)
    assert killed.returncode == -signal.SIGKILL
    heard = []
    place = FolderCheckpoint(tmp_path, "key")
    resumed = fold(JOB, model=model, options=OPTIONS, report=heard.append, checkpoint=place)
    assert not any(isinstance(e, BlockDone) for e in heard)
    drawn = [(e.sample, e.step) for e in heard if isinstance(e, StepDone)]
    assert drawn == [(1, step) for step in (1, 2, 3, 4)]
    assert_same(by_sample(resumed), whole)


def test_a_step_under_way_is_kept_from_time_to_time(model, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "KEEP_SECONDS", 0.0)
    place = FolderCheckpoint(tmp_path, "key")
    report, _ = raising_at(StepDone, 3, RuntimeError)
    with pytest.raises(RuntimeError):
        fold(JOB, model=model, options=OPTIONS, report=report, checkpoint=place)
    kept = checkpoint.find_sample(place, 3, 0)
    assert kept is not None and kept.n_steps == 3 and len(kept.trajectory) == 3
    resumed = fold(JOB, model=model, options=OPTIONS, report=silent, checkpoint=place)
    assert_same(by_sample(resumed), whole)


def test_the_state_of_another_job_is_left_alone(tmp_path):
    FolderCheckpoint(tmp_path, "one").keep("x", {"x": torch.ones(2)}, units=2, now=True)
    assert FolderCheckpoint(tmp_path, "two").find("x") is None
    tensors, units = FolderCheckpoint(tmp_path, "one").find("x")
    assert units == 2 and tensors["x"].tolist() == [1, 1]


def test_a_file_that_cannot_be_read_counts_as_none(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"\x10cut short")
    place = FolderCheckpoint(tmp_path, "key")
    assert place.find("x") is None
    assert place.find("never-there") is None


def test_nothing_is_written_before_it_is_time(tmp_path):
    place = FolderCheckpoint(tmp_path, "key")
    place.keep("x", {"x": torch.ones(2)}, units=1, now=False)
    assert not list(tmp_path.iterdir())


def test_the_fingerprint_follows_what_decides_about_coordinates(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A GPU")
    base = fingerprint(JOB, OPTIONS, weights_sha256="a")
    same = [
        fingerprint(replace(JOB, name="other name"), OPTIONS, weights_sha256="a"),
        fingerprint(replace(JOB, seeds=(1, 2)), OPTIONS, weights_sha256="a"),
        fingerprint(JOB, replace(OPTIONS, n_samples=5), weights_sha256="a"),
    ]
    assert set(same) == {base}
    chain = replace(JOB.chains[0], sequence="GSWQLKDD")
    other = [
        fingerprint(replace(JOB, chains=(chain,)), OPTIONS, weights_sha256="a"),
        fingerprint(JOB, replace(OPTIONS, n_steps=5), weights_sha256="a"),
        fingerprint(JOB, replace(OPTIONS, n_recycles=2), weights_sha256="a"),
        fingerprint(JOB, OPTIONS, weights_sha256="b"),
        fingerprint(JOB, OPTIONS, weights_sha256="a", place=replace(CPU, trunk_type=torch.half)),
        fingerprint(JOB, OPTIONS, weights_sha256="a", place=Place(torch.device("cuda"))),
    ]
    assert len({base, *other}) == 1 + len(other)


def test_what_other_code_began_is_not_taken_up(monkeypatch):
    base = fingerprint(JOB, OPTIONS, weights_sha256="a")
    monkeypatch.setattr("folding.checkpoint.code_sha256", lambda: "0" * 64)
    assert fingerprint(JOB, OPTIONS, weights_sha256="a") != base
