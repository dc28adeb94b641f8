"""Where a fold runs: what is drawn together, in which numbers, and what is recorded."""

import sys
from dataclasses import replace
from functools import cache, partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from folding import predict
from folding.checkpoint import FolderCheckpoint
from folding.device import CPU, Place, Replayed, best_device, place_of, place_on
from folding.errors import Paused
from folding.inputs import FoldInput, FoldOptions, ProteinChain
from folding.model import kernels
from folding.predict import fold
from folding.progress import StageStarted, StepDone, silent
from folding.weights.own import load

TOGETHER = replace(CPU, samples_at_once=8)
OPTIONS = FoldOptions(n_samples=3, n_recycles=1, n_steps=4)
JOB = FoldInput("job", (ProteinChain(("A",), "GSWQLKDEGA"),))
UBIQUITIN = "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG"
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@cache
def model():
    return load("small")


def drawn(place: Place, monkeypatch, report=silent, **more) -> np.ndarray:
    """Coordinates [sample, atom, 3] of all samples in the order of their numbers."""
    monkeypatch.setattr(predict, "place_of", lambda model: place)
    found = fold(JOB, model=model(), options=OPTIONS, report=report, **more)
    return np.stack([p.structure.coordinates for p in sorted(found, key=lambda p: p.sample)])


def test_samples_drawn_together_are_those_drawn_one_by_one(monkeypatch):
    together, apart = (drawn(place, monkeypatch) for place in (TOGETHER, CPU))
    np.testing.assert_allclose(together, apart, atol=2e-3)
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_a_step_of_all_samples_is_reported_before_the_next(monkeypatch):
    events = []
    drawn(TOGETHER, monkeypatch, report=events.append)
    steps = [(e.step, e.sample) for e in events if isinstance(e, StepDone)]
    assert steps == [(step, sample) for step in (1, 2, 3, 4) for sample in (0, 1, 2)]
    stages = [e.stage for e in events if isinstance(e, StageStarted)]
    assert stages.count("diffusion") == 1


def test_no_more_samples_are_drawn_together_than_the_place_holds(monkeypatch):
    events = []
    drawn(replace(CPU, samples_at_once=2), monkeypatch, report=events.append)
    steps = [(e.step, e.sample) for e in events if isinstance(e, StepDone)]
    assert steps == [
        *((s, i) for s in (1, 2, 3, 4) for i in (0, 1)),
        *((s, 2) for s in range(1, 5)),
    ]


def test_samples_drawn_together_go_on_together_after_a_pause(monkeypatch, tmp_path):
    def pause(event):
        if isinstance(event, StepDone) and (event.step, event.sample) == (2, 1):
            raise Paused

    keep = partial(FolderCheckpoint, tmp_path, "key")
    with pytest.raises(Paused):
        drawn(TOGETHER, monkeypatch, report=pause, checkpoint=keep())
    steps = []
    hear = lambda e: steps.append(e.step) if isinstance(e, StepDone) else None  # noqa: E731
    resumed = drawn(TOGETHER, monkeypatch, report=hear, checkpoint=keep())
    assert steps == [3, 3, 3, 4, 4, 4]
    np.testing.assert_array_equal(resumed, drawn(TOGETHER, monkeypatch))


def test_a_trunk_in_half_precision_gives_nearly_the_same_contacts():
    half = replace(CPU, trunk_type=torch.bfloat16)
    heard = {}
    for name, place in (("full", CPU), ("half", half)):
        with pytest.MonkeyPatch.context() as patch:
            listen = lambda e, name=name: heard.setdefault(name, getattr(e, "contact_probs", None))  # noqa: E731
            record = lambda e, listen=listen: listen(e) if hasattr(e, "contact_probs") else None  # noqa: E731
            drawn(place, patch, report=record)
    difference = np.abs(heard["full"] - heard["half"]).max()
    assert 0 < difference < 0.05


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """How far atoms are from where they should be, over their distance from the centre."""
    centred = expected - expected.mean(-2, keepdims=True)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(centred))


def test_products_in_bfloat16_move_atoms_of_a_protein_by_a_hundredth_or_two():
    half = place_on(torch.device("cpu"), "bfloat16")
    assert half.trunk_type == half.step_type == torch.bfloat16
    job = FoldInput("ubiquitin", (ProteinChain(("A",), UBIQUITIN),))
    options = FoldOptions(n_samples=1, n_recycles=1, n_steps=10)
    (found,), (expected,) = (
        fold(job, model=model(), options=options, report=silent, place=place)
        for place in (half, CPU)
    )
    assert 0 < relative(found.structure.coordinates, expected.structure.coordinates) < 0.03


@pytest.mark.parametrize("has_it", ["_is_avx512_bf16_supported", "_is_amx_tile_supported"])
def test_a_processor_that_multiplies_bfloat16_does_unless_told_otherwise(has_it, monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name == has_it)
    cpu = torch.device("cpu")
    assert place_of(model()).step_type == place_on(cpu).trunk_type == torch.bfloat16
    assert place_on(cpu, "float32") == CPU
    assert place_of(model(), "float32").numbers == "float32"


def test_a_fold_is_told_where_to_run():
    half = place_on(torch.device("cpu"), "bfloat16")
    plain, told = (
        fold(JOB, model=model(), options=OPTIONS, report=silent, place=place)
        for place in (CPU, half)
    )
    by_number = [sorted(found, key=lambda p: p.sample) for found in (plain, told)]
    for one, other in zip(*by_number, strict=True):
        assert 0 < relative(other.structure.coordinates, one.structure.coordinates) < 0.05


def test_a_processor_computes_in_float32_one_sample_after_the_other(monkeypatch):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    place = place_of(model())
    assert place == CPU == place_on(torch.device("cpu"))
    assert (place.name, place.numbers) == ("cpu", "float32")
    assert (place.samples_at_once, place.replays) == (1, False)
    with place.trunk():
        assert not torch.is_autocast_enabled("cpu")


def test_numbers_are_named_as_a_manifest_needs_them():
    half = replace(CPU, trunk_type=torch.bfloat16)
    assert half.numbers == "float32, trunk bfloat16"
    steps = replace(half, step_type=torch.bfloat16)
    assert steps.numbers == "float32, trunk bfloat16, steps bfloat16"
    with half.trunk():
        assert torch.get_autocast_dtype("cpu") == torch.bfloat16
        assert torch.is_autocast_enabled("cpu")


def test_only_a_place_that_replays_records():
    denoise = lambda x, t: x  # noqa: E731
    assert CPU.prepared(denoise) is denoise
    assert isinstance(replace(CPU, replays=True).prepared(denoise), Replayed)


def test_the_best_device_is_one_that_is_there():
    assert best_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert torch.ones(2, device=best_device()).sum() == 2


def test_rows_attend_by_themselves_with_one_bias():
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(3, 2, 5, 4, generator=generator) for _ in range(3))
    bias = torch.randn(2, 5, 5, generator=generator)
    expected = torch.softmax(q @ k.transpose(-1, -2) / 2 + bias, -1) @ v
    torch.testing.assert_close(kernels.attend_rows(q, k, v, bias), expected)


def test_without_a_gpu_its_kernels_are_not_even_looked_for(monkeypatch):
    installed = SimpleNamespace(triangle_attention=kernels.attend_rows)
    monkeypatch.setitem(sys.modules, "cuequivariance_torch", installed)
    for has_gpu, expected in ((False, None), (True, kernels.attend_rows)):
        monkeypatch.setattr(torch.cuda, "is_available", lambda has=has_gpu: has)
        kernels.cuequivariance.cache_clear()
        assert kernels.cuequivariance() is expected
    kernels.cuequivariance.cache_clear()


@needs_gpu
def test_a_recorded_step_gives_what_the_step_gives():
    weight = torch.randn(3, 3, device="cuda")
    denoise = lambda x, t: torch.tanh(x @ weight) * t[:, None, None]  # noqa: E731
    replayed = Replayed(denoise)
    for n_samples in (2, 2, 3):
        x, t = torch.randn(n_samples, 7, 3, device="cuda"), torch.rand(n_samples, device="cuda")
        torch.testing.assert_close(replayed(x, t), denoise(x, t))
