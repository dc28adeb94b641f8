"""The training loop: seeded, resumable, with a moving average of the weights."""

import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, distributed

from folding.data.features import random_rotations
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import SMALL
from folding.training.dataset import Crop, CropSampler, CropSize
from folding.training.losses import diffusion_loss, distogram_loss

LOG_COLUMNS = (
    *("step", "loss", "mse", "bond", "smooth_lddt", "neighbours", "distogram", "seconds"),
)


@dataclass(frozen=True)
class TrainingOptions:
    """What a run is made of.

    ``n_samples`` noise levels share one trunk pass (AF3 SI section 3.7.1 uses 48). The weight of
    the distogram is ten times the paper's 0.03, which suits the few steps of a small run. With a
    ``final_step`` the learning rate falls to 0 there, over the last ``cooldown_steps``.
    """

    seed: int = 1
    batch: int = 2
    n_tokens: int = 48
    n_samples: int = 8
    max_cycles: int = 2
    learning_rate: float = 1.8e-3
    warmup_steps: int = 500
    decay_steps: int = 2500
    final_step: int = 0
    cooldown_steps: int = 2500
    ema_decay: float = 0.998
    max_gradient_norm: float = 2.0
    diffusion_weight: float = 4.0
    distogram_weight: float = 0.3
    bfloat16: bool = True


class Trainer:
    """Model, moving average and optimiser, with one method per verb."""

    def __init__(self, sampler: CropSampler, options: TrainingOptions, device: str = "cpu") -> None:
        torch.manual_seed(options.seed)
        self.options = options
        self.sampler = sampler
        self.device = device
        self.model = AlphaFold3(SMALL).to(device)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained, lr=0.0, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0, fused=True
        )
        self.step = 0

    def run(self, until: Callable[[int], bool]) -> Iterator[dict[str, float | int]]:
        """Trains until ``until(step)``, giving the losses of every step."""
        while not until(self.step):
            yield self.train_step()

    def train_step(self) -> dict[str, float | int]:
        """One optimiser step on a fresh batch of crops."""
        started = time.perf_counter()
        options = self.options
        crop = self.sampler.batch(options.batch, CropSize.of(options.n_tokens))
        crop = Crop(
            crop.features.to(self.device),
            crop.coordinates.to(self.device),
            crop.observed.to(self.device),
        )
        losses = self.losses(crop)
        self.optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        parameters = self.optimizer.param_groups[0]["params"]
        average_over_workers([p.grad for p in parameters if p.grad is not None])
        norm = torch.nn.utils.clip_grad_norm_(parameters, options.max_gradient_norm)
        self.step += 1
        if torch.isfinite(norm):
            self.optimizer.param_groups[0]["lr"] = self.learning_rate()
            self.optimizer.step()
            self.update_average()
        values = {key: value.item() for key, value in losses.items()}
        return {"step": self.step, **values, "seconds": time.perf_counter() - started}

    def losses(self, crop: Crop) -> dict[str, Tensor]:
        """The terms of the loss and their weighted sum under "loss"."""
        options, rng = self.options, self.sampler.generator
        n_cycles = int(rng.integers(1, options.max_cycles + 1))
        truth = placed_at_random(crop, options.n_samples, rng)
        t_hat = self.noise_levels(len(truth), rng)
        noise = torch.from_numpy(rng.standard_normal(truth.shape, dtype=np.float32))
        x_noisy = truth + noise.to(truth) * t_hat[..., None, None]
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=options.bfloat16):
            trunk = self.trunk(crop, n_cycles)
            context = self.model.diffusion.context(crop.features, trunk)
            x = self.model.diffusion(x_noisy, t_hat, context)
            logits = self.model.distogram(trunk.z)
        sigma = self.model.config.sampler.sigma_data
        weight = (t_hat**2 + sigma**2) / (t_hat * sigma) ** 2
        terms = diffusion_loss(x.float(), truth, crop.observed, crop.features, weight=weight)
        distogram = distogram_loss(logits.float(), crop.coordinates, crop.observed, crop.features)
        loss = options.diffusion_weight * sum(terms) + options.distogram_weight * distogram
        return {"loss": loss, **terms._asdict(), "distogram": distogram}

    def trunk(self, crop: Crop, n_cycles: int):
        """The trunk after ``n_cycles`` passes; gradients flow through the last alone (AF3 SI 2)."""
        initial, trunk = self.model.start(crop.features)
        for _ in range(n_cycles - 1):
            with torch.no_grad():
                trunk = self.model.cycle(crop.features, initial, trunk)
        return self.model.cycle(crop.features, initial, trunk)

    def noise_levels(self, n: int, rng: np.random.Generator) -> Float[Tensor, "batch sample"]:
        """Noise levels in Å, log-normal as in AF3 SI section 3.7.1."""
        normal = rng.standard_normal((n, self.options.n_samples), dtype=np.float32)
        sigma = self.model.config.sampler.sigma_data
        return (sigma * torch.exp(-1.2 + 1.5 * torch.from_numpy(normal))).to(self.device)

    def learning_rate(self) -> float:
        """Linear warm-up, then the inverse square root of the steps, linear to 0 at the end."""
        options = self.options
        warm = min(1.0, self.step / options.warmup_steps)
        late = max(0, self.step - options.warmup_steps) / options.decay_steps
        cool = 1.0
        if options.final_step:
            cool = min(1.0, max(0, options.final_step - self.step) / options.cooldown_steps)
        return options.learning_rate * warm * cool / math.sqrt(1 + late)

    @torch.no_grad()
    def update_average(self) -> None:
        """Moves the averaged weights towards the current ones; early steps count for more."""
        decay = min(self.options.ema_decay, (1 + self.step) / (10 + self.step))
        current = self.model.state_dict()
        torch._foreach_lerp_(
            list(self.average.values()), [current[k] for k in self.average], 1 - decay
        )

    def save(self, path: Path) -> None:
        """Writes a checkpoint, first to a temporary name."""
        temporary = path.with_suffix(".part")
        torch.save(
            {
                "step": self.step,
                "options": asdict(self.options),
                "model": self.model.state_dict(),
                "average": self.average,
                "optimizer": self.optimizer.state_dict(),
            },
            temporary,
        )
        temporary.replace(path)

    def start_from(self, weights: Path) -> None:
        """Starts a new run from exported weights instead of random ones."""
        tensors = load_file(weights, device=self.device)
        self.model.load_state_dict(tensors)
        self.average = {key: value.clone() for key, value in tensors.items()}

    def resume(self, path: Path) -> None:
        """Goes on from a checkpoint of ``save``; random numbers start anew, seeded by the step."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])


def seed_worker(seed: int, worker: int, step: int) -> np.random.Generator:
    """The generator of one worker from ``step`` on; torch's own is seeded alike."""
    generator = np.random.default_rng([seed, worker, step])
    torch.manual_seed(int(generator.integers(2**31)))
    return generator


def average_over_workers(gradients: list[Tensor]) -> None:
    """Replaces every gradient by its mean over the processes that train together, if any."""
    if not distributed.is_initialized():
        return
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def placed_at_random(
    crop: Crop, n_samples: int, rng: np.random.Generator
) -> Float[Tensor, "batch sample atom 3"]:
    """``n_samples`` copies of the centred truth, turned and moved at random (algorithm 19)."""
    mask = crop.observed.unsqueeze(-1)
    mean = (crop.coordinates * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)
    centred = (crop.coordinates - mean) * mask
    n = len(centred)
    rotations = random_rotations(n * n_samples, rng).reshape(n, n_samples, 3, 3)
    moves = rng.standard_normal((n, n_samples, 1, 3))
    rotation = torch.from_numpy(rotations).to(centred)
    return torch.einsum("bsij,baj->bsai", rotation, centred) + torch.from_numpy(moves).to(centred)


class LossLog:
    """Means of the losses over stretches of steps, appended to a CSV file."""

    def __init__(
        self, path: Path, *, every: int = 20, columns: tuple[str, ...] = LOG_COLUMNS
    ) -> None:
        self.path, self.every, self.columns = path, every, columns
        self.rows: list[dict[str, float | int]] = []

    def forget_after(self, step: int) -> None:
        """Takes out the lines of steps that a lost process made after its last checkpoint.

        So it does with lines that were cut short, and with columns that this log does not keep.
        """
        if not self.path.exists():
            return
        with self.path.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
        kept = [row for row in rows if row.get("step", "").isdecimal() and int(row["step"]) <= step]
        temporary = self.path.with_suffix(".part")
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)
        temporary.replace(self.path)

    def add(self, row: dict[str, float | int]) -> None:
        """Takes one step; writes a line once ``every`` steps are together."""
        self.rows.append(row)
        if len(self.rows) < self.every:
            return
        means = {key: float(np.mean([r[key] for r in self.rows])) for key in self.columns[1:]}
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            if new:
                writer.writeheader()
            writer.writerow({"step": int(row["step"]), **means})
        self.rows = []
