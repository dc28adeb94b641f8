"""`python -m folding.training.confidence`: teaches the finished network to judge itself.

AF3 trains its confidence heads beside the rest, on short rollouts, with gradients stopped before
the trunk (SI section 4.3). Since nothing flows back, the heads can as well be trained afterwards,
on structures that the finished weights draw: that is what happens here.
"""

import argparse
import dataclasses
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from folding.model.alphafold3 import AlphaFold3
from folding.model.config import SMALL
from folding.model.diffusion import Trunk
from folding.sampler import sample
from folding.training.dataset import ChainFile, Crop, CropSampler, CropSize
from folding.training.loop import LossLog
from folding.training.losses import confidence_loss

LOG_COLUMNS = ("step", "loss", "plddt", "pde", "pae", "resolved", "seconds")


@dataclasses.dataclass(frozen=True)
class ConfidenceOptions:
    """What the second stage is made of. ``reuse`` gradient steps are made for each new rollout."""

    seed: int = 2
    batch: int = 4
    sizes: tuple[int, ...] = (32, 48, 64, 96)
    n_steps: int = 20
    max_cycles: int = 2
    reuse: int = 4
    memory: int = 64
    learning_rate: float = 1e-3
    ema_decay: float = 0.99


class Rollout(NamedTuple):
    """A batch of crops, what the trunk made of them, and a structure drawn for each."""

    crop: Crop
    trunk: Trunk
    coordinates: Tensor


class ConfidenceTrainer:
    """Trains the confidence head alone; everything else stays as it was loaded."""

    def __init__(self, model: AlphaFold3, sampler: CropSampler, options: ConfidenceOptions) -> None:
        self.model, self.sampler, self.options = model, sampler, options
        model.requires_grad_(False)
        self.head = model.confidence.requires_grad_(True)
        self.average = {k: v.detach().clone() for k, v in self.head.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self.head.parameters(), lr=0.0, weight_decay=0.0)
        self.memory: list[Rollout] = []
        self.generator = torch.Generator().manual_seed(options.seed)

    @torch.no_grad()
    def roll_out(self) -> Rollout:
        """Fresh crops of one size, folded with a random number of cycles."""
        options, rng = self.options, self.sampler.generator
        n_tokens = int(rng.choice(options.sizes))
        n_crops = max(1, options.batch * options.sizes[0] // n_tokens)
        crop = self.sampler.batch(n_crops, CropSize.of(n_tokens))
        trunk = self.model.run_trunk(crop.features, int(rng.integers(1, options.max_cycles + 1)))
        context = self.model.diffusion.context(crop.features, trunk)
        shape = (n_crops, 1, crop.observed.shape[1], 3)
        for step in sample(
            lambda x, t_hat: self.model.diffusion(x, t_hat, context),
            self.model.config.sampler,
            n_steps=options.n_steps,
            shape=shape,
            generator=self.generator,
        ):
            coordinates = step.x
        return Rollout(crop, trunk, coordinates[:, 0])

    def train_step(self, fraction: float) -> dict[str, float | int]:
        """One gradient step; ``fraction`` of the run that is over sets the learning rate."""
        started = time.perf_counter()
        memory, rng = self.memory, self.sampler.generator
        rollout = memory[int(rng.integers(len(memory)))]
        features = rollout.crop.features
        logits = self.head(rollout.coordinates, features, rollout.trunk)
        terms = confidence_loss(
            logits, rollout.coordinates, rollout.crop.coordinates, rollout.crop.observed, features
        )
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.head.parameters(), 1.0)
        rate = self.options.learning_rate * min(1.0, fraction * 20, 2 * (1 - fraction) + 0.05)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()
        for key, value in self.head.state_dict().items():
            self.average[key].lerp_(value, 1 - self.options.ema_decay)
        values = {key: value.item() for key, value in terms.items()}
        return {"loss": loss.item(), **values, "seconds": time.perf_counter() - started}

    def run(self, minutes: float, log: LossLog) -> int:
        """Trains for so long and returns the number of gradient steps."""
        started, step = time.monotonic(), 0
        bar = tqdm(desc="confidence", unit="step", mininterval=5)
        while (fraction := (time.monotonic() - started) / (60 * minutes)) < 1:
            if step % self.options.reuse == 0:
                self.memory = [*self.memory, self.roll_out()][-self.options.memory :]
            step += 1
            row = self.train_step(fraction)
            log.add({"step": step, **row})
            bar.update()
            bar.set_postfix(plddt=f"{row['plddt']:.2f}", refresh=False)
        return step


def main() -> None:
    """Reads the command line, trains, and writes a checkpoint that `export` takes."""
    parser = argparse.ArgumentParser(
        prog="python -m folding.training.confidence", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--data", type=Path, required=True, help="HDF5 file of chains")
    parser.add_argument("--checkpoint", type=Path, required=True, help="of the first stage")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint to write")
    parser.add_argument("--minutes", type=float, default=20)
    arguments = parser.parse_args()
    options = ConfidenceOptions()
    state = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    model = AlphaFold3(SMALL)
    model.load_state_dict(state["average"])
    sampler = CropSampler(ChainFile(arguments.data), "train", np.random.default_rng(options.seed))
    trainer = ConfidenceTrainer(model.eval(), sampler, options)
    log = LossLog(arguments.out.with_name("confidence.csv"), columns=LOG_COLUMNS)
    steps = trainer.run(arguments.minutes, log)
    average = state["average"] | {f"confidence.{k}": v for k, v in trainer.average.items()}
    confidence = dataclasses.asdict(options) | {"steps": steps}
    torch.save(
        {
            "step": state["step"],
            "options": state["options"] | {"confidence": confidence},
            "average": average,
        },
        arguments.out,
    )


if __name__ == "__main__":
    main()
