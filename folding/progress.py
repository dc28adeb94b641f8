"""What a fold says while it runs: `fold(..., report)` calls `report` with one of these.

`report` may raise `folding.errors.Cancelled` or `Paused`, which ends the fold there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32

from folding.prediction import Prediction

Stage = Literal["msa", "features", "trunk", "diffusion", "confidence"]


@dataclass(frozen=True)
class StageStarted:
    """A stage begins; with several seeds or samples a stage can come again."""

    stage: Stage


@dataclass(frozen=True)
class Outline:
    """What the tokens are to an eye that follows their centre atoms.

    Args:
        tubes: The tokens along each polymer, one for each residue (CA or C1').
        beads: Tokens that are single atoms: ligands, ions, and modified residues.
        bonds: Token pairs that are bonded, but for those along a polymer.
    """

    tubes: tuple[tuple[int, ...], ...]
    beads: tuple[int, ...]
    bonds: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class TokensKnown:
    """The job is cut into tokens."""

    outline: Outline


@dataclass(frozen=True)
class BlockDone:
    """The trunk has passed one more block of a cycle.

    Args:
        cycle: The cycle that is under way, counts from 1.
        block: Counts from 1.
        n_blocks: Blocks of one cycle.
    """

    seed: int
    cycle: int
    n_cycles: int
    block: int
    n_blocks: int


@dataclass(frozen=True)
class RecycleDone:
    """The trunk has passed once more.

    Args:
        cycle: Counts from 1.
        n_cycles: Recycles + 1.
        contact_probs: Probability that two tokens are within 8 Å, from the distogram so far.
        before: An attempt before this one did it.
    """

    seed: int
    cycle: int
    n_cycles: int
    contact_probs: Float32[np.ndarray, "token token"]
    before: bool = False


@dataclass(frozen=True)
class StepDone:
    """A sample has been denoised by one step.

    Args:
        sample: Counts from 0.
        step: Counts from 1.
        noise_level: Standard deviation of the noise that is left, Å.
        coordinates: Denoised estimate of each token's centre atom (CA), mean at the origin, Å.
    """

    seed: int
    sample: int
    n_samples: int
    step: int
    n_steps: int
    noise_level: float
    coordinates: Float32[np.ndarray, "token 3"]


@dataclass(frozen=True)
class SampleDone:
    """A sample and its confidence are known; its rank among the others is not yet."""

    prediction: Prediction


@dataclass(frozen=True)
class Note:
    """Something that the person who waits should read."""

    level: Literal["info", "warning"]
    message: str


Event = StageStarted | TokensKnown | BlockDone | RecycleDone | StepDone | SampleDone | Note
Report = Callable[[Event], None]


def silent(event: Event) -> None:
    """A `report` that listens to nothing."""
