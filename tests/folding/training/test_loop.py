"""Training learns, resumes, and leaves a log."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch

from folding.training import loop, run
from folding.training.confidence import ConfidenceOptions, ConfidenceTrainer
from folding.training.dataset import ChainFile, CropSampler
from folding.training.export import export
from folding.training.loop import LossLog, Trainer, TrainingOptions, seed_worker
from folding.training.plot import plot
from folding.weights.own import check
from tests.folding.training.tiny import TINY

OPTIONS = TrainingOptions(
    batch=1, n_tokens=24, n_samples=2, warmup_steps=4, learning_rate=2e-3, bfloat16=False
)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr(loop, "SMALL", TINY)


def trainer(chains, options: TrainingOptions = OPTIONS) -> Trainer:
    return Trainer(CropSampler(chains, "train", np.random.default_rng(0)), options)


def test_the_loss_falls(chains):
    losses = [row["loss"] for row in trainer(chains).run(lambda step: step >= 60)]
    assert np.mean(losses[-15:]) < 0.75 * np.mean(losses[:5])


def test_the_same_seed_trains_alike(chains):
    runs = [[row["loss"] for row in trainer(chains).run(lambda s: s >= 3)] for _ in range(2)]
    assert runs[0] == runs[1]


def test_every_parameter_learns_but_those_that_no_crop_needs(chains):
    options = TrainingOptions(batch=1, n_tokens=24, n_samples=2, max_cycles=2, warmup_steps=1)
    one = trainer(chains, options)
    trained = {name for name, p in one.model.named_parameters() if p.requires_grad}
    learnt = set()
    for _ in range(12):
        one.train_step()
        learnt |= {
            n for n, p in one.model.named_parameters() if p.grad is not None and p.grad.any()
        }
    # the confidence stage comes later, and single chains have no bonds between tokens
    assert {n for n in trained - learnt if not n.startswith("confidence.")} == {
        "linear_token_bond.weight"
    }


def test_a_run_goes_on_from_its_checkpoint(chains, tmp_path):
    first = trainer(chains)
    for _ in range(3):
        first.train_step()
    first.save(tmp_path / "checkpoint.pt")
    second = trainer(chains)
    second.resume(tmp_path / "checkpoint.pt")
    assert second.step == 3
    for name, value in first.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    rows = []
    for one in (first, second):
        one.sampler.generator = seed_worker(1, 0, 3)
        rows.append(one.train_step()["loss"])
    assert rows[0] == rows[1]


def test_warm_up_then_inverse_square_root():
    one = object.__new__(Trainer)
    one.options = TrainingOptions(learning_rate=1.0, warmup_steps=10, decay_steps=100)
    rates = []
    for step in (5, 10, 110, 310):
        one.step = step
        rates.append(one.learning_rate())
    assert rates == pytest.approx([0.5, 1.0, 1 / np.sqrt(2), 0.5])
    one.options = replace(one.options, final_step=410, cooldown_steps=200)
    assert one.learning_rate() == pytest.approx(0.25)


def test_workers_draw_different_crops_and_the_same_ones_again():
    draws = [seed_worker(1, worker, 5).random() for worker in (0, 1, 0)]
    assert draws[0] == draws[2] != draws[1]


def test_the_log_keeps_means_and_becomes_a_picture(tmp_path):
    log = LossLog(tmp_path / "loss.csv", every=2)
    for step in range(1, 5):
        log.add(dict.fromkeys(loop.LOG_COLUMNS, float(step)) | {"step": step})
    with (tmp_path / "loss.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], float(row["mse"])) for row in rows] == [("2", 1.5), ("4", 3.5)]
    plot(tmp_path / "loss.csv", tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_a_whole_run_saves_and_exports(chain_path, tmp_path):
    arguments = {
        "data": chain_path, "out": tmp_path / "run", "device": "cpu", "workers": 1,
        "steps": 2, "minutes": 5.0, "save_seconds": 60.0, "weights": None,
    }  # fmt: skip
    run.train(0, OPTIONS, arguments)
    run.train(0, OPTIONS, arguments | {"steps": 3})
    weights = tmp_path / "small.safetensors"
    export(tmp_path / "run" / "checkpoint.pt", weights, {"val": 1})
    from safetensors import safe_open

    with safe_open(weights, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        assert '"steps": 3' in file.metadata()["facts"]
    check(loop.AlphaFold3(TINY), tensors, source="test")
    again = Trainer(CropSampler(ChainFile(chain_path), "train", np.random.default_rng(0)), OPTIONS)
    again.start_from(weights)
    assert again.step == 0
    for state in (again.model.state_dict(), again.average):
        assert all(torch.equal(state[name], value) for name, value in tensors.items())


def test_the_confidence_stage_moves_the_head_alone_and_learns(chains):
    model = trainer(chains).model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    options = ConfidenceOptions(batch=1, sizes=(24,), n_steps=2)
    sampler = CropSampler(chains, "train", np.random.default_rng(0))
    stage = ConfidenceTrainer(model, sampler, options)
    stage.memory = [stage.roll_out() for _ in range(2)]
    losses = [stage.train_step(0.5)["loss"] for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:3])
    moved = {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}
    assert moved
    assert all(name.startswith("confidence.") for name in moved)
