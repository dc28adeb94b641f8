"""How to fold: samples, recycles, diffusion steps and which weights."""

import re
from dataclasses import dataclass

from folding.errors import InvalidInput
from folding.inputs.text import quoted

RANGES = {"n_samples": (1, 25), "n_recycles": (0, 20), "n_steps": (1, 500)}
_NOUNS = {"n_samples": "samples", "n_recycles": "recycles", "n_steps": "diffusion steps"}
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class FoldOptions:
    """Settings of one fold, each within its range.

    Args:
        n_samples: Diffusion samples drawn for each seed, 1 to 25.
        n_recycles: Passes of the trunk after the first, 0 to 20.
        n_steps: Denoising steps of each sample, 1 to 500.
        model: Name of the weights, as the registry of weights knows it.
        diversity: Randomness inside the trunk: rows of the alignment, and dropped parts of what is
            recycled. Structures of different seeds differ more; each may be a little worse.

    Raises:
        InvalidInput: A value out of its range; `field` is the name of the option.
    """

    n_samples: int = 5
    n_recycles: int = 3
    n_steps: int = 20
    model: str = "small"
    diversity: bool = False

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise InvalidInput(
                    f"The number of {_NOUNS[name]} must be a whole number from {low} to {high}, "
                    f"not {quoted(value)}.",
                    field=name,
                )
        if not isinstance(self.model, str) or not _MODEL_NAME.fullmatch(self.model):
            raise InvalidInput(
                f"{quoted(self.model)} is not the name of a model. Choose one of the list.",
                field="model",
            )
