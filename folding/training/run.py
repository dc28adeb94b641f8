"""A training run from start or checkpoint to its last step, in one process or several."""

import os
import time
from pathlib import Path

import numpy as np
import torch
from torch import distributed
from tqdm import tqdm

from folding.training.dataset import ChainFile, CropSampler
from folding.training.loop import LossLog, Trainer, TrainingOptions, seed_worker


def train_together(worker: int, options: TrainingOptions, arguments: dict) -> None:
    """One of several processes that train on crops of their own and share gradients."""
    arguments["out"].mkdir(parents=True, exist_ok=True)
    rendezvous = f"file://{arguments['out'].resolve()}/rendezvous-{os.getppid()}"
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=rendezvous, rank=worker, world_size=arguments["workers"]
    )
    train(worker, options, arguments)
    distributed.destroy_process_group()


def train(worker: int, options: TrainingOptions, arguments: dict) -> None:
    """Trains; the first worker logs every step and saves now and then."""
    out: Path = arguments["out"]
    out.mkdir(parents=True, exist_ok=True)
    sampler = CropSampler(
        ChainFile(arguments["data"]), "train", np.random.default_rng(options.seed)
    )
    trainer = Trainer(sampler, options, arguments["device"])
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        trainer.resume(checkpoint)
    elif arguments["weights"]:
        trainer.start_from(arguments["weights"])
    sampler.generator = seed_worker(options.seed, worker, trainer.step)
    stop = Stop(arguments["steps"], arguments["minutes"])
    log, saved = LossLog(out / "loss.csv"), time.monotonic()
    if worker == 0:
        log.forget_after(trainer.step)
    bar = tqdm(
        total=arguments["steps"], initial=trainer.step, unit="step", mininterval=5, disable=worker
    )
    for row in trainer.run(stop):
        if worker:
            continue
        log.add(row)
        bar.update()
        bar.set_postfix(loss=f"{row['loss']:.2f}", refresh=False)
        if time.monotonic() - saved > arguments["save_seconds"]:
            trainer.save(checkpoint)
            saved = time.monotonic()
    if worker == 0:
        trainer.save(checkpoint)


class Stop:
    """Says when to stop: at a step, or after some minutes; all workers agree."""

    def __init__(self, steps: int, minutes: float) -> None:
        self.steps = steps
        self.deadline = time.monotonic() + minutes * 60

    def __call__(self, step: int) -> bool:
        late = torch.tensor(float(time.monotonic() > self.deadline))
        if distributed.is_initialized():
            distributed.all_reduce(late, op=distributed.ReduceOp.MAX)
        return step >= self.steps or bool(late)
