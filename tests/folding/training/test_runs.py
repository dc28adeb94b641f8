"""Runs: averages, bad gradients, resumption, several workers, and the commands people type."""

import csv
import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import distributed, multiprocessing

from folding.training import __main__ as command
from folding.training import confidence, export, loop, plot, run
from folding.training.confidence import ConfidenceOptions, ConfidenceTrainer
from folding.training.dataset import CropSampler, CropSize
from folding.training.loop import (
    LOG_COLUMNS,
    LossLog,
    Trainer,
    TrainingOptions,
    average_over_workers,
    placed_at_random,
)
from tests.folding.training.tiny import TINY
from tests.folding.training.workers import average_in_a_worker

OPTIONS = TrainingOptions(
    batch=1, n_tokens=16, n_samples=1, max_cycles=1, warmup_steps=4, bfloat16=False
)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(loop, "SMALL", TINY)
    monkeypatch.setattr(confidence, "SMALL", TINY)


@pytest.fixture
def trainer(sampler):
    return Trainer(sampler, OPTIONS)


def weights(trainer):
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def same(left, right):
    return all(torch.equal(left[name], right[name]) for name in left)


# One step ---------------------------------------------------------------------------------------


def test_the_average_follows_the_weights_as_its_decay_says(sampler):
    one = Trainer(sampler, replace(OPTIONS, ema_decay=0.25))
    expected = weights(one)
    for step in (1, 2, 3):
        one.train_step()
        decay = min(0.25, (1 + step) / (10 + step))
        now = one.model.state_dict()
        expected = {k: decay * v + (1 - decay) * now[k] for k, v in expected.items()}
    for name, value in one.average.items():
        assert torch.allclose(value, expected[name], atol=1e-6), name
    assert not same(one.average, one.model.state_dict())


def with_gradients(trainer, monkeypatch, value):
    """The next losses have this gradient everywhere."""
    parameters = trainer.optimizer.param_groups[0]["params"]

    def losses(crop):
        total = sum((p * value).sum() for p in parameters)
        return {"loss": total, **dict.fromkeys(LOG_COLUMNS[2:-1], total.detach())}

    monkeypatch.setattr(trainer, "losses", losses)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_no_number_is_left_out(trainer, monkeypatch, bad):
    trainer.train_step()
    before, average = weights(trainer), {k: v.clone() for k, v in trainer.average.items()}
    moments = [s["exp_avg"].clone() for s in trainer.optimizer.state.values()]
    with monkeypatch.context() as patch:
        with_gradients(trainer, patch, bad)
        assert trainer.train_step()["step"] == 2
    assert same(before, weights(trainer))
    assert same(average, trainer.average)
    after = [s["exp_avg"] for s in trainer.optimizer.state.values()]
    assert all(torch.equal(a, b) for a, b in zip(moments, after, strict=True))
    assert math.isfinite(trainer.train_step()["loss"])
    assert not same(before, weights(trainer))


def test_a_huge_gradient_moves_no_further_than_a_large_one(sampler, monkeypatch):
    moved = []
    for size in (1e2, 1e8):
        one = Trainer(sampler, OPTIONS)
        before = weights(one)
        with monkeypatch.context() as patch:
            with_gradients(one, patch, size)
            one.train_step()
        assert torch.nn.utils.get_total_norm(
            [p.grad for p in one.optimizer.param_groups[0]["params"]]
        ).item() == pytest.approx(OPTIONS.max_gradient_norm, rel=1e-3)
        moved.append({k: v - before[k] for k, v in weights(one).items()})
    for name, value in moved[0].items():
        assert torch.allclose(value, moved[1][name], atol=1e-6)


def test_noise_levels_are_those_of_the_paper(trainer):
    # exp(-1.2 + 1.5 normal) times 16 Å.
    one = replace(OPTIONS, n_samples=4000)
    trainer.options = one
    levels = trainer.noise_levels(2, np.random.default_rng(0)).log()
    assert levels.shape == (2, 4000)
    assert levels.mean().item() == pytest.approx(math.log(16) - 1.2, abs=0.05)
    assert levels.std().item() == pytest.approx(1.5, abs=0.03)


def test_the_weight_of_a_noise_level_undoes_the_size_of_its_error(trainer, monkeypatch):
    # AF3 SI eq. 6: (t² + 16²) / (16 t)²: 2 / 16² at t = 16 Å, and about 1 / t² far below it.
    seen = {}
    original = loop.diffusion_loss

    def watch(*args, weight):
        seen["weight"] = weight
        return original(*args, weight=weight)

    monkeypatch.setattr(loop, "diffusion_loss", watch)
    for level, expected in ((16.0, 2 / 256), (0.16, 1 / 0.0256 + 1 / 256)):
        monkeypatch.setattr(
            trainer, "noise_levels", lambda n, rng, level=level: torch.full((n, 1), level)
        )
        trainer.losses(trainer.sampler.batch(1, CropSize.of(16)))
        assert seen["weight"].item() == pytest.approx(expected, rel=1e-5)


def test_placed_truths_are_rigid_copies_about_the_origin(sampler):
    crop = sampler.batch(2, CropSize.of(24))
    found = placed_at_random(crop, 3, np.random.default_rng(0))
    for k in range(2):
        seen = crop.observed[k]
        shape = torch.cdist(crop.coordinates[k, seen], crop.coordinates[k, seen])
        for copy in found[k][:, seen]:
            assert torch.allclose(torch.cdist(copy, copy), shape, atol=2e-2)
            assert copy.mean(0).norm() < 6.0  # moved by a normal step of 1 Å along each axis
            corners = [(p[1:4] - p[:1]).double().det() for p in (copy, crop.coordinates[k, seen])]
            assert corners[0].item() == pytest.approx(corners[1].item(), rel=2e-2, abs=0.05)
    assert not torch.allclose(found[0, 0], found[0, 1], atol=1.0)


# Runs -------------------------------------------------------------------------------------------


def arguments(chain_path, out, **changes):
    given = {"data": chain_path, "out": out, "device": "cpu", "workers": 1, "weights": None}
    return given | {"steps": 4, "minutes": 5.0, "save_seconds": 1e9} | changes


def test_a_run_that_was_cut_off_goes_on_the_same_way_each_time(chain_path, tmp_path):
    ends = []
    for name in ("one", "two"):
        given = arguments(chain_path, tmp_path / name)
        run.train(0, OPTIONS, given | {"steps": 2})
        run.train(0, OPTIONS, given)
        ends.append(torch.load(tmp_path / name / "checkpoint.pt", weights_only=True))
    assert ends[0]["step"] == ends[1]["step"] == 4
    assert same(ends[0]["model"], ends[1]["model"])
    assert same(ends[0]["average"], ends[1]["average"])
    moments = [end["optimizer"]["state"][0]["exp_avg_sq"] for end in ends]
    assert torch.equal(*moments)
    assert not list(tmp_path.glob("*/*.part"))


def test_a_run_that_has_all_its_steps_adds_none(chain_path, tmp_path):
    given = arguments(chain_path, tmp_path / "run", steps=1)
    run.train(0, OPTIONS, given)
    before = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    run.train(0, OPTIONS, given)
    after = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert after["step"] == 1
    assert same(before["model"], after["model"])


def test_time_ends_a_run_too(chain_path, tmp_path):
    run.train(0, OPTIONS, arguments(chain_path, tmp_path / "run", steps=10**6, minutes=0.0))
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 0


def test_a_checkpoint_is_there_whole_or_not_at_all(trainer, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.pt"
    trainer.save(path)

    def full(state, temporary):
        temporary.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    trainer.step = 9
    with pytest.raises(OSError, match="No space left"):
        trainer.save(path)
    trainer.resume(path)
    assert trainer.step == 0


def lines(path):
    with path.open(newline="") as file:
        return [(int(row["step"]), float(row["mse"])) for row in csv.DictReader(file)]


def said(log, steps, value):
    for step in steps:
        log.add(dict.fromkeys(LOG_COLUMNS, float(value)) | {"step": step})


def test_the_log_goes_on_after_its_last_checkpoint(tmp_path):
    # A process logs steps 1 to 6 and dies; its last checkpoint is of step 4.
    path = tmp_path / "loss.csv"
    said(LossLog(path, every=2), range(1, 7), 1.0)
    again = LossLog(path, every=2)
    again.forget_after(4)
    said(again, range(5, 9), 2.0)
    assert lines(path) == [(2, 1.0), (4, 1.0), (6, 2.0), (8, 2.0)]


@pytest.mark.parametrize("cut", ["", "x", "6", "6,0.5,", "6.5,1,1,1,1,1,1,1", '"6,1', "\n\n"])
def test_a_line_that_was_cut_short_is_left_out(tmp_path, cut):
    path = tmp_path / "loss.csv"
    said(LossLog(path, every=2), range(1, 5), 1.0)
    path.write_text(path.read_text() + cut)
    again = LossLog(path, every=2)
    again.forget_after(8)
    said(again, [5, 6], 2.0)
    assert lines(path) == [(2, 1.0), (4, 1.0), (6, 2.0)]


def test_columns_of_another_version_are_left_out(tmp_path):
    path = tmp_path / "loss.csv"
    header, row = ",".join(("odour", *LOG_COLUMNS)), ",".join(["9", "1", *["3.5"] * 7])
    path.write_text(f"{header}\n{row}\n{row},8\n")
    LossLog(path).forget_after(4)
    assert lines(path) == [(1, 3.5), (1, 3.5)]
    assert path.read_text().startswith("step,loss,")


def test_a_log_that_is_not_there_has_nothing_to_forget(tmp_path):
    LossLog(tmp_path / "loss.csv").forget_after(3)
    assert not (tmp_path / "loss.csv").exists()


def test_a_run_forgets_what_came_after_its_checkpoint(chain_path, tmp_path):
    given = arguments(chain_path, tmp_path / "run", steps=1)
    run.train(0, OPTIONS, given)
    said(LossLog(tmp_path / "run" / "loss.csv", every=1), [1, 2, 3], 7.0)
    run.train(0, OPTIONS, given | {"steps": 2})
    assert lines(tmp_path / "run" / "loss.csv") == [(1, 7.0)]


# Several workers --------------------------------------------------------------------------------


def test_workers_share_the_mean_of_their_gradients_and_agree_on_the_end(tmp_path):
    multiprocessing.start_processes(
        average_in_a_worker, args=(str(tmp_path),), nprocs=2, start_method="spawn"
    )
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert told[0] == told[1]
    assert told[0]["first"] == [[2.0, 3.0], [4.0, 5.0]]
    assert told[0]["second"] == [1.5]
    assert told[0]["poisoned"] is False, "one worker's NaN is every worker's"
    assert told[0]["stops"] is True, "one worker's deadline is every worker's"


def test_a_worker_alone_keeps_its_gradients():
    assert not distributed.is_initialized()
    gradient = torch.tensor([1.0, 2.0])
    average_over_workers([gradient])
    assert gradient.tolist() == [1.0, 2.0]


# What people type -------------------------------------------------------------------------------


def typed(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["python", *map(str, words)])


def test_the_command_trains_exports_and_plots(chain_path, tmp_path, monkeypatch):
    out = tmp_path / "run"
    sizes = ("--n-tokens", 16, "--n-samples", 1, "--batch", 1, "--no-bfloat16", "--max-cycles", 1)
    typed(monkeypatch, "--data", chain_path, "--out", out, "--steps", 20, *sizes)
    command.main()
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert state["options"]["n_tokens"] == 16
    assert state["options"]["bfloat16"] is False
    assert state["options"]["learning_rate"] == TrainingOptions().learning_rate
    assert [step for step, _ in lines(out / "loss.csv")] == [20]

    facts = tmp_path / "facts.json"
    facts.write_text('{"val": {"lddt": 51.5}}')
    typed(monkeypatch, out / "checkpoint.pt", out / "small.safetensors", "--facts", facts)
    export.main()
    assert same(load_file(out / "small.safetensors"), state["average"])

    typed(monkeypatch, out / "loss.csv", out / "loss.png")
    plot.main()
    assert (out / "loss.png").stat().st_size > 5000


def test_a_run_can_begin_with_exported_weights(chain_path, tmp_path, sampler, monkeypatch):
    first = Trainer(sampler, OPTIONS)
    first.train_step()
    first.save(tmp_path / "checkpoint.pt")
    export.export(tmp_path / "checkpoint.pt", tmp_path / "w.safetensors", {})
    given = arguments(chain_path, tmp_path / "run", steps=0, weights=tmp_path / "w.safetensors")
    run.train(0, OPTIONS, given)
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    assert state["step"] == 0
    assert same(state["model"], first.average)


def test_the_second_stage_is_a_command_whose_checkpoint_exports(
    chain_path, tmp_path, trainer, monkeypatch
):
    trainer.save(tmp_path / "first.pt")
    words = ("--data", chain_path, "--checkpoint", tmp_path / "first.pt")
    typed(monkeypatch, *words, "--out", tmp_path / "second.pt", "--minutes", 0.02)
    monkeypatch.setattr(
        confidence, "ConfidenceOptions", lambda: ConfidenceOptions(batch=1, sizes=(16,), n_steps=2)
    )
    confidence.main()
    export.export(tmp_path / "second.pt", tmp_path / "w.safetensors", {})
    first, second = trainer.average, load_file(tmp_path / "w.safetensors")
    assert first.keys() == second.keys()
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert changed
    assert all(name.startswith("confidence.") for name in changed)


# The second stage -------------------------------------------------------------------------------


def test_a_rollout_is_sized_drawn_and_kept_as_the_options_say(chains):
    sampler = CropSampler(chains, "train", np.random.default_rng(0))
    options = ConfidenceOptions(batch=2, sizes=(16, 32), n_steps=2)
    stage = ConfidenceTrainer(Trainer(sampler, OPTIONS).model, sampler, options)
    sizes = set()
    for _ in range(8):
        rollout = stage.roll_out()
        n_crops, n_tokens = rollout.crop.features.restype.shape
        sizes.add((n_crops, n_tokens))
        assert rollout.coordinates.shape == rollout.crop.coordinates.shape
        assert not rollout.coordinates.requires_grad
        assert not rollout.trunk.s.requires_grad
    assert sizes == {(2, 16), (1, 32)}, "as many residues in each batch"


def test_the_second_stage_cools_down_to_a_twentieth(chains):
    sampler = CropSampler(chains, "train", np.random.default_rng(0))
    options = ConfidenceOptions(batch=1, sizes=(16,), n_steps=2, learning_rate=1.0)
    stage = ConfidenceTrainer(Trainer(sampler, OPTIONS).model, sampler, options)
    stage.memory = [stage.roll_out()]
    rates = []
    for fraction in (0.0, 0.025, 0.5, 0.75, 1.0):
        stage.train_step(fraction)
        rates.append(stage.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.0, 0.5, 1.0, 0.55, 0.05])
