"""Stored results of other programs, and the claim that every part of ours agrees with them."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from folding.data.features import Features
from folding.model.config import ModelConfig
from tests.folding.model.cases import random_features, random_network, templates_by_token
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
        by_token: What templates know is known token by token, and LayerNorms are shared.
    """

    name: str
    config: ModelConfig
    by_token: bool

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
        features = random_features(seed, **self.origin["job"])
        return templates_by_token(features, seed) if self.by_token else features

    @cached_property
    def ours(self) -> dict[str, Tensor]:
        seed = self.origin["seed"]
        return our_parts(random_network(self.config, seed, tied=self.by_token), self.features, seed)

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
