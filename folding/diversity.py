"""Randomness inside the trunk, for structures that differ more: the option "diversity".

As Protenix 2.0.0 has it at inference, there always on: every cycle reads a random number of random
rows of the alignment, and in two of five seeds parts of the recycled pairs are dropped.
Departures: the rows are among those that the model would read without it, and all draws depend on
seed and cycle alone, so that a fold goes on after a pause to the same coordinates.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from folding.data.features import Features

DROPPING_SEEDS = 0.4
"""Share of the seeds that drop."""

DROPPED = 0.4
"""Share of the recycled numbers that such a seed drops in each cycle."""

_ROWS, _WHETHER, _WHICH = range(3)
"""What a stream of random numbers is for."""


class Diversity:
    """The random choices of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.drops = bool(self._stream(_WHETHER).random() < DROPPING_SEEDS)

    @property
    def words(self) -> str:
        """What this seed does, for the log."""
        also = f", and {DROPPED:.0%} of what is recycled is dropped" if self.drops else ""
        return (
            f"Diversity: every cycle of seed {self.seed} reads random rows of the alignment{also}."
        )

    def rows(self, features: Features, cycle: int) -> Features:
        """The job with as many random rows of its alignment as chance has it, at least one.

        Even the row of the sequence itself may be missing; what is known of each token stays.
        """
        stream, n = self._stream(_ROWS, cycle), features.msa.shape[-2]
        chosen = torch.from_numpy(stream.permutation(n)[: stream.integers(1, n + 1)])
        chosen = chosen.to(features.msa.device)
        names = ("msa", "has_deletion", "deletion_value")
        few = {name: getattr(features, name).index_select(-2, chosen) for name in names}
        if features.msa_mask is not None:
            few["msa_mask"] = features.msa_mask.index_select(-1, chosen)
        return replace(features, **few)

    def recycled(self, z: Tensor, cycle: int) -> Tensor:
        """What a cycle adds of the one before, with numbers dropped and the rest scaled up."""
        if not self.drops:
            return z
        state = self._stream(_WHICH, cycle).integers(2**62)
        generator = torch.Generator(z.device).manual_seed(int(state))
        kept = torch.rand(z.shape, generator=generator, device=z.device) >= DROPPED
        return z * kept / (1 - DROPPED)

    def _stream(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *purpose])
