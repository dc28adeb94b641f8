"""Transfer learning: a trained classical trunk that stays as it is, and a circuit after it."""

import torch
from torch import Tensor

from quantum.errors import InvalidValues
from quantum.store.datasets import Samples, TensorSamples, batches


class FrozenTrunk(torch.nn.Module):
    """The module with its weights fixed, always in evaluation mode, without gradients."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "FrozenTrunk":
        """Stays in evaluation mode: dropout off, normalisation by what was learnt."""
        super().train(mode)
        self.module.eval()
        return self

    @torch.no_grad()
    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.module(features)
        return found


@torch.no_grad()
def embed(trunk: torch.nn.Module, samples: Samples, *, batch_size: int = 256) -> TensorSamples:
    """The samples as the trunk sees them: run once, so that epochs train only what follows.

    Raises:
        InvalidValues: where there are no samples.
    """
    if not len(samples):
        raise InvalidValues("there are no samples to embed")
    modes = {module: module.training for module in trunk.modules()}
    trunk.eval()
    pairs = []
    for rows in batches(torch.arange(len(samples)), batch_size):
        features, targets = samples.rows(rows)
        pairs.append((trunk(features).detach(), targets))
    for module, was_training in modes.items():  # parts may have been frozen by themselves
        module.training = was_training
    return TensorSamples(torch.cat([f for f, _ in pairs]), torch.cat([t for _, t in pairs]))
