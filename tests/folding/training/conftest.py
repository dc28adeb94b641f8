"""A file of three real chains."""

import numpy as np
import pytest

from folding.training.dataset import ChainFile, CropSampler
from tests.folding.examples import structure
from tests.folding.training.chain_file import write_chains


@pytest.fixture(scope="session")
def chain_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("chains") / "chains.h5"
    rows = [("train", 1, "1pga"), ("train", 2, "1crn"), ("train", 2, "1l2y"), ("val", 3, "1l2y")]
    write_chains(path, [(split, cluster, structure(name)) for split, cluster, name in rows])
    return path


@pytest.fixture(scope="session")
def chains(chain_path) -> ChainFile:
    return ChainFile(chain_path)


@pytest.fixture
def sampler(chains) -> CropSampler:
    return CropSampler(chains, "train", np.random.default_rng(0))
