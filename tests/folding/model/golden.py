"""Stored results of other programs, and the claim that every part of ours agrees with them."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from folding.data.features import Features
from folding.model.alphafold3 import AlphaFold3
from folding.model.config import ModelConfig
from tests.folding.model.cases import random_features
from tests.folding.model.parts import our_parts

FOLDER = Path(__file__).parents[2] / "golden"


def network_fields(config: ModelConfig) -> dict[str, Any]:
    """What the network's numbers depend on, as JSON: not how its input is made."""
    fields = json.loads(json.dumps(asdict(config)))
    del fields["reference"]
    return fields


@dataclass(frozen=True)
class Golden:
    """What one program computes from equal weights and inputs.

    Args:
        name: Its folder below tests/golden, which says where the numbers come from.
        network: A network of these dimensions with the other program's weights.
        change: What else its input is like, for the job that a seed gives.
    """

    name: str
    config: ModelConfig
    network: Callable[[ModelConfig, int], AlphaFold3]
    change: Callable[[Features, int], Features]

    @cached_property
    def origin(self) -> dict[str, Any]:
        return json.loads((FOLDER / self.name / "reduced.json").read_text())

    @cached_property
    def theirs(self) -> dict[str, np.ndarray]:
        with np.load(FOLDER / self.name / "reduced.npz") as file:
            return dict(file)

    @cached_property
    def features(self) -> Features:
        seed = self.origin["seed"]
        return self.change(random_features(seed, **self.origin["job"]), seed)

    @cached_property
    def ours(self) -> dict[str, Tensor]:
        seed = self.origin["seed"]
        return our_parts(self.network(self.config, seed), self.features, seed)

    @property
    def same_configuration(self) -> bool:
        return self.origin["config"] == network_fields(self.config)

    def check(self, part: str) -> None:
        """Passes if the part agrees."""
        theirs, result = self.theirs[part], self.ours[part].numpy()
        assert result.shape == theirs.shape
        scale = np.abs(theirs).max()
        assert scale > 0.1, "a part that is nearly zero proves nothing"
        np.testing.assert_allclose(
            result, theirs, rtol=0, atol=self.origin["relative_tolerance"] * scale
        )
