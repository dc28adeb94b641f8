"""What several tests of weights keep and fetch."""

from pathlib import Path

import pytest
import torch

from folding.weights.protenix import from_own
from folding.weights.store import Store
from tests.folding.model.cases import REDUCED, random_network


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A narrow network in Protenix's format."""
    path = tmp_path_factory.mktemp("theirs") / "checkpoint.pt"
    torch.save({"model": from_own(random_network(REDUCED, 2).state_dict(), REDUCED)}, path)
    return path


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "weights")


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "weights" / "base.pt"
