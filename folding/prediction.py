"""One predicted structure with what the model thinks of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, Float32

from folding.confidence import Confidence
from folding.structure.composition import Composition
from folding.structure.structure import Structure


@dataclass(frozen=True)
class Prediction:
    """One diffusion sample of one seed.

    Args:
        seed: The seed it was drawn with.
        sample: Counts from 0 within the seed.
        structure: Coordinates of all atoms.
        confidence: What the confidence heads say, and the scores computed from it.
        trajectory: The denoised estimate of each token's centre atom (CA) after each step, Å.
        distogram: Probabilities of 64 bins of distance, 2 to 22 Å, for each token pair; samples
            of a seed share one array.
        composition: What the chains are made of; None for proteins alone.
    """

    seed: int
    sample: int
    structure: Structure
    confidence: Confidence
    trajectory: Float32[np.ndarray, "step token 3"]
    distogram: Float16[np.ndarray, "token token distance_bin"] | None = None
    composition: Composition | None = None

    @property
    def ranking_score(self) -> float:
        """By which predictions of a job are sorted, best first."""
        return self.confidence.ranking_score
